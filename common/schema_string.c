/* Strings: length in code points, pattern, format. */
#include "common/schema_compile.h"

size_t weir_schema_code_points(struct weir_bytes text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.data[i] & 0xC0) != 0x80;
    return count;
}

/* ---- keywords ---- */

static struct weir_schema_string_rule *rule_of(
    struct weir_schema_compiler *compiler, struct weir_schema_node *node)
{
    if (node->string != NULL)
        return node->string;
    node->string = weir_schema_alloc(compiler->schema, sizeof(*node->string));
    if (node->string != NULL)
        node->string->max_length = SIZE_MAX;
    return node->string;
}

static int compile_length(struct weir_schema_compiler *compiler, const struct weir_schema_keyword *keyword,
    struct weir_schema_node *node, json_t *value, const struct weir_schema_place *place)
{
    struct weir_schema_string_rule *rule = rule_of(compiler, node);
    if (rule == NULL)
        return weir_schema_no_memory(compiler);
    return weir_schema_read_count(compiler, keyword, rule, value, place);
}

static int compile_pattern(struct weir_schema_compiler *compiler, const struct weir_schema_keyword *keyword,
    struct weir_schema_node *node, json_t *value, const struct weir_schema_place *place)
{
    (void)keyword;
    struct weir_schema_string_rule *rule = rule_of(compiler, node);
    if (rule == NULL)
        return weir_schema_no_memory(compiler);
    if (!json_is_string(value))
        return weir_schema_refuse(compiler, place, "has to be a string");
    return weir_schema_compile_pattern(
        compiler, json_string_value(value), json_string_length(value), place, &rule->pattern);
}

static int compile_format(struct weir_schema_compiler *compiler, const struct weir_schema_keyword *keyword,
    struct weir_schema_node *node, json_t *value, const struct weir_schema_place *place)
{
    (void)keyword;
    if (!json_is_string(value))
        return weir_schema_refuse(compiler, place, "has to be a string");
    if (!compiler->assert_formats)
        return 0;
    struct weir_schema_string_rule *rule = rule_of(compiler, node);
    if (rule == NULL)
        return weir_schema_no_memory(compiler);
    rule->format = weir_schema_format_find(json_string_value(value));
    if (rule->format == NULL)
        return weir_schema_refuse(
            compiler, place, "the format %s can't be checked here", json_string_value(value));
    return 0;
}

const struct weir_schema_keyword weir_schema_string_keywords[] = {
    {"minLength", WEIR_DRAFT_ANY, compile_length, offsetof(struct weir_schema_string_rule, min_length)},
    {"maxLength", WEIR_DRAFT_ANY, compile_length, offsetof(struct weir_schema_string_rule, max_length)},
    {"pattern", WEIR_DRAFT_ANY, compile_pattern, 0},
    {"format", WEIR_DRAFT_ANY, compile_format, 0},
    {"contentEncoding", WEIR_DRAFT_ANY, NULL, 0},
    {"contentMediaType", WEIR_DRAFT_ANY, NULL, 0},
    {"contentSchema", WEIR_DRAFT_2020, NULL, 0},
    {0},
};

/* ---- the check ---- */

static bool check_length(const struct weir_schema_string_rule *rule, struct weir_bytes text,
    const struct weir_schema_place *place, struct weir_schema_run *run)
{
    bool may_be_short = text.len < 4 * rule->min_length || rule->min_length > SIZE_MAX / 4;
    if (!may_be_short && text.len <= rule->max_length)
        return true;
    size_t length = weir_schema_code_points(text);
    if (length < rule->min_length)
        return weir_schema_violated(run, place, "has to have at least %zu character%s, and has %zu",
            rule->min_length, weir_schema_plural(rule->min_length), length);
    if (length > rule->max_length)
        return weir_schema_violated(run, place, "has to have at most %zu character%s, and has %zu",
            rule->max_length, weir_schema_plural(rule->max_length), length);
    return true;
}

static bool check_pattern(const struct weir_schema_pattern *pattern, struct weir_bytes text,
    const struct weir_schema_place *place, struct weir_schema_run *run)
{
    enum weir_schema_match match = weir_schema_pattern_match(pattern, text);
    if (match == WEIR_MATCH_YES)
        return true;
    if (match == WEIR_MATCH_LIMIT)
        return weir_schema_stop(run, place, "takes too many steps to compare with its pattern");
    return weir_schema_violated(run, place, "has to match %s", weir_schema_pattern_text(pattern));
}

bool weir_schema_check_string(const struct weir_schema_string_rule *rule, struct weir_bytes text,
    const struct weir_schema_place *place, struct weir_schema_run *run)
{
    bool valid = check_length(rule, text, place, run);

    if (!valid && weir_schema_enough(run))
        return false;
    if (rule->pattern != NULL && !check_pattern(rule->pattern, text, place, run))
        valid = false;
    if (rule->format != NULL && !rule->format->is_valid(text))
        valid = weir_schema_violated(run, place, "has to be %s", rule->format->what);
    return valid;
}
