#include "gateway/route.h"

#include "gateway/batch.h"
#include "gateway/checkout.h"
#include "gateway/command.h"
#include "gateway/dispatch.h"
#include "gateway/dlq.h"
#include "gateway/feed.h"
#include "gateway/journey.h"
#include "gateway/list.h"
#include "gateway/openapi.h"
#include "gateway/openapi_operations.h"
#include "gateway/portal.h"
#include "gateway/query.h"
#include "gateway/read.h"
#include "gateway/read_request.h"
#include "gateway/request.h"
#include "gateway/subscription.h"

#include <stdio.h>
#include <string.h>

#define JSON "application/json"
#define MERGE_PATCH "application/merge-patch+json"
#define COLLECTION "/v1/{collection}"
#define ITEM "/v1/{collection}/{key}"
#define REQUEST "/v1/requests/{request}"
#define DISPATCH "{dispatch}"
#define PORTAL "/portal/{file}"
#define PORTAL_SESSION "/portal/session"
#define OPENAPI "/openapi.json"
#define DLQ "/v1/dlq"
#define LETTERS DLQ "/{service}/letters"
#define LETTER LETTERS "/{letter}"

static enum weir_step tell_methods(struct weir_request *request)
{
    request->outcome.kind = WEIR_OUTCOME_METHODS;
    request->outcome.status = MHD_HTTP_NO_CONTENT;
    return WEIR_STEP_ANSWER;
}

/* A route without its description is no route. */
#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wmissing-field-initializers"
const struct weir_route weir_routes[] = {
    {COLLECTION, "GET", false, 0, NULL, NULL, false, weir_list_run, weir_doc_list},
    {COLLECTION, "HEAD", false, 0, NULL, NULL, false, weir_list_run, weir_doc_list},
    {COLLECTION, "POST", false, WEIR_OPERATION_CREATE, JSON, NULL, false, weir_command_run, weir_doc_create},
    {COLLECTION, "OPTIONS", false, 0, NULL, NULL, false, tell_methods, weir_doc_methods},
    {COLLECTION ":batch", "POST", false, WEIR_OPERATION_CREATE, JSON, "batch", false, weir_batch_run,
        weir_doc_batch},
    {COLLECTION ":changes", "GET", false, 0, NULL, "changes", false, weir_feed_run, weir_doc_changes},
    {ITEM, "GET", true, 0, NULL, NULL, false, weir_read_run, weir_doc_read},
    {ITEM, "HEAD", true, 0, NULL, NULL, false, weir_read_run, weir_doc_read},
    {ITEM, "PUT", true, WEIR_OPERATION_REPLACE, JSON, NULL, false, weir_command_run, weir_doc_replace},
    {ITEM, "PATCH", true, WEIR_OPERATION_MERGE, MERGE_PATCH, NULL, false, weir_command_run, weir_doc_merge},
    {ITEM, "DELETE", true, WEIR_OPERATION_DELETE, NULL, NULL, false, weir_command_run, weir_doc_delete},
    {ITEM, "OPTIONS", true, 0, NULL, NULL, false, tell_methods, weir_doc_methods_item},
    {ITEM ":confirm", "GET", true, 0, NULL, "confirm", true, weir_subscription_show, weir_doc_confirm_page},
    {ITEM ":confirm", "POST", true, WEIR_OPERATION_MERGE, MERGE_PATCH, "confirm", true, weir_subscription_act,
        weir_doc_confirm},
    {ITEM ":unsubscribe", "GET", true, 0, NULL, "unsubscribe", true, weir_subscription_show,
        weir_doc_unsubscribe_page},
    {ITEM ":unsubscribe", "POST", true, WEIR_OPERATION_MERGE, MERGE_PATCH, "unsubscribe", true,
        weir_subscription_act, weir_doc_unsubscribe},
    {ITEM ":adjust", "POST", true, WEIR_OPERATION_ADJUST, JSON, "adjust", false, weir_command_run,
        weir_doc_adjust},
    {ITEM ":checkout", "POST", true, WEIR_OPERATION_CREATE, NULL, "checkout", false, weir_checkout_run,
        weir_doc_checkout},
    {ITEM ":journey", "GET", true, 0, NULL, "journey", false, weir_journey_run, weir_doc_journey},
    {ITEM ":journey", "HEAD", true, 0, NULL, "journey", false, weir_journey_run, weir_doc_journey},
    {REQUEST, "GET", true, 0, NULL, WEIR_ROUTE_REQUEST, false, weir_read_request_run, weir_doc_request},
    {REQUEST, "HEAD", true, 0, NULL, WEIR_ROUTE_REQUEST, false, weir_read_request_run, weir_doc_request},
    {OPENAPI, "GET", false, 0, NULL, WEIR_ROUTE_OPENAPI, false, weir_openapi_run, weir_doc_openapi},
    {OPENAPI, "HEAD", false, 0, NULL, WEIR_ROUTE_OPENAPI, false, weir_openapi_run, weir_doc_openapi},
    {DISPATCH, "POST", false, 0, JSON, WEIR_ROUTE_DISPATCH, false, weir_dispatch_run, weir_doc_dispatch},
    {DISPATCH, "OPTIONS", false, 0, NULL, WEIR_ROUTE_DISPATCH, false, tell_methods,
        weir_doc_dispatch_methods},
    {PORTAL, "GET", true, 0, NULL, WEIR_ROUTE_PORTAL, false, weir_portal_run, weir_doc_portal},
    {PORTAL, "HEAD", true, 0, NULL, WEIR_ROUTE_PORTAL, false, weir_portal_run, weir_doc_portal},
    {PORTAL_SESSION, "GET", true, 0, NULL, WEIR_ROUTE_PORTAL_SESSION, false, weir_portal_session,
        weir_doc_portal_session},
    {PORTAL_SESSION, "HEAD", true, 0, NULL, WEIR_ROUTE_PORTAL_SESSION, false, weir_portal_session,
        weir_doc_portal_session},
    {DLQ, "GET", false, 0, NULL, WEIR_ROUTE_DLQ, false, weir_dlq_stats_run, weir_doc_dlq},
    {LETTERS, "GET", false, 0, NULL, WEIR_ROUTE_DLQ_LETTERS, false, weir_dlq_list_run, weir_doc_dlq_letters},
    {LETTER, "GET", true, 0, NULL, WEIR_ROUTE_DLQ_LETTER, false, weir_dlq_show_run, weir_doc_dlq_letter},
    {LETTERS ":redrive", "POST", false, 0, JSON, WEIR_ROUTE_DLQ_REDRIVE, false, weir_dlq_redrive_run,
        weir_doc_dlq_redrive},
    {LETTER ":redrive", "POST", true, 0, JSON, WEIR_ROUTE_DLQ_REDRIVE_LETTER, false, weir_dlq_redrive_run,
        weir_doc_dlq_redrive_letter},
};
#pragma GCC diagnostic pop
_Static_assert(sizeof(weir_routes) / sizeof(weir_routes[0]) <= WEIR_ROUTES_MAX, "each has its metrics");
const size_t weir_route_count = sizeof(weir_routes) / sizeof(weir_routes[0]);

/* Written after a raw colon these are actions, never part of a key; a key may hold them as %3A…. */
static const char *const actions[] = {
    "adjust", "batch", "changes", "checkout", "confirm", "journey", "unsubscribe"};

/* The byte of a whole escape at text, -1 when it is none. */
static int escaped_byte(const char *text)
{
    return weir_percent_byte(weir_bytes(text, strnlen(text, 3)));
}

static int check_bytes(const char *target, struct weir_error *err)
{
    for (const char *at = target; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;
        if (byte <= 0x20 || byte >= 0x7f || byte == '#')
            return weir_error_set(err, WEIR_E_INVALID, "the request target holds a raw byte 0x%02x at %zu",
                byte, (size_t)(at - target));
        if (byte != '%')
            continue;
        int decoded = escaped_byte(at);
        if (decoded < 0)
            return weir_error_set(err, WEIR_E_INVALID, "the request target holds a broken escape at %zu",
                (size_t)(at - target));
        if (decoded == 0)
            return weir_error_set(
                err, WEIR_E_INVALID, "the request target holds %%00 at %zu", (size_t)(at - target));
    }
    return 0;
}

/* Whether the segment is "." or "..", escaped or not. */
static bool is_dots(const char *segment, size_t len)
{
    size_t dots = 0;
    for (size_t i = 0; i < len; dots++) {
        bool escaped = segment[i] == '%';
        if (escaped ? escaped_byte(segment + i) != '.' : segment[i] != '.')
            return false;
        i += escaped ? 3 : 1;
    }
    return dots == 1 || dots == 2;
}

int weir_target_check(const char *target, struct weir_error *err)
{
    if (target[0] != '/')
        return weir_error_set(err, WEIR_E_INVALID, "the request target does not begin with /");
    int rc = check_bytes(target, err);
    if (rc < 0)
        return rc;
    size_t path_len = strcspn(target, "?");
    for (const char *segment = target + 1; segment <= target + path_len;) {
        size_t len = strcspn(segment, "/?");
        if (is_dots(segment, len))
            return weir_error_set(err, WEIR_E_INVALID, "the request target holds a dot segment");
        segment += len + 1;
    }
    return 0;
}

static int no_route(struct weir_error *err)
{
    return weir_error_set(err, WEIR_E_NOT_FOUND, "there is nothing at this path; see /v1/{collection}");
}

static int decode_key(const char *segment, size_t len, struct weir_target *target, struct weir_error *err)
{
    size_t out = 0;
    for (size_t i = 0; i < len; out++) {
        if (out == WEIR_KEY_BYTES)
            return weir_error_set(err, WEIR_E_INVALID, "a key has at most %d bytes", WEIR_KEY_BYTES);
        bool escaped = segment[i] == '%';
        target->key[out] = escaped ? (char)escaped_byte(segment + i) : segment[i];
        i += escaped ? 3 : 1;
    }
    target->key[out] = '\0';
    target->key_len = out;
    return weir_key_check(weir_bytes(target->key, out), err);
}

/* The word behind the colon, static, or NULL. */
static const char *find_action(const char *segment, size_t len)
{
    const char *colon = memrchr(segment, ':', len);
    if (colon == NULL)
        return NULL;
    size_t word_len = len - (size_t)(colon + 1 - segment);
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (strlen(actions[i]) == word_len && memcmp(colon + 1, actions[i], word_len) == 0)
            return actions[i];
    }
    return NULL;
}

/* `item`: on a document, or else on a collection. */
static bool is_served(const char *action, bool item)
{
    for (size_t i = 0; i < weir_route_count; i++) {
        const struct weir_route *route = &weir_routes[i];
        if (route->action != NULL && route->item == item && strcmp(route->action, action) == 0)
            return true;
    }
    return false;
}

/* Behind the prefix, NULL when text begins otherwise. */
static const char *behind(const char *text, const char *prefix)
{
    size_t len = strlen(prefix);
    return strncmp(text, prefix, len) == 0 ? text + len : NULL;
}

/* Answers what is behind the alias. */
static const char *find_alias(
    const struct weir_gateway *gateway, const char *path, struct weir_target *ret_target)
{
    for (size_t i = 0; i < gateway->collection_count; i++) {
        const struct weir_collection *collection = gateway->collections[i].config;
        for (char **alias = collection->aliases; alias != NULL && *alias != NULL; alias++) {
            const char *rest = behind(path, *alias);
            if (rest == NULL || strchr("/?:", *rest) == NULL)
                continue;
            snprintf(ret_target->collection, sizeof(ret_target->collection), "%s", collection->name);
            return rest;
        }
    }
    return NULL;
}

static bool is_dispatch(const struct weir_gateway *gateway, const char *path)
{
    for (char **own = gateway->settings.dispatch_paths; own != NULL && *own != NULL; own++) {
        const char *rest = behind(path, *own);
        if (rest != NULL && (*rest == '\0' || *rest == '?'))
            return true;
    }
    return false;
}

/* Answers what is behind /v1/{collection}. */
static const char *find_name(const char *path, struct weir_target *ret_target)
{
    const char *collection = behind(path, "/v1/");
    size_t len = collection != NULL ? strcspn(collection, "/?:") : 0;
    if (len == 0 || len >= sizeof(ret_target->collection))
        return NULL;
    memcpy(ret_target->collection, collection, len);
    ret_target->collection[len] = '\0';
    return collection + len;
}

/* Whether the path is one of those that are in no collection. */
static bool find_apart(const struct weir_gateway *gateway, const char *path, struct weir_target *ret_target)
{
    const char *rest = behind(path, OPENAPI);
    if (weir_portal_target(gateway, path, ret_target) || weir_dlq_target(gateway, path, ret_target))
        return ret_target->apart = true;
    if (is_dispatch(gateway, path))
        ret_target->action = WEIR_ROUTE_DISPATCH;
    else if (rest != NULL && (*rest == '\0' || *rest == '?'))
        ret_target->action = WEIR_ROUTE_OPENAPI;
    ret_target->apart = ret_target->action != NULL;
    return ret_target->apart;
}

/* What is behind a collection and a colon. */
static int read_action(const char *rest, struct weir_target *target, struct weir_error *err)
{
    size_t len = strcspn(rest, "/?");
    const char *action = find_action(rest, len);
    if (action == NULL || strlen(action) + 1 != len || rest[len] == '/' || !is_served(action, false))
        return no_route(err);
    target->action = action;
    return 0;
}

int weir_target_read(const struct weir_gateway *gateway, const char *target, struct weir_target *ret_target,
    struct weir_error *err)
{
    const char *path = behind(target, gateway->settings.base_path);
    *ret_target = (struct weir_target){0};
    if (path != NULL && find_apart(gateway, path, ret_target))
        return ret_target->action != NULL ? 0 : no_route(err);
    const char *rest = path != NULL ? find_alias(gateway, path, ret_target) : NULL;
    if (path != NULL && rest == NULL)
        rest = find_name(path, ret_target);
    if (rest == NULL)
        return no_route(err);
    if (*rest == ':')
        return read_action(rest, ret_target, err);
    ret_target->item = *rest == '/';
    if (!ret_target->item)
        return 0;
    const char *key = rest + 1;
    size_t key_len = strcspn(key, "/?");
    if (key_len == 0 || key[key_len] == '/')
        return no_route(err);
    const char *action = find_action(key, key_len);
    if (strcmp(ret_target->collection, "requests") == 0) {
        ret_target->action = WEIR_ROUTE_REQUEST;
        ret_target->apart = true;
    } else if (action != NULL) {
        key_len -= strlen(action) + 1;
        if (key_len == 0 || !is_served(action, true))
            return no_route(err);
        ret_target->action = action;
    }
    return decode_key(key, key_len, ret_target, err);
}

bool weir_target_is_request(const struct weir_target *target)
{
    return target->action != NULL && strcmp(target->action, WEIR_ROUTE_REQUEST) == 0;
}

bool weir_target_is_dispatch(const struct weir_target *target)
{
    return target->action != NULL && strcmp(target->action, WEIR_ROUTE_DISPATCH) == 0;
}

bool weir_target_decode(struct weir_bytes text, char *out, size_t size)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; len++) {
        if (len + 1 >= size)
            return false;
        out[len] = text.data[i] == '%' ? (char)escaped_byte(text.data + i) : text.data[i];
        i += text.data[i] == '%' ? 3 : 1;
    }
    out[len] = '\0';
    return true;
}

static bool is_for(const struct weir_route *route, const struct weir_target *target)
{
    if (route->item != target->item || (route->action == NULL) != (target->action == NULL))
        return false;
    return route->action == NULL || strcmp(route->action, target->action) == 0;
}

const struct weir_route *weir_route_find(const struct weir_target *target, const char *method)
{
    for (size_t i = 0; i < weir_route_count; i++) {
        if (is_for(&weir_routes[i], target) && strcmp(weir_routes[i].method, method) == 0)
            return &weir_routes[i];
    }
    return NULL;
}

bool weir_route_is_for_any_key(const struct weir_route *route)
{
    return route->run == weir_openapi_run || strcmp(route->name, DISPATCH) == 0;
}

bool weir_route_is_command(const struct weir_route *route)
{
    return route->run == weir_command_run || route->run == weir_batch_run;
}

const char *weir_route_verb(const struct weir_route *route)
{
    if (route == NULL || weir_route_is_for_any_key(route))
        return NULL;
    if (route->run == weir_checkout_run)
        return "checkout";
    if (route->run == weir_dlq_redrive_run)
        return "redrive";
    return weir_route_is_command(route) ? weir_operation_name(route->operation) : "read";
}

const char *weir_route_allow(const struct weir_target *target)
{
    static _Thread_local char allow[64];
    size_t len = 0;
    allow[0] = '\0';
    for (size_t i = 0; i < weir_route_count && len < sizeof(allow); i++) {
        if (is_for(&weir_routes[i], target))
            len += (size_t)snprintf(
                allow + len, sizeof(allow) - len, "%s%s", len > 0 ? ", " : "", weir_routes[i].method);
    }
    return allow;
}
