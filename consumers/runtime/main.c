/* weir-consumer: runs one plugin over the topics of one [service]. */
#include "common/drain.h"
#include "common/http.h"
#include "common/json.h"
#include "common/log.h"
#include "common/service.h"
#include "consumers/runtime/loop.h"
#include "consumers/runtime/runtime.h"
#include "consumers/runtime/start.h"
#include "consumers/runtime/try.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#ifndef WEIR_VERSION
#define WEIR_VERSION "0"
#endif

struct arguments {
    const char *config, *service, *instance;
    const char *number; /* of --service NAME_N; NULL without one */
    const char *sample; /* --try */
    bool check, help, from_beginning, json;
};

/* Beyond WEIR_INSTANCE_BYTES, which check_instance() refuses, so that nothing is cut off unseen. */
enum { INSTANCE_BYTES = 2 * WEIR_INSTANCE_BYTES };
enum { OPTION_CHECK = 256, OPTION_FROM_BEGINNING, OPTION_TRY, OPTION_JSON };

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"service", required_argument, NULL, 's'},
    {"instance", required_argument, NULL, 'i'},
    {"from-beginning", no_argument, NULL, OPTION_FROM_BEGINNING},
    {"check-config", no_argument, NULL, OPTION_CHECK},
    {"try", required_argument, NULL, OPTION_TRY},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {0},
};

static const char usage[] =
    "weir-consumer runs the plugin of one service: records of its topics in, records of its own and the "
    "consumed\n"
    "offsets out in one Kafka transaction.\n"
    "\n"
    "  --service NAME     the [service NAME] to run (required); NAME_2, NAME_3, …: more processes of "
    "it on this host\n"
    "  --instance NAME    tells this process from others of the service; default: the host's name, with _2 "
    "for NAME_2\n"
    "  --config FILE      default $WEIR_CONFIG, else /etc/weir/weir.conf\n"
    "  --from-beginning   handle partitions without a committed offset from their beginning, even if this "
    "service\n"
    "                     has written for them before\n"
    "  --check-config     check the configuration and the plugin's settings, then end\n"
    "  --try FILE         have the plugin handle one sample record without Kafka and print verdict, reason "
    "and\n"
    "                     outputs; the plugin's own effects are real. FILE is JSON: {\"topic\", "
    "\"partition\", \"offset\",\n"
    "                     \"key\", \"value\", \"headers\", \"timestamp_ms\", \"executions\"}; only value is "
    "needed. Exit status:\n"
    "                     0 DONE, 65 REJECT, 66 FILE is wrong, 69 WAIT, 70 no verdict, 75 RETRY or deferred\n"
    "  --json             with --try: print one JSON object\n"
    "  --help             this; with --service also the plugin's options\n"
    "  --version\n"
    "\n"
    "Plugins are looked for in $WEIR_PLUGIN_PATH, beside the program and in the installed folder.\n";

static int fail(const struct weir_error *err)
{
    fprintf(stderr, "weir-consumer: %s\n", err->text);
    return weir_code_exit_status(err->code);
}

/* NAME_N, which systemd can make a user's and a folder's name of; a service's own name has no underscore. */
static void take_service(char *name, struct arguments *arguments)
{
    char *number = strchr(name, '_');

    arguments->service = name;
    if (number == NULL || number[1] < '1' || number[1] > '9' ||
        number[1 + strspn(number + 1, "0123456789")] != '\0')
        return;
    *number = '\0';
    arguments->number = number + 1;
}

/* 1: go on; 0: told all that was asked for; negative: wrong. */
static int parse(int argc, char **argv, struct arguments *arguments, struct weir_error *err)
{
    for (int option; (option = getopt_long(argc, argv, "c:s:i:hV", long_options, NULL)) != -1;) {
        switch (option) {
        case 'c':
            arguments->config = optarg;
            break;
        case 's':
            take_service(optarg, arguments);
            break;
        case 'i':
            arguments->instance = optarg;
            break;
        case OPTION_FROM_BEGINNING:
            arguments->from_beginning = true;
            break;
        case OPTION_CHECK:
            arguments->check = true;
            break;
        case OPTION_TRY:
            arguments->sample = optarg;
            break;
        case OPTION_JSON:
            arguments->json = true;
            break;
        case 'h':
            arguments->help = true;
            break;
        case 'V':
            puts("weir-consumer " WEIR_VERSION);
            return 0;
        default:
            return weir_error_set(err, WEIR_E_USAGE, "try --help");
        }
    }
    if (optind < argc)
        return weir_error_set(err, WEIR_E_USAGE, "unexpected argument %s; try --help", argv[optind]);
    if (arguments->json && arguments->sample == NULL)
        return weir_error_set(err, WEIR_E_USAGE, "--json goes with --try FILE; try --help");
    if (arguments->service == NULL && !arguments->help)
        return weir_error_set(err, WEIR_E_USAGE, "--service NAME is missing; try --help");
    return 1;
}

static const struct weir_service *find_service(
    const struct weir_deployment *deployment, const char *name, struct weir_error *err)
{
    const struct weir_service *service = weir_deployment_service(deployment, name);
    if (service != NULL)
        return service;
    WEIR_CLEANUP(buffer) struct weir_buffer known = {0};
    for (size_t i = 0; i < deployment->service_count; i++)
        weir_buffer_printf(&known, "%s%s", i > 0 ? ", " : "", deployment->services[i].name);
    weir_error_set(err, WEIR_E_CONFIG, "there is no [service %s]; there is %s", name,
        known.len > 0 ? known.data : "none at all");
    return NULL;
}

static int help(const struct arguments *arguments, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer out = {0};
    fputs(usage, stdout);
    weir_buffer_append_str(&out, "\nKeys of a [service]:\n");
    weir_option_help(&weir_service_options, &out);
    int rc = 0;
    if (arguments->service != NULL) {
        WEIR_CLEANUP(deployment) struct weir_deployment *deployment = NULL;
        WEIR_CLEANUP(plugin_loaded) struct weir_plugin_loaded *loaded = NULL;
        const struct weir_service *service = NULL;
        rc = weir_deployment_load(arguments->config, &deployment, err);
        if (rc == 0 && (service = find_service(deployment, arguments->service, err)) == NULL)
            rc = err->code;
        if (rc == 0)
            rc = weir_plugin_load(deployment, service, &loaded, err);
        if (rc == 0) {
            weir_buffer_printf(
                &out, "\nKeys of plugin %s, each with the prefix %s\n", loaded->plugin.name, loaded->prefix);
            weir_option_help(&loaded->table, &out);
        }
    }
    if (out.data != NULL)
        fputs(out.data, stdout);
    return rc;
}

/* Letters of Kafka's ids; they appear in logs and metrics as they are. */
static int check_instance(const char *instance, struct weir_error *err)
{
    size_t len = strspn(instance, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    if (len == 0 || instance[len] != '\0' || len >= WEIR_INSTANCE_BYTES)
        return weir_error_set(err, WEIR_E_USAGE,
            "--instance %s: 1 to %d letters, digits, dots, hyphens and underscores are allowed", instance,
            WEIR_INSTANCE_BYTES - 1);
    return 0;
}

/* A handler may hang, or a broker in the middle of a transaction or of leaving: neither is waited for beyond
 * drain.timeout after SIGTERM. An open transaction is ended by the next process, so that only a hanging
 * handler is a failure. */
static const char *end_late(void *context, int *ret_status)
{
    const struct weir_runtime *runtime = context;
    bool handling = runtime->monitor.handling;
    *ret_status = handling ? weir_code_exit_status(WEIR_E_INTERNAL) : EXIT_SUCCESS;
    return handling ? "plugin" : "kafka";
}

static int listen_for_operators(struct weir_runtime *runtime, const struct weir_management *management,
    struct weir_http **ret_http, struct weir_error *err)
{
    if (runtime->service->management_listen == NULL)
        return 0;
    int rc = weir_management_listen(runtime->service->management_listen, management, ret_http, err);
    if (rc == 0)
        weir_log(WEIR_LOG_INFO, "management.listening", "address=%s", weir_http_address(*ret_http));
    return rc;
}

static int run(struct weir_runtime *runtime, struct weir_error *err)
{
    struct weir_management management = {.ready = weir_monitor_ready, .context = runtime};
    struct weir_http *http = NULL;
    weir_monitor_init(&runtime->monitor, runtime->deployment->kafka.window_ms);
    int rc = weir_drain_limit(runtime->service->drain_timeout_ms, end_late, runtime);
    if (rc < 0)
        weir_error_set(err, rc, "threads are out");
    if (rc == 0)
        rc = listen_for_operators(runtime, &management, &http, err);
    weir_log(WEIR_LOG_NOTICE, "consumer.starting", "version=%s service=%s instance=%s plugin=%s",
        WEIR_VERSION, runtime->service->name, runtime->instance, runtime->loaded->path);
    if (rc == 0)
        rc = weir_start(runtime, err);
    if (rc == 0 && !weir_service_stopping())
        rc = weir_loop_run(runtime, err);
    weir_log(WEIR_LOG_NOTICE, "consumer.ending", "reason=\"%s\"", rc < 0 ? err->text : "asked to");
    runtime->monitor.stopping = true;
    weir_http_close(http); /* its threads look at the plugin */
    weir_end(runtime, rc < 0 ? weir_code_exit_status(rc) : EXIT_SUCCESS);
    return rc;
}

static int name_instance(
    const struct arguments *arguments, char to[static INSTANCE_BYTES], struct weir_error *err)
{
    char host_name[WEIR_INSTANCE_BYTES] = "";
    const char *name = arguments->instance, *number = name == NULL ? arguments->number : NULL;

    if (name == NULL && gethostname(host_name, sizeof(host_name) - 1) < 0)
        return weir_error_set(
            err, WEIR_E_USAGE, "the host has no name (%s); give --instance", strerror(errno));
    snprintf(to, INSTANCE_BYTES, "%s%s%s", name != NULL ? name : host_name, number != NULL ? "_" : "",
        number != NULL ? number : "");
    return check_instance(to, err);
}

static int prepare(struct weir_runtime *runtime, const struct arguments *arguments,
    char instance[static INSTANCE_BYTES], struct weir_error *err)
{
    int rc = name_instance(arguments, instance, err);
    runtime->instance = instance;
    if (rc < 0)
        return rc;
    snprintf(runtime->id, sizeof(runtime->id), "%s.%s", runtime->service->name, runtime->instance);
    runtime->plugin = &runtime->loaded->plugin;
    return 0;
}

static void init_log(const struct weir_deployment *deployment)
{
    weir_log_init((enum weir_log_level)deployment->log.level, weir_log_format_of(deployment->log.format));
}

static int consume(const struct arguments *arguments, struct weir_error *err)
{
    WEIR_CLEANUP(deployment) struct weir_deployment *deployment = NULL;
    WEIR_CLEANUP(plugin_loaded) struct weir_plugin_loaded *loaded = NULL;
    static struct weir_runtime runtime;
    char instance[INSTANCE_BYTES] = "";
    int rc = weir_deployment_load(arguments->config, &deployment, err);
    if (rc < 0)
        return rc;
    runtime.deployment = deployment;
    runtime.config = arguments->config;
    runtime.service = find_service(deployment, arguments->service, err);
    if (runtime.service == NULL)
        return err->code;
    rc = weir_plugin_try(deployment, runtime.service, err);
    if (rc < 0 || arguments->check)
        return rc;
    rc = weir_plugin_load(deployment, runtime.service, &loaded, err);
    if (rc < 0)
        return rc;
    runtime.loaded = loaded;
    runtime.from_beginning = arguments->from_beginning;
    rc = prepare(&runtime, arguments, instance, err);
    if (rc < 0)
        return rc;
    init_log(deployment);
    if (weir_service_signals_init() < 0)
        return weir_error_set(err, WEIR_E_INTERNAL, "signals can't be set up");
    weir_json_init();
    return run(&runtime, err);
}

static int try_sample(const struct arguments *arguments, int *ret_status, struct weir_error *err)
{
    WEIR_CLEANUP(deployment) struct weir_deployment *deployment = NULL;
    int rc = weir_deployment_load(arguments->config, &deployment, err);
    if (rc < 0)
        return rc;
    const struct weir_service *service = find_service(deployment, arguments->service, err);
    if (service == NULL)
        return err->code;
    rc = weir_plugin_try(deployment, service, err);
    if (rc < 0)
        return rc;
    init_log(deployment);
    return weir_try_run(
        arguments->config, deployment, service, arguments->sample, arguments->json, ret_status, err);
}

int main(int argc, char **argv)
{
    int status = EXIT_SUCCESS;
    struct weir_error err = {0};
    struct arguments arguments = {.config = weir_deployment_default_path()};
    int rc = parse(argc, argv, &arguments, &err);
    if (rc > 0 && arguments.help)
        rc = help(&arguments, &err);
    else if (rc > 0 && arguments.sample != NULL)
        rc = try_sample(&arguments, &status, &err);
    else if (rc > 0)
        rc = consume(&arguments, &err);
    if (rc == 0)
        return status;
    int code = fail(&err);
    return status != EXIT_SUCCESS ? status : code;
}
