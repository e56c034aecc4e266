#include "gateway/reply.h"

#include "common/http.h"
#include "gateway/batch.h"
#include "gateway/cors.h"
#include "gateway/feed.h"
#include "gateway/list.h"
#include "gateway/portal.h"
#include "gateway/prefer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What the body of most 202 answers fits into. */
enum { ACCEPTED_BYTES = 250 };

/* What a header needs beyond the body; text is borrowed until it was added. */
static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
    /* MHD_NO: memory is out or the value is not text; an answer without the header is still true. */
    (void)MHD_add_response_header(response, name, value);
}

static struct MHD_Response *response_copy(struct weir_request *request, struct weir_bytes body)
{
    request->answer_bytes = body.len;
    /* libmicrohttpd only reads from a body that it has to copy. */
    return MHD_create_response_from_buffer(body.len, (void *)(uintptr_t)body.data, MHD_RESPMEM_MUST_COPY);
}

/* The body's memory becomes the answer's. */
static struct MHD_Response *response_take(struct weir_request *request, struct weir_buffer *body)
{
    if (body->failed || body->data == NULL)
        return body->failed ? NULL : response_copy(request, weir_bytes("", 0));
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body->len, body->data, MHD_RESPMEM_MUST_FREE);
    if (response == NULL)
        return NULL;
    request->answer_bytes = body->len;
    *body = (struct weir_buffer){0};
    return response;
}

/* A pointer into the document, as one into what the client sent. */
static void write_error(
    const struct weir_request *request, const char *detail, const char *pointer, struct weir_buffer *out)
{
    weir_buffer_append_str(out, "{\"detail\":");
    weir_buffer_append_json_string(out, weir_bytes_str(detail));
    weir_buffer_append_str(out, ",\"pointer\":");
    char place[sizeof(request->place) + WEIR_REQUEST_POINTER_BYTES];
    snprintf(place, sizeof(place), "%s%s", request->place, pointer);
    weir_buffer_append_json_string(out, weir_bytes_str(place));
    weir_buffer_append_str(out, "}");
}

static void write_errors(
    const struct weir_request *request, const struct weir_problem *problem, struct weir_buffer *out)
{
    const struct weir_schema_violations *violations = &problem->violations;

    if (!problem->has_pointer && violations->count == 0)
        return;
    weir_buffer_append_str(out, ",\"errors\":[");
    if (problem->has_pointer)
        write_error(request, problem->detail, problem->pointer, out);
    for (size_t i = 0; i < violations->count; i++) {
        weir_buffer_append_str(out, i > 0 ? "," : "");
        write_error(request, violations->list[i].detail, violations->list[i].pointer, out);
    }
    weir_buffer_append_str(out, "]");
}

static void write_problem(const struct weir_request *request, struct weir_buffer *out)
{
    static const struct weir_problem none = {.detail = ""};
    const struct weir_outcome *outcome = &request->outcome;
    const struct weir_problem *problem = outcome->problem != NULL ? outcome->problem : &none;
    weir_buffer_printf(out, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%u,\"detail\":",
        weir_http_reason(outcome->status), outcome->status);
    weir_buffer_append_json_string(out, weir_bytes_str(problem->detail));
    weir_buffer_printf(out, ",\"instance\":\"urn:uuid:%s\"", request->id);
    write_errors(request, problem, out);
    weir_buffer_printf(out, ",\"request_id\":\"%s\"}", request->id);
}

static void add_retry_after(const struct weir_request *request, struct MHD_Response *response)
{
    char seconds[24];
    int64_t retry_s = request->rate.retry_s > 0 ? request->rate.retry_s : 1;
    snprintf(seconds, sizeof(seconds), "%" PRId64, retry_s);
    add_header(response, "Retry-After", seconds);
}

static void add_rate(const struct weir_request *request, struct MHD_Response *response)
{
    char state[80];
    snprintf(state, sizeof(state), "\"requests\";r=%" PRId64 ";t=%" PRId64, request->rate.remaining,
        request->rate.reset_s);
    add_header(response, "RateLimit-Policy", weir_rate_policy(request->gateway->rate));
    add_header(response, "RateLimit", state);
}

static void add_problem_headers(const struct weir_request *request, struct MHD_Response *response)
{
    unsigned status = request->outcome.status;
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        add_header(response, "Allow", weir_route_allow(&request->path));
    if (status == MHD_HTTP_UNAUTHORIZED)
        add_header(response, "WWW-Authenticate", "Bearer realm=\"weir\"");
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE || status == MHD_HTTP_TOO_MANY_REQUESTS)
        add_retry_after(request, response);
    if (status == MHD_HTTP_UNSUPPORTED_MEDIA_TYPE && request->route != NULL)
        add_header(response, strcmp(request->route->method, "PATCH") == 0 ? "Accept-Patch" : "Accept",
            request->route->media_type);
}

static struct MHD_Response *problem_response(struct weir_request *request)
{
    WEIR_CLEANUP(buffer) struct weir_buffer body = {0};
    weir_reply_write_body(request, &body);
    weir_buffer_append_str(&body, "\n");
    if (body.failed)
        return NULL;
    struct MHD_Response *response = response_copy(request, weir_buffer_bytes(&body));
    if (response == NULL)
        return NULL;
    add_header(response, "Content-Type", "application/problem+json");
    add_problem_headers(request, response);
    return response;
}

/* "" when Kafka did not tell. */
static void write_position(const struct weir_request *request, char out[static WEIR_POSITION_BYTES])
{
    const struct weir_request_position *position = &request->position;
    out[0] = '\0';
    if (position->offset >= 0)
        weir_position_write(
            request->collection->config->command_topic, position->partition, position->offset, out);
}

/* {"request_id":…,"status":…,"key":…,"position":…} and what `more` holds. */
static void write_command(
    const struct weir_request *request, const char *status, const char *more, struct weir_buffer *out)
{
    char position[WEIR_POSITION_BYTES];
    write_position(request, position);
    weir_buffer_reserve(out, ACCEPTED_BYTES);
    weir_buffer_append_str(out, "{\"request_id\":\"");
    weir_buffer_append_str(out, request->id);
    weir_buffer_append_str(out, "\",\"status\":\"");
    weir_buffer_append_str(out, status);
    weir_buffer_append_str(out, "\",\"key\":");
    weir_buffer_append_json_string(out, request->key);
    weir_buffer_append_str(out, ",\"position\":");
    if (position[0] != '\0')
        weir_buffer_append_json_string(out, weir_bytes_str(position));
    else
        weir_buffer_append_str(out, "null");
    weir_buffer_append_str(out, more);
    weir_buffer_append_str(out, "}");
}

static void write_ended(const struct weir_request *request, struct weir_buffer *out)
{
    const char *version = request->outcome.version;
    char more[64] = "";
    if (version[0] != '\0')
        snprintf(more, sizeof(more), ",\"version\":%s", version);
    write_command(request, version[0] != '\0' ? "stored" : "unchanged", more, out);
}

void weir_reply_write_body(const struct weir_request *request, struct weir_buffer *out)
{
    if (request->outcome.kind == WEIR_OUTCOME_ACCEPTED)
        write_command(request, "accepted", "", out);
    else if (request->outcome.kind == WEIR_OUTCOME_ENDED)
        write_ended(request, out);
    else
        write_problem(request, out);
}

static void add_position(const struct weir_request *request, struct MHD_Response *response)
{
    char position[WEIR_POSITION_BYTES];
    write_position(request, position);
    if (position[0] != '\0')
        add_header(response, "Weir-Position", position);
}

/* Where its outcome is told, while a store keeps the collection: also where Kafka told the partition alone.
 */
static void add_location(const struct weir_request *request, struct MHD_Response *response)
{
    char position[WEIR_POSITION_BYTES];
    WEIR_CLEANUP(buffer) struct weir_buffer location = {0};
    const struct weir_collection *collection = request->collection->config;
    if (collection->store_service == NULL)
        return;
    write_position(request, position);
    if (position[0] == '\0')
        snprintf(position, sizeof(position), "%s/%" PRId32, collection->command_topic,
            request->position.partition);
    weir_buffer_append_str(&location, request->gateway->settings.base_path);
    weir_buffer_append_str(&location, "/v1/requests/");
    weir_buffer_append_str(&location, request->id);
    weir_buffer_append_str(&location, "?at=");
    weir_buffer_append_str(&location, position);
    if (!location.failed)
        add_header(response, "Location", location.data);
}

/* The preferences that were heeded (RFC 7240 §3). */
static void add_applied(
    const struct weir_request *request, bool waited, bool minimal, struct MHD_Response *response)
{
    char wait[32] = "", applied[64];
    if (waited && weir_prefer_wait_ms(request->head.prefer, 0) > 0)
        snprintf(wait, sizeof(wait), "wait=%" PRId64, request->wait_ms / 1000);
    snprintf(applied, sizeof(applied), "%s%s%s", wait, minimal && wait[0] != '\0' ? ", " : "",
        minimal ? "return=minimal" : "");
    if (applied[0] != '\0')
        add_header(response, "Preference-Applied", applied);
}

/* A command that was accepted or ended; with return=minimal its headers tell all. */
static struct MHD_Response *command_response(struct weir_request *request)
{
    const struct weir_outcome *outcome = &request->outcome;
    WEIR_CLEANUP(buffer) struct weir_buffer body = {0};
    bool minimal = weir_prefer_minimal(request->head.prefer);
    if (!minimal && outcome->status != MHD_HTTP_NO_CONTENT) {
        weir_reply_write_body(request, &body);
        weir_buffer_append_str(&body, "\n");
    }
    bool has_body = body.len > 0;
    struct MHD_Response *response = response_take(request, &body);
    if (response == NULL)
        return NULL;
    if (has_body)
        add_header(response, "Content-Type", "application/json");
    if (outcome->etag[0] != '\0')
        add_header(response, "ETag", outcome->etag);
    add_applied(request, outcome->kind == WEIR_OUTCOME_ENDED, minimal, response);
    add_position(request, response);
    if (outcome->kind == WEIR_OUTCOME_ACCEPTED)
        add_location(request, response);
    return response;
}

static struct MHD_Response *document_response(struct weir_request *request)
{
    struct weir_outcome *outcome = &request->outcome;
    /* A 304 has its length, too (RFC 9110 §8.6); libmicrohttpd leaves the body itself out. */
    struct MHD_Response *response = response_copy(request, weir_buffer_bytes(&outcome->document));
    if (response == NULL)
        return NULL;
    if (outcome->status == MHD_HTTP_OK)
        add_header(response, "Content-Type", "application/json");
    if (outcome->etag[0] != '\0')
        add_header(response, "ETag", outcome->etag);
    if (outcome->last_modified[0] != '\0')
        add_header(response, "Last-Modified", outcome->last_modified);
    if (outcome->version[0] != '\0')
        add_header(response, "Weir-Version", outcome->version);
    if (outcome->standby[0] != '\0') {
        add_header(response, "Weir-Standby", outcome->standby);
        add_header(response, "Preference-Applied", "standby");
        add_position(request, response);
    }
    add_applied(request, outcome->waited, false, response);
    if (weir_list_link(request->list).data != NULL)
        add_header(response, "Link", weir_list_link(request->list).data);
    return response;
}

/* Its address holds a token: nobody else may keep or learn it. */
static struct MHD_Response *page_response(struct weir_request *request)
{
    struct MHD_Response *response = response_copy(request, weir_buffer_bytes(&request->outcome.document));
    if (response == NULL)
        return NULL;
    add_header(response, "Content-Type", "text/html; charset=utf-8");
    add_header(response, "Cache-Control", "no-store");
    add_header(response, "Referrer-Policy", "no-referrer");
    add_header(response, "X-Content-Type-Options", "nosniff");
    add_header(response, "Content-Security-Policy",
        "default-src 'none'; form-action 'self'; frame-ancestors 'none'");
    return response;
}

static struct MHD_Response *empty_response(struct weir_request *request)
{
    return response_copy(request, weir_bytes("", 0));
}

static struct MHD_Response *methods_response(struct weir_request *request)
{
    struct MHD_Response *response = empty_response(request);
    if (response == NULL)
        return NULL;
    add_header(response, "Allow", weir_route_allow(&request->path));
    const struct weir_route *patch = weir_route_find(&request->path, "PATCH");
    if (patch != NULL)
        add_header(response, "Accept-Patch", patch->media_type);
    return response;
}

/* One whose documents were all refused alike is a problem itself. */
static struct MHD_Response *batch_response(struct weir_request *request)
{
    WEIR_CLEANUP(buffer) struct weir_buffer results = {0}, body = {0};
    weir_batch_write(request, &results);
    bool is_problem = request->outcome.status >= MHD_HTTP_BAD_REQUEST;
    if (is_problem) {
        weir_request_refuse(request, request->outcome.status, "no document was taken; results tell why");
        write_problem(request, &body);
        body.len -= !body.failed; /* the brace: its members go on */
        weir_buffer_append_str(&body, ",");
    } else {
        weir_buffer_append_str(&body, "{");
    }
    weir_buffer_append_bytes(&body, weir_buffer_bytes(&results));
    weir_buffer_append_str(&body, "}\n");
    bool failed = results.failed || body.failed;
    struct MHD_Response *response = failed ? NULL : response_copy(request, weir_buffer_bytes(&body));
    if (response == NULL)
        return NULL;
    add_header(response, "Content-Type", is_problem ? "application/problem+json" : "application/json");
    if (is_problem)
        add_problem_headers(request, response);
    return response;
}

static struct MHD_Response *(*const responses[])(struct weir_request *) = {
    [WEIR_OUTCOME_PROBLEM] = problem_response,
    [WEIR_OUTCOME_ACCEPTED] = command_response,
    [WEIR_OUTCOME_ENDED] = command_response,
    [WEIR_OUTCOME_DOCUMENT] = document_response,
    [WEIR_OUTCOME_PAGE] = page_response,
    [WEIR_OUTCOME_METHODS] = methods_response,
    [WEIR_OUTCOME_STREAM] = weir_feed_response,
    [WEIR_OUTCOME_PORTAL] = weir_portal_response,
    [WEIR_OUTCOME_PREFLIGHT] = empty_response,
    [WEIR_OUTCOME_BATCH] = batch_response,
};

/* A command's end as another interface tells it. NULL: as usual. */
static struct MHD_Response *shaped_response(struct weir_request *request)
{
    WEIR_CLEANUP(buffer) struct weir_buffer body = {0};
    enum weir_outcome_kind kind = request->outcome.kind;
    if (request->shape == NULL || (kind != WEIR_OUTCOME_ACCEPTED && kind != WEIR_OUTCOME_ENDED))
        return NULL;
    const char *media_type = request->shape(request, &body);
    if (media_type == NULL || body.failed)
        return NULL;
    struct MHD_Response *response = response_copy(request, weir_buffer_bytes(&body));
    if (response == NULL)
        return NULL;
    add_header(response, "Content-Type", media_type);
    if (request->outcome.etag[0] != '\0')
        add_header(response, "ETag", request->outcome.etag);
    add_position(request, response);
    return response;
}

enum MHD_Result weir_reply_queue(struct weir_request *request)
{
    struct weir_outcome *outcome = &request->outcome;
    struct MHD_Response *response = shaped_response(request);
    if (response == NULL)
        response = responses[outcome->kind](request);
    if (response == NULL)
        return MHD_NO; /* memory is out: the connection is closed without an answer, which claims nothing */
    add_header(response, "X-Request-Id", request->id);
    if (request->rate.counted)
        add_rate(request, response);
    weir_cors_add_headers(request, response);
    if (outcome->close || atomic_load_explicit(&request->gateway->draining, memory_order_relaxed))
        add_header(response, "Connection", "close");
    enum MHD_Result queued = MHD_queue_response(request->connection, outcome->status, response);
    MHD_destroy_response(response);
    return queued;
}
