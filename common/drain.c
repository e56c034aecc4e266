#include "common/drain.h"

#include "common/clock.h"
#include "common/error.h"
#include "common/log.h"
#include "common/service.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static struct {
    _Atomic int64_t limit_ms, end_ms; /* 0: no limit; nobody has asked */
    weir_drain_expired_fn *expired;
    void *context;
    atomic_bool left_behind;
} drain;

static void *end_in_time(void *unused)
{
    (void)unused;
    weir_service_await_stop();
    atomic_store(&drain.end_ms, weir_clock_ms() + atomic_load(&drain.limit_ms));
    weir_service_stopping_notify();
    for (int64_t left_ms; (left_ms = weir_drain_left_ms()) > 0;)
        nanosleep(&(struct timespec){.tv_sec = left_ms / 1000, .tv_nsec = left_ms % 1000 * 1000000}, NULL);
    int status = EXIT_FAILURE;
    const char *waiting_for = drain.expired(drain.context, &status);
    weir_log(status == EXIT_SUCCESS ? WEIR_LOG_WARNING : WEIR_LOG_ERROR, "drain.expired",
        "limit_ms=%" PRId64 " waiting_for=%s exit_status=%d", atomic_load(&drain.limit_ms), waiting_for,
        status);
    _exit(status);
}

int weir_drain_limit(int64_t limit_ms, weir_drain_expired_fn *expired, void *context)
{
    pthread_t thread;

    drain.expired = expired;
    drain.context = context;
    atomic_store(&drain.limit_ms, limit_ms);
    if (pthread_create(&thread, NULL, end_in_time, NULL) != 0)
        return WEIR_E_INTERNAL;
    pthread_detach(thread);
    return 0;
}

int64_t weir_drain_left_ms(void)
{
    int64_t end_ms = atomic_load(&drain.end_ms);
    if (end_ms == 0)
        return atomic_load(&drain.limit_ms);
    int64_t left_ms = end_ms - weir_clock_ms();
    return left_ms > 0 ? left_ms : 0;
}

void weir_drain_leave_thread(void)
{
    atomic_store(&drain.left_behind, true);
}

void weir_drain_exit(int status)
{
    if (!atomic_load(&drain.left_behind))
        exit(status);
    fflush(NULL);
    _exit(status);
}
