#include "gateway/server.h"

#include "common/clock.h"
#include "common/http.h"
#include "common/log.h"
#include "gateway/access.h"
#include "gateway/caller.h"
#include "gateway/connection.h"
#include "gateway/listener.h"
#include "gateway/pending.h"
#include "gateway/produce.h"
#include "gateway/request.h"
#include "gateway/worker.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { TICK_MS = 50, SWEEP_MS = 500, IDLE_MS = 500 };
enum { NO_THREAD_SAFETY = 1 << 19 }; /* MHD_USE_NO_THREAD_SAFETY since 1.0 */

#if MHD_VERSION >= 0x01000000
#define STRICT MHD_OPTION_CLIENT_DISCIPLINE_LVL
_Static_assert(NO_THREAD_SAFETY == (int)MHD_USE_NO_THREAD_SAFETY, "what 1.x calls it");
#else
#define STRICT MHD_OPTION_STRICT_FOR_CLIENT
#endif

/* A worker and its number. */
struct lane {
    struct weir_server *server;
    struct weir_worker *worker;
    size_t number;
};

struct weir_server {
    struct weir_gateway *gateway;
    struct weir_connections *connections;
    struct weir_listener *listener;
    struct lane *lanes;
    size_t lane_count;
    atomic_size_t active; /* requests between their request line and the last byte of their answer */
    pthread_t clock;
    bool clock_runs;
    atomic_bool clock_stops;
};

/* ---- libmicrohttpd's callbacks, on the lane's thread ---- */

static struct weir_connection *peer_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

/* The request line came: the only place where the target is told as it was sent. */
static void *on_request_line(void *context, const char *target, struct MHD_Connection *connection)
{
    struct lane *lane = context;
    struct weir_request *request = weir_request_new(lane->server->gateway, connection, target);
    if (request == NULL)
        return NULL;
    request->worker = lane->worker;
    request->peer = peer_of(connection);
    atomic_fetch_add(&lane->server->active, 1);
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
    struct weir_server *server = ((struct lane *)context)->server;
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

/* By itself, because libmicrohttpd 1.x answers the next question where it answered this one. */
static int socket_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info != NULL ? info->connect_fd : -1;
}

static void on_connection(
    void *context, struct MHD_Connection *connection, void **slot, enum MHD_ConnectionNotificationCode code)
{
    struct lane *lane = context;
    struct weir_server *server = lane->server;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        weir_connection_end(*slot);
        *slot = NULL;
        weir_listener_ended(server->listener, lane->number);
        return;
    }
    weir_listener_began(server->listener, lane->number);
    int fd = socket_of(connection);
    *slot = fd >= 0 ? weir_connection_begin(server->connections, fd, weir_caller_address(connection)) : NULL;
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
        weir_listener_retry(server->listener);
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
            "reason=\"the limit of open files (%ju) is below connections + 256 (%ju)\"",
            (uintmax_t)limit.rlim_cur, (uintmax_t)wanted);
}

/* Without it libmicrohttpd 1.x, on which a gateway may run that was built with 0.9, tells of an accepted
 * connection only in its next turn, too late for the listener's count. */
static unsigned own_thread(void)
{
    return MHD_get_version()[0] == '0' ? 0 : NO_THREAD_SAFETY;
}

static struct MHD_Daemon *start_daemon(struct lane *lane)
{
    static struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    const struct weir_gateway *gateway = lane->server->gateway;
    const struct weir_gateway_settings *settings = &gateway->settings;
    bool tls = gateway->tls != NULL;
    return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | own_thread() |
                                MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | (tls ? MHD_USE_TLS : 0),
        0, NULL, NULL, on_request, lane, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)settings->connections, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)settings->header_max_bytes, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)((settings->idle_timeout_ms + 999) / 1000), MHD_OPTION_URI_LOG_CALLBACK, on_request_line,
        lane, MHD_OPTION_NOTIFY_COMPLETED, on_completed, lane, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
        lane, MHD_OPTION_UNESCAPE_CALLBACK, leave_escapes, NULL, STRICT, 1, MHD_OPTION_ARRAY,
        tls ? weir_tls_options() : none, MHD_OPTION_END);
}

static void take_reports(void *produce)
{
    weir_produce_take_reports(produce);
}

static int start_lane(struct weir_server *server, size_t number, struct weir_error *err)
{
    struct lane *lane = &server->lanes[number];
    struct weir_produce *produce = server->gateway->produce;
    int rc = weir_worker_new(&lane->worker, err);
    if (rc == 0)
        rc = weir_worker_watch(lane->worker, weir_produce_reports_fd(produce), take_reports, produce, err);
    if (rc < 0)
        return rc;
    struct MHD_Daemon *daemon = start_daemon(lane);
    if (daemon == NULL)
        return weir_error_set(
            err, WEIR_E_INTERNAL, "libmicrohttpd does not start on %s", server->gateway->settings.listen);
    return weir_worker_start_take(lane->worker, daemon, server->listener, number, err);
}

static int start_lanes(struct weir_server *server, struct weir_error *err)
{
    size_t count = (size_t)server->gateway->settings.threads;
    server->lanes = calloc(count, sizeof(*server->lanes));
    if (server->lanes == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    server->lane_count = count;
    for (size_t i = 0; i < count; i++)
        server->lanes[i] = (struct lane){.server = server, .number = i};
    int rc = weir_listener_open(&server->gateway->settings, &server->listener, err);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = start_lane(server, i, err);
    return rc;
}

static int start(struct weir_server *server, struct weir_error *err)
{
    const struct weir_gateway_settings *settings = &server->gateway->settings;
    server->connections = weir_connections_new(settings);
    if (server->connections == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    raise_file_limit(settings->connections);
    int rc = start_lanes(server, err);
    if (rc < 0)
        return rc;
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
    *ret_server = server; /* also after an error, for weir_server_close() */
    return start(server, err);
}

/* ---- stopping ---- */

void weir_server_quiesce(struct weir_server *server)
{
    weir_listener_close(server->listener);
}

void weir_server_await_kept(struct weir_server *server, int64_t timeout_ms)
{
    int64_t until_ms = weir_clock_ms() + timeout_ms;
    while (weir_connections_kept_since(server->connections, weir_clock_ms() - IDLE_MS) &&
           weir_clock_ms() < until_ms)
        sleep_ms(10);
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

static bool have_ended(const struct weir_server *server)
{
    for (size_t i = 0; i < server->lane_count; i++) {
        if (server->lanes[i].worker != NULL && !weir_worker_has_ended(server->lanes[i].worker))
            return false;
    }
    return true;
}

/* A worker ends once none of its requests is suspended. */
static void stop_lanes(struct weir_server *server)
{
    for (size_t i = 0; i < server->lane_count; i++) {
        if (server->lanes[i].worker != NULL)
            weir_worker_stop(server->lanes[i].worker);
    }
    for (; !have_ended(server); sleep_ms(1))
        weir_pending_expire(server->gateway->pending, INT64_MAX);
    for (size_t i = 0; i < server->lane_count; i++) {
        if (server->lanes[i].worker != NULL)
            weir_worker_close(server->lanes[i].worker);
    }
}

static void remove_socket(const struct weir_server *server)
{
    const char *listen = server->gateway->settings.listen;
    if (server->listener != NULL && strncmp(listen, "unix:", 5) == 0)
        unlink(listen + 5);
}

void weir_server_close(struct weir_server *server, int64_t answers_ms)
{
    if (server == NULL)
        return;
    weir_pending_expire(server->gateway->pending, INT64_MAX);
    await_answers(server, answers_ms);
    stop_lanes(server);
    stop_clock(server);
    remove_socket(server);
}

void weir_server_free(struct weir_server *server)
{
    if (server == NULL)
        return;
    for (size_t i = 0; i < server->lane_count; i++)
        weir_worker_free(server->lanes[i].worker);
    weir_connections_free(server->connections);
    weir_listener_free(server->listener);
    free(server->lanes);
    free(server);
}
