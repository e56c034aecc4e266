#include "consumers/runtime/host.h"

#include "common/clock.h"
#include "common/kafka_topic_id.h"
#include "common/log.h"
#include "common/service.h"
#include "consumers/runtime/bridge.h"
#include "consumers/runtime/runtime.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WAIT_STEP_MS = 200, METRIC_NAME_BYTES = 256, TOPIC_ID_MS = 2000 };

_Static_assert((int)WEIR_TOPIC_ID_BYTES == (int)WEIR_KAFKA_TOPIC_ID_BYTES, "a topic id of Kafka fits");

static char metric_prefix[64]; /* a process runs one plugin */

static void say(enum weir_log_severity severity, const char *event, const char *format, va_list arguments)
{
    static const enum weir_log_level levels[] = {
        [WEIR_SAY_ERROR] = WEIR_LOG_ERROR,
        [WEIR_SAY_WARNING] = WEIR_LOG_WARNING,
        [WEIR_SAY_NOTICE] = WEIR_LOG_NOTICE,
        [WEIR_SAY_INFO] = WEIR_LOG_INFO,
        [WEIR_SAY_DEBUG] = WEIR_LOG_DEBUG,
    };
    weir_logv(severity <= WEIR_SAY_DEBUG ? levels[severity] : WEIR_LOG_DEBUG, event, format, arguments);
}

/* In steps, so that the watchdog sees that the plugin waits and does not hang. */
static bool wait_fed(int64_t duration_ms)
{
    int64_t until_ms = weir_clock_ms() + duration_ms;
    for (int64_t left_ms = duration_ms; !weir_service_stopping(); left_ms = until_ms - weir_clock_ms()) {
        weir_service_alive();
        if (left_ms <= 0)
            return true;
        int64_t step_ms = left_ms < WAIT_STEP_MS ? left_ms : WAIT_STEP_MS;
        nanosleep(&(struct timespec){.tv_nsec = step_ms * 1000000}, NULL);
    }
    return false;
}

/* weir_<plugin>_<name>: no plugin takes a name of the host's. */
static struct weir_metric *metric(
    enum weir_metric_type type, const char *name, const char *labels, const char *help)
{
    char full[METRIC_NAME_BYTES];
    snprintf(full, sizeof(full), "weir_%s_%s", metric_prefix, name);
    return weir_metric(type, full, labels, help);
}

static struct weir_metric *counter(const char *name, const char *labels, const char *help)
{
    return metric(WEIR_METRIC_COUNTER, name, labels, help);
}

static struct weir_metric *gauge(const char *name, const char *labels, const char *help)
{
    return metric(WEIR_METRIC_GAUGE, name, labels, help);
}

static struct weir_metric *histogram(const char *name, const char *labels, const char *help)
{
    return metric(WEIR_METRIC_HISTOGRAM, name, labels, help);
}

static void health_detail(struct weir_buffer *detail, const char *name, const char *value)
{
    if (detail->len > 0)
        weir_buffer_append_str(detail, ",");
    weir_buffer_append_json_string(detail, weir_bytes_str(name));
    weir_buffer_append_str(detail, ":");
    weir_buffer_append_json_string(detail, weir_bytes_str(value));
}

static void advertise(void *context, const char *url)
{
    struct weir_runtime *runtime = context;
    free(runtime->advertised);
    runtime->advertised = strdup(url);
}

static const char *cluster_id(void *context)
{
    return ((const struct weir_runtime *)context)->cluster;
}

static int topic_id(void *context, const char *topic, char *id, struct weir_error *err)
{
    struct weir_runtime *runtime = context;
    id[0] = '\0';
    if (runtime->deployment->kafka.dev || runtime->watermark == NULL)
        return 0;
    return weir_kafka_topic_id(runtime->watermark, topic, TOPIC_ID_MS, id, err);
}

/* Any thread: the loop may sleep in the consumer's poll. */
static void wake(void *context, uint64_t ticket)
{
    struct weir_runtime *runtime = context;
    weir_wakes_add(&runtime->wakes, ticket);
    rd_kafka_queue_t *queue = runtime->consumer_queue;
    if (queue != NULL)
        rd_kafka_queue_yield(queue);
}

static void set_metric_prefix(const char *plugin)
{
    snprintf(metric_prefix, sizeof(metric_prefix), "%s", plugin);
    for (char *at = metric_prefix; *at != '\0'; at++)
        if (*at == '-')
            *at = '_';
}

void weir_host_init(struct weir_runtime *runtime)
{
    set_metric_prefix(runtime->plugin->name);
    weir_wakes_init(&runtime->wakes);
    runtime->host = (struct weir_host){
        .abi = WEIR_PLUGIN_ABI,
        .struct_size = sizeof(struct weir_host),
        .context = runtime,
        .service = runtime->service->name,
        .instance = runtime->instance,
        .topics = (const char *const *)runtime->service->source_topics,
        .deployment = runtime->deployment,
        .next = weir_batch_next,
        .done = weir_batch_record_done,
        .fail = weir_batch_record_fail,
        .emit = weir_batch_emit,
        .emit_at = weir_batch_emit_at,
        .emit_to = weir_batch_emit_to,
        .emit_across = weir_batch_emit_across,
        .log = say,
        .now_ms = weir_clock_wall_ms,
        .stopping = weir_service_stopping,
        .wait_ms = wait_fed,
        .counter = counter,
        .gauge = gauge,
        .histogram = histogram,
        .metric_add = weir_metric_add,
        .metric_set = weir_metric_set,
        .metric_observe_us = weir_metric_observe_us,
        .health_detail = health_detail,
        .http_listen = weir_bridge_listen,
        .http_address = weir_bridge_address,
        .http_close = weir_bridge_close,
        .advertise = advertise,
        .request_method = weir_http_method,
        .request_path = weir_http_path,
        .request_query = weir_http_query,
        .request_header = weir_http_header,
        .reply_body = weir_bridge_reply_body,
        .reply_header = weir_bridge_reply_header,
        .reply_problem = weir_bridge_reply_problem,
        .cluster_id = cluster_id,
        .reply_later = weir_bridge_reply_later,
        .request_waited_ms = weir_http_waited_ms,
        .http_wake = weir_bridge_wake,
        .defer = weir_batch_defer,
        .wake = wake,
        .topic_id = topic_id,
    };
}
