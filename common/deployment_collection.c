/* [collection NAME]: documents of one kind, their key and their topics. */
#include "common/deployment_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct weir_option rows[] = {
    {.key = "key",
        .type = WEIR_OPTION_STRING,
        .min = 1,
        .max = 64,
        .required = true,
        .offset = offsetof(struct weir_collection, key_field),
        .help = "the member of a document that holds its key, e.g. orderID"},
    {.key = "partitions",
        .type = WEIR_OPTION_INTEGER,
        .fallback = "6",
        .min = 1,
        .max = 1000,
        .offset = offsetof(struct weir_collection, partitions),
        .help = "partitions of every topic of the collection; part of the data, never changed later"},
    {.key = "changes.view",
        .type = WEIR_OPTION_CHOICE,
        .fallback = "NEW_IMAGE",
        .choices = "NEW_IMAGE|NEW_AND_OLD_IMAGES",
        .offset = offsetof(struct weir_collection, changes_view),
        .help = "whether a change event holds the document as it was before, too"},
    {.key = "aliases",
        .type = WEIR_OPTION_LIST,
        .max = 16,
        .offset = offsetof(struct weir_collection, aliases),
        .help = "further paths of the gateway that mean this collection, e.g. /product for /v1/products"},
    {.key = "tables",
        .type = WEIR_OPTION_LIST,
        .max = 16,
        .offset = offsetof(struct weir_collection, tables),
        .help = "further names that mean this collection as the tableName of the dispatch (dispatch.paths)"},
    {.key = "conditions",
        .type = WEIR_OPTION_CHOICE,
        .fallback = "optional",
        .choices = "optional|required",
        .offset = offsetof(struct weir_collection, conditions),
        .help = "required: a PUT, PATCH or DELETE without If-Match or If-None-Match is answered 428, so that "
                "nobody "
                "overwrites what they have not seen"},
    {.key = "success.status",
        .type = WEIR_OPTION_CHOICE,
        .fallback = "202",
        .choices = "202|200",
        .offset = offsetof(struct weir_collection, success_status),
        .help =
            "what a command is answered with once Kafka has it; 200 for clients that know no other success"},
    {.key = "default.wait",
        .type = WEIR_OPTION_DURATION,
        .fallback = "0s",
        .min = 0,
        .max = 60000,
        .offset = offsetof(struct weir_collection, default_wait_ms),
        .help = "how long a command waits until it is stored where its client sends no Prefer: wait=N or "
                "respond-async"},
    {.key = "body",
        .type = WEIR_OPTION_CHOICE,
        .fallback = "json",
        .choices = "json|opaque",
        .offset = offsetof(struct weir_collection, body),
        .help =
            "json: bodies of commands are JSON objects; opaque: any text is taken as well, and stored as the "
            "body.member of a document"},
    {.key = "body.member",
        .type = WEIR_OPTION_STRING,
        .fallback = "order",
        .min = 1,
        .max = 64,
        .offset = offsetof(struct weir_collection, body_member),
        .help = "with body = opaque: the member of a document that holds a text"},
    {.key = "schema",
        .type = WEIR_OPTION_PATH,
        .offset = offsetof(struct weir_collection, schema),
        .help = "JSON Schema (draft 2020-12 or draft-07) of the documents, seen from the configuration's "
                "folder; without it every object is taken"},
    {.key = "schema.formats",
        .type = WEIR_OPTION_BOOL,
        .fallback = "false",
        .offset = offsetof(struct weir_collection, schema_formats),
        .help = "whether `format` in the schema is a rule; else it is a note"},
    {.key = "indexes",
        .type = WEIR_OPTION_LIST,
        .offset = offsetof(struct weir_collection, indexes),
        .help = "members by which documents are found, at most 16, e.g. customerID, items.sku; others than "
                "before are built in the background"},
    {.key = "ttl",
        .type = WEIR_OPTION_DURATION,
        .min = 1000,
        .max = 3650LL * 24 * 3600 * 1000,
        .offset = offsetof(struct weir_collection, ttl_ms),
        .help = "time after its last change at which the store deletes a document, with a change event whose "
                "reason is ttl; without it documents stay"},
};

const struct weir_option_table weir_collection_options = {.section = "collection *",
    .rows = rows,
    .count = sizeof(rows) / sizeof(rows[0]),
    .settings_size = sizeof(struct weir_collection)};

/* Names with another meaning in the gateway's URLs and in topic names. */
static const char *const reserved[] = {"requests", "dlq"};

static int check_name(
    const struct weir_deployment *deployment, const char *section, const char *name, struct weir_error *err)
{
    const char *where = weir_config_where(deployment->config, section, NULL);

    if (!weir_deployment_is_name(name))
        return weir_error_set(err, WEIR_E_CONFIG,
            "%s: [%s]: a collection's name is a-z, then a-z 0-9 -, at most 63 characters", where, section);
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
        if (strcmp(reserved[i], name) == 0)
            return weir_error_set(
                err, WEIR_E_CONFIG, "%s: [%s]: the name %s is reserved", where, section, name);
    return 0;
}

/* A member name that stands in JSON, URLs and messages as it is. */
static int check_member(const struct weir_deployment *deployment, const char *section, const char *key,
    const char *name, struct weir_error *err)
{
    static const char digits[] = "0123456789-";
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789-";

    if (strchr(digits, name[0]) == NULL && name[strspn(name, allowed)] == '\0')
        return 0;
    return weir_error_set(err, WEIR_E_CONFIG,
        "%s: %s = %s: a member is named by a letter or _, then letters, digits, _ or -",
        weir_config_where(deployment->config, section, key), key, name);
}

static int check_members(const struct weir_deployment *deployment, const char *section,
    const struct weir_collection *collection, struct weir_error *err)
{
    int code = check_member(deployment, section, "key", collection->key_field, err);
    if (code == 0)
        code = check_member(deployment, section, "body.member", collection->body_member, err);
    if (code < 0 || collection->body != WEIR_BODY_OPAQUE)
        return code;
    const char *where = weir_config_where(deployment->config, section, "body");
    if (strcmp(collection->body_member, collection->key_field) == 0)
        return weir_error_set(err, WEIR_E_CONFIG, "%s: body.member = %s is the key of the collection", where,
            collection->body_member);
    if (collection->schema != NULL)
        return weir_error_set(err, WEIR_E_CONFIG,
            "%s: body = opaque: texts can't follow a schema; take one of the two out", where);
    return 0;
}

enum { INDEXES_MAX = 16, INDEX_PATH_BYTES = 200 };

static int check_indexes(const struct weir_deployment *deployment, const char *section,
    const struct weir_collection *collection, struct weir_error *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    const char *where = weir_config_where(deployment->config, section, "indexes");

    for (size_t i = 0; collection->indexes != NULL && collection->indexes[i] != NULL; i++) {
        const char *path = collection->indexes[i];
        size_t len = strlen(path);
        if (i == INDEXES_MAX)
            return weir_error_set(
                err, WEIR_E_CONFIG, "%s: indexes: a collection has at most %d", where, INDEXES_MAX);
        if (len > INDEX_PATH_BYTES || path[strspn(path, allowed)] != '\0' || path[0] == '.' ||
            path[len - 1] == '.' || strstr(path, "..") != NULL)
            return weir_error_set(err, WEIR_E_CONFIG,
                "%s: indexes = %s: a path is names of letters, digits, _ and - with dots between them", where,
                path);
    }
    return 0;
}

static int name_topics(
    const struct weir_deployment *deployment, struct weir_collection *collection, struct weir_error *err)
{
    int code = weir_deployment_topic_name(deployment, collection->name, "", &collection->command_topic, err);
    if (code == 0)
        code = weir_deployment_topic_name(
            deployment, collection->name, ".changes", &collection->changes_topic, err);
    return code;
}

/* One path may not lead to two collections, nor to a document of another. */
static int check_alias(
    const struct weir_deployment *deployment, const char *section, const char *alias, struct weir_error *err)
{
    const char *where = weir_config_where(deployment->config, section, "aliases");

    if (!weir_deployment_is_path(alias) || weir_deployment_path_begins(alias, "/v1") ||
        weir_deployment_path_begins(alias, "/portal"))
        return weir_error_set(err, WEIR_E_CONFIG,
            "%s: aliases: %s is no path like /product: letters, digits, _ and - behind each slash, and not "
            "/v1 or /portal",
            where, alias);
    for (size_t i = 0; i < deployment->collection_count; i++) {
        const struct weir_collection *other = &deployment->collections[i];
        for (char **taken = other->aliases; taken != NULL && *taken != NULL && *taken != alias; taken++)
            if (weir_deployment_path_begins(alias, *taken) || weir_deployment_path_begins(*taken, alias))
                return weir_error_set(err, WEIR_E_CONFIG, "%s: aliases: %s is taken: %s is an alias of %s",
                    where, alias, *taken, other->name);
    }
    return 0;
}

static int check_aliases(const struct weir_deployment *deployment, const char *section,
    const struct weir_collection *collection, struct weir_error *err)
{
    int code = 0;
    for (char **alias = collection->aliases; alias != NULL && *alias != NULL && code == 0; alias++)
        code = check_alias(deployment, section, *alias, err);
    return code;
}

/* One name may not mean two collections. */
static int check_table(
    const struct weir_deployment *deployment, const char *section, const char *table, struct weir_error *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    const char *where = weir_config_where(deployment->config, section, "tables");
    const char *owner = NULL;

    if (strlen(table) > 255 || table[strspn(table, allowed)] != '\0')
        return weir_error_set(err, WEIR_E_CONFIG,
            "%s: tables: %s is no table's name: letters, digits, _ - and ., at most 255", where, table);
    for (size_t i = 0; i < deployment->collection_count; i++) {
        const struct weir_collection *other = &deployment->collections[i];
        for (char **taken = other->tables; taken != NULL && *taken != NULL && *taken != table; taken++)
            if (strcmp(*taken, table) == 0)
                owner = other->name;
    }
    for (size_t i = 0; (section = weir_config_named(deployment->config, "collection", i)) != NULL; i++)
        if (strcmp(section, table) == 0)
            owner = section;
    return owner == NULL ? 0
                         : weir_error_set(err, WEIR_E_CONFIG, "%s: tables: %s is taken by [collection %s]",
                               where, table, owner);
}

static int check_tables(const struct weir_deployment *deployment, const char *section,
    const struct weir_collection *collection, struct weir_error *err)
{
    int code = 0;
    for (char **table = collection->tables; table != NULL && *table != NULL && code == 0; table++)
        code = check_table(deployment, section, *table, err);
    return code;
}

static int find_schema(
    const struct weir_deployment *deployment, struct weir_collection *collection, struct weir_error *err)
{
    char *path = NULL;

    if (collection->schema == NULL || collection->schema[0] == '/')
        return 0;
    if (asprintf(&path, "%s%s", deployment->folder, collection->schema) < 0)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    free(collection->schema);
    collection->schema = path;
    return 0;
}

static int load_collection(const struct weir_deployment *deployment, const char *name,
    struct weir_collection *collection, struct weir_error *err)
{
    WEIR_CLEANUP(free) char *section = NULL;

    collection->name = strdup(name);
    if (collection->name == NULL || asprintf(&section, "collection %s", name) < 0)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    int code = check_name(deployment, section, name, err);
    if (code == 0)
        code = weir_config_bind(
            deployment->config, section, NULL, &weir_collection_options, NULL, NULL, collection, err);
    if (code == 0)
        code = check_members(deployment, section, collection, err);
    if (code == 0)
        code = check_aliases(deployment, section, collection, err);
    if (code == 0)
        code = check_tables(deployment, section, collection, err);
    if (code == 0)
        code = find_schema(deployment, collection, err);
    if (code == 0)
        code = check_indexes(deployment, section, collection, err);
    return code < 0 ? code : name_topics(deployment, collection, err);
}

int weir_deployment_load_collections(struct weir_deployment *deployment, struct weir_error *err)
{
    size_t count = 0;
    int code = 0;

    while (weir_config_named(deployment->config, "collection", count) != NULL)
        count++;
    deployment->collections = calloc(count + 1, sizeof(*deployment->collections));
    if (deployment->collections == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    while (deployment->collection_count < count && code == 0) {
        size_t i = deployment->collection_count++;
        code = load_collection(deployment, weir_config_named(deployment->config, "collection", i),
            &deployment->collections[i], err);
    }
    return code;
}

void weir_deployment_free_collections(struct weir_deployment *deployment)
{
    for (size_t i = 0; i < deployment->collection_count; i++) {
        struct weir_collection *collection = &deployment->collections[i];
        free(collection->name);
        free(collection->command_topic);
        free(collection->changes_topic);
        free(collection->store_service);
        free(collection->mail_service);
        weir_option_free(&weir_collection_options, collection);
    }
    free(deployment->collections);
}
