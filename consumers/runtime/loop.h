/* The thread of control: takes partitions, collects batches, has them handled, until the process is asked to
 * end. */
#ifndef WEIR_RUNTIME_LOOP_H
#define WEIR_RUNTIME_LOOP_H

#include "common/error.h"

struct weir_runtime;

/* 0 when asked to end, between two batches; else what can't be healed. */
int weir_loop_run(struct weir_runtime *runtime, struct weir_error *err);

/* The plugin says that what it keeps is damaged (WEIR_E_CORRUPT): the loop ends after this turn. Other errors
 * do nothing. */
void weir_loop_fail(struct weir_runtime *runtime, const struct weir_error *err);

#endif
