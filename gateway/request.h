/* One HTTP request from its request line to its last byte: what came, how far it is, and how it ended.
 *
 * A request belongs to one HTTP thread, except while its connection is suspended: then the one who takes it
 * out of the registry (gateway/pending) may write `outcome` and resume it. It is counted: its connection
 * holds one reference, a record on its way to Kafka or a read on its way to a store another. */
#ifndef WEIR_GATEWAY_REQUEST_H
#define WEIR_GATEWAY_REQUEST_H

#include "common/bytes.h"
#include "common/envelope.h"
#include "common/error.h"
#include "common/rate.h"
#include "common/schema.h"
#include "gateway/gateway.h"
#include "gateway/head.h"
#include "gateway/keys.h"
#include "gateway/route.h"

#include <microhttpd.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct weir_batch;
struct weir_checkout;
struct weir_connection;
struct weir_feed_client;
struct weir_list;
struct weir_portal_file;
struct weir_worker;

/* Who asks, where nobody is asked for credentials or none are known. */
#define WEIR_REQUEST_ANONYMOUS "anonymous"

enum weir_stage {
    WEIR_STAGE_HEAD,    /* the header came; nothing is decided yet */
    WEIR_STAGE_BODY,    /* the body is collected, or discarded once the request is refused */
    WEIR_STAGE_WAITING, /* suspended */
    WEIR_STAGE_ANSWERED,
};

enum weir_outcome_kind {
    WEIR_OUTCOME_PROBLEM,
    WEIR_OUTCOME_ACCEPTED, /* Kafka has the command */
    WEIR_OUTCOME_ENDED,    /* and the store has carried it out */
    WEIR_OUTCOME_DOCUMENT,
    WEIR_OUTCOME_PAGE,
    WEIR_OUTCOME_METHODS, /* that a path takes */
    WEIR_OUTCOME_STREAM,  /* of the change feed */
    WEIR_OUTCOME_PORTAL,
    WEIR_OUTCOME_PREFLIGHT,
    WEIR_OUTCOME_BATCH, /* each document's own; see gateway/batch */
};

/* Where a command stands on its topic. */
struct weir_request_position {
    int32_t partition;
    int64_t offset; /* < 0: Kafka did not say */
};

enum { WEIR_REQUEST_TAG_BYTES = 264, WEIR_REQUEST_POINTER_BYTES = 256 };

/* What is told of a request that failed. Kept apart, so that the memory of those that do not fail stays
 * small. */
struct weir_problem {
    char detail[WEIR_ERROR_TEXT_BYTES];
    bool has_pointer; /* the body is at fault: at `pointer` (RFC 6901), "" being all of it */
    char pointer[WEIR_REQUEST_POINTER_BYTES];
    struct weir_schema_violations violations; /* of a body that breaks its schema; else none */
};

/* How a request ended. */
struct weir_outcome {
    enum weir_outcome_kind kind;
    unsigned status;
    bool close;                   /* the connection can't be trusted or used any more */
    struct weir_problem *problem; /* PROBLEM; NULL when memory is out */
    /* DOCUMENT, and PAGE: its HTML; ENDED has etag and version of them */
    struct weir_buffer document;
    char etag[WEIR_REQUEST_TAG_BYTES];
    char last_modified[40];
    char version[24];
    bool waited;                         /* DOCUMENT: the client's wait was heeded */
    const struct weir_portal_file *file; /* PORTAL; NULL: the way to /portal/ */
    char standby[64]; /* DOCUMENT that is the truth up to `position` of the request only: the instance; else
                         "" */
};

/* How another interface tells of a command that was accepted or ended: sets outcome.status, appends the body
 * and answers its media type (static); NULL: it is told as usual. */
typedef const char *weir_request_shape_fn(struct weir_request *request, struct weir_buffer *out);

/* A request's place among the suspended ones; see gateway/pending. */
struct weir_pending_entry {
    struct weir_request *previous, *next;
    int64_t deadline_ms;
    const char *late; /* static: told at the deadline */
    bool waiting;
};

struct weir_request {
    struct weir_gateway *gateway;
    struct MHD_Connection *connection;
    struct weir_connection *peer;
    struct weir_worker *worker;          /* whose connection it is; see gateway/worker */
    struct weir_request *resumed_before; /* the worker's list */
    struct weir_request *deferred_next;  /* its list of what it does at the end of its turn */
    void (*deferred)(struct weir_request *request);
    atomic_int references;
    enum weir_stage stage;
    bool refused; /* outcome stands; the body is read and thrown away */
    int64_t started_us, started_wall_ms;
    char id[WEIR_ID_BYTES];
    char *target;           /* as it came */
    const char *raw_target; /* where libmicrohttpd has it; only its place counts */
    const char *method;     /* libmicrohttpd's, or "-" */
    char principal[WEIR_KEYS_NAME_BYTES];
    struct weir_rate_state rate;
    const struct weir_route *route;
    const struct weir_gateway_collection *collection;
    struct weir_target path;
    enum weir_operation operation; /* the route's, unless the body says more */
    const char *media_type;        /* of a command's body; NULL: it has none */
    struct weir_head head;
    struct weir_head_lists lists; /* the head's */
    struct weir_buffer body;
    struct weir_bytes key; /* of the document; into path.key or id; data NULL: the body may say it */
    struct weir_pending_entry pending;
    struct weir_request_position
        position;             /* of the command, once Kafka has it; or the one that is asked for */
    bool takes_standby;       /* the client takes an older document rather than none */
    bool hides_addresses;     /* of the mails that are told of */
    int64_t wait_ms;          /* for which the client wants to wait; 0: not at all */
    struct weir_buffer known; /* If-None-Match of a client that may wait for something else */
    struct weir_list *list;   /* of a GET of a collection; see gateway/list */
    char condition[72];       /* the If-Match that a link in a mail stands for */
    char place[48];           /* JSON Pointer of the document in what the client sent; "": it is all of it */
    struct weir_batch *batch; /* the documents of a :batch, each a request of its own; else NULL */
    struct weir_checkout *checkout; /* of a :checkout; else NULL */
    /* Of a request that has others for its parts: one of them has ended. Threads: any. */
    void (*part_ended)(struct weir_request *request);
    struct weir_request *parent;          /* of such a part, which has no connection; else NULL */
    size_t number;                        /* of such a document, from 1; else 0 */
    weir_request_shape_fn *shape;         /* NULL: the answer is told as the routes of a collection tell it */
    struct weir_feed_client *feed_client; /* of a stream, until its answer takes it over */
    struct weir_outcome outcome;
    size_t answer_bytes;
};

/* A new request with one reference; NULL when memory is out. */
struct weir_request *weir_request_new(
    struct weir_gateway *gateway, struct MHD_Connection *connection, const char *target);
struct weir_request *weir_request_ref(struct weir_request *request);
void weir_request_unref(struct weir_request *request);

/* One call of libmicrohttpd's handler: goes on with the request where it stands. */
enum MHD_Result weir_request_step(struct weir_request *request, const char *method, const char *version,
    const char *data, size_t *data_len);

/* Finds route and collection of a request whose head is read, and refuses it if they or the caller's rights
 * say so. WEIR_STEP_SUSPENDED: goes on with its body. */
enum weir_step weir_request_find_route(struct weir_request *request);

/* Refuses who has no key, 401, or whose key does not grant `verb` (NULL: any) on the collection of that name,
 * 403, which need not exist; `collection` NULL: any key will do. WEIR_STEP_SUSPENDED: goes on. */
enum weir_step weir_request_check_access(
    struct weir_request *request, const char *collection, const char *verb);

/* Ends a request whose command is on its topic, with the status that its collection says. */
void weir_request_accept(struct weir_request *request);

/* Whether the caller may do that, too; where nobody is asked for a credential, everybody may. */
bool weir_request_may(const struct weir_request *request, const char *collection, const char *verb);

/* Ends the request with a problem (RFC 9457). Answers WEIR_STEP_ANSWER. */
enum weir_step weir_request_refuse(struct weir_request *request, unsigned status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for a body that is at fault, at a JSON Pointer ("" is all of it). */
enum weir_step weir_request_refuse_body(struct weir_request *request, unsigned status,
    struct weir_bytes pointer, const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The same for a body that is no JSON, text being common/json's word for it: the place at fault, which it
 * tells as (pointer "…"), is repeated where a program can read it. */
enum weir_step weir_request_refuse_json(struct weir_request *request, const char *text);
/* The same for a body that breaks its schema; takes what violations hold. */
enum weir_step weir_request_refuse_document(
    struct weir_request *request, struct weir_schema_violations *violations);
/* The same at a member of the body's object. */
enum weir_step weir_request_refuse_member(struct weir_request *request, unsigned status, const char *member,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
