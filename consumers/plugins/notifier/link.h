/* The links in mails about a subscription: the gateway's pages for them, with a token (common/token.h). */
#ifndef WEIR_NOTIFIER_LINK_H
#define WEIR_NOTIFIER_LINK_H

#include "common/deployment.h"

#include <stdint.h>

enum {
    WEIR_LINK_ID_BYTES = 80, /* of a subscription's id, so that a header line holds the link whatever it is */
    WEIR_LINK_VERSION_BYTES = 64,
    WEIR_LINK_BYTES = 990,
};

/* "https://shop.example.com/v1/subscriptions/s-1:confirm?version=…&token=…" into out, printable ASCII without
 * <>". `id` has at most WEIR_LINK_ID_BYTES bytes, `action` is confirm or unsubscribe; `version` is the only
 * version of the document (its request id) that the link is good for, "" for any. Answers out. Threads: any.
 */
char *weir_link_write(const struct weir_subscription_settings *settings, const char *id, const char *action,
    const char *version, int64_t expires_ms, char out[static WEIR_LINK_BYTES]);

#endif
