/* Finds out what a principal may do without doing any of it: each question is one that a broker refuses for
 * another reason, or that changes nothing, once it has found that the principal is allowed to ask it. */
#ifndef WEIR_DEPLOY_WEIRCTL_DOCTOR_PROBE_H
#define WEIR_DEPLOY_WEIRCTL_DOCTOR_PROBE_H

#include "common/deployment.h"
#include "common/kafka.h"

enum probe_answer {
    PROBE_UNKNOWN, /* no answer, or another one: see probe.why */
    PROBE_ALLOWED,
    PROBE_REFUSED,
};

struct probe {
    const struct weir_deployment *deployment; /* as the principal reads it */
    int timeout_ms;                           /* of each question */
    rd_kafka_t *admin;
    struct weir_error why; /* of the last answer that was none */
};

/* Connects as the principal. WEIR_E_UNAVAILABLE, WEIR_E_CONFIG: it can't, or it is the dev broker. The caller
 * ends it with probe_close() in any case. */
int probe_open(const struct weir_deployment *deployment, int timeout_ms, struct probe *ret_probe,
    struct weir_error *err);
void probe_close(struct probe *probe);

/* One question about each of count topics, which have to be there, answered in their order. */
typedef void probe_topics(
    struct probe *probe, const char *const *topics, size_t count, enum probe_answer *ret_answers);
/* Writes with acks = 2, which no broker takes but the dev broker, which probe_open() refuses. */
probe_topics probe_write;
/* Reads from the end of partition 0. */
probe_topics probe_read;
probe_topics probe_describe_configs;
/* Creates it again, for the broker to look at only. */
probe_topics probe_create;
/* Deletes the records before offset 0. */
probe_topics probe_delete;

/* READ, by committing an offset of a topic that is not there; DESCRIBE, by asking for its members. */
enum probe_answer probe_group_read(struct probe *probe, const char *group);
enum probe_answer probe_group_describe(struct probe *probe, const char *group);
/* WRITE, by beginning to be the producer of that id, which nobody else may be. */
enum probe_answer probe_transactional_id(struct probe *probe, const char *id);
/* ALTER of the cluster, by taking away rights that nobody has: librdkafka 2.0.2 does not tell that those may
 * not be seen. *ret_open: the cluster has no rights to ask for. */
enum probe_answer probe_cluster(struct probe *probe, bool *ret_open);

#endif
