#include "consumers/runtime/collect.h"

#include "common/clock.h"
#include "common/log.h"
#include "consumers/runtime/record.h"
#include "consumers/runtime/retry.h"
#include "consumers/runtime/runtime.h"
#include "consumers/runtime/taking.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int weir_collect_decode(void *context, struct weir_slot *slot, struct weir_arena *arena)
{
    (void)context;
    return slot->record.headers != NULL ? 0 : weir_record_decode(&slot->record, slot->message, arena);
}

void weir_collect_release(void *context, void *message)
{
    (void)context;
    rd_kafka_message_destroy(message);
}

static void add(struct weir_batch *batch, struct weir_partition *partition, rd_kafka_message_t *message)
{
    struct weir_slot *slot = weir_batch_add(batch, partition, message);
    weir_record_fill(&slot->record, message, partition->topic, partition->source);
    batch->bytes += slot->record.key.len + slot->record.value.len;
}

static bool is_due(const struct weir_partition *partition, int64_t now_ms)
{
    return partition->stage == WEIR_STAGE_FLOWING && partition->due_ms <= now_ms;
}

/* The next of the retry partition: a record, or its end, whose offset counts what is no record too. */
static void take_in(struct weir_runtime *runtime, struct weir_partition *partition,
    rd_kafka_message_t *message, int64_t latest_ms)
{
    struct weir_record record;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        weir_parking_read_to(&partition->parking, message->offset);
        return;
    }
    weir_record_fill(&record, message, partition->retry_topic, partition->source);
    if (weir_record_decode(&record, message, &runtime->retry_arena) == WEIR_E_INTERNAL ||
        weir_retry_take_in(&partition->parking, &record, latest_ms) < 0)
        abort(); /* the state would be missed */
}

/* Between two batches: while one is under way its parked records stay where they are. */
static void take_in_all(struct weir_runtime *runtime)
{
    int64_t latest_ms = weir_clock_wall_ms() + runtime->service->retry_backoff_max_ms;
    for (size_t i = 0; i < runtime->assignment.count; i++) {
        struct weir_partition *partition = runtime->assignment.partitions[i];
        for (rd_kafka_message_t *message; (message = weir_held_pop_front(&partition->retry_held)) != NULL;) {
            take_in(runtime, partition, message, latest_ms);
            rd_kafka_message_destroy(message);
        }
    }
    weir_arena_reset(&runtime->retry_arena);
}

static void add_held(struct weir_batch *batch, struct weir_partition *partition, size_t most)
{
    for (size_t i = 0; i < most && !weir_batch_full(batch); i++) {
        rd_kafka_message_t *message = weir_held_pop_front(&partition->held);
        if (message == NULL)
            return;
        add(batch, partition, message);
    }
}

/* What was held back by a WAIT, by too much that is held, or by too much that is parked. */
static void resume_due(struct weir_runtime *runtime, struct weir_partition *partition)
{
    struct weir_error err = {0};
    int rc = 0;
    if (partition->full)
        return;
    if (partition->retry_paused)
        rc = weir_assignment_resume_retry(runtime, partition, &err);
    if (rc == 0 && partition->paused && partition->waits == 0 && partition->held.count == 0)
        rc = weir_assignment_resume(runtime, partition, &err);
    if (rc < 0 && weir_monitor_may_tell(&runtime->told_ms))
        weir_log(WEIR_LOG_WARNING, "partition.waiting", "for=consumer reason=\"%s\"", err.text);
}

static bool is_above(const struct weir_parking *parking, int64_t count, int64_t bytes)
{
    return (int64_t)parking->count > count || (int64_t)parking->bytes > bytes;
}

/* Back-pressure: what is parked is in memory, and more of it is not fetched until a quarter of the room is
 * free. */
static void watch_room(struct weir_runtime *runtime, struct weir_partition *partition)
{
    int64_t count = runtime->service->parked_max, bytes = runtime->service->parked_max_bytes;
    if (partition->full)
        count -= count / 4, bytes -= bytes / 4;
    bool full = is_above(&partition->parking, count, bytes);
    if (full && !partition->full) {
        weir_assignment_pause(runtime, partition);
        weir_assignment_pause_retry(runtime, partition);
    }
    if (full != partition->full)
        weir_log(full ? WEIR_LOG_WARNING : WEIR_LOG_NOTICE, full ? "partition.full" : "partition.has_room",
            "topic=%s partition=%" PRId32 " parked=%zu bytes=%zu", partition->topic, partition->partition,
            partition->parking.count, partition->parking.bytes);
    partition->full = full;
}

/* After a WAIT one record is handed out to probe; the rest follows when that one is through. */
static size_t most_of(const struct weir_partition *partition)
{
    return partition->waits > 0 ? 1 : SIZE_MAX;
}

/* What is parked comes before what follows it in the source. */
static void add_parked(struct weir_runtime *runtime, struct weir_partition *partition)
{
    partition->taken =
        weir_batch_add_parked(&runtime->batch, partition, weir_clock_wall_ms(), most_of(partition));
}

static void add_source(struct weir_runtime *runtime, struct weir_partition *partition)
{
    if (!partition->full)
        add_held(&runtime->batch, partition, most_of(partition) - partition->taken);
    resume_due(runtime, partition);
}

/* Each time another partition is the first, so that each has its turn when there is not room for all. */
static void each_due(struct weir_runtime *runtime, int64_t now_ms,
    void (*act)(struct weir_runtime *runtime, struct weir_partition *partition))
{
    const struct weir_assignment *assignment = &runtime->assignment;
    for (size_t i = 0; i < assignment->count; i++) {
        struct weir_partition *partition = assignment->partitions[(runtime->turns + i) % assignment->count];
        if (is_due(partition, now_ms))
            act(runtime, partition);
    }
}

static void add_all_due(struct weir_runtime *runtime)
{
    int64_t now_ms = weir_clock_ms();
    for (size_t i = 0; i < runtime->assignment.count; i++)
        watch_room(runtime, runtime->assignment.partitions[i]);
    runtime->turns++;
    each_due(runtime, now_ms, add_parked);
    each_due(runtime, now_ms, add_source);
}

static struct weir_partition *find(struct weir_assignment *assignment, const rd_kafka_message_t *message)
{
    struct weir_partition *last = assignment->last;
    if (message->rkt == NULL)
        return NULL;
    const char *topic = rd_kafka_topic_name(message->rkt);
    if (last == NULL || last->partition != message->partition || strcmp(last->topic, topic) != 0)
        assignment->last = weir_assignment_find(assignment, topic, message->partition);
    return assignment->last;
}

static struct weir_partition *find_retry(
    struct weir_assignment *assignment, const rd_kafka_message_t *message)
{
    if (message->rkt == NULL)
        return NULL;
    return weir_assignment_find_retry(assignment, rd_kafka_topic_name(message->rkt), message->partition);
}

/* A partition that may not go on yet is fetched no further than one batch: the rest stays with the broker. */
static void hold(struct weir_runtime *runtime, struct weir_partition *partition, rd_kafka_message_t *message)
{
    if (weir_held_push_back(&partition->held, message) < 0)
        abort(); /* the record would be skipped */
    if (partition->held.count >= runtime->batch.capacity && !partition->paused)
        weir_assignment_pause(runtime, partition);
}

/* What a partition may not be handed out yet waits behind what it holds. Repeats are dropped: offsets only
 * rise. */
static void keep(struct weir_runtime *runtime, struct weir_partition *partition, rd_kafka_message_t *message)
{
    if (partition->stage != WEIR_STAGE_FLOWING || message->offset < partition->fetch_next) {
        rd_kafka_message_destroy(message);
        return;
    }
    partition->fetch_next = message->offset + 1;
    bool now = partition->held.count == 0 && partition->waits == 0 && !partition->full &&
               partition->due_ms <= weir_clock_ms();
    if (now)
        add(&runtime->batch, partition, message);
    else
        hold(runtime, partition, message);
}

static void keep_retry(struct weir_partition *partition, rd_kafka_message_t *message)
{
    if (partition->stage != WEIR_STAGE_FLOWING || message->offset < partition->retry_fetch_next) {
        rd_kafka_message_destroy(message);
        return;
    }
    partition->retry_fetch_next = message->offset + (message->err == RD_KAFKA_RESP_ERR_NO_ERROR);
    if (weir_held_push_back(&partition->retry_held, message) < 0)
        abort(); /* the state would be missed */
}

/* The consumer lost its place: the partition is taken from its first step, which finds out why. */
static void lost_place(struct weir_runtime *runtime, struct weir_partition *partition)
{
    if (partition->stage != WEIR_STAGE_FLOWING)
        return;
    weir_log(WEIR_LOG_WARNING, "partition.lost_place", "topic=%s partition=%" PRId32 " offset=%" PRId64,
        partition->topic, partition->partition, partition->fetch_next);
    weir_assignment_retake(runtime, partition, 0);
}

static void take_error(struct weir_runtime *runtime, const rd_kafka_message_t *message)
{
    struct weir_partition *partition = find(&runtime->assignment, message);
    if (partition == NULL)
        partition = find_retry(&runtime->assignment, message);
    bool reset = message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
                 message->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE;
    if (reset && partition != NULL)
        lost_place(runtime, partition);
    else if (weir_monitor_may_tell(&runtime->told_ms))
        weir_log(WEIR_LOG_WARNING, "consumer.error", "error=%s reason=\"%s\"",
            rd_kafka_err2name(message->err), rd_kafka_message_errstr(message));
}

/* Its offset counts what is no record: the markers of transactions. */
static void note_end(struct weir_partition *partition, int64_t offset)
{
    partition->end_from = partition->fetch_next;
    partition->end_to = offset;
}

static void take(struct weir_runtime *runtime, rd_kafka_message_t *message)
{
    struct weir_partition *partition;
    bool record = message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (record && (partition = find(&runtime->assignment, message)) != NULL) {
        keep(runtime, partition, message);
        return;
    }
    bool end = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
    if ((record || end) && (partition = find_retry(&runtime->assignment, message)) != NULL) {
        keep_retry(partition, message);
        return;
    }
    if (end && (partition = find(&runtime->assignment, message)) != NULL)
        note_end(partition, message->offset);
    if (!record && !end)
        take_error(runtime, message);
    rd_kafka_message_destroy(message);
}

static int check_consumer(struct weir_runtime *runtime, struct weir_error *err)
{
    char text[256];
    rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(runtime->consumer, text, sizeof(text));
    if (fatal == RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    int code = weir_kafka_code(fatal);
    return weir_error_set(err, code == WEIR_E_FENCED ? code : WEIR_E_FATAL, "consumer: %s", text);
}

static int64_t later_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Until the next partition that holds something, or has it parked, is due. */
static int64_t wait_ms(const struct weir_runtime *runtime, int64_t idle_ms)
{
    int64_t now_ms = weir_clock_ms(), wall_ms = weir_clock_wall_ms();
    for (size_t i = 0; i < runtime->assignment.count; i++) {
        const struct weir_partition *partition = runtime->assignment.partitions[i];
        int64_t left_ms = partition->due_ms > now_ms ? partition->due_ms - now_ms : 0;
        int64_t parked_ms = later_of(left_ms, weir_parking_due_ms(&partition->parking) - wall_ms);
        if (partition->held.count == 0 || partition->full || parked_ms < left_ms)
            left_ms = parked_ms;
        if (partition->stage == WEIR_STAGE_FLOWING && left_ms < idle_ms)
            idle_ms = left_ms;
    }
    return idle_ms;
}

/* Polls even while batches wait after a failure, so that rebalances are served; but takes little. */
static void poll_slowly(struct weir_runtime *runtime, int64_t left_ms, int idle_ms)
{
    rd_kafka_message_t *message =
        rd_kafka_consumer_poll(runtime->consumer, left_ms < idle_ms ? (int)left_ms : idle_ms);
    if (message != NULL)
        take(runtime, message);
    /* What was taken now is handed out when the wait is over. */
    weir_batch_end(&runtime->batch, false);
}

/* Whatever its batch became is known by now: a ticket that no parking knows is void. */
static void wake_deferred(struct weir_runtime *runtime)
{
    uint64_t *tickets;
    size_t count = weir_wakes_take(&runtime->wakes, &tickets);
    for (size_t i = 0; count > 0 && i < runtime->assignment.count; i++)
        weir_parking_wake(&runtime->assignment.partitions[i]->parking, tickets, count);
    free(tickets);
}

int weir_collect(struct weir_runtime *runtime, int idle_ms, struct weir_error *err)
{
    struct weir_batch *batch = &runtime->batch;
    for (size_t i = 0; i < runtime->assignment.count; i++)
        runtime->assignment.partitions[i]->in_batch = false;
    take_in_all(runtime);
    wake_deferred(runtime);
    int64_t pause_ms = runtime->not_before_ms - weir_clock_ms();
    if (pause_ms > 0) {
        poll_slowly(runtime, pause_ms, idle_ms);
        return check_consumer(runtime, err);
    }
    add_all_due(runtime);
    int timeout_ms = batch->count > 0 ? 0 : (int)wait_ms(runtime, idle_ms);
    for (size_t polled = 0; polled < batch->capacity && !weir_batch_full(batch); polled++) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(runtime->consumer, timeout_ms);
        if (message == NULL)
            break;
        take(runtime, message);
        timeout_ms = 0;
    }
    return batch->count > 0 ? 0 : check_consumer(runtime, err);
}
