#include "consumers/plugins/store/change.h"
#include "consumers/plugins/store/keys.h"
#include "consumers/plugins/store/store.h"

#include <inttypes.h>

enum { WIPE_STEP = 10000 };

struct wipe {
    struct weir_store *store;
    size_t count;
};

static bool wipe_entry(void *context, struct weir_bytes key, struct weir_bytes value)
{
    struct wipe *wipe = context;

    (void)value;
    weir_db_batch_delete(wipe->store->db, key);
    return ++wipe->count < WIPE_STEP;
}

/* Forgets a partition: its checkpoint first, so that a crash in between leaves one that is wiped again. */
static int wipe_partition(
    struct weir_store *store, const struct weir_source *source, int32_t partition, struct weir_error *err)
{
    char key[WEIR_STORE_KEY_BYTES];
    struct wipe wipe = {.store = store};

    weir_db_batch_delete(
        store->db, weir_key_write(WEIR_KEY_CHECKPOINT, source->number, partition, WEIR_BYTES_NULL, key));
    struct weir_bytes prefix =
        weir_key_write(WEIR_KEY_DOCUMENT, source->number, partition, WEIR_BYTES_NULL, key);
    do {
        wipe.count = 0;
        int r = weir_db_batch_write(store->db, err);
        if (r == 0)
            r = weir_db_each(store->db, prefix, wipe_entry, &wipe, err);
        if (r == 0)
            r = weir_db_batch_write(store->db, err);
        if (r < 0)
            return r;
        store->host->wait_ms(0);
    } while (wipe.count == WIPE_STEP);
    return 0;
}

/* The change log forgets deletions after `window`, so an older state can't be caught up. */
static bool is_too_old(const struct weir_store *store, const struct weir_checkpoint *checkpoint)
{
    int64_t window_ms = store->host->deployment->kafka.window_ms;
    return window_ms > 0 && store->host->now_ms() - checkpoint->known_ms > window_ms;
}

/* Where to read on from: the checkpoint, or after a wipe the beginning. */
static int find_position(struct weir_store *store, const struct weir_source *source, int32_t partition,
    int64_t *ret_offset, struct weir_error *err)
{
    struct weir_checkpoint checkpoint = {0};

    int r = weir_checkpoint_load(store, source, partition, &checkpoint, err);
    if (r < 0 && r != WEIR_E_NOT_FOUND)
        return r;
    if (r == 0 && !is_too_old(store, &checkpoint)) {
        *ret_offset = checkpoint.offset;
        return 0;
    }
    if (r == 0)
        weir_store_log(store, WEIR_SAY_NOTICE, "store.rebuild",
            "topic=%s partition=%" PRId32 " reason=\"last written longer ago than window\"",
            source->changes_topic, partition);
    *ret_offset = 0;
    return wipe_partition(store, source, partition, err);
}

int weir_store_table_position(void *instance, uint32_t table, uint32_t source_index, int32_t partition,
    int64_t *ret_offset, struct weir_error *err)
{
    struct weir_store *store = instance;
    const struct weir_source *source = &store->sources[source_index];
    struct weir_partition *own = weir_source_partition(source, partition, err);

    (void)table;
    if (own == NULL)
        return WEIR_E_CONFIG;
    weir_partition_set_state(own, WEIR_PARTITION_RESTORING);
    int r = weir_store_check_space(store, err);
    if (r == 0 && weir_db_is_broken(store->db))
        r = weir_db_reopen(store->db, err);
    if (r == 0)
        r = find_position(store, source, partition, ret_offset, err);
    if (r == 0)
        atomic_store(&own->checkpoint, *ret_offset);
    weir_store_count_partitions(store);
    return r;
}

/* What the live store never wrote it never applied either, so a restored one leaves it out too. */
static void skip_event(struct weir_store *store, const struct weir_record *record, const char *reason)
{
    store->host->metric_add(store->metrics.skipped, 1);
    weir_store_log(store, WEIR_SAY_ERROR, "store.event.skipped",
        "topic=%s partition=%" PRId32 " offset=%" PRId64 " reason=\"%s\"", record->topic, record->partition,
        record->offset, reason);
}

static int put_event(struct weir_store *store, const struct weir_record *record, struct weir_bytes stored_key,
    const struct weir_change *change)
{
    struct weir_bytes request = weir_header_find(record->headers, record->header_count, WEIR_HEADER_ID);

    if (request.len == 0 || request.len > WEIR_REQUEST_BYTES) {
        skip_event(store, record, "no request id");
        return 0;
    }
    weir_document_write(
        &(struct weir_document){change->version, change->ts_ms, request, change->after}, &store->stored);
    if (store->stored.failed)
        return WEIR_E_INTERNAL;
    weir_db_batch_put(store->db, stored_key, weir_buffer_bytes(&store->stored));
    return 0;
}

static int apply_event(
    struct weir_store *store, const struct weir_source *source, const struct weir_record *record)
{
    struct weir_change change = {.op = 'd'};
    struct weir_error err;
    char key[WEIR_STORE_KEY_BYTES];

    if (weir_key_check(record->key, &err) < 0 ||
        (record->value.data != NULL && weir_change_read(record->value, &change, &err) < 0)) {
        skip_event(store, record, err.text);
        return 0;
    }
    struct weir_bytes stored_key =
        weir_key_write(WEIR_KEY_DOCUMENT, source->number, record->partition, record->key, key);
    if (change.op != 'd')
        return put_event(store, record, stored_key, &change);
    weir_db_batch_delete(store->db, stored_key);
    return 0;
}

/* Writes what the batch holds, together with how far it goes. `known_ms`: until when the log was seen whole;
 * of a read that is not through, that is the time of its last record, since what was compacted behind it is
 * not known. */
static int write_with_checkpoint(struct weir_store *store, const struct weir_source *source,
    int32_t partition, int64_t offset, int64_t known_ms, struct weir_error *err)
{
    char key[WEIR_STORE_KEY_BYTES], value[WEIR_CHECKPOINT_BYTES];

    weir_checkpoint_write(&(struct weir_checkpoint){offset, known_ms}, value);
    weir_db_batch_put(store->db,
        weir_key_write(WEIR_KEY_CHECKPOINT, source->number, partition, WEIR_BYTES_NULL, key),
        weir_bytes(value, sizeof(value)));
    int r = weir_db_batch_write(store->db, err);
    if (r == 0)
        atomic_store(&source->partitions[partition].checkpoint, offset);
    return r;
}

int weir_store_table_apply(
    void *instance, uint32_t table, const struct weir_record *records, size_t count, struct weir_error *err)
{
    struct weir_store *store = instance;
    int64_t applied = 0;

    (void)table;
    if (count == 0)
        return 0;
    const struct weir_source *source = &store->sources[records[0].source];
    struct weir_partition *own = weir_source_partition(source, records[0].partition, err);
    if (own == NULL)
        return WEIR_E_CONFIG;
    int r = weir_store_check_space(store, err);
    for (size_t i = 0; r == 0 && i < count; i++) {
        if (records[i].offset < atomic_load(&own->checkpoint))
            continue;
        r = apply_event(store, source, &records[i]);
        applied++;
    }
    if (r < 0) {
        weir_db_batch_clear(store->db);
        return r == WEIR_E_INTERNAL ? weir_error_set(err, r, "out of memory") : r;
    }
    if (applied == 0)
        return 0;
    const struct weir_record *last = &records[count - 1];
    r = write_with_checkpoint(store, source, last->partition, last->offset + 1, last->timestamp_ms, err);
    if (r == 0)
        store->host->metric_add(store->metrics.restored, applied);
    return r;
}

int weir_store_table_caught_up(void *instance, uint32_t table, uint32_t source_index, int32_t partition,
    int64_t offset, struct weir_error *err)
{
    struct weir_store *store = instance;
    const struct weir_source *source = &store->sources[source_index];
    struct weir_partition *own = weir_source_partition(source, partition, err);

    (void)table;
    if (own == NULL)
        return WEIR_E_CONFIG;
    if (offset < atomic_load(&own->checkpoint))
        return weir_error_set(err, WEIR_E_CONFIG,
            "%s has applied partition %" PRId32 " of %s up to offset %" PRId64
            ", but the topic ends at %" PRId64
            ": it was made anew or lost records; remove the folder to build it again from what is there",
            store->path, partition, source->changes_topic, atomic_load(&own->checkpoint), offset);
    int r = write_with_checkpoint(store, source, partition, offset, store->host->now_ms(), err);
    if (r < 0)
        return r;
    weir_partition_set_state(own, WEIR_PARTITION_SERVING);
    weir_store_count_partitions(store);
    return 0;
}
