#include "common/kafka_statistics.h"

#include "common/bytes.h"
#include "common/cleanup.h"
#include "common/metrics.h"

#include <jansson.h>

/* Numbers of the client as a whole. */
static const struct client_row {
    const char *member, *name, *help;
} client_rows[] = {
    {"msg_cnt", "weir_kafka_client_queued_messages", "Messages in the producer without a report"},
    {"msg_size", "weir_kafka_client_queued_bytes", "Bytes of the messages in the producer without a report"},
    {"tx_bytes", "weir_kafka_client_sent_bytes", "Bytes sent to brokers since the client began"},
    {"rx_bytes", "weir_kafka_client_received_bytes", "Bytes received from brokers since the client began"},
};

/* Numbers of each broker, added up or the largest of them. */
static const struct broker_row {
    const char *window, *member, *name, *help;
    bool largest;
} broker_rows[] = {
    {NULL, "txretries", "weir_kafka_client_retries", "Requests tried again since the client began", false},
    {NULL, "req_timeouts", "weir_kafka_client_request_timeouts", "Requests without an answer in time", false},
    {"rtt", "p99", "weir_kafka_client_rtt_p99_microseconds",
        "Round trip to the slowest broker, 99th percentile", true},
};

static void set(const char *name, const char *labels, const char *help, json_int_t value)
{
    weir_metric_set(weir_metric(WEIR_METRIC_GAUGE, name, labels, help), value);
}

static json_int_t over_brokers(const json_t *brokers, const struct broker_row *row)
{
    json_int_t total = 0;
    const char *name;
    json_t *broker;
    json_object_foreach((json_t *)(uintptr_t)brokers, name, broker)
    {
        const json_t *place = row->window != NULL ? json_object_get(broker, row->window) : broker;
        json_int_t value = json_integer_value(json_object_get(place, row->member));
        total = !row->largest ? total + value : value > total ? value : total;
    }
    return total;
}

int weir_kafka_statistics(rd_kafka_t *handle, char *text, size_t len, void *opaque)
{
    (void)handle;
    (void)opaque;
    WEIR_CLEANUP(buffer) struct weir_buffer labels = {0};
    WEIR_CLEANUP(json) json_t *all = json_loadb(text, len, 0, NULL);
    const char *client = json_string_value(json_object_get(all, "client_id"));
    if (client == NULL)
        return 0;
    weir_metric_label(&labels, "client", client);
    if (labels.failed)
        return 0;
    for (size_t i = 0; i < sizeof(client_rows) / sizeof(client_rows[0]); i++)
        set(client_rows[i].name, labels.data, client_rows[i].help,
            json_integer_value(json_object_get(all, client_rows[i].member)));
    const json_t *brokers = json_object_get(all, "brokers");
    for (size_t i = 0; i < sizeof(broker_rows) / sizeof(broker_rows[0]); i++)
        set(broker_rows[i].name, labels.data, broker_rows[i].help, over_brokers(brokers, &broker_rows[i]));
    return 0; /* librdkafka frees the text */
}
