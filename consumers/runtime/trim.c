#include "consumers/runtime/trim.h"

#include "common/clock.h"

#include <malloc.h>
#include <stdint.h>

enum { LOOK_US = 10000000, SHARE = 1000 };

void weir_trim(void)
{
    static int64_t next_us;
    int64_t began_us = weir_clock_us();
    if (began_us < next_us)
        return;
    malloc_trim(0);
    int64_t now_us = weir_clock_us(), rest_us = SHARE * (now_us - began_us);
    next_us = now_us + (rest_us > LOOK_US ? rest_us : LOOK_US);
}
