/* Bytes of others on a terminal: nothing gets through that a terminal would act on. */
#ifndef WEIR_DEPLOY_WEIRCTL_TEXT_H
#define WEIR_DEPLOY_WEIRCTL_TEXT_H

#include "common/bytes.h"

#include <stdio.h>

/* Appends text with control characters, what is no UTF-8 and marks that reorder text written as \x1b or
 * \u202e; with lines, newlines and tabs stay. */
void text_append_safe(struct weir_buffer *out, struct weir_bytes text, bool lines);

/* Prints JSON that holds text of others: what a terminal would act on is escaped in its strings, so that
 * their values stay. */
void text_print_json(struct weir_bytes json, FILE *to);

/* Rows of cells, printed with each column as wide as its widest cell. */
struct text_table {
    struct weir_buffer cells; /* each ends with NUL */
    size_t columns, count;
};

void text_table_add(struct text_table *table, struct weir_bytes cell);
void text_table_print(const struct text_table *table, FILE *to);
void text_table_done(struct text_table *table);

#endif
