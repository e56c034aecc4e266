/* Reads along what libesmtp and the server say to each other before the first mail, for what its interface
 * does not tell: whether the server accepted the credentials, with which words it refused, and whether plain
 * text stood behind the reply to STARTTLS (libesmtp would take that for replies inside TLS, CVE-2011-0411's
 * kind).
 *
 * It also withholds one keyword: with CHUNKING libesmtp pipelines BDAT behind a RCPT that may be refused, and
 * then takes the replies of one command for those of another. The last letter of the server's keyword is
 * changed in libesmtp's read buffer, so that it sends by DATA.
 *
 * One session's thread at a time; no I/O. */
#ifndef WEIR_NOTIFIER_TRANSCRIPT_H
#define WEIR_NOTIFIER_TRANSCRIPT_H

#include <stdbool.h>
#include <stddef.h>

enum weir_transcript_step {
    WEIR_STEP_GREETING,
    WEIR_STEP_HELLO,
    WEIR_STEP_STARTTLS,
    WEIR_STEP_AUTH,
    WEIR_STEP_MAIL, /* from here on replies belong to mails and are not looked at */
};

enum { WEIR_REPLY_BYTES = 256 };

struct weir_transcript {
    enum weir_transcript_step step;
    bool authenticated;
    bool injected;                /* plain text stood behind the reply to STARTTLS */
    int refused;                  /* code of the last 4xx or 5xx before the first mail; 0: none */
    char reply[WEIR_REPLY_BYTES]; /* the last reply before the first mail, one line of printable ASCII */
    char line[WEIR_REPLY_BYTES];  /* the line being read, its beginning */
    size_t line_len;
};

/* Bytes that came from the server; they may be changed. False: the session has to end now. */
bool weir_transcript_take(struct weir_transcript *transcript, char *bytes, size_t len);

/* Bytes about to be sent; libesmtp hands over one command at a time until the first mail. */
void weir_transcript_give(struct weir_transcript *transcript, const char *bytes, size_t len);

#endif
