/* A collection's JSON Schema as Schema Objects of OpenAPI 3.1 (which are those of draft 2020-12): that of its
 * stored documents, and those of what may be sent. What is within JSON's own limits here (common/json) is
 * added. */
#ifndef WEIR_GATEWAY_OPENAPI_SCHEMA_H
#define WEIR_GATEWAY_OPENAPI_SCHEMA_H

#include "common/deployment.h"
#include "common/error.h"

#include <jansson.h>

/* Puts NAME, NAME.create, NAME.replace, NAME.merge, NAME.key and those of the dispatch into schemas, an
 * object. WEIR_E_CONFIG: the schema file can't be read; WEIR_E_INTERNAL: memory is out. */
int weir_openapi_schemas_add(
    const struct weir_collection *collection, json_t *schemas, struct weir_error *err);

#endif
