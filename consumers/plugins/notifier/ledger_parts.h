/* What the files of the ledger share. */
#ifndef WEIR_NOTIFIER_LEDGER_PARTS_H
#define WEIR_NOTIFIER_LEDGER_PARTS_H

#include "consumers/plugins/notifier/ledger.h"
#include "consumers/plugins/notifier/ledger_db.h"
#include "consumers/plugins/notifier/ledger_keys.h"

#include "common/marks.h"
#include "common/topic.h"

#include <pthread.h>
#include <stdatomic.h>

/* A partition of a source. */
struct weir_ledger_place {
    uint32_t source;
    int32_t partition;
};

struct weir_ledger {
    const struct weir_host *host;
    char *path;
    bool temporary;
    int64_t keep_ms;
    char (*logs)[WEIR_TOPIC_NAME_BYTES]; /* of each source */
    size_t source_count;
    pthread_rwlock_t lock; /* written when `db` or `owned` change; read by threads other than the host's */
    struct weir_ledger_place *owned; /* those that were restored and are ours */
    size_t owned_count;
    struct weir_ledger_db *db;
    struct weir_marks marks;    /* by request, of what its deliveries tell; any thread */
    _Atomic uint32_t takings;   /* of partitions so far; any thread */
    atomic_bool broken;         /* a write has failed since it was opened */
    struct weir_buffer carried; /* entries of the outbox that the transaction at hand takes along, */
    struct weir_buffer left;    /* and the others: ledger_log.c */
    int64_t pruned_ms;
    struct weir_buffer scratch; /* of the host's thread */
};

/* Answers code, and keeps a failure for weir_ledger_mend. */
static inline int weir_ledger_checked(struct weir_ledger *ledger, int code)
{
    if (code < 0)
        atomic_store(&ledger->broken, true);
    return code;
}

/* "" for a source that there is not. */
static inline const char *weir_ledger_log_of(const struct weir_ledger *ledger, uint32_t source)
{
    return source < ledger->source_count ? ledger->logs[source] : "";
}

/* A row and what finds it: by its request, and by its age. */
void weir_ledger_put_row(struct weir_ledger_change *change, const char *key, const char *request,
    int64_t time_ms, struct weir_bytes value);
/* The next offset of the partition's log to apply. */
void weir_ledger_put_position(struct weir_ledger *ledger, struct weir_ledger_change *change, uint32_t source,
    int32_t partition, int64_t offset);

/* ledger_log.c: what is not in the log yet, as the disk has it. */
int weir_ledger_load_outbox(struct weir_ledger *ledger, struct weir_error *err);

/* Whether the partition is ours and restored; where it stands in `owned` (ret_at may be NULL). */
bool weir_ledger_owns(const struct weir_ledger *ledger, uint32_t source, int32_t partition, size_t *ret_at);

/* ledger_prune.c: forgets some of what is too old, if that was not done just now. */
void weir_ledger_prune(struct weir_ledger *ledger);

#endif
