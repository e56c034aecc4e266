#include "gateway/openapi.h"

#include "common/json.h"
#include "gateway/checkout.h"
#include "gateway/etag.h"
#include "gateway/identity.h"
#include "gateway/openapi_operations.h"
#include "gateway/openapi_schema.h"
#include "gateway/request.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLLECTION "{collection}"
#define DISPATCH "{dispatch}"
#define BASE "/v1/" COLLECTION

enum { ID_BYTES = 160 };

struct weir_openapi {
    char *text;
    char etag[WEIR_FINGERPRINT_BYTES + 2];
};

/* One path of a route: that of a collection, of one of its aliases, or the route's own. */
struct place {
    const struct weir_gateway *gateway;
    const struct weir_route *route;
    const struct weir_collection *collection; /* NULL: the route is in none */
    size_t alias;                             /* 0: none; 1 is the first; of dispatch.paths, too */
    json_t *components, *paths;
    struct weir_error *err;
};

static int broken(const struct place *place, const char *why)
{
    return weir_error_set(place->err, WEIR_E_INTERNAL, "the description of %s %s: %s", place->route->method,
        place->route->name, why);
}

/* ---- the short hand of descriptions ---- */

static json_t *reference(const char *kind, const char *name)
{
    WEIR_CLEANUP(buffer) struct weir_buffer text = {0};
    weir_buffer_printf(&text, "#/components/%s/%s", kind, name);
    return text.failed ? NULL : json_pack("{s:s}", "$ref", text.data);
}

/* ["ETag"] is written out as {"ETag": {"$ref": …}}. */
static void write_out_headers(json_t *response)
{
    json_t *headers = json_object(), *name;
    size_t i;
    json_array_foreach(json_object_get(response, "headers"), i, name)
        json_object_set_new(headers, json_string_value(name), reference("headers", json_string_value(name)));
    json_object_set_new(response, "headers", headers);
}

static void write_out_parameters(json_t *operation)
{
    json_t *parameters = json_object_get(operation, "parameters"), *name;
    size_t i;
    json_array_foreach(parameters, i, name)
    {
        if (json_is_string(name))
            json_array_set_new(parameters, i, reference("parameters", json_string_value(name)));
    }
}

/* What says nothing else of itself is a problem. */
static void write_out_response(json_t *response)
{
    static const char problem[] = "{\"application/problem+json\":{\"schema\":{\"$ref\":"
                                  "\"#/components/schemas/Problem\"}}}";
    if (json_object_get(response, "headers") == NULL)
        json_object_set_new(response, "headers", json_pack("[s]", "X-Request-Id"));
    if (json_object_get(response, "content") == NULL)
        json_object_set_new(response, "content", json_loads(problem, 0, NULL));
    write_out_headers(response);
}

static void write_out_components(json_t *components)
{
    const char *name;
    json_t *response;
    json_object_foreach(json_object_get(components, "responses"), name, response)
    {
        if (isdigit((unsigned char)name[0]))
            write_out_response(response);
        else
            write_out_headers(response);
    }
}

/* ---- one operation ---- */

void weir_openapi_write_name(const char *text, const char *name, struct weir_buffer *out)
{
    for (const char *mark; (mark = strstr(text, COLLECTION)) != NULL; text = mark + strlen(COLLECTION)) {
        weir_buffer_append(out, text, (size_t)(mark - text));
        weir_buffer_append_str(out, name);
    }
    weir_buffer_append_str(out, text);
}

/* The description with the collection's name in it. */
static json_t *parse(const struct place *place)
{
    WEIR_CLEANUP(buffer) struct weir_buffer text = {0};
    weir_openapi_write_name(
        place->route->doc, place->collection != NULL ? place->collection->name : COLLECTION, &text);
    return text.failed ? NULL : json_loads(text.data, JSON_REJECT_DUPLICATES, NULL);
}

static bool is_served(const struct place *place, const json_t *operation)
{
    const char *only = json_string_value(json_object_get(operation, "x-only"));
    if (only == NULL)
        return true;
    if (strcmp(only, "feed") == 0)
        return place->gateway->settings.feed;
    if (strcmp(only, "dlq") == 0)
        return place->gateway->settings.dlq;
    if (strcmp(only, "portal") == 0)
        return place->gateway->settings.portal;
    if (strcmp(only, "store") == 0)
        return place->collection->store_service != NULL;
    if (strcmp(only, "shop") == 0)
        return weir_checkout_is_served(place->gateway, place->collection->name);
    return place->gateway->deployment->subscriptions != NULL &&
           strcmp(place->collection->name, WEIR_SUBSCRIPTIONS) == 0;
}

/* "orders.create", "orders.create.1" at its first alias. */
static void set_id(const struct place *place, json_t *operation)
{
    char id[ID_BYTES], alias[24] = "";
    bool heads = strcmp(place->route->method, "HEAD") == 0;
    if (place->alias > 0)
        snprintf(alias, sizeof(alias), ".%zu", place->alias);
    snprintf(id, sizeof(id), "%s%s%s%s%s", place->collection != NULL ? place->collection->name : "",
        place->collection != NULL ? "." : "", json_string_value(json_object_get(operation, "operationId")),
        heads ? ".head" : "", alias);
    json_object_set_new(operation, "operationId", json_string(id));
    if (place->collection != NULL)
        json_object_set_new(operation, "tags", json_pack("[s]", place->collection->name));
}

/* Any of them will do. */
static json_t *proofs(const struct weir_gateway *gateway)
{
    json_t *all = json_pack("[{s:[]}]", "accessKey");
    if (gateway->settings.tls_client_ca != NULL)
        json_array_append_new(all, json_pack("{s:[]}", "clientCertificate"));
    return all;
}

/* What scopes call what the route is about; NULL: it is for any key. */
static const char *scope_of(const struct place *place)
{
    static const char dead_letters[] = "/v1/" WEIR_ROUTE_DLQ;
    if (place->collection != NULL)
        return place->collection->name;
    return strncmp(place->route->name, dead_letters, strlen(dead_letters)) == 0 ? WEIR_ROUTE_DLQ : NULL;
}

static void set_access(const struct place *place, json_t *operation)
{
    char scope[ID_BYTES];
    bool open = json_is_true(json_object_get(operation, "x-open"));
    if (place->gateway->keys == NULL)
        return;
    json_object_set_new(operation, "security", open ? json_array() : proofs(place->gateway));
    const char *verb = weir_route_verb(place->route), *name = scope_of(place);
    if (open || name == NULL)
        return;
    snprintf(scope, sizeof(scope), "%s:%s", name, verb != NULL ? verb : "*");
    json_object_set_new(operation, "x-weir-scope", json_string(scope));
}

static void add_error(json_t *responses, int status)
{
    char name[8];
    snprintf(name, sizeof(name), "%d", status);
    if (json_object_get(responses, name) == NULL)
        json_object_set_new(responses, name, reference("responses", name));
}

/* What any request may be told, and what its description adds. */
static void add_errors(const struct place *place, json_t *operation)
{
    static const int any[] = {400, 413, 431, 503};
    json_t *responses = json_object_get(operation, "responses"), *status;
    size_t i;
    bool open = json_is_true(json_object_get(operation, "x-open"));
    for (i = 0; i < sizeof(any) / sizeof(any[0]); i++)
        add_error(responses, any[i]);
    if (place->gateway->keys != NULL && !open) {
        add_error(responses, 401);
        add_error(responses, 403);
    }
    if (place->gateway->rate != NULL || place->gateway->settings.rate_limit > 0)
        add_error(responses, 429);
    json_array_foreach(json_object_get(operation, "errors"), i, status)
        add_error(responses, (int)json_integer_value(status));
}

/* A reference, or the response itself; without its body to a HEAD. */
static json_t *make_response(const struct place *place, json_t *told)
{
    const char *name = json_string_value(told);
    json_t *response =
        name != NULL ? json_object_get(json_object_get(place->components, "responses"), name) : told;
    bool heads = strcmp(place->route->method, "HEAD") == 0;
    if (name != NULL && !heads)
        return reference("responses", name);
    response = json_deep_copy(response);
    if (json_is_array(json_object_get(response, "headers")))
        write_out_headers(response);
    if (heads)
        json_object_del(response, "content");
    return response;
}

static void write_out_responses(const struct place *place, json_t *operation)
{
    json_t *responses = json_object_get(operation, "responses"), *told, *written = json_object();
    const char *status;
    json_object_foreach(responses, status, told)
        json_object_set_new(written, status, make_response(place, told));
    json_object_set_new(operation, "responses", written);
}

/* The members by which the documents of a collection are found, and how. */
static void add_indexes(const struct place *place, json_t *operation)
{
    static const struct {
        const char *suffix, *what;
    } ways[] = {{"", "equal to it (a number, true, false, a string in quotes, or else a string as it is)"},
        {"[prefix]", "a string that begins with it"}, {"[from]", "not below it"}, {"[below]", "below it"}};
    json_t *parameters = json_object_get(operation, "parameters");
    char **indexes = place->collection->indexes, name[ID_BYTES], text[ID_BYTES];
    for (; indexes != NULL && *indexes != NULL; indexes++) {
        for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
            snprintf(name, sizeof(name), "%s%s", *indexes, ways[i].suffix);
            snprintf(text, sizeof(text), "Documents whose %s is %s.", *indexes, ways[i].what);
            json_array_append_new(
                parameters, json_pack("{s:s, s:s, s:o, s:s}", "name", name, "in", "query", "schema",
                                reference("schemas", "Text"), "description", text));
        }
    }
}

static void add_views(const struct place *place, json_t *operation)
{
    json_t *views = json_pack("[s,s]", "KEYS_ONLY", "NEW_IMAGE");
    if (place->collection->changes_view == WEIR_VIEW_NEW_AND_OLD_IMAGES) {
        json_array_append_new(views, json_string("OLD_IMAGE"));
        json_array_append_new(views, json_string("NEW_AND_OLD_IMAGES"));
    }
    json_array_append_new(json_object_get(operation, "parameters"),
        json_pack("{s:s, s:s, s:{s:o}, s:s}", "name", "view", "in", "query", "schema", "enum", views,
            "description",
            "How much of each change is told, by default all that there is. Old images are kept where the "
            "collection's setting changes.view is NEW_AND_OLD_IMAGES."));
}

static void add_texts(json_t *operation)
{
    json_t *content = json_object_get(json_object_get(operation, "requestBody"), "content");
    json_object_set_new(content, "text/plain", json_pack("{s:o}", "schema", reference("schemas", "Text")));
}

static void write_out(const struct place *place, json_t *operation)
{
    static const char *const own[] = {"errors", "x-only", "x-open", "x-indexes", "x-texts", "x-views"};
    if (json_object_get(operation, "x-indexes") != NULL)
        add_indexes(place, operation);
    if (json_object_get(operation, "x-views") != NULL)
        add_views(place, operation);
    if (json_object_get(operation, "x-texts") != NULL && place->collection->body == WEIR_BODY_OPAQUE)
        add_texts(operation);
    set_id(place, operation);
    set_access(place, operation);
    write_out_parameters(operation);
    add_errors(place, operation);
    write_out_responses(place, operation);
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        json_object_del(operation, own[i]);
}

/* ---- paths ---- */

/* What is in braces are parameters of the path. */
static json_t *path_parameters(const char *path)
{
    json_t *parameters = json_array();
    for (const char *at = path; (at = strchr(at, '{')) != NULL; at++) {
        char name[32];
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(at + 1, "}"), at + 1);
        json_array_append_new(parameters, reference("parameters", name));
    }
    return parameters;
}

static json_t *item_of(json_t *paths, const char *path)
{
    json_t *item = json_object_get(paths, path);
    if (item != NULL)
        return item;
    item = json_object();
    json_object_set_new(item, "parameters", path_parameters(path));
    json_object_set_new(paths, path, item);
    return item;
}

static void write_path(const struct place *place, struct weir_buffer *out)
{
    const char *name = place->route->name;
    if (strcmp(name, DISPATCH) == 0)
        weir_buffer_append_str(out, place->gateway->settings.dispatch_paths[place->alias]);
    else if (place->collection == NULL)
        weir_buffer_append_str(out, name);
    else if (place->alias > 0)
        weir_buffer_printf(out, "%s%s", place->collection->aliases[place->alias - 1], name + strlen(BASE));
    else
        weir_buffer_printf(out, "/v1/%s%s", place->collection->name, name + strlen(BASE));
}

static int add_operation(const struct place *place)
{
    WEIR_CLEANUP(buffer) struct weir_buffer path = {0};
    char method[16] = "";
    json_t *operation = parse(place);
    if (operation == NULL)
        return broken(place, "is no JSON, or memory is out");
    if (!is_served(place, operation)) {
        json_decref(operation);
        return 0;
    }
    write_out(place, operation);
    write_path(place, &path);
    for (size_t i = 0; i + 1 < sizeof(method) && place->route->method[i] != '\0'; i++)
        method[i] = (char)tolower((unsigned char)place->route->method[i]);
    if (path.failed || json_object_set_new(item_of(place->paths, path.data), method, operation) < 0)
        return broken(place, "memory is out");
    return 0;
}

/* An alias stands for a collection's path, also with a slash or a colon behind it. */
static int add_aliases(struct place *place)
{
    char **aliases = place->collection->aliases;
    const char *rest = place->route->name + strlen(BASE);
    int rc = 0;
    for (size_t i = 0; rc == 0 && aliases != NULL && aliases[i] != NULL && strchr("/:", *rest) != NULL; i++) {
        place->alias = i + 1;
        rc = add_operation(place);
    }
    place->alias = 0;
    return rc;
}

static int add_dispatches(struct place *place)
{
    char **paths = place->gateway->settings.dispatch_paths;
    int rc = 0;
    for (place->alias = 0; rc == 0 && paths != NULL && paths[place->alias] != NULL; place->alias++)
        rc = add_operation(place);
    place->alias = 0;
    return rc;
}

static int add_route(struct place *place)
{
    place->collection = NULL;
    if (strcmp(place->route->name, DISPATCH) == 0)
        return add_dispatches(place);
    if (strncmp(place->route->name, BASE, strlen(BASE)) != 0)
        return add_operation(place);
    int rc = 0;
    for (size_t i = 0; i < place->gateway->collection_count && rc == 0; i++) {
        place->collection = place->gateway->collections[i].config;
        rc = add_operation(place);
        if (rc == 0)
            rc = add_aliases(place);
    }
    return rc;
}

/* ---- the document ---- */

static int add_routes(const struct weir_gateway *gateway, json_t *root, struct weir_error *err)
{
    struct place place = {.gateway = gateway,
        .components = json_object_get(root, "components"),
        .paths = json_object_get(root, "paths"),
        .err = err};
    int rc = 0;
    for (size_t i = 0; i < weir_route_count && rc == 0; i++) {
        place.route = &weir_routes[i];
        rc = add_route(&place);
    }
    return rc;
}

static int add_schemas(const struct weir_gateway *gateway, json_t *components, struct weir_error *err)
{
    json_t *schemas = json_object_get(components, "schemas");
    int rc = 0;
    for (size_t i = 0; i < gateway->collection_count && rc == 0; i++)
        rc = weir_openapi_schemas_add(gateway->collections[i].config, schemas, err);
    return rc;
}

/* The services that there are. */
static void name_services(const struct weir_gateway *gateway, json_t *components)
{
    json_t *parameter = json_object_get(json_object_get(components, "parameters"), "service");
    json_t *names = json_array();
    for (size_t i = 0; i < gateway->deployment->service_count; i++)
        json_array_append_new(names, json_string(gateway->deployment->services[i].name));
    if (json_array_size(names) > 0)
        json_object_set(json_object_get(parameter, "schema"), "enum", names);
    json_decref(names);
}

static json_t *make_root(const struct weir_gateway *gateway, json_t *components)
{
    const char *base = gateway->settings.base_path;
    return json_pack("{s:s, s:{s:s, s:s, s:s}, s:[{s:s}], s:{}, s:o}", "openapi", "3.1.0", "info", "title",
        "Weir", "version", WEIR_VERSION, "description",
        "Documents in, events out: a 202 says that Kafka has the command.", "servers", "url",
        base[0] != '\0' ? base : "/", "paths", "components", components);
}

static int build(const struct weir_gateway *gateway, json_t **ret_root, struct weir_error *err)
{
    json_error_t error;
    json_t *components = json_loads(weir_doc_components, JSON_REJECT_DUPLICATES, &error);
    if (components == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "the components of OpenAPI: %s", error.text);
    write_out_components(components);
    name_services(gateway, components);
    *ret_root = make_root(gateway, components);
    if (*ret_root == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    int rc = add_schemas(gateway, components, err);
    return rc == 0 ? add_routes(gateway, *ret_root, err) : rc;
}

int weir_openapi_open(
    const struct weir_gateway *gateway, struct weir_openapi **ret_openapi, struct weir_error *err)
{
    WEIR_CLEANUP(json) json_t *root = NULL;
    char digest[WEIR_FINGERPRINT_BYTES];
    int rc = build(gateway, &root, err);
    if (rc < 0)
        return rc;
    struct weir_openapi *openapi = calloc(1, sizeof(*openapi));
    if (openapi != NULL)
        openapi->text = json_dumps(root, JSON_COMPACT);
    if (openapi == NULL || openapi->text == NULL) {
        weir_openapi_close(openapi);
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    }
    weir_identity_fingerprint(weir_bytes_str(openapi->text), digest);
    snprintf(openapi->etag, sizeof(openapi->etag), "\"%s\"", digest);
    *ret_openapi = openapi;
    return 0;
}

void weir_openapi_close(struct weir_openapi *openapi)
{
    if (openapi == NULL)
        return;
    free(openapi->text);
    free(openapi);
}

enum weir_step weir_openapi_run(struct weir_request *request)
{
    const struct weir_openapi *openapi = request->gateway->openapi;
    struct weir_outcome *outcome = &request->outcome;
    outcome->kind = WEIR_OUTCOME_DOCUMENT;
    snprintf(outcome->etag, sizeof(outcome->etag), "%s", openapi->etag);
    bool same = weir_etag_matches(request->head.if_none_match, openapi->etag);
    outcome->status = same ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK;
    weir_buffer_append_str(&outcome->document, openapi->text);
    if (outcome->document.failed)
        return weir_request_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
    return WEIR_STEP_ANSWER;
}
