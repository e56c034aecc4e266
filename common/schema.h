/* JSON Schema, draft 2020-12 and draft-07: compiled once, then asked about any number of values.
 *
 * A schema file says its draft in `$schema` (without it: 2020-12). What the compiler does not know it
 * refuses, by name and with the place in the file, so that no rule is silently without effect: other drafts,
 * unknown keywords (but those that begin with x-), `$ref` to another document, `format` that can't be
 * asserted where it has to be. Sources: the specifications at json-schema.org, RFC 6901 (pointers), RFC 3986
 * (`$id`), ECMA-262 for `pattern` as far as PCRE2 reads it alike. Numbers are compared exactly, as the
 * decimals that their shortest form is.
 *
 * Work is bounded by the size of the document, also under a hostile one: see WEIR_SCHEMA_STEPS_MAX.
 *
 *     struct weir_schema_violations violations = {0};
 *     if (!weir_schema_validate(schema, order, &violations))
 *         for (size_t i = 0; i < violations.count; i++)
 *             printf("%s: %s\n", violations.list[i].pointer, violations.list[i].detail);
 *     weir_schema_violations_done(&violations);
 */
#ifndef WEIR_COMMON_SCHEMA_H
#define WEIR_COMMON_SCHEMA_H

#include "common/bytes.h"
#include "common/cleanup.h"
#include "common/error.h"

#include <jansson.h>

#include <stdbool.h>
#include <stddef.h>

enum {
    WEIR_SCHEMA_FILE_BYTES_MAX = 4 * 1024 * 1024,
    WEIR_SCHEMA_VIOLATIONS_MAX = 32,
    /* Applications of a schema to a value in one validation; beyond, the document counts as invalid. */
    WEIR_SCHEMA_STEPS_MAX = 10 * 1000 * 1000,
    /* The same within one another. */
    WEIR_SCHEMA_DEPTH_MAX = 512,
};

struct weir_schema;

/* Compiles the file `path`. assert_formats: `format` is a rule; else it says nothing about validity. Errors:
 * WEIR_E_NOT_FOUND, WEIR_E_CONFIG, WEIR_E_TOO_LARGE; the text names the file and the JSON Pointer into it.
 * The caller frees *ret_schema. Threads: any. */
int weir_schema_load(
    const char *path, bool assert_formats, struct weir_schema **ret_schema, struct weir_error *err);
/* The same for text in memory; `name` stands for the path in errors. */
int weir_schema_parse(const char *name, struct weir_bytes text, bool assert_formats,
    struct weir_schema **ret_schema, struct weir_error *err);
void weir_schema_free(struct weir_schema *schema);
WEIR_CLEANUP_DEFINE(schema, struct weir_schema *, weir_schema_free)

struct weir_schema_violation {
    char pointer[256]; /* RFC 6901, into the value; of an ancestor where it would be longer */
    char detail[256];  /* a sentence without the full stop: `has to be a string, not an integer` */
};

/* Zeroed before; done afterwards. Holds nothing as long as values are valid. */
struct weir_schema_violations {
    struct weir_schema_violation *list;
    size_t count;
    bool more; /* there are more than are told */
};

/* Whether value is valid. Each violation is added to *ret_violations (NULL: the first one ends the question).
 * A valid value costs no allocation, but for PCRE2's memory at a thread's first pattern and for `uniqueItems`
 * over more than a few items. Threads: any number at once; the value is only read. */
bool weir_schema_validate(
    const struct weir_schema *schema, const json_t *value, struct weir_schema_violations *ret_violations);
void weir_schema_violations_done(struct weir_schema_violations *violations);

static inline void weir_cleanup_schema_violations(struct weir_schema_violations *violations)
{
    weir_schema_violations_done(violations);
}

#endif
