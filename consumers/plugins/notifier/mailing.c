#include "consumers/plugins/notifier/mailing.h"

#include "consumers/plugins/notifier/link.h"

#include "common/clock.h"
#include "common/json.h"
#include "common/rate.h"
#include "common/token.h"

#include <stdio.h>
#include <string.h>

/* Where the mails of one event go. */
struct mailing {
    const struct weir_notifier *notifier;
    struct weir_round *round;
    size_t first; /* of its mails in the round */
    const struct weir_event *event;
    struct weir_bytes words;
    const struct weir_rule *rule;
    struct weir_mailing_result *result;
};

static bool is_under_way(const struct mailing *mailing, const char *key)
{
    for (size_t i = mailing->first; i < mailing->round->count; i++)
        if (strcmp(weir_delivery_at(mailing->round->mails[i])->key, key) == 0)
            return true;
    return false;
}

/* A refusal of this execution stands until the record's next one. */
static bool was_refused(const struct mailing *mailing, const struct weir_delivery_record *record)
{
    struct weir_mailing_result *result = mailing->result;

    if ((record->status != WEIR_DELIVERY_DEFERRED && record->status != WEIR_DELIVERY_FAILED) ||
        record->execution != mailing->event->executions || record->redrive != mailing->event->redrives)
        return false;
    if (!result->refused || record->status == WEIR_DELIVERY_DEFERRED)
        result->refusal = *record;
    result->refused = true;
    return true;
}

static bool has_ended(const struct mailing *mailing, const char *key)
{
    struct weir_delivery_record record;

    return weir_ledger_find(mailing->notifier->ledger, key, mailing->event->time_ms, &record) &&
           (record.status == WEIR_DELIVERY_SENT || was_refused(mailing, &record));
}

/* Takes the delivery. */
static int fill_round(const struct mailing *mailing, const struct weir_letter *letter, const char *id,
    struct weir_delivery *delivery, struct weir_error *err)
{
    struct weir_mail *mail = weir_round_add(mailing->round, letter->recipient);
    if (mail == NULL) {
        weir_delivery_done(delivery);
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    }
    mail->delivery = *delivery;
    int code = weir_message_build(
        mailing->event, mailing->words, &mailing->notifier->plan.sender, letter, id, &mail->message, err);
    if (code < 0)
        weir_round_take_back(mailing->round);
    return code;
}

/* Whether there is room for it now, and the rates allow it. */
static bool may_go(const struct mailing *mailing, const char *recipient)
{
    const struct weir_notifier *notifier = mailing->notifier;
    struct weir_mailing_result *result = mailing->result;
    struct weir_rate_state state;
    int64_t now_us = weir_clock_us();

    result->rest = weir_round_is_full(mailing->round);
    if (result->rest)
        return false;
    if (notifier->domain_rate != NULL &&
        !weir_rate_take(notifier->domain_rate, weir_bytes_str(strrchr(recipient, '@') + 1), now_us, &state)) {
        result->held = true;
        return false;
    }
    size_t relay = notifier->relays.current;
    mailing->round->limited =
        notifier->rate != NULL &&
        !weir_rate_take(notifier->rate, weir_bytes(&relay, sizeof(relay)), now_us, &state);
    result->rest = mailing->round->limited;
    return !result->rest;
}

static int add_letter(const struct mailing *mailing, enum weir_delivery_kind kind,
    const struct weir_letter *letter, struct weir_error *err)
{
    char id[WEIR_MESSAGE_ID_BYTES];
    struct weir_delivery delivery;

    if (mailing->result->rest)
        return 0;
    weir_message_id(mailing->event->id, letter, mailing->notifier->plan.sender.domain, id);
    int code =
        weir_delivery_make(&delivery, kind, mailing->event, letter->subscription, letter->recipient, id, err);
    bool ended = code < 0 || has_ended(mailing, delivery.key) ||
                 (kind == WEIR_DELIVERY_RULE && is_under_way(mailing, delivery.key));
    if (!ended && may_go(mailing, letter->recipient))
        return fill_round(mailing, letter, id, &delivery, err);
    weir_delivery_done(&delivery);
    return code;
}

static int add_rule_mail(void *context, const char *recipient, struct weir_error *err)
{
    const struct mailing *mailing = context;
    const struct weir_rule *rule = mailing->rule;
    const struct weir_letter letter = {.recipient = recipient,
        .subscription = rule->name,
        .list = rule->name[0] != '\0' ? rule->name : mailing->notifier->plan.sender.service,
        .template = rule->template};

    return add_letter(mailing, WEIR_DELIVERY_RULE, &letter, err);
}

/* What is wrong with one recipient keeps the mail from no other: it is told when they have theirs. */
static int note_fault(
    const struct mailing *mailing, int code, const struct weir_error *fault, struct weir_error *err)
{
    if (code == WEIR_E_INTERNAL)
        return weir_error_set(err, code, "%s", fault->text);
    if (code < 0 && mailing->result->fault.code == 0)
        mailing->result->fault = *fault;
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
    char link[WEIR_LINK_BYTES];
    struct weir_letter letter = {.recipient = subscription->endpoint,
        .subscription = subscription->id,
        .list = subscription->rule.collection,
        .unsubscribe = link};
    struct weir_error fault;

    weir_link_write(notifier->host->deployment->subscriptions, subscription->id, "unsubscribe", "",
        mailing->event->time_ms + WEIR_TOKEN_UNSUBSCRIBE_MS, link);
    letter.template =
        weir_templates_check(notifier->plan.templates, template, NULL) == 0 ? template : WEIR_TEMPLATE_CHANGE;
    return note_fault(mailing, add_letter(mailing, WEIR_DELIVERY_SUBSCRIBER, &letter, &fault), &fault, err);
}

static int add_subscribers(struct mailing *mailing, struct weir_error *err)
{
    const struct weir_subscriptions *subscriptions = mailing->notifier->subscriptions;
    size_t count = subscriptions != NULL ? weir_subscriptions_count(subscriptions) : 0;
    int code = 0;

    for (size_t i = 0; i < count && code == 0 && !mailing->result->rest; i++) {
        const struct weir_subscription *subscription = weir_subscriptions_at(subscriptions, i);
        if (weir_rule_wants(&subscription->rule, mailing->event))
            code = add_subscriber(mailing, subscription, err);
    }
    return code;
}

/* What is on record of it: it was sent after all, or is suppressed already. */
static bool is_settled(const struct mailing *mailing, const char *key)
{
    struct weir_delivery_record record;

    return weir_ledger_find(mailing->notifier->ledger, key, mailing->event->time_ms, &record) &&
           (record.status == WEIR_DELIVERY_SENT || record.status == WEIR_DELIVERY_SUPPRESSED);
}

static int suppress(
    const struct mailing *mailing, const struct weir_subscription *left, struct weir_error *err)
{
    const struct weir_notifier *notifier = mailing->notifier;
    const struct weir_letter letter = {.recipient = left->endpoint, .subscription = left->id};
    char id[WEIR_MESSAGE_ID_BYTES];
    struct weir_delivery delivery;

    weir_message_id(mailing->event->id, &letter, notifier->plan.sender.domain, id);
    int code = weir_delivery_make(
        &delivery, WEIR_DELIVERY_SUBSCRIBER, mailing->event, left->id, left->endpoint, id, err);
    if (code == 0 && !is_settled(mailing, delivery.key)) {
        weir_ledger_note(notifier->ledger, &delivery, WEIR_DELIVERY_SUPPRESSED, 0, "", NULL);
        weir_ledger_leave(notifier->ledger, &delivery);
        notifier->host->metric_add(notifier->metrics.suppressed, 1);
        mailing->round->suppressed++;
    }
    weir_delivery_done(&delivery);
    return code;
}

/* The mails that would have gone to those who left after the event: on record, so that nobody looks for them.
 */
static int suppress_mails(struct mailing *mailing, struct weir_error *err)
{
    const struct weir_subscriptions *subscriptions = mailing->notifier->subscriptions;
    const struct weir_subscription *left;
    size_t at = 0;
    int code = 0;

    while (subscriptions != NULL && code == 0 && !mailing->result->rest &&
           (left = weir_subscriptions_next_left(subscriptions, mailing->event->time_ms, &at)) != NULL) {
        mailing->result->rest = weir_round_is_full(mailing->round);
        if (!mailing->result->rest && weir_rule_wants(&left->rule, mailing->event))
            code = suppress(mailing, left, err);
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
    char link[WEIR_LINK_BYTES];
    struct weir_letter letter = {
        .recipient = recipient, .subscription = "confirm", .template = WEIR_TEMPLATE_CONFIRM};

    weir_link_write(mailing->notifier->host->deployment->subscriptions, event->key, "confirm", event->request,
        event->time_ms + WEIR_TOKEN_CONFIRM_MS, link);
    weir_buffer_printf(
        &words, "{\"confirm\":\"%s\",\"hours\":%d}", link, (int)(WEIR_TOKEN_CONFIRM_MS / 3600000));
    if (words.failed)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    letter.words = weir_buffer_bytes(&words);
    return add_letter(mailing, WEIR_DELIVERY_CONFIRMATION, &letter, err);
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
    if (code == 0 && !mailing->event->foreign)
        code = add_confirmations(mailing, err);
    if (code == 0 && !mailing->event->foreign)
        code = suppress_mails(mailing, err);
    return code < 0 || mailing->event->foreign ? code : add_subscribers(mailing, err);
}

int weir_mailing_add(const struct weir_notifier *notifier, struct weir_round *round,
    const struct weir_event *event, struct weir_mailing_result *ret_result, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer words = {0};
    struct mailing mailing = {
        .notifier = notifier, .round = round, .first = round->count, .event = event, .result = ret_result};

    int code = weir_message_words(event, &notifier->plan.sender, &words, err);
    if (code < 0)
        return code;
    mailing.words = weir_buffer_bytes(&words);
    return add_mails(&mailing, err);
}
