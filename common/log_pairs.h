/* The `key=value` pairs of a log message. Where a value ends is told by its place in the format, which is
 * written in a program's source, and not by what it holds: a value with spaces, quotes or `other=` in it is
 * one value all the same. */
#ifndef WEIR_COMMON_LOG_PAIRS_H
#define WEIR_COMMON_LOG_PAIRS_H

#include "common/bytes.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct weir_log_pair {
    struct weir_bytes key, value; /* borrowed from the format, and from `text` */
    bool number;                  /* the value is one integer conversion, as in partition=%d */
};

struct weir_log_pairs {
    const char *format;
    struct weir_bytes text; /* the formatted message, which may be cut */
    size_t at, place;       /* up to where both are read */
};

/* Formats the message into `text`, of `size` bytes. The pairs borrow both. */
struct weir_log_pairs weir_log_pairs(const char *format, va_list arguments, char *text, size_t size)
    __attribute__((format(printf, 1, 0)));

/* The next pair, false behind the last one: `key=…` up to the format's next space, or `key="…"` up to its
 * next quote. What is neither is, up to the format's end, the value of `message`. `arguments` are those of
 * weir_log_pairs. */
bool weir_log_pairs_next(struct weir_log_pairs *pairs, va_list arguments, struct weir_log_pair *ret_pair);

#endif
