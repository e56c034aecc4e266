/* What a command leaves on the topics. */
#include "consumers/plugins/store/change.h"
#include "consumers/plugins/store/continuity.h"
#include "consumers/plugins/store/turn.h"

#include <inttypes.h>

enum { HEADERS_MAX = 10 };

struct headers {
    struct weir_header all[HEADERS_MAX];
    size_t count;
    char redrive_count[12], accepted[24];
};

static void add(struct headers *headers, const char *name, struct weir_bytes value)
{
    if (value.data != NULL)
        headers->all[headers->count++] = (struct weir_header){name, value};
}

static void add_accepted(const struct weir_turn *turn, struct headers *headers)
{
    char *end = headers->accepted + sizeof(headers->accepted), *at = end;

    if (turn->record->timestamp_ms < 0)
        return;
    for (int64_t left = turn->record->timestamp_ms; at == end || left > 0; left /= 10)
        *--at = (char)('0' + left % 10);
    add(headers, WEIR_HEADER_ORIGINAL_TIMESTAMP, weir_bytes(at, (size_t)(end - at)));
}

/* What a restored ending is made of, beside the value. */
static void add_request(const struct weir_turn *turn, struct headers *headers)
{
    const struct weir_command *command = &turn->command;

    add(headers, WEIR_HEADER_ID, command->request);
    add(headers, WEIR_HEADER_CONTENT_TYPE, weir_bytes_str("application/json"));
    add(headers, WEIR_HEADER_FINGERPRINT, command->fingerprint);
    add(headers, WEIR_HEADER_TRACEPARENT, command->traceparent);
    add_accepted(turn, headers);
    if (command->redrive_count == 0)
        return;
    snprintf(headers->redrive_count, sizeof(headers->redrive_count), "%" PRId64, command->redrive_count);
    add(headers, WEIR_HEADER_REDRIVE_COUNT, weir_bytes_str(headers->redrive_count));
}

/* Into store->event; `current` goes along where the collection's view asks for it. */
static int write_change(struct weir_store *store, const struct weir_source *source, struct weir_change change,
    const struct weir_document *current)
{
    bool with_before = source->collection->changes_view == WEIR_VIEW_NEW_AND_OLD_IMAGES && current != NULL;

    change.collection = source->collection->name;
    change.ts_ms = store->batch_ms;
    change.before = with_before ? current->text : WEIR_BYTES_NULL;
    weir_change_write(&change, &store->event);
    return store->event.failed ? WEIR_E_INTERNAL : 0;
}

static int write_event(
    struct weir_turn *turn, const struct weir_effect *effect, const struct weir_document *current)
{
    static const char ops[] = {
        [WEIR_EFFECT_CREATED] = 'c', [WEIR_EFFECT_UPDATED] = 'u', [WEIR_EFFECT_DELETED] = 'd'};

    return write_change(turn->store, turn->source,
        (struct weir_change){
            .op = ops[effect->kind],
            .key = turn->record->key,
            .request = turn->command.request,
            .version = effect->version,
            .after = effect->document,
        },
        current);
}

static int emit(struct weir_turn *turn, const char *topic, struct weir_bytes value,
    const struct headers *headers, struct weir_error *err)
{
    int r = turn->store->host->emit(
        turn->batch, turn->record, topic, turn->record->key, value, headers->all, headers->count, err);
    if (r >= 0)
        turn->store->batch_outputs++;
    return r < 0 ? r : 0;
}

int weir_emit_change(struct weir_turn *turn, const struct weir_effect *effect,
    const struct weir_document *current, struct weir_error *err)
{
    struct headers headers = {.count = 0};

    int r = write_event(turn, effect, current);
    if (r < 0)
        return weir_error_set(err, r, "out of memory");
    add(&headers, WEIR_HEADER_TYPE, weir_bytes_str(turn->source->ce_types[effect->kind]));
    add(&headers, WEIR_HEADER_SUBJECT, turn->record->key);
    add(&headers, WEIR_HEADER_TIME, weir_bytes_str(turn->store->batch_time));
    add(&headers, WEIR_HEADER_ORIGIN, weir_bytes_str(turn->at));
    add_request(turn, &headers);
    r = emit(turn, turn->source->changes_topic, weir_buffer_bytes(&turn->store->event), &headers, err);
    if (r == 0 && effect->kind == WEIR_EFFECT_DELETED)
        r = emit(turn, turn->source->changes_topic, WEIR_BYTES_NULL, &headers, err);
    if (r == 0)
        turn->source->partitions[turn->record->partition].emitted_hash =
            weir_continuity_hash(turn->record->key, turn->command.request);
    return r;
}

static int emit_at(struct weir_store *store, struct weir_batch *batch, const struct weir_source *source,
    int32_t partition, struct weir_bytes key, struct weir_bytes value, const struct headers *headers,
    struct weir_error *err)
{
    int r = store->host->emit_at(batch, (uint32_t)(source - store->sources), partition, source->changes_topic,
        key, value, headers->all, headers->count, err);
    if (r >= 0)
        store->batch_outputs++;
    return r < 0 ? r : 0;
}

int weir_emit_expiry(struct weir_store *store, struct weir_batch *batch, const struct weir_source *source,
    int32_t partition, struct weir_bytes key, const struct weir_document *document, struct weir_error *err)
{
    static const char reason[] = "ttl";
    struct headers headers = {.count = 0};
    char request[WEIR_ID_BYTES];

    /* The same when it is tried again, and another for each change that expires. */
    weir_id_v5((const struct weir_bytes[]){weir_bytes_str(reason), document->request}, 2, request);
    int r = write_change(store, source,
        (struct weir_change){.op = 'd',
            .key = key,
            .request = weir_bytes_str(request),
            .version = document->version + 1,
            .reason = reason},
        document);
    if (r < 0)
        return weir_error_set(err, r, "out of memory");
    add(&headers, WEIR_HEADER_TYPE, weir_bytes_str(source->ce_types[WEIR_EFFECT_DELETED]));
    add(&headers, WEIR_HEADER_SUBJECT, key);
    add(&headers, WEIR_HEADER_TIME, weir_bytes_str(store->batch_time));
    add(&headers, WEIR_HEADER_ID, weir_bytes_str(request));
    add(&headers, WEIR_HEADER_CONTENT_TYPE, weir_bytes_str("application/json"));
    add(&headers, WEIR_HEADER_REASON, weir_bytes_str(reason));
    r = emit_at(store, batch, source, partition, key, weir_buffer_bytes(&store->event), &headers, err);
    if (r == 0)
        r = emit_at(store, batch, source, partition, key, WEIR_BYTES_NULL, &headers, err);
    if (r == 0)
        source->partitions[partition].emitted_hash = weir_continuity_hash(key, weir_bytes_str(request));
    return r;
}

int weir_emit_outcome(struct weir_turn *turn, const char *outcome, const char *error,
    struct weir_bytes problem, const char *first, struct weir_error *err)
{
    struct weir_store *store = turn->store;
    struct headers headers = {.count = 0};

    weir_outcome_write(&(struct weir_outcome){turn->command.request, outcome, error, turn->at, first,
                           store->batch_ms, problem},
        &store->event);
    if (store->event.failed)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    add_request(turn, &headers);
    return emit(turn, turn->source->outcomes_topic, weir_buffer_bytes(&store->event), &headers, err);
}
