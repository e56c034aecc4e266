/* The only user of libesmtp: sends an attempt's mails over one connection, on the calling thread, for as long
 * as it takes. What session.c runs on a thread. */
#ifndef WEIR_NOTIFIER_SMTP_H
#define WEIR_NOTIFIER_SMTP_H

#include "consumers/plugins/notifier/session.h"
#include "consumers/plugins/notifier/socket.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

struct weir_smtp {
    atomic_int references;
    atomic_int abandoned; /* threads left behind that have not ended yet */
    char *host, *hostname, *from, *user, *password;
    char server[300]; /* host:port */
    int port;
    bool needs_tls;
    int64_t timeout_ms, connect_ms, command_ms, stop_ms;
    SSL_CTX *tls;
    pthread_mutex_t connect_lock;
    pthread_cond_t connect_free;
    const struct weir_attempt *connecting; /* under connect_lock: one at a time, or none could tell which
                                              socket is its own */
};

/* Belongs to the thread that sends; only `socket`, `stop` and the mails' `acknowledged` may be touched by
 * others before it ended. */
struct weir_attempt {
    struct weir_smtp *smtp;
    struct weir_mail *mails; /* recipients owned here */
    size_t count;
    struct weir_socket socket;
    atomic_bool stop; /* no further mail is to begin */
    struct weir_transcript transcript;
    size_t owed; /* replies to commands that were written */
    bool connected, encrypted, starttls_missing, socket_lost;
    bool stopped;                                         /* a mail was withheld for `stop` */
    void (*taken)(void *context, struct weir_mail *mail); /* the server has it */
    void *taken_context;
    struct weir_session_failure failure;
};

/* Fills the mails' results and the failure. */
void weir_smtp_send(struct weir_attempt *attempt);

/* Lets others connect if this attempt is doing so: for one that is left behind. Threads: any. */
void weir_smtp_release(struct weir_smtp *smtp, const struct weir_attempt *attempt);

#endif
