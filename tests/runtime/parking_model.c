/* Model checker of retries in order: random histories over the real batch, parking and retry, with a log that
 * is simulated here, against a plain reference that sees only what was committed. It checks that each record
 * ends exactly once a life, in order per key, after a bounded number of executions, and that no committed
 * offset passes what lives.
 *
 *     test-parking_model [HISTORIES [FIRST]]     prints how often each transition was taken
 *
 * Ends with 1 and the history's number when a check fails; 2 when a transition was taken too seldom. */
#include "common/envelope.h"
#include "consumers/runtime/retry.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PARTITIONS = 2,
    HOSTS = 2,
    KEYS = 4,
    ATTEMPTS = 3,
    EVENTS = 60,
    RECORDS_MAX = 1024, /* of one partition */
    HEADERS_MAX = 8,
    TEXT_BYTES = 48,
    BATCH_MAX = 8,
    PARKED_MAX = 6,
    TICKETS_MAX = 64,
    SEEN_LEAST = 1000, /* of each transition, in 100,000 histories */
};

/* ---- what happened, for the last page */

#define TRANSITIONS(X)                                                                                       \
    X(source_done)                                                                                           \
    X(source_retry)                                                                                          \
    X(source_reject)                                                                                         \
    X(source_wait)                                                                                           \
    X(source_not_reached) X(follower_in_batch) X(follower_of_parked) X(follower_of_verdict) X(parked_done)   \
        X(parked_retry) X(parked_reject) X(parked_wait) X(parked_not_reached) X(parked_follower)             \
            X(last_attempt) X(too_large) X(chain_of_many) X(probe) X(full) X(committed) X(aborted)           \
                X(crash_before_commit) X(crash_after_commit) X(doubt_committed) X(doubt_aborted)             \
                    X(handle_failed) X(rebalance) X(restored_live) X(read_own_state) X(read_old_state)       \
                        X(read_end) X(redrive) X(redrive_from_elsewhere) X(put_without_origin) X(null_key)   \
                            X(order_none) X(source_deferred) X(parked_deferred) X(woken) X(woken_in_vain)    \
                                X(ticket_forgotten)

#define NAME_OF(name) #name,
#define ENUM_OF(name) T_##name,
enum transition { TRANSITIONS(ENUM_OF) TRANSITION_COUNT };
static const char *const transition_names[] = {TRANSITIONS(NAME_OF)};
static uint64_t seen[TRANSITION_COUNT];

static uint64_t history;

static void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

static void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf("history %" PRIu64 ": ", history);
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
    exit(1);
}

static uint64_t random_state;

static uint64_t chance(uint64_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (random_state >> 11) % below;
}

/* ---- the log, and the reference beside it */

/* One origin, as an observer of the committed topics sees it. */
struct life {
    char value[TEXT_BYTES]; /* "body " and its origin */
    const char *origin;
    int key;       /* KEYS: null */
    int partition; /* whose retry partition its states are on */
    bool first;    /* it was never redriven, and came by the source */
    int begun, ended;
    int32_t attempts;    /* committed, of this life */
    int64_t live_offset; /* of its latest state, -1: none or ended */
    bool lettered;       /* ended as a letter that was not redriven */
    uint64_t ticket;     /* of its latest state, when that one defers it; 0: none */
};

struct entry {
    bool marker; /* takes an offset, as the end of a transaction does */
    struct life *life;
    char texts[HEADERS_MAX][TEXT_BYTES], names[HEADERS_MAX][TEXT_BYTES], value[TEXT_BYTES];
    struct weir_header headers[HEADERS_MAX];
    size_t header_count;
    bool null_value;
};

struct log {
    struct entry entries[RECORDS_MAX];
    int64_t end, committed;
};

struct world {
    struct log source[PARTITIONS], retry[PARTITIONS];
    struct life lives[2 * PARTITIONS * RECORDS_MAX];
    size_t life_count;
    int64_t now_ms;
    bool by_key, calm;
    int weather; /* how bad the outside world is */
};

static struct world world;
static const char *const key_names[KEYS] = {"a", "b", "c", "d"};

static struct weir_bytes key_of(const struct life *life)
{
    return life->key < KEYS ? weir_bytes_str(key_names[life->key]) : WEIR_BYTES_NULL;
}

static struct life *life_find(struct weir_bytes origin)
{
    for (size_t i = world.life_count; i-- > 0;)
        if (weir_bytes_is(origin, world.lives[i].origin))
            return &world.lives[i];
    fail("nobody wrote %.*s", (int)origin.len, origin.data);
}

static struct life *life_new(const char *topic, int partition, int64_t offset, int key)
{
    struct life *life = &world.lives[world.life_count++];
    *life = (struct life){.key = key, .partition = partition, .begun = 1, .live_offset = -1};
    snprintf(life->value, TEXT_BYTES, "body %s/%d/%" PRId64, topic, partition, offset);
    life->origin = life->value + strlen("body ");
    return life;
}

static struct entry *append(struct log *log)
{
    if (log->end == RECORDS_MAX)
        fail("the model's log is full");
    struct entry *entry = &log->entries[log->end++];
    entry->marker = entry->null_value = false;
    entry->life = NULL;
    entry->header_count = 0;
    return entry;
}

static void entry_header(struct entry *entry, const char *name, struct weir_bytes value)
{
    size_t i = entry->header_count++;
    snprintf(entry->names[i], TEXT_BYTES, "%s", name);
    snprintf(entry->texts[i], TEXT_BYTES, "%.*s", (int)value.len, value.data);
    entry->headers[i] = (struct weir_header){entry->names[i], weir_bytes_str(entry->texts[i])};
}

static void put_source(void)
{
    int key = (int)chance(KEYS + 1), home = key < KEYS ? key % PARTITIONS : (int)chance(PARTITIONS);
    int partition = chance(10) == 0 ? (int)chance(PARTITIONS) : home;
    struct log *log = &world.source[partition];
    struct life *life = life_new("s", partition, log->end, key);
    seen[T_null_key] += key == KEYS;
    life->first = true;
    append(log)->life = life;
    if (chance(8) == 0) /* nobody's to set on the source */
        entry_header(&log->entries[log->end - 1], WEIR_HEADER_ATTEMPT, weir_bytes_str("2"));
}

/* A stranger's record on the retry topic: a letter that is redriven to the partition of its key, or anything.
 */
static void write_retry(struct life *life, int partition, bool with_origin)
{
    struct log *log = &world.retry[partition];
    struct entry *entry = append(log);
    entry->life = life;
    life->live_offset = log->end - 1;
    life->partition = partition;
    snprintf(entry->value, TEXT_BYTES, "%s", life->value);
    if (with_origin)
        entry_header(entry, WEIR_HEADER_ORIGIN, weir_bytes_str(life->origin));
    else if (chance(2) == 0)
        entry_header(entry, WEIR_HEADER_ORIGIN, weir_bytes_str("no/position"));
    if (chance(4) == 0)
        entry_header(entry, WEIR_HEADER_NOT_BEFORE, weir_bytes_str("99999999999999999999"));
}

static void redrive(void)
{
    size_t from = (size_t)chance(world.life_count + 1);
    for (size_t i = from; i < world.life_count; i++) {
        struct life *life = &world.lives[i];
        if (!life->lettered)
            continue;
        int home = life->key < KEYS ? life->key % PARTITIONS : life->partition;
        seen[home == life->partition ? T_redrive : T_redrive_from_elsewhere]++;
        life->lettered = life->first = false;
        life->attempts = 0;
        life->begun++;
        write_retry(life, home, true);
        return;
    }
}

static void put_without_origin(void)
{
    int key = (int)chance(KEYS), partition = key % PARTITIONS;
    seen[T_put_without_origin]++;
    write_retry(life_new("r", partition, world.retry[partition].end, key), partition, false);
}

/* ---- the reference's checks */

/* All that came before on the source and has its first life must be over once a record of its key is; within
 * one transaction the plugin emits as it likes. */
static void check_order(const struct life *life)
{
    if (!world.by_key || !life->first || life->key == KEYS)
        return;
    const struct log *log = &world.source[life->partition];
    for (int64_t i = 0; i < log->end && log->entries[i].life != life; i++) {
        const struct life *before = log->entries[i].life;
        if (before->key == life->key && before->first && before->ended == 0)
            fail("%s ended before %s of the same key", life->origin, before->origin);
    }
}

static void see_end(struct life *life, bool letter)
{
    if (life->ended >= life->begun)
        fail("%s ended twice", life->origin);
    life->ended++;
    life->lettered = letter;
}

static void see_state(struct life *life, const struct weir_emitted *state, int64_t offset)
{
    char wanted[TEXT_BYTES];
    bool follows = state->cause->state == WEIR_SLOT_FOLLOWER;
    bool executed = !follows && !state->cause->deferred;
    if (life->ended >= life->begun)
        fail("a state of %s, which has ended", life->origin);
    if (follows && life->live_offset >= 0)
        fail("the follower %s was written again", life->origin);
    life->attempts += executed;
    if (life->attempts >= ATTEMPTS)
        fail("%s is to be executed once more after %d times", life->origin, life->attempts);
    snprintf(wanted, sizeof(wanted), "%d", life->attempts);
    if (!weir_bytes_is(weir_header_find(state->headers, state->header_count, WEIR_HEADER_ATTEMPT), wanted))
        fail("the state of %s does not say %s attempts", life->origin, wanted);
    life->live_offset = offset;
    life->ticket = state->cause->deferred ? state->cause->ticket : 0;
}

static void see_retry_record(const struct weir_emitted *record, int64_t offset)
{
    struct life *life =
        life_find(weir_header_find(record->headers, record->header_count, WEIR_HEADER_ORIGIN));
    if (weir_header_find(record->headers, record->header_count, WEIR_HEADER_DONE).data == NULL) {
        see_state(life, record, offset);
        return;
    }
    if (record->value.data != NULL || life->ended != life->begun)
        fail("%s is marked as done and is not", life->origin);
    life->live_offset = -1;
}

static void check_offsets(int p)
{
    for (size_t i = 0; i < world.life_count; i++) {
        const struct life *life = &world.lives[i];
        if (life->partition == p && life->live_offset >= 0 && life->live_offset < world.retry[p].committed)
            fail("the committed offset %" PRId64 " of the retry partition is beyond %s at %" PRId64,
                world.retry[p].committed, life->origin, life->live_offset);
    }
    for (int64_t i = 0; i < world.source[p].committed; i++) {
        const struct life *life = world.source[p].entries[i].life;
        if (life->ended == 0 && life->live_offset < 0)
            fail("the committed offset %" PRId64 " of the source is beyond %s", world.source[p].committed,
                life->origin);
    }
}

/* ---- hosts: what collect, taking and handling do with the batch */

struct host {
    struct weir_batch batch;
    bool owns[PARTITIONS];
    uint64_t tickets[TICKETS_MAX]; /* given out by its batch; the plugin may wake them any time */
    size_t ticket_count;
};

static struct host hosts[HOSTS];
static struct weir_partition partitions[PARTITIONS]; /* as its owner sees it */
static struct weir_target out_target = {.name = (char[]){"out"}, .limit_bytes = 1000},
                          letter_target = {.name = (char[]){"dlq"}, .limit_bytes = 1000},
                          retry_target = {.name = (char[]){"r"}, .limit_bytes = 1000};

static int decode(void *context, struct weir_slot *slot, struct weir_arena *arena)
{
    (void)context, (void)arena;
    const struct entry *entry = slot->message;
    slot->record.headers = entry->headers;
    slot->record.header_count = entry->header_count;
    return 0;
}

static void release(void *context, void *message)
{
    (void)context, (void)message;
}

static struct weir_target *target(void *context, const char *topic)
{
    (void)context;
    if (strcmp(topic, "r") == 0)
        return &retry_target;
    return strcmp(topic, "dlq") == 0 ? &letter_target : &out_target;
}

static int64_t delay_ms(void *context, int32_t executions)
{
    (void)context;
    return 1 + (int64_t)chance(20u << executions);
}

static void read_entry(struct weir_partition *partition, int64_t offset)
{
    const struct entry *entry = &world.retry[partition->partition].entries[offset];
    const struct weir_record record = {.topic = partition->retry_topic,
        .partition = partition->partition,
        .offset = offset,
        .timestamp_ms = offset,
        .key = key_of(entry->life),
        .value = entry->null_value ? WEIR_BYTES_NULL : weir_bytes_str(entry->value),
        .headers = entry->headers,
        .header_count = entry->header_count};
    size_t count = partition->parking.count;
    bool end = entry->null_value;
    if (weir_retry_take_in(&partition->parking, &record, world.now_ms + 100) < 0)
        fail("memory is out");
    const struct life *life = entry->life;
    seen[T_read_end] += end;
    seen[T_read_own_state] += !end && life->live_offset == offset && partition->parking.count == count;
    seen[T_read_old_state] += !end && life->live_offset != offset;
}

/* The retry partition as it is read: to the end, or only a part of it. */
static void read_back(struct weir_partition *partition, int64_t to)
{
    for (int64_t offset = partition->parking.position; offset < to; offset++) {
        if (!world.retry[partition->partition].entries[offset].marker)
            read_entry(partition, offset);
        weir_parking_read_to(&partition->parking, offset + 1);
    }
}

static void take_partition(int p)
{
    struct weir_partition *partition = &partitions[p];
    weir_parking_clear(&partition->parking);
    weir_held_done(&partition->held);
    *partition = (struct weir_partition){.topic = "s", .partition = p, .retry_topic = "r"};
    partition->parking = (struct weir_parking){
        .by_key = world.by_key, .topic = "s", .partition = p, .position = world.retry[p].committed};
    partition->position = partition->fetch_next = world.source[p].committed;
    read_back(partition, world.retry[p].end);
    seen[T_restored_live] += partition->parking.count > 0;
}

static void take_all_of(struct host *host)
{
    for (int p = 0; p < PARTITIONS; p++)
        if (host->owns[p])
            take_partition(p);
}

static void rebalance(void)
{
    seen[T_rebalance]++;
    for (int p = 0; p < PARTITIONS; p++) {
        size_t owner = (size_t)chance(HOSTS);
        for (size_t h = 0; h < HOSTS; h++)
            hosts[h].owns[p] = h == owner;
        take_partition(p);
    }
}

static void add_source(struct host *host, struct weir_partition *partition, struct entry *entry)
{
    int64_t offset = entry - world.source[partition->partition].entries;
    struct weir_slot *slot = weir_batch_add(&host->batch, partition, entry);
    slot->record = (struct weir_record){.topic = "s",
        .partition = partition->partition,
        .offset = offset,
        .timestamp_ms = offset,
        .key = key_of(entry->life),
        .value = weir_bytes_str(entry->life->value)};
}

static void collect_source(struct host *host, struct weir_partition *partition, size_t most)
{
    struct log *log = &world.source[partition->partition];
    for (struct entry *entry; most > 0 && !weir_batch_full(&host->batch); most--) {
        if ((entry = weir_held_pop_front(&partition->held)) == NULL && partition->fetch_next < log->end)
            entry = &log->entries[partition->fetch_next++];
        if (entry == NULL)
            return;
        add_source(host, partition, entry);
    }
}

static void collect_partition(struct host *host, struct weir_partition *partition)
{
    int64_t end = world.retry[partition->partition].end;
    int64_t unread = end - partition->parking.position;
    size_t most = partition->waits > 0 ? 1 : SIZE_MAX;
    if (unread > 0 && (world.calm || chance(3) > 0))
        read_back(partition,
            world.calm ? end : partition->parking.position + (int64_t)chance((uint64_t)unread + 1));
    partition->full = partition->parking.count > PARKED_MAX;
    seen[T_full] += partition->full;
    seen[T_probe] += partition->waits > 0;
    size_t parked = weir_batch_add_parked(&host->batch, partition, world.now_ms, most);
    if (!partition->full && parked < most)
        collect_source(host, partition, most == 1 ? 1 : (size_t)chance(BATCH_MAX));
    for (size_t i = 1; i < host->batch.count; i++)
        seen[T_chain_of_many] += host->batch.slots[i].parked != NULL &&
                                 host->batch.slots[i - 1].parked != NULL &&
                                 host->batch.slots[i].parked->chain == host->batch.slots[i - 1].parked->chain;
}

/* ---- the plugin: any verdict, at once or for several records in any order */

static void check_record(const struct weir_record *record)
{
    const struct weir_slot *slot = (const struct weir_slot *)record;
    struct weir_origin origin = weir_slot_origin(slot);
    char text[TEXT_BYTES];
    snprintf(text, sizeof(text), "%.*s/%d/%" PRId64, (int)origin.topic.len, origin.topic.data,
        origin.partition, origin.offset);
    const struct life *life = life_find(weir_bytes_str(text));
    bool local = origin.partition == record->partition && weir_bytes_is(origin.topic, "s");
    if (local && (strcmp(record->topic, "s") != 0 || record->offset != origin.offset))
        fail("%s is shown as %s/%" PRId64, text, record->topic, record->offset);
    if (record->executions != life->attempts)
        fail(
            "%s is said to have been executed %d times, it was %d", text, record->executions, life->attempts);
    if (life->ended >= life->begun)
        fail("%s is handed out and has ended", text);
    if (!weir_bytes_equal(record->key, key_of(life)) || !weir_bytes_is(record->value, life->value))
        fail("%s is not as it was", text);
    if (record->ticket != 0 && record->ticket != life->ticket)
        fail("%s is handed out with a ticket that was not its last", text);
    seen[T_ticket_forgotten] += record->ticket == 0 && life->ticket != 0;
}

/* To be called once a verdict is due. */
static void defer(struct host *host, const struct weir_record *record)
{
    uint64_t ticket;
    const struct weir_slot *slot = (const struct weir_slot *)record;
    seen[slot->parked != NULL ? T_parked_deferred : T_source_deferred]++;
    if (weir_batch_defer(&host->batch, record, 1 + (int64_t)chance(200), &ticket) < 0)
        fail("it can't be deferred");
    host->tickets[host->ticket_count++ % TICKETS_MAX] = ticket;
}

/* Some of the tickets that it has, in any order, also those whose batch came to nothing. */
static void wake(struct host *host)
{
    size_t known = host->ticket_count < TICKETS_MAX ? host->ticket_count : TICKETS_MAX, count = 0;
    uint64_t tickets[TICKETS_MAX];
    for (size_t i = 0; i < known; i++)
        if (chance(2) == 0)
            tickets[count++] = host->tickets[i];
    for (int p = 0; p < PARTITIONS; p++) {
        if (!host->owns[p])
            continue;
        int64_t due_ms = weir_parking_due_ms(&partitions[p].parking);
        weir_parking_wake(&partitions[p].parking, tickets, count);
        seen[weir_parking_due_ms(&partitions[p].parking) < due_ms ? T_woken : T_woken_in_vain]++;
    }
}

static void give_verdict(struct host *host, const struct weir_record *record)
{
    struct weir_error err;
    struct weir_batch *batch = &host->batch;
    int key = record->key.data != NULL ? record->key.data[0] - 'a' : record->partition;
    uint64_t luck = world.calm ? 99 : chance(100);
    if (weir_batch_emit(batch, record, "out", record->key, record->value, NULL, 0, &err) < 0)
        fail("emit: %s", err.text);
    if (key % PARTITIONS != record->partition)
        weir_batch_record_fail(
            batch, record, WEIR_REJECT, &(struct weir_reason){.disposition = "wrong-partition"});
    else if (luck < 25)
        weir_batch_record_fail(batch, record, WEIR_RETRY, &(struct weir_reason){.text = "not yet"});
    else if (luck < 30)
        weir_batch_record_fail(batch, record, WEIR_REJECT, NULL);
    else if (luck < 34)
        weir_batch_record_fail(batch, record, WEIR_WAIT, NULL);
    else if (luck < 40)
        defer(host, record);
    else if (luck >= 44)
        weir_batch_record_done(batch, record);
}

static void handle(struct host *host)
{
    struct weir_batch *batch = &host->batch;
    const struct weir_record *pending[BATCH_MAX];
    size_t window = chance(2) == 0 ? 1 : 1 + (size_t)chance(BATCH_MAX), count = 0;
    for (const struct weir_record *record; (record = weir_batch_next(batch)) != NULL;) {
        check_record(record);
        pending[count++] = record;
        if (count < window)
            continue;
        while (count > 0) {
            size_t i = (size_t)chance(count);
            give_verdict(host, pending[i]);
            pending[i] = pending[--count];
        }
        if (!world.calm && chance(20) == 0)
            return;
    }
    while (count > 0)
        give_verdict(host, pending[--count]);
}

/* ---- a batch to its end */

static void note_slot(const struct weir_slot *slot)
{
    static const enum transition source[] = {T_source_not_reached, T_source_not_reached, T_source_done,
        T_source_reject, T_source_retry, T_source_wait, T_follower_in_batch};
    static const enum transition parked[] = {T_parked_not_reached, T_parked_not_reached, T_parked_done,
        T_parked_reject, T_parked_retry, T_parked_wait, T_parked_follower};
    enum transition which = (slot->parked != NULL ? parked : source)[slot->state];
    if (which == T_follower_in_batch && weir_parking_blocks(&slot->partition->parking, slot->record.key))
        which = T_follower_of_parked;
    seen[which]++;
    seen[T_last_attempt] += slot->state == WEIR_SLOT_DEAD && slot->record.executions == ATTEMPTS - 1;
}

static void write_letters(struct weir_batch *batch)
{
    batch->plugin_count = batch->emitted_count;
    for (size_t i = 0; i < batch->count; i++) {
        struct weir_slot *slot = &batch->slots[i];
        struct weir_emitted letter = {.cause = slot, .target = &letter_target, .value = slot->record.value};
        if (slot->finished && slot->state == WEIR_SLOT_DEAD && weir_batch_emit_own(batch, &letter) < 0)
            fail("memory is out");
    }
}

static void append_emitted(const struct weir_emitted *emitted, struct weir_output *output)
{
    struct log *log = &world.retry[emitted->cause->partition->partition];
    if (emitted->target != &retry_target)
        return;
    output->offset = log->end;
    struct entry *entry = append(log);
    entry->life = life_find(weir_header_find(emitted->headers, emitted->header_count, WEIR_HEADER_ORIGIN));
    entry->null_value = emitted->value.data == NULL;
    snprintf(entry->value, TEXT_BYTES, "%.*s", (int)emitted->value.len, emitted->value.data);
    for (size_t i = 0; i < emitted->header_count; i++)
        entry_header(entry, emitted->headers[i].name, emitted->headers[i].value);
}

static struct life *life_of(const struct weir_emitted *output)
{
    size_t word = strlen("body ");
    return life_find(weir_bytes(output->value.data + word, output->value.len - word));
}

static bool is_too_large(const struct weir_slot *slot)
{
    return slot->state == WEIR_SLOT_DEAD && slot->why.disposition != NULL &&
           strcmp(slot->why.disposition, WEIR_DISPOSITION_TOO_LARGE) == 0;
}

/* What the cluster and the reference see of a transaction. A record that can't be parked does not wait for
 * those ahead of it. */
static void publish(struct weir_batch *batch)
{
    bool touched[PARTITIONS] = {false};
    for (size_t i = 0; i < batch->emitted_count; i++) {
        const struct weir_emitted *emitted = &batch->emitted[i];
        append_emitted(emitted, &batch->outputs[i]);
        if (emitted->target == &retry_target)
            see_retry_record(emitted, batch->outputs[i].offset);
        else
            see_end(life_of(emitted), emitted->target == &letter_target);
    }
    for (size_t i = 0; i < batch->emitted_count; i++)
        if (batch->emitted[i].target != &retry_target && !is_too_large(batch->emitted[i].cause))
            check_order(life_of(&batch->emitted[i]));
    for (size_t i = 0; i < batch->count; i++)
        touched[batch->slots[i].partition->partition] |= batch->slots[i].partition->moves;
    for (int p = 0; p < PARTITIONS; p++) {
        if (!touched[p])
            continue;
        append(&world.retry[p])->marker = true;
        world.source[p].committed = partitions[p].next >= 0 ? partitions[p].next : partitions[p].position;
        world.retry[p].committed = partitions[p].retry_next;
        check_offsets(p);
    }
}

static void note_waits(struct weir_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct weir_slot *slot = &batch->slots[i];
        if (slot->state == WEIR_SLOT_WAIT)
            slot->partition->waits++;
        else if (slot->finished)
            slot->partition->waits = 0;
    }
}

static void committed(struct weir_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        if (batch->slots[i].partition->next >= 0)
            batch->slots[i].partition->position = batch->slots[i].partition->next;
    if (weir_retry_apply(batch) < 0)
        fail("memory is out");
    note_waits(batch);
    weir_batch_end(batch, true);
}

static void end_transaction(struct host *host)
{
    static const struct {
        enum transition name;
        bool publishes, applies, retakes;
    } endings[] = {
        {T_aborted, false, false, false},
        {T_crash_before_commit, false, false, true},
        {T_crash_after_commit, true, false, true},
        {T_doubt_committed, true, true, false},
        {T_doubt_aborted, false, false, true},
        {T_committed, true, true, false},
    };
    size_t which = world.calm ? 5 : (size_t)chance(30);
    if (which > 5)
        which = 5;
    seen[endings[which].name]++;
    if (endings[which].publishes)
        publish(&host->batch);
    if (endings[which].applies)
        committed(&host->batch);
    else
        weir_batch_end(&host->batch, false);
    if (endings[which].retakes)
        take_all_of(host);
}

static void turn(struct host *host)
{
    struct weir_batch *batch = &host->batch;
    size_t first = (size_t)chance(PARTITIONS);
    if (chance(4) == 0)
        wake(host);
    for (size_t i = 0; i < PARTITIONS; i++)
        if (host->owns[(first + i) % PARTITIONS])
            collect_partition(host, &partitions[(first + i) % PARTITIONS]);
    weir_batch_begin(batch);
    handle(host);
    if (!world.calm && chance(40) == 0) {
        seen[T_handle_failed]++;
        weir_batch_settle_none(batch);
        weir_batch_end(batch, false);
        return;
    }
    enum weir_slot_state told[BATCH_MAX];
    for (size_t i = 0; i < batch->count; i++)
        told[i] = batch->slots[i].state;
    size_t finished = weir_batch_settle(batch);
    for (size_t i = 0; i < batch->count; i++) {
        note_slot(&batch->slots[i]);
        seen[T_follower_of_verdict] +=
            batch->slots[i].state == WEIR_SLOT_FOLLOWER && told[i] >= WEIR_SLOT_DONE;
    }
    if (finished == 0) {
        note_waits(batch);
        weir_batch_end(batch, false);
        return;
    }
    retry_target.limit_bytes = world.calm || chance(50) > 0 ? 1000 : 100;
    if (weir_retry_check(batch) < 0)
        fail("memory is out");
    for (size_t i = 0; i < batch->count; i++)
        seen[T_too_large] += is_too_large(&batch->slots[i]);
    write_letters(batch);
    if (weir_retry_write(batch, world.now_ms) < 0)
        fail("memory is out");
    for (int p = 0; p < PARTITIONS; p++)
        partitions[p].retry_next = weir_parking_low(&partitions[p].parking);
    end_transaction(host);
}

/* ---- a history */

static void happen(void)
{
    switch (chance(16)) {
    case 0:
    case 1:
    case 2:
    case 3:
        put_source();
        break;
    case 4:
        world.now_ms += (int64_t)chance(40);
        break;
    case 5:
        redrive();
        break;
    case 6:
        if (chance(3) == 0)
            put_without_origin();
        break;
    case 7:
        if (chance(3) == 0)
            rebalance();
        break;
    default:
        turn(&hosts[chance(HOSTS)]);
    }
}

/* The world is well again: everything ends, and nothing is left parked. */
static void settle_all(void)
{
    world.calm = true;
    for (int i = 0; i < 200; i++) {
        world.now_ms += 50;
        turn(&hosts[i % HOSTS]);
    }
    for (size_t i = 0; i < world.life_count; i++)
        if (world.lives[i].ended != world.lives[i].begun)
            fail("%s ended %d times in %d lives", world.lives[i].origin, world.lives[i].ended,
                world.lives[i].begun);
    for (int p = 0; p < PARTITIONS; p++) {
        const struct weir_parking *parking = &partitions[p].parking;
        if (parking->count > 0 || parking->origin_count > 0 || parking->bytes > 0)
            fail("%zu records of partition %d stay parked, %zu origins", parking->count, p,
                parking->origin_count);
        if (world.source[p].committed != world.source[p].end)
            fail("partition %d stands at %" PRId64 " of %" PRId64, p, world.source[p].committed,
                world.source[p].end);
    }
}

static void run_history(uint64_t number)
{
    history = number;
    random_state = (number + 1) * 0x9E3779B97F4A7C15;
    for (int p = 0; p < PARTITIONS; p++)
        world.source[p].end = world.source[p].committed = world.retry[p].end = world.retry[p].committed = 0;
    world.life_count = 0;
    world.now_ms = 1000;
    world.calm = false;
    world.by_key = chance(5) > 0;
    seen[T_order_none] += !world.by_key;
    for (int h = 0; h < HOSTS; h++)
        hosts[h].ticket_count = 0;
    rebalance();
    for (int i = 0; i < EVENTS; i++)
        happen();
    settle_all();
}

static int tell(uint64_t histories)
{
    int seldom = 0;
    for (size_t i = 0; i < TRANSITION_COUNT; i++) {
        printf("%12" PRIu64 " %s\n", seen[i], transition_names[i]);
        seldom += seen[i] * 100000 < SEEN_LEAST * histories;
    }
    printf("%12" PRIu64 " histories of %d events, each as the reference has it\n", histories, EVENTS);
    if (seldom > 0)
        printf("%d transitions were taken too seldom\n", seldom);
    return seldom > 0 ? 2 : 0;
}

int main(int argc, char **argv)
{
    uint64_t histories = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000;
    uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    struct weir_batch_port port = {
        .decode = decode, .release = release, .target = target, .delay_ms = delay_ms};
    for (size_t h = 0; h < HOSTS; h++)
        if (weir_batch_init(&hosts[h].batch, BATCH_MAX, 1 << 20, ATTEMPTS, &port) < 0)
            fail("memory is out");
    for (uint64_t i = 0; i < histories; i++)
        run_history(first + i);
    for (int p = 0; p < PARTITIONS; p++) {
        weir_parking_clear(&partitions[p].parking);
        weir_held_done(&partitions[p].held);
    }
    for (size_t h = 0; h < HOSTS; h++)
        weir_batch_done(&hosts[h].batch);
    return tell(histories);
}
