/* How requests ended within the last day: kept, found, forgotten. */
#include "consumers/plugins/store/requests.h"

#include "consumers/plugins/store/keys.h"
#include "consumers/plugins/store/turn.h"

enum { HOUR_MS = 3600 * 1000, SEEN_DAY_HOURS = 24, FILL_STEP = 5000, SEEN_SHARE = 16 };

static int64_t hour_of(int64_t wall_ms)
{
    return wall_ms / HOUR_MS;
}

bool weir_requests_open(struct weir_store *store)
{
    store->seen_turned_hour = hour_of(store->host->now_ms());
    store->fill_hour = 0;
    return weir_seen_init(&store->seen, (size_t)store->settings->memory_bytes / SEEN_SHARE);
}

static struct weir_bytes write_key(const struct weir_source *source, int32_t partition,
    struct weir_bytes request, char out[static WEIR_STORE_KEY_BYTES])
{
    return weir_key_write(WEIR_KEY_REQUEST, source->number, partition, request, out);
}

/* What has to learn where its event stands, once that is known. */
struct change_note {
    uint32_t cause; /* index of the record */
    size_t put;     /* of the ending */
};

static void note_change(struct weir_turn *turn, const struct weir_effect *effect, size_t put)
{
    const struct change_note note = {turn->record->index, put};

    if (effect->version > 0)
        weir_buffer_append(&turn->store->batch_changes, &note, sizeof(note));
}

void weir_requests_place_changes(struct weir_store *store, const struct weir_output *output)
{
    struct weir_buffer *notes = &store->batch_changes;
    struct change_note note;
    char change[WEIR_ENDING_CHANGE_BYTES];

    while (store->batch_changes_at < notes->len) {
        memcpy(&note, notes->data + store->batch_changes_at, sizeof(note));
        if (note.cause > output->cause)
            return;
        store->batch_changes_at += sizeof(note);
        if (note.cause < output->cause)
            continue;
        weir_ending_write_change(output->offset, change);
        weir_db_hour_overlay_patch(
            store->db, note.put, WEIR_ENDING_CHANGE_AT, weir_bytes(change, sizeof(change)));
        return;
    }
}

/* Into the overlay, and where there may be a document of the key its history's entry. ret_put: which one in
 * the overlay the ending is. */
static int put_ending(struct weir_store *store, const struct weir_source *source, int32_t partition,
    int64_t hour, struct weir_bytes request, const struct weir_ending *ending, size_t *ret_put)
{
    char key[WEIR_STORE_KEY_BYTES], history[WEIR_HISTORY_KEY_BYTES];

    weir_ending_write(ending, &store->stored);
    if (store->stored.failed)
        return WEIR_E_INTERNAL;
    struct weir_bytes stored_key = write_key(source, partition, request, key);
    *ret_put = weir_db_hour_overlay_put(store->db, hour, stored_key, weir_buffer_bytes(&store->stored));
    weir_seen_add(&store->seen, stored_key);
    if (weir_key_check(ending->key, NULL) == 0)
        weir_db_hour_overlay_put(store->db, hour,
            weir_history_key(source->number, partition, ending->key, ending->offset, history), request);
    return 0;
}

int weir_turn_keep_ending(struct weir_turn *turn, const struct weir_effect *effect)
{
    struct weir_store *store = turn->store;
    size_t put = 0;
    const struct weir_ending ending = {
        .kind = effect->kind,
        .redrive_count = (uint32_t)turn->command.redrive_count,
        .version = effect->version,
        .ts_ms = store->batch_ms,
        .partition = turn->partition,
        .offset = turn->offset,
        .accepted_ms = turn->record->timestamp_ms,
        .change = -1,
        .error = weir_bytes_str(effect->kind == WEIR_EFFECT_REFUSED ? effect->disposition : effect->error),
        .fingerprint = turn->command.fingerprint,
        .key = turn->record->key,
        .problem = effect->problem,
    };

    if (turn->command.request.len > WEIR_REQUEST_BYTES)
        return 0;
    int r = put_ending(store, turn->source, turn->record->partition, hour_of(store->batch_ms),
        turn->command.request, &ending, &put);
    if (r < 0)
        return r;
    note_change(turn, effect, put);
    return weir_store_mark_key(store, turn->record->key);
}

bool weir_turn_find_letter(struct weir_turn *turn, struct weir_ending *ret_ending)
{
    char key[WEIR_STORE_KEY_BYTES];
    struct weir_bytes found;

    return turn->command.request.len <= WEIR_REQUEST_BYTES &&
           weir_db_hour_overlay_find(turn->store->db, hour_of(turn->store->batch_ms),
               write_key(turn->source, turn->record->partition, turn->command.request, key), &found) &&
           weir_ending_read(found, ret_ending, NULL) == 0 && ret_ending->kind == WEIR_EFFECT_REFUSED &&
           ret_ending->redrive_count == turn->command.redrive_count &&
           ret_ending->partition == turn->partition && ret_ending->offset == turn->offset;
}

int weir_requests_find(struct weir_store *store, const struct weir_source *source, int32_t partition,
    struct weir_bytes request, struct weir_buffer *stored, struct weir_ending *ret_ending,
    struct weir_error *err)
{
    char key[WEIR_STORE_KEY_BYTES];

    if (request.len > WEIR_REQUEST_BYTES)
        return WEIR_E_NOT_FOUND;
    struct weir_bytes stored_key = write_key(source, partition, request, key);
    if (atomic_load(&store->seen_filled) && !weir_seen_has(&store->seen, stored_key))
        return WEIR_E_NOT_FOUND;
    int r = weir_db_hours_get(store->db, stored_key, stored, err);
    return r < 0 ? r : weir_ending_read(weir_buffer_bytes(stored), ret_ending, err);
}

int weir_requests_find_in_batch(struct weir_turn *turn, struct weir_buffer *stored,
    struct weir_ending *ret_ending, struct weir_error *err)
{
    char key[WEIR_STORE_KEY_BYTES];
    struct weir_bytes found;

#ifdef WEIR_MUTANT_NO_DEDUPE
    return WEIR_E_NOT_FOUND; /* on purpose wrong, for the tests that have to notice it */
#endif
    struct weir_bytes stored_key =
        write_key(turn->source, turn->record->partition, turn->command.request, key);
    if (weir_db_hour_overlay_find(turn->store->db, hour_of(turn->store->batch_ms), stored_key, &found)) {
        weir_buffer_clear(stored);
        weir_buffer_append_bytes(stored, found);
        return stored->failed ? weir_error_set(err, WEIR_E_INTERNAL, "out of memory")
                              : weir_ending_read(weir_buffer_bytes(stored), ret_ending, err);
    }
    return weir_requests_find(
        turn->store, turn->source, turn->record->partition, turn->command.request, stored, ret_ending, err);
}

int weir_requests_restore(struct weir_store *store, const struct weir_source *source, int32_t partition,
    struct weir_bytes request, const struct weir_ending *ending, struct weir_error *err)
{
    int64_t now_hour = hour_of(store->host->now_ms()), hour = hour_of(ending->ts_ms);
    size_t put;

    if (hour + WEIR_DB_HOURS_KEPT <= now_hour || request.len == 0 || request.len > WEIR_REQUEST_BYTES)
        return 0;
    /* A clock ahead of ours must not make an hour that is never dropped. */
    hour = hour < now_hour ? hour : now_hour;
    int r = put_ending(store, source, partition, hour, request, ending, &put);
    return r < 0 ? weir_error_set(err, r, "out of memory") : 0;
}

/* ---- the filter after a start ---- */

struct fill {
    struct weir_store *store;
    size_t count;
};

static bool fill_entry(void *context, struct weir_bytes key, struct weir_bytes value)
{
    struct fill *fill = context;

    (void)value;
    if (fill->count++ == FILL_STEP) {
        weir_buffer_append_bytes(&fill->store->fill_from, key);
        return false;
    }
    if (key.data[0] == WEIR_KEY_REQUEST)
        weir_seen_add(&fill->store->seen, key);
    return true;
}

/* A step of reading what is on disk; until all is read, the disk is asked for every request. */
static int fill_step(struct weir_store *store, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer from = store->fill_from;
    struct fill fill = {.store = store};

    store->fill_from = (struct weir_buffer){0};
    if (!weir_db_hours_next(store->db, store->fill_hour, &store->fill_hour)) {
        atomic_store(&store->seen_filled, true);
        return 0;
    }
    int r = weir_db_hour_each(store->db, store->fill_hour, weir_buffer_bytes(&from), fill_entry, &fill, err);
    if (r == 0 && store->fill_from.len == 0)
        store->fill_hour++;
    return r;
}

void weir_requests_tick(struct weir_store *store)
{
    struct weir_error err;
    int64_t hour = hour_of(store->host->now_ms());
    int r = 0;

    if (weir_db_is_broken(store->db))
        return;
    if (hour != store->dropped_hour)
        r = weir_db_hours_drop(store->db, store->dropped_hour = hour, &err);
    if (r == 0 && !atomic_load(&store->seen_filled))
        r = fill_step(store, &err);
    if (hour >= store->seen_turned_hour + SEEN_DAY_HOURS) {
        weir_seen_turn(&store->seen);
        store->seen_turned_hour = hour;
    }
    if (r < 0)
        weir_store_log(store, WEIR_SAY_WARNING, "store.requests.kept", "reason=\"%s\"", err.text);
}

int weir_requests_begin_batch(struct weir_store *store, struct weir_error *err)
{
    return weir_db_hour_make(store->db, hour_of(store->batch_ms), err);
}
