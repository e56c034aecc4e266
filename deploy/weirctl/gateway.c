#include "deploy/weirctl/gateway.h"

#include "common/config.h"
#include "common/option.h"

/* Fallbacks are those of the gateway's own table (gateway/settings.c). */
static const struct weir_option rows[] = {
    {.key = "listen",
        .type = WEIR_OPTION_ADDRESS,
        .fallback = "127.0.0.1:8080",
        .offset = offsetof(struct gateway_settings, listen)},
    {.key = "base.path",
        .type = WEIR_OPTION_STRING,
        .fallback = "",
        .offset = offsetof(struct gateway_settings, base_path)},
    {.key = "auth",
        .type = WEIR_OPTION_CHOICE,
        .fallback = "loopback",
        .choices = "loopback|none|keys",
        .offset = offsetof(struct gateway_settings, auth)},
    {.key = "keys.file", .type = WEIR_OPTION_PATH, .offset = offsetof(struct gateway_settings, keys_file)},
    {.key = "tls.certificate",
        .type = WEIR_OPTION_PATH,
        .offset = offsetof(struct gateway_settings, tls_certificate)},
    {.key = "tls.key", .type = WEIR_OPTION_PATH, .offset = offsetof(struct gateway_settings, tls_key)},
    {.key = "tls.client.ca",
        .type = WEIR_OPTION_PATH,
        .offset = offsetof(struct gateway_settings, tls_client_ca)},
    {.key = "tls.client.required",
        .type = WEIR_OPTION_BOOL,
        .offset = offsetof(struct gateway_settings, tls_client_required)},
    {.key = "feed", .type = WEIR_OPTION_BOOL, .offset = offsetof(struct gateway_settings, feed)},
    {.key = "dlq", .type = WEIR_OPTION_BOOL, .offset = offsetof(struct gateway_settings, dlq)},
};

static const struct weir_option_table table = {
    "gateway", rows, sizeof(rows) / sizeof(rows[0]), sizeof(struct gateway_settings)};

static int pass_over(void *context, const char *key, const char *value, struct weir_error *err)
{
    (void)context, (void)key, (void)value, (void)err;
    return 0;
}

int gateway_settings_read(
    const struct weir_deployment *deployment, struct gateway_settings *ret_settings, struct weir_error *err)
{
    *ret_settings = (struct gateway_settings){.listen = NULL};
    return weir_config_bind(deployment->config, "gateway", NULL, &table, pass_over, NULL, ret_settings, err);
}

void gateway_settings_done(struct gateway_settings *settings)
{
    weir_option_free(&table, settings);
}
