/* One node against one value, and what frames it: limits, violations, places. */
#include "common/schema_node.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- places ---- */

/* RFC 6901 §3; false when it does not fit. */
static bool write_name(const char *name, size_t len, char *out, size_t size, size_t *at)
{
    for (size_t i = 0; i < len; i++) {
        if (*at + 3 > size)
            return false;
        bool escaped = name[i] == '~' || name[i] == '/';
        if (escaped)
            out[(*at)++] = '~';
        out[(*at)++] = !escaped ? name[i] : name[i] == '~' ? '0' : '1';
    }
    return true;
}

static bool write_step(const struct weir_schema_place *place, char *out, size_t size, size_t *at)
{
    if (*at + 24 > size)
        return false;
    if (place->name == NULL) {
        *at += (size_t)snprintf(out + *at, size - *at, "/%zu", place->index);
        return true;
    }
    out[(*at)++] = '/';
    return write_name(place->name, place->name_len, out, size, at);
}

static bool write_place(const struct weir_schema_place *place, char *out, size_t size, size_t *at)
{
    if (place->parent == NULL)
        return true;
    if (!write_place(place->parent, out, size, at))
        return false;
    size_t begin = *at;
    bool whole = write_step(place, out, size, at);
    if (!whole)
        *at = begin;
    return whole;
}

void weir_schema_pointer(const struct weir_schema_place *place, char *out, size_t size)
{
    size_t at = 0;
    (void)write_place(place, out, size, &at);
    out[at] = '\0';
}

/* ---- violations ---- */

/* The next free one, NULL when there may be no more. Grows by doubling; it is empty at first. */
static struct weir_schema_violation *next_violation(struct weir_schema_violations *violations)
{
    size_t count = violations->count;

    if (count < WEIR_SCHEMA_VIOLATIONS_MAX && (count & (count - 1)) == 0) {
        size_t capacity = count == 0 ? 1 : 2 * count;
        struct weir_schema_violation *grown = realloc(violations->list, capacity * sizeof(*grown));
        if (grown == NULL) {
            violations->more = true;
            return NULL;
        }
        violations->list = grown;
    }
    violations->more |= count == WEIR_SCHEMA_VIOLATIONS_MAX;
    return count < WEIR_SCHEMA_VIOLATIONS_MAX ? &violations->list[violations->count++] : NULL;
}

/* Text cut at the limit still has to end at the end of a character. */
static void cut_text(char *text, size_t size)
{
    size_t len = strlen(text), at = 0;
    if (len + 1 < size)
        return;
    for (size_t step; (step = weir_utf8_next(weir_bytes(text + at, len - at))) > 0;)
        at += step;
    text[at] = '\0';
}

bool weir_schema_violated(
    struct weir_schema_run *run, const struct weir_schema_place *place, const char *format, ...)
{
    if (weir_schema_enough(run))
        return false;
    struct weir_schema_violation *violation = next_violation(run->violations);
    if (violation == NULL)
        return false;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(violation->detail, sizeof(violation->detail), format, arguments);
    va_end(arguments);
    cut_text(violation->detail, sizeof(violation->detail));
    weir_schema_pointer(place, violation->pointer, sizeof(violation->pointer));
    return false;
}

bool weir_schema_stop(struct weir_schema_run *run, const struct weir_schema_place *place, const char *detail)
{
    weir_schema_violated(run, place, "%s", detail);
    if (run->stopped == NULL)
        run->stopped = detail;
    return false;
}

void weir_schema_violations_done(struct weir_schema_violations *violations)
{
    free(violations->list);
    *violations = (struct weir_schema_violations){0};
}

/* ---- the check ---- */

static bool check_kind(const struct weir_schema_node *node, enum weir_schema_kind kind,
    const struct weir_schema_place *place, struct weir_schema_run *run)
{
    char wanted[128] = "";
    size_t len = 0;

    if ((node->kinds & kind) != 0)
        return true;
    if (weir_schema_enough(run))
        return false;
    unsigned left = node->kinds;
    if ((left & WEIR_KIND_FRACTION) != 0)
        left &= ~(unsigned)WEIR_KIND_INTEGER; /* together they are called a number */
    for (unsigned bit = 1; bit < WEIR_KIND_ANY; bit <<= 1)
        if ((left & bit) != 0)
            len += (size_t)snprintf(wanted + len, sizeof(wanted) - len, "%s%s", len > 0 ? " or " : "",
                weir_schema_kind_name((enum weir_schema_kind)bit));
    return weir_schema_violated(run, place, "has to be %s, not %s", wanted, weir_schema_kind_name(kind));
}

static bool is_choice(const json_t *choices, const json_t *value)
{
    for (size_t i = 0; i < json_array_size(choices); i++)
        if (weir_schema_equal(json_array_get(choices, i), value))
            return true;
    return false;
}

/* "CREATED", 17, …: as they stand in the schema, as many as fit. */
static void write_value(const json_t *value, char *out, size_t size)
{
    size_t len = json_dumpb(value, out, size - 1, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15));
    if (len > size - 1)
        len = (size_t)snprintf(out, size, "…");
    out[len] = '\0';
}

static void write_choices(const json_t *choices, char *out, size_t size)
{
    char text[64];
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < json_array_size(choices) && len < size - sizeof(text) - 8; i++) {
        write_value(json_array_get(choices, i), text, sizeof(text));
        len += (size_t)snprintf(out + len, size - len, "%s%s", i > 0 ? ", " : "", text);
        if (i + 1 < json_array_size(choices) && len >= size - sizeof(text) - 8)
            snprintf(out + len, size - len, ", …");
    }
}

static bool check_choice(const struct weir_schema_node *node, const json_t *value,
    const struct weir_schema_place *place, struct weir_schema_run *run)
{
    char text[200];

    if (node->constant != NULL && !weir_schema_equal(node->constant, value)) {
        write_value(node->constant, text, sizeof(text));
        return weir_schema_violated(run, place, "has to be %s", text);
    }
    if (node->choices != NULL && !is_choice(node->choices, value)) {
        write_choices(node->choices, text, sizeof(text));
        return weir_schema_violated(run, place, "has to be one of %s", text);
    }
    return true;
}

/* The rules for this kind of value alone. */
static bool check_rules(const struct weir_schema_node *node, const json_t *value,
    const struct weir_schema_place *place, struct weir_schema_run *run)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return node->object == NULL || weir_schema_check_object(node->object, value, place, run);
    case JSON_ARRAY:
        return node->array == NULL || weir_schema_check_array(node->array, value, place, run);
    case JSON_STRING:
        return node->string == NULL ||
               weir_schema_check_string(
                   node->string, weir_bytes(json_string_value(value), json_string_length(value)), place, run);
    case JSON_INTEGER:
    case JSON_REAL:
        return node->number == NULL || weir_schema_check_number(node->number, value, place, run);
    default:
        return true;
    }
}

static bool check_node(const struct weir_schema_node *node, const json_t *value,
    const struct weir_schema_place *place, struct weir_schema_run *run)
{
    if (node->never)
        return weir_schema_violated(run, place, "is not allowed here");
    if (node->kinds != WEIR_KIND_ANY && !check_kind(node, weir_schema_kind_of(value), place, run))
        return false;
    bool valid = (node->constant == NULL && node->choices == NULL) || check_choice(node, value, place, run);
    if (!valid && weir_schema_enough(run))
        return false;
    if (!check_rules(node, value, place, run))
        valid = false;
    if (!valid && weir_schema_enough(run))
        return false;
    if (node->combination != NULL && !weir_schema_check_combination(node->combination, value, place, run))
        valid = false;
    return valid && weir_schema_check_unevaluated(node, value, place, run);
}

bool weir_schema_check(const struct weir_schema_node *node, const json_t *value,
    const struct weir_schema_place *place, struct weir_schema_run *run)
{
    const struct weir_schema_scope scope = {run->scope, node->resource};

    if (run->stopped != NULL)
        return false;
    if (run->steps == WEIR_SCHEMA_STEPS_MAX)
        return weir_schema_stop(run, place, "the document takes too many steps to check");
    if (run->depth == WEIR_SCHEMA_DEPTH_MAX)
        return weir_schema_stop(run, place, "the document and its schema nest too deeply to be checked");
    run->steps++;
    run->depth++;
    run->scope = &scope;
    bool valid = check_node(node, value, place, run);
    run->scope = scope.outer;
    run->depth--;
    return valid;
}

bool weir_schema_matches(
    const struct weir_schema_node *node, const json_t *value, struct weir_schema_run *run)
{
    static const struct weir_schema_place nowhere = {0};
    struct weir_schema_violations *violations = run->violations;

    run->violations = NULL;
    bool valid = weir_schema_check(node, value, &nowhere, run);
    run->violations = violations;
    return valid;
}

bool weir_schema_validate(
    const struct weir_schema *schema, const json_t *value, struct weir_schema_violations *ret_violations)
{
    static const struct weir_schema_place root = {0};
    struct weir_schema_run run = {.violations = ret_violations};

    bool valid = weir_schema_check(schema->root, value, &root, &run);
    if (run.stopped == NULL)
        return valid;
    /* A limit that was hit where nobody was told. */
    struct weir_schema_run tell = {.violations = ret_violations};
    if (ret_violations != NULL && ret_violations->count == 0)
        weir_schema_violated(&tell, &root, "%s", run.stopped);
    return false;
}
