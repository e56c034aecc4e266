/* [subscriptions]: the links in mails, which the notifier writes and the gateway answers. */
#include "common/deployment_parts.h"

#include "common/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct weir_option rows[] = {
    {.key = "url",
        .type = WEIR_OPTION_URL,
        .required = true,
        .offset = offsetof(struct weir_subscription_settings, url),
        .help = "where people reach the gateway, with what stands before /v1: begins the links in mails"},
    {.key = "key",
        .type = WEIR_OPTION_SECRET,
        .required = true,
        .offset = offsetof(struct weir_subscription_settings, key),
        .help =
            "keys that sign the links, of at least 32 characters (openssl rand -hex 32), with spaces between "
            "them; the first signs, each is accepted"},
    {.key = "confirmations",
        .type = WEIR_OPTION_INTEGER,
        .fallback = "3",
        .min = 1,
        .max = 100,
        .offset = offsetof(struct weir_subscription_settings, confirmations),
        .help = "most mails that ask whether one subscription is wanted"},
};

const struct weir_option_table weir_subscriptions_options = {.section = "subscriptions",
    .rows = rows,
    .count = sizeof(rows) / sizeof(rows[0]),
    .settings_size = sizeof(struct weir_subscription_settings)};

static const char section[] = "subscriptions";

/* The links stand in header fields and in HTML as they are. */
static int check_url(const struct weir_deployment *deployment, struct weir_error *err)
{
    const char *url = deployment->subscriptions->url;
    size_t len = strlen(url);

    for (size_t i = 0; i < len; i++)
        if (url[i] <= ' ' || url[i] > '~' || strchr("<>\"?#", url[i]) != NULL)
            return weir_error_set(err, WEIR_E_CONFIG, "%s: url = %s: write an URL without query, in ASCII",
                weir_config_where(deployment->config, section, "url"), url);
    if (len > 500 || (len > 0 && url[len - 1] == '/'))
        return weir_error_set(err, WEIR_E_CONFIG,
            "%s: url = %s: write it without a / at its end, within 500 bytes",
            weir_config_where(deployment->config, section, "url"), url);
    return 0;
}

static int read_keys(const struct weir_deployment *deployment, struct weir_error *err)
{
    struct weir_subscription_settings *settings = deployment->subscriptions;
    struct weir_error fault;

    if (weir_token_keys_new(settings->key, &settings->keys, &fault) == 0)
        return 0;
    return weir_error_set(
        err, WEIR_E_CONFIG, "%s: key: %s", weir_config_where(deployment->config, section, "key"), fault.text);
}

static int check_collection(const struct weir_deployment *deployment, struct weir_error *err)
{
    if (weir_deployment_collection(deployment, WEIR_SUBSCRIPTIONS) != NULL)
        return 0;
    return weir_error_set(err, WEIR_E_CONFIG,
        "%s: [subscriptions] needs a [collection " WEIR_SUBSCRIPTIONS "]",
        weir_config_where(deployment->config, section, NULL));
}

int weir_deployment_load_subscriptions(struct weir_deployment *deployment, struct weir_error *err)
{
    if (!weir_config_has(deployment->config, section))
        return 0;
    deployment->subscriptions = calloc(1, sizeof(*deployment->subscriptions));
    if (deployment->subscriptions == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    int code = weir_config_bind(deployment->config, section, NULL, &weir_subscriptions_options, NULL, NULL,
        deployment->subscriptions, err);
    if (code == 0)
        code = check_url(deployment, err);
    if (code == 0)
        code = read_keys(deployment, err);
    return code < 0 ? code : check_collection(deployment, err);
}

void weir_deployment_free_subscriptions(struct weir_deployment *deployment)
{
    if (deployment->subscriptions == NULL)
        return;
    weir_token_keys_free(deployment->subscriptions->keys);
    weir_option_free(&weir_subscriptions_options, deployment->subscriptions);
    free(deployment->subscriptions);
}
