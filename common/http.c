#include "common/http.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>

enum {
    DEFAULT_CONNECTIONS = 256,
    DEFAULT_TIMEOUT_S = 30,
    BACKLOG = 511,
    DRAIN_BYTES = 1 << 20,
    LAST_ANSWERS_S = 1
};

/* How strictly malformed requests are refused by the library itself. */
#if MHD_VERSION >= 0x00097701
#define STRICT MHD_OPTION_CLIENT_DISCIPLINE_LVL
#else
#define STRICT MHD_OPTION_STRICT_FOR_CLIENT
#endif

struct weir_http {
    struct MHD_Daemon *daemon;
    weir_http_handler *handler;
    void *context;
    size_t body_max;
    struct weir_tls *tls; /* NULL: plain HTTP */
    char address[160];
    bool is_unix;
    pthread_mutex_t lock;              /* the rest */
    struct weir_http_request *waiting; /* suspended */
    uint64_t wakes;
    size_t asked; /* requests that the handler has seen and that are not over yet */
    bool closing;
    pthread_cond_t over; /* asked is 0 */
};

/* One request, from its first line until libmicrohttpd is done with it. */
struct weir_http_request {
    struct MHD_Connection *connection;
    const char *method, *path;
    struct weir_buffer body;
    size_t body_bytes; /* as they came, also those beyond the limit */
    bool begun;
    bool bad_target;
    bool asked;                     /* the handler has seen it */
    int64_t asked_ms;               /* when it was first handled; 0: not yet */
    struct weir_http_request *next; /* of those that wait */
};

const char *weir_http_method(const struct weir_http_request *request)
{
    return request->method;
}

const char *weir_http_path(const struct weir_http_request *request)
{
    return request->path;
}

const char *weir_http_query(const struct weir_http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *weir_http_header(const struct weir_http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

struct weir_bytes weir_http_body(const struct weir_http_request *request)
{
    return weir_buffer_bytes(&request->body);
}

int64_t weir_http_waited_ms(const struct weir_http_request *request)
{
    return request->asked_ms > 0 ? weir_clock_ms() - request->asked_ms : 0;
}

static void add_headers(struct MHD_Response *response, const struct weir_http_reply *reply)
{
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply->content_type);
    for (size_t i = 0; i < reply->header_count; i++)
        MHD_add_response_header(response, reply->headers[i].name, reply->headers[i].value);
}

/* Hands the body over to libmicrohttpd. */
static enum MHD_Result send_reply(struct MHD_Connection *connection, struct weir_http_reply *reply)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(reply->body.len, reply->body.data, MHD_RESPMEM_MUST_FREE);

    if (response == NULL) {
        weir_buffer_done(&reply->body);
        return MHD_NO;
    }
    reply->body = (struct weir_buffer){0};
    add_headers(response, reply);
    enum MHD_Result result = MHD_queue_response(connection, reply->status, response);
    MHD_destroy_response(response);
    return result;
}

static struct weir_http_reply reply_begin(void)
{
    return (struct weir_http_reply){.status = 200, .content_type = "application/json"};
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status, const char *detail)
{
    struct weir_http_reply reply = reply_begin();

    weir_http_reply_problem(&reply, status, "%s", detail);
    weir_http_reply_header(&reply, MHD_HTTP_HEADER_CONNECTION, "close");
    return send_reply(connection, &reply);
}

static enum MHD_Result refuse_body(struct MHD_Connection *connection, size_t body_max)
{
    char detail[96];

    snprintf(detail, sizeof(detail), "the body may have at most %zu bytes", body_max);
    return refuse(connection, 413, detail);
}

/* libmicrohttpd decodes the target in place, so that %00 would cut the path: the raw one is looked at. */
static bool target_is_bad(const char *target)
{
    for (const unsigned char *at = (const unsigned char *)target; *at != '\0'; at++)
        if (*at <= 0x20 || *at >= 0x7f || strncmp((const char *)at, "%00", 3) == 0)
            return true;
    return false;
}

static void *request_begin(void *context, const char *target, struct MHD_Connection *connection)
{
    struct weir_http_request *request = calloc(1, sizeof(*request));

    (void)context;
    if (request != NULL) {
        request->connection = connection;
        request->bad_target = target_is_bad(target);
    }
    return request;
}

static void end_asked(struct weir_http *http)
{
    pthread_mutex_lock(&http->lock);
    if (--http->asked == 0)
        pthread_cond_signal(&http->over);
    pthread_mutex_unlock(&http->lock);
}

static void request_end(
    void *context, struct MHD_Connection *connection, void **slot, enum MHD_RequestTerminationCode reason)
{
    struct weir_http_request *request = *slot;

    (void)connection, (void)reason;
    if (request == NULL)
        return;
    if (request->asked)
        end_asked(context);
    weir_buffer_done(&request->body);
    free(request);
    *slot = NULL;
}

static enum MHD_Result check_header(void *context, enum MHD_ValueKind kind, const char *name, size_t name_len,
    const char *value, size_t value_len)
{
    bool *bad = context;

    (void)kind, (void)name;
    if (name_len == 0)
        *bad = true;
    for (size_t i = 0; i < value_len; i++)
        if (((unsigned char)value[i] < 0x20 && value[i] != '\t') || value[i] == 0x7f)
            *bad = true;
    return *bad ? MHD_NO : MHD_YES;
}

static bool headers_are_bad(struct MHD_Connection *connection)
{
    bool bad = false;

    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, check_header, &bad);
    return bad;
}

/* Before the body, and so before "100 Continue" is sent. */
static enum MHD_Result take_head(const struct weir_http *http, struct weir_http_request *request)
{
    const char *length = weir_http_header(request, MHD_HTTP_HEADER_CONTENT_LENGTH);

    request->begun = true;
    if (request->bad_target)
        return refuse(request->connection, 400, "the request target holds a NUL, control or 8-bit byte");
    if (headers_are_bad(request->connection))
        return refuse(request->connection, 400, "a header value holds a control character");
    if (length != NULL && strtoull(length, NULL, 10) > http->body_max)
        return refuse_body(request->connection, http->body_max);
    return MHD_YES;
}

/* Bytes beyond the limit are dropped, so that the answer can still be sent; but not for ever. */
static enum MHD_Result take_body(
    const struct weir_http *http, struct weir_http_request *request, const char *data, size_t *len)
{
    request->body_bytes += *len;
    if (request->body_bytes <= http->body_max)
        weir_buffer_append(&request->body, data, *len);
    *len = 0;
    return request->body_bytes > http->body_max + DRAIN_BYTES ? MHD_NO : MHD_YES;
}

static uint64_t count_wakes(struct weir_http *http, struct weir_http_request *request, bool *ret_closing)
{
    pthread_mutex_lock(&http->lock);
    http->asked += !request->asked;
    request->asked = true;
    uint64_t wakes = http->wakes;
    *ret_closing = http->closing;
    pthread_mutex_unlock(&http->lock);
    return wakes;
}

/* Suspends the request; false when it was woken meanwhile. */
static bool wait_for_wake(struct weir_http *http, struct weir_http_request *request, uint64_t wakes)
{
    pthread_mutex_lock(&http->lock);
    bool waits = http->wakes == wakes;
    if (waits) {
        request->next = http->waiting;
        http->waiting = request;
        MHD_suspend_connection(request->connection);
    }
    pthread_mutex_unlock(&http->lock);
    return waits;
}

void weir_http_wake(struct weir_http *http)
{
    pthread_mutex_lock(&http->lock);
    http->wakes++;
    for (struct weir_http_request *request; (request = http->waiting) != NULL;) {
        http->waiting = request->next;
        MHD_resume_connection(request->connection);
    }
    pthread_mutex_unlock(&http->lock);
}

/* True when *reply is the answer; false when the request waits for one. */
static bool handle(struct weir_http *http, struct weir_http_request *request, struct weir_http_reply *reply)
{
    bool closing = false;

    for (;;) {
        uint64_t wakes = count_wakes(http, request, &closing);
        *reply = reply_begin();
        http->handler(http->context, request, reply);
        if (request->asked_ms == 0)
            request->asked_ms = weir_clock_ms();
        if (!reply->later)
            return true;
        weir_buffer_done(&reply->body);
        if (closing) {
            weir_http_reply_problem(reply, 503, "this process ends");
            return true;
        }
        if (wait_for_wake(http, request, wakes))
            return false;
    }
}

static enum MHD_Result answer(struct weir_http *http, struct weir_http_request *request)
{
    struct weir_http_reply reply;

    if (request->body_bytes > http->body_max)
        return refuse_body(request->connection, http->body_max);
    if (request->body.failed)
        return refuse(request->connection, 503, "out of memory");
    if (!handle(http, request, &reply))
        return MHD_YES;
    if (reply.body.failed)
        weir_http_reply_problem(&reply, 500, "out of memory");
    return send_reply(request->connection, &reply);
}

static enum MHD_Result take_request(void *context, struct MHD_Connection *connection, const char *path,
    const char *method, const char *version, const char *data, size_t *len, void **slot)
{
    struct weir_http *http = context;
    struct weir_http_request *request = *slot;

    (void)version;
    if (request == NULL)
        return MHD_NO;
    request->connection = connection;
    request->path = path;
    request->method = method;
    if (!request->begun)
        return take_head(http, request);
    if (*len > 0)
        return take_body(http, request, data, len);
    return answer(http, request);
}

__attribute__((format(printf, 2, 0))) static void take_log(
    void *context, const char *format, va_list arguments)
{
    char text[512];

    (void)context;
    vsnprintf(text, sizeof(text), format, arguments);
    text[strcspn(text, "\r\n")] = '\0';
    weir_log(WEIR_LOG_DEBUG, "http.library", "text=%s", text);
}

/* libmicrohttpd found its own state broken: its default ends the process without a word. */
static void panic(void *context, const char *file, unsigned line, const char *reason)
{
    (void)context;
    weir_log(
        WEIR_LOG_ERROR, "http.panic", "file=%s line=%u reason=%s", file, line, reason != NULL ? reason : "-");
    abort();
}

static void set_panic(void)
{
    MHD_set_panic_func(panic, NULL);
}

static void describe_address(struct weir_http *http, int fd)
{
    struct sockaddr_storage where = {0};
    socklen_t len = sizeof(where);
    char host[INET6_ADDRSTRLEN] = "";

    getsockname(fd, (struct sockaddr *)&where, &len);
    http->is_unix = where.ss_family == AF_UNIX;
    if (where.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&where;
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
        snprintf(http->address, sizeof(http->address), "%s:%u", host, ntohs(v4->sin_port));
    } else if (where.ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&where;
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
        snprintf(http->address, sizeof(http->address), "[%s]:%u", host, ntohs(v6->sin6_port));
    } else {
        snprintf(
            http->address, sizeof(http->address), "unix:%s", ((const struct sockaddr_un *)&where)->sun_path);
    }
}

/* Of a listener that speaks TLS: the credentials of this time, without which the handshake fails. */
static void on_connection(
    void *context, struct MHD_Connection *connection, void **slot, enum MHD_ConnectionNotificationCode code)
{
    struct weir_http *http = context;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);

    if (code == MHD_CONNECTION_NOTIFY_STARTED && info != NULL && info->tls_session != NULL)
        *slot = weir_tls_peer_new(http->tls, info->tls_session);
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        weir_tls_peer_free(*slot);
        *slot = NULL;
    }
}

static struct MHD_Daemon *start(struct weir_http *http, const struct weir_http_settings *settings, int fd)
{
    static struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    unsigned threads = settings->threads < 2 ? 2 : settings->threads;
    unsigned connections = settings->connections > 0 ? settings->connections : DEFAULT_CONNECTIONS;
    unsigned timeout_s = settings->timeout_s > 0 ? settings->timeout_s : DEFAULT_TIMEOUT_S;

    return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
                                (http->tls != NULL ? MHD_USE_TLS : 0),
        0, NULL, NULL, take_request, http, MHD_OPTION_EXTERNAL_LOGGER, take_log, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE, threads, MHD_OPTION_CONNECTION_LIMIT,
        connections < threads ? threads : connections, MHD_OPTION_CONNECTION_TIMEOUT, timeout_s,
        MHD_OPTION_URI_LOG_CALLBACK, request_begin, NULL, MHD_OPTION_NOTIFY_COMPLETED, request_end, http,
        STRICT, 1, MHD_OPTION_NOTIFY_CONNECTION, http->tls != NULL ? on_connection : NULL, http,
        MHD_OPTION_ARRAY, http->tls != NULL ? weir_tls_options() : none, MHD_OPTION_END);
}

int weir_http_listen(const struct weir_http_settings *settings, weir_http_handler *handler, void *context,
    struct weir_http **ret_http, struct weir_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct weir_error reason = {.code = WEIR_E_INTERNAL};

    pthread_once(&once, set_panic);
    int fd = weir_address_listen(settings->listen, BACKLOG, &reason);
    if (fd < 0)
        return weir_error_set(err, reason.code, "%s", reason.text);
    struct weir_http *http = calloc(1, sizeof(*http));
    if (http != NULL) {
        *http = (struct weir_http){
            .handler = handler, .context = context, .body_max = settings->body_max, .tls = settings->tls};
        describe_address(http, fd);
        pthread_mutex_init(&http->lock, NULL);
        pthread_cond_init(&http->over, NULL);
        http->daemon = start(http, settings, fd);
    }
    if (http == NULL || http->daemon == NULL) {
        close(fd);
        free(http);
        return weir_error_set(err, WEIR_E_INTERNAL, "libmicrohttpd does not start on %s", settings->listen);
    }
    *ret_http = http;
    return 0;
}

const char *weir_http_address(const struct weir_http *http)
{
    return http->address;
}

/* What was asked is answered, if only that the process ends; a client that doesn't take its answer is not
 * waited for. */
static void await_answers(struct weir_http *http)
{
    struct timespec until;
    int rc = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LAST_ANSWERS_S;
    pthread_mutex_lock(&http->lock);
    while (http->asked > 0 && rc == 0)
        rc = pthread_cond_timedwait(&http->over, &http->lock, &until);
    pthread_mutex_unlock(&http->lock);
}

void weir_http_close(struct weir_http *http)
{
    if (http == NULL)
        return;
    pthread_mutex_lock(&http->lock);
    http->closing = true;
    pthread_mutex_unlock(&http->lock);
    weir_http_wake(http);
    await_answers(http);
    MHD_stop_daemon(http->daemon);
    pthread_cond_destroy(&http->over);
    pthread_mutex_destroy(&http->lock);
    if (http->is_unix)
        unlink(http->address + strlen("unix:"));
    free(http);
}
