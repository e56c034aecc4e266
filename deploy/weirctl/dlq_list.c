#include "deploy/weirctl/dlq.h"
#include "deploy/weirctl/text.h"

#include "common/clock.h"

#include <inttypes.h>
#include <stdio.h>

enum { COLUMNS = 8 };

struct list {
    const struct dlq *dlq;
    bool json;
    struct text_table table;
    struct weir_buffer lines;
    int64_t count;
    bool more; /* than --limit */
};

static void add_position(struct text_table *table, int64_t partition, int64_t offset)
{
    char text[64];

    snprintf(text, sizeof(text), "%" PRId64 "/%" PRId64, partition, offset);
    text_table_add(table, weir_bytes_str(partition >= 0 ? text : "-"));
}

static void add_row(struct list *list, const struct weir_letter *letter, bool redriven)
{
    struct text_table *table = &list->table;
    char position[WEIR_POSITION_BYTES], written[WEIR_CLOCK_RFC3339_BYTES];

    weir_position_write(letter->topic, letter->partition, letter->offset, position);
    text_table_add(table, weir_bytes_str(position));
    text_table_add(table, weir_bytes_str(weir_clock_rfc3339(letter->timestamp_ms, written)));
    text_table_add(table, weir_bytes_str(redriven ? "redriven" : "open"));
    text_table_add(table, letter->key);
    text_table_add(table, letter->disposition.len > 0
                              ? letter->disposition
                              : weir_bytes_str(weir_letter_dialect_name(letter->dialect)));
    text_table_add(table, letter->error_type);
    add_position(table, letter->source_partition, letter->source_offset);
    text_table_add(table, letter->reason);
}

static int take(void *context, const struct weir_letter *letter, bool redriven, struct weir_error *err)
{
    struct list *list = context;

    (void)err;
    if (list->count == list->dlq->settings->limit) {
        list->more = true;
        return 1;
    }
    list->count++;
    if (!list->json) {
        add_row(list, letter, redriven);
        return 0;
    }
    weir_buffer_append_str(&list->lines, list->count > 1 ? ",\n" : "");
    weir_letter_write(letter, &list->lines);
    weir_buffer_printf(&list->lines, ",\"redriven\":%s}", redriven ? "true" : "false");
    return 0;
}

static void print(const struct list *list)
{
    if (list->json) {
        fputs("{\"letters\":[", stdout);
        text_print_json(weir_buffer_bytes(&list->lines), stdout);
        printf("],\"more\":%s}\n", list->more ? "true" : "false");
    } else if (list->count > 0)
        text_table_print(&list->table, stdout);
    if (!list->json && list->count == 0)
        puts("no such dead letters");
    if (list->more && !list->json)
        fprintf(stderr, "weirctl: there are more than %" PRId64 " letters: narrow it down, or give --limit\n",
            list->dlq->settings->limit);
}

static void begin_table(struct text_table *table)
{
    static const char *const titles[COLUMNS] = {
        "LETTER", "WRITTEN", "STATE", "KEY", "DISPOSITION", "TYPE", "SOURCE", "REASON"};

    table->columns = COLUMNS;
    for (size_t i = 0; i < COLUMNS; i++)
        text_table_add(table, weir_bytes_str(titles[i]));
}

static int list_topic(
    struct dlq *dlq, const struct weir_letters_topic *topic, struct list *list, struct weir_error *err)
{
    WEIR_CLEANUP(redriven) struct weir_redriven redriven = {0};
    struct weir_letters_query query = {
        .topic = topic, .filter = dlq->filter, .open_only = dlq->settings->letters.open};

    int code = dlq_redriven(dlq, topic, &redriven, err);
    return code < 0 ? code : weir_letters_each(dlq->scan, &query, &redriven, take, list, err);
}

int dlq_list_run(struct weirctl *ctl, struct weir_error *err)
{
    struct dlq dlq;
    struct list list = {.dlq = &dlq, .json = ctl->arguments->json};

    begin_table(&list.table);
    int code = dlq_open(ctl, &dlq, err);
    for (size_t i = 0; i < dlq.topic_count && code == 0 && !list.more; i++)
        code = list_topic(&dlq, &dlq.topics[i], &list, err);
    progress_end(&dlq.progress);
    if (code == 0 && (list.lines.failed || list.table.cells.failed))
        code = weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    if (code == 0)
        print(&list);
    text_table_done(&list.table);
    weir_buffer_done(&list.lines);
    dlq_close(&dlq);
    return code;
}
