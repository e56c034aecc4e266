/* Where a cluster's topics differ from the plan, and what to do about it. */
#ifndef WEIR_DEPLOY_WEIRCTL_TOPIC_DIFFERENCE_H
#define WEIR_DEPLOY_WEIRCTL_TOPIC_DIFFERENCE_H

#include "common/bytes.h"
#include "common/kafka_topics.h"
#include "deploy/weirctl/weirctl.h"

/* Asks the cluster, until --timeout; may be repeated. */
int topic_states_read(struct weirctl *ctl, struct weir_topic_states *states, struct weir_error *err);

/* Writes each difference of states, a line of text or a JSON object, into out. Answers how many there are. */
size_t topic_differences_write(
    const struct weirctl *ctl, const struct weir_topic_states *states, struct weir_buffer *out);

#endif
