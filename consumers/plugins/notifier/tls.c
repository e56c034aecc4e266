#include "consumers/plugins/notifier/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>

static _Thread_local char failure[160];

static int on_verify(int verified, X509_STORE_CTX *store)
{
    if (verified == 0)
        snprintf(failure, sizeof(failure), "the server's certificate is not accepted: %s",
            X509_verify_cert_error_string(X509_STORE_CTX_get_error(store)));
    return verified;
}

const char *weir_tls_failure(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;
    if (failure[0] == '\0' && reason != NULL)
        snprintf(failure, sizeof(failure), "the TLS handshake failed: %s", reason);
    return failure;
}

static bool expect_host(SSL_CTX *context, const char *host)
{
    X509_VERIFY_PARAM *parameters = SSL_CTX_get0_param(context);
    struct in_addr address;

    if (inet_pton(AF_INET, host, &address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(parameters, host) == 1;
    X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(parameters, host, 0) == 1;
}

static int configure(SSL_CTX *context, const char *ca_path, const char *host, struct weir_error *err)
{
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, on_verify);
    if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION) != 1 || !expect_host(context, host))
        return weir_error_set(err, WEIR_E_INTERNAL, "TLS can't be set up for host %s", host);
    if (ca_path == NULL)
        SSL_CTX_set_default_verify_paths(context);
    else if (SSL_CTX_load_verify_file(context, ca_path) != 1)
        return weir_error_set(
            err, WEIR_E_CONFIG, "notifier.smtp.ca: no certificates can be read from %s", ca_path);
    return 0;
}

int weir_tls_context_new(const char *ca_path, const char *host, SSL_CTX **ret_context, struct weir_error *err)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (context == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "no TLS context");
    int code = configure(context, ca_path, host, err);
    if (code < 0) {
        SSL_CTX_free(context);
        return code;
    }
    *ret_context = context;
    return 0;
}
