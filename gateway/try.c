#include "gateway/try.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "common/topic.h"
#include "gateway/command.h"
#include "gateway/reply.h"
#include "gateway/request.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* A request without a connection, as the documents of a batch are. */
static int make_request(
    struct weir_gateway *gateway, const char *line, struct weir_request **ret_request, struct weir_error *err)
{
    static char method[16];
    size_t len = strcspn(line, " ");
    const char *target = line + len + strspn(line + len, " ");

    if (len == 0 || len >= sizeof(method) || weir_target_check(target, err) < 0)
        return weir_error_set(
            err, WEIR_E_USAGE, "--try '%.100s': it is written METHOD PATH, e.g. 'POST /v1/orders'", line);
    snprintf(method, sizeof(method), "%.*s", (int)len, line);
    *ret_request = weir_request_new(gateway, NULL, target);
    if (*ret_request == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    (*ret_request)->method = method;
    return 0;
}

static int read_body(struct weir_request *request, const char *path, struct weir_error *err)
{
    size_t limit = (size_t)request->gateway->settings.body_max_bytes;

    if (path == NULL)
        return 0;
    int code = weir_file_read(strcmp(path, "-") == 0 ? "/dev/stdin" : path, limit, &request->body, NULL, err);
    if (code != WEIR_E_TOO_LARGE)
        return code == WEIR_E_NOT_FOUND ? WEIR_E_CONFIG : code;
    weir_request_refuse(
        request, MHD_HTTP_CONTENT_TOO_LARGE, "a body may have at most %zu bytes (body.max)", limit);
    return 0;
}

/* A sample says nothing of its media type: it is the route's. */
static void complete_head(struct weir_request *request)
{
    struct weir_error err;
    const struct weir_route *route = NULL;

    if (weir_target_read(request->gateway, request->target, &request->path, &err) == 0)
        route = weir_route_find(&request->path, request->method);
    request->head.body_bytes = (int64_t)request->body.len;
    if (route != NULL && route->media_type != NULL)
        request->head.content_type = weir_bytes_str(route->media_type);
}

/* WEIR_STEP_SUSPENDED: it would be written. */
static enum weir_step walk(struct weir_request *request)
{
    complete_head(request);
    if (request->outcome.status != 0 || weir_request_find_route(request) == WEIR_STEP_ANSWER ||
        request->route->run != weir_command_run)
        return WEIR_STEP_ANSWER;
    return weir_command_check(request);
}

static void put_text(struct weir_buffer *out, const char *name, const char *text)
{
    weir_buffer_printf(out, ",\"%s\":", name);
    if (text != NULL)
        weir_buffer_append_json_string(out, weir_bytes_str(text));
    else
        weir_buffer_append_str(out, "null");
}

static void put_scope(struct weir_buffer *out, const struct weir_request *request)
{
    char scope[128];
    const char *of = request->path.scope != NULL ? request->path.scope : request->path.collection;
    const char *verb = weir_route_verb(request->route);

    snprintf(scope, sizeof(scope), "%s:%s", of, verb != NULL ? verb : "");
    put_text(out, "scope", request->route == NULL || verb == NULL || request->route->page ? NULL : scope);
}

/* Where a document of that key lies. */
static void put_place(struct weir_buffer *out, const struct weir_request *request)
{
    const struct weir_collection *collection = request->collection->config;

    weir_buffer_append_str(out, ",\"key\":");
    weir_buffer_append_json_string(out, request->key);
    put_text(out, "topic", collection->command_topic);
    weir_buffer_printf(out, ",\"partition\":%" PRId32 ",\"partitions\":%" PRId64,
        weir_topic_partition(request->key, (int32_t)collection->partitions), collection->partitions);
}

static void put_request(struct weir_buffer *out, const struct weir_request *request, bool written)
{
    bool refused = request->outcome.kind == WEIR_OUTCOME_PROBLEM && request->outcome.status >= 400;
    bool command = request->route != NULL && weir_route_is_command(request->route);

    if (written)
        weir_buffer_append_str(out, "{\"status\":202");
    else if (refused)
        weir_buffer_printf(out, "{\"status\":%u", request->outcome.status);
    else
        weir_buffer_append_str(out, "{\"status\":null");
    put_text(out, "route", request->route != NULL ? request->route->name : NULL);
    put_text(out, "method", request->method);
    put_scope(out, request);
    put_text(out, "collection", request->collection != NULL ? request->collection->config->name : NULL);
    put_text(out, "operation", command ? weir_operation_name(request->operation) : NULL);
    put_text(out, "request", written ? request->id : NULL);
    if (request->collection != NULL && request->key.data != NULL)
        put_place(out, request);
    weir_buffer_append_str(out, ",\"problem\":");
    if (refused)
        weir_reply_write_body(request, out);
    else
        weir_buffer_append_str(out, "null");
    weir_buffer_append_str(out, "}");
}

int weir_try_request(
    struct weir_gateway *gateway, const char *line, const char *body, int *ret_status, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer out = {0};
    struct weir_request *request = NULL;
    struct weir_keys *keys = weir_steal(gateway->keys); /* nobody is asked for one */

    int code = make_request(gateway, line, &request, err);
    if (code == 0)
        code = read_body(request, body, err);
    if (code == 0) {
        bool written = walk(request) == WEIR_STEP_SUSPENDED;
        put_request(&out, request, written);
        *ret_status = request->outcome.status >= 400 ? EX_DATAERR : EX_OK;
    }
    weir_request_unref(request);
    gateway->keys = keys;
    if (code == 0 && out.failed)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    if (code == 0)
        puts(out.data);
    return code;
}
