/* How a schema becomes nodes, for common/schema*.c only: a keyword is a row of a table beside the check that
 * it is for. */
#ifndef WEIR_COMMON_SCHEMA_COMPILE_H
#define WEIR_COMMON_SCHEMA_COMPILE_H

#include "common/schema_node.h"

enum { WEIR_DRAFT_7 = 1, WEIR_DRAFT_2020 = 2, WEIR_DRAFT_ANY = WEIR_DRAFT_7 | WEIR_DRAFT_2020 };

struct weir_schema_reference;

struct weir_schema_compiler {
    struct weir_schema *schema;
    const char *file;
    bool assert_formats;
    struct weir_schema_resource *resource;    /* that is being compiled */
    struct weir_schema_reference *references; /* to be led somewhere once every node is there */
    struct weir_error *err;
};

struct weir_schema_keyword {
    const char *name;
    unsigned drafts;
    /* value: the keyword's, at place. NULL: the keyword says nothing about validity. */
    int (*compile)(struct weir_schema_compiler *compiler, const struct weir_schema_keyword *keyword,
        struct weir_schema_node *node, json_t *value, const struct weir_schema_place *place);
    size_t offset; /* of the rule's member, where several keywords share `compile` */
};

/* Each ends with a row without a name. */
extern const struct weir_schema_keyword weir_schema_any_keywords[], weir_schema_number_keywords[],
    weir_schema_string_keywords[], weir_schema_array_keywords[], weir_schema_object_keywords[],
    weir_schema_combination_keywords[], weir_schema_reference_keywords[];

/* Compiles one schema (an object or a boolean) and all within it. */
int weir_schema_compile(struct weir_schema_compiler *compiler, json_t *source,
    const struct weir_schema_place *place, const struct weir_schema_node **ret_node);
/* A non-empty array of schemas. */
int weir_schema_compile_list(struct weir_schema_compiler *compiler, json_t *source,
    const struct weir_schema_place *place, struct weir_schema_nodes *ret_nodes);
/* The keyword's schema into the member at keyword->offset of rule. */
int weir_schema_compile_into(struct weir_schema_compiler *compiler, const struct weir_schema_keyword *keyword,
    void *rule, json_t *source, const struct weir_schema_place *place);
/* A count (0, 1, 2.0, …) into the same. */
int weir_schema_read_count(struct weir_schema_compiler *compiler, const struct weir_schema_keyword *keyword,
    void *rule, const json_t *value, const struct weir_schema_place *place);
/* Whether value is an array of strings, no two alike; refused else. */
int weir_schema_read_names(
    struct weir_schema_compiler *compiler, const json_t *value, const struct weir_schema_place *place);
int weir_schema_compile_pattern(struct weir_schema_compiler *compiler, const char *text, size_t len,
    const struct weir_schema_place *place, const struct weir_schema_pattern **ret_pattern);

/* `$id`: begins a resource where it is one; the caller puts compiler->resource back. */
int weir_schema_enter_resource(struct weir_schema_compiler *compiler, struct weir_schema_node *node,
    const struct weir_schema_place *place);
/* Leads every reference to its node, which is compiled now where no keyword led to it; then refuses those
 * that lead back to themselves. */
int weir_schema_resolve(struct weir_schema_compiler *compiler);
int weir_schema_refuse_loops(struct weir_schema_compiler *compiler);

/* `reference` (RFC 3986) seen from base, without its fragment; the fragment's place in reference, or NULL.
 * Allocated in the schema. */
const char *weir_schema_uri(
    struct weir_schema *schema, const char *base, const char *reference, const char **ret_fragment);

/* WEIR_E_CONFIG with file, place and the sentence. */
int weir_schema_refuse(struct weir_schema_compiler *compiler, const struct weir_schema_place *place,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
int weir_schema_no_memory(struct weir_schema_compiler *compiler);

#endif
