/* If-None-Match against a document's ETag, by weak comparison (RFC 9110 §13.1.2). */
#ifndef WEIR_GATEWAY_ETAG_H
#define WEIR_GATEWAY_ETAG_H

#include "common/bytes.h"

#include <stdbool.h>

/* Whether the list (data NULL: no header) holds etag, which is written as in the header ("" matches nothing),
 * or *. */
bool weir_etag_matches(struct weir_bytes list, const char *etag);

#endif
