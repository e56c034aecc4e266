/* The request id of a command, and what makes a repeat recognisable: with an Idempotency-Key any gateway
 * computes the same id from the same request, and the body's fingerprint tells a repeat from a mistake. */
#ifndef WEIR_GATEWAY_IDENTITY_H
#define WEIR_GATEWAY_IDENTITY_H

#include "common/error.h"
#include "gateway/request.h"

/* SHA-256 in hexadecimal and a NUL. */
enum { WEIR_FINGERPRINT_BYTES = 65 };

/* WEIR_E_INVALID: the header Idempotency-Key is there and not 1–255 bytes of visible ASCII. Threads: any. */
int weir_identity_check(const struct weir_request *request, struct weir_error *err);

/* Replaces the id of a request that has an Idempotency-Key; `key` is the document key, data NULL when it has
 * yet to be made. WEIR_E_INVALID: the header is not 1–255 bytes of visible ASCII. Threads: the request's own.
 */
int weir_identity_apply(struct weir_request *request, struct weir_bytes key, struct weir_error *err);

/* Writes the fingerprint of body (data NULL: of nothing) and answers it; data NULL when OpenSSL fails. */
struct weir_bytes weir_identity_fingerprint(struct weir_bytes body, char out[static WEIR_FINGERPRINT_BYTES]);

#endif
