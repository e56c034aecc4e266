/* What concerns values of any kind: type, enum, const; and keywords that say nothing about validity. */
#include "common/schema_compile.h"

#include <math.h>
#include <string.h>

enum weir_schema_kind weir_schema_kind_of(const json_t *value)
{
    static const enum weir_schema_kind kinds[] = {
        [JSON_OBJECT] = WEIR_KIND_OBJECT,
        [JSON_ARRAY] = WEIR_KIND_ARRAY,
        [JSON_STRING] = WEIR_KIND_STRING,
        [JSON_INTEGER] = WEIR_KIND_INTEGER,
        [JSON_REAL] = WEIR_KIND_FRACTION,
        [JSON_TRUE] = WEIR_KIND_BOOLEAN,
        [JSON_FALSE] = WEIR_KIND_BOOLEAN,
        [JSON_NULL] = WEIR_KIND_NULL,
    };
    if (json_is_real(value) && trunc(json_real_value(value)) == json_real_value(value))
        return WEIR_KIND_INTEGER;
    return kinds[json_typeof(value)];
}

static const struct {
    const char *name;    /* in schemas */
    const char *article; /* in sentences */
    unsigned kinds;
} types[] = {
    {"null", "null", WEIR_KIND_NULL},
    {"boolean", "true or false", WEIR_KIND_BOOLEAN},
    {"object", "an object", WEIR_KIND_OBJECT},
    {"array", "an array", WEIR_KIND_ARRAY},
    {"string", "a string", WEIR_KIND_STRING},
    {"integer", "an integer", WEIR_KIND_INTEGER},
    {"number", "a number", WEIR_KIND_INTEGER | WEIR_KIND_FRACTION},
};
enum { TYPES = sizeof(types) / sizeof(types[0]) };

const char *weir_schema_kind_name(enum weir_schema_kind kind)
{
    size_t i = 0;
    while (i < TYPES - 1 && (types[i].kinds & kind) == 0)
        i++;
    return types[i].article;
}

/* ---- keywords ---- */

static int read_type(struct weir_schema_compiler *compiler, struct weir_schema_node *node,
    const json_t *value, const struct weir_schema_place *place)
{
    const char *name = json_string_value(value);
    for (size_t i = 0; name != NULL && i < TYPES; i++) {
        if (strcmp(types[i].name, name) != 0)
            continue;
        node->kinds |= types[i].kinds;
        return 0;
    }
    return weir_schema_refuse(compiler, place,
        "has to be null, boolean, object, array, string, number or integer, or an array of these");
}

static int compile_type(struct weir_schema_compiler *compiler, const struct weir_schema_keyword *keyword,
    struct weir_schema_node *node, json_t *value, const struct weir_schema_place *place)
{
    (void)keyword;
    int code = 0;

    node->kinds = 0;
    if (json_is_string(value))
        return read_type(compiler, node, value, place);
    code = weir_schema_read_names(compiler, value, place);
    if (code == 0 && json_array_size(value) == 0)
        return weir_schema_refuse(compiler, place, "has to name at least one type");
    for (size_t i = 0; i < json_array_size(value) && code == 0; i++) {
        const struct weir_schema_place item = weir_schema_item(place, i);
        code = read_type(compiler, node, json_array_get(value, i), &item);
    }
    return code;
}

static int compile_enum(struct weir_schema_compiler *compiler, const struct weir_schema_keyword *keyword,
    struct weir_schema_node *node, json_t *value, const struct weir_schema_place *place)
{
    (void)keyword;
    if (!json_is_array(value))
        return weir_schema_refuse(compiler, place, "has to be an array");
    node->choices = value;
    return 0;
}

static int compile_const(struct weir_schema_compiler *compiler, const struct weir_schema_keyword *keyword,
    struct weir_schema_node *node, json_t *value, const struct weir_schema_place *place)
{
    (void)compiler, (void)keyword, (void)place;
    node->constant = value;
    return 0;
}

#define NOTE(name)                                                                                           \
    {                                                                                                        \
        name, WEIR_DRAFT_ANY, NULL, 0                                                                        \
    }

const struct weir_schema_keyword weir_schema_any_keywords[] = {
    {"type", WEIR_DRAFT_ANY, compile_type, 0},
    {"enum", WEIR_DRAFT_ANY, compile_enum, 0},
    {"const", WEIR_DRAFT_ANY, compile_const, 0},
    NOTE("title"),
    NOTE("description"),
    NOTE("default"),
    NOTE("examples"),
    NOTE("deprecated"),
    NOTE("readOnly"),
    NOTE("writeOnly"),
    NOTE("$comment"),
    {0},
};
