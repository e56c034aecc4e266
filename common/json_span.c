#include "common/json_span.h"

#include "common/cleanup.h"

#include <string.h>

const char *weir_json_skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r'))
        at++;
    return at;
}

/* Whether an odd number of backslashes stands before it. */
static bool is_escaped(const char *quote)
{
    const char *before = quote;

    while (before[-1] == '\\')
        before--;
    return (quote - before) % 2 != 0;
}

/* at: the opening quote. Answers the byte behind the closing one. */
static const char *skip_string(const char *at, const char *end)
{
    while ((at = memchr(at + 1, '"', (size_t)(end - at - 1))) != NULL)
        if (!is_escaped(at))
            return at + 1;
    return end;
}

static const char *skip_container(const char *at, const char *end)
{
    size_t depth = 0;

    while (at < end) {
        char byte = *at;
        if (byte == '"') {
            at = skip_string(at, end);
            continue;
        }
        at++;
        if (byte == '{' || byte == '[')
            depth++;
        else if ((byte == '}' || byte == ']') && --depth == 0)
            break;
    }
    return at;
}

static const char *skip_scalar(const char *at, const char *end)
{
    while (at < end && strchr(",}] \n\t\r", *at) == NULL)
        at++;
    return at;
}

const char *weir_json_skip_value(const char *at, const char *end)
{
    if (at >= end)
        return end;
    if (*at == '"')
        return skip_string(at, end);
    if (*at == '{' || *at == '[')
        return skip_container(at, end);
    return skip_scalar(at, end);
}

bool weir_json_decode_string(struct weir_bytes quoted, struct weir_bytes *ret_text, char **ret_owned)
{
    struct weir_bytes inner = weir_bytes(quoted.data + 1, quoted.len - 2);

    *ret_owned = NULL;
    *ret_text = inner;
    if (memchr(inner.data, '\\', inner.len) == NULL)
        return true;
    WEIR_CLEANUP(json) json_t *decoded = json_loadb(quoted.data, quoted.len, JSON_DECODE_ANY, NULL);
    if (decoded == NULL)
        return false;
    *ret_text = weir_bytes(json_string_value(decoded), json_string_length(decoded));
    *ret_owned = weir_bytes_dup(*ret_text);
    ret_text->data = *ret_owned;
    return *ret_owned != NULL;
}

struct weir_json_cursor weir_json_cursor_begin(struct weir_bytes object)
{
    const char *end = object.data + object.len;
    const char *at = weir_json_skip_space(object.data, end);
    return (struct weir_json_cursor){at < end && *at == '{' ? at + 1 : end, end};
}

bool weir_json_cursor_next(struct weir_json_cursor *cursor, struct weir_json_member *ret_member)
{
    const char *at = weir_json_skip_space(cursor->at, cursor->end);
    if (at < cursor->end && *at == ',')
        at = weir_json_skip_space(at + 1, cursor->end);
    if (at >= cursor->end || *at != '"')
        return false;
    const char *behind = skip_string(at, cursor->end);
    ret_member->name = weir_json_span(at, behind);
    at = weir_json_skip_space(behind, cursor->end);
    if (at < cursor->end && *at == ':')
        at = weir_json_skip_space(at + 1, cursor->end);
    behind = weir_json_skip_value(at, cursor->end);
    ret_member->value = weir_json_span(at, behind);
    cursor->at = behind;
    return ret_member->name.len >= 2;
}
