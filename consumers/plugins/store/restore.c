#include "consumers/plugins/store/continuity.h"
#include "consumers/plugins/store/expiry.h"
#include "consumers/plugins/store/indexes.h"
#include "consumers/plugins/store/restore_record.h"
#include "consumers/plugins/store/store.h"

#include <inttypes.h>

enum { WIPE_STEP = 10000, DAY_MS = 24 * 3600 * 1000 };

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

int weir_store_wipe(struct weir_store *store, struct weir_bytes prefix, struct weir_error *err)
{
    struct wipe wipe = {.store = store};

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

/* Forgets a partition: its checkpoints first, so that a crash in between leaves one that is wiped again. */
static int wipe_partition(
    struct weir_store *store, const struct weir_source *source, int32_t partition, struct weir_error *err)
{
    static const enum weir_key_kind kinds[] = {WEIR_KEY_DOCUMENT, WEIR_KEY_INDEX};
    char key[WEIR_STORE_KEY_BYTES];
    int r = 0;

    weir_checkpoint_delete(store, source, partition, WEIR_STORE_CHANGES);
    weir_checkpoint_delete(store, source, partition, WEIR_STORE_OUTCOMES);
    weir_continuity_forget(store, source, partition);
    for (size_t i = 0; r == 0 && i < sizeof(kinds) / sizeof(kinds[0]); i++)
        r = weir_store_wipe(
            store, weir_key_write(kinds[i], source->number, partition, WEIR_BYTES_NULL, key), err);
    return r;
}

/* The change log forgets deletions after `window`, so an older state can't be caught up. */
static bool is_too_old(const struct weir_store *store, const struct weir_checkpoint *checkpoint)
{
    int64_t window_ms = store->host->deployment->kafka.window_ms;
    return window_ms > 0 && store->host->now_ms() - checkpoint->known_ms > window_ms;
}

/* Where to read changes on from: the checkpoint, or after a wipe the beginning. */
static int find_change(struct weir_store *store, const struct weir_source *source, int32_t partition,
    int64_t *ret_offset, struct weir_error *err)
{
    struct weir_checkpoint checkpoint = {0};

    int r = weir_checkpoint_load(store, source, partition, WEIR_STORE_CHANGES, &checkpoint, err);
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

/* Where to read outcomes on from. Those of more than a day ago are not kept, and the topic may have forgotten
 * them: then all that it has are read. */
static int find_outcome(struct weir_store *store, const struct weir_source *source, int32_t partition,
    int64_t *ret_offset, struct weir_error *err)
{
    struct weir_checkpoint checkpoint = {0};

    *ret_offset = 0;
    int r = weir_checkpoint_load(store, source, partition, WEIR_STORE_OUTCOMES, &checkpoint, err);
    if (r == 0 && store->host->now_ms() - checkpoint.known_ms < DAY_MS)
        *ret_offset = checkpoint.offset;
    return r == WEIR_E_NOT_FOUND ? 0 : r;
}

/* Whose partition is read was said by `assigned`; without it, it is another instance's, which we follow. */
static enum weir_partition_state state_of_reading(const struct weir_partition *own)
{
    enum weir_partition_state state = weir_partition_state(own);
    bool foreign = state == WEIR_PARTITION_FOREIGN || state == WEIR_PARTITION_STANDBY;
    return foreign ? WEIR_PARTITION_STANDBY : WEIR_PARTITION_RESTORING;
}

/* The tables of a partition are asked for in their order: with the first its restoring begins. */
static int begin_restore(struct weir_store *store, const struct weir_source *source, int32_t partition,
    struct weir_partition *own, struct weir_error *err)
{
    int64_t reached = 0;

    weir_partition_set_state(own, state_of_reading(own));
    atomic_store(&own->live, false);
    memset(own->caught_up, 0, sizeof(own->caught_up));
    int r = weir_store_check_space(store, err);
    if (r == 0 && weir_partition_state(own) == WEIR_PARTITION_STANDBY) /* `assigned` did it for the others */
        r = weir_store_check_identity(store, source, err);
    if (r == 0 && weir_db_is_broken(store->db))
        r = weir_db_reopen(store->db, err);
    if (r == 0)
        r = weir_reached_load(store, source, partition, &reached, err);
    atomic_store(&own->reached, reached);
    weir_store_count_partitions(store);
    return r;
}

int weir_store_table_position(void *instance, uint32_t table, uint32_t source_index, int32_t partition,
    int64_t *ret_offset, struct weir_error *err)
{
    struct weir_store *store = instance;
    const struct weir_source *source = &store->sources[source_index];
    struct weir_partition *own = weir_source_partition(source, partition, err);

    if (own == NULL)
        return WEIR_E_CONFIG;
    int r = table == WEIR_STORE_CHANGES ? begin_restore(store, source, partition, own, err) : 0;
    if (r == 0)
        r = table == WEIR_STORE_CHANGES ? find_change(store, source, partition, ret_offset, err)
                                        : find_outcome(store, source, partition, ret_offset, err);
    if (r == 0 && table == WEIR_STORE_CHANGES)
        r = weir_indexes_begin(store, source, partition, *ret_offset == 0, err);
    if (r == 0)
        atomic_store(&own->checkpoints[table], *ret_offset);
    if (r == 0 && table == WEIR_STORE_CHANGES)
        r = weir_continuity_begin(store, source, partition, ret_offset, err);
    return r;
}

/* Writes what the batch holds, together with how far it goes. `known_ms`: until when the log was seen whole;
 * of a read that is not through, that is the time of its last record, since what was compacted behind it is
 * not known. `last`: below the checkpoint. */
static int write_with_checkpoint(struct weir_store *store, const struct weir_source *source,
    int32_t partition, uint32_t table, struct weir_checkpoint checkpoint, struct weir_last_change last,
    struct weir_error *err)
{
    struct weir_partition *own = &source->partitions[partition];

    weir_checkpoint_put(store, source, partition, (enum weir_store_table)table, checkpoint);
    if (table == WEIR_STORE_CHANGES)
        weir_continuity_put(store, source, partition, checkpoint.offset, last);
    weir_reached_put(store, source, partition, atomic_load(&own->reached));
    int r = weir_db_overlay_write(store->db, err);
    if (r < 0)
        return r;
    atomic_store(&own->checkpoints[table], checkpoint.offset);
    if (table == WEIR_STORE_CHANGES)
        own->last = last;
    return 0;
}

static bool is_applied(const struct weir_source *source, uint32_t table, const struct weir_record *record)
{
    return record->offset < atomic_load(&source->partitions[record->partition].checkpoints[table]);
}

static int take_change(struct weir_store *store, const struct weir_source *source,
    const struct weir_record *record, struct weir_error *err)
{
    if (is_applied(source, WEIR_STORE_CHANGES, record))
        return weir_continuity_see(store, source, record, err);
    int r = weir_continuity_check(store, source, record->partition, err);
    return r < 0 ? r : weir_restore_change(store, source, record, err);
}

static int take_outcome(struct weir_store *store, const struct weir_source *source,
    const struct weir_record *record, struct weir_error *err)
{
    return is_applied(source, WEIR_STORE_OUTCOMES, record) ? 0
                                                           : weir_restore_outcome(store, source, record, err);
}

static int write_taken(struct weir_store *store, const struct weir_source *source, uint32_t table,
    const struct weir_record *last, struct weir_error *err)
{
    struct weir_bytes request = weir_header_find(last->headers, last->header_count, WEIR_HEADER_ID);

    return write_with_checkpoint(store, source, last->partition, table,
        (struct weir_checkpoint){last->offset + 1, last->timestamp_ms},
        (struct weir_last_change){last->offset, weir_continuity_hash(last->key, request)}, err);
}

int weir_store_table_apply(
    void *instance, uint32_t table, const struct weir_record *records, size_t count, struct weir_error *err)
{
    struct weir_store *store = instance;
    int64_t applied = 0;

    if (count == 0)
        return 0;
    const struct weir_source *source = &store->sources[records[0].source];
    if (weir_source_partition(source, records[0].partition, err) == NULL)
        return WEIR_E_CONFIG;
    int r = weir_store_check_space(store, err);
    for (size_t i = 0; r == 0 && i < count; i++) {
        r = table == WEIR_STORE_CHANGES ? take_change(store, source, &records[i], err)
                                        : take_outcome(store, source, &records[i], err);
        applied += !is_applied(source, table, &records[i]);
    }
    if (r < 0)
        weir_db_overlay_clear(store->db);
    if (r < 0)
        weir_db_batch_clear(store->db);
    if (r < 0 || applied == 0)
        return r;
    r = write_taken(store, source, table, &records[count - 1], err);
    if (r == 0 && table == WEIR_STORE_CHANGES)
        store->host->metric_add(store->metrics.restored, applied);
    return r;
}

/* Whether the log, which was read to its end, is longer than what is applied, and goes on from it. */
static int check_log(struct weir_store *store, const struct weir_source *source, uint32_t table,
    int32_t partition, int64_t end, struct weir_error *err)
{
    int64_t checkpoint = atomic_load(&source->partitions[partition].checkpoints[table]);

    if (end < checkpoint)
        return weir_error_set(err, WEIR_E_CONFIG,
            "%s has applied partition %" PRId32 " of %s up to offset %" PRId64
            ", but the topic ends at %" PRId64 ": it was made anew or lost records; %s",
            store->path, partition,
            table == WEIR_STORE_CHANGES ? source->changes_topic : source->outcomes_topic, checkpoint, end,
            weir_store_two_ways);
    return table == WEIR_STORE_CHANGES ? weir_continuity_check(store, source, partition, err) : 0;
}

static void begin_serving(
    struct weir_store *store, const struct weir_source *source, struct weir_partition *own)
{
    weir_expiry_begin(store, source, own);
    weir_partition_set_state(own, WEIR_PARTITION_SERVING);
}

int weir_store_table_caught_up(void *instance, uint32_t table, uint32_t source_index, int32_t partition,
    int64_t offset, struct weir_error *err)
{
    struct weir_store *store = instance;
    const struct weir_source *source = &store->sources[source_index];
    struct weir_partition *own = weir_source_partition(source, partition, err);

    if (own == NULL)
        return WEIR_E_CONFIG;
    int r = check_log(store, source, table, partition, offset, err);
    if (r == 0)
        r = write_with_checkpoint(store, source, partition, table,
            (struct weir_checkpoint){offset, store->host->now_ms()}, own->last, err);
    if (r < 0)
        return r;
    own->caught_up[table] = true;
    if (own->caught_up[WEIR_STORE_CHANGES] && own->caught_up[WEIR_STORE_OUTCOMES])
        begin_serving(store, source, own);
    weir_store_count_partitions(store);
    return 0;
}

void weir_store_table_followed(
    void *instance, uint32_t table, uint32_t source_index, int32_t partition, int64_t offset)
{
    struct weir_store *store = instance;
    const struct weir_source *source = &store->sources[source_index];
    struct weir_partition *own = weir_source_partition(source, partition, NULL);
    struct weir_error err;

    if (own == NULL || table != WEIR_STORE_CHANGES)
        return;
    if (check_log(store, source, table, partition, offset, &err) < 0) {
        weir_store_log(store, WEIR_SAY_ERROR, "store.standby.refused", "reason=\"%s\"", err.text);
        return;
    }
    atomic_store(&own->live, true);
    weir_store_log(store, WEIR_SAY_INFO, "store.standby", "topic=%s partition=%" PRId32 " offset=%" PRId64,
        source->changes_topic, partition, offset);
}
