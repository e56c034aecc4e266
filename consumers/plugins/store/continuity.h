/* Whether a change log is the one that the documents are a view of, told by the log itself. A topic id says
 * it shorter, but only librdkafka 2.3 and newer tell it, and it stays the same when a log loses its end and
 * is written on.
 *
 * Kept with the checkpoint of a change partition is where the last record below it stood, and a hash of its
 * key and request id. Whoever takes the partition reads some records below the checkpoint again, and the last
 * of them has to be that one. Compaction may have removed it, and what an older store wrote does not name it:
 * then the last record that is there has to have led to what the documents hold for its key. That is so in
 * every log that goes on from them: compaction removes a key's older records first, so that the last one
 * below the checkpoint is the last of its key there.
 *
 * Threads: the loop's.
 */
#ifndef WEIR_STORE_CONTINUITY_H
#define WEIR_STORE_CONTINUITY_H

#include "consumers/plugins/store/store.h"

/* The partition's change log is about to be read. Lowers *offset, its checkpoint, to where reading begins. */
int weir_continuity_begin(struct weir_store *store, const struct weir_source *source, int32_t partition,
    int64_t *offset, struct weir_error *err);
/* For each record below the checkpoint, in order. */
int weir_continuity_see(struct weir_store *store, const struct weir_source *source,
    const struct weir_record *record, struct weir_error *err);
/* Once all of them were seen: WEIR_E_CONFIG, with what can be done, when it is another log. */
int weir_continuity_check(const struct weir_store *store, const struct weir_source *source, int32_t partition,
    struct weir_error *err);

uint64_t weir_continuity_hash(struct weir_bytes key, struct weir_bytes request);
/* Beside the checkpoint of the change log, at `checkpoint`, that is put in the same batch or overlay. */
void weir_continuity_put(struct weir_store *store, const struct weir_source *source, int32_t partition,
    int64_t checkpoint, struct weir_last_change last);
void weir_continuity_overlay(struct weir_store *store, const struct weir_source *source, int32_t partition,
    int64_t checkpoint, struct weir_last_change last);
/* Into the next weir_db_batch_write. */
void weir_continuity_forget(struct weir_store *store, const struct weir_source *source, int32_t partition);

#endif
