#include "consumers/runtime/keys.h"

#include "common/error.h"

#include <stdlib.h>
#include <sys/random.h>

uint64_t weir_keys_hash(struct weir_bytes bytes)
{
    static const uint64_t factor = 0x9E3779B97F4A7C15;
    static uint64_t seed;
    if (seed == 0 && getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
        seed = (uint64_t)(uintptr_t)&seed;
    uint64_t hash = seed ^ (bytes.len * factor);
    for (size_t at = 0; at < bytes.len; at += sizeof(uint64_t)) {
        uint64_t word = 0;
        size_t left = bytes.len - at;
        memcpy(&word, bytes.data + at, left < sizeof(word) ? left : sizeof(word));
        hash = (hash ^ word) * factor;
        hash ^= hash >> 29;
    }
    return hash;
}

/* Where the key is, or the free place where it would be. */
static struct weir_keys_entry *place_of(
    const struct weir_keys *keys, const void *partition, struct weir_bytes key)
{
    size_t mask = keys->capacity - 1;
    for (size_t i = weir_keys_hash(key) & mask;; i = (i + 1) & mask) {
        struct weir_keys_entry *entry = &keys->entries[i];
        if (entry->partition == NULL || (entry->partition == partition && weir_bytes_equal(entry->key, key)))
            return entry;
    }
}

static int grow(struct weir_keys *keys)
{
    struct weir_keys grown = {.capacity = keys->capacity > 0 ? 2 * keys->capacity : 64};
    grown.entries = calloc(grown.capacity, sizeof(*grown.entries));
    if (grown.entries == NULL)
        return WEIR_E_INTERNAL;
    for (size_t i = 0; i < keys->capacity; i++) {
        const struct weir_keys_entry *entry = &keys->entries[i];
        if (entry->partition != NULL)
            *place_of(&grown, entry->partition, entry->key) = *entry;
    }
    grown.count = keys->count;
    free(keys->entries);
    *keys = grown;
    return 0;
}

int weir_keys_add(struct weir_keys *keys, const void *partition, struct weir_bytes key)
{
    if (2 * keys->count >= keys->capacity && grow(keys) < 0)
        return WEIR_E_INTERNAL;
    struct weir_keys_entry *entry = place_of(keys, partition, key);
    keys->count += entry->partition == NULL;
    *entry = (struct weir_keys_entry){partition, key};
    return 0;
}

bool weir_keys_has(const struct weir_keys *keys, const void *partition, struct weir_bytes key)
{
    return keys->count > 0 && place_of(keys, partition, key)->partition != NULL;
}

void weir_keys_clear(struct weir_keys *keys)
{
    if (keys->count > 0)
        memset(keys->entries, 0, keys->capacity * sizeof(*keys->entries));
    keys->count = 0;
}

void weir_keys_done(struct weir_keys *keys)
{
    free(keys->entries);
    *keys = (struct weir_keys){0};
}
