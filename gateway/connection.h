/* Client connections with absolute deadlines: libmicrohttpd's own timeout counts inactivity only, so that one
 * byte a second would live for ever. A deadline that passes shuts the socket down; libmicrohttpd then closes
 * it. */
#ifndef WEIR_GATEWAY_CONNECTION_H
#define WEIR_GATEWAY_CONNECTION_H

#include "common/bytes.h"
#include "common/tls.h"
#include "gateway/settings.h"

#include <stdbool.h>
#include <stdint.h>

struct weir_connection;
struct weir_connections;

/* settings are borrowed. NULL when memory is out. */
struct weir_connections *weir_connections_new(const struct weir_gateway_settings *settings);
void weir_connections_free(struct weir_connections *connections);

/* A connection was accepted: its first header has header.timeout. `address` is copied; empty: it counts for
 * none. One that is beyond connections.per.address is shut down at once. NULL when memory is out. */
struct weir_connection *weir_connection_begin(
    struct weir_connections *connections, int fd, struct weir_bytes address);
/* It is about to be closed, fd still being valid. Accepts NULL. */
void weir_connection_end(struct weir_connection *connection);

/* What the client has to do next, and by when. All accept NULL. Threads: the connection's own. */
void weir_connection_expect_body(struct weir_connection *connection, bool has_body);
void weir_connection_expect_nothing(struct weir_connection *connection); /* it is our turn */
void weir_connection_expect_request(struct weir_connection *connection);

/* Its side of TLS: taken, freed at its end; borrowed, NULL without (and for NULL). */
void weir_connection_set_tls_take(struct weir_connection *connection, struct weir_tls_peer *tls);
struct weir_tls_peer *weir_connection_tls(const struct weir_connection *connection);

/* Shuts down what is late at now_ms. Threads: any. */
void weir_connections_sweep(struct weir_connections *connections, int64_t now_ms);

/* Whether one that is open was opened or answered at since_ms or later. Threads: any. */
bool weir_connections_kept_since(struct weir_connections *connections, int64_t since_ms);

#endif
