/* What db.c and the other db_*.c share: the open database. For them only. */
#ifndef WEIR_STORE_DB_HANDLE_H
#define WEIR_STORE_DB_HANDLE_H

#include "consumers/plugins/store/db.h"
#include "consumers/plugins/store/overlay.h"

#include <pthread.h>
#include <stdatomic.h>
#include <rocksdb/c.h>

/* More than are kept, because a drop may fail for a while. */
enum { WEIR_DB_HOURS_MAX = 48 };

struct weir_db_hour {
    int64_t hour;
    rocksdb_column_family_handle_t *column;
};

struct weir_db {
    struct weir_db_settings settings;
    pthread_rwlock_t lock; /* guards `rocks` and `hours` against changes; the loop's own reads need it not */
    rocksdb_t *rocks;      /* NULL after a reopen that failed */
    rocksdb_options_t *options, *hour_options;
    rocksdb_column_family_handle_t *documents;    /* the default column family */
    struct weir_db_hour hours[WEIR_DB_HOURS_MAX]; /* the youngest first */
    size_t hour_count;
    rocksdb_readoptions_t *reads;
    rocksdb_writeoptions_t *writes;
    struct weir_overlay overlay, hour_overlay;
    rocksdb_writebatch_t *batch;
    bool broken;
    _Atomic bool damaged;
};

/* Turns RocksDB's sentence into ours and frees it. Answers the code. */
int weir_db_fail(struct weir_db *db, const char *doing, char *rocks_error, struct weir_error *err);

/* db_hours.c: opens path with all its column families; *ret_error as RocksDB's. */
void weir_db_hours_open(struct weir_db *db, char **ret_error);
/* Before rocksdb_close. */
void weir_db_hours_close(struct weir_db *db);
/* Its column family, made where there is none. */
int weir_db_hours_column(
    struct weir_db *db, int64_t hour, rocksdb_column_family_handle_t **ret_column, struct weir_error *err);

/* db_batch.c: visits from `from` while keys begin with prefix. */
int weir_db_visit(struct weir_db *db, rocksdb_column_family_handle_t *column, struct weir_bytes from,
    struct weir_bytes prefix, weir_db_visitor *visit, void *context, struct weir_error *err);
int weir_db_fail_closed(const struct weir_db *db, struct weir_error *err);

#endif
