#include "deploy/weirctl/dlq.h"
#include "deploy/weirctl/text.h"

#include "common/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* More kinds of failure than this tell nobody anything. */
enum { GROUPS_MAX = 1000, WORD_BYTES = 200, COLUMNS = 7 };

struct group {
    const char *topic;
    char disposition[WORD_BYTES], error_type[WORD_BYTES];
    int64_t open, redriven;
    int64_t oldest_ms, newest_ms;
};

struct stats {
    struct group *groups;
    size_t count;
    int64_t open, redriven;
};

static void copy_word(char to[static WORD_BYTES], struct weir_bytes word)
{
    snprintf(to, WORD_BYTES, "%.*s", (int)(word.len < WORD_BYTES ? word.len : WORD_BYTES - 1),
        word.data != NULL ? word.data : "");
}

/* The last group takes all that comes when there are too many. */
static struct group *group_of(struct stats *stats, const struct weir_letter *letter)
{
    struct group wanted = {.topic = letter->topic, .oldest_ms = INT64_MAX};

    copy_word(wanted.disposition, letter->disposition.len > 0
                                      ? letter->disposition
                                      : weir_bytes_str(weir_letter_dialect_name(letter->dialect)));
    copy_word(wanted.error_type, letter->error_type);
    if (stats->count == GROUPS_MAX - 1) {
        copy_word(wanted.disposition, weir_bytes_str("others"));
        copy_word(wanted.error_type, WEIR_BYTES_NULL);
    }
    for (size_t i = 0; i < stats->count; i++) {
        struct group *group = &stats->groups[i];
        if (strcmp(group->topic, wanted.topic) == 0 && strcmp(group->disposition, wanted.disposition) == 0 &&
            strcmp(group->error_type, wanted.error_type) == 0)
            return group;
    }
    if (stats->count == GROUPS_MAX)
        return &stats->groups[GROUPS_MAX - 1];
    stats->groups[stats->count] = wanted;
    return &stats->groups[stats->count++];
}

static int take(void *context, const struct weir_letter *letter, bool redriven, struct weir_error *err)
{
    struct stats *stats = context;
    struct group *group = group_of(stats, letter);

    (void)err;
    *(redriven ? &group->redriven : &group->open) += 1;
    *(redriven ? &stats->redriven : &stats->open) += 1;
    if (letter->timestamp_ms < group->oldest_ms)
        group->oldest_ms = letter->timestamp_ms;
    if (letter->timestamp_ms > group->newest_ms)
        group->newest_ms = letter->timestamp_ms;
    return 0;
}

static int count_topic(
    struct dlq *dlq, const struct weir_letters_topic *topic, struct stats *stats, struct weir_error *err)
{
    WEIR_CLEANUP(redriven) struct weir_redriven redriven = {0};
    struct weir_letters_query query = {
        .topic = topic, .filter = dlq->filter, .open_only = dlq->settings->open};

    int code = dlq_redriven(dlq, topic, &redriven, err);
    return code < 0 ? code : weir_letters_each(dlq->scan, &query, &redriven, take, stats, err);
}

static int compare(const void *a, const void *b)
{
    const struct group *left = a, *right = b;
    return (left->open < right->open) - (left->open > right->open);
}

static void print_text(const struct stats *stats)
{
    static const char *const titles[COLUMNS] = {
        "TOPIC", "DISPOSITION", "TYPE", "OPEN", "REDRIVEN", "OLDEST", "NEWEST"};
    struct text_table table = {.columns = COLUMNS};
    char text[WEIR_CLOCK_RFC3339_BYTES];

    for (size_t i = 0; i < COLUMNS; i++)
        text_table_add(&table, weir_bytes_str(titles[i]));
    for (size_t i = 0; i < stats->count; i++) {
        const struct group *group = &stats->groups[i];
        text_table_add(&table, weir_bytes_str(group->topic));
        text_table_add(&table, weir_bytes_str(group->disposition));
        text_table_add(&table, weir_bytes_str(group->error_type));
        snprintf(text, sizeof(text), "%" PRId64, group->open);
        text_table_add(&table, weir_bytes_str(text));
        snprintf(text, sizeof(text), "%" PRId64, group->redriven);
        text_table_add(&table, weir_bytes_str(text));
        text_table_add(&table, weir_bytes_str(weir_clock_rfc3339(group->oldest_ms, text)));
        text_table_add(&table, weir_bytes_str(weir_clock_rfc3339(group->newest_ms, text)));
    }
    if (stats->count > 0)
        text_table_print(&table);
    printf("%" PRId64 " open, %" PRId64 " redriven\n", stats->open, stats->redriven);
    text_table_done(&table);
}

static void print_json(const struct stats *stats)
{
    WEIR_CLEANUP(buffer) struct weir_buffer out = {0};
    char oldest[WEIR_CLOCK_RFC3339_BYTES], newest[WEIR_CLOCK_RFC3339_BYTES];

    for (size_t i = 0; i < stats->count; i++) {
        const struct group *group = &stats->groups[i];
        weir_buffer_printf(&out, "%s{\"topic\":\"%s\",\"disposition\":", i > 0 ? ",\n" : "", group->topic);
        weir_buffer_append_json_string(&out, weir_bytes_str(group->disposition));
        weir_buffer_append_str(&out, ",\"error_type\":");
        weir_buffer_append_json_string(&out, weir_bytes_str(group->error_type));
        weir_buffer_printf(&out,
            ",\"open\":%" PRId64 ",\"redriven\":%" PRId64 ",\"oldest\":\"%s\",\"newest\":\"%s\"}",
            group->open, group->redriven, weir_clock_rfc3339(group->oldest_ms, oldest),
            weir_clock_rfc3339(group->newest_ms, newest));
    }
    printf("{\"groups\":[%s],\"open\":%" PRId64 ",\"redriven\":%" PRId64 "}\n",
        out.data != NULL ? out.data : "", stats->open, stats->redriven);
}

int dlq_stats_run(struct weirctl *ctl, struct weir_error *err)
{
    struct dlq dlq;
    struct stats stats = {.groups = calloc(GROUPS_MAX, sizeof(*stats.groups))};

    if (stats.groups == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    int code = dlq_open(ctl, &dlq, err);
    for (size_t i = 0; i < dlq.topic_count && code == 0; i++)
        code = count_topic(&dlq, &dlq.topics[i], &stats, err);
    progress_end(&dlq.progress);
    qsort(stats.groups, stats.count, sizeof(*stats.groups), compare);
    if (code == 0)
        (ctl->arguments->json ? print_json : print_text)(&stats);
    free(stats.groups);
    dlq_close(&dlq);
    return code;
}
