/* What is mailed to whom, as the configuration has it now: replaced as a whole at a reload. */
#ifndef WEIR_NOTIFIER_PLAN_H
#define WEIR_NOTIFIER_PLAN_H

#include "consumers/plugins/notifier/message.h"
#include "consumers/plugins/notifier/rule.h"
#include "consumers/plugins/notifier/settings.h"

#include <weir/plugin.h>

struct weir_plan {
    struct weir_message_sender sender;
    struct weir_templates *templates;
    struct weir_rule *rules;
    size_t rule_count;
};

/* Reads the templates and lists the rules. The plan borrows from host and settings. WEIR_E_CONFIG: a template
 * is broken or missing. After an error, too, the caller ends it by weir_plan_done. */
int weir_plan_open(const struct weir_host *host, const struct weir_notifier_settings *settings,
    struct weir_plan *ret_plan, struct weir_error *err);
void weir_plan_done(struct weir_plan *plan);

#endif
