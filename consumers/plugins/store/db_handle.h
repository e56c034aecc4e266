/* What db.c and db_batch.c share: the open database. For them only. */
#ifndef WEIR_STORE_DB_HANDLE_H
#define WEIR_STORE_DB_HANDLE_H

#include "consumers/plugins/store/db.h"
#include "consumers/plugins/store/overlay.h"

#include <pthread.h>
#include <rocksdb/c.h>

struct weir_db {
    struct weir_db_settings settings;
    pthread_rwlock_t lock; /* guards `rocks` against weir_db_reopen; the loop's own reads need it not */
    rocksdb_t *rocks;      /* NULL after a reopen that failed */
    rocksdb_options_t *options;
    rocksdb_readoptions_t *reads;
    rocksdb_writeoptions_t *writes;
    struct weir_overlay overlay;
    rocksdb_writebatch_t *batch;
    int64_t buffers_bytes;
    bool broken;
};

/* Turns RocksDB's sentence into ours and frees it. Answers the code. */
int weir_db_fail(struct weir_db *db, const char *doing, char *rocks_error, struct weir_error *err);

#endif
