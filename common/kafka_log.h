/* librdkafka's log callback. Threads: any; it runs on librdkafka's. */
#ifndef WEIR_COMMON_KAFKA_LOG_H
#define WEIR_COMMON_KAFKA_LOG_H

#include <librdkafka/rdkafka.h>

/* For rd_kafka_conf_set_log_cb: writes the event kafka.client; of lines that tell of unreachable brokers, one
 * each 10 s. */
void weir_kafka_log(const rd_kafka_t *handle, int syslog_level, const char *facility, const char *text);

#endif
