#include "consumers/plugins/store/folder.h"

#include "common/folder.h"
#include "consumers/plugins/store/continuity.h"
#include "consumers/plugins/store/keys.h"
#include "consumers/plugins/store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { MEMORY_BYTES = 64 << 20 };

struct weir_folder {
    struct weir_store store; /* without a host */
    struct weir_folder_part *parts;
    size_t count;
    char **topics;
    size_t topic_count;
};

static int add_part(
    struct weir_folder *folder, const char *topic, uint16_t number, int32_t partition, struct weir_error *err)
{
    const struct weir_source source = {.number = number};
    struct weir_checkpoint checkpoint;

    int r = weir_checkpoint_load(&folder->store, &source, partition, WEIR_STORE_CHANGES, &checkpoint, err);
    if (r < 0)
        return r == WEIR_E_NOT_FOUND ? 0 : r;
    struct weir_folder_part *parts = reallocarray(folder->parts, folder->count + 1, sizeof(*parts));
    if (parts == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    folder->parts = parts;
    parts[folder->count++] =
        (struct weir_folder_part){topic, number, partition, checkpoint.offset, checkpoint.known_ms};
    return 0;
}

static bool add_topic(void *context, struct weir_bytes key, struct weir_bytes value)
{
    static const size_t prefix = sizeof("mcollection/") - 1;
    struct weir_folder *folder = context;
    char **topics = reallocarray(folder->topics, folder->topic_count + 2, sizeof(*topics));

    (void)value;
    if (topics == NULL)
        return false;
    folder->topics = topics;
    topics[folder->topic_count] = strndup(key.data + prefix, key.len - prefix);
    return topics[folder->topic_count++] != NULL;
}

static int add_parts(struct weir_folder *folder, const char *topic, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer name = {0}, value = {0};
    unsigned long number = 0, partitions = 0;

    weir_buffer_printf(&name, "collection/%s", topic);
    int r = weir_folder_get(folder, name.data, &value, err);
    if (r == 0 && !weir_store_read_numbers(value.data, &number, &partitions))
        r = weir_error_set(err, WEIR_E_CORRUPT, "%s: the entry of %s is damaged", folder->store.path, topic);
    for (unsigned long p = 0; r == 0 && p < partitions; p++)
        r = add_part(folder, topic, (uint16_t)number, (int32_t)p, err);
    return r;
}

static int list_parts(struct weir_folder *folder, struct weir_error *err)
{
    int r = weir_db_each(folder->store.db, weir_bytes_str("mcollection/"), add_topic, folder, err);

    for (size_t i = 0; r == 0 && i < folder->topic_count; i++)
        r = folder->topics[i] != NULL ? add_parts(folder, folder->topics[i], err)
                                      : weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    return r;
}

static int find_store(const char *path, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer current = {0};

    weir_buffer_printf(&current, "%s/CURRENT", path);
    if (current.failed || access(current.data, F_OK) < 0)
        return weir_error_set(err, WEIR_E_NOT_FOUND, "%s holds no documents of a store", path);
    return 0;
}

static int open_db(struct weir_folder *folder, bool writable, struct weir_error *err)
{
    struct weir_store *store = &folder->store;
    struct weir_db_settings settings = {store->path, store->log_path, MEMORY_BYTES, !writable};

    int r = find_store(store->path, err);
    if (r == 0)
        r = weir_scratch_folder_make(store->log_path, err);
    if (r == 0)
        r = weir_db_open(&settings, &store->db, err);
    return r < 0 ? r : list_parts(folder, err);
}

int weir_folder_open(const char *path, bool writable, struct weir_folder **ret_folder, struct weir_error *err)
{
    struct weir_folder *folder = calloc(1, sizeof(*folder));

    if (folder == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    snprintf(folder->store.path, sizeof(folder->store.path), "%s", path);
    int r = open_db(folder, writable, err);
    if (r < 0) {
        weir_folder_close(folder);
        return r;
    }
    *ret_folder = folder;
    return 0;
}

void weir_folder_close(struct weir_folder *folder)
{
    if (folder == NULL)
        return;
    weir_db_close(folder->store.db);
    for (size_t i = 0; i < folder->topic_count; i++)
        free(folder->topics[i]);
    free(folder->topics);
    free(folder->parts);
    free(folder);
}

const struct weir_folder_part *weir_folder_parts(const struct weir_folder *folder, size_t *ret_count)
{
    *ret_count = folder->count;
    return folder->parts;
}

uint64_t weir_folder_estimate(struct weir_folder *folder)
{
    uint64_t keys = 0;
    return weir_db_property(folder->store.db, "rocksdb.estimate-num-keys", false, &keys) ? keys : 0;
}

/* Cuts the kind and the partition off the keys. */
struct visit {
    weir_folder_visitor *visit;
    void *context;
};

static bool visit_entry(void *context, struct weir_bytes key, struct weir_bytes value)
{
    struct visit *visit = context;
    return visit->visit(
        visit->context, weir_bytes(key.data + WEIR_KEY_PREFIX_BYTES, key.len - WEIR_KEY_PREFIX_BYTES), value);
}

int weir_folder_each(struct weir_folder *folder, const struct weir_folder_part *part,
    weir_folder_visitor *visit, void *context, struct weir_error *err)
{
    char key[WEIR_STORE_KEY_BYTES];
    struct weir_bytes prefix =
        weir_key_write(WEIR_KEY_DOCUMENT, part->number, part->partition, WEIR_BYTES_NULL, key);

    return weir_db_each(folder->store.db, prefix, visit_entry, &(struct visit){visit, context}, err);
}

static void write_name(struct weir_buffer *key, const char *name)
{
    weir_buffer_printf(key, "%c%s", WEIR_KEY_META, name);
}

int weir_folder_get(
    struct weir_folder *folder, const char *name, struct weir_buffer *out, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer key = {0};

    write_name(&key, name);
    return key.failed ? weir_error_set(err, WEIR_E_INTERNAL, "out of memory")
                      : weir_db_get(folder->store.db, weir_buffer_bytes(&key), out, err);
}

void weir_folder_put(struct weir_folder *folder, const char *name, const char *value)
{
    WEIR_CLEANUP(buffer) struct weir_buffer key = {0};

    write_name(&key, name);
    if (value != NULL)
        weir_db_batch_put(folder->store.db, weir_buffer_bytes(&key), weir_bytes_str(value));
    else
        weir_db_batch_delete(folder->store.db, weir_buffer_bytes(&key));
}

void weir_folder_put_checkpoint(
    struct weir_folder *folder, const struct weir_folder_part *part, int64_t offset, int64_t known_ms)
{
    const struct weir_source source = {.number = part->number};

    weir_checkpoint_put(&folder->store, &source, part->partition, WEIR_STORE_CHANGES,
        (struct weir_checkpoint){offset, known_ms});
    weir_continuity_forget(&folder->store, &source, part->partition);
}

void weir_folder_forget_outcomes(struct weir_folder *folder, const struct weir_folder_part *part)
{
    const struct weir_source source = {.number = part->number};

    weir_checkpoint_delete(&folder->store, &source, part->partition, WEIR_STORE_OUTCOMES);
}

void weir_folder_forget_commands(struct weir_folder *folder, const struct weir_folder_part *part)
{
    const struct weir_source source = {.number = part->number};

    weir_reached_put(&folder->store, &source, part->partition, 0);
}

int weir_folder_write(struct weir_folder *folder, struct weir_error *err)
{
    return weir_db_batch_write(folder->store.db, err);
}

int weir_folder_checkpoint(struct weir_folder *folder, const char *to, struct weir_error *err)
{
    return weir_db_checkpoint(folder->store.db, to, err);
}

int weir_folder_remove(const char *path, struct weir_error *err)
{
    if (access(path, F_OK) != 0 && errno == ENOENT) /* RocksDB would make it first */
        return 0;
    int r = weir_db_destroy(path, err);
    if (r == 0)
        rmdir(path);
    return r;
}
