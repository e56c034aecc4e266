#include "consumers/plugins/store/db.h"
#include "consumers/plugins/store/db_handle.h"

#include <stdlib.h>

struct weir_db_view {
    struct weir_db *db; /* its lock is held for reading */
    const rocksdb_snapshot_t *snapshot;
    rocksdb_readoptions_t *reads;
};

int weir_db_view_open(struct weir_db *db, struct weir_db_view **ret_view, struct weir_error *err)
{
    struct weir_db_view *view = calloc(1, sizeof(*view));

    if (view == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    pthread_rwlock_rdlock(&db->lock);
    if (db->rocks == NULL) {
        pthread_rwlock_unlock(&db->lock);
        free(view);
        return weir_db_fail_closed(db, err);
    }
    view->db = db;
    view->snapshot = rocksdb_create_snapshot(db->rocks);
    view->reads = rocksdb_readoptions_create();
    rocksdb_readoptions_set_snapshot(view->reads, view->snapshot);
    *ret_view = view;
    return 0;
}

void weir_db_view_close(struct weir_db_view *view)
{
    if (view == NULL)
        return;
    rocksdb_readoptions_destroy(view->reads);
    rocksdb_release_snapshot(view->db->rocks, view->snapshot);
    pthread_rwlock_unlock(&view->db->lock);
    free(view);
}

static int compare(struct weir_bytes a, struct weir_bytes b)
{
    int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* The key that the iterator is at, when it is within the range. */
static bool is_within(
    rocksdb_iterator_t *iterator, struct weir_bytes from, struct weir_bytes to, struct weir_bytes *ret_key)
{
    if (!rocksdb_iter_valid(iterator))
        return false;
    ret_key->data = rocksdb_iter_key(iterator, &ret_key->len);
    return compare(*ret_key, from) >= 0 && compare(*ret_key, to) < 0;
}

/* To the last key before `to`. */
static void seek_before(rocksdb_iterator_t *iterator, struct weir_bytes to)
{
    rocksdb_iter_seek_for_prev(iterator, to.data, to.len);
    if (!rocksdb_iter_valid(iterator))
        return;
    size_t len = 0;
    const char *data = rocksdb_iter_key(iterator, &len);
    if (weir_bytes_equal(weir_bytes(data, len), to))
        rocksdb_iter_prev(iterator);
}

int weir_db_view_range(struct weir_db_view *view, struct weir_bytes from, struct weir_bytes to,
    bool descending, weir_db_visitor *visit, void *context, struct weir_error *err)
{
    struct weir_bytes key = {0}, value = {0};
    char *error = NULL;

    rocksdb_iterator_t *iterator = rocksdb_create_iterator(view->db->rocks, view->reads);
    if (descending)
        seek_before(iterator, to);
    else
        rocksdb_iter_seek(iterator, from.data, from.len);
    while (is_within(iterator, from, to, &key)) {
        value.data = rocksdb_iter_value(iterator, &value.len);
        if (!visit(context, key, value))
            break;
        (descending ? rocksdb_iter_prev : rocksdb_iter_next)(iterator);
    }
    rocksdb_iter_get_error(iterator, &error);
    rocksdb_iter_destroy(iterator);
    return error != NULL ? weir_db_fail(view->db, "can't read", error, err) : 0;
}

int weir_db_view_get(
    struct weir_db_view *view, struct weir_bytes key, struct weir_buffer *out, struct weir_error *err)
{
    char *error = NULL;
    size_t len = 0;

    weir_buffer_clear(out);
    rocksdb_pinnableslice_t *slice =
        rocksdb_get_pinned(view->db->rocks, view->reads, key.data, key.len, &error);
    if (error != NULL)
        return weir_db_fail(view->db, "can't read", error, err);
    if (slice == NULL)
        return WEIR_E_NOT_FOUND;
    const char *data = rocksdb_pinnableslice_value(slice, &len);
    weir_buffer_append(out, data, len);
    rocksdb_pinnableslice_destroy(slice);
    return out->failed ? weir_error_set(err, WEIR_E_INTERNAL, "out of memory") : 0;
}
