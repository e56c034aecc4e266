/* The strict gate: reads a request's header fields and refuses what libmicrohttpd lets through, so that no
 * proxy in front can see other requests than we do (RFC 9112 §11.2). */
#ifndef WEIR_GATEWAY_HEAD_H
#define WEIR_GATEWAY_HEAD_H

#include "common/bytes.h"
#include "common/error.h"

#include <microhttpd.h>

#include <stdbool.h>
#include <stdint.h>

/* What lists say that came in several lines. */
struct weir_head_lists {
    struct weir_buffer prefer, accept;
};
void weir_head_lists_done(struct weir_head_lists *lists);

/* The fields the gateway acts on. Values point into libmicrohttpd's memory, which is valid until the request
 * is completed, or into the lists. */
struct weir_head {
    struct weir_bytes host, content_length, transfer_encoding, content_type, authorization, idempotency_key,
        if_match, if_none_match, traceparent, expect, content_encoding, prefer, position, origin, accept,
        request_method;
    int64_t body_bytes; /* as announced; 0: none; -1: chunked, not known */
};

/* The parts of the request line, where libmicrohttpd has them. */
struct weir_request_line {
    const char *method, *target, *version;
    size_t target_len; /* with the query, which the library cuts off in place */
};

/* Reads and checks line and fields; lists are empty before, and needed as long as the head.
 * WEIR_E_INVALID: 400 and the connection is closed. */
int weir_head_read(struct MHD_Connection *connection, const struct weir_request_line *line,
    struct weir_head_lists *lists, struct weir_head *ret_head, struct weir_error *err);

/* Whether the Content-Type is that media type, whatever its parameters. Case does not matter. */
bool weir_head_is_media_type(struct weir_bytes content_type, const char *media_type);

#endif
