#include "consumers/plugins/store/indexes.h"

#include "consumers/plugins/store/document.h"

#include <endian.h>
#include <inttypes.h>

enum { BUILD_STEP = 500 };

struct weir_bytes weir_index_prefix(
    const struct weir_source *source, int32_t partition, size_t index, char out[static WEIR_INDEX_KEY_BYTES])
{
    struct weir_bytes prefix =
        weir_key_write(WEIR_KEY_INDEX, source->number, partition, WEIR_BYTES_NULL, out);
    out[prefix.len] = (char)index;
    return weir_bytes(out, prefix.len + 1);
}

/* Entries are gathered first: what they are made from may lie in the overlay that they change. */
struct gather {
    struct weir_buffer *out; /* length (2) and key of each */
    const struct weir_source *source;
    int32_t partition;
    size_t index;
    struct weir_bytes key;
};

static void gather_entry(void *context, struct weir_bytes value)
{
    const struct gather *gather = context;
    char entry[WEIR_INDEX_KEY_BYTES];

    size_t len = weir_index_prefix(gather->source, gather->partition, gather->index, entry).len;
    memcpy(entry + len, value.data, value.len);
    memcpy(entry + len + value.len, gather->key.data, gather->key.len);
    uint16_t total = (uint16_t)(len + value.len + gather->key.len);
    weir_buffer_append(gather->out, &total, sizeof(total));
    weir_buffer_append(gather->out, entry, total);
}

static void gather_time(struct gather *gather, int64_t changed_ms)
{
    uint64_t word = htobe64((uint64_t)changed_ms);

    gather->index = WEIR_INDEX_CHANGED;
    gather_entry(gather, weir_bytes(&word, sizeof(word)));
}

/* document NULL: there are none. */
static int gather_document(const struct weir_source *source, int32_t partition, struct weir_bytes key,
    const struct weir_document *document, struct weir_buffer *out)
{
    struct gather gather = {out, source, partition, 0, key};
    bool whole = true;

    weir_buffer_clear(out);
    if (document == NULL)
        return 0;
    for (; gather.index < source->index_count; gather.index++)
        whole =
            weir_index_each(document->text, source->indexes[gather.index], gather_entry, &gather) && whole;
    if (source->collection->ttl_ms > 0)
        gather_time(&gather, document->changed_ms);
    return whole && !out->failed ? 0 : WEIR_E_INTERNAL;
}

typedef void change_entry(struct weir_db *db, struct weir_bytes key);

static void change_entries(struct weir_db *db, const struct weir_buffer *entries, change_entry *change)
{
    uint16_t len;

    for (size_t at = 0; at < entries->len; at += sizeof(len) + len) {
        memcpy(&len, entries->data + at, sizeof(len));
        change(db, weir_bytes(entries->data + at + sizeof(len), len));
    }
}

static void overlay_entry(struct weir_db *db, struct weir_bytes key)
{
    weir_db_overlay_put(db, key, weir_bytes("", 0));
}

static void batch_entry(struct weir_db *db, struct weir_bytes key)
{
    weir_db_batch_put(db, key, weir_bytes("", 0));
}

int weir_indexes_change(struct weir_store *store, const struct weir_source *source, int32_t partition,
    struct weir_bytes key, const struct weir_document *before, const struct weir_document *after)
{
    if (!weir_indexes_are_kept(source))
        return 0;
    int r = gather_document(source, partition, key, before, &store->entries_before);
    if (r == 0)
        r = gather_document(source, partition, key, after, &store->entries_after);
    if (r < 0)
        return r;
    change_entries(store->db, &store->entries_before, weir_db_overlay_delete);
    change_entries(store->db, &store->entries_after, overlay_entry);
    return 0;
}

/* ---- building ---- */

/* What the entries of a partition were made for: the declared paths, a line each, and a line that is no path
 * for ttl. */
static void write_declared(const struct weir_source *source, struct weir_buffer *out)
{
    weir_buffer_append_str(out, "");
    for (size_t i = 0; i < source->index_count; i++) {
        weir_buffer_append_str(out, source->indexes[i]);
        weir_buffer_append_str(out, "\n");
    }
    if (source->collection->ttl_ms > 0)
        weir_buffer_append_str(out, "@changed\n");
}

static int wipe_entries(
    struct weir_store *store, const struct weir_source *source, int32_t partition, struct weir_error *err)
{
    char key[WEIR_STORE_KEY_BYTES];

    weir_db_batch_delete(
        store->db, weir_key_write(WEIR_KEY_INDEXED, source->number, partition, WEIR_BYTES_NULL, key));
    return weir_store_wipe(
        store, weir_key_write(WEIR_KEY_INDEX, source->number, partition, WEIR_BYTES_NULL, key), err);
}

static void mark_built(
    struct weir_store *store, const struct weir_source *source, int32_t partition, struct weir_bytes declared)
{
    char key[WEIR_STORE_KEY_BYTES];

    weir_db_batch_put(store->db,
        weir_key_write(WEIR_KEY_INDEXED, source->number, partition, WEIR_BYTES_NULL, key), declared);
}

int weir_indexes_begin(struct weir_store *store, const struct weir_source *source, int32_t partition,
    bool empty, struct weir_error *err)
{
    struct weir_partition *own = &source->partitions[partition];
    WEIR_CLEANUP(buffer) struct weir_buffer known = {0}, declared = {0};
    char key[WEIR_STORE_KEY_BYTES];

    atomic_store(&own->indexed, false);
    weir_buffer_clear(&own->build_from);
    write_declared(source, &declared);
    int r = weir_db_get(store->db,
        weir_key_write(WEIR_KEY_INDEXED, source->number, partition, WEIR_BYTES_NULL, key), &known, err);
    if (r < 0 && r != WEIR_E_NOT_FOUND)
        return r;
    bool same = r == 0 ? weir_bytes_equal(weir_buffer_bytes(&known), weir_buffer_bytes(&declared))
                       : declared.len == 0;
    r = same ? 0 : wipe_entries(store, source, partition, err);
    if (r == 0 && !same && empty) {
        mark_built(store, source, partition, weir_buffer_bytes(&declared));
        r = weir_db_batch_write(store->db, err);
    } else if (r == 0 && !same) {
        weir_store_log(store, WEIR_SAY_NOTICE, "store.index.building", "collection=%s partition=%" PRId32,
            source->collection->name, partition);
    }
    atomic_store(&own->indexed, r == 0 && (same || empty));
    return r;
}

struct build {
    struct weir_store *store;
    const struct weir_source *source;
    struct weir_partition *own;
    int32_t partition;
    size_t count;
    bool failed;
};

static bool build_document(void *context, struct weir_bytes key, struct weir_bytes value)
{
    struct build *build = context;
    struct weir_document document;

    if (build->count++ == BUILD_STEP) {
        weir_buffer_append_bytes(&build->own->build_from, key);
        return false;
    }
    build->failed = weir_document_read(value, &document, NULL) < 0 ||
                    gather_document(build->source, build->partition,
                        weir_bytes(key.data + WEIR_KEY_PREFIX_BYTES, key.len - WEIR_KEY_PREFIX_BYTES),
                        &document, &build->store->entries_after) < 0;
    if (!build->failed)
        change_entries(build->store->db, &build->store->entries_after, batch_entry);
    return !build->failed;
}

static int build_step(struct build *build, struct weir_error *err)
{
    struct weir_db *db = build->store->db;
    WEIR_CLEANUP(buffer) struct weir_buffer from = build->own->build_from, declared = {0};
    char key[WEIR_STORE_KEY_BYTES];
    struct weir_bytes prefix =
        weir_key_write(WEIR_KEY_DOCUMENT, build->source->number, build->partition, WEIR_BYTES_NULL, key);

    build->own->build_from = (struct weir_buffer){0};
    int r = weir_db_each_from(
        db, from.len > 0 ? weir_buffer_bytes(&from) : prefix, prefix, build_document, build, err);
    if (r == 0 && build->failed)
        r = weir_error_set(err, WEIR_E_CORRUPT, "a document can't be indexed");
    bool through = r == 0 && build->own->build_from.len == 0;
    write_declared(build->source, &declared);
    if (through)
        mark_built(build->store, build->source, build->partition, weir_buffer_bytes(&declared));
    if (r == 0)
        r = weir_db_batch_write(db, err);
    else
        weir_db_batch_clear(db);
    if (r == 0 && through)
        atomic_store(&build->own->indexed, true);
    return r;
}

/* The first partition that serves without its indexes. */
static bool find_build(struct weir_store *store, struct build *build)
{
    for (size_t i = 0; i < store->source_count; i++)
        for (int32_t p = 0; p < store->sources[i].partition_count; p++) {
            struct weir_partition *own = &store->sources[i].partitions[p];
            if (weir_partition_state(own) != WEIR_PARTITION_SERVING || atomic_load(&own->indexed))
                continue;
            *build = (struct build){.store = store, .source = &store->sources[i], .own = own, .partition = p};
            return true;
        }
    return false;
}

void weir_indexes_tick(struct weir_store *store)
{
    struct build build;
    struct weir_error err;

    if (weir_db_is_broken(store->db) || !find_build(store, &build))
        return;
    int r = build_step(&build, &err);
    if (r < 0)
        weir_store_log(store, WEIR_SAY_WARNING, "store.index.unbuilt",
            "collection=%s partition=%" PRId32 " reason=\"%s\"", build.source->collection->name,
            build.partition, err.text);
    else if (atomic_load(&build.own->indexed))
        weir_store_log(store, WEIR_SAY_NOTICE, "store.index.built", "collection=%s partition=%" PRId32,
            build.source->collection->name, build.partition);
}
