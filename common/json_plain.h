/* A quick look at JSON text, for the path that every order takes: without building a value it allocates nothing
 * and is twenty times as fast as jansson; the value itself it builds, by jansson's constructors, in a fraction of
 * the time. jansson stays the judge: what this accepts jansson accepts too, as the same value (tested against
 * each other), and what looks unusual (\u escapes, long numbers, many members, anything wrong) is left to it.
 *
 *     struct weir_bytes id;
 *     if (!weir_json_is_plain_object(text, "orderID", &id) && weir_json_parse_object(text, &object, err) < 0)
 * …
 */
#ifndef WEIR_COMMON_JSON_PLAIN_H
#define WEIR_COMMON_JSON_PLAIN_H

#include "common/bytes.h"

#include <jansson.h>

#include <stdbool.h>

/* True: text is an object that weir_json_parse_object accepts, and *ret_member is the text of its member
 * `name` (data NULL: it has none). False: jansson has to decide. A string member holds no backslash, so that
 * its text is what stands between the quotes. Threads: any. */
bool weir_json_is_plain_object(struct weir_bytes text, const char *name, struct weir_bytes *ret_member);

/* The value of text that looks ordinary all through and holds no backslash, which is the caller's. NULL: jansson
 * has to decide. Threads: any. */
json_t *weir_json_build_plain(struct weir_bytes text);

#endif
