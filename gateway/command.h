/* From a request that changes a document to its command record, and from the broker's acknowledgement to the
 * outcome. */
#ifndef WEIR_GATEWAY_COMMAND_H
#define WEIR_GATEWAY_COMMAND_H

#include "gateway/produce.h"
#include "gateway/route.h"

/* Checks conditions, body and key, and makes request->key and id what the record will have.
 * WEIR_STEP_SUSPENDED: goes on. */
enum weir_step weir_command_check(struct weir_request *request);

/* Checks the request, suspends it and has the record handed to the producer at the end of the HTTP thread's
 * turn: what head and key point to has to last as long as the request. */
enum weir_step weir_command_run(struct weir_request *request);

/* Takes a key over into request->key, or refuses it at the member that holds it; data NULL: it is no string.
 * WEIR_STEP_SUSPENDED: goes on. */
enum weir_step weir_command_take_key(struct weir_request *request, struct weir_bytes text);

/* The producer's report; opaque is the request, whose reference is given back. */
void weir_command_reported(void *opaque, const struct weir_delivery *delivery);

#endif
