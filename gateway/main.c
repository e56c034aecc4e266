/* weir-gateway: HTTP in, Kafka out. Puts the parts together, looks after the producer, and takes all down
 * again. */
#include "common/clock.h"
#include "common/deployment.h"
#include "common/drain.h"
#include "common/http.h"
#include "common/json.h"
#include "common/kafka_property.h"
#include "common/log.h"
#include "common/rate.h"
#include "common/schema.h"
#include "common/service.h"
#include "common/tls.h"
#include "gateway/access.h"
#include "gateway/command.h"
#include "gateway/dlq.h"
#include "gateway/feed.h"
#include "gateway/gateway.h"
#include "gateway/keys.h"
#include "gateway/openapi.h"
#include "gateway/owner.h"
#include "gateway/pending.h"
#include "gateway/produce.h"
#include "gateway/read.h"
#include "gateway/server.h"
#include "gateway/store_tls.h"
#include "gateway/try.h"

#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

enum { WATCH_MS = 100, LAST_MS = 5000, EXIT_USAGE = 64 };

struct arguments {
    const char *config;
    const char *sample, *body; /* --try, --body */
    bool check_only;
    bool done; /* --help or --version was answered */
};

static void print_help(void)
{
    WEIR_CLEANUP(buffer) struct weir_buffer options = {0};
    weir_option_help(&weir_gateway_options, &options);
    printf(
        "usage: weir-gateway [--config FILE] [--check-config | --try REQUEST [--body FILE]]\n"
        "Takes documents by HTTP, puts them on Kafka, and answers once Kafka has them.\n\n"
        "  --config FILE    the configuration (default: $WEIR_CONFIG, then /etc/weir/weir.conf)\n"
        "  --check-config   read the configuration, say what is wrong, and end\n"
        "  --try REQUEST    say what would be done with 'METHOD PATH', e.g. 'POST /v1/orders', as one JSON\n"
        "                   object, and end: status, route, key, partition, problem; nothing is written\n"
        "                   (65: it would be refused)\n"
        "  --body FILE      with --try: the request's body; - is standard input\n"
        "  --help, --version\n\n"
        "Keys of [gateway]:\n%s",
        options.failed ? "" : options.data);
}

/* 0, or the exit status. */
static int read_arguments(int argc, char **argv, struct arguments *arguments)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"check-config", no_argument, NULL, 'k'},
        {"try", required_argument, NULL, 't'},
        {"body", required_argument, NULL, 'b'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},
        {0},
    };
    *arguments = (struct arguments){.config = weir_deployment_default_path()};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == '?')
            return EXIT_USAGE;
        if (option == 'c')
            arguments->config = optarg;
        if (option == 't')
            arguments->sample = optarg;
        if (option == 'b')
            arguments->body = optarg;
        arguments->check_only |= option == 'k';
        arguments->done |= option == 'h' || option == 'v';
        if (option == 'h')
            print_help();
        if (option == 'v')
            printf("weir-gateway %s\n", WEIR_VERSION);
    }
    if (optind == argc)
        return 0;
    fprintf(stderr, "weir-gateway: unknown argument \"%s\"; see --help\n", argv[optind]);
    return EXIT_USAGE;
}

static int load_schema(
    const struct weir_gateway *gateway, struct weir_gateway_collection *collection, struct weir_error *err)
{
    const struct weir_collection *config = collection->config;
    char section[80];

    if (config->schema == NULL)
        return 0;
    int rc = weir_schema_load(config->schema, config->schema_formats, &collection->schema, err);
    snprintf(section, sizeof(section), "collection %s", config->name);
    if (rc < 0)
        weir_error_prefix(
            err, "%s: schema", weir_config_where(gateway->deployment->config, section, "schema"));
    return rc == WEIR_E_INTERNAL || rc == 0 ? rc : WEIR_E_CONFIG;
}

static int make_collections(struct weir_gateway *gateway, struct weir_error *err)
{
    const struct weir_deployment *deployment = gateway->deployment;
    gateway->collections = calloc(deployment->collection_count + 1, sizeof(*gateway->collections));
    if (gateway->collections == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    gateway->collection_count = deployment->collection_count;
    int rc = 0;
    for (size_t i = 0; i < gateway->collection_count && rc == 0; i++) {
        struct weir_gateway_collection *collection = &gateway->collections[i];
        collection->config = &deployment->collections[i];
        collection->index = i;
        for (int operation = 0; operation < WEIR_GATEWAY_OPERATIONS; operation++)
            snprintf(collection->types[operation], WEIR_GATEWAY_TYPE_BYTES, "weir.%s.%s",
                collection->config->name, weir_operation_name((enum weir_operation)operation));
        rc = load_schema(gateway, collection, err);
    }
    return rc;
}

static void free_collections(struct weir_gateway *gateway)
{
    for (size_t i = 0; i < gateway->collection_count; i++)
        weir_schema_free(gateway->collections[i].schema);
    free(gateway->collections);
}

static bool is_ready(void *context, struct weir_buffer *detail)
{
    struct weir_gateway *gateway = context;
    bool draining = atomic_load(&gateway->draining);
    bool ready = weir_produce_ready(gateway->produce, detail);
    weir_buffer_printf(detail, ",\"draining\":%s", draining ? "true" : "false");
    return ready && !draining;
}

static bool make_rate(struct weir_gateway *gateway)
{
    int64_t limit = gateway->settings.rate_limit, burst = gateway->settings.rate_burst;
    if (limit == 0)
        return true;
    gateway->rate = weir_rate_new(limit, burst > 0 ? burst : limit);
    return gateway->rate != NULL;
}

static int open_parts(struct weir_gateway *gateway, struct weir_error *err)
{
    gateway->access =
        weir_access_new(gateway->settings.access_log, weir_log_format_of(gateway->deployment->log.format));
    gateway->pending = weir_pending_new(gateway->settings.timeout_ms);
    if (gateway->access == NULL || gateway->pending == NULL || !make_rate(gateway))
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    int rc = weir_produce_open(gateway, weir_command_reported, &gateway->produce, err);
    if (rc == 0)
        rc = weir_read_open(gateway, &gateway->read, err);
    if (rc == 0)
        rc = weir_owner_open(gateway, weir_read_learnt, gateway->read, &gateway->owner, err);
    if (rc == 0 && gateway->settings.feed)
        rc = weir_feed_open(gateway, &gateway->feed, err);
    if (rc == 0 && gateway->settings.dlq)
        rc = weir_dlq_open(gateway, &gateway->dlq, err);
    return rc == 0 ? weir_server_open(gateway, &gateway->server, err) : rc;
}

/* The order matters: no part may be called by another that is still there. `rc` is how it came to this. */
static void close_parts(struct weir_gateway *gateway, int rc)
{
    weir_feed_end(gateway->feed);
    weir_dlq_end(gateway->dlq);
    weir_server_close(gateway->server, weir_drain_left_ms() * 3 / 4);
    atomic_store(&gateway->late_status, rc < 0 ? weir_code_exit_status(rc) : EXIT_SUCCESS);
    weir_feed_close(gateway->feed);
    weir_dlq_close(gateway->dlq);
    weir_owner_close(gateway->owner);
    weir_read_close(gateway->read);
    weir_produce_close(gateway->produce);
    weir_server_free(gateway->server);
    weir_pending_free(gateway->pending);
    weir_access_free(gateway->access);
    weir_rate_free(gateway->rate);
}

static void tell_state(struct weir_gateway *gateway, bool *ready)
{
    WEIR_CLEANUP(buffer) struct weir_buffer detail = {0};
    bool now = is_ready(gateway, &detail);
    if (now && !*ready) {
        weir_log(WEIR_LOG_NOTICE, "gateway.ready", "listen=%s", gateway->settings.listen);
        weir_service_ready();
    }
    if (now != *ready)
        weir_service_status("%s", now ? "taking commands" : "not ready: see /readyz");
    *ready = now;
}

static void reload_keys(struct weir_gateway *gateway)
{
    struct weir_error err;
    if (weir_keys_reload(gateway->keys, &err) < 0)
        weir_log(WEIR_LOG_ERROR, "gateway.keys-not-reloaded", "reason=%s", err.text);
    else
        weir_log(WEIR_LOG_NOTICE, "gateway.keys-reloaded", "file=%s", gateway->settings.keys_file);
}

static void reload_tls(struct weir_gateway *gateway)
{
    struct weir_error err;
    if (weir_tls_reload(gateway->tls, &err) < 0)
        weir_log(WEIR_LOG_ERROR, "gateway.tls-not-reloaded", "reason=%s", err.text);
    else
        weir_log(WEIR_LOG_NOTICE, "gateway.tls-reloaded", "file=%s", gateway->settings.tls_certificate);
}

/* SIGHUP. What is wrong with a file leaves all as it was. */
static void reload(struct weir_gateway *gateway)
{
    if (gateway->keys != NULL)
        reload_keys(gateway);
    if (gateway->tls != NULL)
        reload_tls(gateway);
}

static int run(struct weir_gateway *gateway, struct weir_error *err)
{
    bool ready = false;
    int rc = 0;
    weir_log(WEIR_LOG_NOTICE, "gateway.listening", "listen=%s management=%s", gateway->settings.listen,
        gateway->settings.management_listen);
    if (gateway->keys != NULL && gateway->tls == NULL && !weir_address_is_loopback(gateway->settings.listen))
        weir_log(WEIR_LOG_WARNING, "gateway.keys-in-clear", "reason=%s",
            "keys come over the network unencrypted unless a proxy before the gateway ends TLS; see "
            "tls.certificate");
    do {
        rc = weir_produce_watch(gateway->produce, err);
        tell_state(gateway, &ready);
        if (weir_service_reload_asked())
            reload(gateway);
        weir_service_alive();
    } while (rc == 0 && !weir_service_wait(WATCH_MS));
    return rc;
}

static void begin_drain(struct weir_gateway *gateway)
{
    weir_service_stop(); /* also when it is not SIGTERM that ends it: the limit holds from here */
    atomic_store(&gateway->draining, true);
    weir_log(WEIR_LOG_NOTICE, "gateway.draining", "suspended=%zu", weir_pending_count(gateway->pending));
}

/* Takes what comes as before, until whoever shares requests out has seen that it is not ready: each answer
 * closes its connection, and one that nobody uses any more can be closed without a request being on its way.
 * That no connection is open says nothing: so it is for a moment behind a proxy whose connections are closed.
 */
static int delay(struct weir_gateway *gateway, struct weir_error *err)
{
    const struct weir_gateway_settings *settings = &gateway->settings;
    int64_t most_ms = settings->drain_timeout_ms / 4;
    int64_t delay_ms = settings->drain_delay_ms < most_ms ? settings->drain_delay_ms : most_ms;
    int64_t until_ms = weir_clock_ms() + delay_ms;
    int rc = 0;
    for (int64_t left_ms; rc == 0 && (left_ms = until_ms - weir_clock_ms()) > 0;) {
        weir_service_alive();
        poll(NULL, 0, left_ms < WATCH_MS ? (int)left_ms : WATCH_MS);
        rc = weir_produce_watch(gateway->produce, err);
    }
    return rc;
}

/* Answers what is in flight, and nothing new. The last of the time is kept for telling those whose record
 * got no answer what became of it. */
static void drain(struct weir_gateway *gateway)
{
    int64_t half_ms = gateway->settings.drain_timeout_ms / 2;
    int last_ms = half_ms < LAST_MS ? (int)half_ms : LAST_MS;
    atomic_store(&gateway->refusing, true);
    weir_server_quiesce(gateway->server);
    weir_feed_end(gateway->feed);
    weir_dlq_end(gateway->dlq);
    weir_read_hurry(gateway->read);
    weir_server_await_kept(gateway->server, half_ms / 2);
    weir_server_await_suspended(gateway->server, weir_drain_left_ms() - last_ms);
    weir_produce_drain(gateway->produce, last_ms / 5);
}

/* All are answered before the parts are closed: what hangs then is Kafka's client, and nothing is lost. */
static const char *end_late(void *context, int *ret_status)
{
    const struct weir_gateway *gateway = context;
    *ret_status = atomic_load(&gateway->late_status);
    return *ret_status == weir_code_exit_status(WEIR_E_INTERNAL) ? "answers" : "kafka";
}

static int serve(struct weir_gateway *gateway, struct weir_error *err)
{
    const struct weir_management management = {is_ready, gateway};
    struct weir_http *pages = NULL;
    atomic_store(&gateway->late_status, weir_code_exit_status(WEIR_E_INTERNAL));
    int rc = weir_drain_limit(gateway->settings.drain_timeout_ms, end_late, gateway);
    rc = rc < 0 ? weir_error_set(err, rc, "no thread for the end") : open_parts(gateway, err);
    if (rc == 0)
        rc = weir_management_listen(gateway->settings.management_listen, &management, &pages, err);
    if (rc == 0) {
        rc = run(gateway, err);
        begin_drain(gateway);
        if (rc == 0)
            rc = delay(gateway, err);
        drain(gateway);
    }
    weir_http_close(pages);
    close_parts(gateway, rc);
    if (rc == 0)
        weir_log(WEIR_LOG_NOTICE, "gateway.stopped", "%s", "");
    return rc;
}

static int open_keys(struct weir_gateway *gateway, struct weir_error *err)
{
    const char *path = gateway->settings.keys_file;
    bool certificates = gateway->settings.tls_client_ca != NULL;
    int rc = path != NULL ? weir_keys_open(path, certificates, &gateway->keys, err) : 0;
    return rc == WEIR_E_NOT_FOUND ? WEIR_E_CONFIG : rc;
}

static int open_tls(struct weir_gateway *gateway, struct weir_error *err)
{
    if (gateway->settings.tls_certificate == NULL)
        return 0;
    const struct weir_tls_files files = {.certificate = gateway->settings.tls_certificate,
        .key = gateway->settings.tls_key,
        .client_ca = gateway->settings.tls_client_ca,
        .client_required = gateway->settings.tls_client_required,
        .expires = weir_metric(WEIR_METRIC_GAUGE, "weir_gateway_certificate_expires_seconds", "",
            "End of the listener's certificate, in seconds since 1970")};
    return weir_tls_open(&files, &gateway->tls, err);
}

static int check(struct weir_gateway *gateway, const char *path, struct weir_error *err)
{
    int rc = weir_gateway_settings_load(gateway->deployment, &gateway->settings, err);
    if (rc == 0)
        rc = weir_produce_check(gateway->deployment, err);
    if (rc == 0 && gateway->deployment->collection_count == 0)
        return weir_error_set(err, WEIR_E_CONFIG, "%s: there is no [collection NAME]", path);
    if (rc == 0)
        rc = open_keys(gateway, err);
    if (rc == 0)
        rc = open_tls(gateway, err);
    if (rc == 0)
        rc = weir_store_tls_check(&gateway->settings, err);
    if (rc == 0)
        rc = make_collections(gateway, err);
    return rc == 0 ? weir_openapi_open(gateway, &gateway->openapi, err) : rc;
}

static int start(const struct arguments *arguments, int *ret_status, struct weir_error *err)
{
    WEIR_CLEANUP(deployment) struct weir_deployment *deployment = NULL;
    static struct weir_gateway gateway; /* end_late() may look at it to the last */
    int rc = weir_deployment_load(arguments->config, &deployment, err);
    if (rc < 0)
        return rc;
    gateway.deployment = deployment;
    weir_log_init((enum weir_log_level)deployment->log.level, weir_log_format_of(deployment->log.format));
    rc = check(&gateway, arguments->config, err);
    if (rc == 0 && arguments->check_only)
        printf("%s: the gateway's configuration is good\n", arguments->config);
    else if (rc == 0 && arguments->sample != NULL)
        rc = weir_try_request(&gateway, arguments->sample, arguments->body, ret_status, err);
    else if (rc == 0 && (rc = weir_service_signals_init()) == 0)
        rc = serve(&gateway, err);
    weir_openapi_close(gateway.openapi);
    free_collections(&gateway);
    weir_keys_close(gateway.keys);
    weir_tls_close(gateway.tls);
    weir_gateway_settings_done(&gateway.settings);
    return rc;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    struct weir_error err = {0};
    int status = read_arguments(argc, argv, &arguments);
    if (status != 0 || arguments.done)
        return status;
    weir_json_init();
    int rc = start(&arguments, &status, &err);
    if (rc < 0 && (arguments.check_only || arguments.sample != NULL))
        fprintf(stderr, "weir-gateway: %s\n", err.text);
    else if (rc < 0)
        weir_log(WEIR_LOG_ERROR, "gateway.failed", "reason=%s", err.text);
    weir_drain_exit(rc < 0 ? weir_code_exit_status(rc) : status);
}
