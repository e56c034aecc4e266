/* Reads what a topic holds now: records of one partition in order, from an offset or a time to its end,
 * committed ones only, each handed to a visitor. Memory is bounded by the fetch queue. No group, nothing is
 * committed. Not thread-safe.
 *
 *     struct weir_kafka_range range = {.topic = topic, .partition = 3};
 *     rc = weir_kafka_scan_read(scan, &range, visit, context, err);
 */
#ifndef WEIR_COMMON_KAFKA_SCAN_H
#define WEIR_COMMON_KAFKA_SCAN_H

#include "common/bytes.h"
#include "common/deployment.h"
#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

struct weir_kafka_scan;

/* A record as it stands in the log; valid during the visit. */
struct weir_kafka_record {
    const char *topic;
    int32_t partition;
    int64_t offset, timestamp_ms;
    struct weir_bytes key, value;
    const struct weir_header *headers;
    size_t header_count;
};

struct weir_kafka_range {
    const char *topic;
    int32_t partition;
    int64_t from_offset; /* 0: the log's beginning */
    int64_t from_ms;     /* > 0: not before the first record written then */
    bool settled; /* wait until transactions that are open now have ended, so that nothing before the end
                   * as it is now is missed; else stop at the first one that is open */
};

/* 0 goes on, 1 ends the reading, a negative code fails it. */
typedef int weir_kafka_visit(void *context, const struct weir_kafka_record *record, struct weir_error *err);

/* name: the client.id. timeout_ms bounds each request, and how long the log may stand still before its end.
 * The deployment is borrowed; the caller closes. */
int weir_kafka_scan_open(const struct weir_deployment *deployment, const char *name, int timeout_ms,
    struct weir_kafka_scan **ret_scan, struct weir_error *err);
void weir_kafka_scan_close(struct weir_kafka_scan *scan);

/* Calls tick again and again while something is read, with where between begin and end: for a progress line,
 * and for who has no more time: a reading for which it answers false fails with WEIR_E_TIMEOUT before the
 * record at offset is visited (-1: none came). NULL ends it. */
typedef bool weir_kafka_scan_tick(
    void *context, const struct weir_kafka_range *range, int64_t begin, int64_t offset, int64_t end);
void weir_kafka_scan_on_tick(struct weir_kafka_scan *scan, weir_kafka_scan_tick *tick, void *context);

/* Partitions of a topic: WEIR_E_NOT_FOUND, WEIR_E_UNAVAILABLE. */
int weir_kafka_scan_partitions(
    struct weir_kafka_scan *scan, const char *topic, int32_t *ret_count, struct weir_error *err);

/* The log's first offset and the one behind its last record; transaction markers count. */
int weir_kafka_scan_ends(struct weir_kafka_scan *scan, const char *topic, int32_t partition,
    int64_t *ret_begin, int64_t *ret_end, struct weir_error *err);

/* Visits the records that are there when it begins. WEIR_E_UNAVAILABLE, or what the visitor failed with. */
int weir_kafka_scan_read(struct weir_kafka_scan *scan, const struct weir_kafka_range *range,
    weir_kafka_visit *visit, void *context, struct weir_error *err);

#endif
