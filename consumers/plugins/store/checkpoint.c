#include "consumers/plugins/store/keys.h"
#include "consumers/plugins/store/store.h"

#include <endian.h>

void weir_checkpoint_write(const struct weir_checkpoint *checkpoint, char out[static WEIR_CHECKPOINT_BYTES])
{
    uint64_t words[2] = {htole64((uint64_t)checkpoint->offset), htole64((uint64_t)checkpoint->known_ms)};
    memcpy(out, words, sizeof(words));
}

int weir_checkpoint_load(struct weir_store *store, const struct weir_source *source, int32_t partition,
    struct weir_checkpoint *ret_checkpoint, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer value = {0};
    char key[WEIR_STORE_KEY_BYTES];
    uint64_t words[2];

    int r = weir_db_get(store->db,
        weir_key_write(WEIR_KEY_CHECKPOINT, source->number, partition, WEIR_BYTES_NULL, key), &value, err);
    if (r < 0)
        return r;
    if (value.len != sizeof(words))
        return weir_error_set(err, WEIR_E_CORRUPT, "%s: a checkpoint of %zu bytes", store->path, value.len);
    memcpy(words, value.data, sizeof(words));
    *ret_checkpoint = (struct weir_checkpoint){(int64_t)le64toh(words[0]), (int64_t)le64toh(words[1])};
    return 0;
}

static void touch_source(struct weir_store *store, const struct weir_source *source, int64_t now_ms)
{
    char key[WEIR_STORE_KEY_BYTES], value[WEIR_CHECKPOINT_BYTES];

    for (int32_t p = 0; p < source->partition_count; p++) {
        if (weir_partition_state(&source->partitions[p]) != WEIR_PARTITION_SERVING)
            continue;
        weir_checkpoint_write(
            &(struct weir_checkpoint){atomic_load(&source->partitions[p].checkpoint), now_ms}, value);
        weir_db_batch_put(store->db,
            weir_key_write(WEIR_KEY_CHECKPOINT, source->number, p, WEIR_BYTES_NULL, key),
            weir_bytes(value, sizeof(value)));
    }
}

void weir_store_touch_checkpoints(struct weir_store *store)
{
    struct weir_error err;

    for (size_t i = 0; i < store->source_count; i++)
        touch_source(store, &store->sources[i], store->host->now_ms());
    if (weir_db_batch_write(store->db, &err) < 0)
        weir_store_log(store, WEIR_SAY_WARNING, "store.checkpoints.untouched", "reason=%s", err.text);
}
