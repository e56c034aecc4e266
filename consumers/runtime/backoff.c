#include "consumers/runtime/backoff.h"

#include <stdlib.h>
#include <sys/random.h>

static uint64_t random_number(void)
{
    uint64_t number;
    if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
        number = (uint64_t)random();
    return number;
}

int64_t weir_backoff_ms(int64_t base_ms, int64_t max_ms, int32_t failures)
{
    int64_t ceiling_ms = base_ms > 0 ? base_ms : 1;
    for (int32_t i = 0; i < failures && ceiling_ms < max_ms; i++)
        ceiling_ms *= 2;
    if (ceiling_ms > max_ms)
        ceiling_ms = max_ms > 0 ? max_ms : 1;
    return 1 + (int64_t)(random_number() % (uint64_t)ceiling_ms);
}
