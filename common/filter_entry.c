/* The entries of a policy's arrays: values and operators. */
#include "common/filter_parts.h"

#include <math.h>
#include <string.h>

static weir_filter_number number_of(const json_t *value)
{
    return json_is_integer(value) ? (weir_filter_number)json_integer_value(value)
                                  : (weir_filter_number)json_real_value(value);
}

static int add_range(struct weir_filter_parser *parser, uint16_t parent, const struct weir_filter_node *range)
{
    uint16_t index = 0;
    int code = weir_filter_add(parser, parent, WEIR_FILTER_RANGE, &index);
    if (code < 0)
        return code;
    struct weir_filter_node *node = &parser->filter->nodes[index];
    node->low = range->low;
    node->high = range->high;
    node->low_open = range->low_open;
    node->high_open = range->high_open;
    return 0;
}

static int add_scalar(struct weir_filter_parser *parser, uint16_t parent, const json_t *value)
{
    static const enum weir_filter_kind plain[] = {
        [JSON_TRUE] = WEIR_FILTER_TRUE, [JSON_FALSE] = WEIR_FILTER_FALSE, [JSON_NULL] = WEIR_FILTER_NULL};
    uint16_t index = 0;

    if (json_is_string(value))
        return weir_filter_add_text(parser, parent, WEIR_FILTER_TEXT,
            weir_bytes(json_string_value(value), json_string_length(value)), &index);
    if (json_is_number(value)) {
        const struct weir_filter_node range = {.low = number_of(value), .high = number_of(value)};
        return add_range(parser, parent, &range);
    }
    return weir_filter_add(parser, parent, plain[json_typeof(value)], &index);
}

static int count_value(struct weir_filter_parser *parser)
{
    if (++parser->values <= WEIR_FILTER_VALUES_MAX)
        return 0;
    return weir_error_set(
        parser->err, WEIR_E_TOO_LARGE, "the filter has more than %d values", WEIR_FILTER_VALUES_MAX);
}

static int parse_affix(
    struct weir_filter_parser *parser, uint16_t parent, enum weir_filter_kind kind, const json_t *value)
{
    uint16_t index = 0;

    if (!json_is_string(value) || json_string_length(value) == 0)
        return weir_filter_refuse(parser, "has to be a text that is not empty");
    return weir_filter_add_text(
        parser, parent, kind, weir_bytes(json_string_value(value), json_string_length(value)), &index);
}

static int parse_prefix(struct weir_filter_parser *parser, uint16_t parent, json_t *value)
{
    return parse_affix(parser, parent, WEIR_FILTER_PREFIX, value);
}

static int parse_suffix(struct weir_filter_parser *parser, uint16_t parent, json_t *value)
{
    return parse_affix(parser, parent, WEIR_FILTER_SUFFIX, value);
}

static int parse_ignoring_case(struct weir_filter_parser *parser, uint16_t parent, json_t *value)
{
    return parse_affix(parser, parent, WEIR_FILTER_TEXT_IGNORING_CASE, value);
}

static int parse_exists(struct weir_filter_parser *parser, uint16_t parent, json_t *value)
{
    uint16_t index = 0;

    if (!json_is_boolean(value))
        return weir_filter_refuse(parser, "has to be true or false");
    return weir_filter_add(
        parser, parent, json_is_true(value) ? WEIR_FILTER_EXISTS : WEIR_FILTER_MISSING, &index);
}

/* One comparison into the range; false for an unknown one, or a second limit on the same side. */
static bool take_limit(struct weir_filter_node *range, const char *sign, weir_filter_number number)
{
    bool open = sign[1] == '\0';

    if (strcmp(sign, ">") == 0 || strcmp(sign, ">=") == 0) {
        if (range->low != -HUGE_VALL)
            return false;
        range->low = number;
        range->low_open = open;
        return true;
    }
    if ((strcmp(sign, "<") != 0 && strcmp(sign, "<=") != 0) || range->high != HUGE_VALL)
        return false;
    range->high = number;
    range->high_open = open;
    return true;
}

static int check_limits(const struct weir_filter_parser *parser, const struct weir_filter_node *range)
{
    if (range->low > range->high || (range->low == range->high && (range->low_open || range->high_open)))
        return weir_filter_refuse(parser, "no number is in this range");
    return 0;
}

static int parse_numeric(struct weir_filter_parser *parser, uint16_t parent, json_t *value)
{
    static const char form[] = "has to be [\"=\", number], or one or two of <, <=, >, >= with a number each";
    size_t count = json_array_size(value);
    struct weir_filter_node range = {.low = -HUGE_VALL, .high = HUGE_VALL};

    if (count != 2 && count != 4)
        return weir_filter_refuse(parser, form);
    for (size_t i = 0; i < count; i += 2) {
        const char *sign = json_string_value(json_array_get(value, i));
        const json_t *limit = json_array_get(value, i + 1);
        if (sign == NULL || !json_is_number(limit))
            return weir_filter_refuse(parser, form);
        if (strcmp(sign, "=") == 0 && count == 2)
            return add_scalar(parser, parent, limit);
        if (!take_limit(&range, sign, number_of(limit)))
            return weir_filter_refuse(parser, form);
    }
    int code = check_limits(parser, &range);
    return code < 0 ? code : add_range(parser, parent, &range);
}

static int add_unwanted(struct weir_filter_parser *parser, uint16_t parent, const json_t *value)
{
    int code = count_value(parser);
    if (code < 0)
        return code;
    if (!json_is_string(value) && !json_is_number(value))
        return weir_filter_refuse(parser, "has to be a text or a number");
    return add_scalar(parser, parent, value);
}

static int parse_unwanted_list(struct weir_filter_parser *parser, uint16_t parent, json_t *list)
{
    int code = json_array_size(list) > 0 ? 0 : weir_filter_refuse(parser, "holds no value");

    for (size_t i = 0; i < json_array_size(list) && code == 0; i++) {
        size_t back = weir_filter_enter_index(parser, i);
        code = add_unwanted(parser, parent, json_array_get(list, i));
        if (code == 0)
            weir_filter_leave(parser, back);
    }
    return code;
}

static int parse_unwanted_affix(struct weir_filter_parser *parser, uint16_t parent, json_t *object)
{
    json_t *prefix = json_object_get(object, "prefix"), *suffix = json_object_get(object, "suffix");

    if (json_object_size(object) != 1 || (prefix == NULL && suffix == NULL))
        return weir_filter_refuse(parser, "has to be {\"prefix\": text} or {\"suffix\": text}");
    weir_filter_enter(parser, prefix != NULL ? "prefix" : "suffix");
    return prefix != NULL ? parse_prefix(parser, parent, prefix) : parse_suffix(parser, parent, suffix);
}

static int parse_anything_but(struct weir_filter_parser *parser, uint16_t parent, json_t *value)
{
    uint16_t index = 0;
    int code = weir_filter_add(parser, parent, WEIR_FILTER_BUT, &index);
    if (code < 0)
        return code;
    if (json_is_array(value))
        return parse_unwanted_list(parser, index, value);
    if (json_is_object(value))
        return parse_unwanted_affix(parser, index, value);
    return add_unwanted(parser, index, value);
}

static int refuse_address(struct weir_filter_parser *parser, uint16_t parent, json_t *value)
{
    (void)parent, (void)value;
    return weir_filter_refuse(parser, "cidr is not supported");
}

static int refuse_wildcard(struct weir_filter_parser *parser, uint16_t parent, json_t *value)
{
    (void)parent, (void)value;
    return weir_filter_refuse(parser, "wildcard is not supported: use prefix or suffix");
}

static const struct {
    const char *name;
    int (*parse)(struct weir_filter_parser *parser, uint16_t parent, json_t *value);
} operators[] = {
    {"prefix", parse_prefix},
    {"suffix", parse_suffix},
    {"equals-ignore-case", parse_ignoring_case},
    {"anything-but", parse_anything_but},
    {"numeric", parse_numeric},
    {"exists", parse_exists},
    {"cidr", refuse_address},
    {"wildcard", refuse_wildcard},
};

static int parse_operator(struct weir_filter_parser *parser, uint16_t parent, json_t *object)
{
    static const char known[] =
        "has to be one of prefix, suffix, equals-ignore-case, anything-but, numeric, exists";
    void *member = json_object_iter(object);

    if (json_object_size(object) != 1)
        return weir_filter_refuse(parser, "has to hold exactly one operator");
    const char *name = json_object_iter_key(member);
    size_t back = weir_filter_enter(parser, name);
    for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
        if (strcmp(name, operators[i].name) != 0)
            continue;
        int code = operators[i].parse(parser, parent, json_object_iter_value(member));
        if (code == 0)
            weir_filter_leave(parser, back);
        return code;
    }
    return weir_filter_refuse(parser, known);
}

int weir_filter_parse_entry(struct weir_filter_parser *parser, uint16_t parent, json_t *entry)
{
    int code = count_value(parser);
    if (code < 0)
        return code;
    if (json_is_array(entry))
        return weir_filter_refuse(parser, "has to be a text, a number, true, false, null or an operator");
    return json_is_object(entry) ? parse_operator(parser, parent, entry) : add_scalar(parser, parent, entry);
}
