/* What reads dead letters: their groups, lists of them, one of them. */
#include "common/dead_letter_groups.h"
#include "gateway/dlq_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_BYTES = 1 << 20 }; /* a list is not begun anew with a further letter beyond this */

static int no_memory(struct weir_error *err)
{
    return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
}

/* ---- topics ---- */

static bool is_meant(const struct weir_dlq_job *job, const char *source)
{
    const char *wanted = job->settings.letters.collection;
    const struct weir_collection *collection =
        weir_deployment_collection_of_topic(job->gateway->deployment, source);
    return wanted == NULL || (collection != NULL && strcmp(collection->name, wanted) == 0);
}

int weir_dlq_topics_init(struct weir_dlq_topics *topics, const struct weir_dlq_job *job,
    const struct weir_service *service, struct weir_error *err)
{
    size_t count = 0;
    int code = 0;
    while (service->source_topics[count] != NULL)
        count++;
    *topics = (struct weir_dlq_topics){.list = calloc(count + 1, sizeof(*topics->list))};
    if (topics->list == NULL)
        return no_memory(err);
    for (size_t i = 0; i < count && code == 0; i++)
        if (is_meant(job, service->source_topics[i]))
            code = weir_letters_topic_of(job->gateway->deployment, service, service->source_topics[i],
                &topics->list[topics->count++], err);
    return code;
}

void weir_dlq_topics_done(struct weir_dlq_topics *topics)
{
    free(topics->list);
    *topics = (struct weir_dlq_topics){0};
}

const struct weir_letters_topic *weir_dlq_topic_find(
    const struct weir_dlq_topics *topics, const char *letters)
{
    for (size_t i = 0; i < topics->count; i++)
        if (strcmp(topics->list[i].letters, letters) == 0)
            return &topics->list[i];
    return NULL;
}

/* A topic that is not there holds nothing. */
static int or_nothing(int code)
{
    return code == WEIR_E_NOT_FOUND ? 0 : code;
}

static int each(struct weir_dlq_job *job, const struct weir_letters_query *query, weir_letters_visit *visit,
    void *context, struct weir_error *err)
{
    WEIR_CLEANUP(redriven) struct weir_redriven redriven = {0};
    int code = or_nothing(weir_redriven_read(&redriven, job->scan, query->topic, err));
    return code < 0 ? code : weir_letters_each(job->scan, query, &redriven, visit, context, err);
}

/* ---- groups ---- */

static int count_letter(
    void *context, const struct weir_letter *letter, bool redriven, struct weir_error *err)
{
    (void)err;
    weir_letter_groups_add(context, letter, redriven);
    return 0;
}

/* total: of all services. */
static int tell_service(struct weir_dlq_job *job, const struct weir_service *service,
    struct weir_letter_groups *total, struct weir_error *err)
{
    WEIR_CLEANUP(dlq_topics) struct weir_dlq_topics topics = {0};
    WEIR_CLEANUP(letter_groups) struct weir_letter_groups groups;
    int code = weir_letter_groups_init(&groups) < 0 ? no_memory(err)
                                                    : weir_dlq_topics_init(&topics, job, service, err);

    for (size_t i = 0; i < topics.count && code == 0; i++) {
        const struct weir_letters_query query = {
            .topic = &topics.list[i], .filter = job->filter, .open_only = job->settings.letters.open};
        code = or_nothing(each(job, &query, count_letter, &groups, err));
    }
    weir_letter_groups_sort(&groups);
    weir_buffer_append_str(&job->answer, "{\"service\":");
    weir_buffer_append_json_string(&job->answer, weir_bytes_str(service->name));
    weir_buffer_append_str(&job->answer, ",");
    weir_letter_groups_write(&groups, &job->answer);
    weir_buffer_append_str(&job->answer, "}");
    total->open += groups.open;
    total->redriven += groups.redriven;
    return code;
}

int weir_dlq_stats_work(struct weir_dlq_job *job, struct weir_error *err)
{
    const struct weir_deployment *deployment = job->gateway->deployment;
    struct weir_letter_groups total = {0};
    int code = 0;

    weir_buffer_append_str(&job->answer, "{\"services\":[");
    for (size_t i = 0; i < deployment->service_count && code == 0; i++) {
        weir_buffer_append_str(&job->answer, i > 0 ? ",\n" : "");
        code = tell_service(job, &deployment->services[i], &total, err);
    }
    weir_buffer_printf(
        &job->answer, "],\"open\":%" PRId64 ",\"redriven\":%" PRId64 "}\n", total.open, total.redriven);
    return code;
}

/* ---- lists ---- */

struct list {
    struct weir_dlq_job *job;
    int64_t count;
    struct weir_dlq_place next; /* where the list goes on; "": nowhere */
};

static int list_letter(void *context, const struct weir_letter *letter, bool redriven, struct weir_error *err)
{
    struct list *list = context;
    struct weir_buffer *out = &list->job->answer;
    (void)err;
    if (list->count == list->job->settings.limit || out->len >= ANSWER_BYTES) {
        snprintf(list->next.topic, sizeof(list->next.topic), "%s", letter->topic);
        list->next.partition = letter->partition;
        list->next.offset = letter->offset;
        return 1;
    }
    weir_buffer_append_str(out, list->count++ > 0 ? ",\n" : "");
    weir_letter_write(letter, out);
    weir_buffer_printf(out, ",\"redriven\":%s}", redriven ? "true" : "false");
    return 0;
}

/* Whether the reading came further than where this page began. */
static bool has_moved(const struct weir_dlq_place *from, const struct weir_dlq_place *to)
{
    return strcmp(from->topic, to->topic) != 0 || to->partition > from->partition ||
           to->offset > from->offset;
}

static struct weir_letters_range *ranges_from(
    const struct weir_dlq_place *from, const char *topic, int32_t partitions, size_t *ret_count)
{
    bool begins_here = strcmp(from->topic, topic) == 0;
    int32_t first = begins_here ? from->partition : 0;
    struct weir_letters_range *ranges = calloc((size_t)partitions + 1, sizeof(*ranges));
    *ret_count = 0;
    for (int32_t p = first; ranges != NULL && p < partitions; p++)
        ranges[(*ret_count)++] = (struct weir_letters_range){p, 0, INT64_MAX};
    if (ranges != NULL && begins_here)
        ranges[0].from = from->offset;
    return ranges;
}

/* A page that takes too long ends where it has come to. */
static int list_topic(struct list *list, const struct weir_letters_topic *topic, struct weir_error *err)
{
    struct weir_dlq_job *job = list->job;
    int32_t partitions = 0;
    struct weir_letters_query query = {
        .topic = topic, .filter = job->filter, .open_only = job->settings.letters.open};
    int code = weir_kafka_scan_partitions(job->scan, topic->letters, &partitions, err);
    if (code < 0)
        return or_nothing(code);
    WEIR_CLEANUP(free)
    struct weir_letters_range *ranges =
        ranges_from(&job->place, topic->letters, partitions, &query.range_count);
    if (ranges == NULL)
        return no_memory(err);
    query.ranges = ranges;
    code = query.range_count > 0 ? each(job, &query, list_letter, list, err) : 0;
    if (code == WEIR_E_TIMEOUT && strcmp(job->read.topic, topic->letters) == 0 &&
        has_moved(&job->place, &job->read) && !weir_dlq_is_ending(job->gateway)) {
        list->next = job->read;
        return 0;
    }
    return code;
}

static void end_list(const struct list *list)
{
    struct weir_buffer *out = &list->job->answer;
    bool more = list->next.topic[0] != '\0';
    weir_buffer_printf(out, "],\"more\":%s", more ? "true" : "false");
    if (more)
        weir_buffer_printf(out, ",\"next\":\"%s~%" PRId32 "~%" PRId64 "\"", list->next.topic,
            list->next.partition, list->next.offset);
    weir_buffer_append_str(out, "}\n");
}

int weir_dlq_list_work(struct weir_dlq_job *job, struct weir_error *err)
{
    WEIR_CLEANUP(dlq_topics) struct weir_dlq_topics topics = {0};
    struct list list = {.job = job};
    int code = weir_dlq_topics_init(&topics, job, job->service, err);
    const struct weir_letters_topic *first = weir_dlq_topic_find(&topics, job->place.topic);

    if (code == 0 && job->place.topic[0] != '\0' && first == NULL && topics.count > 0)
        return weir_error_set(err, WEIR_E_INVALID, "cursor: is none that was given");
    weir_buffer_append_str(&job->answer, "{\"letters\":[");
    for (size_t i = first != NULL ? (size_t)(first - topics.list) : 0;
         i < topics.count && code == 0 && list.next.topic[0] == '\0'; i++)
        code = list_topic(&list, &topics.list[i], err);
    end_list(&list);
    return code;
}

/* ---- one letter ---- */

static int show_letter(void *context, const struct weir_letter *letter, bool redriven, struct weir_error *err)
{
    struct weir_buffer *out = context;
    (void)err;
    weir_letter_write_whole(letter, redriven, out);
    weir_buffer_append_str(out, "\n");
    return 1;
}

int weir_dlq_show_work(struct weir_dlq_job *job, struct weir_error *err)
{
    WEIR_CLEANUP(dlq_topics) struct weir_dlq_topics topics = {0};
    const struct weir_dlq_place *place = &job->place;
    const struct weir_letters_range range = {place->partition, place->offset, place->offset};
    int32_t partitions = 0;
    int code = weir_dlq_topics_init(&topics, job, job->service, err);
    struct weir_letters_query query = {.topic = weir_dlq_topic_find(&topics, place->topic),
        .filter = WEIR_LETTER_ANY,
        .ranges = &range,
        .range_count = 1};

    if (code == 0 && query.topic != NULL)
        code = or_nothing(weir_kafka_scan_partitions(job->scan, place->topic, &partitions, err));
    if (code == 0 && place->partition < partitions)
        code = each(job, &query, show_letter, &job->answer, err);
    if (code == 0 && job->answer.len == 0 && !job->answer.failed)
        return weir_error_set(err, WEIR_E_NOT_FOUND, "no letter stands there");
    return code;
}
