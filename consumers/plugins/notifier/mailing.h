/* From an event to its mails: those of rules, those to subscribers, and the one that asks a new subscriber.
 */
#ifndef WEIR_NOTIFIER_MAILING_H
#define WEIR_NOTIFIER_MAILING_H

#include "consumers/plugins/notifier/handle.h"

/* Adds to the session the mails about the event that were not sent yet. What is wrong with one of them keeps
 * back no other: the first such error is in *fault, whose code is 0 when there is none. WEIR_E_INTERNAL:
 * memory. */
int weir_mailing_add(const struct weir_notifier *notifier, struct weir_session *session,
    const struct weir_event *event, struct weir_error *fault, struct weir_error *err);

#endif
