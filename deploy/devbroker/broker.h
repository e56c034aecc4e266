/* A broker in this process: librdkafka's mock cluster, with the topics of a deployment. */
#ifndef WEIR_DEPLOY_DEVBROKER_BROKER_H
#define WEIR_DEPLOY_DEVBROKER_BROKER_H

#include "common/deployment.h"
#include "common/error.h"

#include <stddef.h>

struct broker;

/* Starts listening on a free port of 127.0.0.1 and makes the topics. The caller ends it with broker_free().
 */
int broker_new(const struct weir_deployment *deployment, struct broker **ret_broker, struct weir_error *err);

/* "127.0.0.1:port"; borrowed. */
const char *broker_address(const struct broker *broker);
size_t broker_topic_count(const struct broker *broker);
/* Ends it with all its records. Accepts NULL. */
void broker_free(struct broker *broker);

#endif
