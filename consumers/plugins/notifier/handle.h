/* From a batch of change records to mails and verdicts. */
#ifndef WEIR_NOTIFIER_HANDLE_H
#define WEIR_NOTIFIER_HANDLE_H

#include "consumers/plugins/notifier/ledger.h"
#include "consumers/plugins/notifier/plan.h"
#include "consumers/plugins/notifier/relays.h"
#include "consumers/plugins/notifier/round.h"
#include "consumers/plugins/notifier/settings.h"
#include "consumers/plugins/notifier/suspension.h"
#include "consumers/plugins/notifier/verdict.h"

#include <weir/plugin.h>

#include <pthread.h>

struct weir_notifier_metrics {
    struct weir_metric *sent, *unknown, *suppressed, *retried, *rejected, *sessions, *session_time,
        *subscriptions;
};

/* The plugin's instance. */
struct weir_notifier {
    const struct weir_host *host;
    const struct weir_notifier_settings *settings;
    struct weir_plan plan;
    struct weir_subscriptions *subscriptions; /* NULL: the configuration has none */
    struct weir_suspensions suspensions;
    struct weir_relays relays;
    struct weir_rate *rate, *domain_rate; /* of each relay, of each recipient's domain; NULL: no limit */
    struct weir_ledger *ledger;
    struct weir_http_service *http; /* of the reads; NULL: none */
    struct weir_notifier_metrics metrics;
    pthread_mutex_t health_lock;
    char trouble[WEIR_OUTCOME_TEXT_BYTES]; /* why the last session got nothing through; "" when it did. Under
                                              health_lock */
};

/* Asks for records, sends their mails in rounds of smtp.sessions at once, one of smtp.batch mails or several
 * for a second (a key occurs once in a round), and gives the verdicts in order. The rest, also of a record's
 * mails, is not reached: what was sent is committed first. */
int weir_notifier_handle(struct weir_notifier *notifier, struct weir_batch *batch, struct weir_error *err);

/* The plugin's dead_letter: what is on record of its mails goes along. */
void weir_notifier_bury(
    struct weir_notifier *notifier, struct weir_batch *batch, const struct weir_record *record);

#endif
