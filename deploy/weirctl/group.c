#include "deploy/weirctl/group.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define ALL "show accept-loss from-origin"

static const struct weir_option rows[] = {
    {.key = "--service",
        .type = WEIR_OPTION_STRING,
        .offset = offsetof(struct group_settings, service),
        .help = "NAME: the service whose group is meant"},
    {.key = "--topic",
        .type = WEIR_OPTION_STRING,
        .offset = offsetof(struct group_settings, topic),
        .help = "NAME: only partitions of this source topic"},
    {.key = "--partition",
        .type = WEIR_OPTION_INTEGER,
        .offset = offsetof(struct group_settings, partition),
        .fallback = "-1",
        .min = -1,
        .max = INT32_MAX,
        .help = "NUMBER: only partitions of this number; -1 for all"},
    {.key = "--to",
        .type = WEIR_OPTION_CHOICE,
        .offset = offsetof(struct group_settings, to),
        .fallback = "nowhere",
        .choices = "nowhere|beginning|end",
        .help = "WHERE: for a log that ends before the group's offset, where to go on: beginning, end"},
    {.key = "--yes",
        .type = WEIR_OPTION_BOOL,
        .offset = offsetof(struct group_settings, yes),
        .help = "move the group; without it, only say what would be done (64)"},
};

static const char *const verbs[] = {ALL, ALL, ALL, "accept-loss", "accept-loss from-origin"};

_Static_assert(sizeof(rows) / sizeof(rows[0]) == sizeof(verbs) / sizeof(verbs[0]), "a row has its verbs");

const struct flag_table group_flags = {
    rows, verbs, sizeof(rows) / sizeof(rows[0]), sizeof(struct group_settings)};

static int add_partition(struct group *group, const char *source, int32_t number, struct weir_error *err)
{
    struct group_partition *partitions =
        reallocarray(group->partitions, group->count + 1, sizeof(*group->partitions));

    if (partitions == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    group->partitions = partitions;
    struct group_partition *partition = &partitions[group->count++];
    *partition = (struct group_partition){.number = number};
    partition->source.committed = partition->source.moved = -1;
    partition->retry.committed = partition->retry.moved = -1;
    snprintf(partition->source.topic, WEIR_TOPIC_NAME_BYTES, "%s", source);
    return weir_topic_of_service(source, group->service->name, "retry", partition->retry.topic, err);
}

static int add_topic(struct group *group, const char *source, struct weir_error *err)
{
    int32_t count = 0;
    int64_t only = group->settings->partition;

    int code = weir_kafka_scan_partitions(group->scan, source, &count, err);
    for (int32_t number = 0; number < count && code == 0; number++)
        if (only < 0 || only == number)
            code = add_partition(group, source, number, err);
    return code;
}

static int add_topics(struct group *group, struct weir_error *err)
{
    const char *only = group->settings->topic;
    bool read = false;
    int code = 0;

    for (char **source = group->service->source_topics; *source != NULL && code == 0; source++)
        if (only == NULL || strcmp(only, *source) == 0) {
            read = true;
            code = add_topic(group, *source, err);
        }
    if (code < 0 || group->count > 0)
        return code;
    if (!read)
        return weir_error_set(
            err, WEIR_E_USAGE, "--topic %s: service %s does not read it", only, group->settings->service);
    return weir_error_set(err, WEIR_E_USAGE, "--partition %" PRId64 ": no topic of service %s has it",
        group->settings->partition, group->settings->service);
}

static rd_kafka_topic_partition_list_t *list_places(const struct group *group, bool moved)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)(2 * group->count));

    for (size_t i = 0; i < 2 * group->count; i++) {
        const struct group_partition *partition = &group->partitions[i / 2];
        const struct group_place *place = i % 2 == 0 ? &partition->source : &partition->retry;
        if (!moved || place->moved >= 0)
            rd_kafka_topic_partition_list_add(list, place->topic, partition->number)->offset =
                moved ? place->moved : RD_KAFKA_OFFSET_INVALID;
    }
    return list;
}

static struct group_place *find_place(struct group *group, const rd_kafka_topic_partition_t *named)
{
    for (size_t i = 0; i < group->count; i++) {
        struct group_partition *partition = &group->partitions[i];
        if (partition->number != named->partition)
            continue;
        if (strcmp(partition->source.topic, named->topic) == 0)
            return &partition->source;
        if (strcmp(partition->retry.topic, named->topic) == 0)
            return &partition->retry;
    }
    return NULL;
}

static int take_offsets(struct group *group, const rd_kafka_group_result_t *result, struct weir_error *err)
{
    const rd_kafka_error_t *failed = rd_kafka_group_result_error(result);
    const rd_kafka_topic_partition_list_t *list = rd_kafka_group_result_partitions(result);

    if (failed != NULL)
        return weir_error_set(err, weir_kafka_code(rd_kafka_error_code(failed)), "offsets of group %s: %s",
            group->service->group, rd_kafka_error_string(failed));
    for (int i = 0; list != NULL && i < list->cnt; i++) {
        struct group_place *place = find_place(group, &list->elems[i]);
        if (list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR)
            return weir_kafka_error_set(err, list->elems[i].err, list->elems[i].topic);
        if (place != NULL && list->elems[i].offset >= 0)
            place->committed = list->elems[i].offset;
    }
    return 0;
}

/* The answer to one question about the group: the caller destroys it; NULL with err set. */
static rd_kafka_event_t *wait_answer(struct group *group, rd_kafka_queue_t *queue, struct weir_error *err)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, weirctl_left_ms(group->ctl) + 1000);

    if (event == NULL || rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        weir_error_set(err, WEIR_E_UNAVAILABLE, "group %s: %s", group->service->group,
            event != NULL ? rd_kafka_event_error_string(event) : "no answer in time");
        if (event != NULL)
            rd_kafka_event_destroy(event);
        return NULL;
    }
    return event;
}

static rd_kafka_AdminOptions_t *options_of(struct group *group, rd_kafka_admin_op_t operation)
{
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(group->ctl->kafka, operation);

    rd_kafka_AdminOptions_set_request_timeout(options, weirctl_left_ms(group->ctl), NULL, 0);
    return options;
}

static int read_offsets(struct group *group, struct weir_error *err)
{
    WEIR_CLEANUP(kafka_list) rd_kafka_topic_partition_list_t *list = list_places(group, false);
    rd_kafka_AdminOptions_t *options = options_of(group, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(group->ctl->kafka);
    rd_kafka_ListConsumerGroupOffsets_t *asked =
        rd_kafka_ListConsumerGroupOffsets_new(group->service->group, list);
    size_t count = 0;

    rd_kafka_error_destroy(rd_kafka_AdminOptions_set_require_stable_offsets(options, 1));
    rd_kafka_ListConsumerGroupOffsets(group->ctl->kafka, &asked, 1, options, queue);
    rd_kafka_event_t *event = wait_answer(group, queue, err);
    int code = event != NULL ? 0 : err->code;
    if (event != NULL) {
        const rd_kafka_group_result_t **results = rd_kafka_ListConsumerGroupOffsets_result_groups(
            rd_kafka_event_ListConsumerGroupOffsets_result(event), &count);
        code = take_offsets(group, results[0], err);
        rd_kafka_event_destroy(event);
    }
    rd_kafka_ListConsumerGroupOffsets_destroy(asked);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    return code;
}

static int read_ends(struct group *group, struct weir_error *err)
{
    int code = 0;

    for (size_t i = 0; i < 2 * group->count && code == 0; i++) {
        struct group_partition *partition = &group->partitions[i / 2];
        struct group_place *place = i % 2 == 0 ? &partition->source : &partition->retry;
        code = weir_kafka_scan_ends(
            group->scan, place->topic, partition->number, &place->begin, &place->end, err);
        progress_count(&group->progress, (int64_t)i + 1, 2 * (int64_t)group->count, "ends",
            "reading where logs begin and end");
    }
    return code;
}

static int find_service(struct group *group, struct weir_error *err)
{
    const char *name = group->settings->service;

    if (name == NULL)
        return weir_error_set(err, WEIR_E_USAGE, "say whose group: --service NAME");
    group->service = weir_deployment_service(group->ctl->deployment, name);
    return group->service != NULL ? 0
                                  : weir_error_set(err, WEIR_E_USAGE,
                                        "--service %s: the configuration has no [service %s]", name, name);
}

int group_open(struct weirctl *ctl, struct group *ret_group, struct weir_error *err)
{
    struct group *group = ret_group;

    *group = (struct group){.ctl = ctl, .settings = ctl->arguments->settings};
    progress_begin(&group->progress);
    int code = find_service(group, err);
    if (code == 0)
        code = weirctl_connect(ctl, err);
    if (code == 0)
        code = weir_kafka_scan_open(
            ctl->deployment, "weirctl", (int)ctl->arguments->timeout_ms, &group->scan, err);
    if (code < 0)
        return code;
    weir_kafka_scan_on_tick(group->scan, progress_tick, &group->progress);
    code = add_topics(group, err);
    if (code == 0)
        code = read_offsets(group, err);
    if (code == 0)
        code = read_ends(group, err);
    progress_end(&group->progress);
    return code;
}

void group_close(struct group *group)
{
    progress_end(&group->progress);
    weir_kafka_scan_close(group->scan);
    free(group->partitions);
}

/* ---- moving */

static int take_moved(struct group *group, const rd_kafka_group_result_t *result, struct weir_error *err)
{
    const rd_kafka_error_t *failed = rd_kafka_group_result_error(result);
    const rd_kafka_topic_partition_list_t *list = rd_kafka_group_result_partitions(result);
    rd_kafka_resp_err_t why = failed != NULL ? rd_kafka_error_code(failed) : RD_KAFKA_RESP_ERR_NO_ERROR;

    for (int i = 0; list != NULL && i < list->cnt && why == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
        why = list->elems[i].err;
    if (why == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID || why == RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP ||
        why == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS)
        return weir_error_set(err, WEIR_E_BUSY,
            "an instance of service %s runs, or was killed less than session.timeout.ms ago: stop all of "
            "them "
            "first, then move the group",
            group->service->name);
    return weir_kafka_error_set(err, why, "moving the group");
}

static int alter(struct group *group, const rd_kafka_topic_partition_list_t *list, struct weir_error *err)
{
    rd_kafka_AdminOptions_t *options = options_of(group, RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(group->ctl->kafka);
    rd_kafka_AlterConsumerGroupOffsets_t *asked =
        rd_kafka_AlterConsumerGroupOffsets_new(group->service->group, list);
    size_t count = 0;

    rd_kafka_AlterConsumerGroupOffsets(group->ctl->kafka, &asked, 1, options, queue);
    rd_kafka_event_t *event = wait_answer(group, queue, err);
    int code = event != NULL ? 0 : err->code;
    if (event != NULL) {
        const rd_kafka_group_result_t **results = rd_kafka_AlterConsumerGroupOffsets_result_groups(
            rd_kafka_event_AlterConsumerGroupOffsets_result(event), &count);
        code = take_moved(group, results[0], err);
        rd_kafka_event_destroy(event);
    }
    rd_kafka_AlterConsumerGroupOffsets_destroy(asked);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    return code;
}

static void tell_text(const struct group_place *place, int32_t number)
{
    if (place->moved < 0)
        return;
    if (place->committed < 0)
        printf("%s/%" PRId32 ": has no offset, goes on at %" PRId64 "\n", place->topic, number, place->moved);
    else if (place->committed < place->moved)
        printf("%s/%" PRId32 ": stands at %" PRId64 ", goes on at %" PRId64
               "; what was between is given up\n",
            place->topic, number, place->committed, place->moved);
    else
        printf("%s/%" PRId32 ": stands at %" PRId64 ", goes back to %" PRId64
               "; what comes from there is handled\n",
            place->topic, number, place->committed, place->moved);
}

static void tell_json(struct weir_buffer *out, const struct group_place *place, int32_t number)
{
    if (place->moved >= 0)
        weir_buffer_printf(out,
            "%s{\"topic\":\"%s\",\"partition\":%" PRId32 ",\"from\":%" PRId64 ",\"to\":%" PRId64 "}",
            out->len > 0 ? "," : "", place->topic, number, place->committed, place->moved);
}

static void tell(const struct group *group, bool moved)
{
    WEIR_CLEANUP(buffer) struct weir_buffer out = {0};
    bool json = group->ctl->arguments->json;

    for (size_t i = 0; i < 2 * group->count; i++) {
        const struct group_partition *partition = &group->partitions[i / 2];
        const struct group_place *place = i % 2 == 0 ? &partition->source : &partition->retry;
        if (json)
            tell_json(&out, place, partition->number);
        else
            tell_text(place, partition->number);
    }
    if (json)
        printf("{\"moved\":%s,\"partitions\":[%s]}\n", moved ? "true" : "false",
            out.data != NULL ? out.data : "");
    else
        puts(moved ? "moved" : "nothing was moved: say --yes to move it");
}

int group_move(struct group *group, struct weir_error *err)
{
    WEIR_CLEANUP(kafka_list) rd_kafka_topic_partition_list_t *list = list_places(group, true);
    bool yes = group->settings->yes;

    if (list->cnt == 0) {
        puts(group->ctl->arguments->json ? "{\"moved\":false,\"partitions\":[]}" : "nothing has to be moved");
        return 0;
    }
    int code = yes ? alter(group, list, err) : 0;
    if (code < 0)
        return code;
    tell(group, yes);
    return yes ? 0 : EX_USAGE;
}
