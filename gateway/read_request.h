/* What became of a request: GET /v1/requests/{id}?at=…&wait=…, and the wait of a client that prefers to wait
 * for its own command. */
#ifndef WEIR_GATEWAY_READ_REQUEST_H
#define WEIR_GATEWAY_READ_REQUEST_H

#include "gateway/request.h"

enum weir_step weir_read_request_run(struct weir_request *request);

/* The request's command is written, at position, and its client is suspended. True when the answer is now
 * that of the store, or 202 when it takes too long; false when the client does not want to wait, or can't.
 * Threads: any. */
bool weir_read_request_await(struct weir_request *request, struct weir_request_position position);

/* The collection of the command that a request target asks for by ?at=; NULL for none. */
const struct weir_gateway_collection *weir_read_request_collection(const struct weir_request *request);

#endif
