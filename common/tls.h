/* TLS 1.2 and 1.3 of a listener. libmicrohttpd speaks it by GnuTLS with one set of files for good; here each
 * connection is given the credentials of its own time, so that renewed files serve new connections and
 * disturb no old one. */
#ifndef WEIR_COMMON_TLS_H
#define WEIR_COMMON_TLS_H

#include "common/bytes.h"
#include "common/error.h"
#include "common/metrics.h"

#include <microhttpd.h>

#include <stdbool.h>

struct weir_tls;
struct weir_tls_peer; /* one connection's side */

/* PEM files, named in errors by the settings tls.certificate, tls.key and tls.client.ca. Borrowed. */
struct weir_tls_files {
    const char *certificate;     /* and those between it and its CA */
    const char *key;             /* not encrypted */
    const char *client_ca;       /* of clients' certificates, good for TLS clients; NULL: none is asked for */
    bool client_required;        /* a client without one is turned away */
    struct weir_metric *expires; /* gauge: the certificate's end in seconds since 1970; NULL: not told */
};

/* Reads the files; their names stay borrowed. WEIR_E_CONFIG tells which one is broken, or that
 * certificate and key do not belong together. */
int weir_tls_open(const struct weir_tls_files *files, struct weir_tls **ret_tls, struct weir_error *err);
/* Reads them again; after an error everything stays as it was. Threads: one at a time, beside any that use
 * it. */
int weir_tls_reload(struct weir_tls *tls, struct weir_error *err);
/* After its last connection. Accepts NULL. */
void weir_tls_close(struct weir_tls *tls);

/* What MHD_start_daemon needs for TLS, as MHD_OPTION_ARRAY, beside MHD_USE_TLS. Static. */
struct MHD_OptionItem *weir_tls_options(void);

/* A connection was accepted and its handshake has not begun. `session` (gnutls_session_t) is libmicrohttpd's.
 * NULL when memory is out: then the handshake fails. */
struct weir_tls_peer *weir_tls_peer_new(struct weir_tls *tls, void *session);
/* The session is gone. Accepts NULL. */
void weir_tls_peer_free(struct weir_tls_peer *peer);

/* The names in the client's certificate, which is good, one a line: "cn=…", "dns=…", "uri=…", "email=…" (RFC
 * 5280 §4.1.2.6, §4.2.1.6); none without a certificate, and for NULL. Names with spaces, control or 8-bit
 * bytes are left out. Threads: the connection's own. */
struct weir_bytes weir_tls_peer_names(struct weir_tls_peer *peer);

#endif
