/* The pieces of an internet message (RFC 5322, 2045, 2047): everything these functions append is ASCII in
 * lines of at most 78 bytes that end in CRLF, with no CR or LF elsewhere, whatever is put in. */
#ifndef WEIR_NOTIFIER_MIME_H
#define WEIR_NOTIFIER_MIME_H

#include "common/bytes.h"
#include "common/error.h"

#include <stdint.h>

/* Appends "Name: value" and CRLF. A value that is long or not plain ASCII becomes encoded words (RFC 2047,
 * UTF-8, B), folded between characters; so does one that would be taken for an encoded word. `value` is
 * UTF-8. WEIR_E_INVALID, and nothing appended, if it holds a control character (U+0000–1F, U+007F). Threads:
 * any. */
int weir_mime_header(struct weir_buffer *out, const char *name, const char *value, struct weir_error *err);

/* Appends "Name: <address>", with a display name "Name: Display Name" and a folded line for the address.
 * `display` is UTF-8 or NULL. WEIR_E_INVALID as above. `address` has passed weir_mailbox_check. */
int weir_mime_address(struct weir_buffer *out, const char *name, const char *display, const char *address,
    struct weir_error *err);

/* Makes text one line fit for a header value, in place: a run of control characters, line ends among them,
 * becomes one space, none at the ends; at most `most` bytes, cut between characters. */
void weir_mime_one_line(struct weir_buffer *text, size_t most);

/* Appends text quoted-printable. LF and CRLF end a line; a CR by itself and any other control byte is
 * encoded, and so are a dot and "From " at the beginning of a line, so that no server on the way is tempted.
 * Ends in CRLF. */
void weir_mime_quoted_printable(struct weir_buffer *out, struct weir_bytes text);

/* Appends text base64 in lines of 76, its own line ends as CRLF (RFC 2045, 6.8). */
void weir_mime_base64(struct weir_buffer *out, struct weir_bytes text);

/* Appends text quoted-printable, or base64 where that has half the bytes or less. Answers which: the value of
 * Content-Transfer-Encoding. */
const char *weir_mime_encode(struct weir_buffer *out, struct weir_bytes text);

enum { WEIR_MIME_DATE_BYTES = 40 };
/* "Sat, 21 Nov 2026 06:40:20 +0000" into out; answers out. 0 ≤ wall_ms < the year 10000. */
char *weir_mime_date(int64_t wall_ms, char out[static WEIR_MIME_DATE_BYTES]);

#endif
