#include "consumers/plugins/store/continuity.h"
#include "consumers/plugins/store/requests.h"
#include "consumers/plugins/store/store.h"

#include <inttypes.h>

void weir_store_begin_batch(struct weir_store *store)
{
    weir_db_overlay_clear(store->db);
    store->batch_ms = store->host->now_ms();
    weir_clock_rfc3339(store->batch_ms, store->batch_time);
    store->batch_outputs = 0;
    memset(store->batch_effects, 0, sizeof(store->batch_effects));
    store->batch_expired = 0;
    weir_buffer_clear(&store->batch_changes);
    store->batch_changes_at = 0;
    weir_buffer_clear(&store->batch_marks);
}

int weir_store_mark_key(struct weir_store *store, struct weir_bytes key)
{
    uint32_t place = weir_marks_place(&store->marks, key);

    weir_buffer_append(&store->batch_marks, &place, sizeof(place));
    return store->batch_marks.failed ? WEIR_E_INTERNAL : 0;
}

static void move_marks(struct weir_store *store)
{
    uint32_t place;

    for (size_t at = 0; at < store->batch_marks.len; at += sizeof(place)) {
        memcpy(&place, store->batch_marks.data + at, sizeof(place));
        weir_marks_move(&store->marks, place);
    }
}

void weir_store_aborted(void *instance, struct weir_batch *batch)
{
    (void)batch;
    weir_store_begin_batch(instance);
}

/* The source whose change or outcome topic this is, and which of them. */
static struct weir_source *find_source(
    struct weir_store *store, const char *topic, enum weir_store_table *ret_table)
{
    for (size_t i = 0; i < store->source_count; i++) {
        struct weir_source *source = &store->sources[i];
        bool is_changes = strcmp(source->changes_topic, topic) == 0;
        *ret_table = is_changes ? WEIR_STORE_CHANGES : WEIR_STORE_OUTCOMES;
        if (is_changes || strcmp(source->outcomes_topic, topic) == 0)
            return source;
    }
    return NULL;
}

/* Sets each partition's pending checkpoints behind its last output. Answers how many outputs there were. */
static size_t note_checkpoints(struct weir_store *store, const struct weir_result *result)
{
    const char *topic = NULL;
    struct weir_source *source = NULL;
    enum weir_store_table table = WEIR_STORE_CHANGES;
    size_t count = 0;

    for (size_t i = 0; i < result->output_count; i++) {
        const struct weir_output *output = &result->outputs[i];
        if (output->topic != topic)
            source = find_source(store, topic = output->topic, &table);
        if (source == NULL || output->partition < 0 || output->partition >= source->partition_count)
            continue;
        source->partitions[output->partition].pending[table] = output->offset + 1;
        if (table == WEIR_STORE_CHANGES)
            weir_requests_place_changes(store, output);
        count++;
    }
    return count;
}

static void note_positions(struct weir_store *store, const struct weir_result *result)
{
    for (size_t i = 0; i < result->position_count; i++) {
        const struct weir_position *position = &result->positions[i];
        struct weir_partition *own =
            weir_source_partition(&store->sources[position->source], position->partition, NULL);
        if (own != NULL)
            own->pending_reached = position->offset;
    }
}

/* All that was emitted is committed, so that the last of both is one. */
static struct weir_last_change pending_last(const struct weir_partition *own)
{
    return (struct weir_last_change){own->pending[WEIR_STORE_CHANGES] - 1, own->emitted_hash};
}

static void overlay_partition(struct weir_store *store, const struct weir_source *source, int32_t partition)
{
    const struct weir_partition *own = &source->partitions[partition];

    for (int table = 0; table < WEIR_STORE_TABLE_COUNT; table++)
        if (own->pending[table] >= 0)
            weir_checkpoint_overlay(store, source, partition, (enum weir_store_table)table,
                (struct weir_checkpoint){own->pending[table], store->batch_ms});
    if (own->pending[WEIR_STORE_CHANGES] >= 0)
        weir_continuity_overlay(
            store, source, partition, own->pending[WEIR_STORE_CHANGES], pending_last(own));
    if (own->pending_reached >= 0)
        weir_reached_overlay(store, source, partition, own->pending_reached);
}

/* Written: readers may know. Not written: what is on disk is behind the log, so the partition serves no reads
 * until the host has it read again. */
static void settle_partition(struct weir_partition *own, bool written)
{
    bool touched = false;

    if (written && own->pending[WEIR_STORE_CHANGES] >= 0)
        own->last = pending_last(own);
    for (int table = 0; table < WEIR_STORE_TABLE_COUNT; table++) {
        touched = touched || own->pending[table] >= 0;
        if (written && own->pending[table] >= 0)
            atomic_store(&own->checkpoints[table], own->pending[table]);
        own->pending[table] = -1;
    }
    if (written && own->pending_reached > atomic_load(&own->reached))
        atomic_store(&own->reached, own->pending_reached);
    own->pending_reached = -1;
    if (touched && !written && weir_partition_state(own) == WEIR_PARTITION_SERVING)
        weir_partition_set_state(own, WEIR_PARTITION_RESTORING);
}

static void count_effects(struct weir_store *store)
{
    for (size_t i = 0; i < WEIR_EFFECT_COUNT; i++)
        if (store->batch_effects[i] > 0)
            store->host->metric_add(store->metrics.commands[i], store->batch_effects[i]);
    store->host->metric_add(store->metrics.expired, store->batch_expired);
    store->host->metric_add(store->metrics.applied,
        store->batch_effects[WEIR_EFFECT_CREATED] + store->batch_effects[WEIR_EFFECT_UPDATED] +
            store->batch_effects[WEIR_EFFECT_DELETED] + store->batch_expired);
}

static int write_batch(struct weir_store *store, size_t outputs, struct weir_error *err)
{
    if (outputs != store->batch_outputs)
        return weir_error_set(
            err, WEIR_E_INTERNAL, "%zu records were emitted, %zu committed", store->batch_outputs, outputs);
    if (outputs == 0)
        return 0;
    for (size_t i = 0; i < store->source_count; i++)
        for (int32_t p = 0; p < store->sources[i].partition_count; p++)
            overlay_partition(store, &store->sources[i], p);
    return weir_db_overlay_write(store->db, err);
}

int weir_store_committed(
    void *instance, struct weir_batch *batch, const struct weir_result *result, struct weir_error *err)
{
    struct weir_store *store = instance;

    (void)batch;
    size_t outputs = note_checkpoints(store, result);
    note_positions(store, result);
    int r = write_batch(store, outputs, err);
    if (r == 0)
        count_effects(store);
    for (size_t i = 0; i < store->source_count; i++)
        for (int32_t p = 0; p < store->sources[i].partition_count; p++)
            settle_partition(&store->sources[i].partitions[p], r == 0);
    if (r == 0)
        move_marks(store);
    store->host->http_wake(store->http);
    weir_store_begin_batch(store);
    return r;
}
