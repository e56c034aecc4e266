/* How requests ended, for at least the last day: the dedupe window and what is told of a request. The entries
 * lie in column families of an hour each (db.h); a Bloom filter (seen.h) knows nearly all requests that are
 * new.
 *
 * Threads: weir_requests_find from any; the others from the loop's.
 */
#ifndef WEIR_STORE_REQUESTS_H
#define WEIR_STORE_REQUESTS_H

#include "consumers/plugins/store/ending.h"
#include "consumers/plugins/store/store.h"

struct weir_turn;

/* False when memory is out. The filter is closed by weir_seen_done. */
bool weir_requests_open(struct weir_store *store);
/* Drops hours that are over, goes on filling the filter after a start. A few ms at most. */
void weir_requests_tick(struct weir_store *store);
/* Makes room for what the batch at hand will keep, as long as the disk is known to have some. */
int weir_requests_begin_batch(struct weir_store *store, struct weir_error *err);

/* What is on disk. stored: the caller's, what *ret_ending points into. 0, WEIR_E_NOT_FOUND without a text, or
 * an error. */
int weir_requests_find(struct weir_store *store, const struct weir_source *source, int32_t partition,
    struct weir_bytes request, struct weir_buffer *stored, struct weir_ending *ret_ending,
    struct weir_error *err);
/* The same, what the batch at hand has kept first. */
int weir_requests_find_in_batch(struct weir_turn *turn, struct weir_buffer *stored,
    struct weir_ending *ret_ending, struct weir_error *err);

/* For each record of a change topic that is committed, in their order: the ending of its cause learns of it.
 */
void weir_requests_place_changes(struct weir_store *store, const struct weir_output *output);

/* Into the next weir_db_batch_write; nothing when it is too old. */
int weir_requests_restore(struct weir_store *store, const struct weir_source *source, int32_t partition,
    struct weir_bytes request, const struct weir_ending *ending, struct weir_error *err);

#endif
