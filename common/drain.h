/* How a program ends once it was asked to (SIGTERM, weir_service_stop): within a limit, whatever hangs.
 * Libraries may wait for ever for a broker or a name server that is gone; nothing that counts is lost by
 * ending without them. */
#ifndef WEIR_COMMON_DRAIN_H
#define WEIR_COMMON_DRAIN_H

#include <stdint.h>

/* Answers what is still waited for, one word for the log, and the exit status. Runs in a thread of its own
 * while any other may be anywhere. */
typedef const char *weir_drain_expired_fn(void *context, int *ret_status);

/* Tells the supervisor as soon as the program is asked to stop, and ends it by _exit() when it is still there
 * limit_ms (> 0) later. Call it once. Returns 0 or WEIR_E_INTERNAL (no thread). The context has to live as
 * long as the process. */
int weir_drain_limit(int64_t limit_ms, weir_drain_expired_fn *expired, void *context);

/* What is left until then; all of it while nobody has asked, 0 without a limit. Threads: any. */
int64_t weir_drain_left_ms(void);

/* A thread that hangs in a library is left behind: from now on weir_drain_exit() runs no destructors, which
 * would take away what it uses. Threads: any. */
void weir_drain_leave_thread(void);

/* exit(3); _exit(2) with stdio flushed once a thread was left behind. The last call of main. */
_Noreturn void weir_drain_exit(int status);

#endif
