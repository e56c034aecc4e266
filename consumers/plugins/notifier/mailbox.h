/* Mail addresses and host names as they may go into SMTP commands and header lines. libesmtp checks neither:
 * a line end in a recipient becomes a command of its own. What passes here is ASCII without spaces and
 * controls, so that nothing can be smuggled in behind it.
 *
 *     if (weir_mailbox_check("team@example.com", &err) < 0)
 *         return weir_error_prefix(&err, "notifier.to");
 */
#ifndef WEIR_NOTIFIER_MAILBOX_H
#define WEIR_NOTIFIER_MAILBOX_H

#include "common/bytes.h"
#include "common/error.h"

/* RFC 5321, 4.5.3.1: a path has 256 bytes, two of them are the angle brackets. */
enum { WEIR_MAILBOX_BYTES = 254, WEIR_MAILBOX_LOCAL_BYTES = 64, WEIR_HOSTNAME_BYTES = 253 };

/* A mailbox `local@domain`: local is a dot-string (no quoted form), domain a host name. 0, or WEIR_E_CONFIG
 * naming the fault; the text never repeats bytes that are no printable ASCII. Threads: any. */
int weir_mailbox_check(const char *address, struct weir_error *err);

/* A host name of letters, digits and hyphens (RFC 1123), in labels of 1–63 bytes; an internationalised one
 * has to be written in its xn-- form. 0 or WEIR_E_CONFIG. Threads: any. */
int weir_hostname_check(const char *hostname, struct weir_error *err);

/* The mailbox as SMTP takes it: an internationalised domain (UTF-8) in its xn-- form (IDNA 2008), the rest as
 * it is; out has passed weir_mailbox_check. The part before the @ has to be ASCII. WEIR_E_CONFIG as above.
 * Threads: any. */
int weir_mailbox_ascii(
    struct weir_bytes address, char out[static WEIR_MAILBOX_BYTES + 1], struct weir_error *err);

#endif
