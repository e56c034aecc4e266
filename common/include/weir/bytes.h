/* A view of bytes that someone else owns: how keys, values and header values travel. `data == NULL` is Kafka's null (a
 * tombstone), which is not the same as zero bytes.
 *
 *     if (weir_bytes_is(record->key, "ping"))
 *         host->emit(batch, record, "orders.pong", record->key, weir_bytes_str("{}"), NULL, 0, &err);
 *
 * Threads: any. Part of the plugin ABI: nothing in here changes within one WEIR_PLUGIN_ABI. C17 and C++. */
#ifndef WEIR_BYTES_H
#define WEIR_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weir_bytes {
    const char *data; /* not NUL-terminated; NULL: null, not empty */
    size_t len;       /* bytes; 0 when data is NULL */
};

/* A record's header, as it stands in Kafka. Names may repeat. */
struct weir_header {
    const char *name; /* NUL-terminated, never NULL */
    struct weir_bytes value;
};

/* len bytes at data; data NULL (then len 0) is null. */
static inline struct weir_bytes weir_bytes(const void *data, size_t len)
{
    struct weir_bytes bytes = {(const char *)data, len};
    return bytes;
}

#define WEIR_BYTES_NULL (weir_bytes(NULL, 0))

/* The bytes of a NUL-terminated string without its NUL; NULL is null. */
static inline struct weir_bytes weir_bytes_str(const char *text)
{
    return weir_bytes(text, text != NULL ? strlen(text) : 0);
}

/* The same bytes; null equals null only. */
static inline bool weir_bytes_equal(struct weir_bytes a, struct weir_bytes b)
{
    return a.len == b.len && (a.data == NULL) == (b.data == NULL) &&
        (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Whether they are the bytes of the string. */
static inline bool weir_bytes_is(struct weir_bytes a, const char *text)
{
    return weir_bytes_equal(a, weir_bytes_str(text));
}

#ifdef __cplusplus
}
#endif

#endif
