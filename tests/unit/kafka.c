/* Settings by role, errors and versions of common/kafka.h; no broker is asked. */
#include "support/test.h"

#include "common/kafka.h"
#include "common/kafka_certificate.h"

#include <stdlib.h>
#include <unistd.h>

static struct weir_property common_properties[] = {{"security.protocol", "plaintext"}, {"linger.ms", "7"}};
static struct weir_property producer_properties[] = {{"linger.ms", "9"}};
static struct weir_property consumer_properties[] = {{"fetch.max.bytes", "2000000"}};

static struct weir_deployment deployment_of(struct weir_property *properties, size_t count)
{
    return (struct weir_deployment){.kafka = {.bootstrap_servers = "127.0.0.1:1",
                                        .properties = properties,
                                        .property_count = count,
                                        .producer_properties = producer_properties,
                                        .producer_property_count = 1,
                                        .consumer_properties = consumer_properties,
                                        .consumer_property_count = 1}};
}

static rd_kafka_conf_t *conf_of(enum weir_kafka_role role, const char *id)
{
    const struct weir_deployment deployment = deployment_of(common_properties, 1);
    rd_kafka_conf_t *conf = NULL;
    struct weir_error err = {0};

    if (weir_kafka_conf(&deployment, role, "test", id, &conf, &err) != 0)
        fail_msg("%s", err.text);
    return conf;
}

static void conf_is(const rd_kafka_conf_t *conf, const char *name, const char *expected)
{
    char value[256] = "";
    size_t size = sizeof(value);

    assert_int_equal(rd_kafka_conf_get(conf, name, value, &size), RD_KAFKA_CONF_OK);
    if (strcmp(value, expected) != 0)
        fail_msg("%s is %s, not %s", name, value, expected);
}

static void a_producer_waits_for_all_replicas(void **state)
{
    (void)state;
    WEIR_CLEANUP(kafka_conf) rd_kafka_conf_t *conf = conf_of(WEIR_KAFKA_PRODUCER, NULL);

    conf_is(conf, "enable.idempotence", "true");
    conf_is(conf, "acks", "-1");
    conf_is(conf, "partitioner", "murmur2");
    conf_is(conf, "message.timeout.ms", "120000");
    conf_is(conf, "socket.timeout.ms", "60000");
    conf_is(conf, "socket.nagle.disable", "true");
    conf_is(conf, "allow.auto.create.topics", "false");
    conf_is(conf, "client.id", "test");
    conf_is(conf, "security.protocol", "plaintext");
    conf_is(conf, "linger.ms", "9"); /* the deployment's */
}

static void a_transactional_producer_keeps_its_times_in_order(void **state)
{
    (void)state;
    WEIR_CLEANUP(kafka_conf) rd_kafka_conf_t *conf = conf_of(WEIR_KAFKA_TRANSACTIONAL, "store.one");

    conf_is(conf, "transactional.id", "store.one");
    conf_is(conf, "transaction.timeout.ms", "15000");
    conf_is(conf, "message.timeout.ms", "15000");
    conf_is(conf, "socket.timeout.ms", "14900");
    conf_is(conf, "acks", "-1");
}

static void consumers_commit_nothing_by_themselves(void **state)
{
    (void)state;
    static const struct {
        enum weir_kafka_role role;
        const char *isolation;
    } rows[] = {{WEIR_KAFKA_GROUP_CONSUMER, "read_committed"},
        {WEIR_KAFKA_COMMITTED_READER, "read_committed"}, {WEIR_KAFKA_UNCOMMITTED_READER, "read_uncommitted"}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        WEIR_CLEANUP(kafka_conf) rd_kafka_conf_t *conf = conf_of(rows[i].role, "store");
        conf_is(conf, "group.id", "store");
        conf_is(conf, "isolation.level", rows[i].isolation);
        conf_is(conf, "enable.partition.eof", "true");
        conf_is(conf, "enable.auto.commit", "false");
        conf_is(conf, "enable.auto.offset.store", "false");
        conf_is(conf, "auto.offset.reset", "error");
        conf_is(conf, "fetch.max.bytes", "2000000"); /* the deployment's */
        conf_is(conf, "partition.assignment.strategy", i == 0 ? "range" : "range,roundrobin");
    }
}

/* A larger batch would be refused whole by the topics that weirctl makes (max.message.bytes). */
static void batches_fit_the_topics(void **state)
{
    (void)state;
    WEIR_CLEANUP(kafka_conf) rd_kafka_conf_t *conf = conf_of(WEIR_KAFKA_PRODUCER, NULL);
    struct weir_property large[] = {{"batch.size", "327681"}};
    const struct weir_deployment deployment = deployment_of(large, 1);
    rd_kafka_conf_t *none = NULL;
    struct weir_error err = {0};

    conf_is(conf, "batch.size", "327680");
    assert_int_equal(
        weir_kafka_conf(&deployment, WEIR_KAFKA_TRANSACTIONAL, "test", "id", &none, &err), WEIR_E_CONFIG);
    assert_non_null(strstr(err.text, "batch.size = 327681"));
    assert_null(none);
    assert_int_equal(weir_kafka_conf(&deployment, WEIR_KAFKA_ADMIN, "test", NULL, &none, &err), 0);
    rd_kafka_conf_destroy(none);
}

/* rd_kafka_new checks what the single settings can't: that they fit together. */
static void every_role_starts_and_ends(void **state)
{
    (void)state;
    for (int role = WEIR_KAFKA_PRODUCER; role <= WEIR_KAFKA_ADMIN; role++) {
        bool consumes = role >= WEIR_KAFKA_GROUP_CONSUMER && role <= WEIR_KAFKA_UNCOMMITTED_READER;
        const char *id = role == WEIR_KAFKA_TRANSACTIONAL || role == WEIR_KAFKA_GROUP_CONSUMER ? "id" : NULL;
        rd_kafka_t *handle = NULL;
        struct weir_error err = {0};

        int code = weir_kafka_new_take(consumes ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER,
            conf_of((enum weir_kafka_role)role, id), &handle, &err);
        if (code != 0)
            fail_msg("role %d: %s", role, err.text);
        assert_true(weir_kafka_destroy(handle, 30000));
    }
}

static void a_bad_property_is_named(void **state)
{
    (void)state;
    struct weir_property bad[] = {{"no.such.property", "1"}};
    const struct weir_deployment deployment = deployment_of(bad, 1);
    rd_kafka_conf_t *conf = NULL;
    struct weir_error err = {0};

    assert_int_equal(
        weir_kafka_conf(&deployment, WEIR_KAFKA_ADMIN, "test", NULL, &conf, &err), WEIR_E_CONFIG);
    assert_non_null(strstr(err.text, "no.such.property"));
    assert_null(conf);
}

static void a_conf_that_does_not_fit_is_an_error(void **state)
{
    (void)state;
    rd_kafka_conf_t *conf = conf_of(WEIR_KAFKA_TRANSACTIONAL, "id");
    rd_kafka_t *handle = NULL;
    struct weir_error err = {0};

    assert_int_equal(rd_kafka_conf_set(conf, "transaction.timeout.ms", "1000", NULL, 0), RD_KAFKA_CONF_OK);
    assert_int_equal(weir_kafka_new_take(RD_KAFKA_PRODUCER, conf, &handle, &err), WEIR_E_CONFIG);
    assert_non_null(strstr(err.text, "transaction.timeout.ms"));
    assert_null(handle);
}

static void errors_have_one_meaning(void **state)
{
    (void)state;
    assert_int_equal(weir_kafka_code(RD_KAFKA_RESP_ERR_NO_ERROR), 0);
    assert_int_equal(weir_kafka_code(RD_KAFKA_RESP_ERR__TRANSPORT), WEIR_E_UNAVAILABLE);
    assert_int_equal(weir_kafka_code(RD_KAFKA_RESP_ERR__QUEUE_FULL), WEIR_E_BUSY);
    assert_int_equal(weir_kafka_code(RD_KAFKA_RESP_ERR__MSG_TIMED_OUT), WEIR_E_TIMEOUT);
    assert_int_equal(weir_kafka_code(RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION), WEIR_E_FENCED);
    assert_int_equal(weir_kafka_code(RD_KAFKA_RESP_ERR__FATAL), WEIR_E_FATAL);
    assert_int_equal(weir_kafka_code(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE), WEIR_E_TOO_LARGE);
    assert_int_equal(weir_kafka_code(RD_KAFKA_RESP_ERR_DELEGATION_TOKEN_EXPIRED), WEIR_E_INTERNAL);
}

static void an_error_says_what_failed(void **state)
{
    (void)state;
    struct weir_error err = {0};

    assert_int_equal(weir_kafka_error_set(&err, RD_KAFKA_RESP_ERR__QUEUE_FULL, "producing"), WEIR_E_BUSY);
    assert_non_null(strstr(err.text, "producing: "));
    assert_non_null(strstr(err.text, "QUEUE_FULL"));
    assert_int_equal(weir_kafka_error_set(&err, RD_KAFKA_RESP_ERR_NO_ERROR, "x"), 0);
    assert_int_equal(weir_kafka_error_take(NULL, "x", &err), 0);
    assert_int_equal(
        weir_kafka_error_take(rd_kafka_error_new(RD_KAFKA_RESP_ERR__STATE, "begin %d", 7), "beginning", &err),
        WEIR_E_INTERNAL);
    assert_non_null(strstr(err.text, "beginning: begin 7"));
    assert_int_equal(weir_kafka_error_take(
                         rd_kafka_error_new(RD_KAFKA_RESP_ERR_PRODUCER_FENCED, "gone"), "committing", NULL),
        WEIR_E_FENCED);
}

static void versions_that_lose_records_are_refused(void **state)
{
    (void)state;
    static const struct {
        int version;
        bool scram;
        int code;
    } rows[] = {{0x020002ff, false, 0}, {0x020002ff, true, WEIR_E_CONFIG},
        {0x020500ff, false, WEIR_E_UNSUPPORTED}, {0x020502ff, false, WEIR_E_UNSUPPORTED},
        {0x020503ff, false, 0}, {0x020600ff, true, WEIR_E_CONFIG}, {0x020601ff, true, 0},
        {0x020a00ff, false, WEIR_E_UNSUPPORTED}, {0x020a01ff, false, 0}, {0x020e02ff, true, 0}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (weir_kafka_judge_version(rows[i].version, rows[i].scram, NULL) != rows[i].code)
            fail_msg("%x with%s SCRAM", (unsigned)rows[i].version, rows[i].scram ? "" : "out");
}

static void cooperative_assignment_wants_a_newer_library(void **state)
{
    (void)state;
    struct weir_error err;

    assert_int_equal(weir_kafka_judge_cooperative(0x020002ff, &err), WEIR_E_CONFIG);
    assert_non_null(strstr(err.text, "librdkafka 2.0.2"));
    assert_non_null(strstr(err.text, "2.10.1"));
    assert_int_equal(weir_kafka_judge_cooperative(0x020a01ff, NULL), 0);
    assert_int_equal(weir_kafka_judge_cooperative(0x020e02ff, NULL), 0);
}

static void scram_is_seen_in_the_configuration(void **state)
{
    (void)state;
    struct weir_property scram[] = {{"security.protocol", "sasl_ssl"}, {"sasl.mechanism", "scram-sha-512"}};
    struct weir_property plain[] = {{"sasl.mechanisms", "PLAIN"}};
    const struct weir_deployment with = deployment_of(scram, 2), without = deployment_of(plain, 1);
    int expected = weir_kafka_judge_version(rd_kafka_version(), true, NULL);

    assert_int_equal(weir_kafka_check_version(&with, NULL), expected);
    assert_int_equal(weir_kafka_check_version(&without, NULL), 0);
}

static void no_check_without_dev(void **state)
{
    (void)state;
    const struct weir_deployment deployment = deployment_of(NULL, 0);

    assert_int_equal(weir_kafka_check_dev(&deployment, NULL, NULL), 0);
}

static const char certificate[] = "-----BEGIN CERTIFICATE-----\n"
                                  "MIIBGzCBwQIUDVWlMlAIeuSbnOBZt+T+ljgbupMwCgYIKoZIzj0EAwIwEDEOMAwG\n"
                                  "A1UEAwwFc3RvcmUwHhcNMjYxMTI2MDA1NTA4WhcNMzYxMTIzMDA1NTA4WjAQMQ4w\n"
                                  "DAYDVQQDDAVzdG9yZTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABKzAeo3b3AmD\n"
                                  "tm7G8cl3Jtkwglrr82rujyB0PA/dbZdU84ajZMh9MaaR7UbImQdJOIu8Rex9WPI4\n"
                                  "IOcGf5Hh6RcwCgYIKoZIzj0EAwIDSQAwRgIhALMLvHRYIwVCIx6qeWuAM7Hong8I\n"
                                  "DQqL/c8RGs+Ms0/yAiEAm5T07XRri/Ro1Nn9C6CSIWzn5LZOsdftI1oDailbKPg=\n"
                                  "-----END CERTIFICATE-----\n";
enum { CERTIFICATE_END = 2111014508 };

static int64_t end_of(const char *property, const char *value)
{
    WEIR_CLEANUP(kafka_conf) rd_kafka_conf_t *conf = conf_of(WEIR_KAFKA_PRODUCER, NULL);

    assert_int_equal(rd_kafka_conf_set(conf, property, value, NULL, 0), RD_KAFKA_CONF_OK);
    return weir_kafka_certificate_end(conf);
}

static void the_end_of_a_certificate_is_known(void **state)
{
    (void)state;
    char path[] = "/tmp/weir-test-kafka.XXXXXX";
    int fd = mkstemp(path);

    assert_int_equal(write(fd, certificate, sizeof(certificate) - 1), sizeof(certificate) - 1);
    close(fd);
    assert_int_equal(end_of("ssl.certificate.location", path), CERTIFICATE_END);
    assert_int_equal(end_of("ssl.certificate.pem", certificate), CERTIFICATE_END);
    unlink(path);
    assert_int_equal(end_of("ssl.certificate.location", path), 0);
    assert_int_equal(end_of("ssl.certificate.pem", "no certificate"), 0);
    assert_int_equal(end_of("client.id", "without"), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_producer_waits_for_all_replicas),
    cmocka_unit_test(a_transactional_producer_keeps_its_times_in_order),
    cmocka_unit_test(consumers_commit_nothing_by_themselves),
    cmocka_unit_test(batches_fit_the_topics),
    cmocka_unit_test(every_role_starts_and_ends),
    cmocka_unit_test(a_bad_property_is_named),
    cmocka_unit_test(a_conf_that_does_not_fit_is_an_error),
    cmocka_unit_test(errors_have_one_meaning),
    cmocka_unit_test(an_error_says_what_failed),
    cmocka_unit_test(versions_that_lose_records_are_refused),
    cmocka_unit_test(cooperative_assignment_wants_a_newer_library),
    cmocka_unit_test(scram_is_seen_in_the_configuration),
    cmocka_unit_test(no_check_without_dev),
    cmocka_unit_test(the_end_of_a_certificate_is_known),
};

WEIR_TEST_MAIN(tests)
