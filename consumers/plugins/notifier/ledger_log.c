#include "consumers/plugins/notifier/ledger_parts.h"

#include <stdio.h>
#include <string.h>

/* The outbox lies on disk for the next start and in memory, in two lists, for this one: entries of a table
 * that comes and goes are not searched on disk, where what was removed costs as much as what is there. */

/* Of one tick, which may take 5 ms. */
enum { EMIT_MAX = 1000 };

/* An entry of a list, its outbox key behind it. */
struct entry {
    uint32_t cause; /* in `carried`: index of the record it was emitted for, or WEIR_NO_RECORD */
    uint32_t source;
    int32_t partition;
    uint32_t key_len;
};

static void append(struct weir_buffer *list, const struct entry *entry, const char *key)
{
    weir_buffer_append(list, entry, sizeof(*entry));
    weir_buffer_append(list, key, entry->key_len);
}

/* Takes the first entry off; false at the end. */
static bool take(struct weir_bytes *list, struct entry *ret_entry, struct weir_bytes *ret_key)
{
    if (list->len == 0)
        return false;
    memcpy(ret_entry, list->data, sizeof(*ret_entry));
    *ret_key = weir_bytes(list->data + sizeof(*ret_entry), ret_entry->key_len);
    size_t len = sizeof(*ret_entry) + ret_entry->key_len;
    *list = weir_bytes(list->data + len, list->len - len);
    return true;
}

/* Its source by the name of its log; false for one that the service reads no more. */
static bool read_place(const struct weir_ledger *ledger, struct weir_bytes key, struct entry *entry)
{
    char prefix[WEIR_LEDGER_KEY_BYTES];
    size_t key_begins = (size_t)(weir_ledger_key_of_outbox(key).data - key.data);

    for (entry->source = 0; entry->source < ledger->source_count; entry->source++) {
        entry->partition = weir_ledger_partition_of_outbox(key);
        struct weir_bytes place =
            weir_ledger_outbox_key(prefix, weir_ledger_log_of(ledger, entry->source), entry->partition, "");
        if (place.len == key_begins && memcmp(place.data, key.data, place.len) == 0)
            return true;
    }
    return false;
}

static bool load_entry(void *context, struct weir_bytes key, struct weir_bytes value)
{
    struct weir_ledger *ledger = context;
    struct entry entry = {.cause = WEIR_NO_RECORD, .key_len = (uint32_t)key.len};

    (void)value;
    if (read_place(ledger, key, &entry))
        append(&ledger->left, &entry, key.data);
    return true;
}

int weir_ledger_load_outbox(struct weir_ledger *ledger, struct weir_error *err)
{
    weir_buffer_clear(&ledger->carried);
    weir_buffer_clear(&ledger->left);
    return weir_ledger_db_each(
        ledger->db, weir_bytes(&(char){WEIR_LEDGER_OUTBOX}, 1), load_entry, ledger, err);
}

/* Emits a row and puts its entry among the carried ones. */
static int carry(struct weir_ledger *ledger, struct weir_batch *batch, const struct weir_record *record,
    struct entry entry, struct weir_bytes outbox_key, struct weir_bytes value, struct weir_error *err)
{
    const struct weir_host *host = ledger->host;
    const char *log = weir_ledger_log_of(ledger, entry.source);
    struct weir_bytes key = weir_ledger_key_of_outbox(outbox_key);

    int code = record != NULL
                   ? host->emit(batch, record, log, key, value, NULL, 0, err)
                   : host->emit_at(batch, entry.source, entry.partition, log, key, value, NULL, 0, err);
    if (code < 0)
        return code;
    entry.cause = record != NULL ? record->index : WEIR_NO_RECORD;
    append(&ledger->carried, &entry, outbox_key.data);
    return 0;
}

/* The same by the row on disk. One without a row was pruned. */
static int carry_row(struct weir_ledger *ledger, struct weir_batch *batch, const struct weir_record *record,
    struct entry entry, struct weir_bytes outbox_key, struct weir_error *err)
{
    char text[WEIR_LEDGER_KEY_BYTES], row[WEIR_LEDGER_KEY_BYTES];
    struct weir_bytes key = weir_ledger_key_of_outbox(outbox_key);

    snprintf(text, sizeof(text), "%.*s", (int)key.len, key.data);
    int code = weir_ledger_db_get(ledger->db, weir_ledger_row_key(row, text), &ledger->scratch, err);
    if (code < 0)
        return code == WEIR_E_NOT_FOUND ? 0 : code;
    return carry(ledger, batch, record, entry, outbox_key, weir_buffer_bytes(&ledger->scratch), err);
}

static struct weir_bytes entry_of(const struct weir_ledger *ledger, const struct weir_delivery *delivery,
    char key[static WEIR_LEDGER_KEY_BYTES], struct entry *ret_entry)
{
    struct weir_bytes text = weir_ledger_outbox_key(
        key, weir_ledger_log_of(ledger, delivery->source), delivery->partition, delivery->key);

    *ret_entry = (struct entry){.cause = WEIR_NO_RECORD,
        .source = delivery->source,
        .partition = delivery->partition,
        .key_len = (uint32_t)text.len};
    return text;
}

void weir_ledger_leave(struct weir_ledger *ledger, const struct weir_delivery *delivery)
{
    char key[WEIR_LEDGER_KEY_BYTES];
    struct entry entry;

    entry_of(ledger, delivery, key, &entry);
    append(&ledger->left, &entry, key);
}

void weir_ledger_carry(struct weir_ledger *ledger, struct weir_batch *batch, const struct weir_record *record,
    const struct weir_delivery *delivery, struct weir_bytes noted)
{
    char key[WEIR_LEDGER_KEY_BYTES];
    struct entry entry;
    struct weir_error err;
    struct weir_bytes text = entry_of(ledger, delivery, key, &entry);

    int code = noted.len > 0 ? carry(ledger, batch, record, entry, text, noted, &err)
                             : carry_row(ledger, batch, record, entry, text, &err);
    if (code == 0)
        return;
    weir_say(ledger->host, WEIR_SAY_WARNING, "ledger.left", "reason=\"%s\"", err.text);
    append(&ledger->left, &entry, key);
}

/* Whether the entry goes now, and for which record. */
typedef bool choose_entry(const void *context, const struct entry *entry, struct weir_bytes outbox_key);

/* Carries what is chosen of `left`, EMIT_MAX entries; what can't go along stays. */
static void carry_left(struct weir_ledger *ledger, struct weir_batch *batch, const struct weir_record *record,
    choose_entry *choose, const void *context)
{
    struct weir_buffer left = ledger->left;
    struct weir_bytes rest = weir_buffer_bytes(&left), key;
    struct weir_error err;
    struct entry entry;
    size_t count = 0;

    ledger->left = (struct weir_buffer){0};
    while (take(&rest, &entry, &key)) {
        bool goes = count < EMIT_MAX && choose(context, &entry, key) &&
                    carry_row(ledger, batch, record, entry, key, &err) == 0;
        count += goes;
        if (!goes)
            append(&ledger->left, &entry, key.data);
    }
    weir_buffer_done(&left);
}

static bool is_of_event(const void *context, const struct entry *entry, struct weir_bytes outbox_key)
{
    const char *event_id = context;
    struct weir_bytes key = weir_ledger_key_of_outbox(outbox_key);

    (void)entry;
    return key.len >= strlen(event_id) && memcmp(key.data, event_id, strlen(event_id)) == 0;
}

void weir_ledger_carry_event(struct weir_ledger *ledger, struct weir_batch *batch,
    const struct weir_record *record, const char *event_id)
{
    carry_left(ledger, batch, record, is_of_event, event_id);
}

static bool is_owned(const void *context, const struct entry *entry, struct weir_bytes outbox_key)
{
    const struct weir_ledger *ledger = context;

    (void)outbox_key;
    return weir_ledger_owns(ledger, entry->source, entry->partition, NULL);
}

void weir_ledger_tick(struct weir_ledger *ledger, struct weir_batch *batch)
{
    if (atomic_load(&ledger->broken))
        return;
    carry_left(ledger, batch, NULL, is_owned, ledger);
    weir_ledger_prune(ledger);
}

/* What of `carried` is in the log now: outputs are those of finished records, in the order of emitting. */
struct ended {
    struct weir_ledger *ledger;
    const struct weir_result *result;
    size_t at; /* of the outputs */
    struct weir_ledger_change *change;
    struct entry last; /* which was ended, and where its output is; offset -1: none yet */
    int64_t offset;
};

static bool is_log(const struct weir_ledger *ledger, const char *topic)
{
    for (size_t i = 0; i < ledger->source_count; i++)
        if (strcmp(ledger->logs[i], topic) == 0)
            return true;
    return false;
}

/* The next output into a log, NULL behind the last. */
static const struct weir_output *next_output(struct ended *ended)
{
    for (; ended->at < ended->result->output_count; ended->at++)
        if (is_log(ended->ledger, ended->result->outputs[ended->at].topic))
            return &ended->result->outputs[ended->at];
    return NULL;
}

/* Where the log of the last entry's partition is read on. */
static void put_position(struct ended *ended)
{
    if (ended->offset >= 0)
        weir_ledger_put_position(
            ended->ledger, ended->change, ended->last.source, ended->last.partition, ended->offset + 1);
}

static void end_entry(struct ended *ended, const struct entry *entry, struct weir_bytes key)
{
    const struct weir_output *output = next_output(ended);

    if (output == NULL || output->cause != entry->cause) {
        append(&ended->ledger->left, entry, key.data);
        return;
    }
    ended->at++;
    weir_ledger_change_delete(ended->change, key);
    if (entry->source != ended->last.source || entry->partition != ended->last.partition)
        put_position(ended);
    ended->last = *entry;
    ended->offset = output->offset;
}

int weir_ledger_committed(
    struct weir_ledger *ledger, const struct weir_result *result, struct weir_error *err)
{
    struct ended ended = {.ledger = ledger, .result = result, .offset = -1};
    struct weir_bytes rest = weir_buffer_bytes(&ledger->carried), key;
    struct entry entry;

    if (rest.len == 0)
        return 0;
    ended.change = weir_ledger_change_new();
    while (take(&rest, &entry, &key))
        end_entry(&ended, &entry, key);
    put_position(&ended);
    weir_buffer_clear(&ledger->carried);
    return weir_ledger_checked(ledger, weir_ledger_change_write(ended.change, ledger->db, err));
}

void weir_ledger_aborted(struct weir_ledger *ledger)
{
    weir_buffer_append_bytes(&ledger->left, weir_buffer_bytes(&ledger->carried));
    weir_buffer_clear(&ledger->carried);
}
