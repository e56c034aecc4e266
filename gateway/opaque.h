/* Bodies that need not be JSON, of collections that say `body = opaque`: a text goes to the topic as it came,
 * and the store makes a document of it. */
#ifndef WEIR_GATEWAY_OPAQUE_H
#define WEIR_GATEWAY_OPAQUE_H

#include "gateway/request.h"

/* Whether the request may bring a text. */
bool weir_opaque_is_taken(const struct weir_request *request);

/* Whether its body is one: no JSON object, and not said to be JSON. */
bool weir_opaque_is_text(const struct weir_request *request);

/* Checks the text and makes it the command's body. WEIR_STEP_SUSPENDED: goes on. */
enum weir_step weir_opaque_prepare(struct weir_request *request);

#endif
