/* Subscriptions whose address is refused again and again end: a command to the collection `subscriptions`, as
 * a client's would be, that makes them SUSPENDED and says why. It is for the version of the document that
 * mails were sent for (If-Match), so that whoever has changed it since stays as they are. Not thread-safe. */
#ifndef WEIR_NOTIFIER_SUSPENSION_H
#define WEIR_NOTIFIER_SUSPENSION_H

#include "consumers/plugins/notifier/subscriptions.h"

#include <weir/plugin.h>

struct weir_suspensions {
    struct weir_suspension *items;
    size_t count;
};

/* Adds one, of a mail about the event with that id, to be commanded by weir_suspensions_emit; memory that
 * runs out loses it: the next refusal brings it again. */
void weir_suspensions_add(struct weir_suspensions *suspensions, const struct weir_subscription *subscription,
    const char *event_id, int code, const char *reply);
void weir_suspensions_done(struct weir_suspensions *suspensions);

/* In tick, through a partition that this instance owns. */
void weir_suspensions_emit(struct weir_suspensions *suspensions, const struct weir_host *host,
    struct weir_batch *batch, uint32_t source, int32_t partition);
/* What was emitted is in the log, or is to be emitted again. */
void weir_suspensions_end(struct weir_suspensions *suspensions, bool committed);

#endif
