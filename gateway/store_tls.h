/* TLS towards the stores, where they are reached by https: whom to believe, and the gateway's own
 * certificate. */
#ifndef WEIR_GATEWAY_STORE_TLS_H
#define WEIR_GATEWAY_STORE_TLS_H

#include "common/error.h"
#include "gateway/settings.h"

#include <curl/curl.h>

/* Reads the files that the settings name, if any. WEIR_E_CONFIG tells which one is broken, or that
 * certificate and key do not belong together. */
int weir_store_tls_check(const struct weir_gateway_settings *settings, struct weir_error *err);

/* Has the handle use them; each new connection reads them anew. settings are borrowed. */
void weir_store_tls_apply(const struct weir_gateway_settings *settings, CURL *easy);

#endif
