/* A compiled template: its tags in order. For common/mustache*.c only. */
#ifndef WEIR_COMMON_MUSTACHE_PARTS_H
#define WEIR_COMMON_MUSTACHE_PARTS_H

#include "common/mustache.h"

enum weir_mustache_kind {
    WEIR_MUSTACHE_TEXT,
    WEIR_MUSTACHE_VALUE,
    WEIR_MUSTACHE_RAW_VALUE,
    WEIR_MUSTACHE_SECTION,
    WEIR_MUSTACHE_INVERTED,
    WEIR_MUSTACHE_PARTIAL,
};

struct weir_mustache_token {
    enum weir_mustache_kind kind;
    struct weir_bytes
        text;   /* TEXT: itself; PARTIAL: its line's indentation; of a section the name as written */
    char *name; /* owned; of a dotted name, `parts` strings one behind the other; "." has none */
    size_t parts;
    size_t end; /* of a section: the token behind it */
    size_t line;
};

struct weir_mustache {
    char *name, *source;
    struct weir_mustache_token *tokens;
    size_t count, capacity;
};

#endif
