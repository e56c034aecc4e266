#include "consumers/plugins/notifier/verdict.h"

#include <stdio.h>
#include <string.h>

/* The weakest first. */
static const enum weir_mail_result strength[] = {
    WEIR_MAIL_SENT, WEIR_MAIL_PERMANENT, WEIR_MAIL_UNTRIED, WEIR_MAIL_TEMPORARY, WEIR_MAIL_BLOCKED};

static size_t strength_of(enum weir_mail_result result)
{
    size_t i = 0;

    while (strength[i] != result)
        i++;
    return i;
}

static size_t find_strongest(const struct weir_mail_place *mails, size_t count)
{
    size_t found = 0;

    for (size_t i = 1; i < count; i++)
        if (strength_of(weir_mail_at(mails[i])->result) > strength_of(weir_mail_at(mails[found])->result))
            found = i;
    return found;
}

static void explain_reply(const struct weir_mail *mail, struct weir_outcome *outcome)
{
    snprintf(outcome->error_type, sizeof(outcome->error_type), "smtp-%d", mail->code);
    snprintf(outcome->text, sizeof(outcome->text), "<%s>: %d %s", mail->recipient, mail->code, mail->reply);
}

static void explain_blocked(
    const struct weir_session *session, const struct weir_mail *mail, struct weir_outcome *outcome)
{
    const struct weir_session_failure *failure = weir_session_failure(session);

    if (mail->code != 0) {
        explain_reply(mail, outcome);
        return;
    }
    snprintf(outcome->error_type, sizeof(outcome->error_type), "%s",
        failure->type != NULL ? failure->type : "smtp-unreachable");
    snprintf(outcome->text, sizeof(outcome->text), "%s", failure->text);
}

void weir_outcome_decide(const struct weir_mail_place *mails, size_t count, struct weir_outcome *ret_outcome)
{
    struct weir_outcome *outcome = ret_outcome;

    *outcome = (struct weir_outcome){.reached = true, .verdict = WEIR_DONE};
    if (count == 0)
        return;
    size_t strongest = find_strongest(mails, count);
    const struct weir_mail *mail = weir_mail_at(mails[strongest]);
    switch (mail->result) {
    case WEIR_MAIL_SENT:
        return;
    case WEIR_MAIL_UNTRIED:
        outcome->reached = false;
        return;
    case WEIR_MAIL_BLOCKED:
        outcome->verdict = WEIR_WAIT;
        explain_blocked(mails[strongest].session, mail, outcome);
        return;
    case WEIR_MAIL_TEMPORARY:
        outcome->verdict = WEIR_RETRY;
        explain_reply(mail, outcome);
        return;
    case WEIR_MAIL_PERMANENT:
        outcome->verdict = WEIR_REJECT;
        outcome->disposition = mail->code == 552 ? "too-large" : "invalid";
        explain_reply(mail, outcome);
        return;
    }
}

void weir_outcome_join(struct weir_outcome *outcome, const struct weir_delivery_record *refused)
{
    bool deferred = refused->status == WEIR_DELIVERY_DEFERRED;
    bool stronger = outcome->verdict == WEIR_DONE || (deferred && outcome->verdict == WEIR_REJECT);

    if (!outcome->reached || !stronger)
        return;
    *outcome = (struct weir_outcome){
        .reached = true, .verdict = deferred ? WEIR_RETRY : WEIR_REJECT, .disposition = "invalid"};
    snprintf(outcome->error_type, sizeof(outcome->error_type), "smtp-%.3s", refused->reply);
    if (strncmp(refused->reply, "552", 3) == 0)
        outcome->disposition = "too-large";
    snprintf(outcome->text, sizeof(outcome->text), "<%.254s>: %.300s", refused->recipient, refused->reply);
}
