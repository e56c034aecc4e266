#include "common/kafka.h"

#include "common/kafka_certificate.h"
#include "common/kafka_log.h"
#include "common/kafka_statistics.h"
#include "common/topic.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { ERROR_BYTES = 512, BATCH_BYTES = 1000000 };

#define ROLE(role) (1u << (role))
#define PRODUCERS (ROLE(WEIR_KAFKA_PRODUCER) | ROLE(WEIR_KAFKA_TRANSACTIONAL))
#define READERS (ROLE(WEIR_KAFKA_COMMITTED_READER) | ROLE(WEIR_KAFKA_UNCOMMITTED_READER))
#define CONSUMERS (READERS | ROLE(WEIR_KAFKA_GROUP_CONSUMER))
#define EVERYONE (PRODUCERS | CONSUMERS | ROLE(WEIR_KAFKA_ADMIN))

/* Weir's own settings. Those that carry the promise can't be overridden: common/deployment refuses them; the
 * others are defaults. */
static const struct role_setting {
    unsigned roles;
    const char *name, *value;
} role_settings[] = {
    {EVERYONE, "socket.nagle.disable", "true"},
    {EVERYONE, "reconnect.backoff.max.ms", "2000"},
    {EVERYONE, "log.connection.close", "false"},
    {EVERYONE, "statistics.interval.ms", WEIR_KAFKA_STATISTICS_MS},
    {PRODUCERS, "enable.idempotence", "true"},
    {PRODUCERS, "acks", "all"},
    {PRODUCERS, "partitioner", "murmur2"},
    {PRODUCERS, "queue.buffering.max.messages", "500000"},
    {PRODUCERS, "queue.buffering.max.kbytes", "131072"},
    {PRODUCERS, "message.max.bytes", "67108864"}, /* the topics decide by their own */
    {ROLE(WEIR_KAFKA_PRODUCER), "linger.ms", "0"},
    /* A broker takes a connection's requests one by one. What waits here instead becomes a larger batch: none
     * that few records wait for, and large ones under load, which a fixed linger can't be for both. */
    {ROLE(WEIR_KAFKA_PRODUCER), "max.in.flight.requests.per.connection", "2"},
    {ROLE(WEIR_KAFKA_PRODUCER), "message.timeout.ms", "120000"}, /* never tied to the HTTP deadline */
    {ROLE(WEIR_KAFKA_PRODUCER), "socket.timeout.ms",
        "60000"},                                       /* less: 2.0.2 goes fatal when a broker pauses */
    {ROLE(WEIR_KAFKA_TRANSACTIONAL), "linger.ms", "5"}, /* a commit flushes: larger batches cost no wait */
    {ROLE(WEIR_KAFKA_TRANSACTIONAL), "batch.num.messages", "10000"},
    {ROLE(WEIR_KAFKA_TRANSACTIONAL), "retry.backoff.ms",
        "5"}, /* the coordinator refuses the next transaction until the last one's markers are written */
    {ROLE(WEIR_KAFKA_TRANSACTIONAL), "transaction.timeout.ms", "15000"},
    {ROLE(WEIR_KAFKA_TRANSACTIONAL), "message.timeout.ms",
        "15000"}, /* ≤ transaction.timeout.ms, else no start */
    {ROLE(WEIR_KAFKA_TRANSACTIONAL), "socket.timeout.ms",
        "14900"}, /* < transaction.timeout.ms, librdkafka insists */
    {CONSUMERS, "enable.auto.commit", "false"},
    {CONSUMERS, "enable.auto.offset.store", "false"},
    {CONSUMERS, "auto.offset.reset", "error"},
    {CONSUMERS, "fetch.wait.max.ms", "100"},
    {CONSUMERS, "fetch.message.max.bytes", "1048576"},
    {CONSUMERS, "fetch.max.bytes", "16777216"},
    {CONSUMERS, "queued.max.messages.kbytes", "24576"}, /* in all: 70 MB resident with 300-byte records */
    {ROLE(WEIR_KAFKA_GROUP_CONSUMER), "isolation.level", "read_committed"},
    {ROLE(WEIR_KAFKA_GROUP_CONSUMER), "partition.assignment.strategy", "range"},
    {ROLE(WEIR_KAFKA_GROUP_CONSUMER), "max.poll.interval.ms", "300000"},
    {ROLE(WEIR_KAFKA_GROUP_CONSUMER), "session.timeout.ms", "45000"},
    {ROLE(WEIR_KAFKA_COMMITTED_READER), "isolation.level", "read_committed"},
    {ROLE(WEIR_KAFKA_UNCOMMITTED_READER), "isolation.level", "read_uncommitted"},
    /* A position behind records of transactions is known by nothing else. */
    {CONSUMERS, "enable.partition.eof", "true"},
};

static int set(rd_kafka_conf_t *conf, const char *name, const char *value, struct weir_error *err)
{
    char text[ERROR_BYTES];

    if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) == RD_KAFKA_CONF_OK)
        return 0;
    return weir_error_set(err, WEIR_E_CONFIG, "[kafka] %s: %s", name, text);
}

static int set_all(
    rd_kafka_conf_t *conf, const struct weir_property *properties, size_t count, struct weir_error *err)
{
    int code = 0;

    for (size_t i = 0; i < count && code == 0; i++)
        code = set(conf, properties[i].name, properties[i].value, err);
    return code;
}

static int set_role(rd_kafka_conf_t *conf, enum weir_kafka_role role, struct weir_error *err)
{
    int code = 0;

    for (size_t i = 0; i < sizeof(role_settings) / sizeof(role_settings[0]) && code == 0; i++)
        if (role_settings[i].roles & ROLE(role))
            code = set(conf, role_settings[i].name, role_settings[i].value, err);
    return code;
}

/* A reader assigned by hand has no group, but librdkafka wants the property; it is never used or committed.
 */
static int set_names(rd_kafka_conf_t *conf, enum weir_kafka_role role, const char *name, const char *id,
    struct weir_error *err)
{
    int code = set(conf, "client.id", name, err);

    if (code == 0 && role == WEIR_KAFKA_TRANSACTIONAL)
        code = set(conf, "transactional.id", id, err);
    if (code == 0 && (ROLE(role) & CONSUMERS))
        code = set(conf, "group.id", id != NULL ? id : name, err);
    return code;
}

/* Kafka's max.message.bytes bounds a batch: a producer that batches more gets MSG_SIZE_TOO_LARGE for all of
 * its records as soon as it is busy enough. */
static int set_batch(rd_kafka_conf_t *conf, int64_t limit, struct weir_error *err)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRId64, limit < BATCH_BYTES ? limit : BATCH_BYTES);
    return set(conf, "batch.size", text, err);
}

static int check_batch(const rd_kafka_conf_t *conf, int64_t limit, struct weir_error *err)
{
    char text[24] = "";
    size_t size = sizeof(text);

    rd_kafka_conf_get(conf, "batch.size", text, &size);
    if (strtoll(text, NULL, 10) <= limit)
        return 0;
    return weir_error_set(err, WEIR_E_CONFIG,
        "[kafka.producer] batch.size = %s: the topics take batches of %" PRId64
        " bytes at most (body.max and 64KiB)",
        text, limit);
}

static int set_deployment(rd_kafka_conf_t *conf, const struct weir_kafka_settings *kafka,
    enum weir_kafka_role role, struct weir_error *err)
{
    int code = set(conf, "bootstrap.servers", kafka->bootstrap_servers, err);

    if (code ==
        0) /* a topic with a wrong partition count is worse than none; the mock cluster can't be told */
        code = set(conf, "allow.auto.create.topics", kafka->dev ? "true" : "false", err);
    if (code == 0)
        code = set_all(conf, kafka->properties, kafka->property_count, err);
    if (code == 0 && (ROLE(role) & PRODUCERS))
        code = set_all(conf, kafka->producer_properties, kafka->producer_property_count, err);
    if (code == 0 && (ROLE(role) & CONSUMERS))
        code = set_all(conf, kafka->consumer_properties, kafka->consumer_property_count, err);
    return code;
}

int weir_kafka_conf(const struct weir_deployment *deployment, enum weir_kafka_role role, const char *name,
    const char *id, rd_kafka_conf_t **ret_conf, struct weir_error *err)
{
    WEIR_CLEANUP(kafka_conf) rd_kafka_conf_t *conf = rd_kafka_conf_new();

    int64_t batch_bytes = 0;
    rd_kafka_conf_set_stats_cb(conf, weir_kafka_statistics);
    bool produces = (ROLE(role) & PRODUCERS) != 0;

    int code = set_role(conf, role, err);
    if (code == 0)
        code = weir_topic_batch_bytes(deployment, &batch_bytes, err);
    if (code == 0 && produces)
        code = set_batch(conf, batch_bytes, err);
    if (code == 0)
        code = set_deployment(conf, &deployment->kafka, role, err);
    if (code == 0 && produces)
        code = check_batch(conf, batch_bytes, err);
    if (code == 0)
        code = set_names(conf, role, name, id, err);
    if (code < 0)
        return code;
    *ret_conf = weir_steal(conf);
    return 0;
}

int weir_kafka_conf_member(
    rd_kafka_conf_t *conf, const struct weir_service *service, const char *id, struct weir_error *err)
{
    static const char *const strategies[] = {
        [WEIR_ASSIGNMENT_RANGE] = "range", [WEIR_ASSIGNMENT_COOPERATIVE_STICKY] = "cooperative-sticky"};
    bool cooperative = service->assignment == WEIR_ASSIGNMENT_COOPERATIVE_STICKY;

    int code = cooperative ? weir_kafka_judge_cooperative(rd_kafka_version(), err) : 0;
    if (code == 0)
        code = set(conf, "partition.assignment.strategy", strategies[service->assignment], err);
    if (code == 0 && service->instance_static)
        code = set(conf, "group.instance.id", id, err);
    return code;
}

int weir_kafka_new_take(
    rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **ret_handle, struct weir_error *err)
{
    char text[ERROR_BYTES];

    weir_kafka_certificate_tell(conf);
    rd_kafka_conf_set_log_cb(conf, weir_kafka_log);
    rd_kafka_t *handle = rd_kafka_new(type, conf, text, sizeof(text));
    if (handle == NULL) {
        rd_kafka_conf_destroy(conf);
        return weir_error_set(err, WEIR_E_CONFIG, "[kafka]: %s", text);
    }
    *ret_handle = handle;
    return 0;
}
