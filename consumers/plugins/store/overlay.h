/* What a batch has changed so far: the newest value of each key, over what is on disk. A hash table over one
 * growing buffer. RocksDB has such a thing too (WriteBatchWithIndex), which costs three times as much a
 * command. Pure.
 */
#ifndef WEIR_STORE_OVERLAY_H
#define WEIR_STORE_OVERLAY_H

#include "common/bytes.h"

#include <stdbool.h>
#include <stdint.h>

struct weir_overlay_entry {
    uint64_t hash;
    size_t key_at, value_at; /* in bytes */
    size_t key_len, value_len;
    bool deleted;
};

/* {0} is an empty one. Not thread-safe. */
struct weir_overlay {
    struct weir_buffer bytes;
    struct weir_overlay_entry *entries; /* in the order of their first change */
    size_t count;
    uint32_t *order;   /* room for weir_overlay_sort */
    uint32_t *slots;   /* index + 1 of an entry, 0: free */
    size_t slot_count; /* a power of two, at least twice the count */
    uint64_t seed;
    bool failed; /* memory was out: the overlay lacks something and has to be cleared */
};

/* value.data NULL: deleted. Copies both. Answers the index of the entry, which stays the same until all is
 * cleared. */
size_t weir_overlay_put(struct weir_overlay *overlay, struct weir_bytes key, struct weir_bytes value);
/* Writes over `bytes` of an entry's value from `at` on, which it has to have. */
void weir_overlay_patch(struct weir_overlay *overlay, size_t index, size_t at, struct weir_bytes bytes);
/* Whether key was changed; *ret_value is its value then, data NULL if deleted, and good until the next put.
 */
bool weir_overlay_find(
    const struct weir_overlay *overlay, struct weir_bytes key, struct weir_bytes *ret_value);
struct weir_bytes weir_overlay_key(const struct weir_overlay *overlay, size_t index);
struct weir_bytes weir_overlay_value(const struct weir_overlay *overlay, size_t index);
/* The indexes of all entries in the order of their keys, as memcmp has it: RocksDB takes sorted writes a
 * third faster. Good until the next put. */
const uint32_t *weir_overlay_sort(struct weir_overlay *overlay);
/* Empties it and keeps the memory. */
void weir_overlay_clear(struct weir_overlay *overlay);
void weir_overlay_done(struct weir_overlay *overlay);

#endif
