/* The supervisor's side of a program: sd_notify(3) messages, signals as events, crash points of test builds.
 */
#ifndef WEIR_COMMON_SERVICE_H
#define WEIR_COMMON_SERVICE_H

#include <stdbool.h>

/* Blocks SIGTERM, SIGINT and SIGHUP in the calling thread (call it before others start), ignores SIGPIPE.
 * From then on a thread of this module's own takes the signals. Returns 0 or WEIR_E_INTERNAL. */
int weir_service_signals_init(void);

/* True once SIGTERM or SIGINT came. Threads: any. */
bool weir_service_stopping(void);
/* As if SIGTERM had come. Threads: any. */
void weir_service_stop(void);
/* Waits until weir_service_stopping(). Threads: any. */
void weir_service_await_stop(void);
/* True once for each SIGHUP. Threads: any. */
bool weir_service_reload_asked(void);
/* Waits up to timeout_ms (≥ 0) for a signal; true when stopping. */
bool weir_service_wait(int timeout_ms);

/* sd_notify(3); without a supervisor they do nothing. STATUS is one line. Threads: any. */
void weir_service_ready(void);
void weir_service_status(const char *format, ...) __attribute__((format(printf, 1, 2)));
void weir_service_stopping_notify(void);
/* Feeds the watchdog, at most every quarter of WATCHDOG_USEC; cheap to call often. */
void weir_service_alive(void);

/* In builds with WEIR_CRASH_POINTS: kills the process by SIGKILL when $WEIR_CRASH_AT is `point` or `point:N`
 * and this is the N-th time it is reached (default 1); $WEIR_STOP_AT the same with SIGSTOP, before. Else
 * nothing, not even a branch. */
#ifdef WEIR_CRASH_POINTS
void weir_crash_point(const char *point);
#else
#define weir_crash_point(point) ((void)0)
#endif

#endif
