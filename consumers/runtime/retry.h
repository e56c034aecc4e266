/* Records of the retry topic: how a state is written and read, and a batch's part in it. A state is the
 * record as it came, with headers that say where from (weir-origin), how often it was executed
 * (weir-attempt), when it may be again (weir-not-before), why (weir-error) and its first timestamp. A record
 * with weir-done and no body ends its origin. No Kafka in here. */
#ifndef WEIR_RUNTIME_RETRY_H
#define WEIR_RUNTIME_RETRY_H

#include "consumers/runtime/batch.h"

/* A record that was read of the retry partition goes into the parking, which was then read up to it. Without
 * a readable weir-origin it is its own origin, its place on the retry topic. It may wait until latest_ms
 * (wall clock) at most, whatever it asks for. 0, or WEIR_E_INTERNAL when memory is out. */
int weir_retry_take_in(struct weir_parking *parking, const struct weir_record *record, int64_t latest_ms);

/* After settle. First: what no record of the retry topic can hold, not even without the text of its error,
 * becomes a dead letter. Then, behind all that the plugin emitted: the states of what is parked by this
 * batch, and the ends of what was parked and is finished. now_ms: wall clock. WEIR_E_INTERNAL: memory is out.
 */
int weir_retry_check(struct weir_batch *batch);
int weir_retry_write(struct weir_batch *batch, int64_t now_ms);

/* The batch is committed and its outputs carry their offsets: its partitions' parkings move. WEIR_E_INTERNAL:
 * they are to be taken anew. */
int weir_retry_apply(struct weir_batch *batch);

#endif
