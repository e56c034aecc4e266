/* One running service: the plugin, its partitions, the Kafka handles and the batch under way. All of it
 * belongs to the thread of control (loop.c) but `monitor`, which the management listener reads. */
#ifndef WEIR_RUNTIME_RUNTIME_H
#define WEIR_RUNTIME_RUNTIME_H

#include "common/kafka.h"
#include "common/tls.h"
#include "consumers/runtime/assignment.h"
#include "consumers/runtime/batch.h"
#include "consumers/runtime/crash_note.h"
#include "consumers/runtime/following.h"
#include "consumers/runtime/loader.h"
#include "consumers/runtime/monitor.h"
#include "consumers/runtime/reader.h"
#include "consumers/runtime/transaction.h"
#include "consumers/runtime/wakes.h"

enum { WEIR_INSTANCE_BYTES = 128, WEIR_CLUSTER_BYTES = 64 };

struct weir_runtime {
    const struct weir_deployment *deployment;
    const struct weir_service *service;
    const char *config;               /* the file, read again at SIGHUP */
    const char *instance;             /* --instance or the host's name */
    char id[WEIR_INSTANCE_BYTES * 2]; /* transactional.id: service.instance */
    char cluster[WEIR_CLUSTER_BYTES]; /* "" on the dev broker and until it is known */
    char *advertised;                 /* URL, or NULL */
    struct weir_tls *tls;             /* of the plugin's listener, or NULL */
    bool from_beginning;

    struct weir_plugin_loaded *loaded;
    const struct weir_plugin *plugin;
    void *plugin_instance;
    struct weir_host host;

    rd_kafka_t *consumer;                     /* the group's member */
    rd_kafka_queue_t *_Atomic consumer_queue; /* to end its poll; NULL until there is one */
    rd_kafka_t *reader;                       /* read_committed: stable offsets, tables */
    rd_kafka_t *watermark; /* read_uncommitted: the only one that answers true high watermarks */
    struct weir_limits *limits;
    struct weir_transaction *transaction;

    struct weir_assignment assignment;
    struct weir_reader reads;
    struct weir_following following;
    struct weir_arena retry_arena; /* headers of retry records on their way into the parking */
    struct weir_batch batch;
    struct weir_crash_note *note; /* NULL when the folder can't be written */
    struct weir_wakes wakes;      /* of any thread */
    struct weir_monitor monitor;

    size_t turns;          /* of collect */
    int32_t failures;      /* batches in a row that did not commit */
    int64_t not_before_ms; /* monotonic; no batch is handled before */
    struct weir_error broken; /* why the process has to end; code 0: it goes on */
    int64_t told_ms, asked_ms, proven_ms, slow_ms;
};

#endif
