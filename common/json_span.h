/* Spans of JSON text that jansson has accepted: where values end, and the members of an object one after the
 * other. Ends are checked all the same, so that a caller's mistake gives a wrong answer and not a wild read.
 * Threads: any. */
#ifndef WEIR_COMMON_JSON_SPAN_H
#define WEIR_COMMON_JSON_SPAN_H

#include "common/bytes.h"

#include <stdbool.h>

static inline struct weir_bytes weir_json_span(const char *from, const char *to)
{
    return weir_bytes(from, (size_t)(to - from));
}

const char *weir_json_skip_space(const char *at, const char *end);
/* at: a value's first byte. Answers the byte behind it. */
const char *weir_json_skip_value(const char *at, const char *end);

/* The decoded text of a JSON string with its quotes: a view into it where nothing is escaped, else an owned
 * copy, which *ret_owned holds too (the caller frees it). False when memory is out. */
bool weir_json_decode_string(struct weir_bytes quoted, struct weir_bytes *ret_text, char **ret_owned);

struct weir_json_cursor {
    const char *at, *end;
};

struct weir_json_member {
    struct weir_bytes name; /* with quotes */
    struct weir_bytes value;
};

/* Text that is no object has no members. */
struct weir_json_cursor weir_json_cursor_begin(struct weir_bytes object);
bool weir_json_cursor_next(struct weir_json_cursor *cursor, struct weir_json_member *ret_member);

#endif
