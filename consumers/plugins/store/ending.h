/* How a command ended, as it is kept for a day: so that a repeat of its request has no effect, and that
 * whoever asks for the request can be told.
 *
 * Everything in it comes from the change event or the outcome record, so that one kept after a commit and one
 * restored from the topics are the same bytes. Layout, little endian: format (1 byte), kind (1), redrive
 * count (4), version (8), time in ms (8), partition (4) and offset (8) of the command, when it was accepted
 * in ms (8), offset of the change (8), then error,
 * fingerprint and document key, each behind its length (1), then the problem.
 */
#ifndef WEIR_STORE_ENDING_H
#define WEIR_STORE_ENDING_H

#include "common/bytes.h"
#include "common/error.h"
#include "consumers/plugins/store/command.h"

#include <stdint.h>

struct weir_ending {
    enum weir_effect_kind kind; /* REFUSED: it became a dead letter */
    uint32_t redrive_count;     /* of the execution that ended so */
    uint64_t version;           /* of a change; else 0 */
    int64_t ts_ms;
    int32_t partition; /* where the command stands on its topic */
    int64_t offset;
    int64_t accepted_ms; /* by its topic; -1: unknown */
    int64_t change;      /* offset of the event on the change topic, same partition; -1: none, or unknown */
    struct weir_bytes error;       /* of an outcome, or the disposition of a dead letter; data NULL: none */
    struct weir_bytes fingerprint; /* data NULL: it had none; beyond 255 bytes it is cut */
    struct weir_bytes key;         /* of the document */
    struct weir_bytes problem;     /* what was wrong (problem.h); empty: nothing is told */
};

/* Sets `change` in what weir_ending_write has made, with this many bytes at this place. */
enum { WEIR_ENDING_CHANGE_AT = 42, WEIR_ENDING_CHANGE_BYTES = 8 };
void weir_ending_write_change(int64_t change, char out[static WEIR_ENDING_CHANGE_BYTES]);

/* Replaces the content of out. out->failed tells of no memory. */
void weir_ending_write(const struct weir_ending *ending, struct weir_buffer *out);

/* The spans of *ret_ending point into stored. WEIR_E_CORRUPT: nothing of a known format. Threads: any. */
int weir_ending_read(struct weir_bytes stored, struct weir_ending *ret_ending, struct weir_error *err);

/* Whether a command with this fingerprint (data NULL: none) is the one that ended so. */
bool weir_ending_is_of(const struct weir_ending *ending, struct weir_bytes fingerprint);

/* "stored", "unchanged", "rejected", "dead-lettered". */
const char *weir_ending_name(enum weir_effect_kind kind);

#endif
