/* What RocksDB tells about itself as metrics. */
#ifndef WEIR_STORE_STATISTICS_H
#define WEIR_STORE_STATISTICS_H

#include "consumers/plugins/store/store.h"

enum { WEIR_STORE_GAUGE_COUNT = 8 };

struct weir_store_statistics {
    struct weir_metric *gauges[WEIR_STORE_GAUGE_COUNT];
    struct weir_metric *cache_hits, *blocks_read;
};

/* In open, and on the loop's thread. */
void weir_statistics_open(struct weir_store *store);
/* Now and then, on the loop's thread. */
void weir_statistics_update(struct weir_store *store);

#endif
