/* The floor: the least that libmicrohttpd and librdkafka need for "POST a body, produce it, answer 202 after
 * the broker's acknowledgement". No JSON, keys, headers, limits or log. What the gateway costs beyond this is
 * Weir's own.
 *
 *     KAFKA=127.0.0.1:9092 TOPIC=floor PORT=18100 LINGER=0 floor      prints "ready" and serves until SIGTERM
 */
#include <librdkafka/rdkafka.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_MAX = 64 * 1024, THREADS = 2 };

struct request {
    struct MHD_Connection *connection;
    size_t len;
    unsigned status; /* written by the delivery report before the resume */
    bool sent;
    char body[BODY_MAX];
};

static rd_kafka_t *producer;
static rd_kafka_topic_t *topic;
static struct MHD_Response *empty;
static atomic_bool stopping;

static const char *setting(const char *name, const char *fallback)
{
    const char *value = getenv(name);
    return value != NULL ? value : fallback;
}

static void on_delivery(rd_kafka_t *handle, const rd_kafka_message_t *message, void *opaque)
{
    (void)handle;
    (void)opaque;
    struct request *request = message->_private;
    request->status =
        message->err == RD_KAFKA_RESP_ERR_NO_ERROR ? MHD_HTTP_ACCEPTED : MHD_HTTP_SERVICE_UNAVAILABLE;
    MHD_resume_connection(request->connection);
}

static void *poll_reports(void *unused)
{
    (void)unused;
    while (!atomic_load(&stopping))
        rd_kafka_poll(producer, 100);
    return NULL;
}

static enum MHD_Result produce(struct request *request)
{
    request->sent = true;
    MHD_suspend_connection(request->connection);
    if (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, 0, request->body, request->len, NULL, 0, request) !=
        0) {
        request->status = MHD_HTTP_SERVICE_UNAVAILABLE;
        MHD_resume_connection(request->connection);
    }
    return MHD_YES;
}

static enum MHD_Result collect(struct request *request, const char *data, size_t *len)
{
    if (request->len + *len > BODY_MAX)
        return MHD_NO;
    memcpy(request->body + request->len, data, *len);
    request->len += *len;
    *len = 0;
    return MHD_YES;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
    const char *method, const char *version, const char *data, size_t *len, void **state)
{
    (void)context;
    (void)url;
    (void)version;
    struct request *request = *state;
    if (request == NULL) {
        request = malloc(sizeof(*request));
        if (request == NULL || strcmp(method, "POST") != 0) {
            free(request);
            return MHD_NO;
        }
        request->connection = connection;
        request->len = 0;
        request->status = 0;
        request->sent = false;
        *state = request;
        return MHD_YES;
    }
    if (*len > 0)
        return collect(request, data, len);
    if (!request->sent)
        return produce(request);
    return MHD_queue_response(connection, request->status, empty);
}

static void on_completed(
    void *context, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode code)
{
    (void)context;
    (void)connection;
    (void)code;
    free(*state);
    *state = NULL;
}

static void start_producer(void)
{
    const char *const properties[][2] = {
        {"bootstrap.servers", setting("KAFKA", "127.0.0.1:9092")},
        {"acks", "all"},
        {"enable.idempotence", "true"},
        {"linger.ms", setting("LINGER", "0")},
        {"socket.nagle.disable", "true"},
        {"queue.buffering.max.messages", "1000000"},
    };
    char reason[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (size_t i = 0; i < sizeof(properties) / sizeof(properties[0]); i++) {
        if (rd_kafka_conf_set(conf, properties[i][0], properties[i][1], reason, sizeof(reason)) !=
            RD_KAFKA_CONF_OK) {
            fprintf(stderr, "floor: %s\n", reason);
            exit(78);
        }
    }
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof(reason));
    if (producer == NULL) {
        fprintf(stderr, "floor: %s\n", reason);
        exit(70);
    }
    topic = rd_kafka_topic_new(producer, setting("TOPIC", "floor"), NULL);
}

int main(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    start_producer();
    empty = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    pthread_t poller;
    pthread_create(&poller, NULL, poll_reports, NULL);
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC,
        (uint16_t)strtoul(setting("PORT", "18100"), NULL, 10), NULL, NULL, on_request, NULL,
        MHD_OPTION_THREAD_POOL_SIZE, THREADS, MHD_OPTION_CONNECTION_LIMIT, 4096, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, NULL, MHD_OPTION_LISTEN_BACKLOG_SIZE, 4096, MHD_OPTION_END);
    if (daemon == NULL) {
        fprintf(stderr, "floor: can't listen\n");
        return 69;
    }
    puts("ready");
    fflush(stdout);
    int received;
    sigwait(&signals, &received);
    rd_kafka_flush(producer, 5000);
    MHD_stop_daemon(daemon);
    atomic_store(&stopping, true);
    pthread_join(poller, NULL);
    MHD_destroy_response(empty);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(producer);
    return 0;
}
