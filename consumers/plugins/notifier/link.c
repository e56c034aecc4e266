#include "consumers/plugins/notifier/link.h"

#include "common/token.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* RFC 3986, 2.3: everything but unreserved characters. */
static void escape(const char *text, char out[static 3 * WEIR_LINK_ID_BYTES + 1])
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    size_t len = 0;

    for (size_t i = 0; text[i] != '\0' && i < WEIR_LINK_ID_BYTES; i++) {
        if (strchr(plain, text[i]) != NULL)
            out[len++] = text[i];
        else
            len += (size_t)snprintf(out + len, 4, "%%%02X", (unsigned char)text[i]);
    }
    out[len] = '\0';
}

/* Request ids, as others than the gateway may write them, that are no plain word are left out. */
static bool is_version(const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
    size_t len = strlen(text);
    return len > 0 && len <= WEIR_LINK_VERSION_BYTES && strspn(text, plain) == len;
}

char *weir_link_write(const struct weir_subscription_settings *settings, const char *id, const char *action,
    const char *version, int64_t expires_ms, char out[static WEIR_LINK_BYTES])
{
    char escaped[3 * WEIR_LINK_ID_BYTES + 1], token[WEIR_TOKEN_BYTES];
    char statement[WEIR_LINK_VERSION_BYTES + 16], query[WEIR_LINK_VERSION_BYTES + 16] = "";

    snprintf(statement, sizeof(statement), "%s", action);
    if (is_version(version)) {
        snprintf(statement, sizeof(statement), "%s %s", action, version);
        snprintf(query, sizeof(query), "version=%s&", version);
    }
    escape(id, escaped);
    weir_token_write(settings->keys, id, statement, expires_ms, token);
    snprintf(out, WEIR_LINK_BYTES, "%s/v1/" WEIR_SUBSCRIPTIONS "/%s:%s?%stoken=%s", settings->url, escaped,
        action, query, token);
    return out;
}
