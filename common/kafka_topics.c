#include "common/kafka_topics.h"

#include <stdlib.h>
#include <string.h>

int weir_topic_states_plan(const struct weir_deployment *deployment, weir_topic_wanted *wanted, void *context,
    struct weir_topic_states *states, struct weir_error *err)
{
    int code = weir_topic_plan(deployment, &states->plan, &states->planned, err);
    if (code < 0)
        return code;
    states->topics = calloc(states->planned + 1, sizeof(*states->topics));
    if (states->topics == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    for (size_t i = 0; i < states->planned; i++)
        if (wanted == NULL || wanted(context, &states->plan[i]))
            states->topics[states->count++].plan = &states->plan[i];
    return 0;
}

static void forget(struct weir_topic_state *topic)
{
    for (size_t i = 0; i < topic->plan->setting_count; i++)
        free(topic->values[i]);
    *topic = (struct weir_topic_state){.plan = topic->plan};
}

void weir_topic_states_done(struct weir_topic_states *states)
{
    for (size_t i = 0; states->topics != NULL && i < states->count; i++)
        forget(&states->topics[i]);
    free(states->topics);
    weir_topic_plan_free(states->plan, states->planned);
    *states = (struct weir_topic_states){0};
}

static struct weir_topic_state *find(struct weir_topic_states *states, const char *name)
{
    for (size_t i = 0; i < states->count; i++)
        if (strcmp(states->topics[i].plan->name, name) == 0)
            return &states->topics[i];
    return NULL;
}

static void take_metadata(struct weir_topic_state *topic, const struct rd_kafka_metadata_topic *found)
{
    if (found->partition_cnt == 0)
        return;
    topic->exists = topic->has_leaders = true;
    topic->partitions = found->partition_cnt;
    topic->replication_factor = found->partitions[0].replica_cnt;
    for (int i = 0; i < found->partition_cnt; i++) {
        const struct rd_kafka_metadata_partition *partition = &found->partitions[i];
        topic->has_leaders &= partition->leader >= 0;
        if (partition->replica_cnt < topic->replication_factor)
            topic->replication_factor = partition->replica_cnt;
    }
}

int weir_topic_states_read_partitions(
    rd_kafka_t *handle, int timeout_ms, struct weir_topic_states *states, struct weir_error *err)
{
    const struct rd_kafka_metadata *metadata = NULL;

    for (size_t i = 0; i < states->count; i++)
        forget(&states->topics[i]);
    rd_kafka_resp_err_t failed = rd_kafka_metadata(handle, 1, NULL, &metadata, timeout_ms);

    if (failed != RD_KAFKA_RESP_ERR_NO_ERROR)
        return weir_error_set(
            err, WEIR_E_UNAVAILABLE, "reading the list of topics: %s", rd_kafka_err2str(failed));
    for (int i = 0; i < metadata->topic_cnt; i++) {
        struct weir_topic_state *topic = find(states, metadata->topics[i].topic);
        if (topic != NULL)
            take_metadata(topic, &metadata->topics[i]);
    }
    rd_kafka_metadata_destroy(metadata);
    return 0;
}

static char *entry_value(const rd_kafka_ConfigEntry_t **entries, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), name) == 0)
            return strdup(
                rd_kafka_ConfigEntry_value(entries[i]) != NULL ? rd_kafka_ConfigEntry_value(entries[i]) : "");
    return NULL;
}

/* Asked for absent topics too: a principal without rights sees none, and "missing" would be the wrong word
 * for that. A broker that does not know a fresh topic yet says that there is none. */
static int take_settings(
    struct weir_topic_state *topic, const rd_kafka_ConfigResource_t *resource, struct weir_error *err)
{
    rd_kafka_resp_err_t failed = rd_kafka_ConfigResource_error(resource);
    size_t count = 0;

    if (weir_kafka_code(failed) == WEIR_E_NOT_FOUND) {
        topic->exists = false;
        return 0;
    }
    if (failed != RD_KAFKA_RESP_ERR_NO_ERROR)
        return weir_error_set(err, weir_kafka_code(failed), "reading the settings of %s: %s",
            topic->plan->name, rd_kafka_ConfigResource_error_string(resource));
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);
    for (size_t i = 0; i < topic->plan->setting_count; i++)
        topic->values[i] = entry_value(entries, count, topic->plan->settings[i].name);
    return 0;
}

static int take_answer(struct weir_topic_states *states, rd_kafka_event_t *event, struct weir_error *err)
{
    size_t count = 0;
    int code = 0;

    if (event == NULL)
        return weir_error_set(err, WEIR_E_UNAVAILABLE, "reading the settings of topics: no answer in time");
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return weir_error_set(err, WEIR_E_UNAVAILABLE, "reading the settings of topics: %s",
            rd_kafka_event_error_string(event));
    const rd_kafka_ConfigResource_t **resources =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &count);
    for (size_t i = 0; i < count && code == 0; i++) {
        struct weir_topic_state *topic = find(states, rd_kafka_ConfigResource_name(resources[i]));
        if (topic != NULL)
            code = take_settings(topic, resources[i], err);
    }
    return code;
}

static rd_kafka_event_t *ask_settings(
    rd_kafka_t *handle, int timeout_ms, rd_kafka_ConfigResource_t **resources, size_t count)
{
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(handle, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(handle);

    rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, NULL, 0);
    rd_kafka_DescribeConfigs(handle, resources, count, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, timeout_ms + 1000);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    return event;
}

int weir_topic_states_read_settings(
    rd_kafka_t *handle, int timeout_ms, struct weir_topic_states *states, struct weir_error *err)
{
    rd_kafka_ConfigResource_t **resources = calloc(states->count + 1, sizeof(rd_kafka_ConfigResource_t *));
    size_t count = 0;
    int code = 0;

    if (resources == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    for (; count < states->count; count++)
        resources[count] =
            rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, states->topics[count].plan->name);
    if (count > 0) {
        rd_kafka_event_t *event = ask_settings(handle, timeout_ms, resources, count);
        code = take_answer(states, event, err);
        if (event != NULL)
            rd_kafka_event_destroy(event);
    }
    rd_kafka_ConfigResource_destroy_array(resources, count);
    free(resources);
    return code;
}
