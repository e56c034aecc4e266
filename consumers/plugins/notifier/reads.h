/* The notifier's reads over HTTP, switched on by notifier.listen: what became of the mails of a request or an
 * event.
 *
 *     GET /deliveries/orders.changes/3?request=ID       of the events that the request made; of several with
 * a space between them, e.g. as ID%20ID GET /deliveries/orders.changes/3?event=ID         of one event 200
 * {"deliveries":[{"event":…,"status":"sent",…}, …]}, the records of delivery.h
 *
 * By request the answer has a Weir-Mark. Given back as mark=, with wait=MILLISECONDS, the next one comes as
 * soon as there may be something new, or after the wait as 304.
 *
 * Topic and partition are those of the event: 503 where another instance has them, or they are being
 * restored. */
#ifndef WEIR_NOTIFIER_READS_H
#define WEIR_NOTIFIER_READS_H

#include "consumers/plugins/notifier/handle.h"

/* Listens and advertises it, where the settings say so. WEIR_E_CONFIG, WEIR_E_UNAVAILABLE. */
int weir_reads_open(struct weir_notifier *notifier, struct weir_error *err);
void weir_reads_close(struct weir_notifier *notifier);
/* Mails have got results, or time has gone by: whoever waits is looked at again. */
void weir_reads_wake(const struct weir_notifier *notifier);

#endif
