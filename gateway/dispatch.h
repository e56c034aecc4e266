/* The dispatch of operations: one path takes {"operation": …, "tableName": …, "payload": …} and answers once
 * the operation has ended, as a function behind a cloud's gateway does that passes them on to its table
 * service.
 *
 *     {"operation": "create", "tableName": "orders", "payload": {"Item": {"orderID": "o-1", "total": 19.99}}}
 *
 * create (puts the item in any case), read, update and delete are commands and reads of the table's
 * collection; list, echo, ping. Payloads are those of Amazon DynamoDB's document clients (items are plain
 * JSON). */
#ifndef WEIR_GATEWAY_DISPATCH_H
#define WEIR_GATEWAY_DISPATCH_H

#include "gateway/route.h"

enum weir_step weir_dispatch_run(struct weir_request *request);

#endif
