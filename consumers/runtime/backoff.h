/* How long to wait before the next try: exponential with full jitter. Threads: any. */
#ifndef WEIR_RUNTIME_BACKOFF_H
#define WEIR_RUNTIME_BACKOFF_H

#include <stdint.h>

/* Uniform in 1 … min(max_ms, base_ms · 2^failures). `failures` counts from 0. */
int64_t weir_backoff_ms(int64_t base_ms, int64_t max_ms, int32_t failures);

#endif
