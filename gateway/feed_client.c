/* One client's place in a change topic: what it gets next, from the ring or from what was read for it. */
#include "common/clock.h"
#include "common/metrics.h"
#include "gateway/feed_parts.h"
#include "gateway/feed_token.h"

#include <stdio.h>
#include <stdlib.h>

struct weir_feed_client *weir_feed_client_new(struct weir_feed_source *source, struct weir_request *request)
{
    struct weir_feed_client *client = calloc(1, sizeof(*client));
    if (client == NULL)
        return NULL;
    atomic_init(&client->references, 1);
    client->source = source;
    client->request = request;
    client->offsets = calloc((size_t)source->partition_count, sizeof(*client->offsets));
    client->reached = calloc((size_t)source->partition_count, sizeof(*client->reached));
    if (client->offsets != NULL && client->reached != NULL)
        return client;
    weir_feed_client_unref(client);
    return NULL;
}

static void drop_batch(struct weir_feed_client *client)
{
    for (; client->batch_at < client->batch_count; client->batch_at++)
        weir_feed_event_unref(client->batch[client->batch_at]);
    free(client->batch);
    client->batch = NULL;
    client->batch_count = client->batch_at = 0;
}

void weir_feed_client_unref(struct weir_feed_client *client)
{
    if (client == NULL || atomic_fetch_sub(&client->references, 1) > 1)
        return;
    drop_batch(client);
    free(client->offsets);
    free(client->reached);
    weir_buffer_done(&client->out);
    free(client);
}

void weir_feed_client_attach(struct weir_feed_client *client)
{
    struct weir_feed_source *source = client->source;
    client->next = source->clients;
    if (client->next != NULL)
        client->next->previous = client;
    source->clients = client;
    client->attached = true;
    client->last_ms = weir_clock_ms();
    atomic_fetch_add(&client->references, 1);
    weir_metric_add(source->feed->clients, 1);
}

void weir_feed_client_detach(struct weir_feed_client *client)
{
    if (!client->attached)
        return;
    if (client->previous != NULL)
        client->previous->next = client->next;
    else
        client->source->clients = client->next;
    if (client->next != NULL)
        client->next->previous = client->previous;
    client->previous = client->next = NULL;
    client->attached = false;
    weir_metric_add(client->source->feed->clients, -1);
    weir_feed_client_unref(client);
}

void weir_feed_client_end(struct weir_feed_client *client, unsigned status, const char *why)
{
    drop_batch(client);
    client->state = WEIR_FEED_OVER;
    client->status = status;
    snprintf(client->why, sizeof(client->why), "%s", why);
}

void weir_feed_client_write_token(const struct weir_feed_client *client, struct weir_buffer *out)
{
    weir_feed_token_write(client->source->collection->config->changes_topic, client->offsets,
        client->source->partition_count, out);
}

/* ---- what comes next ---- */

/* Who asked for the end gets the one there was when the source could tell it first. */
static void settle(struct weir_feed_client *client)
{
    const struct weir_feed_source *source = client->source;
    for (int32_t p = 0; p < source->partition_count; p++) {
        if (client->offsets[p] < 0)
            client->offsets[p] = source->end[p];
    }
}

/* Whether the ring does not have all that is wanted; or it can't be told, the offsets being beyond its end.
 */
static bool is_behind(const struct weir_feed_client *client)
{
    const struct weir_feed_source *source = client->source;
    for (int32_t p = 0; p < source->partition_count; p++) {
        if (client->offsets[p] < source->begin[p] ||
            (client->offsets[p] > source->end[p] && !client->checked))
            return true;
    }
    return false;
}

static struct weir_feed_event *take_from_batch(struct weir_feed_client *client)
{
    if (client->batch_at < client->batch_count) {
        struct weir_feed_event *event = client->batch[client->batch_at++];
        client->offsets[event->partition] = event->offset + 1;
        return event;
    }
    for (int32_t p = 0; p < client->source->partition_count; p++) {
        if (client->reached[p] > client->offsets[p])
            client->offsets[p] = client->reached[p];
    }
    drop_batch(client);
    client->state = WEIR_FEED_LIVE;
    client->number = client->source->first;
    return NULL;
}

static struct weir_feed_event *take_from_ring(struct weir_feed_client *client)
{
    const struct weir_feed_source *source = client->source;
    while (client->number < source->next) {
        struct weir_feed_event *event = source->ring[client->number++ % source->ring_size];
        if (event->offset < client->offsets[event->partition])
            continue;
        client->offsets[event->partition] = event->offset + 1;
        return weir_feed_event_ref(event);
    }
    return NULL;
}

struct weir_feed_event *weir_feed_client_take(struct weir_feed_client *client)
{
    struct weir_feed_event *event = NULL;
    if (!client->source->ready)
        return NULL;
    settle(client);
    if (client->state == WEIR_FEED_BATCH)
        event = take_from_batch(client);
    if (event != NULL || client->state != WEIR_FEED_LIVE)
        return event;
    if (is_behind(client)) { /* from the start, or because it is read more slowly than the ring turns */
        client->state = WEIR_FEED_BEHIND;
        weir_feed_behind_want(client);
        return NULL;
    }
    if (client->number < client->source->first)
        client->number = client->source->first;
    return take_from_ring(client);
}
