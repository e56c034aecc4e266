/* When a client certificate towards Kafka ends, as a metric: brokers look at it whenever a connection begins,
 * so that an expired one is found out only when brokers restart. */
#ifndef WEIR_COMMON_KAFKA_CERTIFICATE_H
#define WEIR_COMMON_KAFKA_CERTIFICATE_H

#include <librdkafka/rdkafka.h>
#include <stdint.h>

/* The end of the certificate that conf names (ssl.certificate.location, ssl.certificate.pem), in seconds
 * since 1970; 0 without one, or when it can't be read. Threads: any. */
int64_t weir_kafka_certificate_end(const rd_kafka_conf_t *conf);

/* Tells it as weir_kafka_certificate_expires_seconds; nothing where there is none. To be called just before
 * librdkafka reads the same file. Threads: any. */
void weir_kafka_certificate_tell(const rd_kafka_conf_t *conf);

#endif
