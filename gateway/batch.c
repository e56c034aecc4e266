#include "gateway/batch.h"

#include "common/json.h"
#include "common/json_span.h"
#include "gateway/command.h"
#include "gateway/reply.h"
#include "gateway/request.h"
#include "gateway/worker.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MULTI_STATUS = 207 };

struct weir_batch {
    atomic_size_t left; /* documents without an end, and one for who begins them */
    size_t count;
    struct weir_request *items[WEIR_BATCH_MAX];
};

void weir_batch_free(struct weir_batch *batch)
{
    if (batch == NULL)
        return;
    for (size_t i = 0; i < batch->count; i++)
        weir_request_unref(batch->items[i]);
    free(batch);
}

void weir_batch_end_one(struct weir_request *request)
{
    if (atomic_fetch_sub(&request->batch->left, 1) == 1)
        weir_worker_resume(request);
}

/* ---- from an array to requests ---- */

/* Conditions are about one document: they do not hold for many. */
static struct weir_request *make_item(struct weir_request *request, size_t number, struct weir_bytes document)
{
    static const struct weir_target collection = {.item = false};
    struct weir_request *item = weir_request_new(request->gateway, NULL, NULL);
    if (item == NULL)
        return NULL;
    item->parent = request;
    item->number = number;
    item->started_us = request->started_us;
    item->method = request->method;
    memcpy(item->principal, request->principal, sizeof(item->principal));
    item->route = weir_route_find(&collection, MHD_HTTP_METHOD_POST);
    item->collection = request->collection;
    item->operation = request->operation;
    item->media_type = request->media_type;
    item->head = request->head;
    item->head.if_match = item->head.if_none_match = WEIR_BYTES_NULL;
    item->wait_ms = request->wait_ms;
    snprintf(item->place, sizeof(item->place), "/%zu", number - 1);
    weir_buffer_append_bytes(&item->body, document);
    return item;
}

static enum weir_step no_memory(struct weir_request *request)
{
    return weir_request_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory; nothing was written");
}

/* WEIR_STEP_SUSPENDED: go on. */
static enum weir_step make_items(struct weir_request *request, size_t count)
{
    struct weir_bytes body = weir_buffer_bytes(&request->body);
    const char *end = body.data + body.len;
    const char *at = weir_json_skip_space(body.data, end) + 1; /* behind the bracket */
    struct weir_batch *batch = calloc(1, sizeof(*batch));
    request->batch = batch;
    while (batch != NULL && batch->count < count) {
        at = weir_json_skip_space(at, end);
        const char *behind = weir_json_skip_value(at, end);
        struct weir_request *item = make_item(request, batch->count + 1, weir_json_span(at, behind));
        if (item == NULL)
            return no_memory(request);
        batch->items[batch->count++] = item;
        if (item->body.failed)
            return no_memory(request);
        at = weir_json_skip_space(behind, end) + 1; /* behind the comma */
    }
    return batch == NULL ? no_memory(request) : WEIR_STEP_SUSPENDED;
}

static enum weir_step read_items(struct weir_request *request)
{
    WEIR_CLEANUP(json) json_t *array = NULL;
    struct weir_error err;
    if (weir_json_parse(weir_buffer_bytes(&request->body), &array, &err) < 0)
        return weir_request_refuse_json(request, err.text);
    if (!json_is_array(array) || json_array_size(array) == 0)
        return weir_request_refuse_body(request, MHD_HTTP_BAD_REQUEST, weir_bytes("", 0),
            "a batch is an array of documents, at least one");
    if (json_array_size(array) > WEIR_BATCH_MAX)
        return weir_request_refuse(request, MHD_HTTP_CONTENT_TOO_LARGE,
            "a batch has at most %d documents; this one has %zu", WEIR_BATCH_MAX, json_array_size(array));
    return make_items(request, json_array_size(array));
}

enum weir_step weir_batch_run(struct weir_request *request)
{
    if (read_items(request) == WEIR_STEP_ANSWER)
        return WEIR_STEP_ANSWER;
    struct weir_batch *batch = request->batch;
    atomic_init(&batch->left, batch->count + 1);
    request->outcome.kind = WEIR_OUTCOME_BATCH;
    request->part_ended = weir_batch_end_one;
    request->stage = WEIR_STAGE_WAITING;
    weir_worker_suspend(request);
    for (size_t i = 0; i < batch->count; i++) {
        if (weir_command_run(batch->items[i]) == WEIR_STEP_ANSWER)
            weir_batch_end_one(request);
    }
    weir_batch_end_one(request);
    return WEIR_STEP_SUSPENDED;
}

/* ---- the answer ---- */

static unsigned status_of(const struct weir_batch *batch)
{
    unsigned status = batch->items[0]->outcome.status;
    for (size_t i = 1; i < batch->count; i++) {
        if (batch->items[i]->outcome.status != status)
            return MULTI_STATUS;
    }
    return status;
}

void weir_batch_write(struct weir_request *request, struct weir_buffer *out)
{
    const struct weir_batch *batch = request->batch;
    request->outcome.status = status_of(batch);
    weir_buffer_append_str(out, "\"results\":[");
    for (size_t i = 0; i < batch->count; i++) {
        weir_buffer_printf(
            out, "%s{\"status\":%u,\"body\":", i > 0 ? "," : "", batch->items[i]->outcome.status);
        weir_reply_write_body(batch->items[i], out);
        weir_buffer_append_str(out, "}");
    }
    weir_buffer_append_str(out, "]");
}
