#include "common/tls.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "common/metrics.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Forward secrecy and authenticated encryption only (RFC 9325 §4.2). */
#define PRIORITIES "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-DHE-RSA:-SHA1"

enum { FILE_BYTES_MAX = 4 << 20, NAME_BYTES = 256 };

/* What one reading of the files gave; used by the connections that began with it. */
struct credentials {
    atomic_int references;
    gnutls_certificate_credentials_t gnutls;
    gnutls_certificate_request_t asks;
};

struct weir_tls {
    struct weir_tls_files files;
    pthread_mutex_t lock; /* current */
    struct credentials *current;
};

struct weir_tls_peer {
    gnutls_session_t session;
    struct credentials *credentials;
    bool read; /* names are known */
    struct weir_buffer names;
};

static void unref(struct credentials *credentials)
{
    if (credentials == NULL || atomic_fetch_sub(&credentials->references, 1) > 1)
        return;
    gnutls_certificate_free_credentials(credentials->gnutls);
    free(credentials);
}

/* ---- the files ---- */

/* The text of a file. What it held is wiped by forget(): it may be a key. */
static int read_text(const char *key, const char *path, struct weir_buffer *out, struct weir_error *err)
{
    int rc = weir_file_read(path, FILE_BYTES_MAX, out, NULL, err);
    if (rc == 0)
        return 0;
    weir_error_prefix(err, "%s", key);
    return WEIR_E_CONFIG;
}

static void forget(struct weir_buffer *text)
{
    if (text->data != NULL)
        gnutls_memset(text->data, 0, text->len);
    weir_buffer_done(text);
}

static gnutls_datum_t datum_of(const struct weir_buffer *text)
{
    return (gnutls_datum_t){(unsigned char *)text->data, (unsigned)text->len};
}

static int refuse(const char *key, const char *path, int code, struct weir_error *err)
{
    return weir_error_set(err, WEIR_E_CONFIG, "%s = %s: %s", key, path, gnutls_strerror(code));
}

/* Until when the first certificate is good; so that a broken file is told apart from a broken key. */
static int read_expiry(const char *path, gnutls_datum_t text, time_t *ret_expires, struct weir_error *err)
{
    gnutls_x509_crt_t *chain = NULL;
    unsigned count = 0;
    int code = gnutls_x509_crt_list_import2(&chain, &count, &text, GNUTLS_X509_FMT_PEM, 0);
    if (code < 0)
        return refuse("tls.certificate", path, code, err);
    *ret_expires = gnutls_x509_crt_get_expiration_time(chain[0]);
    for (unsigned i = 0; i < count; i++)
        gnutls_x509_crt_deinit(chain[i]);
    gnutls_free(chain);
    return 0;
}

static int check_key(const char *path, gnutls_datum_t text, struct weir_error *err)
{
    gnutls_x509_privkey_t key;
    int code = gnutls_x509_privkey_init(&key);
    if (code == 0) {
        code = gnutls_x509_privkey_import2(key, &text, GNUTLS_X509_FMT_PEM, NULL, 0);
        gnutls_x509_privkey_deinit(key);
    }
    return code < 0 ? refuse("tls.key", path, code, err) : 0;
}

static int set_pair(struct credentials *credentials, const struct weir_tls_files *files,
    gnutls_datum_t certificate, gnutls_datum_t key, struct weir_error *err)
{
    int code = gnutls_certificate_set_x509_key_mem2(
        credentials->gnutls, &certificate, &key, GNUTLS_X509_FMT_PEM, NULL, 0);
    return code >= 0 ? 0
                     : weir_error_set(err, WEIR_E_CONFIG, "tls.certificate = %s and tls.key = %s: %s",
                           files->certificate, files->key, gnutls_strerror(code));
}

static int read_pair(struct credentials *credentials, const struct weir_tls_files *files, time_t *ret_expires,
    struct weir_error *err)
{
    struct weir_buffer certificate = {0}, key = {0};
    int rc = read_text("tls.certificate", files->certificate, &certificate, err);
    if (rc == 0)
        rc = read_text("tls.key", files->key, &key, err);
    if (rc == 0)
        rc = read_expiry(files->certificate, datum_of(&certificate), ret_expires, err);
    if (rc == 0)
        rc = check_key(files->key, datum_of(&key), err);
    if (rc == 0)
        rc = set_pair(credentials, files, datum_of(&certificate), datum_of(&key), err);
    weir_buffer_done(&certificate);
    forget(&key);
    return rc;
}

/* libmicrohttpd closes without a word to the client, and its operators have to learn what is wrong. */
static int refuse_client(gnutls_session_t session, unsigned status)
{
    gnutls_datum_t reason = {NULL, 0};
    gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &reason, 0);
    weir_log(WEIR_LOG_INFO, "tls.certificate-refused", "reason=%s",
        reason.data != NULL ? (const char *)reason.data : "it can't be read");
    gnutls_free(reason.data);
    gnutls_alert_send(session, GNUTLS_AL_FATAL, GNUTLS_A_BAD_CERTIFICATE);
    return GNUTLS_E_CERTIFICATE_ERROR;
}

/* A client without a certificate is let through where none is required; one with a bad certificate never. */
static int verify_client(gnutls_session_t session)
{
    gnutls_typed_vdata_st purpose = {
        .type = GNUTLS_DT_KEY_PURPOSE_OID, .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT};
    unsigned count = 0, status = 0;
    if (gnutls_certificate_get_peers(session, &count) == NULL)
        return 0;
    int code = gnutls_certificate_verify_peers(session, &purpose, 1, &status);
    return code < 0 || status != 0 ? refuse_client(session, status) : 0;
}

static int read_client_ca(
    struct credentials *credentials, const struct weir_tls_files *files, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer text = {0};
    const char *path = files->client_ca;
    credentials->asks = GNUTLS_CERT_IGNORE;
    if (path == NULL)
        return 0;
    int rc = read_text("tls.client.ca", path, &text, err);
    if (rc < 0)
        return rc;
    gnutls_datum_t datum = datum_of(&text);
    int count = gnutls_certificate_set_x509_trust_mem(credentials->gnutls, &datum, GNUTLS_X509_FMT_PEM);
    if (count <= 0)
        return refuse("tls.client.ca", path, count < 0 ? count : GNUTLS_E_NO_CERTIFICATE_FOUND, err);
    gnutls_certificate_set_verify_function(credentials->gnutls, verify_client);
    credentials->asks = files->client_required ? GNUTLS_CERT_REQUIRE : GNUTLS_CERT_REQUEST;
    return 0;
}

static int read_files(struct weir_tls *tls, struct credentials **ret_credentials, struct weir_error *err)
{
    time_t expires = 0;
    struct credentials *credentials = calloc(1, sizeof(*credentials));
    if (credentials == NULL || gnutls_certificate_allocate_credentials(&credentials->gnutls) < 0) {
        free(credentials);
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    }
    atomic_init(&credentials->references, 1);
    int rc = read_pair(credentials, &tls->files, &expires, err);
    if (rc == 0)
        rc = read_client_ca(credentials, &tls->files, err);
    if (rc < 0) {
        unref(credentials);
        return rc;
    }
    if (tls->files.expires != NULL)
        weir_metric_set(tls->files.expires, (int64_t)expires);
    if ((int64_t)expires * 1000 <= weir_clock_wall_ms())
        weir_log(WEIR_LOG_WARNING, "tls.certificate-expired", "file=%s", tls->files.certificate);
    *ret_credentials = credentials;
    return 0;
}

int weir_tls_reload(struct weir_tls *tls, struct weir_error *err)
{
    struct credentials *fresh = NULL;
    int rc = read_files(tls, &fresh, err);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&tls->lock);
    struct credentials *old = tls->current;
    tls->current = fresh;
    pthread_mutex_unlock(&tls->lock);
    unref(old);
    return 0;
}

int weir_tls_open(const struct weir_tls_files *files, struct weir_tls **ret_tls, struct weir_error *err)
{
    if (MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES)
        return weir_error_set(
            err, WEIR_E_CONFIG, "tls.certificate: this libmicrohttpd was built without TLS");
    struct weir_tls *tls = calloc(1, sizeof(*tls));
    if (tls == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    tls->files = *files;
    pthread_mutex_init(&tls->lock, NULL);
    int rc = weir_tls_reload(tls, err);
    if (rc < 0) {
        weir_tls_close(tls);
        return rc;
    }
    *ret_tls = tls;
    return 0;
}

void weir_tls_close(struct weir_tls *tls)
{
    if (tls == NULL)
        return;
    unref(tls->current);
    pthread_mutex_destroy(&tls->lock);
    free(tls);
}

/* ---- the daemon ---- */

/* libmicrohttpd wants to be told a certificate. A connection that has not got its own must not be served. */
static int serve_nothing(gnutls_session_t session, const gnutls_datum_t *names, int name_count,
    const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **ret_certificates,
    unsigned *ret_count, gnutls_privkey_t *ret_key)
{
    (void)session, (void)names, (void)name_count, (void)algorithms, (void)algorithm_count;
    (void)ret_certificates, (void)ret_count, (void)ret_key;
    return -1;
}

struct MHD_OptionItem *weir_tls_options(void)
{
    static struct MHD_OptionItem options[] = {
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)serve_nothing},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)PRIORITIES},
        {MHD_OPTION_END, 0, NULL},
    };
    return options;
}

/* ---- one connection ---- */

static struct credentials *take_current(struct weir_tls *tls)
{
    pthread_mutex_lock(&tls->lock);
    struct credentials *credentials = tls->current;
    atomic_fetch_add(&credentials->references, 1);
    pthread_mutex_unlock(&tls->lock);
    return credentials;
}

struct weir_tls_peer *weir_tls_peer_new(struct weir_tls *tls, void *session)
{
    struct weir_tls_peer *peer = calloc(1, sizeof(*peer));
    if (peer == NULL)
        return NULL;
    peer->session = session;
    peer->credentials = take_current(tls);
    gnutls_credentials_set(peer->session, GNUTLS_CRD_CERTIFICATE, peer->credentials->gnutls);
    gnutls_certificate_server_set_request(peer->session, peer->credentials->asks);
    return peer;
}

void weir_tls_peer_free(struct weir_tls_peer *peer)
{
    if (peer == NULL)
        return;
    unref(peer->credentials);
    weir_buffer_done(&peer->names);
    free(peer);
}

/* ---- the client's names ---- */

/* What the file of keys can't hold is no name; a NUL within it would be another name to another reader. */
static void add_name(struct weir_buffer *names, const char *kind, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] <= 0x20 || (unsigned char)text[i] >= 0x7f)
            return;
    }
    weir_buffer_append_str(names, kind);
    weir_buffer_append(names, text, len);
    weir_buffer_append_str(names, "\n");
}

static void add_common_names(struct weir_buffer *names, gnutls_x509_crt_t certificate)
{
    char text[NAME_BYTES];
    int code = 0;
    for (unsigned i = 0; code == 0 || code == GNUTLS_E_SHORT_MEMORY_BUFFER; i++) {
        size_t len = sizeof(text);
        code = gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, i, 0, text, &len);
        if (code == 0)
            add_name(names, "cn=", text, len);
    }
}

static const char *kind_of(int type)
{
    switch (type) {
    case GNUTLS_SAN_DNSNAME:
        return "dns=";
    case GNUTLS_SAN_RFC822NAME:
        return "email=";
    case GNUTLS_SAN_URI:
        return "uri=";
    default:
        return NULL;
    }
}

static void add_alternative_names(struct weir_buffer *names, gnutls_x509_crt_t certificate)
{
    char text[NAME_BYTES];
    int type = 0;
    for (unsigned i = 0; type >= 0 || type == GNUTLS_E_SHORT_MEMORY_BUFFER; i++) {
        size_t len = sizeof(text);
        type = gnutls_x509_crt_get_subject_alt_name(certificate, i, text, &len, NULL);
        if (type >= 0 && kind_of(type) != NULL)
            add_name(names, kind_of(type), text, len);
    }
}

static void read_names(struct weir_tls_peer *peer)
{
    unsigned count = 0;
    gnutls_x509_crt_t certificate;
    const gnutls_datum_t *raw = gnutls_certificate_get_peers(peer->session, &count);
    if (raw == NULL || count == 0 || gnutls_x509_crt_init(&certificate) < 0)
        return;
    if (gnutls_x509_crt_import(certificate, &raw[0], GNUTLS_X509_FMT_DER) == 0) {
        add_common_names(&peer->names, certificate);
        add_alternative_names(&peer->names, certificate);
    }
    gnutls_x509_crt_deinit(certificate);
}

struct weir_bytes weir_tls_peer_names(struct weir_tls_peer *peer)
{
    if (peer == NULL)
        return WEIR_BYTES_NULL;
    if (!peer->read)
        read_names(peer);
    peer->read = true;
    return peer->names.failed ? WEIR_BYTES_NULL : weir_buffer_bytes(&peer->names);
}
