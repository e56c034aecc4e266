/* /openapi.json: what this gateway takes and answers, as OpenAPI 3.1 and made at start from the route table,
 * the configured collections with their aliases, and their schemas. Each row of the route table brings its
 * own description (openapi_operations.h), so that no route is left out. */
#ifndef WEIR_GATEWAY_OPENAPI_H
#define WEIR_GATEWAY_OPENAPI_H

#include "common/error.h"
#include "gateway/gateway.h"
#include "gateway/route.h"

struct weir_openapi;

/* Needs the settings and the collections. WEIR_E_CONFIG: a schema file can't be shown; the text names it.
 * WEIR_E_INTERNAL: memory is out, or a description is broken. Not thread-safe. */
int weir_openapi_open(
    const struct weir_gateway *gateway, struct weir_openapi **ret_openapi, struct weir_error *err);
/* Accepts NULL. */
void weir_openapi_close(struct weir_openapi *openapi);

/* Answers with the document. Threads: any. */
enum weir_step weir_openapi_run(struct weir_request *request);

#endif
