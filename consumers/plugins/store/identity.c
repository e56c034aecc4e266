#include "consumers/plugins/store/folder.h"
#include "consumers/plugins/store/keys.h"
#include "consumers/plugins/store/store.h"

#include <inttypes.h>

static const char format_now[] = "4";

const char weir_store_two_ways[] = "stop all instances of the service, then either `weirctl store "
                                   "republish`, which writes the documents that are "
                                   "here to the change log, or `weirctl store reset`, which removes them, so "
                                   "that they are built again from what the "
                                   "change log holds";

/* The value of meta entry `name`, made with `fallback` where there is none. */
static int load_or_make(struct weir_store *store, const char *name, const char *fallback,
    struct weir_buffer *ret_value, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer key = {0};

    weir_buffer_printf(&key, "%c%s", WEIR_KEY_META, name);
    if (key.failed)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    int r = weir_db_get(store->db, weir_buffer_bytes(&key), ret_value, err);
    if (r != WEIR_E_NOT_FOUND)
        return r;
    weir_buffer_append_str(ret_value, fallback);
    weir_db_batch_put(store->db, weir_buffer_bytes(&key), weir_bytes_str(fallback));
    return weir_db_batch_write(store->db, err);
}

static int check_republished(struct weir_store *store, struct weir_error *err)
{
    static const char key[] = "m" WEIR_FOLDER_REPUBLISHING;
    WEIR_CLEANUP(buffer) struct weir_buffer value = {0};

    int r = weir_db_get(store->db, weir_bytes_str(key), &value, err);
    if (r == WEIR_E_NOT_FOUND)
        return 0;
    return r < 0 ? r
                 : weir_error_set(err, WEIR_E_CONFIG,
                       "%s: `weirctl store republish` has not come to its end; give it again, or `weirctl "
                       "store "
                       "reset`",
                       store->path);
}

int weir_store_check_format(struct weir_store *store, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer format = {0};

    int r = load_or_make(store, "format", format_now, &format, err);
    if (r < 0)
        return r;
    if (weir_bytes_is(weir_buffer_bytes(&format), format_now))
        return check_republished(store, err);
    return weir_error_set(err, WEIR_E_CONFIG,
        "%s has format %s, this store writes %s; use another store.path: it is filled from the change topics",
        store->path, format.data, format_now);
}

static bool count_entry(void *context, struct weir_bytes key, struct weir_bytes value)
{
    (void)key;
    (void)value;
    (*(unsigned long *)context)++;
    return true;
}

bool weir_store_read_numbers(const char *text, unsigned long *ret_number, unsigned long *ret_partitions)
{
    char *end = NULL;

    *ret_number = strtoul(text, &end, 10);
    if (*end != ' ')
        return false;
    *ret_partitions = strtoul(end + 1, &end, 10);
    return *end == '\0' && *ret_number <= UINT16_MAX;
}

int weir_store_number_source(struct weir_store *store, struct weir_source *source, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer name = {0}, known = {0};
    unsigned long number = 0, partitions = 0;
    char fallback[64];

    int r = weir_db_each(store->db, weir_bytes_str("mcollection/"), count_entry, &number, err);
    if (r < 0)
        return r;
    snprintf(fallback, sizeof(fallback), "%lu %" PRId32, number, source->partition_count);
    weir_buffer_printf(&name, "collection/%s", source->changes_topic);
    if (name.failed)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    r = load_or_make(store, name.data, fallback, &known, err);
    if (r < 0)
        return r;
    if (!weir_store_read_numbers(known.data, &number, &partitions))
        return weir_error_set(err, WEIR_E_CORRUPT, "%s: the entry of %s is damaged", store->path, name.data);
    if (partitions != (unsigned long)source->partition_count)
        return weir_error_set(err, WEIR_E_CONFIG,
            "[collection %s] partitions = %" PRId32
            ", but %s was filled with %lu; a collection's partition count never changes",
            source->collection->name, source->partition_count, store->path, partitions);
    source->number = (uint16_t)number;
    return 0;
}

static int check_cluster(struct weir_store *store, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer known = {0};
    const char *cluster = store->host->cluster_id(store->host->context);

    if (store->cluster_checked || cluster == NULL || cluster[0] == '\0')
        return 0;
    int r = load_or_make(store, "cluster", cluster, &known, err);
    if (r < 0)
        return r;
    if (!weir_bytes_is(weir_buffer_bytes(&known), cluster))
        return weir_error_set(err, WEIR_E_CONFIG,
            "%s holds documents of Kafka cluster %s, this is cluster %s; use another store.path, or %s",
            store->path, known.data, cluster, weir_store_two_ways);
    store->cluster_checked = true;
    return 0;
}

static int check_topic(struct weir_store *store, const char *topic, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer name = {0}, known = {0};
    char id[WEIR_TOPIC_ID_BYTES] = "";

    int r = store->host->topic_id(store->host->context, topic, id, err);
    if (r < 0 || id[0] == '\0')
        return r;
    weir_buffer_printf(&name, "topic/%s", topic);
    if (name.failed)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    r = load_or_make(store, name.data, id, &known, err);
    if (r < 0 || weir_bytes_is(weir_buffer_bytes(&known), id))
        return r;
    return weir_error_set(err, WEIR_E_CONFIG,
        "topic %s was deleted and made again since %s was filled (topic id %s, then %s): %s", topic,
        store->path, known.data, id, weir_store_two_ways);
}

int weir_store_check_identity(
    struct weir_store *store, const struct weir_source *source, struct weir_error *err)
{
    int r = check_cluster(store, err);

    if (r < 0 || !WEIR_HOST_HAS(store->host, topic_id))
        return r;
    r = check_topic(store, source->changes_topic, err);
    return r < 0 ? r : check_topic(store, source->topic, err);
}
