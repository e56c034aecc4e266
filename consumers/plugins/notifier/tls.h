/* The TLS context of SMTP sessions: an own one always, because libesmtp's default is freed and used again at
 * the second session, and because its own host check trusts a name that came from DNS. */
#ifndef WEIR_NOTIFIER_TLS_H
#define WEIR_NOTIFIER_TLS_H

#include "common/error.h"

#include <openssl/ssl.h>

/* TLS 1.2, the peer verified against ca_path (NULL: the system's authorities) and against `host`, a
 * name or an IPv4 address. The caller frees *ret_context with SSL_CTX_free. WEIR_E_CONFIG: the file can't be
 * used. */
int weir_tls_context_new(
    const char *ca_path, const char *host, SSL_CTX **ret_context, struct weir_error *err);

/* Why a handshake of this thread failed, for people; "" if no reason is known. Each session has a thread of
 * its own. */
const char *weir_tls_failure(void);

#endif
