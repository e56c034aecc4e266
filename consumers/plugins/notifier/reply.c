#include "consumers/plugins/notifier/reply.h"

static bool is_within(int code, int least, int most)
{
    return code >= least && code <= most;
}

/* RFC 4954: authentication is required, too weak, failed, or needs encryption. Every mail meets this. */
static bool is_authentication(int code)
{
    return code == 530 || code == 534 || code == 535 || code == 538;
}

/* An outage must cost no mail an execution, or it ends as a dead letter. 452 is a full disk, but for servers
 * that say it of a full mailbox. */
static bool is_outage(int code, bool personal)
{
    return code == 0 || code == 421 || (code == 452 && !personal);
}

static enum weir_mail_result judge_refusal(int code, bool personal)
{
    if (is_authentication(code) || is_outage(code, personal))
        return WEIR_MAIL_BLOCKED;
    return is_within(code, 500, 599) ? WEIR_MAIL_PERMANENT : WEIR_MAIL_TEMPORARY;
}

enum weir_mail_result weir_replies_judge(const struct weir_replies *replies, int *ret_code)
{
    *ret_code = replies->sender;
    if (replies->sender == 0)
        return WEIR_MAIL_UNTRIED;
    if (!is_within(replies->sender, 250, 259))
        return WEIR_MAIL_BLOCKED;
    *ret_code = replies->recipient;
    if (!is_within(replies->recipient, 250, 259))
        return judge_refusal(replies->recipient, replies->personal);
    *ret_code = replies->message;
    if (is_within(replies->message, 250, 259) && replies->complete)
        return WEIR_MAIL_SENT;
    /* 354 is left when the connection broke behind it: no answer. */
    if (!is_within(replies->message, 400, 599))
        *ret_code = 0;
    return judge_refusal(*ret_code, replies->personal);
}
