/* A document as it lies in RocksDB: the text as it came, and what is known about its last change.
 *
 * Everything in it comes from the change event, so that a document applied after a commit and the same one
 * restored from the log are the same bytes. Layout: format (1 byte), length of the request id (1), version
 * (8, little endian), time of the change in ms (8), request id, text.
 */
#ifndef WEIR_STORE_DOCUMENT_H
#define WEIR_STORE_DOCUMENT_H

#include "common/bytes.h"
#include "common/error.h"

#include <stdint.h>

enum { WEIR_REQUEST_BYTES = 255 }; /* longest request id; it is an HTTP entity tag */

struct weir_document {
    uint64_t version;          /* from 1 */
    int64_t changed_ms;        /* since 1970 */
    struct weir_bytes request; /* id of the last change, at most WEIR_REQUEST_BYTES */
    struct weir_bytes text;    /* the JSON object */
};

/* Replaces the content of out. out->failed tells of no memory. */
void weir_document_write(const struct weir_document *document, struct weir_buffer *out);

/* The spans of *ret_document point into stored. WEIR_E_CORRUPT: no document of a known format. Threads: any.
 */
int weir_document_read(struct weir_bytes stored, struct weir_document *ret_document, struct weir_error *err);

#endif
