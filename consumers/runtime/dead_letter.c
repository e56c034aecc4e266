#include "consumers/runtime/dead_letter.h"

#include "common/cleanup.h"
#include "common/envelope.h"
#include "common/log.h"
#include "common/service.h"
#include "common/topic.h"
#include "consumers/runtime/record.h"
#include "consumers/runtime/runtime.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum { ADDED_MAX = 12, CUT_TEXT_BYTES = 320, TIMESTAMP_BYTES = 20 };

/* What a letter says anew, or what the retry topic said of the record: headers of these names are not kept.
 */
static const char *const replaced_names[] = {
    WEIR_HEADER_DLQ_TOPIC,
    WEIR_HEADER_DLQ_PARTITION,
    WEIR_HEADER_DLQ_OFFSET,
    WEIR_HEADER_DLQ_GROUP,
    WEIR_HEADER_DLQ_DELIVERY_COUNT,
    WEIR_HEADER_DLQ_MESSAGE,
    WEIR_HEADER_DISPOSITION,
    WEIR_HEADER_ERROR_TYPE,
    WEIR_HEADER_ORIGINAL_TIMESTAMP,
    WEIR_HEADER_CUT,
    WEIR_HEADER_ORIGIN,
    WEIR_HEADER_ATTEMPT,
    WEIR_HEADER_NOT_BEFORE,
    WEIR_HEADER_ERROR,
    WEIR_HEADER_DONE,
};

/* Whose record it was: kept before all others when there is not room for all. */
static const char *const identity_names[] = {WEIR_HEADER_ID, WEIR_HEADER_TYPE, WEIR_HEADER_REDRIVE_COUNT,
    WEIR_HEADER_TRACEPARENT, WEIR_HEADER_PRINCIPAL, WEIR_HEADER_CONTENT_TYPE};

#define NAMED(name, names) is_named(name, names, sizeof(names) / sizeof(names[0]))

static bool is_named(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* A letter in the making: what it adds stands apart, so that it is known how much room is left. */
struct draft {
    struct weir_arena *arena;
    const struct weir_record *record;
    struct weir_emitted letter;
    struct weir_header added[ADDED_MAX];
    size_t added_count;
    size_t left_bytes; /* when it has to be cut */
    size_t left_out;   /* headers */
};

static void put(struct draft *draft, const char *name, const char *text)
{
    draft->added[draft->added_count++] = (struct weir_header){name, weir_bytes_str(text != NULL ? text : "")};
}

/* A reason may quote what came in: a header's value is one line of UTF-8. */
static void put_text(struct draft *draft, const char *name, const char *text)
{
    put(draft, name, weir_arena_line(draft->arena, text != NULL ? text : "", WEIR_HEADER_VALUE_BYTES));
}

/* A retried or redriven record tells where it came from first; on the source topic itself that is nobody's to
 * tell. */
static bool is_retried(const struct weir_record *record, const char *source)
{
    return strcmp(record->topic, source) != 0;
}

static void put_origin(struct draft *draft, const char *source)
{
    const struct weir_record *record = draft->record;
    struct weir_bytes told = weir_header_find(record->headers, record->header_count, WEIR_HEADER_ORIGIN);
    char topic[WEIR_TOPIC_NAME_BYTES];
    int32_t partition = record->partition;
    int64_t offset = record->offset;

    if (!is_retried(record, source) ||
        weir_position_read(told, topic, sizeof(topic), &partition, &offset, NULL) < 0)
        snprintf(topic, sizeof(topic), "%s", record->topic);
    put(draft, WEIR_HEADER_DLQ_TOPIC, weir_arena_text(draft->arena, topic, sizeof(topic)));
    put(draft, WEIR_HEADER_DLQ_PARTITION, weir_arena_printf(draft->arena, "%" PRId32, partition));
    put(draft, WEIR_HEADER_DLQ_OFFSET, weir_arena_printf(draft->arena, "%" PRId64, offset));
}

/* When the record came first: its second letter tells the same as the first one. */
static void put_timestamp(struct draft *draft, const char *source)
{
    const struct weir_record *record = draft->record;
    struct weir_bytes told =
        weir_header_find(record->headers, record->header_count, WEIR_HEADER_ORIGINAL_TIMESTAMP);
    char text[TIMESTAMP_BYTES + 1];

    if (is_retried(record, source) && told.len > 0 && told.len <= TIMESTAMP_BYTES)
        snprintf(text, sizeof(text), "%.*s", (int)told.len, told.data);
    else
        snprintf(text, sizeof(text), "%" PRId64, record->timestamp_ms);
    put_text(draft, WEIR_HEADER_ORIGINAL_TIMESTAMP, text);
}

static void put_added(struct draft *draft, const char *source, const char *group)
{
    const struct weir_record *record = draft->record;
    const struct weir_reason *why = &draft->letter.cause->why;

    put_origin(draft, source);
    put(draft, WEIR_HEADER_DLQ_GROUP, group);
    put(draft, WEIR_HEADER_DLQ_DELIVERY_COUNT,
        weir_arena_printf(draft->arena, "%" PRId32, record->executions + 1));
    put_text(draft, WEIR_HEADER_DLQ_MESSAGE, why->text);
    put_text(draft, WEIR_HEADER_DISPOSITION, why->disposition);
    put_text(draft, WEIR_HEADER_ERROR_TYPE, why->error_type);
    put_timestamp(draft, source);
    if (weir_header_find(record->headers, record->header_count, WEIR_HEADER_REDRIVE_COUNT).data == NULL)
        put(draft, WEIR_HEADER_REDRIVE_COUNT, "0");
}

static size_t header_bytes(const struct weir_header *header)
{
    return weir_batch_record_bytes(WEIR_BYTES_NULL, WEIR_BYTES_NULL, header, 1) -
           weir_batch_record_bytes(WEIR_BYTES_NULL, WEIR_BYTES_NULL, NULL, 0);
}

static void keep(struct draft *draft, const struct weir_header *header)
{
    draft->letter.headers[draft->letter.header_count++] = *header;
}

static void keep_if_room(struct draft *draft, const struct weir_header *header)
{
    size_t bytes = header_bytes(header);

    if (bytes > draft->left_bytes) {
        draft->left_out++;
        return;
    }
    draft->left_bytes -= bytes;
    keep(draft, header);
}

static void say_cut(struct weir_buffer *out, const char *what, struct weir_bytes bytes)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned int len = 0;

    EVP_Digest(bytes.data, bytes.len, sum, &len, EVP_sha256(), NULL);
    weir_buffer_printf(out, "%s%s of %zu bytes left out, sha256=", out->len > 0 ? "; " : "", what, bytes.len);
    for (unsigned int i = 0; i < len; i++)
        weir_buffer_printf(out, "%02x", sum[i]);
}

static size_t base_bytes(const struct draft *draft)
{
    return CUT_TEXT_BYTES +
           weir_batch_record_bytes(WEIR_BYTES_NULL, WEIR_BYTES_NULL, draft->added, draft->added_count);
}

/* What a topic with an absurd limit takes is a letter without the sentence. */
static void make_room(struct draft *draft)
{
    size_t limit = draft->letter.target->limit_bytes;

    for (size_t i = 0; i < draft->added_count && base_bytes(draft) > limit; i++)
        if (strcmp(draft->added[i].name, WEIR_HEADER_DLQ_MESSAGE) == 0)
            draft->added[i].value.len = 0;
    draft->left_bytes = limit > base_bytes(draft) ? limit - base_bytes(draft) : 0;
}

static void take_if_room(
    struct draft *draft, struct weir_bytes *part, const char *what, struct weir_buffer *text)
{
    if (part->len <= draft->left_bytes) {
        draft->left_bytes -= part->len;
        return;
    }
    say_cut(text, what, *part);
    *part = WEIR_BYTES_NULL;
}

static void keep_headers(struct draft *draft, bool identity)
{
    const struct weir_record *record = draft->record;

    for (size_t i = 0; i < record->header_count; i++)
        if (!NAMED(record->headers[i].name, replaced_names) &&
            NAMED(record->headers[i].name, identity_names) == identity)
            keep_if_room(draft, &record->headers[i]);
}

static int cut(struct draft *draft)
{
    WEIR_CLEANUP(buffer) struct weir_buffer text = {0};

    make_room(draft);
    draft->letter.header_count = 0;
    take_if_room(draft, &draft->letter.key, "key", &text);
    keep_headers(draft, true);
    take_if_room(draft, &draft->letter.value, "value", &text);
    keep_headers(draft, false);
    if (draft->left_out > 0)
        weir_buffer_printf(&text, "%s%zu headers left out", text.len > 0 ? "; " : "", draft->left_out);
    put(draft, WEIR_HEADER_CUT, weir_arena_text(draft->arena, text.failed ? "" : text.data, CUT_TEXT_BYTES));
    return text.failed ? WEIR_E_INTERNAL : 0;
}

static int fill(struct draft *draft)
{
    struct weir_emitted *letter = &draft->letter;
    const struct weir_record *record = draft->record;
    int rc = 0;

    for (size_t i = 0; i < record->header_count; i++)
        if (!NAMED(record->headers[i].name, replaced_names))
            keep(draft, &record->headers[i]);
    size_t bytes = weir_batch_record_bytes(letter->key, letter->value, letter->headers, letter->header_count);
    for (size_t i = 0; i < draft->added_count; i++)
        bytes += header_bytes(&draft->added[i]);
    if (bytes > letter->target->limit_bytes)
        rc = cut(draft);
    for (size_t i = 0; i < draft->added_count; i++)
        keep(draft, &draft->added[i]);
    return rc;
}

int weir_dead_letter_queue(struct weir_batch *batch, struct weir_slot *slot, struct weir_target *target,
    const char *source, const char *group)
{
    const struct weir_record *record = &slot->record;
    struct draft draft = {.arena = &batch->arena,
        .record = record,
        .letter = {.cause = slot, .target = target, .key = record->key, .value = record->value}};

    draft.letter.headers =
        weir_arena_take(&batch->arena, (record->header_count + ADDED_MAX) * sizeof(draft.letter.headers[0]));
    if (draft.letter.headers == NULL)
        return WEIR_E_INTERNAL;
    put_added(&draft, source, group);
    int rc = fill(&draft);
    weir_crash_point("dead-letter");
    return rc < 0 ? rc : weir_batch_emit_own(batch, &draft.letter);
}

static bool is_dead(const struct weir_slot *slot)
{
    return slot->finished && slot->state == WEIR_SLOT_DEAD;
}

static void tell_plugin(struct weir_runtime *runtime)
{
    struct weir_batch *batch = &runtime->batch;
    for (size_t i = 0; runtime->plugin->dead_letter != NULL && i < batch->count; i++) {
        struct weir_slot *slot = &batch->slots[i];
        if (is_dead(slot))
            runtime->plugin->dead_letter(
                runtime->plugin_instance, batch, &slot->record, slot->why.disposition, &slot->why);
    }
    batch->plugin_count = batch->emitted_count;
}

static void tell(const struct weir_slot *slot)
{
    struct weir_bytes request = weir_record_request(&slot->record),
                      trace_id = weir_record_trace_id(&slot->record);

    weir_log(WEIR_LOG_WARNING, "record.dead_lettered",
        "topic=%s partition=%" PRId32 " offset=%" PRId64
        " request=%.*s trace_id=%.*s disposition=%s error_type=%s reason=\"%s\"",
        slot->record.topic, slot->record.partition, slot->record.offset, (int)request.len, request.data,
        (int)trace_id.len, trace_id.data, slot->why.disposition,
        slot->why.error_type != NULL ? slot->why.error_type : "",
        slot->why.text != NULL ? slot->why.text : "");
}

static int write_one(struct weir_runtime *runtime, struct weir_slot *slot, struct weir_error *err)
{
    char topic[WEIR_TOPIC_NAME_BYTES];
    const char *source = runtime->service->source_topics[slot->record.source];
    int rc = weir_topic_of_service(source, runtime->service->name, "dlq", topic, err);
    if (rc < 0)
        return rc;
    struct weir_target *target = weir_transaction_target(runtime->transaction, topic);
    if (target == NULL ||
        weir_dead_letter_queue(&runtime->batch, slot, target, source, runtime->service->group) < 0)
        return weir_error_set(err, WEIR_E_INTERNAL, "memory is out");
    tell(slot);
    return 0;
}

int weir_dead_letters_write(struct weir_runtime *runtime, struct weir_error *err)
{
    struct weir_batch *batch = &runtime->batch;
    tell_plugin(runtime);
    for (size_t i = 0; i < batch->count; i++) {
        int rc = is_dead(&batch->slots[i]) ? write_one(runtime, &batch->slots[i], err) : 0;
        if (rc < 0)
            return rc;
    }
    return 0;
}
