/* Who may do what on the cluster: for each program of a deployment the operations that it needs, and no
 * others. */
#ifndef WEIR_DEPLOY_WEIRCTL_ACL_H
#define WEIR_DEPLOY_WEIRCTL_ACL_H

#include "common/topic.h"
#include "deploy/weirctl/weirctl.h"

enum acl_resource { ACL_TOPIC, ACL_GROUP, ACL_TRANSACTIONAL_ID };

/* Bits, in the order of acl_operation_names. */
enum acl_operation {
    ACL_READ = 1,
    ACL_WRITE = 2,
    ACL_CREATE = 4,
    ACL_DELETE = 8,
    ACL_DESCRIBE = 16,
    ACL_DESCRIBE_CONFIGS = 32,
    ACL_OPERATIONS = 6, /* how many there are */
};

extern const char *const acl_operation_names[ACL_OPERATIONS]; /* as kafka-acls.sh writes them: Read */

/* What one program may do with one resource. */
struct acl {
    char program[WEIR_TOPIC_NAME_BYTES]; /* "gateway", "weirctl" or a service's name */
    enum acl_resource resource;
    char name[WEIR_TOPIC_NAME_BYTES];
    bool prefixed; /* every name that begins so */
    unsigned operations;
};

struct acl_plan {
    struct acl *list; /* sorted by program: the gateway, the services, weirctl */
    size_t count, capacity;
};

/* Fills *ret_plan from the configuration alone. The caller ends it with acl_plan_done() in any case. */
int acl_plan_make(
    const struct weir_deployment *deployment, struct acl_plan *ret_plan, struct weir_error *err);
void acl_plan_done(struct acl_plan *plan);
static inline void weir_cleanup_acl_plan(struct acl_plan *plan)
{
    acl_plan_done(plan);
}

#endif
