/* Documents that are deleted a while after their last change (`ttl` of a collection): each by a change event
 * with the reason "ttl" and a tombstone, in a transaction like any other, some of them in each tick. They are
 * found by the index of the time of the last change (indexes.h), which does not depend on ttl.
 *
 * A command that was accepted while its document lived is to find it: nothing expires in a partition that was
 * just taken, or whose commands come late, until it has been up to date for ten seconds, or ttl if that is
 * less.
 *
 * Threads: the loop's. */
#ifndef WEIR_STORE_EXPIRY_H
#define WEIR_STORE_EXPIRY_H

#include "consumers/plugins/store/store.h"

/* The partition begins to serve. */
void weir_expiry_begin(
    struct weir_store *store, const struct weir_source *source, struct weir_partition *own);
/* A command of that time (-1: unknown) is carried out now. */
void weir_expiry_saw(
    const struct weir_source *source, struct weir_partition *own, int64_t accepted_ms, int64_t now_ms);
/* Emits what is too old, as far as a tick has time for. */
void weir_expiry_tick(struct weir_store *store, struct weir_batch *batch);

#endif
