/* The dead letters over HTTP: /v1/dlq lists, shows and redrives those of all services, by the engine of
 * `weirctl dlq` (common/kafka_dead_letter, common/kafka_redrive) and with the same answers.
 *
 * One worker thread with Kafka clients of its own does one request after the other; meanwhile they are
 * suspended (gateway/pending). Its queue is bounded: who comes when it is full is answered 503. What takes
 * longer than `timeout` allows ends before: a list with the place to go on from, a redrive with what was done
 * by then. */
#ifndef WEIR_GATEWAY_DLQ_H
#define WEIR_GATEWAY_DLQ_H

#include "gateway/request.h"

struct weir_dlq;

/* Kafka is asked nothing before somebody asks. */
int weir_dlq_open(struct weir_gateway *gateway, struct weir_dlq **ret_dlq, struct weir_error *err);
/* Whatever is under way ends early, what waits is answered 503. Accepts NULL. Threads: any. */
void weir_dlq_end(struct weir_dlq *dlq);
/* After weir_dlq_end(), when no request is left. Accepts NULL. */
void weir_dlq_close(struct weir_dlq *dlq);

/* Takes a checked path behind base.path apart. False: it is none of these, or they are switched off.
 * *ret_target has no action when there is nothing at a path below /v1/dlq. */
bool weir_dlq_target(const struct weir_gateway *gateway, const char *path, struct weir_target *ret_target);

enum weir_step weir_dlq_stats_run(struct weir_request *request);
enum weir_step weir_dlq_list_run(struct weir_request *request);
enum weir_step weir_dlq_show_run(struct weir_request *request);
/* Of all letters that a filter chooses, or of one. */
enum weir_step weir_dlq_redrive_run(struct weir_request *request);

#endif
