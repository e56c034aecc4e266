#include "deploy/weirctl/store.h"

#include "common/config.h"
#include "deploy/weirctl/purge.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ALL "backup restore verify republish reset"

static const struct weir_option rows[] = {
    {.key = "--service",
        .type = WEIR_OPTION_STRING,
        .offset = offsetof(struct store_flags, service),
        .help = "NAME: whose documents; needed where several services keep some"},
    {.key = "--to",
        .type = WEIR_OPTION_PATH,
        .offset = offsetof(struct store_flags, to),
        .help = "DIR: where backups are kept, each in a folder of its own"},
    {.key = "--from",
        .type = WEIR_OPTION_PATH,
        .offset = offsetof(struct store_flags, from),
        .help = "DIR: one backup, or where they are kept: then the newest"},
    {.key = "--keep",
        .type = WEIR_OPTION_INTEGER,
        .offset = offsetof(struct store_flags, keep),
        .fallback = "0",
        .min = 0,
        .max = 10000,
        .help = "NUMBER: remove all backups but the newest so many; 0 keeps all"},
    {.key = "--yes",
        .type = WEIR_OPTION_BOOL,
        .offset = offsetof(struct store_flags, yes),
        .help = "do it; without it, only say what would be done (64)"},
};

static const char *const verbs[] = {ALL, "backup", "restore verify", "backup", "restore republish reset"};

_Static_assert(sizeof(rows) / sizeof(rows[0]) == sizeof(verbs) / sizeof(verbs[0]), "a row has its verbs");

const struct flag_table store_flags = {
    rows, verbs, sizeof(rows) / sizeof(rows[0]), sizeof(struct store_flags)};

static const struct weir_option_table options = {.section = "service *",
    .rows = weir_store_options,
    .count = WEIR_STORE_OPTION_COUNT,
    .settings_size = sizeof(struct weir_store_settings)};

bool store_is_one(const struct weir_service *service)
{
    const char *slash = strrchr(service->plugin, '/'), *name = slash != NULL ? slash + 1 : service->plugin;
    return strcmp(name, "store") == 0 || strcmp(name, "store.so") == 0;
}

int store_settings_read(const struct weir_deployment *deployment, const struct weir_service *service,
    struct weir_store_settings *ret_settings, struct weir_error *err)
{
    char section[300];

    *ret_settings = (struct weir_store_settings){0};
    snprintf(section, sizeof(section), "service %s", service->name);
    return weir_config_bind(deployment->config, section, "store.", &options, NULL, NULL, ret_settings, err);
}

void store_settings_done(struct weir_store_settings *settings)
{
    weir_option_free(&options, settings);
}

int store_path_of(const struct weir_deployment *deployment, const struct weir_service *service, char *out,
    size_t size, struct weir_error *err)
{
    struct weir_store_settings settings;

    out[0] = '\0';
    if (!store_is_one(service))
        return 0;
    int code = store_settings_read(deployment, service, &settings, err);
    if (code == 0)
        snprintf(out, size, "%s", settings.path);
    store_settings_done(&settings);
    return code;
}

static int find_service(struct store *store, struct weir_error *err)
{
    const struct weir_deployment *deployment = store->ctl->deployment;
    const char *wanted = store->flags->service;

    for (size_t i = 0; i < deployment->service_count; i++) {
        const struct weir_service *service = &deployment->services[i];
        if (!store_is_one(service) || (wanted != NULL && strcmp(service->name, wanted) != 0))
            continue;
        if (store->service != NULL)
            return weir_error_set(err, WEIR_E_USAGE,
                "services %s and %s keep documents: say which, --service NAME", store->service->name,
                service->name);
        store->service = service;
    }
    if (store->service != NULL)
        return 0;
    return weir_error_set(err, WEIR_E_USAGE, "the configuration has no [service %s] with plugin = store",
        wanted != NULL ? wanted : "NAME");
}

int store_open(struct weirctl *ctl, struct store *ret_store, struct weir_error *err)
{
    struct store *store = ret_store;

    *store = (struct store){.ctl = ctl, .flags = ctl->arguments->settings};
    progress_begin(&store->progress);
    if (ctl->deployment->kafka.dev)
        return weir_error_set(err, WEIR_E_UNSUPPORTED,
            "the dev broker forgets everything when it ends, and its store with it: nothing to %s",
            ctl->arguments->command->verb);
    int code = find_service(store, err);
    return code < 0 ? code : store_settings_read(ctl->deployment, store->service, &store->settings, err);
}

void store_close(struct store *store)
{
    progress_end(&store->progress);
    weir_kafka_scan_close(store->scan);
    weir_buffer_done(&store->told);
    store_settings_done(&store->settings);
}

int store_run(struct weirctl *ctl, store_work *work, struct weir_error *err)
{
    struct store store;

    int code = store_open(ctl, &store, err);
    if (code == 0)
        code = work(&store, err);
    if (code >= 0 && store.told.len > 0)
        printf("{\"done\":%s,\"told\":[%s]}\n", code == 0 ? "true" : "false", store.told.data);
    store_close(&store);
    return code;
}

void store_tell(struct store *store, const char *format, ...)
{
    char line[WEIR_ERROR_TEXT_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    progress_end(&store->progress);
    if (!store->ctl->arguments->json) {
        puts(line);
        return;
    }
    weir_buffer_append_str(&store->told, store->told.len > 0 ? "," : "");
    weir_buffer_append_json_string(&store->told, weir_bytes_str(line));
}

int store_connect(struct store *store, struct weir_error *err)
{
    int code = weirctl_connect(store->ctl, err);

    if (code == 0)
        code = weir_kafka_scan_open(
            store->ctl->deployment, "weirctl", (int)store->ctl->arguments->timeout_ms, &store->scan, err);
    if (code == 0)
        weir_kafka_scan_on_tick(store->scan, progress_tick, &store->progress);
    return code;
}

static int count_members(
    struct store *store, rd_kafka_event_t *event, size_t *ret_count, struct weir_error *err)
{
    size_t count = 0;

    if (event == NULL || rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return weir_error_set(err, WEIR_E_UNAVAILABLE, "group %s: %s", store->service->group,
            event != NULL ? rd_kafka_event_error_string(event) : "no answer in time");
    const rd_kafka_ConsumerGroupDescription_t **groups = rd_kafka_DescribeConsumerGroups_result_groups(
        rd_kafka_event_DescribeConsumerGroups_result(event), &count);
    *ret_count = count == 1 ? rd_kafka_ConsumerGroupDescription_member_count(groups[0]) : 0;
    return 0;
}

int store_check_stopped(struct store *store, struct weir_error *err)
{
    rd_kafka_t *kafka = store->ctl->kafka;
    const char *group = store->service->group;
    rd_kafka_AdminOptions_t *asking =
        rd_kafka_AdminOptions_new(kafka, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka);
    size_t members = 0;

    rd_kafka_AdminOptions_set_request_timeout(asking, weirctl_left_ms(store->ctl), NULL, 0);
    rd_kafka_DescribeConsumerGroups(kafka, &group, 1, asking, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, weirctl_left_ms(store->ctl) + 1000);
    int code = count_members(store, event, &members, err);
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(asking);
    if (code == 0 && members > 0)
        return weir_error_set(err, WEIR_E_BUSY,
            "%zu instances of service %s run, or were killed less than session.timeout.ms ago: stop all of "
            "them first",
            members, store->service->name);
    return code;
}
