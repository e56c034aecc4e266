/* Where a cluster's topics differ from the plan; for common/kafka_topics.h. */
#include "common/kafka_topics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct comparison {
    const struct weir_deployment *deployment;
    const struct weir_topic_state *topic;
    weir_topic_difference_visitor *visit;
    void *context;
};

/* How a setting is judged. More of some does no harm. A longer retention than planned does on the command
 * topics: a window is one number. */
static const struct judgement {
    const char *setting;
    bool may_be_more, endangers;
} judgements[] = {
    {"cleanup.policy", false, true},
    {"retention.ms", true, true},
    {"min.compaction.lag.ms", true, true},
    {"delete.retention.ms", true, true},
    {"min.insync.replicas", true, true},
    {"max.message.bytes", true, false},
    {"message.timestamp.type", false, false},
};

static const struct judgement *judge(const char *setting)
{
    static const struct judgement unknown = {"", false, false};

    for (size_t i = 0; i < sizeof(judgements) / sizeof(judgements[0]); i++)
        if (strcmp(judgements[i].setting, setting) == 0)
            return &judgements[i];
    return &unknown;
}

static bool may_be_more(const struct weir_topic_plan *plan, const char *setting)
{
    if (plan->role == WEIR_TOPIC_COMMANDS && strcmp(setting, "retention.ms") == 0)
        return false;
    return judge(setting)->may_be_more;
}

/* -1 is "for ever" in Kafka's words. */
static int64_t amount(const char *value)
{
    int64_t number = strtoll(value, NULL, 10);
    return number < 0 ? INT64_MAX : number;
}

static bool is_more(const struct weir_property *wanted, const char *value)
{
    return judge(wanted->name)->may_be_more && amount(value) >= amount(wanted->value);
}

static void compare_number(
    struct comparison *comparison, const char *setting, int32_t has, int32_t wants, const char *fix)
{
    struct weir_topic_difference difference = {
        .topic = comparison->topic->plan->name, .setting = setting, .endangers = true};

    snprintf(difference.has, sizeof(difference.has), "%" PRId32, has);
    snprintf(difference.wants, sizeof(difference.wants), "%" PRId32, wants);
    snprintf(difference.fix, sizeof(difference.fix), "%s", fix);
    comparison->visit(comparison->context, &difference);
}

static void compare_setting(struct comparison *comparison, size_t index)
{
    const struct weir_topic_plan *plan = comparison->topic->plan;
    const struct weir_property *wanted = &plan->settings[index];
    const char *told = comparison->topic->values[index], *value = told != NULL ? told : "unknown";
    bool more_is_fine = may_be_more(plan, wanted->name);
    struct weir_topic_difference difference = {.topic = plan->name, .setting = wanted->name};

    if (strcmp(wanted->value, value) == 0 || (more_is_fine && told != NULL && is_more(wanted, value)))
        return;
    difference.endangers = told != NULL && judge(wanted->name)->endangers && !is_more(wanted, value);
    snprintf(difference.has, sizeof(difference.has), "%s", value);
    snprintf(
        difference.wants, sizeof(difference.wants), "%s%s", more_is_fine ? "at least " : "", wanted->value);
    snprintf(difference.fix, sizeof(difference.fix),
        "kafka-configs.sh --bootstrap-server %s --alter --entity-type topics --entity-name %s --add-config "
        "%s=%s",
        comparison->deployment->kafka.bootstrap_servers, plan->name, wanted->name, wanted->value);
    comparison->visit(comparison->context, &difference);
}

static void tell_missing(struct comparison *comparison)
{
    struct weir_topic_difference missing = {
        comparison->topic->plan->name, "topic", "missing", "there", "weirctl topics apply", false};

    if (comparison->deployment->kafka.dev)
        snprintf(missing.fix, sizeof(missing.fix), "start weir-devbroker with this configuration");
    comparison->visit(comparison->context, &missing);
}

static void compare_topic(struct comparison *comparison)
{
    const struct weir_topic_state *topic = comparison->topic;
    const struct weir_topic_plan *plan = topic->plan;

    if (!topic->exists) {
        tell_missing(comparison);
        return;
    }
    if (topic->partitions != plan->partitions)
        compare_number(comparison, "partitions", topic->partitions, plan->partitions,
            "the count is part of the data and never changed: set partitions of the collection to what the "
            "topic has, or begin with a new topic");
    if (comparison->deployment->kafka.dev) /* one broker, and no settings to ask for */
        return;
    if (topic->replication_factor < plan->replication_factor)
        compare_number(comparison, "replication.factor", topic->replication_factor, plan->replication_factor,
            "kafka-reassign-partitions.sh, or lower replication.factor of [kafka]");
    for (size_t i = 0; i < plan->setting_count; i++)
        compare_setting(comparison, i);
}

void weir_topic_differences_each(const struct weir_deployment *deployment,
    const struct weir_topic_states *states, weir_topic_difference_visitor *visit, void *context)
{
    struct comparison comparison = {.deployment = deployment, .visit = visit, .context = context};

    for (size_t i = 0; i < states->count; i++) {
        comparison.topic = &states->topics[i];
        compare_topic(&comparison);
    }
}
