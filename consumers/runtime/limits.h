/* How large a record a topic takes: max.message.bytes of the deployment's topics, asked of the cluster once,
 * so that emit() answers without asking. The dev broker does not say; then, and for other topics, Kafka's
 * default stands. */
#ifndef WEIR_RUNTIME_LIMITS_H
#define WEIR_RUNTIME_LIMITS_H

#include "common/deployment.h"
#include "common/error.h"

#include <librdkafka/rdkafka.h>
#include <stddef.h>

struct weir_limits;

/* Blocks up to timeout_ms. When the cluster refuses to tell, the defaults stand and err says why (negative
 * answer); *ret_limits is the caller's in any case but memory out. */
int weir_limits_read(const struct weir_deployment *deployment, rd_kafka_t *handle, int timeout_ms,
    struct weir_limits **ret_limits, struct weir_error *err);
void weir_limits_free(struct weir_limits *limits);

/* Bytes that one batch for the topic may have. */
size_t weir_limits_topic_bytes(const struct weir_limits *limits, const char *topic);
/* The least of all topics that are known: no batch may be larger. */
size_t weir_limits_least_bytes(const struct weir_limits *limits);

#endif
