#include "gateway/dispatch.h"

#include "common/json.h"
#include "gateway/command.h"
#include "gateway/dispatch_parts.h"
#include "gateway/identity.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MEMBERS_MAX = 8, NAME_SHOWN = 64 };

enum weir_step weir_dispatch_refuse(
    const struct weir_dispatch *dispatch, const char *holder, const char *member, const char *format, ...)
{
    struct weir_request *request = dispatch->request;
    char why[WEIR_ERROR_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, sizeof(why), format, arguments);
    va_end(arguments);
    snprintf(request->place, sizeof(request->place), "/payload%s%.30s", holder != NULL ? "/" : "",
        holder != NULL ? holder : "");
    if (member == NULL)
        return weir_request_refuse_body(
            request, MHD_HTTP_BAD_REQUEST, weir_bytes("", 0), "%s: %s", dispatch->name, why);
    return weir_request_refuse_member(request, MHD_HTTP_BAD_REQUEST, member, "%s: %s", dispatch->name, why);
}

enum weir_step weir_dispatch_take_key(const struct weir_dispatch *dispatch, const char *holder, bool is_key)
{
    struct weir_request *request = dispatch->request;
    const char *field = request->collection->config->key_field;
    const json_t *object = json_object_get(dispatch->payload, holder);
    const json_t *key = json_object_get(object, field);
    if (!json_is_object(object))
        return weir_dispatch_refuse(dispatch, NULL, holder, "payload.%s has to be there, an object", holder);
    if (key == NULL)
        return weir_dispatch_refuse(
            dispatch, holder, field, "payload.%s lacks the table's key, %s", holder, field);
    if (is_key && json_object_size(object) > 1)
        return weir_dispatch_refuse(
            dispatch, holder, NULL, "payload.%s holds more than the table's key, %s", holder, field);
    snprintf(request->place, sizeof(request->place), "/payload/%s", holder);
    return weir_command_take_key(request,
        json_is_string(key) ? weir_bytes(json_string_value(key), json_string_length(key)) : WEIR_BYTES_NULL);
}

/* ---- answers ---- */

void weir_dispatch_write_end(const struct weir_request *request, struct weir_buffer *out)
{
    weir_buffer_printf(
        out, "\"ResponseMetadata\":{\"RequestId\":\"%s\",\"HTTPStatusCode\":200}}\n", request->id);
}

/* A command that ended. One that takes too long is told as usual, with 202. */
static const char *shape(struct weir_request *request, struct weir_buffer *out)
{
    bool ended = request->outcome.kind == WEIR_OUTCOME_ENDED;
    request->outcome.status = ended ? MHD_HTTP_OK : MHD_HTTP_ACCEPTED;
    if (!ended)
        return NULL;
    weir_buffer_append_str(out, "{");
    weir_dispatch_write_end(request, out);
    return "application/json";
}

static enum weir_step answer(struct weir_request *request, struct weir_bytes body)
{
    request->outcome.kind = WEIR_OUTCOME_DOCUMENT;
    request->outcome.status = MHD_HTTP_OK;
    weir_buffer_append_bytes(&request->outcome.document, body);
    if (request->outcome.document.failed)
        return weir_request_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
    return WEIR_STEP_ANSWER;
}

/* ---- operations ---- */

/* Takes over what is now the command's body, and waits for its end. */
static enum weir_step command(struct weir_request *request, enum weir_operation operation,
    const char *media_type, struct weir_buffer *body)
{
    weir_buffer_done(&request->body);
    request->body = *body;
    *body = (struct weir_buffer){0};
    if (request->body.failed)
        return weir_request_refuse(
            request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory; nothing was written");
    request->operation = operation;
    request->media_type = media_type;
    request->shape = shape;
    request->wait_ms = request->gateway->settings.timeout_ms;
    return weir_command_run(request);
}

static enum weir_step create(const struct weir_dispatch *dispatch)
{
    WEIR_CLEANUP(buffer) struct weir_buffer item = {0};
    if (weir_dispatch_take_key(dispatch, "Item", false) == WEIR_STEP_ANSWER)
        return WEIR_STEP_ANSWER;
    weir_buffer_append_bytes(&item, weir_json_member(dispatch->text, "Item"));
    return command(dispatch->request, WEIR_OPERATION_REPLACE, "application/json", &item);
}

static enum weir_step read_item(const struct weir_dispatch *dispatch)
{
    if (weir_dispatch_take_key(dispatch, "Key", true) == WEIR_STEP_ANSWER)
        return WEIR_STEP_ANSWER;
    return weir_dispatch_read(dispatch);
}

static enum weir_step update(const struct weir_dispatch *dispatch)
{
    WEIR_CLEANUP(buffer) struct weir_buffer patch = {0};
    if (weir_dispatch_take_key(dispatch, "Key", true) == WEIR_STEP_ANSWER ||
        weir_dispatch_write_patch(dispatch, &patch) == WEIR_STEP_ANSWER)
        return WEIR_STEP_ANSWER;
    dispatch->request->place[0] = '\0';
    return command(dispatch->request, WEIR_OPERATION_MERGE, "application/merge-patch+json", &patch);
}

static enum weir_step delete_item(const struct weir_dispatch *dispatch)
{
    WEIR_CLEANUP(buffer) struct weir_buffer nothing = {0};
    if (weir_dispatch_take_key(dispatch, "Key", true) == WEIR_STEP_ANSWER)
        return WEIR_STEP_ANSWER;
    return command(dispatch->request, WEIR_OPERATION_DELETE, NULL, &nothing);
}

static enum weir_step echo(const struct weir_dispatch *dispatch)
{
    return answer(dispatch->request, dispatch->text.data != NULL ? dispatch->text : weir_bytes_str("null"));
}

static enum weir_step ping(const struct weir_dispatch *dispatch)
{
    return answer(dispatch->request, weir_bytes_str("\"pong\""));
}

static const struct operation {
    const char *name;
    const char *verb; /* that a key has to grant on the table; NULL: it is about no table */
    enum weir_step (*run)(const struct weir_dispatch *dispatch);
    const char *members[MEMBERS_MAX]; /* of the payload */
} operations[] = {
    {"create", "replace", create, {"Item"}},
    {"read", "read", read_item, {"Key", "ConsistentRead"}},
    {"update", "merge", update,
        {"Key", "AttributeUpdates", "UpdateExpression", "ExpressionAttributeNames",
            "ExpressionAttributeValues"}},
    {"delete", "delete", delete_item, {"Key"}},
    {"list", "read", weir_dispatch_list, {"Limit", "ExclusiveStartKey", "ConsistentRead"}},
    {"echo", NULL, echo, {NULL}},
    {"ping", NULL, ping, {NULL}},
};

/* ---- from the body to an operation ---- */

static const struct operation *find_operation(const char *name)
{
    for (size_t i = 0; name != NULL && i < sizeof(operations) / sizeof(operations[0]); i++) {
        if (strcmp(operations[i].name, name) == 0)
            return &operations[i];
    }
    return NULL;
}

static enum weir_step refuse_operation(struct weir_request *request, const json_t *operation)
{
    if (json_is_string(operation))
        return weir_request_refuse_member(request, MHD_HTTP_BAD_REQUEST, "operation",
            "Unrecognized operation \"%.*s\"", NAME_SHOWN, json_string_value(operation));
    return weir_request_refuse_member(request, MHD_HTTP_BAD_REQUEST, "operation",
        operation == NULL ? "there is no operation" : "the operation is no string");
}

static bool has_table(const struct weir_collection *collection, const char *name)
{
    for (char **table = collection->tables; table != NULL && *table != NULL; table++) {
        if (strcmp(*table, name) == 0)
            return true;
    }
    return strcmp(collection->name, name) == 0;
}

static const struct weir_gateway_collection *find_table(const struct weir_gateway *gateway, const char *name)
{
    for (size_t i = 0; i < gateway->collection_count; i++) {
        if (has_table(gateway->collections[i].config, name))
            return &gateway->collections[i];
    }
    return NULL;
}

/* Who may not use a table is not told whether it exists. */
static enum weir_step take_table(struct weir_request *request, const char *verb, const char *name)
{
    if (name == NULL)
        return weir_request_refuse_member(
            request, MHD_HTTP_BAD_REQUEST, "tableName", "tableName has to be there, a string");
    request->collection = find_table(request->gateway, name);
    const struct weir_collection *config = request->collection != NULL ? request->collection->config : NULL;
    if (weir_request_check_access(request, config != NULL ? config->name : "", verb) == WEIR_STEP_ANSWER)
        return WEIR_STEP_ANSWER;
    if (config == NULL)
        return weir_request_refuse_member(
            request, MHD_HTTP_NOT_FOUND, "tableName", "there is no table \"%.*s\"", NAME_SHOWN, name);
    if (config->store_service == NULL)
        return weir_request_refuse_member(
            request, MHD_HTTP_NOT_FOUND, "tableName", "no store keeps the table %s", config->name);
    return WEIR_STEP_SUSPENDED;
}

static bool is_taken(const struct operation *operation, const char *member)
{
    for (size_t i = 0; i < MEMBERS_MAX && operation->members[i] != NULL; i++) {
        if (strcmp(operation->members[i], member) == 0)
            return true;
    }
    return false;
}

/* What is not heeded is refused: a condition that nobody looks at would be worse than none. */
static enum weir_step check_payload(const struct weir_dispatch *dispatch, const struct operation *operation)
{
    const char *member;
    json_t *value;
    if (dispatch->payload != NULL && !json_is_object(dispatch->payload))
        return weir_dispatch_refuse(dispatch, NULL, NULL, "the payload is no object");
    json_object_foreach(dispatch->payload, member, value)
    {
        if (strcmp(member, "ReturnValues") == 0 && json_is_string(value) &&
            strcmp(json_string_value(value), "NONE") == 0)
            continue;
        if (strcmp(member, "ConsistentRead") == 0 && !json_is_boolean(value))
            return weir_dispatch_refuse(dispatch, NULL, member, "payload.ConsistentRead is true or false");
        if (!is_taken(operation, member))
            return weir_dispatch_refuse(
                dispatch, NULL, member, "payload.%.*s is not taken here", NAME_SHOWN, member);
    }
    return WEIR_STEP_SUSPENDED;
}

static enum weir_step run_on_table(
    struct weir_dispatch *dispatch, const struct operation *operation, const json_t *object)
{
    if (take_table(dispatch->request, operation->verb,
            json_string_value(json_object_get(object, "tableName"))) == WEIR_STEP_ANSWER ||
        check_payload(dispatch, operation) == WEIR_STEP_ANSWER)
        return WEIR_STEP_ANSWER;
    return operation->run(dispatch);
}

enum weir_step weir_dispatch_run(struct weir_request *request)
{
    WEIR_CLEANUP(json) json_t *object = NULL;
    struct weir_error err;
    struct weir_bytes body = weir_buffer_bytes(&request->body);
    if (weir_identity_check(request, &err) < 0)
        return weir_request_refuse(request, MHD_HTTP_BAD_REQUEST, "%s", err.text);
    if (weir_json_parse_object(body, &object, &err) < 0)
        return weir_request_refuse_json(request, err.text);
    const json_t *name = json_object_get(object, "operation");
    const struct operation *operation = find_operation(json_string_value(name));
    if (operation == NULL)
        return refuse_operation(request, name);
    /* Conditions are for the method and path that a table's item has elsewhere. */
    request->head.if_match = request->head.if_none_match = WEIR_BYTES_NULL;
    struct weir_dispatch dispatch = {.request = request,
        .name = operation->name,
        .payload = json_object_get(object, "payload"),
        .text = weir_json_member(body, "payload")};
    if (operation->verb == NULL)
        return operation->run(&dispatch);
    return run_on_table(&dispatch, operation, object);
}
