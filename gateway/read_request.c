#include "gateway/read_request.h"

#include "common/clock.h"
#include "common/envelope.h"
#include "common/json.h"
#include "common/topic.h"
#include "gateway/identity.h"
#include "gateway/pending.h"
#include "gateway/query.h"
#include "gateway/read_job.h"
#include "gateway/subscription.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t weir_read_wait_ms(const struct weir_request *request)
{
    int64_t spent_ms = (weir_clock_us() - request->started_us) / 1000;
    int64_t most_ms = request->gateway->settings.timeout_ms - spent_ms - WEIR_READ_MARGIN_MS;
    int64_t wait_ms = request->wait_ms < most_ms ? request->wait_ms : most_ms;
    return wait_ms > 0 ? wait_ms : 0;
}

static void write_url(const struct weir_read_job *job, const char *owner, struct weir_buffer *out)
{
    const struct weir_request *request = job->request;
    bool asks = weir_target_is_request(&request->path);
    char fingerprint[WEIR_FINGERPRINT_BYTES];
    int64_t left_ms = request->wait_ms > 0 ? job->give_up_ms - weir_clock_ms() : 0;
    weir_buffer_printf(
        out, "%s/requests/%s/%" PRId32 "/", owner, request->collection->config->name, job->partition);
    weir_read_append_escaped(out, asks ? request->key : weir_bytes_str(request->id));
    weir_buffer_printf(out, "?wait=%" PRId64, left_ms > 0 ? left_ms : 0);
    if (request->position.offset >= 0)
        weir_buffer_printf(out, "&offset=%" PRId64, request->position.offset);
    if (!asks && request->head.idempotency_key.data != NULL) {
        struct weir_bytes body =
            request->media_type == NULL ? WEIR_BYTES_NULL : weir_buffer_bytes(&request->body);
        weir_buffer_append_str(out, "&fingerprint=");
        weir_buffer_append_bytes(out, weir_identity_fingerprint(body, fingerprint));
    }
}

/* ---- the question of a client ---- */

/* A store marks its own word; any other 404 says nothing about the request. */
static bool is_unknown(const struct weir_read_job *job, long status)
{
    char outcome[32] = "";
    weir_read_copy_header(job, "Weir-Outcome", outcome, sizeof(outcome));
    return status == MHD_HTTP_NOT_FOUND && strcmp(outcome, "unknown") == 0;
}

static bool judge_told(struct weir_read_job *job, long status)
{
    if (status == MHD_HTTP_OK)
        weir_read_end_body(job);
    else if (is_unknown(job, status))
        weir_read_end_problem(
            job, MHD_HTTP_NOT_FOUND, "no such request is known; requests are for at least a day");
    else
        return false;
    return true;
}

static const struct weir_read_kind told = {write_url, judge_told, weir_read_give_up, weir_read_late};

static const struct weir_gateway_collection *find_topic(const struct weir_gateway *gateway, const char *topic)
{
    for (size_t i = 0; i < gateway->collection_count; i++) {
        const struct weir_collection *config = gateway->collections[i].config;
        if (strcmp(config->command_topic, topic) == 0 && config->store_service != NULL)
            return &gateway->collections[i];
    }
    return NULL;
}

/* The value of ?at=: a position, or topic/partition where Kafka told no more; then the offset is -1. */
struct place {
    char text[WEIR_POSITION_BYTES];
    char topic[WEIR_TOPIC_NAME_BYTES];
    struct weir_request_position position;
};

static int read_at(const struct weir_request *request, struct place *ret_place, struct weir_error *err)
{
    char whole[WEIR_POSITION_BYTES + 2];
    struct weir_request_position *position = &ret_place->position;
    if (!weir_query_value(request->target, "at", ret_place->text, sizeof(ret_place->text)))
        return weir_error_set(err, WEIR_E_INVALID,
            "the query has to say ?at=, as the Location that the request was answered with");
    if (weir_position_read(weir_bytes_str(ret_place->text), ret_place->topic, sizeof(ret_place->topic),
            &position->partition, &position->offset, NULL) == 0)
        return 0;
    snprintf(whole, sizeof(whole), "%s/0", ret_place->text);
    int rc = weir_position_read(weir_bytes_str(whole), ret_place->topic, sizeof(ret_place->topic),
        &position->partition, &position->offset, NULL);
    position->offset = -1;
    return rc == 0 ? 0
                   : weir_error_set(
                         err, WEIR_E_INVALID, "at: it is written topic/partition/offset, or topic/partition");
}

const struct weir_gateway_collection *weir_read_request_collection(const struct weir_request *request)
{
    struct place place;
    return read_at(request, &place, NULL) == 0 ? find_topic(request->gateway, place.topic) : NULL;
}

/* Takes over where the request's command stands. WEIR_STEP_SUSPENDED: go on. */
static enum weir_step take_place(struct weir_request *request)
{
    struct place place;
    struct weir_error err;
    if (read_at(request, &place, &err) < 0)
        return weir_request_refuse(request, MHD_HTTP_BAD_REQUEST, "%s", err.text);
    request->position = place.position;
    request->collection = find_topic(request->gateway, place.topic);
    if (request->collection == NULL || place.position.partition >= request->collection->config->partitions)
        return weir_request_refuse(request, MHD_HTTP_NOT_FOUND, "no store keeps what was at %s", place.text);
    return WEIR_STEP_SUSPENDED;
}

static enum weir_step take_wait(struct weir_request *request)
{
    char text[16], *end = NULL;
    if (!weir_query_has(request->target, "wait"))
        return WEIR_STEP_SUSPENDED;
    if (!weir_query_value(request->target, "wait", text, sizeof(text)))
        text[0] = '\0'; /* too long for any number */
    long seconds = strtol(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || seconds > 3600)
        return weir_request_refuse(
            request, MHD_HTTP_BAD_REQUEST, "wait is a number of seconds, at most 3600");
    request->wait_ms = seconds * 1000;
    return WEIR_STEP_SUSPENDED;
}

enum weir_step weir_read_request_run(struct weir_request *request)
{
    if (take_place(request) == WEIR_STEP_ANSWER || take_wait(request) == WEIR_STEP_ANSWER)
        return WEIR_STEP_ANSWER;
    int64_t wait_ms =
        request->wait_ms > 0 ? weir_read_wait_ms(request) : request->gateway->settings.read_wait_ms;
    if (!weir_read_begin(request, &told, request->position.partition, wait_ms, WEIR_READ_LATE))
        return weir_request_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
    return WEIR_STEP_SUSPENDED;
}

/* ---- the wait for an own command ---- */

/* The store's word, as HTTP says it, where the store tells no detail; what is not here is 500. */
static const struct {
    const char *outcome, *error; /* error NULL: any */
    unsigned status;
    const char *detail;
} endings[] = {
    {"rejected", "already-exists", MHD_HTTP_CONFLICT, "a document of this key exists already"},
    {"rejected", "precondition-failed", MHD_HTTP_PRECONDITION_FAILED,
        "the document is not as the condition asks"},
    {"rejected", "minimum", MHD_HTTP_CONFLICT, "a number would fall below its minimum"},
    {"rejected", "not-found", MHD_HTTP_NOT_FOUND, "there is no such document"},
    {"rejected", "idempotency-key-reused", MHD_HTTP_UNPROCESSABLE_CONTENT,
        "the Idempotency-Key was used before with another body"},
    {"dead-lettered", "invalid", MHD_HTTP_UNPROCESSABLE_CONTENT,
        "the store could not carry the command out: it is a dead letter now, with the reason"},
    {"dead-lettered", "too-large", MHD_HTTP_CONTENT_TOO_LARGE,
        "the document would be too large: the command is a dead letter now"},
    {"dead-lettered", NULL, MHD_HTTP_INTERNAL_SERVER_ERROR,
        "the command could not be carried out: it is a dead letter now, with the reason"},
};

static const char *text_of(const json_t *outcome, const char *name)
{
    const char *text = json_string_value(json_object_get(outcome, name));
    return text != NULL ? text : "";
}

/* What the store says that was wrong; a pointer that is too long to be one is not repeated. */
static void fill_errors(struct weir_problem *problem, json_t *errors)
{
    struct weir_schema_violations *violations = &problem->violations;
    size_t index, count = json_array_size(errors);
    json_t *error;

    if (count > WEIR_SCHEMA_VIOLATIONS_MAX || count == 0)
        return;
    violations->list = calloc(count, sizeof(*violations->list));
    json_array_foreach(errors, index, error)
    {
        const char *pointer = text_of(error, "pointer"), *detail = text_of(error, "detail");
        struct weir_schema_violation *violation = violations->list + violations->count;
        if (violations->list == NULL || strlen(pointer) >= sizeof(violation->pointer) ||
            strlen(detail) >= sizeof(violation->detail))
            continue;
        memcpy(violation->pointer, pointer, strlen(pointer) + 1);
        memcpy(violation->detail, detail, strlen(detail) + 1);
        violations->count++;
    }
}

static void refuse_ended(
    struct weir_request *request, unsigned status, const char *detail, const json_t *outcome)
{
    const char *own = text_of(outcome, "detail");
    weir_request_refuse(request, status, "%s", own[0] != '\0' ? own : detail);
    if (request->outcome.problem != NULL)
        fill_errors(request->outcome.problem, json_object_get(outcome, "errors"));
}

static void fill_problem(struct weir_request *request, const json_t *outcome)
{
    const char *word = text_of(outcome, "outcome"), *error = text_of(outcome, "error");
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        if (strcmp(endings[i].outcome, word) == 0 &&
            (endings[i].error == NULL || strcmp(endings[i].error, error) == 0)) {
            refuse_ended(request, endings[i].status, endings[i].detail, outcome);
            return;
        }
    }
    weir_request_refuse(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "the command ended as %s %s", word, error);
}

static void fill_ended(struct weir_request *request, const json_t *outcome)
{
    const char *op = text_of(outcome, "op");
    json_int_t version = json_integer_value(json_object_get(outcome, "version"));
    bool deletes = request->operation == WEIR_OPERATION_DELETE;
    request->outcome.kind = WEIR_OUTCOME_ENDED;
    request->outcome.status = deletes ? MHD_HTTP_NO_CONTENT : *op == 'c' ? MHD_HTTP_CREATED : MHD_HTTP_OK;
    if (version == 0)
        return;
    snprintf(request->outcome.version, sizeof(request->outcome.version), "%" JSON_INTEGER_FORMAT, version);
    if (*op != 'd')
        snprintf(request->outcome.etag, sizeof(request->outcome.etag), "\"%s\"", request->id);
}

/* A page says so already. */
static void take_on(struct weir_request *request)
{
    if (!request->route->page)
        weir_request_accept(request);
}

static void end_accepted(struct weir_read_job *job)
{
    if (weir_pending_take(job->request->gateway->pending, job->request)) {
        take_on(job->request);
        weir_pending_resume(job->request);
    }
}

static bool judge_awaited(struct weir_read_job *job, long status)
{
    WEIR_CLEANUP(json) json_t *outcome = NULL;
    struct weir_request *request = job->request;
    if (status != MHD_HTTP_OK || weir_json_parse_object(weir_buffer_bytes(&job->body), &outcome, NULL) < 0)
        return false;
    if (!weir_pending_take(request->gateway->pending, request))
        return true;
    const char *word = text_of(outcome, "outcome");
    if (strcmp(word, "pending") == 0 || strcmp(word, "retrying") == 0)
        take_on(request);
    else if (request->route->page)
        weir_subscription_tell(request, word, text_of(outcome, "error"));
    else if (strcmp(word, "stored") == 0 || strcmp(word, "unchanged") == 0)
        fill_ended(request, outcome);
    else
        fill_problem(request, outcome);
    weir_pending_resume(request);
    return true;
}

static const struct weir_read_kind awaited = {write_url, judge_awaited, end_accepted, end_accepted};

bool weir_read_request_await(struct weir_request *request, struct weir_request_position position)
{
    int64_t wait_ms = weir_read_wait_ms(request);
    if (wait_ms <= 0 || request->collection->config->store_service == NULL)
        return false;
    request->position = position;
    return weir_read_begin(request, &awaited, position.partition, wait_ms, NULL);
}
