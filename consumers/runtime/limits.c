#include "consumers/runtime/limits.h"

#include "common/kafka.h"
#include "common/topic.h"

#include <stdlib.h>
#include <string.h>

enum { DEFAULT_BYTES = 1048588 }; /* message.max.bytes of a broker as it is installed */

struct limit {
    char topic[WEIR_TOPIC_NAME_BYTES];
    size_t bytes;
};

struct weir_limits {
    size_t count;
    struct limit limits[];
};

/* What the topic takes by the plan: weirctl made it so, or a larger one. */
static size_t planned_bytes(const struct weir_topic_plan *plan)
{
    for (size_t i = 0; i < plan->setting_count; i++)
        if (strcmp(plan->settings[i].name, "max.message.bytes") == 0)
            return strtoul(plan->settings[i].value, NULL, 10);
    return DEFAULT_BYTES;
}

static int limits_new(
    const struct weir_deployment *deployment, struct weir_limits **ret_limits, struct weir_error *err)
{
    struct weir_topic_plan *plan;
    size_t count;
    int rc = weir_topic_plan(deployment, &plan, &count, err);
    if (rc < 0)
        return rc;
    struct weir_limits *limits = calloc(1, sizeof(*limits) + count * sizeof(limits->limits[0]));
    for (size_t i = 0; limits != NULL && i < count; i++) {
        memcpy(limits->limits[i].topic, plan[i].name, sizeof(plan[i].name));
        limits->limits[i].bytes = deployment->kafka.dev ? DEFAULT_BYTES : planned_bytes(&plan[i]);
        limits->count++;
    }
    weir_topic_plan_free(plan, count);
    if (limits == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "memory is out");
    *ret_limits = limits;
    return 0;
}

static struct limit *find(const struct weir_limits *limits, const char *topic)
{
    for (size_t i = 0; i < limits->count; i++)
        if (strcmp(limits->limits[i].topic, topic) == 0)
            return (struct limit *)&limits->limits[i];
    return NULL;
}

static void take_resource(struct weir_limits *limits, const rd_kafka_ConfigResource_t *resource)
{
    struct limit *limit = find(limits, rd_kafka_ConfigResource_name(resource));
    size_t count;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);
    for (size_t i = 0; limit != NULL && i < count; i++) {
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);
        if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), "max.message.bytes") == 0 && value != NULL)
            limit->bytes = strtoul(value, NULL, 10);
    }
}

static int take_answer(struct weir_limits *limits, rd_kafka_event_t *event, struct weir_error *err)
{
    if (event == NULL)
        return weir_error_set(err, WEIR_E_TIMEOUT, "DescribeConfigs: no answer");
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return weir_kafka_error_set(err, rd_kafka_event_error(event), "DescribeConfigs");
    size_t count;
    const rd_kafka_ConfigResource_t **resources =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &count);
    int rc = 0;
    for (size_t i = 0; i < count; i++) {
        rd_kafka_resp_err_t failed = rd_kafka_ConfigResource_error(resources[i]);
        if (failed == RD_KAFKA_RESP_ERR_NO_ERROR)
            take_resource(limits, resources[i]);
        else if (failed != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART &&
                 failed != RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) /* it may be another service's */
            rc = weir_kafka_error_set(err, failed, rd_kafka_ConfigResource_name(resources[i]));
    }
    return rc;
}

static int ask(struct weir_limits *limits, rd_kafka_t *handle, int timeout_ms, struct weir_error *err)
{
    rd_kafka_ConfigResource_t **asked = calloc(limits->count, sizeof(rd_kafka_ConfigResource_t *));
    if (asked == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "memory is out");
    for (size_t i = 0; i < limits->count; i++)
        asked[i] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, limits->limits[i].topic);
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(handle, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, NULL, 0);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(handle);
    rd_kafka_DescribeConfigs(handle, asked, limits->count, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, timeout_ms);
    int rc = take_answer(limits, event, err);
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ConfigResource_destroy_array(asked, limits->count);
    free(asked);
    return rc;
}

int weir_limits_read(const struct weir_deployment *deployment, rd_kafka_t *handle, int timeout_ms,
    struct weir_limits **ret_limits, struct weir_error *err)
{
    int rc = limits_new(deployment, ret_limits, err);
    if (rc < 0 || deployment->kafka.dev || (*ret_limits)->count == 0)
        return rc;
    return ask(*ret_limits, handle, timeout_ms, err);
}

void weir_limits_free(struct weir_limits *limits)
{
    free(limits);
}

size_t weir_limits_topic_bytes(const struct weir_limits *limits, const char *topic)
{
    const struct limit *limit = limits != NULL ? find(limits, topic) : NULL;
    return limit != NULL ? limit->bytes : DEFAULT_BYTES;
}

size_t weir_limits_least_bytes(const struct weir_limits *limits)
{
    size_t least = DEFAULT_BYTES;
    for (size_t i = 0; limits != NULL && i < limits->count; i++)
        if (limits->limits[i].bytes < least)
            least = limits->limits[i].bytes;
    return least;
}
