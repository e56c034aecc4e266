/* What one configuration file describes: the Kafka cluster, the collections and the services over them. Every
 * program loads it first; none changes it afterwards. Sections: [log] [kafka] [kafka.producer] [kafka.consumer]
 * [gateway] [collection NAME] [service NAME] [notify NAME]
 * [subscriptions].
 *
 *     WEIR_CLEANUP(deployment) struct weir_deployment *deployment = NULL;
 *     if (weir_deployment_load(path, &deployment, &err) < 0) …
 */
#ifndef WEIR_COMMON_DEPLOYMENT_H
#define WEIR_COMMON_DEPLOYMENT_H

#include "common/config.h"
#include "common/error.h"
#include "common/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct weir_log_settings {
    int64_t level;  /* enum weir_log_level */
    int64_t format; /* 0 auto, 1 text, 2 journal, 3 json */
};

struct weir_property {
    char *name, *value;
};

struct weir_kafka_settings {
    char *bootstrap_servers;
    bool dev;                    /* the dev broker: no discovery, no checks; refused by a real cluster */
    char *topic_prefix;          /* "" or e.g. "acme." before every topic name */
    int64_t replication_factor;  /* default 3 */
    int64_t min_insync_replicas; /* default 2 */
    int64_t window_ms;           /* default 7d: retention of commands, compaction lag of changes */
    struct weir_property *properties; /* [kafka]: librdkafka's, for every client */
    size_t property_count;
    struct weir_property *producer_properties; /* [kafka.producer] */
    size_t producer_property_count;
    struct weir_property *consumer_properties; /* [kafka.consumer] */
    size_t consumer_property_count;
};

enum weir_conditions { WEIR_CONDITIONS_OPTIONAL, WEIR_CONDITIONS_REQUIRED };
enum weir_success_status { WEIR_SUCCESS_ACCEPTED, WEIR_SUCCESS_OK };
enum weir_body_mode { WEIR_BODY_JSON, WEIR_BODY_OPAQUE };
enum weir_changes_view { WEIR_VIEW_NEW_IMAGE, WEIR_VIEW_NEW_AND_OLD_IMAGES };

/* [collection NAME]; NAME is [a-z][a-z0-9-]{0,62}, never "requests" or "dlq". */
struct weir_collection {
    char *name;           /* "orders" */
    char *key_field;      /* key = orderID */
    int64_t partitions;   /* of every topic of this collection; default 6, 1..1000; never changed later */
    int64_t changes_view; /* enum weir_changes_view */
    int64_t body;         /* enum weir_body_mode */
    char *body_member;    /* of a document that came as a text: holds it */
    char *schema;         /* path of its documents' JSON Schema, as it can be opened; NULL: none */
    char **aliases;       /* paths of the gateway that mean it, too: "/product"; NULL: none */
    char **tables;        /* further names of it in the gateway's dispatch: "lambda-apigateway"; NULL: none */
    bool schema_formats;  /* whether `format` is a rule there (common/schema) */
    int64_t conditions;     /* enum weir_conditions */
    int64_t success_status; /* enum weir_success_status */
    int64_t default_wait_ms; /* of commands whose clients do not say how long they wait */
    char **indexes;       /* dotted paths of indexed members, ended by NULL; NULL: none */
    int64_t ttl_ms;       /* a document is deleted so long after its last change; 0: never */
    char *command_topic;  /* prefix + "orders" (derived) */
    char *changes_topic;  /* prefix + "orders.changes" (derived) */
    char *store_service;  /* the [service] with plugin = store that consumes it; NULL if none (derived) */
    char *mail_service;   /* the first [service] with plugin = notifier that reads its changes; NULL if none (derived) */
};

enum weir_retry_order { WEIR_RETRY_ORDER_KEY, WEIR_RETRY_ORDER_NONE };

enum weir_assignment_strategy { WEIR_ASSIGNMENT_RANGE, WEIR_ASSIGNMENT_COOPERATIVE_STICKY };

/* [service NAME]: the keys every service has. A plugin's own keys carry its name ("store.path"). */
struct weir_service {
    char *name;
    char *plugin; /* a name ("store") or a path to a .so */
    char **topics; /* as configured, without prefix */
    char **source_topics; /* the same with the prefix (derived); same order */
    char *group;  /* default: name */
    int64_t attempts;               /* 3 */
    int64_t retry_backoff_ms;       /* 1s */
    int64_t retry_backoff_max_ms;   /* 5m */
    int64_t retry_order;            /* enum weir_retry_order */
    int64_t source_partitions;      /* of those of its topics that belong to no collection; 0: there are none */
    int64_t parked_max;             /* 10000 records of one partition */
    int64_t parked_max_bytes;       /* 64MiB of one partition */
    int64_t batch_max;              /* 10000 records */
    int64_t batch_max_bytes;        /* 16MiB */
    int64_t handle_timeout_ms;      /* 60s */
    int64_t drain_timeout_ms;       /* 20s */
    int64_t assignment;             /* enum weir_assignment_strategy */
    bool instance_static;           /* a static member of the group (KIP-345) */
    char *management_listen;        /* NULL: unix:$RUNTIME_DIRECTORY/…, or none */
    char *tls_certificate;          /* of the plugin's own listener; NULL: it speaks plain HTTP */
    char *tls_key;                  /* there is one where there is a certificate */
    char *tls_client_ca;            /* of those who may read there; NULL: they need no certificate */
    char *state_dir;                /* where the host keeps its note: default /var/lib/weir/<name> */
};

/* [notify NAME]: a mail of the company's own for some changes of a collection, or some records of any topic of JSON objects, sent by
 * each notifier that reads them. */
struct weir_notify {
    char *name;
    char *collection; /* NULL: of the topic */
    char *topic;      /* as in `topics` of the service; NULL: of the collection */
    char **to;      /* addresses, and paths into the change event; the notifier checks them */
    char *filter;   /* as written; NULL: none */
    struct weir_filter *policy; /* of filter (derived) */
    char *template; /* "change" */
};

/* The collection whose documents say who wants which mails. */
#define WEIR_SUBSCRIPTIONS "subscriptions"

/* [subscriptions]: the links in mails. */
struct weir_subscription_settings {
    char *url; /* without a / at its end */
    char *key;
    int64_t confirmations;        /* mails that ask, of one subscription */
    struct weir_token_keys *keys; /* of key (derived) */
};

struct weir_deployment {
    char *folder; /* of the configuration file, with its last slash: where relative paths of schemas begin */
    struct weir_config *config;
    struct weir_log_settings log;
    struct weir_kafka_settings kafka;
    struct weir_collection *collections;
    size_t collection_count;
    struct weir_service *services;
    size_t service_count;
    struct weir_notify *notifies;
    size_t notify_count;
    struct weir_subscription_settings *subscriptions; /* NULL: there is no such section */
};

/* Loads and checks everything but the sections of single programs and plugins. Refuses librdkafka properties that
 * would void the promise with file:line and the reason. The caller frees *ret_deployment. */
int weir_deployment_load(const char *path, struct weir_deployment **ret_deployment, struct weir_error *err);
void weir_deployment_free(struct weir_deployment *deployment);
WEIR_CLEANUP_DEFINE(deployment, struct weir_deployment *, weir_deployment_free)

/* NULL when there is none of that name. */
const struct weir_collection *weir_deployment_collection(const struct weir_deployment *deployment, const char *name);

/* The same, here for plugins, too, which do not link deployment.c; of no deployment (NULL) there is none. */
static inline const struct weir_service *weir_deployment_service(
    const struct weir_deployment *deployment, const char *name)
{
    for (size_t i = 0; deployment != NULL && i < deployment->service_count; i++)
        if (strcmp(deployment->services[i].name, name) == 0)
            return &deployment->services[i];
    return NULL;
}

/* How the plugin's own listener is reached, unless at a Unix socket: "https" or "http". */
static inline const char *weir_service_scheme(const struct weir_service *service)
{
    return service != NULL && service->tls_certificate != NULL ? "https" : "http";
}

/* Whether whoever reads there has to show a certificate. */
static inline bool weir_service_asks_for_certificates(const struct weir_service *service)
{
    return service != NULL && service->tls_client_ca != NULL;
}

/* The collection whose command or change topic (with prefix) this is, or NULL. */
const struct weir_collection *weir_deployment_collection_of_topic(const struct weir_deployment *deployment,
    const char *topic);

/* [a-z][a-z0-9-]{0,62}: names of collections, services and plugins, so that they are sound in topics, paths and URLs. */
bool weir_deployment_is_name(const char *name);
/* Whether text is a path of the gateway as an operator may choose one, like /staging or /api/product: letters, digits, _ and -
 * between slashes, and none at the end. */
bool weir_deployment_is_path(const char *text);
/* Whether path is `prefix` or goes on behind it with a slash: what an URL under /api/product has in common with it. */
bool weir_deployment_path_begins(const char *path, const char *prefix);

/* The tables, for --help and CONFIGURATION.md. */
extern const struct weir_option_table weir_log_options, weir_kafka_options, weir_collection_options,
    weir_service_options, weir_notify_options, weir_subscriptions_options;

/* /etc/weir/weir.conf, or $WEIR_CONFIG. */
const char *weir_deployment_default_path(void);

#endif
