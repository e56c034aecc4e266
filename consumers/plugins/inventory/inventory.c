/* Inventory: keeps the stock of products by what is ordered, confirms orders and rejects those that can't be
 * had. */
#include "consumers/plugins/inventory/steps.h"

#include "common/deployment.h"
#include "common/json.h"
#include "common/topic.h"

#include <stdlib.h>
#include <string.h>

#define ORDERS "orders"
#define PRODUCTS "products"

enum role { ORDER_CHANGES, ORDER_OUTCOMES, PRODUCT_CHANGES, PRODUCT_OUTCOMES, ROLES };

static weir_step *const steps[ROLES] = {
    [ORDER_CHANGES] = weir_step_order_changed,
    [ORDER_OUTCOMES] = weir_step_order_unchanged,
    [PRODUCT_CHANGES] = weir_step_product_changed,
    [PRODUCT_OUTCOMES] = weir_step_product_unchanged,
};

/* The topics it lives on, whole names. */
struct topics {
    char name[ROLES][WEIR_TOPIC_NAME_BYTES];
};

struct inventory {
    const struct weir_host *host;
    struct weir_commands commands;
    struct topics topics;
    struct weir_sagas *sagas;
    struct weir_metric *open;
};

/* ---- settings ---- */

/* NULL: there is none. */
static const struct weir_collection *find_collection(
    const struct weir_deployment *deployment, const char *name)
{
    for (size_t i = 0; i < deployment->collection_count; i++)
        if (strcmp(deployment->collections[i].name, name) == 0)
            return &deployment->collections[i];
    return NULL;
}

/* Never NULL: it is the one that is checked. */
static const struct weir_service *find_service(const struct weir_deployment *deployment, const char *name)
{
    const struct weir_service *found = deployment->services;

    while (strcmp(found->name, name) != 0)
        found++;
    return found;
}

static int name_topics_of(const struct weir_deployment *deployment, const char *name, enum role changes,
    enum role outcomes, struct topics *topics, struct weir_error *err)
{
    const struct weir_collection *collection = find_collection(deployment, name);

    if (collection == NULL || collection->store_service == NULL)
        return weir_error_set(err, WEIR_E_CONFIG,
            "topics: inventory needs a [collection %s] and a [service] with plugin = store that keeps it",
            name);
    snprintf(topics->name[changes], sizeof(topics->name[changes]), "%s", collection->changes_topic);
    return weir_topic_of_service(
        collection->command_topic, collection->store_service, "outcomes", topics->name[outcomes], err);
}

static int name_topics(
    const struct weir_deployment *deployment, struct topics *topics, struct weir_error *err)
{
    int code = name_topics_of(deployment, ORDERS, ORDER_CHANGES, ORDER_OUTCOMES, topics, err);
    return code < 0 ? code
                    : name_topics_of(deployment, PRODUCTS, PRODUCT_CHANGES, PRODUCT_OUTCOMES, topics, err);
}

/* ROLES: none. */
static enum role role_of(const struct topics *topics, const char *topic)
{
    enum role role = 0;
    while (role < ROLES && strcmp(topics->name[role], topic) != 0)
        role++;
    return role;
}

/* An order whose outcomes nobody reads would wait for ever. */
static int check(const void *settings, const struct weir_deployment *deployment, const char *service,
    struct weir_error *err)
{
    const struct weir_service *own = find_service(deployment, service);
    struct topics topics;
    bool reads[ROLES + 1] = {false};

    (void)settings;
    int code = name_topics(deployment, &topics, err);
    for (char **topic = own->source_topics; code == 0 && *topic != NULL; topic++)
        reads[role_of(&topics, *topic)] = true;
    for (enum role role = 0; code == 0 && role < ROLES; role++)
        if (!reads[role])
            code = weir_error_set(
                err, WEIR_E_CONFIG, "topics: inventory has to read %s, too", topics.name[role]);
    return code;
}

/* ---- open, close ---- */

static void close_inventory(void *instance)
{
    struct inventory *inventory = instance;

    weir_sagas_free(inventory->sagas);
    free(inventory);
}

static int open_inventory(
    const struct weir_host *host, const void *settings, void **ret_instance, struct weir_error *err)
{
    (void)settings;
    if (!WEIR_HOST_HAS(host, emit_across))
        return weir_error_set(
            err, WEIR_E_UNSUPPORTED, "this weir-consumer is older than the plugin inventory");
    struct inventory *inventory = calloc(1, sizeof(*inventory));
    if (inventory == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    inventory->host = host;
    inventory->sagas = weir_sagas_new();
    int code = inventory->sagas != NULL ? name_topics(host->deployment, &inventory->topics, err)
                                        : weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    if (code < 0) {
        close_inventory(inventory);
        return code;
    }
    inventory->commands = (struct weir_commands){
        host, find_collection(host->deployment, ORDERS), find_collection(host->deployment, PRODUCTS)};
    inventory->open = host->gauge("orders_open", "", "Orders that are neither confirmed nor rejected");
    *ret_instance = inventory;
    return 0;
}

/* ---- records ---- */

static bool is_republished(const struct weir_record *record)
{
    return weir_bytes_is(
        weir_header_find(record->headers, record->header_count, WEIR_HEADER_REASON), WEIR_REASON_REPUBLISH);
}

static int take(const struct inventory *inventory, const struct weir_cause *cause, struct weir_error *err)
{
    const struct weir_record *record = cause->record;
    enum role role = role_of(&inventory->topics, inventory->host->topics[record->source]);
    WEIR_CLEANUP(json) json_t *value = NULL;

    if (role == ROLES || record->value.data == NULL || is_republished(record))
        return 0;
    int code = weir_json_parse_event(record->value, &value, err);
    if (code == 0)
        code = weir_key_check(record->key, err);
    return code < 0 ? code : steps[role](cause, inventory->sagas, value, err);
}

static bool is_letter(int code)
{
    return code == WEIR_E_INVALID || code == WEIR_E_TOO_LARGE;
}

static void end(const struct weir_host *host, const struct weir_cause *cause, int code, const char *text)
{
    const struct weir_reason why = {.disposition = code == WEIR_E_TOO_LARGE ? "too-large" : "invalid",
        .error_type = "record",
        .text = text};

    if (code < 0)
        host->fail(cause->batch, cause->record, WEIR_REJECT, &why);
    else
        host->done(cause->batch, cause->record);
}

static int handle(void *instance, struct weir_batch *batch, struct weir_error *err)
{
    const struct inventory *inventory = instance;

    for (const struct weir_record *record; (record = inventory->host->next(batch)) != NULL;) {
        const struct weir_cause cause = {&inventory->commands, batch, record};
        struct weir_error why = {.text = ""};
        int code = take(inventory, &cause, &why);
        if (code < 0 && !is_letter(code))
            return weir_error_set(err, code, "%s", why.text);
        end(inventory->host, &cause, code, why.text);
    }
    return 0;
}

static int apply(
    void *instance, uint32_t table, const struct weir_record *records, size_t count, struct weir_error *err)
{
    struct inventory *inventory = instance;
    int code = 0;

    (void)table;
    for (size_t i = 0; i < count && code == 0; i++)
        code = weir_sagas_apply(inventory->sagas, records[i].key, records[i].value, err);
    inventory->host->metric_set(inventory->open, (int64_t)weir_sagas_count(inventory->sagas));
    return code;
}

static const struct weir_table tables[] = {
    {.topic = ORDERS ".changes", .mode = WEIR_TABLE_ALL, .fresh = true}};

WEIR_PLUGIN = {
    .abi = WEIR_PLUGIN_ABI,
    .struct_size = sizeof(struct weir_plugin),
    .name = "inventory",
    .version = WEIR_VERSION,
    .summary = "Keeps stock by what is ordered: confirms orders, rejects what can't be had",
    .tables = tables,
    .table_count = sizeof(tables) / sizeof(tables[0]),
    .check = check,
    .open = open_inventory,
    .close = close_inventory,
    .handle = handle,
    .table_apply = apply,
};
