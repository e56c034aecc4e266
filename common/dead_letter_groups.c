#include "common/dead_letter_groups.h"

#include "common/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More kinds of failure than this tell nobody anything. */
enum { GROUPS_MAX = 1000 };

int weir_letter_groups_init(struct weir_letter_groups *groups)
{
    *groups = (struct weir_letter_groups){.list = calloc(GROUPS_MAX, sizeof(*groups->list))};
    return groups->list != NULL ? 0 : WEIR_E_INTERNAL;
}

void weir_letter_groups_done(struct weir_letter_groups *groups)
{
    free(groups->list);
    groups->list = NULL;
}

static void copy_word(char to[static WEIR_LETTER_WORD_BYTES], struct weir_bytes word)
{
    size_t most = WEIR_LETTER_WORD_BYTES - 1;

    snprintf(to, WEIR_LETTER_WORD_BYTES, "%.*s", (int)(word.len < most ? word.len : most),
        word.data != NULL ? word.data : "");
}

static bool is_same(const struct weir_letter_group *a, const struct weir_letter_group *b)
{
    return strcmp(a->topic, b->topic) == 0 && strcmp(a->disposition, b->disposition) == 0 &&
           strcmp(a->error_type, b->error_type) == 0;
}

/* The last group takes all that comes when there are too many. */
static struct weir_letter_group *group_of(struct weir_letter_groups *groups, const struct weir_letter *letter)
{
    struct weir_letter_group wanted = {.topic = letter->topic, .oldest_ms = INT64_MAX};

    copy_word(wanted.disposition, letter->disposition.len > 0
                                      ? letter->disposition
                                      : weir_bytes_str(weir_letter_dialect_name(letter->dialect)));
    copy_word(wanted.error_type, letter->error_type);
    for (size_t i = 0; i < groups->count; i++)
        if (is_same(&groups->list[i], &wanted))
            return &groups->list[i];
    if (groups->count == GROUPS_MAX)
        return &groups->list[GROUPS_MAX - 1];
    if (groups->count == GROUPS_MAX - 1) {
        copy_word(wanted.disposition, weir_bytes_str("others"));
        copy_word(wanted.error_type, WEIR_BYTES_NULL);
    }
    groups->list[groups->count] = wanted;
    return &groups->list[groups->count++];
}

void weir_letter_groups_add(
    struct weir_letter_groups *groups, const struct weir_letter *letter, bool redriven)
{
    struct weir_letter_group *group = group_of(groups, letter);

    *(redriven ? &group->redriven : &group->open) += 1;
    *(redriven ? &groups->redriven : &groups->open) += 1;
    if (letter->timestamp_ms < group->oldest_ms)
        group->oldest_ms = letter->timestamp_ms;
    if (letter->timestamp_ms > group->newest_ms)
        group->newest_ms = letter->timestamp_ms;
}

static int compare(const void *a, const void *b)
{
    const struct weir_letter_group *left = a, *right = b;
    return (left->open < right->open) - (left->open > right->open);
}

void weir_letter_groups_sort(struct weir_letter_groups *groups)
{
    qsort(groups->list, groups->count, sizeof(*groups->list), compare);
}

static void write_group(const struct weir_letter_group *group, struct weir_buffer *out)
{
    char oldest[WEIR_CLOCK_RFC3339_BYTES], newest[WEIR_CLOCK_RFC3339_BYTES];

    weir_buffer_printf(out, "{\"topic\":\"%s\",\"disposition\":", group->topic);
    weir_buffer_append_json_string(out, weir_bytes_str(group->disposition));
    weir_buffer_append_str(out, ",\"error_type\":");
    weir_buffer_append_json_string(out, weir_bytes_str(group->error_type));
    weir_buffer_printf(out,
        ",\"open\":%" PRId64 ",\"redriven\":%" PRId64 ",\"oldest\":\"%s\",\"newest\":\"%s\"}", group->open,
        group->redriven, weir_clock_rfc3339(group->oldest_ms, oldest),
        weir_clock_rfc3339(group->newest_ms, newest));
}

void weir_letter_groups_write(const struct weir_letter_groups *groups, struct weir_buffer *out)
{
    weir_buffer_append_str(out, "\"groups\":[");
    for (size_t i = 0; i < groups->count; i++) {
        weir_buffer_append_str(out, i > 0 ? ",\n" : "");
        write_group(&groups->list[i], out);
    }
    weir_buffer_printf(out, "],\"open\":%" PRId64 ",\"redriven\":%" PRId64, groups->open, groups->redriven);
}
