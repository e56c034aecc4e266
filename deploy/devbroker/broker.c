#include "deploy/devbroker/broker.h"

#include "common/kafka.h"
#include "common/topic.h"

#include <librdkafka/rdkafka_mock.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

/* More brokers would only take more ports: nothing is replicated. */
enum { BROKERS = 1, REPLICAS = 1, MAKERS = 16 };

struct broker {
    rd_kafka_t *host; /* lends its threads to the mock cluster; never connects */
    rd_kafka_mock_cluster_t *cluster;
    size_t topic_count;
};

/* Makes every MAKERS-th of the planned topics, from `first` on. */
struct maker {
    struct broker *broker;
    const struct weir_topic_plan *plan;
    size_t first, count;
    struct weir_error err; /* of the topic that could not be made */
    pthread_t thread;
    bool runs;
};

static void *run_maker(void *context)
{
    struct maker *maker = context;

    for (size_t i = maker->first; i < maker->count && maker->err.code == 0; i += MAKERS)
        weir_kafka_error_set(&maker->err,
            rd_kafka_mock_topic_create(
                maker->broker->cluster, maker->plan[i].name, maker->plan[i].partitions, REPLICAS),
            maker->plan[i].name);
    return NULL;
}

/* The cluster looks at what it is asked for every quarter of a second, at all of it at once: many ask. */
static int make_planned(
    struct broker *broker, const struct weir_topic_plan *plan, size_t count, struct weir_error *err)
{
    struct maker makers[MAKERS];
    int code = 0;

    for (size_t i = 0; i < MAKERS; i++) {
        makers[i] = (struct maker){.broker = broker, .plan = plan, .first = i, .count = count};
        makers[i].runs = pthread_create(&makers[i].thread, NULL, run_maker, &makers[i]) == 0;
        if (!makers[i].runs)
            run_maker(&makers[i]);
    }
    for (size_t i = 0; i < MAKERS; i++) {
        if (makers[i].runs)
            pthread_join(makers[i].thread, NULL);
        if (makers[i].err.code != 0)
            code = weir_error_set(err, makers[i].err.code, "%s", makers[i].err.text);
    }
    return code;
}

static int make_topics(
    struct broker *broker, const struct weir_deployment *deployment, struct weir_error *err)
{
    struct weir_topic_plan *plan = NULL;
    size_t count = 0;

    int code = weir_topic_plan(deployment, &plan, &count, err);
    if (code == 0)
        code = make_planned(broker, plan, count, err);
    broker->topic_count = count;
    weir_topic_plan_free(plan, count);
    return code;
}

static int start(struct broker *broker, struct weir_error *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    rd_kafka_conf_set(conf, "log_level", "4", NULL, 0); /* that it has no servers to connect to is no news */
    int code = weir_kafka_new_take(RD_KAFKA_PRODUCER, conf, &broker->host, err);
    if (code < 0)
        return code;
    broker->cluster = rd_kafka_mock_cluster_new(broker->host, BROKERS);
    return broker->cluster != NULL ? 0
                                   : weir_error_set(err, WEIR_E_INTERNAL, "the mock cluster does not start");
}

int broker_new(const struct weir_deployment *deployment, struct broker **ret_broker, struct weir_error *err)
{
    struct broker *broker = calloc(1, sizeof(*broker));

    if (broker == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    int code = start(broker, err);
    if (code == 0)
        code = make_topics(broker, deployment, err);
    if (code < 0) {
        broker_free(broker);
        return code;
    }
    *ret_broker = broker;
    return 0;
}

const char *broker_address(const struct broker *broker)
{
    return rd_kafka_mock_cluster_bootstraps(broker->cluster);
}

size_t broker_topic_count(const struct broker *broker)
{
    return broker->topic_count;
}

void broker_free(struct broker *broker)
{
    if (broker == NULL)
        return;
    if (broker->cluster != NULL)
        rd_kafka_mock_cluster_destroy(broker->cluster);
    if (broker->host != NULL)
        rd_kafka_destroy(broker->host);
    free(broker);
}
