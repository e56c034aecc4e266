#include "gateway/listener.h"

#include "common/clock.h"
#include "common/http.h"
#include "common/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Threads may differ by twice as many connections, so that not each that comes or goes changes whose turn it
 * is. */
enum { BACKLOG = 1024, SLACK = 8, LOG_PAUSE_MS = 10000 };

struct acceptor {
    int epoll;
    void *data;
    bool watches;
    size_t connections;
};

struct weir_listener {
    const struct weir_gateway_settings *settings;
    pthread_mutex_t lock;
    int fd; /* −1: closed */
    bool short_of_files;
    int64_t next_log_ms;
    size_t connections;
    size_t count; /* acceptors that have joined */
    struct acceptor acceptors[];
};

int weir_listener_open(
    const struct weir_gateway_settings *settings, struct weir_listener **ret_listener, struct weir_error *err)
{
    struct weir_listener *listener =
        calloc(1, sizeof(*listener) + (size_t)settings->threads * sizeof(listener->acceptors[0]));
    if (listener == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    listener->settings = settings;
    listener->fd = weir_address_listen(settings->listen, BACKLOG, err);
    if (listener->fd < 0) {
        free(listener);
        return err->code;
    }
    pthread_mutex_init(&listener->lock, NULL);
    *ret_listener = listener;
    return 0;
}

static size_t count_used(const struct weir_listener *listener)
{
    size_t used = 1 + listener->connections / (size_t)listener->settings->connections_per_thread;
    return used < listener->count ? used : listener->count;
}

static bool is_turn_of(const struct weir_listener *listener, size_t number)
{
    size_t used = count_used(listener);
    return listener->fd >= 0 && !listener->short_of_files &&
           listener->connections < (size_t)listener->settings->connections && number < used &&
           (used == 1 || listener->acceptors[number].connections <= listener->connections / used + SLACK);
}

/* Under the lock. Without memory for it a thread goes on without the listener, and is asked again at the next
 * change. */
static bool watch(struct weir_listener *listener, struct acceptor *acceptor, bool on)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = acceptor->data};
    if (acceptor->watches != on &&
        epoll_ctl(acceptor->epoll, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, listener->fd, &event) == 0)
        acceptor->watches = on;
    return acceptor->watches == on;
}

/* Under the lock. */
static void take_turns(struct weir_listener *listener)
{
    for (size_t i = 0; i < listener->count; i++)
        watch(listener, &listener->acceptors[i], is_turn_of(listener, i));
}

int weir_listener_join(
    struct weir_listener *listener, size_t number, int epoll, void *data, struct weir_error *err)
{
    pthread_mutex_lock(&listener->lock);
    struct acceptor *acceptor = &listener->acceptors[number];
    *acceptor = (struct acceptor){.epoll = epoll, .data = data};
    listener->count = number + 1;
    bool joined = watch(listener, acceptor, is_turn_of(listener, number));
    pthread_mutex_unlock(&listener->lock);
    return joined ? 0 : weir_error_set(err, WEIR_E_INTERNAL, "an HTTP thread can't watch the listener");
}

/* Under the lock. Whatever else an accept fails by concerns one client that has gone. */
static void note_shortage(struct weir_listener *listener, int number)
{
    if (number != EMFILE && number != ENFILE && number != ENOBUFS && number != ENOMEM)
        return;
    listener->short_of_files = true;
    take_turns(listener);
    if (weir_clock_ms() < listener->next_log_ms)
        return;
    listener->next_log_ms = weir_clock_ms() + LOG_PAUSE_MS;
    weir_log(WEIR_LOG_WARNING, "gateway.few-files", "connections=%zu reason=\"%s\"", listener->connections,
        strerror(number));
}

int weir_listener_accept(
    struct weir_listener *listener, size_t number, struct sockaddr_storage *ret_address, socklen_t *ret_len)
{
    int fd = -1;
    *ret_len = sizeof(*ret_address);
    pthread_mutex_lock(&listener->lock);
    if (is_turn_of(listener, number)) {
        fd = accept4(listener->fd, (struct sockaddr *)ret_address, ret_len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            note_shortage(listener, errno);
    }
    pthread_mutex_unlock(&listener->lock);
    return fd;
}

static void count(struct weir_listener *listener, size_t number, int change)
{
    pthread_mutex_lock(&listener->lock);
    listener->connections += (size_t)change;
    listener->acceptors[number].connections += (size_t)change;
    take_turns(listener);
    pthread_mutex_unlock(&listener->lock);
}

void weir_listener_began(struct weir_listener *listener, size_t number)
{
    count(listener, number, 1);
}

void weir_listener_ended(struct weir_listener *listener, size_t number)
{
    count(listener, number, -1);
}

void weir_listener_retry(struct weir_listener *listener)
{
    pthread_mutex_lock(&listener->lock);
    listener->short_of_files = false;
    take_turns(listener);
    pthread_mutex_unlock(&listener->lock);
}

void weir_listener_close(struct weir_listener *listener)
{
    pthread_mutex_lock(&listener->lock);
    if (listener->fd >= 0)
        close(listener->fd); /* nobody else has it open: it leaves each epoll set by itself */
    listener->fd = -1;
    for (size_t i = 0; i < listener->count; i++)
        listener->acceptors[i].watches = false;
    pthread_mutex_unlock(&listener->lock);
}

void weir_listener_free(struct weir_listener *listener)
{
    if (listener == NULL)
        return;
    weir_listener_close(listener);
    pthread_mutex_destroy(&listener->lock);
    free(listener);
}
