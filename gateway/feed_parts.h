/* What the parts of the change feed share; for gateway/feed*.c only.
 *
 * Locks: a source's lock guards its ring and its clients. libmicrohttpd may be called under it, never the
 * other way round. */
#ifndef WEIR_GATEWAY_FEED_PARTS_H
#define WEIR_GATEWAY_FEED_PARTS_H

#include "gateway/feed.h"
#include "gateway/feed_event.h"

#include <pthread.h>

#define WEIR_FEED_ENDING "this gateway is shutting down; connect again with the last id to go on"

struct weir_feed_client;

/* The change topic of a collection: the newest events of all its partitions, in the order in which they came.
 */
struct weir_feed_source {
    struct weir_feed *feed;
    const struct weir_gateway_collection *collection;
    int32_t partition_count;
    pthread_mutex_t lock;
    struct weir_feed_event **ring; /* event number n is at n % ring_size */
    size_t ring_size;
    uint64_t first, next; /* numbers of the oldest one and of the one to come */
    size_t bytes;
    int64_t *begin, *end; /* by partition: the ring has what is committed from begin on and before end */
    bool ready;           /* begin and end are known */
    struct weir_feed_client *clients;
    pthread_t reader;
    bool reader_runs;
};

struct weir_feed {
    struct weir_gateway *gateway;
    struct weir_feed_source *sources; /* by collection */
    atomic_bool ending;
    pthread_mutex_t lock; /* the readers' start; the worker's queue */
    pthread_cond_t wanted;
    struct weir_feed_client *first_behind, *last_behind; /* who wait for the worker */
    pthread_t worker;
    bool worker_runs;
    struct weir_metric *clients, *events;
};

enum weir_feed_state {
    WEIR_FEED_LIVE,   /* served from the ring */
    WEIR_FEED_BEHIND, /* the worker reads for it */
    WEIR_FEED_BATCH,  /* has what the worker read */
    WEIR_FEED_OVER,   /* `why` says it */
};

/* A poll or a stream. Guarded by its source's lock; the worker's reference keeps it while it reads. */
struct weir_feed_client {
    atomic_int references;
    struct weir_feed_source *source;
    struct weir_feed_client *previous, *next; /* among the source's */
    struct weir_feed_client *next_behind;     /* in the worker's queue */
    struct weir_request *request;             /* a poll holds a reference, a stream's outlives it */
    bool stream, attached;
    enum weir_feed_view view;
    int64_t limit;
    enum weir_feed_state state;
    int64_t *offsets; /* by partition: what comes next; -1: from the end as it is when the source is ready */
    bool checked;     /* offsets beyond the ring's end are in the log */
    uint64_t number;  /* of the ring's event to be looked at next */
    struct weir_feed_event **batch;
    size_t batch_count, batch_at;
    int64_t *reached; /* where offsets are once the batch is through */
    unsigned status;  /* of what is over */
    char why[WEIR_ERROR_TEXT_BYTES];
    int64_t deadline_ms; /* a poll's */
    /* A stream's: */
    bool asleep; /* its connection is suspended */
    bool greeted, beats, told_end;
    int64_t last_ms;
    struct weir_buffer out;
    size_t out_at;
};

/* feed_client.c: all but _new and _unref under the source's lock. */
struct weir_feed_client *weir_feed_client_new(struct weir_feed_source *source, struct weir_request *request);
void weir_feed_client_unref(struct weir_feed_client *client);
void weir_feed_client_attach(struct weir_feed_client *client);
void weir_feed_client_detach(struct weir_feed_client *client);
/* The next event, with a reference, the client's place moved behind it. NULL: there is none now; then state
 * may have become BEHIND, and the worker was told, or OVER. */
struct weir_feed_event *weir_feed_client_take(struct weir_feed_client *client);
void weir_feed_client_end(struct weir_feed_client *client, unsigned status, const char *why);
void weir_feed_client_write_token(const struct weir_feed_client *client, struct weir_buffer *out);

/* feed_poll.c: answers it if there is something to answer with, or if its time is up. */
void weir_feed_poll_serve(struct weir_feed_client *client, int64_t now_ms);
/* feed_stream.c: wakes it if it sleeps and there is something to send, or it is time for a sign of life. */
void weir_feed_stream_wake(struct weir_feed_client *client, int64_t now_ms);

/* feed.c: serves all clients. Under the source's lock. */
void weir_feed_serve(struct weir_feed_source *source);

/* feed_reader.c: starts the source's reader unless it runs. False: there is no thread for it. */
bool weir_feed_reader_start(struct weir_feed_source *source);
void weir_feed_reader_join(struct weir_feed_source *source);

/* feed_behind.c: the worker that reads what is older than a ring. */
void weir_feed_behind_want(struct weir_feed_client *client); /* under the source's lock */
int weir_feed_behind_start(struct weir_feed *feed, struct weir_error *err);
void weir_feed_behind_join(struct weir_feed *feed);

#endif
