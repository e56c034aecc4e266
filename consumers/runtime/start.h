/* From a loaded plugin to a running loop and back: handles are made, the broker waited for, the group joined;
 * at the end all is given back in an order that cannot hang for longer than drain.timeout. */
#ifndef WEIR_RUNTIME_START_H
#define WEIR_RUNTIME_START_H

#include "common/error.h"

struct weir_runtime;

/* Opens the plugin, makes the handles, waits for the broker and the topics, joins the group. 0 also when the
 * process is asked to end meanwhile. */
int weir_start(struct weir_runtime *runtime, struct weir_error *err);
/* Leaves the group and closes all that start opened, also after it failed. When that hangs the process ends
 * with exit_status. */
void weir_end(struct weir_runtime *runtime, int exit_status);

#endif
