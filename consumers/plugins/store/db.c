#include "consumers/plugins/store/db.h"
#include "consumers/plugins/store/db_handle.h"

#include "common/folder.h"
#include "common/rocks.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    MIB = 1 << 20,
    MEMORY_BYTES_MIN = 8 * MIB,
    BUFFER_BYTES_MAX = 64 * MIB,
    BUFFERS = 4,
    OPEN_FILES = 512,
    BLOOM_BITS = 10,
    CACHE_SHARD_BITS = 2,
    LEVEL0_FILES = 8,
    PARTITION_BYTES = 64 << 10,
    RAW_ERROR_BYTES = 200,
};

static const struct weir_rocks_advice advice = {
    .full = "the disk is full; make room, nothing that Kafka has committed is lost",
    .corrupt = "this instance stops, others go on with its partitions; `weirctl store reset` removes the "
               "folder, which is "
               "then built again from the change topics",
    .locked = "another process has this folder open; each store needs its own store.path",
};

/* A file in the folder that says what was found damaged: started again, the store must not take partitions
 * and serve what is left. */
static const char damaged[] = "DAMAGED";

static void mark_damaged(struct weir_db *db, const char *why)
{
    char path[PATH_MAX];

    atomic_store(&db->damaged, true);
    if (db->settings.read_only ||
        snprintf(path, sizeof(path), "%s/%s", db->settings.path, damaged) >= PATH_MAX)
        return;
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0)
        return;
    (void)!write(file, why, strlen(why));
    close(file);
}

static int check_damaged(const char *path, struct weir_error *err)
{
    char mark[PATH_MAX], why[RAW_ERROR_BYTES] = "";

    snprintf(mark, sizeof(mark), "%s/%s", path, damaged);
    int file = open(mark, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    (void)!read(file, why, sizeof(why) - 1);
    close(file);
    return weir_error_set(err, WEIR_E_CORRUPT,
        "%s was found damaged before; `weirctl store reset` removes it, it is then built again from the "
        "change topics "
        "(%s)",
        path, why);
}

int weir_db_fail(struct weir_db *db, const char *doing, char *rocks_error, struct weir_error *err)
{
    char what[PATH_MAX + 64], why[RAW_ERROR_BYTES];

    snprintf(what, sizeof(what), "%s %s", doing, db->settings.path);
    snprintf(why, sizeof(why), "%s", rocks_error);
    int code = weir_rocks_fail(rocks_error, &advice, what, err);
    if (code == WEIR_E_CORRUPT)
        mark_damaged(db, why);
    return code;
}

static int64_t taken_bytes(int64_t memory_bytes)
{
    return memory_bytes > MEMORY_BYTES_MIN ? memory_bytes : MEMORY_BYTES_MIN;
}

static int64_t buffer_bytes(int64_t memory_bytes)
{
    int64_t each = memory_bytes / 2 / BUFFERS;
    return each < BUFFER_BYTES_MAX ? each : BUFFER_BYTES_MAX;
}

/* Few shards: a block that is larger than a shard is never kept, and one thread does nearly all the reading.
 */
static rocksdb_cache_t *make_cache(size_t bytes)
{
    rocksdb_lru_cache_options_t *options = rocksdb_lru_cache_options_create();

    rocksdb_lru_cache_options_set_capacity(options, bytes);
    rocksdb_lru_cache_options_set_num_shard_bits(options, CACHE_SHARD_BITS);
    rocksdb_cache_t *cache = rocksdb_cache_create_lru_opts(options);
    rocksdb_lru_cache_options_destroy(options);
    return cache;
}

/* Indexes and filters count against the cache, so that store.memory holds whatever the number of documents;
 * in partitions, because whole ones grow with the file until they push each other out at every read. Pinned
 * are those that most reads need. */
static void set_index_options(rocksdb_block_based_table_options_t *table, bool pinned)
{
    rocksdb_block_based_options_set_filter_policy(table, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS));
    rocksdb_block_based_options_set_index_type(
        table, rocksdb_block_based_table_index_type_two_level_index_search);
    rocksdb_block_based_options_set_partition_filters(table, 1);
    rocksdb_block_based_options_set_metadata_block_size(table, PARTITION_BYTES);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(table, 1);
    rocksdb_block_based_options_set_pin_top_level_index_and_filter(table, pinned);
    rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(table, pinned);
}

static void set_table_options(rocksdb_options_t *options, rocksdb_cache_t *cache, bool pinned)
{
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();

    rocksdb_block_based_options_set_block_cache(table, cache);
    rocksdb_block_based_options_set_format_version(table, 5);
    set_index_options(table, pinned);
    rocksdb_options_set_block_based_table_factory(options, table);
    rocksdb_block_based_options_destroy(table);
}

/* What leaves the write buffers meets a level of about their size and not the whole of the data: with a
 * million documents that saves a third of the process's CPU. */
static void set_level_options(rocksdb_options_t *options, int64_t memory_bytes)
{
    rocksdb_options_set_level_compaction_dynamic_level_bytes(options, 1);
    rocksdb_options_set_max_bytes_for_level_base(options, (uint64_t)memory_bytes / 2);
    rocksdb_options_set_level0_file_num_compaction_trigger(options, LEVEL0_FILES);
}

static rocksdb_options_t *make_options(
    const struct weir_db_settings *settings, int64_t memory_bytes, rocksdb_cache_t *cache)
{
    rocksdb_options_t *options = rocksdb_options_create();

    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_set_write_buffer_size(options, (size_t)buffer_bytes(memory_bytes));
    rocksdb_options_set_max_write_buffer_number(options, BUFFERS);
    rocksdb_options_set_memtable_prefix_bloom_size_ratio(options, 0.05);
    rocksdb_options_set_memtable_whole_key_filtering(options, 1);
    rocksdb_options_set_db_write_buffer_size(options, (size_t)buffer_bytes(memory_bytes) * BUFFERS);
    rocksdb_options_set_max_total_wal_size(options, (uint64_t)buffer_bytes(memory_bytes) * BUFFERS);
    rocksdb_options_set_allow_concurrent_memtable_write(options, 0);
    rocksdb_options_set_max_background_jobs(options, 2);
    rocksdb_options_set_max_open_files(options, OPEN_FILES);
    rocksdb_options_set_compression(options, rocksdb_lz4_compression);
    set_level_options(options, memory_bytes);
    rocksdb_options_set_bytes_per_sync(options, MIB);
    weir_rocks_set_log(options, settings->log_path);
    set_table_options(options, cache, true);
    return options;
}

/* Written once, hardly read, dropped whole: nothing to gain by compaction. An hour may be many tables, and
 * what they pin would stay beside all that the cache may hold. */
static rocksdb_options_t *make_hour_options(
    rocksdb_options_t *documents, int64_t memory_bytes, rocksdb_cache_t *cache)
{
    rocksdb_options_t *options = rocksdb_options_create_copy(documents);

    rocksdb_options_set_write_buffer_size(options, (size_t)buffer_bytes(memory_bytes));
    rocksdb_options_set_disable_auto_compactions(options, 1);
    rocksdb_options_set_level_compaction_dynamic_level_bytes(options, 0);
    rocksdb_options_set_memtable_prefix_bloom_size_ratio(options, 0);
    set_table_options(options, cache, false);
    return options;
}

static void make_all_options(struct weir_db *db, int64_t memory_bytes)
{
    rocksdb_cache_t *cache = make_cache((size_t)memory_bytes / 2);

    db->options = make_options(&db->settings, memory_bytes, cache);
    db->hour_options = make_hour_options(db->options, memory_bytes, cache);
    rocksdb_cache_destroy(cache);
}

static int open_rocks(struct weir_db *db, struct weir_error *err)
{
    char *error = NULL;

    weir_db_hours_open(db, &error);
    if (error != NULL)
        return weir_db_fail(db, "can't open", error, err);
    db->broken = false;
    return 0;
}

int weir_db_open(const struct weir_db_settings *settings, struct weir_db **ret_db, struct weir_error *err)
{
    int64_t memory_bytes = taken_bytes(settings->memory_bytes);

    int r = settings->read_only ? 0 : weir_folder_make(settings->path, err);
    if (r == 0 && !settings->read_only)
        r = check_damaged(settings->path, err);
    if (r < 0)
        return r;
    struct weir_db *db = calloc(1, sizeof(*db));
    if (db == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    db->settings = *settings;
    pthread_rwlock_init(&db->lock, NULL);
    make_all_options(db, memory_bytes);
    /* Of this thread, the loop's: counting each comparison of keys, as RocksDB does unasked, took a twentieth
     * of the processor time of a message. */
    rocksdb_set_perf_level(rocksdb_disable);
    db->reads = rocksdb_readoptions_create();
    db->writes = rocksdb_writeoptions_create();
    db->batch = rocksdb_writebatch_create();
    r = open_rocks(db, err);
    if (r < 0) {
        weir_db_close(db);
        return r;
    }
    *ret_db = db;
    return 0;
}

void weir_db_close(struct weir_db *db)
{
    if (db == NULL)
        return;
    weir_overlay_done(&db->overlay);
    weir_overlay_done(&db->hour_overlay);
    rocksdb_writebatch_destroy(db->batch);
    weir_db_hours_close(db);
    if (db->rocks != NULL)
        rocksdb_close(db->rocks);
    rocksdb_readoptions_destroy(db->reads);
    rocksdb_writeoptions_destroy(db->writes);
    rocksdb_options_destroy(db->hour_options);
    rocksdb_options_destroy(db->options);
    pthread_rwlock_destroy(&db->lock);
    free(db);
}

int weir_db_reopen(struct weir_db *db, struct weir_error *err)
{
    weir_db_overlay_clear(db);
    pthread_rwlock_wrlock(&db->lock);
    weir_db_hours_close(db);
    if (db->rocks != NULL)
        rocksdb_close(db->rocks);
    db->rocks = NULL;
    db->broken = true;
    int r = open_rocks(db, err);
    pthread_rwlock_unlock(&db->lock);
    return r;
}

int weir_db_checkpoint(struct weir_db *db, const char *path, struct weir_error *err)
{
    char *error = NULL;

    pthread_rwlock_rdlock(&db->lock);
    if (db->rocks == NULL) {
        pthread_rwlock_unlock(&db->lock);
        return weir_db_fail_closed(db, err);
    }
    rocksdb_checkpoint_t *checkpoint = rocksdb_checkpoint_object_create(db->rocks, &error);
    if (error == NULL)
        rocksdb_checkpoint_create(checkpoint, path, 0 /* flush first */, &error);
    if (checkpoint != NULL)
        rocksdb_checkpoint_object_destroy(checkpoint);
    pthread_rwlock_unlock(&db->lock);
    return error != NULL ? weir_db_fail(db, "can't make a checkpoint of", error, err) : 0;
}

bool weir_db_is_damaged(const struct weir_db *db)
{
    return atomic_load(&db->damaged);
}

bool weir_db_is_broken(const struct weir_db *db)
{
    return db->broken;
}

int weir_db_destroy(const char *path, struct weir_error *err)
{
    struct weir_db named = {.settings = {.path = path, .read_only = true}};
    char *error = NULL, mark[PATH_MAX];

    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_destroy_db(options, path, &error);
    rocksdb_options_destroy(options);
    snprintf(mark, sizeof(mark), "%s/%s", path, damaged);
    unlink(mark);
    return error != NULL ? weir_db_fail(&named, "can't remove", error, err) : 0;
}

int weir_db_free_bytes(const char *path, int64_t *ret_bytes, struct weir_error *err)
{
    struct statvfs disk;

    if (statvfs(path, &disk) < 0)
        return weir_error_set(err, WEIR_E_DISK, "can't ask for free space of %s: %s", path, strerror(errno));
    *ret_bytes = (int64_t)(disk.f_bavail * disk.f_frsize);
    return 0;
}

int64_t weir_db_buffers_bytes(int64_t memory_bytes)
{
    return buffer_bytes(taken_bytes(memory_bytes)) * BUFFERS;
}
