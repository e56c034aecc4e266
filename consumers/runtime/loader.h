/* Finds, opens and checks a plugin's shared object and binds its settings. A plugin is never unloaded. */
#ifndef WEIR_RUNTIME_LOADER_H
#define WEIR_RUNTIME_LOADER_H

#include "common/cleanup.h"
#include "common/deployment.h"

#include <weir/plugin.h>

#include <limits.h>

struct weir_plugin_loaded {
    char path[PATH_MAX];
    struct weir_plugin plugin; /* min(size) copied, the rest zero */
    char prefix[64];           /* "store." */
    struct weir_option_table table;
    void *settings;
    struct weir_table
        *tables; /* of the plugin, with the modes that its settings choose; NULL when it has none */
};

/* Where the plugin of that name or path is: $WEIR_PLUGIN_PATH (folders separated by colons), ../plugins
 * beside the program, the installed folder. WEIR_E_CONFIG names all that was tried. */
int weir_plugin_find(const char *name, char path[static PATH_MAX], struct weir_error *err);

/* Opens the service's plugin and binds its settings. Errors name file and reason: WEIR_E_CONFIG. */
int weir_plugin_load(const struct weir_deployment *deployment, const struct weir_service *service,
    struct weir_plugin_loaded **ret_loaded, struct weir_error *err);
/* The settings of a configuration that was read again, for the same plugin. The caller frees them by
 * weir_plugin_settings_free. WEIR_E_CONFIG. */
int weir_plugin_bind(const struct weir_plugin_loaded *loaded, const struct weir_deployment *deployment,
    const struct weir_service *service, void **ret_settings, struct weir_error *err);
void weir_plugin_settings_free(const struct weir_plugin_loaded *loaded, void *settings);
void weir_plugin_unload(struct weir_plugin_loaded *loaded);
WEIR_CLEANUP_DEFINE(plugin_loaded, struct weir_plugin_loaded *, weir_plugin_unload)

/* Does load and the plugin's own check() in a process of their own, so that a plugin that crashes there is
 * told of by its file name and signal. To be called before threads are started. */
int weir_plugin_try(
    const struct weir_deployment *deployment, const struct weir_service *service, struct weir_error *err);

#endif
