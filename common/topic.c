#include "common/topic.h"

#include <stdio.h>

/* Murmur2 (Austin Appleby, public domain) with the seed of Kafka's Java client
 * (org.apache.kafka.common.utils.Utils.murmur2), so that other clients agree about a key's partition. */
static uint32_t read_u32(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint32_t murmur2(struct weir_bytes key)
{
    const uint32_t m = 0x5bd1e995;
    const unsigned char *at = (const unsigned char *)key.data;
    size_t left = key.len;
    uint32_t hash = 0x9747b28c ^ (uint32_t)left;

    for (; left >= 4; at += 4, left -= 4) {
        uint32_t k = read_u32(at) * m;
        hash = (hash * m) ^ ((k ^ (k >> 24)) * m);
    }
    for (size_t i = left; i > 0; i--)
        hash ^= (uint32_t)at[i - 1] << (8 * (i - 1));
    if (left > 0)
        hash *= m;
    hash = (hash ^ (hash >> 13)) * m;
    return hash ^ (hash >> 15);
}

int32_t weir_topic_partition(struct weir_bytes key, int32_t count)
{
    return (int32_t)(murmur2(key) & 0x7fffffff) % count;
}

int weir_topic_of_service(const char *source_topic, const char *service, const char *suffix,
    char out[static WEIR_TOPIC_NAME_BYTES], struct weir_error *err)
{
    int len = snprintf(out, WEIR_TOPIC_NAME_BYTES, "%s.%s.%s", source_topic, service, suffix);
    if (len < 0 || len >= WEIR_TOPIC_NAME_BYTES)
        return weir_error_set(err, WEIR_E_CONFIG, "topic name %s.%s.%s is longer than Kafka's 249 characters",
            source_topic, service, suffix);
    return 0;
}
