#include "consumers/runtime/reader.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/service.h"
#include "consumers/runtime/following.h"
#include "consumers/runtime/loop.h"
#include "consumers/runtime/record.h"
#include "consumers/runtime/retry.h"
#include "consumers/runtime/runtime.h"
#include "consumers/runtime/taking.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { RUN_MAX = 8192, FOLLOW_MS = 5, READ_TO_STEP_MS = 20 };

/* Records of one partition of one table, handed to the plugin together. */
struct run {
    struct weir_read *read;
    size_t count;
    rd_kafka_message_t *messages[RUN_MAX];
    struct weir_record records[RUN_MAX];
    struct weir_arena arena;
};

static struct run run;

static bool put(struct weir_buffer *out, const char **text, const char *word, const char *value)
{
    size_t len = strlen(word);
    if (strncmp(*text, word, len) != 0)
        return false;
    weir_buffer_append_str(out, value);
    *text += len;
    return true;
}

int weir_reader_table_topic(const struct weir_runtime *runtime, uint32_t source,
    const struct weir_table *table, char out[static WEIR_TOPIC_NAME_BYTES], struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer name = {0};
    if (strstr(table->topic, "{source}") == NULL)
        weir_buffer_append_str(&name, runtime->deployment->kafka.topic_prefix);
    for (const char *text = table->topic; *text != '\0';) {
        if (!put(&name, &text, "{source}", runtime->service->source_topics[source]) &&
            !put(&name, &text, "{service}", runtime->service->name))
            weir_buffer_append(&name, text++, 1);
    }
    if (name.failed || name.len >= WEIR_TOPIC_NAME_BYTES)
        return weir_error_set(err, WEIR_E_CONFIG, "the name of table %s is too long", table->topic);
    memcpy(out, name.data, name.len + 1);
    return 0;
}

static rd_kafka_topic_partition_list_t *list_of(const struct weir_read *read, int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, read->topic, read->number)->offset = offset;
    return list;
}

static int caught_up(
    struct weir_runtime *runtime, const struct weir_read *read, int64_t offset, struct weir_error *err)
{
    if (read->table == WEIR_READ_RETRY)
        weir_parking_read_to(&read->partition->parking, offset);
    bool told = read->table != WEIR_READ_RETRY &&
                (read->follow == NULL || runtime->plugin->tables[read->table].mode == WEIR_TABLE_ALL);
    if (!told && read->table != WEIR_READ_RETRY && runtime->plugin->table_followed != NULL)
        runtime->plugin->table_followed(
            runtime->plugin_instance, read->table, read->source, read->number, offset);
    if (!told || runtime->plugin->table_caught_up == NULL)
        return 0;
    return runtime->plugin->table_caught_up(
        runtime->plugin_instance, read->table, read->source, read->number, offset, err);
}

static void read_free(struct weir_read *read)
{
    free(read->topic);
    free(read);
}

static int start(
    struct weir_runtime *runtime, struct weir_read *read, int64_t position, struct weir_error *err)
{
    struct weir_reader *reader = &runtime->reads;
    struct weir_read **reads = reallocarray(reader->reads, reader->count + 1, sizeof(struct weir_read *));
    if (reads == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "memory is out");
    reader->reads = reads;
    WEIR_CLEANUP(kafka_list) rd_kafka_topic_partition_list_t *list = list_of(read, position);
    int rc = weir_kafka_error_take(rd_kafka_incremental_assign(runtime->reader, list), read->topic, err);
    if (rc < 0)
        return rc;
    reads[reader->count++] = read;
    read->next = position;
    if (read->partition != NULL)
        read->partition->reads++;
    weir_log(WEIR_LOG_INFO, "table.reading",
        "topic=%s partition=%" PRId32 " from=%" PRId64 " to=%" PRId64 " owned=%s", read->topic, read->number,
        position, read->mark, read->partition != NULL ? "yes" : "no");
    return 0;
}

/* Without a committed offset the whole log tells what is parked. */
static int retry_position(
    const struct weir_read *read, int64_t low, int64_t *ret_position, struct weir_error *err)
{
    int64_t position = read->partition->retry_position;
    *ret_position = position >= 0 ? position : low;
    if (*ret_position >= low && *ret_position <= read->mark)
        return 0;
    if (position < low)
        return weir_error_set(err, WEIR_E_CONFIG,
            "records %" PRId64 " to %" PRId64 " of %s partition %" PRId32
            " are lost, and some may have waited for a retry: the log begins at %" PRId64
            ", the group's committed offset is below",
            position, low - 1, read->topic, read->partition->partition, low);
    return weir_error_set(err, WEIR_E_CONFIG,
        "the group's committed offset %" PRId64 " is beyond the end of %s partition %" PRId32 ", %" PRId64
        ": the topic was made anew or lost records",
        position, read->topic, read->partition->partition, read->mark);
}

static int position_of(
    struct weir_runtime *runtime, const struct weir_read *read, int64_t *ret_position, struct weir_error *err)
{
    *ret_position = 0;
    if (runtime->plugin->table_position == NULL)
        return 0;
    return runtime->plugin->table_position(
        runtime->plugin_instance, read->table, read->source, read->number, ret_position, err);
}

/* Whoever wants all begins where the log does; whoever has a part must not miss what follows it. */
static int begin_in_log(const struct weir_read *read, int64_t low, int64_t *position, struct weir_error *err)
{
    if (*position == 0)
        *position = low;
    if (*position >= low)
        return 0;
    return weir_error_set(err, WEIR_E_CONFIG,
        "events %" PRId64 " to %" PRId64 " of %s partition %" PRId32
        " are gone from the log, and the local state ends before them: remove the plugin's folder to build "
        "it anew from what is there",
        *position, low - 1, read->topic, read->number);
}

static int table_position(struct weir_runtime *runtime, const struct weir_read *read, int64_t low,
    int64_t *ret_position, struct weir_error *err)
{
    int rc = position_of(runtime, read, ret_position, err);
    return rc < 0 ? rc : begin_in_log(read, low, ret_position, err);
}

static struct weir_read *read_new(const struct weir_read *wanted)
{
    struct weir_read *read = malloc(sizeof(*read));
    if (read == NULL)
        return NULL;
    *read = *wanted;
    read->topic = strdup(wanted->topic);
    if (read->topic != NULL)
        return read;
    free(read);
    return NULL;
}

int weir_reader_add(
    struct weir_runtime *runtime, const struct weir_read *wanted, int64_t low, struct weir_error *err)
{
    struct weir_read *read = read_new(wanted);
    if (read == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "memory is out");
    int64_t position;
    int rc = read->table == WEIR_READ_RETRY ? retry_position(read, low, &position, err)
                                            : table_position(runtime, read, low, &position, err);
    if (rc == 0 && (position < read->mark || read->follow != NULL)) {
        rc = start(runtime, read, position, err);
        if (rc == 0)
            return 0;
    } else if (rc == 0) {
        rc = caught_up(runtime, read, read->mark, err);
    }
    read_free(read);
    return rc;
}

static struct weir_read *find(const struct weir_reader *reader, const rd_kafka_message_t *message)
{
    const char *topic = message->rkt != NULL ? rd_kafka_topic_name(message->rkt) : "";
    for (size_t i = 0; i < reader->count; i++)
        if (reader->reads[i]->number == message->partition && strcmp(reader->reads[i]->topic, topic) == 0)
            return reader->reads[i];
    return NULL;
}

static bool is_reading(const struct weir_reader *reader, const struct weir_read *read)
{
    for (size_t i = 0; i < reader->count; i++)
        if (reader->reads[i] == read)
            return true;
    return false;
}

static void run_clear(void)
{
    for (size_t i = 0; i < run.count; i++)
        rd_kafka_message_destroy(run.messages[i]);
    run.count = 0;
    run.read = NULL;
    weir_arena_reset(&run.arena);
}

static void finish(struct weir_runtime *runtime, struct weir_read *read)
{
    struct weir_reader *reader = &runtime->reads;
    for (size_t i = 0; i < reader->count; i++)
        if (reader->reads[i] == read)
            reader->reads[i] = reader->reads[--reader->count];
    if (run.read == read)
        run_clear();
    WEIR_CLEANUP(kafka_list) rd_kafka_topic_partition_list_t *list = list_of(read, RD_KAFKA_OFFSET_INVALID);
    WEIR_CLEANUP(kafka_error) rd_kafka_error_t *failed = rd_kafka_incremental_unassign(runtime->reader, list);
    if (failed != NULL)
        weir_log(WEIR_LOG_WARNING, "table.unassign", "reason=\"%s\"", rd_kafka_error_string(failed));
    if (read->partition != NULL)
        read->partition->reads--;
    else
        weir_following_ended(read->follow);
    read_free(read);
}

/* What an owned partition waits for is begun anew with it; what is only followed, later. */
static void give_up(
    struct weir_runtime *runtime, struct weir_read *read, const char *what, const struct weir_error *err)
{
    if (read->partition != NULL) {
        weir_taking_failed(runtime, read->partition, what, err);
        return;
    }
    weir_loop_fail(runtime, err);
    weir_following_failed(read->follow, what, err);
    finish(runtime, read);
}

static int apply_retry(
    const struct weir_runtime *runtime, struct weir_partition *partition, struct weir_error *err)
{
    int64_t latest_ms = weir_clock_wall_ms() + runtime->service->retry_backoff_max_ms;
    for (size_t i = 0; i < run.count; i++)
        if (weir_retry_take_in(&partition->parking, &run.records[i], latest_ms) < 0)
            return weir_error_set(err, WEIR_E_INTERNAL, "memory is out");
    return 0;
}

static void run_apply(struct weir_runtime *runtime)
{
    struct weir_error err = {0};
    struct weir_read *read = run.read;
    if (run.count == 0)
        return;
    int rc = read->table == WEIR_READ_RETRY ? apply_retry(runtime, read->partition, &err)
                                            : runtime->plugin->table_apply(runtime->plugin_instance,
                                                  read->table, run.records, run.count, &err);
    weir_metric_add(runtime->monitor.restored, (int64_t)run.count);
    read->records += run.count;
    read->next = run.records[run.count - 1].offset + 1;
    run_clear();
    weir_crash_point("mid-restore");
    if (rc < 0)
        give_up(runtime, read, "table_apply", &err);
}

static void run_add(struct weir_runtime *runtime, struct weir_read *read, rd_kafka_message_t *message)
{
    if (run.count == RUN_MAX || (run.count > 0 && run.read != read)) {
        run_apply(runtime);
        if (!is_reading(&runtime->reads, read)) { /* the plugin failed: it is read anew later */
            rd_kafka_message_destroy(message);
            return;
        }
    }
    run.read = read;
    struct weir_record *record = &run.records[run.count];
    weir_record_fill(record, message, read->topic, read->source);
    record->index = (uint32_t)run.count;
    if (weir_record_decode(record, message, &run.arena) < 0)
        weir_log(WEIR_LOG_ERROR, "table.headers", "topic=%s partition=%" PRId32 " offset=%" PRId64,
            read->topic, message->partition, message->offset);
    run.messages[run.count++] = message;
}

/* EOF's offset counts control and aborted records too; the position alone may not move over them. */
static void at_end(struct weir_runtime *runtime, struct weir_read *read, int64_t offset)
{
    run_apply(runtime);
    if (!is_reading(&runtime->reads, read))
        return;
    read->next = offset;
    if (offset < read->mark || read->caught_up)
        return;
    struct weir_error err = {0};
    weir_log(WEIR_LOG_INFO, "table.caught_up",
        "topic=%s partition=%" PRId32 " offset=%" PRId64 " records=%" PRIu64, read->topic, read->number,
        offset, read->records);
    read->caught_up = true;
    if (caught_up(runtime, read, offset, &err) < 0)
        give_up(runtime, read, "table_caught_up", &err);
    else if (read->follow != NULL)
        weir_following_caught_up(read->follow);
    else
        finish(runtime, read);
}

static void failed(struct weir_runtime *runtime, struct weir_read *read, const rd_kafka_message_t *message)
{
    static int64_t told_ms;
    struct weir_error err;
    weir_kafka_error_set(&err, message->err, read != NULL ? read->topic : "tables");
    if (read != NULL && (read->follow != NULL || weir_kafka_code(message->err) == WEIR_E_NOT_FOUND))
        give_up(runtime, read, "table", &err);
    else if (weir_monitor_may_tell(&told_ms))
        weir_log(WEIR_LOG_WARNING, "table.read", "reason=\"%s\"", err.text);
}

static void take(struct weir_runtime *runtime, rd_kafka_message_t *message)
{
    struct weir_read *read = find(&runtime->reads, message);
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR && read != NULL) {
        run_add(runtime, read, message);
        return;
    }
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF && read != NULL)
        at_end(runtime, read, message->offset);
    else if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR && message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
        failed(runtime, read, message);
    rd_kafka_message_destroy(message);
}

bool weir_reader_is_behind(const struct weir_reader *reader)
{
    for (size_t i = 0; i < reader->count; i++)
        if (reader->reads[i]->partition != NULL || weir_following_is_waited_for(reader->reads[i]->follow))
            return true;
    return false;
}

void weir_reader_step(struct weir_runtime *runtime, int slice_ms)
{
    bool behind = weir_reader_is_behind(&runtime->reads), dry = false;
    int64_t until_ms = weir_clock_ms() + (behind ? slice_ms : FOLLOW_MS);
    while (runtime->reads.count > 0) {
        int64_t left_ms = until_ms - weir_clock_ms();
        rd_kafka_message_t *message =
            rd_kafka_consumer_poll(runtime->reader, behind && left_ms > 0 ? (int)left_ms : 0);
        if (message != NULL)
            take(runtime, message);
        dry = message == NULL;
        if (dry || left_ms <= 0)
            break;
        weir_service_alive();
    }
    if (dry || !behind) /* else the run goes on in the next slice: long ones cost less */
        run_apply(runtime);
}

static bool is_read_to(const struct weir_reader *reader, const rd_kafka_topic_partition_t *mark)
{
    for (size_t i = 0; i < reader->count; i++)
        if (reader->reads[i]->number == mark->partition && strcmp(reader->reads[i]->topic, mark->topic) == 0)
            return reader->reads[i]->next >= mark->offset;
    return false;
}

static bool are_read_to(const struct weir_reader *reader, const rd_kafka_topic_partition_list_t *marks)
{
    for (int i = 0; i < marks->cnt; i++)
        if (!is_read_to(reader, &marks->elems[i]))
            return false;
    return true;
}

bool weir_reader_read_to(
    struct weir_runtime *runtime, const rd_kafka_topic_partition_list_t *marks, int64_t limit_ms)
{
    int64_t until_ms = weir_clock_ms() + limit_ms;

    while (!are_read_to(&runtime->reads, marks) && weir_clock_ms() < until_ms) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(runtime->reader, READ_TO_STEP_MS);
        if (message != NULL)
            take(runtime, message);
        weir_service_alive();
    }
    run_apply(runtime);
    return are_read_to(&runtime->reads, marks);
}

void weir_reader_cancel(struct weir_runtime *runtime, const struct weir_partition *partition)
{
    for (size_t i = runtime->reads.count; i-- > 0;)
        if (runtime->reads.reads[i]->partition == partition)
            finish(runtime, runtime->reads.reads[i]);
}

void weir_reader_cancel_follow(struct weir_runtime *runtime, const struct weir_follow *follow)
{
    for (size_t i = runtime->reads.count; i-- > 0;)
        if (runtime->reads.reads[i]->follow == follow)
            finish(runtime, runtime->reads.reads[i]);
}

void weir_reader_done(struct weir_runtime *runtime)
{
    run_clear();
    weir_arena_done(&run.arena);
    free(runtime->reads.reads);
    runtime->reads = (struct weir_reader){0};
}
