#include "consumers/plugins/store/db.h"
#include "consumers/plugins/store/db_handle.h"

static int fail_closed(const struct weir_db *db, struct weir_error *err)
{
    return weir_error_set(err, WEIR_E_DISK, "%s is closed after an error", db->settings.path);
}

static int get_locked(
    struct weir_db *db, struct weir_bytes key, struct weir_buffer *out, struct weir_error *err)
{
    char *error = NULL;
    size_t len = 0;

    if (db->rocks == NULL)
        return fail_closed(db, err);
    rocksdb_pinnableslice_t *found = rocksdb_get_pinned(db->rocks, db->reads, key.data, key.len, &error);
    if (error != NULL)
        return weir_db_fail(db, "can't read", error, err);
    if (found == NULL)
        return WEIR_E_NOT_FOUND;
    const char *value = rocksdb_pinnableslice_value(found, &len);
    weir_buffer_append(out, value, len);
    rocksdb_pinnableslice_destroy(found);
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

int weir_db_overlay_get(
    struct weir_db *db, struct weir_bytes key, struct weir_db_value *ret_value, struct weir_error *err)
{
    char *error = NULL;
    size_t len = 0;

    if (db->rocks == NULL)
        return fail_closed(db, err);
    char *found = rocksdb_writebatch_wi_get_from_batch_and_db(
        db->overlay, db->rocks, db->reads, key.data, key.len, &len, &error);
    if (error != NULL)
        return weir_db_fail(db, "can't read", error, err);
    *ret_value = (struct weir_db_value){weir_bytes(found, found != NULL ? len : 0), found};
    return 0;
}

void weir_db_overlay_put(struct weir_db *db, struct weir_bytes key, struct weir_bytes value)
{
    rocksdb_writebatch_wi_put(db->overlay, key.data, key.len, value.data, value.len);
}

void weir_db_overlay_delete(struct weir_db *db, struct weir_bytes key)
{
    rocksdb_writebatch_wi_delete(db->overlay, key.data, key.len);
}

void weir_db_overlay_clear(struct weir_db *db)
{
    rocksdb_writebatch_wi_clear(db->overlay);
}

int weir_db_overlay_write(struct weir_db *db, struct weir_error *err)
{
    char *error = NULL;

    if (db->rocks == NULL)
        return fail_closed(db, err);
    rocksdb_write_writebatch_wi(db->rocks, db->writes, db->overlay, &error);
    weir_db_overlay_clear(db);
    db->broken = db->broken || error != NULL;
    return error != NULL ? weir_db_fail(db, "can't write", error, err) : 0;
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

    if (db->rocks == NULL)
        return fail_closed(db, err);
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

int weir_db_each(struct weir_db *db, struct weir_bytes prefix, weir_db_visitor *visit, void *context,
    struct weir_error *err)
{
    char *error = NULL;

    if (db->rocks == NULL)
        return fail_closed(db, err);
    rocksdb_readoptions_t *reads = rocksdb_readoptions_create();
    rocksdb_readoptions_set_fill_cache(reads, 0);
    rocksdb_iterator_t *iterator = rocksdb_create_iterator(db->rocks, reads);
    rocksdb_iter_seek(iterator, prefix.data, prefix.len);
    while (rocksdb_iter_valid(iterator) && visit_entry(iterator, prefix, visit, context))
        rocksdb_iter_next(iterator);
    rocksdb_iter_get_error(iterator, &error);
    rocksdb_iter_destroy(iterator);
    rocksdb_readoptions_destroy(reads);
    return error != NULL ? weir_db_fail(db, "can't read", error, err) : 0;
}
