/* librdkafka's statistics as metrics: what STATISTICS.md says, and text that is none. */
#include "support/test.h"

#include "common/bytes.h"
#include "common/kafka_statistics.h"
#include "common/metrics.h"

static const char sample[] = "{\"name\":\"rdkafka#producer-1\",\"client_id\":\"weir-gateway\",\"msg_cnt\":7,"
                             "\"msg_size\":2100,\"tx_bytes\":5000,\"rx_bytes\":600,"
                             "\"brokers\":{\"one\":{\"txretries\":2,\"req_timeouts\":1,\"rtt\":{\"p99\":900}}"
                             ",\"two\":{\"txretries\":3,\"req_timeouts\":0,"
                             "\"rtt\":{\"p99\":400}}}}";

static void take(const char *text)
{
    char copy[1024];
    size_t len = strlen(text);
    memcpy(copy, text, len + 1);
    assert_int_equal(weir_kafka_statistics(NULL, copy, len, NULL), 0);
}

static void assert_written(const char *line)
{
    struct weir_buffer page = {0};
    weir_metrics_write(&page);
    assert_false(page.failed);
    if (strstr(page.data, line) == NULL)
        fail_msg("no \"%s\" in:\n%s", line, page.data);
    weir_buffer_done(&page);
}

static void clients_and_brokers_become_gauges(void **state)
{
    (void)state;
    take(sample);
    assert_written("weir_kafka_client_queued_messages{client=\"weir-gateway\"} 7\n");
    assert_written("weir_kafka_client_sent_bytes{client=\"weir-gateway\"} 5000\n");
    assert_written("weir_kafka_client_retries{client=\"weir-gateway\"} 5\n");
    assert_written("weir_kafka_client_request_timeouts{client=\"weir-gateway\"} 1\n");
    assert_written("weir_kafka_client_rtt_p99_microseconds{client=\"weir-gateway\"} 900\n");
}

static void other_text_changes_nothing(void **state)
{
    (void)state;
    take(sample);
    take("");
    take("[1,2]");
    take("{\"client_id\":3}");
    take("{\"client_id\":");
    assert_written("weir_kafka_client_queued_messages{client=\"weir-gateway\"} 7\n");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(clients_and_brokers_become_gauges),
    cmocka_unit_test(other_text_changes_nothing),
};

WEIR_TEST_MAIN(tests)
