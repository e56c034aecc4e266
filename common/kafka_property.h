/* What librdkafka knows of its own properties, for those who must not see rdkafka.h. Threads: any. */
#ifndef WEIR_COMMON_KAFKA_PROPERTY_H
#define WEIR_COMMON_KAFKA_PROPERTY_H

#include "common/error.h"

struct weir_deployment;

/* Whether the installed librdkafka takes this property with this value. 0; WEIR_E_NOT_FOUND: it has no property of that
 * name (the nearest is suggested); WEIR_E_CONFIG: the value is wrong, or this build can't do it. */
int weir_kafka_property_check(const char *name, const char *value, struct weir_error *err);

/* Refuses versions of librdkafka that are known to lose data (2.5.0–2.5.2, 2.10.0) and SCRAM below 2.6.1. */
int weir_kafka_check_version(const struct weir_deployment *deployment, struct weir_error *err);

/* "2.0.2" */
const char *weir_kafka_library_version(void);

#endif
