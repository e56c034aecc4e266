/* What a cluster has of the topics that are planned, and where it differs from the plan. */
#ifndef WEIR_COMMON_KAFKA_TOPICS_H
#define WEIR_COMMON_KAFKA_TOPICS_H

#include "common/kafka.h"
#include "common/topic.h"

struct weir_topic_state {
    const struct weir_topic_plan *plan;
    bool exists;
    bool has_leaders; /* every partition can be written */
    int32_t partitions;
    int32_t replication_factor; /* of the partition with the fewest replicas */
    char *values[8];            /* of plan->settings, in their order; NULL: not told */
};

struct weir_topic_states {
    struct weir_topic_plan *plan;
    size_t planned;
    struct weir_topic_state *topics; /* those that are wanted */
    size_t count;
};

typedef bool weir_topic_wanted(void *context, const struct weir_topic_plan *plan);

/* Plans the deployment's topics and takes those that are wanted (NULL: all); nothing is asked. The caller
 * ends with weir_topic_states_done(), also after an error. */
int weir_topic_states_plan(const struct weir_deployment *deployment, weir_topic_wanted *wanted, void *context,
    struct weir_topic_states *states, struct weir_error *err);
void weir_topic_states_done(struct weir_topic_states *states);

static inline void weir_cleanup_topic_states(struct weir_topic_states *states)
{
    weir_topic_states_done(states);
}

/* Both block up to timeout_ms and may be repeated; the partitions first. WEIR_E_UNAVAILABLE, or WEIR_E_CONFIG
 * when the principal may not see a topic's settings. The dev broker has none to ask for. */
int weir_topic_states_read_partitions(
    rd_kafka_t *handle, int timeout_ms, struct weir_topic_states *states, struct weir_error *err);
int weir_topic_states_read_settings(
    rd_kafka_t *handle, int timeout_ms, struct weir_topic_states *states, struct weir_error *err);

struct weir_topic_difference {
    const char *topic, *setting;
    char has[64], wants[64];
    char fix[640];  /* what to do about it */
    bool endangers; /* with it, records or documents can be lost */
};

/* Calls visit for each difference. kafka.dev: only missing topics and partition counts are compared. */
typedef void weir_topic_difference_visitor(void *context, const struct weir_topic_difference *difference);
void weir_topic_differences_each(const struct weir_deployment *deployment,
    const struct weir_topic_states *states, weir_topic_difference_visitor *visit, void *context);

#endif
