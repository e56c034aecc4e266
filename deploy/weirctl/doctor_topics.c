/* The topics: are they there as planned, does each partition have all its copies, may a lagging replica lead.
 */
#include "deploy/weirctl/doctor.h"
#include "deploy/weirctl/topic_difference.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define AREA "topics"

enum { BROKERS_WANTED = 3 };

/* What can't be read is as bad as it may be. */
static void tell_unread(struct doctor *doctor, int code, const char *why)
{
    doctor_find(doctor, AREA, DOCTOR_ILL,
        code == WEIR_E_CONFIG ? "give weirctl its rights: weirctl acl plan"
                              : "see that all brokers are up, or give it more time: --timeout 2m",
        "%s", why);
}

static void tell_failed(struct doctor *doctor, rd_kafka_resp_err_t failed, const char *what)
{
    struct weir_error why;

    if (weir_kafka_error_set(&why, failed, what) < 0)
        tell_unread(doctor, why.code, why.text);
}

static void tell_difference(void *context, const struct weir_topic_difference *difference)
{
    doctor_find(context, AREA, DOCTOR_ILL, difference->fix, "%s: %s is %s, should be %s", difference->topic,
        difference->setting, difference->has, difference->wants);
}

static bool is_planned(const struct weir_topic_states *states, const char *name)
{
    for (size_t i = 0; i < states->count; i++)
        if (strcmp(states->topics[i].plan->name, name) == 0)
            return true;
    return false;
}

/* Partitions without a leader, and those that lack a copy that is in sync. */
static void look_at_copies(struct doctor *doctor, const struct rd_kafka_metadata_topic *topic)
{
    int leaderless = 0, lacking = 0;

    for (int i = 0; i < topic->partition_cnt; i++) {
        leaderless += topic->partitions[i].leader < 0;
        lacking += topic->partitions[i].isr_cnt < topic->partitions[i].replica_cnt;
    }
    if (leaderless > 0)
        doctor_find(doctor, AREA, DOCTOR_ILL, "start the brokers that hold them",
            "%s: %d partitions have no leader, so nothing is written or read there", topic->topic,
            leaderless);
    else if (lacking > 0)
        doctor_find(doctor, AREA, DOCTOR_ILL, "see which broker is down or slow",
            "%s: %d partitions have fewer copies in sync than they should", topic->topic, lacking);
}

static void look_at_cluster(struct doctor *doctor, const struct weir_topic_states *states)
{
    const struct rd_kafka_metadata *metadata = NULL;
    const struct weir_kafka_settings *kafka = &doctor->ctl->deployment->kafka;

    rd_kafka_resp_err_t failed =
        rd_kafka_metadata(doctor->ctl->kafka, 1, NULL, &metadata, weirctl_left_ms(doctor->ctl));
    if (failed != RD_KAFKA_RESP_ERR_NO_ERROR) {
        tell_failed(doctor, failed, "the brokers and the copies of topics could not be looked at");
        return;
    }
    if (metadata->broker_cnt < BROKERS_WANTED)
        doctor_find(doctor, AREA, DOCTOR_NOTE, "run three brokers on three machines",
            "the cluster has %d broker%s: what a disk or a power cut takes is not elsewhere",
            metadata->broker_cnt, metadata->broker_cnt == 1 ? "" : "s");
    for (int i = 0; i < metadata->topic_cnt; i++)
        if (is_planned(states, metadata->topics[i].topic))
            look_at_copies(doctor, &metadata->topics[i]);
    if (kafka->min_insync_replicas < 2 || kafka->replication_factor < BROKERS_WANTED)
        doctor_find(doctor, AREA, DOCTOR_NOTE,
            "replication.factor = 3 and min.insync.replicas = 2 in [kafka], before the topics are made",
            "replication.factor = %" PRId64 " and min.insync.replicas = %" PRId64
            ": a 202 does not survive the loss of a disk",
            kafka->replication_factor, kafka->min_insync_replicas);
    rd_kafka_metadata_destroy(metadata);
}

/* ---- a replica that lags must not lead: what only the others have would be gone */

static bool is_unclean(const rd_kafka_ConfigResource_t *topic)
{
    size_t count = 0;
    const rd_kafka_ConfigEntry_t **list = rd_kafka_ConfigResource_configs(topic, &count);

    for (size_t i = 0; i < count; i++)
        if (strcmp(rd_kafka_ConfigEntry_name(list[i]), "unclean.leader.election.enable") == 0)
            return rd_kafka_ConfigEntry_value(list[i]) != NULL &&
                   strcmp(rd_kafka_ConfigEntry_value(list[i]), "true") == 0;
    return false;
}

static void look_at_elections(struct doctor *doctor, rd_kafka_event_t *event)
{
    size_t count = 0;
    const rd_kafka_ConfigResource_t **topics =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &count);

    for (size_t i = 0; i < count; i++) {
        tell_failed(
            doctor, rd_kafka_ConfigResource_error(topics[i]), rd_kafka_ConfigResource_name(topics[i]));
        if (is_unclean(topics[i]))
            doctor_find(doctor, AREA, DOCTOR_ILL,
                "kafka-configs.sh --alter --add-config unclean.leader.election.enable=false, on the topic or "
                "the brokers",
                "%s: unclean.leader.election.enable is on: accepted commands can be lost",
                rd_kafka_ConfigResource_name(topics[i]));
    }
}

static int ask_elections(
    struct doctor *doctor, const struct weir_topic_states *states, struct weir_error *err)
{
    rd_kafka_t *kafka = doctor->ctl->kafka;
    WEIR_CLEANUP(free)
    rd_kafka_ConfigResource_t **resources = calloc(states->count + 1, sizeof(rd_kafka_ConfigResource_t *));
    size_t count = 0;

    if (resources == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    for (size_t i = 0; i < states->count; i++)
        if (states->topics[i].exists)
            resources[count++] =
                rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, states->topics[i].plan->name);
    if (count == 0)
        return 0;
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(kafka, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka);
    rd_kafka_AdminOptions_set_request_timeout(options, weirctl_left_ms(doctor->ctl), NULL, 0);
    rd_kafka_DescribeConfigs(kafka, resources, count, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, weirctl_left_ms(doctor->ctl) + 1000);
    rd_kafka_resp_err_t failed = event != NULL ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    tell_failed(doctor, failed, "who may become leader could not be looked at");
    if (event != NULL && failed == RD_KAFKA_RESP_ERR_NO_ERROR)
        look_at_elections(doctor, event);
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ConfigResource_destroy_array(resources, count);
    return 0;
}

int doctor_topics(struct doctor *doctor, struct weir_error *err)
{
    WEIR_CLEANUP(topic_states) struct weir_topic_states states = {0};
    struct weir_error why;
    size_t before = doctor->ill;

    int code = weir_topic_states_plan(doctor->ctl->deployment, NULL, NULL, &states, err);
    if (code < 0)
        return code;
    code = topic_states_read(doctor->ctl, &states, &why);
    if (code < 0) {
        tell_unread(doctor, code, why.text);
        return 0;
    }
    weir_topic_differences_each(doctor->ctl->deployment, &states, tell_difference, doctor);
    look_at_cluster(doctor, &states);
    code = ask_elections(doctor, &states, err);
    if (code == 0 && doctor->ill == before)
        doctor_find(doctor, AREA, DOCTOR_WELL, "", "%zu topics are as they should be", states.count);
    return code;
}
