/* The plugin ABI: all that the author of a microservice on Weir needs.
 *
 * A plugin is one shared object that exports one const struct weir_plugin named `weir_plugin`. weir-consumer (the
 * host) loads one plugin, feeds it batches of records of the topics of its [service] section, and commits the records
 * it emits together with the consumed offsets in one Kafka transaction: each record takes effect exactly once.
 *
 *     static int handle(void *instance, struct weir_batch *batch, struct weir_error *err)
 *     {
 *         const struct weir_host *host = ((struct mine *)instance)->host;
 *         for (const struct weir_record *record; (record = host->next(batch)) != NULL;)
 *             host->done(batch, record);
 *         return 0;
 *     }
 *
 * Threads: the host calls every callback of an instance from one thread, never two at a time, but `health`, which
 * any thread may call. Ownership: what the host passes in belongs to the host and lives until the callback
 * returns, records and their bytes until `committed` or `aborted` of their batch returned.
 *
 * The ABI is provisional: WEIR_PLUGIN_ABI is 0 and may change until it is 1.
 */
#ifndef WEIR_PLUGIN_H
#define WEIR_PLUGIN_H

#include "common/bytes.h"
#include "common/error.h"
#include "common/option.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEIR_PLUGIN_ABI 0

struct weir_batch;
struct weir_deployment;
struct weir_http_request;
struct weir_http_reply;

struct weir_record {
    const char *topic;    /* with the prefix; the same pointer for the same topic */
    uint32_t source;      /* index into the service's topics; for a table's record, of the topic it derives from */
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms; /* the broker's (LogAppendTime) */
    struct weir_bytes key, value; /* data NULL: null */
    const struct weir_header *headers;
    size_t header_count;
    int32_t executions;   /* how often it was handed out before this time */
    uint32_t index;       /* in its batch, from 0 in the order of next() */
};

enum weir_verdict {
    WEIR_DONE,   /* handled; what was emitted for it counts */
    WEIR_RETRY,  /* failed for now: again later, in order per key; an execution is counted */
    WEIR_REJECT, /* can never succeed: to the dead-letter topic */
    WEIR_WAIT,   /* the outside world is down: stop this partition, try again later, no execution is counted */
};

/* Why a record was not DONE. Text is cut at 1 KiB. */
struct weir_reason {
    const char *disposition; /* REJECT: "invalid", "too-large", "wrong-partition"; else NULL */
    const char *error_type;  /* few, stable words: "json", "schema", "smtp-550" */
    const char *text;        /* for people */
};

/* A record that was emitted and is committed. */
struct weir_output {
    uint32_t cause;   /* index of the record it was emitted for */
    const char *topic;
    int32_t partition;
    int64_t offset;
};

/* A source partition's position after the commit: the next offset to consume. */
struct weir_position {
    uint32_t source;
    int32_t partition;
    int64_t offset;
};

/* How a finished batch ended. */
struct weir_result {
    const struct weir_output *outputs; /* of finished records and dead letters only, in the order of emit() */
    size_t output_count;
    const struct weir_position *positions;
    size_t position_count;
};

enum weir_log_severity { WEIR_SAY_ERROR, WEIR_SAY_WARNING, WEIR_SAY_NOTICE, WEIR_SAY_INFO, WEIR_SAY_DEBUG };

struct weir_metric;

struct weir_http_service;
typedef void weir_http_answer(void *context, const struct weir_http_request *request, struct weir_http_reply *reply);

/* What the host does for a plugin. All functions may be called from `open` until `close` returned. */
struct weir_host {
    uint32_t abi;
    uint32_t struct_size;
    void *context; /* the host's own; first argument where a function says so */

    const char *service;  /* [service NAME] */
    const char *instance; /* unique in the group: host name or --instance */
    const char *const *topics; /* the service's source topics with prefix, NULL-terminated */
    const struct weir_deployment *deployment; /* for the plugins of this tree: common/deployment.h */

    /* The next record, in order; NULL at the end. Leaves out records of a partition behind one that had RETRY or
     * WAIT. Several records may be pending: a plugin may ask for the next ones before it gives verdicts, in any order.
     * A record without a verdict when handle returns counts as not reached and is handed out again with the next
     * batch; no execution is counted. A partition's position never passes a record that had RETRY or WAIT or was not
     * reached; what is behind it on the partition may be handed out again whatever its verdict, so that a plugin with
     * effects outside Kafka gives verdicts in order and remembers what it has done. */
    const struct weir_record *(*next)(struct weir_batch *batch);
    void (*done)(struct weir_batch *batch, const struct weir_record *record);
    /* Any verdict but DONE. What was emitted for the record before is dropped. */
    void (*fail)(struct weir_batch *batch, const struct weir_record *record, enum weir_verdict verdict,
        const struct weir_reason *why);

    /* Queues a record for the batch's transaction, on the partition number of `cause`. Everything is copied. `topic` with
     * prefix. value.data NULL is a tombstone. Answers 0 or more, or WEIR_E_TOO_LARGE against the target's
     * max.message.bytes (nothing is queued: fail() the record), or WEIR_E_USAGE for a record that has failed. What is
     * emitted for a record that is not finished with this batch is dropped. */
    int (*emit)(struct weir_batch *batch, const struct weir_record *cause, const char *topic, struct weir_bytes key,
        struct weir_bytes value, const struct weir_header *headers, size_t header_count, struct weir_error *err);

    void (*log)(enum weir_log_severity severity, const char *event, const char *format, va_list arguments);
    int64_t (*now_ms)(void);                     /* wall clock */
    bool (*stopping)(void);                      /* the process has been asked to end */
    bool (*wait_ms)(int64_t duration_ms);        /* sleeps, feeds the watchdog; false when stopping */

    struct weir_metric *(*counter)(const char *name, const char *labels, const char *help);
    struct weir_metric *(*gauge)(const char *name, const char *labels, const char *help);
    struct weir_metric *(*histogram)(const char *name, const char *labels, const char *help);
    void (*metric_add)(struct weir_metric *metric, int64_t n);
    void (*metric_set)(struct weir_metric *metric, int64_t n);
    void (*metric_observe_us)(struct weir_metric *metric, int64_t duration_us);

    /* A listener of the plugin's own (common/http.h for request and reply). `answer` runs on several threads. */
    int (*http_listen)(const char *address, weir_http_answer *answer, void *context,
        struct weir_http_service **ret_service, struct weir_error *err);
    const char *(*http_address)(const struct weir_http_service *service);
    void (*http_close)(struct weir_http_service *service);
    /* Names the advertised URL of this instance in the group's metadata (client.id), so that others find it. To be
     * called in `open`, at most once. */
    void (*advertise)(void *context, const char *url);
    const char *(*request_method)(const struct weir_http_request *request);
    const char *(*request_path)(const struct weir_http_request *request);
    const char *(*request_query)(const struct weir_http_request *request, const char *name);
    const char *(*request_header)(const struct weir_http_request *request, const char *name);
    void (*reply_body)(struct weir_http_reply *reply, unsigned status, const char *content_type, struct weir_bytes body);
    void (*reply_header)(struct weir_http_reply *reply, const char *name, const char *value);
    void (*reply_problem)(struct weir_http_reply *reply, unsigned status, const char *detail);
    /* Id of the Kafka cluster, "" on the dev broker. Valid from the first `assigned` on. */
    const char *(*cluster_id)(void *context);
};

enum weir_table_mode {
    WEIR_TABLE_OWNED, /* the partitions whose source partitions this instance owns, read before they are handed out */
    WEIR_TABLE_ALL,   /* every partition, by every instance */
};

/* A topic the host reads for the plugin. `topic` may hold {source} and {service}: "{source}.changes" is read once for
 * each source topic; without {source} it is one topic. The prefix is added where {source} does not bring it. */
struct weir_table {
    const char *topic;
    enum weir_table_mode mode;
};

struct weir_plugin {
    uint32_t abi;         /* WEIR_PLUGIN_ABI */
    uint32_t struct_size; /* sizeof(struct weir_plugin) */
    const char *name;     /* as in plugin = name; prefix of its options */
    const char *version;
    const char *summary;  /* one sentence */
    const struct weir_option *options; /* keys without the prefix "name." */
    size_t option_count;
    size_t settings_size;
    const struct weir_table *tables;
    size_t table_count;

    /* Checks settings without I/O; serves --check-config. May be NULL. */
    int (*check)(const void *settings, const struct weir_deployment *deployment, const char *service,
        struct weir_error *err);
    /* settings live until close. *ret_instance is handed to all others. */
    int (*open)(const struct weir_host *host, const void *settings, void **ret_instance, struct weir_error *err);

    /* A source partition was taken or given up. Between `assigned` and its tables' `table_caught_up` no record of it is
     * handed out. May be NULL. */
    int (*assigned)(void *instance, uint32_t source, int32_t partition, struct weir_error *err);
    void (*revoked)(void *instance, uint32_t source, int32_t partition);

    /* Handles a batch. 0, or an error that hands all of it out again after a back-off. */
    int (*handle)(void *instance, struct weir_batch *batch, struct weir_error *err);
    /* Called for each record that goes to the dead-letter topic, between handle and the transaction; may emit for it
     * (and only there are its outputs kept). May be NULL. */
    void (*dead_letter)(void *instance, struct weir_batch *batch, const struct weir_record *record,
        const char *disposition, const struct weir_reason *why);
    /* The transaction is committed: apply. An error takes the batch's partitions anew from the log. May be NULL. */
    int (*committed)(void *instance, struct weir_batch *batch, const struct weir_result *result,
        struct weir_error *err);
    /* The transaction is not, and never will be, visible: forget the batch. May be NULL. */
    void (*aborted)(void *instance, struct weir_batch *batch);
    /* Between batches, ≤ 5 ms a call. May be NULL. */
    void (*tick)(void *instance);

    /* Tables. The next offset wanted of a table's partition (0: from the beginning). */
    int (*table_position)(void *instance, uint32_t table, uint32_t source, int32_t partition, int64_t *ret_offset,
        struct weir_error *err);
    /* Records of one partition of one table, in order. */
    int (*table_apply)(void *instance, uint32_t table, const struct weir_record *records, size_t count,
        struct weir_error *err);
    /* The table's partition was read to the high watermark that was taken after the assignment. `offset` is the next one. */
    int (*table_caught_up)(void *instance, uint32_t table, uint32_t source, int32_t partition, int64_t offset,
        struct weir_error *err);

    /* Appends members of the readiness detail, e.g. `"smtp":"refused"`; true when healthy. Any thread. May be NULL. */
    bool (*health)(void *instance, struct weir_buffer *detail);
    void (*close)(void *instance);
};

/* In the plugin's source: WEIR_PLUGIN = { .abi = WEIR_PLUGIN_ABI, … }; */
#define WEIR_PLUGIN                                                                                          \
    extern const struct weir_plugin weir_plugin;                                                             \
    __attribute__((visibility("default"))) const struct weir_plugin weir_plugin

#endif
