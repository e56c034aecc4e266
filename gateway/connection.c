#include "gateway/connection.h"

#include "common/clock.h"
#include "common/metrics.h"

#include <pthread.h>
#include <search.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* An address that has connections. */
struct address {
    size_t len;
    unsigned char bytes[8];
    int64_t connections;
};

struct weir_connection {
    struct weir_connections *all;
    struct weir_connection *previous, *next;
    _Atomic int64_t deadline_ms;
    _Atomic int64_t kept_since_ms; /* when it was opened, or last answered */
    int fd;
    struct address *address; /* NULL: it counts for none */
    struct weir_tls_peer *tls;
};

struct weir_connections {
    pthread_mutex_t lock; /* list and tree; a socket is closed only after its entry has left */
    struct weir_connection *first;
    void *addresses;     /* a tree of tsearch() */
    int64_t per_address; /* 0: as many as there are */
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
    connections->per_address = settings->connections_per_address;
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

static int compare(const void *a, const void *b)
{
    const struct address *one = a, *other = b;
    if (one->len != other->len)
        return one->len < other->len ? -1 : 1;
    return memcmp(one->bytes, other->bytes, one->len);
}

/* NULL when memory is out. */
static struct address *find_address(struct weir_connections *connections, struct weir_bytes bytes)
{
    struct address key = {.len = bytes.len};
    memcpy(key.bytes, bytes.data, bytes.len);
    struct address **found = tfind(&key, &connections->addresses, compare);
    if (found != NULL)
        return *found;
    struct address *address = malloc(sizeof(*address));
    if (address == NULL)
        return NULL;
    *address = key;
    if (tsearch(address, &connections->addresses, compare) != NULL)
        return address;
    free(address);
    return NULL;
}

/* Under the lock. */
static void count(struct weir_connection *connection, struct weir_bytes bytes)
{
    struct weir_connections *all = connection->all;
    if (all->per_address == 0 || bytes.len == 0 || bytes.len > sizeof(connection->address->bytes))
        return;
    connection->address = find_address(all, bytes);
    if (connection->address != NULL && ++connection->address->connections > all->per_address)
        shutdown(connection->fd, SHUT_RDWR);
}

/* Under the lock. */
static void uncount(struct weir_connection *connection)
{
    struct address *address = connection->address;
    if (address == NULL || --address->connections > 0)
        return;
    tdelete(address, &connection->all->addresses, compare);
    free(address);
}

struct weir_connection *weir_connection_begin(
    struct weir_connections *connections, int fd, struct weir_bytes address)
{
    struct weir_connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL)
        return NULL;
    connection->all = connections;
    connection->fd = fd;
    int64_t now_ms = weir_clock_ms();
    atomic_init(&connection->deadline_ms, now_ms + connections->header_ms);
    atomic_init(&connection->kept_since_ms, now_ms);
    pthread_mutex_lock(&connections->lock);
    connection->next = connections->first;
    if (connection->next != NULL)
        connection->next->previous = connection;
    connections->first = connection;
    count(connection, address);
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
    uncount(connection);
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
    if (connection == NULL)
        return;
    int64_t now_ms = weir_clock_ms();
    set_deadline(connection, now_ms + connection->all->idle_ms + connection->all->header_ms);
    atomic_store_explicit(&connection->kept_since_ms, now_ms, memory_order_relaxed);
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

bool weir_connections_kept_since(struct weir_connections *connections, int64_t since_ms)
{
    bool kept = false;
    pthread_mutex_lock(&connections->lock);
    for (struct weir_connection *at = connections->first; at != NULL && !kept; at = at->next)
        kept = atomic_load_explicit(&at->kept_since_ms, memory_order_relaxed) >= since_ms;
    pthread_mutex_unlock(&connections->lock);
    return kept;
}
