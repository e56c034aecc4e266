#include "common/token.h"

#include "common/bytes.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_MOST = 256, MAC_BYTES = 32, SIGNATURE_BYTES = 43, EXPIRY_DIGITS = 16 };

struct weir_token_keys {
    char keys[WEIR_TOKEN_KEYS_MAX][KEY_MOST + 1];
    size_t count;
};

static int add_key(struct weir_token_keys *keys, const char *line, size_t len, struct weir_error *err)
{
    if (keys->count == WEIR_TOKEN_KEYS_MAX)
        return weir_error_set(err, WEIR_E_CONFIG, "more than %d keys", WEIR_TOKEN_KEYS_MAX);
    if (len < WEIR_TOKEN_KEY_LEAST || len > KEY_MOST)
        return weir_error_set(err, WEIR_E_CONFIG, "key %zu has %zu characters, not %d to %d", keys->count + 1,
            len, WEIR_TOKEN_KEY_LEAST, KEY_MOST);
    for (size_t i = 0; i < len; i++)
        if (line[i] <= ' ' || line[i] > '~')
            return weir_error_set(err, WEIR_E_CONFIG,
                "key %zu holds a byte that is no printable ASCII character", keys->count + 1);
    memcpy(keys->keys[keys->count++], line, len);
    return 0;
}

int weir_token_keys_new(const char *text, struct weir_token_keys **ret_keys, struct weir_error *err)
{
    static const char white[] = " \r\n";
    WEIR_CLEANUP(token_keys) struct weir_token_keys *keys = calloc(1, sizeof(*keys));
    int code = 0;

    if (keys == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    for (const char *at = text + strspn(text, white); *at != '\0' && code == 0; at += strspn(at, white)) {
        size_t len = strcspn(at, white);
        code = add_key(keys, at, len, err);
        at += len;
    }
    if (code == 0 && keys->count == 0)
        code = weir_error_set(err, WEIR_E_CONFIG, "there is no key");
    if (code == 0)
        *ret_keys = weir_steal(keys);
    return code;
}

void weir_token_keys_free(struct weir_token_keys *keys)
{
    if (keys == NULL)
        return;
    OPENSSL_cleanse(keys, sizeof(*keys));
    free(keys);
}

/* What is signed; the lengths keep ("ab", "c") apart from ("a", "bc"). */
static void write_statement(
    struct weir_buffer *out, const char *subscription, const char *action, const char *expiry)
{
    weir_buffer_printf(out, "weir-token:%zu:%s:%zu:%s:%s", strlen(subscription), subscription, strlen(action),
        action, expiry);
}

static void sign(const char *key, const char *subscription, const char *action, const char *expiry,
    char out[static SIGNATURE_BYTES + 1])
{
    WEIR_CLEANUP(buffer) struct weir_buffer statement = {0};
    unsigned char mac[EVP_MAX_MD_SIZE] = {0};
    unsigned char encoded[4 * ((MAC_BYTES + 2) / 3) + 1];

    write_statement(&statement, subscription, action, expiry);
    if (statement.failed || HMAC(EVP_sha256(), key, (int)strlen(key), (const unsigned char *)statement.data,
                                statement.len, mac, NULL) == NULL)
        abort(); /* without memory no answer would be safe */
    EVP_EncodeBlock(encoded, mac, MAC_BYTES);
    for (size_t i = 0; i < SIGNATURE_BYTES; i++)
        out[i] = encoded[i] == '+' ? '-' : encoded[i] == '/' ? '_' : (char)encoded[i];
    out[SIGNATURE_BYTES] = '\0';
}

char *weir_token_write(const struct weir_token_keys *keys, const char *subscription, const char *action,
    int64_t expires_ms, char out[static WEIR_TOKEN_BYTES])
{
    char expiry[EXPIRY_DIGITS + 1], signature[SIGNATURE_BYTES + 1];

    snprintf(expiry, sizeof(expiry), "%" PRIx64, expires_ms / 1000);
    sign(keys->keys[0], subscription, action, expiry, signature);
    snprintf(out, WEIR_TOKEN_BYTES, "%s.%s", expiry, signature);
    return out;
}

/* The expiry as it is written, in its one form: no sign, no leading zero, lower case. */
static bool read_expiry(const char *token, char out[static EXPIRY_DIGITS + 1], int64_t *ret_seconds)
{
    size_t len = strspn(token, "0123456789abcdef");

    if (len == 0 || len >= EXPIRY_DIGITS || token[len] != '.' || (len > 1 && token[0] == '0'))
        return false;
    memcpy(out, token, len);
    out[len] = '\0';
    *ret_seconds = (int64_t)strtoull(out, NULL, 16);
    return true;
}

enum weir_token_state weir_token_check(const struct weir_token_keys *keys, const char *subscription,
    const char *action, const char *token, int64_t now_ms)
{
    char expiry[EXPIRY_DIGITS + 1], wanted[SIGNATURE_BYTES + 1];
    int64_t seconds = 0;
    bool found = false;

    if (!read_expiry(token, expiry, &seconds))
        return WEIR_TOKEN_WRONG;
    const char *given = token + strlen(expiry) + 1;
    if (strnlen(given, SIGNATURE_BYTES + 1) != SIGNATURE_BYTES)
        return WEIR_TOKEN_WRONG;
    for (size_t i = 0; i < keys->count; i++) {
        sign(keys->keys[i], subscription, action, expiry, wanted);
        found |= CRYPTO_memcmp(given, wanted, SIGNATURE_BYTES) == 0;
    }
    if (!found)
        return WEIR_TOKEN_WRONG;
    return now_ms / 1000 < seconds ? WEIR_TOKEN_VALID : WEIR_TOKEN_EXPIRED;
}
