#include "gateway/subscription.h"

#include "common/clock.h"
#include "common/filter.h"
#include "common/html.h"
#include "common/json.h"
#include "common/token.h"
#include "gateway/command.h"
#include "gateway/query.h"
#include "gateway/request.h"

#include <stdio.h>
#include <string.h>

enum { ENDPOINT_BYTES = 254, ID_BYTES = 80, VERSION_BYTES = 64 };

/* How long the page waits for what the store makes of the button. */
enum { PAGE_WAIT_MS = 5000 };

/* What an action is, and its words on the pages: `taken` where the store has not spoken yet. */
static const struct action {
    const char *name, *status, *title, *question, *button, *taken, *done, *refused;
} actions[] = {
    {"confirm", "CONFIRMED", "Confirm your subscription", "Do you want to get these mails?",
        "Yes, send me these mails",
        "Thank you. Unless this link was used before, you will get these mails; each holds a link to leave.",
        "Thank you. You will get these mails; each holds a link to leave.",
        "This link counts no longer: it was used before, or the subscription has changed since. Subscribe "
        "again to get a new one."},
    {"unsubscribe", "UNSUBSCRIBED", "Leave this list", "Do you want to get no more of these mails?",
        "Send me no more mails", "You will get no more of these mails.",
        "You will get no more of these mails.",
        "There is no such subscription any more: you get none of these mails."},
};

/* ---- what a client writes ---- */

/* Also without a section [subscriptions]: what is confirmed now would count once there is one. */
static bool is_subscription(const struct weir_request *request)
{
    return strcmp(request->collection->config->name, WEIR_SUBSCRIPTIONS) == 0;
}

static bool has_page(const struct weir_request *request)
{
    return is_subscription(request) && request->gateway->deployment->subscriptions != NULL;
}

static enum weir_step refuse_member(struct weir_request *request, const char *member, const char *why)
{
    return weir_request_refuse_member(request, MHD_HTTP_UNPROCESSABLE_CONTENT, member, "%s: %s", member, why);
}

/* A merge may leave members out, a whole document may not. */
static enum weir_step check_text(struct weir_request *request, const json_t *document, const char *member,
    size_t most, const char *needle, const char *why)
{
    const json_t *value = json_object_get(document, member);

    if (value == NULL && request->operation == WEIR_OPERATION_MERGE)
        return WEIR_STEP_SUSPENDED;
    const char *text = json_string_value(value);
    if (text == NULL || json_string_length(value) > most || strstr(text, needle) == NULL)
        return refuse_member(request, member, why);
    return WEIR_STEP_SUSPENDED;
}

static enum weir_step check_collection(struct weir_request *request, const json_t *document)
{
    const char *name = json_string_value(json_object_get(document, "collection"));

    if (check_text(request, document, "collection", 63, "", "has to name a collection") == WEIR_STEP_ANSWER)
        return WEIR_STEP_ANSWER;
    if (name != NULL && weir_deployment_collection(request->gateway->deployment, name) == NULL)
        return refuse_member(request, "collection", "there is no such collection");
    return WEIR_STEP_SUSPENDED;
}

static enum weir_step refuse_filter(
    struct weir_request *request, const struct weir_buffer *pointer, const char *why)
{
    WEIR_CLEANUP(buffer) struct weir_buffer place = {0};

    weir_buffer_append_str(&place, "/filter");
    weir_buffer_append_bytes(&place, weir_buffer_bytes(pointer));
    return weir_request_refuse_body(
        request, MHD_HTTP_UNPROCESSABLE_CONTENT, weir_buffer_bytes(&place), "filter: %s", why);
}

/* Where the collection is not named, as in a merge, the view can't be told: such a filter does not match. */
static bool lacks_before(
    const struct weir_request *request, const json_t *document, const struct weir_filter *filter)
{
    const char *name = json_string_value(json_object_get(document, "collection"));
    const struct weir_collection *collection =
        name != NULL ? weir_deployment_collection(request->gateway->deployment, name) : NULL;

    return collection != NULL && collection->changes_view != WEIR_VIEW_NEW_AND_OLD_IMAGES &&
           weir_filter_names(filter, "before");
}

static enum weir_step check_filter(struct weir_request *request, const json_t *document)
{
    json_t *policy = json_object_get(document, "filter");
    WEIR_CLEANUP(filter) struct weir_filter *filter = NULL;
    WEIR_CLEANUP(buffer) struct weir_buffer pointer = {0};
    struct weir_error err;

    if (policy == NULL || json_is_null(policy))
        return WEIR_STEP_SUSPENDED;
    if (weir_filter_parse(policy, &filter, &pointer, &err) < 0)
        return refuse_filter(request, &pointer, err.text);
    if (lacks_before(request, document, filter))
        return refuse_filter(request, &pointer,
            "it names \"before\", which changes of this collection do not hold (its changes.view is not "
            "NEW_AND_OLD_IMAGES)");
    return WEIR_STEP_SUSPENDED;
}

/* So that a header line of a mail holds the link, whatever the key is. */
static enum weir_step check_key(struct weir_request *request, const json_t *document)
{
    const char *field = request->collection->config->key_field;
    const json_t *key = json_object_get(document, field);

    if (request->key.len > ID_BYTES || json_string_length(key) > ID_BYTES)
        return refuse_member(request, field, "has at most 80 bytes");
    return WEIR_STEP_SUSPENDED;
}

static enum weir_step check_document(struct weir_request *request, const json_t *document)
{
    if (check_key(request, document) == WEIR_STEP_ANSWER)
        return WEIR_STEP_ANSWER;
    if (json_object_get(document, "status") != NULL)
        return refuse_member(request, "status", "is set by the gateway alone");
    if (check_text(request, document, "endpoint", ENDPOINT_BYTES, "@",
            "has to be a mail address of at most 254 bytes") == WEIR_STEP_ANSWER)
        return WEIR_STEP_ANSWER;
    if (check_collection(request, document) == WEIR_STEP_ANSWER)
        return WEIR_STEP_ANSWER;
    return check_filter(request, document);
}

static enum weir_step put_status(struct weir_request *request)
{
    struct weir_buffer body = {0};

    weir_json_splice_first(weir_buffer_bytes(&request->body), "status", weir_bytes_str("\"PENDING\""), &body);
    weir_buffer_done(&request->body);
    request->body = body;
    return body.failed ? weir_request_refuse(
                             request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory; nothing was written")
                       : WEIR_STEP_SUSPENDED;
}

enum weir_step weir_subscription_prepare(struct weir_request *request)
{
    WEIR_CLEANUP(json) json_t *document = NULL;

    if (!is_subscription(request) || request->route->page || request->media_type == NULL ||
        request->operation == WEIR_OPERATION_ADJUST)
        return WEIR_STEP_SUSPENDED;
    /* A body that is no object is refused by the command itself. */
    if (weir_json_parse_object(weir_buffer_bytes(&request->body), &document, NULL) < 0)
        return WEIR_STEP_SUSPENDED;
    return check_document(request, document) == WEIR_STEP_ANSWER ? WEIR_STEP_ANSWER : put_status(request);
}

/* ---- the pages ---- */

static const struct action *action_of(const struct weir_request *request)
{
    return strcmp(request->route->action, actions[0].name) == 0 ? &actions[0] : &actions[1];
}

/* "" when there is none or it is too long. */
static void read_parameter(const struct weir_request *request, const char *name, char *out, size_t size)
{
    if (!weir_query_value(request->target, name, out, size))
        out[0] = '\0';
}

static void write_page(
    struct weir_request *request, unsigned status, const char *title, const char *text, const char *button)
{
    struct weir_buffer *out = &request->outcome.document;

    request->outcome.kind = WEIR_OUTCOME_PAGE;
    request->outcome.status = status;
    weir_buffer_clear(out);
    weir_buffer_append_str(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                                "<meta name=\"viewport\" content=\"width=device-width\"><title>");
    weir_html_append(out, weir_bytes_str(title));
    weir_buffer_append_str(out, "</title></head><body>\n<h1>");
    weir_html_append(out, weir_bytes_str(title));
    weir_buffer_append_str(out, "</h1>\n<p>");
    weir_html_append(out, weir_bytes_str(text));
    weir_buffer_append_str(out, "</p>\n");
    if (button != NULL) {
        weir_buffer_append_str(out, "<form method=\"post\"><button>");
        weir_html_append(out, weir_bytes_str(button));
        weir_buffer_append_str(out, "</button></form>\n");
    }
    weir_buffer_append_str(out, "</body></html>\n");
}

/* Whether the link is good; otherwise the page says why not. `version` is given the one of the document that
 * it is for, "" for any: what is signed is the action with it. */
static bool is_good(
    struct weir_request *request, const struct action *action, char version[static VERSION_BYTES + 1])
{
    char token[WEIR_TOKEN_BYTES], signed_action[VERSION_BYTES + 16], key[WEIR_KEY_BYTES + 1];

    read_parameter(request, "token", token, sizeof(token));
    read_parameter(request, "version", version, VERSION_BYTES + 1);
    snprintf(
        signed_action, sizeof(signed_action), "%s%s%s", action->name, version[0] != '\0' ? " " : "", version);
    snprintf(key, sizeof(key), "%.*s", (int)request->key.len, request->key.data);
    enum weir_token_state state = weir_token_check(
        request->gateway->deployment->subscriptions->keys, key, signed_action, token, weir_clock_wall_ms());
    if (state == WEIR_TOKEN_EXPIRED)
        write_page(request, MHD_HTTP_GONE, action->title,
            "This link has expired. Subscribe again to get a new one.", NULL);
    if (state == WEIR_TOKEN_WRONG)
        write_page(request, MHD_HTTP_FORBIDDEN, action->title,
            "This link is not right. Open it from the mail again, all of it.", NULL);
    return state == WEIR_TOKEN_VALID;
}

static enum weir_step refuse_unknown(struct weir_request *request)
{
    return weir_request_refuse(request, MHD_HTTP_NOT_FOUND, "there is nothing at this path");
}

enum weir_step weir_subscription_show(struct weir_request *request)
{
    char version[VERSION_BYTES + 1];
    const struct action *action = action_of(request);

    if (!has_page(request))
        return refuse_unknown(request);
    if (is_good(request, action, version))
        write_page(request, MHD_HTTP_OK, action->title, action->question, action->button);
    return WEIR_STEP_ANSWER;
}

/* A confirmation is for one version of the document: once it is confirmed, ended or changed, the store
 * refuses the old link, so that it is good for once. */
enum weir_step weir_subscription_act(struct weir_request *request)
{
    char version[VERSION_BYTES + 1];
    _Static_assert(sizeof(request->condition) >= VERSION_BYTES + 3, "it holds a version in quotes");
    const struct action *action = action_of(request);

    if (!has_page(request))
        return refuse_unknown(request);
    if (!is_good(request, action, version))
        return WEIR_STEP_ANSWER;
    weir_buffer_clear(&request->body);
    weir_buffer_printf(&request->body, "{\"status\":\"%s\"}", action->status);
    request->head.if_match = request->head.if_none_match = WEIR_BYTES_NULL;
    if (version[0] != '\0') {
        snprintf(request->condition, sizeof(request->condition), "\"%s\"", version);
        request->head.if_match = weir_bytes_str(request->condition);
    }
    write_page(request, MHD_HTTP_ACCEPTED, action->title, action->taken, NULL);
    if (request->wait_ms < PAGE_WAIT_MS)
        request->wait_ms = PAGE_WAIT_MS;
    return weir_command_run(request);
}

void weir_subscription_tell(struct weir_request *request, const char *outcome, const char *error)
{
    const struct action *action = action_of(request);

    if (strcmp(outcome, "stored") == 0 || strcmp(outcome, "unchanged") == 0)
        write_page(request, MHD_HTTP_OK, action->title, action->done, NULL);
    else if (strcmp(outcome, "rejected") == 0 || strcmp(error, "invalid") == 0)
        write_page(request, MHD_HTTP_GONE, action->title, action->refused, NULL);
    else
        write_page(request, MHD_HTTP_INTERNAL_SERVER_ERROR, action->title,
            "This could not be done. Try it again later.", NULL);
}
