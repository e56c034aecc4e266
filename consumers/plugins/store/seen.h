/* Which keys were surely not added within the last day: a Bloom filter of fixed size, so that a key nobody
 * has seen, the usual one, costs one cache line and no look at the disk. Of two generations the older is
 * emptied and takes over when the newer is a day old; a key is so kept for one to two days. With ten bits for
 * each key of two days one key in a hundred is taken for seen; more keys make more mistakes, never a wrong
 * "no".
 *
 * Threads: one adds and turns; any may ask.
 */
#ifndef WEIR_STORE_SEEN_H
#define WEIR_STORE_SEEN_H

#include "common/bytes.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct weir_seen {
    _Atomic uint32_t *blocks; /* in pairs, one of each generation, side by side */
    _Atomic unsigned newer;   /* index of the newer generation */
    uint64_t seed;
    uint32_t pair_count;
};

/* bytes: of both generations together; at least 128 are taken. False when memory is out. */
bool weir_seen_init(struct weir_seen *seen, size_t bytes);
void weir_seen_done(struct weir_seen *seen);
void weir_seen_add(struct weir_seen *seen, struct weir_bytes key);
bool weir_seen_has(const struct weir_seen *seen, struct weir_bytes key);
/* Forgets what was added before the last turn. */
void weir_seen_turn(struct weir_seen *seen);

#endif
