/* The links in mails about a subscription: the gateway's pages for them, with a token (common/token.h). */
#ifndef WEIR_NOTIFIER_LINK_H
#define WEIR_NOTIFIER_LINK_H

#include "common/deployment.h"

#include <stdint.h>

enum {
    WEIR_LINK_ID_BYTES = 80, /* of a subscription's id, so that a header line holds the link whatever it is */
    WEIR_LINK_BYTES = 900,
};

/* "https://shop.example.com/v1/subscriptions/s-1:confirm?token=…" into out, printable ASCII without <>". `id`
 * has at most WEIR_LINK_ID_BYTES bytes, `action` is confirm or unsubscribe. Answers out. Threads: any. */
char *weir_link_write(const struct weir_subscription_settings *settings, const char *id, const char *action,
    int64_t expires_ms, char out[static WEIR_LINK_BYTES]);

#endif
