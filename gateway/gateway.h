/* What every part of the gateway shares: the settings, the collections and the parts themselves. One
 * instance, built by main, read-only once the server listens (but for the flags). */
#ifndef WEIR_GATEWAY_GATEWAY_H
#define WEIR_GATEWAY_GATEWAY_H

#include "common/deployment.h"
#include "gateway/settings.h"

#include <stdatomic.h>
#include <stddef.h>

struct weir_access;
struct weir_keys;
struct weir_tls;
struct weir_rate;
struct weir_schema;
struct weir_pending;
struct weir_produce;
struct weir_feed;
struct weir_dlq;
struct weir_openapi;
struct weir_owner;
struct weir_read;
struct weir_server;

enum { WEIR_GATEWAY_TYPE_BYTES = 96, WEIR_GATEWAY_OPERATIONS = 5 };

/* A collection with what would be written anew for each request. */
struct weir_gateway_collection {
    const struct weir_collection *config;
    size_t index;
    struct weir_schema *schema;                                   /* NULL: none */
    char types[WEIR_GATEWAY_OPERATIONS][WEIR_GATEWAY_TYPE_BYTES]; /* ce_type by enum weir_operation */
};

struct weir_gateway {
    const struct weir_deployment *deployment;
    struct weir_gateway_settings settings;
    struct weir_gateway_collection *collections;
    size_t collection_count;
    struct weir_keys *keys; /* NULL: nobody is asked for one */
    struct weir_tls *tls;   /* NULL: plain HTTP */
    struct weir_rate *rate; /* NULL: callers may ask as often as they like */
    struct weir_openapi *openapi;
    struct weir_feed *feed; /* NULL: there is none */
    struct weir_dlq *dlq;   /* NULL: dead letters are not told of */
    struct weir_access *access;
    struct weir_pending *pending;
    struct weir_produce *produce;
    struct weir_owner *owner;
    struct weir_read *read;
    struct weir_server *server;
    atomic_bool draining;   /* SIGTERM came: not ready, and each answer closes its connection */
    atomic_bool refusing;   /* nothing new is begun any more */
    atomic_int late_status; /* the exit status of an end that takes too long */
};

#endif
