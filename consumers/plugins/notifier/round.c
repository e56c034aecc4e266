#include "consumers/plugins/notifier/round.h"

#include "common/clock.h"

#include <stdlib.h>

static struct weir_session *session_at(const struct weir_round *round, size_t number)
{
    return round->transmissions[number].session;
}

void weir_round_begin(struct weir_round *round, struct weir_smtp *smtp)
{
    weir_round_flush(round);
    weir_round_await(round, round->count);
    for (size_t i = 0; i < round->session_count; i++)
        weir_session_unref(session_at(round, i));
    round->session_count = round->started = round->joined = 0;
    round->count = round->awaited = round->suppressed = 0;
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
    return round->limited || round->count + round->suppressed >= round->most;
}

/* Each session gets its share of the mails. */
static struct weir_session *choose_session(struct weir_round *round)
{
    size_t share = (round->most + round->sessions_most - 1) / round->sessions_most;
    size_t last = round->session_count;

    if (last > 0 && (last == round->sessions_most || weir_session_count(session_at(round, last - 1)) < share))
        return session_at(round, last - 1);
    struct weir_session *session = weir_session_new(round->smtp, round->taken, round->context);
    if (session == NULL)
        return NULL;
    weir_round_flush(round);
    round->transmissions[round->session_count++] =
        (struct weir_transmission){.session = session, .stopping = round->stopping};
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
    weir_session_take_back(session_at(round, round->session_count - 1));
}

static void *run_transmission(void *argument)
{
    struct weir_transmission *transmission = argument;
    int64_t began_us = weir_clock_us();

    weir_session_run(transmission->session, transmission->stopping);
    transmission->duration_us = weir_clock_us() - began_us;
    return NULL;
}

/* Where no thread can be had, here. */
static void start(struct weir_transmission *transmission)
{
    if (weir_session_count(transmission->session) == 0)
        return;
    transmission->threaded = pthread_create(&transmission->thread, NULL, run_transmission, transmission) == 0;
    if (!transmission->threaded)
        run_transmission(transmission);
}

void weir_round_flush(struct weir_round *round)
{
    while (round->started < round->session_count)
        start(&round->transmissions[round->started++]);
}

void weir_round_await(struct weir_round *round, size_t count)
{
    while (round->awaited < count) {
        const struct weir_transmission *transmission = &round->transmissions[round->joined++];
        if (transmission->threaded)
            pthread_join(transmission->thread, NULL);
        round->awaited += weir_session_count(transmission->session);
        if (weir_session_count(transmission->session) > 0)
            round->ended(round->context, transmission->duration_us);
    }
}
