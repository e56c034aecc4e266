/* Where a cluster's topics differ from the plan, and what to do about it. */
#ifndef WEIR_DEPLOY_WEIRCTL_TOPIC_DIFFERENCE_H
#define WEIR_DEPLOY_WEIRCTL_TOPIC_DIFFERENCE_H

#include "common/bytes.h"
#include "deploy/weirctl/topic_state.h"

/* Writes each difference of states, a line of text or a JSON object, into out. Answers how many there are. */
size_t topic_differences_write(
    const struct weirctl *ctl, const struct topic_states *states, struct weir_buffer *out);

#endif
