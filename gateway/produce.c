#include "gateway/produce.h"

#include "common/clock.h"
#include "common/kafka.h"
#include "common/kafka_statistics.h"
#include "common/log.h"
#include "common/metrics.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    PROBE_MS = 1000,        /* one metadata request */
    CHECK_PAUSE_MS = 60000, /* between looks at topics that were as they should be */
    RETRY_PAUSE_MS = 3000,  /* … at topics that were not */
    LOG_PAUSE_MS = 10000,
    STATISTICS_MS = 200,  /* librdkafka tells its own state by nothing else */
    STATISTICS_EACH = 50, /* … of which so many make one reading of the metrics */
    FATAL_FLUSH_MS = 1000,
    PURGE_FLUSH_MS = 1000,
    DESTROY_MS = 3000,
    PROBLEM_BYTES = 1024,
};

#define UNIDENTIFIED "Kafka has not given this gateway a producer id yet"

struct topic {
    const struct weir_collection *collection;
    rd_kafka_topic_t *handle;
    atomic_bool good;            /* seen with the configured number of partitions */
    char problem[PROBLEM_BYTES]; /* under text_lock */
};

struct weir_produce {
    const struct weir_deployment *deployment;
    weir_produce_report_fn *report;
    int64_t queue_max;
    _Atomic int64_t waiting; /* records without a report */
    pthread_rwlock_t lock;   /* handle and topics[].handle: read to send, written to renew */
    rd_kafka_t *handle;      /* NULL: being renewed */
    struct topic *topics;
    size_t topic_count;
    atomic_bool up;         /* a broker has answered since all were down */
    atomic_bool fatal;      /* the handle is beyond repair */
    atomic_bool identified; /* Kafka has given the handle a producer id: it can send */
    atomic_uint statistics; /* told so far */
    int reports;            /* rung by librdkafka */
    bool dev_checked;
    int64_t made_ms, next_check_ms, next_log_ms;
    pthread_mutex_t text_lock;
    struct weir_metric *written, *not_written, *unknown, *refused, *queued, *reachable, *renewals;
};

/* ---- reports ---- */

/* What librdkafka says of the record decides, not the error: an error may come for a record that is there. */
static enum weir_delivery_end end_of(const rd_kafka_message_t *message)
{
    rd_kafka_msg_status_t status = rd_kafka_message_status(message);
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR || status == RD_KAFKA_MSG_STATUS_PERSISTED)
        return WEIR_DELIVERY_WRITTEN;
    return status == RD_KAFKA_MSG_STATUS_NOT_PERSISTED ? WEIR_DELIVERY_NOT_WRITTEN : WEIR_DELIVERY_UNKNOWN;
}

static void give_place(struct weir_produce *produce)
{
    atomic_fetch_sub_explicit(&produce->waiting, 1, memory_order_relaxed);
}

static void on_report(rd_kafka_t *handle, const rd_kafka_message_t *message, void *opaque)
{
    (void)handle;
    struct weir_produce *produce = opaque;
    struct weir_delivery delivery = {
        .end = end_of(message),
        .partition = message->partition,
        .offset = message->offset,
        .reason = rd_kafka_err2str(message->err),
    };
    struct weir_metric *const counters[] = {
        [WEIR_DELIVERY_WRITTEN] = produce->written,
        [WEIR_DELIVERY_NOT_WRITTEN] = produce->not_written,
        [WEIR_DELIVERY_UNKNOWN] = produce->unknown,
    };
    weir_metric_add(counters[delivery.end], 1);
    give_place(produce);
    produce->report(message->_private, &delivery);
}

static void on_error(rd_kafka_t *handle, int error, const char *reason, void *opaque)
{
    (void)handle;
    struct weir_produce *produce = opaque;
    if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && atomic_exchange(&produce->up, false))
        weir_log(WEIR_LOG_WARNING, "kafka.down", "reason=%s", reason);
    if (error == RD_KAFKA_RESP_ERR__FATAL)
        atomic_store(&produce->fatal, true);
}

/* Without a producer id records wait in librdkafka, and nobody could say after a while that they were not
 * sent. */
static int on_statistics(rd_kafka_t *handle, char *text, size_t len, void *opaque)
{
    static const char assigned[] = "\"idemp_state\": \"Assigned\"";
    struct weir_produce *produce = opaque;
    if (!atomic_load(&produce->identified) && memmem(text, len, assigned, sizeof(assigned) - 1) != NULL)
        atomic_store(&produce->identified, true);
    return atomic_fetch_add(&produce->statistics, 1) % STATISTICS_EACH == 0
               ? weir_kafka_statistics(handle, text, len, opaque)
               : 0;
}

int weir_produce_reports_fd(const struct weir_produce *produce)
{
    return produce->reports;
}

void weir_produce_take_reports(struct weir_produce *produce)
{
    pthread_rwlock_rdlock(&produce->lock);
    if (produce->handle != NULL)
        rd_kafka_poll(produce->handle, 0);
    pthread_rwlock_unlock(&produce->lock);
}

/* ---- making and unmaking the handle ---- */

static int set_statistics(rd_kafka_conf_t *conf, struct weir_error *err)
{
    char interval[16], text[256];
    snprintf(interval, sizeof(interval), "%d", STATISTICS_MS);
    if (rd_kafka_conf_set(conf, "statistics.interval.ms", interval, text, sizeof(text)) == RD_KAFKA_CONF_OK)
        return 0;
    return weir_error_set(err, WEIR_E_INTERNAL, "%s", text);
}

static int make_handle(struct weir_produce *produce, rd_kafka_t **ret_handle, struct weir_error *err)
{
    rd_kafka_conf_t *conf = NULL;
    int rc = weir_kafka_conf(produce->deployment, WEIR_KAFKA_PRODUCER, "weir-gateway", NULL, &conf, err);
    if (rc < 0)
        return rc;
    rd_kafka_conf_set_opaque(conf, produce);
    rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_stats_cb(conf, on_statistics);
    rc = set_statistics(conf, err);
    if (rc < 0) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    return weir_kafka_new_take(RD_KAFKA_PRODUCER, conf, ret_handle, err);
}

static void free_topics(struct weir_produce *produce)
{
    for (size_t i = 0; i < produce->topic_count; i++) {
        if (produce->topics[i].handle != NULL)
            rd_kafka_topic_destroy(produce->topics[i].handle);
        produce->topics[i].handle = NULL;
        atomic_store(&produce->topics[i].good, false);
    }
}

static int make_topics(struct weir_produce *produce, rd_kafka_t *handle, struct weir_error *err)
{
    for (size_t i = 0; i < produce->topic_count; i++) {
        struct topic *topic = &produce->topics[i];
        topic->handle = rd_kafka_topic_new(handle, topic->collection->command_topic, NULL);
        if (topic->handle == NULL)
            return weir_kafka_error_set(err, rd_kafka_last_error(), topic->collection->command_topic);
    }
    return 0;
}

/* fd < 0: no more. */
static void ring_for_reports(rd_kafka_t *handle, int fd)
{
    static const uint64_t once = 1;
    rd_kafka_queue_t *queue = rd_kafka_queue_get_main(handle);
    rd_kafka_queue_io_event_enable(queue, fd, &once, sizeof(once));
    rd_kafka_queue_destroy(queue);
}

static int open_handle(struct weir_produce *produce, struct weir_error *err)
{
    rd_kafka_t *handle = NULL;
    int rc = make_handle(produce, &handle, err);
    if (rc < 0)
        return rc;
    pthread_rwlock_wrlock(&produce->lock);
    rc = make_topics(produce, handle, err);
    produce->handle = handle;
    produce->made_ms = weir_clock_ms();
    ring_for_reports(handle, produce->reports); /* no sooner: it rings once, until the handle is polled */
    pthread_rwlock_unlock(&produce->lock);
    return rc;
}

/* No record is lost here without a word: what was never sent is reported as not written, the rest as unknown.
 */
static void give_up_queue(rd_kafka_t *handle, int timeout_ms)
{
    rd_kafka_purge(handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(handle, timeout_ms);
}

static void close_handle(struct weir_produce *produce, int flush_ms)
{
    pthread_rwlock_wrlock(&produce->lock);
    rd_kafka_t *handle = produce->handle;
    produce->handle = NULL;
    free_topics(produce);
    pthread_rwlock_unlock(&produce->lock);
    if (handle == NULL)
        return;
    ring_for_reports(handle, -1);
    rd_kafka_flush(handle, flush_ms);
    give_up_queue(handle, PURGE_FLUSH_MS);
    weir_kafka_destroy(handle, DESTROY_MS);
}

static int renew(struct weir_produce *produce, struct weir_error *err)
{
    char reason[PROBLEM_BYTES] = "";
    rd_kafka_resp_err_t cause =
        produce->handle != NULL ? rd_kafka_fatal_error(produce->handle, reason, sizeof(reason)) : 0;
    weir_log(WEIR_LOG_ERROR, "kafka.renewed", "error=%s reason=%s", rd_kafka_err2name(cause), reason);
    weir_metric_add(produce->renewals, 1);
    atomic_store(&produce->up, false);
    close_handle(produce, FATAL_FLUSH_MS);
    atomic_store(&produce->fatal, false);
    atomic_store(&produce->identified, false);
    produce->next_check_ms = 0;
    return open_handle(produce, err);
}

static void register_metrics(struct weir_produce *produce)
{
    static const char name[] = "weir_gateway_deliveries_total",
                      help[] = "Delivery reports by what became of the record";
    produce->written = weir_metric(WEIR_METRIC_COUNTER, name, "end=\"written\"", help);
    produce->not_written = weir_metric(WEIR_METRIC_COUNTER, name, "end=\"not_written\"", help);
    produce->unknown = weir_metric(WEIR_METRIC_COUNTER, name, "end=\"unknown\"", help);
    produce->refused = weir_metric(WEIR_METRIC_COUNTER, "weir_gateway_refused_records_total", "",
        "Records that were refused before they were sent");
    produce->queued = weir_metric(
        WEIR_METRIC_GAUGE, "weir_gateway_queued_records", "", "Records in the producer without a report");
    produce->reachable =
        weir_metric(WEIR_METRIC_GAUGE, "weir_gateway_kafka_up", "", "1 while a broker answers");
    produce->renewals = weir_metric(WEIR_METRIC_COUNTER, "weir_gateway_producer_renewals_total", "",
        "Producers renewed after a fatal error");
}

int weir_produce_open(const struct weir_gateway *gateway, weir_produce_report_fn *report,
    struct weir_produce **ret_produce, struct weir_error *err)
{
    struct weir_produce *produce = calloc(1, sizeof(*produce));
    if (produce == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    produce->deployment = gateway->deployment;
    produce->report = report;
    produce->queue_max = gateway->settings.queue_max;
    produce->topics = calloc(gateway->collection_count + 1, sizeof(*produce->topics));
    produce->topic_count = produce->topics != NULL ? gateway->collection_count : 0;
    for (size_t i = 0; i < produce->topic_count; i++) {
        produce->topics[i].collection = gateway->collections[i].config;
        snprintf(produce->topics[i].problem, PROBLEM_BYTES, "topic %s was not seen yet",
            gateway->collections[i].config->command_topic);
    }
    pthread_rwlock_init(&produce->lock, NULL);
    pthread_mutex_init(&produce->text_lock, NULL);
    register_metrics(produce);
    produce->reports = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = produce->reports < 0
                 ? weir_error_set(err, WEIR_E_INTERNAL, "no files are left for Kafka's reports")
                 : open_handle(produce, err);
    if (rc < 0) {
        weir_produce_close(produce);
        return rc;
    }
    *ret_produce = produce;
    return 0;
}

void weir_produce_close(struct weir_produce *produce)
{
    if (produce == NULL)
        return;
    close_handle(produce, 0);
    if (produce->reports >= 0)
        close(produce->reports);
    pthread_rwlock_destroy(&produce->lock);
    pthread_mutex_destroy(&produce->text_lock);
    free(produce->topics);
    free(produce);
}

int weir_produce_check(const struct weir_deployment *deployment, struct weir_error *err)
{
    return weir_kafka_check_version(deployment, err);
}

/* ---- sending ---- */

#ifdef WEIR_CRASH_POINTS
/* Test builds: WEIR_FATAL_AT=N makes the producer fatal at the N-th record. */
static void fail_on_purpose(rd_kafka_t *handle)
{
    static atomic_int sent;
    const char *at = getenv("WEIR_FATAL_AT");
    if (at != NULL && atomic_fetch_add(&sent, 1) + 1 == strtol(at, NULL, 10))
        rd_kafka_test_fatal_error(handle, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "on purpose");
}
#else
#define fail_on_purpose(handle) ((void)0)
#endif

static int check_sendable(struct weir_produce *produce, struct topic *topic, struct weir_error *err)
{
    if (produce->handle == NULL || atomic_load_explicit(&produce->fatal, memory_order_relaxed))
        return weir_error_set(err, WEIR_E_UNAVAILABLE, "the connection to Kafka is being renewed");
    if (!atomic_load_explicit(&produce->up, memory_order_relaxed))
        return weir_error_set(err, WEIR_E_UNAVAILABLE, "no Kafka broker can be reached");
    if (!atomic_load_explicit(&produce->identified, memory_order_relaxed))
        return weir_error_set(err, WEIR_E_UNAVAILABLE, UNIDENTIFIED);
    if (atomic_load_explicit(&topic->good, memory_order_relaxed))
        return 0;
    pthread_mutex_lock(&produce->text_lock);
    int rc = weir_error_set(err, WEIR_E_UNAVAILABLE, "%s", topic->problem);
    pthread_mutex_unlock(&produce->text_lock);
    return rc;
}

static int take_place(struct weir_produce *produce, struct weir_error *err)
{
    if (atomic_fetch_add_explicit(&produce->waiting, 1, memory_order_relaxed) < produce->queue_max)
        return 0;
    give_place(produce);
    return weir_error_set(
        err, WEIR_E_BUSY, "%" PRId64 " commands wait for Kafka already (queue.max)", produce->queue_max);
}

/* Headers go by copy: a handed-over list is freed twice by librdkafka when the partition does not exist. */
static size_t fill(const struct weir_produce_record *record, const struct topic *topic, rd_kafka_vu_t *fields)
{
    size_t count = 0;
    fields[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = topic->handle};
    fields[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = record->partition};
    fields[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY};
    fields[count++] = (rd_kafka_vu_t){
        .vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)(uintptr_t)record->key.data, record->key.len}};
    fields[count++] = (rd_kafka_vu_t){
        .vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)(uintptr_t)record->value.data, record->value.len}};
    fields[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = record->opaque};
    for (size_t i = 0; i < record->header_count; i++) {
        const struct weir_header *header = &record->headers[i];
        fields[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_HEADER,
            .u.header = {header->name, header->value.data, (ssize_t)header->value.len}};
    }
    return count;
}

static int send_locked(
    struct weir_produce *produce, const struct weir_produce_record *record, struct weir_error *err)
{
    rd_kafka_vu_t fields[6 + WEIR_PRODUCE_HEADERS_MAX];
    struct topic *topic = &produce->topics[record->collection->index];
    int rc = check_sendable(produce, topic, err);
    if (rc == 0)
        rc = take_place(produce, err);
    if (rc < 0)
        return rc;
    rd_kafka_error_t *error = rd_kafka_produceva(produce->handle, fields, fill(record, topic, fields));
    fail_on_purpose(produce->handle);
    if (error == NULL)
        return 0;
    give_place(produce);
    bool fatal = rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__FATAL;
    if (fatal)
        atomic_store(&produce->fatal, true);
    rc = weir_kafka_error_take(error, "the record was refused", err);
    return fatal ? WEIR_E_UNAVAILABLE : rc;
}

int weir_produce_send(
    struct weir_produce *produce, const struct weir_produce_record *record, struct weir_error *err)
{
    pthread_rwlock_rdlock(&produce->lock);
    int rc = send_locked(produce, record, err);
    pthread_rwlock_unlock(&produce->lock);
    if (rc < 0)
        weir_metric_add(produce->refused, 1);
    return rc;
}

/* ---- looking after it ---- */

static void set_problem(struct weir_produce *produce, struct topic *topic, const char *problem)
{
    pthread_mutex_lock(&produce->text_lock);
    snprintf(topic->problem, PROBLEM_BYTES, "%s", problem);
    pthread_mutex_unlock(&produce->text_lock);
    if (problem[0] != '\0' && atomic_exchange(&topic->good, false))
        weir_log(WEIR_LOG_ERROR, "topic.refused", "reason=%s", problem);
    if (problem[0] == '\0' && !atomic_exchange(&topic->good, true))
        weir_log(WEIR_LOG_INFO, "topic.ready", "topic=%s partitions=%" PRId64,
            topic->collection->command_topic, topic->collection->partitions);
}

/* Looks at one topic. WEIR_E_UNAVAILABLE: no broker answered, nothing is known. */
static int check_topic(struct weir_produce *produce, struct topic *topic, struct weir_error *err)
{
    const struct weir_collection *collection = topic->collection;
    int32_t count = 0;
    char problem[PROBLEM_BYTES] = "";
    int rc = weir_kafka_partition_count(produce->handle, collection->command_topic, PROBE_MS, &count, err);
    if (rc == WEIR_E_TIMEOUT || rc == WEIR_E_UNAVAILABLE)
        return WEIR_E_UNAVAILABLE;
    if (rc < 0)
        snprintf(
            problem, sizeof(problem), "topic %s can't be used: %s", collection->command_topic, err->text);
    else if (count != collection->partitions)
        snprintf(problem, sizeof(problem),
            "topic %s has %" PRId32 " partitions, [collection %s] says %" PRId64, collection->command_topic,
            count, collection->name, collection->partitions);
    set_problem(produce, topic, problem);
    return problem[0] == '\0' ? 0 : WEIR_E_NOT_FOUND;
}

static void log_paused(struct weir_produce *produce, const char *reason)
{
    int64_t now_ms = weir_clock_ms();
    if (now_ms < produce->next_log_ms)
        return;
    produce->next_log_ms = now_ms + LOG_PAUSE_MS;
    weir_log(WEIR_LOG_WARNING, "kafka.waiting", "reason=%s", reason);
}

static int check_topics(struct weir_produce *produce, struct weir_error *err)
{
    bool good = true;
    for (size_t i = 0; i < produce->topic_count; i++) {
        int rc = check_topic(produce, &produce->topics[i], err);
        if (rc == WEIR_E_UNAVAILABLE)
            return rc;
        if (rc < 0)
            log_paused(produce, produce->topics[i].problem);
        good = good && rc == 0;
    }
    produce->next_check_ms = weir_clock_ms() + (good ? CHECK_PAUSE_MS : RETRY_PAUSE_MS);
    return 0;
}

static int check_dev(struct weir_produce *produce, struct weir_error *err)
{
    if (produce->dev_checked)
        return 0;
    int rc = weir_kafka_check_dev(produce->deployment, produce->handle, err);
    produce->dev_checked = rc == 0;
    return rc;
}

/* A broker has to answer before commands are taken, and again after all were down. */
static int look(struct weir_produce *produce, struct weir_error *err)
{
    if (atomic_load(&produce->up) && weir_clock_ms() < produce->next_check_ms)
        return 0;
    int rc = check_topics(produce, err);
    if (rc == 0)
        rc = check_dev(produce, err);
    if (rc == 0 && !atomic_exchange(&produce->up, true))
        weir_log(WEIR_LOG_INFO, "kafka.up", "brokers=%s", produce->deployment->kafka.bootstrap_servers);
    if (rc == WEIR_E_CONFIG)
        return rc;
    if (rc < 0)
        log_paused(produce, err->text);
    return 0;
}

static void await_id(struct weir_produce *produce)
{
    if (atomic_load(&produce->up) && !atomic_load(&produce->identified) &&
        weir_clock_ms() >= produce->made_ms + LOG_PAUSE_MS)
        log_paused(produce, UNIDENTIFIED);
}

int weir_produce_watch(struct weir_produce *produce, struct weir_error *err)
{
    if (atomic_load(&produce->fatal) || produce->handle == NULL) {
        int rc = renew(produce, err);
        if (rc < 0)
            return rc;
    }
    weir_metric_set(produce->queued, rd_kafka_outq_len(produce->handle));
    weir_metric_set(produce->reachable, atomic_load(&produce->up));
    await_id(produce);
    return look(produce, err);
}

bool weir_produce_ready(struct weir_produce *produce, struct weir_buffer *detail)
{
    bool up = atomic_load(&produce->up), good = atomic_load(&produce->identified);
    weir_buffer_printf(detail, "\"kafka\":\"%s\",\"producer\":\"%s\",\"topics\":{", up ? "up" : "down",
        good ? "ok" : UNIDENTIFIED);
    pthread_mutex_lock(&produce->text_lock);
    for (size_t i = 0; i < produce->topic_count; i++) {
        struct topic *topic = &produce->topics[i];
        bool is_good = atomic_load(&topic->good);
        weir_buffer_append_str(detail, i > 0 ? "," : "");
        weir_buffer_append_json_string(detail, weir_bytes_str(topic->collection->command_topic));
        weir_buffer_append_str(detail, ":");
        weir_buffer_append_json_string(detail, weir_bytes_str(is_good ? "ok" : topic->problem));
        good = good && is_good;
    }
    pthread_mutex_unlock(&produce->text_lock);
    weir_buffer_append_str(detail, "}");
    return up && good;
}

void weir_produce_drain(struct weir_produce *produce, int timeout_ms)
{
    if (produce->handle == NULL)
        return;
    if (rd_kafka_flush(produce->handle, timeout_ms) != 0)
        give_up_queue(produce->handle, timeout_ms);
}
