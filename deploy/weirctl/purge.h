/* weirctl purge: what a deployment has on the cluster and on this machine, and its removal. */
#ifndef WEIR_DEPLOY_WEIRCTL_PURGE_H
#define WEIR_DEPLOY_WEIRCTL_PURGE_H

#include "common/bytes.h"
#include "deploy/weirctl/progress.h"
#include "deploy/weirctl/weirctl.h"

enum purge_kind { PURGE_UNIT, PURGE_TOPIC, PURGE_GROUP, PURGE_ACL, PURGE_FOLDER };

/* One thing that is there. */
struct purge_thing {
    enum purge_kind kind;
    char *name;    /* owned; of rights: which, for people */
    void *handle;  /* of rights: the rd_kafka_AclBindingFilter_t that finds them, owned */
    char why[256]; /* it could not be removed: the reason; "" else */
};

struct purge_flags {
    bool dry_run, yes, keep_data;
};

struct purge {
    struct weirctl *ctl;
    const struct purge_flags *flags;
    char *cluster; /* its id; owned by librdkafka */
    struct purge_thing *things;
    size_t count;
    struct progress progress;
};

/* NULL when memory is out. */
struct purge_thing *purge_add(struct purge *purge, enum purge_kind kind, const char *name);
/* How many are of that kind and can still be removed. */
size_t purge_count(const struct purge *purge, enum purge_kind kind);

/* purge_kafka.c: finds what is on the cluster; WEIR_E_BUSY while an instance of a service is in its group and
 * no unit of this machine is going to be stopped. */
int purge_find_kafka(struct purge *purge, struct weir_error *err);
/* Waits until nobody is in the groups any more. */
int purge_await_stopped(struct purge *purge, struct weir_error *err);
int purge_remove_kafka(struct purge *purge, struct weir_error *err);

/* purge_host.c: the same of this machine. */
int purge_find_host(struct purge *purge, struct weir_error *err);
int purge_stop_units(struct purge *purge, struct weir_error *err);
void purge_remove_folders(struct purge *purge);

/* Where a service keeps its documents, or its ledger: store.c, mails.c. 0 without: out is "". */
int store_path_of(const struct weir_deployment *deployment, const struct weir_service *service, char *out,
    size_t size, struct weir_error *err);
int ledger_path_of(const struct weir_deployment *deployment, const struct weir_service *service, char *out,
    size_t size, struct weir_error *err);

#endif
