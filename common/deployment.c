#include "common/deployment.h"

#include "common/bytes.h"
#include "common/deployment_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const sections[] = {"log", "kafka", "kafka.producer", "kafka.consumer", "gateway",
    "collection *", "service *", "notify *", "subscriptions", NULL};

static const struct weir_option log_rows[] = {
    {.key = "level",
        .type = WEIR_OPTION_CHOICE,
        .fallback = "info",
        .choices = "error|warning|notice|info|debug",
        .offset = offsetof(struct weir_log_settings, level),
        .reload = true,
        .help = "least important level that is written"},
    {.key = "format",
        .type = WEIR_OPTION_CHOICE,
        .fallback = "auto",
        .choices = "auto|text|journal|json|logfmt",
        .offset = offsetof(struct weir_log_settings, format),
        .help = "form of a line; auto: journal under systemd, else text"},
};

const struct weir_option_table weir_log_options = {.section = "log",
    .rows = log_rows,
    .count = sizeof(log_rows) / sizeof(log_rows[0]),
    .settings_size = sizeof(struct weir_log_settings)};

static int load_log(struct weir_deployment *deployment, struct weir_error *err)
{
    return weir_config_bind(
        deployment->config, "log", NULL, &weir_log_options, NULL, NULL, &deployment->log, err);
}

static int load(const char *path, struct weir_deployment *deployment, struct weir_error *err)
{
    static int (*const steps[])(struct weir_deployment * deployment, struct weir_error * err) = {load_log,
        weir_deployment_load_kafka, weir_deployment_load_collections, weir_deployment_load_services,
        weir_deployment_load_notifies, weir_deployment_load_subscriptions};

    int code = weir_config_load(path, &deployment->config, err);
    if (code == 0)
        code = weir_config_check_sections(deployment->config, sections, err);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && code == 0; i++)
        code = steps[i](deployment, err);
    return code;
}

int weir_deployment_load(const char *path, struct weir_deployment **ret_deployment, struct weir_error *err)
{
    WEIR_CLEANUP(deployment) struct weir_deployment *deployment = calloc(1, sizeof(*deployment));

    const char *slash = strrchr(path, '/');
    if (deployment == NULL ||
        (deployment->folder = strndup(path, slash != NULL ? (size_t)(slash + 1 - path) : 0)) == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    int code = load(path, deployment, err);
    if (code == 0)
        *ret_deployment = weir_steal(deployment);
    return code;
}

void weir_deployment_free(struct weir_deployment *deployment)
{
    if (deployment == NULL)
        return;
    weir_deployment_free_subscriptions(deployment);
    weir_deployment_free_notifies(deployment);
    weir_deployment_free_services(deployment);
    weir_deployment_free_collections(deployment);
    weir_deployment_free_kafka(deployment);
    weir_option_free(&weir_log_options, &deployment->log);
    weir_config_free(deployment->config);
    free(deployment->folder);
    free(deployment);
}

const struct weir_collection *weir_deployment_collection(
    const struct weir_deployment *deployment, const char *name)
{
    for (size_t i = 0; i < deployment->collection_count; i++)
        if (strcmp(deployment->collections[i].name, name) == 0)
            return &deployment->collections[i];
    return NULL;
}

const struct weir_collection *weir_deployment_collection_of_topic(
    const struct weir_deployment *deployment, const char *topic)
{
    for (size_t i = 0; i < deployment->collection_count; i++) {
        const struct weir_collection *collection = &deployment->collections[i];
        if (strcmp(collection->command_topic, topic) == 0 || strcmp(collection->changes_topic, topic) == 0)
            return collection;
    }
    return NULL;
}

const char *weir_deployment_default_path(void)
{
    const char *path = getenv("WEIR_CONFIG");
    return path != NULL && path[0] != '\0' ? path : "/etc/weir/weir.conf";
}

bool weir_deployment_is_name(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    static const char others[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    enum { NAME_BYTES = 63 };

    size_t len = strspn(name, others);
    return name[0] != '\0' && strchr(letters, name[0]) != NULL && name[len] == '\0' && len <= NAME_BYTES;
}

bool weir_deployment_is_path(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    while (*text == '/') {
        size_t len = strspn(text + 1, allowed);
        if (len == 0)
            return false;
        text += 1 + len;
        if (*text == '\0')
            return true;
    }
    return false;
}

bool weir_deployment_path_begins(const char *path, const char *prefix)
{
    size_t len = strlen(prefix);
    return strncmp(path, prefix, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

int weir_deployment_topic_name(const struct weir_deployment *deployment, const char *name, const char *suffix,
    char **ret_topic, struct weir_error *err)
{
    enum { TOPIC_BYTES = 249 };
    WEIR_CLEANUP(free) char *topic = NULL;

    if (asprintf(&topic, "%s%s%s", deployment->kafka.topic_prefix, name, suffix) < 0)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    if (strlen(topic) > TOPIC_BYTES)
        return weir_error_set(
            err, WEIR_E_CONFIG, "topic name %s is longer than Kafka's %d characters", topic, TOPIC_BYTES);
    *ret_topic = weir_steal(topic);
    return 0;
}
