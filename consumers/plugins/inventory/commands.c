#include "consumers/plugins/inventory/commands.h"

#include "common/clock.h"
#include "common/deployment.h"
#include "common/topic.h"

#include <stdio.h>

enum { HEADERS = 7, TYPE_BYTES = 96, TAG_BYTES = 300 };

struct command {
    const struct weir_collection *collection;
    const char *operation, *content_type;
    struct weir_bytes key;
    const char *id;
    const char *if_match; /* NULL: whatever its version */
};

static int emit(const struct weir_cause *cause, const struct command *command,
    const struct weir_buffer *value, struct weir_error *err)
{
    const struct weir_host *host = cause->commands->host;
    char type[TYPE_BYTES], time[WEIR_CLOCK_RFC3339_BYTES];

    if (value->failed)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    snprintf(type, sizeof(type), "weir.%s.%s", command->collection->name, command->operation);
    const struct weir_header headers[HEADERS] = {{WEIR_HEADER_SPECVERSION, weir_bytes_str("1.0")},
        {WEIR_HEADER_ID, weir_bytes_str(command->id)}, {WEIR_HEADER_TYPE, weir_bytes_str(type)},
        {WEIR_HEADER_SOURCE, weir_bytes_str("weir-inventory")},
        {WEIR_HEADER_TIME, weir_bytes_str(weir_clock_rfc3339(host->now_ms(), time))},
        {WEIR_HEADER_CONTENT_TYPE, weir_bytes_str(command->content_type)},
        {WEIR_HEADER_IF_MATCH, weir_bytes_str(command->if_match)}};
    int32_t to = weir_topic_partition(command->key, (int32_t)command->collection->partitions);
    int r =
        host->emit_across(cause->batch, cause->record, command->collection->command_topic, to, command->key,
            weir_buffer_bytes(value), headers, command->if_match != NULL ? HEADERS : HEADERS - 1, err);
    return r < 0 ? r : 0;
}

static int adjust(const struct weir_cause *cause, const struct weir_item *item, const char *sign,
    const char *id, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer value = {0};

    weir_buffer_printf(&value, "{\"stock\":%s%" JSON_INTEGER_FORMAT "}", sign, item->quantity);
    return emit(cause,
        &(struct command){.collection = cause->commands->products,
            .operation = "adjust",
            .content_type = "application/json",
            .key = weir_bytes_str(item->sku),
            .id = id},
        &value, err);
}

int weir_reserve(
    const struct weir_cause *cause, const struct weir_saga *saga, size_t item, struct weir_error *err)
{
    char id[WEIR_ID_BYTES];

    weir_saga_reserve_id(saga->id, item, id);
    return adjust(cause, &saga->items.list[item], "-", id, err);
}

int weir_release(const struct weir_cause *cause, const char *saga, const struct weir_items *items,
    size_t count, struct weir_error *err)
{
    char id[WEIR_ID_BYTES];
    int code = 0;

    for (size_t i = 0; i < count && code == 0; i++) {
        weir_saga_release_id(saga, i, id);
        code = adjust(cause, &items->list[i], "", id, err);
    }
    return code;
}

static int merge(const struct weir_cause *cause, struct weir_bytes key, const char *id, const char *if_match,
    const struct weir_buffer *value, struct weir_error *err)
{
    return emit(cause,
        &(struct command){.collection = cause->commands->orders,
            .operation = "merge",
            .content_type = "application/merge-patch+json",
            .key = key,
            .id = id,
            .if_match = if_match},
        value, err);
}

static void write_confirmation(const struct weir_saga *saga, struct weir_buffer *out)
{
    weir_buffer_append_str(out, saga->moved_on ? "{" : "{\"status\":\"CONFIRMED\",");
    weir_buffer_append_str(out, "\"reservation\":{\"id\":");
    weir_buffer_append_json_string(out, weir_bytes_str(saga->id));
    weir_buffer_append_str(out, ",\"items\":[");
    for (size_t i = 0; i < saga->items.count; i++) {
        weir_buffer_append_str(out, i > 0 ? ",{\"sku\":" : "{\"sku\":");
        weir_buffer_append_json_string(out, weir_bytes_str(saga->items.list[i].sku));
        weir_buffer_printf(out, ",\"quantity\":%" JSON_INTEGER_FORMAT "}", saga->items.list[i].quantity);
    }
    weir_buffer_append_str(out, "]}}");
}

static void write_rejection(const struct weir_item *item, struct weir_buffer *out)
{
    WEIR_CLEANUP(buffer) struct weir_buffer reason = {0};

    weir_buffer_printf(&reason, "out of stock: %s", item->sku);
    weir_buffer_append_str(out, "{\"status\":\"REJECTED\",\"reason\":");
    weir_buffer_append_json_string(out, weir_buffer_bytes(&reason));
    weir_buffer_append_str(out, "}");
    out->failed |= reason.failed;
}

int weir_decide(
    const struct weir_cause *cause, const struct weir_saga *saga, size_t item, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer value = {0};
    const char *version = saga->versions[saga->version_count - 1];
    char id[WEIR_ID_BYTES], tag[TAG_BYTES];

    weir_saga_decision_id(saga, version, item, id);
    snprintf(tag, sizeof(tag), "\"%s\"", version);
    if (item == saga->items.count)
        write_confirmation(saga, &value);
    else
        write_rejection(&saga->items.list[item], &value);
    return merge(cause, weir_bytes_str(saga->order), id, tag, &value, err);
}

int weir_forget(const struct weir_cause *cause, struct weir_bytes version, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer value = {0};
    const struct weir_bytes parts[] = {weir_bytes_str("inventory"), weir_bytes_str("forget"), version};
    char id[WEIR_ID_BYTES];

    weir_id_v5(parts, sizeof(parts) / sizeof(parts[0]), id);
    weir_buffer_append_str(&value, "{\"reservation\":null}");
    return merge(cause, cause->record->key, id, "*", &value, err);
}
