/* The HTTP side on libmicrohttpd: its callbacks, the threads that run it (gateway/worker), and the clock
 * thread that ends what is late. */
#ifndef WEIR_GATEWAY_SERVER_H
#define WEIR_GATEWAY_SERVER_H

#include "common/error.h"
#include "gateway/gateway.h"

#include <stdbool.h>
#include <stdint.h>

struct weir_server;

/* Listens and serves; requests may come before this returns. *ret_server is set also by an error that came
 * halfway: it is to be closed and freed. */
int weir_server_open(struct weir_gateway *gateway, struct weir_server **ret_server, struct weir_error *err);

/* Accepts no more connections. */
void weir_server_quiesce(struct weir_server *server);

/* Waits up to timeout_ms until every connection is closed or has been idle for a while: whoever goes on
 * asking on one that is kept gets an answer that says it closes, instead of none because his request was on
 * its way. */
void weir_server_await_kept(struct weir_server *server, int64_t timeout_ms);

/* Waits up to timeout_ms until no request is suspended. */
void weir_server_await_suspended(struct weir_server *server, int64_t timeout_ms);

/* Answers with 504 whatever is still suspended, gives the answers up to answers_ms (≥ 0) to leave, and closes
 * all connections. Accepts NULL. */
void weir_server_close(struct weir_server *server, int64_t answers_ms);
/* After all that resume requests have ended, too. Accepts NULL. */
void weir_server_free(struct weir_server *server);

#endif
