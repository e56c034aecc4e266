#include "consumers/plugins/store/continuity.h"

#include "common/hash.h"
#include "consumers/plugins/store/keys.h"
#include "consumers/plugins/store/restore_record.h"

#include <endian.h>
#include <inttypes.h>

enum { LOOK_BACK = 64, WORDS = 3 };

static const uint64_t seed = 0x5851f42d4c957f2du; /* arbitrary, and fixed for ever: it is on disk */

struct entry {
    char key[WEIR_STORE_KEY_BYTES];
    uint64_t words[WORDS]; /* little endian: checkpoint, offset and hash of the record */
    struct weir_bytes key_bytes, value_bytes;
};

static void write_entry(struct entry *entry, const struct weir_source *source, int32_t partition,
    int64_t checkpoint, struct weir_last_change last)
{
    const uint64_t words[WORDS] = {
        htole64((uint64_t)checkpoint), htole64((uint64_t)last.offset), htole64(last.hash)};

    entry->key_bytes = weir_key_write(WEIR_KEY_LAST, source->number, partition, WEIR_BYTES_NULL, entry->key);
    memcpy(entry->words, words, sizeof(words));
    entry->value_bytes = weir_bytes((const char *)entry->words, sizeof(words));
}

void weir_continuity_put(struct weir_store *store, const struct weir_source *source, int32_t partition,
    int64_t checkpoint, struct weir_last_change last)
{
    struct entry entry;

    write_entry(&entry, source, partition, checkpoint, last);
    weir_db_batch_put(store->db, entry.key_bytes, entry.value_bytes);
}

void weir_continuity_overlay(struct weir_store *store, const struct weir_source *source, int32_t partition,
    int64_t checkpoint, struct weir_last_change last)
{
    struct entry entry;

    write_entry(&entry, source, partition, checkpoint, last);
    weir_db_overlay_put(store->db, entry.key_bytes, entry.value_bytes);
}

void weir_continuity_forget(struct weir_store *store, const struct weir_source *source, int32_t partition)
{
    char key[WEIR_STORE_KEY_BYTES];
    weir_db_batch_delete(
        store->db, weir_key_write(WEIR_KEY_LAST, source->number, partition, WEIR_BYTES_NULL, key));
}

uint64_t weir_continuity_hash(struct weir_bytes key, struct weir_bytes request)
{
    return weir_hash(weir_hash(seed, key), request);
}

/* An entry of another checkpoint is what a store left that did not know of it yet: it says nothing. */
static int load(struct weir_store *store, const struct weir_source *source, int32_t partition,
    int64_t checkpoint, struct weir_last_change *ret_last, struct weir_error *err)
{
    char key[WEIR_STORE_KEY_BYTES];
    uint64_t words[WORDS];

    *ret_last = WEIR_LAST_UNKNOWN;
    int r = weir_db_get(store->db,
        weir_key_write(WEIR_KEY_LAST, source->number, partition, WEIR_BYTES_NULL, key), &store->found, err);
    if (r < 0)
        return r == WEIR_E_NOT_FOUND ? 0 : r;
    if (store->found.len != sizeof(words))
        return weir_error_set(
            err, WEIR_E_CORRUPT, "%s: a last change of %zu bytes", store->path, store->found.len);
    memcpy(words, store->found.data, sizeof(words));
    if ((int64_t)le64toh(words[0]) == checkpoint)
        *ret_last = (struct weir_last_change){(int64_t)le64toh(words[1]), le64toh(words[2])};
    return 0;
}

int weir_continuity_begin(struct weir_store *store, const struct weir_source *source, int32_t partition,
    int64_t *offset, struct weir_error *err)
{
    struct weir_partition *own = &source->partitions[partition];
    int64_t checkpoint = *offset;

    own->stranger = -1;
    *offset = checkpoint > LOOK_BACK ? checkpoint - LOOK_BACK : 0;
    return load(store, source, partition, checkpoint, &own->last, err);
}

static bool is_last(const struct weir_record *record, const struct weir_last_change *last)
{
    struct weir_bytes request = weir_header_find(record->headers, record->header_count, WEIR_HEADER_ID);
    return record->offset == last->offset && weir_continuity_hash(record->key, request) == last->hash;
}

int weir_continuity_see(struct weir_store *store, const struct weir_source *source,
    const struct weir_record *record, struct weir_error *err)
{
    struct weir_partition *own = &source->partitions[record->partition];
    bool known = false;
    int r = 0;

    if (own->last.offset >= 0 && record->offset >= own->last.offset)
        known = is_last(record, &own->last);
    else
        r = weir_restore_compare(store, source, record, &known, err);
    if (r == 0)
        own->stranger = known ? -1 : record->offset;
    return r == WEIR_E_INVALID ? 0 : r; /* what is no change event says nothing */
}

int weir_continuity_check(const struct weir_store *store, const struct weir_source *source, int32_t partition,
    struct weir_error *err)
{
    int64_t stranger = source->partitions[partition].stranger;

    if (stranger < 0)
        return 0;
    return weir_error_set(err, WEIR_E_CONFIG,
        "partition %" PRId32 " of %s has another record at offset %" PRId64
        " than %s has applied: it was made anew or lost records; %s",
        partition, source->changes_topic, stranger, store->path, weir_store_two_ways);
}
