/* From a request line to what has to be done: the route table, and the reading of the request target (RFC
 * 9112 §3.2.1, origin-form only). */
#ifndef WEIR_GATEWAY_ROUTE_H
#define WEIR_GATEWAY_ROUTE_H

#include "common/bytes.h"
#include "common/envelope.h"
#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>

struct weir_gateway;
struct weir_request;

enum weir_step {
    WEIR_STEP_ANSWER,    /* request->outcome says what to answer */
    WEIR_STEP_SUSPENDED, /* the connection sleeps; someone will resume it */
};

/* Stand for the actions of paths that are in no collection: /v1/requests/{id}, /openapi.json. */
#define WEIR_ROUTE_REQUEST "request"
/* The same of the paths of dispatch.paths, whose collection the body names. */
#define WEIR_ROUTE_DISPATCH "dispatch"
/* The same for the portal. */
#define WEIR_ROUTE_PORTAL "portal"
#define WEIR_ROUTE_PORTAL_SESSION "portal-session"
#define WEIR_ROUTE_OPENAPI "openapi"
/* The same for dead letters; the first is their scope, too. */
#define WEIR_ROUTE_DLQ "dlq"
#define WEIR_ROUTE_DLQ_LETTERS "dlq-letters"
#define WEIR_ROUTE_DLQ_LETTER "dlq-letter"
#define WEIR_ROUTE_DLQ_REDRIVE "dlq-redrive"
#define WEIR_ROUTE_DLQ_REDRIVE_LETTER "dlq-redrive-letter"

struct weir_route {
    const char *name; /* "/v1/{collection}/{key}": for the log and the metrics */
    const char *method;
    bool item; /* the path names a document */
    enum weir_operation operation;
    const char *media_type; /* of the body; NULL: the request has none */
    const char *action;     /* "confirm" of …/{key}:confirm; NULL: none */
    bool page;              /* it is for people: forms come in, HTML goes out */
    enum weir_step (*run)(struct weir_request *request);
    const char *doc; /* what /openapi.json tells of it: gateway/openapi_operations.h */
};

enum { WEIR_ROUTES_MAX = 64 };
extern const struct weir_route weir_routes[];
extern const size_t weir_route_count;

/* A request target, taken apart. */
struct weir_target {
    char collection[64];
    bool item;
    const char *action; /* static; NULL: none; WEIR_ROUTE_REQUEST, … */
    bool apart;         /* in no collection */
    const char *scope;  /* static; of a path that is in no collection: what a key's scope calls it */
    char service[64];   /* decoded; "": the path names none */
    char key[WEIR_KEY_BYTES + 1]; /* decoded; NUL-terminated, holds no other NUL */
    size_t key_len;
};

/* What every target has to be: visible ASCII, whole percent escapes, no %00, no dot segment, no fragment.
 * WEIR_E_INVALID otherwise: such a request is refused and its connection closed. */
int weir_target_check(const char *target, struct weir_error *err);

/* Takes a checked target apart, whose path begins with base.path and goes on with /v1/{collection} or an
 * alias; the query is left aside. WEIR_E_NOT_FOUND: no route looks like this. WEIR_E_INVALID: the key breaks
 * its rule. */
int weir_target_read(const struct weir_gateway *gateway, const char *target, struct weir_target *ret_target,
    struct weir_error *err);

bool weir_target_is_request(const struct weir_target *target);
bool weir_target_is_dispatch(const struct weir_target *target);

/* Decodes a piece of a checked target's path; false when it does not fit. */
bool weir_target_decode(struct weir_bytes text, char *out, size_t size);

/* The route of that method on a collection, a document or an action; NULL when the method is not for it. */
const struct weir_route *weir_route_find(const struct weir_target *target, const char *method);

/* Whether it writes to the collection that its path names. */
bool weir_route_is_command(const struct weir_route *route);

/* The word of the scope that a key has to have for the route; NULL where any will do. */
const char *weir_route_verb(const struct weir_route *route);

/* Whether it is for whoever has a key at all. */
bool weir_route_is_for_any_key(const struct weir_route *route);

/* "GET, HEAD, PUT, PATCH, DELETE": the Allow header. The thread's, until its next call. */
const char *weir_route_allow(const struct weir_target *target);

#endif
