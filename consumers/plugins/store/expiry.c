#include "consumers/plugins/store/expiry.h"

#include "consumers/plugins/store/indexes.h"
#include "consumers/plugins/store/turn.h"

#include <endian.h>
#include <inttypes.h>

enum {
    UP_TO_DATE_MS = 10000,
    LOOK_AT_MOST_EVERY_MS = 1000,
    LOOK_AT_LEAST_EVERY_MS = 60000,
    TICK_DOCUMENTS = 500,
    PARTITION_DOCUMENTS = 100
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void weir_expiry_begin(struct weir_store *store, const struct weir_source *source, struct weir_partition *own)
{
    own->expires_from_ms = store->host->now_ms() + least(source->collection->ttl_ms, UP_TO_DATE_MS);
    own->expiry_look_ms = own->expiry_from_ms = 0;
}

void weir_expiry_saw(
    const struct weir_source *source, struct weir_partition *own, int64_t accepted_ms, int64_t now_ms)
{
    int64_t late_ms = least(source->collection->ttl_ms, UP_TO_DATE_MS);

    if (accepted_ms >= 0 && now_ms - accepted_ms > late_ms)
        own->expires_from_ms = now_ms + late_ms;
}

/* One partition's turn. */
struct turn {
    struct weir_store *store;
    struct weir_batch *batch;
    const struct weir_source *source;
    struct weir_partition *own;
    int32_t partition;
    size_t prefix_len, limit, count;
    int64_t changed_until_ms; /* documents that were not changed after it are too old */
};

/* Not sooner than in a second: each look passes what RocksDB still has of entries that were deleted. */
static void look_again(const struct turn *turn, int64_t due_ms)
{
    int64_t soonest_ms = turn->store->batch_ms + LOOK_AT_MOST_EVERY_MS;
    int64_t latest_ms = turn->store->batch_ms + LOOK_AT_LEAST_EVERY_MS;

    turn->own->expiry_look_ms = due_ms < soonest_ms ? soonest_ms : least(due_ms, latest_ms);
}

/* Keeps time, length (2) and key of an entry that is due; the first one that is not says when to look again.
 */
static bool collect(void *context, struct weir_bytes entry, struct weir_bytes value)
{
    struct turn *turn = context;
    uint64_t word;

    (void)value;
    struct weir_bytes key =
        weir_bytes(entry.data + turn->prefix_len + sizeof(word), entry.len - turn->prefix_len - sizeof(word));
    memcpy(&word, entry.data + turn->prefix_len, sizeof(word));
    int64_t changed_ms = (int64_t)be64toh(word);
    if (changed_ms > turn->changed_until_ms) {
        look_again(turn, changed_ms + turn->source->collection->ttl_ms);
        return false;
    }
    if (turn->count++ == turn->limit) {
        turn->own->expiry_look_ms = 0;
        turn->own->expiry_from_ms = changed_ms;
        return false;
    }
    uint16_t len = (uint16_t)key.len;
    weir_buffer_append(&turn->store->scratch, &changed_ms, sizeof(changed_ms));
    weir_buffer_append(&turn->store->scratch, &len, sizeof(len));
    weir_buffer_append_bytes(&turn->store->scratch, key);
    return true;
}

static int expire(const struct turn *turn, struct weir_bytes key, int64_t changed_ms, struct weir_error *err)
{
    struct weir_store *store = turn->store;
    WEIR_CLEANUP(db_value) struct weir_db_value found = {0};
    struct weir_document document;
    char out[WEIR_STORE_KEY_BYTES];

    struct weir_bytes stored_key =
        weir_key_write(WEIR_KEY_DOCUMENT, turn->source->number, turn->partition, key, out);
    int r = weir_db_overlay_get(store->db, stored_key, &found, err);
    if (r == 0)
        r = weir_document_read(found.bytes, &document, err);
    if (r == 0 && document.changed_ms != changed_ms)
        r = weir_error_set(err, WEIR_E_CORRUPT, "an entry of the index by time is of another change");
    if (r == 0)
        r = weir_emit_expiry(store, turn->batch, turn->source, turn->partition, key, &document, err);
    if (r < 0)
        return r;
    r = weir_indexes_change(store, turn->source, turn->partition, key, &document, NULL);
    weir_db_overlay_delete(store->db, stored_key);
    store->batch_expired++;
    if (r == 0)
        r = weir_store_mark_key(store, key);
    return r < 0 ? weir_error_set(err, r, "out of memory") : 0;
}

static int expire_collected(const struct turn *turn, struct weir_error *err)
{
    const struct weir_buffer *collected = &turn->store->scratch;
    int64_t changed_ms;
    uint16_t len;
    int r = collected->failed ? weir_error_set(err, WEIR_E_INTERNAL, "out of memory") : 0;

    for (size_t at = 0; r == 0 && at < collected->len; at += len) {
        memcpy(&changed_ms, collected->data + at, sizeof(changed_ms));
        memcpy(&len, collected->data + at + sizeof(changed_ms), sizeof(len));
        at += sizeof(changed_ms) + sizeof(len);
        r = expire(turn, weir_bytes(collected->data + at, len), changed_ms, err);
    }
    return r;
}

static void expire_partition(struct turn *turn)
{
    struct weir_store *store = turn->store;
    char key[WEIR_INDEX_KEY_BYTES];
    struct weir_error err;

    struct weir_bytes prefix = weir_index_prefix(turn->source, turn->partition, WEIR_INDEX_CHANGED, key);
    uint64_t from = htobe64((uint64_t)turn->own->expiry_from_ms);
    memcpy(key + prefix.len, &from, sizeof(from));
    turn->prefix_len = prefix.len;
    turn->own->expiry_from_ms = 0;
    look_again(turn, store->batch_ms + turn->source->collection->ttl_ms);
    weir_buffer_clear(&store->scratch);
    int r =
        weir_db_each_from(store->db, weir_bytes(key, prefix.len + sizeof(from)), prefix, collect, turn, &err);
    if (r == 0)
        r = expire_collected(turn, &err);
    if (r == 0)
        return;
    turn->own->expiry_look_ms = store->batch_ms + UP_TO_DATE_MS;
    weir_store_log(store, WEIR_SAY_WARNING, "store.expiry.failed",
        "collection=%s partition=%" PRId32 " reason=\"%s\"", turn->source->collection->name, turn->partition,
        err.text);
}

static bool is_due(const struct weir_partition *own, int64_t now_ms)
{
    return now_ms >= own->expiry_look_ms && now_ms >= own->expires_from_ms && atomic_load(&own->indexed) &&
           weir_partition_state(own) == WEIR_PARTITION_SERVING;
}

static void expire_source(
    struct weir_store *store, struct weir_batch *batch, const struct weir_source *source, size_t *budget)
{
    for (int32_t p = 0; *budget > 0 && p < source->partition_count; p++) {
        struct turn turn = {.store = store,
            .batch = batch,
            .source = source,
            .own = &source->partitions[p],
            .partition = p,
            .limit = *budget < PARTITION_DOCUMENTS ? *budget : PARTITION_DOCUMENTS,
            .changed_until_ms = store->batch_ms - source->collection->ttl_ms};
        if (!is_due(turn.own, store->batch_ms))
            continue;
        expire_partition(&turn);
        *budget -= turn.count < turn.limit ? turn.count : turn.limit;
    }
}

void weir_expiry_tick(struct weir_store *store, struct weir_batch *batch)
{
    size_t budget = TICK_DOCUMENTS;

    if (weir_db_is_broken(store->db) || atomic_load(&store->starved))
        return;
    weir_store_begin_batch(store);
    for (size_t i = 0; i < store->source_count; i++)
        if (store->sources[i].collection->ttl_ms > 0)
            expire_source(store, batch, &store->sources[i], &budget);
}
