/* Documents of partitions that moved to another instance: removed in the background, a step at a time, once
 * they have been away for store.moved.keep. Until then the partition is caught up from here when it comes
 * back. */
#ifndef WEIR_STORE_LEFTOVERS_H
#define WEIR_STORE_LEFTOVERS_H

#include "consumers/plugins/store/store.h"

/* In tick: one step at most. Nothing is removed before this instance serves a partition of the same topic, so
 * that one that has not joined its group yet does not take its own partitions for others'. */
void weir_leftovers_tick(struct weir_store *store);

#endif
