/* Filter policies: which events someone wants, in the vocabulary of Amazon SNS's payload-based filter
 * policies.
 *
 *     {"op": ["u"], "after.status": ["SHIPPED"], "before.stock": [{"numeric": [">", 0]}],
 *      "$or": [{"after.total": [{"numeric": [">=", 100]}]}, {"after": {"country": [{"anything-but":
 * "CH"}]}}]}
 *
 * All members have to match; of a member's array, one entry. A member's name may be a dotted path, and an
 * object nests: {"after.status": …} is {"after": {"status": …}} (so no name that holds a dot itself can be
 * asked for). Entries: "text", number, true, false, null, {"prefix": "a"}, {"suffix": "a"},
 * {"equals-ignore-case": "a"} (ASCII letters),
 * {"anything-but": scalar or array of strings and numbers, or {"prefix" or "suffix": "a"}}, {"numeric": ["=",
 * 1]} or a range
 * [">", 0, "<=", 9], {"exists": true or false}. "$or" holds at least two policies. SNS's cidr, and wildcard,
 * are refused.
 *
 * An array in the event matches if any of its elements does; under a nested policy it is one and the same
 * element. `exists` asks for the member itself, whatever its value; of an object or a missing member nothing
 * else matches. Numbers are equal by value (1 is 1.0).
 *
 * Limits: WEIR_FILTER_*_MAX below. A policy is compiled once; matching allocates nothing and takes time by
 * the number of values in the event times the entries of the policy.
 *
 *     struct weir_filter *filter = NULL;
 *     if (weir_filter_parse(policy, &filter, NULL, &err) < 0) …
 *     if (weir_filter_matches(filter, event)) …
 *     weir_filter_free(filter);
 */
#ifndef WEIR_COMMON_FILTER_H
#define WEIR_COMMON_FILTER_H

#include "common/bytes.h"
#include "common/cleanup.h"
#include "common/error.h"

#include <jansson.h>
#include <stdbool.h>

enum {
    WEIR_FILTER_DEPTH_MAX = 16,   /* names on the way to an entry, those of dotted paths and $or included */
    WEIR_FILTER_KEYS_MAX = 64,    /* members in all */
    WEIR_FILTER_VALUES_MAX = 256, /* entries in all, those of anything-but included */
    WEIR_FILTER_TEXT_MAX = 1024,  /* bytes of a name or a string */
};

struct weir_filter;

/* Compiles a policy; it is not needed afterwards. The caller frees *ret_filter. `pointer` (may be NULL) is
 * given the JSON Pointer (RFC 6901) of what was refused, with which the error's text begins too.
 * WEIR_E_INVALID, WEIR_E_TOO_LARGE for a limit. Threads: any. */
int weir_filter_parse(
    json_t *policy, struct weir_filter **ret_filter, struct weir_buffer *pointer, struct weir_error *err);

/* Accepts NULL. */
void weir_filter_free(struct weir_filter *filter);
WEIR_CLEANUP_DEFINE(filter, struct weir_filter *, weir_filter_free)

/* Whether the event, an object, is wanted. Threads: any, any number at once. */
bool weir_filter_matches(const struct weir_filter *filter, const json_t *event);

/* Whether the policy asks for that member of the event's top level ("before"), be it within an $or. */
bool weir_filter_names(const struct weir_filter *filter, const char *member);

#endif
