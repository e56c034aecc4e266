#include "consumers/runtime/watchdog.h"

#include "common/clock.h"
#include "common/log.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool started;
    const char *what; /* NULL: disarmed */
    int64_t deadline_ms, limit_ms;
    int exit_status;
} watchdog = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct timespec timespec_of(int64_t ms)
{
    return (struct timespec){.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};
}

static void bite(void)
{
    weir_log(WEIR_LOG_ERROR, "watchdog.expired", "what=\"%s\" limit_ms=%" PRId64 " exit_status=%d",
        watchdog.what, watchdog.limit_ms, watchdog.exit_status);
    _exit(watchdog.exit_status);
}

static void *watch(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&watchdog.lock);
    for (;;) {
        if (watchdog.what == NULL) {
            pthread_cond_wait(&watchdog.changed, &watchdog.lock);
            continue;
        }
        if (weir_clock_ms() >= watchdog.deadline_ms)
            bite();
        struct timespec until = timespec_of(watchdog.deadline_ms);
        pthread_cond_timedwait(&watchdog.changed, &watchdog.lock, &until);
    }
    return NULL;
}

static void start(void)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&watchdog.changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_t thread;
    if (pthread_create(&thread, NULL, watch, NULL) == 0)
        pthread_detach(thread);
    watchdog.started = true;
}

void weir_watchdog_arm(const char *what, int64_t limit_ms, int exit_status)
{
    pthread_mutex_lock(&watchdog.lock);
    if (!watchdog.started)
        start();
    watchdog.what = what;
    watchdog.limit_ms = limit_ms;
    watchdog.deadline_ms = weir_clock_ms() + limit_ms;
    watchdog.exit_status = exit_status;
    pthread_cond_signal(&watchdog.changed);
    pthread_mutex_unlock(&watchdog.lock);
}

void weir_watchdog_disarm(void)
{
    pthread_mutex_lock(&watchdog.lock);
    watchdog.what = NULL;
    pthread_mutex_unlock(&watchdog.lock);
}
