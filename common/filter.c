#include "common/filter_parts.h"

#include <stdlib.h>
#include <string.h>

typedef bool match_fn(
    const struct weir_filter *filter, const struct weir_filter_node *node, const json_t *value);

static bool matches(const struct weir_filter *filter, uint16_t index, const json_t *value);

static bool match_all(
    const struct weir_filter *filter, const struct weir_filter_node *node, const json_t *value)
{
    for (uint16_t at = node->child; at != WEIR_FILTER_NO_NODE; at = filter->nodes[at].next)
        if (!matches(filter, at, value))
            return false;
    return true;
}

static bool match_any(
    const struct weir_filter *filter, const struct weir_filter_node *node, const json_t *value)
{
    for (uint16_t at = node->child; at != WEIR_FILTER_NO_NODE; at = filter->nodes[at].next)
        if (matches(filter, at, value))
            return true;
    return false;
}

static bool match_member(
    const struct weir_filter *filter, const struct weir_filter_node *node, const json_t *value)
{
    return matches(filter, node->child, json_object_get(value, node->text));
}

static bool match_exists(
    const struct weir_filter *filter, const struct weir_filter_node *node, const json_t *value)
{
    (void)filter, (void)node;
    return value != NULL;
}

static bool match_missing(
    const struct weir_filter *filter, const struct weir_filter_node *node, const json_t *value)
{
    (void)filter, (void)node;
    return value == NULL;
}

static bool match_text(
    const struct weir_filter *filter, const struct weir_filter_node *node, const json_t *value)
{
    (void)filter;
    return json_is_string(value) && json_string_length(value) == node->text_len &&
           memcmp(json_string_value(value), node->text, node->text_len) == 0;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool match_text_ignoring_case(
    const struct weir_filter *filter, const struct weir_filter_node *node, const json_t *value)
{
    (void)filter;
    if (!json_is_string(value) || json_string_length(value) != node->text_len)
        return false;
    const char *text = json_string_value(value);
    for (size_t i = 0; i < node->text_len; i++)
        if (lower(text[i]) != lower(node->text[i]))
            return false;
    return true;
}

static bool match_prefix(
    const struct weir_filter *filter, const struct weir_filter_node *node, const json_t *value)
{
    (void)filter;
    return json_is_string(value) && json_string_length(value) >= node->text_len &&
           memcmp(json_string_value(value), node->text, node->text_len) == 0;
}

static bool match_suffix(
    const struct weir_filter *filter, const struct weir_filter_node *node, const json_t *value)
{
    (void)filter;
    if (!json_is_string(value) || json_string_length(value) < node->text_len)
        return false;
    const char *end = json_string_value(value) + json_string_length(value);
    return memcmp(end - node->text_len, node->text, node->text_len) == 0;
}

static bool match_range(
    const struct weir_filter *filter, const struct weir_filter_node *node, const json_t *value)
{
    (void)filter;
    if (!json_is_number(value))
        return false;
    weir_filter_number number = json_is_integer(value) ? (weir_filter_number)json_integer_value(value)
                                                       : (weir_filter_number)json_real_value(value);
    return number >= node->low && number <= node->high && !(node->low_open && number <= node->low) &&
           !(node->high_open && number >= node->high);
}

static bool match_true(
    const struct weir_filter *filter, const struct weir_filter_node *node, const json_t *value)
{
    (void)filter, (void)node;
    return json_is_true(value);
}

static bool match_false(
    const struct weir_filter *filter, const struct weir_filter_node *node, const json_t *value)
{
    (void)filter, (void)node;
    return json_is_false(value);
}

static bool match_null(
    const struct weir_filter *filter, const struct weir_filter_node *node, const json_t *value)
{
    (void)filter, (void)node;
    return json_is_null(value);
}

static bool match_but(
    const struct weir_filter *filter, const struct weir_filter_node *node, const json_t *value)
{
    return value != NULL && !json_is_object(value) && !match_any(filter, node, value);
}

/* `each`: an array matches if one of its elements does. */
static const struct {
    match_fn *match;
    bool each;
} kinds[] = {
    [WEIR_FILTER_ALL] = {match_all, true},
    [WEIR_FILTER_ANY] = {match_any, false},
    [WEIR_FILTER_MEMBER] = {match_member, true},
    [WEIR_FILTER_EXISTS] = {match_exists, false},
    [WEIR_FILTER_MISSING] = {match_missing, false},
    [WEIR_FILTER_TEXT] = {match_text, true},
    [WEIR_FILTER_TEXT_IGNORING_CASE] = {match_text_ignoring_case, true},
    [WEIR_FILTER_PREFIX] = {match_prefix, true},
    [WEIR_FILTER_SUFFIX] = {match_suffix, true},
    [WEIR_FILTER_RANGE] = {match_range, true},
    [WEIR_FILTER_TRUE] = {match_true, true},
    [WEIR_FILTER_FALSE] = {match_false, true},
    [WEIR_FILTER_NULL] = {match_null, true},
    [WEIR_FILTER_BUT] = {match_but, true},
};

/* An empty array holds no value: as a missing member. */
static bool match_elements(const struct weir_filter *filter, uint16_t index, const json_t *array)
{
    size_t count = json_array_size(array);

    for (size_t i = 0; i < count; i++)
        if (matches(filter, index, json_array_get(array, i)))
            return true;
    return count == 0 && matches(filter, index, NULL);
}

static bool matches(const struct weir_filter *filter, uint16_t index, const json_t *value)
{
    const struct weir_filter_node *node = &filter->nodes[index];

    if (json_is_array(value) && kinds[node->kind].each)
        return match_elements(filter, index, value);
    return kinds[node->kind].match(filter, node, value);
}

bool weir_filter_matches(const struct weir_filter *filter, const json_t *event)
{
    return matches(filter, 0, event);
}

static bool names(const struct weir_filter *filter, uint16_t index, const char *member)
{
    const struct weir_filter_node *node = &filter->nodes[index];

    if (node->kind == WEIR_FILTER_MEMBER)
        return strcmp(node->text, member) == 0;
    for (uint16_t at = node->child; at != WEIR_FILTER_NO_NODE; at = filter->nodes[at].next)
        if (names(filter, at, member))
            return true;
    return false;
}

bool weir_filter_names(const struct weir_filter *filter, const char *member)
{
    return names(filter, 0, member);
}

void weir_filter_free(struct weir_filter *filter)
{
    if (filter == NULL)
        return;
    for (size_t i = 0; i < filter->count; i++)
        free(filter->nodes[i].text);
    free(filter->nodes);
    free(filter);
}
