/* What the server's replies to one mail mean. Nothing else proves that a mail was sent: libesmtp's session
 * call succeeds whether or not a server took anything. */
#ifndef WEIR_NOTIFIER_REPLY_H
#define WEIR_NOTIFIER_REPLY_H

#include <stdbool.h>

enum weir_mail_result {
    WEIR_MAIL_UNTRIED,   /* its turn did not come */
    WEIR_MAIL_SENT,      /* the server has taken responsibility for it (RFC 5321, 4.2.5) */
    WEIR_MAIL_TEMPORARY, /* refused for now, this one */
    WEIR_MAIL_PERMANENT, /* refused for good */
    WEIR_MAIL_BLOCKED, /* reasons that every mail has: sender, authentication, TLS, no server, one that shuts
                          down (421) or has no room (452), no answer (the mail may or may not arrive) */
};

/* Reply codes, 0 where there was none. */
struct weir_replies {
    int sender, recipient, message; /* to MAIL, RCPT, and the end of the data (or DATA, if refused there) */
    bool complete;                  /* libesmtp's word that it is done with the recipient */
    bool personal; /* the enhanced code of the refusal is about the recipient: x.1.x address, x.2.x mailbox */
};

/* The result, and in *ret_code the reply that decided it (0: none came). Threads: any. */
enum weir_mail_result weir_replies_judge(const struct weir_replies *replies, int *ret_code);

#endif
