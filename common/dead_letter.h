/* A dead letter: a record that could not be handled, with the reason in its headers. Reads those of Weir (the
 * names of KIP-1191 and its own), of Spring Kafka (kafka_dlt-*), Kafka Connect (__connect.errors.*) and Kafka
 * Streams (KIP-1034), finds out which are meant, and makes of one of Weir's the record for its service's
 * retry topic. No Kafka in here. Threads: any.
 *
 *     struct weir_letter letter = {.key = key, .value = value, .headers = headers, .header_count = count};
 *     weir_letter_read(&letter);
 *     if (weir_letter_matches(&filter, &letter)) …
 */
#ifndef WEIR_COMMON_DEAD_LETTER_H
#define WEIR_COMMON_DEAD_LETTER_H

#include "common/bytes.h"
#include "common/envelope.h"
#include "common/error.h"
#include "common/topic.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum weir_letter_dialect {
    WEIR_LETTER_UNKNOWN, /* no headers that say why it is here */
    WEIR_LETTER_WEIR,
    WEIR_LETTER_SPRING,
    WEIR_LETTER_CONNECT,
    WEIR_LETTER_STREAMS,
};
/* "weir", "spring", "connect", "streams", "unknown" */
const char *weir_letter_dialect_name(enum weir_letter_dialect dialect);

/* The first half is the record as it stands, given by the caller, who keeps what it points to; the second is
 * read from its headers. Any byte of it may be hostile. */
struct weir_letter {
    const char *topic;
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms; /* when the letter was written */
    struct weir_bytes key, value;
    const struct weir_header *headers;
    size_t header_count;

    enum weir_letter_dialect dialect;
    struct weir_bytes source_topic; /* of the record that failed; data NULL: not told */
    int64_t source_partition;       /* -1: not told, or no number; so with the numbers below */
    int64_t source_offset;
    struct weir_bytes group; /* Connect: the connector */
    struct weir_bytes disposition;
    struct weir_bytes error_type; /* Spring, Connect, Streams: the exception's class */
    struct weir_bytes reason;
    int64_t executions;
    int64_t original_ms;   /* when the record that failed was written */
    int64_t redrive_count; /* 0 when there is no such header */
    struct weir_bytes cut; /* what was left out of it; data NULL: nothing */
};

/* Fills the second half. */
void weir_letter_read(struct weir_letter *letter);

/* What a reader wants to see: all that is set has to hold. Start with WEIR_LETTER_ANY. Texts are borrowed. */
struct weir_letter_filter {
    const char *disposition, *error_type, *key; /* NULL: any; else equal */
    const char *reason;                         /* NULL: any; else within the reason */
    const char *source_topic;                   /* NULL: any */
    int64_t source_partition;                   /* -1: any */
    int64_t source_from, source_to;             /* offsets, both inclusive */
    int64_t from_ms, to_ms;                     /* written from..to, both inclusive */
};
#define WEIR_LETTER_ANY                                                                                      \
    ((struct weir_letter_filter){.source_partition = -1, .source_to = INT64_MAX, .to_ms = INT64_MAX})

bool weir_letter_matches(const struct weir_letter_filter *filter, const struct weir_letter *letter);

/* Fills the source half of a filter from text, TOPIC[/PARTITION[/FROM[-TO]]]. topic keeps the name, which the
 * filter borrows. WEIR_E_INVALID: it is not written so. */
int weir_letter_filter_source(
    struct weir_letter_filter *filter, const char *text, char topic[static WEIR_TOPIC_NAME_BYTES]);

/* Appends a JSON object without its closing brace: what is told of a letter wherever it is named. What is no
 * UTF-8 is replaced. */
void weir_letter_write(const struct weir_letter *letter, struct weir_buffer *out);
/* Appends a whole JSON object, with all headers and the body; those that are no UTF-8 also as hexadecimal
 * digits, so that nothing of them is lost. */
void weir_letter_write_whole(const struct weir_letter *letter, bool redriven, struct weir_buffer *out);

/* Why the letter can't go back to the service that reads `source` (a topic with prefix), or NULL if it can. A
 * letter of another system, one whose origin is not in source or not told, one that was cut. */
const char *weir_letter_obstacle(const struct weir_letter *letter, const char *source);

/* The headers of the record that takes a letter back to the retry topic: the original ones, weir-origin,
 * executions 0, due at once, the redrive count one higher; what the letter said of its failure is gone but
 * for the original timestamp. The record's own names and values stay the letter's. */
struct weir_letter_return {
    struct weir_header *headers; /* owned */
    size_t header_count;
    char origin[WEIR_POSITION_BYTES];
    char redrive_count[24];
};

/* audit: the value of weir-patched for a letter whose body was mended, else NULL. The letter must have no
 * obstacle. WEIR_E_INTERNAL: memory is out. The caller ends it with weir_letter_return_done(). */
int weir_letter_return_init(
    struct weir_letter_return *ret_return, const struct weir_letter *letter, const char *audit);
void weir_letter_return_done(struct weir_letter_return *back);

#endif
