/* How often each caller may ask (of the gateway; or each mail domain get mails): a token bucket for each, kept as the time at which it is full again (GCRA).
 * Told in the fields of draft-ietf-httpapi-ratelimit-headers-10, policy "requests". */
#ifndef WEIR_COMMON_RATE_H
#define WEIR_COMMON_RATE_H

#include "common/bytes.h"

#include <stdbool.h>
#include <stdint.h>

struct weir_rate;

/* What a caller is told. */
struct weir_rate_state {
    bool counted;      /* false: nothing was asked, there is nothing to tell */
    int64_t remaining; /* requests that would be taken now */
    int64_t reset_s;   /* until all of the burst would be */
    int64_t retry_s;   /* until the next one is taken; 0: now */
};

/* per_second ≥ 1; burst: requests at once, ≥ 1. NULL when memory is out. */
struct weir_rate *weir_rate_new(int64_t per_second, int64_t burst);
/* Accepts NULL. */
void weir_rate_free(struct weir_rate *rate);

/* Takes a token of `caller` (any bytes that stand for one) at now_us of a steady clock; false when there is
 * none. Callers are told apart by a seeded hash; beyond 65536 that are active at once some share a bucket.
 * Threads: any. */
bool weir_rate_take(
    struct weir_rate *rate, struct weir_bytes caller, int64_t now_us, struct weir_rate_state *ret_state);

/* The value of RateLimit-Policy; borrowed. */
const char *weir_rate_policy(const struct weir_rate *rate);

#endif
