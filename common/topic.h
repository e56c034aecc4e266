/* Topics: their names, their partitioner and the list of all that a deployment needs (WIRE.md of the project:
 * ARCHITECTURE.md "Topics"). */
#ifndef WEIR_COMMON_TOPIC_H
#define WEIR_COMMON_TOPIC_H

#include "common/bytes.h"
#include "common/deployment.h"
#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

enum { WEIR_TOPIC_NAME_BYTES = 250 }; /* Kafka allows 249 */

/* Partition of a key, 0 ≤ p < count: murmur2 with the sign bit cleared, as Kafka's Java client. Threads: any. */
int32_t weir_topic_partition(struct weir_bytes key, int32_t count);

/* "<source>.<service>.<suffix>", e.g. orders.store.dlq; suffix "retry", "dlq", "outcomes" or "notifications".
 * Returns 0 or WEIR_E_CONFIG when the name is too long. */
int weir_topic_of_service(const char *source_topic, const char *service, const char *suffix,
    char out[static WEIR_TOPIC_NAME_BYTES], struct weir_error *err);

enum weir_topic_role {
    WEIR_TOPIC_COMMANDS,
    WEIR_TOPIC_CHANGES,
    WEIR_TOPIC_RETRY,
    WEIR_TOPIC_DEAD_LETTERS,
    WEIR_TOPIC_OUTCOMES,
    WEIR_TOPIC_DELIVERIES,
};

/* One topic as it has to be. Configuration values are in Kafka's own words. */
struct weir_topic_plan {
    char name[WEIR_TOPIC_NAME_BYTES];
    enum weir_topic_role role;
    int32_t partitions;
    int32_t replication_factor;
    struct weir_property settings[8]; /* name: static; value: owned */
    size_t setting_count;
};

/* Every topic of the deployment, each once, commands first. The caller frees with weir_topic_plan_free. */
int weir_topic_plan(const struct weir_deployment *deployment, struct weir_topic_plan **ret_plan, size_t *ret_count,
    struct weir_error *err);
void weir_topic_plan_free(struct weir_topic_plan *plan, size_t count);

/* The largest batch of records that every planned topic takes: Kafka's max.message.bytes bounds the batch, not the
 * record, and refuses a larger one whole. */
int weir_topic_batch_bytes(const struct weir_deployment *deployment, int64_t *ret_bytes, struct weir_error *err);

#endif
