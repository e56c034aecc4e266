/* [service NAME]: a plugin over topics. The keys every service has; those of the plugin carry its name and
 * are bound by the host, which knows the plugin. */
#include "common/deployment_parts.h"

#include "common/bytes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOUR_MS = 3600000, DAY_MS = 24 * HOUR_MS };

/* max.poll.interval.ms of common/kafka.c, unless it is set. */
enum { POLL_INTERVAL_MS = 300000 };

static const struct weir_option rows[] = {
    {.key = "plugin",
        .type = WEIR_OPTION_STRING,
        .min = 1,
        .max = 4095,
        .required = true,
        .offset = offsetof(struct weir_service, plugin),
        .help = "the plugin to run: a name (store) or the path of a .so"},
    {.key = "topics",
        .type = WEIR_OPTION_LIST,
        .min = 1,
        .max = 64,
        .required = true,
        .offset = offsetof(struct weir_service, topics),
        .help = "topics to consume, without topic.prefix, with commas between them"},
    {.key = "group",
        .type = WEIR_OPTION_STRING,
        .min = 1,
        .max = 249,
        .offset = offsetof(struct weir_service, group),
        .help = "Kafka consumer group; by default the service's name"},
    {.key = "attempts",
        .type = WEIR_OPTION_INTEGER,
        .fallback = "3",
        .min = 1,
        .max = 1000,
        .offset = offsetof(struct weir_service, attempts),
        .help = "executions of a record in all, before it becomes a dead letter"},
    {.key = "retry.backoff",
        .type = WEIR_OPTION_DURATION,
        .fallback = "1s",
        .min = 1,
        .max = DAY_MS,
        .offset = offsetof(struct weir_service, retry_backoff_ms),
        .help = "delay before the first retry; each further one is up to twice as long"},
    {.key = "retry.backoff.max",
        .type = WEIR_OPTION_DURATION,
        .fallback = "5m",
        .min = 1,
        .max = 7LL * DAY_MS,
        .offset = offsetof(struct weir_service, retry_backoff_max_ms),
        .help = "longest delay before a retry"},
    {.key = "retry.order",
        .type = WEIR_OPTION_CHOICE,
        .fallback = "key",
        .choices = "key|none",
        .offset = offsetof(struct weir_service, retry_order),
        .help = "key: later records of a key wait behind one that is retried; none: they overtake it"},
    {.key = "parked.max",
        .type = WEIR_OPTION_INTEGER,
        .fallback = "10000",
        .min = 1,
        .max = 10000000,
        .offset = offsetof(struct weir_service, parked_max),
        .help = "records of one partition that may wait for a retry; beyond, the partition is not read on"},
    {.key = "parked.max.bytes",
        .type = WEIR_OPTION_SIZE,
        .fallback = "64MiB",
        .min = 1024,
        .max = 1LL << 36,
        .offset = offsetof(struct weir_service, parked_max_bytes),
        .help = "bytes of one partition that may wait for a retry; beyond, the partition is not read on"},
    {.key = "batch.max",
        .type = WEIR_OPTION_INTEGER,
        .fallback = "10000",
        .min = 1,
        .max = 1000000,
        .offset = offsetof(struct weir_service, batch_max),
        .help = "most records in one transaction"},
    {.key = "batch.max.bytes",
        .type = WEIR_OPTION_SIZE,
        .fallback = "16MiB",
        .min = 1024,
        .max = 1LL << 30,
        .offset = offsetof(struct weir_service, batch_max_bytes),
        .help = "most bytes of records in one transaction"},
    {.key = "handle.timeout",
        .type = WEIR_OPTION_DURATION,
        .fallback = "60s",
        .min = 100,
        .max = HOUR_MS,
        .offset = offsetof(struct weir_service, handle_timeout_ms),
        .help = "time a plugin has for one batch"},
    {.key = "topics.partitions",
        .type = WEIR_OPTION_INTEGER,
        .fallback = "0",
        .min = 0,
        .max = 1000,
        .offset = offsetof(struct weir_service, source_partitions),
        .help = "partitions of those topics that belong to no [collection] and come from elsewhere; 0: there "
                "are none"},
    {.key = "drain.timeout",
        .type = WEIR_OPTION_DURATION,
        .fallback = "20s",
        .min = 100,
        .max = HOUR_MS,
        .offset = offsetof(struct weir_service, drain_timeout_ms),
        .help = "time to finish the batch and leave the group after SIGTERM"},
    {.key = "assignment",
        .type = WEIR_OPTION_CHOICE,
        .fallback = "range",
        .choices = "range|cooperative-sticky",
        .offset = offsetof(struct weir_service, assignment),
        .help =
            "how the group shares the partitions; cooperative-sticky moves only what has to move and needs "
            "librdkafka 2.10.1; all instances say the same"},
    {.key = "instance.static",
        .type = WEIR_OPTION_BOOL,
        .fallback = "false",
        .offset = offsetof(struct weir_service, instance_static),
        .help = "keep the partitions through a restart within session.timeout.ms (KIP-345); an instance that "
                "leaves for good is missed only after that time"},
    {.key = "management.listen",
        .type = WEIR_OPTION_ADDRESS,
        .offset = offsetof(struct weir_service, management_listen),
        .help =
            "where /livez, /readyz and /metrics are served; by default a socket in the runtime directory"},
    {.key = "tls.certificate",
        .type = WEIR_OPTION_PATH,
        .offset = offsetof(struct weir_service, tls_certificate),
        .help =
            "PEM file of the certificate of the plugin's own listener (store.listen, notifier.listen) and "
            "those between it and its CA; with it the listener speaks TLS 1.2 and 1.3 only; the content of "
            "this and the next two files is read again at SIGHUP"},
    {.key = "tls.key",
        .type = WEIR_OPTION_PATH,
        .offset = offsetof(struct weir_service, tls_key),
        .help = "PEM file of the certificate's private key, not encrypted"},
    {.key = "tls.client.ca",
        .type = WEIR_OPTION_PATH,
        .offset = offsetof(struct weir_service, tls_client_ca),
        .help = "PEM file of the CAs of which whoever reads there has to show a certificate, good for TLS "
                "clients: gateways their store.tls.certificate, weirctl this service's own"},
    {.key = "state.dir",
        .type = WEIR_OPTION_PATH,
        .offset = offsetof(struct weir_service, state_dir),
        .help = "folder of the host's own notes; by default $STATE_DIRECTORY, else /var/lib/weir/NAME"},
};

const struct weir_option_table weir_service_options = {.section = "service *",
    .rows = rows,
    .count = sizeof(rows) / sizeof(rows[0]),
    .settings_size = sizeof(struct weir_service)};

static int refuse_memory(struct weir_error *err)
{
    return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
}

/* The plugin's name as its options carry it: "store" of store, of /usr/lib/weir/plugins/store.so too. */
static struct weir_bytes plugin_name(const char *plugin)
{
    const char *slash = strrchr(plugin, '/');
    const char *name = slash != NULL ? slash + 1 : plugin;
    size_t len = strlen(name);

    if (len > 3 && strcmp(name + len - 3, ".so") == 0)
        len -= 3;
    return weir_bytes(name, len);
}

static int skip_key(void *context, const char *key, const char *value, struct weir_error *err)
{
    (void)context, (void)key, (void)value, (void)err;
    return 0;
}

/* Leaves `PLUGIN.key` to the plugin; any other key that the table lacks is unknown. */
static int leave_plugin_key(void *context, const char *key, const char *value, struct weir_error *err)
{
    struct weir_bytes name = plugin_name(context);

    (void)value, (void)err;
    return strncmp(key, name.data, name.len) == 0 && key[name.len] == '.' && key[name.len + 1] != '\0' ? 0
                                                                                                       : 1;
}

/* The plugin decides which keys are known, wherever in the section it stands: read it first. */
static int read_plugin(
    const struct weir_config *config, const char *section, char **ret_plugin, struct weir_error *err)
{
    struct plugin {
        char *plugin;
    } settings = {0};
    struct weir_option row = rows[0];
    row.offset = offsetof(struct plugin, plugin);
    const struct weir_option_table table = {
        .section = "service *", .rows = &row, .count = 1, .settings_size = sizeof(settings)};

    int code = weir_config_bind(config, section, NULL, &table, skip_key, NULL, &settings, err);
    *ret_plugin = settings.plugin;
    return code;
}

static int check_plugin(
    const struct weir_config *config, const char *section, const char *plugin, struct weir_error *err)
{
    if (strchr(plugin, '/') != NULL || weir_deployment_is_name(plugin))
        return 0;
    return weir_error_set(err, WEIR_E_CONFIG,
        "%s: plugin = %.80s: a plugin is named by a-z, then a-z 0-9 -, or by a path with a /",
        weir_config_where(config, section, "plugin"), plugin);
}

static int check_topic(const struct weir_config *config, const char *section, char *const *topics, size_t i,
    struct weir_error *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    const char *topic = topics[i], *where = weir_config_where(config, section, "topics");

    if (topic[strspn(topic, allowed)] != '\0' || strcmp(topic, ".") == 0 || strcmp(topic, "..") == 0)
        return weir_error_set(
            err, WEIR_E_CONFIG, "%s: topics: %.80s: topic names are made of A-Z a-z 0-9 . _ -", where, topic);
    for (size_t k = 0; k < i; k++)
        if (strcmp(topics[k], topic) == 0)
            return weir_error_set(err, WEIR_E_CONFIG, "%s: topics: %.80s stands there twice", where, topic);
    return 0;
}

static int name_topic(const struct weir_deployment *deployment, const char *section,
    const struct weir_service *service, size_t i, struct weir_error *err)
{
    int code =
        weir_deployment_topic_name(deployment, service->topics[i], "", &service->source_topics[i], err);
    if (code < 0)
        weir_error_prefix(err, "%s: topics", weir_config_where(deployment->config, section, "topics"));
    return code;
}

static int name_topics(const struct weir_deployment *deployment, const char *section,
    struct weir_service *service, struct weir_error *err)
{
    size_t count = 0;
    int code = 0;

    while (service->topics[count] != NULL)
        count++;
    service->source_topics = calloc(count + 1, sizeof(*service->source_topics));
    if (service->source_topics == NULL)
        return refuse_memory(err);
    for (size_t i = 0; i < count && code == 0; i++) {
        code = check_topic(deployment->config, section, service->topics, i, err);
        if (code == 0)
            code = name_topic(deployment, section, service, i, err);
    }
    return code;
}

static int check_backoff(const struct weir_config *config, const char *section,
    const struct weir_service *service, struct weir_error *err)
{
    if (service->retry_backoff_ms <= service->retry_backoff_max_ms)
        return 0;
    return weir_error_set(err, WEIR_E_CONFIG, "%s: retry.backoff is longer than retry.backoff.max",
        weir_config_where(config, section, "retry.backoff"));
}

/* systemd.exec(5): several folders are separated by colons; ours is the first. */
static char *first_folder(const char *variable)
{
    const char *folders = getenv(variable);

    if (folders == NULL || folders[0] != '/')
        return NULL;
    return weir_bytes_dup(weir_bytes(folders, strcspn(folders, ":")));
}

static int fill_state_dir(struct weir_service *service, struct weir_error *err)
{
    if (service->state_dir != NULL || (service->state_dir = first_folder("STATE_DIRECTORY")) != NULL)
        return 0;
    if (asprintf(&service->state_dir, "/var/lib/weir/%s", service->name) >= 0)
        return 0;
    service->state_dir = NULL;
    return refuse_memory(err);
}

static int fill_management(struct weir_service *service, struct weir_error *err)
{
    WEIR_CLEANUP(free) char *folder = first_folder("RUNTIME_DIRECTORY");

    if (service->management_listen != NULL || folder == NULL)
        return 0;
    if (asprintf(&service->management_listen, "unix:%s/%s.sock", folder, service->name) >= 0)
        return 0;
    service->management_listen = NULL;
    return refuse_memory(err);
}

static int fill_derived(struct weir_service *service, struct weir_error *err)
{
    if (service->group == NULL && (service->group = strdup(service->name)) == NULL)
        return refuse_memory(err);
    int code = fill_state_dir(service, err);
    return code < 0 ? code : fill_management(service, err);
}

static int check_name(
    const struct weir_config *config, const char *section, const char *name, struct weir_error *err)
{
    const char *where = weir_config_where(config, section, NULL);

    if (!weir_deployment_is_name(name))
        return weir_error_set(err, WEIR_E_CONFIG,
            "%s: [%s]: a service's name is a-z, then a-z 0-9 -, at most 63 characters", where, section);
    if (strcmp(name, "gateway") == 0 || strcmp(name, "weirctl") == 0)
        return weir_error_set(err, WEIR_E_CONFIG,
            "%s: [%s]: %s is the program's own name: a service of that name would have its rights on Kafka",
            where, section, name);
    return 0;
}

static int check_tls(const struct weir_config *config, const char *section,
    const struct weir_service *service, struct weir_error *err)
{
    const char *set = service->tls_certificate != NULL ? "tls.certificate"
                      : service->tls_key != NULL       ? "tls.key"
                                                       : "tls.client.ca";
    bool whole = service->tls_certificate != NULL && service->tls_key != NULL;

    if (whole ||
        (service->tls_certificate == NULL && service->tls_key == NULL && service->tls_client_ca == NULL))
        return 0;
    return weir_error_set(err, WEIR_E_CONFIG, "%s: %s is nothing without %s",
        weir_config_where(config, section, set), set,
        service->tls_certificate == NULL ? "tls.certificate" : "tls.key");
}

/* As librdkafka will have it for the group's consumer: [kafka.consumer] comes behind [kafka]. */
static int64_t poll_interval_ms(const struct weir_kafka_settings *kafka)
{
    static const char name[] = "max.poll.interval.ms";
    int64_t interval_ms = POLL_INTERVAL_MS;

    for (size_t i = 0; i < kafka->property_count; i++)
        if (strcmp(kafka->properties[i].name, name) == 0)
            interval_ms = strtoll(kafka->properties[i].value, NULL, 10);
    for (size_t i = 0; i < kafka->consumer_property_count; i++)
        if (strcmp(kafka->consumer_properties[i].name, name) == 0)
            interval_ms = strtoll(kafka->consumer_properties[i].value, NULL, 10);
    return interval_ms;
}

/* Nothing polls while a plugin handles a batch. */
static int check_handle_timeout(const struct weir_deployment *deployment, const char *section,
    const struct weir_service *service, struct weir_error *err)
{
    int64_t interval_ms = poll_interval_ms(&deployment->kafka);

    if (service->handle_timeout_ms <= interval_ms / 2)
        return 0;
    return weir_error_set(err, WEIR_E_CONFIG,
        "%s: handle.timeout is longer than half of max.poll.interval.ms (%" PRId64
        " ms): Kafka would take the partitions away during a batch",
        weir_config_where(deployment->config, section, "handle.timeout"), interval_ms);
}

static int bind_service(const struct weir_deployment *deployment, const char *section,
    struct weir_service *service, struct weir_error *err)
{
    const struct weir_config *config = deployment->config;
    WEIR_CLEANUP(free) char *plugin = NULL;

    int code = read_plugin(config, section, &plugin, err);
    if (code == 0)
        code = check_plugin(config, section, plugin, err);
    if (code == 0)
        code = weir_config_bind(
            config, section, NULL, &weir_service_options, leave_plugin_key, plugin, service, err);
    if (code == 0)
        code = check_backoff(config, section, service, err);
    if (code == 0)
        code = check_tls(config, section, service, err);
    return code < 0 ? code : check_handle_timeout(deployment, section, service, err);
}

static int load_service(const struct weir_deployment *deployment, const char *name,
    struct weir_service *service, struct weir_error *err)
{
    WEIR_CLEANUP(free) char *section = NULL;

    service->name = strdup(name);
    if (service->name == NULL || asprintf(&section, "service %s", name) < 0)
        return refuse_memory(err);
    int code = check_name(deployment->config, section, name, err);
    if (code == 0)
        code = bind_service(deployment, section, service, err);
    if (code == 0)
        code = name_topics(deployment, section, service, err);
    return code < 0 ? code : fill_derived(service, err);
}

/* Two services in one group would take each other's partitions. */
static int check_groups(const struct weir_deployment *deployment, struct weir_error *err)
{
    for (size_t i = 0; i < deployment->service_count; i++) {
        for (size_t k = 0; k < i; k++) {
            const struct weir_service *a = &deployment->services[k], *b = &deployment->services[i];
            if (strcmp(a->group, b->group) != 0)
                continue;
            WEIR_CLEANUP(free) char *section = NULL;
            if (asprintf(&section, "service %s", b->name) < 0)
                return refuse_memory(err);
            return weir_error_set(err, WEIR_E_CONFIG,
                "%s: [%s]: the group %s is that of [service %s] already",
                weir_config_where(deployment->config, section, "group"), section, b->group, a->name);
        }
    }
    return 0;
}

static bool consumes(const struct weir_service *service, const char *topic)
{
    for (char *const *source = service->source_topics; *source != NULL; source++)
        if (strcmp(*source, topic) == 0)
            return true;
    return false;
}

static int set_store(const struct weir_deployment *deployment, struct weir_collection *collection,
    const struct weir_service *service, struct weir_error *err)
{
    if (collection->store_service == NULL) {
        collection->store_service = strdup(service->name);
        return collection->store_service != NULL ? 0 : refuse_memory(err);
    }
    WEIR_CLEANUP(free) char *section = NULL;
    if (asprintf(&section, "service %s", service->name) < 0)
        return refuse_memory(err);
    return weir_error_set(err, WEIR_E_CONFIG, "%s: [%s]: the collection %s has a store already: [service %s]",
        weir_config_where(deployment->config, section, "topics"), section, collection->name,
        collection->store_service);
}

static int find_stores(struct weir_deployment *deployment, struct weir_error *err)
{
    for (size_t i = 0; i < deployment->service_count; i++) {
        const struct weir_service *service = &deployment->services[i];
        if (!weir_bytes_is(plugin_name(service->plugin), "store"))
            continue;
        for (size_t k = 0; k < deployment->collection_count; k++) {
            struct weir_collection *collection = &deployment->collections[k];
            if (!consumes(service, collection->command_topic))
                continue;
            int code = set_store(deployment, collection, service, err);
            if (code < 0)
                return code;
        }
    }
    return 0;
}

static int find_notifiers(struct weir_deployment *deployment, struct weir_error *err)
{
    for (size_t i = 0; i < deployment->service_count; i++) {
        const struct weir_service *service = &deployment->services[i];
        if (!weir_bytes_is(plugin_name(service->plugin), "notifier"))
            continue;
        for (size_t k = 0; k < deployment->collection_count; k++) {
            struct weir_collection *collection = &deployment->collections[k];
            if (collection->mail_service != NULL || !consumes(service, collection->changes_topic))
                continue;
            if ((collection->mail_service = strdup(service->name)) == NULL)
                return refuse_memory(err);
        }
    }
    return 0;
}

int weir_deployment_load_services(struct weir_deployment *deployment, struct weir_error *err)
{
    size_t count = 0;
    int code = 0;

    while (weir_config_named(deployment->config, "service", count) != NULL)
        count++;
    deployment->services = calloc(count + 1, sizeof(*deployment->services));
    if (deployment->services == NULL)
        return refuse_memory(err);
    while (deployment->service_count < count && code == 0) {
        size_t i = deployment->service_count++;
        code = load_service(
            deployment, weir_config_named(deployment->config, "service", i), &deployment->services[i], err);
    }
    if (code == 0)
        code = check_groups(deployment, err);
    if (code == 0)
        code = find_stores(deployment, err);
    return code < 0 ? code : find_notifiers(deployment, err);
}

void weir_deployment_free_services(struct weir_deployment *deployment)
{
    for (size_t i = 0; i < deployment->service_count; i++) {
        struct weir_service *service = &deployment->services[i];
        for (char **topic = service->source_topics; topic != NULL && *topic != NULL; topic++)
            free(*topic);
        free(service->source_topics);
        free(service->name);
        weir_option_free(&weir_service_options, service);
    }
    free(deployment->services);
}
