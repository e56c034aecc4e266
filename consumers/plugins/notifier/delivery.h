/* Deliveries: what becomes of one mail, and the record that tells it.
 *
 *     key    event/subscription      of a mail to a subscriber
 *            event:NAME/recipient    by [notify NAME]; NAME is empty for notifier.to
 *            event?confirm           that asks a subscriber to confirm
 *     value  {"event":…,"subscription":…,"recipient":…,"collection":…,"key":…,"request":…,"event_ts_ms":…,
 *             "execution":…,"redrive":…,"message_id":…,"status":"sent|deferred|failed|unknown|suppressed","reply":…,"ts_ms":…}
 *
 * `event` is the event's id as in X-Weir-Event's place of mails without one, made from its position;
 * `subscription` is the subscription's id, or the rule's name. deferred: refused for now; failed: for good;
 * unknown: its text was sent and no reply came; suppressed: whom it was for has left since the event.
 * Threads: any. */
#ifndef WEIR_NOTIFIER_DELIVERY_H
#define WEIR_NOTIFIER_DELIVERY_H

#include "consumers/plugins/notifier/event.h"
#include "consumers/plugins/notifier/reply.h"

#include "common/bytes.h"

enum weir_delivery_status {
    WEIR_DELIVERY_SENT,
    WEIR_DELIVERY_DEFERRED,
    WEIR_DELIVERY_FAILED,
    WEIR_DELIVERY_UNKNOWN,
    WEIR_DELIVERY_SUPPRESSED,
    WEIR_DELIVERY_STATUSES
};

/* Which mail of an event it is. */
enum weir_delivery_kind { WEIR_DELIVERY_SUBSCRIBER, WEIR_DELIVERY_RULE, WEIR_DELIVERY_CONFIRMATION };

/* A mail's identity; texts owned. */
struct weir_delivery {
    char *key;
    char *request;           /* of the event; "" */
    struct weir_buffer head; /* the record's text up to its status */
    uint32_t source;         /* of the event's record */
    int32_t partition;
};

/* `name` is the subscription's id or the rule's name. 0 or WEIR_E_INTERNAL; the caller ends it by
 * weir_delivery_done either way. */
int weir_delivery_make(struct weir_delivery *delivery, enum weir_delivery_kind kind,
    const struct weir_event *event, const char *name, const char *recipient, const char *message_id,
    struct weir_error *err);
void weir_delivery_done(struct weir_delivery *delivery);

/* The subscription's id, of a mail to a subscriber; else data NULL. Borrowed. */
struct weir_bytes weir_delivery_subscription(const struct weir_delivery *delivery);

/* Appends the record's value. `code` 0 and "": the server said nothing. */
void weir_delivery_write(const struct weir_delivery *delivery, enum weir_delivery_status status, int code,
    const char *reply, int64_t now_ms, struct weir_buffer *out);

enum { WEIR_DELIVERY_REPLY_BYTES = 320, WEIR_DELIVERY_RECIPIENT_BYTES = 320 };

/* What a record says. */
struct weir_delivery_record {
    enum weir_delivery_status status;
    int64_t event_ms, time_ms, execution, redrive;
    char request[256];
    char recipient[WEIR_DELIVERY_RECIPIENT_BYTES];
    char reply[WEIR_DELIVERY_REPLY_BYTES]; /* "550 5.1.1 no such user"; "" */
};

/* False: the text is no delivery record. */
bool weir_delivery_read(struct weir_bytes value, struct weir_delivery_record *ret_record);

#endif
