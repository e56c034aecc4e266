/* Which pages of other origins may call (the Fetch standard, §3.2): `cors.origins`, nobody by default. */
#ifndef WEIR_GATEWAY_CORS_H
#define WEIR_GATEWAY_CORS_H

#include "gateway/request.h"

#include <stdbool.h>

/* Whether the request asks, for a page that may call, what it may send: such a question comes without a
 * credential, and is answered alike for every path. */
bool weir_cors_is_preflight(const struct weir_request *request);

/* The fields of its answer, or of any other. */
void weir_cors_add_headers(const struct weir_request *request, struct MHD_Response *response);

#endif
