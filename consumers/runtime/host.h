/* The host table: what a plugin may call (struct weir_host of <weir/plugin.h>). */
#ifndef WEIR_RUNTIME_HOST_H
#define WEIR_RUNTIME_HOST_H

struct weir_runtime;

/* Fills runtime->host; service, instance, plugin and deployment must be set. */
void weir_host_init(struct weir_runtime *runtime);

#endif
