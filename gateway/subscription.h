/* Subscriptions: what a client may write of them, and the pages behind the links in mails.
 *
 * The gateway alone says what became of a subscription: whatever a client writes makes it PENDING, so that
 * its address is asked (again), and only the links, which carry a token (common/token.h), confirm and end it.
 * GET shows a page with a button, because mail scanners follow links; POST acts (RFC 8058 for unsubscribe).
 */
#ifndef WEIR_GATEWAY_SUBSCRIPTION_H
#define WEIR_GATEWAY_SUBSCRIPTION_H

#include "gateway/route.h"

/* Checks the body of a command on a subscription and puts its status in. WEIR_STEP_SUSPENDED: go on, also
 * with every other collection. */
enum weir_step weir_subscription_prepare(struct weir_request *request);

/* The page of {key}:confirm and {key}:unsubscribe. */
enum weir_step weir_subscription_show(struct weir_request *request);
/* What its button does. The page waits for the store for a few seconds, so that it can say what came of it.
 */
enum weir_step weir_subscription_act(struct weir_request *request);
/* How it ended, in the store's words; until then the page says that it is taken. */
void weir_subscription_tell(struct weir_request *request, const char *outcome, const char *error);

#endif
