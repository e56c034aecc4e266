#include "consumers/plugins/store/store.h"

#include "consumers/plugins/store/expiry.h"
#include "consumers/plugins/store/indexes.h"
#include "consumers/plugins/store/leftovers.h"
#include "consumers/plugins/store/requests.h"
#include "consumers/plugins/store/snapshot.h"
#include "consumers/plugins/store/statistics.h"

#include "common/folder.h"

#include <inttypes.h>

enum { TOUCH_EVERY_MS = 3600 * 1000, LOOK_AT_DISK_EVERY_MS = 5000 };

void weir_store_log(const struct weir_store *store, enum weir_log_severity severity, const char *event,
    const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    store->host->log(severity, event, format, arguments);
    va_end(arguments);
}

static void make_metrics(struct weir_store *store)
{
    const struct weir_host *host = store->host;
    struct weir_store_metrics *metrics = &store->metrics;

    for (size_t i = 0; i < WEIR_EFFECT_COUNT; i++) {
        char label[48];
        snprintf(label, sizeof(label), "effect=\"%s\"", weir_effect_name((enum weir_effect_kind)i));
        metrics->commands[i] = host->counter("commands_total", label, "Commands by their effect");
    }
    metrics->applied = host->counter("documents_applied_total", "", "Changes applied after their commit");
    metrics->expired = host->counter("documents_expired_total", "", "Documents deleted because of their ttl");
    metrics->restored = host->counter("events_restored_total", "", "Change events applied from the log");
    metrics->skipped =
        host->counter("events_skipped_total", "", "Records of change topics that are no change events");
    metrics->free_bytes = host->gauge("free_bytes", "", "Free bytes on the disk of the documents");
    metrics->serving = host->gauge("partitions", "state=\"serving\"", "Partitions of this instance");
    metrics->restoring = host->gauge("partitions", "state=\"restoring\"", "Partitions of this instance");
    metrics->standby = host->gauge("partitions", "state=\"standby\"", "Partitions of this instance");
}

static const struct weir_collection *find_collection(
    const struct weir_deployment *deployment, const char *topic)
{
    for (size_t i = 0; i < deployment->collection_count; i++)
        if (strcmp(deployment->collections[i].command_topic, topic) == 0)
            return &deployment->collections[i];
    return NULL;
}

static int make_partitions(struct weir_source *source, struct weir_error *err)
{
    source->partition_count = (int32_t)source->collection->partitions;
    source->partitions = calloc((size_t)source->partition_count, sizeof(*source->partitions));
    if (source->partitions == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    for (int32_t p = 0; p < source->partition_count; p++) {
        struct weir_partition *own = &source->partitions[p];
        own->pending_reached = own->stranger = -1;
        own->last = WEIR_LAST_UNKNOWN;
        own->left_ms = weir_clock_ms();
        for (int table = 0; table < WEIR_STORE_TABLE_COUNT; table++) {
            own->pending[table] = -1;
            atomic_store(&own->checkpoints[table], -1);
        }
    }
    return 0;
}

static int make_source(
    struct weir_store *store, struct weir_source *source, const char *topic, struct weir_error *err)
{
    const struct weir_collection *collection = find_collection(store->host->deployment, topic);

    if (collection == NULL)
        return weir_error_set(err, WEIR_E_CONFIG, "%s is the command topic of no [collection]", topic);
    source->collection = collection;
    source->topic = topic;
    source->changes_topic = collection->changes_topic;
    source->indexes = collection->indexes;
    while (source->indexes != NULL && source->indexes[source->index_count] != NULL)
        source->index_count++;
    source->rules = (struct weir_rules){collection->name, collection->key_field,
        collection->body == WEIR_BODY_OPAQUE ? collection->body_member : NULL,
        (int32_t)collection->partitions, NULL, 0};
    for (size_t i = WEIR_EFFECT_CREATED; i <= WEIR_EFFECT_DELETED; i++)
        snprintf(source->ce_types[i], sizeof(source->ce_types[i]), "weir.%s.%s", collection->name,
            weir_effect_name((enum weir_effect_kind)i));
    int r = weir_topic_of_service(topic, store->host->service, "outcomes", source->outcomes_topic, err);
    if (r == 0)
        r = make_partitions(source, err);
    if (r == 0)
        r = weir_source_load_schema(source, err);
    return r < 0 ? r : weir_store_number_source(store, source, err);
}

static int make_sources(struct weir_store *store, struct weir_error *err)
{
    const char *const *topics = store->host->topics;
    size_t count = 0;

    while (topics[count] != NULL)
        count++;
    store->sources = calloc(count > 0 ? count : 1, sizeof(*store->sources));
    if (store->sources == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    store->source_count = count;
    for (size_t i = 0; i < count; i++) {
        int r = make_source(store, &store->sources[i], topics[i], err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* The dev broker forgets everything when it ends, so its documents are forgotten with it. */
static int choose_path(struct weir_store *store, struct weir_error *err)
{
    store->temporary = store->host->deployment->kafka.dev;
    int len = snprintf(
        store->path, sizeof(store->path), "%s%s", store->settings->path, store->temporary ? ".dev" : "");
    if (len < 0 || (size_t)len >= sizeof(store->path))
        return weir_error_set(err, WEIR_E_CONFIG, "store.path is longer than %d bytes", PATH_MAX - 1);
    return store->temporary ? weir_db_destroy(store->path, err) : 0;
}

static int open_db(struct weir_store *store, struct weir_error *err)
{
    int r = choose_path(store, err);
    if (r == 0)
        r = weir_scratch_folder_make(store->log_path, err);
    if (r == 0)
        r = weir_folder_make(store->path, err);
    if (r == 0)
        r = weir_store_await_space(store, err);
    if (r < 0)
        return r;
    struct weir_db_settings settings = {store->path, store->log_path, store->settings->memory_bytes, false};
    r = weir_snapshot_remove(store->path, err);
    if (r == 0)
        r = weir_db_open(&settings, &store->db, err);
    return r < 0 ? r : weir_store_check_format(store, err);
}

static int listen_for_reads(struct weir_store *store, struct weir_error *err)
{
    const struct weir_host *host = store->host;
    char url[300];

    int r = host->http_listen(store->settings->listen, weir_store_answer, store, &store->http, err);
    if (r < 0)
        return r;
    snprintf(url, sizeof(url), "%s://%s",
        weir_service_scheme(weir_deployment_service(host->deployment, host->service)),
        host->http_address(store->http));
    host->advertise(host->context, store->settings->advertise != NULL ? store->settings->advertise : url);
    return 0;
}

static void free_source(struct weir_source *source)
{
    for (int32_t p = 0; source->partitions != NULL && p < source->partition_count; p++) {
        weir_buffer_done(&source->partitions[p].build_from);
        weir_buffer_done(&source->partitions[p].remove_from);
    }
    free(source->partitions);
    weir_schema_free(source->schema);
    weir_minimums_done(&source->minimums);
}

void weir_store_close(void *instance)
{
    struct weir_store *store = instance;
    struct weir_error err;

    if (store->http != NULL)
        store->host->http_close(store->http);
    weir_db_close(store->db);
    if (store->temporary && store->db != NULL && weir_db_destroy(store->path, &err) < 0)
        weir_store_log(store, WEIR_SAY_WARNING, "store.dev.left", "reason=\"%s\"", err.text);
    for (size_t i = 0; i < store->source_count; i++)
        free_source(&store->sources[i]);
    free(store->sources);
    free(store->statistics);
    weir_buffer_done(&store->scratch);
    weir_buffer_done(&store->event);
    weir_buffer_done(&store->stored);
    weir_buffer_done(&store->found);
    weir_buffer_done(&store->problem);
    weir_buffer_done(&store->batch_changes);
    weir_buffer_done(&store->batch_marks);
    weir_buffer_done(&store->fill_from);
    weir_buffer_done(&store->entries_before);
    weir_buffer_done(&store->entries_after);
    weir_seen_done(&store->seen);
    weir_marks_done(&store->marks);
    free(store);
}

int weir_store_open(
    const struct weir_host *host, const void *settings, void **ret_instance, struct weir_error *err)
{
    struct weir_store *store = calloc(1, sizeof(*store));

    if (store == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    store->host = host;
    store->settings = settings;
    store->statistics = calloc(1, sizeof(*store->statistics));
    make_metrics(store);
    if (store->statistics != NULL)
        weir_statistics_open(store);
    int r = store->statistics != NULL && weir_requests_open(store) && weir_marks_init(&store->marks)
                ? open_db(store, err)
                : weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    if (r == 0)
        r = make_sources(store, err);
    if (r == 0)
        r = listen_for_reads(store, err);
    if (r < 0) {
        weir_store_close(store);
        return r;
    }
    weir_store_log(store, WEIR_SAY_INFO, "store.open", "path=%s collections=%zu reads=%s temporary=%s", store->path,
        store->source_count, host->http_address(store->http), store->temporary ? "yes" : "no");
    *ret_instance = store;
    return 0;
}

int weir_store_assigned(void *instance, uint32_t source, int32_t partition, struct weir_error *err)
{
    struct weir_store *store = instance;
    struct weir_partition *own = weir_source_partition(&store->sources[source], partition, err);

    if (own == NULL)
        return WEIR_E_CONFIG;
    weir_partition_set_state(own, WEIR_PARTITION_RESTORING);
    weir_store_count_partitions(store);
    return weir_store_check_identity(store, &store->sources[source], err);
}

void weir_store_revoked(void *instance, uint32_t source, int32_t partition)
{
    struct weir_store *store = instance;
    struct weir_partition *own = weir_source_partition(&store->sources[source], partition, NULL);

    if (own == NULL)
        return;
    weir_partition_set_state(own, WEIR_PARTITION_FOREIGN);
    own->left_ms = weir_clock_ms();
    own->is_empty = false;
    own->remove_kind = 0;
    weir_buffer_clear(&own->remove_from);
    atomic_store(&own->live, false);
    for (int table = 0; table < WEIR_STORE_TABLE_COUNT; table++)
        atomic_store(&own->checkpoints[table], -1);
    atomic_store(&own->waits_for, NULL);
    weir_store_count_partitions(store);
}

void weir_store_tick(void *instance, struct weir_batch *batch)
{
    struct weir_store *store = instance;
    int64_t now_ms = weir_clock_ms();

    if (now_ms - store->free_looked_ms >= LOOK_AT_DISK_EVERY_MS) {
        store->free_looked_ms = now_ms;
        (void)weir_store_check_space(store, NULL);
        weir_statistics_update(store);
    }
    weir_leftovers_tick(store);
    weir_requests_tick(store);
    weir_indexes_tick(store);
    weir_expiry_tick(store, batch);
    store->host->http_wake(store->http);
    if (store->checkpoints_touched_ms == 0)
        store->checkpoints_touched_ms = now_ms;
    if (now_ms - store->checkpoints_touched_ms >= TOUCH_EVERY_MS) {
        store->checkpoints_touched_ms = now_ms;
        weir_store_touch_checkpoints(store);
    }
}

bool weir_store_health(void *instance, struct weir_buffer *detail)
{
    struct weir_store *store = instance;
    bool starved = atomic_load(&store->starved), damaged = weir_db_is_damaged(store->db);

    weir_buffer_printf(detail, "\"store\":\"%s\",\"store_free_bytes\":%" PRId64,
        damaged   ? "damaged"
        : starved ? "disk-full"
                  : "ok",
        atomic_load(&store->free_bytes));
    return !starved && !damaged;
}
