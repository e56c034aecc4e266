#include "gateway/adjustment.h"

#include "gateway/request.h"

#include <string.h>

static void append_name(struct weir_buffer *pointer, const char *name)
{
    weir_buffer_append_str(pointer, "/");
    for (; *name != '\0'; name++) {
        if (*name == '~' || *name == '/')
            weir_buffer_append_str(pointer, *name == '~' ? "~0" : "~1");
        else
            weir_buffer_append(pointer, name, 1);
    }
}

/* Whether all of it can be added; else pointer is led to the first member that can't. The depth is that of
 * common/json. */
static bool is_addable(json_t *object, struct weir_buffer *pointer)
{
    const char *name;
    json_t *value;
    size_t len = pointer->len;
    json_object_foreach(object, name, value)
    {
        if (json_is_number(value))
            continue;
        append_name(pointer, name);
        if (!json_is_object(value) || !is_addable(value, pointer))
            return false;
        pointer->len = len;
    }
    return true;
}

enum weir_step weir_adjustment_check(struct weir_request *request, json_t *body)
{
    WEIR_CLEANUP(buffer) struct weir_buffer pointer = {0};
    if (is_addable(body, &pointer))
        return WEIR_STEP_SUSPENDED;
    return weir_request_refuse_body(request, MHD_HTTP_UNPROCESSABLE_CONTENT, weir_buffer_bytes(&pointer),
        "only numbers can be added, and objects of them");
}
