#include "consumers/plugins/notifier/ledger_keys.h"

#include <endian.h>
#include <string.h>

/* What is longer than the room is cut: names and keys have limits that never let that happen. */
struct writer {
    char *out;
    size_t len;
};

static void add(struct writer *writer, const void *data, size_t len)
{
    size_t room = WEIR_LEDGER_KEY_BYTES - writer->len;

    len = len < room ? len : room;
    memcpy(writer->out + writer->len, data, len);
    writer->len += len;
}

static void add_text(struct writer *writer, const char *text)
{
    add(writer, text, strlen(text));
}

static struct writer begin(char *out, enum weir_ledger_kind kind)
{
    out[0] = (char)kind;
    return (struct writer){out, 1};
}

static struct weir_bytes written(const struct writer *writer)
{
    return weir_bytes(writer->out, writer->len);
}

struct weir_bytes weir_ledger_row_key(char out[static WEIR_LEDGER_KEY_BYTES], const char *key)
{
    struct writer writer = begin(out, WEIR_LEDGER_ROW);

    add_text(&writer, key);
    return written(&writer);
}

struct weir_bytes weir_ledger_request_key(
    char out[static WEIR_LEDGER_KEY_BYTES], const char *request, const char *key)
{
    struct writer writer = begin(out, WEIR_LEDGER_REQUEST);

    add(&writer, request, strlen(request) + 1);
    add_text(&writer, key);
    return written(&writer);
}

struct weir_bytes weir_ledger_time_key(
    char out[static WEIR_LEDGER_KEY_BYTES], int64_t time_ms, const char *key)
{
    struct writer writer = begin(out, WEIR_LEDGER_TIME);
    uint64_t ordered = htobe64((uint64_t)time_ms);

    add(&writer, &ordered, sizeof(ordered));
    add_text(&writer, key);
    return written(&writer);
}

static void add_partition(struct writer *writer, const char *log, int32_t partition)
{
    uint32_t ordered = htobe32((uint32_t)partition);

    add(writer, log, strlen(log) + 1);
    add(writer, &ordered, sizeof(ordered));
}

struct weir_bytes weir_ledger_outbox_key(
    char out[static WEIR_LEDGER_KEY_BYTES], const char *log, int32_t partition, const char *key)
{
    struct writer writer = begin(out, WEIR_LEDGER_OUTBOX);

    add_partition(&writer, log, partition);
    add_text(&writer, key);
    return written(&writer);
}

struct weir_bytes weir_ledger_refusals_key(char out[static WEIR_LEDGER_KEY_BYTES], const char *subscription)
{
    struct writer writer = begin(out, WEIR_LEDGER_REFUSALS);

    add_text(&writer, subscription);
    return written(&writer);
}

struct weir_bytes weir_ledger_position_key(
    char out[static WEIR_LEDGER_KEY_BYTES], const char *cluster, const char *log, int32_t partition)
{
    struct writer writer = begin(out, WEIR_LEDGER_POSITION);

    add(&writer, cluster, strlen(cluster) + 1);
    add_partition(&writer, log, partition);
    return written(&writer);
}

static struct weir_bytes behind(struct weir_bytes entry, size_t len)
{
    return len <= entry.len ? weir_bytes(entry.data + len, entry.len - len) : weir_bytes("", 0);
}

/* How long the key is up to and with its first NUL. */
static size_t through_nul(struct weir_bytes entry)
{
    const char *nul = memchr(entry.data, '\0', entry.len);
    return nul != NULL ? (size_t)(nul - entry.data) + 1 : entry.len;
}

struct weir_bytes weir_ledger_key_of_request(struct weir_bytes entry)
{
    return behind(entry, through_nul(entry));
}

struct weir_bytes weir_ledger_key_of_time(struct weir_bytes entry, int64_t *ret_time_ms)
{
    uint64_t ordered = 0;

    if (entry.len > sizeof(ordered))
        memcpy(&ordered, entry.data + 1, sizeof(ordered));
    *ret_time_ms = (int64_t)be64toh(ordered);
    return behind(entry, 1 + sizeof(ordered));
}

struct weir_bytes weir_ledger_key_of_outbox(struct weir_bytes entry)
{
    return behind(entry, through_nul(entry) + sizeof(uint32_t));
}

int32_t weir_ledger_partition_of_outbox(struct weir_bytes entry)
{
    uint32_t ordered = 0;
    size_t at = through_nul(entry);

    if (at + sizeof(ordered) <= entry.len)
        memcpy(&ordered, entry.data + at, sizeof(ordered));
    return (int32_t)be32toh(ordered);
}
