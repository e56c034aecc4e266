/* A small HTTP/1.1 server on libmicrohttpd for answers that are computed at once, or as soon as something has changed:
 * management pages and the store's reads. (The gateway's own server suspends requests and lives in gateway/server.) Handlers run on a pool of
 * threads, several at a time. Requests with a body are refused with 413 beyond body_max. */
#ifndef WEIR_COMMON_HTTP_H
#define WEIR_COMMON_HTTP_H

#include "common/bytes.h"
#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct weir_http;
struct weir_tls; /* common/tls.h */
struct weir_http_request; /* opaque; alive during the handler call */

const char *weir_http_method(const struct weir_http_request *request);
/* Decoded path without the query; never holds NUL. */
const char *weir_http_path(const struct weir_http_request *request);
/* Decoded query parameter, or NULL. */
const char *weir_http_query(const struct weir_http_request *request, const char *name);
const char *weir_http_header(const struct weir_http_request *request, const char *name);
struct weir_bytes weir_http_body(const struct weir_http_request *request);
/* How long the request has waited since it was first handled, in ms; 0 the first time. */
int64_t weir_http_waited_ms(const struct weir_http_request *request);

enum { WEIR_HTTP_REPLY_HEADERS = 8 };

struct weir_http_reply {
    unsigned status;          /* default 200 */
    const char *content_type; /* static; default application/json */
    struct weir_buffer body;  /* taken and freed by the server */
    struct {
        const char *name; /* static */
        char value[320];
    } headers[WEIR_HTTP_REPLY_HEADERS];
    size_t header_count;
    bool later; /* there is no answer yet: the handler is called again after the next weir_http_wake */
};

/* Cuts the value at the limit; drops control characters. */
void weir_http_reply_header(struct weir_http_reply *reply, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Fills status, content type and body with a problem of RFC 9457: {"type":"about:blank","title":…,"status":…,"detail":…}. */
void weir_http_reply_problem(struct weir_http_reply *reply, unsigned status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "Not Found": the reason phrase of a status (RFC 9110 §15), "" when unknown. */
const char *weir_http_reason(unsigned status);

typedef void weir_http_handler(void *context, const struct weir_http_request *request,
    struct weir_http_reply *reply);

struct weir_http_settings {
    const char *listen;    /* host:port, [v6]:port, unix:/path; port 0 picks a free one */
    unsigned threads;      /* ≥ 2: one epoll thread of libmicrohttpd 0.9.75 stalls beyond 64 connections */
    unsigned connections;  /* limit; 0: 256 */
    unsigned timeout_s;    /* inactivity; 0: 30 */
    size_t body_max;       /* bytes; 0: no bodies */
    struct weir_tls *tls;  /* borrowed until the close; NULL: plain HTTP */
};

/* Starts listening. *ret_http is the caller's; handler may be called before this returns. */
int weir_http_listen(const struct weir_http_settings *settings, weir_http_handler *handler, void *context,
    struct weir_http **ret_http, struct weir_error *err);
/* host:port that it listens on; borrowed. */
const char *weir_http_address(const struct weir_http *http);
/* Something has changed: requests whose handler had no answer yet are handled again. Threads: any. */
void weir_http_wake(struct weir_http *http);
/* Stops: what waits is answered 503, no handler runs after it returns. Accepts NULL. */
void weir_http_close(struct weir_http *http);

/* Splits "host:port", "[v6]:port", "unix:/path". host and port are written NUL-terminated. */
int weir_address_split(const char *address, char *host, size_t host_size, char *port, size_t port_size,
    struct weir_error *err);
/* A bound, listening, close-on-exec socket for address, reusable; -1 with err. */
int weir_address_listen(const char *address, int backlog, struct weir_error *err);
/* Whether only this machine reaches it (127.0.0.0/8, ::1, localhost, unix:). */
bool weir_address_is_loopback(const char *address);

/* The management pages every long-running program has: /livez, /readyz, /metrics. Borrowed until the close. */
struct weir_management {
    /* Appends the members of readyz's JSON detail (without braces); true when ready. Any thread. */
    bool (*ready)(void *context, struct weir_buffer *detail);
    void *context;
};
int weir_management_listen(const char *address, const struct weir_management *management,
    struct weir_http **ret_http, struct weir_error *err);

#endif
