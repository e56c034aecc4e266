#include "common/envelope.h"
#include "consumers/plugins/store/change.h"
#include "consumers/plugins/store/keys.h"
#include "consumers/plugins/store/store.h"

enum { HEADERS_MAX = 8 };

/* One record on its way. */
struct turn {
    struct weir_store *store;
    struct weir_batch *batch;
    const struct weir_record *record;
    const struct weir_source *source;
    struct weir_command command;
    char derived_request[WEIR_ID_BYTES];
    char at[WEIR_POSITION_BYTES];
};

/* Writes where the command stands into turn->at. A retried or redriven record names it in a header; on the
 * source topic itself that header is nobody's to set. */
static struct weir_bytes find_origin(struct turn *turn)
{
    const struct weir_record *record = turn->record;
    struct weir_bytes origin = weir_header_find(record->headers, record->header_count, WEIR_HEADER_ORIGIN);

    if (strcmp(record->topic, turn->source->topic) != 0 && origin.len > 0 && origin.len < sizeof(turn->at)) {
        memcpy(turn->at, origin.data, origin.len);
        turn->at[origin.len] = '\0';
    } else {
        weir_position_write(record->topic, record->partition, record->offset, turn->at);
    }
    return weir_bytes_str(turn->at);
}

/* The id of a request that came without one: it stays the same however often the record is retried. */
static struct weir_bytes derive_request(struct turn *turn)
{
    const struct weir_host *host = turn->store->host;
    char topic[WEIR_TOPIC_NAME_BYTES];
    int32_t partition = turn->record->partition;
    int64_t offset = turn->record->offset;

    if (weir_position_read(find_origin(turn), topic, sizeof(topic), &partition, &offset, NULL) < 0)
        snprintf(topic, sizeof(topic), "%s", turn->record->topic);
    weir_id_of_record(host->cluster_id(host->context), topic, partition, offset, turn->derived_request);
    return weir_bytes_str(turn->derived_request);
}

static void reject(struct turn *turn, const char *disposition, const char *error_type, const char *text)
{
    turn->store->batch_effects[WEIR_EFFECT_REFUSED]++;
    turn->store->host->fail(turn->batch, turn->record, WEIR_REJECT,
        &(struct weir_reason){.disposition = disposition, .error_type = error_type, .text = text});
}

static int finish(struct turn *turn, const struct weir_effect *effect)
{
    turn->store->batch_effects[effect->kind]++;
    turn->store->host->done(turn->batch, turn->record);
    return 0;
}

static void add_header(struct weir_header *headers, size_t *count, const char *name, struct weir_bytes value)
{
    if (value.data != NULL)
        headers[(*count)++] = (struct weir_header){name, value};
}

static size_t change_headers(
    struct turn *turn, const struct weir_effect *effect, struct weir_header headers[static HEADERS_MAX])
{
    const struct weir_command *command = &turn->command;
    size_t count = 0;

    add_header(headers, &count, WEIR_HEADER_ID, command->request);
    add_header(headers, &count, WEIR_HEADER_TYPE, weir_bytes_str(turn->source->ce_types[effect->kind]));
    add_header(headers, &count, WEIR_HEADER_SUBJECT, turn->record->key);
    add_header(headers, &count, WEIR_HEADER_TIME, weir_bytes_str(turn->store->batch_time));
    add_header(headers, &count, WEIR_HEADER_CONTENT_TYPE, weir_bytes_str("application/json"));
    add_header(headers, &count, WEIR_HEADER_ORIGIN, find_origin(turn));
    add_header(headers, &count, WEIR_HEADER_FINGERPRINT, command->fingerprint);
    add_header(headers, &count, WEIR_HEADER_TRACEPARENT, command->traceparent);
    return count;
}

static int write_event(
    struct turn *turn, const struct weir_effect *effect, const struct weir_document *current)
{
    static const char ops[] = {
        [WEIR_EFFECT_CREATED] = 'c', [WEIR_EFFECT_UPDATED] = 'u', [WEIR_EFFECT_DELETED] = 'd'};
    bool with_before =
        turn->source->collection->changes_view == WEIR_VIEW_NEW_AND_OLD_IMAGES && current != NULL;

    weir_change_write(
        &(struct weir_change){
            .op = ops[effect->kind],
            .collection = turn->source->collection->name,
            .key = turn->record->key,
            .request = turn->command.request,
            .version = effect->version,
            .ts_ms = turn->store->batch_ms,
            .before = with_before ? current->text : WEIR_BYTES_NULL,
            .after = effect->document,
        },
        &turn->store->event);
    return turn->store->event.failed ? WEIR_E_INTERNAL : 0;
}

/* The event, and behind that of a delete the null that lets compaction forget the key. */
static int emit_event(struct turn *turn, const struct weir_effect *effect, struct weir_error *err)
{
    struct weir_header headers[HEADERS_MAX];
    size_t count = change_headers(turn, effect, headers);
    struct weir_bytes values[] = {weir_buffer_bytes(&turn->store->event), WEIR_BYTES_NULL};
    size_t value_count = effect->kind == WEIR_EFFECT_DELETED ? 2 : 1;

    for (size_t i = 0; i < value_count; i++) {
        int r = turn->store->host->emit(turn->batch, turn->record, turn->source->changes_topic,
            turn->record->key, values[i], headers, count, err);
        if (r < 0)
            return r;
    }
    turn->store->batch_changes += value_count;
    return 0;
}

static int overlay_change(struct turn *turn, const struct weir_effect *effect, struct weir_bytes stored_key)
{
    struct weir_store *store = turn->store;

    if (effect->kind == WEIR_EFFECT_DELETED) {
        weir_db_overlay_delete(store->db, stored_key);
        return 0;
    }
    weir_document_write(
        &(struct weir_document){effect->version, store->batch_ms, turn->command.request, effect->document},
        &store->stored);
    if (store->stored.failed)
        return WEIR_E_INTERNAL;
    weir_db_overlay_put(store->db, stored_key, weir_buffer_bytes(&store->stored));
    return 0;
}

/* The overlay changes only after Kafka's size limit has let the event pass. */
static int carry_out(struct turn *turn, const struct weir_effect *effect, const struct weir_document *current,
    struct weir_bytes stored_key, struct weir_error *err)
{
    int r = write_event(turn, effect, current);
    if (r < 0)
        return weir_error_set(err, r, "out of memory");
    r = emit_event(turn, effect, err);
    if (r == WEIR_E_TOO_LARGE) {
        reject(turn, "too-large", "event", err != NULL ? err->text : "the change event is too large");
        return 0;
    }
    if (r < 0)
        return r;
    r = overlay_change(turn, effect, stored_key);
    return r < 0 ? weir_error_set(err, r, "out of memory") : finish(turn, effect);
}

static int emit_outcome(struct turn *turn, const char *outcome, const char *error, struct weir_error *err)
{
    struct weir_store *store = turn->store;
    const struct weir_record *record = turn->record;
    struct weir_header headers[HEADERS_MAX];
    size_t count = 0;

    find_origin(turn);
    weir_outcome_write(
        &(struct weir_outcome){turn->command.request, outcome, error, turn->at, store->batch_ms},
        &store->event);
    if (store->event.failed)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    add_header(headers, &count, WEIR_HEADER_ID, turn->command.request);
    add_header(headers, &count, WEIR_HEADER_CONTENT_TYPE, weir_bytes_str("application/json"));
    add_header(headers, &count, WEIR_HEADER_TRACEPARENT, turn->command.traceparent);
    return store->host->emit(turn->batch, record, turn->source->outcomes_topic, record->key,
        weir_buffer_bytes(&store->event), headers, count, err);
}

static int tell_outcome(struct turn *turn, const struct weir_effect *effect, struct weir_error *err)
{
    int r = emit_outcome(turn, weir_effect_name(effect->kind), effect->error, err);
    return r < 0 ? r : finish(turn, effect);
}

/* Reads the envelope; REFUSED effects for what can't be a command. */
static int read_command(struct turn *turn, struct weir_effect *effect)
{
    const struct weir_record *record = turn->record;

    int r = weir_command_check_key(&turn->source->rules, record->key, record->partition, effect);
    if (r < 0)
        return r;
    if (weir_command_read(turn->source->collection->name, record->headers, record->header_count,
            record->value.data != NULL, &turn->command, &effect->why) < 0) {
        effect->disposition = "invalid";
        effect->error_type = "command";
        return WEIR_E_INVALID;
    }
    if (turn->command.request.data == NULL)
        turn->command.request = derive_request(turn);
    return weir_command_check_request(turn->command.request, effect);
}

/* A document that can't be read stops its partition only: the others go on. */
static void wait_for_disk(struct turn *turn, const struct weir_error *why)
{
    turn->store->host->fail(turn->batch, turn->record, WEIR_WAIT,
        &(struct weir_reason){.error_type = "unreadable", .text = why->text});
}

static int execute(struct turn *turn, struct weir_error *err)
{
    struct weir_store *store = turn->store;
    const struct weir_record *record = turn->record;
    WEIR_CLEANUP(db_value) struct weir_db_value found = {0};
    struct weir_document current;
    struct weir_effect effect;
    struct weir_error unread;
    char key[WEIR_STORE_KEY_BYTES];

    if (read_command(turn, &effect) < 0) {
        reject(turn, effect.disposition, effect.error_type, effect.why.text);
        return 0;
    }
    struct weir_bytes stored_key =
        weir_key_write(WEIR_KEY_DOCUMENT, turn->source->number, record->partition, record->key, key);
    int r = weir_db_overlay_get(store->db, stored_key, &found, &unread);
    if (r == 0 && found.bytes.data != NULL)
        r = weir_document_read(found.bytes, &current, &unread);
    if (r < 0) {
        wait_for_disk(turn, &unread);
        return 0;
    }
    const struct weir_document *before = found.bytes.data != NULL ? &current : NULL;
    r = weir_command_apply(
        &turn->source->rules, &turn->command, record->key, record->value, before, &store->scratch, &effect);
    if (r < 0)
        return weir_error_set(err, r, "out of memory");
    switch (effect.kind) {
    case WEIR_EFFECT_CREATED:
    case WEIR_EFFECT_UPDATED:
    case WEIR_EFFECT_DELETED:
        return carry_out(turn, &effect, before, stored_key, err);
    case WEIR_EFFECT_UNCHANGED:
    case WEIR_EFFECT_REJECTED:
        return tell_outcome(turn, &effect, err);
    default:
        reject(turn, effect.disposition, effect.error_type, effect.why.text);
        return 0;
    }
}

static void wait_all(struct weir_store *store, struct weir_batch *batch, const struct weir_error *why)
{
    for (const struct weir_record *record; (record = store->host->next(batch)) != NULL;)
        store->host->fail(
            batch, record, WEIR_WAIT, &(struct weir_reason){.error_type = "disk-full", .text = why->text});
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
    r = 0;
    for (const struct weir_record *record; r == 0 && (record = store->host->next(batch)) != NULL;) {
        struct turn turn = {store, batch, record, .source = &store->sources[record->source]};
        r = execute(&turn, err);
    }
    return r;
}

/* What the outcome of a dead letter calls its request: the id it came with, as long as it is plain text. */
static struct weir_bytes lettered_request(struct turn *turn)
{
    const struct weir_record *record = turn->record;
    struct weir_bytes id = weir_header_find(record->headers, record->header_count, WEIR_HEADER_ID);

    for (size_t i = 0; i < id.len; i++)
        if (id.data[i] < 0x20 || id.data[i] > 0x7E)
            return derive_request(turn);
    return id.len > 0 && id.len <= WEIR_HEADER_VALUE_BYTES ? id : derive_request(turn);
}

void weir_store_dead_letter(void *instance, struct weir_batch *batch, const struct weir_record *record,
    const char *disposition, const struct weir_reason *why)
{
    struct weir_store *store = instance;
    struct turn turn = {store, batch, record, .source = &store->sources[record->source]};
    struct weir_error err;

    (void)why;
    turn.command.request = lettered_request(&turn);
    if (emit_outcome(&turn, "dead-lettered", disposition, &err) < 0)
        weir_store_log(store, WEIR_SAY_ERROR, "store.outcome.lost", "at=%s reason=%s", turn.at, err.text);
}
