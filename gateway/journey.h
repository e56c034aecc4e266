/* GET /v1/{collection}/{key}:journey: what became of a document's commands, as the store that owns the key
 * knows it. */
#ifndef WEIR_GATEWAY_JOURNEY_H
#define WEIR_GATEWAY_JOURNEY_H

#include "gateway/request.h"

enum weir_step weir_journey_run(struct weir_request *request);

#endif
