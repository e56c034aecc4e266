#include "consumers/plugins/store/store.h"

#include <inttypes.h>

enum { LOOK_AGAIN_MS = 500, TELL_EVERY_MS = 10000 };

/* RocksDB ends the process when the disk is full while it writes, so it must not come to that. */
int weir_store_check_space(struct weir_store *store, struct weir_error *err)
{
    int64_t free_bytes = 0, buffers_bytes = 4 * weir_db_buffers_bytes(store->settings->memory_bytes);
    int64_t wanted =
        store->settings->free_min_bytes > buffers_bytes ? store->settings->free_min_bytes : buffers_bytes;

    int r = weir_db_free_bytes(store->path, &free_bytes, err);
    if (r < 0)
        return r;
    atomic_store(&store->free_bytes, free_bytes);
    atomic_store(&store->starved, free_bytes < wanted);
    store->host->metric_set(store->metrics.free_bytes, free_bytes);
    if (free_bytes >= wanted)
        return 0;
    return weir_error_set(err, WEIR_E_DISK,
        "%" PRId64 " bytes free on the disk of %s, %" PRId64
        " are needed: make room there, or lower store.free.min or store.memory",
        free_bytes, store->path, wanted);
}

int weir_store_await_space(struct weir_store *store, struct weir_error *err)
{
    int64_t told_ms = 0;
    int r;

    while ((r = weir_store_check_space(store, err)) < 0) {
        if (told_ms == 0 || weir_clock_ms() - told_ms >= TELL_EVERY_MS) {
            told_ms = weir_clock_ms();
            weir_store_log(store, WEIR_SAY_WARNING, "store.waiting", "reason=\"%s\"", err->text);
        }
        if (!store->host->wait_ms(LOOK_AGAIN_MS))
            return r;
    }
    weir_store_log(store, WEIR_SAY_INFO, "store.space", "path=%s free_bytes=%" PRId64, store->path,
        atomic_load(&store->free_bytes));
    return 0;
}
