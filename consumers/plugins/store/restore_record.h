/* What one record of a change or outcome topic is on disk: a document, how a request ended, how far the
 * commands have come. Both put it into the next weir_db_batch_write. Threads: the loop's. */
#ifndef WEIR_STORE_RESTORE_RECORD_H
#define WEIR_STORE_RESTORE_RECORD_H

#include "consumers/plugins/store/store.h"

/* 0 also for what is no record of that kind: it is counted and logged. */
int weir_restore_change(struct weir_store *store, const struct weir_source *source,
    const struct weir_record *record, struct weir_error *err);
int weir_restore_outcome(struct weir_store *store, const struct weir_source *source,
    const struct weir_record *record, struct weir_error *err);

#endif
