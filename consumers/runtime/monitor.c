#include "consumers/runtime/monitor.h"

#include "common/clock.h"
#include "common/service.h"
#include "consumers/runtime/runtime.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { TELL_MS = 10000, SLOW_MS = 1000, STANDS_MS = 20000 };

static const char *const verdict_labels[] = {
    [WEIR_SLOT_PENDING] = "verdict=\"not_reached\"",
    [WEIR_SLOT_HANDED] = "verdict=\"not_reached\"",
    [WEIR_SLOT_DONE] = "verdict=\"done\"",
    [WEIR_SLOT_DEAD] = "verdict=\"dead\"",
    [WEIR_SLOT_RETRY] = "verdict=\"retry\"",
    [WEIR_SLOT_WAIT] = "verdict=\"wait\"",
    [WEIR_SLOT_FOLLOWER] = "verdict=\"behind_retry\"",
};

static struct weir_metric *state_gauge(const char *state)
{
    return weir_metric(WEIR_METRIC_GAUGE, "weir_partitions", state,
        "Partitions of this instance, by state; waiting ones flow too");
}

static void init_gauges(struct weir_monitor *monitor)
{
    monitor->owned_now = state_gauge("state=\"owned\"");
    monitor->flowing_now = state_gauge("state=\"flowing\"");
    monitor->stopped_now = state_gauge("state=\"stopped\"");
    monitor->waiting_now = state_gauge("state=\"waiting\"");
}

static void init_executions(struct weir_monitor *monitor)
{
    for (int i = 0; i < WEIR_EXECUTIONS_TOLD; i++) {
        char label[32];
        snprintf(
            label, sizeof(label), "executions=\"%d%s\"", i + 1, i + 1 == WEIR_EXECUTIONS_TOLD ? "+" : "");
        monitor->executions[i] = weir_metric(WEIR_METRIC_COUNTER, "weir_record_executions_total", label,
            "Records that were done or dead-lettered, by their number of executions");
    }
}

void weir_monitor_ended(struct weir_monitor *monitor, int32_t executions)
{
    int32_t told = executions < WEIR_EXECUTIONS_TOLD ? executions : WEIR_EXECUTIONS_TOLD;
    weir_metric_add(monitor->executions[told - 1], 1);
}

void weir_monitor_partition_init(struct weir_partition *partition)
{
    WEIR_CLEANUP(buffer) struct weir_buffer labels = {0};
    char number[16];
    snprintf(number, sizeof(number), "%" PRId32, partition->partition);
    weir_metric_label(&labels, "topic", partition->topic);
    weir_metric_label(&labels, "partition", number);
    const char *which = labels.data != NULL ? labels.data : "";
    partition->lag = weir_metric(WEIR_METRIC_GAUGE, "weir_lag", which,
        "Records between the committed position and the end of the partition");
    partition->parked = weir_metric(WEIR_METRIC_GAUGE, "weir_parked_records", which,
        "Records that wait for a retry, or behind one that does");
    partition->parked_bytes =
        weir_metric(WEIR_METRIC_GAUGE, "weir_parked_bytes", which, "Memory of parked records");
    partition->overdue = weir_metric(WEIR_METRIC_GAUGE, "weir_parked_overdue_seconds", which,
        "How long the parked record that is due first could have been executed");
    partition->oldest = weir_metric(WEIR_METRIC_GAUGE, "weir_oldest_unfinished_seconds", which,
        "Age of the oldest record that is not finished, parked ones included; the promise holds while it is "
        "below "
        "the window");
}

void weir_monitor_partition_done(struct weir_partition *partition)
{
    weir_metric_set(partition->lag, 0);
    weir_metric_set(partition->parked, 0);
    weir_metric_set(partition->parked_bytes, 0);
    weir_metric_set(partition->overdue, 0);
    weir_metric_set(partition->oldest, 0);
}

static void update_parked(const struct weir_partition *partition)
{
    const struct weir_parking *parking = &partition->parking;
    int64_t late_ms = weir_clock_wall_ms() - weir_parking_due_ms(parking);
    weir_metric_set(partition->parked, (int64_t)parking->count);
    weir_metric_set(partition->parked_bytes, (int64_t)parking->bytes);
    weir_metric_set(partition->overdue, parking->count > 0 && late_ms > 0 ? late_ms / 1000 : 0);
}

void weir_monitor_init(struct weir_monitor *monitor, int64_t window_ms)
{
    pthread_mutex_init(&monitor->lock, NULL);
    weir_metric_set(weir_metric(WEIR_METRIC_GAUGE, "weir_window_seconds", "",
                        "How long a record may stay unfinished: [kafka] window"),
        window_ms / 1000);
    init_gauges(monitor);
    init_executions(monitor);
    for (size_t i = 0; i < sizeof(verdict_labels) / sizeof(verdict_labels[0]); i++)
        monitor->verdicts[i] = weir_metric(WEIR_METRIC_COUNTER, "weir_records_total", verdict_labels[i],
            "Records handed to the plugin, by verdict");
    monitor->batches = weir_metric(WEIR_METRIC_COUNTER, "weir_batches_total", "", "Batches committed");
    monitor->batch_records =
        weir_metric(WEIR_METRIC_GAUGE, "weir_batch_records", "", "Records of the last batch");
    monitor->commit_seconds =
        weir_metric(WEIR_METRIC_HISTOGRAM, "weir_commit_seconds", "", "From begin to end of a transaction");
    monitor->aborts = weir_metric(
        WEIR_METRIC_COUNTER, "weir_transactions_aborted_total", "", "Transactions that did not commit");
    monitor->renewals = weir_metric(
        WEIR_METRIC_COUNTER, "weir_producer_renewals_total", "", "Producers replaced after an error");
    monitor->rebalances = weir_metric(
        WEIR_METRIC_COUNTER, "weir_rebalances_total", "", "Partitions given or taken by the group");
    monitor->restored = weir_metric(
        WEIR_METRIC_COUNTER, "weir_restored_records_total", "", "Records of tables handed to the plugin");
}

void weir_monitor_dead_letter(const char *disposition)
{
    WEIR_CLEANUP(buffer) struct weir_buffer labels = {0};
    weir_metric_label(&labels, "disposition", disposition);
    weir_metric_add(weir_metric(WEIR_METRIC_COUNTER, "weir_dead_letters_total",
                        labels.data != NULL ? labels.data : "", "Dead letters committed, by disposition"),
        1);
}

bool weir_monitor_may_tell(int64_t *next_ms)
{
    int64_t now_ms = weir_clock_ms();
    if (now_ms < *next_ms)
        return false;
    *next_ms = now_ms + TELL_MS;
    return true;
}

static void say_ready(const struct weir_monitor *monitor)
{
    static bool said;
    if (said || !monitor->joined || monitor->behind > 0 ||
        monitor->owned != monitor->flowing + monitor->stopped)
        return;
    said = true;
    weir_service_ready();
}

/* A stopped partition needs somebody, so that it goes before one that waits. */
static const struct weir_partition *find_still(const struct weir_assignment *assignment)
{
    const struct weir_partition *found = NULL;
    for (size_t i = 0; i < assignment->count; i++) {
        const struct weir_partition *partition = assignment->partitions[i];
        if (partition->stage == WEIR_STAGE_STOPPED)
            return partition;
        if (partition->waits > 0 && found == NULL)
            found = partition;
    }
    return found;
}

static void update_why(struct weir_monitor *monitor, const struct weir_partition *still)
{
    pthread_mutex_lock(&monitor->lock);
    if (still == NULL)
        monitor->why[0] = '\0';
    else
        snprintf(monitor->why, sizeof(monitor->why), "%s partition %" PRId32 ": %s", still->topic,
            still->partition, still->why);
    pthread_mutex_unlock(&monitor->lock);
}

static void copy_why(struct weir_monitor *monitor, char out[WEIR_STILL_BYTES])
{
    pthread_mutex_lock(&monitor->lock);
    memcpy(out, monitor->why, WEIR_STILL_BYTES);
    pthread_mutex_unlock(&monitor->lock);
}

void weir_monitor_update(struct weir_runtime *runtime)
{
    struct weir_monitor *monitor = &runtime->monitor;
    unsigned flowing = 0, stopped = 0, waiting = 0;
    for (size_t i = 0; i < runtime->assignment.count; i++) {
        const struct weir_partition *partition = runtime->assignment.partitions[i];
        flowing += partition->stage == WEIR_STAGE_FLOWING;
        stopped += partition->stage == WEIR_STAGE_STOPPED;
        waiting += partition->waits > 0;
    }
    monitor->turned_ms = weir_clock_ms();
    monitor->owned = (unsigned)runtime->assignment.count;
    monitor->flowing = flowing;
    monitor->stopped = stopped;
    monitor->waiting = waiting;
    monitor->behind = weir_following_behind(runtime);
    weir_metric_set(monitor->owned_now, (int64_t)monitor->owned);
    weir_metric_set(monitor->flowing_now, flowing);
    weir_metric_set(monitor->stopped_now, stopped);
    weir_metric_set(monitor->waiting_now, waiting);
    update_why(monitor, find_still(&runtime->assignment));
    say_ready(monitor);
}

/* The first offset that may be a record's and is not finished. */
static int64_t next_record(const struct weir_partition *partition)
{
    bool at_end = partition->position >= partition->end_from && partition->position < partition->end_to;
    return at_end ? partition->end_to : partition->position;
}

static int64_t lag_of(struct weir_runtime *runtime, const struct weir_partition *partition)
{
    int64_t low, high, next = next_record(partition);
    if (partition->position < 0 || rd_kafka_get_watermark_offsets(runtime->consumer, partition->topic,
                                       partition->partition, &low, &high) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    return high > next ? high - next : 0;
}

/* The next record's own time where it is known, else since when it is waited for. */
static int64_t oldest_of_source_ms(struct weir_partition *partition, int64_t lag, int64_t now_ms)
{
    const rd_kafka_message_t *first = weir_held_first(&partition->held);
    int64_t written_ms = first != NULL ? rd_kafka_message_timestamp(first, NULL) : -1;
    if (written_ms >= 0)
        return written_ms;
    if (lag == 0 || partition->still != partition->position || partition->position < 0) {
        partition->still = partition->position;
        partition->still_ms = now_ms;
    }
    return partition->still_ms;
}

static void update_oldest(struct weir_partition *partition, int64_t lag)
{
    int64_t now_ms = weir_clock_wall_ms();
    int64_t oldest_ms = oldest_of_source_ms(partition, lag, now_ms);
    int64_t parked_ms = weir_parking_oldest_ms(&partition->parking);
    if (parked_ms < oldest_ms)
        oldest_ms = parked_ms;
    weir_metric_set(partition->oldest, oldest_ms < now_ms ? (now_ms - oldest_ms) / 1000 : 0);
}

static void update_partition(struct weir_runtime *runtime, struct weir_partition *partition)
{
    int64_t lag = lag_of(runtime, partition);
    weir_metric_set(partition->lag, lag);
    update_oldest(partition, lag);
    update_parked(partition);
}

void weir_monitor_slow_update(struct weir_runtime *runtime)
{
    struct weir_monitor *monitor = &runtime->monitor;
    char why[WEIR_STILL_BYTES];
    int64_t now_ms = weir_clock_ms();
    if (now_ms < runtime->slow_ms)
        return;
    runtime->slow_ms = now_ms + SLOW_MS;
    for (size_t i = 0; i < runtime->assignment.count; i++)
        update_partition(runtime, runtime->assignment.partitions[i]);
    copy_why(monitor, why);
    weir_service_status("%s; %u partitions, %u flowing, %u stopped, %u waiting for the outside world%s%s",
        monitor->reachable ? (monitor->joined ? "in the group" : "joining") : "Kafka is not reachable",
        (unsigned)monitor->owned, (unsigned)monitor->flowing, (unsigned)monitor->stopped,
        (unsigned)monitor->waiting, why[0] != '\0' ? ": " : "", why);
}

/* librdkafka 2.0 keeps a call of a transaction far beyond its time limit while the coordinator is away. */
static bool stands(const struct weir_monitor *monitor)
{
    return !monitor->handling && weir_clock_ms() - monitor->turned_ms > STANDS_MS;
}

/* Runs on a thread of the management listener: nothing but atomics, what is under the lock and the plugin's
 * health. */
bool weir_monitor_ready(void *context, struct weir_buffer *detail)
{
    struct weir_runtime *runtime = context;
    struct weir_monitor *monitor = &runtime->monitor;
    char why[WEIR_STILL_BYTES];
    unsigned owned = monitor->owned, flowing = monitor->flowing, stopped = monitor->stopped;
    bool reachable = monitor->reachable && !stands(monitor);
    bool ready =
        reachable && monitor->joined && !monitor->stopping && flowing == owned && monitor->behind == 0;
    weir_buffer_append_str(detail, "\"service\":");
    weir_buffer_append_json_string(detail, weir_bytes_str(runtime->service->name));
    weir_buffer_append_str(detail, ",\"instance\":");
    weir_buffer_append_json_string(detail, weir_bytes_str(runtime->instance));
    weir_buffer_printf(detail,
        ",\"kafka\":\"%s\",\"group\":\"%s\",\"partitions\":%u,\"flowing\":%u,\"stopped\":%u,\"waiting\":%u,"
        "\"behind\":%u",
        reachable ? "reachable" : "unreachable", monitor->joined ? "joined" : "joining", owned, flowing,
        stopped, (unsigned)monitor->waiting, (unsigned)monitor->behind);
    copy_why(monitor, why);
    if (why[0] != '\0') {
        weir_buffer_append_str(detail, ",\"why\":");
        weir_buffer_append_json_string(detail, weir_bytes_str(why));
    }
    if (!monitor->opened || runtime->plugin->health == NULL)
        return ready;
    struct weir_buffer own = {0};
    bool healthy = runtime->plugin->health(runtime->plugin_instance, &own);
    if (own.len > 0) {
        weir_buffer_append_str(detail, ",");
        weir_buffer_append(detail, own.data, own.len);
    }
    weir_buffer_done(&own);
    return ready && healthy;
}
