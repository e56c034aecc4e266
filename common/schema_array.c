/* Arrays: their items, what they contain, how many. */
#include "common/schema_compile.h"

/* ---- keywords ---- */

static struct weir_schema_array_rule *rule_of(
    struct weir_schema_compiler *compiler, struct weir_schema_node *node)
{
    if (node->array != NULL)
        return node->array;
    node->array = weir_schema_alloc(compiler->schema, sizeof(*node->array));
    if (node->array != NULL) {
        node->array->max_items = node->array->max_contains = SIZE_MAX;
        node->array->min_contains = 1;
    }
    return node->array;
}

static int compile_count(struct weir_schema_compiler *compiler, const struct weir_schema_keyword *keyword,
    struct weir_schema_node *node, json_t *value, const struct weir_schema_place *place)
{
    struct weir_schema_array_rule *rule = rule_of(compiler, node);
    if (rule == NULL)
        return weir_schema_no_memory(compiler);
    return weir_schema_read_count(compiler, keyword, rule, value, place);
}

static int compile_schema(struct weir_schema_compiler *compiler, const struct weir_schema_keyword *keyword,
    struct weir_schema_node *node, json_t *value, const struct weir_schema_place *place)
{
    struct weir_schema_array_rule *rule = rule_of(compiler, node);
    if (rule == NULL)
        return weir_schema_no_memory(compiler);
    return weir_schema_compile_into(compiler, keyword, rule, value, place);
}

static int compile_prefix(struct weir_schema_compiler *compiler, const struct weir_schema_keyword *keyword,
    struct weir_schema_node *node, json_t *value, const struct weir_schema_place *place)
{
    (void)keyword;
    struct weir_schema_array_rule *rule = rule_of(compiler, node);
    if (rule == NULL)
        return weir_schema_no_memory(compiler);
    return weir_schema_compile_list(compiler, value, place, &rule->prefix);
}

/* Draft-07 writes prefixItems as an array of `items`, and the rest as additionalItems. */
static int compile_items(struct weir_schema_compiler *compiler, const struct weir_schema_keyword *keyword,
    struct weir_schema_node *node, json_t *value, const struct weir_schema_place *place)
{
    if (!json_is_array(value))
        return compile_schema(compiler, keyword, node, value, place);
    if (compiler->resource->draft != WEIR_DRAFT_7)
        return weir_schema_refuse(
            compiler, place, "has to be a schema; schemas for the first items are prefixItems in this draft");
    return json_array_size(value) == 0 ? 0 : compile_prefix(compiler, keyword, node, value, place);
}

static int compile_additional(struct weir_schema_compiler *compiler,
    const struct weir_schema_keyword *keyword, struct weir_schema_node *node, json_t *value,
    const struct weir_schema_place *place)
{
    const struct weir_schema_node *ignored;
    if (json_is_array(json_object_get(node->source, "items")))
        return compile_schema(compiler, keyword, node, value, place);
    return weir_schema_compile(compiler, value, place, &ignored);
}

static int compile_unique(struct weir_schema_compiler *compiler, const struct weir_schema_keyword *keyword,
    struct weir_schema_node *node, json_t *value, const struct weir_schema_place *place)
{
    (void)keyword;
    struct weir_schema_array_rule *rule = rule_of(compiler, node);
    if (rule == NULL)
        return weir_schema_no_memory(compiler);
    if (!json_is_boolean(value))
        return weir_schema_refuse(compiler, place, "has to be true or false");
    rule->unique = json_is_true(value);
    return 0;
}

#define MEMBER(name) offsetof(struct weir_schema_array_rule, name)

const struct weir_schema_keyword weir_schema_array_keywords[] = {
    {"items", WEIR_DRAFT_ANY, compile_items, MEMBER(rest)},
    {"prefixItems", WEIR_DRAFT_2020, compile_prefix, 0},
    {"additionalItems", WEIR_DRAFT_7, compile_additional, MEMBER(rest)},
    {"contains", WEIR_DRAFT_ANY, compile_schema, MEMBER(contains)},
    {"unevaluatedItems", WEIR_DRAFT_2020, compile_schema, MEMBER(unevaluated)},
    {"minItems", WEIR_DRAFT_ANY, compile_count, MEMBER(min_items)},
    {"maxItems", WEIR_DRAFT_ANY, compile_count, MEMBER(max_items)},
    {"minContains", WEIR_DRAFT_2020, compile_count, MEMBER(min_contains)},
    {"maxContains", WEIR_DRAFT_2020, compile_count, MEMBER(max_contains)},
    {"uniqueItems", WEIR_DRAFT_ANY, compile_unique, 0},
    {0},
};

/* ---- the check ---- */

static bool check_size(const struct weir_schema_array_rule *rule, size_t size,
    const struct weir_schema_place *place, struct weir_schema_run *run)
{
    if (size < rule->min_items)
        return weir_schema_violated(run, place, "has to have at least %zu item%s, and has %zu",
            rule->min_items, weir_schema_plural(rule->min_items), size);
    if (size > rule->max_items)
        return weir_schema_violated(run, place, "has to have at most %zu item%s, and has %zu",
            rule->max_items, weir_schema_plural(rule->max_items), size);
    return true;
}

static bool check_items(const struct weir_schema_array_rule *rule, const json_t *array, size_t size,
    const struct weir_schema_place *place, struct weir_schema_run *run)
{
    bool valid = true;
    size_t end = rule->rest != NULL || size < rule->prefix.count ? size : rule->prefix.count;

    for (size_t i = 0; i < end; i++) {
        const struct weir_schema_node *node = i < rule->prefix.count ? rule->prefix.list[i] : rule->rest;
        const struct weir_schema_place item = weir_schema_item(place, i);
        if (weir_schema_check(node, json_array_get(array, i), &item, run))
            continue;
        valid = false;
        if (weir_schema_enough(run))
            break;
    }
    return valid;
}

static bool check_contains(const struct weir_schema_array_rule *rule, const json_t *array, size_t size,
    const struct weir_schema_place *place, struct weir_schema_run *run)
{
    size_t found = 0;

    for (size_t i = 0; i < size && (found < rule->min_contains || rule->max_contains < SIZE_MAX); i++)
        found += weir_schema_matches(rule->contains, json_array_get(array, i), run);
    if (found < rule->min_contains)
        return weir_schema_violated(run, place,
            "has to have at least %zu item%s as `contains` says, and has %zu", rule->min_contains,
            weir_schema_plural(rule->min_contains), found);
    if (found > rule->max_contains)
        return weir_schema_violated(run, place,
            "has to have at most %zu item%s as `contains` says, and has %zu", rule->max_contains,
            weir_schema_plural(rule->max_contains), found);
    return true;
}

static bool check_unique(
    const json_t *array, const struct weir_schema_place *place, struct weir_schema_run *run)
{
    size_t first, second;
    if (weir_schema_unique(array, &first, &second))
        return true;
    return weir_schema_violated(
        run, place, "has to have no two items alike, and items %zu and %zu are", first, second);
}

bool weir_schema_check_array(const struct weir_schema_array_rule *rule, const json_t *value,
    const struct weir_schema_place *place, struct weir_schema_run *run)
{
    size_t size = json_array_size(value);
    bool valid = check_size(rule, size, place, run);

    if (!valid && weir_schema_enough(run))
        return false;
    if ((rule->rest != NULL || rule->prefix.count > 0) && !check_items(rule, value, size, place, run))
        valid = false;
    if (!valid && weir_schema_enough(run))
        return false;
    if (rule->contains != NULL && !check_contains(rule, value, size, place, run))
        valid = false;
    if (rule->unique && !check_unique(value, place, run))
        valid = false;
    return valid;
}
