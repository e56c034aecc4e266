#include "consumers/runtime/start.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/service.h"
#include "consumers/runtime/backoff.h"
#include "consumers/runtime/bridge.h"
#include "consumers/runtime/collect.h"
#include "consumers/runtime/crash_line.h"
#include "consumers/runtime/handling.h"
#include "consumers/runtime/host.h"
#include "consumers/runtime/runtime.h"
#include "consumers/runtime/topics.h"
#include "consumers/runtime/watchdog.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { LIMITS_MS = 10000, CLUSTER_MS = 2000, PAUSE_MS = 500 };

static void on_error(rd_kafka_t *handle, int error, const char *reason, void *opaque)
{
    (void)handle;
    struct weir_runtime *runtime = opaque;
    if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        runtime->monitor.reachable = false;
    weir_log(WEIR_LOG_DEBUG, "kafka.consumer", "error=%s reason=\"%s\"",
        rd_kafka_err2name((rd_kafka_resp_err_t)error), reason);
}

/* The dev broker makes a member wait out the session of one that left: a short one, for quick restarts. */
static void shorten_session(const struct weir_runtime *runtime, rd_kafka_conf_t *conf)
{
    char text[256];
    if (runtime->deployment->kafka.dev)
        rd_kafka_conf_set(conf, "session.timeout.ms", "6000", text, sizeof(text));
}

static int open_consumer(struct weir_runtime *runtime, struct weir_error *err)
{
    rd_kafka_conf_t *conf;
    const char *client = runtime->advertised != NULL ? runtime->advertised : runtime->id;
    int rc = weir_kafka_conf(
        runtime->deployment, WEIR_KAFKA_GROUP_CONSUMER, client, runtime->service->group, &conf, err);
    if (rc < 0)
        return rc;
    shorten_session(runtime, conf);
    rc = weir_kafka_conf_member(conf, runtime->service, runtime->id, err);
    if (rc < 0) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    rd_kafka_conf_set_opaque(conf, runtime);
    rd_kafka_conf_set_rebalance_cb(conf, weir_assignment_rebalance);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rc = weir_kafka_new_take(RD_KAFKA_CONSUMER, conf, &runtime->consumer, err);
    if (rc < 0)
        return rc;
    rd_kafka_poll_set_consumer(runtime->consumer);
    runtime->consumer_queue = rd_kafka_queue_get_consumer(runtime->consumer);
    return 0;
}

static int open_reader(
    struct weir_runtime *runtime, enum weir_kafka_role role, rd_kafka_t **ret_handle, struct weir_error *err)
{
    rd_kafka_conf_t *conf;
    int rc = weir_kafka_conf(runtime->deployment, role, runtime->id, runtime->service->group, &conf, err);
    if (rc < 0)
        return rc;
    return weir_kafka_new_take(RD_KAFKA_CONSUMER, conf, ret_handle, err);
}

static int open_handles(struct weir_runtime *runtime, struct weir_error *err)
{
    int rc = weir_kafka_check_version(runtime->deployment, err);
    if (rc == 0)
        rc = open_consumer(runtime, err);
    if (rc == 0)
        rc = open_reader(runtime, WEIR_KAFKA_COMMITTED_READER, &runtime->reader, err);
    if (rc == 0)
        rc = open_reader(runtime, WEIR_KAFKA_UNCOMMITTED_READER, &runtime->watermark, err);
    return rc;
}

/* A broker that is away and topics that are not there yet are waited for; one line each 10 s says so. */
static int wait_for_topics(struct weir_runtime *runtime, struct weir_error *err)
{
    while (!weir_service_stopping()) {
        int rc = weir_topics_check(runtime, err);
        if (rc == 0 || (rc != WEIR_E_UNAVAILABLE && rc != WEIR_E_TIMEOUT && rc != WEIR_E_NOT_FOUND))
            return rc;
        weir_service_alive();
        weir_service_status("waiting for Kafka: %s", err->text);
        if (weir_monitor_may_tell(&runtime->told_ms))
            weir_log(WEIR_LOG_WARNING, "kafka.waiting", "servers=%s reason=\"%s\"",
                runtime->deployment->kafka.bootstrap_servers, err->text);
        runtime->host.wait_ms(PAUSE_MS);
    }
    return 0;
}

/* Asked until it is known: state of another cluster has to be noticed. */
static void read_cluster(struct weir_runtime *runtime)
{
    char *cluster = NULL;
    if (runtime->deployment->kafka.dev)
        return;
    while (cluster == NULL && !weir_service_stopping()) {
        weir_service_alive();
        cluster = rd_kafka_clusterid(runtime->watermark, CLUSTER_MS);
    }
    if (cluster == NULL)
        return;
    strncpy(runtime->cluster, cluster, sizeof(runtime->cluster) - 1);
    rd_kafka_mem_free(runtime->watermark, cluster);
}

static int open_transaction(struct weir_runtime *runtime, struct weir_error *err)
{
    struct weir_error refused = {0};
    if (weir_limits_read(runtime->deployment, runtime->watermark, LIMITS_MS, &runtime->limits, &refused) < 0)
        weir_log(WEIR_LOG_WARNING, "limits.unknown",
            "reason=\"%s\" consequence=\"max.message.bytes is taken to be as planned\"", refused.text);
    int rc = weir_transaction_open(runtime->deployment, runtime->limits, runtime->id,
        &runtime->monitor.reachable, &runtime->transaction, err);
    return rc < 0 ? rc : weir_handle_init_producer(runtime, err);
}

static int join(struct weir_runtime *runtime, struct weir_error *err)
{
    WEIR_CLEANUP(kafka_list) rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(4);
    for (char **topic = runtime->service->source_topics; *topic != NULL; topic++)
        rd_kafka_topic_partition_list_add(list, *topic, RD_KAFKA_PARTITION_UA);
    return weir_kafka_error_set(err, rd_kafka_subscribe(runtime->consumer, list), "subscribe");
}

static struct weir_target *find_target(void *context, const char *topic)
{
    struct weir_runtime *runtime = context;
    return weir_transaction_target(runtime->transaction, topic);
}

static struct weir_partition *find_flowing(void *context, uint32_t source, int32_t partition)
{
    struct weir_runtime *runtime = context;
    for (size_t i = 0; i < runtime->assignment.count; i++) {
        struct weir_partition *found = runtime->assignment.partitions[i];
        if (found->source == source && found->partition == partition)
            return found->stage == WEIR_STAGE_FLOWING ? found : NULL;
    }
    return NULL;
}

static int64_t retry_delay_ms(void *context, int32_t executions)
{
    const struct weir_service *service = ((const struct weir_runtime *)context)->service;
    return weir_backoff_ms(service->retry_backoff_ms, service->retry_backoff_max_ms, executions);
}

static int open_batch(struct weir_runtime *runtime, struct weir_error *err)
{
    const struct weir_service *service = runtime->service;
    struct weir_batch_port port = {.context = runtime,
        .decode = weir_collect_decode,
        .release = weir_collect_release,
        .target = find_target,
        .partition = find_flowing,
        .delay_ms = retry_delay_ms};
    if (weir_batch_init(&runtime->batch, (size_t)service->batch_max, (size_t)service->batch_max_bytes,
            (int32_t)service->attempts, &port) < 0)
        return weir_error_set(err, WEIR_E_INTERNAL, "memory is out");
    runtime->batch.note = runtime->note;
    uint32_t suspects = weir_crash_note_suspects(runtime->note);
    runtime->batch.singles = suspects > 1 ? suspects : 0;
    return 0;
}

static void open_note(struct weir_runtime *runtime)
{
    struct weir_error err = {0};
    if (weir_crash_note_open(runtime->service->state_dir, runtime->id, &runtime->note, &err) < 0)
        weir_log(WEIR_LOG_WARNING, "note.off",
            "reason=\"%s\" consequence=\"a record that ends the process is handed out for ever\"", err.text);
}

static int open_tls(struct weir_runtime *runtime, struct weir_error *err)
{
    const struct weir_service *service = runtime->service;
    if (service->tls_certificate == NULL)
        return 0;
    const struct weir_tls_files files = {.certificate = service->tls_certificate,
        .key = service->tls_key,
        .client_ca = service->tls_client_ca,
        .client_required = service->tls_client_ca != NULL,
        .expires = weir_metric(WEIR_METRIC_GAUGE, "weir_listener_certificate_expires_seconds", "",
            "End of the certificate of the plugin's listener, in seconds since 1970")};
    int rc = weir_tls_open(&files, &runtime->tls, err);
    weir_bridge_secure(runtime->tls);
    return rc < 0 ? weir_error_prefix(err, "[service %s]", service->name) : 0;
}

static int open_plugin(struct weir_runtime *runtime, struct weir_error *err)
{
    char what[PATH_MAX + 32];
    snprintf(what, sizeof(what), "plugin %s crashed in open", runtime->loaded->path);
    weir_host_init(runtime);
    weir_crash_line_arm(what);
    int rc = runtime->plugin->open(&runtime->host, runtime->loaded->settings, &runtime->plugin_instance, err);
    weir_crash_line_disarm();
    if (rc < 0 && err->code == 0)
        weir_error_set(err, rc, "it failed to open");
    if (rc < 0) {
        weir_error_prefix(err, "plugin %s", runtime->loaded->path);
        return rc;
    }
    runtime->monitor.opened = true;
    return 0;
}

int weir_start(struct weir_runtime *runtime, struct weir_error *err)
{
    open_note(runtime);
    int rc = open_batch(runtime, err);
    if (rc == 0)
        rc = open_tls(runtime, err);
    if (rc == 0)
        rc = open_plugin(runtime, err);
    if (rc == 0)
        rc = open_handles(runtime, err);
    if (rc == 0)
        rc = wait_for_topics(runtime, err);
    if (rc < 0 || weir_service_stopping())
        return rc;
    rc = weir_kafka_check_dev(runtime->deployment, runtime->watermark, err);
    if (rc < 0)
        return rc;
    read_cluster(runtime);
    rc = open_transaction(runtime, err);
    if (rc < 0 || weir_service_stopping())
        return rc;
    return join(runtime, err);
}

static void destroy(rd_kafka_t **handle)
{
    if (*handle != NULL)
        rd_kafka_destroy(*handle);
    *handle = NULL;
}

/* All that counts is committed by now: whatever hangs here may be cut off. */
void weir_end(struct weir_runtime *runtime, int exit_status)
{
    runtime->monitor.stopping = true;
    weir_watchdog_arm("leaving the group", runtime->service->drain_timeout_ms, exit_status);
    weir_transaction_close(runtime->transaction); /* first: it may still hold records of the batch */
    runtime->transaction = NULL;
    if (runtime->consumer != NULL)
        rd_kafka_consumer_close(runtime->consumer);
    if (runtime->plugin != NULL)
        weir_assignment_done(runtime);
    weir_batch_done(&runtime->batch);
    weir_following_done(runtime);
    weir_arena_done(&runtime->retry_arena);
    weir_reader_done(runtime);
    runtime->monitor.opened = false;
    if (runtime->plugin_instance != NULL)
        runtime->plugin->close(runtime->plugin_instance);
    weir_tls_close(runtime->tls);
    weir_wakes_done(&runtime->wakes);
    if (runtime->consumer_queue != NULL)
        rd_kafka_queue_destroy(runtime->consumer_queue);
    runtime->consumer_queue = NULL;
    destroy(&runtime->consumer);
    destroy(&runtime->reader);
    destroy(&runtime->watermark);
    weir_limits_free(runtime->limits);
    weir_crash_note_close(runtime->note);
    free(runtime->advertised);
    weir_watchdog_disarm();
}
