#include "gateway/list.h"

#include "common/json.h"
#include "common/json_span.h"
#include "gateway/list_query.h"
#include "gateway/pending.h"
#include "gateway/read_job.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* One partition's rows, and the one that is next to be merged. */
struct part {
    struct weir_buffer body;
    const char *at, *end;         /* in the array of rows */
    struct weir_bytes row, place; /* data NULL: no further one here */
    bool more;                    /* there are further ones in the store */
};

/* Belongs to the thread of the reads until the request is ended. */
struct weir_list {
    const struct weir_list_form *form;
    struct weir_list_query query;
    struct part *parts;
    int32_t part_count, missing;
    struct weir_buffer link;
};

struct weir_bytes weir_list_link(const struct weir_list *list)
{
    return list != NULL && list->link.len > 0 ? weir_buffer_bytes(&list->link) : WEIR_BYTES_NULL;
}

void weir_list_free(struct weir_list *list)
{
    if (list == NULL)
        return;
    for (int32_t p = 0; p < list->part_count; p++)
        weir_buffer_done(&list->parts[p].body);
    free(list->parts);
    weir_buffer_done(&list->link);
    weir_list_query_done(&list->query);
    free(list);
}

/* ---- merging ---- */

static void next_row(struct part *part)
{
    part->row = part->place = WEIR_BYTES_NULL;
    const char *at = weir_json_skip_space(part->at, part->end);
    if (at < part->end && *at == ',')
        at = weir_json_skip_space(at + 1, part->end);
    if (at >= part->end || *at != '{')
        return;
    part->at = weir_json_skip_value(at, part->end);
    part->row = weir_json_span(at, part->at);
    struct weir_bytes place = weir_json_member(part->row, "place");
    if (place.len > 2 && place.data[0] == '"')
        part->place = place;
}

static bool read_part(struct part *part)
{
    struct weir_bytes rows = weir_json_member(weir_buffer_bytes(&part->body), "rows");
    if (rows.len < 2 || rows.data[0] != '[')
        return false;
    part->at = rows.data + 1;
    part->end = rows.data + rows.len - 1;
    struct weir_bytes more = weir_json_member(weir_buffer_bytes(&part->body), "more");
    part->more = weir_bytes_is(more, "true");
    next_row(part);
    return more.data != NULL;
}

/* Places are hexadecimal in quotes, so that they sort as their bytes do. */
static int compare(struct weir_bytes a, struct weir_bytes b)
{
    size_t len = (a.len < b.len ? a.len : b.len) - 1;
    int order = memcmp(a.data, b.data, len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* The part whose row comes next. NULL at the end, or when a part has to be asked again first. */
static struct part *find_next(const struct weir_list *list)
{
    struct part *next = NULL;
    for (int32_t p = 0; p < list->part_count; p++) {
        struct part *part = &list->parts[p];
        if (part->place.data == NULL && part->more)
            return NULL;
        if (part->place.data == NULL)
            continue;
        int order = next != NULL ? compare(part->place, next->place) : -1;
        if (next == NULL || (list->query.descending ? order > 0 : order < 0))
            next = part;
    }
    return next;
}

static bool has_more(const struct weir_list *list)
{
    for (int32_t p = 0; p < list->part_count; p++) {
        if (list->parts[p].place.data != NULL || list->parts[p].more)
            return true;
    }
    return false;
}

static void merge(struct weir_request *request, struct weir_buffer *out)
{
    struct weir_list *list = request->list;
    struct weir_bytes last = WEIR_BYTES_NULL;
    struct part *part;
    long count = 0;
    weir_buffer_append_str(out, list->form->begin);
    for (; count < list->query.limit && (part = find_next(list)) != NULL; count++) {
        weir_buffer_append_str(out, count > 0 ? "," : "");
        weir_buffer_append_bytes(out, weir_json_member(part->row, "document"));
        last = weir_bytes(part->place.data + 1, part->place.len - 2);
        next_row(part);
    }
    list->form->end(request, count, has_more(list) ? last : WEIR_BYTES_NULL, out);
}

static void end_page(
    struct weir_request *request, long count, struct weir_bytes last, struct weir_buffer *out)
{
    struct weir_list *list = request->list;
    (void)count;
    weir_buffer_append_str(out, "]}\n");
    if (last.data == NULL)
        return;
    weir_buffer_append_str(&list->link, "<");
    weir_buffer_append_bytes(&list->link, weir_buffer_bytes(&list->query.link));
    weir_buffer_printf(&list->link, "cursor=%.*s>; rel=\"next\"", (int)last.len, last.data);
}

static const struct weir_list_form page = {"{\"items\":[", end_page};

/* ---- the stores ---- */

static void write_url(const struct weir_read_job *job, const char *owner, struct weir_buffer *out)
{
    const struct weir_request *request = job->request;
    weir_buffer_printf(out, "%s/lists/%s/%" PRId32 "?%s", owner, request->collection->config->name,
        job->partition, request->list->query.store.data);
}

static void end_merged(struct weir_read_job *job)
{
    struct weir_request *request = job->request;
    if (!weir_pending_take(request->gateway->pending, request))
        return;
    merge(request, &request->outcome.document);
    request->outcome.kind = WEIR_OUTCOME_DOCUMENT;
    request->outcome.status = MHD_HTTP_OK;
    if (request->outcome.document.failed || request->list->link.failed)
        weir_request_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
    weir_pending_resume(request);
}

static bool judge(struct weir_read_job *job, long status)
{
    struct weir_list *list = job->request->list;
    struct part *part = &list->parts[job->partition];
    if (status == MHD_HTTP_BAD_REQUEST) {
        weir_read_end_problem(job, MHD_HTTP_BAD_REQUEST, "the store can't make sense of the query");
        return true;
    }
    if (status != MHD_HTTP_OK)
        return false;
    part->body = job->body;
    job->body = (struct weir_buffer){0};
    if (!read_part(part)) {
        weir_buffer_done(&part->body);
        return false;
    }
    if (--list->missing == 0)
        end_merged(job);
    return true;
}

static const struct weir_read_kind kind = {write_url, judge, weir_read_give_up, weir_read_late};

static bool make_list(
    struct weir_request *request, struct weir_list_query *query, const struct weir_list_form *form)
{
    const struct weir_collection *config = request->collection->config;
    struct weir_list *list = calloc(1, sizeof(*list));
    if (list == NULL)
        return false;
    request->list = list;
    list->form = form;
    list->query = *query;
    *query = (struct weir_list_query){.limit = 0};
    list->parts = calloc((size_t)config->partitions, sizeof(*list->parts));
    if (list->parts == NULL)
        return false;
    list->part_count = list->missing = (int32_t)config->partitions;
    return true;
}

enum weir_step weir_list_run(struct weir_request *request)
{
    const struct weir_collection *config = request->collection->config;
    WEIR_CLEANUP(list_query) struct weir_list_query query = {.limit = 0};
    struct weir_error err;
    if (config->store_service == NULL)
        return weir_request_refuse(
            request, MHD_HTTP_NOT_FOUND, "no store keeps the collection %s", config->name);
    if (weir_list_query_read(request->gateway->settings.base_path, config, request->target, &query, &err) < 0)
        return weir_request_refuse(request, MHD_HTTP_BAD_REQUEST, "%s", err.text);
    return weir_list_begin(request, &query, &page);
}

enum weir_step weir_list_begin(
    struct weir_request *request, struct weir_list_query *query, const struct weir_list_form *form)
{
    int64_t wait_ms = request->gateway->settings.read_wait_ms;
    if (!make_list(request, query, form))
        return weir_request_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
    weir_pending_add(request->gateway->pending, request, WEIR_READ_LATE);
    int32_t count = request->list->part_count;
    /* From the first one on, the request may end at any moment; the reference keeps it. */
    weir_request_ref(request);
    for (int32_t p = 0; p < count; p++) {
        if (weir_read_begin(request, &kind, p, wait_ms, NULL) ||
            !weir_pending_take(request->gateway->pending, request))
            continue;
        weir_request_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
        weir_pending_resume(request);
    }
    weir_request_unref(request);
    return WEIR_STEP_SUSPENDED;
}
