/* The parts of common/deployment.c: each reads its sections of deployment->config. For common/deployment*.c only. */
#ifndef WEIR_COMMON_DEPLOYMENT_PARTS_H
#define WEIR_COMMON_DEPLOYMENT_PARTS_H

#include "common/deployment.h"

/* [kafka], [kafka.producer], [kafka.consumer]; first, because topic names begin with its prefix. */
int weir_deployment_load_kafka(struct weir_deployment *deployment, struct weir_error *err);
void weir_deployment_free_kafka(struct weir_deployment *deployment);

/* [collection NAME] */
int weir_deployment_load_collections(struct weir_deployment *deployment, struct weir_error *err);
void weir_deployment_free_collections(struct weir_deployment *deployment);

/* [service NAME]; after the collections: it tells them their store. */
int weir_deployment_load_services(struct weir_deployment *deployment, struct weir_error *err);
void weir_deployment_free_services(struct weir_deployment *deployment);

/* [notify NAME]; after the collections. */
int weir_deployment_load_notifies(struct weir_deployment *deployment, struct weir_error *err);
void weir_deployment_free_notifies(struct weir_deployment *deployment);

/* [subscriptions]; after the collections. */
int weir_deployment_load_subscriptions(struct weir_deployment *deployment, struct weir_error *err);
void weir_deployment_free_subscriptions(struct weir_deployment *deployment);

/* prefix + name + suffix, within Kafka's limit. The caller frees *ret_topic. */
int weir_deployment_topic_name(const struct weir_deployment *deployment, const char *name, const char *suffix,
    char **ret_topic, struct weir_error *err);

#endif
