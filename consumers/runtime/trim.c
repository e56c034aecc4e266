#include "consumers/runtime/trim.h"

#include "common/clock.h"
#include "common/metrics_process.h"

#include <malloc.h>
#include <stdint.h>

enum { LOOK_MS = 10000, GROWN_BYTES = 8 << 20 };

void weir_trim(void)
{
    static int64_t next_ms, trimmed_bytes;
    int64_t now_ms = weir_clock_ms();
    if (now_ms < next_ms)
        return;
    next_ms = now_ms + LOOK_MS;
    if (weir_process_resident_bytes() < trimmed_bytes + GROWN_BYTES)
        return;
    malloc_trim(0);
    trimmed_bytes = weir_process_resident_bytes();
}
