#include "consumers/plugins/store/statistics.h"

/* RocksDB's property, what it is here, and whether it is told per column family and the sum counts. */
static const struct {
    const char *property, *name, *help;
    bool summed;
} gauges[WEIR_STORE_GAUGE_COUNT] = {
    {"rocksdb.block-cache-usage", "block_cache_bytes",
        "Bytes in the block cache, indexes and filters with them", false},
    {"rocksdb.cur-size-all-mem-tables", "memtable_bytes", "Bytes in write buffers that are not in tables yet",
        true},
    {"rocksdb.estimate-pending-compaction-bytes", "compaction_pending_bytes",
        "Bytes that compaction has to rewrite; writes are slowed down when it can't keep up", true},
    {"rocksdb.is-write-stopped", "writes_stopped", "1 while writes wait for compaction or for a write buffer",
        false},
    {"rocksdb.actual-delayed-write-rate", "writes_delayed_bytes_per_second",
        "To how many bytes a second writes are slowed down; 0: not at all", false},
    {"rocksdb.total-sst-files-size", "table_bytes", "Bytes of all table files", true},
    {"rocksdb.estimate-num-keys", "keys", "Documents, index entries and positions, as estimated", false},
    {"rocksdb.background-errors", "background_errors", "Flushes and compactions that failed since the start",
        false},
};

void weir_statistics_open(struct weir_store *store)
{
    const struct weir_host *host = store->host;
    struct weir_store_statistics *statistics = store->statistics;

    for (size_t i = 0; i < WEIR_STORE_GAUGE_COUNT; i++)
        statistics->gauges[i] = host->gauge(gauges[i].name, "", gauges[i].help);
    statistics->cache_hits =
        host->counter("block_cache_hits_total", "", "Blocks that commands found in the block cache");
    statistics->blocks_read =
        host->counter("blocks_read_total", "", "Blocks that commands had to read from the disk");
}

void weir_statistics_update(struct weir_store *store)
{
    const struct weir_host *host = store->host;
    struct weir_store_statistics *statistics = store->statistics;
    uint64_t hits = 0, reads = 0, value;

    for (size_t i = 0; i < WEIR_STORE_GAUGE_COUNT; i++)
        if (weir_db_property(store->db, gauges[i].property, gauges[i].summed, &value))
            host->metric_set(statistics->gauges[i], (int64_t)value);
    weir_db_take_blocks(&hits, &reads);
    host->metric_add(statistics->cache_hits, (int64_t)hits);
    host->metric_add(statistics->blocks_read, (int64_t)reads);
}
