/* A Kafka message as a plugin sees it. The record's bytes belong to the message. */
#ifndef WEIR_RUNTIME_RECORD_H
#define WEIR_RUNTIME_RECORD_H

#include "consumers/runtime/arena.h"

#include <librdkafka/rdkafka.h>
#include <weir/plugin.h>

/* All but headers, executions and index; `topic` is the caller's string of that name. */
void weir_record_fill(
    struct weir_record *record, const rd_kafka_message_t *message, const char *topic, uint32_t source);

/* The headers; names and values stay the message's. 0, or WEIR_E_INVALID, WEIR_E_INTERNAL. */
int weir_record_decode(struct weir_record *record, rd_kafka_message_t *message, struct weir_arena *arena);

/* For a line of the log: the request that the record came of (ce_id) and its trace; "-" where the headers tell none. */
struct weir_bytes weir_record_request(const struct weir_record *record);
struct weir_bytes weir_record_trace_id(const struct weir_record *record);

#endif
