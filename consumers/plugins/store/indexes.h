/* The indexes of the collections on disk: kept with every change, built in the background where the
 * configuration declares others than the entries were made for. Threads: the loop's; weir_partition.indexed
 * is for reads too. */
#ifndef WEIR_STORE_INDEXES_H
#define WEIR_STORE_INDEXES_H

#include "consumers/plugins/store/index.h"
#include "consumers/plugins/store/keys.h"
#include "consumers/plugins/store/store.h"

/* The number of the index that ttl needs: by the time of the last change, big endian. */
enum { WEIR_INDEX_CHANGED = 0xff, WEIR_INDEX_TIME_BYTES = 8 };
enum { WEIR_INDEX_KEY_BYTES = WEIR_KEY_PREFIX_BYTES + 1 + WEIR_INDEX_VALUE_BYTES + WEIR_KEY_BYTES };

/* The beginning of all entries of an index: kind, collection, partition, number of the index. */
struct weir_bytes weir_index_prefix(
    const struct weir_source *source, int32_t partition, size_t index, char out[static WEIR_INDEX_KEY_BYTES]);

/* Whether the collection has any. */
static inline bool weir_indexes_are_kept(const struct weir_source *source)
{
    return source->index_count > 0 || source->collection->ttl_ms > 0;
}

/* Changes the entries of a document in the overlay of the batch at hand. before, after: the document, of
 * which changed_ms and text count; NULL for none. Neither has to outlive the first change of the overlay. */
int weir_indexes_change(struct weir_store *store, const struct weir_source *source, int32_t partition,
    struct weir_bytes key, const struct weir_document *before, const struct weir_document *after);

/* Finds out whether the entries of a partition are those that are declared; else they are removed, and built
 * by weir_indexes_tick. empty: it has no documents yet. */
int weir_indexes_begin(struct weir_store *store, const struct weir_source *source, int32_t partition,
    bool empty, struct weir_error *err);
/* Some documents of one partition that has no entries yet. */
void weir_indexes_tick(struct weir_store *store);

#endif
