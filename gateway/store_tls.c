#include "gateway/store_tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

enum { CA_CACHE_S = 60 };

static int refuse(const char *key, const char *path, struct weir_error *err)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    int rc = weir_error_set(
        err, WEIR_E_CONFIG, "%s = %s: %s", key, path, reason != NULL ? reason : "it can't be used");
    ERR_clear_error();
    return rc;
}

static int check(SSL_CTX *context, const struct weir_gateway_settings *settings, struct weir_error *err)
{
    const char *ca = settings->store_tls_ca, *certificate = settings->store_tls_certificate,
               *key = settings->store_tls_key;
    if (ca != NULL && SSL_CTX_load_verify_file(context, ca) != 1)
        return refuse("store.tls.ca", ca, err);
    if (certificate != NULL && SSL_CTX_use_certificate_chain_file(context, certificate) != 1)
        return refuse("store.tls.certificate", certificate, err);
    if (key != NULL && SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
        return refuse("store.tls.key", key, err);
    return 0;
}

int weir_store_tls_check(const struct weir_gateway_settings *settings, struct weir_error *err)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (context == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "OpenSSL does not start");
    int rc = check(context, settings, err);
    SSL_CTX_free(context);
    return rc;
}

void weir_store_tls_apply(const struct weir_gateway_settings *settings, CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, (long)CA_CACHE_S);
    if (settings->store_tls_ca != NULL)
        curl_easy_setopt(easy, CURLOPT_CAINFO, settings->store_tls_ca);
    if (settings->store_tls_certificate == NULL)
        return;
    curl_easy_setopt(easy, CURLOPT_SSLCERT, settings->store_tls_certificate);
    curl_easy_setopt(easy, CURLOPT_SSLKEY, settings->store_tls_key);
}
