/* A broker or two, by librdkafka's mock cluster, with one fault of the table below. usage: faulty-broker
 * FAULT ADDRESS-FILE TOPIC:PARTITIONS …; SIGUSR1 mends what can be mended; ends with SIGTERM. */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PRODUCE = 0, FIND_COORDINATOR = 10, INIT_PRODUCER_ID = 22, LOST = 2, MANY = 1000 };

/* TOPIC:PARTITIONS, cut at the colon; answers the partitions. */
static int cut_topic(char *topic)
{
    char *colon = strchr(topic, ':');
    if (colon == NULL)
        exit(EXIT_FAILURE);
    *colon = '\0';
    return atoi(colon + 1);
}

static void push_errors(
    rd_kafka_mock_cluster_t *cluster, int16_t request, int count, rd_kafka_resp_err_t error)
{
    while (count-- > 0)
        rd_kafka_mock_push_request_errors(cluster, request, 1, error);
}

/* The coordinator of the group "store" is not known at first (6 answers in a row say so), then is the second
 * broker, which can't be reached. rd_kafka_destroy() of a client that has asked for that group then waits for
 * ever, up to 2.15 at least. */
static void lose_coordinator(rd_kafka_mock_cluster_t *cluster)
{
    rd_kafka_mock_coordinator_set(cluster, "group", "store", LOST);
    rd_kafka_mock_broker_set_down(cluster, LOST);
    push_errors(cluster, FIND_COORDINATOR, 6, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE);
}

/* The first record is answered as a repeat, which a producer takes for written, at an offset that it is not
 * told. */
static void repeat_produce(rd_kafka_mock_cluster_t *cluster)
{
    push_errors(cluster, PRODUCE, 1, RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER);
}

/* Until it is mended. */
static void give_no_id(rd_kafka_mock_cluster_t *cluster)
{
    push_errors(cluster, INIT_PRODUCER_ID, MANY, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS);
}

/* Each answer comes 20 ms after its request. */
static void be_slow(rd_kafka_mock_cluster_t *cluster)
{
    rd_kafka_mock_broker_set_rtt(cluster, 1, 20);
}

static const struct fault {
    const char *name;
    void (*begin)(rd_kafka_mock_cluster_t *cluster);
    int brokers;
} faults[] = {
    {"lost-coordinator", lose_coordinator, 2},
    {"repeated-produce", repeat_produce, 1},
    {"no-producer-id", give_no_id, 1},
    {"slow", be_slow, 1},
};

static const struct fault *find_fault(const char *name)
{
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        if (strcmp(faults[i].name, name) == 0)
            return &faults[i];
    exit(EXIT_FAILURE);
}

/* Led by the first broker: the second may be lost. */
static void make_topic(rd_kafka_mock_cluster_t *cluster, char *topic, bool choose_leader)
{
    int partitions = cut_topic(topic);
    rd_kafka_mock_topic_create(cluster, topic, partitions, 1);
    for (int partition = 0; choose_leader && partition < partitions; partition++)
        rd_kafka_mock_partition_set_leader(cluster, topic, partition, 1);
}

/* In one piece: whoever waits for the file finds it complete. */
static void tell_address(const rd_kafka_mock_cluster_t *cluster, const char *path)
{
    char draft[4096];
    snprintf(draft, sizeof(draft), "%s.draft", path);
    FILE *file = fopen(draft, "w");
    if (file == NULL || fputs(rd_kafka_mock_cluster_bootstraps(cluster), file) < 0 || fclose(file) != 0 ||
        rename(draft, path) != 0)
        exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
    const struct fault *fault = find_fault(argc > 3 ? argv[1] : "");
    char text[512];
    sigset_t mend;
    int number;
    sigemptyset(&mend);
    sigaddset(&mend, SIGUSR1);
    sigprocmask(SIG_BLOCK, &mend, NULL); /* before librdkafka's threads */
    rd_kafka_t *host = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), text, sizeof(text));
    rd_kafka_mock_cluster_t *cluster = host != NULL ? rd_kafka_mock_cluster_new(host, fault->brokers) : NULL;
    if (cluster == NULL)
        return EXIT_FAILURE;
    for (int i = 3; i < argc; i++)
        make_topic(cluster, argv[i], fault->brokers > 1);
    fault->begin(cluster);
    tell_address(cluster, argv[2]);
    while (sigwait(&mend, &number) == 0)
        rd_kafka_mock_clear_request_errors(cluster, INIT_PRODUCER_ID);
}
