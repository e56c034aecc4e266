/* A plugin as it could be written against the first header of ABI 1. first.so is its binary; neither changes
 * any more. */
#include <weir/plugin.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct settings {
    char *greeting;
    int64_t pause_ms;
};

static const struct weir_option options[] = {
    {.key = "greeting",
        .type = WEIR_OPTION_STRING,
        .fallback = "hello",
        .offset = offsetof(struct settings, greeting),
        .help = "word before each key"},
    {.key = "pause",
        .type = WEIR_OPTION_DURATION,
        .fallback = "1s",
        .min = 1,
        .max = 60000,
        .offset = offsetof(struct settings, pause_ms),
        .help = "time between two ticks that emit"},
};

static const struct weir_table tables[] = {{.topic = "{source}.changes", .mode = WEIR_TABLE_OWNED}};

struct first {
    const struct weir_host *host;
    const struct settings *settings;
    struct weir_metric *handled, *applied;
    int64_t ticked_ms, outputs;
};

static int check(const void *settings, const struct weir_deployment *deployment, const char *service,
    struct weir_error *err)
{
    (void)deployment;
    (void)service;
    if (((const struct settings *)settings)->greeting[0] == '\0')
        return weir_fail(err, WEIR_E_CONFIG, "first.greeting is empty");
    return 0;
}

static int open_first(
    const struct weir_host *host, const void *settings, void **ret_instance, struct weir_error *err)
{
    struct first *first = calloc(1, sizeof(*first));
    if (first == NULL)
        return weir_fail(err, WEIR_E_INTERNAL, "memory is out");
    first->host = host;
    first->settings = settings;
    first->handled = host->counter("handled_total", "", "Records handled");
    first->applied = host->gauge("applied", "", "Next offset applied");
    weir_say(host, WEIR_SAY_INFO, "first.opened", "service=%s instance=%s", host->service, host->instance);
    *ret_instance = first;
    return 0;
}

static void greet(struct first *first, struct weir_batch *batch, const struct weir_record *record)
{
    char topic[256], text[600];
    struct weir_error err;
    const struct weir_header header = {"greeting", weir_bytes_str(first->settings->greeting)};
    snprintf(topic, sizeof(topic), "%s.changes", record->topic);
    snprintf(text, sizeof(text), "%s, %.*s", first->settings->greeting, (int)record->key.len,
        record->key.data != NULL ? record->key.data : "");
    if (record->key.data == NULL)
        first->host->fail(batch, record, WEIR_REJECT,
            &(struct weir_reason){.disposition = "invalid", .error_type = "key", .text = "there is no key"});
    else if (record->executions == 0 && weir_bytes_is(record->key, "again"))
        first->host->fail(
            batch, record, WEIR_RETRY, &(struct weir_reason){.error_type = "first", .text = "not yet"});
    else if (first->host->emit(batch, record, topic, record->key, weir_bytes_str(text), &header, 1, &err) < 0)
        first->host->fail(batch, record, WEIR_REJECT,
            &(struct weir_reason){.disposition = "too-large", .error_type = "size", .text = err.text});
    first->host->done(batch, record);
}

static int handle(void *instance, struct weir_batch *batch, struct weir_error *err)
{
    struct first *first = instance;
    (void)err;
    for (const struct weir_record *record; (record = first->host->next(batch)) != NULL;) {
        greet(first, batch, record);
        first->host->metric_add(first->handled, 1);
    }
    return 0;
}

static void tick(void *instance, struct weir_batch *batch)
{
    struct first *first = instance;
    char topic[256];
    if (first->host->now_ms() < first->ticked_ms + first->settings->pause_ms)
        return;
    first->ticked_ms = first->host->now_ms();
    snprintf(topic, sizeof(topic), "%s.changes", first->host->topics[0]);
    first->host->emit_at(batch, 0, 0, topic, weir_bytes_str("tick"), WEIR_BYTES_NULL, NULL, 0, NULL);
}

static int committed(
    void *instance, struct weir_batch *batch, const struct weir_result *result, struct weir_error *err)
{
    struct first *first = instance;
    (void)batch;
    (void)err;
    for (size_t i = 0; i < result->output_count; i++)
        first->outputs = result->outputs[i].offset + 1;
    first->host->metric_set(first->applied, first->outputs);
    return 0;
}

static void aborted(void *instance, struct weir_batch *batch)
{
    (void)batch;
    ((struct first *)instance)->ticked_ms = 0;
}

static int table_apply(
    void *instance, uint32_t table, const struct weir_record *records, size_t count, struct weir_error *err)
{
    (void)table;
    (void)err;
    for (size_t i = 0; i < count; i++)
        ((struct first *)instance)->outputs = records[i].offset + 1;
    return 0;
}

static bool health(void *instance, struct weir_buffer *detail)
{
    const struct first *first = instance;
    first->host->health_detail(detail, "greeting", first->settings->greeting);
    return true;
}

WEIR_PLUGIN = {
    .abi = WEIR_PLUGIN_ABI,
    .struct_size = sizeof(struct weir_plugin),
    .name = "first",
    .version = "1",
    .summary = "Was built against the first header of ABI 1",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .settings_size = sizeof(struct settings),
    .tables = tables,
    .table_count = 1,
    .open = open_first,
    .close = free,
    .handle = handle,
    .check = check,
    .committed = committed,
    .aborted = aborted,
    .tick = tick,
    .health = health,
    .table_apply = table_apply,
};
