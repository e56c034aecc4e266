/* The id that a cluster gave a topic when it was made (KIP-516): another one under the same name has another
 * id. */
#ifndef WEIR_COMMON_KAFKA_TOPIC_ID_H
#define WEIR_COMMON_KAFKA_TOPIC_ID_H

#include "common/kafka.h"

enum { WEIR_KAFKA_TOPIC_ID_BYTES = 24 };

/* Into out: the id, 22 characters of base64; "" when it can't be had: librdkafka older than 2.3, a broker
 * older than 2.8, or a principal that may not describe the topic. Blocks up to timeout_ms. WEIR_E_UNAVAILABLE
 * without an answer. */
int weir_kafka_topic_id(rd_kafka_t *handle, const char *topic, int timeout_ms,
    char out[static WEIR_KAFKA_TOPIC_ID_BYTES], struct weir_error *err);

#endif
