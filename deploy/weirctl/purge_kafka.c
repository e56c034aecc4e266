/* What a deployment has on the cluster: topics, groups, rights. Transactional ids can't be removed; brokers
 * forget them after transactional.id.expiration.ms. */
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/kafka_topics.h"
#include "deploy/weirctl/acl.h"
#include "deploy/weirctl/doctor_probe.h"
#include "deploy/weirctl/purge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LOOK_AGAIN_MS = 200 };

struct question {
    rd_kafka_AdminOptions_t *options;
    rd_kafka_queue_t *queue;
    rd_kafka_event_t *event;
};

static struct question question_of(struct purge *purge, rd_kafka_admin_op_t operation)
{
    rd_kafka_t *kafka = purge->ctl->kafka;
    struct question question = {rd_kafka_AdminOptions_new(kafka, operation), rd_kafka_queue_new(kafka), NULL};

    rd_kafka_AdminOptions_set_request_timeout(question.options, weirctl_left_ms(purge->ctl), NULL, 0);
    return question;
}

static rd_kafka_resp_err_t answer_of(struct purge *purge, struct question *question)
{
    question->event = rd_kafka_queue_poll(question->queue, weirctl_left_ms(purge->ctl) + 1000);
    return question->event != NULL ? rd_kafka_event_error(question->event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
}

static void question_done(struct question *question)
{
    if (question->event != NULL)
        rd_kafka_event_destroy(question->event);
    rd_kafka_queue_destroy(question->queue);
    rd_kafka_AdminOptions_destroy(question->options);
}

static int no_memory(struct weir_error *err)
{
    return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
}

/* Things of a kind that may still be removed; the caller frees the array. */
static struct purge_thing **select_things(struct purge *purge, enum purge_kind kind, size_t *ret_count)
{
    struct purge_thing **list = calloc(purge->count + 1, sizeof(struct purge_thing *));

    *ret_count = 0;
    for (size_t i = 0; list != NULL && i < purge->count; i++)
        if (purge->things[i].kind == kind && purge->things[i].why[0] == '\0')
            list[(*ret_count)++] = &purge->things[i];
    return list;
}

static void note(struct purge_thing *thing, rd_kafka_resp_err_t failed, const char *text)
{
    if (failed != RD_KAFKA_RESP_ERR_NO_ERROR && weir_kafka_code(failed) != WEIR_E_NOT_FOUND)
        snprintf(thing->why, sizeof(thing->why), "%s", text != NULL ? text : rd_kafka_err2str(failed));
}

static void note_all(struct purge_thing **things, size_t count, rd_kafka_resp_err_t failed)
{
    for (size_t i = 0; i < count; i++)
        note(things[i], failed, NULL);
}

static struct purge_thing *named(struct purge_thing **things, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(things[i]->name, name) == 0)
            return things[i];
    return NULL;
}

/* ---- topics */

static int find_topics(struct purge *purge, struct weir_error *err)
{
    WEIR_CLEANUP(topic_states) struct weir_topic_states states = {0};

    int code = weir_topic_states_plan(purge->ctl->deployment, NULL, NULL, &states, err);
    if (code == 0)
        code =
            weir_topic_states_read_partitions(purge->ctl->kafka, weirctl_left_ms(purge->ctl), &states, err);
    for (size_t i = 0; i < states.count && code == 0; i++)
        if (states.topics[i].exists && purge_add(purge, PURGE_TOPIC, states.topics[i].plan->name) == NULL)
            code = no_memory(err);
    return code;
}

static int remove_topics(struct purge *purge, struct weir_error *err)
{
    size_t count, told = 0;
    WEIR_CLEANUP(free) struct purge_thing **things = select_things(purge, PURGE_TOPIC, &count);
    WEIR_CLEANUP(free) rd_kafka_DeleteTopic_t **wanted = calloc(count + 1, sizeof(rd_kafka_DeleteTopic_t *));

    if (things == NULL || wanted == NULL)
        return no_memory(err);
    if (count == 0)
        return 0;
    struct question question = question_of(purge, RD_KAFKA_ADMIN_OP_DELETETOPICS);
    rd_kafka_AdminOptions_set_operation_timeout(question.options, weirctl_left_ms(purge->ctl), NULL, 0);
    for (size_t i = 0; i < count; i++)
        wanted[i] = rd_kafka_DeleteTopic_new(things[i]->name);
    rd_kafka_DeleteTopics(purge->ctl->kafka, wanted, count, question.options, question.queue);
    rd_kafka_resp_err_t failed = answer_of(purge, &question);
    if (failed == RD_KAFKA_RESP_ERR_NO_ERROR) {
        const rd_kafka_topic_result_t **results =
            rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(question.event), &told);
        for (size_t i = 0; i < told; i++) {
            struct purge_thing *thing = named(things, count, rd_kafka_topic_result_name(results[i]));
            if (thing != NULL)
                note(thing, rd_kafka_topic_result_error(results[i]),
                    rd_kafka_topic_result_error_string(results[i]));
        }
    } else {
        note_all(things, count, failed);
    }
    rd_kafka_DeleteTopic_destroy_array(wanted, count);
    question_done(&question);
    return 0;
}

/* ---- groups */

static int list_groups(
    struct purge *purge, const struct rd_kafka_group_list **ret_list, struct weir_error *err)
{
    rd_kafka_resp_err_t failed =
        rd_kafka_list_groups(purge->ctl->kafka, NULL, ret_list, weirctl_left_ms(purge->ctl));

    return failed == RD_KAFKA_RESP_ERR_NO_ERROR || failed == RD_KAFKA_RESP_ERR__PARTIAL
               ? 0
               : weir_kafka_error_set(err, failed, "listing consumer groups");
}

static bool is_own_group(const struct weir_deployment *deployment, const char *name)
{
    for (size_t i = 0; i < deployment->service_count; i++)
        if (strcmp(deployment->services[i].group, name) == 0)
            return true;
    return false;
}

static int find_groups(struct purge *purge, struct weir_error *err)
{
    const struct rd_kafka_group_list *list = NULL;

    int code = list_groups(purge, &list, err);
    for (int i = 0; code == 0 && i < list->group_cnt; i++)
        if (is_own_group(purge->ctl->deployment, list->groups[i].group) &&
            purge_add(purge, PURGE_GROUP, list->groups[i].group) == NULL)
            code = no_memory(err);
    if (list != NULL)
        rd_kafka_group_list_destroy(list);
    return code;
}

/* *ret_group: one in which somebody is, "" without one. */
static int find_busy(
    struct purge *purge, char ret_group[static WEIR_TOPIC_NAME_BYTES], struct weir_error *err)
{
    const struct rd_kafka_group_list *list = NULL;

    ret_group[0] = '\0';
    int code = list_groups(purge, &list, err);
    for (int i = 0; code == 0 && i < list->group_cnt; i++)
        if (list->groups[i].member_cnt > 0 && is_own_group(purge->ctl->deployment, list->groups[i].group))
            snprintf(ret_group, WEIR_TOPIC_NAME_BYTES, "%s", list->groups[i].group);
    if (list != NULL)
        rd_kafka_group_list_destroy(list);
    return code;
}

static int refuse_busy(const char *group, struct weir_error *err)
{
    return weir_error_set(err, WEIR_E_BUSY,
        "nothing was removed: instances are in group %s, or were killed less than session.timeout.ms ago: "
        "stop them "
        "on every machine first (systemctl stop weir.target)",
        group);
}

int purge_await_stopped(struct purge *purge, struct weir_error *err)
{
    const struct timespec pause = {.tv_nsec = LOOK_AGAIN_MS * 1000000L};
    char group[WEIR_TOPIC_NAME_BYTES];

    for (;;) {
        int code = find_busy(purge, group, err);
        if (code < 0 || group[0] == '\0')
            return code;
        if (weir_clock_ms() >= purge->ctl->deadline_ms)
            return refuse_busy(group, err);
        progress_show(&purge->progress, "waiting until group %s is empty", group);
        nanosleep(&pause, NULL);
    }
}

static int remove_groups(struct purge *purge, struct weir_error *err)
{
    size_t count, told = 0;
    WEIR_CLEANUP(free) struct purge_thing **things = select_things(purge, PURGE_GROUP, &count);
    WEIR_CLEANUP(free) rd_kafka_DeleteGroup_t **wanted = calloc(count + 1, sizeof(rd_kafka_DeleteGroup_t *));

    if (things == NULL || wanted == NULL)
        return no_memory(err);
    if (count == 0)
        return 0;
    struct question question = question_of(purge, RD_KAFKA_ADMIN_OP_DELETEGROUPS);
    for (size_t i = 0; i < count; i++)
        wanted[i] = rd_kafka_DeleteGroup_new(things[i]->name);
    rd_kafka_DeleteGroups(purge->ctl->kafka, wanted, count, question.options, question.queue);
    rd_kafka_resp_err_t failed = answer_of(purge, &question);
    if (failed == RD_KAFKA_RESP_ERR_NO_ERROR) {
        const rd_kafka_group_result_t **results =
            rd_kafka_DeleteGroups_result_groups(rd_kafka_event_DeleteGroups_result(question.event), &told);
        for (size_t i = 0; i < told; i++) {
            struct purge_thing *thing = named(things, count, rd_kafka_group_result_name(results[i]));
            const rd_kafka_error_t *why = rd_kafka_group_result_error(results[i]);
            if (thing != NULL && why != NULL)
                note(thing, rd_kafka_error_code(why), rd_kafka_error_string(why));
        }
    } else {
        note_all(things, count, failed);
    }
    rd_kafka_DeleteGroup_destroy_array(wanted, count);
    question_done(&question);
    return 0;
}

/* ---- rights: those on what is the deployment's alone, whoever has them */

/* librdkafka 2.0.2 knows no transactional ids as a resource; asked for resources of any kind the broker tells
 * of them, too, which then are of an unknown kind. */
static const struct {
    rd_kafka_ResourceType_t asked, told;
    const char *name;
} resources[] = {
    [ACL_TOPIC] = {RD_KAFKA_RESOURCE_TOPIC, RD_KAFKA_RESOURCE_TOPIC, "topic"},
    [ACL_GROUP] = {RD_KAFKA_RESOURCE_GROUP, RD_KAFKA_RESOURCE_GROUP, "group"},
    [ACL_TRANSACTIONAL_ID] = {RD_KAFKA_RESOURCE_ANY, RD_KAFKA_RESOURCE_UNKNOWN, "transactional id"},
};

static rd_kafka_AclBindingFilter_t *make_filter(const struct acl *acl)
{
    return rd_kafka_AclBindingFilter_new(resources[acl->resource].asked, acl->name,
        acl->prefixed ? RD_KAFKA_RESOURCE_PATTERN_PREFIXED : RD_KAFKA_RESOURCE_PATTERN_LITERAL, NULL, NULL,
        RD_KAFKA_ACL_OPERATION_ANY, RD_KAFKA_ACL_PERMISSION_TYPE_ANY, NULL, 0);
}

/* How many rights there are on the resource; *ret_foreign: some are on another one of that name. */
static size_t count_rights(rd_kafka_event_t *event, const struct acl *acl, bool *ret_foreign)
{
    size_t count = 0;
    const rd_kafka_AclBinding_t **found =
        rd_kafka_DescribeAcls_result_acls(rd_kafka_event_DescribeAcls_result(event), &count);

    for (size_t i = 0; i < count; i++) {
        int type = (int)rd_kafka_AclBinding_restype(found[i]);
        *ret_foreign |= type == RD_KAFKA_RESOURCE_TOPIC || type == RD_KAFKA_RESOURCE_GROUP
                            ? type != (int)resources[acl->resource].told
                            : false;
    }
    return count;
}

static int add_rights(struct purge *purge, const struct acl *acl, size_t count, bool foreign,
    rd_kafka_AclBindingFilter_t *filter, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer name = {0};

    weir_buffer_printf(&name, "%zu rights on %s %s%s", count, resources[acl->resource].name, acl->name,
        acl->prefixed ? "*" : "");
    struct purge_thing *thing = name.failed ? NULL : purge_add(purge, PURGE_ACL, name.data);
    if (thing == NULL) {
        rd_kafka_AclBinding_destroy(filter);
        return no_memory(err);
    }
    thing->handle = filter;
    if (foreign)
        snprintf(thing->why, sizeof(thing->why), "%s",
            "a topic or a group has rights by the same name, and this librdkafka can't tell them apart: "
            "kafka-acls.sh "
            "--remove");
    return 0;
}

static int find_rights_on(struct purge *purge, const struct acl *acl, struct weir_error *err)
{
    struct question question = question_of(purge, RD_KAFKA_ADMIN_OP_DESCRIBEACLS);
    rd_kafka_AclBindingFilter_t *filter = make_filter(acl);
    bool foreign = false;
    size_t count = 0;
    int code = 0;

    rd_kafka_DescribeAcls(purge->ctl->kafka, filter, question.options, question.queue);
    rd_kafka_resp_err_t failed = answer_of(purge, &question);
    if (failed == RD_KAFKA_RESP_ERR_NO_ERROR)
        count = count_rights(question.event, acl, &foreign);
    else
        code = weir_kafka_error_set(err, failed, "reading rights");
    if (count > 0)
        code = add_rights(purge, acl, count, foreign, filter, err);
    else
        rd_kafka_AclBinding_destroy(filter);
    question_done(&question);
    return code;
}

static bool is_first(const struct acl_plan *plan, size_t at)
{
    const struct acl *acl = &plan->list[at];

    for (size_t i = 0; i < at; i++)
        if (plan->list[i].resource == acl->resource && plan->list[i].prefixed == acl->prefixed &&
            strcmp(plan->list[i].name, acl->name) == 0)
            return false;
    return true;
}

/* Readers of several deployments on one cluster, which topic.prefix tells apart, name groups that begin
 * alike. */
static bool is_shared(const struct purge *purge, const struct acl *acl)
{
    return acl->resource == ACL_GROUP && acl->prefixed &&
           purge->ctl->deployment->kafka.topic_prefix[0] != '\0';
}

/* Whoever may not change rights would leave them behind without a word. */
static int check_administrator(struct purge *purge, bool *ret_open, struct weir_error *err)
{
    struct probe probe = {.timeout_ms = weirctl_left_ms(purge->ctl), .admin = purge->ctl->kafka};

    if (probe_cluster(&probe, ret_open) == PROBE_ALLOWED)
        return 0;
    return weir_error_set(err, WEIR_E_CONFIG,
        "nothing was removed: the certificate of an administrator is needed, who may delete topics, groups "
        "and rights");
}

static int find_rights(struct purge *purge, struct weir_error *err)
{
    WEIR_CLEANUP(acl_plan) struct acl_plan plan = {0};
    bool open = false;

    int code = check_administrator(purge, &open, err);
    if (code < 0 || open)
        return code;
    code = acl_plan_make(purge->ctl->deployment, &plan, err);
    for (size_t i = 0; i < plan.count && code == 0; i++)
        if (is_first(&plan, i) && !is_shared(purge, &plan.list[i]))
            code = find_rights_on(purge, &plan.list[i], err);
    return code;
}

static void take_answers(struct purge_thing **things, rd_kafka_event_t *event)
{
    size_t told = 0;
    const rd_kafka_DeleteAcls_result_response_t **answers =
        rd_kafka_DeleteAcls_result_responses(rd_kafka_event_DeleteAcls_result(event), &told);

    for (size_t i = 0; i < told; i++) {
        const rd_kafka_error_t *why = rd_kafka_DeleteAcls_result_response_error(answers[i]);
        if (why != NULL)
            note(things[i], rd_kafka_error_code(why), rd_kafka_error_string(why));
    }
}

static int remove_rights(struct purge *purge, struct weir_error *err)
{
    size_t count;
    WEIR_CLEANUP(free) struct purge_thing **things = select_things(purge, PURGE_ACL, &count);
    WEIR_CLEANUP(free)
    rd_kafka_AclBindingFilter_t **wanted = calloc(count + 1, sizeof(rd_kafka_AclBindingFilter_t *));

    if (things == NULL || wanted == NULL)
        return no_memory(err);
    if (count == 0)
        return 0;
    struct question question = question_of(purge, RD_KAFKA_ADMIN_OP_DELETEACLS);
    for (size_t i = 0; i < count; i++)
        wanted[i] = things[i]->handle;
    rd_kafka_DeleteAcls(purge->ctl->kafka, wanted, count, question.options, question.queue);
    rd_kafka_resp_err_t failed = answer_of(purge, &question);
    if (failed == RD_KAFKA_RESP_ERR_NO_ERROR)
        take_answers(things, question.event);
    else
        note_all(things, count, failed);
    question_done(&question);
    return 0;
}

/* ---- */

int purge_find_kafka(struct purge *purge, struct weir_error *err)
{
    char busy[WEIR_TOPIC_NAME_BYTES];

    int code = find_busy(purge, busy, err);
    if (code == 0 && busy[0] != '\0' && !purge->flags->dry_run && purge_count(purge, PURGE_UNIT) == 0)
        return refuse_busy(busy, err);
    if (code == 0)
        code = find_topics(purge, err);
    if (code == 0)
        code = find_groups(purge, err);
    return code == 0 ? find_rights(purge, err) : code;
}

/* Rights last: what fails before may be tried again by whoever has them. */
int purge_remove_kafka(struct purge *purge, struct weir_error *err)
{
    int code = remove_topics(purge, err);

    if (code == 0)
        code = remove_groups(purge, err);
    return code == 0 ? remove_rights(purge, err) : code;
}
