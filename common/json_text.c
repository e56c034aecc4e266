/* Members and splices of common/json.h. */
#include "common/json.h"
#include "common/json_span.h"

#include <string.h>

static bool name_is(struct weir_bytes quoted, struct weir_bytes name)
{
    struct weir_bytes decoded;
    WEIR_CLEANUP(free) char *owned = NULL;

    if (quoted.len < name.len + 2) /* an escape is never shorter than what it stands for */
        return false;
    return weir_json_decode_string(quoted, &decoded, &owned) && weir_bytes_equal(decoded, name);
}

struct weir_bytes weir_json_member(struct weir_bytes object, const char *name)
{
    struct weir_bytes wanted = weir_bytes_str(name);
    struct weir_json_cursor cursor = weir_json_cursor_begin(object);
    struct weir_json_member member;

    while (weir_json_cursor_next(&cursor, &member))
        if (name_is(member.name, wanted))
            return member.value;
    return WEIR_BYTES_NULL;
}

int weir_json_member_string(
    struct weir_bytes object, const char *name, char **ret_text, struct weir_error *err)
{
    struct weir_bytes value = weir_json_member(object, name), text;
    WEIR_CLEANUP(free) char *owned = NULL;

    if (value.data == NULL)
        return weir_error_set(err, WEIR_E_NOT_FOUND, "member \"%s\" is missing", name);
    if (value.len < 2 || value.data[0] != '"')
        return weir_error_set(err, WEIR_E_INVALID, "member \"%s\" is not a string", name);
    if (!weir_json_decode_string(value, &text, &owned))
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    *ret_text = owned != NULL ? weir_steal(owned) : weir_bytes_dup(text);
    return *ret_text != NULL ? 0 : weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
}

void weir_json_splice_first(
    struct weir_bytes object, const char *name, struct weir_bytes value, struct weir_buffer *out)
{
    struct weir_json_cursor cursor = weir_json_cursor_begin(object);
    const char *first = weir_json_skip_space(cursor.at, cursor.end);

    weir_buffer_append_bytes(out, weir_json_span(object.data, cursor.at));
    weir_buffer_append_json_string(out, weir_bytes_str(name));
    weir_buffer_append_str(out, ":");
    weir_buffer_append_bytes(out, value);
    if (first < cursor.end && *first != '}')
        weir_buffer_append_str(out, ",");
    weir_buffer_append_bytes(out, weir_json_span(cursor.at, cursor.end));
}

json_t *weir_json_path(json_t *root, const char *path)
{
    while (root != NULL) {
        const char *dot = strchrnul(path, '.');
        root = json_object_getn(root, path, (size_t)(dot - path));
        if (*dot == '\0')
            return root;
        path = dot + 1;
    }
    return NULL;
}
