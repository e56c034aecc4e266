/* A plugin for the tests of the host: emits each record as it came to one topic. What its key begins with
 * decides otherwise:
 *
 *     reject…   REJECT, invalid
 *     retryN…   RETRY until it was executed N times before
 *     fail…     RETRY for ever
 *     gated…    RETRY as long as the file `echo.gate` exists
 *     wait…     WAIT as long as the file `echo.gate` exists
 *     skip…     no verdict at its first execution
 *     large…    emits more than any topic takes; REJECT, too-large
 *     hang…     handle() never returns
 *     crash…    ends the process
 *     mark…     emits the text of `echo.mark`, an option that SIGHUP reloads
 *     error…    handle() fails as long as the file `echo.gate` exists
 *
 * It also reads "{source}.changes" as a table and refuses a commit or a table record that does not continue
 * it: what it knows of a partition is always a prefix of the topic. */
#include "common/cleanup.h"
#include "common/deployment.h"

#include <weir/plugin.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PARTITIONS_MAX = 64, CRASH_STATUS = 99, LARGE_BYTES = 4 * 1024 * 1024 };

struct settings {
    char *topic, *gate, *advertise, *mark;
};

struct echo {
    const struct weir_host *host;
    const struct settings *settings;
    struct weir_metric *handled;
    int64_t next[PARTITIONS_MAX]; /* of the target topic, as applied */
    int64_t skipped_offset;
    char *large;
};

static const struct weir_option options[] = {
    {.key = "topic",
        .type = WEIR_OPTION_STRING,
        .required = true,
        .offset = offsetof(struct settings, topic),
        .help = "Topic that records are emitted to"},
    {.key = "gate",
        .type = WEIR_OPTION_PATH,
        .offset = offsetof(struct settings, gate),
        .help = "File that holds back records whose key begins with wait, gated or error"},
    {.key = "advertise",
        .type = WEIR_OPTION_URL,
        .offset = offsetof(struct settings, advertise),
        .help = "URL to be named in the group"},
    {.key = "mark",
        .type = WEIR_OPTION_STRING,
        .reload = true,
        .offset = offsetof(struct settings, mark),
        .help = "What is emitted for keys that begin with mark"},
};

static const struct weir_table tables[] = {{.topic = "{source}.changes", .mode = WEIR_TABLE_OWNED}};

static int check(const void *settings, const struct weir_deployment *deployment, const char *service,
    struct weir_error *err)
{
    const struct settings *own = settings;
    (void)deployment;
    (void)service;
    if (strcmp(own->topic, "crash") == 0)
        abort();
    if (strcmp(own->topic, "refused") == 0)
        return weir_error_set(err, WEIR_E_CONFIG, "echo.topic = refused is refused");
    if (own->mark != NULL && strcmp(own->mark, "refused") == 0)
        return weir_error_set(err, WEIR_E_CONFIG, "echo.mark = refused is refused");
    return 0;
}

static int open_echo(
    const struct weir_host *host, const void *settings, void **ret_instance, struct weir_error *err)
{
    struct echo *echo = calloc(1, sizeof(*echo));
    if (echo == NULL || (echo->large = calloc(1, LARGE_BYTES)) == NULL) {
        free(echo);
        return weir_error_set(err, WEIR_E_INTERNAL, "memory is out");
    }
    echo->host = host;
    echo->settings = settings;
    echo->skipped_offset = -1;
    echo->handled = host->counter("records_total", "", "Records echoed");
    if (echo->settings->advertise != NULL)
        host->advertise(host->context, echo->settings->advertise);
    *ret_instance = echo;
    return 0;
}

static int reload(void *instance, const void *settings, struct weir_error *err)
{
    (void)err;
    ((struct echo *)instance)->settings = settings;
    return 0;
}

static void close_echo(void *instance)
{
    struct echo *echo = instance;
    free(echo->large);
    free(echo);
}

static int assigned(void *instance, uint32_t source, int32_t partition, struct weir_error *err)
{
    struct echo *echo = instance;
    if (partition >= PARTITIONS_MAX)
        return weir_error_set(err, WEIR_E_CONFIG, "echo: at most %d partitions", PARTITIONS_MAX);
    echo->next[partition] = 0;
    weir_say(echo->host, WEIR_SAY_INFO, "echo.assigned", "source=%" PRIu32 " partition=%" PRId32, source,
        partition);
    return 0;
}

static void revoked(void *instance, uint32_t source, int32_t partition)
{
    weir_say(((struct echo *)instance)->host, WEIR_SAY_INFO, "echo.revoked",
        "source=%" PRIu32 " partition=%" PRId32, source, partition);
}

static bool begins(struct weir_bytes key, const char *word)
{
    size_t len = strlen(word);
    return key.len >= len && memcmp(key.data, word, len) == 0;
}

static bool is_shut(const struct echo *echo)
{
    return echo->settings->gate != NULL && access(echo->settings->gate, F_OK) == 0;
}

static bool must_retry(const struct echo *echo, const struct weir_record *record)
{
    if (begins(record->key, "fail") || (begins(record->key, "gated") && is_shut(echo)))
        return true;
    return begins(record->key, "retry") && record->key.len > 5 &&
           record->executions < record->key.data[5] - '0';
}

static bool skip_once(struct echo *echo, const struct weir_record *record)
{
    if (!begins(record->key, "skip") || echo->skipped_offset == record->offset)
        return false;
    echo->skipped_offset = record->offset;
    return true;
}

static struct weir_bytes value_of(const struct echo *echo, const struct weir_record *record)
{
    if (begins(record->key, "large"))
        return weir_bytes(echo->large, LARGE_BYTES);
    if (begins(record->key, "mark") && echo->settings->mark != NULL)
        return weir_bytes_str(echo->settings->mark);
    return record->value;
}

static void echo_record(struct echo *echo, struct weir_batch *batch, const struct weir_record *record)
{
    struct weir_error err;
    if (echo->host->emit(batch, record, echo->settings->topic, record->key, value_of(echo, record),
            record->headers, record->header_count, &err) >= 0) {
        echo->host->done(batch, record);
        return;
    }
    echo->host->fail(batch, record, WEIR_REJECT,
        &(struct weir_reason){.disposition = "too-large", .error_type = "size", .text = err.text});
}

static void handle_record(struct echo *echo, struct weir_batch *batch, const struct weir_record *record)
{
    if (begins(record->key, "reject"))
        echo->host->fail(batch, record, WEIR_REJECT,
            &(struct weir_reason){
                .disposition = "invalid", .error_type = "echo", .text = "the key asks for it"});
    else if (must_retry(echo, record))
        echo->host->fail(
            batch, record, WEIR_RETRY, &(struct weir_reason){.error_type = "echo", .text = "not yet"});
    else if (begins(record->key, "wait") && is_shut(echo))
        echo->host->fail(batch, record, WEIR_WAIT,
            &(struct weir_reason){.error_type = "gate", .text = "the gate is shut"});
    else if (!skip_once(echo, record))
        echo_record(echo, batch, record);
}

static int handle(void *instance, struct weir_batch *batch, struct weir_error *err)
{
    struct echo *echo = instance;
    for (const struct weir_record *record; (record = echo->host->next(batch)) != NULL;) {
        if (begins(record->key, "error") && is_shut(echo))
            return weir_error_set(err, WEIR_E_UNAVAILABLE, "echo: the gate is shut");
        if (begins(record->key, "crash"))
            _exit(CRASH_STATUS);
        while (begins(record->key, "hang"))
            pause();
        handle_record(echo, batch, record);
        echo->host->metric_add(echo->handled, 1);
    }
    return 0;
}

static int continue_at(struct echo *echo, int32_t partition, int64_t offset, struct weir_error *err)
{
    if (offset < echo->next[partition])
        return weir_error_set(err, WEIR_E_INTERNAL,
            "echo: partition %" PRId32 " is at %" PRId64 ", told of %" PRId64, partition,
            echo->next[partition], offset);
    echo->next[partition] = offset + 1;
    return 0;
}

static int committed(
    void *instance, struct weir_batch *batch, const struct weir_result *result, struct weir_error *err)
{
    (void)batch;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < result->output_count; i++)
        if (result->outputs[i].offset >= 0)
            rc = continue_at(instance, result->outputs[i].partition, result->outputs[i].offset, err);
    return rc;
}

static int table_position(void *instance, uint32_t table, uint32_t source, int32_t partition,
    int64_t *ret_offset, struct weir_error *err)
{
    const struct echo *echo = instance;
    (void)table;
    (void)source;
    (void)err;
    *ret_offset = echo->next[partition];
    return 0;
}

static int table_apply(
    void *instance, uint32_t table, const struct weir_record *records, size_t count, struct weir_error *err)
{
    (void)table;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = continue_at(instance, records[i].partition, records[i].offset, err);
    return rc;
}

static int table_caught_up(void *instance, uint32_t table, uint32_t source, int32_t partition, int64_t offset,
    struct weir_error *err)
{
    struct echo *echo = instance;
    (void)table;
    (void)source;
    if (offset < echo->next[partition])
        return weir_error_set(
            err, WEIR_E_CONFIG, "echo: the table of partition %" PRId32 " is too short", partition);
    echo->next[partition] = offset;
    return 0;
}

static bool health(void *instance, struct weir_buffer *detail)
{
    bool shut = is_shut(instance);
    ((struct echo *)instance)->host->health_detail(detail, "gate", shut ? "shut" : "open");
    return true;
}

WEIR_PLUGIN = {
    .abi = WEIR_PLUGIN_ABI,
    .struct_size = sizeof(struct weir_plugin),
    .name = "echo",
    .version = "1",
    .summary = "Emits what it gets; for tests of the host",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .settings_size = sizeof(struct settings),
    .tables = tables,
    .table_count = sizeof(tables) / sizeof(tables[0]),
    .check = check,
    .open = open_echo,
    .assigned = assigned,
    .revoked = revoked,
    .handle = handle,
    .committed = committed,
    .table_position = table_position,
    .table_apply = table_apply,
    .table_caught_up = table_caught_up,
    .health = health,
    .close = close_echo,
    .reload = reload,
};
