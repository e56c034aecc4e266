/* What a cluster has of the topics that are planned. */
#ifndef WEIR_DEPLOY_WEIRCTL_TOPIC_STATE_H
#define WEIR_DEPLOY_WEIRCTL_TOPIC_STATE_H

#include "common/topic.h"
#include "deploy/weirctl/weirctl.h"

struct topic_state {
    const struct weir_topic_plan *plan;
    bool exists;
    bool has_leaders; /* every partition can be written */
    int32_t partitions;
    int32_t replication_factor; /* of the partition with the fewest replicas */
    char *values[8];            /* of plan->settings, in their order; NULL: not told */
};

struct topic_states {
    struct weir_topic_plan *plan;
    struct topic_state *topics;
    size_t count;
};

/* Plans the deployment's topics; nothing is asked. The caller ends with topic_states_done(), also after an
 * error. */
int topic_states_plan(
    const struct weir_deployment *deployment, struct topic_states *states, struct weir_error *err);

/* Asks the cluster. On the dev broker, which has no settings, only for the partitions. May be repeated. */
int topic_states_read(struct weirctl *ctl, struct topic_states *states, struct weir_error *err);

void topic_states_done(struct topic_states *states);

static inline void weir_cleanup_topic_states(struct topic_states *states)
{
    topic_states_done(states);
}

#endif
