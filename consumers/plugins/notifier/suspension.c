#include "consumers/plugins/notifier/suspension.h"

#include "common/clock.h"
#include "common/deployment.h"
#include "common/topic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION_BYTES = 256, REPLY_BYTES = 320, HEADERS = 7 };

struct weir_suspension {
    char id[WEIR_KEY_BYTES + 1], version[VERSION_BYTES], event[WEIR_ID_BYTES], reply[REPLY_BYTES];
    bool emitted; /* in the transaction at hand */
};

void weir_suspensions_add(struct weir_suspensions *suspensions, const struct weir_subscription *subscription,
    const char *event_id, int code, const char *reply)
{
    for (size_t i = 0; i < suspensions->count; i++)
        if (strcmp(suspensions->items[i].id, subscription->id) == 0)
            return;
    struct weir_suspension *items = reallocarray(suspensions->items, suspensions->count + 1, sizeof(*items));
    if (items == NULL)
        return;
    suspensions->items = items;
    struct weir_suspension *item = &items[suspensions->count++];
    *item = (struct weir_suspension){.emitted = false};
    snprintf(item->id, sizeof(item->id), "%s", subscription->id);
    snprintf(item->version, sizeof(item->version), "%s", subscription->version);
    snprintf(item->event, sizeof(item->event), "%s", event_id);
    snprintf(item->reply, sizeof(item->reply), "%d %s", code, reply);
}

void weir_suspensions_done(struct weir_suspensions *suspensions)
{
    free(suspensions->items);
    *suspensions = (struct weir_suspensions){0};
}

/* The same command has the same id whoever gives it: the store carries it out once. */
static void name_command(const struct weir_suspension *item, char out[static WEIR_ID_BYTES])
{
    const struct weir_bytes parts[] = {
        weir_bytes_str("suspend"), weir_bytes_str(item->event), weir_bytes_str(item->id)};
    weir_id_v5(parts, sizeof(parts) / sizeof(parts[0]), out);
}

/* Never NULL: [subscriptions] demands the collection. */
static const struct weir_collection *find_collection(const struct weir_deployment *deployment)
{
    const struct weir_collection *found = deployment->collections;

    while (strcmp(found->name, WEIR_SUBSCRIPTIONS) != 0)
        found++;
    return found;
}

static void emit_command(struct weir_suspension *item, const struct weir_host *host, struct weir_batch *batch,
    uint32_t source, int32_t partition)
{
    const struct weir_collection *collection = find_collection(host->deployment);
    WEIR_CLEANUP(buffer) struct weir_buffer value = {0};
    char id[WEIR_ID_BYTES], time[WEIR_CLOCK_RFC3339_BYTES], tag[VERSION_BYTES + 2];
    struct weir_error err;

    name_command(item, id);
    snprintf(tag, sizeof(tag), "\"%s\"", item->version);
    weir_buffer_append_str(&value, "{\"status\":\"SUSPENDED\",\"reason\":");
    weir_buffer_append_json_string(&value, weir_bytes_str(item->reply));
    weir_buffer_append_str(&value, "}");
    const struct weir_header headers[HEADERS] = {{WEIR_HEADER_SPECVERSION, weir_bytes_str("1.0")},
        {WEIR_HEADER_ID, weir_bytes_str(id)},
        {WEIR_HEADER_TYPE, weir_bytes_str("weir." WEIR_SUBSCRIPTIONS ".merge")},
        {WEIR_HEADER_SOURCE, weir_bytes_str("weir-notifier")},
        {WEIR_HEADER_TIME, weir_bytes_str(weir_clock_rfc3339(host->now_ms(), time))},
        {WEIR_HEADER_CONTENT_TYPE, weir_bytes_str("application/merge-patch+json")},
        {WEIR_HEADER_IF_MATCH, weir_bytes_str(tag)}};
    int32_t to = weir_topic_partition(weir_bytes_str(item->id), (int32_t)collection->partitions);
    item->emitted = !value.failed && host->emit_to(batch, source, partition, collection->command_topic, to,
                                         weir_bytes_str(item->id), weir_buffer_bytes(&value), headers,
                                         item->version[0] != '\0' ? HEADERS : HEADERS - 1, &err) >= 0;
    if (item->emitted)
        weir_say(host, WEIR_SAY_NOTICE, "subscription.suspended", "id=\"%s\" reason=\"%s\"", item->id,
            item->reply);
}

void weir_suspensions_emit(struct weir_suspensions *suspensions, const struct weir_host *host,
    struct weir_batch *batch, uint32_t source, int32_t partition)
{
    for (size_t i = 0; i < suspensions->count; i++)
        emit_command(&suspensions->items[i], host, batch, source, partition);
}

void weir_suspensions_end(struct weir_suspensions *suspensions, bool committed)
{
    size_t left = 0;

    for (size_t i = 0; i < suspensions->count; i++) {
        struct weir_suspension item = suspensions->items[i];
        if (committed && item.emitted)
            continue;
        item.emitted = false;
        suspensions->items[left++] = item;
    }
    suspensions->count = left;
}
