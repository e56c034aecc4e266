/* One record on its way through a batch: what handle.c, emit.c and requests.c share. For them only. */
#ifndef WEIR_STORE_TURN_H
#define WEIR_STORE_TURN_H

#include "common/envelope.h"
#include "consumers/plugins/store/ending.h"
#include "consumers/plugins/store/store.h"

struct weir_turn {
    struct weir_store *store;
    struct weir_batch *batch;
    const struct weir_record *record;
    const struct weir_source *source;
    struct weir_command command;
    char derived_request[WEIR_ID_BYTES];
    char at[WEIR_POSITION_BYTES]; /* where the command stands; so do the next two */
    int32_t partition;
    int64_t offset;
};

/* Finds where the command stands. A retried or redriven record names it in a header; on the source topic
 * itself that header, and that of the redrive count, are nobody's to set. */
struct weir_turn weir_turn_begin(
    struct weir_store *store, struct weir_batch *batch, const struct weir_record *record);
/* The id of a request that came without one: it stays the same however often the record is retried. */
struct weir_bytes weir_turn_derive_request(struct weir_turn *turn);

/* document_schema.c: makes a change REFUSED whose document breaks the schema. 0, or WEIR_E_INTERNAL when
 * memory is out. */
int weir_turn_check_schema(const struct weir_turn *turn, struct weir_effect *effect);

/* emit.c: the event of a change, and behind that of a delete the null that lets compaction forget the key. 0,
 * WEIR_E_TOO_LARGE, or another error. */
int weir_emit_change(struct weir_turn *turn, const struct weir_effect *effect,
    const struct weir_document *current, struct weir_error *err);
/* In tick: the same for a document that is too old, with "ttl" as its reason. */
int weir_emit_expiry(struct weir_store *store, struct weir_batch *batch, const struct weir_source *source,
    int32_t partition, struct weir_bytes key, const struct weir_document *document, struct weir_error *err);
/* error: NULL for none. problem: what was wrong, or empty. first: where the command stands that this one
 * repeats, NULL for none. */
int weir_emit_outcome(struct weir_turn *turn, const char *outcome, const char *error,
    struct weir_bytes problem, const char *first, struct weir_error *err);

/* requests.c: keeps how the command ended, for repeats that follow in this batch and for all others once it
 * is committed. A request id of more than WEIR_REQUEST_BYTES is not kept. */
int weir_turn_keep_ending(struct weir_turn *turn, const struct weir_effect *effect);
/* Whether this batch has kept that this very command is a dead letter. The spans of *ret_ending are good
 * until the next ending is kept. */
bool weir_turn_find_letter(struct weir_turn *turn, struct weir_ending *ret_ending);

#endif
