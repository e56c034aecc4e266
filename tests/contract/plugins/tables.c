/* A plugin for the tests of tables that reach beyond what an instance owns: its table `{source}.changes` is
 * read in mode STANDBY, with -DTABLES_ALL in mode ALL. It logs each record of the table and each partition
 * that is caught up, and emits what it gets to the table, but what its key begins with "later": that is
 * emitted by the next tick. */
#include <weir/plugin.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PARTITIONS_MAX = 64, LATER_MAX = 100, KEY_BYTES = 64 };

struct later {
    uint32_t source;
    int32_t partition;
    char key[KEY_BYTES];
};

struct tables {
    const struct weir_host *host;
    int64_t next[PARTITIONS_MAX];
    bool owned[PARTITIONS_MAX];
    struct later later[LATER_MAX];
    size_t later_count;
};

static const struct weir_table tables[] = {{.topic = "{source}.changes",
#ifdef TABLES_ALL
    .mode = WEIR_TABLE_ALL
#else
    .mode = WEIR_TABLE_STANDBY
#endif
}};

static int open_tables(
    const struct weir_host *host, const void *settings, void **ret_instance, struct weir_error *err)
{
    (void)settings;
    struct tables *instance = calloc(1, sizeof(*instance));
    if (instance == NULL)
        return weir_fail(err, WEIR_E_INTERNAL, "memory is out");
    instance->host = host;
    *ret_instance = instance;
    return 0;
}

static int assigned(void *instance, uint32_t source, int32_t partition, struct weir_error *err)
{
    (void)source;
    if (partition >= PARTITIONS_MAX)
        return weir_fail(err, WEIR_E_CONFIG, "at most %d partitions", PARTITIONS_MAX);
    ((struct tables *)instance)->owned[partition] = true;
    return 0;
}

static void revoked(void *instance, uint32_t source, int32_t partition)
{
    (void)source;
    ((struct tables *)instance)->owned[partition] = false;
}

static void put_off(struct tables *instance, const struct weir_record *record)
{
    struct later *later = &instance->later[instance->later_count++];
    later->source = record->source;
    later->partition = record->partition;
    snprintf(later->key, sizeof(later->key), "%.*s", (int)record->key.len, record->key.data);
}

static void handle_record(struct tables *own, struct weir_batch *batch, const struct weir_record *record)
{
    char topic[256];
    struct weir_error err = {0};
    bool later = record->key.len >= 5 && memcmp(record->key.data, "later", 5) == 0;
    snprintf(topic, sizeof(topic), "%s.changes", record->topic);
    if (later && own->later_count < LATER_MAX)
        put_off(own, record);
    else if (own->host->emit(batch, record, topic, record->key, record->value, NULL, 0, &err) < 0)
        own->host->fail(batch, record, WEIR_REJECT,
            &(struct weir_reason){.disposition = "too-large", .error_type = "size", .text = err.text});
    own->host->done(batch, record);
}

static int handle(void *instance, struct weir_batch *batch, struct weir_error *err)
{
    struct tables *own = instance;
    (void)err;
    for (const struct weir_record *record; (record = own->host->next(batch)) != NULL;)
        handle_record(own, batch, record);
    return 0;
}

static void tick(void *instance, struct weir_batch *batch)
{
    struct tables *own = instance;
    for (size_t i = 0; i < own->later_count; i++) {
        const struct later *later = &own->later[i];
        char topic[256];
        struct weir_error err;
        snprintf(topic, sizeof(topic), "%s.changes", own->host->topics[later->source]);
        if (own->host->emit_at(batch, later->source, later->partition, topic, weir_bytes_str(later->key),
                weir_bytes_str("later"), NULL, 0, &err) < 0)
            weir_say(own->host, WEIR_SAY_ERROR, "tables.not_emitted", "reason=\"%s\"", err.text);
    }
    own->later_count = 0;
}

static int committed(
    void *instance, struct weir_batch *batch, const struct weir_result *result, struct weir_error *err)
{
    struct tables *own = instance;
    (void)batch;
    (void)err;
    for (size_t i = 0; i < result->output_count; i++) {
        const struct weir_output *output = &result->outputs[i];
        own->next[output->partition] = output->offset + 1;
        weir_say(own->host, WEIR_SAY_INFO, "tables.committed",
            "partition=%" PRId32 " offset=%" PRId64 " tick=%s positions=%zu", output->partition,
            output->offset, output->cause == WEIR_NO_RECORD ? "yes" : "no", result->position_count);
    }
    return 0;
}

static int table_position(void *instance, uint32_t table, uint32_t source, int32_t partition,
    int64_t *ret_offset, struct weir_error *err)
{
    (void)table;
    (void)source;
    (void)err;
    *ret_offset = ((const struct tables *)instance)->next[partition];
    return 0;
}

static int table_apply(
    void *instance, uint32_t table, const struct weir_record *records, size_t count, struct weir_error *err)
{
    struct tables *own = instance;
    (void)table;
    (void)err;
    for (size_t i = 0; i < count; i++) {
        own->next[records[i].partition] = records[i].offset + 1;
        weir_say(own->host, WEIR_SAY_INFO, "tables.applied",
            "partition=%" PRId32 " offset=%" PRId64 " key=%.*s owned=%s", records[i].partition,
            records[i].offset, (int)records[i].key.len, records[i].key.data,
            own->owned[records[i].partition] ? "yes" : "no");
    }
    return 0;
}

static int table_caught_up(void *instance, uint32_t table, uint32_t source, int32_t partition, int64_t offset,
    struct weir_error *err)
{
    struct tables *own = instance;
    (void)table;
    (void)source;
    (void)err;
    own->next[partition] = offset;
    weir_say(own->host, WEIR_SAY_INFO, "tables.caught_up", "partition=%" PRId32 " offset=%" PRId64, partition,
        offset);
    return 0;
}

WEIR_PLUGIN = {
    .abi = WEIR_PLUGIN_ABI,
    .struct_size = sizeof(struct weir_plugin),
#ifdef TABLES_ALL
    .name = "tables-all",
#else
    .name = "tables-standby",
#endif
    .version = "1",
    .summary = "Follows a table; for tests of the host",
    .tables = tables,
    .table_count = 1,
    .open = open_tables,
    .close = free,
    .handle = handle,
    .assigned = assigned,
    .revoked = revoked,
    .committed = committed,
    .tick = tick,
    .table_position = table_position,
    .table_apply = table_apply,
    .table_caught_up = table_caught_up,
};
