#include "common/kafka_dead_letter.h"

#include <stdio.h>
#include <string.h>

int weir_letters_topic_of(const struct weir_deployment *deployment, const struct weir_service *service,
    const char *source, struct weir_letters_topic *ret_topic, struct weir_error *err)
{
    const struct weir_collection *collection = weir_deployment_collection_of_topic(deployment, source);
    bool holds_commands = collection != NULL && strcmp(collection->command_topic, source) == 0;

    *ret_topic =
        (struct weir_letters_topic){.source = source, .collection = holds_commands ? collection : NULL};
    int code = weir_topic_of_service(source, service->name, "dlq", ret_topic->letters, err);
    return code < 0 ? code : weir_topic_of_service(source, service->name, "retry", ret_topic->retry, err);
}

static int remember(struct weir_redriven *redriven, int64_t partition, int64_t offset, int64_t count)
{
    int64_t *numbers = weir_number_map_put(&redriven->counts, (uint64_t)partition, (uint64_t)offset);

    if (numbers == NULL)
        return WEIR_E_INTERNAL;
    if (numbers[0] < count)
        numbers[0] = count;
    return 0;
}

struct evidence {
    struct weir_redriven *redriven;
    const char *source;
};

static int take_retry(void *context, const struct weir_kafka_record *record, struct weir_error *err)
{
    struct evidence *evidence = context;
    struct weir_bytes count =
        weir_header_find(record->headers, record->header_count, WEIR_HEADER_REDRIVE_COUNT);
    struct weir_bytes origin = weir_header_find(record->headers, record->header_count, WEIR_HEADER_ORIGIN);
    char topic[WEIR_TOPIC_NAME_BYTES];
    int32_t partition = 0;
    int64_t offset = 0, redrives = weir_header_number(count, INT32_MAX);

    if (redrives < 1 || weir_position_read(origin, topic, sizeof(topic), &partition, &offset, NULL) < 0 ||
        strcmp(topic, evidence->source) != 0)
        return 0;
    if (remember(evidence->redriven, partition, offset, redrives) < 0)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    return 0;
}

int weir_redriven_read(struct weir_redriven *redriven, struct weir_kafka_scan *scan,
    const struct weir_letters_topic *topic, struct weir_error *err)
{
    struct evidence evidence = {redriven, topic->source};
    int32_t count = 0;

    int code = topic->retry[0] != '\0' ? weir_kafka_scan_partitions(scan, topic->retry, &count, err) : 0;
    for (int32_t partition = 0; partition < count && code == 0; partition++) {
        struct weir_kafka_range range = {.topic = topic->retry, .partition = partition, .settled = true};
        code = weir_kafka_scan_read(scan, &range, take_retry, &evidence, err);
    }
    return code;
}

bool weir_redriven_has(const struct weir_redriven *redriven, const struct weir_letter *letter)
{
    const int64_t *numbers = weir_number_map_get(
        &redriven->counts, (uint64_t)letter->source_partition, (uint64_t)letter->source_offset);

    return letter->dialect == WEIR_LETTER_WEIR && numbers != NULL && numbers[0] > letter->redrive_count;
}

int weir_redriven_add(struct weir_redriven *redriven, const struct weir_letter *letter)
{
    return remember(redriven, letter->source_partition, letter->source_offset, letter->redrive_count + 1);
}

void weir_redriven_done(struct weir_redriven *redriven)
{
    weir_number_map_done(&redriven->counts);
}

struct reading {
    const struct weir_letters_query *query;
    const struct weir_redriven *redriven;
    weir_letters_visit *visit;
    void *context;
    int64_t to;
    bool ended; /* by the visitor */
};

static int take_letter(void *context, const struct weir_kafka_record *record, struct weir_error *err)
{
    struct reading *reading = context;
    struct weir_letter letter = {.topic = record->topic,
        .partition = record->partition,
        .offset = record->offset,
        .timestamp_ms = record->timestamp_ms,
        .key = record->key,
        .value = record->value,
        .headers = record->headers,
        .header_count = record->header_count};

    if (record->offset > reading->to)
        return 1;
    weir_letter_read(&letter);
    if (!weir_letter_matches(&reading->query->filter, &letter))
        return 0;
    bool redriven = weir_redriven_has(reading->redriven, &letter);
    if (redriven && reading->query->open_only)
        return 0;
    int code = reading->visit(reading->context, &letter, redriven, err);
    reading->ended = code > 0;
    return code;
}

static int read_range(struct weir_kafka_scan *scan, struct reading *reading,
    const struct weir_letters_range *range, struct weir_error *err)
{
    struct weir_kafka_range records = {.topic = reading->query->topic->letters,
        .partition = range->partition,
        .from_offset = range->from,
        .from_ms = reading->query->filter.from_ms};

    reading->to = range->to;
    return weir_kafka_scan_read(scan, &records, take_letter, reading, err);
}

static int read_ranges(struct weir_kafka_scan *scan, struct reading *reading, struct weir_error *err)
{
    const struct weir_letters_query *query = reading->query;
    int code = 0;

    for (size_t i = 0; i < query->range_count && code == 0 && !reading->ended; i++)
        code = read_range(scan, reading, &query->ranges[i], err);
    return code;
}

int weir_letters_each(struct weir_kafka_scan *scan, const struct weir_letters_query *query,
    const struct weir_redriven *redriven, weir_letters_visit *visit, void *context, struct weir_error *err)
{
    struct reading reading = {.query = query, .redriven = redriven, .visit = visit, .context = context};
    int32_t count = 0;

    if (query->ranges != NULL)
        return read_ranges(scan, &reading, err);
    int code = weir_kafka_scan_partitions(scan, query->topic->letters, &count, err);
    for (int32_t partition = 0; partition < count && code == 0 && !reading.ended; partition++)
        code = read_range(scan, &reading, &(struct weir_letters_range){partition, 0, INT64_MAX}, err);
    return code;
}
