#include "consumers/runtime/following.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/topic.h"
#include "consumers/runtime/backoff.h"
#include "consumers/runtime/marks.h"
#include "consumers/runtime/runtime.h"

#include <inttypes.h>
#include <stdlib.h>

enum { AGAIN_MS = 1000, AGAIN_MAX_MS = 30000, COUNT_LIMIT_MS = 2000, FRESH_LIMIT_MS = 2000 };

struct weir_follow {
    uint32_t table, source;
    int32_t number;
    char topic[WEIR_TOPIC_NAME_BYTES];
    bool all;    /* whoever owns the source partition */
    bool behind; /* of mode ALL: waited for until it has caught up once */
    bool reading;
    int64_t due_ms; /* monotonic; not begun before */
    int32_t failures;
};

bool weir_table_is_restored(const struct weir_table *table)
{
    return table->mode != WEIR_TABLE_ALL;
}

static int add(struct weir_runtime *runtime, const struct weir_follow *wanted, struct weir_error *err)
{
    struct weir_following *following = &runtime->following;
    struct weir_follow **follows =
        reallocarray(following->follows, following->count + 1, sizeof(struct weir_follow *));
    if (follows == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "memory is out");
    following->follows = follows;
    struct weir_follow *follow = malloc(sizeof(*follow));
    if (follow == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "memory is out");
    *follow = *wanted;
    follows[following->count++] = follow;
    return 0;
}

static int list_topic(struct weir_runtime *runtime, uint32_t table, uint32_t source, struct weir_error *err)
{
    bool all = runtime->plugin->tables[table].mode == WEIR_TABLE_ALL;
    struct weir_follow follow = {.table = table, .source = source, .all = all, .behind = all};
    int32_t count;
    int rc = weir_reader_table_topic(runtime, source, &runtime->plugin->tables[table], follow.topic, err);
    if (rc == 0 && all && runtime->plugin->tables[table].optional &&
        weir_deployment_collection_of_topic(runtime->deployment, follow.topic) == NULL)
        return 0;
    if (rc == 0)
        rc = weir_kafka_partition_count(runtime->watermark, follow.topic, COUNT_LIMIT_MS, &count, err);
    for (; rc == 0 && follow.number < count; follow.number++)
        rc = add(runtime, &follow, err);
    return rc;
}

static int list_table(struct weir_runtime *runtime, uint32_t table, struct weir_error *err)
{
    int rc = 0;
    bool each = strstr(runtime->plugin->tables[table].topic, "{source}") != NULL;
    for (uint32_t source = 0; rc == 0 && runtime->service->source_topics[source] != NULL; source++)
        if (source == 0 || each)
            rc = list_topic(runtime, table, source, err);
    return rc;
}

static void clear(struct weir_following *following)
{
    for (size_t i = 0; i < following->count; i++)
        free(following->follows[i]);
    following->count = 0;
}

static int list_all(struct weir_runtime *runtime, struct weir_error *err)
{
    int rc = 0;
    for (uint32_t table = 0; rc == 0 && table < runtime->plugin->table_count; table++)
        if (runtime->plugin->tables[table].mode != WEIR_TABLE_OWNED)
            rc = list_table(runtime, table, err);
    if (rc < 0)
        clear(&runtime->following);
    runtime->following.listed = rc == 0;
    return rc;
}

static bool is_owned(const struct weir_runtime *runtime, const struct weir_follow *follow)
{
    for (size_t i = 0; i < runtime->assignment.count; i++) {
        const struct weir_partition *partition = runtime->assignment.partitions[i];
        if (partition->source == follow->source && partition->partition == follow->number)
            return true;
    }
    return false;
}

/* Who owns what is not known before the group is joined. */
static bool is_wanted(const struct weir_runtime *runtime, const struct weir_follow *follow)
{
    if (follow->reading || follow->due_ms > weir_clock_ms())
        return false;
    return follow->all || (runtime->monitor.joined && !is_owned(runtime, follow));
}

static bool list_wanted(
    const struct weir_runtime *runtime, rd_kafka_topic_partition_list_t *list, int64_t which)
{
    const struct weir_following *following = &runtime->following;
    for (size_t i = 0; i < following->count; i++)
        if (is_wanted(runtime, following->follows[i]))
            weir_marks_want(list, following->follows[i]->topic, following->follows[i]->number, which);
    return list->cnt > 0;
}

static void begin(struct weir_runtime *runtime, struct weir_follow *follow, int64_t low, int64_t mark)
{
    struct weir_error err = {0};
    struct weir_read wanted = {.follow = follow,
        .table = follow->table,
        .source = follow->source,
        .number = follow->number,
        .topic = follow->topic,
        .mark = mark};
    follow->reading = weir_reader_add(runtime, &wanted, low, &err) == 0;
    if (!follow->reading)
        weir_following_failed(follow, "table", &err);
}

static int begin_all(struct weir_runtime *runtime, struct weir_error *err)
{
    WEIR_CLEANUP(kafka_list) rd_kafka_topic_partition_list_t *starts = rd_kafka_topic_partition_list_new(16);
    WEIR_CLEANUP(kafka_list) rd_kafka_topic_partition_list_t *ends = rd_kafka_topic_partition_list_new(16);
    if (!list_wanted(runtime, starts, WEIR_MARK_BEGIN) || !list_wanted(runtime, ends, WEIR_MARK_END))
        return 0;
    int rc = weir_marks_ask(runtime, starts, err);
    if (rc == 0)
        rc = weir_marks_ask(runtime, ends, err);
    for (size_t i = 0; rc == 0 && i < runtime->following.count; i++) {
        struct weir_follow *follow = runtime->following.follows[i];
        if (rd_kafka_topic_partition_list_find(ends, follow->topic, follow->number) != NULL)
            begin(runtime, follow, weir_marks_answer(starts, follow->topic, follow->number),
                weir_marks_answer(ends, follow->topic, follow->number));
    }
    return rc;
}

void weir_following_step(struct weir_runtime *runtime)
{
    struct weir_error err = {0};
    struct weir_following *following = &runtime->following;
    if (following->due_ms > weir_clock_ms())
        return;
    int rc = following->listed ? 0 : list_all(runtime, &err);
    if (rc == 0)
        rc = begin_all(runtime, &err);
    if (rc == 0)
        return;
    following->due_ms = weir_clock_ms() + AGAIN_MS;
    if (weir_monitor_may_tell(&runtime->told_ms))
        weir_log(WEIR_LOG_WARNING, "table.waiting", "reason=\"%s\"", err.text);
}

int weir_following_refresh(struct weir_runtime *runtime, struct weir_error *err)
{
    WEIR_CLEANUP(kafka_list) rd_kafka_topic_partition_list_t *marks = rd_kafka_topic_partition_list_new(16);
    for (size_t i = 0; i < runtime->following.count; i++) {
        const struct weir_follow *follow = runtime->following.follows[i];
        if (follow->all && runtime->plugin->tables[follow->table].fresh)
            weir_marks_want(marks, follow->topic, follow->number, WEIR_MARK_END);
    }
    if (marks->cnt == 0)
        return 0;
    int rc = weir_marks_ask(runtime, marks, err);
    if (rc < 0 || weir_reader_read_to(runtime, marks, FRESH_LIMIT_MS))
        return rc;
    return weir_error_set(err, WEIR_E_TIMEOUT, "%s was not read to its end in time", marks->elems[0].topic);
}

void weir_following_yield(struct weir_runtime *runtime, const struct weir_partition *partition)
{
    for (size_t i = 0; i < runtime->following.count; i++) {
        struct weir_follow *follow = runtime->following.follows[i];
        if (!follow->all && follow->source == partition->source && follow->number == partition->partition)
            weir_reader_cancel_follow(runtime, follow);
    }
}

static bool has_whole_tables(const struct weir_runtime *runtime)
{
    for (size_t i = 0; i < runtime->plugin->table_count; i++)
        if (runtime->plugin->tables[i].mode == WEIR_TABLE_ALL)
            return true;
    return false;
}

unsigned weir_following_behind(const struct weir_runtime *runtime)
{
    unsigned behind = !runtime->following.listed && has_whole_tables(runtime);
    for (size_t i = 0; i < runtime->following.count; i++)
        behind += runtime->following.follows[i]->behind;
    return behind;
}

bool weir_following_is_whole(const struct weir_runtime *runtime)
{
    return weir_following_behind(runtime) == 0;
}

bool weir_following_is_waited_for(const struct weir_follow *follow)
{
    return follow->behind;
}

void weir_following_caught_up(struct weir_follow *follow)
{
    follow->behind = false;
    follow->failures = 0;
}

void weir_following_failed(struct weir_follow *follow, const char *what, const struct weir_error *err)
{
    weir_log(WEIR_LOG_WARNING, "table.again", "topic=%s partition=%" PRId32 " reason=\"%s: %s\"",
        follow->topic, follow->number, what, err->text);
    follow->due_ms = weir_clock_ms() + weir_backoff_ms(AGAIN_MS, AGAIN_MAX_MS, follow->failures++);
}

void weir_following_ended(struct weir_follow *follow)
{
    follow->reading = false;
}

void weir_following_done(struct weir_runtime *runtime)
{
    for (size_t i = 0; i < runtime->following.count; i++)
        weir_reader_cancel_follow(runtime, runtime->following.follows[i]);
    clear(&runtime->following);
    free(runtime->following.follows);
    runtime->following.follows = NULL;
}
