#include "gateway/command.h"

#include "common/clock.h"
#include "common/envelope.h"
#include "common/json.h"
#include "common/json_arena.h"
#include "common/json_plain.h"
#include "common/schema.h"
#include "common/service.h"
#include "common/topic.h"
#include "gateway/adjustment.h"
#include "gateway/form.h"
#include "gateway/identity.h"
#include "gateway/opaque.h"
#include "gateway/pending.h"
#include "gateway/read_request.h"
#include "gateway/request.h"
#include "gateway/subscription.h"
#include "gateway/worker.h"

#include <inttypes.h>
#include <string.h>

enum { ARENA_BYTES = 16384 }; /* enough for a document of 2 KiB or so */

#define LATE "Kafka did not acknowledge the command in time; whether it was written is not known"

/* ---- the body ---- */

/* The member of a body that holds its key; text is NULL for none, and for one that is no string. */
struct body_key {
    bool present;
    struct weir_bytes text;
};

/* WEIR_STEP_SUSPENDED, here and below: go on. */
enum weir_step weir_command_take_key(struct weir_request *request, struct weir_bytes text)
{
    const char *field = request->collection->config->key_field;
    if (text.data == NULL)
        return weir_request_refuse_member(
            request, MHD_HTTP_BAD_REQUEST, field, "the key %s is no string", field);
    struct weir_error err;
    if (weir_key_check(text, &err) < 0)
        return weir_request_refuse_member(request, MHD_HTTP_BAD_REQUEST, field, "%s", err.text);
    if (weir_bytes_is(text, ".") || weir_bytes_is(text, ".."))
        return weir_request_refuse_member(request, MHD_HTTP_BAD_REQUEST, field,
            "no URL can name the key %s: it would be a dot segment", field);
    memcpy(request->path.key, text.data, text.len);
    request->key = weir_bytes(request->path.key, text.len);
    return WEIR_STEP_SUSPENDED;
}

static enum weir_step compare_body_key(struct weir_request *request, struct body_key key)
{
    const char *field = request->collection->config->key_field;
    if (!key.present || weir_bytes_equal(request->key, key.text))
        return WEIR_STEP_SUSPENDED;
    return weir_request_refuse_member(
        request, MHD_HTTP_UNPROCESSABLE_CONTENT, field, "%s in the body is not the key in the path", field);
}

static enum weir_step check_key(struct weir_request *request, struct body_key key)
{
    if (request->key.data != NULL)
        return compare_body_key(request, key);
    return key.present ? weir_command_take_key(request, key.text) : WEIR_STEP_SUSPENDED;
}

/* A merge is checked by the store, which knows what comes of it. */
static const struct weir_schema *schema_of(const struct weir_request *request)
{
    bool whole = request->operation == WEIR_OPERATION_CREATE || request->operation == WEIR_OPERATION_REPLACE;
    return whole ? request->collection->schema : NULL;
}

/* The document as it will be stored, which is with its key. */
static enum weir_step check_schema(struct weir_request *request, json_t *object, struct body_key key)
{
    WEIR_CLEANUP(schema_violations) struct weir_schema_violations violations = {0};
    const struct weir_schema *schema = schema_of(request);
    struct weir_bytes id = request->key.data != NULL ? request->key : weir_bytes_str(request->id);

    if (schema == NULL)
        return WEIR_STEP_SUSPENDED;
    if (!key.present && json_object_set_new_nocheck(object, request->collection->config->key_field,
                            json_stringn_nocheck(id.data, id.len)) < 0)
        return weir_request_refuse(
            request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory; nothing was written");
    if (weir_schema_validate(schema, object, &violations))
        return WEIR_STEP_SUSPENDED;
    return weir_request_refuse_document(request, &violations);
}

static enum weir_step check_value(struct weir_request *request)
{
    WEIR_CLEANUP(json) json_t *object = NULL;
    struct weir_error err;
    if (weir_json_parse_object(weir_buffer_bytes(&request->body), &object, &err) < 0)
        return weir_request_refuse_json(request, err.text);
    const json_t *member = json_object_get(object, request->collection->config->key_field);
    const struct body_key key = {member != NULL,
        json_is_string(member) ? weir_bytes(json_string_value(member), json_string_length(member))
                               : WEIR_BYTES_NULL};
    if (check_key(request, key) == WEIR_STEP_ANSWER ||
        (request->route->operation == WEIR_OPERATION_ADJUST &&
            weir_adjustment_check(request, object) == WEIR_STEP_ANSWER))
        return WEIR_STEP_ANSWER;
    return check_schema(request, object, key);
}

static enum weir_step check_parsed_body(struct weir_request *request)
{
    char memory[ARENA_BYTES];
    weir_json_arena_open(memory, sizeof(memory));
    enum weir_step step = check_value(request);
    weir_json_arena_close();
    return step;
}

/* Most bodies without a schema to follow need not be built as values. */
static enum weir_step check_body(struct weir_request *request)
{
    struct weir_bytes member;
    if (request->media_type == NULL)
        return WEIR_STEP_SUSPENDED;
    if (weir_opaque_is_text(request))
        return weir_opaque_prepare(request);
    if (schema_of(request) != NULL || request->route->operation == WEIR_OPERATION_ADJUST ||
        !weir_json_is_plain_object(
            weir_buffer_bytes(&request->body), request->collection->config->key_field, &member))
        return check_parsed_body(request);
    bool is_string = member.data != NULL && member.data[0] == '"';
    const struct body_key key = {
        member.data != NULL, is_string ? weir_bytes(member.data + 1, member.len - 2) : WEIR_BYTES_NULL};
    return check_key(request, key);
}

/* A create without a key takes the request id. */
static enum weir_step identify(struct weir_request *request)
{
    struct weir_error err;
    if (weir_identity_apply(request, request->key, &err) < 0)
        return weir_request_refuse(request, MHD_HTTP_BAD_REQUEST, "%s", err.text);
    if (request->key.data == NULL)
        request->key = weir_bytes_str(request->id);
    return WEIR_STEP_SUSPENDED;
}

/* ---- the record ---- */

static bool is_text(struct weir_bytes value)
{
    for (size_t i = 0; i < value.len; i++) {
        if ((unsigned char)value.data[i] < 0x20 || (unsigned char)value.data[i] >= 0x7f)
            return false;
    }
    return value.len <= WEIR_HEADER_VALUE_BYTES;
}

static bool lacks_condition(const struct weir_request *request)
{
    enum weir_operation operation = request->operation;
    bool overwrites = operation == WEIR_OPERATION_REPLACE || operation == WEIR_OPERATION_MERGE ||
                      operation == WEIR_OPERATION_DELETE;
    return request->collection->config->conditions == WEIR_CONDITIONS_REQUIRED && overwrites &&
           !request->route->page && request->head.if_match.data == NULL &&
           request->head.if_none_match.data == NULL;
}

static enum weir_step check_conditions(struct weir_request *request)
{
    if (lacks_condition(request))
        return weir_request_refuse(request, MHD_HTTP_PRECONDITION_REQUIRED,
            "documents of %s are changed with If-Match, or If-None-Match: *, only",
            request->collection->config->name);
    if (is_text(request->head.if_match) && is_text(request->head.if_none_match))
        return WEIR_STEP_SUSPENDED;
    return weir_request_refuse(request, MHD_HTTP_BAD_REQUEST,
        "If-Match and If-None-Match are visible ASCII of at most %d bytes here", WEIR_HEADER_VALUE_BYTES);
}

struct headers {
    struct weir_header all[WEIR_PRODUCE_HEADERS_MAX];
    size_t count;
};

static void add(struct headers *headers, const char *name, struct weir_bytes value)
{
    if (value.data != NULL)
        headers->all[headers->count++] = (struct weir_header){name, value};
}

static void send_record(
    struct weir_request *request, struct weir_produce_record *record, struct weir_error *err, int *ret_rc)
{
    char time[WEIR_CLOCK_RFC3339_BYTES], traceparent[WEIR_TRACEPARENT_BYTES];
    char fingerprint[WEIR_FINGERPRINT_BYTES];
    struct headers headers = {0};
    weir_traceparent(request->head.traceparent, traceparent);
    add(&headers, WEIR_HEADER_SPECVERSION, weir_bytes_str("1.0"));
    add(&headers, WEIR_HEADER_ID, weir_bytes_str(request->id));
    add(&headers, WEIR_HEADER_TYPE, weir_bytes_str(request->collection->types[request->operation]));
    add(&headers, WEIR_HEADER_SOURCE, weir_bytes_str("weir-gateway"));
    add(&headers, WEIR_HEADER_TIME, weir_bytes_str(weir_clock_rfc3339(request->started_wall_ms, time)));
    add(&headers, WEIR_HEADER_CONTENT_TYPE, weir_bytes_str(request->media_type));
    add(&headers, WEIR_HEADER_TRACEPARENT, weir_bytes_str(traceparent));
    add(&headers, WEIR_HEADER_PRINCIPAL, weir_bytes_str(request->principal));
    if (request->head.idempotency_key.data != NULL)
        add(&headers, WEIR_HEADER_FINGERPRINT, weir_identity_fingerprint(record->value, fingerprint));
    add(&headers, WEIR_HEADER_IF_MATCH, request->head.if_match);
    add(&headers, WEIR_HEADER_IF_NONE_MATCH, request->head.if_none_match);
    record->headers = headers.all;
    record->header_count = headers.count;
    weir_crash_point("before-send");
    *ret_rc = weir_produce_send(request->gateway->produce, record, err);
    weir_crash_point("after-send");
}

static const unsigned refusal_status[] = {
    [-WEIR_E_TOO_LARGE] = MHD_HTTP_CONTENT_TOO_LARGE,
    [-WEIR_E_UNAVAILABLE] = MHD_HTTP_SERVICE_UNAVAILABLE,
    [-WEIR_E_BUSY] = MHD_HTTP_SERVICE_UNAVAILABLE,
};

static unsigned status_of_refusal(int rc)
{
    size_t slot = (size_t)-rc;
    bool known = slot < sizeof(refusal_status) / sizeof(refusal_status[0]) && refusal_status[slot] != 0;
    return known ? refusal_status[slot] : MHD_HTTP_SERVICE_UNAVAILABLE;
}

/* The record was not taken: no report will come, so this is where the reference and the request end. */
static void end_unsent(struct weir_request *request, int rc, const struct weir_error *err)
{
    if (weir_pending_take(request->gateway->pending, request)) {
        weir_request_refuse(request, status_of_refusal(rc), "%s; nothing was written", err->text);
        weir_pending_resume(request);
    }
    weir_request_unref(request);
}

static void end_written(struct weir_request *request, int32_t partition, int64_t offset)
{
    if (!request->route->page)
        weir_request_accept(request);
    request->position = (struct weir_request_position){partition, offset};
}

static struct weir_produce_record record_of(struct weir_request *request)
{
    int32_t partitions = (int32_t)request->collection->config->partitions;
    return (struct weir_produce_record){
        .collection = request->collection,
        .partition = weir_topic_partition(request->key, partitions),
        .key = request->key,
        .value = request->media_type == NULL ? WEIR_BYTES_NULL : weir_buffer_bytes(&request->body),
        .opaque = request, /* with a reference, which the report or end_unsent() gives back */
    };
}

static void put_on_topic(struct weir_request *request)
{
    struct weir_produce_record record = record_of(request);
    struct weir_error err;
    int rc;
    send_record(request, &record, &err, &rc);
    if (rc < 0)
        end_unsent(request, rc, &err);
}

enum weir_step weir_command_check(struct weir_request *request)
{
    if (weir_form_unwrap(request) == WEIR_STEP_ANSWER ||
        weir_subscription_prepare(request) == WEIR_STEP_ANSWER ||
        check_conditions(request) == WEIR_STEP_ANSWER || check_body(request) == WEIR_STEP_ANSWER)
        return WEIR_STEP_ANSWER;
    return identify(request);
}

enum weir_step weir_command_run(struct weir_request *request)
{
    if (weir_command_check(request) == WEIR_STEP_ANSWER)
        return WEIR_STEP_ANSWER;
#ifdef WEIR_MUTANT_ACK_FIRST
    /* On purpose wrong, for the tests that have to notice it: the answer does not wait for the broker. */
    struct weir_produce_record record = record_of(weir_request_ref(request));
    struct weir_error err;
    int rc;
    send_record(request, &record, &err, &rc);
    end_written(request, record.partition, -1);
    if (rc < 0)
        weir_request_unref(request);
    return WEIR_STEP_ANSWER;
#endif
    weir_pending_add(request->gateway->pending, request, LATE);
    weir_worker_defer(weir_request_ref(request), put_on_topic);
    return WEIR_STEP_SUSPENDED;
}

/* ---- the report ---- */

static void end_reported(struct weir_request *request, const struct weir_delivery *delivery)
{
    if (delivery->end == WEIR_DELIVERY_WRITTEN)
        end_written(request, delivery->partition, delivery->offset);
    else if (delivery->end == WEIR_DELIVERY_NOT_WRITTEN)
        weir_request_refuse(
            request, MHD_HTTP_SERVICE_UNAVAILABLE, "%s; nothing was written", delivery->reason);
    else
        weir_request_refuse(request, MHD_HTTP_GATEWAY_TIMEOUT,
            "%s; whether the command was written is not known", delivery->reason);
}

/* Whether the client waits on, for what the store makes of its command. */
static bool awaits(struct weir_request *request, const struct weir_delivery *delivery)
{
    const struct weir_request_position position = {delivery->partition, delivery->offset};
    return delivery->end == WEIR_DELIVERY_WRITTEN && weir_read_request_await(request, position);
}

void weir_command_reported(void *opaque, const struct weir_delivery *delivery)
{
    struct weir_request *request = opaque;
    if (!awaits(request, delivery) && weir_pending_take(request->gateway->pending, request)) {
        weir_crash_point("before-answer");
        end_reported(request, delivery);
        weir_pending_resume(request);
    }
    weir_request_unref(request);
}
