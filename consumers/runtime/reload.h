/* SIGHUP: the configuration is read again, and what may change while it runs is changed: the log level, and
 * what the plugin reloads (templates, keys, its options that say so). All or nothing: a file with a mistake,
 * or with a change that needs a restart, changes nothing and says which. */
#ifndef WEIR_RUNTIME_RELOAD_H
#define WEIR_RUNTIME_RELOAD_H

struct weir_runtime;

void weir_reload(struct weir_runtime *runtime);

#endif
