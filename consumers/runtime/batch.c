#include "consumers/runtime/batch.h"

#include "common/envelope.h"

#include "common/error.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TRACE_HEADER "traceparent"

enum { REASON_TEXT_BYTES = 1024, REASON_WORD_BYTES = 64 };

static const int64_t DEFER_MAX_MS = 7LL * 24 * 3600 * 1000;

int weir_batch_init(struct weir_batch *batch, size_t capacity, size_t bytes_max, int32_t attempts,
    const struct weir_batch_port *port)
{
    *batch = (struct weir_batch){
        .port = *port, .attempts = attempts, .capacity = capacity, .bytes_max = bytes_max};
    batch->slots = calloc(capacity, sizeof(*batch->slots));
    return batch->slots != NULL ? 0 : WEIR_E_INTERNAL;
}

static void release(struct weir_batch *batch, struct weir_slot *slot)
{
    if (slot->message != NULL)
        batch->port.release(batch->port.context, slot->message);
}

void weir_batch_done(struct weir_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        release(batch, &batch->slots[i]);
    free(batch->slots);
    weir_keys_done(&batch->waiting);
    free(batch->emitted);
    free(batch->outputs);
    weir_arena_done(&batch->arena);
    *batch = (struct weir_batch){0};
}

static size_t records_max(const struct weir_batch *batch)
{
    return batch->singles > 0 ? 1 : batch->capacity;
}

bool weir_batch_full(const struct weir_batch *batch)
{
    return batch->count >= records_max(batch) || batch->bytes >= batch->bytes_max;
}

static bool is_half_full(const struct weir_batch *batch)
{
    return 2 * batch->count >= records_max(batch) + 1 || 2 * batch->bytes >= batch->bytes_max;
}

struct weir_slot *weir_batch_add(struct weir_batch *batch, struct weir_partition *partition, void *message)
{
    struct weir_slot *slot = &batch->slots[batch->count++];
    slot->partition = partition;
    slot->parked = NULL;
    slot->message = message;
    return slot;
}

static bool is_redriven(const struct weir_state *state)
{
    return weir_header_find(state->headers, state->header_count, WEIR_HEADER_REDRIVE_COUNT).data != NULL;
}

/* A plugin sees a record where it stood first, when that is its own partition's source; one from elsewhere,
 * and a dead letter that was driven again, it sees where it stands on the retry topic: on the source topic a
 * client may have written any header. */
static void fill_parked(struct weir_slot *slot, const struct weir_parked *parked)
{
    const struct weir_partition *partition = slot->partition;
    const struct weir_state *state = &parked->state;
    bool local = weir_parking_is_local(&partition->parking, &state->origin) && !is_redriven(state);
    slot->record = (struct weir_record){
        .topic = local ? partition->topic : partition->retry_topic,
        .source = partition->source,
        .partition = partition->partition,
        .offset = local ? state->origin.offset : state->offset,
        .timestamp_ms = state->timestamp_ms,
        .key = state->key,
        .value = state->value,
        .headers = state->headers,
        .header_count = state->header_count,
        .ticket = state->ticket,
    };
}

size_t weir_batch_add_parked(
    struct weir_batch *batch, struct weir_partition *partition, int64_t now_ms, size_t most)
{
    size_t added = 0;
    while (added < most && !is_half_full(batch)) {
        struct weir_parked *parked = weir_parking_take(&partition->parking, now_ms);
        if (parked == NULL)
            break;
        struct weir_slot *slot = weir_batch_add(batch, partition, NULL);
        slot->parked = parked;
        fill_parked(slot, parked);
        batch->bytes += slot->record.key.len + slot->record.value.len;
        added++;
    }
    return added;
}

void weir_batch_drop_partition(struct weir_batch *batch, const struct weir_partition *partition)
{
    size_t kept = 0;
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->slots[i].partition == partition)
            release(batch, &batch->slots[i]);
        else
            batch->slots[kept++] = batch->slots[i];
    }
    batch->count = kept;
}

void weir_batch_begin(struct weir_batch *batch)
{
    batch->cursor = 0;
    batch->handed = batch->pending = 0;
    batch->burying = batch->any_dropped = false;
    weir_keys_clear(&batch->waiting);
    batch->emitted_count = batch->plugin_count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        struct weir_slot *slot = &batch->slots[i];
        slot->state = WEIR_SLOT_PENDING;
        slot->finished = slot->deferred = false;
        slot->output_count = 0;
        slot->partition->blocked = slot->partition->cut = slot->partition->moves = false;
        slot->partition->next = -1;
        slot->partition->in_batch = true;
    }
}

static struct weir_slot *slot_of(const struct weir_record *record)
{
    return (struct weir_slot *)(uintptr_t)record;
}

static int32_t executions_of(const struct weir_slot *slot)
{
    return slot->parked != NULL ? slot->parked->state.attempt : 0;
}

/* Whether the record would overtake one of its key that waits, in this batch or in the parking. */
static bool is_behind(const struct weir_batch *batch, const struct weir_slot *slot)
{
    const struct weir_partition *partition = slot->partition;
    if (!partition->parking.by_key || slot->record.key.data == NULL)
        return false;
    return weir_keys_has(&batch->waiting, partition, slot->record.key) ||
           (slot->parked == NULL && weir_parking_blocks(&partition->parking, slot->record.key));
}

/* Without memory for it a later record of the key would overtake this one. */
static void make_wait(struct weir_batch *batch, const struct weir_slot *slot)
{
    if (slot->record.key.data != NULL &&
        weir_keys_add(&batch->waiting, slot->partition, slot->record.key) < 0)
        abort();
}

static const struct weir_reason undecodable = {
    .disposition = WEIR_DISPOSITION_INVALID, .error_type = "headers", .text = "the headers can't be decoded"};

static const struct weir_reason crashed = {.disposition = WEIR_DISPOSITION_CRASHED,
    .error_type = "crashed",
    .text = "the process ended each time it executed this record"};

static void bury(struct weir_slot *slot, const struct weir_reason *why)
{
    slot->state = WEIR_SLOT_DEAD;
    slot->why = *why;
}

static void hand_out(struct weir_batch *batch, struct weir_slot *slot)
{
    slot->state = WEIR_SLOT_HANDED;
    weir_crash_note_executing(batch->note, &slot->record, ++batch->pending);
}

static int decode(struct weir_batch *batch, struct weir_slot *slot)
{
    return slot->parked != NULL ? 0 : batch->port.decode(batch->port.context, slot, &batch->arena);
}

const struct weir_record *weir_batch_next(struct weir_batch *batch)
{
    while (batch->cursor < batch->count) {
        struct weir_slot *slot = &batch->slots[batch->cursor++];
        slot->record.executions = executions_of(slot);
        if (slot->partition->blocked || is_behind(batch, slot))
            continue;
        slot->record.index = batch->handed++;
        int rc = decode(batch, slot);
        if (rc == WEIR_E_INTERNAL)
            return NULL; /* no memory for more: the rest is handed out again */
        if (rc < 0) {
            bury(slot, &undecodable);
            continue;
        }
        if (weir_crash_note_count(batch->note, &slot->record) >= WEIR_CRASHES_MAX) {
            bury(slot, &crashed);
            continue;
        }
        hand_out(batch, slot);
        return &slot->record;
    }
    return NULL;
}

void weir_batch_record_done(struct weir_batch *batch, const struct weir_record *record)
{
    struct weir_slot *slot = slot_of(record);
    if (slot->state != WEIR_SLOT_HANDED)
        return;
    slot->state = WEIR_SLOT_DONE;
    batch->pending--;
}

/* The last of the list are the record's own when plugins handle one record after the other: then the list is
 * cut. */
static void drop_emitted(struct weir_batch *batch, struct weir_slot *slot)
{
    while (slot->output_count > 0 && batch->emitted[batch->emitted_count - 1].cause == slot) {
        batch->emitted_count--;
        slot->output_count -= !batch->emitted[batch->emitted_count].dropped;
    }
    for (size_t i = batch->emitted_count; slot->output_count > 0 && i-- > 0;) {
        if (batch->emitted[i].cause == slot && !batch->emitted[i].dropped) {
            batch->emitted[i].dropped = batch->any_dropped = true;
            slot->output_count--;
        }
    }
}

static struct weir_reason reason_keep(struct weir_arena *arena, const struct weir_reason *why)
{
    if (why == NULL)
        return (struct weir_reason){0};
    return (struct weir_reason){
        .disposition = weir_arena_text(arena, why->disposition, REASON_WORD_BYTES),
        .error_type = weir_arena_text(arena, why->error_type, REASON_WORD_BYTES),
        .text = weir_arena_text(arena, why->text, REASON_TEXT_BYTES),
    };
}

static enum weir_slot_state state_of_verdict(
    const struct weir_batch *batch, const struct weir_slot *slot, enum weir_verdict verdict)
{
    switch (verdict) {
    case WEIR_DONE:
        return WEIR_SLOT_DONE;
    case WEIR_WAIT:
        return WEIR_SLOT_WAIT;
    case WEIR_RETRY:
        return executions_of(slot) + 1 >= batch->attempts ? WEIR_SLOT_DEAD : WEIR_SLOT_RETRY;
    case WEIR_REJECT:
        break;
    }
    return WEIR_SLOT_DEAD;
}

void weir_batch_record_fail(struct weir_batch *batch, const struct weir_record *record,
    enum weir_verdict verdict, const struct weir_reason *why)
{
    struct weir_slot *slot = slot_of(record);
    if (slot->state != WEIR_SLOT_HANDED && slot->state != WEIR_SLOT_DONE)
        return;
    batch->pending -= slot->state == WEIR_SLOT_HANDED;
    slot->state = state_of_verdict(batch, slot, verdict);
    if (slot->state == WEIR_SLOT_DONE)
        return;
    drop_emitted(batch, slot);
    slot->why = reason_keep(&batch->arena, why);
    if (verdict == WEIR_RETRY)
        slot->why.disposition = WEIR_DISPOSITION_MAX_ATTEMPTS;
    else if (slot->why.disposition == NULL)
        slot->why.disposition = WEIR_DISPOSITION_INVALID;
    slot->partition->blocked |= slot->state == WEIR_SLOT_WAIT;
    if (slot->state == WEIR_SLOT_RETRY)
        make_wait(batch, slot);
}

int weir_batch_defer(
    struct weir_batch *batch, const struct weir_record *record, int64_t limit_ms, uint64_t *ret_ticket)
{
    struct weir_slot *slot = slot_of(record);
    if (slot->state != WEIR_SLOT_HANDED || limit_ms < 1 || limit_ms > DEFER_MAX_MS)
        return WEIR_E_USAGE;
    batch->pending--;
    drop_emitted(batch, slot);
    slot->state = WEIR_SLOT_RETRY;
    slot->why = (struct weir_reason){0};
    slot->deferred = true;
    slot->limit_ms = limit_ms;
    slot->ticket = *ret_ticket = ++batch->last_ticket;
    make_wait(batch, slot);
    return 0;
}

size_t weir_batch_record_bytes(
    struct weir_bytes key, struct weir_bytes value, const struct weir_header *headers, size_t header_count)
{
    size_t bytes = WEIR_RECORD_OVERHEAD_BYTES + key.len + value.len;
    for (size_t i = 0; i < header_count; i++)
        bytes += WEIR_HEADER_OVERHEAD_BYTES + strlen(headers[i].name) + headers[i].value.len;
    return bytes;
}

static int reserve(struct weir_batch *batch)
{
    if (batch->emitted_count < batch->emitted_capacity)
        return 0;
    size_t capacity = batch->emitted_capacity != 0 ? batch->emitted_capacity * 2 : 256;
    struct weir_emitted *emitted = reallocarray(batch->emitted, capacity, sizeof(*emitted));
    if (emitted == NULL)
        return WEIR_E_INTERNAL;
    batch->emitted = emitted;
    struct weir_output *outputs = reallocarray(batch->outputs, capacity, sizeof(*outputs));
    if (outputs == NULL)
        return WEIR_E_INTERNAL;
    batch->outputs = outputs;
    batch->emitted_capacity = capacity;
    return 0;
}

/* key, value and headers copied into one piece of the arena. */
static int keep(struct weir_arena *arena, struct weir_emitted *to, struct weir_bytes key,
    struct weir_bytes value, const struct weir_header *headers, size_t header_count)
{
    size_t text = key.len + value.len;
    for (size_t i = 0; i < header_count; i++)
        text += strlen(headers[i].name) + 1 + headers[i].value.len;
    char *at = weir_arena_take(arena, header_count * sizeof(*headers) + text);
    if (at == NULL)
        return WEIR_E_INTERNAL;
    to->headers = (struct weir_header *)(void *)at;
    to->header_count = header_count;
    at += header_count * sizeof(*headers);
    to->key = (struct weir_bytes){key.data != NULL ? at : NULL, key.len};
    at = (char *)memcpy(at, key.data != NULL ? key.data : "", key.len) + key.len;
    to->value = (struct weir_bytes){value.data != NULL ? at : NULL, value.len};
    at = (char *)memcpy(at, value.data != NULL ? value.data : "", value.len) + value.len;
    for (size_t i = 0; i < header_count; i++) {
        size_t name_size = strlen(headers[i].name) + 1;
        struct weir_bytes from = headers[i].value;
        to->headers[i].name = memcpy(at, headers[i].name, name_size);
        at += name_size;
        to->headers[i].value = (struct weir_bytes){from.data != NULL ? at : NULL, from.len};
        at = (char *)memcpy(at, from.data != NULL ? from.data : "", from.len) + from.len;
    }
    return 0;
}

static void push(struct weir_batch *batch, const struct weir_emitted *record)
{
    batch->outputs[batch->emitted_count] = (struct weir_output){
        .cause = record->cause->record.index,
        .topic = record->target->name,
        .partition = record->cause->record.partition,
        .offset = -1,
    };
    batch->emitted[batch->emitted_count++] = *record;
    record->cause->output_count++;
}

static bool may_emit(const struct weir_batch *batch, const struct weir_slot *slot)
{
    if (batch->burying)
        return slot->state == WEIR_SLOT_DEAD;
    return slot->state == WEIR_SLOT_HANDED || slot->state == WEIR_SLOT_DONE;
}

static int queue(struct weir_batch *batch, struct weir_slot *cause, const char *topic, struct weir_bytes key,
    struct weir_bytes value, const struct weir_header *headers, size_t header_count, struct weir_error *err)
{
    struct weir_emitted record = {.cause = cause};
    record.target = batch->port.target(batch->port.context, topic);
    if (record.target == NULL || reserve(batch) < 0)
        return weir_error_set(err, WEIR_E_INTERNAL, "memory is out");
    size_t bytes = weir_batch_record_bytes(key, value, headers, header_count);
    if (bytes > record.target->limit_bytes)
        return weir_error_set(err, WEIR_E_TOO_LARGE, "a record of %zu bytes for %s, which takes %zu", bytes,
            topic, record.target->limit_bytes);
    if (keep(&batch->arena, &record, key, value, headers, header_count) < 0)
        return weir_error_set(err, WEIR_E_INTERNAL, "memory is out");
    push(batch, &record);
    return (int)batch->emitted_count - 1;
}

static const struct weir_header *find_trace(const struct weir_header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(headers[i].name, TRACE_HEADER) == 0)
            return &headers[i];
    return NULL;
}

/* The trace of the cause goes along (W3C Trace Context) unless the plugin goes on with one of its own. */
static const struct weir_header *add_trace(struct weir_arena *arena, const struct weir_record *cause,
    const struct weir_header *headers, size_t *header_count)
{
    const struct weir_header *trace = find_trace(cause->headers, cause->header_count);
    if (trace == NULL || find_trace(headers, *header_count) != NULL)
        return headers;
    struct weir_header *all = weir_arena_take(arena, (*header_count + 1) * sizeof(*all));
    if (all == NULL)
        return headers;
    for (size_t i = 0; i < *header_count; i++)
        all[i] = headers[i];
    all[(*header_count)++] = *trace;
    return all;
}

int weir_batch_emit(struct weir_batch *batch, const struct weir_record *cause, const char *topic,
    struct weir_bytes key, struct weir_bytes value, const struct weir_header *headers, size_t header_count,
    struct weir_error *err)
{
    if (batch->ticking)
        return weir_error_set(err, WEIR_E_USAGE, "emit() in tick, where there is no record: emit_at()");
    if (!may_emit(batch, slot_of(cause)))
        return weir_error_set(err, WEIR_E_USAGE, "emit() for a record that has failed");
    headers = add_trace(&batch->arena, cause, headers, &header_count);
    return queue(batch, slot_of(cause), topic, key, value, headers, header_count, err);
}

/* What stands for the record that there is not: its position is the partition's, and finished. */
static struct weir_slot *place_of(struct weir_batch *batch, struct weir_partition *partition)
{
    if (batch->emitted_count > 0 && batch->emitted[batch->emitted_count - 1].cause->partition == partition)
        return batch->emitted[batch->emitted_count - 1].cause;
    struct weir_slot *place = weir_arena_take(&batch->arena, sizeof(*place));
    if (place == NULL)
        return NULL;
    *place = (struct weir_slot){.partition = partition, .state = WEIR_SLOT_DONE, .finished = true};
    place->record.source = partition->source;
    place->record.partition = partition->partition;
    place->record.index = WEIR_NO_RECORD;
    partition->in_batch = partition->moves = true;
    partition->next = partition->position;
    return place;
}

int weir_batch_emit_at(struct weir_batch *batch, uint32_t source, int32_t partition, const char *topic,
    struct weir_bytes key, struct weir_bytes value, const struct weir_header *headers, size_t header_count,
    struct weir_error *err)
{
    if (!batch->ticking)
        return weir_error_set(err, WEIR_E_USAGE, "emit_at() outside of tick");
    struct weir_partition *owned = batch->port.partition(batch->port.context, source, partition);
    if (owned == NULL)
        return weir_error_set(err, WEIR_E_NOT_FOUND,
            "partition %" PRId32 " of source %" PRIu32 " is not this instance's", partition, source);
    struct weir_slot *place = place_of(batch, owned);
    if (place == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "memory is out");
    return queue(batch, place, topic, key, value, headers, header_count, err);
}

/* To a partition number other than that of its cause. */
static int move_to(struct weir_batch *batch, int at, int32_t to)
{
    batch->emitted[at].placed = true;
    batch->emitted[at].to = batch->outputs[at].partition = to;
    return at;
}

int weir_batch_emit_to(struct weir_batch *batch, uint32_t source, int32_t partition, const char *topic,
    int32_t to, struct weir_bytes key, struct weir_bytes value, const struct weir_header *headers,
    size_t header_count, struct weir_error *err)
{
    int at = weir_batch_emit_at(batch, source, partition, topic, key, value, headers, header_count, err);
    return at < 0 ? at : move_to(batch, at, to);
}

int weir_batch_emit_across(struct weir_batch *batch, const struct weir_record *cause, const char *topic,
    int32_t to, struct weir_bytes key, struct weir_bytes value, const struct weir_header *headers,
    size_t header_count, struct weir_error *err)
{
    int at = weir_batch_emit(batch, cause, topic, key, value, headers, header_count, err);
    return at < 0 ? at : move_to(batch, at, to);
}

void weir_batch_begin_tick(struct weir_batch *batch)
{
    weir_batch_begin(batch);
    batch->ticking = true;
}

size_t weir_batch_end_tick(struct weir_batch *batch)
{
    batch->ticking = false;
    return batch->plugin_count = batch->emitted_count;
}

int weir_batch_emit_own(struct weir_batch *batch, const struct weir_emitted *record)
{
    if (reserve(batch) < 0)
        return WEIR_E_INTERNAL;
    push(batch, record);
    return 0;
}

/* A record without a verdict stops what comes behind it: the rest of the source, or if it is parked, its key.
 */
static bool settle_unreached(struct weir_batch *batch, struct weir_slot *slot)
{
    if (slot->parked != NULL)
        make_wait(batch, slot);
    else
        slot->partition->cut = true;
    return false;
}

/* A source's record that is behind a parked one is parked itself, which ends its way as far as the source
 * goes; it may yet have to be decoded. A parked one stays as it is. */
static bool settle_follower(struct weir_batch *batch, struct weir_slot *slot)
{
    bool reached = slot->state != WEIR_SLOT_PENDING;
    slot->state = WEIR_SLOT_FOLLOWER;
    drop_emitted(batch, slot);
    if (slot->parked != NULL)
        return false;
    if (reached)
        return true;
    slot->record.index = batch->handed++;
    int rc = decode(batch, slot);
    if (rc == WEIR_E_INTERNAL)
        return settle_unreached(batch, slot);
    if (rc < 0)
        bury(slot, &undecodable);
    return true;
}

static bool settle_by_verdict(struct weir_batch *batch, struct weir_slot *slot)
{
    switch (slot->state) {
    case WEIR_SLOT_WAIT:
        slot->partition->cut = true;
        return false;
    case WEIR_SLOT_PENDING:
    case WEIR_SLOT_HANDED:
        return settle_unreached(batch, slot);
    case WEIR_SLOT_RETRY:
        make_wait(batch, slot);
        return true;
    default:
        return true;
    }
}

static void settle_slot(struct weir_batch *batch, struct weir_slot *slot)
{
    struct weir_partition *partition = slot->partition;
    if (partition->cut)
        return;
    bool follows = slot->state != WEIR_SLOT_WAIT && is_behind(batch, slot);
    slot->finished = follows ? settle_follower(batch, slot) : settle_by_verdict(batch, slot);
    partition->moves |= slot->finished;
    if (slot->parked != NULL)
        slot->parked->leaving = slot->finished;
    else if (slot->finished)
        partition->next = slot->record.offset + 1;
}

static bool counts(const struct weir_slot *slot)
{
    return slot->finished && (slot->state == WEIR_SLOT_DONE || slot->state == WEIR_SLOT_DEAD);
}

/* Only what is going to be committed stays, in its order. */
static void keep_finished(struct weir_batch *batch)
{
    size_t kept = 0;
    for (size_t i = 0; i < batch->emitted_count; i++) {
        if (batch->emitted[i].dropped || !counts(batch->emitted[i].cause))
            continue;
        batch->emitted[kept] = batch->emitted[i];
        batch->outputs[kept++] = batch->outputs[i];
    }
    batch->emitted_count = kept;
}

size_t weir_batch_settle(struct weir_batch *batch)
{
    size_t finished = 0;
    weir_keys_clear(&batch->waiting); /* verdicts came in any order; what follows goes by the records' */
    for (size_t i = 0; i < batch->count; i++) {
        settle_slot(batch, &batch->slots[i]);
        finished += batch->slots[i].finished;
    }
    if (finished < batch->count || batch->any_dropped)
        keep_finished(batch);
    batch->burying = true;
    return finished;
}

void weir_batch_settle_none(struct weir_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        batch->slots[i].finished = false;
        batch->slots[i].partition->next = -1;
        batch->slots[i].partition->moves = false;
        batch->slots[i].partition->cut = true;
    }
    batch->emitted_count = batch->plugin_count = 0;
}

/* Backwards, so that the first record ends at the front. Without memory for the queue the process can't keep
 * its promise in any other way than by starting again from the committed offsets. */
static void give_back(struct weir_slot *slot)
{
    if (weir_held_push_front(&slot->partition->held, slot->message) < 0)
        abort();
}

void weir_batch_end(struct weir_batch *batch, bool committed)
{
    for (size_t i = batch->count; i-- > 0;) {
        struct weir_slot *slot = &batch->slots[i];
        if (slot->parked != NULL)
            weir_parking_untake(&slot->partition->parking);
        if (committed && slot->finished) {
            weir_crash_note_forget(batch->note, &slot->record);
            batch->singles -= batch->singles > 0;
            release(batch, slot);
        } else if (slot->parked == NULL) {
            give_back(slot);
        }
    }
    batch->count = batch->bytes = 0;
    batch->emitted_count = batch->plugin_count = 0;
    weir_arena_reset(&batch->arena);
}
