/* Reads the plugin's tables: each partition of one from where the plugin stands to the high watermark that
 * was taken after the assignment, through a read_committed handle of its own. */
#ifndef WEIR_RUNTIME_READER_H
#define WEIR_RUNTIME_READER_H

#include "consumers/runtime/partition.h"

#include <weir/plugin.h>

struct weir_runtime;

/* One partition of one table on its way to its mark. */
struct weir_read {
    struct weir_partition *partition;
    uint32_t table;
    char *topic;
    int64_t mark;
    uint64_t records;
};

struct weir_reader {
    struct weir_read **reads;
    size_t count;
};

/* "{source}.changes" for the partition's source topic, "{service}" filled in; into out, NUL-terminated. */
int weir_reader_table_topic(const struct weir_runtime *runtime, const struct weir_partition *partition,
    const struct weir_table *table, char *out, size_t size, struct weir_error *err);

/* Begins to read, or tells the plugin at once that it is caught up. Counts in partition->reads. `low` is
 * where the log begins: WEIR_E_CONFIG when what the plugin wants first is gone from it. */
int weir_reader_add(struct weir_runtime *runtime, struct weir_partition *partition, uint32_t table,
    const char *topic, int64_t low, int64_t mark, struct weir_error *err);
/* Hands records to the plugin for at most slice_ms. */
void weir_reader_step(struct weir_runtime *runtime, int slice_ms);
/* Stops reading for the partition. */
void weir_reader_cancel(struct weir_runtime *runtime, struct weir_partition *partition);
void weir_reader_done(struct weir_runtime *runtime);

#endif
