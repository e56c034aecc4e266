/* Who keeps a partition: asks Kafka which member of the store's consumer group, or the notifier's, has been
 * assigned it; the member's client.id carries the URL of its read listener. With the dev broker, which can't
 * be asked, `store.url` and `notifier.url`. Notifiers are looked for from the first time on that one is
 * wanted. What was learnt is kept until someone finds it wrong. Threads: one of its own asks. */
#ifndef WEIR_GATEWAY_OWNER_H
#define WEIR_GATEWAY_OWNER_H

#include "common/error.h"
#include "gateway/gateway.h"

#include <stdbool.h>
#include <stdint.h>

struct weir_owner;

enum weir_owner_kind { WEIR_OWNER_STORE, WEIR_OWNER_NOTIFIER, WEIR_OWNER_KINDS };

enum { WEIR_OWNER_URL_BYTES = 256 };

/* `learnt` is called, from the owner's thread, each time a group has answered; it must not block. */
int weir_owner_open(const struct weir_gateway *gateway, void (*learnt)(void *context), void *context,
    struct weir_owner **ret_owner, struct weir_error *err);
/* Accepts NULL. */
void weir_owner_close(struct weir_owner *owner);

/* Writes "http://host:port" of the store, or notifier, that has the partition; false when none is known.
 * Threads: any. */
bool weir_owner_find(struct weir_owner *owner, enum weir_owner_kind kind,
    const struct weir_gateway_collection *collection, int32_t partition,
    char out[static WEIR_OWNER_URL_BYTES]);

/* The same of the nth (from 0) instance of that store which does not have the partition, and may follow it;
 * false when there are no more. Threads: any. */
bool weir_owner_find_standby(struct weir_owner *owner, const struct weir_gateway_collection *collection,
    int32_t partition, unsigned nth, char out[static WEIR_OWNER_URL_BYTES]);

/* Asks for a new look; looks are at least 200 ms apart. Threads: any. */
void weir_owner_refresh(struct weir_owner *owner);

#endif
