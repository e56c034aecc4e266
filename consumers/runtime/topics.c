#include "consumers/runtime/topics.h"

#include "common/kafka_topics.h"
#include "common/log.h"
#include "consumers/runtime/runtime.h"

#include <string.h>

enum { ASK_LIMIT_MS = 2000 };

struct verdict {
    size_t differences;
    int code; /* of the worst so far */
    struct weir_error *err;
};

/* Whether the service reads or writes the topic: a source, its changes where a table reads them, or one named
 * after the service, SOURCE.SERVICE.SUFFIX; with more behind it is of a service that reads that one. */
static bool is_used(void *context, const struct weir_topic_plan *planned)
{
    const struct weir_runtime *runtime = context;
    for (char **source = runtime->service->source_topics; *source != NULL; source++) {
        size_t len = strlen(*source), own = strlen(runtime->service->name);
        if (strncmp(planned->name, *source, len) != 0)
            continue;
        const char *rest = planned->name + len;
        if (*rest == '\0' || (strcmp(rest, ".changes") == 0 && runtime->plugin->table_count > 0))
            return true;
        if (*rest == '.' && strncmp(rest + 1, runtime->service->name, own) == 0 && rest[1 + own] == '.' &&
            strchr(rest + 1 + own + 1, '.') == NULL)
            return true;
    }
    return false;
}

/* The list of all topics leaves out those that this principal may not see: asked for by name, they say so. */
static int tell_absent(struct weir_runtime *runtime, const char *topic, struct weir_error *err)
{
    int32_t count;
    int rc = weir_kafka_partition_count(runtime->watermark, topic, ASK_LIMIT_MS, &count, err);
    if (rc < 0 && rc != WEIR_E_NOT_FOUND)
        return rc;
    return weir_error_set(
        err, WEIR_E_NOT_FOUND, "topic %s does not exist; weirctl topics apply makes it", topic);
}

static int read_states(struct weir_runtime *runtime, struct weir_topic_states *states, struct weir_error *err)
{
    int rc = weir_topic_states_read_partitions(runtime->watermark, ASK_LIMIT_MS, states, err);
    for (size_t i = 0; rc == 0 && i < states->count; i++)
        if (!states->topics[i].exists)
            rc = tell_absent(runtime, states->topics[i].plan->name, err);
    if (rc < 0 || runtime->deployment->kafka.dev)
        return rc;
    rc = weir_topic_states_read_settings(runtime->watermark, ASK_LIMIT_MS, states, err);
    if (rc != WEIR_E_CONFIG)
        return rc;
    weir_log(WEIR_LOG_WARNING, "topics.unchecked",
        "reason=\"%s\" consequence=\"their settings are taken to be as planned\"", err->text);
    return 0;
}

static void take_difference(void *context, const struct weir_topic_difference *difference)
{
    struct verdict *verdict = context;
    if (strcmp(difference->has, "unknown") == 0)
        return;
    verdict->differences++;
    weir_log(difference->endangers ? WEIR_LOG_ERROR : WEIR_LOG_WARNING, "topic.differs",
        "topic=%s setting=%s has=%s wants=\"%s\" fix=\"%s\"", difference->topic, difference->setting,
        difference->has, difference->wants, difference->fix);
    if (difference->endangers && verdict->code == 0)
        verdict->code = weir_error_set(verdict->err, WEIR_E_CONFIG,
            "topic %s: %s is %s, should be %s, or data can be lost; %s", difference->topic,
            difference->setting, difference->has, difference->wants, difference->fix);
}

int weir_topics_check(struct weir_runtime *runtime, struct weir_error *err)
{
    WEIR_CLEANUP(topic_states) struct weir_topic_states states = {0};
    struct verdict verdict = {.err = err};
    int rc = weir_topic_states_plan(runtime->deployment, is_used, runtime, &states, err);
    if (rc == 0)
        rc = read_states(runtime, &states, err);
    if (rc < 0)
        return rc;
    weir_topic_differences_each(runtime->deployment, &states, take_difference, &verdict);
    if (verdict.code == 0)
        weir_log(
            WEIR_LOG_INFO, "topics.checked", "topics=%zu differences=%zu", states.count, verdict.differences);
    return verdict.code;
}
