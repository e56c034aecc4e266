/* The envelope around every record: header names and their values, both ways (CloudEvents 1.0 Kafka binding, binary
 * mode, plus Weir's own). A header value is UTF-8 text, at most 1 KiB, without control characters. */
#ifndef WEIR_COMMON_ENVELOPE_H
#define WEIR_COMMON_ENVELOPE_H

#include "common/bytes.h"
#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEIR_HEADER_SPECVERSION "ce_specversion"
#define WEIR_HEADER_ID "ce_id"
#define WEIR_HEADER_TYPE "ce_type"
#define WEIR_HEADER_SOURCE "ce_source"
#define WEIR_HEADER_SUBJECT "ce_subject"
#define WEIR_HEADER_TIME "ce_time"
#define WEIR_HEADER_CONTENT_TYPE "content-type"
#define WEIR_HEADER_TRACEPARENT "traceparent"
#define WEIR_HEADER_PRINCIPAL "weir-principal"
#define WEIR_HEADER_IF_MATCH "weir-if-match"
#define WEIR_HEADER_IF_NONE_MATCH "weir-if-none-match"
#define WEIR_HEADER_FINGERPRINT "weir-fingerprint"
#define WEIR_HEADER_ORIGIN "weir-origin"
#define WEIR_HEADER_REASON "weir-reason"
#define WEIR_REASON_REPUBLISH "republish" /* its value where an operator wrote a document to its change log again */
#define WEIR_HEADER_ATTEMPT "weir-attempt"
#define WEIR_HEADER_NOT_BEFORE "weir-not-before"
#define WEIR_HEADER_ERROR "weir-error"
#define WEIR_HEADER_DONE "weir-done"
#define WEIR_HEADER_DISPOSITION "weir-disposition"
#define WEIR_HEADER_ERROR_TYPE "weir-error-type"
#define WEIR_HEADER_ORIGINAL_TIMESTAMP "weir-original-timestamp"
#define WEIR_HEADER_REDRIVE_COUNT "weir-redrive-count"
#define WEIR_HEADER_CUT "weir-cut"
#define WEIR_HEADER_PATCHED "weir-patched"
#define WEIR_HEADER_DLQ_TOPIC "__dlq.errors.topic"
#define WEIR_HEADER_DLQ_PARTITION "__dlq.errors.partition"
#define WEIR_HEADER_DLQ_OFFSET "__dlq.errors.offset"
#define WEIR_HEADER_DLQ_GROUP "__dlq.errors.group"
#define WEIR_HEADER_DLQ_DELIVERY_COUNT "__dlq.errors.delivery.count"
#define WEIR_HEADER_DLQ_MESSAGE "__dlq.errors.message"

enum { WEIR_HEADER_VALUE_BYTES = 1024, WEIR_KEY_BYTES = 255 };

/* A number in a header's value: decimal digits only, without sign or leading zeros, 0..most; -1 otherwise. */
int64_t weir_header_number(struct weir_bytes text, int64_t most);

/* The last header of that name, or data NULL. */
struct weir_bytes weir_header_find(const struct weir_header *headers, size_t count, const char *name);

enum weir_operation {
    WEIR_OPERATION_CREATE,
    WEIR_OPERATION_REPLACE,
    WEIR_OPERATION_MERGE,
    WEIR_OPERATION_DELETE,
    WEIR_OPERATION_ADJUST,
};
/* "create", …; the word of ce_type. */
const char *weir_operation_name(enum weir_operation operation);

/* A command as its headers tell it. All spans point into the headers. */
struct weir_command {
    enum weir_operation operation;
    struct weir_bytes request; /* ce_id; data NULL if the record has none (put there by kcat) */
    struct weir_bytes content_type, traceparent, principal, if_match, if_none_match, fingerprint;
    int64_t redrive_count;
};

/* Reads the headers of a command record of `collection`. A record without ce_type is a replace, or with a null
 * value a delete. WEIR_E_INVALID: unknown or foreign ce_type, a value that is too long or not text. Threads: any. */
int weir_command_read(const char *collection, const struct weir_header *headers, size_t count, bool has_value,
    struct weir_command *ret_command, struct weir_error *err);

/* Key rule: 1–255 bytes of UTF-8 without control characters. */
int weir_key_check(struct weir_bytes key, struct weir_error *err);

/* Identifiers (RFC 9562), lower case with hyphens; out gets 36 characters and a NUL. */
enum { WEIR_ID_BYTES = 37 };
void weir_id_v7(char out[static WEIR_ID_BYTES]);
/* v5 over Weir's namespace and the parts, each preceded by its length so that ("a","bc") is not ("ab","c"). */
void weir_id_v5(const struct weir_bytes *parts, size_t count, char out[static WEIR_ID_BYTES]);
/* The request id of a record without one: v5 of cluster id, topic, partition, offset. */
void weir_id_of_record(const char *cluster, const char *topic, int32_t partition, int64_t offset,
    char out[static WEIR_ID_BYTES]);

/* "orders/3/1207": topic/partition/offset, the form of weir-origin, at and Weir-Position. */
enum { WEIR_POSITION_BYTES = 300 };
void weir_position_write(const char *topic, int32_t partition, int64_t offset, char out[static WEIR_POSITION_BYTES]);
int weir_position_read(struct weir_bytes text, char *topic, size_t topic_size, int32_t *ret_partition,
    int64_t *ret_offset, struct weir_error *err);

/* traceparent (W3C Trace Context): passes a valid one on as it is, else begins one. out: 55 characters and a NUL. */
enum { WEIR_TRACEPARENT_BYTES = 56 };
void weir_traceparent(struct weir_bytes given, char out[static WEIR_TRACEPARENT_BYTES]);
/* The trace id of a valid one, 32 digits within it; else data NULL. */
struct weir_bytes weir_trace_id(struct weir_bytes traceparent);

#endif
