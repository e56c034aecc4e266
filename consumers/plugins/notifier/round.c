#include "consumers/plugins/notifier/round.h"

#include "common/clock.h"

#include <pthread.h>
#include <stdlib.h>

void weir_round_begin(struct weir_round *round, struct weir_smtp *smtp)
{
    for (size_t i = 0; i < round->session_count; i++)
        weir_session_unref(round->sessions[i]);
    round->session_count = round->count = 0;
    round->limited = false;
    round->smtp = smtp;
}

void weir_round_done(struct weir_round *round)
{
    weir_round_begin(round, NULL);
    free(round->mails);
    round->mails = NULL;
    round->capacity = 0;
}

bool weir_round_is_full(const struct weir_round *round)
{
    return round->limited || round->count >= round->most;
}

/* Each session gets its share of the mails. */
static struct weir_session *choose_session(struct weir_round *round)
{
    size_t share = (round->most + round->sessions_most - 1) / round->sessions_most;
    size_t last = round->session_count;

    if (last > 0 && (last == round->sessions_most || weir_session_count(round->sessions[last - 1]) < share))
        return round->sessions[last - 1];
    struct weir_session *session = weir_session_new(round->smtp, round->taken, round->context);
    if (session != NULL)
        round->sessions[round->session_count++] = session;
    return session;
}

static bool make_room(struct weir_round *round)
{
    if (round->count < round->capacity)
        return true;
    size_t capacity = round->capacity > 0 ? 2 * round->capacity : 128;
    struct weir_mail_place *mails = reallocarray(round->mails, capacity, sizeof(*mails));
    if (mails == NULL)
        return false;
    round->mails = mails;
    round->capacity = capacity;
    return true;
}

struct weir_mail *weir_round_add(struct weir_round *round, const char *recipient)
{
    struct weir_session *session = make_room(round) ? choose_session(round) : NULL;
    struct weir_mail *mail = session != NULL ? weir_session_add(session, recipient) : NULL;

    if (mail != NULL)
        round->mails[round->count++] = (struct weir_mail_place){session, weir_session_count(session) - 1};
    return mail;
}

void weir_round_take_back(struct weir_round *round)
{
    round->count--;
    weir_session_take_back(round->sessions[round->session_count - 1]);
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

    weir_session_run(transmission->session, transmission->stopping);
    transmission->duration_us = weir_clock_us() - began_us;
    return NULL;
}

/* All but the first on threads of their own; where none can be had, one after the other. */
void weir_round_run(const struct weir_round *round, bool (*stopping)(void), weir_round_ended *ended)
{
    struct transmission transmissions[WEIR_NOTIFIER_SESSIONS_MAX];

    for (size_t i = round->session_count; i-- > 0;) {
        struct transmission *transmission = &transmissions[i];
        *transmission = (struct transmission){.session = round->sessions[i], .stopping = stopping};
        if (weir_session_count(transmission->session) == 0)
            continue;
        transmission->threaded =
            i > 0 && pthread_create(&transmission->thread, NULL, run_transmission, transmission) == 0;
        if (!transmission->threaded)
            run_transmission(transmission);
    }
    for (size_t i = 0; i < round->session_count; i++) {
        if (transmissions[i].threaded)
            pthread_join(transmissions[i].thread, NULL);
        if (weir_session_count(round->sessions[i]) > 0)
            ended(round->context, transmissions[i].duration_us);
    }
}
