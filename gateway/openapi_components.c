#include "gateway/openapi_operations.h"

/* clang-format off */
#define JSON(...) #__VA_ARGS__

const char weir_doc_components[] = JSON({
    "securitySchemes": {
        "clientCertificate": {"type": "mutualTLS", "description": "A certificate that a line of keys.file names."},
        "accessKey": {"type": "http", "scheme": "bearer", "description": "A key of the gateway's keys.file. Each operation names the scope that the key has to have in x-weir-scope; a scope's collection or verb may be *."}},
    "parameters": {
        "Idempotency-Key": {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
            "description": "A repeat of the request with the same key and body has no second effect and is told the first outcome; with another body it is refused. Remembered for 24 hours, per principal, method, path and document key."},
        "Prefer": {"name": "Prefer", "in": "header", "schema": {"type": "string", "pattern": "^[\\t -~\\u0080-\\u00ff]*$"},
            "description": "RFC 7240. wait=N: N seconds, cut to the gateway's timeout. Of a command its outcome is waited for, and 202 answered if it takes longer; of a read the position that Weir-Position names. respond-async: not at all. return=minimal: the answer to a command has no body. Preferences that are not known are passed over."},
        "If-Match": {"name": "If-Match", "in": "header", "schema": {"type": "string", "pattern": "^[ -~]{0,1024}$"},
            "description": "Carried out only if the document's ETag is among these; * stands for any."},
        "If-None-Match": {"name": "If-None-Match", "in": "header", "schema": {"type": "string", "pattern": "^[ -~]{0,1024}$"},
            "description": "Carried out only if the document's ETag is not among these; * asks that there is none."},
        "If-None-Match-Read": {"name": "If-None-Match", "in": "header", "schema": {"type": "string", "pattern": "^[\\t -~\\u0080-\\u00ff]*$"},
            "description": "304 if the ETag is among these."},
        "Weir-Position": {"name": "Weir-Position", "in": "header", "schema": {"type": "string", "format": "weir-position", "pattern": "^[A-Za-z0-9._-]{1,200}/(0|[1-9][0-9]{0,8})/(0|[1-9][0-9]{0,17})$"},
            "description": "Where a command of this document stands, as its 202 told: the document is read as it is after that command."},
        "traceparent": {"name": "traceparent", "in": "header", "schema": {"type": "string", "pattern": "^[\\t -~\\u0080-\\u00ff]*$"},
            "description": "W3C Trace Context; passed on with the command. One that is not valid is replaced by a new one."},
        "key": {"name": "key", "in": "path", "required": true, "schema": {"$ref": "#/components/schemas/Key"},
            "description": "The document's key, percent-encoded."},
        "file": {"name": "file", "in": "path", "required": true, "schema": {"type": "string", "minLength": 1, "pattern": "^[^\\u0000]+$"}, "description": "A file's name."},
        "request": {"name": "request", "in": "path", "required": true, "schema": {"$ref": "#/components/schemas/Key"},
            "description": "The request id that the command was answered with."},
        "at": {"name": "at", "in": "query", "required": true, "schema": {"$ref": "#/components/schemas/Position"},
            "description": "The Weir-Position that the command was answered with."},
        "wait": {"name": "wait", "in": "query", "schema": {"type": "integer", "minimum": 0, "maximum": 3600},
            "description": "Seconds to wait for the outcome, cut to the gateway's timeout."},
        "limit": {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
            "description": "Most documents of one answer."},
        "cursor": {"name": "cursor", "in": "query", "schema": {"type": "string", "pattern": "^([0-9a-f]{2}){0,512}$"},
            "description": "Where to go on, as the Link of the page before tells."},
        "order": {"name": "order", "in": "query", "schema": {"enum": ["asc", "desc"], "default": "asc"},
            "description": "Ascending or descending."},
        "token": {"name": "token", "in": "query", "schema": {"$ref": "#/components/schemas/Text"}, "description": "The credential of a link."},
        "version": {"name": "version", "in": "query", "schema": {"$ref": "#/components/schemas/Text"}, "description": "The version of the subscription that a link is for."}},
    "headers": {
        "X-Request-Id": {"required": true, "schema": {"type": "string", "minLength": 36, "maxLength": 36}, "description": "The id of this request, the same in log, records and mails; of a command with an Idempotency-Key the id that all its repeats have."},
        "ETag": {"required": true, "schema": {"type": "string", "pattern": "^\"[^\"]*\"$"}, "description": "Of a document: the request id of its last change, which never repeats."},
        "Changed-ETag": {"schema": {"type": "string"}, "description": "The document's new one, if there was a change."},
        "Last-Modified": {"required": true, "schema": {"type": "string"}, "description": "When the document was last changed."},
        "Weir-Version": {"required": true, "schema": {"type": "string", "pattern": "^[0-9]+$"}, "description": "Changes of the document since it was created; no identity by itself, for it begins again after a delete."},
        "Weir-Position": {"schema": {"$ref": "#/components/schemas/Position"}, "description": "Where the command stands; a read with it sees the command's effect."},
        "Location": {"schema": {"type": "string"}, "description": "Where the command's outcome is told."},
        "Preference-Applied": {"schema": {"type": "string"}, "description": "RFC 7240: what of Prefer was heeded."},
        "Link": {"schema": {"type": "string"}, "description": "rel=next: the next page, if there is one (RFC 8288)."},
        "Allow": {"required": true, "schema": {"type": "string"}, "description": "The methods of this path."},
        "Accept": {"schema": {"type": "string"}, "description": "The media type of the body that would be taken."},
        "Accept-Patch": {"schema": {"type": "string"}, "description": "The media type of patches (RFC 5789)."},
        "RateLimit": {"schema": {"type": "string"}, "description": "What is left, and when all of it will be back (draft-ietf-httpapi-ratelimit-headers)."},
        "RateLimit-Policy": {"schema": {"type": "string"}, "description": "What is allowed."},
        "Retry-After": {"required": true, "schema": {"type": "string", "pattern": "^[0-9]+$"}, "description": "Seconds."},
        "WWW-Authenticate": {"required": true, "schema": {"type": "string"}, "description": "RFC 6750"}},
    "schemas": {
        "Key": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]+$", "not": {"enum": [".", ".."]},
            "description": "1 to 255 bytes of UTF-8 without control characters."},
        "Position": {"type": "string", "format": "weir-position", "pattern": "^[A-Za-z0-9._-]{1,200}/(0|[1-9][0-9]{0,8})/(0|[1-9][0-9]{0,17})$", "description": "topic/partition/offset"},
        "Integer": {"type": "integer", "minimum": -9223372036854775808, "maximum": 9223372036854775807, "description": "Integers have 64 bits."},
        "Decimal": {"type": "number", "not": {"type": "integer"}, "description": "Other numbers are taken within the range of a double."},
        "Text": {"type": "string", "pattern": "^[^\\u0000]*$"},
        "Value": {"description": "Any JSON, 32 levels deep.", "anyOf": [
            {"type": ["null", "boolean"]},
            {"$ref": "#/components/schemas/Integer"}, {"$ref": "#/components/schemas/Decimal"}, {"$ref": "#/components/schemas/Text"},
            {"type": "array", "items": {"$ref": "#/components/schemas/Value"}},
            {"type": "object", "propertyNames": {"$ref": "#/components/schemas/Text"}, "additionalProperties": {"$ref": "#/components/schemas/Value"}}]},
        "Dispatch": {"anyOf": [
            {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Value"}, "required": ["operation"], "properties": {"operation": {"const": "echo"}, "payload": {"$ref": "#/components/schemas/Value"}}},
            {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Value"}, "required": ["operation"], "properties": {"operation": {"const": "ping"}, "payload": {"$ref": "#/components/schemas/Value"}}}]},
        "Adjustment": {"type": "object", "description": "Numbers to add, by the names that the document has for them; objects nest.",
            "propertyNames": {"$ref": "#/components/schemas/Text"},
            "additionalProperties": {"anyOf": [{"$ref": "#/components/schemas/Integer"}, {"$ref": "#/components/schemas/Decimal"}, {"$ref": "#/components/schemas/Adjustment"}]}},
        "Problem": {
            "type": "object",
            "description": "RFC 9457. The type is about:blank: what the problem is, its status says, as told with each answer; detail says what it is here.",
            "required": ["type", "title", "status", "detail", "instance", "request_id"],
            "properties": {
                "type": {"const": "about:blank"},
                "title": {"type": "string", "description": "The status in words."},
                "status": {"type": "integer", "minimum": 400, "maximum": 599},
                "detail": {"type": "string"},
                "instance": {"type": "string", "description": "urn:uuid: and the request id."},
                "request_id": {"type": "string"},
                "errors": {"type": "array", "description": "Where the body is at fault.", "items": {
                    "type": "object", "required": ["detail", "pointer"],
                    "properties": {"detail": {"type": "string"}, "pointer": {"type": "string", "description": "JSON Pointer (RFC 6901) into the body."}}}}}},
        "Command": {
            "type": "object", "required": ["request_id", "status", "key", "position"],
            "properties": {
                "request_id": {"type": "string"},
                "status": {"enum": ["accepted", "stored", "unchanged"]},
                "key": {"$ref": "#/components/schemas/Key"},
                "position": {"anyOf": [{"$ref": "#/components/schemas/Position"}, {"type": "null"}]},
                "version": {"type": "integer", "minimum": 1}},
            "additionalProperties": false},
        "Sent": {
            "type": "object", "required": ["SendMessageResponse"],
            "properties": {"SendMessageResponse": {"type": "object", "required": ["SendMessageResult", "ResponseMetadata"], "properties": {
                "SendMessageResult": {"type": "object", "required": ["MD5OfMessageBody", "MessageId"]},
                "ResponseMetadata": {"type": "object", "required": ["RequestId"]}}}}},
        "Outcome": {
            "type": "object", "required": ["request", "outcome"],
            "properties": {
                "request": {"type": "string"},
                "outcome": {"enum": ["pending", "retrying", "stored", "unchanged", "rejected", "dead-lettered"]},
                "error": {"type": "string", "description": "Why it was rejected or dead-lettered, or what it waits for."},
                "detail": {"type": "string", "description": "What was wrong."},
                "errors": {"$ref": "#/components/schemas/Violations"},
                "key": {"$ref": "#/components/schemas/Key"},
                "at": {"$ref": "#/components/schemas/Position"},
                "first": {"$ref": "#/components/schemas/Position"},
                "op": {"enum": ["c", "u", "d"]},
                "version": {"type": "integer", "minimum": 1},
                "change": {"$ref": "#/components/schemas/Position"},
                "ts_ms": {"type": "integer", "minimum": 0}}},
        "Violations": {"type": "array", "items": {
            "type": "object", "required": ["pointer", "detail"],
            "properties": {"pointer": {"type": "string", "description": "JSON Pointer (RFC 6901) into the document."}, "detail": {"type": "string"}}}},
        "Journey": {
            "type": "object", "required": ["collection", "key", "document", "requests", "more"],
            "properties": {
                "collection": {"type": "string"},
                "key": {"$ref": "#/components/schemas/Key"},
                "waiting": {"type": "string", "description": "Why commands of this partition wait."},
                "document": {"type": ["object", "null"], "properties": {
                    "version": {"type": "integer", "minimum": 1},
                    "ts_ms": {"type": "integer", "minimum": 0},
                    "request": {"type": "string", "description": "The last change."}}},
                "requests": {"type": "array", "maxItems": 20, "items": {
                    "type": "object", "required": ["request", "accepted", "executions", "ended"],
                    "properties": {
                        "request": {"type": "string"},
                        "accepted": {"type": "object", "required": ["at"], "properties": {
                            "at": {"$ref": "#/components/schemas/Position"},
                            "ts_ms": {"type": "integer", "minimum": 0}}},
                        "executions": {"type": "integer", "minimum": 1},
                        "ended": {"type": "object", "required": ["ts_ms", "outcome"], "properties": {
                            "ts_ms": {"type": "integer", "minimum": 0},
                            "outcome": {"enum": ["stored", "unchanged", "rejected", "dead-lettered"]},
                            "error": {"type": "string"},
                            "detail": {"type": "string"},
                            "errors": {"$ref": "#/components/schemas/Violations"},
                            "op": {"enum": ["c", "u", "d"]},
                            "version": {"type": "integer", "minimum": 1},
                            "change": {"$ref": "#/components/schemas/Position"},
                            "letter": {"type": "object", "properties": {
                                "topic": {"type": "string"}, "partition": {"type": "integer", "minimum": 0}}}}}}}},
                "more": {"type": "boolean", "description": "There are more than are told."}}}},
    "responses": {
        "Accepted": {"description": "Kafka has the command and it will end exactly once: stored, dead-lettered, or without effect and on record. 200 instead of 202 where the collection says so (success.status).",
            "headers": ["X-Request-Id", "Weir-Position", "Location"], "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Command"}}}},
        "Stored": {"description": "With Prefer: wait=N: the command is carried out.",
            "headers": ["X-Request-Id", "Weir-Position", "Preference-Applied", "Changed-ETag"], "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Command"}}}},
        "UnchangedOrSent": {"description": "A message of the queue's own form: Kafka has it. With Prefer: wait=N: a repeat of a command that was carried out before.",
            "headers": ["X-Request-Id", "Weir-Position", "Changed-ETag"], "content": {
                "application/json": {"schema": {"anyOf": [{"$ref": "#/components/schemas/Command"}, {"$ref": "#/components/schemas/Sent"}]}},
                "text/xml": {"schema": {}}}},
        "Results": {"description": "The status is that of each document, or 207 where they differ.",
            "headers": ["X-Request-Id"], "content": {"application/json": {"schema": {"type": "object", "required": ["results"], "properties": {"results": {"type": "array", "items": {
                "type": "object", "required": ["status", "body"], "properties": {
                    "status": {"type": "integer", "minimum": 200, "maximum": 599},
                    "body": {"anyOf": [{"$ref": "#/components/schemas/Command"}, {"$ref": "#/components/schemas/Problem"}]}}}}}}}}},
        "Deleted": {"description": "With Prefer: wait=N: there is no such document any more.", "headers": ["X-Request-Id", "Weir-Position", "Preference-Applied"]},
        "NotModified": {"description": "The ETag is among those of If-None-Match.", "headers": ["X-Request-Id"]},
        "Methods": {"description": "Allow names the methods.", "headers": ["X-Request-Id", "Allow", "Accept-Patch"]},
        "Page": {"description": "A page for people.", "headers": ["X-Request-Id"], "content": {"text/html": {"schema": {"type": "string"}}}},
        "400": {"description": "The request is malformed: a header, a parameter, the path, or a body that is no JSON. Nothing was written."},
        "401": {"description": "No access key, or none that is known.", "headers": ["X-Request-Id", "WWW-Authenticate"]},
        "403": {"description": "The access key lacks the scope."},
        "404": {"description": "There is no such document, request or path."},
        "429": {"description": "More requests than the caller may send (rate.limit). Nothing was written.", "headers": ["X-Request-Id", "Retry-After", "RateLimit", "RateLimit-Policy"]},
        "405": {"description": "The method is not for this path.", "headers": ["X-Request-Id", "Allow"]},
        "406": {"description": "Accept names other types than application/json only."},
        "409": {"description": "The document exists already, or a number would fall below its minimum."},
        "412": {"description": "The condition of If-Match, If-None-Match or Weir-Position does not hold."},
        "413": {"description": "The body, or the document that would come of it, is too large; detail says the limit."},
        "415": {"description": "Not a media type for this path, or a Content-Encoding.", "headers": ["X-Request-Id", "Accept", "Accept-Patch"]},
        "422": {"description": "The document breaks its schema: errors has each violation. Or the Idempotency-Key was used with another body."},
        "428": {"description": "The collection asks for If-Match or If-None-Match (conditions = required)."},
        "431": {"description": "The header is too large (header.max). Answered before the gateway sees the request, and therefore not as a problem.", "headers": [], "content": {"text/html": {"schema": {"type": "string"}}}},
        "500": {"description": "The command could not be carried out and is a dead letter, with the reason."},
        "503": {"description": "Certainly not written, or not readable now: no broker, a full queue, a store that restores, a shutdown.", "headers": ["X-Request-Id", "Retry-After"]},
        "504": {"description": "No answer in time. Whether a command was written is not known: repeat it with the same Idempotency-Key."}}
});
/* clang-format on */
