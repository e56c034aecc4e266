/* The compiled form of a schema, for common/schema*.c only. A node is one schema; rules that only concern one
 * kind of value hang below it, so that a value meets none that is not for it. All of it lives in the schema's
 * arena and is read-only once compiled.
 *
 * Each schema_<kind>.c holds one kind's keywords: the table by which they are compiled, and the check of a
 * value. */
#ifndef WEIR_COMMON_SCHEMA_NODE_H
#define WEIR_COMMON_SCHEMA_NODE_H

#include "common/schema.h"

#include <stdint.h>

/* What a value is; a number without a fraction is an integer, however it was written. */
enum weir_schema_kind {
    WEIR_KIND_NULL = 1,
    WEIR_KIND_BOOLEAN = 2,
    WEIR_KIND_OBJECT = 4,
    WEIR_KIND_ARRAY = 8,
    WEIR_KIND_STRING = 16,
    WEIR_KIND_INTEGER = 32,
    WEIR_KIND_FRACTION = 64,
    WEIR_KIND_ANY = 127,
};

struct weir_schema_node;
struct weir_schema_pattern;

struct weir_schema_nodes {
    const struct weir_schema_node **list;
    size_t count;
};

/* digits × 10^exponent, whatever its sign. */
struct weir_decimal {
    uint64_t digits;
    int exponent;
};

struct weir_schema_number_rule {
    const json_t *minimum, *maximum, *above, *below; /* the latter two exclusive; NULL: none */
    const json_t *multiple_of;
    struct weir_decimal divisor;
    double scale; /* of a divisor that is digits / scale with both exact; 0: it is not */
};

struct weir_schema_string_rule {
    size_t min_length, max_length; /* code points */
    const struct weir_schema_pattern *pattern;
    const struct weir_schema_format *format;
};

struct weir_schema_array_rule {
    struct weir_schema_nodes prefix;
    const struct weir_schema_node *rest;     /* beyond the prefix; NULL: anything */
    const struct weir_schema_node *contains; /* NULL: not asked */
    const struct weir_schema_node *unevaluated;
    size_t min_contains, max_contains, min_items, max_items;
    bool unique;
};

/* One name that an object's rule knows. */
struct weir_schema_property {
    struct weir_bytes name;
    uint32_t hash;
    bool required;
    const struct weir_schema_node *node;      /* NULL: the name is only required */
    const struct weir_schema_node *dependent; /* what the object has to be when it has the member */
    const json_t *dependent_names;            /* what it has to have then: an array of strings */
};

struct weir_schema_name_pattern {
    const struct weir_schema_pattern *pattern;
    const struct weir_schema_node *node;
};

struct weir_schema_object_rule {
    struct weir_schema_property *table; /* open addressing; table_size is a power of two, or 0 */
    size_t table_size, property_count, required_count, dependent_count;
    struct weir_schema_name_pattern *patterns;
    size_t pattern_count;
    const struct weir_schema_node *additional, *names, *unevaluated;
    size_t min_properties, max_properties;
};

/* Keywords that put schemas together on the same value. */
struct weir_schema_combination {
    const struct weir_schema_node *reference;
    const struct weir_schema_node *dynamic_reference; /* unless the dynamic scope knows the name */
    const char *dynamic_name;                         /* NULL: it is a plain reference after all */
    struct weir_schema_nodes all, any, one;
    const struct weir_schema_node * not, *condition, *then, *otherwise;
};

/* A document, or an embedded one with an `$id` of its own. */
struct weir_schema_anchor {
    struct weir_schema_anchor *next;
    const char *name;
    const struct weir_schema_node *node;
    bool dynamic;
};

struct weir_schema_resource {
    struct weir_schema_resource *next;
    const char *uri; /* absolute, without a fragment; "" when the file gives none */
    struct weir_schema_node *root;
    struct weir_schema_anchor *anchors;
    unsigned draft;
};

struct weir_schema_node {
    unsigned kinds;
    bool never; /* the schema false */
    const struct weir_schema_resource *resource;
    const json_t *constant, *choices;
    struct weir_schema_number_rule *number;
    struct weir_schema_string_rule *string;
    struct weir_schema_array_rule *array;
    struct weir_schema_object_rule *object;
    struct weir_schema_combination *combination;
    struct weir_schema_node *next; /* of all nodes */
    const json_t *source;
    unsigned mark; /* of the search for loops */
};

struct weir_schema_block {
    struct weir_schema_block *next;
    _Alignas(16) char bytes[];
};

struct weir_schema {
    json_t *document;
    struct weir_schema_block *blocks;
    struct weir_schema_pattern *patterns;
    struct weir_schema_resource *resources;
    struct weir_schema_node *nodes;
    const struct weir_schema_node *root;
};

/* Zeroed memory that lives as long as the schema; NULL when memory is out. */
void *weir_schema_alloc(struct weir_schema *schema, size_t size);

/* ---- the place of a value (or of a schema in its file), built on the stack while going down ---- */

struct weir_schema_place {
    const struct weir_schema_place *parent; /* NULL: the root, whose other members are not looked at */
    const char *name;                       /* NULL: `index` */
    size_t name_len, index;
};

static inline struct weir_schema_place weir_schema_member(
    const struct weir_schema_place *parent, const char *name, size_t len)
{
    return (struct weir_schema_place){parent, name, len, 0};
}

static inline struct weir_schema_place weir_schema_item(const struct weir_schema_place *parent, size_t index)
{
    return (struct weir_schema_place){parent, NULL, 0, index};
}

/* Writes the JSON Pointer, of the nearest ancestor that fits. */
void weir_schema_pointer(const struct weir_schema_place *place, char *out, size_t size);

/* ---- checking ---- */

struct weir_schema_scope {
    const struct weir_schema_scope *outer;
    const struct weir_schema_resource *resource;
};

struct weir_schema_run {
    struct weir_schema_violations *violations; /* NULL: only whether */
    const struct weir_schema_scope *scope;
    size_t steps, depth;
    const char *stopped; /* the limit that was hit: whatever comes is invalid; NULL: none */
};

/* Whether value is valid against node. */
bool weir_schema_check(const struct weir_schema_node *node, const json_t *value,
    const struct weir_schema_place *place, struct weir_schema_run *run);
/* The same without telling why not. */
bool weir_schema_matches(
    const struct weir_schema_node *node, const json_t *value, struct weir_schema_run *run);

/* Adds a violation where they are told. Answers false. */
bool weir_schema_violated(struct weir_schema_run *run, const struct weir_schema_place *place,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same and stops: the limit that is told was hit. */
bool weir_schema_stop(struct weir_schema_run *run, const struct weir_schema_place *place, const char *detail);
/* After a violation: whether nobody wants to hear of another. */
static inline bool weir_schema_enough(const struct weir_schema_run *run)
{
    return run->violations == NULL || run->stopped != NULL;
}

bool weir_schema_check_number(const struct weir_schema_number_rule *rule, const json_t *value,
    const struct weir_schema_place *place, struct weir_schema_run *run);
bool weir_schema_check_string(const struct weir_schema_string_rule *rule, struct weir_bytes text,
    const struct weir_schema_place *place, struct weir_schema_run *run);
bool weir_schema_check_array(const struct weir_schema_array_rule *rule, const json_t *value,
    const struct weir_schema_place *place, struct weir_schema_run *run);
bool weir_schema_check_object(const struct weir_schema_object_rule *rule, const json_t *value,
    const struct weir_schema_place *place, struct weir_schema_run *run);
bool weir_schema_check_combination(const struct weir_schema_combination *combination, const json_t *value,
    const struct weir_schema_place *place, struct weir_schema_run *run);
/* unevaluatedItems and unevaluatedProperties, once all else is valid. */
bool weir_schema_check_unevaluated(const struct weir_schema_node *node, const json_t *value,
    const struct weir_schema_place *place, struct weir_schema_run *run);

/* Where a reference leads: the dynamic one in the scope of the run. */
const struct weir_schema_node *weir_schema_dynamic_target(
    const struct weir_schema_combination *combination, const struct weir_schema_run *run);

enum weir_schema_kind weir_schema_kind_of(const json_t *value);

static inline const char *weir_schema_plural(size_t count)
{
    return count == 1 ? "" : "s";
}

/* "a string", "an integer": for sentences. */
const char *weir_schema_kind_name(enum weir_schema_kind kind);

/* Equal as JSON Schema has it: 1 is 1.0, members in any order. */
bool weir_schema_equal(const json_t *a, const json_t *b);
/* Equal values have equal hashes; the seed is the process's own, so that nobody can make many values of one
 * hash. */
uint64_t weir_schema_hash(const json_t *value);
/* All items differ. */
bool weir_schema_unique(const json_t *array, size_t *ret_first, size_t *ret_second);

/* < 0, 0, > 0: both are numbers; exact. */
int weir_schema_compare(const json_t *a, const json_t *b);

size_t weir_schema_code_points(struct weir_bytes text);

/* NULL when the rule does not know the name. */
const struct weir_schema_property *weir_schema_property_find(
    const struct weir_schema_object_rule *rule, struct weir_bytes name);

enum weir_schema_match { WEIR_MATCH_NO, WEIR_MATCH_YES, WEIR_MATCH_LIMIT };
enum weir_schema_match weir_schema_pattern_match(
    const struct weir_schema_pattern *pattern, struct weir_bytes text);
const char *weir_schema_pattern_text(const struct weir_schema_pattern *pattern);
void weir_schema_patterns_free(struct weir_schema_pattern *patterns);

struct weir_schema_format {
    const char *name;
    const char *what; /* "a date and time of RFC 3339" */
    bool (*is_valid)(struct weir_bytes text);
};
/* NULL: it can't be asserted. */
const struct weir_schema_format *weir_schema_format_find(const char *name);

#endif
