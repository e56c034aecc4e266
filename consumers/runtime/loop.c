#include "consumers/runtime/loop.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/service.h"
#include "consumers/runtime/collect.h"
#include "consumers/runtime/handling.h"
#include "consumers/runtime/reload.h"
#include "consumers/runtime/runtime.h"
#include "consumers/runtime/taking.h"
#include "consumers/runtime/trim.h"

enum {
    IDLE_MS = 100,
    TAKING_MS = 5,
    READ_SLICE_MS = 20,
    ASK_MS = 2000, /* while no broker answers */
    ASK_LIMIT_MS = 200,
    PROVEN_MS = 10000, /* after an answer, or a commit */
    DOUBT_LIMIT_MS = 3000,
};

static bool ask_broker(struct weir_runtime *runtime, int limit_ms)
{
    const struct rd_kafka_metadata *metadata = NULL;
    bool answered =
        rd_kafka_metadata(runtime->watermark, 0, NULL, &metadata, limit_ms) == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (metadata != NULL)
        rd_kafka_metadata_destroy(metadata);
    return answered;
}

/* librdkafka may tell when brokers went away, and never when they are back or that one only hangs: asked now
 * and then, unless commits prove that one is there. */
static void look_for_broker(struct weir_runtime *runtime)
{
    static int64_t told_ms;
    bool before = runtime->monitor.reachable;
    int64_t due_ms = before ? runtime->proven_ms + PROVEN_MS : runtime->asked_ms;
    if (weir_clock_ms() < due_ms)
        return;
    bool now = ask_broker(runtime, before ? DOUBT_LIMIT_MS : ASK_LIMIT_MS);
    runtime->asked_ms = weir_clock_ms() + ASK_MS;
    runtime->monitor.reachable = now;
    if (now)
        runtime->proven_ms = weir_clock_ms();
    if (now && !before)
        weir_log(WEIR_LOG_NOTICE, "kafka.reachable", "again=yes");
    else if (!now && weir_monitor_may_tell(&told_ms))
        weir_log(WEIR_LOG_WARNING, "kafka.unreachable", "servers=%s",
            runtime->deployment->kafka.bootstrap_servers);
}

/* Handles that are not polled for records still have callbacks to serve. */
static void serve_idle_handles(struct weir_runtime *runtime)
{
    weir_transaction_serve(runtime->transaction);
    rd_kafka_poll(runtime->watermark, 0);
    if (runtime->reads.count > 0)
        return;
    rd_kafka_message_t *message = rd_kafka_consumer_poll(runtime->reader, 0);
    if (message != NULL)
        rd_kafka_message_destroy(message);
}

/* What was taken is handed out later when its surroundings can't be known now. */
static int handle(struct weir_runtime *runtime, struct weir_error *err)
{
    struct weir_error stale = {0};

    if (weir_following_refresh(runtime, &stale) == 0)
        return weir_handle_batch(runtime, err);
    if (weir_monitor_may_tell(&runtime->told_ms))
        weir_log(WEIR_LOG_WARNING, "table.waiting", "reason=\"%s\"", stale.text);
    weir_batch_end(&runtime->batch, false);
    return 0;
}

static int be_idle(struct weir_runtime *runtime, struct weir_error *err)
{
    serve_idle_handles(runtime);
    return weir_handle_idle(runtime, err);
}

static int turn(struct weir_runtime *runtime, struct weir_error *err)
{
    weir_service_alive();
    if (weir_service_reload_asked())
        weir_reload(runtime);
    bool taking = weir_taking_step(runtime);
    weir_following_step(runtime);
    weir_reader_step(runtime, READ_SLICE_MS);
    int idle_ms = weir_reader_is_behind(&runtime->reads) ? 0 : (taking ? TAKING_MS : IDLE_MS);
    int rc = weir_collect(runtime, idle_ms, err);
    if (rc == 0 && runtime->batch.count > 0)
        rc = handle(runtime, err);
    else if (rc == 0)
        rc = be_idle(runtime, err);
    if (rc == 0)
        rc = weir_handle_tick(runtime, err);
    look_for_broker(runtime);
    weir_monitor_update(runtime);
    weir_monitor_slow_update(runtime);
    weir_trim();
    return rc;
}

void weir_loop_fail(struct weir_runtime *runtime, const struct weir_error *err)
{
    if (err->code == WEIR_E_CORRUPT && runtime->broken.code == 0)
        runtime->broken = *err;
}

int weir_loop_run(struct weir_runtime *runtime, struct weir_error *err)
{
    int rc = 0;
    while (rc == 0 && !weir_service_stopping()) {
        rc = turn(runtime, err);
        if (rc == 0 && runtime->broken.code < 0) {
            *err = runtime->broken;
            rc = err->code;
        }
    }
    return rc;
}
