#include "gateway/feed.h"

#include "common/clock.h"
#include "common/metrics.h"
#include "gateway/feed_parts.h"
#include "gateway/feed_token.h"
#include "gateway/pending.h"
#include "gateway/query.h"
#include "gateway/read_job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LATE "no changes could be read in time"

enum { RING_EVENTS = 65536, LIMIT = 100, LIMIT_MAX = 1000, TOKEN_BYTES = 8192 };

/* ---- what is asked for ---- */

/* The parameter's text, "?" for one that is too long to be good; false without one. */
static bool read_text(const struct weir_request *request, const char *name, char *out, size_t size)
{
    if (weir_query_value(request->target, name, out, size))
        return true;
    if (!weir_query_has(request->target, name))
        return false;
    snprintf(out, size, "?");
    return true;
}

static enum weir_step take_since(struct weir_feed_client *client)
{
    struct weir_request *request = client->request;
    char since[TOKEN_BYTES] = "latest";
    struct weir_error err;
    const struct weir_feed_source *source = client->source;
    const char *last = MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, "Last-Event-ID");
    const char *name = last != NULL && client->stream ? "Last-Event-ID" : "since";
    if (last == NULL || !client->stream)
        read_text(request, "since", since, sizeof(since));
    struct weir_bytes token = weir_bytes_str(last != NULL && client->stream ? last : since);
    bool latest = weir_bytes_is(token, "latest");
    for (int32_t p = 0; p < source->partition_count; p++)
        client->offsets[p] = latest ? -1 : 0;
    if (latest || weir_bytes_is(token, "earliest"))
        return WEIR_STEP_SUSPENDED;
    if (weir_feed_token_read(source->collection->config->changes_topic, token, client->offsets,
            source->partition_count, &err) == 0)
        return WEIR_STEP_SUSPENDED;
    return weir_request_refuse(
        request, MHD_HTTP_BAD_REQUEST, "%s %s; begin with since=earliest or since=latest", name, err.text);
}

static enum weir_step take_view(struct weir_feed_client *client)
{
    struct weir_request *request = client->request;
    const struct weir_collection *config = request->collection->config;
    char text[32];
    client->view = weir_feed_view_is_held(WEIR_FEED_NEW_AND_OLD_IMAGES, config) ? WEIR_FEED_NEW_AND_OLD_IMAGES
                                                                                : WEIR_FEED_NEW_IMAGE;
    if (!read_text(request, "view", text, sizeof(text)))
        return WEIR_STEP_SUSPENDED;
    if (!weir_feed_view_read(text, &client->view))
        return weir_request_refuse(
            request, MHD_HTTP_BAD_REQUEST, "view is KEYS_ONLY, NEW_IMAGE, OLD_IMAGE or NEW_AND_OLD_IMAGES");
    if (weir_feed_view_is_held(client->view, config))
        return WEIR_STEP_SUSPENDED;
    return weir_request_refuse(request, MHD_HTTP_BAD_REQUEST,
        "view %s: changes of %s hold no old images; the collection's setting changes.view would have to be "
        "NEW_AND_OLD_IMAGES",
        text, config->name);
}

/* A number of the query within 0..most; what `fallback` says without one. -1: it is none. */
static int64_t read_number(
    const struct weir_request *request, const char *name, int64_t most, int64_t fallback)
{
    char text[24];
    if (!read_text(request, name, text, sizeof(text)))
        return fallback;
    return weir_header_number(weir_bytes_str(text), most);
}

static enum weir_step take_numbers(struct weir_feed_client *client)
{
    struct weir_request *request = client->request;
    int64_t wait_s = read_number(request, "wait", 3600, 0);
    client->limit = read_number(request, "limit", LIMIT_MAX, LIMIT);
    if (client->limit < 1)
        return weir_request_refuse(
            request, MHD_HTTP_BAD_REQUEST, "limit is a number from 1 to %d", LIMIT_MAX);
    if (wait_s < 0)
        return weir_request_refuse(
            request, MHD_HTTP_BAD_REQUEST, "wait is a number of seconds, at most 3600");
    request->wait_ms = wait_s * 1000;
    client->deadline_ms = weir_clock_ms() + weir_read_wait_ms(request);
    return WEIR_STEP_SUSPENDED;
}

static bool wants_stream(const struct weir_request *request)
{
    const char *accept = request->head.accept.data;
    return accept != NULL && strcasestr(accept, "text/event-stream") != NULL;
}

/* ---- being served ---- */

static enum weir_step begin_stream(struct weir_feed_client *client)
{
    struct weir_request *request = client->request;
    pthread_mutex_lock(&client->source->lock);
    weir_feed_client_attach(client);
    pthread_mutex_unlock(&client->source->lock);
    request->feed_client = client;
    request->outcome.kind = WEIR_OUTCOME_STREAM;
    request->outcome.status = MHD_HTTP_OK;
    return WEIR_STEP_ANSWER;
}

/* The registry's own deadline comes later than the poll's. */
static enum weir_step begin_poll(struct weir_feed_client *client)
{
    struct weir_request *request = weir_request_ref(client->request);
    weir_pending_add(request->gateway->pending, request, LATE);
    pthread_mutex_lock(&client->source->lock);
    weir_feed_client_attach(client);
    if (client->source->ready)
        weir_feed_poll_serve(client, weir_clock_ms());
    pthread_mutex_unlock(&client->source->lock);
    weir_feed_client_unref(client);
    return WEIR_STEP_SUSPENDED;
}

static enum weir_step begin(struct weir_feed_client *client)
{
    if (take_since(client) == WEIR_STEP_ANSWER || take_view(client) == WEIR_STEP_ANSWER ||
        take_numbers(client) == WEIR_STEP_ANSWER) {
        weir_feed_client_unref(client);
        return WEIR_STEP_ANSWER;
    }
    return client->stream ? begin_stream(client) : begin_poll(client);
}

enum weir_step weir_feed_run(struct weir_request *request)
{
    struct weir_feed *feed = request->gateway->feed;
    if (feed == NULL)
        return weir_request_refuse(
            request, MHD_HTTP_NOT_FOUND, "there is nothing at this path; see /v1/{collection}");
    struct weir_feed_source *source = &feed->sources[request->collection->index];
    struct weir_feed_client *client =
        weir_feed_reader_start(source) ? weir_feed_client_new(source, request) : NULL;
    if (client == NULL)
        return weir_request_refuse(
            request, MHD_HTTP_SERVICE_UNAVAILABLE, "this gateway can't serve the feed now");
    client->stream = wants_stream(request);
    return begin(client);
}

void weir_feed_serve(struct weir_feed_source *source)
{
    int64_t now_ms = weir_clock_ms();
    for (struct weir_feed_client *client = source->clients, *next; client != NULL; client = next) {
        next = client->next;
        if (client->stream)
            weir_feed_stream_wake(client, now_ms);
        else
            weir_feed_poll_serve(client, now_ms);
    }
}

/* ---- making and ending ---- */

static int make_source(struct weir_feed *feed, size_t index, struct weir_error *err)
{
    struct weir_feed_source *source = &feed->sources[index];
    source->feed = feed;
    source->collection = &feed->gateway->collections[index];
    source->partition_count = (int32_t)source->collection->config->partitions;
    source->ring_size = RING_EVENTS;
    pthread_mutex_init(&source->lock, NULL);
    source->ring = calloc(source->ring_size, sizeof(struct weir_feed_event *));
    source->begin = calloc((size_t)source->partition_count, sizeof(int64_t));
    source->end = calloc((size_t)source->partition_count, sizeof(int64_t));
    return source->ring != NULL && source->begin != NULL && source->end != NULL
               ? 0
               : weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
}

int weir_feed_open(struct weir_gateway *gateway, struct weir_feed **ret_feed, struct weir_error *err)
{
    struct weir_feed *feed = calloc(1, sizeof(*feed));
    if (feed == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    feed->gateway = gateway;
    pthread_mutex_init(&feed->lock, NULL);
    pthread_cond_init(&feed->wanted, NULL);
    feed->clients = weir_metric(
        WEIR_METRIC_GAUGE, "weir_gateway_feed_clients", "", "Polls and streams of the change feed");
    feed->events = weir_metric(WEIR_METRIC_COUNTER, "weir_gateway_feed_events_total", "",
        "Change events that were read for the feed");
    feed->sources = calloc(gateway->collection_count, sizeof(*feed->sources));
    int rc = feed->sources != NULL ? 0 : weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    for (size_t i = 0; i < gateway->collection_count && rc == 0; i++)
        rc = make_source(feed, i, err);
    if (rc == 0)
        rc = weir_feed_behind_start(feed, err);
    if (rc == 0)
        *ret_feed = feed;
    else
        weir_feed_close(feed);
    return rc;
}

/* Nobody sleeps any more after this: whoever would is told the end first. */
static void end_clients(struct weir_feed_source *source)
{
    pthread_mutex_lock(&source->lock);
    for (struct weir_feed_client *client = source->clients; client != NULL; client = client->next) {
        if (client->stream)
            weir_feed_client_end(client, MHD_HTTP_SERVICE_UNAVAILABLE, WEIR_FEED_ENDING);
        else if (client->state == WEIR_FEED_BEHIND)
            weir_feed_client_end(client, MHD_HTTP_SERVICE_UNAVAILABLE, WEIR_FEED_ENDING);
        client->deadline_ms = 0;
    }
    weir_feed_serve(source);
    pthread_mutex_unlock(&source->lock);
}

void weir_feed_end(struct weir_feed *feed)
{
    if (feed == NULL)
        return;
    pthread_mutex_lock(&feed->lock);
    atomic_store(&feed->ending, true);
    pthread_cond_signal(&feed->wanted);
    pthread_mutex_unlock(&feed->lock);
    for (size_t i = 0; i < feed->gateway->collection_count; i++) {
        weir_feed_reader_join(&feed->sources[i]);
        end_clients(&feed->sources[i]);
    }
}

static void free_source(struct weir_feed_source *source)
{
    /* Polls that came at the last moment, and were answered by the registry. */
    for (struct weir_feed_client *client; (client = source->clients) != NULL;) {
        if (!client->stream)
            weir_request_unref(client->request);
        weir_feed_client_detach(client);
    }
    for (; source->ring != NULL && source->first < source->next; source->first++)
        weir_feed_event_unref(source->ring[source->first % source->ring_size]);
    free(source->ring);
    free(source->begin);
    free(source->end);
    pthread_mutex_destroy(&source->lock);
}

void weir_feed_close(struct weir_feed *feed)
{
    if (feed == NULL)
        return;
    weir_feed_end(feed);
    weir_feed_behind_join(feed);
    for (size_t i = 0; feed->sources != NULL && i < feed->gateway->collection_count; i++)
        free_source(&feed->sources[i]);
    free(feed->sources);
    pthread_cond_destroy(&feed->wanted);
    pthread_mutex_destroy(&feed->lock);
    free(feed);
}
