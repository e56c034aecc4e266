#include "deploy/weirctl/acl.h"

#include "deploy/weirctl/gateway.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const acl_operation_names[ACL_OPERATIONS] = {
    "Read", "Write", "Create", "Delete", "Describe", "DescribeConfigs"};

/* The topics of a service's own, beside each of its sources, and what it does with them. Marks, which tell
 * whether one is empty, come with any of the two. */
static const struct {
    const char *suffix;
    unsigned service, weirctl, gateway; /* the gateway where it tells of dead letters */
} own_topics[] = {
    {"retry", ACL_READ | ACL_WRITE, ACL_READ | ACL_WRITE, ACL_READ | ACL_WRITE},
    {"dlq", ACL_WRITE, ACL_READ | ACL_DELETE, ACL_READ},
    {"outcomes", ACL_READ | ACL_WRITE, 0, 0},
    {"notifications", ACL_READ | ACL_WRITE, 0, 0},
};

enum { OWN_TOPICS = sizeof(own_topics) / sizeof(own_topics[0]) };

/* What is at hand while a plan is made. */
struct maker {
    const struct weir_deployment *deployment;
    const struct weir_topic_plan *topics; /* all that the deployment has */
    size_t topic_count;
    struct acl_plan *plan;
    struct weir_error *err;
};

static struct acl *find(
    struct acl_plan *plan, const char *program, enum acl_resource resource, const char *name, bool prefixed)
{
    for (size_t i = 0; i < plan->count; i++) {
        struct acl *acl = &plan->list[i];
        if (acl->resource == resource && acl->prefixed == prefixed && strcmp(acl->name, name) == 0 &&
            strcmp(acl->program, program) == 0)
            return acl;
    }
    return NULL;
}

static struct acl *add(struct acl_plan *plan)
{
    if (plan->count == plan->capacity) {
        size_t capacity = plan->capacity > 0 ? 2 * plan->capacity : 32;
        struct acl *grown = reallocarray(plan->list, capacity, sizeof(*grown));
        if (grown == NULL)
            return NULL;
        plan->list = grown;
        plan->capacity = capacity;
    }
    struct acl *acl = &plan->list[plan->count++];
    *acl = (struct acl){0};
    return acl;
}

/* Adds operations to what the program may do with the resource. */
static int allow(struct maker *maker, const char *program, enum acl_resource resource, const char *name,
    bool prefixed, unsigned operations)
{
    struct acl *acl = find(maker->plan, program, resource, name, prefixed);
    if (acl == NULL) {
        acl = add(maker->plan);
        if (acl == NULL)
            return weir_error_set(maker->err, WEIR_E_INTERNAL, "out of memory");
        acl->resource = resource;
        acl->prefixed = prefixed;
        snprintf(acl->program, sizeof(acl->program), "%s", program);
        snprintf(acl->name, sizeof(acl->name), "%s", name);
    }
    acl->operations |= operations;
    return 0;
}

static int allow_topic(struct maker *maker, const char *program, const char *name, unsigned operations)
{
    return allow(maker, program, ACL_TOPIC, name, false, operations | ACL_DESCRIBE | ACL_DESCRIBE_CONFIGS);
}

static bool is_planned(const struct maker *maker, const char *name)
{
    for (size_t i = 0; i < maker->topic_count; i++)
        if (strcmp(maker->topics[i].name, name) == 0)
            return true;
    return false;
}

/* Letters are taken back by transactions of the letters' topic. */
static int plan_letters(
    struct maker *maker, const struct weir_service *service, const char *source, bool gateway)
{
    const char *program = gateway ? "gateway" : "weirctl";
    char name[WEIR_TOPIC_NAME_BYTES];
    int code = 0;

    for (size_t i = 0; i < OWN_TOPICS && code == 0; i++) {
        unsigned operations = gateway ? own_topics[i].gateway : own_topics[i].weirctl;
        code = weir_topic_of_service(source, service->name, own_topics[i].suffix, name, maker->err);
        if (code == 0 && is_planned(maker, name) && (operations != 0 || !gateway))
            code = allow_topic(maker, program, name, operations);
        if (code == 0 && strcmp(own_topics[i].suffix, "dlq") == 0)
            code = allow(maker, program, ACL_TRANSACTIONAL_ID, name, true, ACL_WRITE);
    }
    return code;
}

static int plan_gateway_letters(struct maker *maker)
{
    int code = 0;

    for (size_t i = 0; i < maker->deployment->service_count && code == 0; i++) {
        const struct weir_service *service = &maker->deployment->services[i];
        for (char **source = service->source_topics; *source != NULL && code == 0; source++)
            code = plan_letters(maker, service, *source, true);
    }
    return code;
}

/* The feed reads changes, and a redrive looks whether a document was changed since. Readers name a group of
 * their own, which no offset is kept for, and librdkafka looks for its coordinator. */
static int plan_gateway_readers(struct maker *maker)
{
    WEIR_CLEANUP(gateway_settings) struct gateway_settings switches = {0};

    int code = gateway_settings_read(maker->deployment, &switches, maker->err);
    if (code < 0 || (!switches.feed && !switches.dlq))
        return code;
    code = allow(maker, "gateway", ACL_GROUP, "weir-gateway", true, ACL_READ);
    for (size_t i = 0; i < maker->topic_count && code == 0; i++)
        if (maker->topics[i].role == WEIR_TOPIC_CHANGES)
            code = allow_topic(maker, "gateway", maker->topics[i].name, ACL_READ);
    return code == 0 && switches.dlq ? plan_gateway_letters(maker) : code;
}

/* The service's group is asked who its members are; there may be none. */
static int allow_members(struct maker *maker, const char *name)
{
    const struct weir_service *service =
        name != NULL ? weir_deployment_service(maker->deployment, name) : NULL;

    return service != NULL ? allow(maker, "gateway", ACL_GROUP, service->group, false, ACL_DESCRIBE) : 0;
}

/* Commands are written, and it is found out who has the documents and who knows of their mails. */
static int plan_gateway(struct maker *maker)
{
    int code = 0;

    for (size_t i = 0; i < maker->deployment->collection_count && code == 0; i++) {
        const struct weir_collection *collection = &maker->deployment->collections[i];
        code = allow_topic(maker, "gateway", collection->command_topic, ACL_WRITE);
        if (code == 0)
            code = allow_members(maker, collection->store_service);
        if (code == 0)
            code = allow_members(maker, collection->mail_service);
    }
    return code == 0 ? plan_gateway_readers(maker) : code;
}

static int plan_own_topics(struct maker *maker, const struct weir_service *service, const char *source)
{
    char name[WEIR_TOPIC_NAME_BYTES];
    int code = 0;

    for (size_t i = 0; i < OWN_TOPICS && code == 0; i++) {
        code = weir_topic_of_service(source, service->name, own_topics[i].suffix, name, maker->err);
        if (code == 0 && is_planned(maker, name))
            code = allow_topic(maker, service->name, name, own_topics[i].service);
    }
    return code;
}

/* The store of a collection keeps its change log; the notifier reads the whole one of the subscriptions. */
static int plan_changes(struct maker *maker, const struct weir_service *service, const char *source)
{
    const struct weir_collection *collection = weir_deployment_collection_of_topic(maker->deployment, source);
    const struct weir_collection *subscriptions =
        weir_deployment_collection(maker->deployment, WEIR_SUBSCRIPTIONS);
    int code = 0;

    if (collection != NULL && collection->store_service != NULL &&
        strcmp(collection->store_service, service->name) == 0)
        code = allow_topic(maker, service->name, collection->changes_topic, ACL_READ | ACL_WRITE);
    if (code == 0 && strcmp(service->plugin, "notifier") == 0 && subscriptions != NULL)
        code = allow_topic(maker, service->name, subscriptions->changes_topic, ACL_READ);
    return code;
}

/* Plugins that give commands, as a client would. */
static const struct {
    const char *plugin, *collection;
} givers[] = {{"notifier", WEIR_SUBSCRIPTIONS}, {"inventory", "orders"}, {"inventory", "products"}};

static int plan_commands(struct maker *maker, const struct weir_service *service)
{
    int code = 0;

    for (size_t i = 0; i < sizeof(givers) / sizeof(givers[0]) && code == 0; i++) {
        const struct weir_collection *collection =
            weir_deployment_collection(maker->deployment, givers[i].collection);
        if (collection != NULL && strcmp(service->plugin, givers[i].plugin) == 0)
            code = allow_topic(maker, service->name, collection->command_topic, ACL_WRITE);
    }
    return code;
}

static int plan_service(struct maker *maker, const struct weir_service *service)
{
    char transactions[WEIR_TOPIC_NAME_BYTES];
    int code = allow(maker, service->name, ACL_GROUP, service->group, false, ACL_READ);

    snprintf(transactions, sizeof(transactions), "%s.", service->name);
    if (code == 0)
        code = allow(maker, service->name, ACL_TRANSACTIONAL_ID, transactions, true, ACL_WRITE);
    if (code == 0)
        code = plan_commands(maker, service);
    for (char **source = service->source_topics; *source != NULL && code == 0; source++) {
        code = allow_topic(maker, service->name, *source, ACL_READ);
        if (code == 0)
            code = plan_own_topics(maker, service, *source);
        if (code == 0)
            code = plan_changes(maker, service, *source);
    }
    return code;
}

/* A reader of letters names a group of its own, which no offset is kept for, and librdkafka looks for its
 * coordinator. */
static int plan_weirctl(struct maker *maker)
{
    const struct weir_deployment *deployment = maker->deployment;
    int code = allow(maker, "weirctl", ACL_GROUP, "weirctl", true, ACL_READ);

    for (size_t i = 0; i < maker->topic_count && code == 0; i++) {
        bool read =
            maker->topics[i].role == WEIR_TOPIC_COMMANDS || maker->topics[i].role == WEIR_TOPIC_CHANGES;
        code = allow_topic(maker, "weirctl", maker->topics[i].name, ACL_CREATE | (read ? ACL_READ : 0));
    }
    for (size_t i = 0; i < deployment->service_count && code == 0; i++) {
        const struct weir_service *service = &deployment->services[i];
        code = allow(maker, "weirctl", ACL_GROUP, service->group, false, ACL_READ);
        for (char **source = service->source_topics; *source != NULL && code == 0; source++)
            code = plan_letters(maker, service, *source, false);
    }
    return code;
}

static int plan_all(struct maker *maker)
{
    int code = plan_gateway(maker);

    for (size_t i = 0; i < maker->deployment->service_count && code == 0; i++)
        code = plan_service(maker, &maker->deployment->services[i]);
    return code == 0 ? plan_weirctl(maker) : code;
}

int acl_plan_make(const struct weir_deployment *deployment, struct acl_plan *ret_plan, struct weir_error *err)
{
    struct weir_topic_plan *topics = NULL;
    size_t count = 0;

    *ret_plan = (struct acl_plan){0};
    int code = weir_topic_plan(deployment, &topics, &count, err);
    if (code == 0) {
        struct maker maker = {deployment, topics, count, ret_plan, err};
        code = plan_all(&maker);
    }
    weir_topic_plan_free(topics, count);
    return code;
}

void acl_plan_done(struct acl_plan *plan)
{
    free(plan->list);
    *plan = (struct acl_plan){0};
}
