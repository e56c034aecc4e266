#include "consumers/plugins/notifier/event.h"

#include "common/envelope.h"
#include "common/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const int64_t time_max_ms = 253402300799999; /* the end of the year 9999: RFC 5322 has four digits */

static const struct {
    const char *op, *verb;
} operations[] = {
    [WEIR_EVENT_CREATED] = {"c", "created"},
    [WEIR_EVENT_UPDATED] = {"u", "updated"},
    [WEIR_EVENT_DELETED] = {"d", "deleted"},
};

const char *weir_event_verb(enum weir_event_operation operation)
{
    return operations[operation].verb;
}

static int read_text(
    const struct weir_event *event, const char *name, const char **ret_text, struct weir_error *err)
{
    *ret_text = json_string_value(json_object_get(event->root, name));
    return *ret_text != NULL ? 0 : weir_error_set(err, WEIR_E_INVALID, "the event has no text \"%s\"", name);
}

static int read_number(const struct weir_event *event, const char *name, int64_t least, int64_t most,
    int64_t *ret_number, struct weir_error *err)
{
    const json_t *value = json_object_get(event->root, name);
    if (!json_is_integer(value))
        return weir_error_set(err, WEIR_E_INVALID, "the event has no integer \"%s\"", name);
    *ret_number = json_integer_value(value);
    if (*ret_number < least || *ret_number > most)
        return weir_error_set(err, WEIR_E_INVALID, "\"%s\" is %" PRId64 ", not within %" PRId64 "..%" PRId64,
            name, *ret_number, least, most);
    return 0;
}

static int read_operation(struct weir_event *event, struct weir_error *err)
{
    const char *op = NULL;
    int code = read_text(event, "op", &op, err);
    if (code < 0)
        return code;
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        if (strcmp(op, operations[i].op) != 0)
            continue;
        event->operation = (enum weir_event_operation)i;
        return 0;
    }
    return weir_error_set(err, WEIR_E_INVALID, "\"op\" is none of c, u, d");
}

static int read_collection(struct weir_event *event, struct weir_error *err)
{
    int code = read_text(event, "collection", &event->collection, err);
    if (code < 0)
        return code;
    size_t len = strlen(event->collection);
    if (len == 0 || len > 63 || event->collection[0] < 'a' || event->collection[0] > 'z' ||
        strspn(event->collection, "abcdefghijklmnopqrstuvwxyz0123456789-") != len)
        return weir_error_set(err, WEIR_E_INVALID, "\"collection\" is no name of a collection");
    return 0;
}

static int read_key(struct weir_event *event, struct weir_error *err)
{
    int code = read_text(event, "key", &event->key, err);
    return code < 0 ? code : weir_key_check(weir_bytes_str(event->key), err);
}

static int read_request(struct weir_event *event, struct weir_error *err)
{
    event->request = "";
    if (json_object_get(event->root, "request") == NULL)
        return 0;
    int code = read_text(event, "request", &event->request, err);
    if (code == 0)
        code = weir_key_check(weir_bytes_str(event->request), err);
    return code < 0 ? weir_error_prefix(err, "\"request\"") : 0;
}

static int read_document(const struct weir_record *record, struct weir_event *event, struct weir_error *err)
{
    if (event->operation == WEIR_EVENT_DELETED)
        return 0;
    if (!json_is_object(json_object_get(event->root, "after")))
        return weir_error_set(err, WEIR_E_INVALID, "the event has no object \"after\"");
    event->document = weir_json_member(record->value, "after");
    return 0;
}

static bool is_plain_id(struct weir_bytes id)
{
    if (id.data == NULL || id.len == 0 || id.len > 64)
        return false;
    for (size_t i = 0; i < id.len; i++)
        if (strchr("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-", id.data[i]) == NULL ||
            id.data[i] == '\0')
            return false;
    return true;
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* A dead letter that came back stands on the retry topic, and says where it stood first. */
void weir_event_id(const struct weir_record *record, const char *cluster, char out[static WEIR_ID_BYTES])
{
    struct weir_bytes origin = weir_header_find(record->headers, record->header_count, WEIR_HEADER_ORIGIN);
    char topic[WEIR_POSITION_BYTES];
    int32_t partition;
    int64_t offset;

    if (ends_with(record->topic, ".retry") && origin.data != NULL &&
        weir_position_read(origin, topic, sizeof(topic), &partition, &offset, NULL) == 0)
        weir_id_of_record(cluster, topic, partition, offset, out);
    else
        weir_id_of_record(cluster, record->topic, record->partition, record->offset, out);
}

/* A ce_id is the producer's: it may stand in several records, and hold anything. */
static void name_event(const struct weir_record *record, const char *cluster, struct weir_event *event)
{
    struct weir_bytes redrives =
        weir_header_find(record->headers, record->header_count, WEIR_HEADER_REDRIVE_COUNT);

    int64_t count = redrives.data != NULL ? weir_header_number(redrives, INT32_MAX) : 0;
    event->redrives = count > 0 ? count : 0;
    weir_event_id(record, cluster, event->id);
    struct weir_bytes given = weir_header_find(record->headers, record->header_count, WEIR_HEADER_ID);
    if (!is_plain_id(given))
        given = weir_bytes_str(event->request);
    if (is_plain_id(given))
        snprintf(event->given, sizeof(event->given), "%.*s", (int)given.len, given.data);
}

int weir_event_read(const struct weir_record *record, const char *cluster, struct weir_event *ret_event,
    struct weir_error *err)
{
    struct weir_event *event = ret_event;
    *event = (struct weir_event){.text = record->value,
        .source = record->source,
        .partition = record->partition,
        .executions = record->executions};
    int code = weir_json_parse_event(record->value, &event->root, err);
    if (code == 0)
        code = read_operation(event, err);
    if (code == 0)
        code = read_collection(event, err);
    if (code == 0)
        code = read_key(event, err);
    if (code == 0)
        code = read_request(event, err);
    if (code == 0)
        code = read_number(event, "version", 1, INT64_MAX, &event->version, err);
    if (code == 0)
        code = read_number(event, "ts_ms", 0, time_max_ms, &event->time_ms, err);
    if (code == 0)
        code = read_document(record, event, err);
    if (code == 0)
        name_event(record, cluster, event);
    return code;
}

int weir_event_read_foreign(const struct weir_record *record, const char *cluster, const char *topic,
    struct weir_event *ret_event, struct weir_error *err)
{
    struct weir_event *event = ret_event;
    *event = (struct weir_event){.foreign = true,
        .operation = WEIR_EVENT_CREATED,
        .collection = topic,
        .key = "",
        .request = "",
        .version = 1,
        .time_ms = record->timestamp_ms > 0 ? record->timestamp_ms : 0,
        .text = record->value,
        .document = record->value,
        .source = record->source,
        .partition = record->partition,
        .executions = record->executions};
    int code = weir_json_parse_object(record->value, &event->root, err);
    if (code < 0)
        return code;
    if (record->key.data != NULL && weir_key_check(record->key, NULL) == 0) {
        snprintf(event->own_key, sizeof(event->own_key), "%.*s", (int)record->key.len, record->key.data);
        event->key = event->own_key;
    }
    name_event(record, cluster, event);
    return 0;
}

void weir_event_done(struct weir_event *event)
{
    json_decref(event->root);
    *event = (struct weir_event){0};
}
