/* From a schema's text to nodes. */
#include "common/schema_compile.h"

#include "common/file.h"
#include "common/json.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void *weir_schema_alloc(struct weir_schema *schema, size_t size)
{
    struct weir_schema_block *block = calloc(1, sizeof(*block) + size);
    if (block == NULL)
        return NULL;
    block->next = schema->blocks;
    schema->blocks = block;
    return block->bytes;
}

/* ---- refusals ---- */

int weir_schema_refuse(
    struct weir_schema_compiler *compiler, const struct weir_schema_place *place, const char *format, ...)
{
    char pointer[200], text[WEIR_ERROR_TEXT_BYTES];
    va_list arguments;

    weir_schema_pointer(place, pointer, sizeof(pointer));
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return weir_error_set(compiler->err, WEIR_E_CONFIG, "%s: \"%s\": %s", compiler->file, pointer, text);
}

int weir_schema_no_memory(struct weir_schema_compiler *compiler)
{
    return weir_error_set(compiler->err, WEIR_E_INTERNAL, "%s: out of memory", compiler->file);
}

/* ---- values of keywords ---- */

static bool read_whole_number(const json_t *value, double *ret_number)
{
    *ret_number = json_number_value(value);
    return json_is_number(value) && weir_schema_kind_of(value) == WEIR_KIND_INTEGER && *ret_number >= 0;
}

int weir_schema_read_count(struct weir_schema_compiler *compiler, const struct weir_schema_keyword *keyword,
    void *rule, const json_t *value, const struct weir_schema_place *place)
{
    double number;
    if (!read_whole_number(value, &number))
        return weir_schema_refuse(compiler, place, "has to be an integer of at least 0");
    *(size_t *)(void *)((char *)rule + keyword->offset) = number < 1e18 ? (size_t)number : SIZE_MAX;
    return 0;
}

int weir_schema_read_names(
    struct weir_schema_compiler *compiler, const json_t *value, const struct weir_schema_place *place)
{
    size_t first, second;

    if (!json_is_array(value))
        return weir_schema_refuse(compiler, place, "has to be an array of strings");
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!json_is_string(json_array_get(value, i)))
            return weir_schema_refuse(compiler, place, "has to be an array of strings");
    if (!weir_schema_unique(value, &first, &second))
        return weir_schema_refuse(
            compiler, place, "names %s twice", json_string_value(json_array_get(value, second)));
    return 0;
}

int weir_schema_compile_into(struct weir_schema_compiler *compiler, const struct weir_schema_keyword *keyword,
    void *rule, json_t *source, const struct weir_schema_place *place)
{
    return weir_schema_compile(
        compiler, source, place, (const struct weir_schema_node **)(void *)((char *)rule + keyword->offset));
}

int weir_schema_compile_list(struct weir_schema_compiler *compiler, json_t *source,
    const struct weir_schema_place *place, struct weir_schema_nodes *ret_nodes)
{
    size_t count = json_array_size(source);
    int code = 0;

    if (count == 0)
        return weir_schema_refuse(compiler, place, "has to be an array of at least one schema");
    ret_nodes->list = weir_schema_alloc(compiler->schema, count * sizeof(*ret_nodes->list));
    if (ret_nodes->list == NULL)
        return weir_schema_no_memory(compiler);
    while (ret_nodes->count < count && code == 0) {
        size_t i = ret_nodes->count++;
        const struct weir_schema_place item = weir_schema_item(place, i);
        code = weir_schema_compile(compiler, json_array_get(source, i), &item, &ret_nodes->list[i]);
    }
    return code;
}

/* ---- schemas ---- */

static const struct weir_schema_keyword *const tables[] = {weir_schema_any_keywords,
    weir_schema_number_keywords, weir_schema_string_keywords, weir_schema_array_keywords,
    weir_schema_object_keywords, weir_schema_combination_keywords, weir_schema_reference_keywords};

static const struct weir_schema_keyword *find_keyword(const char *name)
{
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        for (const struct weir_schema_keyword *row = tables[i]; row->name != NULL; row++)
            if (strcmp(row->name, name) == 0)
                return row;
    return NULL;
}

static const char *draft_name(unsigned draft)
{
    return draft == WEIR_DRAFT_7 ? "draft-07" : "draft 2020-12";
}

static int compile_keyword(struct weir_schema_compiler *compiler, struct weir_schema_node *node,
    const char *name, json_t *value, const struct weir_schema_place *place)
{
    const struct weir_schema_keyword *keyword = find_keyword(name);

    if (keyword == NULL && strncmp(name, "x-", 2) == 0)
        return 0;
    if (keyword == NULL)
        return weir_schema_refuse(compiler, place, "the keyword %s is not known here", name);
    if ((keyword->drafts & compiler->resource->draft) == 0)
        return weir_schema_refuse(
            compiler, place, "the keyword %s is not one of %s", name, draft_name(compiler->resource->draft));
    return keyword->compile == NULL ? 0 : keyword->compile(compiler, keyword, node, value, place);
}

/* Draft-07: beside a $ref nothing else counts. */
static int compile_keywords(struct weir_schema_compiler *compiler, struct weir_schema_node *node,
    const struct weir_schema_place *place)
{
    json_t *source = (json_t *)(uintptr_t)node->source;
    bool only_reference =
        compiler->resource->draft == WEIR_DRAFT_7 && json_object_get(source, "$ref") != NULL;
    int code = 0;

    for (void *at = json_object_iter(source); at != NULL && code == 0;
         at = json_object_iter_next(source, at)) {
        const char *name = json_object_iter_key(at);
        const struct weir_schema_place member = weir_schema_member(place, name, json_object_iter_key_len(at));
        bool counts = !only_reference || strcmp(name, "$ref") == 0 || strcmp(name, "definitions") == 0;
        if (counts)
            code = compile_keyword(compiler, node, name, json_object_iter_value(at), &member);
    }
    return code;
}

static const struct weir_schema_node always = {.kinds = WEIR_KIND_ANY};
static const struct weir_schema_node never = {.kinds = WEIR_KIND_ANY, .never = true};

int weir_schema_compile(struct weir_schema_compiler *compiler, json_t *source,
    const struct weir_schema_place *place, const struct weir_schema_node **ret_node)
{
    struct weir_schema_resource *outer = compiler->resource;

    if (json_is_boolean(source)) {
        *ret_node = json_is_true(source) ? &always : &never;
        return 0;
    }
    if (!json_is_object(source))
        return weir_schema_refuse(compiler, place, "has to be a schema: an object, true or false");
    struct weir_schema_node *node = weir_schema_alloc(compiler->schema, sizeof(*node));
    if (node == NULL)
        return weir_schema_no_memory(compiler);
    node->kinds = WEIR_KIND_ANY;
    node->source = source;
    node->next = compiler->schema->nodes;
    compiler->schema->nodes = node;
    *ret_node = node;
    int code = weir_schema_enter_resource(compiler, node, place);
    if (code == 0)
        code = compile_keywords(compiler, node, place);
    compiler->resource = outer;
    return code;
}

/* ---- a file ---- */

static int compile_document(struct weir_schema_compiler *compiler)
{
    static const struct weir_schema_place root = {0};

    int code = weir_schema_compile(compiler, compiler->schema->document, &root, &compiler->schema->root);
    if (code == 0)
        code = weir_schema_resolve(compiler);
    return code == 0 ? weir_schema_refuse_loops(compiler) : code;
}

int weir_schema_parse(const char *name, struct weir_bytes text, bool assert_formats,
    struct weir_schema **ret_schema, struct weir_error *err)
{
    WEIR_CLEANUP(schema) struct weir_schema *schema = calloc(1, sizeof(*schema));
    struct weir_schema_compiler compiler = {schema, name, assert_formats, .err = err};

    if (schema == NULL)
        return weir_schema_no_memory(&compiler);
    int code = weir_json_parse(text, &schema->document, err);
    if (code < 0) {
        weir_error_prefix(err, "%s", name);
        return code == WEIR_E_INVALID ? WEIR_E_CONFIG : code;
    }
    code = compile_document(&compiler);
    if (code == 0)
        *ret_schema = weir_steal(schema);
    return code;
}

int weir_schema_load(
    const char *path, bool assert_formats, struct weir_schema **ret_schema, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer text = {0};

    int code = weir_file_read(path, WEIR_SCHEMA_FILE_BYTES_MAX, &text, NULL, err);
    return code < 0 ? code
                    : weir_schema_parse(path, weir_buffer_bytes(&text), assert_formats, ret_schema, err);
}

void weir_schema_free(struct weir_schema *schema)
{
    if (schema == NULL)
        return;
    weir_schema_patterns_free(schema->patterns);
    while (schema->blocks != NULL) {
        struct weir_schema_block *block = schema->blocks;
        schema->blocks = block->next;
        free(block);
    }
    json_decref(schema->document);
    free(schema);
}
