#include "consumers/plugins/store/db.h"
#include "consumers/plugins/store/db_handle.h"
#include "consumers/plugins/store/keys.h"

#include <endian.h>

/* Of an entry in the overlay of the hours: its hour, then the key, so that they are written hour by hour. */
enum { HOUR_BYTES = 8, HOUR_KEY_BYTES = HOUR_BYTES + WEIR_HISTORY_KEY_BYTES };

int weir_db_fail_closed(const struct weir_db *db, struct weir_error *err)
{
    return weir_error_set(err, WEIR_E_DISK, "%s is closed after an error", db->settings.path);
}

/* *ret_slice: NULL when there is none; else rocksdb_pinnableslice_destroy'ed by the caller. */
static int get_pinned(struct weir_db *db, struct weir_bytes key, rocksdb_pinnableslice_t **ret_slice,
    struct weir_bytes *ret_value, struct weir_error *err)
{
    char *error = NULL;
    size_t len = 0;

    if (db->rocks == NULL)
        return weir_db_fail_closed(db, err);
    rocksdb_pinnableslice_t *slice = rocksdb_get_pinned(db->rocks, db->reads, key.data, key.len, &error);
    if (error != NULL)
        return weir_db_fail(db, "can't read", error, err);
    if (slice != NULL) {
        const char *data = rocksdb_pinnableslice_value(slice, &len);
        *ret_value = weir_bytes(data, len);
    }
    *ret_slice = slice;
    return 0;
}

static int get_locked(
    struct weir_db *db, struct weir_bytes key, struct weir_buffer *out, struct weir_error *err)
{
    rocksdb_pinnableslice_t *slice = NULL;
    struct weir_bytes value;

    int r = get_pinned(db, key, &slice, &value, err);
    if (r < 0)
        return r;
    if (slice == NULL)
        return WEIR_E_NOT_FOUND;
    weir_buffer_append_bytes(out, value);
    rocksdb_pinnableslice_destroy(slice);
    return out->failed ? weir_error_set(err, WEIR_E_INTERNAL, "out of memory") : 0;
}

int weir_db_get(struct weir_db *db, struct weir_bytes key, struct weir_buffer *out, struct weir_error *err)
{
    weir_buffer_clear(out);
    pthread_rwlock_rdlock(&db->lock);
    int r = get_locked(db, key, out, err);
    pthread_rwlock_unlock(&db->lock);
    return r;
}

void weir_db_value_done(struct weir_db_value *value)
{
    if (value->pinned != NULL)
        rocksdb_pinnableslice_destroy(value->pinned);
    *value = (struct weir_db_value){0};
}

int weir_db_overlay_get(
    struct weir_db *db, struct weir_bytes key, struct weir_db_value *ret_value, struct weir_error *err)
{
    rocksdb_pinnableslice_t *slice = NULL;

    *ret_value = (struct weir_db_value){0};
    if (weir_overlay_find(&db->overlay, key, &ret_value->bytes))
        return 0;
    /* Counted for weir_db_take_blocks. */
    rocksdb_set_perf_level(rocksdb_enable_count);
    int r = get_pinned(db, key, &slice, &ret_value->bytes, err);
    rocksdb_set_perf_level(rocksdb_disable);
    ret_value->pinned = slice;
    return r;
}

void weir_db_overlay_put(struct weir_db *db, struct weir_bytes key, struct weir_bytes value)
{
    weir_overlay_put(&db->overlay, key, value);
}

void weir_db_overlay_delete(struct weir_db *db, struct weir_bytes key)
{
    weir_overlay_put(&db->overlay, key, WEIR_BYTES_NULL);
}

static struct weir_bytes write_hour_key(int64_t hour, struct weir_bytes key, char out[static HOUR_KEY_BYTES])
{
    uint64_t word = htobe64((uint64_t)hour);
    size_t len = key.len < WEIR_HISTORY_KEY_BYTES ? key.len : WEIR_HISTORY_KEY_BYTES;

    memcpy(out, &word, HOUR_BYTES);
    memcpy(out + HOUR_BYTES, key.data, len);
    return weir_bytes(out, HOUR_BYTES + len);
}

size_t weir_db_hour_overlay_put(
    struct weir_db *db, int64_t hour, struct weir_bytes key, struct weir_bytes value)
{
    char full[HOUR_KEY_BYTES];
    return weir_overlay_put(&db->hour_overlay, write_hour_key(hour, key, full), value);
}

void weir_db_hour_overlay_patch(struct weir_db *db, size_t put, size_t at, struct weir_bytes bytes)
{
    weir_overlay_patch(&db->hour_overlay, put, at, bytes);
}

bool weir_db_hour_overlay_find(
    struct weir_db *db, int64_t hour, struct weir_bytes key, struct weir_bytes *ret_value)
{
    char full[HOUR_KEY_BYTES];
    return weir_overlay_find(&db->hour_overlay, write_hour_key(hour, key, full), ret_value);
}

void weir_db_overlay_clear(struct weir_db *db)
{
    weir_overlay_clear(&db->overlay);
    weir_overlay_clear(&db->hour_overlay);
}

static void batch_overlay_entry(struct weir_db *db, size_t index)
{
    struct weir_bytes key = weir_overlay_key(&db->overlay, index),
                      value = weir_overlay_value(&db->overlay, index);

    if (value.data != NULL)
        weir_db_batch_put(db, key, value);
    else
        weir_db_batch_delete(db, key);
}

static void batch_overlay(struct weir_db *db)
{
    const uint32_t *order = weir_overlay_sort(&db->overlay);

    for (size_t i = 0; i < db->overlay.count; i++)
        batch_overlay_entry(db, order[i]);
}

static int batch_hour_overlay(struct weir_db *db, struct weir_error *err)
{
    const uint32_t *order = weir_overlay_sort(&db->hour_overlay);
    rocksdb_column_family_handle_t *column = NULL;
    uint64_t before = 0, word;
    int r = 0;

    for (size_t i = 0; r == 0 && i < db->hour_overlay.count; i++) {
        struct weir_bytes key = weir_overlay_key(&db->hour_overlay, order[i]),
                          value = weir_overlay_value(&db->hour_overlay, order[i]);
        memcpy(&word, key.data, HOUR_BYTES);
        if (column == NULL || word != before)
            r = weir_db_hours_column(db, (int64_t)be64toh(before = word), &column, err);
        if (r == 0)
            rocksdb_writebatch_put_cf(
                db->batch, column, key.data + HOUR_BYTES, key.len - HOUR_BYTES, value.data, value.len);
    }
    return r;
}

static int batch_overlays(struct weir_db *db, struct weir_error *err)
{
    if (db->overlay.failed || db->hour_overlay.failed)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    batch_overlay(db);
    return batch_hour_overlay(db, err);
}

int weir_db_overlay_write(struct weir_db *db, struct weir_error *err)
{
    int r = batch_overlays(db, err);

    weir_db_overlay_clear(db);
    return r < 0 ? r : weir_db_batch_write(db, err);
}

void weir_db_batch_put(struct weir_db *db, struct weir_bytes key, struct weir_bytes value)
{
    rocksdb_writebatch_put(db->batch, key.data, key.len, value.data, value.len);
}

void weir_db_batch_delete(struct weir_db *db, struct weir_bytes key)
{
    rocksdb_writebatch_delete(db->batch, key.data, key.len);
}

void weir_db_batch_clear(struct weir_db *db)
{
    rocksdb_writebatch_clear(db->batch);
}

int weir_db_batch_write(struct weir_db *db, struct weir_error *err)
{
    char *error = NULL;

    if (db->rocks == NULL) {
        rocksdb_writebatch_clear(db->batch);
        return weir_db_fail_closed(db, err);
    }
    rocksdb_write(db->rocks, db->writes, db->batch, &error);
    rocksdb_writebatch_clear(db->batch);
    db->broken = db->broken || error != NULL;
    return error != NULL ? weir_db_fail(db, "can't write", error, err) : 0;
}

static bool visit_entry(
    rocksdb_iterator_t *iterator, struct weir_bytes prefix, weir_db_visitor *visit, void *context)
{
    struct weir_bytes key = {0}, value = {0};

    key.data = rocksdb_iter_key(iterator, &key.len);
    value.data = rocksdb_iter_value(iterator, &value.len);
    return key.len >= prefix.len && memcmp(key.data, prefix.data, prefix.len) == 0 &&
           visit(context, key, value);
}

int weir_db_visit(struct weir_db *db, rocksdb_column_family_handle_t *column, struct weir_bytes from,
    struct weir_bytes prefix, weir_db_visitor *visit, void *context, struct weir_error *err)
{
    char *error = NULL;

    rocksdb_readoptions_t *reads = rocksdb_readoptions_create();
    rocksdb_readoptions_set_fill_cache(reads, 0);
    rocksdb_iterator_t *iterator = rocksdb_create_iterator_cf(db->rocks, reads, column);
    rocksdb_iter_seek(iterator, from.data, from.len);
    while (rocksdb_iter_valid(iterator) && visit_entry(iterator, prefix, visit, context))
        rocksdb_iter_next(iterator);
    rocksdb_iter_get_error(iterator, &error);
    rocksdb_iter_destroy(iterator);
    rocksdb_readoptions_destroy(reads);
    return error != NULL ? weir_db_fail(db, "can't read", error, err) : 0;
}

int weir_db_each_from(struct weir_db *db, struct weir_bytes from, struct weir_bytes prefix,
    weir_db_visitor *visit, void *context, struct weir_error *err)
{
    if (db->rocks == NULL)
        return weir_db_fail_closed(db, err);
    return weir_db_visit(db, db->documents, from, prefix, visit, context, err);
}

int weir_db_each(struct weir_db *db, struct weir_bytes prefix, weir_db_visitor *visit, void *context,
    struct weir_error *err)
{
    return weir_db_each_from(db, prefix, prefix, visit, context, err);
}
