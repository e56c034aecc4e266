/* An update's payload as a merge patch: SET and REMOVE of an UpdateExpression, or AttributeUpdates. */
#include "common/json.h"
#include "gateway/dispatch_parts.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define EXPRESSION "UpdateExpression"
#define NAMES "ExpressionAttributeNames"
#define VALUES "ExpressionAttributeValues"
#define UPDATES "AttributeUpdates"

enum { SHOWN = 64 };

struct patch {
    const struct weir_dispatch *dispatch;
    json_t *touched; /* names that have their change */
    struct weir_buffer *out;
};

static enum weir_step no_memory(const struct patch *patch)
{
    return weir_request_refuse(
        patch->dispatch->request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory; nothing was written");
}

/* ---- one attribute ---- */

/* `holder`: the payload's member that asks for the change. value: JSON text; data NULL: the attribute goes.
 */
static enum weir_step change(
    struct patch *patch, const char *holder, const char *name, struct weir_bytes value)
{
    const struct weir_dispatch *dispatch = patch->dispatch;
    if (strcmp(name, dispatch->request->collection->config->key_field) == 0)
        return weir_dispatch_refuse(dispatch, NULL, holder, "the table's key, %s, can't be changed", name);
    if (json_object_get(patch->touched, name) != NULL)
        return weir_dispatch_refuse(dispatch, NULL, holder, "%.*s is changed twice", SHOWN, name);
    if (value.data != NULL && (value.data[0] == '{' || weir_bytes_is(value, "null")))
        return weir_dispatch_refuse(dispatch, NULL, holder,
            "%.*s: an update can't set an object or null; create puts the whole item", SHOWN, name);
    weir_buffer_append_str(patch->out, json_object_size(patch->touched) > 0 ? "," : "");
    if (json_object_set_new(patch->touched, name, json_true()) < 0)
        return no_memory(patch);
    weir_buffer_append_json_string(patch->out, weir_bytes_str(name));
    weir_buffer_append_str(patch->out, ":");
    weir_buffer_append_bytes(patch->out, value.data != NULL ? value : weir_bytes_str("null"));
    return WEIR_STEP_SUSPENDED;
}

/* ---- UpdateExpression ---- */

struct expression {
    struct patch *patch;
    const char *at;
    struct weir_bytes token; /* len 0: the end */
};

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static void advance(struct expression *expression)
{
    const char *at = expression->at;
    while (isspace((unsigned char)*at))
        at++;
    const char *begin = at;
    if (*at == '#' || *at == ':')
        at++;
    while (is_word(*at))
        at++;
    if (at == begin && *at != '\0')
        at++;
    expression->at = at;
    expression->token = weir_bytes(begin, (size_t)(at - begin));
}

static bool is_keyword(struct weir_bytes token, const char *word)
{
    return token.len == strlen(word) && strncasecmp(token.data, word, token.len) == 0;
}

static enum weir_step refuse_token(const struct expression *expression)
{
    struct weir_bytes token = expression->token;
    int len = (int)(token.len < SHOWN ? token.len : SHOWN);
    return weir_dispatch_refuse(expression->patch->dispatch, NULL, EXPRESSION,
        "UpdateExpression is `SET name = :value, …` and `REMOVE name, …` with whole attributes; at %s%.*s%s",
        len > 0 ? "\"" : "its end", len, len > 0 ? token.data : "", len > 0 ? "\"" : "");
}

/* The name that the token stands for, which then is passed. NULL: there is none; it was refused. */
static const char *take_name(struct expression *expression, char *buffer, size_t size)
{
    struct weir_bytes token = expression->token;
    bool is_placeholder = token.len > 1 && token.data[0] == '#';
    if (token.len >= size || (!is_placeholder && (token.len == 0 || !is_word(token.data[0])))) {
        refuse_token(expression);
        return NULL;
    }
    memcpy(buffer, token.data, token.len);
    buffer[token.len] = '\0';
    advance(expression);
    if (!is_placeholder)
        return buffer;
    const char *name = json_string_value(
        json_object_get(json_object_get(expression->patch->dispatch->payload, NAMES), buffer));
    if (name == NULL)
        weir_dispatch_refuse(
            expression->patch->dispatch, NULL, NAMES, NAMES " does not say what %s is", buffer);
    return name;
}

/* The text of the value that the token stands for, which then is passed. data NULL: it was refused. */
static struct weir_bytes take_value(struct expression *expression)
{
    char name[WEIR_KEY_BYTES + 1];
    const struct weir_dispatch *dispatch = expression->patch->dispatch;
    struct weir_bytes token = expression->token;
    if (token.len < 2 || token.len >= sizeof(name) || token.data[0] != ':') {
        refuse_token(expression);
        return WEIR_BYTES_NULL;
    }
    memcpy(name, token.data, token.len);
    name[token.len] = '\0';
    struct weir_bytes value = weir_json_member(weir_json_member(dispatch->text, VALUES), name);
    if (value.data == NULL)
        weir_dispatch_refuse(dispatch, NULL, VALUES, VALUES " does not say what %.*s is", SHOWN, name);
    advance(expression);
    return value;
}

static enum weir_step take_set(struct expression *expression)
{
    char buffer[WEIR_KEY_BYTES + 1];
    const char *name = take_name(expression, buffer, sizeof(buffer));
    if (name == NULL)
        return WEIR_STEP_ANSWER;
    if (!weir_bytes_is(expression->token, "="))
        return refuse_token(expression);
    advance(expression);
    struct weir_bytes value = take_value(expression);
    return value.data == NULL ? WEIR_STEP_ANSWER : change(expression->patch, EXPRESSION, name, value);
}

static enum weir_step take_remove(struct expression *expression)
{
    char buffer[WEIR_KEY_BYTES + 1];
    const char *name = take_name(expression, buffer, sizeof(buffer));
    return name == NULL ? WEIR_STEP_ANSWER : change(expression->patch, EXPRESSION, name, WEIR_BYTES_NULL);
}

/* A keyword and what follows it, with commas between. */
static enum weir_step take_clause(struct expression *expression)
{
    bool sets = is_keyword(expression->token, "SET");
    if (!sets && !is_keyword(expression->token, "REMOVE"))
        return refuse_token(expression);
    do {
        advance(expression);
        if ((sets ? take_set(expression) : take_remove(expression)) == WEIR_STEP_ANSWER)
            return WEIR_STEP_ANSWER;
    } while (weir_bytes_is(expression->token, ","));
    return WEIR_STEP_SUSPENDED;
}

static enum weir_step take_expression(struct patch *patch, const json_t *text)
{
    struct expression expression = {.patch = patch, .at = json_string_value(text)};
    if (expression.at == NULL)
        return weir_dispatch_refuse(patch->dispatch, NULL, EXPRESSION, EXPRESSION " is no string");
    advance(&expression);
    do {
        if (take_clause(&expression) == WEIR_STEP_ANSWER)
            return WEIR_STEP_ANSWER;
    } while (expression.token.len > 0);
    return WEIR_STEP_SUSPENDED;
}

/* ---- AttributeUpdates ---- */

static enum weir_step take_update(
    struct patch *patch, const char *name, const json_t *update, struct weir_bytes updates)
{
    const json_t *action = json_object_get(update, "Action");
    const char *word = action != NULL ? json_string_value(action) : "PUT";
    bool has_value = json_object_get(update, "Value") != NULL;
    bool puts = word != NULL && strcmp(word, "PUT") == 0;
    bool deletes = word != NULL && strcmp(word, "DELETE") == 0;
    if (puts && has_value)
        return change(patch, UPDATES, name, weir_json_member(weir_json_member(updates, name), "Value"));
    if (deletes && !has_value)
        return change(patch, UPDATES, name, WEIR_BYTES_NULL);
    return weir_dispatch_refuse(patch->dispatch, UPDATES, name,
        "%.*s: an update is {\"Action\":\"PUT\",\"Value\":…} or {\"Action\":\"DELETE\"}", SHOWN, name);
}

static enum weir_step take_updates(struct patch *patch, json_t *updates)
{
    const char *name;
    json_t *update;
    struct weir_bytes text = weir_json_member(patch->dispatch->text, UPDATES);
    if (json_object_size(updates) == 0)
        return weir_dispatch_refuse(patch->dispatch, NULL, UPDATES, UPDATES " is no object with members");
    json_object_foreach(updates, name, update)
    {
        if (take_update(patch, name, update, text) == WEIR_STEP_ANSWER)
            return WEIR_STEP_ANSWER;
    }
    return WEIR_STEP_SUSPENDED;
}

/* ---- the patch ---- */

enum weir_step weir_dispatch_write_patch(const struct weir_dispatch *dispatch, struct weir_buffer *out)
{
    WEIR_CLEANUP(json) json_t *touched = json_object();
    struct patch patch = {dispatch, touched, out};
    const json_t *expression = json_object_get(dispatch->payload, EXPRESSION);
    json_t *updates = json_object_get(dispatch->payload, UPDATES);
    if (touched == NULL)
        return no_memory(&patch);
    if ((expression == NULL) == (updates == NULL))
        return weir_dispatch_refuse(
            dispatch, NULL, NULL, "the payload has to hold either " EXPRESSION " or " UPDATES);
    weir_buffer_append_str(out, "{");
    enum weir_step step =
        expression != NULL ? take_expression(&patch, expression) : take_updates(&patch, updates);
    weir_buffer_append_str(out, "}");
    return step;
}
