/* From an event to its mails: those of rules, those to subscribers, and the one that asks a new subscriber.
 */
#ifndef WEIR_NOTIFIER_MAILING_H
#define WEIR_NOTIFIER_MAILING_H

#include "consumers/plugins/notifier/handle.h"

/* What is to be known of an event's mails beside those that were added. */
struct weir_mailing_result {
    struct weir_error fault; /* what is wrong with one of them keeps back no other; the first, code 0: none */
    bool held;               /* smtp.domain.rate holds some back */
    bool rest;               /* the round is full, and there are more */
    bool refused;            /* some were refused in this execution already, */
    struct weir_delivery_record refusal; /* the strongest of these */
};

/* Adds to the round the mails about the event that are not in the ledger: neither sent, nor refused in this
 * execution. WEIR_E_INTERNAL: memory. */
int weir_mailing_add(const struct weir_notifier *notifier, struct weir_round *round,
    const struct weir_event *event, struct weir_mailing_result *ret_result, struct weir_error *err);

#endif
