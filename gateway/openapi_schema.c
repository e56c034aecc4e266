#include "gateway/openapi_schema.h"

#include "common/envelope.h"
#include "common/file.h"
#include "common/json.h"
#include "common/schema.h"
#include "gateway/openapi_operations.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define KEY_PATTERN "^[^\\u0000-\\u001f\\u007f-\\u009f]+$"
#define TEXT_PATTERN "^[^\\u0000]*$"

enum { PLACE_BYTES = 80 }; /* of a collection's name and what is behind it */

static int no_memory(struct weir_error *err)
{
    return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
}

/* ---- draft-07's words for what 2020-12 says otherwise ---- */

static void rename_member(json_t *schema, const char *from, const char *to)
{
    json_t *value = json_object_get(schema, from);
    if (value == NULL)
        return;
    json_object_set(schema, to, value);
    json_object_del(schema, from);
}

static void renew_items(json_t *schema)
{
    if (!json_is_array(json_object_get(schema, "items")))
        return;
    rename_member(schema, "items", "prefixItems");
    rename_member(schema, "additionalItems", "items");
}

static void renew_dependencies(json_t *schema)
{
    const char *name;
    json_t *value, *all = json_object_get(schema, "dependencies");
    if (!json_is_object(all))
        return;
    json_t *required = json_object(), *schemas = json_object();
    json_object_foreach(all, name, value)
        json_object_set(json_is_array(value) ? required : schemas, name, value);
    json_object_set_new(schema, "dependentRequired", required);
    json_object_set_new(schema, "dependentSchemas", schemas);
    json_object_del(schema, "dependencies");
}

/* ---- the limits of JSON here ---- */

static json_t *component(const char *name)
{
    WEIR_CLEANUP(buffer) struct weir_buffer place = {0};
    weir_buffer_printf(&place, "#/components/schemas/%s", name);
    return place.failed ? NULL : json_pack("{s:s}", "$ref", place.data);
}

static bool is_type(const json_t *schema, const char *type)
{
    const char *told = json_string_value(json_object_get(schema, "type"));
    return told != NULL && strcmp(told, type) == 0;
}

static void set_missing(json_t *schema, const char *keyword, json_t *value)
{
    if (json_object_get(schema, keyword) == NULL)
        json_object_set(schema, keyword, value);
    json_decref(value);
}

/* A pattern of its own may let U+0000 through. */
static void limit_text(json_t *schema)
{
    json_t *all = json_object_get(schema, "allOf");
    if (json_object_get(schema, "pattern") == NULL) {
        json_object_set_new(schema, "pattern", json_string(TEXT_PATTERN));
        return;
    }
    if (all == NULL && json_object_set_new(schema, "allOf", json_array()) == 0)
        all = json_object_get(schema, "allOf");
    json_array_append_new(all, json_pack("{s:s}", "pattern", TEXT_PATTERN));
}

static void limit_values(json_t *schema)
{
    if (is_type(schema, "integer")) {
        set_missing(schema, "minimum", json_integer(INT64_MIN));
        set_missing(schema, "maximum", json_integer(INT64_MAX));
    }
    if (is_type(schema, "string"))
        limit_text(schema);
    if (is_type(schema, "object") && json_object_get(schema, "additionalProperties") == NULL &&
        json_object_get(schema, "unevaluatedProperties") == NULL) {
        set_missing(schema, "propertyNames", component("Text"));
        set_missing(schema, "additionalProperties", component("Value"));
    }
}

/* ---- references ---- */

/* "#/$defs/a" of a file is "#/components/schemas/orders/$defs/a" here. */
static void lead_reference(json_t *schema, const char *name)
{
    WEIR_CLEANUP(buffer) struct weir_buffer place = {0};
    const char *reference = json_string_value(json_object_get(schema, "$ref"));
    if (reference == NULL || reference[0] != '#' || (reference[1] != '/' && reference[1] != '\0'))
        return;
    weir_buffer_printf(&place, "#/components/schemas/%s%s", name, reference + 1);
    if (!place.failed)
        json_object_set_new(schema, "$ref", json_string(place.data));
}

/* Values that only look like schemas. */
static bool is_data(const char *keyword)
{
    static const char *const names[] = {"const", "enum", "default", "examples", "example"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], keyword) == 0)
            return true;
    }
    return false;
}

/* Keywords whose members are schemas by names of the document's. */
static bool holds_schemas(const char *keyword)
{
    static const char *const names[] = {
        "properties", "patternProperties", "$defs", "definitions", "dependentSchemas"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], keyword) == 0)
            return true;
    }
    return false;
}

struct walk {
    const char *name;
    bool draft7;
    bool nested; /* within a part that has an $id: its references stay within it */
};

static void adapt(json_t *schema, struct walk walk);

static void adapt_members(json_t *members, struct walk walk)
{
    const char *name;
    json_t *value;
    json_object_foreach(members, name, value) adapt(value, walk);
}

static void adapt(json_t *schema, struct walk walk)
{
    const char *keyword;
    size_t i;
    json_t *value, *element;
    if (!json_is_object(schema))
        return;
    walk.nested |= json_object_get(schema, "$id") != NULL;
    if (!walk.nested)
        lead_reference(schema, walk.name);
    if (walk.draft7) {
        renew_items(schema);
        renew_dependencies(schema);
    }
    json_object_foreach(schema, keyword, value)
    {
        if (is_data(keyword))
            continue;
        if (holds_schemas(keyword))
            adapt_members(value, walk);
        else if (strcmp(keyword, "propertyNames") != 0)
            adapt(value, walk);
        json_array_foreach(value, i, element) adapt(element, walk);
    }
    limit_values(schema); /* last: what it adds is right as it is */
}

static int put(json_t *schemas, const char *name, const char *suffix, json_t *schema)
{
    char full[PLACE_BYTES];
    snprintf(full, sizeof(full), "%s%s", name, suffix);
    return json_object_set_new(schemas, full, schema);
}

/* ---- what may be sent ---- */

static json_t *without_required(const json_t *required, const char *key_field)
{
    json_t *rest = json_array(), *name;
    size_t i;
    json_array_foreach(required, i, name)
    {
        if (strcmp(json_string_value(name), key_field) != 0)
            json_array_append(rest, name);
    }
    return rest;
}

/* As the schema has it, and else by the rule of keys. */
static json_t *key_of(const json_t *document, const char *key_field)
{
    json_t *key = json_deep_copy(json_object_get(json_object_get(document, "properties"), key_field));
    if (!json_is_object(key)) {
        json_decref(key);
        return component("Key");
    }
    set_missing(key, "minLength", json_integer(1));
    set_missing(key, "maxLength", json_integer(WEIR_KEY_BYTES));
    const char *pattern = json_string_value(json_object_get(key, "pattern"));
    if (pattern == NULL || strcmp(pattern, TEXT_PATTERN) == 0)
        json_object_set_new(key, "pattern", json_string(KEY_PATTERN));
    set_missing(key, "not", json_pack("{s:[s,s]}", "enum", ".", ".."));
    return key;
}

/* in_path: the key is better left out of the body, which is what readOnly says of a request. */
static json_t *body_of(const json_t *document, const char *key_field, bool in_path)
{
    json_t *body = json_deep_copy(document);
    set_missing(body, "properties", json_object());
    json_t *key = key_of(document, key_field);
    if (in_path)
        json_object_set_new(key, "readOnly", json_true());
    json_object_set_new(json_object_get(body, "properties"), key_field, key);
    json_object_set_new(body, "required", without_required(json_object_get(body, "required"), key_field));
    return body;
}

static json_t *merge_body(const char *key_field)
{
    return json_pack("{s:s, s:o, s:o, s:{s:{s:[o], s:b}}}", "type", "object", "propertyNames",
        component("Text"), "additionalProperties", component("Value"), "properties", key_field, "allOf",
        component("Key"), "readOnly", 1);
}

/* ---- the dispatch ---- */

/* An item is a whole document, its key by the rule of keys. */
static json_t *item_of(const json_t *document, const char *key_field)
{
    json_t *item = body_of(document, key_field, false);
    json_array_append_new(json_object_get(item, "required"), json_string(key_field));
    return item;
}

static json_t *keys_of(const char *key_field)
{
    return json_pack("{s:s, s:[s], s:{s:o}, s:b}", "type", "object", "required", key_field, "properties",
        key_field, component("Key"), "additionalProperties", 0);
}

/* A table is called as the collection is, or by one of its `tables`. */
static json_t *names_of(const struct weir_collection *collection)
{
    json_t *names = json_pack("[s]", collection->name);
    for (char **table = collection->tables; table != NULL && *table != NULL; table++)
        json_array_append_new(names, json_string(*table));
    return json_pack("{s:o}", "enum", names);
}

static json_t *dispatch_of(const struct weir_collection *collection)
{
    WEIR_CLEANUP(buffer) struct weir_buffer text = {0};
    json_t *request;
    size_t i;
    weir_openapi_write_name(weir_doc_dispatch_body, collection->name, &text);
    json_t *body = text.failed ? NULL : json_loads(text.data, JSON_REJECT_DUPLICATES, NULL);
    json_array_foreach(json_object_get(body, "anyOf"), i, request)
        json_object_set_new(json_object_get(request, "properties"), "tableName", names_of(collection));
    return body;
}

static int add_dispatch(const struct weir_collection *collection, const json_t *document, json_t *schemas)
{
    char place[PLACE_BYTES];
    json_t *all = json_object_get(json_object_get(schemas, "Dispatch"), "anyOf");
    if (collection->store_service == NULL)
        return 0;
    snprintf(place, sizeof(place), "%s.dispatch", collection->name);
    return json_array_append_new(all, component(place)) < 0 ||
                   put(schemas, collection->name, ".dispatch", dispatch_of(collection)) < 0 ||
                   put(schemas, collection->name, ".item", item_of(document, collection->key_field)) < 0 ||
                   put(schemas, collection->name, ".keys", keys_of(collection->key_field)) < 0
               ? -1
               : 0;
}

/* ---- the file ---- */

static int read_file(const struct weir_collection *collection, json_t **ret_schema, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer text = {0};
    int rc = weir_file_read(collection->schema, WEIR_SCHEMA_FILE_BYTES_MAX, &text, NULL, err);
    if (rc < 0)
        return rc;
    json_error_t error;
    *ret_schema = json_loadb(text.data, text.len, JSON_DECODE_ANY, &error);
    return *ret_schema != NULL
               ? 0
               : weir_error_set(err, WEIR_E_CONFIG, "%s:%d: %s", collection->schema, error.line, error.text);
}

static json_t *any_document(const struct weir_collection *collection)
{
    return json_pack("{s:s, s:[s], s:{s:o}}", "type", "object", "required", collection->key_field,
        "properties", collection->key_field, component("Key"));
}

static int load(const struct weir_collection *collection, json_t **ret_schema, struct weir_error *err)
{
    if (collection->schema == NULL)
        *ret_schema = any_document(collection);
    int rc = collection->schema == NULL ? 0 : read_file(collection, ret_schema, err);
    if (rc < 0)
        return rc;
    if (!json_is_object(*ret_schema))
        return no_memory(err);
    const char *draft = json_string_value(json_object_get(*ret_schema, "$schema"));
    const struct walk walk = {
        .name = collection->name, .draft7 = draft != NULL && strstr(draft, "draft-07") != NULL};
    json_object_del(*ret_schema, "$schema");
    json_object_del(*ret_schema, "$id"); /* it is a part of this document now */
    if (collection->schema != NULL)
        adapt(*ret_schema, walk);
    else
        limit_values(*ret_schema);
    return 0;
}

int weir_openapi_schemas_add(
    const struct weir_collection *collection, json_t *schemas, struct weir_error *err)
{
    const char *name = collection->name, *key_field = collection->key_field;
    WEIR_CLEANUP(json) json_t *document = NULL;
    int rc = load(collection, &document, err);
    if (rc < 0)
        return rc;
    bool failed = put(schemas, name, ".create", body_of(document, key_field, false)) < 0 ||
                  put(schemas, name, ".replace", body_of(document, key_field, true)) < 0 ||
                  put(schemas, name, ".merge", merge_body(key_field)) < 0 ||
                  put(schemas, name, ".key", key_of(document, key_field)) < 0 ||
                  put(schemas, name, "", json_incref(document)) < 0 ||
                  add_dispatch(collection, document, schemas) < 0;
    return failed ? no_memory(err) : 0;
}
