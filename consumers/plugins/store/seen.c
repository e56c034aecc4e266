#include "consumers/plugins/store/seen.h"

#include "common/hash.h"

#include <stdlib.h>
#include <unistd.h>

enum { WORDS = 8, BLOCK_BYTES = WORDS * 4, PAIR_BYTES = 2 * BLOCK_BYTES, CACHE_LINE = 64 };

/* One bit in each word of a block ("split block" filter; Putze, Sanders, Singler 2007). */
static uint32_t word_bit(uint64_t hash, unsigned word)
{
    static const uint32_t salts[WORDS] = {0x47b6137bu, 0x44974d91u, 0x8824ad5bu, 0xa2b7289du, 0x705495c7u,
        0x2df1424bu, 0x9efc4947u, 0x5c6bfb31u};
    return 1u << ((uint32_t)hash * salts[word] >> 27);
}

static _Atomic uint32_t *block_at(const struct weir_seen *seen, unsigned generation, size_t pair)
{
    return &seen->blocks[(2 * pair + generation) * WORDS];
}

static _Atomic uint32_t *find_block(const struct weir_seen *seen, unsigned generation, uint64_t hash)
{
    return block_at(seen, generation, (size_t)((hash >> 32) * seen->pair_count >> 32));
}

bool weir_seen_init(struct weir_seen *seen, size_t bytes)
{
    size_t pairs = bytes / PAIR_BYTES;

    *seen = (struct weir_seen){.pair_count = pairs < 2 ? 2 : (uint32_t)pairs};
    seen->blocks = aligned_alloc(CACHE_LINE, (size_t)seen->pair_count * PAIR_BYTES);
    if (seen->blocks == NULL)
        return false;
    memset((void *)seen->blocks, 0, (size_t)seen->pair_count * PAIR_BYTES);
    return getentropy(&seen->seed, sizeof(seen->seed)) == 0;
}

void weir_seen_done(struct weir_seen *seen)
{
    free((void *)seen->blocks);
    *seen = (struct weir_seen){0};
}

void weir_seen_add(struct weir_seen *seen, struct weir_bytes key)
{
    uint64_t hash = weir_hash(seen->seed, key);
    _Atomic uint32_t *block = find_block(seen, atomic_load(&seen->newer), hash);

    for (unsigned i = 0; i < WORDS; i++)
        atomic_store_explicit(&block[i],
            atomic_load_explicit(&block[i], memory_order_relaxed) | word_bit(hash, i), memory_order_relaxed);
}

static bool block_has(const _Atomic uint32_t *block, uint64_t hash)
{
    for (unsigned i = 0; i < WORDS; i++)
        if ((atomic_load_explicit(&block[i], memory_order_relaxed) & word_bit(hash, i)) == 0)
            return false;
    return true;
}

bool weir_seen_has(const struct weir_seen *seen, struct weir_bytes key)
{
    uint64_t hash = weir_hash(seen->seed, key);

    return block_has(find_block(seen, 0, hash), hash) || block_has(find_block(seen, 1, hash), hash);
}

void weir_seen_turn(struct weir_seen *seen)
{
    unsigned older = 1 - atomic_load(&seen->newer);

    for (size_t pair = 0; pair < seen->pair_count; pair++)
        for (unsigned i = 0; i < WORDS; i++)
            atomic_store_explicit(&block_at(seen, older, pair)[i], 0, memory_order_relaxed);
    atomic_store(&seen->newer, older);
}
