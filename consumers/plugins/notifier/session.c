#include "consumers/plugins/notifier/session.h"

#include "consumers/plugins/notifier/smtp.h"
#include "consumers/plugins/notifier/tls.h"

#include "common/clock.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    POLL_MS = 100,     /* how soon a session notices that the process has been asked to end */
    GRACE_MS = 1000,   /* for a thread to notice that its socket was shut down */
    ABANDONED_MAX = 4, /* threads without a socket: beyond this, the server counts as unreachable at once */
};

struct weir_session {
    atomic_int references; /* the caller's and the thread's */
    struct weir_attempt attempt;
    size_t capacity;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ended, abandoned;
    weir_session_taken *taken;
    void *taken_context;
    struct weir_mail *left; /* of an abandoned one: the results; texts borrowed from the attempt */
    struct weir_session_failure failure; /* the caller's, final after the run */
};

static char *copy(const char *text)
{
    return text != NULL ? strdup(text) : NULL;
}

static void init_monotonic(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void smtp_free(struct weir_smtp *smtp)
{
    if (smtp->password != NULL)
        explicit_bzero(smtp->password, strlen(smtp->password));
    free(smtp->password);
    free(smtp->user);
    free(smtp->from);
    free(smtp->hostname);
    free(smtp->host);
    SSL_CTX_free(smtp->tls);
    pthread_cond_destroy(&smtp->connect_free);
    pthread_mutex_destroy(&smtp->connect_lock);
    free(smtp);
}

int weir_smtp_new(
    const struct weir_smtp_options *options, struct weir_smtp **ret_smtp, struct weir_error *err)
{
    struct weir_smtp *smtp = calloc(1, sizeof(*smtp));
    if (smtp == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    atomic_init(&smtp->references, 1);
    pthread_mutex_init(&smtp->connect_lock, NULL);
    init_monotonic(&smtp->connect_free);
    smtp->host = copy(options->host);
    smtp->hostname = copy(options->hostname);
    smtp->from = copy(options->from);
    smtp->user = copy(options->user);
    smtp->password = copy(options->password);
    smtp->port = options->port;
    smtp->needs_tls = options->needs_tls;
    smtp->timeout_ms = options->timeout_ms;
    smtp->connect_ms = options->connect_ms;
    smtp->command_ms = options->command_ms;
    smtp->stop_ms = options->stop_ms;
    snprintf(smtp->server, sizeof(smtp->server), "%s:%d", options->host, options->port);
    int code = 0;
    if (smtp->host == NULL || smtp->hostname == NULL || smtp->from == NULL)
        code = weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    if (code == 0 && options->needs_tls)
        code = weir_tls_context_new(options->ca, options->host, &smtp->tls, err);
    if (code < 0) {
        smtp_free(smtp);
        return code;
    }
    *ret_smtp = smtp;
    return 0;
}

void weir_smtp_unref(struct weir_smtp *smtp)
{
    if (smtp != NULL && atomic_fetch_sub(&smtp->references, 1) == 1)
        smtp_free(smtp);
}

/* One that was left behind tells nobody. */
static void tell_taken(void *context, struct weir_mail *mail)
{
    struct weir_session *session = context;

    pthread_mutex_lock(&session->lock);
    if (!session->abandoned && session->taken != NULL) {
        session->taken(session->taken_context, mail);
        mail->told = true;
    }
    pthread_mutex_unlock(&session->lock);
}

struct weir_session *weir_session_new(struct weir_smtp *smtp, weir_session_taken *taken, void *context)
{
    struct weir_session *session = calloc(1, sizeof(*session));
    if (session == NULL)
        return NULL;
    atomic_init(&session->references, 1);
    atomic_fetch_add(&smtp->references, 1);
    session->taken = taken;
    session->taken_context = context;
    session->attempt.smtp = smtp;
    session->attempt.taken = tell_taken;
    session->attempt.taken_context = session;
    weir_socket_init(&session->attempt.socket);
    pthread_mutex_init(&session->lock, NULL);
    init_monotonic(&session->changed);
    return session;
}

static void mail_done(struct weir_mail *mail)
{
    free((char *)mail->recipient);
    weir_delivery_done(&mail->delivery);
    weir_buffer_done(&mail->message);
    weir_buffer_done(&mail->record);
}

void weir_session_unref(struct weir_session *session)
{
    if (session == NULL || atomic_fetch_sub(&session->references, 1) != 1)
        return;
    for (size_t i = 0; i < session->attempt.count; i++)
        mail_done(&session->attempt.mails[i]);
    free(session->attempt.mails);
    free(session->left);
    weir_socket_done(&session->attempt.socket);
    pthread_cond_destroy(&session->changed);
    pthread_mutex_destroy(&session->lock);
    weir_smtp_unref(session->attempt.smtp);
    free(session);
}

static bool grow(struct weir_session *session)
{
    size_t capacity = session->capacity > 0 ? 2 * session->capacity : 16;
    struct weir_mail *mails = reallocarray(session->attempt.mails, capacity, sizeof(*mails));
    if (mails == NULL)
        return false;
    session->attempt.mails = mails;
    session->capacity = capacity;
    return true;
}

struct weir_mail *weir_session_add(struct weir_session *session, const char *recipient)
{
    char *own = strdup(recipient);
    if (own == NULL || (session->attempt.count == session->capacity && !grow(session))) {
        free(own);
        return NULL;
    }
    struct weir_mail *mail = &session->attempt.mails[session->attempt.count++];
    *mail = (struct weir_mail){.recipient = own};
    return mail;
}

void weir_session_take_back(struct weir_session *session)
{
    mail_done(&session->attempt.mails[--session->attempt.count]);
}

static void *run_attempt(void *argument)
{
    struct weir_session *session = argument;

    weir_smtp_send(&session->attempt);
    pthread_mutex_lock(&session->lock);
    session->ended = true;
    if (session->abandoned)
        atomic_fetch_sub(&session->attempt.smtp->abandoned, 1);
    pthread_cond_signal(&session->changed);
    pthread_mutex_unlock(&session->lock);
    weir_session_unref(session);
    return NULL;
}

/* Signals go to the host's threads; a broken pipe is an error of write() here. */
static bool start_thread(struct weir_session *session)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    atomic_fetch_add(&session->references, 1);
    bool started = pthread_create(&session->thread, NULL, run_attempt, session) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!started)
        atomic_fetch_sub(&session->references, 1);
    return started;
}

/* True if the thread ended within the time. */
static bool await_end(struct weir_session *session, int64_t duration_ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += duration_ms / 1000;
    until.tv_nsec += duration_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&session->lock);
    while (!session->ended && pthread_cond_timedwait(&session->changed, &session->lock, &until) == 0)
        ;
    bool ended = session->ended;
    pthread_mutex_unlock(&session->lock);
    return ended;
}

enum ending { ENDED, LATE, UNCONNECTED };

/* Whether the thread ended within the timeouts, or within what a stop leaves of them. */
static enum ending run_until_end(struct weir_session *session, bool (*stopping)(void))
{
    struct weir_attempt *attempt = &session->attempt;
    int64_t began_ms = weir_clock_ms(), end_ms = began_ms + attempt->smtp->timeout_ms;
    int64_t left_ms = attempt->smtp->timeout_ms;

    for (; left_ms > 0; left_ms = end_ms - weir_clock_ms()) {
        if (weir_clock_ms() - began_ms >= attempt->smtp->connect_ms &&
            !weir_socket_was_adopted(&attempt->socket))
            return UNCONNECTED;
        if (stopping() && !atomic_exchange(&attempt->stop, true)) {
            int64_t stop_end_ms = weir_clock_ms() + attempt->smtp->stop_ms;
            end_ms = stop_end_ms < end_ms ? stop_end_ms : end_ms;
        }
        if (await_end(session, left_ms < POLL_MS ? left_ms : POLL_MS))
            return ENDED;
    }
    return LATE;
}

/* A thread may be kept from its end by the machine's load, long after the server has taken mails: these are
 * not sent again. */
static void note_acknowledged(struct weir_session *session)
{
    for (size_t i = 0; i < session->attempt.count; i++) {
        const struct weir_mail *mail = &session->attempt.mails[i];
        session->left[i] = (struct weir_mail){.recipient = mail->recipient,
            .delivery = mail->delivery,
            .record = mail->record,
            .told = mail->told,
            .result = atomic_load(&mail->acknowledged) ? WEIR_MAIL_SENT : WEIR_MAIL_BLOCKED};
    }
}

/* Leaves the thread behind, unless it ended after all. From here on it alone may touch the attempt. */
static void abandon(struct weir_session *session)
{
    pthread_mutex_lock(&session->lock);
    session->abandoned = !session->ended;
    if (session->abandoned) {
        atomic_fetch_add(&session->attempt.smtp->abandoned, 1);
        note_acknowledged(session);
    }
    pthread_mutex_unlock(&session->lock);
    if (!session->abandoned)
        return;
    weir_smtp_release(session->attempt.smtp, &session->attempt);
}

static void fail(struct weir_session *session, const char *type, const char *text)
{
    session->failure.type = type;
    snprintf(
        session->failure.text, sizeof(session->failure.text), "%s: %s", session->attempt.smtp->server, text);
}

static bool has_progressed(const struct weir_session *session)
{
    for (size_t i = 0; i < session->attempt.count; i++) {
        enum weir_mail_result result = session->attempt.mails[i].result;
        if (result != WEIR_MAIL_UNTRIED && result != WEIR_MAIL_BLOCKED)
            return true;
    }
    return false;
}

/* When nothing went through, it is the server and not a mail; or there was no time for it. */
static void settle(struct weir_session *session)
{
    if (session->attempt.stopped || has_progressed(session))
        return;
    for (size_t i = 0; i < session->attempt.count; i++) {
        struct weir_mail *mail = &session->attempt.mails[i];
        if (mail->result != WEIR_MAIL_UNTRIED)
            continue;
        mail->result = WEIR_MAIL_BLOCKED;
        mail->code = 0;
    }
}

static bool start(struct weir_session *session)
{
    session->left = calloc(session->attempt.count + 1, sizeof(*session->left));
    return session->left != NULL && start_thread(session);
}

void weir_session_run(struct weir_session *session, bool (*stopping)(void))
{
    struct weir_smtp *smtp = session->attempt.smtp;
    static const char unconnected[] = "no connection within notifier.smtp.connect.timeout",
                      late[] = "the session did not end within notifier.smtp.timeout",
                      cut[] = "the session did not end within half of drain.timeout";

    if (atomic_load(&smtp->abandoned) >= ABANDONED_MAX) {
        fail(session, "smtp-unreachable", "earlier attempts to connect have not ended yet");
        session->abandoned = true;
        return;
    }
    if (!start(session)) {
        fail(session, "smtp-unreachable", "no thread can be started");
        settle(session);
        return;
    }
    enum ending ending = run_until_end(session, stopping);
    if (ending != ENDED) {
        weir_socket_shut(&session->attempt.socket);
        if (!await_end(session, GRACE_MS))
            abandon(session);
    }
    if (session->abandoned)
        pthread_detach(session->thread);
    else
        pthread_join(session->thread, NULL);
    if (!session->abandoned)
        session->failure = session->attempt.failure;
    if (ending == UNCONNECTED)
        fail(session, "smtp-unreachable", unconnected);
    else if (ending == LATE)
        fail(session, "smtp-timeout", atomic_load(&session->attempt.stop) ? cut : late);
    if (!session->abandoned)
        settle(session);
}

size_t weir_session_count(const struct weir_session *session)
{
    return session->attempt.count;
}

const struct weir_mail *weir_session_mail(const struct weir_session *session, size_t index)
{
    static const struct weir_mail blocked = {.result = WEIR_MAIL_BLOCKED};
    if (!session->abandoned)
        return &session->attempt.mails[index];
    return session->left != NULL ? &session->left[index] : &blocked;
}

const struct weir_delivery *weir_session_delivery(const struct weir_session *session, size_t index)
{
    return &session->attempt.mails[index].delivery;
}

const struct weir_session_failure *weir_session_failure(const struct weir_session *session)
{
    return &session->failure;
}
