#include "consumers/plugins/notifier/delivery.h"

#include "common/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const statuses[WEIR_DELIVERY_STATUSES] = {
    [WEIR_DELIVERY_SENT] = "sent",
    [WEIR_DELIVERY_DEFERRED] = "deferred",
    [WEIR_DELIVERY_FAILED] = "failed",
    [WEIR_DELIVERY_UNKNOWN] = "unknown",
    [WEIR_DELIVERY_SUPPRESSED] = "suppressed",
};

/* The mark behind the event's id, which has one length, keeps the kinds apart whatever a name holds. */
static void write_key(struct weir_buffer *key, enum weir_delivery_kind kind, const struct weir_event *event,
    const char *name, const char *recipient)
{
    switch (kind) {
    case WEIR_DELIVERY_SUBSCRIBER:
        weir_buffer_printf(key, "%s/%s", event->id, name);
        break;
    case WEIR_DELIVERY_RULE:
        weir_buffer_printf(key, "%s:%s/%s", event->id, name, recipient);
        break;
    case WEIR_DELIVERY_CONFIRMATION:
        weir_buffer_printf(key, "%s?confirm", event->id);
        break;
    }
}

static void append_text(struct weir_buffer *out, const char *name, const char *text)
{
    weir_buffer_printf(out, "%s\"%s\":", out->len > 1 ? "," : "", name);
    weir_buffer_append_json_string(out, weir_bytes_str(text));
}

static void write_head(struct weir_buffer *head, const struct weir_event *event, const char *name,
    const char *recipient, const char *message_id)
{
    weir_buffer_append_str(head, "{");
    append_text(head, "event", event->id);
    append_text(head, "subscription", name);
    append_text(head, "recipient", recipient);
    append_text(head, "collection", event->collection);
    append_text(head, "key", event->key);
    append_text(head, "request", event->request);
    weir_buffer_printf(head, ",\"event_ts_ms\":%" PRId64 ",\"execution\":%" PRId32 ",\"redrive\":%" PRId64,
        event->time_ms, event->executions, event->redrives);
    append_text(head, "message_id", message_id);
}

int weir_delivery_make(struct weir_delivery *delivery, enum weir_delivery_kind kind,
    const struct weir_event *event, const char *name, const char *recipient, const char *message_id,
    struct weir_error *err)
{
    struct weir_buffer key = {0};

    *delivery = (struct weir_delivery){.source = event->source, .partition = event->partition};
    write_key(&key, kind, event, name, recipient);
    write_head(&delivery->head, event, name, recipient, message_id);
    delivery->key = key.failed ? NULL : weir_bytes_dup(weir_buffer_bytes(&key));
    delivery->request = weir_bytes_dup(weir_bytes_str(event->request));
    weir_buffer_done(&key);
    if (delivery->key == NULL || delivery->request == NULL || delivery->head.failed)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    return 0;
}

void weir_delivery_done(struct weir_delivery *delivery)
{
    free(delivery->key);
    free(delivery->request);
    weir_buffer_done(&delivery->head);
    *delivery = (struct weir_delivery){0};
}

struct weir_bytes weir_delivery_subscription(const struct weir_delivery *delivery)
{
    const char *mark = delivery->key + WEIR_ID_BYTES - 1;
    return *mark == '/' ? weir_bytes_str(mark + 1) : WEIR_BYTES_NULL;
}

void weir_delivery_write(const struct weir_delivery *delivery, enum weir_delivery_status status, int code,
    const char *reply, int64_t now_ms, struct weir_buffer *out)
{
    char said[WEIR_DELIVERY_REPLY_BYTES] = "";

    if (code != 0)
        snprintf(said, sizeof(said), "%d %s", code, reply);
    weir_buffer_append_bytes(out, weir_buffer_bytes(&delivery->head));
    append_text(out, "status", statuses[status]);
    append_text(out, "reply", said);
    weir_buffer_printf(out, ",\"ts_ms\":%" PRId64 "}", now_ms);
}

static bool read_status(const json_t *root, enum weir_delivery_status *ret_status)
{
    const char *status = json_string_value(json_object_get(root, "status"));

    for (size_t i = 0; status != NULL && i < WEIR_DELIVERY_STATUSES; i++) {
        if (strcmp(status, statuses[i]) != 0)
            continue;
        *ret_status = (enum weir_delivery_status)i;
        return true;
    }
    return false;
}

static bool read_text(const json_t *root, const char *name, char *out, size_t size)
{
    const char *text = json_string_value(json_object_get(root, name));
    return text != NULL && snprintf(out, size, "%s", text) < (int)size;
}

static bool read_number(const json_t *root, const char *name, int64_t *ret_number)
{
    const json_t *value = json_object_get(root, name);
    *ret_number = json_integer_value(value);
    return json_is_integer(value);
}

bool weir_delivery_read(struct weir_bytes value, struct weir_delivery_record *ret_record)
{
    WEIR_CLEANUP(json) json_t *root = NULL;

    return value.data != NULL && weir_json_parse_object(value, &root, NULL) == 0 &&
           read_status(root, &ret_record->status) &&
           read_text(root, "request", ret_record->request, sizeof(ret_record->request)) &&
           read_text(root, "recipient", ret_record->recipient, sizeof(ret_record->recipient)) &&
           read_text(root, "reply", ret_record->reply, sizeof(ret_record->reply)) &&
           read_number(root, "event_ts_ms", &ret_record->event_ms) &&
           read_number(root, "execution", &ret_record->execution) &&
           read_number(root, "redrive", &ret_record->redrive) &&
           read_number(root, "ts_ms", &ret_record->time_ms);
}
