/* Names and values of a request's query, or of a form: application/x-www-form-urlencoded as the URL standard
 * of the WHATWG has it, in which + is a space. In a path + is itself: see weir_target_decode. Nothing here
 * keeps what it is given, allocates, or may be called by one thread only. */
#ifndef WEIR_QUERY_H
#define WEIR_QUERY_H

#include "common/bytes.h"

/* Parts of the text that they were read from, still escaped. */
struct weir_query_pair {
    struct weir_bytes text, name, value; /* name=value, whole; the value is empty without a = */
};

/* Cuts the next pair off the text; false at its end. Empty ones (a&&b) are passed over. */
bool weir_query_next(struct weir_bytes *text, struct weir_query_pair *ret_pair);

/* The byte that the text begins with as an escape (%2F), -1 where it begins with none. */
int weir_percent_byte(struct weir_bytes text);

/* Decodes a name or a value into out, with a NUL behind it; there may be others in it where %00 is.
 * WEIR_E_TOO_LARGE: it does not fit into size bytes. WEIR_E_INVALID: an escape is broken. ret_len may be
 * NULL. */
int weir_query_decode(struct weir_bytes text, char *out, size_t size, size_t *ret_len);

/* What is behind the ? of a request target; empty without one. */
struct weir_bytes weir_query_of(const char *target);

/* The decoded value of the first parameter of that name in a checked target; false when there is none, or it
 * does not fit. */
bool weir_query_value(const char *target, const char *name, char *out, size_t size);

/* Whether there is such a parameter, however long. */
bool weir_query_has(const char *target, const char *name);

#endif
