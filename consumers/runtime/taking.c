#include "consumers/runtime/taking.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/service.h"
#include "common/topic.h"
#include "consumers/runtime/backoff.h"
#include "consumers/runtime/following.h"
#include "consumers/runtime/loop.h"
#include "consumers/runtime/marks.h"
#include "consumers/runtime/runtime.h"

#include <inttypes.h>

enum {
    OFFSETS_LIMIT_MS = 500, /* others wait meanwhile; tried again until it answers */
    AGAIN_MS = 1000,
    AGAIN_MAX_MS = 30000,
};

void weir_taking_failed(struct weir_runtime *runtime, struct weir_partition *partition, const char *what,
    const struct weir_error *err)
{
    struct weir_error told = *err;
    weir_error_prefix(&told, "%s", what);
    weir_loop_fail(runtime, &told);
    if (err->code == WEIR_E_CONFIG || err->code == WEIR_E_CORRUPT || err->code == WEIR_E_UNSUPPORTED ||
        err->code == WEIR_E_INVALID) {
        weir_assignment_stop(runtime, partition, told.text);
        return;
    }
    weir_log(WEIR_LOG_WARNING, "partition.again", "topic=%s partition=%" PRId32 " reason=\"%s\"",
        partition->topic, partition->partition, told.text);
    int32_t failures = partition->taking_failures++;
    weir_assignment_retake(runtime, partition, weir_backoff_ms(AGAIN_MS, AGAIN_MAX_MS, failures));
}

static void announce(struct weir_runtime *runtime, struct weir_partition *partition)
{
    struct weir_error err = {0};
    weir_following_yield(runtime, partition);
    partition->announced = true;
    partition->stage = WEIR_STAGE_OFFSETS;
    if (runtime->plugin->assigned == NULL)
        return;
    if (runtime->plugin->assigned(runtime->plugin_instance, partition->source, partition->partition, &err) <
        0)
        weir_taking_failed(runtime, partition, "assigned", &err);
}

int weir_taking_committed(struct weir_runtime *runtime, rd_kafka_topic_partition_list_t *list, int timeout_ms,
    struct weir_error *err)
{
    rd_kafka_resp_err_t failed = rd_kafka_committed(runtime->reader, list, timeout_ms);
    for (int i = 0; i < list->cnt && failed == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
        failed = list->elems[i].err;
    return weir_kafka_error_set(err, failed, "committed offsets");
}

static rd_kafka_topic_partition_list_t *list_at(const struct weir_runtime *runtime, enum weir_stage stage)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)runtime->assignment.count);
    for (size_t i = 0; i < runtime->assignment.count; i++) {
        const struct weir_partition *partition = runtime->assignment.partitions[i];
        if (partition->stage != stage)
            continue;
        rd_kafka_topic_partition_list_add(list, partition->topic, partition->partition);
        rd_kafka_topic_partition_list_add(list, partition->retry_topic, partition->partition);
    }
    return list;
}

static void take_offset(struct weir_assignment *assignment, const rd_kafka_topic_partition_t *committed)
{
    int64_t offset = committed->offset >= 0 ? committed->offset : -1;
    struct weir_partition *partition =
        weir_assignment_find(assignment, committed->topic, committed->partition);
    if (partition == NULL) {
        weir_assignment_find_retry(assignment, committed->topic, committed->partition)->retry_position =
            offset;
        return;
    }
    partition->was_committed = offset >= 0;
    partition->position = offset;
    partition->stage = WEIR_STAGE_MARKS;
}

/* Step 2. */
static void read_offsets(struct weir_runtime *runtime)
{
    struct weir_error err = {0};
    WEIR_CLEANUP(kafka_list) rd_kafka_topic_partition_list_t *list = list_at(runtime, WEIR_STAGE_OFFSETS);
    if (list->cnt == 0)
        return;
    if (weir_taking_committed(runtime, list, OFFSETS_LIMIT_MS, &err) < 0) {
        if (weir_monitor_may_tell(&runtime->told_ms))
            weir_log(WEIR_LOG_WARNING, "partition.waiting", "for=\"stable committed offsets\" reason=\"%s\"",
                err.text);
        return;
    }
    for (int i = 0; i < list->cnt; i++)
        take_offset(&runtime->assignment, &list->elems[i]);
}

static int want_all(struct weir_runtime *runtime, const struct weir_partition *partition,
    rd_kafka_topic_partition_list_t *list, int64_t which, struct weir_error *err)
{
    char topic[WEIR_TOPIC_NAME_BYTES];
    weir_marks_want(list, partition->topic, partition->partition, which);
    weir_marks_want(list, partition->retry_topic, partition->partition, which);
    int rc = weir_topic_of_service(partition->topic, runtime->service->name, "dlq", topic, err);
    if (rc < 0)
        return rc;
    weir_marks_want(list, topic, partition->partition, which);
    for (uint32_t i = 0; i < runtime->plugin->table_count; i++) {
        if (!weir_table_is_restored(&runtime->plugin->tables[i]))
            continue;
        rc = weir_reader_table_topic(runtime, partition->source, &runtime->plugin->tables[i], topic, err);
        if (rc < 0)
            return rc;
        weir_marks_want(list, topic, partition->partition, which);
    }
    return 0;
}

/* What was ever written for the source partition: the topic, which is its own and no other source's; NULL for
 * none. */
static const char *find_written(struct weir_runtime *runtime, const struct weir_partition *partition,
    const rd_kafka_topic_partition_list_t *ends, char out[static WEIR_TOPIC_NAME_BYTES])
{
    const char *found = NULL;
    rd_kafka_topic_partition_list_t *own = rd_kafka_topic_partition_list_new(8);
    if (want_all(runtime, partition, own, 0, NULL) < 0)
        found = "a topic whose name is too long";
    for (int i = 0; i < own->cnt && found == NULL; i++) {
        const char *topic = own->elems[i].topic;
        if (strcmp(topic, partition->topic) != 0 &&
            weir_marks_answer(ends, topic, partition->partition) > 0) {
            snprintf(out, WEIR_TOPIC_NAME_BYTES, "%s", topic);
            found = out;
        }
    }
    rd_kafka_topic_partition_list_destroy(own);
    return found;
}

static bool begin_anew(struct weir_runtime *runtime, struct weir_partition *partition, int64_t low,
    const rd_kafka_topic_partition_list_t *ends)
{
    char why[WEIR_WHY_BYTES], topic[WEIR_TOPIC_NAME_BYTES];
    const char *written = runtime->from_beginning ? NULL : find_written(runtime, partition, ends, topic);
    if (written != NULL) {
        snprintf(why, sizeof(why),
            "group %s has no committed offset, but %s is not empty: the offset was lost or the group "
            "renamed; weirctl group from-origin --service %s goes on behind the last record that left a "
            "trace, "
            "--from-beginning handles %s again from its beginning",
            runtime->service->group, written, runtime->service->name, partition->topic);
        weir_assignment_stop(runtime, partition, why);
        return false;
    }
    partition->position = low;
    return true;
}

/* Where consumption starts; false when the partition was stopped. */
static bool find_start(struct weir_runtime *runtime, struct weir_partition *partition,
    const rd_kafka_topic_partition_list_t *starts, const rd_kafka_topic_partition_list_t *ends)
{
    char why[WEIR_WHY_BYTES];
    int64_t low = weir_marks_answer(starts, partition->topic, partition->partition);
    int64_t high = weir_marks_answer(ends, partition->topic, partition->partition);
    if (partition->position < 0)
        return begin_anew(runtime, partition, low, ends);
    if (partition->position >= low && partition->position <= high)
        return true;
    if (partition->position < low)
        snprintf(why, sizeof(why),
            "records %" PRId64 " to %" PRId64 " are lost: the log begins at %" PRId64
            ", the group's committed offset is below; weirctl group accept-loss --service %s goes on behind "
            "them",
            partition->position, low - 1, low, runtime->service->name);
    else
        snprintf(why, sizeof(why),
            "the group's committed offset %" PRId64 " is beyond the end of the log, %" PRId64
            ": the topic was made anew or lost records; weirctl group accept-loss --service %s --to end or "
            "beginning goes on",
            partition->position, high, runtime->service->name);
    weir_assignment_stop(runtime, partition, why);
    return false;
}

static int start_read(struct weir_runtime *runtime, struct weir_partition *partition, uint32_t table,
    char *topic, const rd_kafka_topic_partition_list_t *starts, const rd_kafka_topic_partition_list_t *ends,
    struct weir_error *err)
{
    struct weir_read wanted = {.partition = partition,
        .table = table,
        .source = partition->source,
        .number = partition->partition,
        .topic = topic,
        .mark = weir_marks_answer(ends, topic, partition->partition)};
    return weir_reader_add(runtime, &wanted, weir_marks_answer(starts, topic, partition->partition), err);
}

static int start_reads(struct weir_runtime *runtime, struct weir_partition *partition,
    const rd_kafka_topic_partition_list_t *starts, const rd_kafka_topic_partition_list_t *ends,
    struct weir_error *err)
{
    char topic[WEIR_TOPIC_NAME_BYTES];
    int rc = start_read(runtime, partition, WEIR_READ_RETRY, partition->retry_topic, starts, ends, err);
    for (uint32_t i = 0; rc == 0 && i < runtime->plugin->table_count; i++) {
        if (!weir_table_is_restored(&runtime->plugin->tables[i]))
            continue;
        rc = weir_reader_table_topic(runtime, partition->source, &runtime->plugin->tables[i], topic, err);
        if (rc == 0)
            rc = start_read(runtime, partition, i, topic, starts, ends, err);
    }
    return rc;
}

static void restore(struct weir_runtime *runtime, struct weir_partition *partition,
    const rd_kafka_topic_partition_list_t *starts, const rd_kafka_topic_partition_list_t *ends)
{
    struct weir_error err = {0};
    if (!find_start(runtime, partition, starts, ends))
        return;
    partition->stage = WEIR_STAGE_RESTORING;
    if (start_reads(runtime, partition, starts, ends, &err) < 0)
        weir_taking_failed(runtime, partition, "tables", &err);
}

static int list_marks(struct weir_runtime *runtime, rd_kafka_topic_partition_list_t *list, int64_t which,
    struct weir_error *err)
{
    for (size_t i = 0; i < runtime->assignment.count; i++) {
        const struct weir_partition *partition = runtime->assignment.partitions[i];
        int rc = partition->stage == WEIR_STAGE_MARKS ? want_all(runtime, partition, list, which, err) : 0;
        if (rc < 0)
            return rc;
    }
    return list->cnt > 0 ? weir_marks_ask(runtime, list, err) : 0;
}

/* Step 3. */
static void read_marks(struct weir_runtime *runtime)
{
    struct weir_error err = {0};
    WEIR_CLEANUP(kafka_list) rd_kafka_topic_partition_list_t *starts = rd_kafka_topic_partition_list_new(16);
    WEIR_CLEANUP(kafka_list) rd_kafka_topic_partition_list_t *ends = rd_kafka_topic_partition_list_new(16);
    int rc = list_marks(runtime, starts, WEIR_MARK_BEGIN, &err);
    if (rc == 0)
        rc = list_marks(runtime, ends, WEIR_MARK_END, &err);
    if (rc < 0) {
        if (weir_monitor_may_tell(&runtime->told_ms))
            weir_log(
                WEIR_LOG_WARNING, "partition.waiting", "for=\"high watermarks\" reason=\"%s\"", err.text);
        return;
    }
    for (size_t i = 0; i < runtime->assignment.count; i++) {
        struct weir_partition *partition = runtime->assignment.partitions[i];
        if (partition->stage == WEIR_STAGE_MARKS)
            restore(runtime, partition, starts, ends);
    }
}

/* Step 5. */
static void resume(struct weir_runtime *runtime, struct weir_partition *partition)
{
    struct weir_error err = {0};
    partition->fetch_next = partition->position;
    partition->retry_fetch_next = partition->parking.position;
    weir_crash_point("before-resume");
    if (weir_assignment_resume(runtime, partition, &err) < 0 ||
        weir_assignment_resume_retry(runtime, partition, &err) < 0) {
        if (weir_monitor_may_tell(&runtime->told_ms))
            weir_log(WEIR_LOG_WARNING, "partition.waiting", "for=consumer reason=\"%s\"", err.text);
        return;
    }
    partition->stage = WEIR_STAGE_FLOWING;
    partition->taking_failures = 0;
    partition->offsets_ms = weir_clock_ms();
    weir_log(WEIR_LOG_NOTICE, "partition.taken",
        "topic=%s partition=%" PRId32 " offset=%" PRId64 " parked=%zu retry_offset=%" PRId64,
        partition->topic, partition->partition, partition->position, partition->parking.count,
        partition->parking.position);
}

static bool is_on_its_way(const struct weir_partition *partition)
{
    return partition->stage != WEIR_STAGE_FLOWING && partition->stage != WEIR_STAGE_STOPPED;
}

bool weir_taking_step(struct weir_runtime *runtime)
{
    struct weir_assignment *assignment = &runtime->assignment;
    bool any = false;
    for (size_t i = 0; i < assignment->count; i++) {
        struct weir_partition *partition = assignment->partitions[i];
        any |= is_on_its_way(partition);
        if (partition->stage == WEIR_STAGE_NEW && partition->due_ms <= weir_clock_ms())
            announce(runtime, partition);
    }
    if (!any)
        return false;
    weir_crash_point("taking");
    read_offsets(runtime);
    read_marks(runtime);
    for (size_t i = 0; i < assignment->count; i++) {
        struct weir_partition *partition = assignment->partitions[i];
        if (partition->stage == WEIR_STAGE_RESTORING && partition->reads == 0)
            partition->stage = WEIR_STAGE_RESUMING;
        if (partition->stage == WEIR_STAGE_RESUMING && weir_following_is_whole(runtime))
            resume(runtime, partition);
    }
    return true;
}
