/* The mail about one change event to one recipient, ready for the wire. */
#ifndef WEIR_NOTIFIER_MESSAGE_H
#define WEIR_NOTIFIER_MESSAGE_H

#include "consumers/plugins/notifier/event.h"
#include "consumers/plugins/notifier/templates.h"

#include "common/bytes.h"
#include "common/error.h"

struct weir_message_sender {
    const char *from;      /* checked by weir_mailbox_check */
    const char *from_name; /* NULL: none */
    const char *domain;    /* right side of the Message-ID; the same on every instance */
    const char *service;   /* named at the end of the mail */
    const struct weir_templates *templates;
};

/* What goes to whom. */
struct weir_letter {
    const char *recipient;    /* has passed weir_mailbox_check */
    const char *subscription; /* names the reason why the recipient gets it: the same reason and event, the
                                 same mail */
    const char *list;         /* of the List-Id, which is list.domain; [a-z0-9-], or NULL */
    const char *template;
    const char *unsubscribe; /* URL of printable ASCII without <>"; NULL */
    struct weir_bytes words; /* one more JSON object for the template; data NULL */
};

enum { WEIR_MESSAGE_ID_BYTES = 360, WEIR_MESSAGE_SUBJECT_MAX = 600 };

/* "event.hash@domain", without angle brackets, the hash that of subscription and recipient: the same at every
 * try and on every instance, so that mailbox programs and people see a repeated mail for what it is. */
void weir_message_id(const char *event_id, const struct weir_letter *letter, const char *domain,
    char out[static WEIR_MESSAGE_ID_BYTES]);

/* What templates may name beside the event's own members (README.md lists it): made once for all mails of an
 * event. */
int weir_message_words(const struct weir_event *event, const struct weir_message_sender *sender,
    struct weir_buffer *out, struct weir_error *err);

/* Appends header and body, `id` that of weir_message_id: a text part, with the template's HTML beside it as
 * multipart/alternative; all ASCII, lines of at most 78 bytes (addresses, Message-ID and URL: 998) that end
 * in CRLF. `words` is what weir_message_words made. The same arguments give the same bytes. WEIR_E_INVALID: a
 * value is unfit for a header; WEIR_E_TOO_LARGE: a part goes beyond WEIR_TEMPLATE_OUTPUT_MAX;
 * WEIR_E_NOT_FOUND: no such template. Threads: any. */
int weir_message_build(const struct weir_event *event, struct weir_bytes words,
    const struct weir_message_sender *sender, const struct weir_letter *letter, const char *id,
    struct weir_buffer *out, struct weir_error *err);

#endif
