#include "consumers/runtime/dead_letter.h"

#include "common/envelope.h"
#include "common/log.h"
#include "common/topic.h"
#include "consumers/runtime/runtime.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <string.h>

#define HEADER_CUT "weir-cut"

enum { ADDED_MAX = 12 };

/* What a letter adds; a header of that name on the record is replaced. */
static const char *const added_names[] = {
    WEIR_HEADER_DLQ_TOPIC,
    WEIR_HEADER_DLQ_PARTITION,
    WEIR_HEADER_DLQ_OFFSET,
    WEIR_HEADER_DLQ_GROUP,
    WEIR_HEADER_DLQ_DELIVERY_COUNT,
    WEIR_HEADER_DLQ_MESSAGE,
    WEIR_HEADER_DISPOSITION,
    WEIR_HEADER_ERROR_TYPE,
    WEIR_HEADER_ORIGINAL_TIMESTAMP,
    HEADER_CUT,
};

static bool is_added(const char *name)
{
    for (size_t i = 0; i < sizeof(added_names) / sizeof(added_names[0]); i++)
        if (strcmp(added_names[i], name) == 0)
            return true;
    return false;
}

static void put(struct weir_emitted *letter, const char *name, const char *text)
{
    letter->headers[letter->header_count++] =
        (struct weir_header){name, weir_bytes_str(text != NULL ? text : "")};
}

static void put_added(struct weir_emitted *letter, struct weir_arena *arena, const char *group)
{
    const struct weir_slot *slot = letter->cause;
    const struct weir_record *record = &slot->record;
    put(letter, WEIR_HEADER_DLQ_TOPIC, record->topic);
    put(letter, WEIR_HEADER_DLQ_PARTITION, weir_arena_printf(arena, "%" PRId32, record->partition));
    put(letter, WEIR_HEADER_DLQ_OFFSET, weir_arena_printf(arena, "%" PRId64, record->offset));
    put(letter, WEIR_HEADER_DLQ_GROUP, group);
    put(letter, WEIR_HEADER_DLQ_DELIVERY_COUNT, weir_arena_printf(arena, "%" PRId32, record->executions + 1));
    put(letter, WEIR_HEADER_DLQ_MESSAGE, slot->why.text);
    put(letter, WEIR_HEADER_DISPOSITION, slot->why.disposition);
    put(letter, WEIR_HEADER_ERROR_TYPE, slot->why.error_type);
    put(letter, WEIR_HEADER_ORIGINAL_TIMESTAMP, weir_arena_printf(arena, "%" PRId64, record->timestamp_ms));
    if (weir_header_find(record->headers, record->header_count, WEIR_HEADER_REDRIVE_COUNT).data == NULL)
        put(letter, WEIR_HEADER_REDRIVE_COUNT, "0");
}

static const char *digest(struct weir_arena *arena, struct weir_bytes value)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned int len = 0;
    char hex[2 * EVP_MAX_MD_SIZE + 1] = "";
    EVP_Digest(value.data, value.len, sum, &len, EVP_sha256(), NULL);
    for (unsigned int i = 0; i < len; i++)
        snprintf(hex + 2 * i, 3, "%02x", sum[i]);
    return weir_arena_printf(arena, "value of %zu bytes left out, sha256=%s", value.len, hex);
}

static bool fits(const struct weir_emitted *letter)
{
    return weir_batch_record_bytes(letter->key, letter->value, letter->headers, letter->header_count) <=
           letter->target->limit_bytes;
}

/* The record's own headers come first: the last of them go, until the rest fits. */
static void cut(struct weir_emitted *letter, struct weir_arena *arena, size_t own_count)
{
    if (fits(letter))
        return;
    put(letter, HEADER_CUT, digest(arena, letter->value));
    letter->value = WEIR_BYTES_NULL;
    while (!fits(letter) && own_count > 0) {
        memmove(&letter->headers[own_count - 1], &letter->headers[own_count],
            (letter->header_count - own_count) * sizeof(letter->headers[0]));
        own_count--;
        letter->header_count--;
    }
}

int weir_dead_letter_queue(
    struct weir_batch *batch, struct weir_slot *slot, struct weir_target *target, const char *group)
{
    const struct weir_record *record = &slot->record;
    struct weir_emitted letter = {
        .cause = slot, .target = target, .key = record->key, .value = record->value};
    letter.headers =
        weir_arena_take(&batch->arena, (record->header_count + ADDED_MAX) * sizeof(letter.headers[0]));
    if (letter.headers == NULL)
        return WEIR_E_INTERNAL;
    for (size_t i = 0; i < record->header_count; i++)
        if (!is_added(record->headers[i].name))
            letter.headers[letter.header_count++] = record->headers[i];
    size_t own_count = letter.header_count;
    put_added(&letter, &batch->arena, group);
    cut(&letter, &batch->arena, own_count);
    return weir_batch_emit_own(batch, &letter);
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

static int write_one(struct weir_runtime *runtime, struct weir_slot *slot, struct weir_error *err)
{
    char topic[WEIR_TOPIC_NAME_BYTES];
    int rc = weir_topic_of_service(slot->record.topic, runtime->service->name, "dlq", topic, err);
    if (rc < 0)
        return rc;
    struct weir_target *target = weir_transaction_target(runtime->transaction, topic);
    if (target == NULL || weir_dead_letter_queue(&runtime->batch, slot, target, runtime->service->group) < 0)
        return weir_error_set(err, WEIR_E_INTERNAL, "memory is out");
    weir_log(WEIR_LOG_WARNING, "record.dead_lettered",
        "topic=%s partition=%" PRId32 " offset=%" PRId64 " disposition=%s error_type=%s reason=\"%s\"",
        slot->record.topic, slot->record.partition, slot->record.offset, slot->why.disposition,
        slot->why.error_type != NULL ? slot->why.error_type : "",
        slot->why.text != NULL ? slot->why.text : "");
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
