#include "consumers/plugins/store/store.h"

#include <inttypes.h>

enum { STATE_BITS = 2, STATE_MASK = 3 };

enum weir_partition_state weir_partition_state(const struct weir_partition *partition)
{
    return (enum weir_partition_state)(atomic_load(&partition->state) & STATE_MASK);
}

void weir_partition_set_state(struct weir_partition *partition, enum weir_partition_state state)
{
    uint64_t turn = atomic_load(&partition->state) >> STATE_BITS;
    atomic_store(&partition->state, (turn + 1) << STATE_BITS | (uint64_t)state);
}

bool weir_partition_has_ended(const struct weir_partition *partition, int64_t offset)
{
    return atomic_load(&partition->reached) > offset;
}

struct weir_partition *weir_source_partition(
    const struct weir_source *source, int32_t partition, struct weir_error *err)
{
    if (partition >= 0 && partition < source->partition_count)
        return &source->partitions[partition];
    weir_error_set(err, WEIR_E_CONFIG,
        "topic %s has a partition %" PRId32 ", but [collection %s] says partitions = %" PRId32, source->topic,
        partition, source->collection->name, source->partition_count);
    return NULL;
}

void weir_store_count_partitions(const struct weir_store *store)
{
    int64_t counts[STATE_MASK + 1] = {0};

    for (size_t i = 0; i < store->source_count; i++)
        for (int32_t p = 0; p < store->sources[i].partition_count; p++)
            counts[weir_partition_state(&store->sources[i].partitions[p])]++;
    store->host->metric_set(store->metrics.serving, counts[WEIR_PARTITION_SERVING]);
    store->host->metric_set(store->metrics.restoring, counts[WEIR_PARTITION_RESTORING]);
    store->host->metric_set(store->metrics.standby, counts[WEIR_PARTITION_STANDBY]);
}
