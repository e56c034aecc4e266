/* What a change log says its partition holds, document by document as a hash, to be compared with what a
 * folder holds. Takes about 100 bytes a document. Pure; not thread-safe. */
#ifndef WEIR_STORE_REPLICA_H
#define WEIR_STORE_REPLICA_H

#include "consumers/plugins/store/overlay.h"

/* {0} is an empty one. */
struct weir_replica {
    struct weir_overlay entries; /* by key; deleted: the log says that it is gone */
    struct weir_buffer stored;
    uint64_t skipped; /* records that are no change events */
    bool failed;      /* memory was out */
};

/* The next record of the log: its key, its value (data NULL: a tombstone) and its header ce_id. */
void weir_replica_take(
    struct weir_replica *replica, struct weir_bytes key, struct weir_bytes value, struct weir_bytes request);

enum weir_likeness {
    WEIR_LIKE_SAME,
    WEIR_LIKE_DIFFERENT,
    WEIR_LIKE_UNKNOWN /* the log has no such document */
};

/* Compares a stored document with what the log says, and counts it as seen. */
enum weir_likeness weir_replica_compare(
    struct weir_replica *replica, struct weir_bytes key, struct weir_bytes stored);
/* Whether the entry at index (below entries.count) is a document of the log that was never compared. */
bool weir_replica_is_unseen(const struct weir_replica *replica, size_t index);

/* Of a stored document and its key; the sum of all of them tells a partition from another. The same on every
 * machine. */
uint64_t weir_replica_hash(struct weir_bytes key, struct weir_bytes stored);

void weir_replica_clear(struct weir_replica *replica);
void weir_replica_done(struct weir_replica *replica);

#endif
