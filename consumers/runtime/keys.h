/* A set of record keys, each of one partition: those that have to wait within a batch. Keys are borrowed.
 * Also the hash that it and parking use. Not thread-safe. */
#ifndef WEIR_RUNTIME_KEYS_H
#define WEIR_RUNTIME_KEYS_H

#include "common/bytes.h"

#include <stdint.h>

/* Seeded by chance once a process: keys come from outside. */
uint64_t weir_keys_hash(struct weir_bytes bytes);

struct weir_keys_entry {
    const void *partition; /* NULL: free */
    struct weir_bytes key;
};

/* Zeroed is empty. */
struct weir_keys {
    struct weir_keys_entry *entries; /* open addressing; capacity is a power of two */
    size_t count, capacity;
};

/* 0, or WEIR_E_INTERNAL when memory is out. */
int weir_keys_add(struct weir_keys *keys, const void *partition, struct weir_bytes key);
bool weir_keys_has(const struct weir_keys *keys, const void *partition, struct weir_bytes key);
void weir_keys_clear(struct weir_keys *keys);
void weir_keys_done(struct weir_keys *keys);

#endif
