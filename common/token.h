/* Tokens in the links of mails: who holds one may do that one thing with that subscription until it expires.
 * Nothing is stored; that one is used once only is the business of the subscription's status.
 *
 * A token is the expiry (seconds since 1970, hexadecimal), a dot, and HMAC-SHA-256 (RFC 2104) over
 * subscription, action and expiry, base64url without padding (RFC 4648, 5).
 *
 *     weir_token_write(keys, "s-1", "confirm", now_ms + WEIR_TOKEN_CONFIRM_MS, token);
 *     if (weir_token_check(keys, "s-1", "confirm", token, now_ms) == WEIR_TOKEN_VALID) …
 */
#ifndef WEIR_COMMON_TOKEN_H
#define WEIR_COMMON_TOKEN_H

#include "common/cleanup.h"
#include "common/error.h"

#include <stdint.h>

enum {
    WEIR_TOKEN_BYTES = 16 + 1 + 43 + 1, /* with the NUL */
    WEIR_TOKEN_KEY_LEAST = 32,          /* characters of a key */
    WEIR_TOKEN_KEYS_MAX = 4,
};

static const int64_t WEIR_TOKEN_CONFIRM_MS = 48LL * 3600 * 1000;
/* A mail may be read late, and its list has to be left even then (RFC 8058). */
static const int64_t WEIR_TOKEN_UNSUBSCRIBE_MS = 365LL * 24 * 3600 * 1000;

struct weir_token_keys;

/* Keys from the text of a key file: one a line of 32 to 256 printable characters, e.g. `openssl rand -hex
 * 32`. The first one signs, each one is accepted, so that a key is changed by putting the new one before it.
 * The caller frees *ret_keys, which zeroes them. WEIR_E_CONFIG never repeats a key. */
int weir_token_keys_new(const char *text, struct weir_token_keys **ret_keys, struct weir_error *err);
void weir_token_keys_free(struct weir_token_keys *keys);
WEIR_CLEANUP_DEFINE(token_keys, struct weir_token_keys *, weir_token_keys_free)

/* expires_ms: wall clock, from 0; whole seconds of it count. Answers out. Threads: any. */
char *weir_token_write(const struct weir_token_keys *keys, const char *subscription, const char *action,
    int64_t expires_ms, char out[static WEIR_TOKEN_BYTES]);

enum weir_token_state { WEIR_TOKEN_VALID, WEIR_TOKEN_EXPIRED, WEIR_TOKEN_WRONG };

/* In a time that does not depend on the signature given. A token that this service did not sign is WRONG,
 * whatever its expiry. Threads: any. */
enum weir_token_state weir_token_check(const struct weir_token_keys *keys, const char *subscription,
    const char *action, const char *token, int64_t now_ms);

#endif
