#include "deploy/weirctl/text.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { COLUMNS_MAX = 16, GAP = 2 };

static uint32_t point_of(struct weir_bytes character)
{
    static const unsigned char masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t point = (unsigned char)character.data[0] & masks[character.len];

    for (size_t i = 1; i < character.len; i++)
        point = point << 6 | ((unsigned char)character.data[i] & 0x3f);
    return point;
}

/* C0, DEL and C1; marks that order text from right to left (Unicode UAX #9), line separators, tags. */
static bool is_hostile(uint32_t point)
{
    static const struct {
        uint32_t from, to;
    } ranges[] = {{0, 0x1f}, {0x7f, 0x9f}, {0x061c, 0x061c}, {0x200b, 0x200f}, {0x2028, 0x202e},
        {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xe0000, 0xe007f}};

    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
        if (point >= ranges[i].from && point <= ranges[i].to)
            return true;
    return false;
}

void text_append_safe(struct weir_buffer *out, struct weir_bytes text, bool lines)
{
    while (text.len > 0) {
        size_t len = weir_utf8_next(text);
        uint32_t point = len > 0 ? point_of(weir_bytes(text.data, len)) : (unsigned char)text.data[0];
        if (len > 0 && (!is_hostile(point) || (lines && (point == '\n' || point == '\t'))))
            weir_buffer_append(out, text.data, len);
        else
            weir_buffer_printf(out, len > 1 ? "\\u%04x" : "\\x%02x", point);
        len = len > 0 ? len : 1;
        text = weir_bytes(text.data + len, text.len - len);
    }
}

/* RFC 8259, 7: beyond U+FFFF as a surrogate pair. */
static void print_escape(uint32_t point, FILE *to)
{
    if (point > 0xffff)
        fprintf(to, "\\u%04x\\u%04x", 0xd800 + ((point - 0x10000) >> 10), 0xdc00 + (point & 0x3ff));
    else
        fprintf(to, "\\u%04x", point);
}

void text_print_json(struct weir_bytes json, FILE *to)
{
    while (json.len > 0) {
        size_t len = weir_utf8_next(json);
        uint32_t point = len > 0 ? point_of(weir_bytes(json.data, len)) : 0xfffd;
        len = len > 0 ? len : 1;
        if (point >= 0x7f && is_hostile(point)) /* those below are escaped already, or white space */
            print_escape(point, to);
        else
            fwrite(json.data, 1, len, to);
        json = weir_bytes(json.data + len, json.len - len);
    }
}

void text_table_add(struct text_table *table, struct weir_bytes cell)
{
    text_append_safe(&table->cells, cell, false);
    weir_buffer_append(&table->cells, "", 1);
    table->count++;
}

static size_t width_of(const char *cell)
{
    size_t width = 0;

    for (; *cell != '\0'; cell++)
        width += ((unsigned char)*cell & 0xc0) != 0x80;
    return width;
}

static void measure(const struct text_table *table, size_t widths[static COLUMNS_MAX])
{
    const char *cell = table->cells.data;

    for (size_t i = 0; i < table->count; i++, cell += strlen(cell) + 1)
        if (width_of(cell) > widths[i % table->columns])
            widths[i % table->columns] = width_of(cell);
}

void text_table_print(const struct text_table *table, FILE *to)
{
    size_t widths[COLUMNS_MAX] = {0};
    const char *cell = table->cells.data;

    measure(table, widths);
    for (size_t i = 0; i < table->count; i++, cell += strlen(cell) + 1) {
        size_t column = i % table->columns;
        bool last = column + 1 == table->columns;
        fprintf(to, "%s%*s", cell, last ? 0 : (int)(widths[column] - width_of(cell) + GAP), last ? "\n" : "");
    }
}

void text_table_done(struct text_table *table)
{
    weir_buffer_done(&table->cells);
}
