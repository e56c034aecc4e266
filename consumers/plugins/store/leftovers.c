#include "consumers/plugins/store/leftovers.h"

#include "consumers/plugins/store/continuity.h"
#include "consumers/plugins/store/keys.h"

#include <inttypes.h>

enum { STEP = 1000, LOOK_EVERY_MS = 1000 };

static bool serves_one(const struct weir_source *source)
{
    for (int32_t p = 0; p < source->partition_count; p++)
        if (weir_partition_state(&source->partitions[p]) == WEIR_PARTITION_SERVING)
            return true;
    return false;
}

static bool is_leftover(const struct weir_store *store, const struct weir_partition *own)
{
    return weir_partition_state(own) == WEIR_PARTITION_FOREIGN && !own->is_empty &&
           weir_clock_ms() - own->left_ms >= store->settings->moved_keep_ms;
}

struct step {
    struct weir_store *store;
    struct weir_partition *own;
    size_t count;
};

static bool remove_entry(void *context, struct weir_bytes key, struct weir_bytes value)
{
    struct step *step = context;

    (void)value;
    if (step->count++ == STEP) {
        weir_buffer_append_bytes(&step->own->remove_from, key);
        return false;
    }
    weir_db_batch_delete(step->store->db, key);
    return true;
}

/* *ret_done: nothing of that kind is left. */
static int remove_some(struct weir_store *store, const struct weir_source *source, int32_t partition,
    enum weir_key_kind kind, bool *ret_done, struct weir_error *err)
{
    struct weir_partition *own = &source->partitions[partition];
    WEIR_CLEANUP(buffer) struct weir_buffer from = own->remove_from;
    struct step step = {.store = store, .own = own};
    char key[WEIR_STORE_KEY_BYTES];
    struct weir_bytes prefix = weir_key_write(kind, source->number, partition, WEIR_BYTES_NULL, key);

    own->remove_from = (struct weir_buffer){0};
    int r = weir_db_each_from(
        store->db, from.len > 0 ? weir_buffer_bytes(&from) : prefix, prefix, remove_entry, &step, err);
    *ret_done = own->remove_from.len == 0;
    return r == 0 ? weir_db_batch_write(store->db, err) : r;
}

/* The checkpoints first: whoever takes the partition meanwhile finds nothing and begins anew. */
static int remove_checkpoints(
    struct weir_store *store, const struct weir_source *source, int32_t partition, struct weir_error *err)
{
    struct weir_checkpoint checkpoint;

    int r = weir_checkpoint_load(store, source, partition, WEIR_STORE_CHANGES, &checkpoint, err);
    if (r < 0)
        return r == WEIR_E_NOT_FOUND ? 0 : r;
    weir_store_log(store, WEIR_SAY_NOTICE, "store.moved.removing", "topic=%s partition=%" PRId32,
        source->topic, partition);
    weir_checkpoint_delete(store, source, partition, WEIR_STORE_CHANGES);
    weir_checkpoint_delete(store, source, partition, WEIR_STORE_OUTCOMES);
    weir_continuity_forget(store, source, partition);
    return weir_db_batch_write(store->db, err);
}

static int remove_step(
    struct weir_store *store, const struct weir_source *source, int32_t partition, struct weir_error *err)
{
    static const enum weir_key_kind kinds[] = {WEIR_KEY_DOCUMENT, WEIR_KEY_INDEX};
    struct weir_partition *own = &source->partitions[partition];
    bool done = false;

    int r = remove_checkpoints(store, source, partition, err);
    if (r == 0)
        r = remove_some(store, source, partition, kinds[own->remove_kind], &done, err);
    if (r < 0 || !done)
        return r;
    own->is_empty = ++own->remove_kind == sizeof(kinds) / sizeof(kinds[0]);
    if (own->is_empty)
        own->remove_kind = 0;
    return 0;
}

static bool step_source(struct weir_store *store, const struct weir_source *source)
{
    struct weir_error err;

    for (int32_t p = 0; p < source->partition_count; p++) {
        if (!is_leftover(store, &source->partitions[p]))
            continue;
        if (remove_step(store, source, p, &err) < 0) {
            weir_store_log(store, WEIR_SAY_WARNING, "store.moved.kept",
                "topic=%s partition=%" PRId32 " reason=\"%s\"", source->topic, p, err.text);
            store->leftovers_due_ms = weir_clock_ms() + LOOK_EVERY_MS;
        }
        return true;
    }
    return false;
}

void weir_leftovers_tick(struct weir_store *store)
{
    if (weir_clock_ms() < store->leftovers_due_ms || weir_db_is_broken(store->db))
        return;
    for (size_t i = 0; i < store->source_count; i++)
        if (serves_one(&store->sources[i]) && step_source(store, &store->sources[i]))
            return;
    store->leftovers_due_ms = weir_clock_ms() + LOOK_EVERY_MS;
}
