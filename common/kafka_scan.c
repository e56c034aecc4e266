#include "common/kafka_scan.h"

#include "common/clock.h"
#include "common/kafka.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { STEP_MS = 100, DESTROY_MS = 3000 };

struct weir_kafka_scan {
    rd_kafka_t *reader; /* read_committed */
    rd_kafka_t *marks;  /* read_uncommitted: the only handle that answers true high watermarks */
    int timeout_ms;
    bool dev;
    weir_kafka_scan_tick *tick;
    void *tick_context;
    struct weir_header *headers; /* of the record under way */
    size_t header_capacity;
};

static int open_handle(const struct weir_deployment *deployment, enum weir_kafka_role role, const char *name,
    rd_kafka_t **ret_handle, struct weir_error *err)
{
    rd_kafka_conf_t *conf = NULL;

    int code = weir_kafka_conf(deployment, role, name, NULL, &conf, err);
    return code < 0 ? code : weir_kafka_new_take(RD_KAFKA_CONSUMER, conf, ret_handle, err);
}

int weir_kafka_scan_open(const struct weir_deployment *deployment, const char *name, int timeout_ms,
    struct weir_kafka_scan **ret_scan, struct weir_error *err)
{
    struct weir_kafka_scan *scan = calloc(1, sizeof(*scan));

    if (scan == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    scan->timeout_ms = timeout_ms;
    scan->dev = deployment->kafka.dev;
    int code = open_handle(deployment, WEIR_KAFKA_COMMITTED_READER, name, &scan->reader, err);
    if (code == 0)
        code = open_handle(deployment, WEIR_KAFKA_UNCOMMITTED_READER, name, &scan->marks, err);
    if (code < 0) {
        weir_kafka_scan_close(scan);
        return code;
    }
    rd_kafka_poll_set_consumer(scan->reader);
    *ret_scan = scan;
    return 0;
}

void weir_kafka_scan_close(struct weir_kafka_scan *scan)
{
    if (scan == NULL)
        return;
    weir_kafka_destroy(scan->reader, DESTROY_MS);
    weir_kafka_destroy(scan->marks, DESTROY_MS);
    free(scan->headers);
    free(scan);
}

void weir_kafka_scan_on_tick(struct weir_kafka_scan *scan, weir_kafka_scan_tick *tick, void *context)
{
    scan->tick = tick;
    scan->tick_context = context;
}

/* The dev broker makes a topic that it is asked for by name. */
static int check_listed(struct weir_kafka_scan *scan, const char *topic, struct weir_error *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    bool listed = false;

    rd_kafka_resp_err_t failed = rd_kafka_metadata(scan->marks, 1, NULL, &metadata, scan->timeout_ms);
    if (failed != RD_KAFKA_RESP_ERR_NO_ERROR)
        return weir_error_set(
            err, WEIR_E_UNAVAILABLE, "reading the list of topics: %s", rd_kafka_err2str(failed));
    for (int i = 0; i < metadata->topic_cnt; i++)
        listed |= strcmp(metadata->topics[i].topic, topic) == 0;
    rd_kafka_metadata_destroy(metadata);
    return listed ? 0 : weir_error_set(err, WEIR_E_NOT_FOUND, "topic %s does not exist", topic);
}

int weir_kafka_scan_partitions(
    struct weir_kafka_scan *scan, const char *topic, int32_t *ret_count, struct weir_error *err)
{
    int code = scan->dev ? check_listed(scan, topic, err) : 0;

    return code < 0 ? code : weir_kafka_partition_count(scan->marks, topic, scan->timeout_ms, ret_count, err);
}

int weir_kafka_scan_ends(struct weir_kafka_scan *scan, const char *topic, int32_t partition,
    int64_t *ret_begin, int64_t *ret_end, struct weir_error *err)
{
    int64_t deadline_ms = weir_clock_ms() + scan->timeout_ms;
    rd_kafka_resp_err_t failed;

    do { /* a leader may be moving */
        int64_t left_ms = deadline_ms - weir_clock_ms();
        failed = rd_kafka_query_watermark_offsets(
            scan->marks, topic, partition, ret_begin, ret_end, left_ms > STEP_MS ? (int)left_ms : STEP_MS);
    } while (weir_kafka_code(failed) == WEIR_E_UNAVAILABLE && weir_clock_ms() < deadline_ms);
    return weir_kafka_error_set(err, failed, topic);
}

/* The first offset whose record was written then or later; `end` when there is none. */
static int offset_of_time(struct weir_kafka_scan *scan, const struct weir_kafka_range *range, int64_t end,
    int64_t *ret_offset, struct weir_error *err)
{
    WEIR_CLEANUP(kafka_list) rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *asked =
        rd_kafka_topic_partition_list_add(list, range->topic, range->partition);

    asked->offset = range->from_ms;
    rd_kafka_resp_err_t failed = rd_kafka_offsets_for_times(scan->marks, list, scan->timeout_ms);
    if (failed == RD_KAFKA_RESP_ERR_NO_ERROR)
        failed = asked->err;
    *ret_offset = asked->offset >= 0 ? asked->offset : end;
    return weir_kafka_error_set(err, failed, range->topic);
}

/* The reading of one range. */
struct reading {
    struct weir_kafka_scan *scan;
    const struct weir_kafka_range *range;
    weir_kafka_visit *visit;
    void *context;
    int64_t begin, end; /* end: behind the last record that is wanted */
    bool over;
};

static int take_headers(
    struct weir_kafka_scan *scan, rd_kafka_message_t *message, struct weir_kafka_record *record)
{
    rd_kafka_headers_t *decoded = NULL;

    /* Headers that can't be decoded are none: the record is shown all the same. */
    if (rd_kafka_message_headers(message, &decoded) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    size_t count = rd_kafka_header_cnt(decoded);
    if (count > scan->header_capacity) {
        struct weir_header *headers = reallocarray(scan->headers, count, sizeof(*headers));
        if (headers == NULL)
            return WEIR_E_INTERNAL;
        scan->headers = headers;
        scan->header_capacity = count;
    }
    for (size_t i = 0; i < count; i++) {
        const void *value = NULL;
        size_t len = 0;
        rd_kafka_header_get_all(decoded, i, &scan->headers[i].name, &value, &len);
        scan->headers[i].value = weir_bytes(value, value != NULL ? len : 0);
    }
    record->headers = scan->headers;
    record->header_count = count;
    return 0;
}

static int take_record(struct reading *reading, rd_kafka_message_t *message, struct weir_error *err)
{
    struct weir_kafka_record record = {
        .topic = reading->range->topic,
        .partition = message->partition,
        .offset = message->offset,
        .timestamp_ms = rd_kafka_message_timestamp(message, NULL),
        .key = {message->key, message->key != NULL ? message->key_len : 0},
        .value = {message->payload, message->payload != NULL ? message->len : 0},
    };

    if (message->offset >= reading->end) {
        reading->over = true;
        return 0;
    }
    if (take_headers(reading->scan, message, &record) < 0)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    int code = reading->visit(reading->context, &record, err);
    reading->over = code != 0 || message->offset + 1 >= reading->end;
    return code < 0 ? code : 0;
}

/* EOF's offset counts transaction markers and aborted records too. */
static int take_event(struct reading *reading, const rd_kafka_message_t *message, struct weir_error *err)
{
    int code = weir_kafka_code(message->err);

    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
        reading->over = !reading->range->settled || message->offset >= reading->end;
    else if (code != WEIR_E_UNAVAILABLE && code != WEIR_E_TIMEOUT)
        return weir_kafka_error_set(err, message->err, reading->range->topic);
    return 0;
}

static bool go_on(const struct reading *reading, const rd_kafka_message_t *message)
{
    const struct weir_kafka_scan *scan = reading->scan;
    int64_t offset = message != NULL ? message->offset : -1;

    return scan->tick == NULL ||
           scan->tick(scan->tick_context, reading->range, reading->begin, offset, reading->end);
}

static int poll_until_over(struct reading *reading, struct weir_error *err)
{
    int64_t deadline_ms = weir_clock_ms() + reading->scan->timeout_ms;
    int code = 0;

    while (code == 0 && !reading->over) {
        WEIR_CLEANUP(kafka_message)
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reading->scan->reader, STEP_MS);
        if (message == NULL && weir_clock_ms() >= deadline_ms)
            return weir_error_set(err, WEIR_E_UNAVAILABLE,
                "%s partition %" PRId32 ": nothing came for %d ms before the end at offset %" PRId64
                "; a transaction may be open",
                reading->range->topic, reading->range->partition, reading->scan->timeout_ms, reading->end);
        if (!go_on(reading, message))
            return weir_error_set(err, WEIR_E_TIMEOUT,
                "%s partition %" PRId32 " was not read to its end in time", reading->range->topic,
                reading->range->partition);
        if (message == NULL)
            continue;
        bool is_record = message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
        code = is_record ? take_record(reading, message, err) : take_event(reading, message, err);
        if (is_record)
            deadline_ms = weir_clock_ms() + reading->scan->timeout_ms;
    }
    return code;
}

static int read_from(struct reading *reading, struct weir_error *err)
{
    rd_kafka_t *reader = reading->scan->reader;
    WEIR_CLEANUP(kafka_list) rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    rd_kafka_topic_partition_list_add(list, reading->range->topic, reading->range->partition)->offset =
        reading->begin;
    rd_kafka_resp_err_t failed = rd_kafka_assign(reader, list);
    if (failed != RD_KAFKA_RESP_ERR_NO_ERROR)
        return weir_kafka_error_set(err, failed, reading->range->topic);
    int code = poll_until_over(reading, err);
    rd_kafka_assign(reader, NULL);
    return code;
}

int weir_kafka_scan_read(struct weir_kafka_scan *scan, const struct weir_kafka_range *range,
    weir_kafka_visit *visit, void *context, struct weir_error *err)
{
    struct reading reading = {.scan = scan, .range = range, .visit = visit, .context = context};
    int64_t since = 0;

    int code = weir_kafka_scan_ends(scan, range->topic, range->partition, &reading.begin, &reading.end, err);
    if (code == 0 && range->from_ms > 0 && reading.begin < reading.end)
        code = offset_of_time(scan, range, reading.end, &since, err);
    if (since > reading.begin)
        reading.begin = since;
    if (range->from_offset > reading.begin)
        reading.begin = range->from_offset;
    return code < 0 || reading.begin >= reading.end ? code : read_from(&reading, err);
}
