/* bench-changes KAFKA FIRST COUNT HOURS: writes change events of orders to `orders.changes`, as the store
 * writes them, fast enough not to be what is measured: the documents number FIRST to FIRST + COUNT - 1, each
 * created HOURS ago. The keys come in no order. */
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TOPIC "orders.changes"

static const char document[] = "{\"orderID\":\"%s\",\"customerID\":\"cust-%06lld\",\"email\":\"customer%"
                               "06lld@example.org\",\"status\":\"PAID\",\"currency\":\"EUR\","
                               "\"totalCents\":%lld,\"items\":[{\"sku\":\"SKU-%05lld\",\"quantity\":2,"
                               "\"unitPriceCents\":1250},{\"sku\":\"SKU-77120\",\"quantity\":1,"
                               "\"unitPriceCents\":%lld}],\"shippingAddress\":{\"city\":\"Berlin\","
                               "\"postalCode\":\"10115\",\"street\":\"Invalidenstr. 116\"}}";
static const char event[] = "{\"op\":\"c\",\"collection\":\"orders\",\"key\":\"%s\",\"version\":1,"
                            "\"request\":\"%s\",\"ts_ms\":%lld,\"after\":%s}";

static long long failed;

static void on_delivery(rd_kafka_t *handle, const rd_kafka_message_t *message, void *opaque)
{
    (void)handle, (void)opaque;
    failed += message->err != RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_t *open_producer(const char *servers)
{
    static const char *const properties[][2] = {{"partitioner", "murmur2_random"}, {"acks", "all"},
        {"linger.ms", "50"}, {"batch.size", "262144"}, {"queue.buffering.max.messages", "500000"},
        {"compression.type", "lz4"}};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char why[256];

    bool fine = rd_kafka_conf_set(conf, "bootstrap.servers", servers, why, sizeof(why)) == RD_KAFKA_CONF_OK;
    for (size_t i = 0; fine && i < sizeof(properties) / sizeof(properties[0]); i++)
        fine =
            rd_kafka_conf_set(conf, properties[i][0], properties[i][1], why, sizeof(why)) == RD_KAFKA_CONF_OK;
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_t *producer = fine ? rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why)) : NULL;
    if (producer == NULL)
        fprintf(stderr, "no producer: %s\n", why);
    return producer;
}

static rd_kafka_resp_err_t produce(
    rd_kafka_t *producer, const char *key, const char *request, const char *origin, const char *value)
{
    return rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(TOPIC), RD_KAFKA_V_KEY(key, strlen(key)),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_VALUE((void *)(uintptr_t)value, strlen(value)),
        RD_KAFKA_V_HEADER("ce_type", "weir.orders.created", -1), RD_KAFKA_V_HEADER("ce_subject", key, -1),
        RD_KAFKA_V_HEADER("ce_id", request, -1), RD_KAFKA_V_HEADER("weir-origin", origin, -1),
        RD_KAFKA_V_HEADER("content-type", "application/json", -1), RD_KAFKA_V_END);
}

static rd_kafka_resp_err_t write_one(rd_kafka_t *producer, long long number, long long ts_ms)
{
    char key[32], request[48], origin[48], after[512], value[1024];
    rd_kafka_resp_err_t err;

    snprintf(key, sizeof(key), "ord-%09lld", number * 7919 % 100000007);
    snprintf(request, sizeof(request), "00000000-0000-7000-8000-%012llx", number);
    snprintf(origin, sizeof(origin), "orders/0/%lld", number);
    snprintf(after, sizeof(after), document, key, number % 100000, number % 100000, 2500 + number % 5000,
        number % 90000, number % 5000);
    snprintf(value, sizeof(value), event, key, request, ts_ms, after);
    while ((err = produce(producer, key, request, origin, value)) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        rd_kafka_poll(producer, 100);
    rd_kafka_poll(producer, 0);
    return err;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fputs("usage: bench-changes KAFKA FIRST COUNT HOURS\n", stderr);
        return 64;
    }
    long long first = atoll(argv[2]), count = atoll(argv[3]),
              ts_ms = ((long long)time(NULL) - atoll(argv[4]) * 3600) * 1000;
    rd_kafka_t *producer = open_producer(argv[1]);
    if (producer == NULL)
        return 1;
    for (long long i = 0; i < count; i++)
        failed += write_one(producer, first + i, ts_ms) != RD_KAFKA_RESP_ERR_NO_ERROR;
    failed += rd_kafka_flush(producer, 120000) != RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_destroy(producer);
    if (failed > 0)
        fprintf(stderr, "%lld events were not written\n", failed);
    return failed > 0;
}
