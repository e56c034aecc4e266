/* Reads for clients what is older than a ring: a piece for each in its turn. */
#include "common/clock.h"
#include "common/kafka_scan.h"
#include "common/log.h"
#include "gateway/feed_parts.h"

#include <stdlib.h>
#include <string.h>

enum { SCAN_MS = 3000, PIECE_BYTES = 256 * 1024, PIECE_EVENTS = 1000 };

/* What is read for one client in one turn. */
struct piece {
    struct weir_feed_client *client;
    int64_t *from, *to; /* by partition */
    struct weir_feed_event **events;
    size_t count, bytes;
    int32_t partition; /* that is being read */
};

void weir_feed_behind_want(struct weir_feed_client *client)
{
    struct weir_feed *feed = client->source->feed;
    atomic_fetch_add(&client->references, 1);
    pthread_mutex_lock(&feed->lock);
    client->next_behind = NULL;
    if (feed->last_behind != NULL)
        feed->last_behind->next_behind = client;
    else
        feed->first_behind = client;
    feed->last_behind = client;
    pthread_cond_signal(&feed->wanted);
    pthread_mutex_unlock(&feed->lock);
}

/* The one who waits longest; NULL when all is to end. */
static struct weir_feed_client *await_client(struct weir_feed *feed)
{
    pthread_mutex_lock(&feed->lock);
    while (feed->first_behind == NULL && !atomic_load(&feed->ending))
        pthread_cond_wait(&feed->wanted, &feed->lock);
    struct weir_feed_client *client = feed->first_behind;
    if (client != NULL)
        feed->first_behind = client->next_behind;
    if (feed->first_behind == NULL)
        feed->last_behind = NULL;
    pthread_mutex_unlock(&feed->lock);
    return client;
}

/* ---- reading ---- */

static bool is_full(const struct piece *piece)
{
    return piece->count == PIECE_EVENTS || piece->bytes >= PIECE_BYTES;
}

static int take(void *context, const struct weir_kafka_record *record, struct weir_error *err)
{
    struct piece *piece = context;
    (void)err;
    if (record->offset >= piece->to[piece->partition])
        return 1;
    struct weir_feed_event *event = weir_feed_event_new(record->partition, record->offset, record->value);
    piece->from[piece->partition] = record->offset + 1;
    if (event == NULL)
        return 0;
    piece->events[piece->count++] = event;
    piece->bytes += event->len;
    return is_full(piece) ? 1 : 0;
}

static int gone(struct piece *piece, struct weir_error *err, const char *why)
{
    (void)piece;
    return weir_error_set(err, WEIR_E_NOT_FOUND,
        "%s: read the documents again and go on with since=latest (or since=earliest for what is there)",
        why);
}

static int read_partition(struct piece *piece, struct weir_kafka_scan *scan, struct weir_error *err)
{
    const char *topic = piece->client->source->collection->config->changes_topic;
    int32_t p = piece->partition;
    int64_t begin = 0, end = 0;
    int rc = weir_kafka_scan_ends(scan, topic, p, &begin, &end, err);
    if (rc < 0)
        return rc;
    if (piece->from[p] > end)
        return gone(piece, err, "the place is beyond the end of the change topic, which was made anew");
    if (piece->from[p] > 0 && piece->from[p] < begin)
        return gone(piece, err, "the place is older than what the change topic still holds");
    struct weir_kafka_range range = {.topic = topic, .partition = p, .from_offset = piece->from[p]};
    if (piece->from[p] < piece->to[p])
        rc = weir_kafka_scan_read(scan, &range, take, piece, err);
    if (rc == 0 && !is_full(piece) && piece->from[p] < piece->to[p])
        piece->from[p] = piece->to[p]; /* what is left are no events */
    return rc;
}

static int read_piece(struct piece *piece, struct weir_kafka_scan *scan, struct weir_error *err)
{
    int rc = 0;
    for (int32_t p = 0; rc == 0 && p < piece->client->source->partition_count && !is_full(piece); p++) {
        piece->partition = p;
        if (piece->from[p] != piece->to[p])
            rc = read_partition(piece, scan, err);
    }
    return rc;
}

/* ---- a turn ---- */

/* Where to read from, and how far: up to what the ring has. */
static void begin_piece(struct piece *piece)
{
    struct weir_feed_source *source = piece->client->source;
    size_t bytes = (size_t)source->partition_count * sizeof(int64_t);
    pthread_mutex_lock(&source->lock);
    memcpy(piece->from, piece->client->offsets, bytes);
    memcpy(piece->to, source->begin, bytes);
    for (int32_t p = 0; p < source->partition_count; p++) {
        if (piece->from[p] >= source->begin[p] && piece->from[p] <= source->end[p])
            piece->to[p] = piece->from[p];
    }
    pthread_mutex_unlock(&source->lock);
}

static void drop_events(struct piece *piece)
{
    for (size_t i = 0; i < piece->count; i++)
        weir_feed_event_unref(piece->events[i]);
    free(piece->events);
}

static void hand_over(struct piece *piece, int rc, const struct weir_error *err)
{
    struct weir_feed_client *client = piece->client;
    struct weir_feed_source *source = client->source;
    pthread_mutex_lock(&source->lock);
    if (client->state != WEIR_FEED_BEHIND) {
        drop_events(piece);
    } else if (rc < 0 && piece->count == 0) {
        drop_events(piece);
        weir_feed_client_end(
            client, rc == WEIR_E_NOT_FOUND ? MHD_HTTP_GONE : MHD_HTTP_SERVICE_UNAVAILABLE, err->text);
    } else {
        client->batch = piece->events;
        client->batch_count = piece->count;
        client->batch_at = 0;
        client->checked = rc == 0 && !is_full(piece);
        memcpy(client->reached, piece->from, (size_t)source->partition_count * sizeof(int64_t));
        client->state = WEIR_FEED_BATCH;
    }
    weir_feed_serve(source);
    pthread_mutex_unlock(&source->lock);
}

static void serve(struct weir_feed_client *client, struct weir_kafka_scan *scan)
{
    size_t count = (size_t)client->source->partition_count;
    struct weir_error err = {0};
    struct piece piece = {.client = client,
        .from = calloc(count, sizeof(int64_t)),
        .to = calloc(count, sizeof(int64_t)),
        .events = calloc(PIECE_EVENTS, sizeof(struct weir_feed_event *))};
    int rc = piece.from != NULL && piece.to != NULL && piece.events != NULL
                 ? 0
                 : weir_error_set(&err, WEIR_E_INTERNAL, "out of memory");
    if (rc == 0) {
        begin_piece(&piece);
        rc = read_piece(&piece, scan, &err);
    }
    hand_over(&piece, rc, &err);
    free(piece.from);
    free(piece.to);
}

static void *run(void *context)
{
    struct weir_feed *feed = context;
    struct weir_kafka_scan *scan = NULL;
    struct weir_error err;
    if (weir_kafka_scan_open(feed->gateway->deployment, "weir-gateway-feed", SCAN_MS, &scan, &err) < 0)
        weir_log(WEIR_LOG_ERROR, "feed.unreadable", "reason=%s", err.text);
    for (struct weir_feed_client *client; (client = await_client(feed)) != NULL;) {
        if (scan != NULL && !atomic_load(&feed->ending))
            serve(client, scan);
        weir_feed_client_unref(client);
    }
    weir_kafka_scan_close(scan);
    return NULL;
}

int weir_feed_behind_start(struct weir_feed *feed, struct weir_error *err)
{
    feed->worker_runs = pthread_create(&feed->worker, NULL, run, feed) == 0;
    return feed->worker_runs ? 0 : weir_error_set(err, WEIR_E_INTERNAL, "no thread for the change feed");
}

void weir_feed_behind_join(struct weir_feed *feed)
{
    if (!feed->worker_runs)
        return;
    pthread_mutex_lock(&feed->lock);
    pthread_cond_signal(&feed->wanted);
    pthread_mutex_unlock(&feed->lock);
    pthread_join(feed->worker, NULL);
}
