/* From the results of an event's mails to the verdict on its record. */
#ifndef WEIR_NOTIFIER_VERDICT_H
#define WEIR_NOTIFIER_VERDICT_H

#include "consumers/plugins/notifier/session.h"

#include <weir/plugin.h>

enum { WEIR_OUTCOME_TEXT_BYTES = 600 };

struct weir_outcome {
    bool reached; /* false: no verdict, its turn comes again */
    enum weir_verdict verdict;
    const char *disposition; /* REJECT only */
    char error_type[24];
    char text[WEIR_OUTCOME_TEXT_BYTES];
};

/* The outcome of these mails of sessions that have run. Every mail sent: DONE. Otherwise the
 * strongest counts: one blocked: WAIT; one refused for now: RETRY; one untried: not reached; one refused for
 * good: REJECT with "smtp-550" and the reply. count 0 is DONE. */
void weir_outcome_decide(const struct weir_mail_place *mails, size_t count, struct weir_outcome *ret_outcome);

/* What a mail that was refused in this execution before, by that record, makes of the outcome of the others.
 */
void weir_outcome_join(struct weir_outcome *outcome, const struct weir_delivery_record *refused);

#endif
