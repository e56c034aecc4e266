#include "consumers/runtime/reload.h"

#include "common/log.h"
#include "consumers/runtime/runtime.h"

#include <stdlib.h>

static int refuse_fixed(const char *prefix, const char *key, struct weir_error *err)
{
    return weir_error_set(err, WEIR_E_CONFIG, "%s%s has changed, which needs a restart", prefix, key);
}

static int check_fixed(const struct weir_runtime *runtime, const struct weir_service *service,
    const void *settings, struct weir_error *err)
{
    const struct weir_plugin_loaded *loaded = runtime->loaded;
    const char *key = weir_option_changed(&weir_service_options, runtime->service, service, true);
    if (key != NULL)
        return refuse_fixed("", key, err);
    key = weir_option_changed(&loaded->table, loaded->settings, settings, true);
    return key != NULL ? refuse_fixed(loaded->prefix, key, err) : 0;
}

static int check_plugin(const struct weir_runtime *runtime, const struct weir_deployment *deployment,
    const struct weir_service *service, const void *settings, struct weir_error *err)
{
    const struct weir_plugin *plugin = runtime->plugin;
    int rc = check_fixed(runtime, service, settings, err);
    return rc < 0 || plugin->check == NULL ? rc : plugin->check(settings, deployment, service->name, err);
}

/* Takes the settings, or frees them. */
static int hand_over(struct weir_runtime *runtime, void *settings, struct weir_error *err)
{
    struct weir_plugin_loaded *loaded = runtime->loaded;
    void *unused = settings;
    int rc = 0;
    if (runtime->plugin->reload != NULL)
        rc = runtime->plugin->reload(runtime->plugin_instance, settings, err);
    if (rc == 0 && runtime->plugin->reload != NULL) {
        unused = loaded->settings;
        loaded->settings = settings;
    }
    weir_plugin_settings_free(loaded, unused);
    return rc;
}

static int reload_plugin(
    struct weir_runtime *runtime, const struct weir_deployment *deployment, struct weir_error *err)
{
    void *settings;
    const struct weir_service *service = weir_deployment_service(deployment, runtime->service->name);
    if (service == NULL)
        return weir_error_set(err, WEIR_E_CONFIG, "[service %s] is gone", runtime->service->name);
    int rc = weir_plugin_bind(runtime->loaded, deployment, service, &settings, err);
    if (rc < 0)
        return rc;
    rc = check_plugin(runtime, deployment, service, settings, err);
    if (rc == 0)
        return hand_over(runtime, settings, err);
    weir_plugin_settings_free(runtime->loaded, settings);
    return rc;
}

/* By itself: a certificate that was renewed serves new connections, whatever else is wrong. */
static void reload_tls(const struct weir_runtime *runtime)
{
    const char *file = runtime->service->tls_certificate;
    struct weir_error err = {0};
    if (weir_tls_reload(runtime->tls, &err) < 0)
        weir_log(WEIR_LOG_ERROR, "tls.not-reloaded", "reason=\"%s\"", err.text);
    else
        weir_log(WEIR_LOG_NOTICE, "tls.reloaded", "file=%s", file);
}

void weir_reload(struct weir_runtime *runtime)
{
    WEIR_CLEANUP(deployment) struct weir_deployment *deployment = NULL;
    struct weir_error err = {0};
    if (runtime->tls != NULL)
        reload_tls(runtime);
    int rc = weir_deployment_load(runtime->config, &deployment, &err);
    if (rc == 0)
        rc = reload_plugin(runtime, deployment, &err);
    if (rc < 0) {
        weir_log(WEIR_LOG_ERROR, "reload.refused", "file=%s reason=\"%s\"", runtime->config, err.text);
        return;
    }
    weir_log_set_level((enum weir_log_level)deployment->log.level);
    weir_log(WEIR_LOG_NOTICE, "reload.done", "file=%s", runtime->config);
}
