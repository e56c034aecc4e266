#include "deploy/weirctl/group.h"
#include "deploy/weirctl/text.h"

#include <inttypes.h>
#include <stdio.h>

enum { COLUMNS = 7, NUMBER_BYTES = 24 };

/* "" where nothing is wrong. */
static const char *state_of(const struct group_place *place)
{
    if (place->committed < 0)
        return "no offset";
    if (place->committed < place->begin)
        return "records lost";
    return place->committed > place->end ? "beyond the end" : "";
}

static int64_t lag_of(const struct group_place *place)
{
    int64_t from = place->committed > place->begin ? place->committed : place->begin;

    return place->end > from ? place->end - from : 0;
}

static void add_number(struct text_table *table, int64_t number)
{
    char text[NUMBER_BYTES];

    snprintf(text, sizeof(text), "%" PRId64, number);
    text_table_add(table, weir_bytes_str(number < 0 ? "-" : text));
}

static void add_place(struct text_table *table, const struct group_place *place, int32_t number)
{
    text_table_add(table, weir_bytes_str(place->topic));
    add_number(table, number);
    add_number(table, place->committed);
    add_number(table, place->begin);
    add_number(table, place->end);
    add_number(table, lag_of(place));
    text_table_add(table, weir_bytes_str(state_of(place)));
}

static void print_text(const struct group *group)
{
    static const char *const titles[COLUMNS] = {
        "TOPIC", "PARTITION", "COMMITTED", "BEGIN", "END", "BEHIND", "STATE"};
    struct text_table table = {.columns = COLUMNS};

    for (size_t i = 0; i < COLUMNS; i++)
        text_table_add(&table, weir_bytes_str(titles[i]));
    for (size_t i = 0; i < group->count; i++) {
        add_place(&table, &group->partitions[i].source, group->partitions[i].number);
        add_place(&table, &group->partitions[i].retry, group->partitions[i].number);
    }
    text_table_print(&table, stdout);
    text_table_done(&table);
}

static void place_json(const struct group_place *place, int32_t number, bool first, struct weir_buffer *out)
{
    weir_buffer_printf(out,
        "%s{\"topic\":\"%s\",\"partition\":%" PRId32 ",\"committed\":%" PRId64 ",\"begin\":%" PRId64
        ",\"end\":%" PRId64 ",\"behind\":%" PRId64 ",\"state\":\"%s\"}",
        first ? "" : ",", place->topic, number, place->committed, place->begin, place->end, lag_of(place),
        state_of(place));
}

static void print_json(const struct group *group)
{
    WEIR_CLEANUP(buffer) struct weir_buffer out = {0};

    for (size_t i = 0; i < group->count; i++) {
        place_json(&group->partitions[i].source, group->partitions[i].number, i == 0, &out);
        place_json(&group->partitions[i].retry, group->partitions[i].number, false, &out);
    }
    printf(
        "{\"group\":\"%s\",\"partitions\":[%s]}\n", group->service->group, out.data != NULL ? out.data : "");
}

int group_show_run(struct weirctl *ctl, struct weir_error *err)
{
    struct group group;

    int code = group_open(ctl, &group, err);
    if (code == 0)
        (ctl->arguments->json ? print_json : print_text)(&group);
    group_close(&group);
    return code;
}
