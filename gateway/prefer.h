/* Prefer (RFC 7240), as far as the gateway honours it. Threads: any. */
#ifndef WEIR_GATEWAY_PREFER_H
#define WEIR_GATEWAY_PREFER_H

#include "common/bytes.h"

#include <stdint.h>

/* The seconds of `wait=N`, in ms; 0 without one, or when it is no number. At most a day. */
int64_t weir_prefer_wait_ms(struct weir_bytes prefer);

#endif
