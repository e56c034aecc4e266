#include "gateway/settings.h"

#include "common/config.h"
#include "common/http.h"

#include <stddef.h>
#include <string.h>

static const struct weir_option rows[] = {
    {.key = "listen",
        .type = WEIR_OPTION_ADDRESS,
        .fallback = "127.0.0.1:8080",
        .offset = offsetof(struct weir_gateway_settings, listen),
        .help = "where clients reach the HTTP interface"},
    {.key = "management.listen",
        .type = WEIR_OPTION_ADDRESS,
        .fallback = "127.0.0.1:8081",
        .offset = offsetof(struct weir_gateway_settings, management_listen),
        .help = "where /livez, /readyz and /metrics are served"},
    {.key = "base.path",
        .type = WEIR_OPTION_STRING,
        .fallback = "",
        .max = 128,
        .offset = offsetof(struct weir_gateway_settings, base_path),
        .help = "stands before the path of every route, e.g. /staging"},
    {.key = "dispatch.paths",
        .type = WEIR_OPTION_LIST,
        .fallback = "/dynamodbmanager",
        .max = 16,
        .offset = offsetof(struct weir_gateway_settings, dispatch_paths),
        .help = "paths that take {\"operation\", \"tableName\", \"payload\"}; none where it is empty"},
    {.key = "auth",
        .type = WEIR_OPTION_CHOICE,
        .fallback = "loopback",
        .choices = "loopback|none|keys",
        .offset = offsetof(struct weir_gateway_settings, auth),
        .help = "loopback: whoever is on this machine may call; none: anyone who reaches the listener may; "
                "keys: who shows a key of keys.file"},
    {.key = "keys.file",
        .type = WEIR_OPTION_PATH,
        .offset = offsetof(struct weir_gateway_settings, keys_file),
        .reload = true,
        .help = "who may do what, one a line: name, SHA-256 of the key or the name in a client certificate "
                "(dns=shop.example.org, cn=, uri=, email=), scopes like orders:create,*:read; its content is "
                "read again at SIGHUP"},
    {.key = "threads",
        .type = WEIR_OPTION_INTEGER,
        .fallback = "2",
        .min = 1,
        .max = 64,
        .offset = offsetof(struct weir_gateway_settings, threads),
        .help = "most HTTP threads; as many share the connections as connections.per.thread says"},
    {.key = "connections.per.thread",
        .type = WEIR_OPTION_INTEGER,
        .fallback = "128",
        .min = 1,
        .max = 200000,
        .offset = offsetof(struct weir_gateway_settings, connections_per_thread),
        .help = "connections that HTTP threads have each before one more joins in: few threads with many "
                "connections need less processor time for a request; where requests are heavy, like long "
                "lists, more threads answer sooner"},
    {.key = "connections",
        .type = WEIR_OPTION_INTEGER,
        .fallback = "8192",
        .min = 16,
        .max = 200000,
        .offset = offsetof(struct weir_gateway_settings, connections),
        .help = "most client connections at a time; more wait until one of them is closed"},
    {.key = "connections.per.address",
        .type = WEIR_OPTION_INTEGER,
        .fallback = "4096",
        .min = 0,
        .max = 200000,
        .offset = offsetof(struct weir_gateway_settings, connections_per_address),
        .help =
            "most of them from one address, which may be a proxy's; more are closed at once; 0: all of them"},
    {.key = "header.max",
        .type = WEIR_OPTION_SIZE,
        .fallback = "8KiB",
        .min = 4096,
        .max = 1048576,
        .offset = offsetof(struct weir_gateway_settings, header_max_bytes),
        .help = "memory of a connection: request line and headers have to fit into it together with the "
                "answer's"},
    {.key = "body.max",
        .type = WEIR_OPTION_SIZE,
        .fallback = "256KiB",
        .min = 1024,
        .max = 16777216,
        .offset = offsetof(struct weir_gateway_settings, body_max_bytes),
        .help = "largest request body"},
    {.key = "header.timeout",
        .type = WEIR_OPTION_DURATION,
        .fallback = "10s",
        .min = 100,
        .max = 600000,
        .offset = offsetof(struct weir_gateway_settings, header_timeout_ms),
        .help = "time a client has to send a request's header"},
    {.key = "body.timeout",
        .type = WEIR_OPTION_DURATION,
        .fallback = "30s",
        .min = 100,
        .max = 600000,
        .offset = offsetof(struct weir_gateway_settings, body_timeout_ms),
        .help = "time a client has to send a request's body"},
    {.key = "idle.timeout",
        .type = WEIR_OPTION_DURATION,
        .fallback = "60s",
        .min = 1000,
        .max = 3600000,
        .offset = offsetof(struct weir_gateway_settings, idle_timeout_ms),
        .help = "time a connection may stay open between two requests"},
    {.key = "timeout",
        .type = WEIR_OPTION_DURATION,
        .fallback = "10s",
        .min = 100,
        .max = 110000,
        .offset = offsetof(struct weir_gateway_settings, timeout_ms),
        .help = "longest wait for Kafka's acknowledgement or the store's answer; then 504"},
    {.key = "read.wait",
        .type = WEIR_OPTION_DURATION,
        .fallback = "5s",
        .min = 0,
        .max = 110000,
        .offset = offsetof(struct weir_gateway_settings, read_wait_ms),
        .help = "how long a read waits for a store that is unknown, restoring or unreachable; then 503"},
    {.key = "drain.timeout",
        .type = WEIR_OPTION_DURATION,
        .fallback = "15s",
        .min = 100,
        .max = 600000,
        .offset = offsetof(struct weir_gateway_settings, drain_timeout_ms),
        .help = "time after SIGTERM to answer what is in flight; whatever hangs is cut off then"},
    {.key = "drain.delay",
        .type = WEIR_OPTION_DURATION,
        .fallback = "3s",
        .min = 0,
        .max = 150000,
        .offset = offsetof(struct weir_gateway_settings, drain_delay_ms),
        .help = "time after SIGTERM in which requests are still taken, and /readyz says no already: longer "
                "than a load balancer needs to see that and to turn to another "
                "gateway; of drain.timeout at most a quarter"},
    {.key = "queue.max",
        .type = WEIR_OPTION_INTEGER,
        .fallback = "8192",
        .min = 1,
        .max = 400000,
        .offset = offsetof(struct weir_gateway_settings, queue_max),
        .help = "most commands that wait for Kafka's acknowledgement; beyond that the answer is 503 at once"},
    {.key = "rate.limit",
        .type = WEIR_OPTION_INTEGER,
        .fallback = "0",
        .min = 0,
        .max = 100000,
        .offset = offsetof(struct weir_gateway_settings, rate_limit),
        .help =
            "requests a second that each key (without keys each address) may send in the long run; beyond "
            "that the answer is 429; 0: any number"},
    {.key = "rate.burst",
        .type = WEIR_OPTION_INTEGER,
        .fallback = "0",
        .min = 0,
        .max = 1000000,
        .offset = offsetof(struct weir_gateway_settings, rate_burst),
        .help = "requests that it may send at once after a pause; 0: as many as rate.limit"},
    {.key = "access.log",
        .type = WEIR_OPTION_BOOL,
        .fallback = "on",
        .offset = offsetof(struct weir_gateway_settings, access_log),
        .help = "one line for each request"},
    {.key = "portal",
        .type = WEIR_OPTION_BOOL,
        .fallback = "on",
        .offset = offsetof(struct weir_gateway_settings, portal),
        .help =
            "whether /portal/ is there, the order portal: a page that anybody who reaches the listener may "
            "load, and that can do what its user's key may"},
    {.key = "cors.origins",
        .type = WEIR_OPTION_LIST,
        .offset = offsetof(struct weir_gateway_settings, cors_origins),
        .help = "origins whose pages may call from a browser, e.g. https://shop.example.org, or * for all; "
                "without it none may"},
    {.key = "tls.certificate",
        .type = WEIR_OPTION_PATH,
        .offset = offsetof(struct weir_gateway_settings, tls_certificate),
        .reload = true,
        .help =
            "PEM file of the listener's certificate and those between it and its CA; with it the listener "
            "speaks TLS 1.2 and 1.3 only; the content of this and the other TLS files is read again at "
            "SIGHUP"},
    {.key = "tls.key",
        .type = WEIR_OPTION_PATH,
        .offset = offsetof(struct weir_gateway_settings, tls_key),
        .reload = true,
        .help = "PEM file of the certificate's private key, not encrypted"},
    {.key = "tls.client.ca",
        .type = WEIR_OPTION_PATH,
        .offset = offsetof(struct weir_gateway_settings, tls_client_ca),
        .reload = true,
        .help =
            "PEM file of the CAs whose certificates clients may show in place of a key; keys.file says what "
            "a certificate's name may do"},
    {.key = "tls.client.required",
        .type = WEIR_OPTION_BOOL,
        .fallback = "off",
        .offset = offsetof(struct weir_gateway_settings, tls_client_required),
        .help = "whether a client without a certificate is turned away, also one with a key"},
    {.key = "feed",
        .type = WEIR_OPTION_BOOL,
        .fallback = "off",
        .offset = offsetof(struct weir_gateway_settings, feed),
        .help =
            "whether GET /v1/{collection}:changes is there, the change feed; the gateway's principal then "
            "has to read the change topics"},
    {.key = "feed.buffer",
        .type = WEIR_OPTION_SIZE,
        .fallback = "16MiB",
        .min = 65536,
        .max = 1073741824,
        .offset = offsetof(struct weir_gateway_settings, feed_buffer_bytes),
        .help = "newest events of each collection that are held for clients of the feed; what is older is "
                "read for those who ask"},
    {.key = "feed.heartbeat",
        .type = WEIR_OPTION_DURATION,
        .fallback = "15s",
        .min = 1000,
        .max = 300000,
        .offset = offsetof(struct weir_gateway_settings, feed_heartbeat_ms),
        .help = "how long a stream of the feed may be silent before a sign of life"},
    {.key = "dlq",
        .type = WEIR_OPTION_BOOL,
        .fallback = "off",
        .offset = offsetof(struct weir_gateway_settings, dlq),
        .help = "whether /v1/dlq is there, which lists, shows and redrives dead letters; the gateway's "
                "principal then has to read them and to write to the retry topics"},
    {.key = "store.url",
        .type = WEIR_OPTION_URL,
        .offset = offsetof(struct weir_gateway_settings, store_url),
        .help =
            "the store's read listener, with the dev broker only (a real Kafka tells where each store is)"},
    {.key = "notifier.url",
        .type = WEIR_OPTION_URL,
        .offset = offsetof(struct weir_gateway_settings, notifier_url),
        .help = "the notifier's read listener (notifier.listen), with the dev broker only"},
    {.key = "store.peer.secret",
        .type = WEIR_OPTION_SECRET,
        .offset = offsetof(struct weir_gateway_settings, store_peer_secret),
        .help = "shown to the stores and notifiers with each read; the same as theirs"},
    {.key = "store.tls.ca",
        .type = WEIR_OPTION_PATH,
        .offset = offsetof(struct weir_gateway_settings, store_tls_ca),
        .help =
            "PEM file of the CAs that are believed of stores whose URL (store.advertise) is https; without "
            "it the system's; new connections read this and the next two files anew"},
    {.key = "store.tls.certificate",
        .type = WEIR_OPTION_PATH,
        .offset = offsetof(struct weir_gateway_settings, store_tls_certificate),
        .help = "PEM file of the certificate that the gateway shows to them"},
    {.key = "store.tls.key",
        .type = WEIR_OPTION_PATH,
        .offset = offsetof(struct weir_gateway_settings, store_tls_key),
        .help = "PEM file of that certificate's private key, not encrypted"},
};

const struct weir_option_table weir_gateway_options = {
    .section = "gateway",
    .rows = rows,
    .count = sizeof(rows) / sizeof(rows[0]),
    .settings_size = sizeof(struct weir_gateway_settings),
};

static int check_listen(const struct weir_deployment *deployment,
    const struct weir_gateway_settings *settings, struct weir_error *err)
{
    if (settings->auth != WEIR_GATEWAY_AUTH_LOOPBACK || weir_address_is_loopback(settings->listen))
        return 0;
    return weir_error_set(err, WEIR_E_CONFIG,
        "%s: listen = %s is reachable from other machines and nobody would be asked for credentials; "
        "listen on 127.0.0.1, set `auth = keys`, or write `auth = none` in [gateway] if that is meant",
        weir_config_where(deployment->config, "gateway", "listen"), settings->listen);
}

/* A file that nobody looks into would look like a lock. */
static int check_keys(const struct weir_deployment *deployment, const struct weir_gateway_settings *settings,
    struct weir_error *err)
{
    bool wanted = settings->auth == WEIR_GATEWAY_AUTH_KEYS;
    if (wanted == (settings->keys_file != NULL))
        return 0;
    return weir_error_set(err, WEIR_E_CONFIG,
        "%s: `auth = keys` and keys.file belong together, and only %s is set",
        weir_config_where(deployment->config, "gateway", wanted ? "auth" : "keys.file"),
        wanted ? "the former" : "the latter");
}

static int refuse_half(
    const struct weir_deployment *deployment, const char *set, const char *missing, struct weir_error *err)
{
    return weir_error_set(err, WEIR_E_CONFIG, "%s: %s is nothing without %s",
        weir_config_where(deployment->config, "gateway", set), set, missing);
}

/* As browsers write it, whose word is compared. */
static bool is_origin(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789.-:[]";
    const char *host = strstr(text, "://");
    if (host == NULL || (strncmp(text, "https://", 8) != 0 && strncmp(text, "http://", 7) != 0))
        return false;
    host += 3;
    return host[0] != '\0' && host[strspn(host, allowed)] == '\0';
}

static int check_origins(const struct weir_deployment *deployment,
    const struct weir_gateway_settings *settings, struct weir_error *err)
{
    for (char **origin = settings->cors_origins; origin != NULL && *origin != NULL; origin++) {
        if (strcmp(*origin, "*") != 0 && !is_origin(*origin))
            return weir_error_set(err, WEIR_E_CONFIG,
                "%s: cors.origins: %s is no origin like https://shop.example.org: scheme and host in lower "
                "case, "
                "a port where it is not the usual one, no path; or * for all",
                weir_config_where(deployment->config, "gateway", "cors.origins"), *origin);
    }
    return 0;
}

static int check_tls(const struct weir_deployment *deployment, const struct weir_gateway_settings *settings,
    struct weir_error *err)
{
    if (settings->tls_certificate != NULL && settings->tls_key == NULL)
        return refuse_half(deployment, "tls.certificate", "tls.key", err);
    if (settings->tls_key != NULL && settings->tls_certificate == NULL)
        return refuse_half(deployment, "tls.key", "tls.certificate", err);
    if (settings->tls_client_ca != NULL && settings->tls_certificate == NULL)
        return refuse_half(deployment, "tls.client.ca", "tls.certificate", err);
    if (settings->tls_client_ca != NULL && settings->auth != WEIR_GATEWAY_AUTH_KEYS)
        return refuse_half(deployment, "tls.client.ca", "`auth = keys`", err);
    if (settings->tls_client_required && settings->tls_client_ca == NULL)
        return refuse_half(deployment, "tls.client.required", "tls.client.ca", err);
    if (settings->store_tls_certificate != NULL && settings->store_tls_key == NULL)
        return refuse_half(deployment, "store.tls.certificate", "store.tls.key", err);
    if (settings->store_tls_key != NULL && settings->store_tls_certificate == NULL)
        return refuse_half(deployment, "store.tls.key", "store.tls.certificate", err);
    return 0;
}

static int check_base_path(const struct weir_deployment *deployment,
    const struct weir_gateway_settings *settings, struct weir_error *err)
{
    if (settings->base_path[0] == '\0' || weir_deployment_is_path(settings->base_path))
        return 0;
    return weir_error_set(err, WEIR_E_CONFIG,
        "%s: base.path = %s is no path like /staging: letters, digits, _ and - behind each slash",
        weir_config_where(deployment->config, "gateway", "base.path"), settings->base_path);
}

/* A path leads to one place. */
static int check_dispatch_path(
    const struct weir_deployment *deployment, const char *path, struct weir_error *err)
{
    const char *where = weir_config_where(deployment->config, "gateway", "dispatch.paths");
    if (!weir_deployment_is_path(path) || weir_deployment_path_begins(path, "/v1"))
        return weir_error_set(err, WEIR_E_CONFIG,
            "%s: dispatch.paths: %s is no path like /dynamodbmanager: letters, digits, _ and - behind each "
            "slash, and not /v1",
            where, path);
    for (size_t i = 0; i < deployment->collection_count; i++) {
        const struct weir_collection *collection = &deployment->collections[i];
        for (char **alias = collection->aliases; alias != NULL && *alias != NULL; alias++)
            if (weir_deployment_path_begins(path, *alias) || weir_deployment_path_begins(*alias, path))
                return weir_error_set(err, WEIR_E_CONFIG,
                    "%s: dispatch.paths: %s is taken: %s is an alias of %s", where, path, *alias,
                    collection->name);
    }
    return 0;
}

static int check_dispatch_paths(const struct weir_deployment *deployment,
    const struct weir_gateway_settings *settings, struct weir_error *err)
{
    int rc = 0;
    for (char **path = settings->dispatch_paths; path != NULL && *path != NULL && rc == 0; path++)
        rc = check_dispatch_path(deployment, *path, err);
    return rc;
}

static int check_url(
    const struct weir_deployment *deployment, const char *key, const char *url, struct weir_error *err)
{
    if (url == NULL || deployment->kafka.dev)
        return 0;
    return weir_error_set(err, WEIR_E_CONFIG,
        "%s: %s is for the dev broker only ([kafka] dev = true); a real Kafka tells where each store and "
        "notifier is",
        weir_config_where(deployment->config, "gateway", key), key);
}

int weir_gateway_settings_load(
    const struct weir_deployment *deployment, struct weir_gateway_settings *settings, struct weir_error *err)
{
    int rc = weir_config_bind(
        deployment->config, "gateway", NULL, &weir_gateway_options, NULL, NULL, settings, err);
    if (rc == 0)
        rc = check_listen(deployment, settings, err);
    if (rc == 0)
        rc = check_url(deployment, "store.url", settings->store_url, err);
    if (rc == 0)
        rc = check_url(deployment, "notifier.url", settings->notifier_url, err);
    if (rc == 0)
        rc = check_keys(deployment, settings, err);
    if (rc == 0)
        rc = check_tls(deployment, settings, err);
    if (rc == 0)
        rc = check_origins(deployment, settings, err);
    if (rc == 0)
        rc = check_base_path(deployment, settings, err);
    if (rc == 0)
        rc = check_dispatch_paths(deployment, settings, err);
    return rc;
}

void weir_gateway_settings_done(struct weir_gateway_settings *settings)
{
    weir_option_free(&weir_gateway_options, settings);
}
