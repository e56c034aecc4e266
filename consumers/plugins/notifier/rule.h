/* Rules: who gets which mail about which events. One is the notifier's `to`, the others are [notify NAME]
 * sections. */
#ifndef WEIR_NOTIFIER_RULE_H
#define WEIR_NOTIFIER_RULE_H

#include "consumers/plugins/notifier/event.h"
#include "consumers/plugins/notifier/mailbox.h"

#include "common/error.h"
#include "common/filter.h"

#include <stdbool.h>

enum { WEIR_RULE_RECIPIENTS_MAX = 100 };

struct weir_rule {
    const char *name;       /* of the section; "" of the notifier's `to` */
    const char *collection; /* NULL: any */
    const char *topic;      /* without prefix, of records that are no change events; NULL: of change events */
    char *const *to;        /* addresses, and paths into the event */
    const struct weir_filter *filter; /* NULL: inserts only */
    bool every;                       /* every change, whatever the filter says */
    const char *template;
};

/* Whether `entry` of a `to` is an address and no path. */
bool weir_rule_is_address(const char *entry);

/* An address that is one, or a path of names, of a change event's where it is about these: WEIR_E_CONFIG
 * otherwise. */
int weir_rule_check_to(char *const *to, bool of_changes, struct weir_error *err);

/* A filter that names neither `op` nor `before` sees inserts only. */
bool weir_rule_wants(const struct weir_rule *rule, const struct weir_event *event);

/* Called with each recipient, as SMTP takes it. WEIR_E_INTERNAL ends the walk, another error lets it go on.
 */
typedef int weir_rule_take_fn(void *context, const char *recipient, struct weir_error *err);

/* Walks over the recipients: fixed ones, and the text or the array of texts at a path; a path that leads
 * nowhere or to null names nobody. An address that is none keeps the mail from nobody else: the first error
 * is answered at the end. WEIR_E_INVALID names the path and what is wrong with its address; WEIR_E_TOO_LARGE:
 * more than WEIR_RULE_RECIPIENTS_MAX, the first of which were taken. */
int weir_rule_recipients(const struct weir_rule *rule, const struct weir_event *event,
    weir_rule_take_fn *take, void *context, struct weir_error *err);

#endif
