/* An HTTP thread: runs one libmicrohttpd daemon of its own, and takes up again the connections whose requests
 * have ended elsewhere, many at a time.
 *
 * libmicrohttpd's own threads are not used: each resumed connection costs them a system call and mostly a
 * switch of threads, and one thread that finds 128 events at once waits for more before it looks at them. */
#ifndef WEIR_GATEWAY_WORKER_H
#define WEIR_GATEWAY_WORKER_H

#include "common/error.h"
#include "gateway/request.h"

#include <microhttpd.h>

#include <stdbool.h>

struct weir_listener;
struct weir_worker;

/* A worker without a daemon. */
int weir_worker_new(struct weir_worker **ret_worker, struct weir_error *err);

/* Runs the daemon, which was started for an external event loop with epoll and without a listener, in a
 * thread; it is the worker's from then on, also after an error. It gets the connections that the listener has
 * for thread `number`. The listener is borrowed. */
int weir_worker_start_take(struct weir_worker *worker, struct MHD_Daemon *daemon,
    struct weir_listener *listener, size_t number, struct weir_error *err);

/* Called by libmicrohttpd's handler, which then answers that all is well: nothing happens on the request's
 * connection until it is resumed. Threads: the request's worker. */
void weir_worker_suspend(struct weir_request *request);

/* Hands a request whose connection is suspended back to its worker. Threads: any. */
void weir_worker_resume(struct weir_request *request);

/* Calls act(context) in the worker's thread each time that fd, an eventfd which nobody reads, was written to;
 * of several workers that watch it, one that has nothing else to do. It must not block. What it resumes is
 * handed over at its end, so that each worker is woken once, and its own not at all. To be called before the
 * start, once; fd must outlive the thread. */
int weir_worker_watch(
    struct weir_worker *worker, int fd, void act(void *context), void *context, struct weir_error *err);

/* Calls act(request) when the worker that this is called on is through with what has come to its sockets so
 * far: what many requests do then, one right after the other, wakes who waits for it once. On any other
 * thread it is called at once. */
void weir_worker_defer(struct weir_request *request, void act(struct weir_request *request));

/* Asks the thread to end; it does as soon as none of its connections is suspended. Threads: any. */
void weir_worker_stop(struct weir_worker *worker);
bool weir_worker_has_ended(const struct weir_worker *worker);

/* Ends the daemon with all its connections, once the thread has ended; nothing is to be resumed any more.
 * Accepts a worker that was never started. */
void weir_worker_close(struct weir_worker *worker);
/* After whoever may still be within weir_worker_resume(). Accepts NULL. */
void weir_worker_free(struct weir_worker *worker);

#endif
