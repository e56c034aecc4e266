/* Runs the notifier's plugin over records from stdin, without Kafka, and tells the verdicts.
 *
 *     notifier-driver [--check] [--deaf] [--reload] [--rounds N] [--config FILE] PLUGIN.so [KEY=VALUE …] <
 * records
 *
 * Settings as in the configuration, without "notifier."; --config FILE: those of its [service notifier]
 * first, and all else that it says; handle.timeout_ms=N and drain.timeout_ms=N are the service's. --deaf: no
 * connection can be shut down. SIGTERM is what it is to a host. A record is one line of JSON: {"key",
 * "value", "partition", "offset", "topic", "headers": {…}, "table": N}; key and value are strings or null;
 * with "table" it is a record of the plugin's table of subscriptions, or with "ledger" of its other one,
 * applied before round N. A round calls handle as a host does: again with what was not reached, until all
 * have a verdict, one has RETRY or WAIT, or none came. The next round begins, on each partition, with the
 * first record that has not ended (DONE or REJECT). Each record's verdict in a round is a line {"round",
 * "offset", "verdict": "done|retry|reject|wait|none", "disposition", "error_type", "text"}; the last line
 * holds the totals and, as "log", the values of what was committed to the ledger's log, as "commands" those
 * of all else. The ledger lies in a folder of its own unless ledger.path says another. Exit 0, or that of the
 * error.
 */
#include "mail/fake_host.h"

#include "common/clock.h"
#include "common/deployment.h"
#include "common/json.h"

#include <dlfcn.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool deaf, reloads;

/* In the place of libc's for the plugin too: a session that does not end when it is shut down, as one whose
 * thread the machine does not let run. */
__attribute__((visibility("default"))) int shutdown(int fd, int how)
{
    return deaf ? 0 : (int)syscall(SYS_shutdown, fd, how);
}

struct input {
    struct weir_record *records;
    int *rounds; /* of a table's record: before which it is applied; 0 of the others */
    uint32_t *tables;
    size_t count, capacity;
    json_t *lines; /* what the records point into */
};

static void input_done(struct input *input, struct weir_record *all, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free((void *)(uintptr_t)all[i].headers);
    free(all);
    free(input->records);
    free(input->rounds);
    free(input->tables);
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
        input->rounds = reallocarray(input->rounds, input->capacity, sizeof(*input->rounds));
        input->tables = reallocarray(input->tables, input->capacity, sizeof(*input->tables));
    }
    input->tables[input->count] = json_object_get(object, "ledger") != NULL;
    input->rounds[input->count] = (int)json_integer_value(
        json_object_get(object, input->tables[input->count] == 0 ? "table" : "ledger"));
    struct weir_record *record = &input->records[input->count++];
    json_array_append_new(input->lines, object);
    const char *topic = text_of(object, "topic").data;
    *record = (struct weir_record){.topic = topic != NULL ? topic : "orders.changes",
        .partition = (int32_t)json_integer_value(json_object_get(object, "partition")),
        .offset = json_integer_value(json_object_get(object, "offset")),
        .source = (uint32_t)json_integer_value(json_object_get(object, "source")),
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

/* Takes the tables' records out. */
static int apply_tables(const struct weir_plugin *plugin, void *instance, const struct input *input,
    int round, struct weir_error *err)
{
    int code = 0;

    for (size_t i = 0; i < input->count && code == 0; i++)
        if (input->rounds[i] == round)
            code = plugin->table_apply(instance, input->tables[i], &input->records[i], 1, err);
    return code;
}

static size_t leave_out_tables(const struct input *input, struct weir_record *records)
{
    size_t left = 0;

    for (size_t i = 0; i < input->count; i++)
        if (input->rounds[i] == 0)
            records[left++] = input->records[i];
    return left;
}

static const char *verdict_name(const struct fake_verdict *verdict)
{
    static const char *const names[] = {
        [WEIR_DONE] = "done", [WEIR_RETRY] = "retry", [WEIR_REJECT] = "reject", [WEIR_WAIT] = "wait"};
    if (verdict->given && verdict->deferred)
        return "defer";
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
static size_t rewind_batch(const struct fake_verdict *verdicts, struct weir_record *records, size_t count)
{
    bool stopped[FAKE_PARTITIONS] = {false};
    size_t left = 0;

    for (size_t i = 0; i < count; i++) {
        struct weir_record record = records[i];
        record.executions += verdicts[i].given && verdicts[i].verdict == WEIR_RETRY && !verdicts[i].deferred;
        stopped[record.partition] |= !has_ended(&verdicts[i]);
        if (stopped[record.partition])
            records[left++] = record;
    }
    return left;
}

/* What the calls of one round share. */
struct round {
    const struct weir_record *records;
    struct fake_verdict *verdicts; /* of all calls */
    size_t *open;                  /* records without a verdict, by index */
    size_t open_count;
};

struct totals {
    int64_t handles, longest_ms;
    json_t *log, *commands; /* values */
    size_t seen;            /* of them */
};

/* Ends what handle or tick began, as a host does: what was emitted for records that did not end is dropped.
 */
static int commit(const struct weir_plugin *plugin, void *instance, struct weir_batch *batch,
    struct totals *totals, struct weir_error *err)
{
    struct weir_output *outputs = calloc(fake_host_output_count() + 1, sizeof(*outputs));
    struct weir_result result = {.outputs = outputs};

    for (size_t i = 0; i < fake_host_output_count(); i++) {
        const struct fake_output *output = fake_host_output(i);
        if (output->output.cause != WEIR_NO_RECORD && !has_ended(&batch->verdicts[output->output.cause]))
            continue;
        outputs[result.output_count++] = output->output;
        bool is_log = strstr(output->output.topic, ".notifications") != NULL;
        json_array_append_new(is_log ? totals->log : totals->commands, json_string(output->value));
    }
    int code = plugin->committed(instance, batch, &result, err);
    free(outputs);
    fake_host_forget();
    return code;
}

static void bury(const struct weir_plugin *plugin, void *instance, struct weir_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        if (batch->verdicts[i].given && batch->verdicts[i].verdict == WEIR_REJECT)
            plugin->dead_letter(instance, batch, &batch->records[i], "", NULL);
}

/* Whether mails of records without a verdict went out: the rest of them is due. */
static bool has_moved(struct totals *totals)
{
    size_t before = totals->seen;

    totals->seen = json_array_size(totals->log);
    return totals->seen > before;
}

/* One call of handle with the records that have no verdict. *ret_again: it gave some, and all of them ended.
 */
static int call_handle(const struct weir_plugin *plugin, void *instance, struct round *round,
    struct totals *totals, bool *ret_again, struct weir_error *err)
{
    struct weir_record *records = calloc(round->open_count + 1, sizeof(*records));
    struct fake_verdict *verdicts = calloc(round->open_count + 1, sizeof(*verdicts));
    struct weir_batch batch = {.records = records, .verdicts = verdicts, .count = round->open_count};
    int64_t began_ms = weir_clock_ms();
    size_t left = 0;

    for (size_t i = 0; i < batch.count; i++) {
        records[i] = round->records[round->open[i]];
        records[i].index = (uint32_t)i;
    }
    int code = plugin->handle(instance, &batch, err);
    if (code == 0) {
        bury(plugin, instance, &batch);
        code = commit(plugin, instance, &batch, totals, err);
    }
    if (code == 0) {
        plugin->tick(instance, &batch);
        code = commit(plugin, instance, &batch, totals, err);
    }
    *ret_again = true;
    for (size_t i = 0; i < batch.count; i++) {
        round->verdicts[round->open[i]] = verdicts[i];
        *ret_again = *ret_again && (has_ended(&verdicts[i]) || !verdicts[i].given);
        if (!verdicts[i].given)
            round->open[left++] = round->open[i];
    }
    *ret_again = *ret_again && left > 0 && (left < batch.count || has_moved(totals));
    round->open_count = left;
    totals->handles++;
    if (weir_clock_ms() - began_ms > totals->longest_ms)
        totals->longest_ms = weir_clock_ms() - began_ms;
    free(records);
    free(verdicts);
    return code;
}

static int run_round(const struct weir_plugin *plugin, void *instance, struct input *input, int number,
    struct totals *totals, struct weir_error *err)
{
    struct round round = {.records = input->records, .open_count = input->count};
    bool again = true;
    int code = 0;

    round.verdicts = calloc(input->count + 1, sizeof(*round.verdicts));
    round.open = calloc(input->count + 1, sizeof(*round.open));
    for (size_t i = 0; i < input->count; i++)
        round.open[i] = i;
    while (code == 0 && again && !fake_host_stopping())
        code = call_handle(plugin, instance, &round, totals, &again, err);
    for (size_t i = 0; code == 0 && i < input->count; i++)
        tell(number, &input->records[i], &round.verdicts[i]);
    input->count = rewind_batch(round.verdicts, input->records, input->count);
    free(round.verdicts);
    free(round.open);
    return code;
}

static void tell_totals(const struct weir_plugin *plugin, void *instance, const struct totals *totals)
{
    struct weir_buffer detail = {0};
    char *log = json_dumps(totals->log, JSON_COMPACT | JSON_ENSURE_ASCII);
    char *commands = json_dumps(totals->commands, JSON_COMPACT | JSON_ENSURE_ASCII);
    bool healthy = plugin->health(instance, &detail);

    printf("{\"mails\":%lld,\"unknown\":%lld,\"sessions\":%lld,\"handles\":%lld,\"longest_ms\":%lld,"
           "\"healthy\":%s,\"log\":%s,\"commands\":%s,\"detail\":"
           "{%s}}\n",
        (long long)fake_host_counter("mails_total"), (long long)fake_host_counter("mails_unknown_total"),
        (long long)fake_host_counter("sessions_total"), (long long)totals->handles,
        (long long)totals->longest_ms, healthy ? "true" : "false", log, commands, detail.data);
    free(log);
    free(commands);
    weir_buffer_done(&detail);
}

static int set_setting(const struct weir_option_table *table, void *settings, struct weir_service *service,
    char *assignment, struct weir_error *err)
{
    char *value = strchr(assignment, '=');
    if (value == NULL)
        return weir_error_set(err, WEIR_E_USAGE, "%s is no KEY=VALUE", assignment);
    *value++ = '\0';
    int64_t *own = strcmp(assignment, "handle.timeout_ms") == 0  ? &service->handle_timeout_ms
                   : strcmp(assignment, "drain.timeout_ms") == 0 ? &service->drain_timeout_ms
                                                                 : NULL;
    if (own != NULL) {
        *own = strtoll(value, NULL, 10);
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
    struct input handed_out = {.records = calloc(count + 1, sizeof(*all))};
    handed_out.count = leave_out_tables(&input, handed_out.records);
    if (code == 0)
        code = plugin->open(fake_host(deployment), settings, &instance, err);
    struct totals totals = {.log = json_array(), .commands = json_array()};
    for (int32_t p = 0; code == 0 && p < FAKE_PARTITIONS; p++)
        code = plugin->table_caught_up(instance, 1, 0, p, 0, err);
    for (int round = 1; code == 0 && round <= rounds; round++) {
        struct weir_error refused;
        code = apply_tables(plugin, instance, &input, round, err);
        if (code == 0)
            code = run_round(plugin, instance, &handed_out, round, &totals, err);
        fflush(stdout);
        if (code == 0 && reloads && plugin->reload(instance, settings, &refused) < 0)
            fprintf(stderr, "reload refused: %s\n", refused.text);
    }
    if (instance != NULL) {
        tell_totals(plugin, instance, &totals);
        plugin->close(instance);
    }
    json_decref(totals.log);
    json_decref(totals.commands);
    free(handed_out.records);
    input_done(&input, all, count);
    return code;
}

static void on_term(int signal)
{
    (void)signal;
    fake_host_stop();
}

struct arguments {
    bool check_only;
    int rounds, rest; /* index of the plugin */
    const char *config;
};

static struct arguments read_arguments(int argc, char **argv)
{
    struct arguments arguments = {.rounds = 1, .rest = 1};

    for (; arguments.rest < argc && strncmp(argv[arguments.rest], "--", 2) == 0; arguments.rest++) {
        const char *flag = argv[arguments.rest];
        arguments.check_only |= strcmp(flag, "--check") == 0;
        deaf |= strcmp(flag, "--deaf") == 0;
        reloads |= strcmp(flag, "--reload") == 0;
        if (arguments.rest + 1 == argc)
            break;
        if (strcmp(flag, "--rounds") == 0)
            arguments.rounds = (int)strtol(argv[++arguments.rest], NULL, 10);
        if (strcmp(flag, "--config") == 0)
            arguments.config = argv[++arguments.rest];
    }
    return arguments;
}

/* The settings: the table's fallbacks or those of the file, then the command line. */
static int read_settings(const struct weir_option_table *table, struct weir_deployment *deployment,
    const struct arguments *arguments, int argc, char **argv, void *settings, struct weir_error *err)
{
    int code = arguments->config != NULL ? weir_config_bind(deployment->config, "service notifier",
                                               "notifier.", table, NULL, NULL, settings, err)
                                         : weir_option_defaults(table, settings, err);
    for (int at = arguments->rest + 1; code == 0 && at < argc; at++)
        code = set_setting(table, settings, &deployment->services[0], argv[at], err);
    return code;
}

/* A ledger that is removed at the end, unless one was named. */
static int choose_ledger(
    const struct weir_option_table *table, void *settings, char *folder, struct weir_error *err)
{
    const struct weir_option *row = weir_option_find(table, "ledger.path");

    if (*(char **)((char *)settings + row->offset) != NULL) {
        *folder = '\0';
        return 0;
    }
    if (mkdtemp(folder) == NULL)
        return weir_error_set(err, WEIR_E_DISK, "no folder can be made");
    return weir_option_set(row, settings, folder, err);
}

static int remove_one(const char *path, const struct stat *entry, int type, struct FTW *walk)
{
    (void)entry, (void)type, (void)walk;
    return remove(path);
}

static int drive(const struct weir_plugin *plugin, struct weir_deployment *deployment,
    const struct arguments *arguments, int argc, char **argv, struct weir_error *err)
{
    const struct weir_option_table table = {.section = "service *",
        .rows = plugin->options,
        .count = plugin->option_count,
        .settings_size = plugin->settings_size};
    void *settings = calloc(1, plugin->settings_size);

    char ledger[] = "/tmp/weir-ledger-XXXXXX";
    int code = read_settings(&table, deployment, arguments, argc, argv, settings, err);
    if (code == 0)
        code = choose_ledger(&table, settings, ledger, err);
    if (code == 0)
        code = plugin->check(settings, deployment, "notifier", err);
    if (code == 0 && !arguments->check_only)
        code = run(plugin, settings, deployment, arguments->rounds, err);
    if (ledger[0] != '\0')
        nftw(ledger, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    weir_option_free(&table, settings);
    free(settings);
    return code;
}

int main(int argc, char **argv)
{
    struct weir_error err = {0};
    struct weir_service service = {
        .name = (char *)"notifier", .handle_timeout_ms = 60000, .drain_timeout_ms = 20000};
    struct weir_deployment plain = {.services = &service, .service_count = 1};
    WEIR_CLEANUP(deployment) struct weir_deployment *loaded = NULL;
    const struct arguments arguments = read_arguments(argc, argv);

    void *library = arguments.rest < argc ? dlopen(argv[arguments.rest], RTLD_NOW | RTLD_LOCAL) : NULL;
    const struct weir_plugin *plugin = library != NULL ? dlsym(library, "weir_plugin") : NULL;
    if (plugin == NULL) {
        fprintf(stderr, "no plugin: %s\n", dlerror());
        return 64;
    }
    weir_json_init();
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_term}, NULL);
    int code = arguments.config != NULL ? weir_deployment_load(arguments.config, &loaded, &err) : 0;
    if (code == 0)
        code = drive(plugin, loaded != NULL ? loaded : &plain, &arguments, argc, argv, &err);
    return code < 0 ? refuse("notifier-driver", &err) : 0;
}
