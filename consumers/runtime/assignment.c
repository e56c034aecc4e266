#include "consumers/runtime/assignment.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/service.h"
#include "consumers/runtime/runtime.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SEEK_LIMIT_MS = 2000 };

struct weir_partition *weir_assignment_find(
    struct weir_assignment *assignment, const char *topic, int32_t partition)
{
    for (size_t i = 0; i < assignment->count; i++) {
        struct weir_partition *found = assignment->partitions[i];
        if (found->partition == partition && strcmp(found->topic, topic) == 0)
            return found;
    }
    return NULL;
}

static void drop_held(struct weir_partition *partition)
{
    for (void *message; (message = weir_held_pop_front(&partition->held)) != NULL;)
        rd_kafka_message_destroy(message);
}

/* Whatever it was about to do is forgotten; the plugin hears of it. */
static void let_go(struct weir_runtime *runtime, struct weir_partition *partition)
{
    weir_batch_drop_partition(&runtime->batch, partition);
    weir_reader_cancel(runtime, partition);
    drop_held(partition);
    weir_crash_point("revoking");
    if (partition->announced && runtime->plugin->revoked != NULL)
        runtime->plugin->revoked(runtime->plugin_instance, partition->source, partition->partition);
    partition->announced = false;
}

static uint32_t source_of(const struct weir_runtime *runtime, const char *topic)
{
    uint32_t source = 0;
    while (runtime->service->source_topics[source] != NULL &&
           strcmp(runtime->service->source_topics[source], topic) != 0)
        source++;
    return source;
}

static struct weir_metric *lag_metric(const struct weir_partition *partition)
{
    WEIR_CLEANUP(buffer) struct weir_buffer labels = {0};
    char number[16];
    snprintf(number, sizeof(number), "%" PRId32, partition->partition);
    weir_metric_label(&labels, "topic", partition->topic);
    weir_metric_label(&labels, "partition", number);
    return weir_metric(WEIR_METRIC_GAUGE, "weir_lag", labels.data != NULL ? labels.data : "",
        "Records between the committed position and the end of the partition");
}

static int add(struct weir_runtime *runtime, const rd_kafka_topic_partition_t *given)
{
    struct weir_assignment *assignment = &runtime->assignment;
    uint32_t source = source_of(runtime, given->topic);
    if (runtime->service->source_topics[source] == NULL)
        return 0;
    struct weir_partition **grown =
        reallocarray(assignment->partitions, assignment->count + 1, sizeof(struct weir_partition *));
    if (grown == NULL)
        return WEIR_E_INTERNAL;
    assignment->partitions = grown;
    struct weir_partition *partition = calloc(1, sizeof(*partition));
    if (partition == NULL)
        return WEIR_E_INTERNAL;
    partition->topic = runtime->service->source_topics[source];
    partition->source = source;
    partition->partition = given->partition;
    partition->position = partition->fetch_next = partition->failed_offset = -1;
    partition->paused = true;
    partition->lag = lag_metric(partition);
    grown[assignment->count++] = partition;
    return 0;
}

static void remove_all(struct weir_runtime *runtime)
{
    struct weir_assignment *assignment = &runtime->assignment;
    for (size_t i = 0; i < assignment->count; i++) {
        struct weir_partition *partition = assignment->partitions[i];
        let_go(runtime, partition);
        weir_metric_set(partition->lag, 0);
        weir_held_done(&partition->held);
        free(partition);
    }
    assignment->count = 0;
    assignment->last = NULL;
    if (assignment->group != NULL)
        rd_kafka_consumer_group_metadata_destroy(assignment->group);
    assignment->group = NULL;
}

/* Paused before it is assigned, so that nothing is fetched from the placeholder offset; and after, in case
 * the consumer did not know the partition before. */
static void assign_paused(rd_kafka_t *consumer, rd_kafka_topic_partition_list_t *partitions)
{
    for (int i = 0; i < partitions->cnt; i++)
        partitions->elems[i].offset = 0;
    rd_kafka_pause_partitions(consumer, partitions);
    rd_kafka_resp_err_t failed = rd_kafka_assign(consumer, partitions);
    if (failed != RD_KAFKA_RESP_ERR_NO_ERROR)
        weir_log(WEIR_LOG_ERROR, "assignment.refused", "reason=%s", rd_kafka_err2name(failed));
    rd_kafka_pause_partitions(consumer, partitions);
}

/* The generation that the records of this assignment are polled under goes with their offsets: a member that
 * was replaced meanwhile is refused, whatever it has learnt since. */
static void take_all(
    struct weir_runtime *runtime, rd_kafka_t *consumer, rd_kafka_topic_partition_list_t *partitions)
{
    remove_all(runtime);
    assign_paused(consumer, partitions);
    runtime->assignment.group = rd_kafka_consumer_group_metadata(consumer);
    for (int i = 0; i < partitions->cnt; i++)
        if (add(runtime, &partitions->elems[i]) < 0)
            abort(); /* without its place in memory a partition would be ours and never be handled */
    weir_log(WEIR_LOG_NOTICE, "assignment.taken", "partitions=%d", partitions->cnt);
}

static void give_up_all(struct weir_runtime *runtime, rd_kafka_t *consumer)
{
    weir_log(WEIR_LOG_NOTICE, "assignment.given_up", "partitions=%zu lost=%s", runtime->assignment.count,
        rd_kafka_assignment_lost(consumer) ? "yes" : "no");
    remove_all(runtime);
    runtime->monitor.joined = false;
    rd_kafka_assign(consumer, NULL);
}

void weir_assignment_rebalance(rd_kafka_t *consumer, rd_kafka_resp_err_t event,
    rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
    struct weir_runtime *runtime = opaque;
    weir_metric_add(runtime->monitor.rebalances, 1);
    bool taken = event == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
    if (taken)
        take_all(runtime, consumer, partitions);
    else
        give_up_all(runtime, consumer);
    weir_monitor_update(runtime); /* readiness must not speak of the partitions before */
    runtime->monitor.joined = taken;
}

static rd_kafka_topic_partition_list_t *list_of(const struct weir_partition *partition)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, partition->topic, partition->partition)->offset =
        partition->fetch_next;
    return list;
}

void weir_assignment_pause(struct weir_runtime *runtime, struct weir_partition *partition)
{
    if (partition->paused)
        return;
    WEIR_CLEANUP(kafka_list) rd_kafka_topic_partition_list_t *list = list_of(partition);
    rd_kafka_pause_partitions(runtime->consumer, list);
    partition->paused = true;
}

/* A fetcher that ended with an error can't be sought; a new assignment, all at the offsets they wait for,
 * revives it. */
static void reassign(struct weir_runtime *runtime)
{
    struct weir_assignment *assignment = &runtime->assignment;
    WEIR_CLEANUP(kafka_list)
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)assignment->count);
    WEIR_CLEANUP(kafka_list)
    rd_kafka_topic_partition_list_t *paused = rd_kafka_topic_partition_list_new((int)assignment->count);
    for (size_t i = 0; i < assignment->count; i++) {
        const struct weir_partition *partition = assignment->partitions[i];
        int64_t offset = partition->fetch_next >= 0 ? partition->fetch_next : 0;
        rd_kafka_topic_partition_list_add(list, partition->topic, partition->partition)->offset = offset;
        if (partition->paused)
            rd_kafka_topic_partition_list_add(paused, partition->topic, partition->partition);
    }
    rd_kafka_assign(runtime->consumer, list);
    if (paused->cnt > 0)
        rd_kafka_pause_partitions(runtime->consumer, paused);
}

/* librdkafka resumes where it believes to be; where we are is said by the seek. */
int weir_assignment_resume(
    struct weir_runtime *runtime, struct weir_partition *partition, struct weir_error *err)
{
    WEIR_CLEANUP(kafka_list) rd_kafka_topic_partition_list_t *list = list_of(partition);
    rd_kafka_resume_partitions(runtime->consumer, list);
    int rc =
        weir_kafka_error_take(rd_kafka_seek_partitions(runtime->consumer, list, SEEK_LIMIT_MS), "seek", err);
    if (rc == 0 && list->elems[0].err != RD_KAFKA_RESP_ERR_NO_ERROR)
        rc = weir_kafka_error_set(err, list->elems[0].err, "seek");
    if (rc == 0) {
        partition->paused = false;
        return 0;
    }
    rd_kafka_pause_partitions(runtime->consumer, list);
    if (list->elems[0].err == RD_KAFKA_RESP_ERR__STATE)
        reassign(runtime);
    return WEIR_E_UNAVAILABLE;
}

void weir_assignment_retake(struct weir_runtime *runtime, struct weir_partition *partition, int64_t delay_ms)
{
    weir_assignment_pause(runtime, partition);
    let_go(runtime, partition);
    partition->stage = WEIR_STAGE_NEW;
    partition->due_ms = weir_clock_ms() + delay_ms;
    partition->failed_offset = -1;
    partition->executions = partition->waits = 0;
}

void weir_assignment_stop(struct weir_runtime *runtime, struct weir_partition *partition, const char *why)
{
    weir_assignment_pause(runtime, partition);
    weir_reader_cancel(runtime, partition);
    drop_held(partition);
    partition->stage = WEIR_STAGE_STOPPED;
    snprintf(partition->why, sizeof(partition->why), "%s", why);
    weir_log(WEIR_LOG_ERROR, "partition.stopped", "topic=%s partition=%" PRId32 " reason=\"%s\"",
        partition->topic, partition->partition, why);
}

void weir_assignment_commit_plainly(
    struct weir_runtime *runtime, const rd_kafka_topic_partition_list_t *offsets)
{
    rd_kafka_resp_err_t failed = rd_kafka_commit(runtime->consumer, offsets, 0);
    if (failed != RD_KAFKA_RESP_ERR_NO_ERROR)
        weir_log(WEIR_LOG_WARNING, "assignment.commit", "reason=%s", rd_kafka_err2name(failed));
}

void weir_assignment_done(struct weir_runtime *runtime)
{
    remove_all(runtime);
    free(runtime->assignment.partitions);
    runtime->assignment.partitions = NULL;
}
