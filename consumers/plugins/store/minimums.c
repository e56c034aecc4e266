#include "consumers/plugins/store/minimums.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "common/json_span.h"

#include <stdlib.h>

/* Appends name to the pointer as RFC 6901 writes it. */
static void append_name(struct weir_buffer *pointer, struct weir_bytes name)
{
    weir_buffer_append_str(pointer, "/");
    for (size_t i = 0; i < name.len; i++) {
        bool escaped = name.data[i] == '~' || name.data[i] == '/';
        if (escaped)
            weir_buffer_append_str(pointer, name.data[i] == '~' ? "~0" : "~1");
        else
            weir_buffer_append(pointer, &name.data[i], 1);
    }
}

static int add(struct weir_minimums *minimums, const struct weir_buffer *pointer, struct weir_bytes number,
    bool exclusive)
{
    struct weir_minimum minimum = {.exclusive = exclusive};

    if (number.data == NULL || !weir_decimal_read(number, &minimum.least))
        return 0;
    struct weir_minimum *grown = realloc(minimums->list, (minimums->count + 1) * sizeof(*grown));
    if (grown == NULL)
        return WEIR_E_INTERNAL;
    minimums->list = grown;
    minimum.pointer = weir_bytes_dup(weir_buffer_bytes(pointer));
    if (minimum.pointer == NULL)
        return WEIR_E_INTERNAL;
    minimums->list[minimums->count++] = minimum;
    return 0;
}

static int read_schema(struct weir_minimums *minimums, struct weir_bytes schema, struct weir_buffer *pointer);

static int read_property(
    struct weir_minimums *minimums, const struct weir_json_member *member, struct weir_buffer *pointer)
{
    WEIR_CLEANUP(free) char *owned = NULL;
    struct weir_bytes name;
    size_t behind = pointer->len;

    if (!weir_json_decode_string(member->name, &name, &owned))
        return WEIR_E_INTERNAL;
    append_name(pointer, name);
    if (pointer->failed)
        return WEIR_E_INTERNAL;
    int r = add(minimums, pointer, weir_json_member(member->value, "minimum"), false);
    if (r == 0)
        r = add(minimums, pointer, weir_json_member(member->value, "exclusiveMinimum"), true);
    if (r == 0)
        r = read_schema(minimums, member->value, pointer);
    pointer->len = behind;
    return r;
}

static int read_schema(struct weir_minimums *minimums, struct weir_bytes schema, struct weir_buffer *pointer)
{
    struct weir_bytes properties = weir_json_member(schema, "properties");
    struct weir_json_member member;
    int r = 0;

    if (properties.data == NULL)
        return 0;
    struct weir_json_cursor cursor = weir_json_cursor_begin(properties);
    while (r == 0 && weir_json_cursor_next(&cursor, &member))
        r = read_property(minimums, &member, pointer);
    return r;
}

int weir_minimums_read(struct weir_bytes schema, struct weir_minimums *ret_minimums)
{
    WEIR_CLEANUP(buffer) struct weir_buffer pointer = {0};

    return read_schema(ret_minimums, schema, &pointer);
}

void weir_minimums_done(struct weir_minimums *minimums)
{
    for (size_t i = 0; i < minimums->count; i++)
        free(minimums->list[i].pointer);
    free(minimums->list);
    *minimums = (struct weir_minimums){0};
}
