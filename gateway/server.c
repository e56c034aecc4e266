#include "gateway/server.h"

#include "common/clock.h"
#include "common/http.h"
#include "common/log.h"
#include "gateway/access.h"
#include "gateway/connection.h"
#include "gateway/pending.h"
#include "gateway/request.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { BACKLOG = 1024, TICK_MS = 50, SWEEP_MS = 500 };

#if MHD_VERSION >= 0x01000000
#define STRICT MHD_OPTION_CLIENT_DISCIPLINE_LVL
#else
#define STRICT MHD_OPTION_STRICT_FOR_CLIENT
#endif

struct weir_server {
    struct weir_gateway *gateway;
    struct MHD_Daemon *daemon;
    struct weir_connections *connections;
    MHD_socket listener;
    atomic_size_t active; /* requests between their request line and the last byte of their answer */
    pthread_t clock;
    bool clock_runs;
    atomic_bool clock_stops;
};

/* ---- libmicrohttpd's callbacks, on its threads ---- */

static struct weir_connection *peer_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

/* The request line came: the only place where the target is told as it was sent. */
static void *on_request_line(void *context, const char *target, struct MHD_Connection *connection)
{
    struct weir_server *server = context;
    struct weir_request *request = weir_request_new(server->gateway, connection, target);
    if (request == NULL)
        return NULL;
    request->peer = peer_of(connection);
    atomic_fetch_add(&server->active, 1);
    return request;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *path,
    const char *method, const char *version, const char *data, size_t *data_len, void **slot)
{
    (void)context, (void)connection, (void)path;
    return *slot != NULL ? weir_request_step(*slot, method, version, data, data_len) : MHD_NO;
}

static void on_completed(
    void *context, struct MHD_Connection *connection, void **slot, enum MHD_RequestTerminationCode code)
{
    (void)connection;
    struct weir_server *server = context;
    struct weir_request *request = *slot;
    if (request == NULL)
        return;
    *slot = NULL;
    weir_connection_expect_request(request->peer);
    weir_access_note(server->gateway->access, request, code != MHD_REQUEST_TERMINATED_COMPLETED_OK);
    weir_request_unref(request);
    atomic_fetch_sub(&server->active, 1);
}

/* Without this a handshake fails. */
static void secure(
    struct weir_server *server, struct MHD_Connection *connection, struct weir_connection *peer)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (info != NULL && info->tls_session != NULL)
        weir_connection_set_tls_take(peer, weir_tls_peer_new(server->gateway->tls, info->tls_session));
}

static void on_connection(
    void *context, struct MHD_Connection *connection, void **slot, enum MHD_ConnectionNotificationCode code)
{
    struct weir_server *server = context;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        weir_connection_end(*slot);
        *slot = NULL;
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    *slot = info != NULL ? weir_connection_begin(server->connections, info->connect_fd) : NULL;
    if (*slot != NULL && server->gateway->tls != NULL)
        secure(server, connection, *slot);
}

/* The path is taken apart from the raw target; decoded in place, %00 would cut it. */
static size_t leave_escapes(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context, (void)connection;
    return strlen(text);
}

static void on_log(void *context, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));
static void on_log(void *context, const char *format, va_list arguments)
{
    (void)context;
    char text[WEIR_ERROR_TEXT_BYTES];
    vsnprintf(text, sizeof(text), format, arguments);
    text[strcspn(text, "\r\n")] = '\0';
    weir_log(WEIR_LOG_DEBUG, "http.library", "text=%s", text);
}

/* ---- the clock thread ---- */

static void sleep_ms(long ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static void *run_clock(void *context)
{
    struct weir_server *server = context;
    int64_t next_sweep_ms = 0;
    while (!atomic_load(&server->clock_stops)) {
        sleep_ms(TICK_MS);
        int64_t now_ms = weir_clock_ms();
        weir_pending_expire(server->gateway->pending, now_ms);
        if (now_ms < next_sweep_ms)
            continue;
        next_sweep_ms = now_ms + SWEEP_MS;
        weir_connections_sweep(server->connections, now_ms);
        weir_access_flush(server->gateway->access);
    }
    return NULL;
}

/* ---- starting ---- */

static void raise_file_limit(int64_t connections)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    rlim_t wanted = (rlim_t)connections + 256;
    if (limit.rlim_cur < wanted)
        limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < wanted)
        weir_log(WEIR_LOG_WARNING, "gateway.few-files",
            "reason=the limit of open files (%ju) is below connections + 256 (%ju)",
            (uintmax_t)limit.rlim_cur, (uintmax_t)wanted);
}

static struct MHD_Daemon *start_daemon(struct weir_server *server)
{
    static struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    const struct weir_gateway_settings *settings = &server->gateway->settings;
    bool tls = server->gateway->tls != NULL;
    return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
                                (tls ? MHD_USE_TLS : 0),
        0, NULL, NULL, on_request, server, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_LISTEN_SOCKET,
        server->listener, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)settings->threads,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)settings->connections, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        (unsigned)settings->connections_per_address, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)settings->header_max_bytes, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)((settings->idle_timeout_ms + 999) / 1000), MHD_OPTION_URI_LOG_CALLBACK, on_request_line,
        server, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, server, MHD_OPTION_UNESCAPE_CALLBACK, leave_escapes, NULL, STRICT, 1, MHD_OPTION_ARRAY,
        tls ? weir_tls_options() : none, MHD_OPTION_END);
}

static int start(struct weir_server *server, struct weir_error *err)
{
    const struct weir_gateway_settings *settings = &server->gateway->settings;
    server->connections = weir_connections_new(settings);
    if (server->connections == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    raise_file_limit(settings->connections);
    server->listener = weir_address_listen(settings->listen, BACKLOG, err);
    if (server->listener < 0)
        return err->code;
    server->daemon = start_daemon(server);
    if (server->daemon == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "libmicrohttpd does not start on %s", settings->listen);
    if (pthread_create(&server->clock, NULL, run_clock, server) != 0)
        return weir_error_set(err, WEIR_E_INTERNAL, "no thread for the deadlines");
    server->clock_runs = true;
    return 0;
}

int weir_server_open(struct weir_gateway *gateway, struct weir_server **ret_server, struct weir_error *err)
{
    struct weir_server *server = calloc(1, sizeof(*server));
    if (server == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    server->gateway = gateway;
    server->listener = MHD_INVALID_SOCKET;
    int rc = start(server, err);
    if (rc < 0) {
        weir_server_close(server, 0);
        return rc;
    }
    *ret_server = server;
    return 0;
}

/* ---- stopping ---- */

/* The listener's number gets a file behind it that is never ready, so that the kernel closes the listener and
 * whoever comes is refused. MHD_quiesce_daemon() is no way: it and a worker may both take the listener out of
 * the worker's epoll set, and the second one panics. */
void weir_server_quiesce(struct weir_server *server)
{
    int never_ready = eventfd(0, EFD_CLOEXEC);
    if (never_ready < 0 || dup3(never_ready, server->listener, O_CLOEXEC) < 0)
        shutdown(server->listener,
            SHUT_RDWR); /* no file is left: refused all the same, at the price of a busy wait */
    if (never_ready >= 0)
        close(never_ready);
}

void weir_server_await_suspended(struct weir_server *server, int64_t timeout_ms)
{
    int64_t until_ms = weir_clock_ms() + timeout_ms;
    while (weir_pending_count(server->gateway->pending) > 0 && weir_clock_ms() < until_ms)
        sleep_ms(10);
}

/* A client that is slow to send its request, or to take its answer, is not waited for longer than this. */
static void await_answers(struct weir_server *server, int64_t timeout_ms)
{
    int64_t until_ms = weir_clock_ms() + timeout_ms;
    while (atomic_load(&server->active) > 0 && weir_clock_ms() < until_ms)
        sleep_ms(10);
}

static void stop_clock(struct weir_server *server)
{
    if (!server->clock_runs)
        return;
    atomic_store(&server->clock_stops, true);
    pthread_join(server->clock, NULL);
}

static void stop_daemon(struct weir_server *server, int64_t answers_ms)
{
    if (server->daemon == NULL)
        return;
    weir_pending_expire(server->gateway->pending, INT64_MAX);
    await_answers(server, answers_ms);
    weir_pending_expire(server->gateway->pending, INT64_MAX);
    MHD_stop_daemon(server->daemon);
}

static void close_listener(struct weir_server *server)
{
    const char *listen = server->gateway->settings.listen;
    /* libmicrohttpd closes it, unless it never started. */
    if (server->listener >= 0 && server->daemon == NULL)
        close(server->listener);
    if (server->listener >= 0 && strncmp(listen, "unix:", 5) == 0)
        unlink(listen + 5);
}

void weir_server_close(struct weir_server *server, int64_t answers_ms)
{
    if (server == NULL)
        return;
    stop_daemon(server, answers_ms);
    stop_clock(server);
    close_listener(server);
    weir_connections_free(server->connections);
    free(server);
}
