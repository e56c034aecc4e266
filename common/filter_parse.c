/* From a policy's JSON to the compiled tree. */
#include "common/filter_parts.h"

#include <stdlib.h>
#include <string.h>

size_t weir_filter_enter(struct weir_filter_parser *parser, const char *name)
{
    size_t back = parser->pointer.len;

    weir_buffer_append_str(&parser->pointer, "/");
    for (const char *at = name; *at != '\0' && at - name < WEIR_FILTER_TEXT_MAX; at++) {
        if (*at == '~' || *at == '/')
            weir_buffer_append_str(&parser->pointer, *at == '~' ? "~0" : "~1");
        else
            weir_buffer_append(&parser->pointer, at, 1);
    }
    return back;
}

size_t weir_filter_enter_index(struct weir_filter_parser *parser, size_t index)
{
    size_t back = parser->pointer.len;
    weir_buffer_printf(&parser->pointer, "/%zu", index);
    return back;
}

void weir_filter_leave(struct weir_filter_parser *parser, size_t back)
{
    parser->pointer.len = back;
}

int weir_filter_refuse(const struct weir_filter_parser *parser, const char *why)
{
    return weir_error_set(parser->err, WEIR_E_INVALID, "%s", why);
}

int weir_filter_add(
    struct weir_filter_parser *parser, uint16_t parent, enum weir_filter_kind kind, uint16_t *ret_index)
{
    struct weir_filter *filter = parser->filter;

    if (filter->count == filter->capacity) {
        size_t capacity = 2 * filter->capacity + 8;
        struct weir_filter_node *nodes = reallocarray(filter->nodes, capacity, sizeof(*nodes));
        if (nodes == NULL)
            return weir_error_set(parser->err, WEIR_E_INTERNAL, "out of memory");
        filter->nodes = nodes;
        filter->capacity = capacity;
    }
    *ret_index = (uint16_t)filter->count++;
    filter->nodes[*ret_index] =
        (struct weir_filter_node){.kind = kind, .child = WEIR_FILTER_NO_NODE, .next = WEIR_FILTER_NO_NODE};
    if (parent == WEIR_FILTER_NO_NODE)
        return 0;
    filter->nodes[*ret_index].next = filter->nodes[parent].child;
    filter->nodes[parent].child = *ret_index;
    return 0;
}

int weir_filter_add_text(struct weir_filter_parser *parser, uint16_t parent, enum weir_filter_kind kind,
    struct weir_bytes text, uint16_t *ret_index)
{
    if (text.len > WEIR_FILTER_TEXT_MAX)
        return weir_error_set(
            parser->err, WEIR_E_TOO_LARGE, "more than %d bytes of text", WEIR_FILTER_TEXT_MAX);
    int code = weir_filter_add(parser, parent, kind, ret_index);
    if (code < 0)
        return code;
    struct weir_filter_node *node = &parser->filter->nodes[*ret_index];
    node->text = weir_bytes_dup(text);
    node->text_len = text.len;
    return node->text != NULL ? 0 : weir_error_set(parser->err, WEIR_E_INTERNAL, "out of memory");
}

static int parse_entries(struct weir_filter_parser *parser, uint16_t parent, json_t *entries)
{
    uint16_t any = 0;
    int code = json_array_size(entries) > 0 ? weir_filter_add(parser, parent, WEIR_FILTER_ANY, &any)
                                            : weir_filter_refuse(parser, "holds no value");

    for (size_t i = 0; i < json_array_size(entries) && code == 0; i++) {
        size_t back = weir_filter_enter_index(parser, i);
        code = weir_filter_parse_entry(parser, any, json_array_get(entries, i));
        if (code == 0)
            weir_filter_leave(parser, back);
    }
    return code;
}

static int parse_members(struct weir_filter_parser *parser, uint16_t parent, json_t *object, size_t depth);

static int parse_policy(struct weir_filter_parser *parser, uint16_t parent, json_t *policy, size_t depth)
{
    uint16_t all = 0;

    if (!json_is_object(policy) || json_object_size(policy) == 0)
        return weir_filter_refuse(parser, "has to be an object that is not empty");
    int code = weir_filter_add(parser, parent, WEIR_FILTER_ALL, &all);
    return code < 0 ? code : parse_members(parser, all, policy, depth);
}

static int parse_or(struct weir_filter_parser *parser, uint16_t parent, json_t *policies, size_t depth)
{
    uint16_t any = 0;
    int code = json_array_size(policies) >= 2
                   ? weir_filter_add(parser, parent, WEIR_FILTER_ANY, &any)
                   : weir_filter_refuse(parser, "has to be an array of at least two policies");

    for (size_t i = 0; i < json_array_size(policies) && code == 0; i++) {
        size_t back = weir_filter_enter_index(parser, i);
        code = parse_policy(parser, any, json_array_get(policies, i), depth);
        if (code == 0)
            weir_filter_leave(parser, back);
    }
    return code;
}

static int check_depth(const struct weir_filter_parser *parser, size_t depth)
{
    if (depth <= WEIR_FILTER_DEPTH_MAX)
        return 0;
    return weir_error_set(
        parser->err, WEIR_E_TOO_LARGE, "more than %d levels of names", WEIR_FILTER_DEPTH_MAX);
}

/* The nodes of a dotted path, one below the other. */
static int add_path(struct weir_filter_parser *parser, uint16_t *parent, const char *path, size_t *depth)
{
    for (const char *at = path;; at++) {
        size_t len = strcspn(at, ".");
        if (len == 0)
            return weir_filter_refuse(parser, "a name on the path is empty");
        int code = check_depth(parser, ++*depth);
        if (code == 0)
            code = weir_filter_add_text(parser, *parent, WEIR_FILTER_MEMBER, weir_bytes(at, len), parent);
        if (code < 0 || at[len] == '\0')
            return code;
        at += len;
    }
}

static int parse_member(
    struct weir_filter_parser *parser, uint16_t parent, const char *name, json_t *value, size_t depth)
{
    if (++parser->keys > WEIR_FILTER_KEYS_MAX)
        return weir_error_set(
            parser->err, WEIR_E_TOO_LARGE, "the filter has more than %d names", WEIR_FILTER_KEYS_MAX);
    if (strcmp(name, "$or") == 0) {
        int code = check_depth(parser, ++depth);
        return code < 0 ? code : parse_or(parser, parent, value, depth);
    }
    int code = add_path(parser, &parent, name, &depth);
    if (code < 0)
        return code;
    if (json_is_array(value))
        return parse_entries(parser, parent, value);
    if (json_is_object(value))
        return parse_policy(parser, parent, value, depth);
    return weir_filter_refuse(parser, "has to be an array of values, or an object with names of its own");
}

static int parse_members(struct weir_filter_parser *parser, uint16_t parent, json_t *object, size_t depth)
{
    const char *name;
    json_t *value;

    json_object_foreach(object, name, value)
    {
        size_t back = weir_filter_enter(parser, name);
        int code = parse_member(parser, parent, name, value, depth);
        if (code < 0)
            return code;
        weir_filter_leave(parser, back);
    }
    return 0;
}

static int parse_root(struct weir_filter_parser *parser, json_t *policy)
{
    uint16_t root = 0;

    if (!json_is_object(policy))
        return weir_filter_refuse(parser, "a filter has to be an object");
    int code = weir_filter_add(parser, WEIR_FILTER_NO_NODE, WEIR_FILTER_ALL, &root);
    return code < 0 ? code : parse_members(parser, root, policy, 0);
}

int weir_filter_parse(
    json_t *policy, struct weir_filter **ret_filter, struct weir_buffer *pointer, struct weir_error *err)
{
    WEIR_CLEANUP(filter) struct weir_filter *filter = calloc(1, sizeof(*filter));
    struct weir_error own;
    struct weir_filter_parser parser = {.filter = filter, .err = err != NULL ? err : &own};

    if (filter == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    int code = parse_root(&parser, policy);
    if (code == 0)
        *ret_filter = weir_steal(filter);
    else if (parser.pointer.len > 0)
        weir_error_prefix(
            err, "%.*s", (int)(parser.pointer.len < 200 ? parser.pointer.len : 200), parser.pointer.data);
    if (code < 0 && pointer != NULL)
        weir_buffer_append_bytes(pointer, weir_buffer_bytes(&parser.pointer));
    weir_buffer_done(&parser.pointer);
    return code;
}
