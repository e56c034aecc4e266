#include "gateway/connection.h"

#include "common/clock.h"
#include "common/metrics.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>

struct weir_connection {
    struct weir_connections *all;
    struct weir_connection *previous, *next;
    _Atomic int64_t deadline_ms;
    int fd;
    struct weir_tls_peer *tls;
};

struct weir_connections {
    pthread_mutex_t lock; /* the list; a socket is closed only after its entry has left */
    struct weir_connection *first;
    int64_t header_ms, body_ms, idle_ms;
    struct weir_metric *open, *late;
};

struct weir_connections *weir_connections_new(const struct weir_gateway_settings *settings)
{
    struct weir_connections *connections = calloc(1, sizeof(*connections));
    if (connections == NULL)
        return NULL;
    pthread_mutex_init(&connections->lock, NULL);
    connections->header_ms = settings->header_timeout_ms;
    connections->body_ms = settings->body_timeout_ms;
    connections->idle_ms = settings->idle_timeout_ms;
    connections->open =
        weir_metric(WEIR_METRIC_GAUGE, "weir_gateway_connections", "", "Client connections that are open");
    connections->late = weir_metric(WEIR_METRIC_COUNTER, "weir_gateway_slow_connections_total", "",
        "Connections shut down because a header or body did not come in time");
    return connections;
}

void weir_connections_free(struct weir_connections *connections)
{
    if (connections == NULL)
        return;
    pthread_mutex_destroy(&connections->lock);
    free(connections);
}

struct weir_connection *weir_connection_begin(struct weir_connections *connections, int fd)
{
    struct weir_connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL)
        return NULL;
    connection->all = connections;
    connection->fd = fd;
    atomic_init(&connection->deadline_ms, weir_clock_ms() + connections->header_ms);
    pthread_mutex_lock(&connections->lock);
    connection->next = connections->first;
    if (connection->next != NULL)
        connection->next->previous = connection;
    connections->first = connection;
    pthread_mutex_unlock(&connections->lock);
    weir_metric_add(connections->open, 1);
    return connection;
}

void weir_connection_end(struct weir_connection *connection)
{
    if (connection == NULL)
        return;
    struct weir_connections *all = connection->all;
    pthread_mutex_lock(&all->lock);
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        all->first = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    pthread_mutex_unlock(&all->lock);
    weir_metric_add(all->open, -1);
    weir_tls_peer_free(connection->tls);
    free(connection);
}

void weir_connection_set_tls_take(struct weir_connection *connection, struct weir_tls_peer *tls)
{
    connection->tls = tls;
}

struct weir_tls_peer *weir_connection_tls(const struct weir_connection *connection)
{
    return connection != NULL ? connection->tls : NULL;
}

static void set_deadline(struct weir_connection *connection, int64_t deadline_ms)
{
    atomic_store_explicit(&connection->deadline_ms, deadline_ms, memory_order_relaxed);
}

void weir_connection_expect_body(struct weir_connection *connection, bool has_body)
{
    if (connection != NULL)
        set_deadline(connection, has_body ? weir_clock_ms() + connection->all->body_ms : INT64_MAX);
}

void weir_connection_expect_nothing(struct weir_connection *connection)
{
    if (connection != NULL)
        set_deadline(connection, INT64_MAX);
}

/* When the next header begins is not known, so that its time is counted from the end of the idle time. */
void weir_connection_expect_request(struct weir_connection *connection)
{
    if (connection != NULL)
        set_deadline(connection, weir_clock_ms() + connection->all->idle_ms + connection->all->header_ms);
}

void weir_connections_sweep(struct weir_connections *connections, int64_t now_ms)
{
    pthread_mutex_lock(&connections->lock);
    for (struct weir_connection *at = connections->first; at != NULL; at = at->next) {
        if (atomic_load_explicit(&at->deadline_ms, memory_order_relaxed) > now_ms)
            continue;
        set_deadline(at, INT64_MAX);
        shutdown(at->fd, SHUT_RDWR);
        weir_metric_add(connections->late, 1);
    }
    pthread_mutex_unlock(&connections->lock);
}
