#include "consumers/plugins/notifier/link.h"

#include "common/token.h"

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

char *weir_link_write(const struct weir_subscription_settings *settings, const char *id, const char *action,
    int64_t expires_ms, char out[static WEIR_LINK_BYTES])
{
    char escaped[3 * WEIR_LINK_ID_BYTES + 1], token[WEIR_TOKEN_BYTES];

    escape(id, escaped);
    weir_token_write(settings->keys, id, action, expires_ms, token);
    snprintf(out, WEIR_LINK_BYTES, "%s/v1/" WEIR_SUBSCRIPTIONS "/%s:%s?token=%s", settings->url, escaped,
        action, token);
    return out;
}
