/* What the group subcommands share: where a service's consumer group stands on each of its partitions, and
 * how it is moved while none of its instances runs. */
#ifndef WEIR_DEPLOY_WEIRCTL_GROUP_H
#define WEIR_DEPLOY_WEIRCTL_GROUP_H

#include "common/kafka_scan.h"
#include "common/topic.h"
#include "deploy/weirctl/progress.h"
#include "deploy/weirctl/weirctl.h"

struct group_settings {
    char *service, *topic;
    int64_t partition;
    int64_t to; /* enum group_to */
    bool yes;
};

enum group_to { GROUP_TO_NOWHERE, GROUP_TO_BEGINNING, GROUP_TO_END };

/* One log, and the group's place in it. */
struct group_place {
    char topic[WEIR_TOPIC_NAME_BYTES];
    int64_t committed;  /* -1: none */
    int64_t begin, end; /* of the log */
    int64_t moved;      /* where it is to be; -1: it stays */
};

/* A partition of a source and the retry partition of its number, which always move together. */
struct group_partition {
    int32_t number;
    struct group_place source, retry;
};

struct group {
    struct weirctl *ctl;
    const struct group_settings *settings;
    const struct weir_service *service;
    struct weir_kafka_scan *scan;
    struct group_partition *partitions;
    size_t count;
    struct progress progress;
};

/* Connects and reads where the group stands. The caller ends it with group_close() in any case. */
int group_open(struct weirctl *ctl, struct group *ret_group, struct weir_error *err);
void group_close(struct group *group);

/* Says what moves and, with --yes, moves it. The exit status, or a negative code: WEIR_E_BUSY while an
 * instance of the service runs. */
int group_move(struct group *group, struct weir_error *err);

#endif
