/* The plugin ABI: all that the author of a microservice on Weir needs.
 *
 * A plugin is one shared object that exports one const struct weir_plugin named `weir_plugin`. weir-consumer (the host)
 * loads one plugin, feeds it batches of records of the topics of its [service] section, and commits the records it
 * emits together with the consumed offsets in one Kafka transaction: each record takes effect exactly once.
 *
 *     static int handle(void *instance, struct weir_batch *batch, struct weir_error *err)
 *     {
 *         const struct weir_host *host = ((struct mine *)instance)->host;
 *         for (const struct weir_record *record; (record = host->next(batch)) != NULL;)
 *             host->done(batch, record);
 *         return 0;
 *     }
 *
 * Threads: the host calls every callback of an instance from one thread, never two at a time, but `health` and
 * weir_http_answer, which run on any thread. Functions of the host table are for the host's thread, within a callback, unless
 * they say "any thread". Ownership: what the host passes in belongs to the host and lives until the callback returns,
 * records and their bytes until `committed` or `aborted` of their batch returned; what the plugin passes in is copied.
 * No callback may throw a C++ exception or end the process.
 *
 * Stability: a plugin that was built for WEIR_PLUGIN_ABI 1 runs on every host of ABI 1. Members are added at the end of
 * struct weir_host and struct weir_plugin only; a host takes as much of a plugin's struct as there is (struct_size) and
 * treats the rest as absent, a plugin asks WEIR_HOST_HAS before it calls what its oldest host may lack. Structs that
 * stand in arrays (records, headers, options, tables, outputs, positions) never grow; what is reserved in them is zero.
 *
 * C17 and C++ (WEIR_PLUGIN with designated initialisers: C++20).
 */
#ifndef WEIR_PLUGIN_H
#define WEIR_PLUGIN_H

#include <weir/bytes.h>
#include <weir/error.h>
#include <weir/option.h>

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEIR_PLUGIN_ABI 1

/* Opaque: the host's own. */
struct weir_batch;
struct weir_buffer;
struct weir_metric;
struct weir_http_service;
struct weir_http_request;
struct weir_http_reply;
/* The configuration as a whole, for the plugins that are released with the host; not part of the ABI. */
struct weir_deployment;

/* A record that is handed to a plugin. Read only. */
struct weir_record {
    const char *topic;    /* with the prefix; within a batch the same pointer for the same topic */
    uint32_t source;      /* index into the service's topics; of a table's record, of the topic it derives from (0 if none) */
    int32_t partition;    /* 0 or more */
    int64_t offset;       /* of the record where it first stood, 0 or more; of a dead letter that was redriven,
                             on the retry topic, which is then its `topic`: the header weir-origin says where it stood */
    int64_t timestamp_ms; /* since 1970, the broker's (LogAppendTime); -1 unknown */
    struct weir_bytes key, value; /* data NULL: null */
    const struct weir_header *headers; /* NULL when there are none */
    size_t header_count;
    int32_t executions;   /* how often it was handed out before this time, crashes not counted; 0 or more */
    uint32_t index;       /* in its batch, from 0 in the order of next() */
    uint64_t ticket;      /* of defer(), when that is why it is handed out again; 0: it is new to this instance */
    uint64_t reserved[3];
};

/* What became of a record. */
enum weir_verdict {
    WEIR_DONE,   /* handled; what was emitted for it counts */
    WEIR_RETRY,  /* failed for now: again later, in order per key; an execution is counted */
    WEIR_REJECT, /* can never succeed: to the dead-letter topic */
    WEIR_WAIT    /* the outside world is down: stop this partition, try again later, no execution is counted */
};

/* Why a record was not DONE. Words are cut at 64 bytes, the text at 1 KiB. Every member may be NULL. */
struct weir_reason {
    const char *disposition; /* REJECT: "invalid" (NULL means that), "too-large", "wrong-partition"; else ignored */
    const char *error_type;  /* few, stable words: "json", "schema", "smtp-550" */
    const char *text;        /* for people */
};

/* weir_output.cause of a record that was emitted by emit_at(). */
#define WEIR_NO_RECORD UINT32_MAX

/* A record that was emitted and is committed. */
struct weir_output {
    uint32_t cause;    /* index of the record it was emitted for; WEIR_NO_RECORD */
    const char *topic; /* with the prefix */
    int32_t partition;
    int64_t offset;    /* where it stands; 0 or more */
};

/* A source partition's position after the commit: the next offset to consume. */
struct weir_position {
    uint32_t source;
    int32_t partition;
    int64_t offset;
};

/* How a finished batch ended. */
struct weir_result {
    const struct weir_output *outputs; /* of finished records and dead letters only, in the order of emitting */
    size_t output_count;
    const struct weir_position *positions;
    size_t position_count;
};

enum weir_log_severity { WEIR_SAY_ERROR, WEIR_SAY_WARNING, WEIR_SAY_NOTICE, WEIR_SAY_INFO, WEIR_SAY_DEBUG };

/* Answers one HTTP request: reads `request`, fills `reply`. Runs on several threads at once. */
typedef void weir_http_answer(void *context, const struct weir_http_request *request, struct weir_http_reply *reply);

enum { WEIR_TOPIC_ID_BYTES = 24 };

/* What the host does for a plugin. Lives from `open` until `close` returned; the functions that take a batch may be
 * called with the batch of the callback that is running only. */
struct weir_host {
    uint32_t abi;         /* WEIR_PLUGIN_ABI of the host */
    uint32_t struct_size; /* bytes of the host's table, see WEIR_HOST_HAS */
    void *context;        /* the host's own; first argument where a function says so */

    const char *service;       /* [service NAME] */
    const char *instance;      /* unique in the group: host name or --instance */
    const char *const *topics; /* the service's source topics with prefix, NULL-terminated; `source` counts them */
    const struct weir_deployment *deployment;

    /* The next record of a batch, in order; NULL at the end. Only in `handle`. Leaves out records of a partition behind one
     * that had WAIT, and with retry.order = key those of a key behind one of the same key that had RETRY. Several records
     * may be pending: a plugin may ask for the next ones before it gives verdicts, in any order. A record without a verdict
     * when handle returns counts as not reached and is handed out again with the next batch; no execution is counted.
     * Behind a record that had WAIT or was not reached all of its partition, and behind one that had RETRY all of its key,
     * may be handed out again whatever its verdict, so that a plugin with effects outside Kafka gives verdicts in order
     * and remembers what it has done. */
    const struct weir_record *(*next)(struct weir_batch *batch);
    /* The verdict DONE; ignored for a record that has failed. */
    void (*done)(struct weir_batch *batch, const struct weir_record *record);
    /* Any verdict but DONE; ignored for a record that has failed. What was emitted for the record before is dropped. `why`
     * may be NULL. */
    void (*fail)(struct weir_batch *batch, const struct weir_record *record, enum weir_verdict verdict,
        const struct weir_reason *why);

    /* Queues a record for the batch's transaction, on the partition number of `cause`, a record of this batch. Everything
     * is copied. `topic` with prefix; value.data NULL is a tombstone; headers may be NULL when header_count is 0. The
     * `traceparent` of the cause goes along unless `headers` has one. What is emitted for a record that is not finished with
     * this batch is dropped. Returns 0 or more, WEIR_E_TOO_LARGE against the topic's max.message.bytes (nothing is queued:
     * fail() the record), or WEIR_E_USAGE for a record that has failed. In `handle`, and in `dead_letter` for its record. */
    int (*emit)(struct weir_batch *batch, const struct weir_record *cause, const char *topic, struct weir_bytes key,
        struct weir_bytes value, const struct weir_header *headers, size_t header_count, struct weir_error *err);
    /* The same without a cause, in `tick` only: on partition number `partition` of source topic `source`, which this
     * instance has to own and to have caught up with, else WEIR_E_NOT_FOUND. What was emitted in one tick is committed,
     * with the partition's position, or aborted together: `committed` or `aborted` tells. */
    int (*emit_at)(struct weir_batch *batch, uint32_t source, int32_t partition, const char *topic,
        struct weir_bytes key, struct weir_bytes value, const struct weir_header *headers, size_t header_count,
        struct weir_error *err);

    /* One line of the log: `event` in dotted words, then pairs by format as vprintf(3): key=%s, or key="…" where the format itself has a
     * space. Values are quoted as they need it, in whatever form the log is written; see weir_say. Any thread. */
    void (*log)(enum weir_log_severity severity, const char *event, const char *format, va_list arguments);
    int64_t (*now_ms)(void);              /* wall clock, ms since 1970. Any thread */
    bool (*stopping)(void);               /* the process has been asked to end. Any thread */
    bool (*wait_ms)(int64_t duration_ms); /* sleeps for 0 ms or more and feeds the watchdog; false when stopping */

    /* Metrics, named weir_<plugin>_<name> in Prometheus' words: `name` "mails_total", without that prefix; `labels`
     * `kind="a",state="b"` or ""; `help` one sentence. The same name and labels answer the same metric, never NULL; it
     * lives as long as the process. Any thread. */
    struct weir_metric *(*counter)(const char *name, const char *labels, const char *help);
    struct weir_metric *(*gauge)(const char *name, const char *labels, const char *help);
    struct weir_metric *(*histogram)(const char *name, const char *labels, const char *help); /* of seconds */
    void (*metric_add)(struct weir_metric *metric, int64_t n);                     /* counter (n ≥ 0), gauge. Any thread */
    void (*metric_set)(struct weir_metric *metric, int64_t n);                     /* gauge. Any thread */
    void (*metric_observe_us)(struct weir_metric *metric, int64_t duration_us);    /* histogram, µs ≥ 0. Any thread */

    /* Adds the member "name":"value" to the readiness detail. Only in `health`. */
    void (*health_detail)(struct weir_buffer *detail, const char *name, const char *value);

    /* A listener of the plugin's own on host:port (port 0: any free one) or unix:/path. `answer` runs on several threads
     * with `context`. 0, WEIR_E_CONFIG or WEIR_E_UNAVAILABLE. The plugin closes it before it ends. */
    int (*http_listen)(const char *address, weir_http_answer *answer, void *context,
        struct weir_http_service **ret_service, struct weir_error *err);
    const char *(*http_address)(const struct weir_http_service *service); /* where it really listens; lives as it does */
    void (*http_close)(struct weir_http_service *service);                /* waits for running answers; NULL is allowed */
    /* Names the advertised URL of this instance in the group's metadata (client.id), so that others find it. `context` is
     * the table's. In `open`, at most once. */
    void (*advertise)(void *context, const char *url);
    /* Of a request; NULL when there is none of that name (headers: any case). Within weir_http_answer. */
    const char *(*request_method)(const struct weir_http_request *request);
    const char *(*request_path)(const struct weir_http_request *request); /* decoded, begins with / */
    const char *(*request_query)(const struct weir_http_request *request, const char *name);
    const char *(*request_header)(const struct weir_http_request *request, const char *name);
    /* Status 200 to 599, a body and its static type; more headers; or an error as problem+json (RFC 9457). */
    void (*reply_body)(struct weir_http_reply *reply, unsigned status, const char *content_type, struct weir_bytes body);
    void (*reply_header)(struct weir_http_reply *reply, const char *name, const char *value);
    void (*reply_problem)(struct weir_http_reply *reply, unsigned status, const char *detail);
    /* Id of the Kafka cluster, "" on the dev broker. `context` is the table's. Valid from the first `assigned` on. */
    const char *(*cluster_id)(void *context);

    /* For a request that has no answer yet: instead of a reply, `answer` is called with it again after the next http_wake,
     * which a plugin does when something has changed, and in tick for those whose time is up. Those that wait when the
     * listener closes are answered 503. Within weir_http_answer. */
    void (*reply_later)(struct weir_http_reply *reply);
    int64_t (*request_waited_ms)(const struct weir_http_request *request); /* since `answer` was first called with it */
    void (*http_wake)(struct weir_http_service *service);                  /* any thread */

    /* A verdict too: the record is pending, the plugin completes it later. It is parked, and behind it what follows of its
     * key (retry.order = key), and handed out again with *ret_ticket as its ticket at once after wake(), at the latest after
     * limit_ms (1 ms to 7 days); no execution is counted. After a crash, or when its partition moves, it is handed out as new
     * (ticket 0), which wake() of the old ticket does not hasten. What was emitted for it is dropped. 0; WEIR_E_USAGE for a
     * record that has a verdict or a limit out of range. Only in `handle`. */
    int (*defer)(struct weir_batch *batch, const struct weir_record *record, int64_t limit_ms, uint64_t *ret_ticket);
    /* `context` is the table's. A ticket that is not known (any more) is ignored. Any thread, until `close` returned. */
    void (*wake)(void *context, uint64_t ticket);

    /* Into id, of WEIR_TOPIC_ID_BYTES: what the cluster calls a topic (name with prefix) beside its name, so that one that was deleted and made
     * again is noticed; "" when that can't be known (librdkafka before 2.3, a broker before 2.8, the dev broker).
     * `context` is the table's. 0, or WEIR_E_UNAVAILABLE: ask again later. Only in `assigned` and `table_position`. */
    int (*topic_id)(void *context, const char *topic, char *id, struct weir_error *err);

    /* emit_at() for a topic that is not partitioned as the sources are: to its partition number `to`, which has to be there or
     * no transaction can be committed. */
    int (*emit_to)(struct weir_batch *batch, uint32_t source, int32_t partition, const char *topic, int32_t to,
        struct weir_bytes key, struct weir_bytes value, const struct weir_header *headers, size_t header_count,
        struct weir_error *err);
    /* emit() for such a topic: for its cause, to partition number `to`, on the same condition. */
    int (*emit_across)(struct weir_batch *batch, const struct weir_record *cause, const char *topic, int32_t to,
        struct weir_bytes key, struct weir_bytes value, const struct weir_header *headers, size_t header_count,
        struct weir_error *err);
};

/* Whether the host has the member: for plugins that run on hosts older than their header. */
#define WEIR_HOST_HAS(host, member) \
    ((host)->struct_size >= offsetof(struct weir_host, member) + sizeof((host)->member))

/* Which partitions of a table are read, and until when. */
enum weir_table_mode {
    WEIR_TABLE_OWNED,  /* those whose source partitions this instance owns, before their records are handed out */
    WEIR_TABLE_ALL,    /* every one, by every instance: before the first record is handed out, and on */
    WEIR_TABLE_STANDBY /* as OWNED; those that are not owned are followed in the background */
};

/* A topic the host reads for the plugin. */
struct weir_table {
    const char *topic; /* may hold {source} and {service}: "{source}.changes" is read once for each source topic; without
                          {source} it is one topic, and the prefix is added */
    enum weir_table_mode mode;
    bool optional; /* mode ALL: left out while no collection of the configuration has that change topic */
    bool fresh;    /* mode ALL: read to its high watermark again before each batch, so that what was committed to it before a
                      record of the batch was is known when that is handed out */
    const char *if_option; /* mode STANDBY: key of one of the plugin's BOOL options; OWNED while that is false. NULL: none */
    const void *reserved[1]; /* NULL */
};

/* The plugin. Only abi to close and handle have to be there; every other callback may be NULL. WEIR_E_CORRUPT of any of them
 * says that what it keeps on disk is damaged: the process leaves the group and ends with 74, so that other instances go on
 * with its partitions. */
struct weir_plugin {
    uint32_t abi;         /* WEIR_PLUGIN_ABI */
    uint32_t struct_size; /* sizeof(struct weir_plugin) */
    const char *name;     /* as in plugin = name, 1 to 60 bytes of a-z, 0-9 and -; prefix of its options and metrics */
    const char *version;
    const char *summary;               /* one sentence */
    const struct weir_option *options; /* keys without the prefix "name."; NULL when there are none */
    size_t option_count;
    size_t settings_size;              /* bytes of the struct that the options fill */
    const struct weir_table *tables;   /* NULL when there are none */
    size_t table_count;

    /* Makes an instance. host lives until close, settings too or until a reload took others. *ret_instance (never NULL) is handed to all others. 0, or an
     * error that ends the process. */
    int (*open)(const struct weir_host *host, const void *settings, void **ret_instance, struct weir_error *err);
    /* Ends it; no other callback runs or follows. */
    void (*close)(void *instance);
    /* Handles a batch. 0, or an error that hands all of it out again after a back-off. Returns within handle.timeout. */
    int (*handle)(void *instance, struct weir_batch *batch, struct weir_error *err);

    /* Checks settings without I/O and before open; serves --check-config. An error's text begins with the key. */
    int (*check)(const void *settings, const struct weir_deployment *deployment, const char *service,
        struct weir_error *err);
    /* A source partition was taken or given up. Between `assigned` and its tables' `table_caught_up` no record of it is
     * handed out. An error of assigned is tried again; WEIR_E_CONFIG, _INVALID and _UNSUPPORTED stop the partition. */
    int (*assigned)(void *instance, uint32_t source, int32_t partition, struct weir_error *err);
    void (*revoked)(void *instance, uint32_t source, int32_t partition);
    /* Called for each record that goes to the dead-letter topic, between handle and the transaction; may emit for it
     * (and only there are its outputs kept). */
    void (*dead_letter)(void *instance, struct weir_batch *batch, const struct weir_record *record,
        const char *disposition, const struct weir_reason *why);
    /* The transaction is committed: apply. An error takes the batch's partitions anew from the log. */
    int (*committed)(void *instance, struct weir_batch *batch, const struct weir_result *result,
        struct weir_error *err);
    /* The transaction is not, and never will be, visible: forget the batch. */
    void (*aborted)(void *instance, struct weir_batch *batch);
    /* Between batches, at least every 100 ms while there are none; ≤ 5 ms a call. May emit_at() to `batch`. */
    void (*tick)(void *instance, struct weir_batch *batch);
    /* Adds members to the readiness detail (host table: health_detail); true when healthy. Any thread. */
    bool (*health)(void *instance, struct weir_buffer *detail);

    /* Tables; `table` is the index into `tables`, `source` as in struct weir_record. The next offset wanted of a table's
     * partition (0: from the beginning), asked when it is about to be read. NULL: always 0. */
    int (*table_position)(void *instance, uint32_t table, uint32_t source, int32_t partition, int64_t *ret_offset,
        struct weir_error *err);
    /* Records of one partition of one table, in order. Needed when there are tables. An error begins the partition again
     * at table_position. */
    int (*table_apply)(void *instance, uint32_t table, const struct weir_record *records, size_t count,
        struct weir_error *err);
    /* The table's partition was read to the high watermark that was taken after the assignment (ALL: after the start).
     * `offset` is the next one. Not called for STANDBY partitions that are not owned. */
    int (*table_caught_up)(void *instance, uint32_t table, uint32_t source, int32_t partition, int64_t offset,
        struct weir_error *err);

    /* SIGHUP, between batches: the configuration was read again, files that settings name may have changed. `settings` are
     * the new ones, checked; only options with `reload` differ. 0: they replace the old ones, which end when this returns.
     * An error: the plugin goes on with the old ones, whole. Needed when an option says `reload`. */
    int (*reload)(void *instance, const void *settings, struct weir_error *err);

    /* A STANDBY partition that others own was read to the high watermark of when it was begun; from then on it is as recent
     * as the network lets it be. Begun again (table_position), it is told again. */
    void (*table_followed)(void *instance, uint32_t table, uint32_t source, int32_t partition, int64_t offset);
};

/* In the plugin's source: WEIR_PLUGIN = { .abi = WEIR_PLUGIN_ABI, … }; */
#define WEIR_PLUGIN                                                                                          \
    extern __attribute__((visibility("default"))) const struct weir_plugin weir_plugin;                      \
    const struct weir_plugin weir_plugin

/* host->log with its arguments written out: weir_say(host, WEIR_SAY_INFO, "mine.opened", "url=%s", url). Any thread. */
__attribute__((format(printf, 4, 5))) static inline void weir_say(const struct weir_host *host,
    enum weir_log_severity severity, const char *event, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    host->log(severity, event, format, arguments);
    va_end(arguments);
}

#ifdef __cplusplus
}
#endif

#endif
