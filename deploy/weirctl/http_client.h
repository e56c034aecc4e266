/* Asking a gateway, or another listener of Weir, by HTTP. */
#ifndef WEIR_DEPLOY_WEIRCTL_HTTP_CLIENT_H
#define WEIR_DEPLOY_WEIRCTL_HTTP_CLIENT_H

#include "common/bytes.h"
#include "deploy/weirctl/weirctl.h"

#include <curl/curl.h>

/* Flags of who asks a gateway. */
struct http_flags {
    char *url, *key_file, *ca, *certificate, *certificate_key;
};

/* Their rows, for a table whose settings begin with struct http_flags. The access key is never one of them:
 * it comes from a file or the environment. */
#define HTTP_FLAG_COUNT 5
#define HTTP_FLAG_ROWS                                                                                       \
    {.key = "--url",                                                                                         \
        .type = WEIR_OPTION_URL,                                                                             \
        .offset = offsetof(struct http_flags, url),                                                          \
        .help = "URL: where the gateway is; by default where [gateway] listens, with its base.path"},        \
        {.key = "--key-file",                                                                                \
            .type = WEIR_OPTION_PATH,                                                                        \
            .offset = offsetof(struct http_flags, key_file),                                                 \
            .help = "FILE: holds the access key; by default $WEIR_KEY is it, or none is shown"},             \
        {.key = "--ca",                                                                                      \
            .type = WEIR_OPTION_PATH,                                                                        \
            .offset = offsetof(struct http_flags, ca),                                                       \
            .help = "FILE: the CAs that are believed, PEM; by default the system's"},                        \
        {.key = "--certificate",                                                                             \
            .type = WEIR_OPTION_PATH,                                                                        \
            .offset = offsetof(struct http_flags, certificate),                                              \
            .help = "FILE: a certificate to show instead of a key, PEM"},                                    \
    {                                                                                                        \
        .key = "--certificate-key", .type = WEIR_OPTION_PATH,                                                \
        .offset = offsetof(struct http_flags, certificate_key),                                              \
        .help = "FILE: the certificate's private key, PEM"                                                   \
    }

struct http_client {
    struct weirctl *ctl;
    CURL *easy;
    struct weir_buffer base; /* URL without a slash at its end */
    struct curl_slist *authorization;
};

/* Reads the key and finds out where the gateway is; asks nobody. The caller ends it with http_client_close()
 * in any case. */
int http_client_open(struct weirctl *ctl, const struct http_flags *flags, struct http_client *ret_client,
    struct weir_error *err);
void http_client_close(struct http_client *client);

struct http_request {
    const char *method, *path; /* behind the base; begins with a slash */
    struct weir_bytes body;    /* data NULL: none */
    const char *content_type;  /* NULL: none */
    char *const *headers;      /* "Name: value", ended by NULL; NULL: none */
};

struct http_answer {
    long status;
    int64_t took_us;
    struct weir_buffer headers; /* lines, as they came, without the status line */
    struct weir_buffer body;
};

/* One request within --timeout; connections are kept open between calls. WEIR_E_UNAVAILABLE: there was no
 * answer. *ret_answer may be used again and again; its buffers are the caller's. */
int http_client_call(struct http_client *client, const struct http_request *request,
    struct http_answer *ret_answer, struct weir_error *err);
void http_answer_done(struct http_answer *answer);

/* Appends a sentence about an answer that is not the wanted one: its status and what its problem details say. */
void http_answer_tell(const struct http_answer *answer, struct weir_buffer *out);

/* The value of a header, "" without one; the caller's buffer. */
void http_answer_header(const struct http_answer *answer, const char *name, struct weir_buffer *out);

/* Appends the URL by which this machine reaches the address that a program listens on, without a path. */
void http_client_listener(CURL *easy, const char *listen, bool tls, struct weir_buffer *url);

#endif
