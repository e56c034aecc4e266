/* What weirctl has to know of [gateway]; the gateway itself judges the rest. */
#ifndef WEIR_DEPLOY_WEIRCTL_GATEWAY_H
#define WEIR_DEPLOY_WEIRCTL_GATEWAY_H

#include "common/deployment.h"
#include "common/error.h"

struct gateway_settings {
    char *listen, *base_path;
    int64_t auth; /* loopback, none, keys */
    char *keys_file;
    char *tls_certificate, *tls_key, *tls_client_ca; /* NULL: none */
    bool tls_client_required;
    bool feed, dlq;
};

enum { GATEWAY_AUTH_KEYS = 2 };

/* The caller ends it with gateway_settings_done() in any case. */
int gateway_settings_read(
    const struct weir_deployment *deployment, struct gateway_settings *ret_settings, struct weir_error *err);
void gateway_settings_done(struct gateway_settings *settings);

static inline void weir_cleanup_gateway_settings(struct gateway_settings *settings)
{
    gateway_settings_done(settings);
}

#endif
