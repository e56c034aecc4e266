/* What the host tells of itself: metrics, the readiness detail and the supervisor's STATUS line. Counters are
 * updated by the loop, read by any thread. */
#ifndef WEIR_RUNTIME_MONITOR_H
#define WEIR_RUNTIME_MONITOR_H

#include "common/metrics.h"
#include "consumers/runtime/batch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { WEIR_STILL_BYTES = WEIR_WHY_BYTES + 300 }; /* with topic and partition */

struct weir_runtime;

enum { WEIR_EXECUTIONS_TOLD = 10 }; /* more are told as so many */

struct weir_monitor {
    struct weir_metric *verdicts[WEIR_SLOT_STATES]; /* by slot state */
    struct weir_metric *executions[WEIR_EXECUTIONS_TOLD];
    struct weir_metric *batches, *batch_records, *commit_seconds, *aborts, *renewals, *rebalances, *restored;
    struct weir_metric *owned_now, *flowing_now, *stopped_now, *waiting_now;

    /* Readiness; written by the loop. */
    _Atomic bool handling; /* the plugin has a batch in hand */
    _Atomic bool opened, reachable, joined, stopping;
    _Atomic int64_t turned_ms; /* monotonic; when the loop came round last */
    _Atomic unsigned owned, flowing, stopped, waiting;
    _Atomic unsigned behind; /* partitions of tables of mode ALL that are not caught up yet */
    pthread_mutex_t lock;
    char why[WEIR_STILL_BYTES]; /* under lock: which partition stands still and why, "" when none does */
};

/* window_ms: [kafka] window. */
void weir_monitor_init(struct weir_monitor *monitor, int64_t window_ms);

/* Counts stages and publishes them; says READY to the supervisor the first time all is caught up. */
void weir_monitor_update(struct weir_runtime *runtime);
/* Once a second at most: lag per partition, STATUS. */
void weir_monitor_slow_update(struct weir_runtime *runtime);
void weir_monitor_dead_letter(const char *disposition);
/* A record ended, by a commit, after that many executions. */
void weir_monitor_ended(struct weir_monitor *monitor, int32_t executions);
/* The metrics of a partition, which stand at 0 once it is given up. */
void weir_monitor_partition_init(struct weir_partition *partition);
void weir_monitor_partition_done(struct weir_partition *partition);
/* struct weir_management.ready; context is the runtime. */
bool weir_monitor_ready(void *context, struct weir_buffer *detail);

/* True at most once in 10 s for each `next_ms` (0 at first): for lines that would repeat while the broker is
 * away. */
bool weir_monitor_may_tell(int64_t *next_ms);

#endif
