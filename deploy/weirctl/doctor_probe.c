#include "deploy/weirctl/doctor_probe.h"

#include "common/clock.h"
#include "common/kafka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DESTROY_MS = 3000 };

/* Nobody has a topic of this name. */
#define NO_TOPIC "weirctl.doctor.no-such-topic"

static enum probe_answer judge(struct probe *probe, rd_kafka_resp_err_t answer, const char *what)
{
    switch (answer) {
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
        return PROBE_REFUSED;
    case RD_KAFKA_RESP_ERR_NO_ERROR:
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
    case RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS:
    case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION: /* records of a compacted topic are not deleted, whoever asks */
        return PROBE_ALLOWED;
    default:
        weir_kafka_error_set(&probe->why, answer, what);
        return PROBE_UNKNOWN;
    }
}

static int make(const struct weir_deployment *deployment, enum weir_kafka_role role, rd_kafka_type_t type,
    const char *id, rd_kafka_t **ret_handle, struct weir_error *err)
{
    rd_kafka_conf_t *conf = NULL;

    int code = weir_kafka_conf(deployment, role, "weirctl", id, &conf, err);
    return code < 0 ? code : weir_kafka_new_take(type, conf, ret_handle, err);
}

int probe_open(
    const struct weir_deployment *deployment, int timeout_ms, struct probe *ret_probe, struct weir_error *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    int64_t deadline_ms = weir_clock_ms() + timeout_ms;
    rd_kafka_resp_err_t failed;

    *ret_probe = (struct probe){.deployment = deployment, .timeout_ms = timeout_ms};
    int code = make(deployment, WEIR_KAFKA_ADMIN, RD_KAFKA_PRODUCER, NULL, &ret_probe->admin, err);
    if (code < 0)
        return code;
    do {
        failed =
            rd_kafka_metadata(ret_probe->admin, 0, NULL, &metadata, timeout_ms < 1000 ? timeout_ms : 1000);
    } while (failed != RD_KAFKA_RESP_ERR_NO_ERROR && weir_clock_ms() < deadline_ms);
    if (failed != RD_KAFKA_RESP_ERR_NO_ERROR)
        return weir_error_set(err, WEIR_E_UNAVAILABLE, "no broker answers: %s", rd_kafka_err2str(failed));
    rd_kafka_metadata_destroy(metadata);
    return weir_kafka_check_real(deployment, ret_probe->admin, timeout_ms, err);
}

void probe_close(struct probe *probe)
{
    weir_kafka_destroy(probe->admin, DESTROY_MS);
}

/* ---- writing */

static void take_report(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *opaque)
{
    (void)kafka, (void)opaque;
    *(rd_kafka_resp_err_t *)message->_private = message->err;
}

/* A handle of its own, for its callback. */
static int open_writer(struct probe *probe, rd_kafka_t **ret_handle)
{
    rd_kafka_conf_t *conf = NULL;
    char text[256];
    bool fits =
        weir_kafka_conf(probe->deployment, WEIR_KAFKA_ADMIN, "weirctl", NULL, &conf, &probe->why) == 0;

    if (!fits)
        return -1;
    rd_kafka_conf_set_dr_msg_cb(conf, take_report);
    rd_kafka_conf_set(conf, "acks", "2", text, sizeof(text));
    rd_kafka_conf_set(conf, "message.send.max.retries", "0", text, sizeof(text));
    return weir_kafka_new_take(RD_KAFKA_PRODUCER, conf, ret_handle, &probe->why);
}

void probe_write(struct probe *probe, const char *const *topics, size_t count, enum probe_answer *ret_answers)
{
    rd_kafka_t *writer = NULL;
    rd_kafka_resp_err_t *reports = calloc(count + 1, sizeof(*reports));

    memset(ret_answers, 0, count * sizeof(*ret_answers));
    if (reports == NULL || open_writer(probe, &writer) < 0) {
        free(reports);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        reports[i] = RD_KAFKA_RESP_ERR__TIMED_OUT;
        rd_kafka_resp_err_t failed = rd_kafka_producev(writer, RD_KAFKA_V_TOPIC(topics[i]),
            RD_KAFKA_V_PARTITION(0), RD_KAFKA_V_VALUE("", 0), RD_KAFKA_V_OPAQUE(&reports[i]), RD_KAFKA_V_END);
        if (failed != RD_KAFKA_RESP_ERR_NO_ERROR)
            reports[i] = failed;
    }
    rd_kafka_flush(writer, probe->timeout_ms);
    rd_kafka_purge(writer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(writer, DESTROY_MS);
    for (size_t i = 0; i < count; i++)
        ret_answers[i] = judge(probe, reports[i], topics[i]);
    if (weir_kafka_destroy(writer, DESTROY_MS))
        free(reports); /* else a thread that was left behind might still report */
}

/* ---- reading */

static size_t find(const char *const *topics, size_t count, const char *name)
{
    size_t i = 0;
    while (i < count && strcmp(topics[i], name) != 0)
        i++;
    return i;
}

static void listen_to(struct probe *probe, rd_kafka_queue_t *queue, const char *const *topics, size_t count,
    enum probe_answer *answers)
{
    int64_t deadline_ms = weir_clock_ms() + probe->timeout_ms;
    size_t open = 0;

    for (size_t i = 0; i < count; i++)
        open += answers[i] == PROBE_UNKNOWN;
    while (open > 0 && weir_clock_ms() < deadline_ms) {
        WEIR_CLEANUP(kafka_message) rd_kafka_message_t *message = rd_kafka_consume_queue(queue, 100);
        if (message == NULL || message->rkt == NULL)
            continue;
        size_t i = find(topics, count, rd_kafka_topic_name(message->rkt));
        if (i == count || answers[i] != PROBE_UNKNOWN)
            continue;
        answers[i] = judge(probe, message->err, topics[i]);
        open -= answers[i] != PROBE_UNKNOWN;
    }
}

/* A topic that may not even be seen is not read: no fetch is tried, so nothing would be told of it. */
static enum probe_answer look(struct probe *probe, rd_kafka_t *reader, rd_kafka_topic_t *topic)
{
    const struct rd_kafka_metadata *metadata = NULL;
    enum probe_answer answer = PROBE_UNKNOWN;

    if (rd_kafka_metadata(reader, 0, topic, &metadata, probe->timeout_ms) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return PROBE_UNKNOWN;
    if (metadata->topic_cnt == 1 && metadata->topics[0].err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
        answer = PROBE_REFUSED;
    rd_kafka_metadata_destroy(metadata);
    return answer;
}

/* Without a group: whether this principal may be in one is another question. */
void probe_read(struct probe *probe, const char *const *topics, size_t count, enum probe_answer *ret_answers)
{
    WEIR_CLEANUP(free) rd_kafka_topic_t **handles = calloc(count + 1, sizeof(rd_kafka_topic_t *));
    rd_kafka_t *reader = NULL;

    memset(ret_answers, 0, count * sizeof(*ret_answers));
    if (handles == NULL || make(probe->deployment, WEIR_KAFKA_COMMITTED_READER, RD_KAFKA_CONSUMER, NULL,
                               &reader, &probe->why) < 0)
        return;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(reader);
    for (size_t i = 0; i < count; i++) {
        handles[i] = rd_kafka_topic_new(reader, topics[i], NULL);
        ret_answers[i] = look(probe, reader, handles[i]);
        if (ret_answers[i] == PROBE_UNKNOWN)
            rd_kafka_consume_start_queue(handles[i], 0, RD_KAFKA_OFFSET_END, queue);
    }
    listen_to(probe, queue, topics, count, ret_answers);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_consume_stop(handles[i], 0);
        rd_kafka_topic_destroy(handles[i]);
    }
    rd_kafka_queue_destroy(queue);
    weir_kafka_destroy(reader, DESTROY_MS);
}

/* ---- questions of an administrator */

struct question {
    rd_kafka_AdminOptions_t *options;
    rd_kafka_queue_t *queue;
    rd_kafka_event_t *event; /* the answer; NULL: none in time */
};

static struct question ask(struct probe *probe, rd_kafka_admin_op_t operation)
{
    struct question question = {.options = rd_kafka_AdminOptions_new(probe->admin, operation),
        .queue = rd_kafka_queue_new(probe->admin)};

    rd_kafka_AdminOptions_set_request_timeout(question.options, probe->timeout_ms, NULL, 0);
    return question;
}

/* Whether there is an answer that may be looked into. */
static bool answered(
    struct probe *probe, struct question *question, const char *what, rd_kafka_resp_err_t *ret_err)
{
    question->event = rd_kafka_queue_poll(question->queue, probe->timeout_ms + 1000);
    *ret_err = question->event != NULL ? rd_kafka_event_error(question->event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (weir_kafka_code(*ret_err) == WEIR_E_UNAVAILABLE || weir_kafka_code(*ret_err) == WEIR_E_TIMEOUT)
        weir_kafka_error_set(&probe->why, *ret_err, what);
    return *ret_err == RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void question_done(struct question *question)
{
    if (question->event != NULL)
        rd_kafka_event_destroy(question->event);
    rd_kafka_queue_destroy(question->queue);
    rd_kafka_AdminOptions_destroy(question->options);
}

static void set_all(enum probe_answer *answers, size_t count, enum probe_answer answer)
{
    for (size_t i = 0; i < count; i++)
        answers[i] = answer;
}

void probe_describe_configs(
    struct probe *probe, const char *const *topics, size_t count, enum probe_answer *ret_answers)
{
    struct question question = ask(probe, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_ConfigResource_t **resources = calloc(count + 1, sizeof(rd_kafka_ConfigResource_t *));
    rd_kafka_resp_err_t failed;
    size_t told = 0;

    set_all(ret_answers, count, PROBE_UNKNOWN);
    for (size_t i = 0; resources != NULL && i < count; i++)
        resources[i] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topics[i]);
    if (resources != NULL && count > 0) {
        rd_kafka_DescribeConfigs(probe->admin, resources, count, question.options, question.queue);
        if (answered(probe, &question, "DescribeConfigs", &failed)) {
            const rd_kafka_ConfigResource_t **answers = rd_kafka_DescribeConfigs_result_resources(
                rd_kafka_event_DescribeConfigs_result(question.event), &told);
            for (size_t i = 0; i < told; i++) {
                size_t at = find(topics, count, rd_kafka_ConfigResource_name(answers[i]));
                if (at < count)
                    ret_answers[at] = judge(probe, rd_kafka_ConfigResource_error(answers[i]), topics[at]);
            }
        }
        rd_kafka_ConfigResource_destroy_array(resources, count);
    }
    free(resources);
    question_done(&question);
}

void probe_create(
    struct probe *probe, const char *const *topics, size_t count, enum probe_answer *ret_answers)
{
    struct question question = ask(probe, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_NewTopic_t **wanted = calloc(count + 1, sizeof(rd_kafka_NewTopic_t *));
    rd_kafka_resp_err_t failed;
    size_t told = 0;

    set_all(ret_answers, count, PROBE_UNKNOWN);
    rd_kafka_AdminOptions_set_validate_only(question.options, 1, NULL, 0);
    for (size_t i = 0; wanted != NULL && i < count; i++)
        wanted[i] = rd_kafka_NewTopic_new(topics[i], 1, 1, NULL, 0);
    if (wanted != NULL && count > 0) {
        rd_kafka_CreateTopics(probe->admin, wanted, count, question.options, question.queue);
        if (answered(probe, &question, "CreateTopics", &failed)) {
            const rd_kafka_topic_result_t **answers = rd_kafka_CreateTopics_result_topics(
                rd_kafka_event_CreateTopics_result(question.event), &told);
            for (size_t i = 0; i < told; i++) {
                size_t at = find(topics, count, rd_kafka_topic_result_name(answers[i]));
                if (at < count)
                    ret_answers[at] = judge(probe, rd_kafka_topic_result_error(answers[i]), topics[at]);
            }
        }
        rd_kafka_NewTopic_destroy_array(wanted, count);
    }
    free(wanted);
    question_done(&question);
}

void probe_delete(
    struct probe *probe, const char *const *topics, size_t count, enum probe_answer *ret_answers)
{
    struct question question = ask(probe, RD_KAFKA_ADMIN_OP_DELETERECORDS);
    WEIR_CLEANUP(kafka_list)
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    rd_kafka_resp_err_t failed;

    set_all(ret_answers, count, PROBE_UNKNOWN);
    for (size_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, topics[i], 0)->offset = 0;
    rd_kafka_DeleteRecords_t *wanted = rd_kafka_DeleteRecords_new(list);
    if (count > 0) {
        rd_kafka_DeleteRecords(probe->admin, &wanted, 1, question.options, question.queue);
        if (answered(probe, &question, "DeleteRecords", &failed)) {
            const rd_kafka_topic_partition_list_t *told =
                rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(question.event));
            for (int i = 0; i < told->cnt; i++) {
                size_t at = find(topics, count, told->elems[i].topic);
                if (at < count)
                    ret_answers[at] = judge(probe, told->elems[i].err, topics[at]);
            }
        } else {
            /* Partitions of topics that may not be seen have no leader to ask. */
            bool away =
                weir_kafka_code(failed) == WEIR_E_UNAVAILABLE || weir_kafka_code(failed) == WEIR_E_TIMEOUT;
            set_all(ret_answers, count, away ? PROBE_UNKNOWN : PROBE_REFUSED);
        }
    }
    rd_kafka_DeleteRecords_destroy(wanted);
    question_done(&question);
}

/* ---- groups, transactions, the cluster */

/* The group is looked at first: only who may read it is told that the topic is not there. */
static enum probe_answer judge_commit(struct probe *probe, const rd_kafka_group_result_t *result)
{
    const rd_kafka_error_t *failed = rd_kafka_group_result_error(result);
    const rd_kafka_topic_partition_list_t *list = rd_kafka_group_result_partitions(result);
    rd_kafka_resp_err_t answer = failed != NULL ? rd_kafka_error_code(failed) : RD_KAFKA_RESP_ERR_NO_ERROR;

    for (int i = 0; list != NULL && i < list->cnt && answer == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
        answer = list->elems[i].err;
    if (answer == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED)
        return PROBE_REFUSED;
    if (weir_kafka_code(answer) != WEIR_E_UNAVAILABLE && weir_kafka_code(answer) != WEIR_E_TIMEOUT)
        return PROBE_ALLOWED;
    return judge(probe, answer, "OffsetCommit");
}

enum probe_answer probe_group_read(struct probe *probe, const char *group)
{
    struct question question = ask(probe, RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS);
    WEIR_CLEANUP(kafka_list) rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    enum probe_answer answer = PROBE_UNKNOWN;
    rd_kafka_resp_err_t failed;
    size_t count = 0;

    rd_kafka_topic_partition_list_add(list, NO_TOPIC, 0)->offset = 0;
    rd_kafka_AlterConsumerGroupOffsets_t *wanted = rd_kafka_AlterConsumerGroupOffsets_new(group, list);
    rd_kafka_AlterConsumerGroupOffsets(probe->admin, &wanted, 1, question.options, question.queue);
    if (answered(probe, &question, "OffsetCommit", &failed)) {
        const rd_kafka_group_result_t **results = rd_kafka_AlterConsumerGroupOffsets_result_groups(
            rd_kafka_event_AlterConsumerGroupOffsets_result(question.event), &count);
        answer = count == 1 ? judge_commit(probe, results[0]) : PROBE_UNKNOWN;
    } else if (failed == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED) {
        answer = PROBE_REFUSED;
    }
    rd_kafka_AlterConsumerGroupOffsets_destroy(wanted);
    question_done(&question);
    return answer;
}

static rd_kafka_resp_err_t describe_group(struct probe *probe, const char *group)
{
    struct question question = ask(probe, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS);
    rd_kafka_resp_err_t failed;
    size_t count = 0;

    rd_kafka_DescribeConsumerGroups(probe->admin, &group, 1, question.options, question.queue);
    if (answered(probe, &question, "DescribeGroups", &failed)) {
        const rd_kafka_ConsumerGroupDescription_t **groups = rd_kafka_DescribeConsumerGroups_result_groups(
            rd_kafka_event_DescribeConsumerGroups_result(question.event), &count);
        const rd_kafka_error_t *why = count == 1 ? rd_kafka_ConsumerGroupDescription_error(groups[0]) : NULL;
        failed = why != NULL ? rd_kafka_error_code(why) : RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    question_done(&question);
    return failed;
}

/* A cluster whose groups nobody has asked for yet makes their coordinators now. */
static bool has_no_coordinator_yet(rd_kafka_resp_err_t failed)
{
    return failed == RD_KAFKA_RESP_ERR_NOT_COORDINATOR ||
           failed == RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE ||
           failed == RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS;
}

enum probe_answer probe_group_describe(struct probe *probe, const char *group)
{
    static const struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};
    int64_t deadline_ms = weir_clock_ms() + probe->timeout_ms;
    rd_kafka_resp_err_t failed;

    while (has_no_coordinator_yet(failed = describe_group(probe, group)) && weir_clock_ms() < deadline_ms)
        nanosleep(&pause, NULL);
    /* A group that nobody was in yet is not there (Kafka 4). */
    return failed == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND ? PROBE_ALLOWED : judge(probe, failed, group);
}

enum probe_answer probe_transactional_id(struct probe *probe, const char *id)
{
    rd_kafka_t *producer = NULL;

    if (make(probe->deployment, WEIR_KAFKA_TRANSACTIONAL, RD_KAFKA_PRODUCER, id, &producer, &probe->why) < 0)
        return PROBE_UNKNOWN;
    rd_kafka_error_t *failed = rd_kafka_init_transactions(producer, probe->timeout_ms);
    enum probe_answer answer =
        judge(probe, failed != NULL ? rd_kafka_error_code(failed) : RD_KAFKA_RESP_ERR_NO_ERROR, id);
    if (failed != NULL)
        rd_kafka_error_destroy(failed);
    weir_kafka_destroy(producer, DESTROY_MS);
    return answer;
}

enum probe_answer probe_cluster(struct probe *probe, bool *ret_open)
{
    struct question question = ask(probe, RD_KAFKA_ADMIN_OP_DELETEACLS);
    rd_kafka_AclBindingFilter_t *filter =
        rd_kafka_AclBindingFilter_new(RD_KAFKA_RESOURCE_TOPIC, NO_TOPIC, RD_KAFKA_RESOURCE_PATTERN_LITERAL,
            NULL, NULL, RD_KAFKA_ACL_OPERATION_ANY, RD_KAFKA_ACL_PERMISSION_TYPE_ANY, NULL, 0);
    rd_kafka_resp_err_t failed;
    size_t count = 0;

    rd_kafka_DeleteAcls(probe->admin, &filter, 1, question.options, question.queue);
    if (answered(probe, &question, "DeleteAcls", &failed)) {
        const rd_kafka_DeleteAcls_result_response_t **told =
            rd_kafka_DeleteAcls_result_responses(rd_kafka_event_DeleteAcls_result(question.event), &count);
        const rd_kafka_error_t *why = count == 1 ? rd_kafka_DeleteAcls_result_response_error(told[0]) : NULL;
        failed = why != NULL ? rd_kafka_error_code(why) : RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    *ret_open = failed == RD_KAFKA_RESP_ERR_SECURITY_DISABLED;
    enum probe_answer answer = *ret_open ? PROBE_ALLOWED : judge(probe, failed, "DeleteAcls");
    rd_kafka_AclBinding_destroy(filter);
    question_done(&question);
    return answer;
}
