#include "gateway/request.h"

#include "common/clock.h"
#include "common/json.h"
#include "gateway/accept.h"
#include "gateway/access.h"
#include "gateway/batch.h"
#include "gateway/caller.h"
#include "gateway/checkout.h"
#include "gateway/command.h"
#include "gateway/connection.h"
#include "gateway/cors.h"
#include "gateway/feed.h"
#include "gateway/form.h"
#include "gateway/list.h"
#include "gateway/opaque.h"
#include "gateway/openapi.h"
#include "gateway/portal.h"
#include "gateway/prefer.h"
#include "gateway/read.h"
#include "gateway/read_request.h"
#include "gateway/reply.h"
#include "gateway/subscription.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct weir_request *weir_request_new(
    struct weir_gateway *gateway, struct MHD_Connection *connection, const char *target)
{
    struct weir_request *request = calloc(1, sizeof(*request));
    if (request == NULL)
        return NULL;
    request->target = strdup(target != NULL ? target : "");
    if (request->target == NULL) {
        free(request);
        return NULL;
    }
    atomic_init(&request->references, 1);
    request->gateway = gateway;
    request->connection = connection;
    request->method = "-";
    memcpy(request->principal, WEIR_REQUEST_ANONYMOUS, sizeof(WEIR_REQUEST_ANONYMOUS));
    request->raw_target = target;
    request->started_us = weir_clock_us();
    request->started_wall_ms = weir_clock_wall_ms();
    weir_id_v7(request->id);
    return request;
}

struct weir_request *weir_request_ref(struct weir_request *request)
{
    atomic_fetch_add_explicit(&request->references, 1, memory_order_relaxed);
    return request;
}

void weir_request_unref(struct weir_request *request)
{
    if (request == NULL || atomic_fetch_sub_explicit(&request->references, 1, memory_order_acq_rel) > 1)
        return;
    weir_head_lists_done(&request->lists);
    weir_buffer_done(&request->body);
    weir_buffer_done(&request->outcome.document);
    if (request->outcome.problem != NULL)
        weir_schema_violations_done(&request->outcome.problem->violations);
    free(request->outcome.problem);
    weir_buffer_done(&request->known);
    weir_list_free(request->list);
    weir_batch_free(request->batch);
    weir_checkout_free(request->checkout);
    weir_feed_forget(request);
    free(request->target);
    free(request);
}

static enum weir_step refuse(
    struct weir_request *request, unsigned status, const char *format, va_list arguments)
{
    struct weir_outcome *outcome = &request->outcome;
    outcome->kind = WEIR_OUTCOME_PROBLEM;
    outcome->status = status;
    if (outcome->problem == NULL)
        outcome->problem = calloc(1, sizeof(*outcome->problem));
    if (outcome->problem != NULL)
        vsnprintf(outcome->problem->detail, sizeof(outcome->problem->detail), format, arguments);
    return WEIR_STEP_ANSWER;
}

void weir_request_accept(struct weir_request *request)
{
    bool is_ok = request->collection->config->success_status == WEIR_SUCCESS_OK;
    request->outcome.kind = WEIR_OUTCOME_ACCEPTED;
    request->outcome.status = is_ok ? MHD_HTTP_OK : MHD_HTTP_ACCEPTED;
}

enum weir_step weir_request_refuse(struct weir_request *request, unsigned status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    enum weir_step step = refuse(request, status, format, arguments);
    va_end(arguments);
    return step;
}

static void set_pointer(struct weir_problem *problem, struct weir_bytes pointer)
{
    if (problem == NULL)
        return;
    problem->has_pointer = true;
    snprintf(problem->pointer, sizeof(problem->pointer), "%.*s", (int)pointer.len, pointer.data);
}

enum weir_step weir_request_refuse_body(
    struct weir_request *request, unsigned status, struct weir_bytes pointer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    enum weir_step step = refuse(request, status, format, arguments);
    va_end(arguments);
    set_pointer(request->outcome.problem, pointer);
    return step;
}

enum weir_step weir_request_refuse_json(struct weir_request *request, const char *text)
{
    struct weir_bytes place = weir_bytes("", 0), sentence;
    (void)weir_json_error_place(text, &place, &sentence);
    return weir_request_refuse_body(request, MHD_HTTP_BAD_REQUEST, place, "%s", text);
}

enum weir_step weir_request_refuse_document(
    struct weir_request *request, struct weir_schema_violations *violations)
{
    weir_request_refuse(request, MHD_HTTP_UNPROCESSABLE_CONTENT,
        "the document breaks the schema of %s at %s%zu place%s", request->collection->config->name,
        violations->more ? "more than " : "", violations->count, violations->count == 1 ? "" : "s");
    if (request->outcome.problem != NULL) {
        request->outcome.problem->violations = *violations;
        *violations = (struct weir_schema_violations){0};
    }
    return WEIR_STEP_ANSWER;
}

/* A name as a reference token of RFC 6901. */
static void write_pointer(const char *member, char *out, size_t size)
{
    size_t len = 0;
    out[len++] = '/';
    for (; *member != '\0' && len + 3 < size; member++) {
        bool escaped = *member == '~' || *member == '/';
        if (escaped)
            out[len++] = '~';
        out[len++] = !escaped ? *member : *member == '~' ? '0' : '1';
    }
    out[len] = '\0';
}

enum weir_step weir_request_refuse_member(
    struct weir_request *request, unsigned status, const char *member, const char *format, ...)
{
    char pointer[WEIR_REQUEST_POINTER_BYTES];
    va_list arguments;
    va_start(arguments, format);
    enum weir_step step = refuse(request, status, format, arguments);
    va_end(arguments);
    write_pointer(member, pointer, sizeof(pointer));
    set_pointer(request->outcome.problem, weir_bytes_str(pointer));
    return step;
}

static const struct weir_gateway_collection *find_collection(
    const struct weir_gateway *gateway, const char *name)
{
    for (size_t i = 0; i < gateway->collection_count; i++) {
        if (strcmp(gateway->collections[i].config->name, name) == 0)
            return &gateway->collections[i];
    }
    return NULL;
}

static enum weir_step refuse_close(struct weir_request *request, unsigned status, const char *detail)
{
    request->outcome.close = true;
    return weir_request_refuse(request, status, "%s", detail);
}

static enum weir_step refuse_length(struct weir_request *request)
{
    request->outcome.close = true;
    return weir_request_refuse(request, MHD_HTTP_CONTENT_TOO_LARGE,
        "a body may have at most %" PRId64 " bytes (body.max)", request->gateway->settings.body_max_bytes);
}

/* What makes a connection unusable: it is answered at once and closed. True when nothing of the kind was
 * found. */
static bool pass_gate(struct weir_request *request, const char *version)
{
    struct weir_error err;
    const struct weir_request_line line = {
        .method = request->method,
        .target = request->raw_target,
        .target_len = strlen(request->target),
        .version = version,
    };
    if (weir_target_check(request->target, &err) < 0 ||
        weir_head_read(request->connection, &line, &request->lists, &request->head, &err) < 0) {
        refuse_close(request, MHD_HTTP_BAD_REQUEST, err.text);
        return false;
    }
    if (request->head.body_bytes > request->gateway->settings.body_max_bytes) {
        refuse_length(request);
        return false;
    }
    return true;
}

/* What else than the route's own type is taken: the dispatch takes JSON whatever it is called, as `curl -d`
 * calls it a form. Nothing from a page of another site, which may send any body under the names of a form or
 * of plain text, and needs no leave for it. */
static bool is_taken_too(const struct weir_request *request)
{
    if (request->head.origin.data != NULL)
        return false;
    return weir_target_is_dispatch(&request->path) || weir_form_is_one(request) ||
           weir_opaque_is_taken(request);
}

static enum weir_step check_body_head(struct weir_request *request)
{
    const char *wanted = request->route->media_type;
    const struct weir_head *head = &request->head;
    if (request->route->page)
        return WEIR_STEP_SUSPENDED; /* a form's body, whatever its type, which is not read */
    if (wanted == NULL)
        return head->body_bytes == 0
                   ? WEIR_STEP_SUSPENDED
                   : weir_request_refuse(request, MHD_HTTP_BAD_REQUEST, "a %s has no body", request->method);
    if (!weir_head_is_media_type(head->content_type, wanted) && !is_taken_too(request))
        return weir_request_refuse(request, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
            "the body of a %s is %s; the Content-Type says %.*s", request->method, wanted,
            head->content_type.len > 0 ? (int)head->content_type.len : 7,
            head->content_type.len > 0 ? head->content_type.data : "nothing");
    if (head->content_encoding.data != NULL && strcasecmp(head->content_encoding.data, "identity") != 0)
        return weir_request_refuse(request, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
            "bodies are taken as they are, without a Content-Encoding");
    return WEIR_STEP_SUSPENDED;
}

/* Links in mails, whose token is the credential, and the portal: its files tell nothing, and it asks by
 * itself who wants to know what there is. */
static bool is_open(const struct weir_route *route)
{
    return route != NULL && (route->run == weir_subscription_show || route->run == weir_subscription_act ||
                                route->run == weir_portal_run || route->run == weir_portal_session);
}

bool weir_request_may(const struct weir_request *request, const char *collection, const char *verb)
{
    char name[WEIR_KEYS_NAME_BYTES];
    if (request->gateway->keys == NULL)
        return true;
    const struct weir_proof proof = {
        request->head.authorization, weir_tls_peer_names(weir_connection_tls(request->peer))};
    return weir_keys_ask(request->gateway->keys, &proof, weir_bytes_str(collection), verb, name) ==
           WEIR_ACCESS_GRANTED;
}

enum weir_step weir_request_check_access(
    struct weir_request *request, const char *collection, const char *verb)
{
    if (request->gateway->keys == NULL)
        return WEIR_STEP_SUSPENDED;
    const struct weir_proof proof = {
        request->head.authorization, weir_tls_peer_names(weir_connection_tls(request->peer))};
    switch (weir_keys_ask(request->gateway->keys, &proof,
        weir_bytes_str(collection != NULL ? collection : ""), verb, request->principal)) {
    case WEIR_ACCESS_GRANTED:
        return WEIR_STEP_SUSPENDED;
    case WEIR_ACCESS_DENIED:
        return collection == NULL
                   ? WEIR_STEP_SUSPENDED
                   : weir_request_refuse(request, MHD_HTTP_FORBIDDEN, "the key is not for this");
    default:
        return weir_request_refuse(
            request, MHD_HTTP_UNAUTHORIZED, "an access key is needed: Authorization: Bearer KEY");
    }
}

/* Refuses before anything is told of what there is and what not. WEIR_STEP_SUSPENDED here and below means:
 * goes on. */
static enum weir_step check_access(struct weir_request *request)
{
    const struct weir_gateway_collection *collection = request->collection;
    if (is_open(request->route))
        return WEIR_STEP_SUSPENDED;
    /* What is there at all is told to whoever is known; what a key may do by the dispatch is asked once its
     * body is read. */
    if (request->route != NULL && weir_route_is_for_any_key(request->route))
        return weir_request_check_access(request, NULL, NULL);
    if (request->path.scope != NULL)
        return weir_request_check_access(request, request->path.scope, weir_route_verb(request->route));
    return weir_request_check_access(
        request, collection != NULL ? collection->config->name : "", weir_route_verb(request->route));
}

static enum weir_step answer_preflight(struct weir_request *request)
{
    request->outcome.kind = WEIR_OUTCOME_PREFLIGHT;
    request->outcome.status = MHD_HTTP_NO_CONTENT;
    return WEIR_STEP_ANSWER;
}

/* Of reads only: a command is not refused for the way its end is told. */
static enum weir_step check_accept(struct weir_request *request)
{
    static const char json[] = "application/json";
    const struct weir_route *route = request->route;
    bool reads =
        route->run == weir_read_run || route->run == weir_list_run || route->run == weir_read_request_run;
    if (!reads || weir_accept_takes(request->head.accept, json))
        return WEIR_STEP_SUSPENDED;
    return weir_request_refuse(
        request, MHD_HTTP_NOT_ACCEPTABLE, "documents are told as %s only; Accept names other types", json);
}

enum weir_step weir_request_find_route(struct weir_request *request)
{
    struct weir_error err;
    if (weir_cors_is_preflight(request))
        return answer_preflight(request);
    int rc = weir_target_read(request->gateway, request->target, &request->path, &err);
    if (rc == 0) {
        request->collection = weir_target_is_request(&request->path)
                                  ? weir_read_request_collection(request)
                                  : find_collection(request->gateway, request->path.collection);
        request->route = weir_route_find(&request->path, request->method);
    }
    if (check_access(request) == WEIR_STEP_ANSWER || weir_caller_check(request) == WEIR_STEP_ANSWER)
        return WEIR_STEP_ANSWER;
    if (rc < 0)
        return weir_request_refuse(
            request, rc == WEIR_E_NOT_FOUND ? MHD_HTTP_NOT_FOUND : MHD_HTTP_BAD_REQUEST, "%s", err.text);
    if (request->collection == NULL && !request->path.apart)
        return weir_request_refuse(
            request, MHD_HTTP_NOT_FOUND, "there is no collection %s", request->path.collection);
    if (request->route == NULL)
        return weir_request_refuse(request, MHD_HTTP_METHOD_NOT_ALLOWED,
            "%s is not for this path; it takes %s", request->method, weir_route_allow(&request->path));
    if (request->route->run == weir_checkout_run &&
        !weir_checkout_is_served(request->gateway, request->collection->config->name))
        return weir_request_refuse(request, MHD_HTTP_NOT_FOUND, "there is nothing at this path");
    request->operation = request->route->operation;
    request->media_type = request->route->media_type;
    if (request->route->item)
        request->key = weir_bytes(request->path.key, request->path.key_len);
    request->wait_ms = weir_prefer_wait_ms(request->head.prefer,
        weir_route_is_command(request->route) ? request->collection->config->default_wait_ms : 0);
    request->takes_standby = weir_prefer_standby(request->head.prefer);
    return check_accept(request) == WEIR_STEP_ANSWER ? WEIR_STEP_ANSWER : check_body_head(request);
}

static enum MHD_Result answer(struct weir_request *request)
{
    request->stage = WEIR_STAGE_ANSWERED;
    return weir_reply_queue(request);
}

/* A refusal is told after the body was read and thrown away, so that the connection stays usable; not so when
 * the client waits for 100-continue: it is told before it sends the body. */
static enum MHD_Result head_came(struct weir_request *request, const char *method, const char *version)
{
    request->method = method;
    request->stage = WEIR_STAGE_BODY;
    if (!pass_gate(request, version))
        return answer(request);
    weir_connection_expect_body(request->peer, request->head.body_bytes != 0);
    request->refused = weir_request_find_route(request) == WEIR_STEP_ANSWER;
    if (request->refused && request->head.expect.data != NULL) {
        request->outcome.close = true;
        return answer(request);
    }
    if (!request->refused && request->head.body_bytes > 0)
        weir_buffer_reserve(&request->body, (size_t)request->head.body_bytes);
    return MHD_YES;
}

static enum MHD_Result body_came(struct weir_request *request, const char *data, size_t *data_len)
{
    size_t limit = (size_t)request->gateway->settings.body_max_bytes;
    size_t len = *data_len;
    *data_len = 0;
    if (request->refused)
        return MHD_YES;
    if (len > limit - request->body.len) {
        /* libmicrohttpd takes no answer in the middle of a body: it is told at the end, or the body's
         * deadline comes. */
        weir_buffer_done(&request->body);
        request->refused = true;
        refuse_length(request);
        return MHD_YES;
    }
    weir_buffer_append(&request->body, data, len);
    return MHD_YES;
}

static enum MHD_Result request_came(struct weir_request *request)
{
    weir_connection_expect_nothing(request->peer);
    if (request->refused)
        return answer(request);
    if (atomic_load_explicit(&request->gateway->refusing, memory_order_relaxed))
        weir_request_refuse(
            request, MHD_HTTP_SERVICE_UNAVAILABLE, "this gateway is shutting down; nothing was written");
    else if (request->body.failed)
        weir_request_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory; nothing was written");
    else if (request->route->run(request) == WEIR_STEP_SUSPENDED)
        return MHD_YES;
    return answer(request);
}

enum MHD_Result weir_request_step(
    struct weir_request *request, const char *method, const char *version, const char *data, size_t *data_len)
{
    if (request->stage == WEIR_STAGE_HEAD)
        return head_came(request, method, version);
    if (request->stage == WEIR_STAGE_BODY)
        return *data_len > 0 ? body_came(request, data, data_len) : request_came(request);
    return request->stage == WEIR_STAGE_WAITING ? answer(request) : MHD_YES;
}
