/* Builds a batch: first what partitions still hold, then what the consumer has, up to batch.max and
 * batch.max.bytes. Takes what is there: waits only while there is nothing at all. */
#ifndef WEIR_RUNTIME_COLLECT_H
#define WEIR_RUNTIME_COLLECT_H

struct weir_runtime;

/* Fills runtime->batch, waiting up to idle_ms for the first record. Rebalances happen in here. Answers 0, or
 * a negative code when the consumer is beyond repair. */
struct weir_error;
int weir_collect(struct weir_runtime *runtime, int idle_ms, struct weir_error *err);

/* struct weir_batch_port */
struct weir_slot;
struct weir_arena;
int weir_collect_decode(void *context, struct weir_slot *slot, struct weir_arena *arena);
void weir_collect_release(void *context, void *message);

#endif
