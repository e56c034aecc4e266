#include "deploy/weirctl/mails.h"

#include "common/config.h"
#include "consumers/plugins/notifier/message.h"
#include "consumers/plugins/notifier/plan.h"
#include "deploy/weirctl/purge.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static const struct weir_option_table options = {.section = "service *",
    .rows = weir_notifier_options,
    .count = WEIR_NOTIFIER_OPTION_COUNT,
    .settings_size = sizeof(struct weir_notifier_settings)};

/* What is at hand while the rules of one event are asked. */
struct mails {
    const struct weir_plan *plan;
    const struct weir_event *event;
    const struct weir_rule *rule;
    struct weir_buffer *out;
    size_t count; /* recipients of this rule */
    char first[WEIR_MAILBOX_BYTES + 1];
};

bool mails_is_notifier(const struct weir_service *service)
{
    const char *slash = strrchr(service->plugin, '/'), *name = slash != NULL ? slash + 1 : service->plugin;
    return strcmp(name, "notifier") == 0 || strcmp(name, "notifier.so") == 0;
}

int mails_settings_read(const struct weir_deployment *deployment, const struct weir_service *service,
    struct weir_notifier_settings *ret_settings, struct weir_error *err)
{
    char section[300];

    *ret_settings = (struct weir_notifier_settings){0};
    snprintf(section, sizeof(section), "service %s", service->name);
    return weir_config_bind(
        deployment->config, section, "notifier.", &options, NULL, NULL, ret_settings, err);
}

void mails_settings_done(struct weir_notifier_settings *settings)
{
    weir_option_free(&options, settings);
}

int ledger_path_of(const struct weir_deployment *deployment, const struct weir_service *service, char *out,
    size_t size, struct weir_error *err)
{
    struct weir_notifier_settings settings;
    char path[PATH_MAX];

    out[0] = '\0';
    if (!mails_is_notifier(service))
        return 0;
    int code = mails_settings_read(deployment, service, &settings, err);
    if (code == 0)
        code = weir_notifier_ledger_path(&settings, deployment, service->name, path, err);
    if (code == 0)
        snprintf(out, size, "%s", path);
    mails_settings_done(&settings);
    return code;
}

static int take_recipient(void *context, const char *recipient, struct weir_error *err)
{
    struct mails *mails = context;

    (void)err;
    if (mails->count == 0)
        snprintf(mails->first, sizeof(mails->first), "%s", recipient);
    weir_buffer_append_str(mails->out, mails->count++ > 0 ? "," : "");
    weir_buffer_append_json_string(mails->out, weir_bytes_str(recipient));
    return 0;
}

/* The subject as its first recipient would get it. */
static int write_subject(struct mails *mails, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer words = {0}, own = {0}, subject = {0};

    int code = weir_message_words(mails->event, &mails->plan->sender, &words, err);
    weir_buffer_append_str(&own, "{\"recipient\":");
    weir_buffer_append_json_string(&own, weir_bytes_str(mails->first));
    weir_buffer_append_str(&own, "}");
    const struct weir_bytes contexts[] = {
        mails->event->text, weir_buffer_bytes(&words), weir_buffer_bytes(&own)};
    if (code == 0)
        code = weir_templates_render(mails->plan->templates, mails->rule->template, WEIR_TEMPLATE_SUBJECT,
            contexts, sizeof(contexts) / sizeof(contexts[0]), &subject, err);
    weir_buffer_append_str(mails->out, ",\"subject\":");
    if (code == 0)
        weir_buffer_append_json_string(mails->out, weir_buffer_bytes(&subject));
    else
        weir_buffer_append_str(mails->out, "null");
    return code;
}

static void write_rule(struct mails *mails)
{
    struct weir_error fault = {0};
    bool matches = weir_rule_wants(mails->rule, mails->event);
    int code = 0;

    mails->count = 0;
    weir_buffer_append_str(mails->out, "{\"rule\":");
    weir_buffer_append_json_string(mails->out, weir_bytes_str(mails->rule->name));
    weir_buffer_printf(mails->out, ",\"matches\":%s,\"to\":[", matches ? "true" : "false");
    if (matches)
        code = weir_rule_recipients(mails->rule, mails->event, take_recipient, mails, &fault);
    weir_buffer_append_str(mails->out, "],\"template\":");
    weir_buffer_append_json_string(mails->out, weir_bytes_str(mails->rule->template));
    if (mails->count > 0) {
        struct weir_error broken = {0};
        if (write_subject(mails, &broken) < 0 && code == 0) {
            fault = broken;
            code = fault.code;
        }
    } else
        weir_buffer_append_str(mails->out, ",\"subject\":null");
    weir_buffer_append_str(mails->out, ",\"fault\":");
    if (code < 0)
        weir_buffer_append_json_string(mails->out, weir_bytes_str(fault.text));
    else
        weir_buffer_append_str(mails->out, "null");
    weir_buffer_append_str(mails->out, "}");
}

static int write_rules(
    const struct weir_plan *plan, struct weir_bytes text, struct weir_buffer *out, struct weir_error *err)
{
    const struct weir_record record = {.topic = "", .timestamp_ms = -1, .value = text};
    struct weir_event event = {0};

    int code = weir_event_read(&record, "", &event, err);
    struct mails mails = {.plan = plan, .event = &event, .out = out};
    weir_buffer_append_str(out, "[");
    for (size_t i = 0; i < plan->rule_count && code == 0; i++) {
        weir_buffer_append_str(out, i > 0 ? "," : "");
        mails.rule = &plan->rules[i];
        write_rule(&mails);
    }
    weir_buffer_append_str(out, "]");
    weir_event_done(&event);
    return code;
}

int mails_write(const struct weir_deployment *deployment, const struct weir_service *service,
    struct weir_bytes event, struct weir_buffer *out, struct weir_error *err)
{
    const struct weir_host host = {.service = service->name, .deployment = deployment};
    struct weir_notifier_settings settings;
    struct weir_plan plan = {0};

    int code = mails_settings_read(deployment, service, &settings, err);
    if (code == 0)
        code = weir_notifier_settings_check(&settings, deployment, service->name, err);
    if (code == 0)
        code = weir_plan_open(&host, &settings, &plan, err);
    if (code == 0)
        code = write_rules(&plan, event, out, err);
    weir_plan_done(&plan);
    mails_settings_done(&settings);
    return code;
}
