/* Bytes: copies, UTF-8, and a growing buffer that one owns. The view of bytes that someone else owns, struct weir_bytes,
 * is <weir/bytes.h>.
 *
 *     WEIR_CLEANUP(buffer) struct weir_buffer out = {0};
 *     weir_buffer_printf(&out, "{\"op\":\"%s\"}", op);
 *     if (out.failed) return WEIR_E_INTERNAL;
 */
#ifndef WEIR_COMMON_BYTES_H
#define WEIR_COMMON_BYTES_H

#include <weir/bytes.h>

#include <stdint.h>

/* Writes number in decimal digits, without a NUL; answers how many bytes that are. */
enum { WEIR_NUMBER_BYTES = 20 };
size_t weir_number_write(int64_t number, char out[static WEIR_NUMBER_BYTES]);

/* A copy that ends in NUL, owned by the caller (free); NULL when memory is out. */
char *weir_bytes_dup(struct weir_bytes bytes);

/* Length in bytes (1 to 4) of the well-formed UTF-8 character (RFC 3629) that text begins with; 0 when it begins with
 * none: no bytes, a lone or missing continuation, an overlong form, a surrogate, beyond U+10FFFF. Threads: any. */
size_t weir_utf8_next(struct weir_bytes text);
/* Whether all of text is well-formed. */
bool weir_utf8_valid(struct weir_bytes text);

/* Grows by doubling. After a failed growth `failed` is set, the content stays and further appends do nothing,
 * so that it is checked once at the end. Always NUL-terminated beyond `len`. Not thread-safe. */
struct weir_buffer {
    char *data;
    size_t len;
    size_t capacity;
    bool failed;
};

void weir_buffer_append(struct weir_buffer *buffer, const void *data, size_t len);
void weir_buffer_append_bytes(struct weir_buffer *buffer, struct weir_bytes bytes);
void weir_buffer_append_str(struct weir_buffer *buffer, const char *text);
/* As decimal digits; for what every request writes, printf takes too long. */
void weir_buffer_append_number(struct weir_buffer *buffer, int64_t number);
void weir_buffer_printf(struct weir_buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Appends text as a JSON string with its quotes: UTF-8 as it is, the rest escaped as RFC 8259 asks. */
void weir_buffer_append_json_string(struct weir_buffer *buffer, struct weir_bytes text);
/* Makes room for `more` bytes beyond len; false when memory is out. */
bool weir_buffer_reserve(struct weir_buffer *buffer, size_t more);
/* Empties it and keeps the memory. */
void weir_buffer_clear(struct weir_buffer *buffer);
void weir_buffer_done(struct weir_buffer *buffer);
struct weir_bytes weir_buffer_bytes(const struct weir_buffer *buffer);

static inline void weir_cleanup_buffer(struct weir_buffer *buffer)
{
    weir_buffer_done(buffer);
}

#endif
