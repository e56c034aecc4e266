/* One SMTP session: the mails it carries, a thread of its own, and an absolute deadline. Resolving a name and
 * connecting block in libesmtp for minutes, and a server that drips bytes holds it for ever; here the caller
 * always gets its thread back in time: the socket is shut down at the deadline, and a thread that has no
 * socket yet is left behind, which can no longer send.
 *
 *     struct weir_session *session = weir_session_new(smtp, NULL, NULL);
 *     struct weir_mail *mail = weir_session_add(session, "team@example.com");
 *     weir_message_build(…, &mail->message, &err);
 *     weir_session_run(session, host->stopping);
 *     … mail->result …
 *     weir_session_unref(session);
 */
#ifndef WEIR_NOTIFIER_SESSION_H
#define WEIR_NOTIFIER_SESSION_H

#include "consumers/plugins/notifier/delivery.h"
#include "consumers/plugins/notifier/reply.h"
#include "consumers/plugins/notifier/transcript.h"

#include "common/bytes.h"
#include "common/error.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A server and how to speak to it. Immutable, shared by sessions. */
struct weir_smtp;

struct weir_smtp_options {
    const char *host; /* a name or an IPv4 address */
    int port;
    const char *hostname; /* for EHLO */
    const char *from;     /* MAIL FROM */
    bool needs_tls;
    const char *ca;              /* NULL: the system's authorities */
    const char *user, *password; /* NULL: no authentication */
    int64_t timeout_ms;
    int64_t connect_ms, command_ms; /* within it */
    int64_t stop_ms;                /* what is left of the timeout once the process has been asked to end */
};

/* Copies the options. The caller owns one reference of *ret_smtp. WEIR_E_CONFIG: the CA file can't be used.
 */
int weir_smtp_new(
    const struct weir_smtp_options *options, struct weir_smtp **ret_smtp, struct weir_error *err);
void weir_smtp_unref(struct weir_smtp *smtp);

struct weir_mail {
    const char *recipient;         /* copied */
    struct weir_delivery delivery; /* owned */
    struct weir_buffer message;    /* owned */
    struct weir_buffer record;     /* owned: what tells of the delivery, if `taken` noted it; else empty */
    enum weir_mail_result result;
    atomic_bool acknowledged;     /* the server has taken it; the session may still be under way */
    bool told;                    /* `taken` was called with it */
    int code;                     /* the reply that decided it; 0: none */
    bool unknown;                 /* its text was sent and no reply came: it may have arrived */
    char reply[WEIR_REPLY_BYTES]; /* its text, one line of printable ASCII */
};

/* Why a session could not go on, for all mails that it left untried or blocked. */
enum { WEIR_FAILURE_TEXT_BYTES = 600 };

struct weir_session_failure {
    const char *type; /* few, stable: "smtp-unreachable", "smtp-timeout", …; NULL: it went to its end */
    char text[WEIR_FAILURE_TEXT_BYTES];
};

struct weir_session;

/* Called on the session's thread as soon as the server has taken a mail; never after the run has ended. */
typedef void weir_session_taken(void *context, struct weir_mail *mail);

/* NULL when memory is out. `taken` may be NULL. */
struct weir_session *weir_session_new(struct weir_smtp *smtp, weir_session_taken *taken, void *context);
void weir_session_unref(struct weir_session *session);

/* Adds a mail without its message and its delivery. The pointer is good until the next call; NULL when memory
 * is out. */
struct weir_mail *weir_session_add(struct weir_session *session, const char *recipient);
/* Takes the last one added back. */
void weir_session_take_back(struct weir_session *session);

/* Sends, within the timeout plus one second. Afterwards every mail has its result. At most once a session.
 * When `stopping` becomes true, no further mail begins, and the one in flight has stop_ms. */
void weir_session_run(struct weir_session *session, bool (*stopping)(void));

size_t weir_session_count(const struct weir_session *session);
/* After the run. */
const struct weir_mail *weir_session_mail(const struct weir_session *session, size_t index);
const struct weir_delivery *weir_session_delivery(const struct weir_session *session, size_t index);
const struct weir_session_failure *weir_session_failure(const struct weir_session *session);

/* One of the mails of several sessions. */
struct weir_mail_place {
    const struct weir_session *session;
    size_t index;
};

/* Also while its session runs. */
static inline const struct weir_delivery *weir_delivery_at(struct weir_mail_place place)
{
    return weir_session_delivery(place.session, place.index);
}

static inline const struct weir_mail *weir_mail_at(struct weir_mail_place place)
{
    return weir_session_mail(place.session, place.index);
}

#endif
