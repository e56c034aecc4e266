#include "consumers/plugins/notifier/handle.h"

#include "consumers/plugins/notifier/mailing.h"
#include "consumers/plugins/notifier/reads.h"

#include "common/clock.h"
#include "common/envelope.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* After so much time or a full session, handle ends and what was sent is committed: this is what a crash may
 * repeat. */
enum { COMMIT_MS = 1000 };

/* How long what a rate holds back waits: an event that is deferred, and a call that could send nothing. */
enum { HELD_MS = 1000, LIMITED_MS = 100 };

/* A record that was asked for and has no verdict yet. */
struct pending {
    const struct weir_record *record;
    struct weir_outcome outcome;
    struct weir_outcome fault; /* if `faulty`: what it is rejected for when its mails are done */
    bool faulty;
    struct weir_mailing_result mailing;
    size_t first, count; /* of its mails in the round */
    bool withheld;       /* the process ends: some of them had no turn */
};

/* The records whose mails go out together, in the order in which the host gave them. A key occurs once: were
 * its first mail refused for now, the second must not go out before it. */
struct turn {
    struct weir_notifier *notifier;
    struct weir_batch *batch;
    struct weir_round round;
    struct pending *pending;
    size_t count, capacity;
    uint64_t *slots; /* hashes of the keys that have mails; 0: empty */
    size_t slot_count;
    const struct weir_record *ahead; /* asked for, but of a key that the turn holds already */
    size_t mails;                    /* of all turns so far */
    bool blocked;
};

static void say(const struct weir_notifier *notifier, enum weir_log_severity severity, const char *event,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

static void say(const struct weir_notifier *notifier, enum weir_log_severity severity, const char *event,
    const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    notifier->host->log(severity, event, format, arguments);
    va_end(arguments);
}

static void reject(struct weir_outcome *outcome, const struct weir_error *err)
{
    *outcome = (struct weir_outcome){.reached = true, .verdict = WEIR_REJECT};
    outcome->disposition = err->code == WEIR_E_TOO_LARGE ? "too-large" : "invalid";
    snprintf(outcome->error_type, sizeof(outcome->error_type), "event");
    snprintf(outcome->text, sizeof(outcome->text), "%s", err->text);
}

/* Something that had its mails long ago, written once more by an operator. */
static bool is_republished(const struct weir_record *record)
{
    struct weir_bytes reason = weir_header_find(record->headers, record->header_count, WEIR_HEADER_REASON);
    return weir_bytes_is(reason, WEIR_REASON_REPUBLISH);
}

/* A topic that holds the changes of no collection is of others. */
static int read_event(const struct weir_notifier *notifier, const struct weir_record *record,
    struct weir_event *ret_event, struct weir_error *err)
{
    const struct weir_host *host = notifier->host;
    const char *cluster = host->cluster_id(host->context);
    const char *topic = weir_notifier_foreign_topic(host->deployment, host->service, record->source);

    return topic == NULL ? weir_event_read(record, cluster, ret_event, err)
                         : weir_event_read_foreign(record, cluster, topic, ret_event, err);
}

/* The mails of one record. A tombstone has none. Only memory running out is an error. */
static int prepare(struct turn *turn, struct pending *pending, struct weir_error *err)
{
    struct weir_event event = {0};
    struct weir_error fault = {0};
    int code = 0;

    pending->first = turn->round.count;
    if (pending->record->value.data == NULL || is_republished(pending->record))
        return 0;
    if (read_event(turn->notifier, pending->record, &event, &fault) == 0) {
        code = weir_mailing_add(turn->notifier, &turn->round, &event, &pending->mailing, err);
        fault = pending->mailing.fault;
    }
    pending->count = turn->round.count - pending->first;
    pending->faulty = fault.code < 0;
    if (pending->faulty)
        reject(&pending->fault, &fault);
    weir_event_done(&event);
    return code;
}

static bool is_same_key(const struct weir_record *a, const struct weir_record *b)
{
    return a->partition == b->partition && a->source == b->source && weir_bytes_equal(a->key, b->key);
}

/* FNV-1a over what makes a key one. */
static uint64_t hash_of(const struct weir_record *record)
{
    uint64_t hash = 0xcbf29ce484222325 ^ ((uint64_t)record->source << 32 | (uint32_t)record->partition);

    for (size_t i = 0; i < record->key.len; i++)
        hash = (hash ^ (unsigned char)record->key.data[i]) * 0x100000001b3;
    return hash != 0 ? hash : 1;
}

/* The slot of the hash, or the empty one where it belongs; half of them stay empty. */
static uint64_t *slot_of(struct turn *turn, uint64_t hash)
{
    size_t at = (size_t)hash & (turn->slot_count - 1);

    while (turn->slots[at] != 0 && turn->slots[at] != hash)
        at = (at + 1) & (turn->slot_count - 1);
    return &turn->slots[at];
}

/* Two keys of one hash count as the same: the turn is a shorter one then. */
static bool holds_key(struct turn *turn, const struct weir_record *record)
{
    return *slot_of(turn, hash_of(record)) != 0;
}

static void add_key(struct turn *turn, const struct weir_record *record)
{
    uint64_t hash = hash_of(record);
    *slot_of(turn, hash) = hash;
}

static bool make_slots(struct turn *turn)
{
    for (turn->slot_count = 64; turn->slot_count < 2 * turn->round.most;)
        turn->slot_count *= 2;
    turn->slots = calloc(turn->slot_count, sizeof(*turn->slots));
    return turn->slots != NULL;
}

static struct pending *add_pending(struct turn *turn, const struct weir_record *record)
{
    if (turn->count == turn->capacity) {
        size_t capacity = turn->capacity > 0 ? 2 * turn->capacity : 128;
        struct pending *pending = reallocarray(turn->pending, capacity, sizeof(*pending));
        if (pending == NULL)
            return NULL;
        turn->pending = pending;
        turn->capacity = capacity;
    }
    struct pending *pending = &turn->pending[turn->count++];
    *pending = (struct pending){.record = record};
    return pending;
}

static const struct weir_record *take_next(struct turn *turn)
{
    const struct weir_record *record = turn->ahead;

    turn->ahead = NULL;
    return record != NULL ? record : turn->notifier->host->next(turn->batch);
}

/* Records without mails (tombstones, invalid ones) are bounded too, by as many. */
static int collect(struct turn *turn, struct weir_error *err)
{
    int code = 0;

    while (code == 0 && turn->count < turn->round.most && !weir_round_is_full(&turn->round)) {
        const struct weir_record *record = take_next(turn);
        if (record == NULL)
            break;
        if (record->value.data != NULL && holds_key(turn, record)) {
            turn->ahead = record;
            break;
        }
        struct pending *pending = add_pending(turn, record);
        if (pending == NULL)
            return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
        code = prepare(turn, pending, err);
        if (pending->count > 0)
            add_key(turn, record);
    }
    return code;
}

/* On the session's thread: what the server has taken is on record at once. */
static void note_taken(void *context, struct weir_mail *mail)
{
    struct weir_notifier *notifier = context;
    weir_ledger_note(
        notifier->ledger, &mail->delivery, WEIR_DELIVERY_SENT, mail->code, mail->reply, &mail->record);
}

/* What was not noted yet. An outage says nothing of a mail. */
static void note_result(struct weir_notifier *notifier, const struct weir_mail *mail)
{
    if (mail->result == WEIR_MAIL_SENT && !mail->told)
        weir_ledger_note(
            notifier->ledger, &mail->delivery, WEIR_DELIVERY_SENT, mail->code, mail->reply, NULL);
    else if (mail->result == WEIR_MAIL_TEMPORARY || mail->result == WEIR_MAIL_PERMANENT)
        weir_ledger_note(notifier->ledger, &mail->delivery,
            mail->result == WEIR_MAIL_TEMPORARY ? WEIR_DELIVERY_DEFERRED : WEIR_DELIVERY_FAILED, mail->code,
            mail->reply, NULL);
    else if (mail->unknown)
        weir_ledger_note(notifier->ledger, &mail->delivery, WEIR_DELIVERY_UNKNOWN, 0, "", NULL);
}

static bool is_refused_address(const struct weir_mail *mail)
{
    return mail->result == WEIR_MAIL_PERMANENT &&
           (mail->code == 550 || mail->code == 551 || mail->code == 553);
}

/* Of a mail to a subscriber: whose address is refused in a row is to be suspended. Counted before the refusal
 * itself is on record: a process killed in between meets it again, and counts it once. */
static void note_subscriber(struct weir_notifier *notifier, const struct weir_mail *mail)
{
    char event[WEIR_ID_BYTES];
    struct weir_bytes id = weir_delivery_subscription(&mail->delivery);
    bool refused = is_refused_address(mail);

    if (id.data == NULL || notifier->subscriptions == NULL || (!refused && mail->result != WEIR_MAIL_SENT))
        return;
    snprintf(event, sizeof(event), "%s", mail->delivery.key);
    const struct weir_subscription *changed =
        weir_subscriptions_note(notifier->subscriptions, id, event, refused);
    if (changed == NULL)
        return;
    weir_ledger_put_refusals(notifier->ledger, changed->id, changed->version, &changed->refusals);
    if (refused && notifier->settings->suspend_after > 0 &&
        changed->refusals.count >= notifier->settings->suspend_after)
        weir_suspensions_add(&notifier->suspensions, changed, event, mail->code, mail->reply);
}

static void note_results(struct turn *turn, const struct pending *pending)
{
    struct weir_notifier *notifier = turn->notifier;

    for (size_t i = 0; i < pending->count; i++) {
        const struct weir_mail *mail = weir_mail_at(turn->round.mails[pending->first + i]);
        note_subscriber(notifier, mail);
        note_result(notifier, mail);
        if (mail->unknown)
            notifier->host->metric_add(notifier->metrics.unknown, 1);
        if (mail->result == WEIR_MAIL_SENT)
            notifier->host->metric_add(notifier->metrics.sent, 1);
    }
}

/* Into the transaction that finishes the record, or else into one of its own. */
static void carry_results(struct turn *turn, const struct pending *pending, bool done)
{
    struct weir_ledger *ledger = turn->notifier->ledger;

    for (size_t i = 0; i < pending->count; i++) {
        const struct weir_mail *mail = weir_mail_at(turn->round.mails[pending->first + i]);
        if (done)
            weir_ledger_carry(
                ledger, turn->batch, pending->record, &mail->delivery, weir_buffer_bytes(&mail->record));
        else if (mail->result > WEIR_MAIL_UNTRIED && (mail->result != WEIR_MAIL_BLOCKED || mail->unknown))
            weir_ledger_leave(ledger, &mail->delivery);
    }
}

static void count_verdict(const struct weir_notifier *notifier, enum weir_verdict verdict)
{
    if (verdict == WEIR_RETRY)
        notifier->host->metric_add(notifier->metrics.retried, 1);
    if (verdict == WEIR_REJECT)
        notifier->host->metric_add(notifier->metrics.rejected, 1);
}

/* Of whose mails some have to wait for smtp.domain.rate, and no other is left: parked, so that others go on.
 */
static bool is_deferred(const struct pending *pending)
{
    return pending->mailing.held && !pending->mailing.rest && !pending->outcome.reached && !pending->withheld;
}

static void give_verdict(struct turn *turn, const struct pending *pending)
{
    const struct weir_host *host = turn->notifier->host;
    const struct weir_outcome *outcome = &pending->outcome;
    uint64_t ticket;

    carry_results(turn, pending, outcome->reached && outcome->verdict == WEIR_DONE);
    if (is_deferred(pending))
        host->defer(turn->batch, pending->record, HELD_MS, &ticket);
    if (!outcome->reached)
        return;
    if (outcome->verdict == WEIR_DONE) {
        host->done(turn->batch, pending->record);
        return;
    }
    const struct weir_reason why = {
        .disposition = outcome->disposition, .error_type = outcome->error_type, .text = outcome->text};
    host->fail(turn->batch, pending->record, outcome->verdict, &why);
    count_verdict(turn->notifier, outcome->verdict);
}

/* What comes behind a failed record of its key, or behind one of its partition that waits or was not reached,
 * the host will hand out again. */
static void leave_ahead(struct turn *turn, const struct weir_record *failed, bool key_only)
{
    const struct weir_record *ahead = turn->ahead;

    if (ahead != NULL && ahead->partition == failed->partition && ahead->source == failed->source &&
        (!key_only || is_same_key(ahead, failed)))
        turn->ahead = NULL;
}

/* A record with mails that have not had their turn has no verdict yet, unless it waits. */
static void decide(const struct turn *turn, struct pending *pending)
{
    struct weir_outcome *outcome = &pending->outcome;

    weir_outcome_decide(turn->round.mails + pending->first, pending->count, outcome);
    pending->withheld = !outcome->reached;
    if (outcome->reached && outcome->verdict == WEIR_WAIT)
        return;
    outcome->reached = outcome->reached && !pending->mailing.rest && !pending->mailing.held;
    if (pending->mailing.refused)
        weir_outcome_join(outcome, &pending->mailing.refusal);
    if (pending->faulty && outcome->reached && outcome->verdict == WEIR_DONE)
        *outcome = pending->fault;
}

static void settle(struct turn *turn)
{
    for (size_t i = 0; i < turn->count; i++) {
        struct pending *pending = &turn->pending[i];
        const struct weir_outcome *outcome = &pending->outcome;
        weir_round_await(&turn->round, pending->first + pending->count);
        decide(turn, pending);
        note_results(turn, pending);
        give_verdict(turn, pending);
        bool deferred = is_deferred(pending);
        bool stops = !deferred && (!outcome->reached || outcome->verdict == WEIR_WAIT);
        if (stops || deferred || outcome->verdict == WEIR_RETRY)
            leave_ahead(turn, pending->record, !stops);
        turn->blocked |= stops;
    }
}

static void note_trouble(struct weir_notifier *notifier, const char *trouble)
{
    pthread_mutex_lock(&notifier->health_lock);
    bool changed = strcmp(notifier->trouble, trouble) != 0;
    snprintf(notifier->trouble, sizeof(notifier->trouble), "%s", trouble);
    pthread_mutex_unlock(&notifier->health_lock);
    if (changed && trouble[0] != '\0')
        say(notifier, WEIR_SAY_WARNING, "smtp.blocked", "reason=\"%s\"", trouble);
    else if (changed)
        say(notifier, WEIR_SAY_NOTICE, "smtp.restored", "reason=\"mails go out again\"");
}

/* The reason of the first record that has to wait, "" if none has. */
static const char *find_trouble(const struct turn *turn)
{
    for (size_t i = 0; i < turn->count; i++)
        if (turn->pending[i].outcome.reached && turn->pending[i].outcome.verdict == WEIR_WAIT)
            return turn->pending[i].outcome.text;
    return "";
}

static void count_session(void *context, int64_t duration_us)
{
    const struct weir_notifier *notifier = context;

    notifier->host->metric_add(notifier->metrics.sessions, 1);
    notifier->host->metric_observe_us(notifier->metrics.session_time, duration_us);
}

static int transmit(struct turn *turn, struct weir_error *err)
{
    struct weir_notifier *notifier = turn->notifier;
    bool any = turn->round.count > 0;

    weir_round_flush(&turn->round);
    settle(turn);
    if (!any)
        return 0;
    const char *trouble = find_trouble(turn);
    note_trouble(notifier, trouble);
    if (trouble[0] != '\0')
        weir_relays_failed(&notifier->relays, weir_clock_ms());
    return weir_ledger_sync(notifier->ledger, err);
}

static int run_turn(struct turn *turn, struct weir_error *err)
{
    turn->count = 0;
    memset(turn->slots, 0, turn->slot_count * sizeof(*turn->slots));
    weir_round_begin(&turn->round, weir_relays_current(&turn->notifier->relays, weir_clock_ms()));
    struct weir_error late;
    int code = collect(turn, err);
    if (turn->count > 0) {
        int sent = transmit(turn, code == 0 ? err : &late);
        code = code < 0 ? code : sent;
        weir_reads_wake(turn->notifier);
    }
    turn->mails += turn->round.count;
    return code;
}

int weir_notifier_handle(struct weir_notifier *notifier, struct weir_batch *batch, struct weir_error *err)
{
    struct turn turn = {.notifier = notifier,
        .batch = batch,
        .round = {.most = (size_t)notifier->settings->batch,
            .sessions_most = (size_t)notifier->settings->sessions,
            .stopping = notifier->host->stopping,
            .taken = note_taken,
            .ended = count_session,
            .context = notifier}};
    int64_t end_ms = weir_clock_ms() + COMMIT_MS;

    int code = weir_ledger_mend(notifier->ledger, err);
    if (code == 0 && !make_slots(&turn))
        code = weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    if (code < 0)
        return code;
    do
        code = run_turn(&turn, err);
    while (code == 0 && turn.count > 0 && !turn.blocked && turn.mails < turn.round.most &&
           weir_clock_ms() < end_ms && !notifier->host->stopping());
    bool limited = turn.round.limited && turn.mails == 0;
    weir_round_done(&turn.round);
    free(turn.slots);
    free(turn.pending);
    if (code == 0 && limited)
        (void)notifier->host->wait_ms(LIMITED_MS);
    return code;
}

void weir_notifier_bury(
    struct weir_notifier *notifier, struct weir_batch *batch, const struct weir_record *record)
{
    const struct weir_host *host = notifier->host;
    char event[WEIR_ID_BYTES];

    weir_event_id(record, host->cluster_id(host->context), event);
    weir_ledger_carry_event(notifier->ledger, batch, record, event);
}
