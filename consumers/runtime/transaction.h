/* The transactional producer: a batch's records and the consumed offsets become visible together or not at
 * all (KIP-98, KIP-447). Belongs to the thread of control; delivery reports are served inside its calls. */
#ifndef WEIR_RUNTIME_TRANSACTION_H
#define WEIR_RUNTIME_TRANSACTION_H

#include "common/kafka.h"
#include "consumers/runtime/batch.h"
#include "consumers/runtime/limits.h"

enum { WEIR_TRANSACTION_LIMIT_MS = 15000 }; /* transaction.timeout.ms of common/kafka */

enum weir_ending {
    WEIR_ENDING_COMMITTED,
    WEIR_ENDING_ABORTED,  /* nothing of it is or will be visible; the producer is fit for the next */
    WEIR_ENDING_DOUBTFUL, /* whether it committed has to be read; the producer has to be renewed */
};

struct weir_transaction;

/* Makes the producer; does not reach for the broker. Deployment, limits, id and reachable
 * (set to false when all brokers went away) are borrowed. The caller
 * closes it. */
int weir_transaction_open(const struct weir_deployment *deployment, const struct weir_limits *limits,
    const char *id, _Atomic bool *reachable, struct weir_transaction **ret_transaction,
    struct weir_error *err);
/* Ends what a producer of the same id left open and fences it. WEIR_E_UNAVAILABLE and WEIR_E_TIMEOUT may be
 * tried again. */
int weir_transaction_init(struct weir_transaction *transaction, int timeout_ms, struct weir_error *err);
/* A new producer in place of one that is beyond repair; to be followed by init. Ends the process when the
 * old one does not let go within 5 s. */
int weir_transaction_renew(struct weir_transaction *transaction, struct weir_error *err);
void weir_transaction_close(struct weir_transaction *transaction);

/* Serves callbacks between transactions. */
void weir_transaction_serve(struct weir_transaction *transaction);

/* struct weir_batch_port.target */
struct weir_target *weir_transaction_target(struct weir_transaction *transaction, const char *topic);

struct weir_transaction_input {
    struct weir_batch *batch;
    const rd_kafka_topic_partition_list_t *offsets; /* next to consume, of each partition the batch touched */
    const rd_kafka_consumer_group_metadata_t
        *group; /* of the assignment that the records were polled in: the fence */
    /* The mutant of test builds that applies before it commits; else NULL. */
    void (*before_commit)(void *context);
    void *context;
};

/* Produces what was emitted and commits. After COMMITTED the batch's outputs carry their offsets. err says
 * why it is not. */
enum weir_ending weir_transaction_run(
    struct weir_transaction *transaction, const struct weir_transaction_input *input, struct weir_error *err);

/* Commits the offsets alone; input's batch is not looked at. */
enum weir_ending weir_transaction_commit_offsets(
    struct weir_transaction *transaction, const struct weir_transaction_input *input, struct weir_error *err);

/* The connection broke during the last commit, which yet succeeded: a late request could hit the next
 * transaction (KAFKA-17754), so that the producer is to be renewed first. */
bool weir_transaction_is_suspect(const struct weir_transaction *transaction);
/* How often a live twin of the same transactional.id took over in the last two minutes. */
unsigned weir_transaction_fences(const struct weir_transaction *transaction);

#endif
