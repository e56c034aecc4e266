/* Objects: their members, by name and by pattern, and what they have to have. */
#include "common/schema_compile.h"

#include <string.h>

/* ---- the table of names ---- */

static uint32_t hash_name(struct weir_bytes name)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (unsigned char)name.data[i]) * 16777619u;
    return hash;
}

static struct weir_schema_property *slot_of(
    struct weir_schema_property *table, size_t size, struct weir_bytes name, uint32_t hash)
{
    size_t at = hash & (size - 1);
    while (table[at].name.data != NULL && (table[at].hash != hash || !weir_bytes_equal(table[at].name, name)))
        at = (at + 1) & (size - 1);
    return &table[at];
}

const struct weir_schema_property *weir_schema_property_find(
    const struct weir_schema_object_rule *rule, struct weir_bytes name)
{
    if (rule->table_size == 0)
        return NULL;
    const struct weir_schema_property *slot = slot_of(rule->table, rule->table_size, name, hash_name(name));
    return slot->name.data != NULL ? slot : NULL;
}

/* At most half full, so that a search is short. */
static int grow_table(struct weir_schema_compiler *compiler, struct weir_schema_object_rule *rule)
{
    size_t size = rule->table_size == 0 ? 8 : 2 * rule->table_size;
    struct weir_schema_property *table = weir_schema_alloc(compiler->schema, size * sizeof(*table));
    if (table == NULL)
        return weir_schema_no_memory(compiler);
    for (size_t i = 0; i < rule->table_size; i++)
        if (rule->table[i].name.data != NULL)
            *slot_of(table, size, rule->table[i].name, rule->table[i].hash) = rule->table[i];
    rule->table = table;
    rule->table_size = size;
    return 0;
}

/* The entry of a name, made when there is none. It moves when another one is made. */
static int find_entry(struct weir_schema_compiler *compiler, struct weir_schema_object_rule *rule,
    struct weir_bytes name, struct weir_schema_property **ret_entry)
{
    if (2 * rule->property_count >= rule->table_size && grow_table(compiler, rule) < 0)
        return WEIR_E_INTERNAL;
    uint32_t hash = hash_name(name);
    struct weir_schema_property *entry = slot_of(rule->table, rule->table_size, name, hash);
    if (entry->name.data == NULL) {
        entry->name = name;
        entry->hash = hash;
        rule->property_count++;
    }
    *ret_entry = entry;
    return 0;
}

/* ---- keywords ---- */

static struct weir_schema_object_rule *rule_of(
    struct weir_schema_compiler *compiler, struct weir_schema_node *node)
{
    if (node->object != NULL)
        return node->object;
    node->object = weir_schema_alloc(compiler->schema, sizeof(*node->object));
    if (node->object != NULL)
        node->object->max_properties = SIZE_MAX;
    return node->object;
}

static int compile_count(struct weir_schema_compiler *compiler, const struct weir_schema_keyword *keyword,
    struct weir_schema_node *node, json_t *value, const struct weir_schema_place *place)
{
    struct weir_schema_object_rule *rule = rule_of(compiler, node);
    if (rule == NULL)
        return weir_schema_no_memory(compiler);
    return weir_schema_read_count(compiler, keyword, rule, value, place);
}

static int compile_schema(struct weir_schema_compiler *compiler, const struct weir_schema_keyword *keyword,
    struct weir_schema_node *node, json_t *value, const struct weir_schema_place *place)
{
    struct weir_schema_object_rule *rule = rule_of(compiler, node);
    if (rule == NULL)
        return weir_schema_no_memory(compiler);
    return weir_schema_compile_into(compiler, keyword, rule, value, place);
}

/* Keywords whose value is an object: each member by itself, with the rule. */
typedef int each_fn(struct weir_schema_compiler *compiler, struct weir_schema_object_rule *rule,
    struct weir_bytes name, json_t *value, const struct weir_schema_place *place);

static int compile_each(struct weir_schema_compiler *compiler, struct weir_schema_node *node, json_t *value,
    const struct weir_schema_place *place, each_fn *each)
{
    struct weir_schema_object_rule *rule = rule_of(compiler, node);
    if (rule == NULL)
        return weir_schema_no_memory(compiler);
    if (!json_is_object(value))
        return weir_schema_refuse(compiler, place, "has to be an object");
    int code = 0;
    for (void *at = json_object_iter(value); at != NULL && code == 0; at = json_object_iter_next(value, at)) {
        struct weir_bytes name = weir_bytes(json_object_iter_key(at), json_object_iter_key_len(at));
        const struct weir_schema_place member = weir_schema_member(place, name.data, name.len);
        code = each(compiler, rule, name, json_object_iter_value(at), &member);
    }
    return code;
}

static int add_property(struct weir_schema_compiler *compiler, struct weir_schema_object_rule *rule,
    struct weir_bytes name, json_t *value, const struct weir_schema_place *place)
{
    struct weir_schema_property *entry;
    int code = find_entry(compiler, rule, name, &entry);
    return code < 0 ? code : weir_schema_compile(compiler, value, place, &entry->node);
}

static int add_pattern(struct weir_schema_compiler *compiler, struct weir_schema_object_rule *rule,
    struct weir_bytes name, json_t *value, const struct weir_schema_place *place)
{
    struct weir_schema_name_pattern *pattern = &rule->patterns[rule->pattern_count];
    int code = weir_schema_compile_pattern(compiler, name.data, name.len, place, &pattern->pattern);
    if (code == 0)
        code = weir_schema_compile(compiler, value, place, &pattern->node);
    rule->pattern_count += code == 0;
    return code;
}

static int add_dependent_names(struct weir_schema_compiler *compiler, struct weir_schema_object_rule *rule,
    struct weir_bytes name, json_t *value, const struct weir_schema_place *place)
{
    struct weir_schema_property *entry;
    int code = weir_schema_read_names(compiler, value, place);
    if (code == 0)
        code = find_entry(compiler, rule, name, &entry);
    if (code == 0)
        entry->dependent_names = value;
    return code;
}

static int add_dependent(struct weir_schema_compiler *compiler, struct weir_schema_object_rule *rule,
    struct weir_bytes name, json_t *value, const struct weir_schema_place *place)
{
    struct weir_schema_property *entry;
    int code = find_entry(compiler, rule, name, &entry);
    return code < 0 ? code : weir_schema_compile(compiler, value, place, &entry->dependent);
}

static int add_dependency(struct weir_schema_compiler *compiler, struct weir_schema_object_rule *rule,
    struct weir_bytes name, json_t *value, const struct weir_schema_place *place)
{
    return (json_is_array(value) ? add_dependent_names : add_dependent)(compiler, rule, name, value, place);
}

#define EACH(verb)                                                                                           \
    static int compile_##verb(struct weir_schema_compiler *compiler,                                         \
        const struct weir_schema_keyword *keyword, struct weir_schema_node *node, json_t *value,             \
        const struct weir_schema_place *place)                                                               \
    {                                                                                                        \
        (void)keyword;                                                                                       \
        return compile_each(compiler, node, value, place, add_##verb);                                       \
    }

EACH(property)
EACH(dependent_names)
EACH(dependent)
EACH(dependency)

static int compile_patterns(struct weir_schema_compiler *compiler, const struct weir_schema_keyword *keyword,
    struct weir_schema_node *node, json_t *value, const struct weir_schema_place *place)
{
    (void)keyword;
    struct weir_schema_object_rule *rule = rule_of(compiler, node);
    size_t size = (json_object_size(value) + 1) * sizeof(*rule->patterns);
    if (rule == NULL || (rule->patterns = weir_schema_alloc(compiler->schema, size)) == NULL)
        return weir_schema_no_memory(compiler);
    return compile_each(compiler, node, value, place, add_pattern);
}

static int compile_required(struct weir_schema_compiler *compiler, const struct weir_schema_keyword *keyword,
    struct weir_schema_node *node, json_t *value, const struct weir_schema_place *place)
{
    (void)keyword;
    struct weir_schema_object_rule *rule = rule_of(compiler, node);
    struct weir_schema_property *entry;
    if (rule == NULL)
        return weir_schema_no_memory(compiler);
    int code = weir_schema_read_names(compiler, value, place);
    for (size_t i = 0; i < json_array_size(value) && code == 0; i++) {
        const json_t *name = json_array_get(value, i);
        code =
            find_entry(compiler, rule, weir_bytes(json_string_value(name), json_string_length(name)), &entry);
        if (code == 0)
            entry->required = true;
        rule->required_count++;
    }
    return code;
}

#define MEMBER(name) offsetof(struct weir_schema_object_rule, name)

const struct weir_schema_keyword weir_schema_object_keywords[] = {
    {"properties", WEIR_DRAFT_ANY, compile_property, 0},
    {"patternProperties", WEIR_DRAFT_ANY, compile_patterns, 0},
    {"additionalProperties", WEIR_DRAFT_ANY, compile_schema, MEMBER(additional)},
    {"propertyNames", WEIR_DRAFT_ANY, compile_schema, MEMBER(names)},
    {"unevaluatedProperties", WEIR_DRAFT_2020, compile_schema, MEMBER(unevaluated)},
    {"required", WEIR_DRAFT_ANY, compile_required, 0},
    {"dependentRequired", WEIR_DRAFT_2020, compile_dependent_names, 0},
    {"dependentSchemas", WEIR_DRAFT_2020, compile_dependent, 0},
    {"dependencies", WEIR_DRAFT_ANY, compile_dependency, 0},
    {"minProperties", WEIR_DRAFT_ANY, compile_count, MEMBER(min_properties)},
    {"maxProperties", WEIR_DRAFT_ANY, compile_count, MEMBER(max_properties)},
    {0},
};

/* ---- the check ---- */

static bool check_size(const struct weir_schema_object_rule *rule, size_t size,
    const struct weir_schema_place *place, struct weir_schema_run *run)
{
    if (size < rule->min_properties)
        return weir_schema_violated(run, place, "has to have at least %zu member%s, and has %zu",
            rule->min_properties, weir_schema_plural(rule->min_properties), size);
    if (size > rule->max_properties)
        return weir_schema_violated(run, place, "has to have at most %zu member%s, and has %zu",
            rule->max_properties, weir_schema_plural(rule->max_properties), size);
    return true;
}

static bool check_lacking(const json_t *object, const struct weir_schema_place *place,
    struct weir_schema_run *run, struct weir_bytes name, struct weir_bytes because)
{
    if (json_object_getn(object, name.data, name.len) != NULL)
        return true;
    if (because.data == NULL)
        return weir_schema_violated(run, place, "lacks the member %.*s", (int)name.len, name.data);
    return weir_schema_violated(run, place, "lacks the member %.*s, which it has to have with %.*s",
        (int)name.len, name.data, (int)because.len, because.data);
}

/* One is known to be missing: which ones? */
static bool tell_missing(const struct weir_schema_object_rule *rule, const json_t *object,
    const struct weir_schema_place *place, struct weir_schema_run *run)
{
    for (size_t i = 0; i < rule->table_size; i++)
        if (rule->table[i].required &&
            !check_lacking(object, place, run, rule->table[i].name, WEIR_BYTES_NULL) &&
            weir_schema_enough(run))
            break;
    return false;
}

static bool check_dependents(const struct weir_schema_property *property, const json_t *object,
    const struct weir_schema_place *place, struct weir_schema_run *run)
{
    bool valid = true;

    for (size_t i = 0; i < json_array_size(property->dependent_names); i++) {
        const json_t *name = json_array_get(property->dependent_names, i);
        if (!check_lacking(object, place, run, weir_bytes(json_string_value(name), json_string_length(name)),
                property->name))
            valid = false;
    }
    if (property->dependent != NULL && !weir_schema_check(property->dependent, object, place, run))
        valid = false;
    return valid;
}

/* The name alone, as a string. */
static bool check_name(const struct weir_schema_node *node, struct weir_bytes name,
    const struct weir_schema_place *place, struct weir_schema_run *run)
{
    WEIR_CLEANUP(json) json_t *text = json_stringn_nocheck(name.data, name.len);
    if (text == NULL)
        return weir_schema_stop(run, place, "can't be checked: out of memory");
    if (weir_schema_matches(node, text, run))
        return true;
    return weir_schema_violated(run, place, "has a name that is not allowed here");
}

static bool check_patterns(const struct weir_schema_object_rule *rule, struct weir_bytes name,
    const json_t *value, const struct weir_schema_place *place, struct weir_schema_run *run,
    bool *ret_matched)
{
    bool valid = true;

    for (size_t i = 0; i < rule->pattern_count; i++) {
        enum weir_schema_match match = weir_schema_pattern_match(rule->patterns[i].pattern, name);
        if (match == WEIR_MATCH_LIMIT)
            return weir_schema_stop(
                run, place, "has a name that takes too many steps to compare with a pattern");
        if (match == WEIR_MATCH_NO)
            continue;
        *ret_matched = true;
        if (!weir_schema_check(rule->patterns[i].node, value, place, run))
            valid = false;
    }
    return valid;
}

static bool check_additional(const struct weir_schema_object_rule *rule, const json_t *value,
    const struct weir_schema_place *place, struct weir_schema_run *run)
{
    if (rule->additional->never)
        return weir_schema_violated(run, place, "is not allowed here");
    return weir_schema_check(rule->additional, value, place, run);
}

static bool check_member(const struct weir_schema_object_rule *rule,
    const struct weir_schema_property *property, struct weir_bytes name, const json_t *value,
    const struct weir_schema_place *place, struct weir_schema_run *run)
{
    bool valid = true, known = property != NULL && property->node != NULL;

    if (known && !weir_schema_check(property->node, value, place, run))
        valid = false;
    if (rule->pattern_count > 0 && !check_patterns(rule, name, value, place, run, &known))
        valid = false;
    if (!known && rule->additional != NULL && !check_additional(rule, value, place, run))
        valid = false;
    if (rule->names != NULL && !check_name(rule->names, name, place, run))
        valid = false;
    return valid;
}

bool weir_schema_check_object(const struct weir_schema_object_rule *rule, const json_t *value,
    const struct weir_schema_place *place, struct weir_schema_run *run)
{
    json_t *object = (json_t *)(uintptr_t)value; /* jansson's iterators are not const */
    bool valid = check_size(rule, json_object_size(object), place, run);
    size_t required = 0;

    for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at)) {
        struct weir_bytes name = weir_bytes(json_object_iter_key(at), json_object_iter_key_len(at));
        const struct weir_schema_property *property = weir_schema_property_find(rule, name);
        const struct weir_schema_place member = weir_schema_member(place, name.data, name.len);
        required += property != NULL && property->required;
        if (!check_member(rule, property, name, json_object_iter_value(at), &member, run) ||
            (property != NULL && !check_dependents(property, value, place, run)))
            valid = false;
        if (!valid && weir_schema_enough(run))
            return false;
    }
    return required == rule->required_count ? valid : tell_missing(rule, object, place, run);
}
