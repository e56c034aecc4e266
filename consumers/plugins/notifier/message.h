/* The mail about one change event to one recipient, ready for the wire. */
#ifndef WEIR_NOTIFIER_MESSAGE_H
#define WEIR_NOTIFIER_MESSAGE_H

#include "consumers/plugins/notifier/event.h"

#include "common/bytes.h"
#include "common/error.h"

struct weir_message_sender {
    const char *from;    /* checked by weir_mailbox_check */
    const char *domain;  /* right side of the Message-ID; the same on every instance */
    const char *service; /* named at the end of the mail */
};

enum { WEIR_MESSAGE_ID_BYTES = 360 };

/* "event.recipient-hash@domain", without angle brackets: the same at every try and on every instance, so that
 * mailbox programs and people see a repeated mail for what it is. */
void weir_message_id(
    const char *event_id, const char *recipient, const char *domain, char out[static WEIR_MESSAGE_ID_BYTES]);

/* Appends header and body: multipart/alternative with a text and an HTML part, both UTF-8 quoted-printable,
 * all ASCII, lines of at most 78 bytes (addresses and Message-ID: 998) that end in CRLF. The same arguments
 * give the same bytes. `recipient` has passed weir_mailbox_check. WEIR_E_INVALID: a value is unfit for a
 * header. Threads: any. */
int weir_message_build(const struct weir_event *event, const struct weir_message_sender *sender,
    const char *recipient, struct weir_buffer *out, struct weir_error *err);

#endif
