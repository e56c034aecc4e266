/* Runs the notifier's plugin over records from stdin, without Kafka, and tells the verdicts.
 *
 *     notifier-driver [--check] [--rounds N] PLUGIN.so [KEY=VALUE …] < records
 *
 * Settings as in the configuration, without "notifier."; handle.timeout_ms=N is the service's. A record is
 * one line of JSON: {"key", "value", "partition", "offset", "topic", "headers": {…}}; key and value are
 * strings or null. Every round calls handle once, with what a host that rewinds would hand out: on each
 * partition, from the first record on that has not ended (DONE or REJECT); and prints a line of JSON for
 * each:
 * {"round", "offset", "verdict": "done|retry|reject|wait|none", "disposition", "error_type", "text"}; at the
 * end one with the totals. Exit 0, or that of the error. */
#include "mail/fake_host.h"

#include "common/clock.h"
#include "common/deployment.h"
#include "common/json.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct input {
    struct weir_record *records;
    size_t count, capacity;
    json_t *lines; /* what the records point into */
};

static void input_done(struct input *input, struct weir_record *all, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free((void *)(uintptr_t)all[i].headers);
    free(all);
    free(input->records);
    json_decref(input->lines);
}

static int refuse(const char *what, const struct weir_error *err)
{
    fprintf(stderr, "%s: %s\n", what, err->text);
    return weir_code_exit_status(err->code);
}

static struct weir_bytes text_of(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    if (!json_is_string(value))
        return WEIR_BYTES_NULL;
    return weir_bytes(json_string_value(value), json_string_length(value));
}

static void take_headers(struct weir_record *record, json_t *headers)
{
    struct weir_header *list = calloc(json_object_size(headers) + 1, sizeof(*list));
    const char *name;
    json_t *value;

    record->headers = list;
    json_object_foreach(headers, name, value)
    {
        list[record->header_count].name = name;
        list[record->header_count++].value = weir_bytes(json_string_value(value), json_string_length(value));
    }
}

static int take_record(struct input *input, const char *line, struct weir_error *err)
{
    json_error_t fault;
    json_t *object = json_loads(line, JSON_ALLOW_NUL, &fault);
    if (object == NULL)
        return weir_error_set(err, WEIR_E_INVALID, "record %zu: %s", input->count, fault.text);
    if (input->count == input->capacity) {
        input->capacity = input->capacity * 2 + 64;
        input->records = reallocarray(input->records, input->capacity, sizeof(*input->records));
    }
    struct weir_record *record = &input->records[input->count++];
    json_array_append_new(input->lines, object);
    const char *topic = text_of(object, "topic").data;
    *record = (struct weir_record){.topic = topic != NULL ? topic : "orders.changes",
        .partition = (int32_t)json_integer_value(json_object_get(object, "partition")),
        .offset = json_integer_value(json_object_get(object, "offset")),
        .key = text_of(object, "key"),
        .value = text_of(object, "value")};
    take_headers(record, json_object_get(object, "headers"));
    if (record->partition < 0 || record->partition >= FAKE_PARTITIONS)
        return weir_error_set(err, WEIR_E_INVALID, "partition %d", (int)record->partition);
    return 0;
}

static int read_input(struct input *input, struct weir_error *err)
{
    char *line = NULL;
    size_t size = 0;
    int code = 0;

    while (code == 0 && getline(&line, &size, stdin) > 0)
        code = take_record(input, line, err);
    free(line);
    return code;
}

static const char *verdict_name(const struct fake_verdict *verdict)
{
    static const char *const names[] = {
        [WEIR_DONE] = "done", [WEIR_RETRY] = "retry", [WEIR_REJECT] = "reject", [WEIR_WAIT] = "wait"};
    return verdict->given ? names[verdict->verdict] : "none";
}

static void tell(int round, const struct weir_record *record, const struct fake_verdict *verdict)
{
    json_t *line = json_pack("{s:i, s:I, s:s, s:s, s:s, s:s}", "round", round, "offset",
        (json_int_t)record->offset, "verdict", verdict_name(verdict), "disposition", verdict->disposition,
        "error_type", verdict->error_type, "text", verdict->text);
    char *text = json_dumps(line, JSON_COMPACT);
    puts(text != NULL ? text : "{\"error\":\"a reason is not UTF-8\"}");
    free(text);
    json_decref(line);
}

static bool has_ended(const struct fake_verdict *verdict)
{
    return verdict->given && (verdict->verdict == WEIR_DONE || verdict->verdict == WEIR_REJECT);
}

/* The records of the next round, in place: of each partition those that its position does not pass. */
static size_t rewind_batch(const struct weir_batch *batch, struct weir_record *records)
{
    bool stopped[FAKE_PARTITIONS] = {false};
    size_t left = 0;

    for (size_t i = 0; i < batch->count; i++) {
        struct weir_record record = records[i];
        stopped[record.partition] |= !has_ended(&batch->verdicts[i]);
        if (stopped[record.partition])
            records[left++] = record;
    }
    return left;
}

static int run_round(
    const struct weir_plugin *plugin, void *instance, struct input *input, int round, struct weir_error *err)
{
    struct fake_verdict *verdicts = calloc(input->count + 1, sizeof(*verdicts));
    struct weir_batch batch = {.records = input->records, .verdicts = verdicts, .count = input->count};
    int code = plugin->handle(instance, &batch, err);

    for (size_t i = 0; code == 0 && i < input->count; i++)
        tell(round, &input->records[i], &verdicts[i]);
    input->count = rewind_batch(&batch, input->records);
    free(verdicts);
    return code;
}

static void tell_totals(const struct weir_plugin *plugin, void *instance, int64_t elapsed_ms)
{
    struct weir_buffer detail = {0};
    bool healthy = plugin->health(instance, &detail);

    printf("{\"mails\":%lld,\"sessions\":%lld,\"elapsed_ms\":%lld,\"healthy\":%s,\"detail\":{%s}}\n",
        (long long)fake_host_counter("weir_notifier_mails_total"),
        (long long)fake_host_counter("weir_notifier_sessions_total"), (long long)elapsed_ms,
        healthy ? "true" : "false", detail.data);
    weir_buffer_done(&detail);
}

static int set_setting(const struct weir_option_table *table, void *settings, struct weir_service *service,
    char *assignment, struct weir_error *err)
{
    char *value = strchr(assignment, '=');
    if (value == NULL)
        return weir_error_set(err, WEIR_E_USAGE, "%s is no KEY=VALUE", assignment);
    *value++ = '\0';
    if (strcmp(assignment, "handle.timeout_ms") == 0) {
        service->handle_timeout_ms = strtoll(value, NULL, 10);
        return 0;
    }
    const struct weir_option *row = weir_option_find(table, assignment);
    if (row == NULL)
        return weir_error_set(err, WEIR_E_CONFIG, "unknown key %s", assignment);
    return weir_option_set(row, settings, value, err);
}

static int run(const struct weir_plugin *plugin, const void *settings,
    const struct weir_deployment *deployment, int rounds, struct weir_error *err)
{
    struct input input = {.lines = json_array()};
    void *instance = NULL;

    int code = read_input(&input, err);
    size_t count = input.count;
    struct weir_record *all = calloc(count + 1, sizeof(*all));
    if (count > 0)
        memcpy(all, input.records, count * sizeof(*all));
    if (code == 0)
        code = plugin->open(fake_host(deployment), settings, &instance, err);
    int64_t began_ms = weir_clock_ms();
    for (int round = 1; code == 0 && round <= rounds; round++) {
        code = run_round(plugin, instance, &input, round, err);
        fflush(stdout);
    }
    if (instance != NULL) {
        tell_totals(plugin, instance, weir_clock_ms() - began_ms);
        plugin->close(instance);
    }
    input_done(&input, all, count);
    return code;
}

int main(int argc, char **argv)
{
    struct weir_error err = {0};
    struct weir_service service = {.name = (char *)"notifier", .handle_timeout_ms = 60000};
    const struct weir_deployment deployment = {.services = &service, .service_count = 1};
    bool check_only = false;
    int rounds = 1, at = 1;

    for (; at < argc && strncmp(argv[at], "--", 2) == 0; at++) {
        check_only |= strcmp(argv[at], "--check") == 0;
        if (strcmp(argv[at], "--rounds") == 0 && at + 1 < argc)
            rounds = (int)strtol(argv[++at], NULL, 10);
    }
    void *library = at < argc ? dlopen(argv[at], RTLD_NOW | RTLD_LOCAL) : NULL;
    const struct weir_plugin *plugin = library != NULL ? dlsym(library, "weir_plugin") : NULL;
    if (plugin == NULL) {
        fprintf(stderr, "no plugin: %s\n", dlerror());
        return 64;
    }
    weir_json_init();
    const struct weir_option_table table = {.section = "service *",
        .rows = plugin->options,
        .count = plugin->option_count,
        .settings_size = plugin->settings_size};
    void *settings = calloc(1, plugin->settings_size);
    int code = weir_option_defaults(&table, settings, &err);
    for (at++; code == 0 && at < argc; at++)
        code = set_setting(&table, settings, &service, argv[at], &err);
    if (code == 0)
        code = plugin->check(settings, &deployment, service.name, &err);
    if (code == 0 && !check_only)
        code = run(plugin, settings, &deployment, rounds, &err);
    weir_option_free(&table, settings);
    free(settings);
    return code < 0 ? refuse("notifier-driver", &err) : 0;
}
