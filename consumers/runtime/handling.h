/* What becomes of a collected batch: handed to the plugin, settled, committed or aborted, told to the plugin.
 */
#ifndef WEIR_RUNTIME_HANDLING_H
#define WEIR_RUNTIME_HANDLING_H

#include "common/error.h"

struct weir_runtime;

/* 0 in every case that heals by itself; WEIR_E_FENCED when a live twin has taken over twice, or what makes a
 * new producer impossible. The batch is empty afterwards. */
int weir_handle_batch(struct weir_runtime *runtime, struct weir_error *err);

/* The plugin's tick(): what it emits is committed with the positions of its partitions. The batch has to be
 * empty; answers as weir_handle_batch. */
int weir_handle_tick(struct weir_runtime *runtime, struct weir_error *err);

/* With an empty batch: commits where partitions stand that had no transaction for an hour. Answers as above.
 */
int weir_handle_idle(struct weir_runtime *runtime, struct weir_error *err);

/* Waits until the producer's id is registered and all it left open before is ended. 0 also when the process
 * is asked to end; WEIR_E_CONFIG and the like when it can't be. */
int weir_handle_init_producer(struct weir_runtime *runtime, struct weir_error *err);

#endif
