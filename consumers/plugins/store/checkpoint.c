#include "consumers/plugins/store/keys.h"
#include "consumers/plugins/store/store.h"

#include <endian.h>

enum { CHECKPOINT_BYTES = 16, REACHED_BYTES = 8 };

static const enum weir_key_kind kinds[WEIR_STORE_TABLE_COUNT] = {
    [WEIR_STORE_CHANGES] = WEIR_KEY_CHANGES,
    [WEIR_STORE_OUTCOMES] = WEIR_KEY_OUTCOMES,
};

/* A key and its value, as they are written. */
struct entry {
    char key[WEIR_STORE_KEY_BYTES], value[CHECKPOINT_BYTES];
    struct weir_bytes key_bytes, value_bytes;
};

static void write_key(
    struct entry *entry, enum weir_key_kind kind, const struct weir_source *source, int32_t partition)
{
    entry->key_bytes = weir_key_write(kind, source->number, partition, WEIR_BYTES_NULL, entry->key);
}

static void write_checkpoint(struct entry *entry, const struct weir_source *source, int32_t partition,
    enum weir_store_table table, struct weir_checkpoint checkpoint)
{
    uint64_t words[2] = {htole64((uint64_t)checkpoint.offset), htole64((uint64_t)checkpoint.known_ms)};

    write_key(entry, kinds[table], source, partition);
    memcpy(entry->value, words, sizeof(words));
    entry->value_bytes = weir_bytes(entry->value, sizeof(words));
}

static void write_reached(
    struct entry *entry, const struct weir_source *source, int32_t partition, int64_t offset)
{
    uint64_t word = htole64((uint64_t)offset);

    write_key(entry, WEIR_KEY_REACHED, source, partition);
    memcpy(entry->value, &word, sizeof(word));
    entry->value_bytes = weir_bytes(entry->value, sizeof(word));
}

/* Reads `count` numbers of 8 bytes. */
static int load(struct weir_store *store, struct weir_bytes key, int64_t *ret_numbers, size_t count,
    struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer value = {0};

    int r = weir_db_get(store->db, key, &value, err);
    if (r < 0)
        return r;
    if (value.len != count * 8)
        return weir_error_set(err, WEIR_E_CORRUPT, "%s: a checkpoint of %zu bytes", store->path, value.len);
    for (size_t i = 0; i < count; i++) {
        uint64_t word;
        memcpy(&word, value.data + i * 8, 8);
        ret_numbers[i] = (int64_t)le64toh(word);
    }
    return 0;
}

int weir_checkpoint_load(struct weir_store *store, const struct weir_source *source, int32_t partition,
    enum weir_store_table table, struct weir_checkpoint *ret_checkpoint, struct weir_error *err)
{
    int64_t numbers[2] = {0, 0};
    struct entry entry;

    write_key(&entry, kinds[table], source, partition);
    int r = load(store, entry.key_bytes, numbers, 2, err);
    if (r == 0)
        *ret_checkpoint = (struct weir_checkpoint){numbers[0], numbers[1]};
    return r;
}

void weir_checkpoint_put(struct weir_store *store, const struct weir_source *source, int32_t partition,
    enum weir_store_table table, struct weir_checkpoint checkpoint)
{
    struct entry entry;

    write_checkpoint(&entry, source, partition, table, checkpoint);
    weir_db_batch_put(store->db, entry.key_bytes, entry.value_bytes);
}

void weir_checkpoint_delete(struct weir_store *store, const struct weir_source *source, int32_t partition,
    enum weir_store_table table)
{
    struct entry entry;

    write_key(&entry, kinds[table], source, partition);
    weir_db_batch_delete(store->db, entry.key_bytes);
}

void weir_checkpoint_overlay(struct weir_store *store, const struct weir_source *source, int32_t partition,
    enum weir_store_table table, struct weir_checkpoint checkpoint)
{
    struct entry entry;

    write_checkpoint(&entry, source, partition, table, checkpoint);
    weir_db_overlay_put(store->db, entry.key_bytes, entry.value_bytes);
}

int weir_reached_load(struct weir_store *store, const struct weir_source *source, int32_t partition,
    int64_t *ret_offset, struct weir_error *err)
{
    struct entry entry;

    *ret_offset = 0;
    write_key(&entry, WEIR_KEY_REACHED, source, partition);
    int r = load(store, entry.key_bytes, ret_offset, 1, err);
    return r == WEIR_E_NOT_FOUND ? 0 : r;
}

void weir_reached_put(
    struct weir_store *store, const struct weir_source *source, int32_t partition, int64_t offset)
{
    struct entry entry;

    write_reached(&entry, source, partition, offset);
    weir_db_batch_put(store->db, entry.key_bytes, entry.value_bytes);
}

void weir_reached_overlay(
    struct weir_store *store, const struct weir_source *source, int32_t partition, int64_t offset)
{
    struct entry entry;

    write_reached(&entry, source, partition, offset);
    weir_db_overlay_put(store->db, entry.key_bytes, entry.value_bytes);
}

static void touch_partition(struct weir_store *store, const struct weir_source *source, int32_t partition)
{
    const struct weir_partition *own = &source->partitions[partition];

    for (int table = 0; table < WEIR_STORE_TABLE_COUNT; table++)
        weir_checkpoint_put(store, source, partition, (enum weir_store_table)table,
            (struct weir_checkpoint){atomic_load(&own->checkpoints[table]), store->host->now_ms()});
}

/* Whether it is known to be a view of the log as it is now, but for what is under way. */
static bool is_recent(const struct weir_partition *own)
{
    enum weir_partition_state state = weir_partition_state(own);
    return state == WEIR_PARTITION_SERVING || (state == WEIR_PARTITION_STANDBY && atomic_load(&own->live));
}

void weir_store_touch_checkpoints(struct weir_store *store)
{
    struct weir_error err;

    for (size_t i = 0; i < store->source_count; i++)
        for (int32_t p = 0; p < store->sources[i].partition_count; p++)
            if (is_recent(&store->sources[i].partitions[p]))
                touch_partition(store, &store->sources[i], p);
    if (weir_db_batch_write(store->db, &err) < 0)
        weir_store_log(store, WEIR_SAY_WARNING, "store.checkpoints.untouched", "reason=%s", err.text);
}
