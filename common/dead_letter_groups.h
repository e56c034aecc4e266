/* How many dead letters there are of each kind: by their topic, disposition and error type.
 *
 *     struct weir_letter_groups groups;
 *     rc = weir_letter_groups_init(&groups);
 *     … weir_letter_groups_add(&groups, letter, redriven);
 *     weir_letter_groups_sort(&groups);
 *
 * Not thread-safe. */
#ifndef WEIR_COMMON_DEAD_LETTER_GROUPS_H
#define WEIR_COMMON_DEAD_LETTER_GROUPS_H

#include "common/dead_letter.h"

enum { WEIR_LETTER_WORD_BYTES = 200 }; /* a longer one is cut */

struct weir_letter_group {
    const char *topic; /* the letters' own, borrowed */
    char disposition[WEIR_LETTER_WORD_BYTES], error_type[WEIR_LETTER_WORD_BYTES];
    int64_t open, redriven;
    int64_t oldest_ms, newest_ms;
};

struct weir_letter_groups {
    struct weir_letter_group *list; /* owned; at most 1000, the last takes what would need more */
    size_t count;
    int64_t open, redriven;
};

/* WEIR_E_INTERNAL: memory is out. The caller ends it with weir_letter_groups_done(). */
int weir_letter_groups_init(struct weir_letter_groups *groups);
void weir_letter_groups_done(struct weir_letter_groups *groups);
static inline void weir_cleanup_letter_groups(struct weir_letter_groups *groups)
{
    weir_letter_groups_done(groups);
}

void weir_letter_groups_add(
    struct weir_letter_groups *groups, const struct weir_letter *letter, bool redriven);
/* Those with the most open letters first. */
void weir_letter_groups_sort(struct weir_letter_groups *groups);

/* Appends "groups", "open" and "redriven", members of a JSON object. */
void weir_letter_groups_write(const struct weir_letter_groups *groups, struct weir_buffer *out);

#endif
