/* The two clocks: wall time for people and records, monotonic time for waiting. Threads: any. */
#ifndef WEIR_COMMON_CLOCK_H
#define WEIR_COMMON_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Milliseconds since 1970 (CLOCK_REALTIME): timestamps in records, logs and mails. */
int64_t weir_clock_wall_ms(void);

/* Milliseconds and microseconds since some start (CLOCK_MONOTONIC): deadlines and durations. */
int64_t weir_clock_ms(void);
int64_t weir_clock_us(void);

enum { WEIR_CLOCK_RFC3339_BYTES = 32 };

/* "2026-11-21T06:40:20.123Z" (RFC 3339, UTC) into out; answers out. */
char *weir_clock_rfc3339(int64_t wall_ms, char out[static WEIR_CLOCK_RFC3339_BYTES]);

#endif
