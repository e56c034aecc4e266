/* The mails that go out together, and the sessions that carry them: smtp.sessions at once, smtp.batch mails.
 * A session begins as soon as it has its share, while mails are still added for the next ones; and as it
 * ends, the results of its mails are there while the next ones are still under way.
 *
 *     weir_round_begin(&round, smtp);
 *     while (…) mail = weir_round_add(&round, recipient), …;
 *     weir_round_flush(&round);
 *     for (i = 0; i < round.count; i++) weir_round_await(&round, i + 1), … weir_mail_at(round.mails[i]) …;
 */
#ifndef WEIR_NOTIFIER_ROUND_H
#define WEIR_NOTIFIER_ROUND_H

#include "consumers/plugins/notifier/session.h"
#include "consumers/plugins/notifier/settings.h"

#include <weir/plugin.h>

#include <pthread.h>

/* Called on the caller's thread: how long a session took. */
typedef void weir_round_ended(void *context, int64_t duration_us);

/* A session on its thread. */
struct weir_transmission {
    struct weir_session *session;
    bool (*stopping)(void);
    int64_t duration_us;
    pthread_t thread;
    bool threaded;
};

struct weir_round {
    size_t most, sessions_most; /* of mails, of sessions */
    bool (*stopping)(void);
    weir_session_taken *taken;
    weir_round_ended *ended;
    void *context;
    struct weir_smtp *smtp;
    struct weir_transmission transmissions[WEIR_NOTIFIER_SESSIONS_MAX];
    size_t session_count, started, joined; /* of the transmissions */
    struct weir_mail_place *mails;
    size_t count, capacity, awaited;
    bool limited;      /* smtp.rate lets no more go now */
    size_t suppressed; /* mails that were not to go, and take room as well */
};

/* Begins anew with a server; the mails of the former round, which has ended by then, are gone. */
void weir_round_begin(struct weir_round *round, struct weir_smtp *smtp);
void weir_round_done(struct weir_round *round);

bool weir_round_is_full(const struct weir_round *round);
/* As weir_session_add and weir_session_take_back. */
struct weir_mail *weir_round_add(struct weir_round *round, const char *recipient);
void weir_round_take_back(struct weir_round *round);

/* No more mails are added: the last session begins, too. */
void weir_round_flush(struct weir_round *round);
/* Waits until the first `count` mails have their results. */
void weir_round_await(struct weir_round *round, size_t count);

#endif
