/* The materialized view on disk: one RocksDB directory, an overlay for the batch at hand, and batches of
 * writes. This and its .c files are all that knows RocksDB.
 *
 * Threads: what says so may be called from any; everything else from one thread, the loop's.
 */
#ifndef WEIR_STORE_DB_H
#define WEIR_STORE_DB_H

#include "common/bytes.h"
#include "common/cleanup.h"
#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

struct weir_db;

/* Answers whether to go on. */
typedef bool weir_db_visitor(void *context, struct weir_bytes key, struct weir_bytes value);

struct weir_db_settings {
    const char *path;     /* folder; made with its parents, mode 0700 */
    const char *log_path; /* folder for RocksDB's own log: on another disk, because a full one would abort the
                             process */
    int64_t memory_bytes; /* half for write buffers, half for the block cache; at least 8 MiB are taken */
    bool read_only;       /* takes no lock and writes nothing: for a folder that no store has open */
};

/* WEIR_E_CONFIG: another process has the folder open, or it can't be made. WEIR_E_CORRUPT, WEIR_E_DISK: with
 * advice. The strings of settings must live as long as *ret_db. */
int weir_db_open(const struct weir_db_settings *settings, struct weir_db **ret_db, struct weir_error *err);
void weir_db_close(struct weir_db *db); /* accepts NULL; the overlay is lost */

/* Closes and opens again, because RocksDB takes no write after one has failed. */
int weir_db_reopen(struct weir_db *db, struct weir_error *err);
/* RocksDB has found damage since it was opened, in whatever thread. Threads: any. */
bool weir_db_is_damaged(const struct weir_db *db);
/* A write has failed since it was opened. */
bool weir_db_is_broken(const struct weir_db *db);

/* Everything as it is now under hard links at path, a folder that does not exist yet, on the same file
 * system. Threads: any. */
int weir_db_checkpoint(struct weir_db *db, const char *path, struct weir_error *err);

/* A number that RocksDB tells about itself, by its name ("rocksdb.estimate-num-keys"), of the documents'
 * column family or the sum of all; false without one. Threads: any. */
bool weir_db_property(struct weir_db *db, const char *name, bool summed, uint64_t *ret_number);

/* What weir_db_overlay_get met since the last time: blocks found in the cache, and read from the disk. */
void weir_db_take_blocks(uint64_t *ret_hits, uint64_t *ret_reads);

/* Removes what RocksDB keeps at path; a folder that does not exist is fine. */
int weir_db_destroy(const char *path, struct weir_error *err);

/* Room on the disk of a folder for this process's user. */
int weir_db_free_bytes(const char *path, int64_t *ret_bytes, struct weir_error *err);
/* What the write buffers may come to take of it. */
int64_t weir_db_buffers_bytes(int64_t memory_bytes);

/* Replaces the content of out with the value of key. WEIR_E_NOT_FOUND without a text when there is none.
 * Threads: any. */
int weir_db_get(struct weir_db *db, struct weir_bytes key, struct weir_buffer *out, struct weir_error *err);

/* A value that was read; weir_db_value_done gives it back. */
struct weir_db_value {
    struct weir_bytes bytes; /* data NULL: there is none; good until the overlay changes */
    void *pinned;
};
void weir_db_value_done(struct weir_db_value *value);
static inline void weir_cleanup_db_value(struct weir_db_value *value)
{
    weir_db_value_done(value);
}

/* The overlay: what a batch has changed so far, over what is on disk. */
int weir_db_overlay_get(
    struct weir_db *db, struct weir_bytes key, struct weir_db_value *ret_value, struct weir_error *err);
void weir_db_overlay_put(struct weir_db *db, struct weir_bytes key, struct weir_bytes value);
void weir_db_overlay_delete(struct weir_db *db, struct weir_bytes key);
void weir_db_overlay_clear(struct weir_db *db);
/* All of it or nothing, to disk, with what was put by weir_db_hour_overlay_put; the overlays are empty
 * afterwards either way. */
int weir_db_overlay_write(struct weir_db *db, struct weir_error *err);

/* Writes that nobody reads before they are applied; cheaper than the overlay. */
void weir_db_batch_put(struct weir_db *db, struct weir_bytes key, struct weir_bytes value);
void weir_db_batch_delete(struct weir_db *db, struct weir_bytes key);
void weir_db_batch_clear(struct weir_db *db);
int weir_db_batch_write(struct weir_db *db, struct weir_error *err); /* empty afterwards either way */

/* What is kept for some hours only. The entries of an hour (of the wall clock, counted from 1970) lie in a
 * column family of their own, which is dropped whole: nothing is ever deleted one by one. */
enum { WEIR_DB_HOURS_KEPT = 25 };
/* Into the next weir_db_overlay_write. key: at most WEIR_HISTORY_KEY_BYTES. Answers its number. */
size_t weir_db_hour_overlay_put(
    struct weir_db *db, int64_t hour, struct weir_bytes key, struct weir_bytes value);
/* Writes over some bytes of what weir_db_hour_overlay_put has put as that number. */
void weir_db_hour_overlay_patch(struct weir_db *db, size_t put, size_t at, struct weir_bytes bytes);
/* Whether the batch at hand has put key for that hour. *ret_value is good until the next put. */
bool weir_db_hour_overlay_find(
    struct weir_db *db, int64_t hour, struct weir_bytes key, struct weir_bytes *ret_value);
/* Makes the hour where there is none. RocksDB as Debian builds it ends the process when the disk is full just
 * then, so it is not left to the write. */
int weir_db_hour_make(struct weir_db *db, int64_t hour, struct weir_error *err);
/* Replaces the content of out with the youngest value of key on disk. WEIR_E_NOT_FOUND without a text.
 * Threads: any. */
int weir_db_hours_get(
    struct weir_db *db, struct weir_bytes key, struct weir_buffer *out, struct weir_error *err);
/* Visits what begins with prefix on disk, the youngest hour first, within one against the order of the keys.
 * Threads: any. */
int weir_db_hours_each(struct weir_db *db, struct weir_bytes prefix, weir_db_visitor *visit, void *context,
    struct weir_error *err);
/* Drops what is older than WEIR_DB_HOURS_KEPT at `now`, an hour. */
int weir_db_hours_drop(struct weir_db *db, int64_t now, struct weir_error *err);
/* The oldest hour that is not before `from`; false when there is none. */
bool weir_db_hours_next(const struct weir_db *db, int64_t from, int64_t *ret_hour);

/* Calls visit for each entry whose key begins with prefix, in order of the keys, until it answers false. */
int weir_db_each(struct weir_db *db, struct weir_bytes prefix, weir_db_visitor *visit, void *context,
    struct weir_error *err);
/* The same from key `from` on. */
int weir_db_each_from(struct weir_db *db, struct weir_bytes from, struct weir_bytes prefix,
    weir_db_visitor *visit, void *context, struct weir_error *err);
/* The same for the entries of an hour, from key `from` on; nothing when there is no such hour. */
int weir_db_hour_each(struct weir_db *db, int64_t hour, struct weir_bytes from, weir_db_visitor *visit,
    void *context, struct weir_error *err);

/* What is on disk at one moment, for reads of many entries. Threads: the one that opened it; any number of
 * them at once. Close them soon: weir_db_reopen waits for them. */
struct weir_db_view;
int weir_db_view_open(struct weir_db *db, struct weir_db_view **ret_view, struct weir_error *err);
void weir_db_view_close(struct weir_db_view *view);
/* Visits the entries with from ≤ key < to, in the order of their keys or against it. */
int weir_db_view_range(struct weir_db_view *view, struct weir_bytes from, struct weir_bytes to,
    bool descending, weir_db_visitor *visit, void *context, struct weir_error *err);
/* As weir_db_get. */
int weir_db_view_get(
    struct weir_db_view *view, struct weir_bytes key, struct weir_buffer *out, struct weir_error *err);

#endif
