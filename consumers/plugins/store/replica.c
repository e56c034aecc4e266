#include "consumers/plugins/store/replica.h"

#include "common/hash.h"
#include "consumers/plugins/store/change.h"
#include "consumers/plugins/store/document.h"

/* Arbitrary, and fixed for ever: hashes of different runs are compared by people. */
enum { SEEDS = 2 };
static const uint64_t seeds[SEEDS] = {0x9e3779b97f4a7c15u, 0xd6e8feb86659fd93u};

static const char seen[] = "s";

struct digest {
    uint64_t words[SEEDS];
};

static struct digest digest_of(struct weir_bytes bytes)
{
    struct digest digest;

    for (int i = 0; i < SEEDS; i++)
        digest.words[i] = weir_hash(seeds[i], bytes);
    return digest;
}

static void put(struct weir_replica *replica, struct weir_bytes key, struct weir_bytes value)
{
    weir_overlay_put(&replica->entries, key, value);
    replica->failed = replica->failed || replica->entries.failed;
}

void weir_replica_take(
    struct weir_replica *replica, struct weir_bytes key, struct weir_bytes value, struct weir_bytes request)
{
    struct weir_change change;
    struct weir_error invalid;

    if (weir_change_read_record(key, value, request, &change, &invalid) < 0) {
        replica->skipped++;
        return;
    }
    if (change.op == 'd') {
        put(replica, key, WEIR_BYTES_NULL);
        return;
    }
    weir_document_write(
        &(struct weir_document){change.version, change.ts_ms, request, change.after}, &replica->stored);
    struct digest digest = digest_of(weir_buffer_bytes(&replica->stored));
    put(replica, key, weir_bytes((const char *)&digest, sizeof(digest)));
    replica->failed = replica->failed || replica->stored.failed;
}

enum weir_likeness weir_replica_compare(
    struct weir_replica *replica, struct weir_bytes key, struct weir_bytes stored)
{
    struct weir_bytes known = WEIR_BYTES_NULL;

    if (!weir_overlay_find(&replica->entries, key, &known) || known.data == NULL)
        return WEIR_LIKE_UNKNOWN;
    struct digest digest = digest_of(stored);
    bool same = known.len == sizeof(digest) && memcmp(known.data, &digest, sizeof(digest)) == 0;
    put(replica, key, weir_bytes_str(seen));
    return same ? WEIR_LIKE_SAME : WEIR_LIKE_DIFFERENT;
}

bool weir_replica_is_unseen(const struct weir_replica *replica, size_t index)
{
    struct weir_bytes value = weir_overlay_value(&replica->entries, index);
    return value.data != NULL && value.len == sizeof(struct digest);
}

uint64_t weir_replica_hash(struct weir_bytes key, struct weir_bytes stored)
{
    return weir_hash(weir_hash(seeds[0], key), stored);
}

void weir_replica_clear(struct weir_replica *replica)
{
    weir_overlay_clear(&replica->entries);
    replica->skipped = 0;
    replica->failed = false;
}

void weir_replica_done(struct weir_replica *replica)
{
    weir_overlay_done(&replica->entries);
    weir_buffer_done(&replica->stored);
}
