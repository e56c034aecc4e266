#include "consumers/plugins/notifier/mailing.h"

#include "consumers/plugins/notifier/link.h"

#include "common/json.h"
#include "common/token.h"

#include <stdio.h>
#include <string.h>

/* Where the mails of one event go. */
struct mailing {
    const struct weir_notifier *notifier;
    struct weir_session *session;
    size_t first; /* of its mails in the session */
    const struct weir_event *event;
    struct weir_bytes words;
    const struct weir_rule *rule;
    struct weir_error *fault;
};

static bool is_under_way(const struct mailing *mailing, const char *id)
{
    for (size_t i = mailing->first; i < weir_session_count(mailing->session); i++)
        if (strcmp(weir_session_mail(mailing->session, i)->id, id) == 0)
            return true;
    return false;
}

static int add_letter(
    const struct mailing *mailing, const struct weir_letter *letter, const char *id, struct weir_error *err)
{
    struct weir_mail *mail = weir_session_add(mailing->session, letter->recipient, id);
    if (mail == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    int code = weir_message_build(
        mailing->event, mailing->words, &mailing->notifier->plan.sender, letter, &mail->message, err);
    if (code < 0)
        weir_session_take_back(mailing->session);
    return code;
}

static bool was_sent(
    const struct mailing *mailing, const struct weir_letter *letter, char id[static WEIR_MESSAGE_ID_BYTES])
{
    const struct weir_notifier *notifier = mailing->notifier;

    weir_message_id(mailing->event->id, letter, notifier->plan.sender.domain, id);
    return weir_sent_has(notifier->sent, id);
}

static int add_rule_mail(void *context, const char *recipient, struct weir_error *err)
{
    const struct mailing *mailing = context;
    const struct weir_rule *rule = mailing->rule;
    const struct weir_letter letter = {.recipient = recipient,
        .subscription = rule->name,
        .list = rule->name[0] != '\0' ? rule->name : mailing->notifier->plan.sender.service,
        .template = rule->template};
    char id[WEIR_MESSAGE_ID_BYTES];

    if (was_sent(mailing, &letter, id) || is_under_way(mailing, id))
        return 0;
    return add_letter(mailing, &letter, id, err);
}

/* What is wrong with one recipient keeps the mail from no other: it is told when they have theirs. */
static int note_fault(
    const struct mailing *mailing, int code, const struct weir_error *fault, struct weir_error *err)
{
    if (code == WEIR_E_INTERNAL)
        return weir_error_set(err, code, "%s", fault->text);
    if (code < 0 && mailing->fault->code == 0)
        *mailing->fault = *fault;
    return 0;
}

static int add_rule_mails(struct mailing *mailing, struct weir_error *err)
{
    const struct weir_plan *plan = &mailing->notifier->plan;
    int code = 0;

    for (size_t i = 0; i < plan->rule_count && code == 0; i++) {
        struct weir_error fault;
        mailing->rule = &plan->rules[i];
        if (weir_rule_wants(mailing->rule, mailing->event))
            code = note_fault(mailing,
                weir_rule_recipients(mailing->rule, mailing->event, add_rule_mail, mailing, &fault), &fault,
                err);
    }
    return code;
}

static int add_subscriber(
    const struct mailing *mailing, const struct weir_subscription *subscription, struct weir_error *err)
{
    const struct weir_notifier *notifier = mailing->notifier;
    const char *template = subscription->rule.template;
    char link[WEIR_LINK_BYTES], id[WEIR_MESSAGE_ID_BYTES];
    struct weir_letter letter = {.recipient = subscription->endpoint,
        .subscription = subscription->id,
        .list = subscription->rule.collection,
        .unsubscribe = link};
    struct weir_error fault;

    if (was_sent(mailing, &letter, id))
        return 0;
    weir_link_write(notifier->host->deployment->subscriptions, subscription->id, "unsubscribe", "",
        mailing->event->time_ms + WEIR_TOKEN_UNSUBSCRIBE_MS, link);
    letter.template =
        weir_templates_check(notifier->plan.templates, template, NULL) == 0 ? template : WEIR_TEMPLATE_CHANGE;
    return note_fault(mailing, add_letter(mailing, &letter, id, &fault), &fault, err);
}

static int add_subscribers(struct mailing *mailing, struct weir_error *err)
{
    const struct weir_subscriptions *subscriptions = mailing->notifier->subscriptions;
    size_t count = subscriptions != NULL ? weir_subscriptions_count(subscriptions) : 0;
    int code = 0;

    for (size_t i = 0; i < count && code == 0; i++) {
        const struct weir_subscription *subscription = weir_subscriptions_at(subscriptions, i);
        if (weir_rule_wants(&subscription->rule, mailing->event))
            code = add_subscriber(mailing, subscription, err);
    }
    return code;
}

/* A pending subscription is asked about once for each of its first versions: the gateway makes a new one to
 * ask again. */
static bool is_to_confirm(const struct mailing *mailing)
{
    const struct weir_subscription_settings *settings =
        mailing->notifier->subscriptions != NULL ? mailing->notifier->host->deployment->subscriptions : NULL;
    const struct weir_event *event = mailing->event;
    const char *status = json_string_value(weir_json_path(event->root, "after.status"));

    return settings != NULL && strcmp(event->collection, WEIR_SUBSCRIPTIONS) == 0 && status != NULL &&
           strcmp(status, "PENDING") == 0 && event->version <= settings->confirmations &&
           strlen(event->key) <= WEIR_LINK_ID_BYTES;
}

static int add_confirmation(void *context, const char *recipient, struct weir_error *err)
{
    const struct mailing *mailing = context;
    const struct weir_event *event = mailing->event;
    WEIR_CLEANUP(buffer) struct weir_buffer words = {0};
    char link[WEIR_LINK_BYTES], id[WEIR_MESSAGE_ID_BYTES];
    struct weir_letter letter = {
        .recipient = recipient, .subscription = "confirm", .template = WEIR_TEMPLATE_CONFIRM};

    if (was_sent(mailing, &letter, id))
        return 0;
    weir_link_write(mailing->notifier->host->deployment->subscriptions, event->key, "confirm", event->request,
        event->time_ms + WEIR_TOKEN_CONFIRM_MS, link);
    weir_buffer_printf(
        &words, "{\"confirm\":\"%s\",\"hours\":%d}", link, (int)(WEIR_TOKEN_CONFIRM_MS / 3600000));
    if (words.failed)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    letter.words = weir_buffer_bytes(&words);
    return add_letter(mailing, &letter, id, err);
}

static int add_confirmations(struct mailing *mailing, struct weir_error *err)
{
    static char endpoint[] = "after.endpoint";
    static char *const to[] = {endpoint, NULL};
    static const struct weir_rule rule = {.name = "confirm", .to = to};
    struct weir_error fault;

    if (!is_to_confirm(mailing))
        return 0;
    return note_fault(
        mailing, weir_rule_recipients(&rule, mailing->event, add_confirmation, mailing, &fault), &fault, err);
}

static int add_mails(struct mailing *mailing, struct weir_error *err)
{
    int code = add_rule_mails(mailing, err);
    if (code == 0)
        code = add_confirmations(mailing, err);
    return code < 0 ? code : add_subscribers(mailing, err);
}

int weir_mailing_add(const struct weir_notifier *notifier, struct weir_session *session,
    const struct weir_event *event, struct weir_error *fault, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer words = {0};
    struct mailing mailing = {.notifier = notifier,
        .session = session,
        .first = weir_session_count(session),
        .event = event,
        .fault = fault};

    int code = weir_message_words(event, &notifier->plan.sender, &words, err);
    if (code < 0)
        return code;
    mailing.words = weir_buffer_bytes(&words);
    return add_mails(&mailing, err);
}
