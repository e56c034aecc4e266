/* Index entries: a field's value as bytes that sort as the values do, and the values of a field in a
 * document.
 *
 * A value is a tag and what follows it: false, true; numbers as a double and what it lacks to a 64-bit
 * integer, so that 1, 1.0 and 1e0 are one value and all integers are told apart; strings with a NUL behind
 * them, cut at WEIR_INDEX_TEXT_BYTES. null, objects and arrays are no values; each element of an array is
 * one. Pure. Threads: any.
 */
#ifndef WEIR_STORE_INDEX_H
#define WEIR_STORE_INDEX_H

#include "common/bytes.h"

#include <stdbool.h>

enum { WEIR_INDEX_TEXT_BYTES = 255, WEIR_INDEX_VALUE_BYTES = WEIR_INDEX_TEXT_BYTES + 2 };

/* Encodes a JSON value. Answers its length, 0 for what is no value (or no memory). */
size_t weir_index_encode(struct weir_bytes json, char out[static WEIR_INDEX_VALUE_BYTES]);
/* Encodes a string, without the NUL when it is the beginning of the strings that are looked for. */
size_t weir_index_encode_text(struct weir_bytes text, bool prefix, char out[static WEIR_INDEX_VALUE_BYTES]);

/* How long the encoded value at the beginning of entry is; all of entry when it is none. */
size_t weir_index_value_length(struct weir_bytes entry);

/* Calls found for each value at the dotted path ("items.sku"), encoded. document: JSON text that common/json
 * accepts. False when memory is out. */
typedef void weir_index_found(void *context, struct weir_bytes value);
bool weir_index_each(struct weir_bytes document, const char *path, weir_index_found *found, void *context);

#endif
