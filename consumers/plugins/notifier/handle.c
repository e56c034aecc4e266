#include "consumers/plugins/notifier/handle.h"

#include "consumers/plugins/notifier/mailing.h"

#include "common/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* After so much time or a full session, handle ends and what was sent is committed: this is what a crash may
 * repeat. */
enum { COMMIT_MS = 1000 };

/* A record that was asked for and has no verdict yet. */
struct pending {
    const struct weir_record *record;
    struct weir_outcome outcome;
    struct weir_outcome fault; /* if `faulty`: what it is rejected for when its mails are done */
    bool faulty;
    const struct weir_session *session; /* that holds its mails */
    size_t first, count;
};

/* The records of the sessions that run at once, in the order in which the host gave them. A key occurs once:
 * were its first mail refused for now, the second must not go out before it. */
struct round {
    struct weir_notifier *notifier;
    struct weir_batch *batch;
    struct weir_smtp *smtp;
    struct weir_session *sessions[WEIR_NOTIFIER_SESSIONS_MAX];
    size_t session_count;
    struct pending *pending;
    size_t count, capacity;
    const struct weir_record *ahead; /* asked for, but of a key that the round holds already */
    size_t mails;                    /* of all rounds so far */
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

/* The mails of one record. A tombstone has none. Only memory running out is an error. */
static int prepare(
    struct round *round, struct pending *pending, struct weir_session *session, struct weir_error *err)
{
    const struct weir_host *host = round->notifier->host;
    struct weir_event event = {0};
    struct weir_error fault = {0};
    int code = 0;

    pending->session = session;
    pending->first = weir_session_count(session);
    if (pending->record->value.data == NULL)
        return 0;
    if (weir_event_read(pending->record, host->cluster_id(host->context), &event, &fault) == 0)
        code = weir_mailing_add(round->notifier, session, &event, &fault, err);
    pending->count = weir_session_count(session) - pending->first;
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

static bool holds_key(const struct round *round, const struct weir_record *record)
{
    for (size_t i = 0; i < round->count; i++)
        if (round->pending[i].count > 0 && is_same_key(round->pending[i].record, record))
            return true;
    return false;
}

static struct pending *add_pending(struct round *round, const struct weir_record *record)
{
    if (round->count == round->capacity) {
        size_t capacity = round->capacity > 0 ? 2 * round->capacity : 128;
        struct pending *pending = reallocarray(round->pending, capacity, sizeof(*pending));
        if (pending == NULL)
            return NULL;
        round->pending = pending;
        round->capacity = capacity;
    }
    struct pending *pending = &round->pending[round->count++];
    *pending = (struct pending){.record = record};
    return pending;
}

static size_t count_mails(const struct round *round)
{
    size_t count = 0;

    for (size_t i = 0; i < round->session_count; i++)
        count += weir_session_count(round->sessions[i]);
    return count;
}

/* The session for the next record: each gets its share of smtp.batch. */
static struct weir_session *choose_session(struct round *round)
{
    const struct weir_notifier *notifier = round->notifier;
    size_t most = (size_t)notifier->settings->sessions;
    size_t share = ((size_t)notifier->settings->batch + most - 1) / most;
    size_t last = round->session_count;

    if (last > 0 && (last == most || weir_session_count(round->sessions[last - 1]) < share))
        return round->sessions[last - 1];
    struct weir_session *session = weir_session_new(round->smtp);
    if (session != NULL)
        round->sessions[round->session_count++] = session;
    return session;
}

static const struct weir_record *take_next(struct round *round)
{
    const struct weir_record *record = round->ahead;

    round->ahead = NULL;
    return record != NULL ? record : round->notifier->host->next(round->batch);
}

/* Records without mails (tombstones, invalid ones) are bounded too, by as many. */
static int collect(struct round *round, struct weir_error *err)
{
    size_t most = (size_t)round->notifier->settings->batch;
    int code = 0;

    while (code == 0 && round->count < most && count_mails(round) < most) {
        const struct weir_record *record = take_next(round);
        if (record == NULL)
            break;
        if (record->value.data != NULL && holds_key(round, record)) {
            round->ahead = record;
            break;
        }
        struct pending *pending = add_pending(round, record);
        struct weir_session *session = choose_session(round);
        if (pending == NULL || session == NULL)
            return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
        code = prepare(round, pending, session, err);
    }
    return code;
}

static void remember(struct round *round, const struct pending *pending)
{
    struct weir_notifier *notifier = round->notifier;

    for (size_t i = 0; i < pending->count; i++) {
        const struct weir_mail *mail = weir_session_mail(pending->session, pending->first + i);
        if (mail->unknown)
            notifier->host->metric_add(notifier->metrics.unknown, 1);
        if (mail->result != WEIR_MAIL_SENT)
            continue;
        weir_sent_add(notifier->sent, mail->id);
        notifier->host->metric_add(notifier->metrics.sent, 1);
    }
}

static void count_verdict(const struct weir_notifier *notifier, enum weir_verdict verdict)
{
    if (verdict == WEIR_RETRY)
        notifier->host->metric_add(notifier->metrics.retried, 1);
    if (verdict == WEIR_REJECT)
        notifier->host->metric_add(notifier->metrics.rejected, 1);
}

static void give_verdict(struct round *round, const struct pending *pending)
{
    const struct weir_host *host = round->notifier->host;
    const struct weir_outcome *outcome = &pending->outcome;

    if (!outcome->reached)
        return;
    if (outcome->verdict == WEIR_DONE) {
        host->done(round->batch, pending->record);
        return;
    }
    const struct weir_reason why = {
        .disposition = outcome->disposition, .error_type = outcome->error_type, .text = outcome->text};
    host->fail(round->batch, pending->record, outcome->verdict, &why);
    count_verdict(round->notifier, outcome->verdict);
}

/* What comes behind a failed record of its key, or behind one of its partition that waits or was not reached,
 * the host will hand out again. */
static void leave_ahead(struct round *round, const struct weir_record *failed, bool key_only)
{
    const struct weir_record *ahead = round->ahead;

    if (ahead != NULL && ahead->partition == failed->partition && ahead->source == failed->source &&
        (!key_only || is_same_key(ahead, failed)))
        round->ahead = NULL;
}

static void settle(struct round *round)
{
    for (size_t i = 0; i < round->count; i++) {
        struct pending *pending = &round->pending[i];
        struct weir_outcome *outcome = &pending->outcome;
        weir_outcome_decide(pending->session, pending->first, pending->count, outcome);
        if (pending->faulty && outcome->reached && outcome->verdict == WEIR_DONE)
            *outcome = pending->fault;
        remember(round, pending);
        give_verdict(round, pending);
        bool stops = !outcome->reached || outcome->verdict == WEIR_WAIT;
        if (stops || outcome->verdict == WEIR_RETRY)
            leave_ahead(round, pending->record, !stops);
        round->blocked |= stops;
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
static const char *find_trouble(const struct round *round)
{
    for (size_t i = 0; i < round->count; i++)
        if (round->pending[i].outcome.reached && round->pending[i].outcome.verdict == WEIR_WAIT)
            return round->pending[i].outcome.text;
    return "";
}

/* One session of a round. */
struct transmission {
    struct weir_session *session;
    bool (*stopping)(void);
    int64_t duration_us;
    pthread_t thread;
    bool threaded;
};

static void *run_transmission(void *argument)
{
    struct transmission *transmission = argument;
    int64_t began_us = weir_clock_us();

    if (weir_session_count(transmission->session) > 0)
        weir_session_run(transmission->session, transmission->stopping);
    transmission->duration_us = weir_clock_us() - began_us;
    return NULL;
}

static void end_transmission(const struct weir_notifier *notifier, const struct transmission *transmission)
{
    if (transmission->threaded)
        pthread_join(transmission->thread, NULL);
    if (weir_session_count(transmission->session) == 0)
        return;
    notifier->host->metric_add(notifier->metrics.sessions, 1);
    notifier->host->metric_observe_us(notifier->metrics.session_time, transmission->duration_us);
}

/* All but the first on threads of their own; where none can be had, one after the other. */
static void run_sessions(const struct round *round)
{
    struct transmission transmissions[WEIR_NOTIFIER_SESSIONS_MAX];

    for (size_t i = round->session_count; i-- > 0;) {
        struct transmission *transmission = &transmissions[i];
        *transmission =
            (struct transmission){.session = round->sessions[i], .stopping = round->notifier->host->stopping};
        transmission->threaded =
            i > 0 && pthread_create(&transmission->thread, NULL, run_transmission, transmission) == 0;
        if (!transmission->threaded)
            run_transmission(transmission);
    }
    for (size_t i = 0; i < round->session_count; i++)
        end_transmission(round->notifier, &transmissions[i]);
}

static void transmit(struct round *round)
{
    bool any = count_mails(round) > 0;

    if (any)
        run_sessions(round);
    settle(round);
    if (!any)
        return;
    const char *trouble = find_trouble(round);
    note_trouble(round->notifier, trouble);
    if (trouble[0] != '\0')
        weir_relays_failed(&round->notifier->relays, weir_clock_ms());
}

static int run_round(struct round *round, struct weir_error *err)
{
    round->count = round->session_count = 0;
    round->smtp = weir_relays_current(&round->notifier->relays, weir_clock_ms());
    int code = collect(round, err);
    if (code == 0 && round->count > 0)
        transmit(round);
    round->mails += count_mails(round);
    for (size_t i = 0; i < round->session_count; i++)
        weir_session_unref(round->sessions[i]);
    return code;
}

int weir_notifier_handle(struct weir_notifier *notifier, struct weir_batch *batch, struct weir_error *err)
{
    struct round round = {.notifier = notifier, .batch = batch};
    int64_t end_ms = weir_clock_ms() + COMMIT_MS;
    int code = 0;

    do
        code = run_round(&round, err);
    while (code == 0 && round.count > 0 && !round.blocked &&
           round.mails < (size_t)notifier->settings->batch && weir_clock_ms() < end_ms &&
           !notifier->host->stopping());
    free(round.pending);
    return code;
}
