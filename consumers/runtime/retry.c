#include "consumers/runtime/retry.h"

#include "common/clock.h"
#include "common/envelope.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { ADDED_MAX = 5 };

/* A state's own headers are replaced and never appended; nobody brings them along from the source. */
static const char *const own_headers[] = {
    WEIR_HEADER_ORIGIN,
    WEIR_HEADER_ATTEMPT,
    WEIR_HEADER_NOT_BEFORE,
    WEIR_HEADER_ERROR,
    WEIR_HEADER_DONE,
    WEIR_HEADER_ORIGINAL_TIMESTAMP,
};

static bool is_own_header(const char *name)
{
    for (size_t i = 0; i < sizeof(own_headers) / sizeof(own_headers[0]); i++)
        if (strcmp(own_headers[i], name) == 0)
            return true;
    return false;
}

/* ---- reading */

static struct weir_bytes header(const struct weir_record *record, const char *name)
{
    return weir_header_find(record->headers, record->header_count, name);
}

/* A number from 0 to most; `fallback` for what is none. */
static int64_t number(const struct weir_record *record, const char *name, int64_t most, int64_t fallback)
{
    struct weir_bytes text = header(record, name);
    int64_t value = 0;
    if (text.len == 0)
        return fallback;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return fallback;
        int digit = text.data[i] - '0';
        value = value > (most - digit) / 10 ? most : value * 10 + digit;
    }
    return value;
}

static struct weir_origin origin_of(
    const struct weir_record *record, char topic[static WEIR_TOPIC_NAME_BYTES])
{
    struct weir_origin origin = {weir_bytes_str(record->topic), record->partition, record->offset};
    if (weir_position_read(header(record, WEIR_HEADER_ORIGIN), topic, WEIR_TOPIC_NAME_BYTES,
            &origin.partition, &origin.offset, NULL) == 0)
        origin.topic = weir_bytes_str(topic);
    return origin;
}

#ifdef WEIR_MUTANT_ATTEMPTS_IN_MEMORY
static int64_t began_ms;

__attribute__((constructor)) static void note_start(void)
{
    began_ms = weir_clock_wall_ms();
}
/* The judge has to catch this one: what was counted before this process began is forgotten. Its own states
 * have no timestamp yet. */
#define IS_FORGOTTEN(record) ((record)->timestamp_ms > 0 && (record)->timestamp_ms < began_ms)
#else
#define IS_FORGOTTEN(record) false
#endif

static int32_t attempt_told(const struct weir_record *record)
{
    return IS_FORGOTTEN(record) ? 0 : (int32_t)number(record, WEIR_HEADER_ATTEMPT, INT32_MAX - 1, 0);
}

/* `topic` takes the origin's; everything else is borrowed from the record. */
static void read_state(const struct weir_record *record, int64_t latest_ms,
    char topic[static WEIR_TOPIC_NAME_BYTES], struct weir_state *ret_state)
{
    *ret_state = (struct weir_state){
        .origin = origin_of(record, topic),
        .offset = record->offset,
        .done = record->value.data == NULL && header(record, WEIR_HEADER_DONE).data != NULL,
        .attempt = attempt_told(record),
        .not_before_ms = number(record, WEIR_HEADER_NOT_BEFORE, latest_ms, 0),
        .timestamp_ms = number(record, WEIR_HEADER_ORIGINAL_TIMESTAMP, INT64_MAX, record->timestamp_ms),
        .key = record->key,
        .value = record->value,
        .headers = record->headers,
        .header_count = record->header_count,
    };
}

int weir_retry_take_in(struct weir_parking *parking, const struct weir_record *record, int64_t latest_ms)
{
    char topic[WEIR_TOPIC_NAME_BYTES];
    struct weir_state state;
    read_state(record, latest_ms, topic, &state);
    int rc = weir_parking_apply(parking, &state);
    if (rc == 0)
        weir_parking_read_to(parking, record->offset + 1);
    return rc;
}

/* ---- writing */

static void put(struct weir_emitted *state, const char *name, const char *text)
{
    state->headers[state->header_count++] = (struct weir_header){name, weir_bytes_str(text)};
}

/* NULL text: memory is out; told at the end by the arena's caller. */
static bool put_number(struct weir_emitted *state, struct weir_arena *arena, const char *name, int64_t value)
{
    const char *text = weir_arena_printf(arena, "%" PRId64, value);
    if (text != NULL)
        put(state, name, text);
    return text != NULL;
}

static bool put_origin(struct weir_emitted *state, struct weir_arena *arena)
{
    struct weir_origin origin = weir_slot_origin(state->cause);
    const char *text = weir_arena_printf(arena, "%.*s/%" PRId32 "/%" PRId64, (int)origin.topic.len,
        origin.topic.data, origin.partition, origin.offset);
    if (text != NULL)
        put(state, WEIR_HEADER_ORIGIN, text);
    return text != NULL;
}

static bool fits(const struct weir_emitted *state)
{
    return weir_batch_record_bytes(state->key, state->value, state->headers, state->header_count) <=
           state->target->limit_bytes;
}

/* "class: text"; left out where there is no room for it. */
static bool put_error(struct weir_emitted *state, struct weir_arena *arena)
{
    const struct weir_reason *why = &state->cause->why;
    const char *text = weir_arena_printf(arena, "%s: %s", why->error_type != NULL ? why->error_type : "error",
        why->text != NULL ? why->text : "");
    text = weir_arena_line(arena, text, WEIR_HEADER_VALUE_BYTES);
    if (text == NULL)
        return false;
    put(state, WEIR_HEADER_ERROR, text);
    state->header_count -= !fits(state);
    return true;
}

static int32_t attempt_of(const struct weir_slot *slot)
{
    return slot->record.executions + (slot->state == WEIR_SLOT_RETRY && !slot->deferred);
}

static struct weir_target *target_of(struct weir_batch *batch, const struct weir_slot *slot)
{
    return batch->port.target(batch->port.context, slot->partition->retry_topic);
}

static int begin(
    struct weir_batch *batch, struct weir_slot *slot, size_t headers, struct weir_emitted *ret_state)
{
    *ret_state =
        (struct weir_emitted){.cause = slot, .target = target_of(batch, slot), .key = slot->record.key};
    ret_state->headers = weir_arena_take(&batch->arena, (headers + ADDED_MAX) * sizeof(struct weir_header));
    return ret_state->target != NULL && ret_state->headers != NULL ? 0 : WEIR_E_INTERNAL;
}

static int make_state(
    struct weir_batch *batch, struct weir_slot *slot, int64_t now_ms, struct weir_emitted *ret_state)
{
    const struct weir_record *record = &slot->record;
    int rc = begin(batch, slot, record->header_count, ret_state);
    if (rc < 0)
        return rc;
    ret_state->value = record->value;
    for (size_t i = 0; i < record->header_count; i++)
        if (!is_own_header(record->headers[i].name))
            ret_state->headers[ret_state->header_count++] = record->headers[i];
    int32_t attempt = attempt_of(slot);
    bool whole = put_origin(ret_state, &batch->arena) &&
                 put_number(ret_state, &batch->arena, WEIR_HEADER_ATTEMPT, attempt) &&
                 put_number(ret_state, &batch->arena, WEIR_HEADER_ORIGINAL_TIMESTAMP, record->timestamp_ms);
    if (slot->state == WEIR_SLOT_RETRY) {
        int64_t delay_ms =
            slot->deferred ? slot->limit_ms : batch->port.delay_ms(batch->port.context, record->executions);
        whole = whole && put_number(ret_state, &batch->arena, WEIR_HEADER_NOT_BEFORE, now_ms + delay_ms) &&
                (slot->deferred || put_error(ret_state, &batch->arena));
    }
    return whole ? 0 : WEIR_E_INTERNAL;
}

static void keep_trace(struct weir_emitted *state, const struct weir_record *record)
{
    struct weir_bytes trace = header(record, WEIR_HEADER_TRACEPARENT);
    if (trace.data != NULL)
        state->headers[state->header_count++] = (struct weir_header){WEIR_HEADER_TRACEPARENT, trace};
}

static int make_end(struct weir_batch *batch, struct weir_slot *slot, struct weir_emitted *ret_state)
{
    int rc = begin(batch, slot, 0, ret_state);
    if (rc < 0)
        return rc;
    if (!put_origin(ret_state, &batch->arena))
        return WEIR_E_INTERNAL;
    put(ret_state, WEIR_HEADER_DONE, slot->state == WEIR_SLOT_DONE ? "done" : slot->why.disposition);
    keep_trace(ret_state, &slot->record);
    return 0;
}

static void bury_too_large(struct weir_batch *batch, struct weir_slot *slot, size_t limit_bytes)
{
    slot->state = WEIR_SLOT_DEAD;
    slot->why = (struct weir_reason){.disposition = WEIR_DISPOSITION_TOO_LARGE,
        .error_type = "retry",
        .text = weir_arena_printf(
            &batch->arena, "the retry topic takes no record of this size, at most %zu bytes", limit_bytes)};
}

int weir_retry_check(struct weir_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct weir_slot *slot = &batch->slots[i];
        struct weir_emitted state;
        if (!weir_slot_parks(slot))
            continue;
        if (make_state(batch, slot, INT64_MAX / 2, &state) < 0)
            return WEIR_E_INTERNAL;
        if (!fits(&state))
            bury_too_large(batch, slot, state.target->limit_bytes);
    }
    return 0;
}

int weir_retry_write(struct weir_batch *batch, int64_t now_ms)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct weir_slot *slot = &batch->slots[i];
        struct weir_emitted state;
        int rc = 0;
        if (weir_slot_parks(slot))
            rc = make_state(batch, slot, now_ms, &state);
        else if (slot->finished && slot->parked != NULL)
            rc = make_end(batch, slot, &state);
        else
            continue;
        if (rc == 0)
            rc = weir_batch_emit_own(batch, &state);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* ---- after the commit */

static int apply_one(const struct weir_emitted *emitted, int64_t offset)
{
    char topic[WEIR_TOPIC_NAME_BYTES];
    struct weir_state state;
    struct weir_partition *partition = emitted->cause->partition;
    const struct weir_record record = {
        .topic = partition->retry_topic,
        .partition = partition->partition,
        .offset = offset,
        .key = emitted->key,
        .value = emitted->value,
        .headers = emitted->headers,
        .header_count = emitted->header_count,
    };
    read_state(&record, INT64_MAX, topic, &state);
    if (emitted->cause->deferred)
        state.ticket = emitted->cause->ticket;
    return weir_parking_apply(&partition->parking, &state);
}

int weir_retry_apply(struct weir_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        weir_parking_untake(&batch->slots[i].partition->parking);
    for (size_t i = batch->plugin_count; i < batch->emitted_count; i++) {
        const struct weir_emitted *emitted = &batch->emitted[i];
        if (strcmp(emitted->target->name, emitted->cause->partition->retry_topic) != 0)
            continue;
        int rc = apply_one(emitted, batch->outputs[i].offset);
        if (rc < 0)
            return rc;
    }
    return 0;
}
