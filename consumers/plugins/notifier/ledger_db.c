#include "consumers/plugins/notifier/ledger_db.h"

#include "common/folder.h"
#include "common/rocks.h"

#include <stdlib.h>
#include <string.h>

enum {
    MIB = 1 << 20,
    BUFFER_BYTES = 8 * MIB,
    BUFFERS = 3,
    CACHE_BYTES = 8 * MIB,
    BLOOM_BITS = 10,
    OPEN_FILES = 128,
};

struct weir_ledger_db {
    rocksdb_t *rocks;
    rocksdb_options_t *options;
    rocksdb_readoptions_t *reads;
    rocksdb_writeoptions_t *writes;
};

static const struct weir_rocks_advice advice = {
    .full = "the disk is full; make room",
    .corrupt =
        "stop the service, remove the folder and start it: it is built again from the topics of deliveries",
    .locked = "another process has this folder open; each notifier needs its own ledger.path",
};

static int fail(char *rocks_error, struct weir_error *err)
{
    return weir_rocks_fail(rocks_error, &advice, "the ledger", err);
}

static void set_table_options(rocksdb_options_t *options)
{
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
    rocksdb_cache_t *cache = rocksdb_cache_create_lru(CACHE_BYTES);

    rocksdb_block_based_options_set_block_cache(table, cache);
    rocksdb_block_based_options_set_filter_policy(table, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS));
    rocksdb_block_based_options_set_format_version(table, 5);
    rocksdb_options_set_block_based_table_factory(options, table);
    rocksdb_block_based_options_destroy(table);
    rocksdb_cache_destroy(cache);
}

static rocksdb_options_t *make_options(const char *log_path)
{
    rocksdb_options_t *options = rocksdb_options_create();

    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_set_write_buffer_size(options, BUFFER_BYTES);
    rocksdb_options_set_max_write_buffer_number(options, BUFFERS);
    rocksdb_options_set_max_open_files(options, OPEN_FILES);
    rocksdb_options_set_compression(options, rocksdb_lz4_compression);
    weir_rocks_set_log(options, log_path);
    set_table_options(options);
    return options;
}

int weir_ledger_db_open(const char *path, struct weir_ledger_db **ret_db, struct weir_error *err)
{
    char log_path[PATH_MAX], *error = NULL;

    int code = weir_folder_make(path, err);
    if (code == 0)
        code = weir_scratch_folder_make(log_path, err);
    if (code < 0)
        return code;
    struct weir_ledger_db *db = calloc(1, sizeof(*db));
    if (db == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    db->options = make_options(log_path);
    db->reads = rocksdb_readoptions_create();
    db->writes = rocksdb_writeoptions_create();
    db->rocks = rocksdb_open(db->options, path, &error);
    if (error != NULL) {
        weir_ledger_db_close(db);
        fail(error, err);
        return weir_error_prefix(err, "%s", path);
    }
    *ret_db = db;
    return 0;
}

void weir_ledger_db_close(struct weir_ledger_db *db)
{
    if (db == NULL)
        return;
    if (db->rocks != NULL)
        rocksdb_close(db->rocks);
    rocksdb_writeoptions_destroy(db->writes);
    rocksdb_readoptions_destroy(db->reads);
    rocksdb_options_destroy(db->options);
    free(db);
}

int weir_ledger_db_destroy(const char *path, struct weir_error *err)
{
    rocksdb_options_t *options = rocksdb_options_create();
    char *error = NULL;

    rocksdb_destroy_db(options, path, &error);
    rocksdb_options_destroy(options);
    return error != NULL ? fail(error, err) : 0;
}

static int not_open(struct weir_error *err)
{
    return weir_error_set(err, WEIR_E_DISK, "the ledger could not be opened again after a failed write");
}

int weir_ledger_db_get(
    struct weir_ledger_db *db, struct weir_bytes key, struct weir_buffer *out, struct weir_error *err)
{
    char *error = NULL;

    if (db == NULL)
        return not_open(err);
    weir_buffer_clear(out);
    rocksdb_pinnableslice_t *value = rocksdb_get_pinned(db->rocks, db->reads, key.data, key.len, &error);
    if (error != NULL)
        return fail(error, err);
    if (value == NULL)
        return WEIR_E_NOT_FOUND;
    size_t len = 0;
    const char *data = rocksdb_pinnableslice_value(value, &len);
    weir_buffer_append(out, data, len);
    rocksdb_pinnableslice_destroy(value);
    return out->failed ? weir_error_set(err, WEIR_E_INTERNAL, "out of memory") : 0;
}

static bool begins_with(struct weir_bytes key, struct weir_bytes prefix)
{
    return key.len >= prefix.len && memcmp(key.data, prefix.data, prefix.len) == 0;
}

int weir_ledger_db_each(struct weir_ledger_db *db, struct weir_bytes prefix, weir_ledger_visit *visit,
    void *context, struct weir_error *err)
{
    char *error = NULL;
    bool goes_on = true;

    if (db == NULL)
        return not_open(err);
    rocksdb_iterator_t *iterator = rocksdb_create_iterator(db->rocks, db->reads);

    for (rocksdb_iter_seek(iterator, prefix.data, prefix.len); goes_on && rocksdb_iter_valid(iterator);
         rocksdb_iter_next(iterator)) {
        struct weir_bytes key = {0}, value = {0};
        key.data = rocksdb_iter_key(iterator, &key.len);
        value.data = rocksdb_iter_value(iterator, &value.len);
        goes_on = begins_with(key, prefix) && visit(context, key, value);
    }
    rocksdb_iter_get_error(iterator, &error);
    rocksdb_iter_destroy(iterator);
    return error != NULL ? fail(error, err) : 0;
}

static rocksdb_writebatch_t *batch_of(struct weir_ledger_change *change)
{
    return (rocksdb_writebatch_t *)change;
}

struct weir_ledger_change *weir_ledger_change_new(void)
{
    return (struct weir_ledger_change *)rocksdb_writebatch_create();
}

void weir_ledger_change_put(struct weir_ledger_change *change, struct weir_bytes key, struct weir_bytes value)
{
    rocksdb_writebatch_put(batch_of(change), key.data, key.len, value.data, value.len);
}

void weir_ledger_change_delete(struct weir_ledger_change *change, struct weir_bytes key)
{
    rocksdb_writebatch_delete(batch_of(change), key.data, key.len);
}

int weir_ledger_change_write(
    struct weir_ledger_change *change, struct weir_ledger_db *db, struct weir_error *err)
{
    char *error = NULL;

    if (db != NULL)
        rocksdb_write(db->rocks, db->writes, batch_of(change), &error);
    rocksdb_writebatch_destroy(batch_of(change));
    if (db == NULL)
        return not_open(err);
    return error != NULL ? fail(error, err) : 0;
}

int weir_ledger_db_sync(struct weir_ledger_db *db, struct weir_error *err)
{
    char *error = NULL;

    if (db == NULL)
        return not_open(err);
    rocksdb_flush_wal(db->rocks, 1, &error);
    return error != NULL ? fail(error, err) : 0;
}
