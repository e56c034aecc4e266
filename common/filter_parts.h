/* A compiled filter policy: a tree of predicates over a JSON value, in one array, and what reads it. For
 * common/filter*.c only. */
#ifndef WEIR_COMMON_FILTER_PARTS_H
#define WEIR_COMMON_FILTER_PARTS_H

#include "common/filter.h"

#include <float.h>
#include <stdint.h>

/* Holds every int64_t and every double exactly, so that both compare by value. */
typedef long double weir_filter_number;
_Static_assert(LDBL_MANT_DIG >= 64, "a long double has to hold every 64-bit integer");

enum weir_filter_kind {
    WEIR_FILTER_ALL,    /* every child matches the value */
    WEIR_FILTER_ANY,    /* one child does */
    WEIR_FILTER_MEMBER, /* the child matches the value's member `text`, or NULL where there is none */
    WEIR_FILTER_EXISTS,
    WEIR_FILTER_MISSING,
    WEIR_FILTER_TEXT,
    WEIR_FILTER_TEXT_IGNORING_CASE,
    WEIR_FILTER_PREFIX,
    WEIR_FILTER_SUFFIX,
    WEIR_FILTER_RANGE,
    WEIR_FILTER_TRUE,
    WEIR_FILTER_FALSE,
    WEIR_FILTER_NULL,
    WEIR_FILTER_BUT, /* a scalar that no child matches */
};

enum { WEIR_FILTER_NO_NODE = UINT16_MAX };

struct weir_filter_node {
    enum weir_filter_kind kind;
    uint16_t child, next; /* first child, next sibling; WEIR_FILTER_NO_NODE */
    char *text;           /* owned */
    size_t text_len;
    weir_filter_number low, high;
    bool low_open, high_open; /* the limit itself is outside */
};

/* Node 0 is the root, an ALL. */
struct weir_filter {
    struct weir_filter_node *nodes;
    size_t count, capacity;
};

/* `pointer` names the place that is being read; after an error it stays there. */
struct weir_filter_parser {
    struct weir_filter *filter;
    struct weir_buffer pointer;
    size_t keys, values;
    struct weir_error *err;
};

size_t weir_filter_enter(struct weir_filter_parser *parser, const char *name);
size_t weir_filter_enter_index(struct weir_filter_parser *parser, size_t index);
/* Back to where the call before answered `back`. */
void weir_filter_leave(struct weir_filter_parser *parser, size_t back);
int weir_filter_refuse(const struct weir_filter_parser *parser, const char *why);

/* A new child of `parent`; *ret_index is its number. The order of siblings does not matter. */
int weir_filter_add(
    struct weir_filter_parser *parser, uint16_t parent, enum weir_filter_kind kind, uint16_t *ret_index);
int weir_filter_add_text(struct weir_filter_parser *parser, uint16_t parent, enum weir_filter_kind kind,
    struct weir_bytes text, uint16_t *ret_index);

/* One entry of an array of values. */
int weir_filter_parse_entry(struct weir_filter_parser *parser, uint16_t parent, json_t *entry);

#endif
