/* The listener, and which of the HTTP threads accepts from it. A thread that serves many connections does
 * more in each turn: it is woken less often, and Kafka gets larger batches. So the first thread alone takes
 * connections until it has its share, then a second one joins in, and so on; those that have joined in keep
 * about as many each.
 *
 * Threads: any, unless said otherwise. */
#ifndef WEIR_GATEWAY_LISTENER_H
#define WEIR_GATEWAY_LISTENER_H

#include "common/error.h"
#include "gateway/settings.h"

#include <stddef.h>
#include <sys/socket.h>

struct weir_listener;

/* Listens on settings->listen; the settings are borrowed. Errors: WEIR_E_EXISTS: someone else listens there;
 * WEIR_E_CONFIG. */
int weir_listener_open(const struct weir_gateway_settings *settings, struct weir_listener **ret_listener,
    struct weir_error *err);

/* HTTP thread `number` (0 to settings->threads − 1), which waits on `epoll`, finds the event `data` there,
 * level-triggered, while it is its turn to accept. To be called once for each, in the order of their numbers.
 */
int weir_listener_join(
    struct weir_listener *listener, size_t number, int epoll, void *data, struct weir_error *err);

/* A connection for thread `number`: its socket, non-blocking, the caller's to close, with the peer's address.
 * −1: none is waiting, or it is not its turn. Each connection that is taken has to be told by
 * weir_listener_began. */
int weir_listener_accept(
    struct weir_listener *listener, size_t number, struct sockaddr_storage *ret_address, socklen_t *ret_len);
void weir_listener_began(struct weir_listener *listener, size_t number);
void weir_listener_ended(struct weir_listener *listener, size_t number);

/* Accepts again after files were short; called now and then. */
void weir_listener_retry(struct weir_listener *listener);

/* Refuses whoever comes from now on. */
void weir_listener_close(struct weir_listener *listener);
/* After the threads have ended. Accepts NULL. */
void weir_listener_free(struct weir_listener *listener);

#endif
