/* The mails that go out together, and the sessions that carry them: smtp.sessions at once, smtp.batch mails.
 */
#ifndef WEIR_NOTIFIER_ROUND_H
#define WEIR_NOTIFIER_ROUND_H

#include "consumers/plugins/notifier/session.h"
#include "consumers/plugins/notifier/settings.h"

#include <weir/plugin.h>

struct weir_round {
    struct weir_smtp *smtp;
    size_t most, sessions_most; /* of mails, of sessions */
    weir_session_taken *taken;
    void *context;
    struct weir_session *sessions[WEIR_NOTIFIER_SESSIONS_MAX];
    size_t session_count;
    struct weir_mail_place *mails;
    size_t count, capacity;
    bool limited; /* smtp.rate lets no more go now */
};

/* Begins anew with a server; the mails of the former round are gone. */
void weir_round_begin(struct weir_round *round, struct weir_smtp *smtp);
void weir_round_done(struct weir_round *round);

bool weir_round_is_full(const struct weir_round *round);
/* As weir_session_add and weir_session_take_back. */
struct weir_mail *weir_round_add(struct weir_round *round, const char *recipient);
void weir_round_take_back(struct weir_round *round);

/* How long a session took. */
typedef void weir_round_ended(void *context, int64_t duration_us);

/* Runs the sessions, each on a thread of its own, and calls `ended` for each on the caller's. */
void weir_round_run(const struct weir_round *round, bool (*stopping)(void), weir_round_ended *ended);

#endif
