/* The environment of another program's unit (deploy/systemd) on this machine: its variables and its credentials, which stand in this
 * process's environment between unit_enter and unit_leave. Threads: one. */
#ifndef WEIR_DEPLOY_WEIRCTL_UNIT_H
#define WEIR_DEPLOY_WEIRCTL_UNIT_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>

#define UNIT_ENVIRONMENT "/etc/default"
#define UNIT_CREDENTIALS "/etc/credstore"

enum { UNIT_VARIABLES_MAX = 256 };

struct unit {
    bool own; /* there was something of the unit's: variables, or a credential that no other one has */
    char folder[32];
    char *names[UNIT_VARIABLES_MAX], *before[UNIT_VARIABLES_MAX];
    size_t count;
};

/* `program`: "gateway", or a service's name. environment, credentials: folders. Without a unit of that program this process's own
 * variables stay. 0, or WEIR_E_DISK: nothing was entered. */
int unit_enter(const char *environment, const char *credentials, const char *program, struct unit *ret_unit,
    struct weir_error *err);
void unit_leave(struct unit *unit);

#endif
