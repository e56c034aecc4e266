/* Ends the process when something that can hang has not returned in time: closing and destroying librdkafka's
 * handles waits for coordinators that may be gone. One may be armed at a time. */
#ifndef WEIR_RUNTIME_WATCHDOG_H
#define WEIR_RUNTIME_WATCHDOG_H

#include <stdint.h>

/* From now on `what` has limit_ms; then the process says so and ends with exit_status, without cleaning up.
 */
void weir_watchdog_arm(const char *what, int64_t limit_ms, int exit_status);
void weir_watchdog_disarm(void);

#endif
