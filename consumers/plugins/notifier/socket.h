/* The socket of a session, so that another thread can end it. libesmtp does not tell its descriptor and reads
 * without an end as long as a byte drips in now and then; only a shutdown from outside brings such a session
 * back. */
#ifndef WEIR_NOTIFIER_SOCKET_H
#define WEIR_NOTIFIER_SOCKET_H

#include <pthread.h>
#include <stdbool.h>

struct weir_socket {
    pthread_mutex_t lock;
    int fd;    /* a duplicate of libesmtp's, so that its number can't be another file's; -1: none */
    bool shut; /* also a socket that is adopted later is shut down at once */
    bool adopted;
};

void weir_socket_init(struct weir_socket *held);
void weir_socket_done(struct weir_socket *held);

/* Finds and holds the socket that libesmtp has just connected to `port` on this thread: the only connected
 * TCP socket to that port without close-on-exec, which is set then. Nagle's algorithm is switched off. False
 * when there is none, or more than one. */
bool weir_socket_adopt(struct weir_socket *held, int port);

/* Acknowledges at once what comes next. A server that writes two replies and holds the second back until the
 * first is acknowledged costs 40 ms a mail otherwise. The kernel forgets it, so it is said again with every
 * reply that another one is to follow; only by the thread that adopted the socket. */
void weir_socket_hurry(const struct weir_socket *held);

/* Lets go of it; the peer sees the end of the connection once libesmtp has closed it too. */
void weir_socket_drop(struct weir_socket *held);

/* Ends the connection, now or as soon as there is one. Any thread. */
void weir_socket_shut(struct weir_socket *held);
bool weir_socket_is_shut(struct weir_socket *held);

/* Whether there is or was a connection. Any thread. */
bool weir_socket_was_adopted(struct weir_socket *held);

#endif
