#include "deploy/weirctl/topic_difference.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const role_names[] = {
    [WEIR_TOPIC_COMMANDS] = "commands",
    [WEIR_TOPIC_CHANGES] = "changes",
    [WEIR_TOPIC_RETRY] = "retry",
    [WEIR_TOPIC_DEAD_LETTERS] = "dead letters",
    [WEIR_TOPIC_OUTCOMES] = "outcomes",
    [WEIR_TOPIC_DELIVERIES] = "deliveries",
};

static void write_text(const struct weir_topic_plan *plan, struct weir_buffer *out)
{
    weir_buffer_printf(out, "%s  (%s)\n  partitions=%" PRId32 "\n  replication.factor=%" PRId32 "\n",
        plan->name, role_names[plan->role], plan->partitions, plan->replication_factor);
    for (size_t i = 0; i < plan->setting_count; i++)
        weir_buffer_printf(out, "  %s=%s\n", plan->settings[i].name, plan->settings[i].value);
}

/* Names and values here are Weir's own words, so they need no escaping; a prefix does not pass if it would.
 */
static void write_json(const struct weir_topic_plan *plan, struct weir_buffer *out)
{
    weir_buffer_printf(out,
        "{\"topic\":\"%s\",\"role\":\"%s\",\"partitions\":%" PRId32 ",\"replication_factor\":%" PRId32
        ",\"settings\":{",
        plan->name, role_names[plan->role], plan->partitions, plan->replication_factor);
    for (size_t i = 0; i < plan->setting_count; i++)
        weir_buffer_printf(
            out, "%s\"%s\":\"%s\"", i > 0 ? "," : "", plan->settings[i].name, plan->settings[i].value);
    weir_buffer_append_str(out, "}}");
}

int topics_plan_run(struct weirctl *ctl, struct weir_error *err)
{
    WEIR_CLEANUP(topic_states) struct weir_topic_states states = {0};
    WEIR_CLEANUP(buffer) struct weir_buffer out = {0};
    bool json = ctl->arguments->json;

    int code = weir_topic_states_plan(ctl->deployment, NULL, NULL, &states, err);
    if (code < 0)
        return code;
    for (size_t i = 0; i < states.count; i++) {
        weir_buffer_append_str(&out, !json ? "" : i == 0 ? "[" : ",\n ");
        (json ? write_json : write_text)(&states.plan[i], &out);
    }
    weir_buffer_append_str(&out, json ? "]\n" : "");
    if (out.failed)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    fwrite(out.data, 1, out.len, stdout);
    return 0;
}
