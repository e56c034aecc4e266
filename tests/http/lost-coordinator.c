/* Two brokers, by librdkafka's mock cluster, that bring out a fault of librdkafka: the coordinator of the
 * group "store" is not known at first (12 answers in a row say so), then is the second broker, which can't be
 * reached. rd_kafka_destroy() of a client that has asked for that group then waits for ever, up to 2.15 at
 * least. usage: lost-coordinator ADDRESS-FILE TOPIC:PARTITIONS …; ends with SIGTERM. */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIND_COORDINATOR = 10, LOST = 2 };

#define UNKNOWN RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE

static void make_topic(rd_kafka_mock_cluster_t *cluster, char *topic)
{
    char *colon = strchr(topic, ':');
    if (colon == NULL)
        exit(EXIT_FAILURE);
    *colon = '\0';
    rd_kafka_mock_topic_create(cluster, topic, atoi(colon + 1), 1);
    for (int partition = 0; partition < atoi(colon + 1); partition++)
        rd_kafka_mock_partition_set_leader(cluster, topic, partition, 1);
}

static void lose_coordinator(rd_kafka_mock_cluster_t *cluster)
{
    rd_kafka_mock_coordinator_set(cluster, "group", "store", LOST);
    rd_kafka_mock_broker_set_down(cluster, LOST);
    rd_kafka_mock_push_request_errors(cluster, FIND_COORDINATOR, 12, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN,
        UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN);
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
    char text[512];
    rd_kafka_t *host = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), text, sizeof(text));
    rd_kafka_mock_cluster_t *cluster = host != NULL ? rd_kafka_mock_cluster_new(host, 2) : NULL;
    if (cluster == NULL || argc < 2)
        return EXIT_FAILURE;
    for (int i = 2; i < argc; i++)
        make_topic(cluster, argv[i]);
    lose_coordinator(cluster);
    tell_address(cluster, argv[1]);
    for (;;)
        pause();
}
