/* `config explain`, piece by piece: the request as the gateway sees it, then the services that its record
 * meets. */
#ifndef WEIR_DEPLOY_WEIRCTL_EXPLAIN_H
#define WEIR_DEPLOY_WEIRCTL_EXPLAIN_H

#include "common/bytes.h"
#include "deploy/weirctl/weirctl.h"

#include <jansson.h>

struct explain_flags {
    char *body, *before;
};

struct explain {
    struct weirctl *ctl;
    const struct explain_flags *flags;
    const char *method, *path;
    struct weir_buffer body, before; /* empty: none */
    json_t *request;                 /* what weir-gateway --try says */
    json_t *services; /* an array with an object for each service that meets the record or its change */
};

/* Fills services from request. */
int explain_follow(struct explain *explain, struct weir_error *err);
/* The exit status, or an error. */
int explain_print(const struct explain *explain, struct weir_error *err);

#endif
