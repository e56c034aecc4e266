/* Who has subscribed to what: the documents of the collection `subscriptions`, kept in memory by their
 * changes.
 *
 *     {"subscriptionID": "s-1", "status": "CONFIRMED", "endpoint": "ada@example.com", "collection": "orders",
 *      "filter": {"after.total": [{"numeric": [">", 100]}]}, "template": "order"}
 *
 * Only CONFIRMED ones get mails; PENDING, UNSUBSCRIBED and SUSPENDED ones, those of another status, documents
 * that are none of this form, and those with an id of more than 80 bytes do not. `filter` and `template` may
 * be missing. Whoever got mails and then left is remembered for a while, for the mails that were still to
 * come. Not thread-safe.
 */
#ifndef WEIR_NOTIFIER_SUBSCRIPTIONS_H
#define WEIR_NOTIFIER_SUBSCRIPTIONS_H

#include "consumers/plugins/notifier/rule.h"

#include "common/bytes.h"
#include "common/envelope.h"

#include <stddef.h>

/* How often in a row an address was refused for good, and for which event at last. */
struct weir_refusals {
    int count;
    char event[WEIR_ID_BYTES];
};

struct weir_subscription {
    const char *id;
    char endpoint[WEIR_MAILBOX_BYTES + 1]; /* as SMTP takes it */
    struct weir_rule rule;                 /* name: the id; collection, filter, template */
    const char *version;                   /* request id of the document's last change; "" */
    struct weir_refusals refusals;         /* of this version */
    int64_t since_ms, until_ms;            /* CONFIRMED from then, and of one that left until then */
};

struct weir_subscriptions;

/* NULL when memory is out. */
struct weir_subscriptions *weir_subscriptions_new(void);
void weir_subscriptions_free(struct weir_subscriptions *subscriptions);

/* Applies a record of the collection's change topic: its key, and the change event, or data NULL for a
 * tombstone. The last one of a key counts. A document that can't get mails is none of the set, and no error;
 * what the set held of its key has left. WEIR_E_INTERNAL: memory. */
int weir_subscriptions_apply(struct weir_subscriptions *subscriptions, struct weir_bytes key,
    struct weir_bytes event, struct weir_error *err);

/* The next one from *at on (0 at first) that was CONFIRMED at that time, has left since and is not back; NULL
 * behind the last. Valid until the next change. */
const struct weir_subscription *weir_subscriptions_next_left(
    const struct weir_subscriptions *subscriptions, int64_t at_ms, size_t *at);
/* Forgets who left before then. */
void weir_subscriptions_forget(struct weir_subscriptions *subscriptions, int64_t before_ms);

/* Those that get mails. Valid until the next change. */
size_t weir_subscriptions_count(const struct weir_subscriptions *subscriptions);
const struct weir_subscription *weir_subscriptions_at(
    const struct weir_subscriptions *subscriptions, size_t i);
/* The server has taken a mail of an event for it, or refused the address for good. The subscription, if that
 * changes its refusals; else NULL, also when there is none of that id. */
const struct weir_subscription *weir_subscriptions_note(
    struct weir_subscriptions *subscriptions, struct weir_bytes id, const char *event_id, bool refused);
/* What was known of its refusals before; nothing when there is none of that id. */
void weir_subscriptions_recall(
    struct weir_subscriptions *subscriptions, struct weir_bytes id, const struct weir_refusals *refusals);
/* NULL: there is none of that id. */
const struct weir_subscription *weir_subscriptions_find(
    const struct weir_subscriptions *subscriptions, struct weir_bytes id);

#endif
