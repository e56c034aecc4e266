/* The thread of control: takes partitions, collects batches, has them handled, until the process is asked to
 * end. */
#ifndef WEIR_RUNTIME_LOOP_H
#define WEIR_RUNTIME_LOOP_H

#include "common/error.h"

struct weir_runtime;

/* 0 when asked to end, between two batches; else what can't be healed. */
int weir_loop_run(struct weir_runtime *runtime, struct weir_error *err);

#endif
