/* The keys of the store's entries in RocksDB. The first byte is the kind, numbers are big endian, so that a
 * partition's documents lie together and can be dropped and built again.
 *
 *     m NAME                                 meta: "format", "cluster", "collection/" + change topic
 *     c COLLECTION(2) PARTITION(2)           checkpoint of a change partition
 *     l COLLECTION(2) PARTITION(2)           the last record below that checkpoint (continuity.h)
 *     o COLLECTION(2) PARTITION(2)           checkpoint of an outcome partition
 *     p COLLECTION(2) PARTITION(2)           commands of a partition that have ended: all below this offset
 *     d COLLECTION(2) PARTITION(2) KEY       document
 *     i COLLECTION(2) PARTITION(2) INDEX(1) VALUE KEY   index entry, without a value (index.h)
 *     i COLLECTION(2) PARTITION(2) 0xff TIME(8) KEY     the same for the time of the last change in ms
 *     x COLLECTION(2) PARTITION(2)           the indexes that the entries of a partition were made for
 *     r COLLECTION(2) PARTITION(2) REQUEST   how a request ended; in the column families of the hours
 *     h COLLECTION(2) PARTITION(2) KEY NUL OFFSET(8)   the request of a document's command; likewise
 *
 * A collection's number is given once in this folder, so that the order of topics in the configuration may
 * change.
 */
#ifndef WEIR_STORE_KEYS_H
#define WEIR_STORE_KEYS_H

#include "common/bytes.h"
#include "common/envelope.h"

#include <stdint.h>
#include <string.h>

enum { WEIR_KEY_PREFIX_BYTES = 5, WEIR_STORE_KEY_BYTES = WEIR_KEY_PREFIX_BYTES + WEIR_KEY_BYTES };

enum weir_key_kind {
    WEIR_KEY_META = 'm',
    WEIR_KEY_CHANGES = 'c',
    WEIR_KEY_LAST = 'l',
    WEIR_KEY_OUTCOMES = 'o',
    WEIR_KEY_REACHED = 'p',
    WEIR_KEY_DOCUMENT = 'd',
    WEIR_KEY_REQUEST = 'r',
    WEIR_KEY_INDEX = 'i',
    WEIR_KEY_INDEXED = 'x',
    WEIR_KEY_HISTORY = 'h',
};

/* Kind and partition; with `key` behind them, cut at WEIR_KEY_BYTES. Answers the span in out. */
static inline struct weir_bytes weir_key_write(enum weir_key_kind kind, uint16_t collection,
    int32_t partition, struct weir_bytes key, char out[static WEIR_STORE_KEY_BYTES])
{
    size_t len = key.len < WEIR_KEY_BYTES ? key.len : WEIR_KEY_BYTES;

    out[0] = (char)kind;
    out[1] = (char)(collection >> 8);
    out[2] = (char)collection;
    out[3] = (char)(partition >> 8);
    out[4] = (char)partition;
    if (len > 0)
        memcpy(out + WEIR_KEY_PREFIX_BYTES, key.data, len);
    return weir_bytes(out, WEIR_KEY_PREFIX_BYTES + len);
}

/* The beginning of a document's history; with the command's offset behind it an entry of it. */
enum { WEIR_HISTORY_KEY_BYTES = WEIR_STORE_KEY_BYTES + 1 + 8 };
static inline struct weir_bytes weir_history_prefix(
    uint16_t collection, int32_t partition, struct weir_bytes key, char out[static WEIR_HISTORY_KEY_BYTES])
{
    struct weir_bytes prefix = weir_key_write(WEIR_KEY_HISTORY, collection, partition, key, out);

    out[prefix.len] = '\0';
    return weir_bytes(out, prefix.len + 1);
}
static inline struct weir_bytes weir_history_key(uint16_t collection, int32_t partition,
    struct weir_bytes key, int64_t offset, char out[static WEIR_HISTORY_KEY_BYTES])
{
    struct weir_bytes prefix = weir_history_prefix(collection, partition, key, out);

    for (int i = 0; i < 8; i++)
        out[prefix.len + (size_t)i] = (char)((uint64_t)offset >> (56 - 8 * i));
    return weir_bytes(out, prefix.len + 8);
}

#endif
