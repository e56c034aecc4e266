#include "common/kafka.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/topic.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ERROR_BYTES = 512, LOG_PAUSE_MS = 10000, DEV_REQUEST_MS = 5000, BATCH_BYTES = 1000000 };

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
    {PRODUCERS, "enable.idempotence", "true"},
    {PRODUCERS, "acks", "all"},
    {PRODUCERS, "partitioner", "murmur2"},
    {PRODUCERS, "queue.buffering.max.messages", "500000"},
    {PRODUCERS, "queue.buffering.max.kbytes", "131072"},
    {PRODUCERS, "message.max.bytes", "67108864"}, /* the topics decide by their own */
    {ROLE(WEIR_KAFKA_PRODUCER), "linger.ms", "0"},
    {ROLE(WEIR_KAFKA_PRODUCER), "message.timeout.ms", "120000"}, /* never tied to the HTTP deadline */
    {ROLE(WEIR_KAFKA_PRODUCER), "socket.timeout.ms",
        "60000"},                                       /* less: 2.0.2 goes fatal when a broker pauses */
    {ROLE(WEIR_KAFKA_TRANSACTIONAL), "linger.ms", "5"}, /* a commit flushes: larger batches cost no wait */
    {ROLE(WEIR_KAFKA_TRANSACTIONAL), "batch.num.messages", "10000"},
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
    {READERS, "enable.partition.eof", "true"},
};

/* What an error of librdkafka or the broker means to us. What is not listed is WEIR_E_INTERNAL. */
static const struct {
    rd_kafka_resp_err_t kafka;
    int code;
} codes[] = {
    {RD_KAFKA_RESP_ERR_NO_ERROR, 0},
    {RD_KAFKA_RESP_ERR__TRANSPORT, WEIR_E_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, WEIR_E_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR__RESOLVE, WEIR_E_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR__SSL, WEIR_E_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR__WAIT_COORD, WEIR_E_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR__WAIT_CACHE, WEIR_E_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR__ISR_INSUFF, WEIR_E_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR__PURGE_QUEUE, WEIR_E_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR__RETRY, WEIR_E_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR__DESTROY, WEIR_E_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE, WEIR_E_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, WEIR_E_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, WEIR_E_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE, WEIR_E_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION, WEIR_E_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, WEIR_E_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, WEIR_E_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR_NOT_COORDINATOR, WEIR_E_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, WEIR_E_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR_NOT_CONTROLLER, WEIR_E_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, WEIR_E_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, WEIR_E_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, WEIR_E_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT, WEIR_E_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED, WEIR_E_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE, WEIR_E_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR__TIMED_OUT, WEIR_E_TIMEOUT},
    {RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE, WEIR_E_UNAVAILABLE}, /* it never left */
    {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, WEIR_E_TIMEOUT},
    {RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, WEIR_E_TIMEOUT},
    {RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, WEIR_E_TIMEOUT},
    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, WEIR_E_TIMEOUT},
    {RD_KAFKA_RESP_ERR__QUEUE_FULL, WEIR_E_BUSY},
    {RD_KAFKA_RESP_ERR__FENCED, WEIR_E_FENCED},
    {RD_KAFKA_RESP_ERR_PRODUCER_FENCED, WEIR_E_FENCED},
    {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, WEIR_E_FENCED},
    {RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, WEIR_E_FENCED},
    {RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, WEIR_E_FENCED},
    {RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, WEIR_E_FENCED},
    {RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST, WEIR_E_FENCED},
    {RD_KAFKA_RESP_ERR__FATAL, WEIR_E_FATAL},
    {RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE, WEIR_E_FATAL},
    {RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, WEIR_E_FATAL},
    {RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID, WEIR_E_FATAL},
    {RD_KAFKA_RESP_ERR_INVALID_TXN_STATE, WEIR_E_FATAL},
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, WEIR_E_TOO_LARGE},
    {RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, WEIR_E_TOO_LARGE},
    {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, WEIR_E_NOT_FOUND},
    {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, WEIR_E_NOT_FOUND},
    {RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, WEIR_E_NOT_FOUND},
    {RD_KAFKA_RESP_ERR__UNKNOWN_GROUP, WEIR_E_NOT_FOUND},
    {RD_KAFKA_RESP_ERR__NO_OFFSET, WEIR_E_NOT_FOUND},
    {RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, WEIR_E_NOT_FOUND},
    {RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE, WEIR_E_NOT_FOUND},
    {RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND, WEIR_E_NOT_FOUND},
    {RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS, WEIR_E_EXISTS},
    {RD_KAFKA_RESP_ERR__AUTHENTICATION, WEIR_E_CONFIG},
    {RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, WEIR_E_CONFIG},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM, WEIR_E_CONFIG},
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, WEIR_E_CONFIG},
    {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, WEIR_E_CONFIG},
    {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, WEIR_E_CONFIG},
    {RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, WEIR_E_CONFIG},
    {RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT, WEIR_E_CONFIG},
    {RD_KAFKA_RESP_ERR_INVALID_PARTITIONS, WEIR_E_CONFIG},
    {RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR, WEIR_E_CONFIG},
    {RD_KAFKA_RESP_ERR_INVALID_CONFIG, WEIR_E_CONFIG},
    {RD_KAFKA_RESP_ERR_POLICY_VIOLATION, WEIR_E_CONFIG},
    {RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, WEIR_E_CONFIG},
    {RD_KAFKA_RESP_ERR_INVALID_RECORD, WEIR_E_INVALID},
    {RD_KAFKA_RESP_ERR__INVALID_ARG, WEIR_E_INVALID},
    {RD_KAFKA_RESP_ERR__BAD_MSG, WEIR_E_CORRUPT},
    {RD_KAFKA_RESP_ERR_INVALID_MSG, WEIR_E_CORRUPT},
    {RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, WEIR_E_UNSUPPORTED},
    {RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED, WEIR_E_UNSUPPORTED},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, WEIR_E_UNSUPPORTED},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT, WEIR_E_UNSUPPORTED},
};

int weir_kafka_code(rd_kafka_resp_err_t kafka_err)
{
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (codes[i].kafka == kafka_err)
            return codes[i].code;
    return WEIR_E_INTERNAL;
}

int weir_kafka_error_set(struct weir_error *err, rd_kafka_resp_err_t kafka_err, const char *what)
{
    int code = weir_kafka_code(kafka_err);
    if (code == 0)
        return 0;
    return weir_error_set(
        err, code, "%s: %s (%s)", what, rd_kafka_err2str(kafka_err), rd_kafka_err2name(kafka_err));
}

int weir_kafka_error_take(rd_kafka_error_t *error, const char *what, struct weir_error *err)
{
    WEIR_CLEANUP(kafka_error) rd_kafka_error_t *owned = error;

    if (owned == NULL)
        return 0;
    int code = weir_kafka_code(rd_kafka_error_code(owned));
    if (rd_kafka_error_is_fatal(owned) && code != WEIR_E_FENCED)
        code = WEIR_E_FATAL;
    weir_error_set(err, code, "%s: %s (%s)", what, rd_kafka_error_string(owned), rd_kafka_error_name(owned));
    if (err != NULL)
        err->retriable = rd_kafka_error_is_retriable(owned) != 0;
    return code;
}

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

/* While a broker is away librdkafka tells of each attempt to reach it: one line each 10 s is enough. */
static struct {
    const char *facility;
    _Atomic int64_t next_ms;
    _Atomic int64_t dropped;
} log_limits[] = {{"FAIL"}, {"ERROR"}, {"REQTMOUT"}, {"BROKER"}, {"GETPID"}, {"COORD"}, {"CONNECT"}};

/* Whether to tell; if so, how many of its kind were not told before. */
static bool log_allowed(const char *facility, int64_t *ret_dropped)
{
    for (size_t i = 0; i < sizeof(log_limits) / sizeof(log_limits[0]); i++) {
        if (strcmp(log_limits[i].facility, facility) != 0)
            continue;
        int64_t now_ms = weir_clock_ms(), next_ms = atomic_load(&log_limits[i].next_ms);
        if (now_ms < next_ms ||
            !atomic_compare_exchange_strong(&log_limits[i].next_ms, &next_ms, now_ms + LOG_PAUSE_MS)) {
            atomic_fetch_add(&log_limits[i].dropped, 1);
            return false;
        }
        *ret_dropped = atomic_exchange(&log_limits[i].dropped, 0);
        return true;
    }
    return true;
}

/* Runs on librdkafka's threads. Its "error" is our warning: whether a lost connection is an error is not its
 * call. */
static void take_log(const rd_kafka_t *handle, int syslog_level, const char *facility, const char *text)
{
    static const enum weir_log_level levels[] = {WEIR_LOG_WARNING, WEIR_LOG_WARNING, WEIR_LOG_WARNING,
        WEIR_LOG_WARNING, WEIR_LOG_WARNING, WEIR_LOG_NOTICE, WEIR_LOG_INFO, WEIR_LOG_DEBUG};
    enum weir_log_level level = levels[syslog_level & 7];
    int64_t dropped = 0;

    if (weir_log_enabled(level) && log_allowed(facility, &dropped))
        weir_log(level, "kafka.client", "client=%s facility=%s dropped=%" PRId64 " text=%s",
            handle != NULL ? rd_kafka_name(handle) : "-", facility, dropped, text);
}

int weir_kafka_new_take(
    rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **ret_handle, struct weir_error *err)
{
    char text[ERROR_BYTES];

    rd_kafka_conf_set_log_cb(conf, take_log);
    rd_kafka_t *handle = rd_kafka_new(type, conf, text, sizeof(text));
    if (handle == NULL) {
        rd_kafka_conf_destroy(conf);
        return weir_error_set(err, WEIR_E_CONFIG, "[kafka]: %s", text);
    }
    *ret_handle = handle;
    return 0;
}

/* rd_kafka_version(): 0xMMmmrrpp. */
enum {
    VERSION_2_5_0 = 0x020500,
    VERSION_2_5_2 = 0x020502,
    VERSION_2_6_1 = 0x020601,
    VERSION_2_10_0 = 0x020a00
};

static bool uses_scram(const struct weir_deployment *deployment)
{
    for (size_t i = 0; i < deployment->kafka.property_count; i++) {
        const struct weir_property *property = &deployment->kafka.properties[i];
        if (strncmp(property->name, "sasl.mechanism", strlen("sasl.mechanism")) == 0 &&
            strncasecmp(property->value, "SCRAM-", strlen("SCRAM-")) == 0)
            return true;
    }
    return false;
}

int weir_kafka_judge_version(int version, bool scram, struct weir_error *err)
{
    int release = version >> 8;

    if ((release >= VERSION_2_5_0 && release <= VERSION_2_5_2) || release == VERSION_2_10_0)
        return weir_error_set(err, WEIR_E_UNSUPPORTED,
            "librdkafka %d.%d.%d is known to lose or repeat records; install 2.0.2, or 2.10.1 or newer",
            release >> 16, release >> 8 & 0xff, release & 0xff);
    if (scram && release < VERSION_2_6_1)
        return weir_error_set(err, WEIR_E_CONFIG,
            "[kafka] sasl.mechanism: librdkafka %d.%d.%d cannot do SCRAM against Kafka 4.x (fixed in 2.6.1); "
            "use mutual TLS or "
            "SASL/PLAIN over TLS, or install a newer librdkafka",
            release >> 16, release >> 8 & 0xff, release & 0xff);
    return 0;
}

int weir_kafka_check_version(const struct weir_deployment *deployment, struct weir_error *err)
{
    return weir_kafka_judge_version(rd_kafka_version(), uses_scram(deployment), err);
}

/* Any answer, also a refusal, comes from a real broker: the mock cluster lacks DescribeConfigs. */
static int judge_dev_answer(rd_kafka_event_t *event, struct weir_error *err)
{
    rd_kafka_resp_err_t answer = event != NULL ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__TIMED_OUT;

    if (weir_kafka_code(answer) == WEIR_E_UNSUPPORTED)
        return 0;
    if (answer != RD_KAFKA_RESP_ERR_NO_ERROR && weir_kafka_code(answer) != WEIR_E_CONFIG)
        return weir_kafka_error_set(err, answer, "asking the dev broker what it is");
    return weir_error_set(err, WEIR_E_CONFIG,
        "[kafka] dev = true, but this is a real Kafka cluster: dev switches off the checks that keep data "
        "safe; remove it");
}

/* The mock cluster has no controller to send an admin request to by itself, so a broker is named. */
static int any_broker(rd_kafka_t *handle, int32_t *ret_broker, struct weir_error *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t failed = rd_kafka_metadata(handle, 0, NULL, &metadata, DEV_REQUEST_MS);

    if (failed != RD_KAFKA_RESP_ERR_NO_ERROR)
        return weir_error_set(
            err, WEIR_E_UNAVAILABLE, "asking the dev broker what it is: %s", rd_kafka_err2str(failed));
    int count = metadata->broker_cnt;
    if (count > 0)
        *ret_broker = metadata->brokers[0].id;
    rd_kafka_metadata_destroy(metadata);
    return count > 0 ? 0 : weir_error_set(err, WEIR_E_UNAVAILABLE, "the cluster names no broker");
}

static int ask_dev(rd_kafka_t *handle, int32_t broker, struct weir_error *err)
{
    rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, "weir");
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(handle, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(handle);

    rd_kafka_AdminOptions_set_request_timeout(options, DEV_REQUEST_MS, NULL, 0);
    rd_kafka_AdminOptions_set_broker(options, broker, NULL, 0);
    rd_kafka_DescribeConfigs(handle, &resource, 1, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 2 * DEV_REQUEST_MS);
    int code = judge_dev_answer(event, err);
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ConfigResource_destroy(resource);
    return code;
}

int weir_kafka_check_dev(const struct weir_deployment *deployment, rd_kafka_t *handle, struct weir_error *err)
{
    int32_t broker = 0;

    if (!deployment->kafka.dev)
        return 0;
    int code = any_broker(handle, &broker, err);
    return code < 0 ? code : ask_dev(handle, broker, err);
}

static int read_count(
    const struct rd_kafka_metadata *metadata, const char *topic, int32_t *ret_count, struct weir_error *err)
{
    if (metadata->topic_cnt != 1 || strcmp(metadata->topics[0].topic, topic) != 0)
        return weir_error_set(err, WEIR_E_NOT_FOUND, "topic %s does not exist", topic);
    const struct rd_kafka_metadata_topic *found = &metadata->topics[0];
    if (weir_kafka_code(found->err) == WEIR_E_NOT_FOUND)
        return weir_error_set(err, WEIR_E_NOT_FOUND, "topic %s does not exist", topic);
    if (found->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return weir_kafka_error_set(err, found->err, topic);
    if (found->partition_cnt == 0)
        return weir_error_set(err, WEIR_E_NOT_FOUND, "topic %s has no partitions yet", topic);
    *ret_count = found->partition_cnt;
    return 0;
}

int weir_kafka_partition_count(
    rd_kafka_t *handle, const char *topic, int timeout_ms, int32_t *ret_count, struct weir_error *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *local = rd_kafka_topic_new(handle, topic, NULL);

    if (local == NULL)
        return weir_kafka_error_set(err, rd_kafka_last_error(), topic);
    rd_kafka_resp_err_t failed = rd_kafka_metadata(handle, 0, local, &metadata, timeout_ms);
    rd_kafka_topic_destroy(local);
    if (failed != RD_KAFKA_RESP_ERR_NO_ERROR) /* a timeout too: asking changes nothing */
        return weir_error_set(
            err, WEIR_E_UNAVAILABLE, "partitions of %s: %s", topic, rd_kafka_err2str(failed));
    int code = read_count(metadata, topic, ret_count, err);
    rd_kafka_metadata_destroy(metadata);
    return code;
}
