#include "consumers/runtime/handling.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/service.h"
#include "consumers/runtime/backoff.h"
#include "consumers/runtime/dead_letter.h"
#include "consumers/runtime/loop.h"
#include "consumers/runtime/record.h"
#include "consumers/runtime/retry.h"
#include "consumers/runtime/runtime.h"
#include "consumers/runtime/taking.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    AGAIN_MS = 50,
    AGAIN_MAX_MS = 5000,
    INIT_STEP_MS = 2000,
    OFFSETS_STEP_MS = 2000,
    FENCES_MAX = 2,
    OFFSETS_EVERY_MS = 3600000, /* of an idle partition; Kafka forgets them after offsets.retention.minutes */
};

/* What the group's committed offsets say of a transaction whose end is not known. */
enum evidence { EVIDENCE_NONE, EVIDENCE_COMMITTED, EVIDENCE_ABORTED, EVIDENCE_MIXED };

/* Builds with crash points take another period from the environment. */
static int64_t offsets_every_ms(void)
{
#ifdef WEIR_CRASH_POINTS
    const char *text = getenv("WEIR_OFFSETS_EVERY_MS");
    if (text != NULL)
        return strtoll(text, NULL, 10);
#endif
    return OFFSETS_EVERY_MS;
}

static void wait_after_failure(struct weir_runtime *runtime)
{
    runtime->not_before_ms = weir_clock_ms() + weir_backoff_ms(AGAIN_MS, AGAIN_MAX_MS, runtime->failures++);
}

static void back_off(struct weir_runtime *runtime, struct weir_partition *partition, int32_t failures)
{
    const struct weir_service *service = runtime->service;
    partition->due_ms =
        weir_clock_ms() + weir_backoff_ms(service->retry_backoff_ms, service->retry_backoff_max_ms, failures);
    weir_assignment_pause(runtime, partition);
}

static void tell_retry(const struct weir_slot *slot)
{
    struct weir_bytes request = weir_record_request(&slot->record),
                      trace_id = weir_record_trace_id(&slot->record);

    weir_log(WEIR_LOG_INFO, "record.retry",
        "topic=%s partition=%" PRId32 " offset=%" PRId64 " request=%.*s trace_id=%.*s executions=%" PRId32
        " reason=\"%s\"",
        slot->record.topic, slot->record.partition, slot->record.offset, (int)request.len, request.data,
        (int)trace_id.len, trace_id.data, slot->record.executions + 1,
        slot->why.text != NULL ? slot->why.text : "");
}

/* Before the parking takes the records over. */
static void tell_retries(const struct weir_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct weir_slot *slot = &batch->slots[i];
        if (slot->finished && slot->state == WEIR_SLOT_RETRY && !slot->deferred)
            tell_retry(slot);
    }
}

static void note_wait(
    struct weir_runtime *runtime, struct weir_partition *partition, const struct weir_slot *slot)
{
    if (partition->waits == 0)
        weir_log(WEIR_LOG_WARNING, "partition.waits",
            "topic=%s partition=%" PRId32 " offset=%" PRId64 " reason=\"%s\"", partition->topic,
            partition->partition, slot->record.offset, slot->why.text != NULL ? slot->why.text : "");
    snprintf(partition->why, sizeof(partition->why), "%s", slot->why.text != NULL ? slot->why.text : "");
    back_off(runtime, partition, partition->waits++);
}

static void end_waiting(struct weir_partition *partition)
{
    partition->waits = 0;
    weir_log(WEIR_LOG_NOTICE, "partition.goes_on", "topic=%s partition=%" PRId32, partition->topic,
        partition->partition);
}

/* The first WAIT of each partition decides when it goes on; a record that was executed otherwise ends its
 * waiting. */
static void note_failures(struct weir_runtime *runtime)
{
    struct weir_batch *batch = &runtime->batch;
    for (size_t i = 0; i < batch->count; i++) {
        struct weir_slot *slot = &batch->slots[i];
        struct weir_partition *partition = slot->partition;
        if (slot->finished && slot->state != WEIR_SLOT_FOLLOWER && partition->waits > 0)
            end_waiting(partition);
        if (partition->blocked && slot->state == WEIR_SLOT_WAIT)
            note_wait(runtime, partition, slot);
        partition->blocked &= slot->state != WEIR_SLOT_WAIT;
    }
}

static void count_verdicts(struct weir_runtime *runtime)
{
    int64_t counts[WEIR_SLOT_STATES] = {0};
    for (size_t i = 0; i < runtime->batch.count; i++)
        counts[runtime->batch.slots[i].state]++;
    for (size_t i = WEIR_SLOT_HANDED; i < WEIR_SLOT_STATES; i++)
        if (counts[i] > 0)
            weir_metric_add(runtime->monitor.verdicts[i], counts[i]);
}

static void count_ends(struct weir_monitor *monitor, const struct weir_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct weir_slot *slot = &batch->slots[i];
        if (!slot->finished || weir_slot_parks(slot))
            continue;
        weir_monitor_ended(monitor, slot->record.executions + 1);
        if (slot->state == WEIR_SLOT_DEAD)
            weir_monitor_dead_letter(slot->why.disposition);
    }
}

static void tell_aborted(struct weir_runtime *runtime)
{
    if (runtime->plugin->aborted != NULL)
        runtime->plugin->aborted(runtime->plugin_instance, &runtime->batch);
}

/* Nothing of the batch counts: all of it is handed out again. */
static void give_up(struct weir_runtime *runtime)
{
    tell_aborted(runtime);
    weir_batch_end(&runtime->batch, false);
}

static void tell_failure(const char *event, const struct weir_error *err)
{
    weir_log(WEIR_LOG_WARNING, event, "reason=\"%s\"", err->text);
}

static bool is_in_batch(const struct weir_partition *partition)
{
    return partition->in_batch && partition->moves;
}

/* Where the partition stands once the batch is committed. */
static int64_t next_position(const struct weir_partition *partition)
{
    return partition->next >= 0 ? partition->next : partition->position;
}

/* Always both: Kafka forgets the offsets of a topic that the group is not subscribed to, and each batch may
 * move what is parked. */
static void add_offsets(
    rd_kafka_topic_partition_list_t *list, struct weir_partition *partition, int64_t position)
{
    partition->retry_next = weir_parking_low(&partition->parking);
    rd_kafka_topic_partition_list_add(list, partition->topic, partition->partition)->offset = position;
    rd_kafka_topic_partition_list_add(list, partition->retry_topic, partition->partition)->offset =
        partition->retry_next;
}

static rd_kafka_topic_partition_list_t *list_offsets(const struct weir_runtime *runtime)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new(2 * (int)runtime->assignment.count);
    for (size_t i = 0; i < runtime->assignment.count; i++) {
        struct weir_partition *partition = runtime->assignment.partitions[i];
        if (is_in_batch(partition))
            add_offsets(list, partition, next_position(partition));
    }
    return list;
}

static void retake_batch(struct weir_runtime *runtime)
{
    for (size_t i = 0; i < runtime->assignment.count; i++)
        if (is_in_batch(runtime->assignment.partitions[i]))
            weir_assignment_retake(runtime, runtime->assignment.partitions[i], 0);
}

static void mark_committed(struct weir_partition *partition)
{
    partition->was_committed = true;
    partition->retry_position = partition->retry_next;
    partition->offsets_ms = weir_clock_ms();
}

static size_t move_positions(struct weir_runtime *runtime, struct weir_position *positions)
{
    size_t count = 0;
    for (size_t i = 0; i < runtime->assignment.count; i++) {
        struct weir_partition *partition = runtime->assignment.partitions[i];
        if (!is_in_batch(partition))
            continue;
        partition->position = next_position(partition);
        mark_committed(partition);
        positions[count++] =
            (struct weir_position){partition->source, partition->partition, partition->position};
    }
    return count;
}

/* What the transaction made is now in the log: the plugin applies it. If it can't, the log is read again. */
static int tell_committed(struct weir_runtime *runtime, struct weir_error *err)
{
    struct weir_batch *batch = &runtime->batch;
    struct weir_result result = {.outputs = batch->outputs, .output_count = batch->plugin_count};
    struct weir_position *positions =
        weir_arena_take(&batch->arena, (runtime->assignment.count + 1) * sizeof(*positions));
    if (positions == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "memory is out");
    result.positions = positions;
    result.position_count = move_positions(runtime, positions);
    if (runtime->plugin->committed == NULL)
        return 0;
    return runtime->plugin->committed(runtime->plugin_instance, batch, &result, err);
}

static void finish(struct weir_runtime *runtime, int applied, const struct weir_error *err)
{
    runtime->failures = 0;
    runtime->monitor.reachable = true;
    runtime->proven_ms = weir_clock_ms();
    weir_metric_add(runtime->monitor.batches, 1);
    weir_metric_set(runtime->monitor.batch_records, (int64_t)runtime->batch.count);
    count_ends(&runtime->monitor, &runtime->batch);
    note_failures(runtime);
    weir_batch_end(&runtime->batch, true);
    if (applied < 0) {
        tell_failure("batch.not_applied", err);
        retake_batch(runtime);
    }
}

#ifdef WEIR_MUTANT_APPLY_FIRST
/* The judge has to catch this one: it applies what may never be committed. */
static int applied_first;

static void apply_first(void *context)
{
    struct weir_runtime *runtime = context;
    struct weir_error err = {0};
    applied_first = tell_committed(runtime, &err);
}
#define BEFORE_COMMIT apply_first
static int apply(struct weir_runtime *runtime, struct weir_error *err)
{
    (void)runtime;
    (void)err;
    return applied_first;
}
#else
#define BEFORE_COMMIT NULL
static int apply(struct weir_runtime *runtime, struct weir_error *err)
{
    return tell_committed(runtime, err);
}
#endif

static void committed(struct weir_runtime *runtime)
{
    struct weir_error err = {0};
    weir_crash_point("before-apply");
    int applied = apply(runtime, &err);
    tell_retries(&runtime->batch);
    if (applied == 0 && weir_retry_apply(&runtime->batch) < 0)
        applied = weir_error_set(&err, WEIR_E_INTERNAL, "memory is out");
    weir_crash_point("after-apply");
    finish(runtime, applied, &err);
}

static void aborted(struct weir_runtime *runtime, const struct weir_error *err)
{
    weir_metric_add(runtime->monitor.aborts, 1);
    tell_failure("transaction.aborted", err);
    give_up(runtime);
    wait_after_failure(runtime);
}

static int renew(struct weir_runtime *runtime, struct weir_error *err)
{
    weir_metric_add(runtime->monitor.renewals, 1);
    int rc = weir_transaction_renew(runtime->transaction, err);
    return rc < 0 ? rc : weir_handle_init_producer(runtime, err);
}

static bool may_try_again(int code)
{
    return code == WEIR_E_UNAVAILABLE || code == WEIR_E_TIMEOUT || code == WEIR_E_BUSY;
}

int weir_handle_init_producer(struct weir_runtime *runtime, struct weir_error *err)
{
    for (int32_t renewals = 0; !weir_service_stopping();) {
        int rc = weir_transaction_init(runtime->transaction, INIT_STEP_MS, err);
        runtime->monitor.reachable = rc == 0;
        if (rc == 0)
            return 0;
        weir_service_alive();
        if (weir_monitor_may_tell(&runtime->told_ms))
            weir_log(WEIR_LOG_WARNING, "producer.waiting", "reason=\"%s\"", err->text);
        if (may_try_again(rc))
            continue;
        if ((rc != WEIR_E_FATAL && rc != WEIR_E_FENCED) || renewals == FENCES_MAX)
            return rc;
        runtime->host.wait_ms(weir_backoff_ms(AGAIN_MS, AGAIN_MAX_MS, renewals++));
        rc = weir_transaction_renew(runtime->transaction, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* What does not move, as in a tick or when only parked records were executed, shows its end in the log alone.
 */
static enum evidence evidence_of(int64_t before, int64_t after, int64_t offset)
{
    if (before == after)
        return EVIDENCE_NONE;
    if (offset == after)
        return EVIDENCE_COMMITTED;
    return offset == before ? EVIDENCE_ABORTED : EVIDENCE_NONE;
}

static enum evidence evidence_of_source(const struct weir_partition *partition, int64_t offset)
{
    int64_t before = partition->was_committed ? partition->position : RD_KAFKA_OFFSET_INVALID;
    return evidence_of(before, next_position(partition), offset);
}

static enum evidence evidence_of_retry(const struct weir_partition *partition, int64_t offset)
{
    int64_t before = partition->retry_position >= 0 ? partition->retry_position : RD_KAFKA_OFFSET_INVALID;
    return evidence_of(before, partition->retry_next, offset);
}

static enum evidence weigh_one(struct weir_assignment *assignment, const rd_kafka_topic_partition_t *found)
{
    const struct weir_partition *source = weir_assignment_find(assignment, found->topic, found->partition);
    if (source != NULL)
        return evidence_of_source(source, found->offset);
    return evidence_of_retry(
        weir_assignment_find_retry(assignment, found->topic, found->partition), found->offset);
}

/* A transaction is whole: one partition that stands where it ends, or where it began, speaks for all, unless
 * another instance has moved on meanwhile. */
static enum evidence weigh(struct weir_runtime *runtime, const rd_kafka_topic_partition_list_t *list)
{
    enum evidence found = EVIDENCE_NONE;
    for (int i = 0; i < list->cnt; i++) {
        enum evidence one = weigh_one(&runtime->assignment, &list->elems[i]);
        if (one != EVIDENCE_NONE && found != EVIDENCE_NONE && one != found)
            return EVIDENCE_MIXED;
        if (one != EVIDENCE_NONE)
            found = one;
    }
    return found;
}

static bool are_offsets_known(const struct weir_batch *batch)
{
    for (size_t i = 0; i < batch->emitted_count; i++)
        if (batch->outputs[i].offset < 0)
            return false;
    return true;
}

/* False when the process is asked to end first. */
static bool read_offsets(struct weir_runtime *runtime, rd_kafka_topic_partition_list_t *list)
{
    struct weir_error err;
    while (!weir_service_stopping()) {
        if (weir_taking_committed(runtime, list, OFFSETS_STEP_MS, &err) == 0)
            return true;
        weir_service_alive();
        if (weir_monitor_may_tell(&runtime->told_ms))
            tell_failure("transaction.doubtful", &err);
        runtime->host.wait_ms(AGAIN_MS);
    }
    return false;
}

static int tell_twin(const struct weir_runtime *runtime, struct weir_error *err)
{
    return weir_error_set(err, WEIR_E_FENCED,
        "another live process runs as instance %s of service %s (transactional.id %s): it took over %d "
        "times; start each with "
        "an --instance of its own",
        runtime->instance, runtime->service->name, runtime->id, FENCES_MAX);
}

static int renew_unless_fenced(struct weir_runtime *runtime, struct weir_error *err)
{
    return weir_transaction_fences(runtime->transaction) < FENCES_MAX ? renew(runtime, err)
                                                                      : tell_twin(runtime, err);
}

/* *ret_read: whether the list holds the stable offsets; not so when the process is asked to end first. */
static int resolve(struct weir_runtime *runtime, rd_kafka_topic_partition_list_t *list, bool *ret_read,
    struct weir_error *err)
{
    *ret_read = false;
    if (weir_service_stopping())
        return 0;
    if (weir_transaction_fences(runtime->transaction) >= FENCES_MAX)
        return tell_twin(runtime, err);
    int rc = renew(runtime, err);
    if (rc == 0)
        *ret_read = read_offsets(runtime, list);
    return rc;
}

/* The end of a doubtful transaction is read, not guessed: init_transactions ends it, then the stable offsets
 * say how. When the process ends before that, the next one finds out; the producer may still hold what is in
 * the batch, so that it is left as it is. */
static int doubtful(struct weir_runtime *runtime, const struct weir_error *why, struct weir_error *err)
{
    bool read;
    weir_log(WEIR_LOG_WARNING, "transaction.doubtful", "reason=\"%s\"", why->text);
    WEIR_CLEANUP(kafka_list) rd_kafka_topic_partition_list_t *list = list_offsets(runtime);
    int rc = resolve(runtime, list, &read, err);
    if (!read) {
        tell_aborted(runtime);
        return rc;
    }
    enum evidence evidence = weigh(runtime, list);
    weir_log(WEIR_LOG_NOTICE, "transaction.read", "committed=%s",
        evidence == EVIDENCE_COMMITTED ? "yes" : (evidence == EVIDENCE_ABORTED ? "no" : "unknown"));
    if (evidence == EVIDENCE_COMMITTED && are_offsets_known(&runtime->batch)) {
        committed(runtime);
        return 0;
    }
    aborted(runtime, why);
    if (evidence != EVIDENCE_ABORTED)
        retake_batch(runtime);
    return 0;
}

static bool begins(const struct weir_partition *partition)
{
    return !partition->was_committed;
}

static bool is_idle(const struct weir_partition *partition)
{
    return weir_clock_ms() - partition->offsets_ms >= offsets_every_ms();
}

/* Flowing partitions, where they stand. */
static rd_kafka_topic_partition_list_t *list_where(
    const struct weir_runtime *runtime, bool (*which)(const struct weir_partition *partition))
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new(2 * (int)runtime->assignment.count);
    for (size_t i = 0; i < runtime->assignment.count; i++) {
        struct weir_partition *partition = runtime->assignment.partitions[i];
        if (partition->stage == WEIR_STAGE_FLOWING && which(partition))
            add_offsets(list, partition, partition->position);
    }
    return list;
}

static void mark_all_committed(
    struct weir_runtime *runtime, const rd_kafka_topic_partition_list_t *list, bool retake)
{
    for (int i = 0; i < list->cnt; i++) {
        struct weir_partition *partition =
            weir_assignment_find(&runtime->assignment, list->elems[i].topic, list->elems[i].partition);
        if (partition != NULL && retake)
            weir_assignment_retake(runtime, partition, 0);
        else if (partition != NULL)
            mark_committed(partition);
    }
}

/* Commits positions by themselves. *ret_go_on is false when the batch was given up. */
static int commit_alone(struct weir_runtime *runtime, const rd_kafka_topic_partition_list_t *list,
    bool *ret_go_on, struct weir_error *err)
{
    struct weir_error why = {.text = "the last commit was interrupted"};
    *ret_go_on = list->cnt == 0;
    if (*ret_go_on)
        return 0;
    weir_crash_point("before-beginning");
    struct weir_transaction_input input = {.offsets = list, .group = runtime->assignment.group};
    enum weir_ending ending = weir_transaction_commit_offsets(runtime->transaction, &input, &why);
    if (ending == WEIR_ENDING_COMMITTED) {
        weir_crash_point("after-beginning");
        mark_all_committed(runtime, list, false);
        if (runtime->deployment->kafka.dev)
            weir_assignment_commit_plainly(runtime, list);
        *ret_go_on = !weir_transaction_is_suspect(runtime->transaction);
    }
    if (*ret_go_on)
        return 0;
    int rc = ending == WEIR_ENDING_ABORTED ? 0 : renew_unless_fenced(runtime, err);
    aborted(runtime, &why);
    if (ending == WEIR_ENDING_DOUBTFUL)
        mark_all_committed(runtime, list, true);
    return rc;
}

/* A partition that begins anew has its beginning committed before anything is written for it. So a missing
 * offset is a lost one, also when the first transaction that wrote was aborted and left its traces in the
 * topics. */
static int commit_beginnings(struct weir_runtime *runtime, bool *ret_go_on, struct weir_error *err)
{
    WEIR_CLEANUP(kafka_list) rd_kafka_topic_partition_list_t *list = list_where(runtime, begins);
    return commit_alone(runtime, list, ret_go_on, err);
}

int weir_handle_idle(struct weir_runtime *runtime, struct weir_error *err)
{
    bool go_on;
    if (runtime->not_before_ms > weir_clock_ms())
        return 0;
    WEIR_CLEANUP(kafka_list) rd_kafka_topic_partition_list_t *list = list_where(runtime, is_idle);
    return commit_alone(runtime, list, &go_on, err);
}

/* Committed, but a report lacked the offset of what was written: the plugin learns it from the log. */
static void read_again(struct weir_runtime *runtime)
{
    weir_log(WEIR_LOG_NOTICE, "batch.read_again", "reason=\"an offset was not reported\"");
    give_up(runtime);
    retake_batch(runtime);
}

static int commit(struct weir_runtime *runtime, struct weir_error *err)
{
    bool go_on = false;
    int rc = commit_beginnings(runtime, &go_on, err);
    if (rc < 0 || !go_on)
        return rc;

    struct weir_error why = {0};
    WEIR_CLEANUP(kafka_list) rd_kafka_topic_partition_list_t *offsets = list_offsets(runtime);
    struct weir_transaction_input input = {
        .batch = &runtime->batch,
        .offsets = offsets,
        .group = runtime->assignment.group,
        .before_commit = BEFORE_COMMIT,
        .context = runtime,
    };
    int64_t began_us = weir_clock_us();
    enum weir_ending ending = weir_transaction_run(runtime->transaction, &input, &why);
    weir_metric_observe_us(runtime->monitor.commit_seconds, weir_clock_us() - began_us);
    if (ending == WEIR_ENDING_DOUBTFUL)
        return doubtful(runtime, &why, err);
    if (ending == WEIR_ENDING_ABORTED) {
        aborted(runtime, &why);
        return 0;
    }
    if (runtime->deployment->kafka.dev)
        weir_assignment_commit_plainly(runtime, offsets);
    if (are_offsets_known(&runtime->batch))
        committed(runtime);
    else
        read_again(runtime);
    return weir_transaction_is_suspect(runtime->transaction) ? renew(runtime, err) : 0;
}

static void handle_failed(struct weir_runtime *runtime, const struct weir_error *err)
{
    tell_failure("batch.failed", err);
    weir_loop_fail(runtime, err);
    weir_batch_settle_none(&runtime->batch);
    give_up(runtime);
    const struct weir_service *service = runtime->service;
    runtime->not_before_ms = weir_clock_ms() + weir_backoff_ms(service->retry_backoff_ms,
                                                   service->retry_backoff_max_ms, runtime->failures++);
}

/* Letters and states of the retry topic, behind what the plugin emitted. */
static int write_own(struct weir_runtime *runtime, struct weir_error *err)
{
    int rc = weir_retry_check(&runtime->batch);
    if (rc == 0)
        rc = weir_dead_letters_write(runtime, err);
    if (rc == 0)
        rc = weir_retry_write(&runtime->batch, weir_clock_wall_ms());
    if (rc < 0 && err->code == 0)
        weir_error_set(err, rc, "memory is out");
    return rc;
}

int weir_handle_batch(struct weir_runtime *runtime, struct weir_error *err)
{
    struct weir_error failure = {0};
    struct weir_batch *batch = &runtime->batch;
    weir_batch_begin(batch);
    weir_crash_point("before-handle");
    runtime->monitor.handling = true;
    int handled = runtime->plugin->handle(runtime->plugin_instance, batch, &failure);
    runtime->monitor.handling = false;
    weir_crash_note_idle(runtime->note);
    if (handled < 0) {
        handle_failed(runtime, &failure);
        return 0;
    }
    weir_crash_point("after-handle");
    size_t finished = weir_batch_settle(batch);
    count_verdicts(runtime);
    if (finished == 0) {
        note_failures(runtime);
        give_up(runtime);
        return 0;
    }
    if (write_own(runtime, &failure) < 0) {
        handle_failed(runtime, &failure);
        return 0;
    }
    return commit(runtime, err);
}

int weir_handle_tick(struct weir_runtime *runtime, struct weir_error *err)
{
    if (runtime->plugin->tick == NULL || runtime->not_before_ms > weir_clock_ms())
        return 0;
    for (size_t i = 0; i < runtime->assignment.count; i++)
        runtime->assignment.partitions[i]->in_batch = false;
    weir_batch_begin_tick(&runtime->batch);
    runtime->monitor.handling = true;
    runtime->plugin->tick(runtime->plugin_instance, &runtime->batch);
    runtime->monitor.handling = false;
    return weir_batch_end_tick(&runtime->batch) > 0 ? commit(runtime, err) : 0;
}
