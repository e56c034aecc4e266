/* The token of a place in a change topic: the offset that comes next in each partition, for one topic. Opaque
 * to clients, and nobody has to keep it. A checksum tells a token that was cut or mistyped; it is no secret.
 * Threads: any. */
#ifndef WEIR_GATEWAY_FEED_TOKEN_H
#define WEIR_GATEWAY_FEED_TOKEN_H

#include "common/bytes.h"
#include "common/cleanup.h"
#include "common/error.h"

#include <stdint.h>

/* Appends the token of count offsets (each ≥ 0): base64url without padding. */
void weir_feed_token_write(const char *topic, const int64_t *offsets, int32_t count, struct weir_buffer *out);

/* Fills offsets. WEIR_E_INVALID: it is no token of this topic with that many partitions; the text says why.
 */
int weir_feed_token_read(
    const char *topic, struct weir_bytes token, int64_t *offsets, int32_t count, struct weir_error *err);

#endif
