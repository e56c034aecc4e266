#include "common/kafka_unchanged.h"

#include "common/topic.h"

#include <stdlib.h>
#include <string.h>

/* Brokers' clocks, which stamp the two topics, may differ by so much. */
enum { CLOCKS_MS = 5 * 60 * 1000 };

/* What is known of a key. */
enum {
    COMMAND_NEXT, /* behind the newest command on the key's own partition that changed it */
    OTHER_MS,     /* when it was last changed by anything else: an expiry, a redriven stray */
    NEWEST_MS,    /* when it was last changed */
};

int weir_unchanged_init(struct weir_unchanged *unchanged, const struct weir_collection *collection)
{
    *unchanged = (struct weir_unchanged){.collection = collection, .since_ms = INT64_MAX};
    unchanged->partitions = calloc((size_t)collection->partitions, sizeof(bool));
    return unchanged->partitions != NULL ? 0 : WEIR_E_INTERNAL;
}

void weir_unchanged_done(struct weir_unchanged *unchanged)
{
    free(unchanged->partitions);
    unchanged->partitions = NULL;
    weir_number_map_done(&unchanged->keys);
}

/* FNV-1a, 64 bits (Fowler, Noll, Vo). Two keys of one value would at worst leave a letter where it is. */
static uint64_t hash(struct weir_bytes key)
{
    uint64_t sum = 0xcbf29ce484222325;

    for (size_t i = 0; i < key.len; i++)
        sum = (sum ^ (unsigned char)key.data[i]) * 0x100000001b3;
    return sum;
}

static int32_t home_of(const struct weir_unchanged *unchanged, struct weir_bytes key)
{
    return weir_topic_partition(key, (int32_t)unchanged->collection->partitions);
}

int weir_unchanged_ask(struct weir_unchanged *unchanged, const struct weir_letter *letter)
{
    int64_t since_ms = letter->original_ms > CLOCKS_MS ? letter->original_ms - CLOCKS_MS : 0;

    if (weir_number_map_put(&unchanged->keys, hash(letter->key), letter->key.len) == NULL)
        return WEIR_E_INTERNAL;
    unchanged->partitions[home_of(unchanged, letter->key)] = true;
    if (since_ms < unchanged->since_ms)
        unchanged->since_ms = since_ms;
    return 0;
}

static void raise_to(int64_t *number, int64_t value)
{
    if (*number < value)
        *number = value;
}

static int take_event(void *context, const struct weir_kafka_record *record, struct weir_error *err)
{
    struct weir_unchanged *unchanged = context;
    struct weir_bytes origin = weir_header_find(record->headers, record->header_count, WEIR_HEADER_ORIGIN);
    char topic[WEIR_TOPIC_NAME_BYTES];
    int32_t partition = -1;
    int64_t offset = 0;

    if (weir_number_map_get(&unchanged->keys, hash(record->key), record->key.len) == NULL)
        return 0;
    int64_t *known = weir_number_map_put(&unchanged->keys, hash(record->key), record->key.len);
    if (known == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    raise_to(&known[NEWEST_MS], record->timestamp_ms);
    if (weir_position_read(origin, topic, sizeof(topic), &partition, &offset, NULL) == 0 &&
        partition == record->partition && strcmp(topic, unchanged->collection->command_topic) == 0)
        raise_to(&known[COMMAND_NEXT], offset + 1);
    else
        raise_to(&known[OTHER_MS], record->timestamp_ms);
    return 0;
}

int weir_unchanged_read(
    struct weir_unchanged *unchanged, struct weir_kafka_scan *scan, struct weir_error *err)
{
    int code = 0;

    for (int32_t partition = 0; partition < unchanged->collection->partitions && code == 0; partition++) {
        struct weir_kafka_range range = {.topic = unchanged->collection->changes_topic,
            .partition = partition,
            .from_ms = unchanged->since_ms,
            .settled = true};
        if (unchanged->partitions[partition])
            code = weir_kafka_scan_read(scan, &range, take_event, unchanged, err);
    }
    return code;
}

bool weir_unchanged_holds(const struct weir_unchanged *unchanged, const struct weir_letter *letter)
{
    const int64_t *known = weir_number_map_get(&unchanged->keys, hash(letter->key), letter->key.len);

    if (known == NULL || known[NEWEST_MS] == 0)
        return true;
    if (letter->source_partition != home_of(unchanged, letter->key))
        return known[NEWEST_MS] <= letter->original_ms;
    return known[COMMAND_NEXT] <= letter->source_offset && known[OTHER_MS] <= letter->original_ms;
}
