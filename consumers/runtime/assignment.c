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

struct weir_partition *weir_assignment_find_retry(
    struct weir_assignment *assignment, const char *topic, int32_t partition)
{
    for (size_t i = 0; i < assignment->count; i++) {
        struct weir_partition *found = assignment->partitions[i];
        if (found->partition == partition && strcmp(found->retry_topic, topic) == 0)
            return found;
    }
    return NULL;
}

static void drop_messages(struct weir_held *held)
{
    for (void *message; (message = weir_held_pop_front(held)) != NULL;)
        rd_kafka_message_destroy(message);
}

static void drop_held(struct weir_partition *partition)
{
    drop_messages(&partition->held);
    drop_messages(&partition->retry_held);
    weir_parking_clear(&partition->parking);
    partition->full = false;
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

static struct weir_partition *partition_new(
    const struct weir_runtime *runtime, uint32_t source, int32_t number)
{
    struct weir_partition *partition = calloc(1, sizeof(*partition));
    if (partition == NULL)
        return NULL;
    const struct weir_service *service = runtime->service;
    partition->topic = service->source_topics[source];
    partition->source = source;
    partition->partition = number;
    partition->position = partition->fetch_next = partition->retry_position = partition->still = -1;
    partition->paused = partition->retry_paused = true;
    partition->parking = (struct weir_parking){.by_key = service->retry_order == WEIR_RETRY_ORDER_KEY,
        .topic = partition->topic,
        .partition = number};
    weir_monitor_partition_init(partition);
    struct weir_error err;
    if (weir_topic_of_service(partition->topic, service->name, "retry", partition->retry_topic, &err) == 0)
        return partition;
    free(partition); /* the plan of the topics has told at the start that the name is too long */
    return NULL;
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
    struct weir_partition *partition = partition_new(runtime, source, given->partition);
    if (partition == NULL)
        return WEIR_E_INTERNAL;
    grown[assignment->count++] = partition;
    return 0;
}

static void free_partition(struct weir_runtime *runtime, struct weir_partition *partition)
{
    let_go(runtime, partition);
    weir_monitor_partition_done(partition);
    weir_held_done(&partition->held);
    weir_held_done(&partition->retry_held);
    free(partition);
}

static bool is_listed(const rd_kafka_topic_partition_list_t *listed, const struct weir_partition *partition)
{
    for (int i = 0; i < listed->cnt; i++)
        if (listed->elems[i].partition == partition->partition &&
            strcmp(listed->elems[i].topic, partition->topic) == 0)
            return true;
    return false;
}

/* Those in the list, or all. */
static void remove_listed(struct weir_runtime *runtime, const rd_kafka_topic_partition_list_t *listed)
{
    struct weir_assignment *assignment = &runtime->assignment;
    size_t kept = 0;
    for (size_t i = 0; i < assignment->count; i++) {
        struct weir_partition *partition = assignment->partitions[i];
        if (listed == NULL || is_listed(listed, partition))
            free_partition(runtime, partition);
        else
            assignment->partitions[kept++] = partition;
    }
    assignment->count = kept;
    assignment->last = NULL;
}

static void set_group(struct weir_runtime *runtime, rd_kafka_consumer_group_metadata_t *group)
{
    if (runtime->assignment.group != NULL)
        rd_kafka_consumer_group_metadata_destroy(runtime->assignment.group);
    runtime->assignment.group = group;
}

static void list_add(
    rd_kafka_topic_partition_list_t *list, const char *topic, int32_t partition, int64_t offset)
{
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = offset >= 0 ? offset : 0;
}

/* Those in `listed`, or all; each with its retry partition, at the offsets that are wanted next. */
static rd_kafka_topic_partition_list_t *widen(
    const struct weir_assignment *assignment, const rd_kafka_topic_partition_list_t *listed)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(2 * (int)assignment->count);
    for (size_t i = 0; i < assignment->count; i++) {
        const struct weir_partition *partition = assignment->partitions[i];
        if (listed != NULL && !is_listed(listed, partition))
            continue;
        list_add(list, partition->topic, partition->partition, partition->fetch_next);
        list_add(list, partition->retry_topic, partition->partition, partition->retry_fetch_next);
    }
    return list;
}

/* KIP-429: a rebalance tells what comes and what goes, instead of taking all away first. */
static bool is_cooperative(rd_kafka_t *consumer)
{
    const char *protocol = rd_kafka_rebalance_protocol(consumer);
    return protocol != NULL && strcmp(protocol, "COOPERATIVE") == 0;
}

static void tell_refused(struct weir_error *err, int rc)
{
    if (rc < 0)
        weir_log(WEIR_LOG_ERROR, "assignment.refused", "reason=\"%s\"", err->text);
}

static void assign(rd_kafka_t *consumer, const rd_kafka_topic_partition_list_t *list)
{
    struct weir_error err = {0};
    int rc = is_cooperative(consumer)
                 ? weir_kafka_error_take(rd_kafka_incremental_assign(consumer, list), "assign", &err)
                 : weir_kafka_error_set(&err, rd_kafka_assign(consumer, list), "assign");
    tell_refused(&err, rc);
}

static void unassign(rd_kafka_t *consumer, const rd_kafka_topic_partition_list_t *list)
{
    struct weir_error err = {0};
    int rc = is_cooperative(consumer)
                 ? weir_kafka_error_take(rd_kafka_incremental_unassign(consumer, list), "unassign", &err)
                 : weir_kafka_error_set(&err, rd_kafka_assign(consumer, NULL), "unassign");
    tell_refused(&err, rc);
}

/* Paused before it is assigned, so that nothing is fetched from the placeholder offset; and after, in case
 * the consumer did not know the partition before. */
static void assign_paused(rd_kafka_t *consumer, rd_kafka_topic_partition_list_t *partitions)
{
    rd_kafka_pause_partitions(consumer, partitions);
    assign(consumer, partitions);
    rd_kafka_pause_partitions(consumer, partitions);
}

/* The generation that the records of this assignment are polled under goes with their offsets: a member that
 * was replaced meanwhile is refused, whatever it has learnt since. */
static void take_given(
    struct weir_runtime *runtime, rd_kafka_t *consumer, const rd_kafka_topic_partition_list_t *given)
{
    if (!is_cooperative(consumer))
        remove_listed(runtime, NULL);
    for (int i = 0; i < given->cnt; i++)
        if (add(runtime, &given->elems[i]) < 0)
            abort(); /* without its place in memory a partition would be ours and never be handled */
    WEIR_CLEANUP(kafka_list) rd_kafka_topic_partition_list_t *list = widen(&runtime->assignment, given);
    assign_paused(consumer, list);
    set_group(runtime, rd_kafka_consumer_group_metadata(consumer));
    weir_log(WEIR_LOG_NOTICE, "assignment.taken", "partitions=%d owned=%zu", given->cnt,
        runtime->assignment.count);
}

static void give_up(
    struct weir_runtime *runtime, rd_kafka_t *consumer, const rd_kafka_topic_partition_list_t *taken)
{
    WEIR_CLEANUP(kafka_list) rd_kafka_topic_partition_list_t *list = widen(&runtime->assignment, taken);
    remove_listed(runtime, is_cooperative(consumer) ? taken : NULL);
    weir_log(WEIR_LOG_NOTICE, "assignment.given_up", "partitions=%d owned=%zu lost=%s", taken->cnt,
        runtime->assignment.count, rd_kafka_assignment_lost(consumer) ? "yes" : "no");
    if (runtime->assignment.count == 0)
        set_group(runtime, NULL);
    unassign(consumer, list);
}

void weir_assignment_rebalance(rd_kafka_t *consumer, rd_kafka_resp_err_t event,
    rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
    struct weir_runtime *runtime = opaque;
    weir_metric_add(runtime->monitor.rebalances, 1);
    bool taken = event == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
    runtime->monitor.joined = false;
    if (taken)
        take_given(runtime, consumer, partitions);
    else
        give_up(runtime, consumer, partitions);
    weir_monitor_update(runtime); /* readiness must not speak of the partitions before */
    runtime->monitor.joined = taken || runtime->assignment.count > 0;
}

static void pause_one(struct weir_runtime *runtime, const char *topic, int32_t partition)
{
    WEIR_CLEANUP(kafka_list) rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    list_add(list, topic, partition, 0);
    rd_kafka_pause_partitions(runtime->consumer, list);
}

void weir_assignment_pause(struct weir_runtime *runtime, struct weir_partition *partition)
{
    if (!partition->paused)
        pause_one(runtime, partition->topic, partition->partition);
    partition->paused = true;
}

void weir_assignment_pause_retry(struct weir_runtime *runtime, struct weir_partition *partition)
{
    if (!partition->retry_paused)
        pause_one(runtime, partition->retry_topic, partition->partition);
    partition->retry_paused = true;
}

/* A fetcher that ended with an error can't be sought; a new assignment, all at the offsets they wait for,
 * revives it. */
static void reassign(struct weir_runtime *runtime)
{
    WEIR_CLEANUP(kafka_list) rd_kafka_topic_partition_list_t *list = widen(&runtime->assignment, NULL);
    if (is_cooperative(runtime->consumer))
        unassign(runtime->consumer, list);
    assign(runtime->consumer, list);
    for (size_t i = 0; i < runtime->assignment.count; i++) {
        const struct weir_partition *partition = runtime->assignment.partitions[i];
        if (partition->paused)
            pause_one(runtime, partition->topic, partition->partition);
        if (partition->retry_paused)
            pause_one(runtime, partition->retry_topic, partition->partition);
    }
}

/* librdkafka resumes where it believes to be; where we are is said by the seek. */
static int resume_one(struct weir_runtime *runtime, const char *topic, int32_t partition, int64_t offset,
    struct weir_error *err)
{
    WEIR_CLEANUP(kafka_list) rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    list_add(list, topic, partition, offset);
    rd_kafka_resume_partitions(runtime->consumer, list);
    int rc =
        weir_kafka_error_take(rd_kafka_seek_partitions(runtime->consumer, list, SEEK_LIMIT_MS), "seek", err);
    if (rc == 0 && list->elems[0].err != RD_KAFKA_RESP_ERR_NO_ERROR)
        rc = weir_kafka_error_set(err, list->elems[0].err, "seek");
    if (rc == 0)
        return 0;
    /* It was fetched from the placeholder offset before it was paused, is out of range there, and stands. */
    bool stands = list->elems[0].err == RD_KAFKA_RESP_ERR__STATE;
    rd_kafka_pause_partitions(runtime->consumer, list); /* which tells its own errors in the list */
    if (stands)
        reassign(runtime);
    return WEIR_E_UNAVAILABLE;
}

int weir_assignment_resume(
    struct weir_runtime *runtime, struct weir_partition *partition, struct weir_error *err)
{
    int rc = resume_one(runtime, partition->topic, partition->partition, partition->fetch_next, err);
    partition->paused = rc < 0;
    return rc;
}

int weir_assignment_resume_retry(
    struct weir_runtime *runtime, struct weir_partition *partition, struct weir_error *err)
{
    int rc =
        resume_one(runtime, partition->retry_topic, partition->partition, partition->retry_fetch_next, err);
    partition->retry_paused = rc < 0;
    return rc;
}

void weir_assignment_retake(struct weir_runtime *runtime, struct weir_partition *partition, int64_t delay_ms)
{
    weir_assignment_pause(runtime, partition);
    weir_assignment_pause_retry(runtime, partition);
    let_go(runtime, partition);
    partition->stage = WEIR_STAGE_NEW;
    partition->due_ms = weir_clock_ms() + delay_ms;
    partition->waits = 0;
}

void weir_assignment_stop(struct weir_runtime *runtime, struct weir_partition *partition, const char *why)
{
    weir_assignment_pause(runtime, partition);
    weir_assignment_pause_retry(runtime, partition);
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
    remove_listed(runtime, NULL);
    set_group(runtime, NULL);
    free(runtime->assignment.partitions);
    runtime->assignment.partitions = NULL;
}
