/* unevaluatedItems and unevaluatedProperties: what no other keyword of a schema has looked at, also not by
 * way of its subschemas. Which ones have is not noted on the way, because hardly a schema asks; it is found
 * out again for the members in question, and costs as many steps as that takes. */
#include "common/schema_node.h"

/* The member or item in question. */
struct target {
    const json_t *container, *value;
    struct weir_bytes name; /* of a member */
    size_t index;           /* of an item */
};

static bool looks_at(const struct weir_schema_node *node, const struct target *target,
    struct weir_schema_run *run, bool itself);

static bool matches_pattern(const struct weir_schema_object_rule *rule, struct weir_bytes name)
{
    for (size_t i = 0; i < rule->pattern_count; i++)
        if (weir_schema_pattern_match(rule->patterns[i].pattern, name) == WEIR_MATCH_YES)
            return true;
    return false;
}

static bool object_looks_at(
    const struct weir_schema_object_rule *rule, const struct target *target, bool itself)
{
    const struct weir_schema_property *property = weir_schema_property_find(rule, target->name);
    return (property != NULL && property->node != NULL) || rule->additional != NULL ||
           (!itself && rule->unevaluated != NULL) || matches_pattern(rule, target->name);
}

static bool array_looks_at(const struct weir_schema_array_rule *rule, const struct target *target,
    struct weir_schema_run *run, bool itself)
{
    return target->index < rule->prefix.count || rule->rest != NULL ||
           (!itself && rule->unevaluated != NULL) ||
           (rule->contains != NULL && weir_schema_matches(rule->contains, target->value, run));
}

/* Only subschemas that hold for the value count. */
static bool holds_and_looks_at(
    const struct weir_schema_node *node, const struct target *target, struct weir_schema_run *run)
{
    return node != NULL && weir_schema_matches(node, target->container, run) &&
           looks_at(node, target, run, false);
}

static bool any_looks_at(
    const struct weir_schema_nodes *nodes, const struct target *target, struct weir_schema_run *run)
{
    for (size_t i = 0; i < nodes->count; i++)
        if (holds_and_looks_at(nodes->list[i], target, run))
            return true;
    return false;
}

static bool condition_looks_at(
    const struct weir_schema_combination *rule, const struct target *target, struct weir_schema_run *run)
{
    if (rule->condition == NULL)
        return false;
    if (!weir_schema_matches(rule->condition, target->container, run))
        return holds_and_looks_at(rule->otherwise, target, run);
    return looks_at(rule->condition, target, run, false) || holds_and_looks_at(rule->then, target, run);
}

static bool combination_looks_at(
    const struct weir_schema_combination *rule, const struct target *target, struct weir_schema_run *run)
{
    return holds_and_looks_at(rule->reference, target, run) ||
           (rule->dynamic_reference != NULL &&
               holds_and_looks_at(weir_schema_dynamic_target(rule, run), target, run)) ||
           any_looks_at(&rule->all, target, run) || any_looks_at(&rule->any, target, run) ||
           any_looks_at(&rule->one, target, run) || condition_looks_at(rule, target, run);
}

static bool dependents_look_at(
    const struct weir_schema_object_rule *rule, const struct target *target, struct weir_schema_run *run)
{
    for (size_t i = 0; i < rule->table_size; i++) {
        const struct weir_schema_property *property = &rule->table[i];
        if (property->dependent != NULL &&
            json_object_getn(target->container, property->name.data, property->name.len) != NULL &&
            holds_and_looks_at(property->dependent, target, run))
            return true;
    }
    return false;
}

/* itself: node is the one that asks, so that its own unevaluated… does not count. */
static bool looks_at(const struct weir_schema_node *node, const struct target *target,
    struct weir_schema_run *run, bool itself)
{
    const struct weir_schema_scope scope = {run->scope, node->resource};
    bool is_object = json_is_object(target->container);

    run->scope = &scope;
    bool found = (is_object && node->object != NULL &&
                     (object_looks_at(node->object, target, itself) ||
                         dependents_look_at(node->object, target, run))) ||
                 (!is_object && node->array != NULL && array_looks_at(node->array, target, run, itself)) ||
                 (node->combination != NULL && combination_looks_at(node->combination, target, run));
    run->scope = scope.outer;
    return found;
}

static bool check_rest(const struct weir_schema_node *rest, const json_t *value,
    const struct weir_schema_place *place, struct weir_schema_run *run)
{
    if (rest->never)
        return weir_schema_violated(run, place, "is not allowed here");
    return weir_schema_check(rest, value, place, run);
}

static bool check_members(const struct weir_schema_node *node, json_t *object,
    const struct weir_schema_place *place, struct weir_schema_run *run)
{
    bool valid = true;

    for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at)) {
        struct weir_bytes name = weir_bytes(json_object_iter_key(at), json_object_iter_key_len(at));
        const struct weir_schema_place member = weir_schema_member(place, name.data, name.len);
        struct target target = {object, json_object_iter_value(at), name, 0};
        if (looks_at(node, &target, run, true) ||
            check_rest(node->object->unevaluated, target.value, &member, run))
            continue;
        valid = false;
        if (weir_schema_enough(run))
            break;
    }
    return valid;
}

static bool check_items(const struct weir_schema_node *node, const json_t *array,
    const struct weir_schema_place *place, struct weir_schema_run *run)
{
    bool valid = true;

    for (size_t i = 0; i < json_array_size(array); i++) {
        const struct weir_schema_place item = weir_schema_item(place, i);
        struct target target = {array, json_array_get(array, i), WEIR_BYTES_NULL, i};
        if (looks_at(node, &target, run, true) ||
            check_rest(node->array->unevaluated, target.value, &item, run))
            continue;
        valid = false;
        if (weir_schema_enough(run))
            break;
    }
    return valid;
}

bool weir_schema_check_unevaluated(const struct weir_schema_node *node, const json_t *value,
    const struct weir_schema_place *place, struct weir_schema_run *run)
{
    if (node->object != NULL && node->object->unevaluated != NULL && json_is_object(value))
        return check_members(node, (json_t *)(uintptr_t)value, place, run);
    if (node->array != NULL && node->array->unevaluated != NULL && json_is_array(value))
        return check_items(node, value, place, run);
    return true;
}
