#include "gateway/opaque.h"

#include "common/json.h"

#include <string.h>

bool weir_opaque_is_taken(const struct weir_request *request)
{
    bool whole = request->operation == WEIR_OPERATION_CREATE || request->operation == WEIR_OPERATION_REPLACE;
    return whole && request->collection != NULL && request->collection->config->body == WEIR_BODY_OPAQUE;
}

bool weir_opaque_is_text(const struct weir_request *request)
{
    WEIR_CLEANUP(json) json_t *object = NULL;
    return weir_opaque_is_taken(request) &&
           !weir_head_is_media_type(request->head.content_type, "application/json") &&
           weir_json_parse_object(weir_buffer_bytes(&request->body), &object, NULL) < 0;
}

enum weir_step weir_opaque_prepare(struct weir_request *request)
{
    struct weir_bytes text = weir_buffer_bytes(&request->body);
    if (text.len == 0)
        return weir_request_refuse(request, MHD_HTTP_BAD_REQUEST, "the body is empty");
    if (!weir_utf8_valid(text) || memchr(text.data, '\0', text.len) != NULL)
        return weir_request_refuse(
            request, MHD_HTTP_BAD_REQUEST, "the body is no text: it has to be UTF-8 without NUL bytes");
    request->media_type = "text/plain; charset=utf-8";
    return WEIR_STEP_SUSPENDED;
}
