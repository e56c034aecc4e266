/* From a batch of commands to verdicts, outputs and the overlay. */
#include "consumers/plugins/store/expiry.h"
#include "consumers/plugins/store/indexes.h"
#include "consumers/plugins/store/problem.h"
#include "consumers/plugins/store/requests.h"
#include "consumers/plugins/store/turn.h"

struct weir_turn weir_turn_begin(
    struct weir_store *store, struct weir_batch *batch, const struct weir_record *record)
{
    struct weir_turn turn = {.store = store,
        .batch = batch,
        .record = record,
        .source = &store->sources[record->source],
        .partition = record->partition,
        .offset = record->offset};
    struct weir_bytes origin = weir_header_find(record->headers, record->header_count, WEIR_HEADER_ORIGIN);
    char topic[WEIR_TOPIC_NAME_BYTES];

    if (strcmp(record->topic, turn.source->topic) != 0 &&
        weir_position_read(origin, topic, sizeof(topic), &turn.partition, &turn.offset, NULL) == 0)
        weir_position_write(topic, turn.partition, turn.offset, turn.at);
    else
        weir_position_write(record->topic, record->partition, record->offset, turn.at);
    return turn;
}

struct weir_bytes weir_turn_derive_request(struct weir_turn *turn)
{
    const struct weir_host *host = turn->store->host;

    weir_id_of_record(host->cluster_id(host->context), turn->source->topic, turn->partition, turn->offset,
        turn->derived_request);
    return weir_bytes_str(turn->derived_request);
}

/* How often the dead letter of this command was driven again. On the source topic the header is nobody's to
 * set.
 */
static int64_t redrive_count(const struct weir_turn *turn)
{
    const struct weir_record *record = turn->record;
    struct weir_bytes text =
        weir_header_find(record->headers, record->header_count, WEIR_HEADER_REDRIVE_COUNT);
    int64_t count = 0;

    if (strcmp(record->topic, turn->source->topic) == 0 || text.len > 9)
        return 0;
    for (size_t i = 0; i < text.len && text.data[i] >= '0' && text.data[i] <= '9'; i++)
        count = count * 10 + (text.data[i] - '0');
    return count;
}

/* A dead letter that was driven again is no repeat. */
static bool is_repeat(const struct weir_turn *turn, const struct weir_ending *first)
{
    return first->kind != WEIR_EFFECT_REFUSED || turn->command.redrive_count <= first->redrive_count;
}

static bool is_plain(struct weir_bytes id)
{
    for (size_t i = 0; i < id.len; i++)
        if (id.data[i] < 0x20 || id.data[i] > 0x7E)
            return false;
    return id.len > 0 && id.len <= WEIR_HEADER_VALUE_BYTES;
}

/* Whether a command that stands elsewhere has ended under the turn's request, or may have. */
static bool is_of_another(struct weir_turn *turn)
{
    struct weir_ending first;
    struct weir_error unread;
    int r = weir_requests_find_in_batch(turn, &turn->store->found, &first, &unread);

    if (r < 0)
        return r != WEIR_E_NOT_FOUND;
    return is_repeat(turn, &first) && (first.partition != turn->partition || first.offset != turn->offset);
}

/* What a dead letter calls its request: the id it came with, as long as that is plain text and no other
 * command's, whose ending stays as it is. */
static void name_letter(struct weir_turn *turn)
{
    const struct weir_record *record = turn->record;

    turn->command.request = weir_header_find(record->headers, record->header_count, WEIR_HEADER_ID);
    if (!is_plain(turn->command.request) || is_of_another(turn))
        turn->command.request = weir_turn_derive_request(turn);
}

/* Reads what is kept and told of a dead letter, which may be no command at all. */
static void read_letter(struct weir_turn *turn)
{
    const struct weir_record *record = turn->record;

    turn->command.redrive_count = redrive_count(turn);
    name_letter(turn);
    turn->command.fingerprint =
        weir_header_find(record->headers, record->header_count, WEIR_HEADER_FINGERPRINT);
}

static int tell_problem(struct weir_turn *turn, struct weir_effect *effect, const char *text)
{
    if (effect->problem.len > 0 || text == NULL || text[0] == '\0')
        return 0;
    weir_problem_write(text, &turn->store->problem);
    effect->problem = weir_buffer_bytes(&turn->store->problem);
    return turn->store->problem.failed ? WEIR_E_INTERNAL : 0;
}

/* The ending is kept at once: a repeat may follow in this batch. */
static int reject(struct weir_turn *turn, struct weir_effect *effect, struct weir_error *err)
{
    turn->store->batch_effects[WEIR_EFFECT_REFUSED]++;
    turn->store->host->fail(turn->batch, turn->record, WEIR_REJECT,
        &(struct weir_reason){effect->disposition, effect->error_type, effect->why.text});
    effect->version = 0;
    read_letter(turn);
    return tell_problem(turn, effect, effect->why.text) < 0 || weir_turn_keep_ending(turn, effect) < 0
               ? weir_error_set(err, WEIR_E_INTERNAL, "out of memory")
               : 0;
}

static int finish(struct weir_turn *turn, const struct weir_effect *effect, struct weir_error *err)
{
    turn->store->batch_effects[effect->kind]++;
    turn->store->host->done(turn->batch, turn->record);
    return weir_turn_keep_ending(turn, effect) < 0 ? weir_error_set(err, WEIR_E_INTERNAL, "out of memory")
                                                   : 0;
}

static int overlay_change(struct weir_turn *turn, const struct weir_effect *effect,
    const struct weir_document *current, struct weir_bytes stored_key)
{
    struct weir_store *store = turn->store;
    const struct weir_record *record = turn->record;

    const struct weir_document after = {
        effect->version, store->batch_ms, turn->command.request, effect->document};
    bool remains = effect->kind != WEIR_EFFECT_DELETED;

    int r = weir_indexes_change(
        store, turn->source, record->partition, record->key, current, remains ? &after : NULL);
    if (r < 0)
        return r;
    if (!remains) {
        weir_db_overlay_delete(store->db, stored_key);
        return 0;
    }
    weir_document_write(&after, &store->stored);
    if (store->stored.failed)
        return WEIR_E_INTERNAL;
    weir_db_overlay_put(store->db, stored_key, weir_buffer_bytes(&store->stored));
    return 0;
}

/* The overlay changes only after Kafka's size limit has let the event pass. */
static int carry_out(struct weir_turn *turn, struct weir_effect *effect, const struct weir_document *current,
    struct weir_bytes stored_key, struct weir_error *err)
{
    int r = weir_emit_change(turn, effect, current, &effect->why);

    if (r == WEIR_E_TOO_LARGE) {
        effect->kind = WEIR_EFFECT_REFUSED;
        effect->disposition = "too-large";
        effect->error_type = "event";
        return reject(turn, effect, err);
    }
    if (r < 0)
        return weir_error_set(err, r, "%s", effect->why.text);
    r = overlay_change(turn, effect, current, stored_key);
    return r < 0 ? weir_error_set(err, r, "out of memory") : finish(turn, effect, err);
}

static int tell_outcome(struct weir_turn *turn, struct weir_effect *effect, struct weir_error *err)
{
    if (tell_problem(turn, effect, effect->why.text) < 0)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    int r =
        weir_emit_outcome(turn, weir_effect_name(effect->kind), effect->error, effect->problem, NULL, err);
    return r < 0 ? r : finish(turn, effect, err);
}

/* A repeat has no effect: what its request came to stays as it is. */
static int tell_repeat(struct weir_turn *turn, const struct weir_ending *first, struct weir_error *err)
{
    bool same = weir_ending_is_of(first, turn->command.fingerprint);
    enum weir_effect_kind kind = same ? WEIR_EFFECT_UNCHANGED : WEIR_EFFECT_REJECTED;
    char at[WEIR_POSITION_BYTES];

    weir_position_write(turn->source->topic, first->partition, first->offset, at);
    turn->store->batch_effects[kind]++;
    int r = weir_emit_outcome(
        turn, weir_effect_name(kind), same ? NULL : "idempotency-key-reused", WEIR_BYTES_NULL, at, err);
    if (r == 0)
        turn->store->host->done(turn->batch, turn->record);
    return r;
}

/* Reads the envelope; REFUSED effects for what can't be a command. */
static int read_command(struct weir_turn *turn, struct weir_effect *effect)
{
    const struct weir_record *record = turn->record;

    int r = weir_command_check_key(&turn->source->rules, record->key, record->partition, effect);
    if (r < 0)
        return r;
    if (weir_command_read(turn->source->collection->name, record->headers, record->header_count,
            record->value.data != NULL, &turn->command, &effect->why) < 0) {
        effect->kind = WEIR_EFFECT_REFUSED;
        effect->disposition = "invalid";
        effect->error_type = "command";
        return WEIR_E_INVALID;
    }
    if (turn->command.request.data == NULL)
        turn->command.request = weir_turn_derive_request(turn);
    turn->command.redrive_count = redrive_count(turn);
    return weir_command_check_request(turn->command.request, effect);
}

/* why: static. */
static void wait_for_disk(struct weir_store *store, struct weir_batch *batch,
    const struct weir_record *record, const char *why, const char *text)
{
    struct weir_partition *own =
        weir_source_partition(&store->sources[record->source], record->partition, NULL);

    if (own != NULL)
        atomic_store(&own->waits_for, why);
    store->host->fail(batch, record, WEIR_WAIT, &(struct weir_reason){.error_type = why, .text = text});
}

/* A document that can't be read stops its partition only: the others go on. One that is damaged stops all. */
static int wait_unread(struct weir_turn *turn, const struct weir_error *why, struct weir_error *err)
{
    if (why->code == WEIR_E_CORRUPT) {
        *err = *why;
        return err->code;
    }
    wait_for_disk(turn->store, turn->batch, turn->record, "unreadable", why->text);
    return 0;
}

static int end(struct weir_turn *turn, struct weir_effect *effect, const struct weir_document *before,
    struct weir_bytes stored_key, struct weir_error *err)
{
    switch (effect->kind) {
    case WEIR_EFFECT_CREATED:
    case WEIR_EFFECT_UPDATED:
    case WEIR_EFFECT_DELETED:
        return carry_out(turn, effect, before, stored_key, err);
    case WEIR_EFFECT_UNCHANGED:
    case WEIR_EFFECT_REJECTED:
        return tell_outcome(turn, effect, err);
    default:
        return reject(turn, effect, err);
    }
}

/* Of a request that is not a repeat. */
static int change_document(struct weir_turn *turn, struct weir_error *err)
{
    struct weir_store *store = turn->store;
    const struct weir_record *record = turn->record;
    WEIR_CLEANUP(db_value) struct weir_db_value found = {0};
    struct weir_document current;
    struct weir_effect effect;
    struct weir_error unread;
    char key[WEIR_STORE_KEY_BYTES];

    struct weir_bytes stored_key =
        weir_key_write(WEIR_KEY_DOCUMENT, turn->source->number, record->partition, record->key, key);
    int r = weir_db_overlay_get(store->db, stored_key, &found, &unread);
    if (r == 0 && found.bytes.data != NULL)
        r = weir_document_read(found.bytes, &current, &unread);
    if (r < 0)
        return wait_unread(turn, &unread, err);
    const struct weir_document *before = found.bytes.data != NULL ? &current : NULL;
    r = weir_command_apply(
        &turn->source->rules, &turn->command, record->key, record->value, before, &store->scratch, &effect);
    if (r == 0)
        r = weir_turn_check_schema(turn, &effect);
    if (r < 0)
        return weir_error_set(err, r, "out of memory");
    return end(turn, &effect, before, stored_key, err);
}

static void go_on(struct weir_turn *turn)
{
    struct weir_partition *own = weir_source_partition(turn->source, turn->record->partition, NULL);

    if (own == NULL)
        return;
    if (atomic_load_explicit(&own->waits_for, memory_order_relaxed) != NULL)
        atomic_store(&own->waits_for, NULL);
    weir_expiry_saw(turn->source, own, turn->record->timestamp_ms, turn->store->batch_ms);
}

static int execute(struct weir_turn *turn, struct weir_error *err)
{
    struct weir_effect effect = {.kind = WEIR_EFFECT_REFUSED};
    struct weir_ending first;
    struct weir_error unread;

    go_on(turn);
    if (read_command(turn, &effect) < 0)
        return reject(turn, &effect, err);
    int r = weir_requests_find_in_batch(turn, &turn->store->found, &first, &unread);
    if (r == 0 && is_repeat(turn, &first))
        return tell_repeat(turn, &first, err);
    if (r == 0 || r == WEIR_E_NOT_FOUND)
        return change_document(turn, err);
    return wait_unread(turn, &unread, err);
}

static void wait_all(struct weir_store *store, struct weir_batch *batch, const struct weir_error *why)
{
    for (const struct weir_record *record; (record = store->host->next(batch)) != NULL;)
        wait_for_disk(store, batch, record, "disk-full", why->text);
}

/* A reader may have met it first. */
static int check_damage(const struct weir_store *store, struct weir_error *err)
{
    return weir_db_is_damaged(store->db)
               ? weir_error_set(err, WEIR_E_CORRUPT, "%s is damaged, as a read found out", store->path)
               : 0;
}

int weir_store_handle(void *instance, struct weir_batch *batch, struct weir_error *err)
{
    struct weir_store *store = instance;
    struct weir_error space;

    weir_store_begin_batch(store);
    int r = weir_store_check_space(store, &space);
    if (r < 0) {
        wait_all(store, batch, &space);
        return 0;
    }
    r = check_damage(store, err);
    if (r == 0)
        r = weir_requests_begin_batch(store, err);
    for (const struct weir_record *record; r == 0 && (record = store->host->next(batch)) != NULL;) {
        struct weir_turn turn = weir_turn_begin(store, batch, record);
        r = execute(&turn, err);
    }
    return r;
}

void weir_store_dead_letter(void *instance, struct weir_batch *batch, const struct weir_record *record,
    const char *disposition, const struct weir_reason *why)
{
    struct weir_turn turn = weir_turn_begin(instance, batch, record);
    struct weir_effect effect = {.kind = WEIR_EFFECT_REFUSED, .disposition = disposition};
    struct weir_ending kept;
    struct weir_error err = {.text = "out of memory"};
    int r = 0;

    read_letter(&turn);
    if (weir_turn_find_letter(&turn, &kept))
        effect.problem = kept.problem;
    else if ((r = tell_problem(&turn, &effect, why != NULL ? why->text : NULL)) == 0)
        r = weir_turn_keep_ending(&turn, &effect);
    if (r == 0)
        r = weir_emit_outcome(&turn, "dead-lettered", disposition, effect.problem, NULL, &err);
    if (r < 0)
        weir_store_log(
            turn.store, WEIR_SAY_ERROR, "store.outcome.lost", "at=%s reason=%s", turn.at, err.text);
}
