#include "consumers/plugins/notifier/plan.h"

#include "common/deployment.h"

#include <stdlib.h>

/* The rule of `to`, then one for each [notify NAME] that this service sends. */
static size_t fill_rules(
    const struct weir_host *host, const struct weir_notifier_settings *settings, struct weir_rule *rules)
{
    const struct weir_deployment *deployment = host->deployment;
    size_t count = 0;

    if (settings->to != NULL)
        rules[count++] =
            (struct weir_rule){.name = "", .to = settings->to, .every = true, .template = settings->template};
    for (size_t i = 0; deployment != NULL && i < deployment->notify_count; i++) {
        const struct weir_notify *notify = &deployment->notifies[i];
        if (weir_notifier_takes(deployment, host->service, notify))
            rules[count++] = (struct weir_rule){.name = notify->name,
                .collection = notify->collection,
                .topic = notify->topic,
                .to = notify->to,
                .filter = notify->policy,
                .template = notify->template};
    }
    return count;
}

static int check_templates(const struct weir_plan *plan, struct weir_error *err)
{
    for (size_t i = 0; i < plan->rule_count; i++) {
        const struct weir_rule *rule = &plan->rules[i];
        if (weir_templates_check(plan->templates, rule->template, err) == 0)
            continue;
        return rule->name[0] != '\0' ? weir_error_prefix(err, "template of [notify %s]", rule->name)
                                     : weir_error_prefix(err, "notifier.template");
    }
    return 0;
}

static int fill_plan(const struct weir_host *host, const struct weir_notifier_settings *settings,
    struct weir_plan *plan, struct weir_error *err)
{
    size_t notifies = host->deployment != NULL ? host->deployment->notify_count : 0;

    plan->sender = (struct weir_message_sender){.from = settings->from,
        .from_name = settings->from_name,
        .domain = weir_notifier_domain(settings),
        .service = host->service};
    plan->rules = calloc(1 + notifies, sizeof(*plan->rules));
    if (plan->rules == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    plan->rule_count = fill_rules(host, settings, plan->rules);
    return 0;
}

int weir_plan_open(const struct weir_host *host, const struct weir_notifier_settings *settings,
    struct weir_plan *ret_plan, struct weir_error *err)
{
    *ret_plan = (struct weir_plan){0};
    int code = fill_plan(host, settings, ret_plan, err);
    if (code == 0)
        code = weir_templates_load(settings->templates, &ret_plan->templates, err);
    ret_plan->sender.templates = ret_plan->templates;
    return code < 0 ? code : check_templates(ret_plan, err);
}

void weir_plan_done(struct weir_plan *plan)
{
    weir_templates_free(plan->templates);
    free(plan->rules);
    *plan = (struct weir_plan){0};
}
