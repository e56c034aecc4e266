/* weir-gateway --try: what would be done with one request, without Kafka and without a listener. */
#ifndef WEIR_GATEWAY_TRY_H
#define WEIR_GATEWAY_TRY_H

#include "gateway/gateway.h"

/* `line`: METHOD and target, "POST /v1/orders". body: a file; "-" is standard input; NULL: none. Prints one
 * JSON object: status (202 for what would be written; null where a store or the dead letters would be asked),
 * route, scope, collection, operation, request, key, topic, partition, problem. The request needs no key and
 * its body's media type is the route's. *ret_status is the exit status: 0, 65 when the request is refused. 0,
 * or what made it impossible. */
int weir_try_request(struct weir_gateway *gateway, const char *line, const char *body, int *ret_status,
    struct weir_error *err);

#endif
