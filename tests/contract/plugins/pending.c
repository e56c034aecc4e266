/* A plugin for the tests of deferred records: one whose key begins with "slow" is deferred when it is new; a
 * thread of its own wakes it once the file `pending.gate` is gone. Then, and every other record at once, it
 * is emitted to
 * `{source}.changes` with the header `ticket`: "yes" after a wake, "no" when it is new. */
#include <weir/plugin.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TICKETS_MAX = 1000, POLL_MS = 5 };

struct settings {
    char *gate;
    int64_t limit_ms;
};

static const struct weir_option options[] = {
    {.key = "gate",
        .type = WEIR_OPTION_PATH,
        .offset = offsetof(struct settings, gate),
        .help = "file that holds back what is deferred"},
    {.key = "limit",
        .type = WEIR_OPTION_DURATION,
        .fallback = "1h",
        .min = 1,
        .max = 604800000,
        .offset = offsetof(struct settings, limit_ms),
        .help = "longest time that a record is deferred"},
};

struct pending {
    const struct weir_host *host;
    const struct settings *settings;
    pthread_t waker;
    pthread_mutex_t lock;
    uint64_t tickets[TICKETS_MAX];
    size_t count;
    atomic_bool ends;
};

static bool is_shut(const struct pending *pending)
{
    return pending->settings->gate != NULL && access(pending->settings->gate, F_OK) == 0;
}

static void *wake_all(void *instance)
{
    struct pending *pending = instance;
    while (!pending->ends) {
        nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000}, NULL);
        if (is_shut(pending))
            continue;
        pthread_mutex_lock(&pending->lock);
        while (pending->count > 0)
            pending->host->wake(pending->host->context, pending->tickets[--pending->count]);
        pthread_mutex_unlock(&pending->lock);
    }
    return NULL;
}

static int open_pending(
    const struct weir_host *host, const void *settings, void **ret_instance, struct weir_error *err)
{
    struct pending *pending = calloc(1, sizeof(*pending));
    if (pending == NULL || !WEIR_HOST_HAS(host, wake))
        return weir_fail(err, WEIR_E_INTERNAL, "memory is out, or the host is too old");
    pending->host = host;
    pending->settings = settings;
    pthread_mutex_init(&pending->lock, NULL);
    if (pthread_create(&pending->waker, NULL, wake_all, pending) != 0)
        return weir_fail(err, WEIR_E_INTERNAL, "threads are out");
    *ret_instance = pending;
    return 0;
}

static void close_pending(void *instance)
{
    struct pending *pending = instance;
    pending->ends = true;
    pthread_join(pending->waker, NULL);
    pthread_mutex_destroy(&pending->lock);
    free(pending);
}

static bool put_off(struct pending *pending, struct weir_batch *batch, const struct weir_record *record)
{
    uint64_t ticket;
    if (record->ticket != 0 || record->key.len < 4 || memcmp(record->key.data, "slow", 4) != 0)
        return false;
    pthread_mutex_lock(&pending->lock);
    bool room = pending->count < TICKETS_MAX;
    if (room && pending->host->defer(batch, record, pending->settings->limit_ms, &ticket) == 0)
        pending->tickets[pending->count++] = ticket;
    pthread_mutex_unlock(&pending->lock);
    return room;
}

static void complete(struct pending *pending, struct weir_batch *batch, const struct weir_record *record)
{
    char topic[256];
    struct weir_error err = {0};
    const struct weir_header woken = {"ticket", weir_bytes_str(record->ticket != 0 ? "yes" : "no")};
    snprintf(topic, sizeof(topic), "%s.changes", pending->host->topics[record->source]);
    if (pending->host->emit(batch, record, topic, record->key, record->value, &woken, 1, &err) < 0)
        pending->host->fail(batch, record, WEIR_REJECT,
            &(struct weir_reason){.disposition = "too-large", .error_type = "size", .text = err.text});
    pending->host->done(batch, record);
}

static int handle(void *instance, struct weir_batch *batch, struct weir_error *err)
{
    struct pending *pending = instance;
    (void)err;
    for (const struct weir_record *record; (record = pending->host->next(batch)) != NULL;)
        if (!put_off(pending, batch, record))
            complete(pending, batch, record);
    return 0;
}

WEIR_PLUGIN = {
    .abi = WEIR_PLUGIN_ABI,
    .struct_size = sizeof(struct weir_plugin),
    .name = "pending",
    .version = "1",
    .summary = "Completes records later; for tests of the host",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .settings_size = sizeof(struct settings),
    .open = open_pending,
    .close = close_pending,
    .handle = handle,
};
