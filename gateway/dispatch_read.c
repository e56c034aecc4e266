/* read and list: what the store answers, in the form that a table service gives it. */
#include "common/json.h"
#include "common/topic.h"
#include "gateway/dispatch_parts.h"
#include "gateway/list.h"
#include "gateway/list_query.h"
#include "gateway/pending.h"
#include "gateway/read_job.h"

#include <inttypes.h>
#include <math.h>

/* ---- read ---- */

static void end_item(struct weir_read_job *job, bool is_there)
{
    struct weir_request *request = job->request;
    struct weir_buffer *out = &request->outcome.document;
    if (!weir_pending_take(request->gateway->pending, request))
        return;
    weir_buffer_append_str(out, "{");
    if (is_there) {
        weir_buffer_append_str(out, "\"Item\":");
        weir_buffer_append_bytes(out, weir_buffer_bytes(&job->body));
        weir_buffer_append_str(out, ",");
    }
    weir_dispatch_write_end(request, out);
    request->outcome.kind = WEIR_OUTCOME_DOCUMENT;
    request->outcome.status = MHD_HTTP_OK;
    if (out->failed)
        weir_request_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
    weir_pending_resume(request);
}

static bool judge_item(struct weir_read_job *job, long status)
{
    bool is_there = status == MHD_HTTP_OK;
    if (!is_there && !weir_read_is_missing(job, status))
        return false;
    end_item(job, is_there);
    return true;
}

static const struct weir_read_kind item = {
    weir_read_write_document_url, judge_item, weir_read_give_up, weir_read_late};

enum weir_step weir_dispatch_read(const struct weir_dispatch *dispatch)
{
    struct weir_request *request = dispatch->request;
    int32_t partition = weir_topic_partition(request->key, (int32_t)request->collection->config->partitions);
    request->wait_ms = 0;
    request->position.offset = -1;
    if (!weir_read_begin(request, &item, partition, request->gateway->settings.read_wait_ms, WEIR_READ_LATE))
        return weir_request_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
    return WEIR_STEP_SUSPENDED;
}

/* ---- list ---- */

static int hex_digit(char digit)
{
    return digit <= '9' ? digit - '0' : digit - 'a' + 10;
}

/* A place in the order of keys is the key itself. */
static void write_last_key(
    const struct weir_request *request, struct weir_bytes place, struct weir_buffer *out)
{
    char key[WEIR_KEY_BYTES];
    size_t len = place.len / 2 < sizeof(key) ? place.len / 2 : sizeof(key);
    for (size_t i = 0; i < len; i++)
        key[i] = (char)(hex_digit(place.data[2 * i]) * 16 + hex_digit(place.data[2 * i + 1]));
    weir_buffer_printf(out, "\"LastEvaluatedKey\":{\"%s\":", request->collection->config->key_field);
    weir_buffer_append_json_string(out, weir_bytes(key, len));
    weir_buffer_append_str(out, "},");
}

static void end_items(
    struct weir_request *request, long count, struct weir_bytes last, struct weir_buffer *out)
{
    weir_buffer_printf(out, "],\"Count\":%ld,\"ScannedCount\":%ld,", count, count);
    if (last.data != NULL)
        write_last_key(request, last, out);
    weir_dispatch_write_end(request, out);
}

static const struct weir_list_form items = {"{\"Items\":[", end_items};

/* More than a page holds is told by its LastEvaluatedKey. */
static enum weir_step take_limit(const struct weir_dispatch *dispatch, long *ret_limit)
{
    const json_t *limit = json_object_get(dispatch->payload, "Limit");
    *ret_limit = WEIR_LIST_LIMIT_MAX;
    if (limit == NULL)
        return WEIR_STEP_SUSPENDED;
    double number = json_number_value(limit); /* 5.0 is an integer, too */
    if (number < 1 || number != floor(number))
        return weir_dispatch_refuse(dispatch, NULL, "Limit", "payload.Limit is a whole number from 1");
    if (number < WEIR_LIST_LIMIT_MAX)
        *ret_limit = (long)number;
    return WEIR_STEP_SUSPENDED;
}

enum weir_step weir_dispatch_list(const struct weir_dispatch *dispatch)
{
    WEIR_CLEANUP(list_query) struct weir_list_query query = {.limit = 0};
    struct weir_request *request = dispatch->request;
    if (take_limit(dispatch, &query.limit) == WEIR_STEP_ANSWER)
        return WEIR_STEP_ANSWER;
    weir_buffer_printf(&query.store, "limit=%ld", query.limit);
    if (json_object_get(dispatch->payload, "ExclusiveStartKey") != NULL) {
        if (weir_dispatch_take_key(dispatch, "ExclusiveStartKey", true) == WEIR_STEP_ANSWER)
            return WEIR_STEP_ANSWER;
        weir_buffer_append_str(&query.store, "&after=");
        for (size_t i = 0; i < request->key.len; i++)
            weir_buffer_printf(&query.store, "%02x", (unsigned char)request->key.data[i]);
    }
    if (query.store.failed)
        return weir_request_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
    return weir_list_begin(request, &query, &items);
}
