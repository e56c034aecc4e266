/* Column families of an hour each, named "hour-N". */
#include "consumers/plugins/store/db.h"
#include "consumers/plugins/store/db_handle.h"

#include <inttypes.h>
#include <stdio.h>

static const char name_format[] = "hour-%" PRId64;

/* What is on disk, from the names of its column families; RocksDB wants every one of them opened. */
struct columns {
    const char *names[WEIR_DB_HOURS_MAX + 1];
    const rocksdb_options_t *options[WEIR_DB_HOURS_MAX + 1];
    rocksdb_column_family_handle_t *handles[WEIR_DB_HOURS_MAX + 1];
    int64_t hours[WEIR_DB_HOURS_MAX + 1];
    int count;
};

static void add_column(struct weir_db *db, struct columns *columns, const char *name)
{
    int64_t hour = 0;

    if (columns->count > WEIR_DB_HOURS_MAX || sscanf(name, name_format, &hour) != 1)
        return;
    columns->names[columns->count] = name;
    columns->options[columns->count] = db->hour_options;
    columns->hours[columns->count++] = hour;
}

static void insert_hour(struct weir_db *db, int64_t hour, rocksdb_column_family_handle_t *column)
{
    size_t at = db->hour_count++;

    for (; at > 0 && db->hours[at - 1].hour < hour; at--)
        db->hours[at] = db->hours[at - 1];
    db->hours[at] = (struct weir_db_hour){hour, column};
}

void weir_db_hours_open(struct weir_db *db, char **ret_error)
{
    struct columns columns = {.names = {"default"}, .options = {db->options}, .count = 1};
    char *unlisted = NULL;
    size_t count = 0;

    char **names = rocksdb_list_column_families(db->options, db->settings.path, &count, &unlisted);
    for (size_t i = 0; unlisted == NULL && i < count; i++)
        add_column(db, &columns, names[i]);
    db->rocks = db->settings.read_only
                    ? rocksdb_open_for_read_only_column_families(db->options, db->settings.path,
                          columns.count, columns.names, columns.options, columns.handles, 0, ret_error)
                    : rocksdb_open_column_families(db->options, db->settings.path, columns.count,
                          columns.names, columns.options, columns.handles, ret_error);
    rocksdb_list_column_families_destroy(names, count); /* also of no names */
    rocksdb_free(unlisted);                             /* a folder that is yet to be made has no list */
    if (*ret_error != NULL)
        return;
    db->documents = columns.handles[0];
    for (int i = 1; i < columns.count; i++)
        insert_hour(db, columns.hours[i], columns.handles[i]);
}

void weir_db_hours_close(struct weir_db *db)
{
    if (db->rocks == NULL)
        return;
    while (db->hour_count > 0)
        rocksdb_column_family_handle_destroy(db->hours[--db->hour_count].column);
    rocksdb_column_family_handle_destroy(db->documents);
}

static rocksdb_column_family_handle_t *find_column(const struct weir_db *db, int64_t hour)
{
    for (size_t i = 0; i < db->hour_count; i++)
        if (db->hours[i].hour == hour)
            return db->hours[i].column;
    return NULL;
}

static int make_column(
    struct weir_db *db, int64_t hour, rocksdb_column_family_handle_t **ret_column, struct weir_error *err)
{
    char name[32], *error = NULL;

    if (db->hour_count == WEIR_DB_HOURS_MAX)
        return weir_error_set(err, WEIR_E_DISK, "%s holds %d hours of endings, no more fit",
            db->settings.path, WEIR_DB_HOURS_MAX);
    snprintf(name, sizeof(name), name_format, hour);
    *ret_column = rocksdb_create_column_family(db->rocks, db->hour_options, name, &error);
    if (error != NULL)
        return weir_db_fail(db, "can't write", error, err);
    pthread_rwlock_wrlock(&db->lock);
    insert_hour(db, hour, *ret_column);
    pthread_rwlock_unlock(&db->lock);
    return 0;
}

int weir_db_hours_column(
    struct weir_db *db, int64_t hour, rocksdb_column_family_handle_t **ret_column, struct weir_error *err)
{
    if (db->rocks == NULL)
        return weir_db_fail_closed(db, err);
    *ret_column = find_column(db, hour);
    return *ret_column != NULL ? 0 : make_column(db, hour, ret_column, err);
}

int weir_db_hour_make(struct weir_db *db, int64_t hour, struct weir_error *err)
{
    rocksdb_column_family_handle_t *column = NULL;
    return weir_db_hours_column(db, hour, &column, err);
}

static int get_from(struct weir_db *db, rocksdb_column_family_handle_t *column, struct weir_bytes key,
    struct weir_buffer *out, struct weir_error *err)
{
    char *error = NULL;
    size_t len = 0;

    rocksdb_pinnableslice_t *slice =
        rocksdb_get_pinned_cf(db->rocks, db->reads, column, key.data, key.len, &error);
    if (error != NULL)
        return weir_db_fail(db, "can't read", error, err);
    if (slice == NULL)
        return WEIR_E_NOT_FOUND;
    const char *data = rocksdb_pinnableslice_value(slice, &len);
    weir_buffer_append(out, data, len);
    rocksdb_pinnableslice_destroy(slice);
    return out->failed ? weir_error_set(err, WEIR_E_INTERNAL, "out of memory") : 0;
}

int weir_db_hours_get(
    struct weir_db *db, struct weir_bytes key, struct weir_buffer *out, struct weir_error *err)
{
    int r = WEIR_E_NOT_FOUND;

    weir_buffer_clear(out);
    pthread_rwlock_rdlock(&db->lock);
    if (db->rocks == NULL)
        r = weir_db_fail_closed(db, err);
    for (size_t i = 0; r == WEIR_E_NOT_FOUND && i < db->hour_count; i++)
        r = get_from(db, db->hours[i].column, key, out, err);
    pthread_rwlock_unlock(&db->lock);
    return r;
}

/* Answers false when visit did, or after an error. */
static bool visit_back(struct weir_db *db, rocksdb_column_family_handle_t *column, struct weir_bytes prefix,
    weir_db_visitor *visit, void *context, char **ret_error)
{
    WEIR_CLEANUP(buffer) struct weir_buffer behind = {0};
    struct weir_bytes key, value;
    bool more = true;

    /* No key goes on with a byte 0xff. */
    weir_buffer_append_bytes(&behind, prefix);
    weir_buffer_append(&behind, "\xff", 1);
    rocksdb_iterator_t *iterator = rocksdb_create_iterator_cf(db->rocks, db->reads, column);
    for (rocksdb_iter_seek_for_prev(iterator, behind.data, behind.len); more && rocksdb_iter_valid(iterator);
         rocksdb_iter_prev(iterator)) {
        key.data = rocksdb_iter_key(iterator, &key.len);
        value.data = rocksdb_iter_value(iterator, &value.len);
        if (key.len < prefix.len || memcmp(key.data, prefix.data, prefix.len) != 0)
            break;
        more = visit(context, key, value);
    }
    rocksdb_iter_get_error(iterator, ret_error);
    rocksdb_iter_destroy(iterator);
    return more && *ret_error == NULL;
}

int weir_db_hours_each(struct weir_db *db, struct weir_bytes prefix, weir_db_visitor *visit, void *context,
    struct weir_error *err)
{
    char *error = NULL;
    int r = 0;

    pthread_rwlock_rdlock(&db->lock);
    if (db->rocks == NULL)
        r = weir_db_fail_closed(db, err);
    for (size_t i = 0; r == 0 && i < db->hour_count; i++)
        if (!visit_back(db, db->hours[i].column, prefix, visit, context, &error))
            break;
    if (error != NULL)
        r = weir_db_fail(db, "can't read", error, err);
    pthread_rwlock_unlock(&db->lock);
    return r;
}

static int drop_oldest(struct weir_db *db, struct weir_error *err)
{
    char *error = NULL;
    rocksdb_column_family_handle_t *column = db->hours[db->hour_count - 1].column;

    rocksdb_drop_column_family(db->rocks, column, &error);
    if (error != NULL)
        return weir_db_fail(db, "can't write", error, err);
    pthread_rwlock_wrlock(&db->lock);
    db->hour_count--;
    rocksdb_column_family_handle_destroy(column);
    pthread_rwlock_unlock(&db->lock);
    return 0;
}

int weir_db_hours_drop(struct weir_db *db, int64_t now, struct weir_error *err)
{
    int r = 0;

    while (r == 0 && db->rocks != NULL && db->hour_count > 0 &&
           db->hours[db->hour_count - 1].hour + WEIR_DB_HOURS_KEPT <= now)
        r = drop_oldest(db, err);
    return r;
}

bool weir_db_hours_next(const struct weir_db *db, int64_t from, int64_t *ret_hour)
{
    for (size_t i = db->hour_count; i > 0; i--)
        if (db->hours[i - 1].hour >= from) {
            *ret_hour = db->hours[i - 1].hour;
            return true;
        }
    return false;
}

int weir_db_hour_each(struct weir_db *db, int64_t hour, struct weir_bytes from, weir_db_visitor *visit,
    void *context, struct weir_error *err)
{
    if (db->rocks == NULL)
        return weir_db_fail_closed(db, err);
    rocksdb_column_family_handle_t *column = find_column(db, hour);
    return column == NULL ? 0 : weir_db_visit(db, column, from, weir_bytes("", 0), visit, context, err);
}
