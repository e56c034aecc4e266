/* Prefer (RFC 7240), as far as the gateway honours it. Threads: any. */
#ifndef WEIR_GATEWAY_PREFER_H
#define WEIR_GATEWAY_PREFER_H

#include "common/bytes.h"

#include <stdbool.h>
#include <stdint.h>

/* The seconds of `wait=N`, in ms, at most a day; without one 0 with `respond-async`, else fallback_ms. */
int64_t weir_prefer_wait_ms(struct weir_bytes prefer, int64_t fallback_ms);

/* Whether it holds `return=minimal`. */
bool weir_prefer_minimal(struct weir_bytes prefer);

/* Whether `standby` is among them: rather an older document than none. */
bool weir_prefer_standby(struct weir_bytes prefer);

#endif
