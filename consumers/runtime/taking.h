/* Taking a partition, step by step in the loop while other partitions flow: the plugin hears of it; the
 * group's stable committed offsets; only then the high watermarks of its retry partition and tables (a stable
 * offset alone does not prove that other markers are written, KAFKA-10167); the tables read up to them;
 * consumption resumed. */
#ifndef WEIR_RUNTIME_TAKING_H
#define WEIR_RUNTIME_TAKING_H

#include "common/kafka.h"
#include "consumers/runtime/partition.h"

#include <stdbool.h>

struct weir_runtime;

/* Moves every partition that is not flowing as far as it goes now. True while any is still on its way. */
bool weir_taking_step(struct weir_runtime *runtime);

/* The plugin or the cluster failed at `what`: a wrong setting or damaged data stops the partition, else it is
 * taken again later. */
void weir_taking_failed(struct weir_runtime *runtime, struct weir_partition *partition, const char *what,
    const struct weir_error *err);

/* The group's stable committed offset of each partition in the list (RD_KAFKA_OFFSET_INVALID: none). Waits
 * out pending transactions, up to timeout_ms: WEIR_E_UNAVAILABLE or WEIR_E_TIMEOUT, to be tried again. */
int weir_taking_committed(struct weir_runtime *runtime, rd_kafka_topic_partition_list_t *list, int timeout_ms,
    struct weir_error *err);

#endif
