#include "common/service.h"

#include "common/clock.h"
#include "common/error.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

static atomic_bool stopping;
static _Atomic unsigned reloads;

/* Signals that came, and how many of them a waiter was woken for. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t woken;
static uint64_t came, told;
static pthread_once_t woken_once = PTHREAD_ONCE_INIT;

static void init_woken(void)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&woken, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void wake(void)
{
    pthread_once(&woken_once, init_woken);
    pthread_mutex_lock(&lock);
    came++;
    pthread_cond_broadcast(&woken);
    pthread_mutex_unlock(&lock);
}

static void fill_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
}

/* A thread of its own turns signals into events, so that no handler interrupts any code. */
static void *take_signals(void *unused)
{
    sigset_t set;
    int number;

    (void)unused;
    fill_signals(&set);
    while (sigwait(&set, &number) == 0) {
        if (number == SIGHUP)
            atomic_fetch_add(&reloads, 1);
        else
            atomic_store(&stopping, true);
        wake();
    }
    return NULL;
}

int weir_service_signals_init(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t set;

    fill_signals(&set);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0 || sigaction(SIGPIPE, &ignore, NULL) != 0)
        return WEIR_E_INTERNAL;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int failed = pthread_create(&thread, &attributes, take_signals, NULL);
    pthread_attr_destroy(&attributes);
    return failed == 0 ? 0 : WEIR_E_INTERNAL;
}

bool weir_service_stopping(void)
{
    return atomic_load(&stopping);
}

void weir_service_stop(void)
{
    atomic_store(&stopping, true);
    wake();
}

bool weir_service_reload_asked(void)
{
    unsigned asked = atomic_load(&reloads);

    while (asked > 0)
        if (atomic_compare_exchange_weak(&reloads, &asked, asked - 1))
            return true;
    return false;
}

void weir_service_await_stop(void)
{
    pthread_once(&woken_once, init_woken);
    pthread_mutex_lock(&lock);
    while (!atomic_load(&stopping))
        pthread_cond_wait(&woken, &lock);
    pthread_mutex_unlock(&lock);
}

static struct timespec deadline_after(int timeout_ms)
{
    int64_t at_us = weir_clock_us() + (int64_t)(timeout_ms > 0 ? timeout_ms : 0) * 1000;
    return (struct timespec){.tv_sec = (time_t)(at_us / 1000000), .tv_nsec = (long)(at_us % 1000000) * 1000};
}

bool weir_service_wait(int timeout_ms)
{
    struct timespec deadline = deadline_after(timeout_ms);
    int failed = 0;

    pthread_once(&woken_once, init_woken);
    pthread_mutex_lock(&lock);
    while (!atomic_load(&stopping) && came == told && failed == 0)
        failed = pthread_cond_timedwait(&woken, &lock, &deadline);
    told = came; /* a reload that nobody asks for must not wake for ever */
    pthread_mutex_unlock(&lock);
    return atomic_load(&stopping);
}

void weir_service_ready(void)
{
    sd_notify(0, "READY=1");
}

void weir_service_status(const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    int len = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (len < 0)
        return;
    for (char *at = text; *at != '\0'; at++)
        if ((unsigned char)*at < ' ')
            *at = ' '; /* a second line would be another assignment */
    sd_notifyf(0, "STATUS=%s", text);
}

void weir_service_stopping_notify(void)
{
    sd_notify(0, "STOPPING=1");
}

static uint64_t watchdog_us;
static pthread_once_t watchdog_once = PTHREAD_ONCE_INIT;
static _Atomic int64_t next_feed_us;

static void find_watchdog(void)
{
    if (sd_watchdog_enabled(0, &watchdog_us) <= 0)
        watchdog_us = 0;
}

void weir_service_alive(void)
{
    pthread_once(&watchdog_once, find_watchdog);
    if (watchdog_us == 0)
        return;
    int64_t now_us = weir_clock_us(), due_us = atomic_load(&next_feed_us);
    if (now_us >= due_us &&
        atomic_compare_exchange_strong(&next_feed_us, &due_us, now_us + (int64_t)(watchdog_us / 4)))
        sd_notify(0, "WATCHDOG=1");
}

#ifdef WEIR_CRASH_POINTS
static bool is_reached(const char *point, const char *wanted, _Atomic long *reached)
{
    size_t len = strlen(point);
    if (wanted == NULL || strncmp(wanted, point, len) != 0 || (wanted[len] != '\0' && wanted[len] != ':'))
        return false;
    long at = wanted[len] == ':' ? strtol(wanted + len + 1, NULL, 10) : 1;
    return atomic_fetch_add(reached, 1) + 1 == at;
}

void weir_crash_point(const char *point)
{
    static _Atomic long stops, crashes;
    if (is_reached(point, getenv("WEIR_STOP_AT"), &stops))
        kill(getpid(), SIGSTOP);
    if (is_reached(point, getenv("WEIR_CRASH_AT"), &crashes))
        kill(getpid(), SIGKILL);
}
#endif
