/* `$id`, anchors, and references from one schema to another. */
#include "common/schema_compile.h"

#include <stdlib.h>
#include <string.h>

/* A $ref that has been read and leads nowhere yet. */
struct weir_schema_reference {
    struct weir_schema_reference *next;
    struct weir_schema_node *node;
    struct weir_schema_resource *resource;
    const char *text;
    bool dynamic;
    char pointer[200]; /* where it stands */
};

/* ---- resources ---- */

static const struct {
    const char *uri;
    unsigned draft;
} drafts[] = {
    {"https://json-schema.org/draft/2020-12/schema", WEIR_DRAFT_2020},
    {"https://json-schema.org/draft/2020-12/schema#", WEIR_DRAFT_2020},
    {"http://json-schema.org/draft-07/schema#", WEIR_DRAFT_7},
    {"http://json-schema.org/draft-07/schema", WEIR_DRAFT_7},
};

static int read_draft(struct weir_schema_compiler *compiler, const json_t *source, unsigned inherited,
    const struct weir_schema_place *place, unsigned *ret_draft)
{
    const json_t *value = json_object_get(source, "$schema");
    const char *uri = json_string_value(value);

    *ret_draft = inherited;
    if (value == NULL)
        return 0;
    for (size_t i = 0; uri != NULL && i < sizeof(drafts) / sizeof(drafts[0]); i++) {
        *ret_draft = drafts[i].draft;
        if (strcmp(drafts[i].uri, uri) == 0)
            return 0;
    }
    const struct weir_schema_place member = weir_schema_member(place, "$schema", 7);
    return weir_schema_refuse(
        compiler, &member, "only %s and %s are known here", drafts[0].uri, drafts[2].uri);
}

static struct weir_schema_resource *find_resource(const struct weir_schema *schema, const char *uri)
{
    struct weir_schema_resource *resource = schema->resources;
    while (resource != NULL && strcmp(resource->uri, uri) != 0)
        resource = resource->next;
    return resource;
}

static int begin_resource(struct weir_schema_compiler *compiler, struct weir_schema_node *node,
    const char *uri, unsigned draft, const struct weir_schema_place *place)
{
    if (find_resource(compiler->schema, uri) != NULL)
        return weir_schema_refuse(compiler, place, "two schemas have the $id %s", uri);
    struct weir_schema_resource *resource = weir_schema_alloc(compiler->schema, sizeof(*resource));
    if (resource == NULL)
        return weir_schema_no_memory(compiler);
    resource->uri = uri;
    resource->draft = draft;
    resource->root = node;
    resource->next = compiler->schema->resources;
    compiler->schema->resources = resource;
    compiler->resource = resource;
    node->resource = resource;
    return 0;
}

/* In draft-07 an `$id` beside a `$ref` does not count, and one that is a fragment is an anchor. */
static const char *id_of(const struct weir_schema_node *node, unsigned draft)
{
    const char *id = json_string_value(json_object_get(node->source, "$id"));
    if (id == NULL || draft != WEIR_DRAFT_7)
        return id;
    return id[0] == '#' || json_object_get(node->source, "$ref") != NULL ? NULL : id;
}

int weir_schema_enter_resource(struct weir_schema_compiler *compiler, struct weir_schema_node *node,
    const struct weir_schema_place *place)
{
    const struct weir_schema_resource *outer = compiler->resource;
    unsigned draft;

    node->resource = outer;
    int code =
        read_draft(compiler, node->source, outer != NULL ? outer->draft : WEIR_DRAFT_2020, place, &draft);
    const char *id = code == 0 ? id_of(node, draft) : NULL;
    if (code < 0 || (outer != NULL && id == NULL))
        return code;
    const char *fragment = NULL;
    const char *base = outer != NULL ? outer->uri : "";
    const char *uri = id != NULL ? weir_schema_uri(compiler->schema, base, id, &fragment) : "";
    if (uri == NULL)
        return weir_schema_no_memory(compiler);
    if (fragment != NULL && fragment[0] != '\0')
        return weir_schema_refuse(compiler, place, "an $id has no fragment, and this one is %s", id);
    return begin_resource(compiler, node, uri, draft, place);
}

/* ---- keywords ---- */

static int add_anchor(struct weir_schema_compiler *compiler, const struct weir_schema_node *node,
    const char *name, bool dynamic, const struct weir_schema_place *place)
{
    for (const struct weir_schema_anchor *at = compiler->resource->anchors; at != NULL; at = at->next)
        if (strcmp(at->name, name) == 0 && at->node != node)
            return weir_schema_refuse(compiler, place, "two schemas have the anchor %s", name);
    struct weir_schema_anchor *anchor = weir_schema_alloc(compiler->schema, sizeof(*anchor));
    if (anchor == NULL)
        return weir_schema_no_memory(compiler);
    *anchor = (struct weir_schema_anchor){compiler->resource->anchors, name, node, dynamic};
    compiler->resource->anchors = anchor;
    return 0;
}

static int compile_anchor(struct weir_schema_compiler *compiler, const struct weir_schema_keyword *keyword,
    struct weir_schema_node *node, json_t *value, const struct weir_schema_place *place)
{
    if (!json_is_string(value))
        return weir_schema_refuse(compiler, place, "has to be a string");
    return add_anchor(
        compiler, node, json_string_value(value), strcmp(keyword->name, "$dynamicAnchor") == 0, place);
}

static int compile_id(struct weir_schema_compiler *compiler, const struct weir_schema_keyword *keyword,
    struct weir_schema_node *node, json_t *value, const struct weir_schema_place *place)
{
    (void)keyword;
    if (!json_is_string(value))
        return weir_schema_refuse(compiler, place, "has to be a string");
    const char *id = json_string_value(value);
    return id[0] == '#' ? add_anchor(compiler, node, id + 1, false, place) : 0;
}

static int compile_reference(struct weir_schema_compiler *compiler, const struct weir_schema_keyword *keyword,
    struct weir_schema_node *node, json_t *value, const struct weir_schema_place *place)
{
    if (!json_is_string(value))
        return weir_schema_refuse(compiler, place, "has to be a string");
    struct weir_schema_reference *reference = weir_schema_alloc(compiler->schema, sizeof(*reference));
    if (node->combination == NULL)
        node->combination = weir_schema_alloc(compiler->schema, sizeof(*node->combination));
    if (reference == NULL || node->combination == NULL)
        return weir_schema_no_memory(compiler);
    reference->node = node;
    reference->resource = compiler->resource;
    reference->text = json_string_value(value);
    reference->dynamic = strcmp(keyword->name, "$dynamicRef") == 0;
    reference->next = compiler->references;
    compiler->references = reference;
    weir_schema_pointer(place, reference->pointer, sizeof(reference->pointer));
    return 0;
}

/* $defs: schemas that hold nowhere by themselves. */
static int compile_definitions(struct weir_schema_compiler *compiler,
    const struct weir_schema_keyword *keyword, struct weir_schema_node *node, json_t *value,
    const struct weir_schema_place *place)
{
    (void)keyword, (void)node;
    const struct weir_schema_node *definition;
    int code = 0;

    if (!json_is_object(value))
        return weir_schema_refuse(compiler, place, "has to be an object");
    for (void *at = json_object_iter(value); at != NULL && code == 0; at = json_object_iter_next(value, at)) {
        const struct weir_schema_place member =
            weir_schema_member(place, json_object_iter_key(at), json_object_iter_key_len(at));
        code = weir_schema_compile(compiler, json_object_iter_value(at), &member, &definition);
    }
    return code;
}

const struct weir_schema_keyword weir_schema_reference_keywords[] = {
    {"$schema", WEIR_DRAFT_ANY, NULL, 0},
    {"$id", WEIR_DRAFT_ANY, compile_id, 0},
    {"$anchor", WEIR_DRAFT_2020, compile_anchor, 0},
    {"$dynamicAnchor", WEIR_DRAFT_2020, compile_anchor, 0},
    {"$ref", WEIR_DRAFT_ANY, compile_reference, 0},
    {"$dynamicRef", WEIR_DRAFT_2020, compile_reference, 0},
    {"$defs", WEIR_DRAFT_ANY, compile_definitions, 0},
    {"definitions", WEIR_DRAFT_ANY, compile_definitions, 0},
    {0},
};

/* ---- where a reference leads ---- */

static int refuse(
    struct weir_schema_compiler *compiler, const struct weir_schema_reference *reference, const char *reason)
{
    return weir_error_set(compiler->err, WEIR_E_CONFIG, "%s: \"%s\": %s %s", compiler->file,
        reference->pointer, reference->text, reason);
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = c != '\0' ? strchr(digits, c | 0x20) : NULL;
    return found != NULL ? (int)(found - digits) : -1;
}

/* Percent-decoded, a copy of the schema's. */
static char *decode(struct weir_schema *schema, const char *text)
{
    char *copy = weir_schema_alloc(schema, strlen(text) + 1), *out = copy;
    for (; copy != NULL && *text != '\0'; text++) {
        int high = *text == '%' ? hex_digit(text[1]) : -1;
        int low = high >= 0 ? hex_digit(text[2]) : -1;
        *out++ = low >= 0 ? (char)(high * 16 + low) : *text;
        text += low >= 0 ? 2 : 0;
    }
    return copy;
}

/* ~1 and ~0 of RFC 6901, in place. */
static void unescape(char *token)
{
    char *out = token;
    for (; *token != '\0'; token++) {
        bool escaped = token[0] == '~' && (token[1] == '0' || token[1] == '1');
        *out++ = !escaped ? *token : token[1] == '0' ? '~' : '/';
        token += escaped;
    }
    *out = '\0';
}

static json_t *step(const json_t *value, const char *token)
{
    if (json_is_object(value))
        return json_object_get(value, token);
    char *end = NULL;
    unsigned long index = strtoul(token, &end, 10);
    return token[0] >= '0' && token[0] <= '9' && *end == '\0' ? json_array_get(value, index) : NULL;
}

/* pointer is taken apart in place. */
static json_t *follow(const json_t *root, char *pointer)
{
    json_t *value = (json_t *)(uintptr_t)root;
    for (char *token = pointer + 1; value != NULL && token != NULL;) {
        char *slash = strchr(token, '/');
        if (slash != NULL)
            *slash = '\0';
        unescape(token);
        value = step(value, token);
        token = slash != NULL ? slash + 1 : NULL;
    }
    return value;
}

static const struct weir_schema_node *compiled(const struct weir_schema *schema, const json_t *source)
{
    const struct weir_schema_node *node = schema->nodes;
    while (node != NULL && node->source != source)
        node = node->next;
    return node;
}

/* A schema that stands where no keyword led to is compiled now. */
static int node_at(struct weir_schema_compiler *compiler, const struct weir_schema_reference *reference,
    struct weir_schema_resource *resource, const char *fragment, const struct weir_schema_node **ret_node)
{
    char *pointer = decode(compiler->schema, fragment);
    if (pointer == NULL)
        return weir_schema_no_memory(compiler);
    json_t *source = follow(resource->root->source, pointer);
    if (source == NULL)
        return refuse(compiler, reference, "leads nowhere");
    *ret_node = json_is_object(source) ? compiled(compiler->schema, source) : NULL;
    if (*ret_node != NULL)
        return 0;
    static const struct weir_schema_place root = {0};
    const struct weir_schema_place place = weir_schema_member(&root, fragment + 1, strlen(fragment + 1));
    compiler->resource = resource;
    return weir_schema_compile(compiler, source, &place, ret_node);
}

static const struct weir_schema_anchor *find_anchor(
    const struct weir_schema_resource *resource, const char *name, bool dynamic)
{
    const struct weir_schema_anchor *anchor = resource->anchors;
    while (anchor != NULL && (strcmp(anchor->name, name) != 0 || (dynamic && !anchor->dynamic)))
        anchor = anchor->next;
    return anchor;
}

static int find_target(struct weir_schema_compiler *compiler, const struct weir_schema_reference *reference,
    const struct weir_schema_node **ret_node)
{
    const char *fragment;
    const char *uri = weir_schema_uri(compiler->schema, reference->resource->uri, reference->text, &fragment);
    if (uri == NULL)
        return weir_schema_no_memory(compiler);
    struct weir_schema_resource *resource = find_resource(compiler->schema, uri);
    if (resource == NULL)
        return refuse(compiler, reference, "leads to another document, and none is fetched");
    *ret_node = resource->root;
    if (fragment == NULL || fragment[0] == '\0')
        return 0;
    if (fragment[0] == '/')
        return node_at(compiler, reference, resource, fragment, ret_node);
    const struct weir_schema_anchor *anchor = find_anchor(resource, fragment, false);
    if (anchor == NULL)
        return refuse(compiler, reference, "names no anchor");
    *ret_node = anchor->node;
    bool dynamic = reference->dynamic && find_anchor(resource, fragment, true) != NULL;
    if (dynamic)
        reference->node->combination->dynamic_name = anchor->name;
    return 0;
}

int weir_schema_resolve(struct weir_schema_compiler *compiler)
{
    int code = 0;

    while (compiler->references != NULL && code == 0) {
        struct weir_schema_reference *reference = compiler->references;
        compiler->references = reference->next; /* compiling a target may add more */
        struct weir_schema_combination *combination = reference->node->combination;
        code = find_target(compiler, reference,
            reference->dynamic ? &combination->dynamic_reference : &combination->reference);
    }
    return code;
}

/* ---- loops ---- */

enum { UNSEEN, OPEN, SEEN };

static bool loops(const struct weir_schema_node *node, size_t depth);

static bool any_loops(const struct weir_schema_nodes *nodes, size_t depth)
{
    for (size_t i = 0; i < nodes->count; i++)
        if (loops(nodes->list[i], depth))
            return true;
    return false;
}

static bool dependents_loop(const struct weir_schema_object_rule *rule, size_t depth)
{
    for (size_t i = 0; rule != NULL && i < rule->table_size; i++)
        if (loops(rule->table[i].dependent, depth))
            return true;
    return false;
}

static bool combination_loops(const struct weir_schema_combination *rule, size_t depth)
{
    return rule != NULL &&
           (loops(rule->reference, depth) || any_loops(&rule->all, depth) || any_loops(&rule->any, depth) ||
               any_loops(&rule->one, depth) || loops(rule->not, depth) || loops(rule->condition, depth) ||
               loops(rule->then, depth) || loops(rule->otherwise, depth));
}

/* Whether node leads back to itself on one and the same value, or over more schemas than one check may take.
 */
static bool loops(const struct weir_schema_node *node, size_t depth)
{
    if (node == NULL || node->source == NULL || node->mark == SEEN)
        return false;
    if (node->mark == OPEN || depth == WEIR_SCHEMA_DEPTH_MAX)
        return true;
    unsigned *mark = (unsigned *)(uintptr_t)&node->mark;
    *mark = OPEN;
    bool found = combination_loops(node->combination, depth + 1) || dependents_loop(node->object, depth + 1);
    *mark = SEEN;
    return found;
}

int weir_schema_refuse_loops(struct weir_schema_compiler *compiler)
{
    for (const struct weir_schema_node *node = compiler->schema->nodes; node != NULL; node = node->next)
        if (loops(node, 0))
            return weir_error_set(compiler->err, WEIR_E_CONFIG,
                "%s: a schema refers to itself without going into the value, so that it could never be "
                "checked",
                compiler->file);
    return 0;
}
