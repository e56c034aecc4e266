#include "gateway/openapi_operations.h"

/* clang-format off */
#define JSON(...) #__VA_ARGS__

const char weir_doc_create[] = JSON({
    "operationId": "create",
    "summary": "Create a document",
    "description": "Its key is the body's key member, or is made. A key that exists already is refused by the store: its outcome says so, and with Prefer: wait=N the answer.",
    "parameters": ["Idempotency-Key", "Prefer", "If-Match", "If-None-Match", "traceparent"],
    "requestBody": {"required": true, "content": {
        "application/json": {"schema": {"$ref": "#/components/schemas/{collection}.create"}},
        "application/x-www-form-urlencoded": {"schema": {
            "type": "object", "required": ["Action", "MessageBody"], "additionalProperties": false, "description": "The queue's own form.",
            "properties": {
                "Action": {"const": "SendMessage"},
                "MessageBody": {"type": "string", "minLength": 1, "format": "json", "contentMediaType": "application/json", "contentSchema": {"$ref": "#/components/schemas/{collection}.create"}},
                "DelaySeconds": {"const": "0"}, "QueueUrl": {"type": "string"}, "Version": {"type": "string"}}}}}},
    "x-texts": true,
    "responses": {"200": "UnchangedOrSent", "201": "Stored", "202": "Accepted"},
    "errors": [409, 412, 415, 422, 500, 504]
});

const char weir_doc_batch[] = JSON({
    "operationId": "batch",
    "summary": "Create many documents",
    "description": "Each is checked, written and told of as if it had come alone, pointers leading into the array; one that is refused stops no other. An Idempotency-Key makes each known by its place. With Prefer: wait=N all are waited for.",
    "parameters": ["Idempotency-Key", "Prefer", "traceparent"],
    "requestBody": {"required": true, "content": {"application/json": {"schema": {
        "type": "array", "minItems": 1, "maxItems": 500, "items": {"$ref": "#/components/schemas/{collection}.create"}}}}},
    "responses": {"200": "Results", "201": "Results", "202": "Results", "207": "Results"},
    "errors": [409, 415, 422, 500, 504]
});

const char weir_doc_list[] = JSON({
    "operationId": "list",
    "summary": "List documents, or find them by an indexed member",
    "description": "In the order of their keys, or of the member. One member is asked for at a time.",
    "x-only": "store",
    "x-indexes": true,
    "parameters": ["limit", "cursor", "order", "traceparent"],
    "responses": {"200": {
        "description": "The documents. An answer is complete or 503.",
        "headers": ["X-Request-Id", "Link"],
        "content": {"application/json": {"schema": {
            "type": "object", "required": ["items"],
            "properties": {"items": {"type": "array", "items": {"$ref": "#/components/schemas/{collection}"}}}}}}}},
    "errors": [406, 504]
});

const char weir_doc_methods[] = JSON({
    "operationId": "methods",
    "summary": "What this path takes",
    "responses": {"204": "Methods"}
});

const char weir_doc_methods_item[] = JSON({
    "operationId": "item-methods",
    "summary": "What this path takes",
    "responses": {"204": "Methods"}
});

const char weir_doc_read[] = JSON({
    "operationId": "read",
    "summary": "Read a document",
    "description": "With Weir-Position it is read as it is after that command; with Prefer: wait=N that is waited for.",
    "x-only": "store",
    "parameters": ["If-None-Match-Read", "Weir-Position", "Prefer", "traceparent"],
    "responses": {
        "200": {
            "description": "The document, byte for byte as it was stored.",
            "headers": ["X-Request-Id", "ETag", "Last-Modified", "Weir-Version", "Weir-Position", "Weir-Standby"],
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/{collection}"}}}},
        "304": "NotModified"},
    "errors": [404, 406, 412, 504]
});

const char weir_doc_replace[] = JSON({
    "operationId": "replace",
    "summary": "Write a whole document, whether it exists or not",
    "description": "The key may stand in the body; then it has to be the one in the path.",
    "parameters": [
        {"name": "key", "in": "path", "required": true, "schema": {"$ref": "#/components/schemas/{collection}.key"}, "description": "The document's key, percent-encoded."},
        "Idempotency-Key", "Prefer", "If-Match", "If-None-Match", "traceparent"],
    "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/{collection}.replace"}}}},
    "x-texts": true,
    "responses": {"200": "Stored", "201": "Stored", "202": "Accepted"},
    "errors": [409, 412, 415, 422, 428, 500, 504]
});

const char weir_doc_merge[] = JSON({
    "operationId": "merge",
    "summary": "Merge a patch into a document (RFC 7396)",
    "description": "A document that is not there is created. The store checks what comes of it against the schema.",
    "parameters": ["Idempotency-Key", "Prefer", "If-Match", "If-None-Match", "traceparent"],
    "requestBody": {"required": true, "content": {"application/merge-patch+json": {"schema": {"$ref": "#/components/schemas/{collection}.merge"}}}},
    "responses": {"200": "Stored", "201": "Stored", "202": "Accepted"},
    "errors": [409, 412, 415, 422, 428, 500, 504]
});

const char weir_doc_delete[] = JSON({
    "operationId": "delete",
    "summary": "Delete a document",
    "parameters": ["Idempotency-Key", "Prefer", "If-Match", "If-None-Match", "traceparent"],
    "responses": {"200": "Accepted", "202": "Accepted", "204": "Deleted"},
    "errors": [409, 412, 422, 428, 500, 504]
});

const char weir_doc_adjust[] = JSON({
    "operationId": "adjust",
    "summary": "Add to numbers of a document",
    "description": "The body names them as the document does; a sum below a minimum of the schema is refused.",
    "parameters": ["Idempotency-Key", "Prefer", "If-Match", "If-None-Match", "traceparent"],
    "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Adjustment"}}}},
    "responses": {"200": "Stored", "202": "Accepted"},
    "errors": [404, 409, 412, 415, 422, 500, 504]
});

const char weir_doc_checkout[] = JSON({
    "operationId": "checkout",
    "summary": "Make an order from the cart and empty it",
    "description": "Customer, address and items become an order, whose total is that of the items' unitPrice. The cart keeps the order in place of its items; called again it answers with the same order. The answer is about the order: 202 says that it is written and will be stored.",
    "x-only": "shop",
    "parameters": ["Prefer", "If-Match", "traceparent"],
    "responses": {"200": "Stored", "201": "Stored", "202": "Accepted"},
    "errors": [404, 409, 412, 422, 500, 504]
});

const char weir_doc_confirm_page[] = JSON({
    "operationId": "confirm-page",
    "summary": "The page behind the link in a mail that confirms a subscription",
    "x-only": "links",
    "x-open": true,
    "parameters": ["token", "version"],
    "responses": {"200": "Page", "403": "Page", "410": "Page"},
    "errors": [404]
});

const char weir_doc_unsubscribe_page[] = JSON({
    "operationId": "unsubscribe-page",
    "summary": "The page behind the link in a mail that ends a subscription",
    "x-only": "links",
    "x-open": true,
    "parameters": ["token", "version"],
    "responses": {"200": "Page", "403": "Page", "410": "Page"},
    "errors": [404]
});

const char weir_doc_confirm[] = JSON({
    "operationId": "confirm",
    "summary": "What the button on the page that confirms a subscription does",
    "x-only": "links",
    "x-open": true,
    "parameters": ["token", "version"],
    "responses": {"200": "Page", "202": "Page", "403": "Page", "410": "Page", "500": "Page"},
    "errors": [404, 504]
});

const char weir_doc_unsubscribe[] = JSON({
    "operationId": "unsubscribe",
    "summary": "What the button on the page that ends a subscription does",
    "x-only": "links",
    "x-open": true,
    "parameters": ["token", "version"],
    "responses": {"200": "Page", "202": "Page", "403": "Page", "410": "Page", "500": "Page"},
    "errors": [404, 504]
});

const char weir_doc_changes[] = JSON({
    "operationId": "changes",
    "summary": "The change feed: a long poll, or with Accept: text/event-stream server-sent events",
    "description": "Changes of one document come in their order. Each event's id is the token of the place behind it; Last-Event-ID goes on from there. The last event of a stream (event: end) says why there are no more.",
    "x-only": "feed",
    "x-views": true,
    "parameters": ["since", "changes-limit", "wait", "Last-Event-ID"],
    "responses": {"200": {
        "description": "What has changed; after the wait with nothing, too.",
        "headers": ["X-Request-Id"],
        "content": {
            "application/json": {"schema": {
                "type": "object", "required": ["changes", "next"],
                "properties": {"changes": {"type": "array", "items": {"$ref": "#/components/schemas/Change"}}, "next": {"type": "string", "description": "since= of the next poll."}}}},
            "text/event-stream": {"schema": {"type": "string"}}}}},
    "errors": [410, 504]
});

const char weir_doc_request[] = JSON({
    "operationId": "request",
    "summary": "What became of an accepted command",
    "description": "Requests are known for at least a day.",
    "parameters": ["at", "wait", "traceparent"],
    "responses": {"200": {
        "description": "The outcome, as far as there is one.",
        "headers": ["X-Request-Id"],
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Outcome"}}}}},
    "errors": [404, 406, 504]
});

const char weir_doc_journey[] = JSON({
    "operationId": "journey",
    "summary": "What became of a document's commands",
    "description": "The last 20 requests of the last day, the newest first, each from its acceptance to its end; and the document's last change. With If-None-Match and Prefer: wait=N it is answered as soon as the journey is another one, or after the wait with 304.",
    "x-only": "store",
    "parameters": ["key", "If-None-Match-Read", "Prefer", "traceparent"],
    "responses": {
        "200": {
            "description": "As far as the store knows.",
            "headers": ["X-Request-Id", "ETag", "Preference-Applied"],
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Journey"}}}},
        "304": "NotModified"},
    "errors": [404, 504]
});

const char weir_doc_openapi[] = JSON({
    "operationId": "openapi",
    "summary": "This document",
    "parameters": ["If-None-Match-Read"],
    "responses": {
        "200": {
            "description": "OpenAPI 3.1",
            "headers": ["X-Request-Id", "ETag"],
            "content": {"application/json": {"schema": {"type": "object", "required": ["openapi", "info", "paths"]}}}},
        "304": "NotModified"}
});

const char weir_doc_dispatch[] = JSON({
    "operationId": "dispatch",
    "summary": "An operation of a table proxy",
    "description": "Answers once the operation has ended. create replaces an item that is there, update makes one that is missing. Instead of AttributeUpdates an update may have an UpdateExpression with SET and REMOVE, ExpressionAttributeNames and ExpressionAttributeValues. What would not be heeded is refused. A key needs the scope of the method that does the same.",
    "parameters": ["Idempotency-Key", "traceparent"],
    "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Dispatch"}}}},
    "responses": {
        "200": {"description": "The operation has ended: Item, Items, the payload of echo, pong of ping.", "headers": ["X-Request-Id"], "content": {"application/json": {"schema": {}}}},
        "202": "Accepted"},
    "errors": [404, 409, 412, 415, 422, 428, 500, 504]
});

const char weir_doc_dispatch_methods[] = JSON({
    "operationId": "dispatch-methods",
    "summary": "What this path takes",
    "responses": {"204": "Methods"}
});

const char weir_doc_portal[] = JSON({
    "operationId": "portal",
    "summary": "A file of the order portal, a page for people",
    "x-only": "portal",
    "x-open": true,
    "parameters": ["If-None-Match-Read"],
    "responses": {
        "200": {"description": "The file.", "headers": ["X-Request-Id", "ETag"], "content": {"*/*": {"schema": {}}}},
        "304": "NotModified"},
    "errors": [404]
});

const char weir_doc_portal_session[] = JSON({
    "operationId": "portal-session",
    "summary": "Who asks, and what he may do with which collection",
    "x-only": "portal",
    "x-open": true,
    "responses": {"200": {"description": "What the portal has to know.", "headers": ["X-Request-Id"], "content": {"application/json": {"schema": {"type": "object"}}}}},
    "errors": [401]
});

const char weir_doc_dlq[] = JSON({
    "operationId": "dlq",
    "summary": "How many dead letters there are of each kind",
    "description": "By service, topic, disposition and error type; those with the most open letters first.",
    "x-only": "dlq",
    "parameters": ["letters-collection", "letters-disposition", "letters-error-type", "letters-key", "letters-source", "letters-reason", "letters-newer", "letters-older", "letters-open"],
    "responses": {"200": {
        "description": "All that there are.",
        "headers": ["X-Request-Id"],
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Letters"}}}}},
    "errors": [504]
});

const char weir_doc_dlq_letters[] = JSON({
    "operationId": "dlq-letters",
    "summary": "The dead letters of a service",
    "description": "By topic, partition and offset. What is asked for holds of all of them together.",
    "x-only": "dlq",
    "parameters": ["letters-collection", "letters-disposition", "letters-error-type", "letters-key", "letters-source", "letters-reason", "letters-newer", "letters-older", "letters-open", "letters-limit", "letters-cursor"],
    "responses": {"200": {
        "description": "A page of them. One that would take too long ends early, with or without letters, and next goes on from there.",
        "headers": ["X-Request-Id"],
        "content": {"application/json": {"schema": {
            "type": "object", "required": ["letters", "more"],
            "properties": {
                "letters": {"type": "array", "items": {"$ref": "#/components/schemas/Letter"}},
                "more": {"type": "boolean"},
                "next": {"type": "string", "description": "cursor= of the next page, if there may be more."}}}}}}},
    "errors": [404, 504]
});

const char weir_doc_dlq_letter[] = JSON({
    "operationId": "dlq-letter",
    "summary": "A dead letter with its headers and its body",
    "x-only": "dlq",
    "responses": {"200": {
        "description": "The letter. What is no UTF-8 is told as hexadecimal digits, too (value_hex).",
        "headers": ["X-Request-Id"],
        "content": {"application/json": {"schema": {"allOf": [
            {"$ref": "#/components/schemas/Letter"},
            {"type": "object", "required": ["headers", "value"], "properties": {
                "headers": {"type": "array", "items": {"type": "object", "required": ["name", "value"], "properties": {
                    "name": {"type": "string"}, "value": {"type": ["string", "null"]}, "value_hex": {"type": "string"}}}},
                "value": {"type": ["string", "null"]},
                "value_hex": {"type": "string"}}}]}}}}},
    "errors": [404, 504]
});

const char weir_doc_dlq_redrive[] = JSON({
    "operationId": "dlq-redrive",
    "summary": "Take dead letters back to their service",
    "description": "Those that the filter chooses, all without one; each goes back once, however often this is asked. What takes too long is interrupted: ask again for the rest.",
    "x-only": "dlq",
    "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/RedriveMany"}}}},
    "responses": {"200": "Redriven"},
    "errors": [404, 409, 415, 422, 504]
});

const char weir_doc_dlq_redrive_letter[] = JSON({
    "operationId": "dlq-redrive-letter",
    "summary": "Take a dead letter back to its service",
    "description": "It goes back once, however often this is asked.",
    "x-only": "dlq",
    "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Redrive"}}}},
    "responses": {"200": "Redriven"},
    "errors": [404, 409, 415, 422, 504]
});

const char weir_doc_dispatch_body[] = JSON({"anyOf": [
    {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Value"}, "required": ["operation", "tableName", "payload"], "properties": {
        "operation": {"const": "create"}, "tableName": {"const": "{collection}"},
        "payload": {"type": "object", "required": ["Item"], "additionalProperties": false,
            "properties": {"Item": {"$ref": "#/components/schemas/{collection}.item"}, "ReturnValues": {"const": "NONE"}}}}},
    {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Value"}, "required": ["operation", "tableName", "payload"], "properties": {
        "operation": {"const": "read"}, "tableName": {"const": "{collection}"},
        "payload": {"type": "object", "required": ["Key"], "additionalProperties": false,
            "properties": {"Key": {"$ref": "#/components/schemas/{collection}.keys"}, "ConsistentRead": {"type": "boolean"}}}}},
    {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Value"}, "required": ["operation", "tableName", "payload"], "properties": {
        "operation": {"const": "update"}, "tableName": {"const": "{collection}"},
        "payload": {"type": "object", "required": ["Key", "AttributeUpdates"], "additionalProperties": false,
            "properties": {"Key": {"$ref": "#/components/schemas/{collection}.keys"}, "ReturnValues": {"const": "NONE"},
                "AttributeUpdates": {"type": "object", "minProperties": 1, "description": "Not of the key.", "propertyNames": {"$ref": "#/components/schemas/Text"}, "additionalProperties": {"anyOf": [
                    {"type": "object", "required": ["Value"], "properties": {"Action": {"const": "PUT"}, "Value": {"anyOf": [
                        {"type": "boolean"}, {"$ref": "#/components/schemas/Integer"}, {"$ref": "#/components/schemas/Decimal"}, {"$ref": "#/components/schemas/Text"},
                        {"type": "array", "items": {"$ref": "#/components/schemas/Value"}}]}}, "additionalProperties": false},
                    {"type": "object", "required": ["Action"], "properties": {"Action": {"const": "DELETE"}}, "additionalProperties": false}]}}}}}},
    {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Value"}, "required": ["operation", "tableName", "payload"], "properties": {
        "operation": {"const": "delete"}, "tableName": {"const": "{collection}"},
        "payload": {"type": "object", "required": ["Key"], "additionalProperties": false,
            "properties": {"Key": {"$ref": "#/components/schemas/{collection}.keys"}, "ReturnValues": {"const": "NONE"}}}}},
    {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Value"}, "required": ["operation", "tableName"], "properties": {
        "operation": {"const": "list"}, "tableName": {"const": "{collection}"},
        "payload": {"type": "object", "additionalProperties": false,
            "properties": {"Limit": {"type": "integer", "minimum": 1, "maximum": 9223372036854775807}, "ExclusiveStartKey": {"$ref": "#/components/schemas/{collection}.keys"}, "ConsistentRead": {"type": "boolean"}}}}}
]});
/* clang-format on */
