/* JSON as Weir needs it: jansson decides whether text is valid; documents themselves stay the bytes that came,
 * so that 19.99 stays 19.99. What jansson has no call for (where a member's text stands, splicing, merging text) is
 * done on spans of text that jansson has accepted.
 *
 * RFC 8259 with: UTF-8 only, no duplicate names, no U+0000 in strings, depth ≤ 32, integers within 64 bits,
 * numbers within double range. Errors name position and JSON Pointer (RFC 6901).
 */
#ifndef WEIR_COMMON_JSON_H
#define WEIR_COMMON_JSON_H

#include "common/bytes.h"
#include "common/cleanup.h"
#include "common/error.h"

#include <jansson.h>

#include <stdbool.h>

enum { WEIR_JSON_DEPTH_MAX = 32 };

/* Once, before threads and any value: seeds jansson's hash and gives it the memory of common/json_arena. */
void weir_json_init(void);

/* Parses text. *ret_value is the caller's. WEIR_E_INVALID says what, at which byte and pointer. Threads: any. */
int weir_json_parse(struct weir_bytes text, json_t **ret_value, struct weir_error *err);

/* Parses text that has to be an object. */
int weir_json_parse_object(struct weir_bytes text, json_t **ret_object, struct weir_error *err);

/* The same for a change event, which nests its document one level deeper. */
int weir_json_parse_event(struct weir_bytes text, json_t **ret_object, struct weir_error *err);

/* Where an error's text names its place, (pointer "/total"): the pointer, and the sentence behind it. False when it
 * names none. */
bool weir_json_error_place(const char *text, struct weir_bytes *ret_pointer, struct weir_bytes *ret_sentence);

/* The text of member `name` of the object `object` (text that weir_json_parse accepted), without surrounding
 * whitespace; data NULL when it has none. The span points into object. Names are compared after unescaping. */
struct weir_bytes weir_json_member(struct weir_bytes object, const char *name);

/* The decoded string member; an owned copy in *ret_text. WEIR_E_NOT_FOUND, or WEIR_E_INVALID if it is no string. */
int weir_json_member_string(struct weir_bytes object, const char *name, char **ret_text, struct weir_error *err);

/* Appends object with `"name":value` as its first member, all other bytes as they are. `value` is JSON text. */
void weir_json_splice_first(struct weir_bytes object, const char *name, struct weir_bytes value,
    struct weir_buffer *out);

/* Appends target patched by patch as RFC 7396 asks. Members that the patch leaves alone keep their text byte for byte
 * and their place; new ones come last. Both are text that weir_json_parse accepted; a target with data NULL, or
 * no object, is taken for {}. Returns 0 or WEIR_E_INTERNAL. */
int weir_json_merge(struct weir_bytes target, struct weir_bytes patch, struct weir_buffer *out);

/* Appends text with the value at the JSON Pointer (RFC 6901) replaced, all other bytes as they are; the last name of
 * the pointer may be a new member, which comes last. An empty pointer means the whole, which then need not be JSON.
 * `value` is JSON text. WEIR_E_INVALID: text is no JSON, or the pointer none; WEIR_E_NOT_FOUND: it leads nowhere. */
int weir_json_set(struct weir_bytes text, const char *pointer, struct weir_bytes value, struct weir_buffer *out,
    struct weir_error *err);

/* The value at a dotted path ("after.customer.email"), borrowed from root; NULL when there is none. */
json_t *weir_json_path(json_t *root, const char *path);

#endif
