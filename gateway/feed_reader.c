/* The reader of a change topic: one consumer of all its partitions, from the end as it is when somebody first
 * asks. */
#include "common/clock.h"
#include "common/kafka.h"
#include "common/log.h"
#include "common/metrics.h"
#include "gateway/feed_parts.h"

#include <inttypes.h>
#include <string.h>

enum { POLL_MS = 100, REQUEST_MS = 1000, DESTROY_MS = 3000, LOG_PAUSE_MS = 10000, BATCH_MAX = 1000 };

struct reader {
    struct weir_feed_source *source;
    rd_kafka_t *consumer;
    int64_t next_log_ms;
};

static const char *topic_of(const struct weir_feed_source *source)
{
    return source->collection->config->changes_topic;
}

static void log_problem(struct reader *reader, const char *reason)
{
    if (weir_clock_ms() < reader->next_log_ms)
        return;
    reader->next_log_ms = weir_clock_ms() + LOG_PAUSE_MS;
    weir_log(WEIR_LOG_WARNING, "feed.unreadable", "topic=%s reason=%s", topic_of(reader->source), reason);
}

/* ---- the ring ---- */

static void drop_first(struct weir_feed_source *source)
{
    struct weir_feed_event *event = source->ring[source->first++ % source->ring_size];
    source->begin[event->partition] = event->offset + 1;
    source->bytes -= event->len;
    weir_feed_event_unref(event);
}

static void append(struct weir_feed_source *source, struct weir_feed_event *event)
{
    size_t most = (size_t)source->feed->gateway->settings.feed_buffer_bytes;
    while (source->next > source->first &&
           (source->next - source->first == source->ring_size || source->bytes + event->len > most))
        drop_first(source);
    source->ring[source->next++ % source->ring_size] = event;
    source->bytes += event->len;
    weir_metric_add(source->feed->events, 1);
}

/* All clients are told that what they have read so far is no guide any more. */
static void begin_anew(struct weir_feed_source *source)
{
    pthread_mutex_lock(&source->lock);
    while (source->next > source->first)
        drop_first(source);
    source->ready = false;
    for (struct weir_feed_client *client = source->clients; client != NULL; client = client->next)
        weir_feed_client_end(client, MHD_HTTP_GONE,
            "the change topic was made anew or cut: read the documents again and go on with since=latest");
    weir_feed_serve(source);
    pthread_mutex_unlock(&source->lock);
}

/* ---- starting ---- */

static int make_consumer(struct reader *reader, struct weir_error *err)
{
    rd_kafka_conf_t *conf = NULL;
    int rc = weir_kafka_conf(reader->source->feed->gateway->deployment, WEIR_KAFKA_COMMITTED_READER,
        "weir-gateway-feed", NULL, &conf, err);
    if (rc == 0)
        rc = weir_kafka_new_take(RD_KAFKA_CONSUMER, conf, &reader->consumer, err);
    if (rc == 0)
        rd_kafka_poll_set_consumer(reader->consumer);
    return rc;
}

/* A read_committed handle answers with the last stable offset, behind which nothing can be read yet. */
static int find_ends(struct reader *reader, rd_kafka_topic_partition_list_t *list, struct weir_error *err)
{
    struct weir_feed_source *source = reader->source;
    for (int32_t p = 0; p < source->partition_count; p++) {
        int64_t begin = 0, end = 0;
        rd_kafka_resp_err_t failed =
            rd_kafka_query_watermark_offsets(reader->consumer, topic_of(source), p, &begin, &end, REQUEST_MS);
        if (failed != RD_KAFKA_RESP_ERR_NO_ERROR)
            return weir_kafka_error_set(err, failed, topic_of(source));
        rd_kafka_topic_partition_list_add(list, topic_of(source), p)->offset = end;
    }
    return 0;
}

static int begin(struct reader *reader, struct weir_error *err)
{
    struct weir_feed_source *source = reader->source;
    WEIR_CLEANUP(kafka_list)
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(source->partition_count);
    int rc = find_ends(reader, list, err);
    if (rc < 0)
        return rc;
    rd_kafka_resp_err_t failed = rd_kafka_assign(reader->consumer, list);
    if (failed != RD_KAFKA_RESP_ERR_NO_ERROR)
        return weir_kafka_error_set(err, failed, topic_of(source));
    pthread_mutex_lock(&source->lock);
    for (int p = 0; p < list->cnt; p++)
        source->begin[p] = source->end[p] = list->elems[p].offset;
    source->ready = true;
    pthread_mutex_unlock(&source->lock);
    return 0;
}

/* ---- reading ---- */

static void take_record(struct weir_feed_source *source, const rd_kafka_message_t *message)
{
    const struct weir_bytes value = {message->payload, message->payload != NULL ? message->len : 0};
    struct weir_feed_event *event = weir_feed_event_new(message->partition, message->offset, value);
    pthread_mutex_lock(&source->lock);
    if (event != NULL)
        append(source, event);
    source->end[message->partition] = message->offset + 1;
    pthread_mutex_unlock(&source->lock);
}

static void take_error(struct reader *reader, const rd_kafka_message_t *message)
{
    struct weir_feed_source *source = reader->source;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        pthread_mutex_lock(&source->lock);
        if (message->offset > source->end[message->partition])
            source->end[message->partition] = message->offset;
        pthread_mutex_unlock(&source->lock);
        return;
    }
    log_problem(reader, rd_kafka_message_errstr(message));
    if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
        message->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE)
        begin_anew(source);
}

/* Waits for a message, and takes what else is there. */
static void take_some(struct reader *reader)
{
    for (int i = 0; i < BATCH_MAX; i++) {
        WEIR_CLEANUP(kafka_message)
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reader->consumer, i == 0 ? POLL_MS : 0);
        if (message == NULL)
            return;
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
            take_record(reader->source, message);
        else
            take_error(reader, message);
    }
}

static void serve(struct weir_feed_source *source)
{
    pthread_mutex_lock(&source->lock);
    weir_feed_serve(source);
    pthread_mutex_unlock(&source->lock);
}

static void *run(void *context)
{
    struct reader reader = {.source = context};
    struct weir_error err;
    while (!atomic_load(&reader.source->feed->ending)) {
        int rc = reader.consumer == NULL ? make_consumer(&reader, &err) : 0;
        if (rc == 0 && !reader.source->ready)
            rc = begin(&reader, &err);
        if (rc < 0)
            log_problem(&reader, err.text);
        if (reader.consumer != NULL)
            take_some(&reader);
        serve(reader.source);
    }
    weir_kafka_destroy(reader.consumer, DESTROY_MS);
    return NULL;
}

bool weir_feed_reader_start(struct weir_feed_source *source)
{
    struct weir_feed *feed = source->feed;
    pthread_mutex_lock(&feed->lock);
    if (!source->reader_runs && !atomic_load(&feed->ending))
        source->reader_runs = pthread_create(&source->reader, NULL, run, source) == 0;
    bool runs = source->reader_runs;
    pthread_mutex_unlock(&feed->lock);
    return runs;
}

void weir_feed_reader_join(struct weir_feed_source *source)
{
    if (source->reader_runs)
        pthread_join(source->reader, NULL);
    source->reader_runs = false;
}
