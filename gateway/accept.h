/* The header Accept (RFC 9110 §12.5.1), for answers that come in one media type only. Threads: any. */
#ifndef WEIR_GATEWAY_ACCEPT_H
#define WEIR_GATEWAY_ACCEPT_H

#include "common/bytes.h"

#include <stdbool.h>

/* Whether a client whose Accept header has this value (data NULL: it sent none) takes media_type, which is
 * written as "application/json". The most specific range decides; one with q=0 means never. A range that
 * can't be read is left out. */
bool weir_accept_takes(struct weir_bytes accept, const char *media_type);

#endif
