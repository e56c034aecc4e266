/* Dead letters: records that can't be handled go to <source>.<service>.dlq, on their partition number, with
 * the headers of KIP-1191 and Weir's own (ARCHITECTURE.md "Topics"), in the batch's transaction. */
#ifndef WEIR_RUNTIME_DEAD_LETTER_H
#define WEIR_RUNTIME_DEAD_LETTER_H

#include "common/error.h"

struct weir_batch;
struct weir_runtime;
struct weir_slot;
struct weir_target;

/* Lets the plugin emit for the batch's dead records and queues their letters. */
int weir_dead_letters_write(struct weir_runtime *runtime, struct weir_error *err);

/* Queues the letter of one record of the service's topic `source` (with prefix), that came from there or back
 * from its retry topic: then weir-origin tells its position. A letter that is too large for `target` loses
 * its value, then its key if need be, then headers: weir-cut says so with lengths and SHA-256, so that size
 * never fails a batch. WEIR_E_INTERNAL: memory is out. */
int weir_dead_letter_queue(struct weir_batch *batch, struct weir_slot *slot, struct weir_target *target,
    const char *source, const char *group);

#endif
