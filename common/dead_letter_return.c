/* The way back: from a dead letter to the record for the retry topic, for common/dead_letter.h. */
#include "common/dead_letter.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ADDED_MAX = 5 };

const char *weir_letter_obstacle(const struct weir_letter *letter, const char *source)
{
    if (letter->dialect != WEIR_LETTER_WEIR)
        return "it is not a letter of Weir";
    if (!weir_bytes_is(letter->source_topic, source))
        return "it says that its record came from another topic";
    if (letter->source_partition < 0 || letter->source_partition > INT32_MAX || letter->source_offset < 0)
        return "its headers do not say where its record came from";
    if (letter->redrive_count < 0 || letter->redrive_count >= INT32_MAX)
        return "its weir-redrive-count is no number";
    if (letter->cut.data != NULL)
        return "it was too large for its topic: parts of the record were left out (weir-cut)";
    return NULL;
}

/* What a letter adds to a record, and what the return says anew. */
static bool is_left_out(const char *name)
{
    static const char *const names[] = {WEIR_HEADER_DISPOSITION, WEIR_HEADER_ORIGIN, WEIR_HEADER_ATTEMPT,
        WEIR_HEADER_NOT_BEFORE, WEIR_HEADER_REDRIVE_COUNT, WEIR_HEADER_DONE};

    if (strncmp(name, "__dlq.", strlen("__dlq.")) == 0 ||
        strncmp(name, WEIR_HEADER_ERROR, strlen(WEIR_HEADER_ERROR)) == 0)
        return true;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static void put(struct weir_letter_return *back, const char *name, const char *text)
{
    back->headers[back->header_count++] = (struct weir_header){name, weir_bytes_str(text)};
}

int weir_letter_return_init(
    struct weir_letter_return *ret_return, const struct weir_letter *letter, const char *audit)
{
    struct weir_letter_return *back = ret_return;
    char topic[WEIR_POSITION_BYTES];

    back->header_count = 0;
    back->headers = calloc(letter->header_count + ADDED_MAX, sizeof(*back->headers));
    if (back->headers == NULL)
        return WEIR_E_INTERNAL;
    for (size_t i = 0; i < letter->header_count; i++)
        if (!is_left_out(letter->headers[i].name))
            back->headers[back->header_count++] = letter->headers[i];
    snprintf(topic, sizeof(topic), "%.*s", (int)letter->source_topic.len, letter->source_topic.data);
    weir_position_write(topic, (int32_t)letter->source_partition, letter->source_offset, back->origin);
    snprintf(back->redrive_count, sizeof(back->redrive_count), "%" PRId64, letter->redrive_count + 1);
    put(back, WEIR_HEADER_ORIGIN, back->origin);
    put(back, WEIR_HEADER_ATTEMPT, "0");
    put(back, WEIR_HEADER_NOT_BEFORE, "0");
    put(back, WEIR_HEADER_REDRIVE_COUNT, back->redrive_count);
    if (audit != NULL)
        put(back, WEIR_HEADER_PATCHED, audit);
    return 0;
}

void weir_letter_return_done(struct weir_letter_return *back)
{
    free(back->headers);
    back->headers = NULL;
}
