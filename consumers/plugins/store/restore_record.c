#include "consumers/plugins/store/restore_record.h"

#include "common/json.h"
#include "consumers/plugins/store/change.h"
#include "consumers/plugins/store/indexes.h"
#include "consumers/plugins/store/problem.h"
#include "consumers/plugins/store/requests.h"

#include <inttypes.h>

static struct weir_bytes header(const struct weir_record *record, const char *name)
{
    return weir_header_find(record->headers, record->header_count, name);
}

/* What the live store never wrote it never applied either, so a restored one leaves it out too. */
static void skip(struct weir_store *store, const struct weir_record *record, const char *reason)
{
    store->host->metric_add(store->metrics.skipped, 1);
    weir_store_log(store, WEIR_SAY_ERROR, "store.event.skipped",
        "topic=%s partition=%" PRId32 " offset=%" PRId64 " reason=\"%s\"", record->topic, record->partition,
        record->offset, reason);
}

/* Digits, as emit.c writes them; 0 without the header. */
static uint32_t redrive_count(const struct weir_record *record)
{
    struct weir_bytes text = header(record, WEIR_HEADER_REDRIVE_COUNT);
    uint32_t count = 0;

    for (size_t i = 0; i < text.len && text.data[i] >= '0' && text.data[i] <= '9'; i++)
        count = count * 10 + (uint32_t)(text.data[i] - '0');
    return count;
}

static int64_t accepted_ms(const struct weir_record *record)
{
    return weir_header_number(header(record, WEIR_HEADER_ORIGINAL_TIMESTAMP), INT64_MAX);
}

/* Takes over where the command stood; false when `at` is no position. */
static bool take_position(const struct weir_source *source, const struct weir_record *record,
    struct weir_bytes at, struct weir_ending *ending)
{
    struct weir_partition *own = &source->partitions[record->partition];
    char topic[WEIR_TOPIC_NAME_BYTES];

    if (weir_position_read(at, topic, sizeof(topic), &ending->partition, &ending->offset, NULL) < 0)
        return false;
    if (ending->partition == record->partition && ending->offset >= atomic_load(&own->reached))
        atomic_store(&own->reached, ending->offset + 1);
    return true;
}

static enum weir_effect_kind kind_of(char op)
{
    return op == 'c' ? WEIR_EFFECT_CREATED : op == 'u' ? WEIR_EFFECT_UPDATED : WEIR_EFFECT_DELETED;
}

static struct weir_document document_of(const struct weir_change *change)
{
    return (struct weir_document){change->version, change->ts_ms, change->request, change->after};
}

static int read_change(
    const struct weir_record *record, struct weir_change *ret_change, struct weir_error *err)
{
    return weir_change_read_record(
        record->key, record->value, header(record, WEIR_HEADER_ID), ret_change, err);
}

static int keep_change(struct weir_store *store, const struct weir_source *source,
    const struct weir_record *record, const struct weir_change *change, struct weir_error *err)
{
    struct weir_ending ending = {
        .kind = kind_of(change->op),
        .redrive_count = redrive_count(record),
        .version = change->version,
        .ts_ms = change->ts_ms,
        .accepted_ms = accepted_ms(record),
        .change = record->offset,
        .fingerprint = header(record, WEIR_HEADER_FINGERPRINT),
        .key = record->key,
    };

    if (!take_position(source, record, header(record, WEIR_HEADER_ORIGIN), &ending))
        return 0; /* a change that no command asked for */
    return weir_requests_restore(store, source, record->partition, change->request, &ending, err);
}

/* The entries of the document as it was before are looked for, also among what this run has changed. after
 * NULL: it is gone. */
static int change_indexed(struct weir_store *store, const struct weir_source *source,
    const struct weir_record *record, struct weir_bytes stored_key, const struct weir_document *after,
    struct weir_error *err)
{
    WEIR_CLEANUP(db_value) struct weir_db_value found = {0};
    struct weir_document before;

    int r = weir_db_overlay_get(store->db, stored_key, &found, err);
    if (r == 0 && found.bytes.data != NULL)
        r = weir_document_read(found.bytes, &before, err);
    if (r < 0)
        return r;
    r = weir_indexes_change(
        store, source, record->partition, record->key, found.bytes.data != NULL ? &before : NULL, after);
    return r < 0 ? weir_error_set(err, r, "out of memory") : 0;
}

/* By the overlay, which writes in the order of the keys: RocksDB then finds each one's place from that of the
 * one before. */
static int put_document(struct weir_store *store, const struct weir_source *source,
    const struct weir_record *record, const struct weir_change *change, struct weir_error *err)
{
    char key[WEIR_STORE_KEY_BYTES];
    bool remains = change->op != 'd';
    const struct weir_document after = document_of(change);
    struct weir_bytes stored_key =
        weir_key_write(WEIR_KEY_DOCUMENT, source->number, record->partition, record->key, key);

    int r = weir_indexes_are_kept(source)
                ? change_indexed(store, source, record, stored_key, remains ? &after : NULL, err)
                : 0;
    if (r < 0)
        return r;
    if (!remains) {
        weir_db_overlay_delete(store->db, stored_key);
        return 0;
    }
    weir_document_write(&after, &store->stored);
    if (store->stored.failed)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    weir_db_overlay_put(store->db, stored_key, weir_buffer_bytes(&store->stored));
    return 0;
}

int weir_restore_change(struct weir_store *store, const struct weir_source *source,
    const struct weir_record *record, struct weir_error *err)
{
    struct weir_change change;
    struct weir_error invalid;

    if (read_change(record, &change, &invalid) < 0) {
        skip(store, record, invalid.text);
        return 0;
    }
    int r = put_document(store, source, record, &change, err);
    return r < 0 || record->value.data == NULL ? r : keep_change(store, source, record, &change, err);
}

int weir_restore_compare(struct weir_store *store, const struct weir_source *source,
    const struct weir_record *record, bool *ret_same, struct weir_error *err)
{
    char key[WEIR_STORE_KEY_BYTES];
    struct weir_change change;
    struct weir_error invalid;

    if (read_change(record, &change, &invalid) < 0)
        return WEIR_E_INVALID;
    int r = weir_db_get(store->db,
        weir_key_write(WEIR_KEY_DOCUMENT, source->number, record->partition, record->key, key), &store->found,
        err);
    if (r < 0 && r != WEIR_E_NOT_FOUND)
        return r;
    struct weir_bytes is = r == 0 ? weir_buffer_bytes(&store->found) : WEIR_BYTES_NULL;
    struct weir_bytes should_be = WEIR_BYTES_NULL;
    if (change.op != 'd') {
        const struct weir_document after = document_of(&change);
        weir_document_write(&after, &store->stored);
        if (store->stored.failed)
            return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
        should_be = weir_buffer_bytes(&store->stored);
    }
    *ret_same = weir_bytes_equal(is, should_be);
    return 0;
}

/* ---- outcomes ---- */

static bool read_kind(const char *outcome, enum weir_effect_kind *ret_kind)
{
    static const enum weir_effect_kind kinds[] = {
        WEIR_EFFECT_UNCHANGED, WEIR_EFFECT_REJECTED, WEIR_EFFECT_REFUSED};

    for (size_t i = 0; outcome != NULL && i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(weir_ending_name(kinds[i]), outcome) == 0) {
            *ret_kind = kinds[i];
            return true;
        }
    return false;
}

static const char *text_of(json_t *outcome, const char *name)
{
    return json_string_value(json_object_get(outcome, name));
}

/* Whether a later execution of this request, or its change event, is known already. */
static int is_outdone(struct weir_store *store, const struct weir_source *source,
    const struct weir_record *record, struct weir_bytes request, const struct weir_ending *ending,
    struct weir_error *err)
{
    struct weir_ending known;

    int r = weir_requests_find(store, source, record->partition, request, &store->found, &known, err);
    if (r == WEIR_E_NOT_FOUND)
        return 0;
    return r < 0 ? r : known.redrive_count > ending->redrive_count;
}

static int keep_outcome(struct weir_store *store, const struct weir_source *source,
    const struct weir_record *record, json_t *outcome, struct weir_ending *ending, struct weir_error *err)
{
    struct weir_bytes request = weir_bytes_str(text_of(outcome, "request"));

    /* How a repeat ended is not how its request did. */
    if (text_of(outcome, "first") != NULL)
        return 0;
    int r = is_outdone(store, source, record, request, ending, err);
    return r != 0 ? (r < 0 ? r : 0)
                  : weir_requests_restore(store, source, record->partition, request, ending, err);
}

int weir_restore_outcome(struct weir_store *store, const struct weir_source *source,
    const struct weir_record *record, struct weir_error *err)
{
    WEIR_CLEANUP(json) json_t *outcome = NULL;
    struct weir_error invalid;
    struct weir_ending ending = {
        .redrive_count = redrive_count(record),
        .accepted_ms = accepted_ms(record),
        .change = -1,
        .fingerprint = header(record, WEIR_HEADER_FINGERPRINT),
        .key = record->key,
    };

    if (weir_json_parse_object(record->value, &outcome, &invalid) < 0) {
        skip(store, record, invalid.text);
        return 0;
    }
    ending.ts_ms = json_integer_value(json_object_get(outcome, "ts_ms"));
    ending.error = weir_bytes_str(text_of(outcome, "error"));
    weir_problem_read(record->value, &store->problem);
    ending.problem = weir_buffer_bytes(&store->problem);
    if (!read_kind(text_of(outcome, "outcome"), &ending.kind) ||
        !take_position(source, record, weir_bytes_str(text_of(outcome, "at")), &ending)) {
        skip(store, record, "not an outcome");
        return 0;
    }
    return keep_outcome(store, source, record, outcome, &ending, err);
}
