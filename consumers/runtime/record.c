#include "consumers/runtime/record.h"

#include "common/envelope.h"

void weir_record_fill(
    struct weir_record *record, const rd_kafka_message_t *message, const char *topic, uint32_t source)
{
    *record = (struct weir_record){
        .topic = topic,
        .source = source,
        .partition = message->partition,
        .offset = message->offset,
        .timestamp_ms = rd_kafka_message_timestamp(message, NULL),
        .key = {message->key, message->key != NULL ? message->key_len : 0},
        .value = {message->payload, message->payload != NULL ? message->len : 0},
    };
}

int weir_record_decode(struct weir_record *record, rd_kafka_message_t *message, struct weir_arena *arena)
{
    rd_kafka_headers_t *decoded;
    rd_kafka_resp_err_t failed = rd_kafka_message_headers(message, &decoded);
    if (failed == RD_KAFKA_RESP_ERR__NOENT)
        return 0;
    if (failed != RD_KAFKA_RESP_ERR_NO_ERROR)
        return WEIR_E_INVALID;
    size_t count = rd_kafka_header_cnt(decoded);
    struct weir_header *headers = weir_arena_take(arena, (count + 1) * sizeof(*headers));
    if (headers == NULL)
        return WEIR_E_INTERNAL;
    for (size_t i = 0; i < count; i++) {
        const void *value;
        size_t len;
        rd_kafka_header_get_all(decoded, i, &headers[i].name, &value, &len);
        headers[i].value = weir_bytes(value, value != NULL ? len : 0);
    }
    record->headers = headers;
    record->header_count = count;
    return 0;
}

static struct weir_bytes find(const struct weir_record *record, const char *name)
{
    return weir_header_find(record->headers, record->header_count, name);
}

static struct weir_bytes or_dash(struct weir_bytes text)
{
    return text.data != NULL ? text : weir_bytes_str("-");
}

struct weir_bytes weir_record_request(const struct weir_record *record)
{
    return or_dash(find(record, WEIR_HEADER_ID));
}

struct weir_bytes weir_record_trace_id(const struct weir_record *record)
{
    return or_dash(weir_trace_id(find(record, WEIR_HEADER_TRACEPARENT)));
}
