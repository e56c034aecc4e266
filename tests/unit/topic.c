/* Names and partitions of common/topic.h. */
#include "support/test.h"

#include "common/topic.h"

#include <librdkafka/rdkafka.h>
#include <stdlib.h>

/* The vectors of Kafka's own UtilsTest.testMurmur2 (org.apache.kafka.common.utils). */
static void agrees_with_kafkas_java_client(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        int32_t hash;
    } vectors[] = {{"21", -973932308}, {"foobar", -790332482}, {"a-little-bit-long-string", -985981536},
        {"a-little-bit-longer-string", -1486304829},
        {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971}, {"abc", 479470107}};

    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        int32_t positive = vectors[i].hash & 0x7fffffff;
        assert_int_equal(
            weir_topic_partition(weir_bytes_str(vectors[i].key), INT32_MAX), positive % INT32_MAX);
        assert_int_equal(weir_topic_partition(weir_bytes_str(vectors[i].key), 6), positive % 6);
    }
}

static void agrees_with_librdkafka(void **state)
{
    (void)state;
    char key[300];

    srandom(7);
    for (size_t round = 0; round < 20000; round++) {
        size_t len = (size_t)random() % sizeof(key);
        int32_t count = (int32_t)(random() % 1000) + 1;
        for (size_t i = 0; i < len; i++)
            key[i] = (char)random();
        assert_int_equal(weir_topic_partition(weir_bytes(key, len), count),
            rd_kafka_msg_partitioner_murmur2(NULL, key, len, count, NULL, NULL));
    }
}

static void every_partition_is_in_range(void **state)
{
    (void)state;
    for (int32_t count = 1; count <= 1000; count++) {
        int32_t partition = weir_topic_partition(weir_bytes_str("o-1"), count);
        assert_true(partition >= 0 && partition < count);
    }
    assert_int_equal(weir_topic_partition(weir_bytes_str(""), 1), 0);
}

static void names_the_topics_of_a_service(void **state)
{
    (void)state;
    char name[WEIR_TOPIC_NAME_BYTES];

    assert_int_equal(weir_topic_of_service("acme.orders", "store", "dlq", name, NULL), 0);
    assert_string_equal(name, "acme.orders.store.dlq");
    assert_int_equal(weir_topic_of_service("orders.changes", "notifier", "retry", name, NULL), 0);
    assert_string_equal(name, "orders.changes.notifier.retry");
}

static void refuses_names_that_kafka_would(void **state)
{
    (void)state;
    char name[WEIR_TOPIC_NAME_BYTES], source[250];
    struct weir_error err = {0};

    memset(source, 'x', sizeof(source) - 1);
    source[249 - strlen(".store.dlq")] = '\0';
    assert_int_equal(weir_topic_of_service(source, "store", "dlq", name, &err), 0);
    assert_int_equal(strlen(name), 249);
    assert_int_equal(weir_topic_of_service(source, "store2", "dlq", name, &err), WEIR_E_CONFIG);
    assert_non_null(strstr(err.text, "249"));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(agrees_with_kafkas_java_client),
    cmocka_unit_test(agrees_with_librdkafka),
    cmocka_unit_test(every_partition_is_in_range),
    cmocka_unit_test(names_the_topics_of_a_service),
    cmocka_unit_test(refuses_names_that_kafka_would),
};

WEIR_TEST_MAIN(tests)
