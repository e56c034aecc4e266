/* What a command does to a document: a pure function of the command, its key and body and the document as it
 * is. No Kafka, no RocksDB, no clock.
 *
 *     struct weir_effect effect;
 *     int r = weir_command_apply(&rules, &command, key, body, exists ? &document : NULL, &scratch, &effect);
 */
#ifndef WEIR_STORE_COMMAND_H
#define WEIR_STORE_COMMAND_H

#include "common/bytes.h"
#include "common/envelope.h"
#include "common/error.h"
#include "consumers/plugins/store/adjust.h"
#include "consumers/plugins/store/document.h"

#include <stdint.h>

/* What the collection says. */
struct weir_rules {
    const char *collection;  /* "orders" */
    const char *key_field;   /* "orderID" */
    const char *text_member; /* that holds a body which is no JSON object; NULL: there are none */
    int32_t partitions;
    const struct weir_minimum *minimums;
    size_t minimum_count;
};

enum weir_effect_kind {
    WEIR_EFFECT_CREATED,
    WEIR_EFFECT_UPDATED,
    WEIR_EFFECT_DELETED,
    WEIR_EFFECT_UNCHANGED, /* an outcome: nothing was to be done */
    WEIR_EFFECT_REJECTED,  /* an outcome: the document is not as the command asks */
    WEIR_EFFECT_REFUSED,   /* a dead letter: can never succeed */
    WEIR_EFFECT_COUNT,
};

struct weir_effect {
    enum weir_effect_kind kind;
    uint64_t version;           /* of the change; 0 for none */
    struct weir_bytes document; /* CREATED, UPDATED: the new text; points into the body or scratch */
    const char *error;          /* REJECTED: "already-exists", "precondition-failed", "not-found" (nothing to
                                   adjust), "minimum"; else NULL */
    const char *disposition;    /* REFUSED: "invalid", "wrong-partition" */
    const char *error_type;     /* REFUSED: "json", "text", "key", "command", "partition", "adjust" */
    struct weir_error why;      /* REFUSED, and REJECTED for a minimum: for people */
    struct weir_bytes problem;  /* what the outcome tells of it (problem.h); empty: what is in `why` */
};

/* "created", …: for metrics. */
const char *weir_effect_name(enum weir_effect_kind kind);

/* Whether the key may be one, and belongs to the partition it came on. 0, or WEIR_E_INVALID with a REFUSED
 * effect. Threads: any. */
int weir_command_check_key(
    const struct weir_rules *rules, struct weir_bytes key, int32_t partition, struct weir_effect *ret_effect);

/* Whether a request id may be one: 1–255 visible characters without a quotation mark, because it is the
 * document's entity tag (RFC 9110 §8.8.3). 0, or WEIR_E_INVALID with a REFUSED effect. */
int weir_command_check_request(struct weir_bytes request, struct weir_effect *ret_effect);

/* Decides. command: request must be set. body: the record's value. current: NULL if there is no document.
 * scratch: where a new text is built when the body's own bytes are not it. *ret_effect is always filled.
 * Returns 0, or WEIR_E_INTERNAL when memory is out. Threads: any, each with its own scratch. */
int weir_command_apply(const struct weir_rules *rules, const struct weir_command *command,
    struct weir_bytes key, struct weir_bytes body, const struct weir_document *current,
    struct weir_buffer *scratch, struct weir_effect *ret_effect);

#endif
