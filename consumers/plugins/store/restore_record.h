/* What one record of a change or outcome topic is on disk: a document, how a request ended, how far the
 * commands have come. Threads: the loop's. */
#ifndef WEIR_STORE_RESTORE_RECORD_H
#define WEIR_STORE_RESTORE_RECORD_H

#include "consumers/plugins/store/store.h"

/* Into the next weir_db_overlay_write. 0 also for what is no record of that kind: it is counted and logged.
 */
int weir_restore_change(struct weir_store *store, const struct weir_source *source,
    const struct weir_record *record, struct weir_error *err);
int weir_restore_outcome(struct weir_store *store, const struct weir_source *source,
    const struct weir_record *record, struct weir_error *err);

/* Whether the document of the record's key, as it is on disk, is what the record made of it. WEIR_E_INVALID
 * without a text: it is no change event. */
int weir_restore_compare(struct weir_store *store, const struct weir_source *source,
    const struct weir_record *record, bool *ret_same, struct weir_error *err);

#endif
