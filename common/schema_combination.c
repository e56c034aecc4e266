/* Schemas put together on one value: allOf, anyOf, oneOf, not, if; and references. */
#include "common/schema_compile.h"

#include <string.h>

/* ---- keywords ---- */

static struct weir_schema_combination *rule_of(
    struct weir_schema_compiler *compiler, struct weir_schema_node *node)
{
    if (node->combination == NULL)
        node->combination = weir_schema_alloc(compiler->schema, sizeof(*node->combination));
    return node->combination;
}

static int compile_list(struct weir_schema_compiler *compiler, const struct weir_schema_keyword *keyword,
    struct weir_schema_node *node, json_t *value, const struct weir_schema_place *place)
{
    struct weir_schema_combination *rule = rule_of(compiler, node);
    if (rule == NULL)
        return weir_schema_no_memory(compiler);
    return weir_schema_compile_list(
        compiler, value, place, (struct weir_schema_nodes *)(void *)((char *)rule + keyword->offset));
}

static int compile_schema(struct weir_schema_compiler *compiler, const struct weir_schema_keyword *keyword,
    struct weir_schema_node *node, json_t *value, const struct weir_schema_place *place)
{
    struct weir_schema_combination *rule = rule_of(compiler, node);
    if (rule == NULL)
        return weir_schema_no_memory(compiler);
    return weir_schema_compile_into(compiler, keyword, rule, value, place);
}

#define MEMBER(name) offsetof(struct weir_schema_combination, name)

const struct weir_schema_keyword weir_schema_combination_keywords[] = {
    {"allOf", WEIR_DRAFT_ANY, compile_list, MEMBER(all)},
    {"anyOf", WEIR_DRAFT_ANY, compile_list, MEMBER(any)},
    {"oneOf", WEIR_DRAFT_ANY, compile_list, MEMBER(one)},
    {"not", WEIR_DRAFT_ANY, compile_schema, MEMBER(not )},
    {"if", WEIR_DRAFT_ANY, compile_schema, MEMBER(condition)},
    {"then", WEIR_DRAFT_ANY, compile_schema, MEMBER(then)},
    {"else", WEIR_DRAFT_ANY, compile_schema, MEMBER(otherwise)},
    {0},
};

/* ---- the check ---- */

static const struct weir_schema_node *dynamic_anchor(
    const struct weir_schema_resource *resource, const char *name)
{
    const struct weir_schema_anchor *anchor = resource->anchors;
    while (anchor != NULL && !(anchor->dynamic && strcmp(anchor->name, name) == 0))
        anchor = anchor->next;
    return anchor != NULL ? anchor->node : NULL;
}

const struct weir_schema_node *weir_schema_dynamic_target(
    const struct weir_schema_combination *combination, const struct weir_schema_run *run)
{
    const struct weir_schema_node *target = combination->dynamic_reference;
    if (combination->dynamic_name == NULL)
        return target;
    for (const struct weir_schema_scope *scope = run->scope; scope != NULL; scope = scope->outer) {
        const struct weir_schema_node *found =
            scope->resource != NULL ? dynamic_anchor(scope->resource, combination->dynamic_name) : NULL;
        if (found != NULL)
            target = found; /* the outermost wins */
    }
    return target;
}

static bool check_all(const struct weir_schema_nodes *nodes, const json_t *value,
    const struct weir_schema_place *place, struct weir_schema_run *run)
{
    bool valid = true;

    for (size_t i = 0; i < nodes->count && (valid || !weir_schema_enough(run)); i++)
        if (!weir_schema_check(nodes->list[i], value, place, run))
            valid = false;
    return valid;
}

/* When only one of them is for values of this kind, what it says is what the client wants to hear. */
static bool tell_none(const struct weir_schema_nodes *nodes, const json_t *value,
    const struct weir_schema_place *place, struct weir_schema_run *run, const char *keyword)
{
    const struct weir_schema_node *candidate = NULL;
    size_t count = 0;

    for (size_t i = 0; i < nodes->count; i++) {
        if (nodes->list[i]->never || (nodes->list[i]->kinds & weir_schema_kind_of(value)) == 0)
            continue;
        candidate = nodes->list[i];
        count++;
    }
    if (count == 1 && !weir_schema_enough(run))
        return weir_schema_check(candidate, value, place, run);
    return weir_schema_violated(run, place, "matches none of the %zu schemas of %s", nodes->count, keyword);
}

static bool check_any(const struct weir_schema_nodes *nodes, const json_t *value,
    const struct weir_schema_place *place, struct weir_schema_run *run)
{
    for (size_t i = 0; i < nodes->count; i++)
        if (weir_schema_matches(nodes->list[i], value, run))
            return true;
    return tell_none(nodes, value, place, run, "anyOf");
}

static bool check_one(const struct weir_schema_nodes *nodes, const json_t *value,
    const struct weir_schema_place *place, struct weir_schema_run *run)
{
    size_t first = nodes->count;

    for (size_t i = 0; i < nodes->count; i++) {
        if (!weir_schema_matches(nodes->list[i], value, run))
            continue;
        if (first < nodes->count)
            return weir_schema_violated(
                run, place, "matches the schemas %zu and %zu of oneOf, and has to match only one", first, i);
        first = i;
    }
    return first < nodes->count || tell_none(nodes, value, place, run, "oneOf");
}

static bool check_condition(const struct weir_schema_combination *rule, const json_t *value,
    const struct weir_schema_place *place, struct weir_schema_run *run)
{
    const struct weir_schema_node *then =
        weir_schema_matches(rule->condition, value, run) ? rule->then : rule->otherwise;
    return then == NULL || weir_schema_check(then, value, place, run);
}

static bool check_references(const struct weir_schema_combination *rule, const json_t *value,
    const struct weir_schema_place *place, struct weir_schema_run *run)
{
    bool valid = rule->reference == NULL || weir_schema_check(rule->reference, value, place, run);
    if (rule->dynamic_reference != NULL &&
        !weir_schema_check(weir_schema_dynamic_target(rule, run), value, place, run))
        valid = false;
    return valid;
}

static bool check_not(const struct weir_schema_combination *rule, const json_t *value,
    const struct weir_schema_place *place, struct weir_schema_run *run)
{
    return !weir_schema_matches(rule->not, value, run) ||
           weir_schema_violated(run, place, "is what `not` excludes");
}

bool weir_schema_check_combination(const struct weir_schema_combination *rule, const json_t *value,
    const struct weir_schema_place *place, struct weir_schema_run *run)
{
    bool valid = check_references(rule, value, place, run);

    if (!valid && weir_schema_enough(run))
        return false;
    if (!check_all(&rule->all, value, place, run))
        valid = false;
    if (!valid && weir_schema_enough(run))
        return false;
    if (rule->any.count > 0 && !check_any(&rule->any, value, place, run))
        valid = false;
    if (rule->one.count > 0 && !check_one(&rule->one, value, place, run))
        valid = false;
    if (rule->not != NULL && !check_not(rule, value, place, run))
        valid = false;
    if (rule->condition != NULL && !check_condition(rule, value, place, run))
        valid = false;
    return valid;
}
