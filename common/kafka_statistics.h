/* librdkafka's statistics (STATISTICS.md of librdkafka) as metrics, by client.id: what waits, what was sent
 * and received, what was tried again, how long brokers take. */
#ifndef WEIR_COMMON_KAFKA_STATISTICS_H
#define WEIR_COMMON_KAFKA_STATISTICS_H

#include <librdkafka/rdkafka.h>

/* How often librdkafka hands them out, as statistics.interval.ms wants it. */
#define WEIR_KAFKA_STATISTICS_MS "10000"

/* For rd_kafka_conf_set_stats_cb. Threads: the one that polls the handle. Text that is no statistics changes
 * nothing. */
int weir_kafka_statistics(rd_kafka_t *handle, char *text, size_t len, void *opaque);

#endif
