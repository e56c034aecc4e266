/* The partitions that the group gave to this instance, and what the consumer is told about them: assign,
 * pause, resume, seek. The group knows of source topics only; each partition brings the retry partition of
 * its number along. Rebalances are only noted here; taking.c does the work, step by step, in the loop. */
#ifndef WEIR_RUNTIME_ASSIGNMENT_H
#define WEIR_RUNTIME_ASSIGNMENT_H

#include "common/kafka.h"
#include "consumers/runtime/partition.h"

struct weir_runtime;

struct weir_assignment {
    struct weir_partition **partitions; /* each at a fixed address while owned */
    size_t count;
    struct weir_partition *last;               /* found last: records come in runs */
    rd_kafka_consumer_group_metadata_t *group; /* of this assignment: the fence of its transactions */
};

/* rd_kafka_conf_set_rebalance_cb(); the handle's opaque is the runtime. Runs inside consumer_poll and
 * consumer_close. */
void weir_assignment_rebalance(rd_kafka_t *consumer, rd_kafka_resp_err_t event,
    rd_kafka_topic_partition_list_t *partitions, void *opaque);

/* NULL when it is not ours. */
struct weir_partition *weir_assignment_find(
    struct weir_assignment *assignment, const char *topic, int32_t partition);

/* The partition whose retry partition this is. */
struct weir_partition *weir_assignment_find_retry(
    struct weir_assignment *assignment, const char *topic, int32_t partition);

/* The consumer holds the partition back, or goes on with partition->fetch_next. Resume answers
 * WEIR_E_UNAVAILABLE when it has to be tried again. */
void weir_assignment_pause(struct weir_runtime *runtime, struct weir_partition *partition);
int weir_assignment_resume(
    struct weir_runtime *runtime, struct weir_partition *partition, struct weir_error *err);
/* The same for its retry partition, which goes on where the parking was read to. */
void weir_assignment_pause_retry(struct weir_runtime *runtime, struct weir_partition *partition);
int weir_assignment_resume_retry(
    struct weir_runtime *runtime, struct weir_partition *partition, struct weir_error *err);

/* Starts the partition from the first step, after `delay_ms`: what it holds is dropped, the plugin hears
 * revoked and assigned. */
void weir_assignment_retake(struct weir_runtime *runtime, struct weir_partition *partition, int64_t delay_ms);
/* Nothing more is handed out of it until the next rebalance; says why, once. */
void weir_assignment_stop(struct weir_runtime *runtime, struct weir_partition *partition, const char *why);

/* The dev broker forgets offsets that were sent to a transaction; after its end they are committed once more.
 */
void weir_assignment_commit_plainly(
    struct weir_runtime *runtime, const rd_kafka_topic_partition_list_t *offsets);

void weir_assignment_done(struct weir_runtime *runtime);

#endif
