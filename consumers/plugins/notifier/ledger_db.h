/* The ledger's entries on disk: one RocksDB folder. This and ledger_db.c are all that knows RocksDB here.
 *
 * Threads: any, but open, close and destroy. */
#ifndef WEIR_NOTIFIER_LEDGER_DB_H
#define WEIR_NOTIFIER_LEDGER_DB_H

#include "common/bytes.h"
#include "common/error.h"

#include <stdbool.h>

struct weir_ledger_db;

/* Makes the folder where there is none. WEIR_E_CONFIG: another process has it open, or it can't be made.
 * WEIR_E_CORRUPT, WEIR_E_DISK: with advice. */
int weir_ledger_db_open(const char *path, struct weir_ledger_db **ret_db, struct weir_error *err);
void weir_ledger_db_close(struct weir_ledger_db *db); /* accepts NULL */
/* Removes what RocksDB keeps at path; a folder that does not exist is fine. */
int weir_ledger_db_destroy(const char *path, struct weir_error *err);

/* Replaces the content of out with the value of key. WEIR_E_NOT_FOUND without a text when there is none. */
int weir_ledger_db_get(
    struct weir_ledger_db *db, struct weir_bytes key, struct weir_buffer *out, struct weir_error *err);

/* Calls visit for each entry whose key begins with prefix, in order of the keys, until it answers false. */
typedef bool weir_ledger_visit(void *context, struct weir_bytes key, struct weir_bytes value);
int weir_ledger_db_each(struct weir_ledger_db *db, struct weir_bytes prefix, weir_ledger_visit *visit,
    void *context, struct weir_error *err);

/* Changes that are written together or not at all. What is written survives the end of the process, and after
 * weir_ledger_db_sync the machine's. */
struct weir_ledger_change;
struct weir_ledger_change *weir_ledger_change_new(void);
void weir_ledger_change_put(
    struct weir_ledger_change *change, struct weir_bytes key, struct weir_bytes value);
void weir_ledger_change_delete(struct weir_ledger_change *change, struct weir_bytes key);
/* Frees the change either way. WEIR_E_DISK and the like: RocksDB takes no more until it is opened again. */
int weir_ledger_change_write(
    struct weir_ledger_change *change, struct weir_ledger_db *db, struct weir_error *err);
int weir_ledger_db_sync(struct weir_ledger_db *db, struct weir_error *err);

#endif
