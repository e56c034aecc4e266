#include "deploy/weirctl/dlq.h"
#include "deploy/weirctl/text.h"

#include "common/clock.h"
#include "common/dead_letter_groups.h"

#include <inttypes.h>
#include <stdio.h>

enum { COLUMNS = 7 };

static int take(void *context, const struct weir_letter *letter, bool redriven, struct weir_error *err)
{
    (void)err;
    weir_letter_groups_add(context, letter, redriven);
    return 0;
}

static int count_topic(struct dlq *dlq, const struct weir_letters_topic *topic,
    struct weir_letter_groups *stats, struct weir_error *err)
{
    WEIR_CLEANUP(redriven) struct weir_redriven redriven = {0};
    struct weir_letters_query query = {
        .topic = topic, .filter = dlq->filter, .open_only = dlq->settings->letters.open};

    int code = dlq_redriven(dlq, topic, &redriven, err);
    return code < 0 ? code : weir_letters_each(dlq->scan, &query, &redriven, take, stats, err);
}

static void print_text(const struct weir_letter_groups *stats)
{
    static const char *const titles[COLUMNS] = {
        "TOPIC", "DISPOSITION", "TYPE", "OPEN", "REDRIVEN", "OLDEST", "NEWEST"};
    struct text_table table = {.columns = COLUMNS};
    char text[WEIR_CLOCK_RFC3339_BYTES];

    for (size_t i = 0; i < COLUMNS; i++)
        text_table_add(&table, weir_bytes_str(titles[i]));
    for (size_t i = 0; i < stats->count; i++) {
        const struct weir_letter_group *group = &stats->list[i];
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
        text_table_print(&table, stdout);
    printf("%" PRId64 " open, %" PRId64 " redriven\n", stats->open, stats->redriven);
    text_table_done(&table);
}

static void print_json(const struct weir_letter_groups *stats)
{
    WEIR_CLEANUP(buffer) struct weir_buffer out = {0};

    weir_letter_groups_write(stats, &out);
    fputs("{", stdout);
    text_print_json(weir_buffer_bytes(&out), stdout);
    puts("}");
}

int dlq_stats_run(struct weirctl *ctl, struct weir_error *err)
{
    struct dlq dlq;
    WEIR_CLEANUP(letter_groups) struct weir_letter_groups stats;

    if (weir_letter_groups_init(&stats) < 0)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    int code = dlq_open(ctl, &dlq, err);
    for (size_t i = 0; i < dlq.topic_count && code == 0; i++)
        code = count_topic(&dlq, &dlq.topics[i], &stats, err);
    progress_end(&dlq.progress);
    weir_letter_groups_sort(&stats);
    if (code == 0)
        (ctl->arguments->json ? print_json : print_text)(&stats);
    dlq_close(&dlq);
    return code;
}
