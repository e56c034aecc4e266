#include "common/topic.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How a topic's setting is made from the deployment. */
enum measure {
    AS_WRITTEN,
    WINDOW_MS,   /* retention of the commands and both lags of the change log: one number */
    RETRY_MS,    /* four windows, and never shorter than letters: it tells which of them were redriven */
    LETTERS_MS,  /* a fortnight, or the window if that is longer */
    OUTCOMES_MS, /* 48 h, or the window if that is longer */
    LEDGER_MS,   /* notifier.ledger.keep of the service */
    COMMAND_BYTES,
    CHANGE_BYTES,
    LETTER_BYTES,
    MIN_INSYNC,
};

struct setting {
    const char *name;
    enum measure measure;
    const char *text; /* AS_WRITTEN */
};

enum { SETTINGS_MAX = 8 };

struct role {
    const char *suffix; /* of a service's own topics */
    struct setting settings[SETTINGS_MAX];
};

static const struct role roles[] = {
    [WEIR_TOPIC_COMMANDS] = {NULL,
        {{"cleanup.policy", AS_WRITTEN, "delete"}, {"retention.ms", WINDOW_MS},
            {"max.message.bytes", COMMAND_BYTES}, {"message.timestamp.type", AS_WRITTEN, "LogAppendTime"},
            {"min.insync.replicas", MIN_INSYNC}}},
    [WEIR_TOPIC_CHANGES] = {NULL,
        {{"cleanup.policy", AS_WRITTEN, "compact"}, {"min.compaction.lag.ms", WINDOW_MS},
            {"delete.retention.ms", WINDOW_MS}, {"max.message.bytes", CHANGE_BYTES},
            {"message.timestamp.type", AS_WRITTEN, "LogAppendTime"}, {"min.insync.replicas", MIN_INSYNC}}},
    [WEIR_TOPIC_RETRY] = {"retry",
        {{"cleanup.policy", AS_WRITTEN, "delete"}, {"retention.ms", RETRY_MS},
            {"max.message.bytes", LETTER_BYTES}, {"message.timestamp.type", AS_WRITTEN, "LogAppendTime"},
            {"min.insync.replicas", MIN_INSYNC}}},
    [WEIR_TOPIC_DEAD_LETTERS] = {"dlq",
        {{"cleanup.policy", AS_WRITTEN, "delete"}, {"retention.ms", LETTERS_MS},
            {"max.message.bytes", LETTER_BYTES}, {"message.timestamp.type", AS_WRITTEN, "LogAppendTime"},
            {"min.insync.replicas", MIN_INSYNC}}},
    [WEIR_TOPIC_OUTCOMES] = {"outcomes",
        {{"cleanup.policy", AS_WRITTEN, "delete"}, {"retention.ms", OUTCOMES_MS},
            {"max.message.bytes", COMMAND_BYTES}, {"message.timestamp.type", AS_WRITTEN, "LogAppendTime"},
            {"min.insync.replicas", MIN_INSYNC}}},
    [WEIR_TOPIC_DELIVERIES] = {"notifications",
        {{"cleanup.policy", AS_WRITTEN, "compact,delete"}, {"retention.ms", LEDGER_MS},
            {"min.compaction.lag.ms", WINDOW_MS}, {"delete.retention.ms", WINDOW_MS},
            {"max.message.bytes", COMMAND_BYTES}, {"message.timestamp.type", AS_WRITTEN, "LogAppendTime"},
            {"min.insync.replicas", MIN_INSYNC}}},
};

/* What headers and framing take beside the document. */
enum { HEADER_BYTES = 64 * 1024 };

static const int64_t LETTERS_LEAST_MS = 14LL * 24 * 3600 * 1000;
static const int64_t OUTCOMES_LEAST_MS = 48LL * 3600 * 1000;

/* [gateway] body.max is the limit of a document, and so of every record made from one. */
struct limits {
    int64_t body_max;
};

static const struct weir_option limit_rows[] = {
    {.key = "body.max",
        .type = WEIR_OPTION_SIZE,
        .fallback = "256KiB",
        .offset = offsetof(struct limits, body_max)},
};

static const struct weir_option_table limit_table = {
    .section = "gateway", .rows = limit_rows, .count = 1, .settings_size = sizeof(struct limits)};

/* Of a notifier. */
struct ledger {
    int64_t keep_ms;
};

static const struct weir_option ledger_rows[] = {
    {.key = "ledger.keep",
        .type = WEIR_OPTION_DURATION,
        .fallback = "30d",
        .offset = offsetof(struct ledger, keep_ms)},
};

static const struct weir_option_table ledger_table = {
    .section = "service *", .rows = ledger_rows, .count = 1, .settings_size = sizeof(struct ledger)};

struct planner {
    const struct weir_deployment *deployment;
    int64_t document_bytes;
    int64_t ledger_ms; /* of the service at hand */
    struct weir_topic_plan *topics;
    size_t count, capacity;
    struct weir_error *err;
};

static int skip_key(void *context, const char *key, const char *value, struct weir_error *err)
{
    (void)context, (void)key, (void)value, (void)err;
    return 0;
}

/* A deployment made by hand, as tests do, has no file to read. */
static int read_document_bytes(
    const struct weir_deployment *deployment, int64_t *ret_bytes, struct weir_error *err)
{
    struct limits limits = {0};

    int code = deployment->config == NULL ? weir_option_defaults(&limit_table, &limits, err)
                                          : weir_config_bind(deployment->config, "gateway", NULL,
                                                &limit_table, skip_key, NULL, &limits, err);
    *ret_bytes = limits.body_max;
    weir_option_free(&limit_table, &limits);
    return code;
}

static int64_t at_least(int64_t value, int64_t least)
{
    return value > least ? value : least;
}

static int64_t measure_value(const struct planner *planner, enum measure measure)
{
    const struct weir_kafka_settings *kafka = &planner->deployment->kafka;

    switch (measure) {
    case WINDOW_MS:
        return kafka->window_ms;
    case RETRY_MS:
        return at_least(4 * kafka->window_ms, LETTERS_LEAST_MS);
    case LETTERS_MS:
        return at_least(kafka->window_ms, LETTERS_LEAST_MS);
    case OUTCOMES_MS:
        return at_least(kafka->window_ms, OUTCOMES_LEAST_MS);
    case LEDGER_MS:
        return planner->ledger_ms;
    case COMMAND_BYTES:
        return planner->document_bytes + HEADER_BYTES;
    case CHANGE_BYTES: /* NEW_AND_OLD_IMAGES carries the document twice */
        return 2 * planner->document_bytes + HEADER_BYTES;
    case LETTER_BYTES: /* whatever the source took, with the letter's own headers */
        return 2 * planner->document_bytes + 2 * HEADER_BYTES;
    case MIN_INSYNC:
        return kafka->min_insync_replicas;
    case AS_WRITTEN:
        break;
    }
    return 0;
}

static char *setting_value(const struct planner *planner, const struct setting *setting)
{
    char text[24];

    if (setting->measure == AS_WRITTEN)
        return strdup(setting->text);
    snprintf(text, sizeof(text), "%" PRId64, measure_value(planner, setting->measure));
    return strdup(text);
}

static struct weir_topic_plan *find_topic(const struct planner *planner, const char *name)
{
    for (size_t i = 0; i < planner->count; i++)
        if (strcmp(planner->topics[i].name, name) == 0)
            return &planner->topics[i];
    return NULL;
}

static bool make_room(struct planner *planner)
{
    if (planner->count < planner->capacity)
        return true;
    size_t capacity = planner->capacity == 0 ? 16 : 2 * planner->capacity;
    struct weir_topic_plan *topics = realloc(planner->topics, capacity * sizeof(*topics));
    if (topics == NULL)
        return false;
    planner->topics = topics;
    planner->capacity = capacity;
    return true;
}

static int add_topic(struct planner *planner, enum weir_topic_role role, const char *name, int32_t partitions)
{
    if (find_topic(planner, name) != NULL)
        return weir_error_set(
            planner->err, WEIR_E_CONFIG, "two collections or services need a topic named %s", name);
    if (!make_room(planner))
        return weir_error_set(planner->err, WEIR_E_INTERNAL, "out of memory");
    struct weir_topic_plan *topic = &planner->topics[planner->count++];
    *topic = (struct weir_topic_plan){.role = role,
        .partitions = partitions,
        .replication_factor = (int32_t)planner->deployment->kafka.replication_factor};
    if (snprintf(topic->name, sizeof(topic->name), "%s", name) >= (int)sizeof(topic->name))
        return weir_error_set(
            planner->err, WEIR_E_CONFIG, "topic name %s is longer than Kafka's 249 characters", name);
    for (const struct setting *setting = roles[role].settings; setting->name != NULL; setting++) {
        char *value = setting_value(planner, setting);
        if (value == NULL)
            return weir_error_set(planner->err, WEIR_E_INTERNAL, "out of memory");
        topic->settings[topic->setting_count++] =
            (struct weir_property){(char *)(uintptr_t)setting->name, value};
    }
    return 0;
}

static int add_collections(struct planner *planner)
{
    const struct weir_deployment *deployment = planner->deployment;
    int code = 0;

    for (size_t i = 0; i < deployment->collection_count && code == 0; i++) {
        const struct weir_collection *collection = &deployment->collections[i];
        code = add_topic(
            planner, WEIR_TOPIC_COMMANDS, collection->command_topic, (int32_t)collection->partitions);
    }
    for (size_t i = 0; i < deployment->collection_count && code == 0; i++) {
        const struct weir_collection *collection = &deployment->collections[i];
        code = add_topic(
            planner, WEIR_TOPIC_CHANGES, collection->changes_topic, (int32_t)collection->partitions);
    }
    return code;
}

static bool makes_outcomes(
    const struct weir_deployment *deployment, const struct weir_service *service, const char *source_topic)
{
    const struct weir_collection *collection = weir_deployment_collection_of_topic(deployment, source_topic);
    return collection != NULL && collection->store_service != NULL &&
           strcmp(collection->store_service, service->name) == 0 &&
           strcmp(collection->command_topic, source_topic) == 0;
}

static bool is_notifier(const struct weir_service *service)
{
    const char *slash = strrchr(service->plugin, '/');
    const char *name = slash != NULL ? slash + 1 : service->plugin;
    return strcmp(name, "notifier") == 0 || strcmp(name, "notifier.so") == 0;
}

static int read_ledger_ms(struct planner *planner, const struct weir_service *service)
{
    struct ledger ledger = {0};
    char section[128];

    snprintf(section, sizeof(section), "service %s", service->name);
    const struct weir_config *config = planner->deployment->config;
    int code = config == NULL ? weir_option_defaults(&ledger_table, &ledger, planner->err)
                              : weir_config_bind(config, section, "notifier.", &ledger_table, skip_key, NULL,
                                    &ledger, planner->err);
    planner->ledger_ms = ledger.keep_ms;
    weir_option_free(&ledger_table, &ledger);
    return code;
}

static int add_topic_of_service(struct planner *planner, enum weir_topic_role role, const char *source_topic,
    const struct weir_service *service, int32_t partitions)
{
    char name[WEIR_TOPIC_NAME_BYTES];

    int code = weir_topic_of_service(source_topic, service->name, roles[role].suffix, name, planner->err);
    return code < 0 ? code : add_topic(planner, role, name, partitions);
}

static int add_source(struct planner *planner, const struct weir_service *service, const char *source_topic)
{
    const struct weir_topic_plan *source = find_topic(planner, source_topic);

    if (source == NULL && service->source_partitions == 0)
        return weir_error_set(planner->err, WEIR_E_CONFIG,
            "service %s reads topic %s, which belongs to no [collection]; its partition count is not known: "
            "say "
            "topics.partitions",
            service->name, source_topic);
    int32_t partitions = source != NULL ? source->partitions : (int32_t)service->source_partitions;
    int code = add_topic_of_service(planner, WEIR_TOPIC_RETRY, source_topic, service, partitions);
    if (code == 0)
        code = add_topic_of_service(planner, WEIR_TOPIC_DEAD_LETTERS, source_topic, service, partitions);
    if (code == 0 && makes_outcomes(planner->deployment, service, source_topic))
        code = add_topic_of_service(planner, WEIR_TOPIC_OUTCOMES, source_topic, service, partitions);
    if (code == 0 && is_notifier(service))
        code = read_ledger_ms(planner, service);
    if (code == 0 && is_notifier(service))
        code = add_topic_of_service(planner, WEIR_TOPIC_DELIVERIES, source_topic, service, partitions);
    return code;
}

static bool is_store(const struct weir_deployment *deployment, const struct weir_service *service)
{
    for (size_t i = 0; i < deployment->collection_count; i++)
        if (deployment->collections[i].store_service != NULL &&
            strcmp(deployment->collections[i].store_service, service->name) == 0)
            return true;
    return false;
}

static int add_services(struct planner *planner, bool stores)
{
    const struct weir_deployment *deployment = planner->deployment;
    int code = 0;

    for (size_t i = 0; i < deployment->service_count && code == 0; i++) {
        const struct weir_service *service = &deployment->services[i];
        if (is_store(deployment, service) != stores)
            continue;
        for (char **source = service->source_topics; source != NULL && *source != NULL && code == 0; source++)
            code = add_source(planner, service, *source);
    }
    return code;
}

int weir_topic_plan(const struct weir_deployment *deployment, struct weir_topic_plan **ret_plan,
    size_t *ret_count, struct weir_error *err)
{
    struct planner planner = {.deployment = deployment, .err = err};

    int code = read_document_bytes(deployment, &planner.document_bytes, err);
    if (code == 0)
        code = add_collections(&planner);
    if (code == 0)
        code = add_services(&planner, true); /* whose outcomes others may read, wherever they stand */
    if (code == 0)
        code = add_services(&planner, false);
    if (code < 0) {
        weir_topic_plan_free(planner.topics, planner.count);
        return code;
    }
    *ret_plan = planner.topics;
    *ret_count = planner.count;
    return 0;
}

int weir_topic_batch_bytes(
    const struct weir_deployment *deployment, int64_t *ret_bytes, struct weir_error *err)
{
    int64_t document_bytes = 0;

    int code = read_document_bytes(deployment, &document_bytes, err);
    if (code == 0) /* the least of all roles: COMMAND_BYTES */
        *ret_bytes = document_bytes + HEADER_BYTES;
    return code;
}

void weir_topic_plan_free(struct weir_topic_plan *plan, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t s = 0; s < plan[i].setting_count; s++)
            free(plan[i].settings[s].value);
    free(plan);
}
