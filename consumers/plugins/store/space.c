#include "consumers/plugins/store/store.h"

#include <inttypes.h>

/* RocksDB ends the process when the disk is full while it writes, so it must not come to that. */
int weir_store_check_space(struct weir_store *store, struct weir_error *err)
{
    int64_t free_bytes = 0, buffers_bytes = 4 * weir_db_buffers_bytes(store->db);
    int64_t wanted =
        store->settings->free_min_bytes > buffers_bytes ? store->settings->free_min_bytes : buffers_bytes;

    int r = weir_db_free_bytes(store->db, &free_bytes, err);
    if (r < 0)
        return r;
    atomic_store(&store->free_bytes, free_bytes);
    atomic_store(&store->starved, free_bytes < wanted);
    store->host->metric_set(store->metrics.free_bytes, free_bytes);
    if (free_bytes >= wanted)
        return 0;
    return weir_error_set(err, WEIR_E_DISK,
        "%" PRId64 " bytes free on the disk of %s, %" PRId64 " are needed", free_bytes, store->path, wanted);
}
