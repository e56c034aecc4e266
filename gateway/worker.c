#include "gateway/worker.h"

#include "gateway/listener.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A turn that found work leads to a few more for the same connections, not to this many. */
enum { BUSY_TURNS_MAX = 64, STUCK_MS = 1, ACCEPTS_MAX = 64 };

struct weir_worker {
    struct MHD_Daemon *daemon;
    int epoll; /* the daemon's own set of sockets, and `bell` */
    int bell;  /* rung when something was resumed while nothing else was, and to stop */
    _Atomic(struct weir_request *) resumed;
    atomic_size_t suspended;
    struct weir_request *first_deferred, *last_deferred;
    unsigned busy_turns; /* one after the other that did not wait */
    void (*act)(void *context);
    void *context;
    struct weir_listener *listener;
    size_t number;
    atomic_bool stops, ended;
    bool started;
    pthread_t thread;
};

/* What a turn has to look at beside its connections. */
struct calls {
    bool watched, listener;
};

/* Whose thread this is; NULL: another one. */
static _Thread_local struct weir_worker *own;

/* What the thread has resumed within `act`. */
static _Thread_local struct {
    bool on;
    struct weir_request *resumed;
} gathered;

/* ---- other threads ---- */

static void ring(struct weir_worker *worker)
{
    static const uint64_t once = 1;
    /* It can't fail: the counter, which nobody resets, has room for five centuries of rings a nanosecond. */
    ssize_t written = write(worker->bell, &once, sizeof(once));
    (void)written;
}

static void hand_over(struct weir_request *request)
{
    struct weir_worker *worker = request->worker;
    struct weir_request *first = atomic_load_explicit(&worker->resumed, memory_order_relaxed);
    do {
        request->resumed_before = first;
    } while (!atomic_compare_exchange_weak_explicit(
        &worker->resumed, &first, request, memory_order_acq_rel, memory_order_relaxed));
    if (first == NULL)
        ring(worker);
}

void weir_worker_resume(struct weir_request *request)
{
    if (!gathered.on) {
        hand_over(request);
        return;
    }
    request->resumed_before = gathered.resumed;
    gathered.resumed = request;
}

/* ---- the worker's thread ---- */

void weir_worker_suspend(struct weir_request *request)
{
    MHD_suspend_connection(request->connection);
    atomic_fetch_add_explicit(&request->worker->suspended, 1, memory_order_relaxed);
}

static void take_up(struct weir_request *request)
{
    struct weir_worker *worker = request->worker;
    MHD_resume_connection(request->connection);
    atomic_fetch_sub_explicit(&worker->suspended, 1, memory_order_relaxed);
}

static void resume_all(struct weir_worker *worker)
{
    struct weir_request *request = atomic_exchange_explicit(&worker->resumed, NULL, memory_order_acquire);
    while (request != NULL) {
        struct weir_request *before = request->resumed_before; /* it may be suspended and resumed again */
        take_up(request);
        request = before;
    }
}

static void call_watched(struct weir_worker *worker)
{
    if (worker->act == NULL)
        return;
    gathered.on = true;
    worker->act(worker->context);
    gathered.on = false;
    for (struct weir_request *request; (request = gathered.resumed) != NULL;) {
        gathered.resumed = request->resumed_before;
        if (request->worker == worker)
            take_up(request);
        else
            hand_over(request);
    }
}

void weir_worker_defer(struct weir_request *request, void act(struct weir_request *request))
{
    if (own == NULL) {
        act(request);
        return;
    }
    request->deferred = act;
    request->deferred_next = NULL;
    if (own->first_deferred == NULL)
        own->first_deferred = request;
    else
        own->last_deferred->deferred_next = request;
    own->last_deferred = request;
}

static void do_deferred(struct weir_worker *worker)
{
    for (struct weir_request *request; (request = worker->first_deferred) != NULL;) {
        worker->first_deferred = request->deferred_next;
        request->deferred(request);
    }
}

/* The rest of a rush comes in the next turns, with answers in between. */
static void accept_some(struct weir_worker *worker)
{
    struct sockaddr_storage address;
    socklen_t len;
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        int fd = weir_listener_accept(worker->listener, worker->number, &address, &len);
        if (fd < 0)
            return;
        MHD_add_connection(worker->daemon, fd, (struct sockaddr *)&address, len); /* closes what it refuses */
    }
}

static int wait_ms(struct weir_worker *worker)
{
    MHD_UNSIGNED_LONG_LONG ms;
    if (MHD_get_timeout(worker->daemon, &ms) != MHD_YES)
        return -1;
    return ms < INT32_MAX ? (int)ms : INT32_MAX;
}

/* libmicrohttpd 0.9 asks to be run without end when a chunk's size line does not fit into a connection's
 * memory: until that connection's deadline comes the worker looks at it now and then.
 * A turn that does not wait can't know whether there is something to see: it looks at what is watched, which
 * is cheap, and leaves the listener for later. */
static struct calls wait_for_work(struct weir_worker *worker)
{
    struct epoll_event events[4];
    struct calls calls = {.watched = true};
    int timeout_ms = wait_ms(worker);
    if (timeout_ms == 0 && worker->busy_turns++ < BUSY_TURNS_MAX)
        return calls;
    worker->busy_turns = 0;
    int count = epoll_wait(worker->epoll, events, 4, timeout_ms != 0 ? timeout_ms : STUCK_MS);
    calls.watched = false;
    for (int i = 0; i < count; i++) {
        calls.watched |= events[i].data.ptr == &worker->act;
        calls.listener |= events[i].data.ptr == &worker->listener;
    }
    return calls;
}

static bool goes_on(struct weir_worker *worker)
{
    return !atomic_load_explicit(&worker->stops, memory_order_relaxed) ||
           atomic_load_explicit(&worker->suspended, memory_order_relaxed) > 0;
}

static void *run(void *context)
{
    struct weir_worker *worker = context;
    own = worker;
    while (goes_on(worker)) {
        struct calls calls = wait_for_work(worker);
        if (calls.watched)
            call_watched(worker);
        if (calls.listener)
            accept_some(worker);
        resume_all(worker);
        MHD_run(worker->daemon);
        do_deferred(worker);
    }
    atomic_store(&worker->ended, true);
    return NULL;
}

/* ---- starting and stopping ---- */

static bool watch(const struct weir_worker *worker, int fd, uint32_t how, void *data)
{
    struct epoll_event event = {.events = EPOLLIN | how, .data.ptr = data};
    return fd >= 0 && epoll_ctl(worker->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

int weir_worker_new(struct weir_worker **ret_worker, struct weir_error *err)
{
    struct weir_worker *worker = calloc(1, sizeof(*worker));
    if (worker == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    worker->epoll = epoll_create1(EPOLL_CLOEXEC);
    worker->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    /* Edge-triggered, each ring is told once and nothing has to be read. */
    if (worker->epoll < 0 || !watch(worker, worker->bell, EPOLLET, NULL)) {
        weir_worker_free(worker);
        return weir_error_set(err, WEIR_E_INTERNAL, "no files are left for an HTTP thread");
    }
    *ret_worker = worker;
    return 0;
}

int weir_worker_watch(
    struct weir_worker *worker, int fd, void act(void *context), void *context, struct weir_error *err)
{
    worker->act = act;
    worker->context = context;
    if (!watch(worker, fd, EPOLLET | EPOLLEXCLUSIVE, &worker->act))
        return weir_error_set(err, WEIR_E_INTERNAL, "an HTTP thread can't watch what it has to");
    return 0;
}

int weir_worker_start_take(struct weir_worker *worker, struct MHD_Daemon *daemon,
    struct weir_listener *listener, size_t number, struct weir_error *err)
{
    worker->daemon = daemon;
    worker->listener = listener;
    worker->number = number;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == NULL || !watch(worker, info->epoll_fd, 0, NULL))
        return weir_error_set(err, WEIR_E_INTERNAL, "libmicrohttpd has no epoll here");
    if (weir_listener_join(listener, number, worker->epoll, &worker->listener, err) < 0)
        return err->code;
    if (pthread_create(&worker->thread, NULL, run, worker) != 0)
        return weir_error_set(err, WEIR_E_INTERNAL, "no thread for HTTP");
    worker->started = true;
    return 0;
}

void weir_worker_stop(struct weir_worker *worker)
{
    atomic_store(&worker->stops, true);
    ring(worker);
}

bool weir_worker_has_ended(const struct weir_worker *worker)
{
    return !worker->started || atomic_load(&worker->ended);
}

void weir_worker_close(struct weir_worker *worker)
{
    if (worker->started)
        pthread_join(worker->thread, NULL);
    worker->started = false;
    if (worker->daemon != NULL)
        MHD_stop_daemon(worker->daemon);
    worker->daemon = NULL;
}

void weir_worker_free(struct weir_worker *worker)
{
    if (worker == NULL)
        return;
    if (worker->bell >= 0)
        close(worker->bell);
    if (worker->epoll >= 0)
        close(worker->epoll);
    free(worker);
}
