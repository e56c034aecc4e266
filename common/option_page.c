/* What people read of the option tables: --help, CONFIGURATION.md, and the name they may have meant. */
#include "common/option.h"
#include "common/option_text.h"

#include "common/bytes.h"
#include "common/cleanup.h"

#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 128 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Damerau-Levenshtein distance in its restricted form (optimal string alignment): insertions, deletions,
 * replacements and swaps of neighbours. */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][NAME_BYTES + 2] = {{0}};
    size_t a_len = strnlen(a, NAME_BYTES), b_len = strnlen(b, NAME_BYTES);

    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *now = rows[i % 3];
        const size_t *before = rows[(i + 2) % 3], *earlier = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            now[j] = least(least(before[j] + 1, now[j - 1] + 1), before[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], earlier[j - 2] + 1);
        }
    }
    return rows[a_len % 3][b_len];
}

const char *weir_option_nearest(const struct weir_option_table *table, const char *key)
{
    const char *nearest = NULL;
    size_t best = strnlen(key, NAME_BYTES) / 3 + 1; /* a third of it may be wrong */

    for (size_t i = 0; i < table->count; i++) {
        size_t far = distance(key, table->rows[i].key);
        if (far <= best && (nearest == NULL || far < best)) {
            nearest = table->rows[i].key;
            best = far;
        }
    }
    return nearest;
}

/* A cell must neither end the cell nor the line. */
static void append_cell(struct weir_buffer *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '|')
            weir_buffer_append_str(out, "\\|");
        else
            weir_buffer_append(out, *text == '\n' ? " " : text, 1);
    }
}

static void append_markdown_row(const struct weir_option *row, struct weir_buffer *out)
{
    WEIR_CLEANUP(buffer) struct weir_buffer range = {0};

    weir_option_text_range(row, &range);
    weir_buffer_printf(out, "| `%s` | ", row->key);
    append_cell(out, weir_option_text_type(row));
    weir_buffer_append_str(out, " | ");
    if (row->fallback != NULL && row->fallback[0] != '\0') {
        weir_buffer_append_str(out, "`");
        append_cell(out, row->fallback);
        weir_buffer_append_str(out, "`");
    } else {
        weir_buffer_append_str(out, row->required ? "required" : "–");
    }
    weir_buffer_printf(out, " | %s | %s | ", range.len > 0 ? range.data : "–", row->reload ? "yes" : "no");
    append_cell(out, row->help != NULL ? row->help : "");
    weir_buffer_append_str(out, " |\n");
}

void weir_option_markdown(const struct weir_option_table *table, struct weir_buffer *out)
{
    weir_buffer_append_str(
        out, "| key | type | default | range | reload | meaning |\n|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < table->count; i++)
        append_markdown_row(&table->rows[i], out);
}

static void append_help_row(const struct weir_option *row, int width, struct weir_buffer *out)
{
    WEIR_CLEANUP(buffer) struct weir_buffer range = {0};

    weir_option_text_range(row, &range);
    weir_buffer_printf(out, "  %-*s  %s (%s", width, row->key, row->help != NULL ? row->help : "",
        weir_option_text_type(row));
    if (row->min != 0 || row->max != 0)
        weir_buffer_printf(out, ", %s", weir_buffer_bytes(&range).data);
    if (row->fallback != NULL && row->fallback[0] != '\0')
        weir_buffer_printf(out, "; default %s", row->fallback);
    else if (row->required)
        weir_buffer_append_str(out, "; required");
    weir_buffer_append_str(out, ")\n");
}

void weir_option_help(const struct weir_option_table *table, struct weir_buffer *out)
{
    size_t width = 0;

    for (size_t i = 0; i < table->count; i++)
        if (strlen(table->rows[i].key) > width)
            width = strlen(table->rows[i].key);
    weir_buffer_printf(out, "[%s]\n", table->section);
    for (size_t i = 0; i < table->count; i++)
        append_help_row(&table->rows[i], (int)width, out);
}
