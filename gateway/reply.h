/* From a request's outcome to the HTTP answer: 202 with its JSON, a document with its validators, or
 * application/problem+json (RFC 9457). */
#ifndef WEIR_GATEWAY_REPLY_H
#define WEIR_GATEWAY_REPLY_H

#include "gateway/request.h"

/* Appends the JSON that tells of a command's outcome, or of its problem: what is answered if it came alone.
 */
void weir_reply_write_body(const struct weir_request *request, struct weir_buffer *out);

/* Queues the answer to request->outcome. Answers what libmicrohttpd's handler has to answer. */
enum MHD_Result weir_reply_queue(struct weir_request *request);

#endif
