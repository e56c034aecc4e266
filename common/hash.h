/* A seeded 64-bit hash. In tables in memory the seed is random: keys come from strangers, who could choose
 * them to fall on each other. The store keeps hashes on disk, too (continuity.c): another function here would
 * refuse the folders that are there, so a change needs a new format number. Pure. */
#ifndef WEIR_COMMON_HASH_H
#define WEIR_COMMON_HASH_H

#include "common/bytes.h"

#include <stdint.h>

static inline uint64_t weir_hash_fold(uint64_t a, uint64_t b)
{
    __uint128_t product = (__uint128_t)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t weir_hash(uint64_t seed, struct weir_bytes key)
{
    static const uint64_t odd[] = {0xa0761d6478bd642fu, 0xe7037ed1a0b428dbu};
    uint64_t hash = seed ^ key.len;

    for (size_t at = 0; at < key.len; at += 8) {
        uint64_t word = 0;
        memcpy(&word, key.data + at, key.len - at < 8 ? key.len - at : 8);
        hash = weir_hash_fold(hash ^ word ^ odd[0], odd[1] ^ seed);
    }
    return hash;
}

#endif
