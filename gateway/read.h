/* Reads: asks the store that owns a partition, by libcurl's multi interface on one thread, until it answers
 * or the time is up; the client's request is suspended meanwhile. What is asked is a kind (read_job.h). */
#ifndef WEIR_GATEWAY_READ_H
#define WEIR_GATEWAY_READ_H

#include "common/error.h"
#include "gateway/gateway.h"
#include "gateway/route.h"

struct weir_read;

/* Starts the thread. The gateway's owner is made afterwards and told with weir_read_learnt(). */
int weir_read_open(struct weir_gateway *gateway, struct weir_read **ret_read, struct weir_error *err);
/* Ends what is under way: its requests stay in the registry. Accepts NULL. */
void weir_read_close(struct weir_read *read);

/* The gateway shuts down: what only waits for something new is answered. Threads: any. */
void weir_read_hurry(struct weir_read *read);

/* read_document.c: suspends the request and begins to read its document. */
enum weir_step weir_read_run(struct weir_request *request);

/* The owners of partitions may have changed: reads that wait for one try again. context is the weir_read. */
void weir_read_learnt(void *context);

#endif
