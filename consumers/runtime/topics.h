/* What has to be true of the service's topics before it starts: their partition counts, and the settings that
 * keep their records. */
#ifndef WEIR_RUNTIME_TOPICS_H
#define WEIR_RUNTIME_TOPICS_H

#include "common/error.h"

struct weir_runtime;

/* Compares the topics that the service reads and writes with the plan, and logs each difference.
 * WEIR_E_CONFIG for one with which records or documents could be lost; WEIR_E_NOT_FOUND for one that is
 * missing, WEIR_E_UNAVAILABLE without an answer: both may pass. Settings that this principal may not see are
 * taken to be as planned. */
int weir_topics_check(struct weir_runtime *runtime, struct weir_error *err);

#endif
