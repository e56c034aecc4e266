#include "consumers/runtime/sample.h"

#include "common/file.h"
#include "common/json.h"
#include "common/json_span.h"
#include "common/topic.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { HEADERS_MAX = 1000 };

struct reading {
    const struct weir_deployment *deployment;
    const struct weir_service *service;
    struct weir_sample *sample;
    bool placed; /* the partition was said */
};

static int refuse(const char *pointer, const char *wanted, struct weir_error *err)
{
    return weir_error_set(err, WEIR_E_INVALID, "%s: %s", pointer, wanted);
}

/* Text or null, into the arena. */
static int take_text(struct reading *reading, const json_t *value, const char *pointer,
    struct weir_bytes *ret_text, struct weir_error *err)
{
    *ret_text = WEIR_BYTES_NULL;
    if (json_is_null(value))
        return 0;
    if (!json_is_string(value))
        return refuse(pointer, "text or null is wanted", err);
    size_t len = json_string_length(value);
    const char *copy = weir_arena_copy(&reading->sample->arena, json_string_value(value), len);
    *ret_text = weir_bytes(copy, len);
    return copy != NULL ? 0 : weir_error_set(err, WEIR_E_INTERNAL, "memory is out");
}

static int take_number(
    const json_t *value, const char *pointer, int64_t max, int64_t *ret_number, struct weir_error *err)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > max)
        return weir_error_set(
            err, WEIR_E_INVALID, "%s: a whole number from 0 to %" PRId64 " is wanted", pointer, max);
    *ret_number = json_integer_value(value);
    return 0;
}

static int take_topic(struct reading *reading, const json_t *value, struct weir_error *err)
{
    const char *topic = json_string_value(value);
    WEIR_CLEANUP(buffer) struct weir_buffer known = {0};
    for (uint32_t i = 0; reading->service->topics[i] != NULL; i++) {
        if (topic != NULL && (strcmp(reading->service->topics[i], topic) == 0 ||
                                 strcmp(reading->service->source_topics[i], topic) == 0)) {
            reading->sample->record.source = i;
            return 0;
        }
        weir_buffer_printf(&known, "%s%s", i > 0 ? ", " : "", reading->service->topics[i]);
    }
    return weir_error_set(err, WEIR_E_INVALID, "/topic: one that service %s reads is wanted: %s",
        reading->service->name, known.data != NULL ? known.data : "");
}

static int take_partition(struct reading *reading, const json_t *value, struct weir_error *err)
{
    int64_t number = 0;
    reading->placed = true;
    int rc = take_number(value, "/partition", INT32_MAX, &number, err);
    reading->sample->record.partition = (int32_t)number;
    return rc;
}

static int take_offset(struct reading *reading, const json_t *value, struct weir_error *err)
{
    return take_number(value, "/offset", INT64_MAX - 1, &reading->sample->record.offset, err);
}

static int take_executions(struct reading *reading, const json_t *value, struct weir_error *err)
{
    int64_t number = 0;
    int rc = take_number(value, "/executions", INT32_MAX - 1, &number, err);
    reading->sample->record.executions = (int32_t)number;
    return rc;
}

static int take_timestamp(struct reading *reading, const json_t *value, struct weir_error *err)
{
    return take_number(value, "/timestamp_ms", INT64_MAX, &reading->sample->record.timestamp_ms, err);
}

static int take_key(struct reading *reading, const json_t *value, struct weir_error *err)
{
    return take_text(reading, value, "/key", &reading->sample->record.key, err);
}

/* What jansson would print anew is not what was written: 19.99 stays 19.99. */
static int take_value(struct reading *reading, const json_t *value, struct weir_error *err)
{
    struct weir_record *record = &reading->sample->record;
    if (json_is_string(value) || json_is_null(value))
        return take_text(reading, value, "/value", &record->value, err);
    record->value = weir_json_member(weir_buffer_bytes(&reading->sample->text), "value");
    return 0;
}

static int take_header(struct reading *reading, const char *name, const json_t *value,
    struct weir_header *ret_header, struct weir_error *err)
{
    char pointer[128];
    snprintf(pointer, sizeof(pointer), "/headers/%.100s", name);
    ret_header->name = weir_arena_copy(&reading->sample->arena, name, strlen(name) + 1);
    if (ret_header->name == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "memory is out");
    return take_text(reading, value, pointer, &ret_header->value, err);
}

static int take_headers(struct reading *reading, const json_t *value, struct weir_error *err)
{
    struct weir_record *record = &reading->sample->record;
    if (!json_is_object(value) || json_object_size(value) > HEADERS_MAX)
        return weir_error_set(err, WEIR_E_INVALID,
            "/headers: an object of at most %d names with text or null is wanted", HEADERS_MAX);
    struct weir_header *headers =
        weir_arena_take(&reading->sample->arena, (json_object_size(value) + 1) * sizeof(*headers));
    if (headers == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "memory is out");
    const char *name;
    json_t *member;
    json_object_foreach((json_t *)(uintptr_t)value, name, member)
    {
        int rc = take_header(reading, name, member, &headers[record->header_count], err);
        if (rc < 0)
            return rc;
        record->header_count++;
    }
    record->headers = headers;
    return 0;
}

static const struct {
    const char *name;
    int (*take)(struct reading *reading, const json_t *value, struct weir_error *err);
} members[] = {
    {"topic", take_topic},
    {"partition", take_partition},
    {"offset", take_offset},
    {"timestamp_ms", take_timestamp},
    {"key", take_key},
    {"value", take_value},
    {"headers", take_headers},
    {"executions", take_executions},
};

static int take_member(struct reading *reading, const char *name, const json_t *value, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer known = {0};
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (strcmp(members[i].name, name) == 0)
            return members[i].take(reading, value, err);
        weir_buffer_printf(&known, "%s%s", i > 0 ? ", " : "", members[i].name);
    }
    return weir_error_set(err, WEIR_E_INVALID, "/%.100s: there is no such member; there are %s", name,
        known.data != NULL ? known.data : "");
}

static int take_all(struct reading *reading, json_t *root, struct weir_error *err)
{
    const char *name;
    json_t *value;
    json_object_foreach(root, name, value)
    {
        int rc = take_member(reading, name, value, err);
        if (rc < 0)
            return rc;
    }
    return json_object_get(root, "value") != NULL
               ? 0
               : refuse("/value", "it is missing; null is a tombstone", err);
}

static int partition_count(const struct reading *reading, int32_t *ret_count, struct weir_error *err)
{
    struct weir_topic_plan *plan;
    size_t count;
    int rc = weir_topic_plan(reading->deployment, &plan, &count, err);
    if (rc < 0)
        return rc;
    *ret_count = 0;
    for (size_t i = 0; i < count; i++)
        if (strcmp(plan[i].name, reading->service->source_topics[reading->sample->record.source]) == 0)
            *ret_count = plan[i].partitions;
    weir_topic_plan_free(plan, count);
    return 0;
}

static int place(struct reading *reading, struct weir_error *err)
{
    struct weir_record *record = &reading->sample->record;
    int32_t count;
    int rc = partition_count(reading, &count, err);
    if (rc < 0)
        return rc;
    if (!reading->placed && record->key.data != NULL)
        record->partition = weir_topic_partition(record->key, count);
    if (record->partition >= count)
        return weir_error_set(err, WEIR_E_INVALID, "/partition: topic %s has %" PRId32 " partitions, from 0",
            reading->service->topics[record->source], count);
    return 0;
}

int weir_sample_read(const char *path, const struct weir_deployment *deployment,
    const struct weir_service *service, struct weir_sample *ret_sample, struct weir_error *err)
{
    WEIR_CLEANUP(json) json_t *root = NULL;
    struct reading reading = {.deployment = deployment, .service = service, .sample = ret_sample};
    *ret_sample = (struct weir_sample){.record.timestamp_ms = -1};
    int rc = weir_file_read(path, WEIR_SAMPLE_BYTES_MAX, &ret_sample->text, NULL, err);
    if (rc < 0)
        return rc;
    rc = weir_json_parse_event(weir_buffer_bytes(&ret_sample->text), &root, err);
    if (rc == 0)
        rc = take_all(&reading, root, err);
    if (rc == 0)
        rc = place(&reading, err);
    if (rc < 0)
        weir_error_prefix(err, "%s", path);
    return rc;
}

void weir_sample_done(struct weir_sample *sample)
{
    weir_arena_done(&sample->arena);
    weir_buffer_done(&sample->text);
}
