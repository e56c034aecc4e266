/* [kafka], [kafka.producer], [kafka.consumer]: our own keys, and librdkafka's properties as far as they leave
 * the promise alone. */
#include "common/deployment_parts.h"

#include "common/bytes.h"
#include "common/config_file.h"
#include "common/kafka_property.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct weir_option rows[] = {
    {.key = "bootstrap.servers",
        .type = WEIR_OPTION_STRING,
        .min = 1,
        .max = 4096,
        .required = true,
        .offset = offsetof(struct weir_kafka_settings, bootstrap_servers),
        .help = "brokers to begin with, host:port, with commas between them"},
    {.key = "dev",
        .type = WEIR_OPTION_BOOL,
        .fallback = "false",
        .offset = offsetof(struct weir_kafka_settings, dev),
        .help = "the broker is weir-devbroker: no discovery, no topic checks; a real cluster is refused"},
    {.key = "topic.prefix",
        .type = WEIR_OPTION_STRING,
        .fallback = "",
        .max = 64,
        .offset = offsetof(struct weir_kafka_settings, topic_prefix),
        .help = "stands before every topic name, e.g. acme. on a shared cluster"},
    {.key = "replication.factor",
        .type = WEIR_OPTION_INTEGER,
        .fallback = "3",
        .min = 1,
        .max = 32767,
        .offset = offsetof(struct weir_kafka_settings, replication_factor),
        .help = "copies of each topic"},
    {.key = "min.insync.replicas",
        .type = WEIR_OPTION_INTEGER,
        .fallback = "2",
        .min = 1,
        .max = 32767,
        .offset = offsetof(struct weir_kafka_settings, min_insync_replicas),
        .help = "copies that have to hold a record before it counts as written"},
    {.key = "window",
        .type = WEIR_OPTION_DURATION,
        .fallback = "7d",
        .min = 60000,
        .max = 366LL * 86400000,
        .offset = offsetof(struct weir_kafka_settings, window_ms),
        .help =
            "longest outage that nothing is lost in: retention of commands, compaction lag of change topics"},
};

const struct weir_option_table weir_kafka_options = {.section = "kafka",
    .rows = rows,
    .count = sizeof(rows) / sizeof(rows[0]),
    .settings_size = sizeof(struct weir_kafka_settings)};

enum { CLIENTS = 1, PRODUCERS = 2, CONSUMERS = 4, ANYWHERE = CLIENTS | PRODUCERS | CONSUMERS };

/* librdkafka's properties that would void the promise. A name that ends in * stands for all that begin so.
 * With bounds (least or most not 0) the property is refused outside them only. */
static const struct rule {
    const char *name;
    unsigned where;
    int64_t least, most;
    const char *reason;
} rules[] = {
    {"acks", ANYWHERE, .reason = "202 is answered only when all in-sync replicas have the record"},
    {"request.required.acks", ANYWHERE,
        .reason = "202 is answered only when all in-sync replicas have the record"},
    {"enable.idempotence", ANYWHERE, .reason = "a retried write must not appear twice or out of order"},
    {"enable.gapless.guarantee", ANYWHERE,
        .reason = "a lost record is reported, it does not end the producer"},
    {"retries", ANYWHERE, .reason = "how long a write is tried is one number, Weir's own"},
    {"message.send.max.retries", ANYWHERE, .reason = "how long a write is tried is one number, Weir's own"},
    {"enable.auto.*", ANYWHERE,
        .reason = "offsets are committed in the transaction of what was made of them"},
    {"auto.commit.*", ANYWHERE,
        .reason = "offsets are committed in the transaction of what was made of them"},
    {"offset.store.*", ANYWHERE, .reason = "offsets are kept by the group, in the transaction"},
    {"isolation.level", ANYWHERE, .reason = "records of aborted transactions must not be seen"},
    {"auto.offset.reset", ANYWHERE,
        .reason = "a lost position stops the partition instead of skipping records"},
    {"transactional.id", ANYWHERE,
        .reason = "it is made of service and instance, so that a restart ends its own"},
    {"transaction.timeout.ms", ANYWHERE, .reason = "15 s is part of how takeovers are timed"},
    {"message.timeout.ms", ANYWHERE, .reason = "it is 120 s for the gateway and 15 s within a transaction"},
    {"delivery.timeout.ms", ANYWHERE, .reason = "it is 120 s for the gateway and 15 s within a transaction"},
    {"socket.timeout.ms", CLIENTS | PRODUCERS,
        .reason =
            "60 s for the gateway: with less, librdkafka 2.0.2 breaks when a broker pauses; 14.9 s within a "
            "transaction"},
    {"socket.timeout.ms", CONSUMERS, 10000, 300000, "less breaks off slow fetches, more hides a dead broker"},
    {"message.max.bytes", ANYWHERE, .reason = "what a topic takes follows [gateway] body.max"},
    {"queue.buffering.max.kbytes", ANYWHERE, 65536, 2097151, "the largest change event has to fit"},
    {"statistics.interval.ms", ANYWHERE, .reason = "the metrics of the clients are made of them"},
    {"request.timeout.ms", ANYWHERE, 1000, 60000, "brokers give up on a write within this time"},
    {"session.timeout.ms", ANYWHERE, 6000, 1800000,
        "brokers take these by default; less moves partitions for nothing"},
    {"max.poll.interval.ms", ANYWHERE, 60000, 86400000,
        "a batch may take handle.timeout and must not lose its partitions"},
    {"group.*", ANYWHERE, .reason = "the group is [service] group, its instances are named by the host"},
    {"client.id", ANYWHERE, .reason = "the programs name themselves; gateways find stores by it"},
    {"partitioner", ANYWHERE, .reason = "murmur2 of the key decides which store owns a document"},
    {"partition.assignment.strategy", ANYWHERE, .reason = "mixed strategies split a group"},
    {"enable.partition.eof", ANYWHERE, .reason = "tables are read to their end by it"},
    {"allow.auto.create.topics", ANYWHERE,
        .reason = "the partition count is part of the data; weirctl makes topics"},
    {"api.version.*", ANYWHERE, .reason = "transactions need it as it is"},
    {"broker.version.fallback", ANYWHERE, .reason = "transactions need it as it is"},
    {"metadata.broker.list", ANYWHERE, .reason = "the brokers are written as [kafka] bootstrap.servers"},
    {"topic.blacklist", ANYWHERE, .reason = "a topic would be missing without a word"},
    {"plugin.library.paths", ANYWHERE, .reason = "foreign code could change what is written"},
    {"enabled_events", ANYWHERE, .reason = "the programs choose what they are told"},
    {"log.queue", ANYWHERE, .reason = "the log would stand still"},
    {"bootstrap.servers", PRODUCERS | CONSUMERS,
        .reason = "all clients use one cluster: write it in [kafka]"},
};

/* Properties that are secrets: @file: and @credential: are read, and they are never printed. */
static const char *const secrets[] = {"sasl.password", "ssl.key.password", "ssl.key.pem",
    "ssl.keystore.password", "sasl.oauthbearer.client.secret", "sasl.oauthbearer.config"};

struct property_list {
    struct weir_property **items;
    size_t *count;
};

/* One of the three sections being read. */
struct part {
    const struct weir_config *config;
    const char *section;
    unsigned where;
    struct property_list list;
};

static bool is_secret(const char *name)
{
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
        if (strcmp(secrets[i], name) == 0)
            return true;
    return false;
}

static bool matches(const char *pattern, const char *name)
{
    size_t len = strcspn(pattern, "*");
    return strncmp(pattern, name, len) == 0 && (pattern[len] == '*' || name[len] == '\0');
}

static bool is_within(const struct rule *rule, const char *value)
{
    char *end;

    if (rule->least == 0 && rule->most == 0)
        return false;
    errno = 0;
    long long number = strtoll(value, &end, 10);
    return errno == 0 && *end == '\0' && end != value && number >= rule->least && number <= rule->most;
}

static int refuse_by(const struct rule *rule, const char *name, const char *value, struct weir_error *err)
{
    if (rule->least == 0 && rule->most == 0)
        return weir_error_set(err, WEIR_E_CONFIG, "%s can't be set: %s", name, rule->reason);
    return weir_error_set(err, WEIR_E_CONFIG, "%s = %.80s: allowed is %" PRId64 " to %" PRId64 ": %s", name,
        value, rule->least, rule->most, rule->reason);
}

static int check_rules(const struct part *part, const char *name, const char *value, struct weir_error *err)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        const struct rule *rule = &rules[i];
        if ((rule->where & part->where) != 0 && matches(rule->name, name) && !is_within(rule, value))
            return refuse_by(rule, name, value, err);
    }
    return 0;
}

/* The property as librdkafka gets it: secrets are read from where they lie. */
static int read_value(const struct part *part, const char *name, const char *text, bool from_file,
    char **ret_value, struct weir_error *err)
{
    if (!is_secret(name)) {
        *ret_value = strdup(text);
        return *ret_value != NULL ? 0 : weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    }
    if (from_file && !part->config->is_private && weir_option_secret_is_literal(text))
        return weir_error_set(err, WEIR_E_CONFIG,
            "%s = ***: a secret in a file that others may read; chmod 0600 the file, or write @file:PATH or "
            "@credential:NAME",
            name);
    return weir_option_secret(name, text, ret_value, err);
}

static int check_value(const char *name, const char *value, struct weir_error *err)
{
    int code = weir_kafka_property_check(name, value, err);

    if (code == 0 || code == WEIR_E_NOT_FOUND)
        return code;
    if (is_secret(name))
        return weir_error_set(err, WEIR_E_CONFIG, "%s = ***: librdkafka does not take it", name);
    weir_error_prefix(err, "%s = %.80s", name, value);
    return code;
}

/* The environment overrides the file. */
static int put_property_take(const struct part *part, const char *name, char *value, struct weir_error *err)
{
    struct weir_property **items = part->list.items;
    size_t *count = part->list.count;

    for (size_t i = 0; i < *count; i++) {
        if (strcmp((*items)[i].name, name) != 0)
            continue;
        free((*items)[i].value);
        (*items)[i].value = value;
        return 0;
    }
    struct weir_property *grown = realloc(*items, (*count + 1) * sizeof(*grown));
    char *copy = strdup(name);
    if (grown != NULL)
        *items = grown;
    if (grown == NULL || copy == NULL) {
        free(copy);
        free(value);
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    }
    grown[(*count)++] = (struct weir_property){copy, value};
    return 0;
}

static int take_property(
    const struct part *part, const char *name, const char *text, bool from_file, struct weir_error *err)
{
    WEIR_CLEANUP(free) char *value = NULL;

    int code = check_rules(part, name, text, err);
    if (code == 0)
        code = read_value(part, name, text, from_file, &value, err);
    if (code == 0)
        code = check_value(name, value, err);
    return code < 0 ? code : put_property_take(part, name, weir_steal(value), err);
}

/* What librdkafka does not know either may be a key of our own, misspelt: then 1 makes the table suggest it.
 */
static int refuse_unknown(const struct part *part, const char *key, struct weir_error *err)
{
    if (part->where == CLIENTS && weir_option_nearest(&weir_kafka_options, key) != NULL)
        return 1;
    if (err != NULL)
        err->code = WEIR_E_CONFIG;
    return WEIR_E_CONFIG;
}

/* A secret of the environment takes the place of a file that need not be there. */
static bool is_secret_of_environment(const struct part *part, const char *name)
{
    WEIR_CLEANUP(free) char *value = NULL;
    WEIR_CLEANUP(free) char *variable = NULL;

    return is_secret(name) &&
           (weir_config_variable_read(part->section, name, &value, &variable, NULL) < 0 || value != NULL);
}

static int take_key(void *context, const char *key, const char *value, struct weir_error *err)
{
    if (is_secret_of_environment(context, key)) /* read, or refused, when its turn comes */
        return 0;
    int code = take_property(context, key, value, true, err);
    return code == WEIR_E_NOT_FOUND ? refuse_unknown(context, key, err) : code;
}

/* The variables of Kubernetes' service links (a Service named weir-kafka makes WEIR_KAFKA_PORT and others)
 * are none of ours. */
static bool is_service_link(struct weir_bytes rest)
{
    static const char *const words[] = {"SERVICE_HOST", "SERVICE_PORT", "PORT"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t len = strlen(words[i]);
        if (rest.len >= len && memcmp(rest.data, words[i], len) == 0 &&
            (rest.len == len || rest.data[len] == '_'))
            return true;
    }
    return false;
}

/* SASL_PASSWORD_FILE → sasl.password: librdkafka's names are lower case with dots. */
static char *property_of(const char *rest, size_t len)
{
    static const char suffix[] = "_FILE";

    if (len > sizeof(suffix) - 1 &&
        memcmp(rest + len - (sizeof(suffix) - 1), suffix, sizeof(suffix) - 1) == 0)
        len -= sizeof(suffix) - 1;
    char *name = weir_bytes_dup(weir_bytes(rest, len));
    for (char *at = name; at != NULL && *at != '\0'; at++)
        *at = *at == '_' ? '.' : (char)(*at >= 'A' && *at <= 'Z' ? *at - 'A' + 'a' : *at);
    return name;
}

static int take_variable(const struct part *part, const char *rest, size_t len, struct weir_error *err)
{
    WEIR_CLEANUP(free) char *name = property_of(rest, len);
    WEIR_CLEANUP(free) char *value = NULL;
    WEIR_CLEANUP(free) char *variable = NULL;

    if (name == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    if (part->where == CLIENTS && weir_option_find(&weir_kafka_options, name) != NULL)
        return 0;
    int code = weir_config_variable_read(part->section, name, &value, &variable, err);
    if (code < 0 || value == NULL)
        return code;
    code = take_property(part, name, value, false, err);
    if (code == 0)
        return 0;
    weir_error_prefix(err, "%s", variable);
    if (err != NULL)
        err->code = WEIR_E_CONFIG;
    return WEIR_E_CONFIG;
}

static const char producer_prefix[] = "WEIR_KAFKA_PRODUCER_", consumer_prefix[] = "WEIR_KAFKA_CONSUMER_",
                  kafka_prefix[] = "WEIR_KAFKA_";

static const char *behind(const char *text, const char *prefix)
{
    size_t len = strlen(prefix);
    return strncmp(text, prefix, len) == 0 ? text + len : NULL;
}

/* What of a variable's name belongs to the part: the longest of the three prefixes decides. */
static const char *rest_of_variable(const struct part *part, const char *variable)
{
    const char *producer = behind(variable, producer_prefix), *consumer = behind(variable, consumer_prefix);

    if (part->where == PRODUCERS)
        return producer;
    if (part->where == CONSUMERS)
        return consumer;
    return producer == NULL && consumer == NULL ? behind(variable, kafka_prefix) : NULL;
}

static int take_environment(const struct part *part, struct weir_error *err)
{
    int code = 0;

    for (char **variable = environ; *variable != NULL && code == 0; variable++) {
        const char *rest = rest_of_variable(part, *variable);
        size_t len = rest != NULL ? strcspn(rest, "=") : 0;
        if (len > 0 && !is_service_link(weir_bytes(rest, len)))
            code = take_variable(part, rest, len, err);
    }
    return code;
}

static int load_part(
    struct part *part, const struct weir_option_table *table, void *settings, struct weir_error *err)
{
    int code = weir_config_bind(part->config, part->section, NULL, table, take_key, part, settings, err);
    return code < 0 ? code : take_environment(part, err);
}

static int check_prefix(const struct weir_deployment *deployment, struct weir_error *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    const char *prefix = deployment->kafka.topic_prefix;

    if (prefix[strspn(prefix, allowed)] == '\0')
        return 0;
    return weir_error_set(err, WEIR_E_CONFIG,
        "%s: topic.prefix = %s: topic names are made of A-Z a-z 0-9 . _ -",
        weir_config_where(deployment->config, "kafka", "topic.prefix"), prefix);
}

static int check_replicas(const struct weir_deployment *deployment, struct weir_error *err)
{
    const struct weir_kafka_settings *kafka = &deployment->kafka;

    if (kafka->min_insync_replicas <= kafka->replication_factor)
        return 0;
    return weir_error_set(err, WEIR_E_CONFIG,
        "%s: replication.factor = %" PRId64 " is less than min.insync.replicas = %" PRId64
        ", so that no record could ever be written",
        weir_config_where(deployment->config, "kafka", "replication.factor"), kafka->replication_factor,
        kafka->min_insync_replicas);
}

int weir_deployment_load_kafka(struct weir_deployment *deployment, struct weir_error *err)
{
    static const struct weir_option_table none = {.section = "kafka.*"};
    struct weir_kafka_settings *kafka = &deployment->kafka;
    struct part parts[] = {
        {deployment->config, "kafka", CLIENTS, {&kafka->properties, &kafka->property_count}},
        {deployment->config, "kafka.producer", PRODUCERS,
            {&kafka->producer_properties, &kafka->producer_property_count}},
        {deployment->config, "kafka.consumer", CONSUMERS,
            {&kafka->consumer_properties, &kafka->consumer_property_count}},
    };
    int code = 0;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && code == 0; i++)
        code = load_part(&parts[i], parts[i].where == CLIENTS ? &weir_kafka_options : &none, kafka, err);
    if (code == 0)
        code = check_prefix(deployment, err);
    return code < 0 ? code : check_replicas(deployment, err);
}

static void free_properties(struct weir_property *properties, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(properties[i].name);
        free(properties[i].value);
    }
    free(properties);
}

void weir_deployment_free_kafka(struct weir_deployment *deployment)
{
    struct weir_kafka_settings *kafka = &deployment->kafka;

    free_properties(kafka->properties, kafka->property_count);
    free_properties(kafka->producer_properties, kafka->producer_property_count);
    free_properties(kafka->consumer_properties, kafka->consumer_property_count);
    weir_option_free(&weir_kafka_options, kafka);
}
