/* What is asked before Kafka is trusted: the library's version, whether a dev broker is one, partition
 * counts; for common/kafka.h. */
#include "common/kafka.h"

#include <string.h>
#include <strings.h>

enum { DEV_REQUEST_MS = 5000 };

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

int weir_kafka_judge_cooperative(int version, struct weir_error *err)
{
    int release = version >> 8;

    if (release >= VERSION_2_10_0)
        return 0;
    return weir_error_set(err, WEIR_E_CONFIG,
        "assignment = cooperative-sticky: librdkafka %d.%d.%d can lose an assignment or never settle with "
        "it; "
        "install 2.10.1 or newer, or leave assignment = range",
        release >> 16, release >> 8 & 0xff, release & 0xff);
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

int weir_kafka_check_real(
    const struct weir_deployment *deployment, rd_kafka_t *handle, int timeout_ms, struct weir_error *err)
{
    static const char mock[] = "mockCluster"; /* librdkafka's begin so; Kafka's own are 22 of base64 */

    if (deployment->kafka.dev)
        return 0;
    char *id = rd_kafka_clusterid(handle, timeout_ms);
    bool real = id == NULL || strncmp(id, mock, strlen(mock)) != 0;
    if (id != NULL)
        rd_kafka_mem_free(handle, id);
    return real ? 0
                : weir_error_set(err, WEIR_E_CONFIG,
                      "%s is a dev broker, which keeps nothing and knows no rights, but [kafka] does not say "
                      "dev = true",
                      deployment->kafka.bootstrap_servers);
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
