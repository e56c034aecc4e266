#include "consumers/plugins/store/keys.h"
#include "consumers/plugins/store/store.h"

#include <inttypes.h>

void weir_store_begin_batch(struct weir_store *store)
{
    weir_db_overlay_clear(store->db);
    store->batch_ms = store->host->now_ms();
    weir_clock_rfc3339(store->batch_ms, store->batch_time);
    store->batch_changes = 0;
    memset(store->batch_effects, 0, sizeof(store->batch_effects));
}

void weir_store_aborted(void *instance, struct weir_batch *batch)
{
    (void)batch;
    weir_store_begin_batch(instance);
}

static struct weir_source *find_source(struct weir_store *store, const char *changes_topic)
{
    for (size_t i = 0; i < store->source_count; i++)
        if (strcmp(store->sources[i].changes_topic, changes_topic) == 0)
            return &store->sources[i];
    return NULL;
}

/* Sets each partition's pending checkpoint behind its last change. Answers how many changes there were. */
static size_t note_checkpoints(struct weir_store *store, const struct weir_result *result)
{
    const char *topic = NULL;
    struct weir_source *source = NULL;
    size_t changes = 0;

    for (size_t i = 0; i < result->output_count; i++) {
        const struct weir_output *output = &result->outputs[i];
        if (output->topic != topic)
            source = find_source(store, topic = output->topic);
        if (source == NULL || output->partition < 0 || output->partition >= source->partition_count)
            continue;
        source->partitions[output->partition].pending = output->offset + 1;
        changes++;
    }
    return changes;
}

static void overlay_checkpoints(struct weir_store *store, const struct weir_source *source)
{
    char key[WEIR_STORE_KEY_BYTES], value[WEIR_CHECKPOINT_BYTES];

    for (int32_t p = 0; p < source->partition_count; p++) {
        if (source->partitions[p].pending < 0)
            continue;
        weir_checkpoint_write(
            &(struct weir_checkpoint){source->partitions[p].pending, store->batch_ms}, value);
        weir_db_overlay_put(store->db,
            weir_key_write(WEIR_KEY_CHECKPOINT, source->number, p, WEIR_BYTES_NULL, key),
            weir_bytes(value, sizeof(value)));
    }
}

/* Written: readers may know. Not written: what is on disk is behind the log, so the partition serves no reads
 * until the host has it read again. */
static void settle(struct weir_store *store, bool written)
{
    for (size_t i = 0; i < store->source_count; i++) {
        struct weir_source *source = &store->sources[i];
        for (int32_t p = 0; p < source->partition_count; p++) {
            struct weir_partition *partition = &source->partitions[p];
            if (partition->pending >= 0 && written)
                atomic_store(&partition->checkpoint, partition->pending);
            else if (partition->pending >= 0 && weir_partition_state(partition) == WEIR_PARTITION_SERVING)
                weir_partition_set_state(partition, WEIR_PARTITION_RESTORING);
            partition->pending = -1;
        }
    }
}

static void count_effects(struct weir_store *store)
{
    for (size_t i = 0; i < WEIR_EFFECT_COUNT; i++)
        if (store->batch_effects[i] > 0)
            store->host->metric_add(store->metrics.commands[i], store->batch_effects[i]);
    store->host->metric_add(store->metrics.applied, store->batch_effects[WEIR_EFFECT_CREATED] +
                                                        store->batch_effects[WEIR_EFFECT_UPDATED] +
                                                        store->batch_effects[WEIR_EFFECT_DELETED]);
}

int weir_store_committed(
    void *instance, struct weir_batch *batch, const struct weir_result *result, struct weir_error *err)
{
    struct weir_store *store = instance;
    int r = 0;

    (void)batch;
    size_t changes = note_checkpoints(store, result);
    if (changes != store->batch_changes)
        r = weir_error_set(err, WEIR_E_INTERNAL, "%zu change records were emitted, %zu committed",
            store->batch_changes, changes);
    for (size_t i = 0; r == 0 && i < store->source_count; i++)
        overlay_checkpoints(store, &store->sources[i]);
    if (r == 0 && changes > 0)
        r = weir_db_overlay_write(store->db, err);
    if (r == 0)
        count_effects(store);
    settle(store, r == 0);
    weir_store_begin_batch(store);
    return r;
}
