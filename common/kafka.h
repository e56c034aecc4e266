/* librdkafka's handles as Weir wants them: one place for their settings, for what an error means, and for the
 * statistics that become metrics. Beside common/kafka*, only gateway/produce, gateway/owner, the consumer
 * runtime and weirctl see rdkafka.h. */
#ifndef WEIR_COMMON_KAFKA_H
#define WEIR_COMMON_KAFKA_H

#include "common/cleanup.h"
#include "common/deployment.h"
#include "common/error.h"
#include "common/kafka_property.h"

#include <librdkafka/rdkafka.h>

WEIR_CLEANUP_DEFINE(kafka_conf, rd_kafka_conf_t *, rd_kafka_conf_destroy)
WEIR_CLEANUP_DEFINE(kafka_message, rd_kafka_message_t *, rd_kafka_message_destroy)
WEIR_CLEANUP_DEFINE(kafka_list, rd_kafka_topic_partition_list_t *, rd_kafka_topic_partition_list_destroy)
WEIR_CLEANUP_DEFINE(kafka_error, rd_kafka_error_t *, rd_kafka_error_destroy)
WEIR_CLEANUP_DEFINE(kafka_headers, rd_kafka_headers_t *, rd_kafka_headers_destroy)

enum weir_kafka_role {
    WEIR_KAFKA_PRODUCER,           /* the gateway's: idempotent, acks=all, message.timeout 120 s, sockets 60 s */
    WEIR_KAFKA_TRANSACTIONAL,      /* the host's: transactional.id, transaction and message timeout 15 s */
    WEIR_KAFKA_GROUP_CONSUMER,     /* read_committed, no auto commit, auto.offset.reset=error, range */
    WEIR_KAFKA_COMMITTED_READER,   /* read_committed, assigned by hand, enable.partition.eof */
    WEIR_KAFKA_UNCOMMITTED_READER, /* read_uncommitted: the only handle that answers true high watermarks */
    WEIR_KAFKA_ADMIN,              /* requests only */
};

/* The settings of a role: Weir's own, then [kafka], then [kafka.producer] or [kafka.consumer] of the
 * deployment. `name` is the client.id; `id` the transactional.id or group.id, else NULL. The caller may set
 * callbacks and hands the conf to weir_kafka_new. */
int weir_kafka_conf(const struct weir_deployment *deployment, enum weir_kafka_role role, const char *name,
    const char *id, rd_kafka_conf_t **ret_conf, struct weir_error *err);

/* How the group consumer is a member of its group, by the service's settings: instance.static makes it a static member
 * of that id, which does not leave the group when it closes (KIP-345); assignment is the strategy. WEIR_E_CONFIG when
 * the installed librdkafka can't do it. */
int weir_kafka_conf_member(
    rd_kafka_conf_t *conf, const struct weir_service *service, const char *id, struct weir_error *err);

/* rd_kafka_new with the conf taken in any case; librdkafka's own log goes to weir_log as kafka.client. */
int weir_kafka_new_take(rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **ret_handle, struct weir_error *err);

/* rd_kafka_destroy() that waits no longer than limit_ms (> 0). Some versions, 2.0.2 among them, wait for ever
 * when the connection to a coordinator was lost at the wrong moment. Such a handle is left behind with its
 * threads, which is logged and counted: false. No callback but the log's comes from it any more. NULL: true. */
bool weir_kafka_destroy(rd_kafka_t *handle, int limit_ms);

/* One table says what a librdkafka error means: WEIR_E_UNAVAILABLE, WEIR_E_FENCED, WEIR_E_FATAL, … */
int weir_kafka_code(rd_kafka_resp_err_t kafka_err);
/* Fills err from a rd_kafka_error_t, which is destroyed; NULL is success (0). */
int weir_kafka_error_take(rd_kafka_error_t *error, const char *what, struct weir_error *err);
int weir_kafka_error_set(struct weir_error *err, rd_kafka_resp_err_t kafka_err, const char *what);

/* weir_kafka_check_version() for a version as rd_kafka_version() tells it. */
int weir_kafka_judge_version(int version, bool scram, struct weir_error *err);
/* Whether that version can do cooperative-sticky assignment: WEIR_E_CONFIG below 2.10. */
int weir_kafka_judge_cooperative(int version, struct weir_error *err);

/* dev = true asks whether the broker is a real one (it answers DescribeConfigs) and then refuses; else 0. */
int weir_kafka_check_dev(const struct weir_deployment *deployment, rd_kafka_t *handle, struct weir_error *err);
/* The reverse: WEIR_E_CONFIG when the dev broker is reached although dev is not set. Asks up to timeout_ms for
 * the cluster's id; without an answer it is taken for a real one. */
int weir_kafka_check_real(const struct weir_deployment *deployment, rd_kafka_t *handle, int timeout_ms,
    struct weir_error *err);

/* Partition count of a topic, or WEIR_E_NOT_FOUND, WEIR_E_UNAVAILABLE. Blocks up to timeout_ms. */
int weir_kafka_partition_count(rd_kafka_t *handle, const char *topic, int timeout_ms, int32_t *ret_count,
    struct weir_error *err);

#endif
