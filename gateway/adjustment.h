/* The body of an adjust: numbers, and objects of them. */
#ifndef WEIR_GATEWAY_ADJUSTMENT_H
#define WEIR_GATEWAY_ADJUSTMENT_H

#include "gateway/route.h"

#include <jansson.h>

/* Refuses with 422, at its place, the first member that is something else. WEIR_STEP_SUSPENDED: go on.
 * Threads: the request's own. */
enum weir_step weir_adjustment_check(struct weir_request *request, json_t *body);

#endif
