#include "gateway/feed_token.h"

#include <string.h>

enum { VERSION = 1, SUM_BYTES = 4, TOKEN_MAX = 16384 };

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* FNV-1a over topic and content. */
static uint32_t sum_of(const char *topic, struct weir_bytes content)
{
    uint32_t sum = 2166136261U;
    for (const char *at = topic; *at != '\0'; at++)
        sum = (sum ^ (unsigned char)*at) * 16777619U;
    for (size_t i = 0; i < content.len; i++)
        sum = (sum ^ (unsigned char)content.data[i]) * 16777619U;
    return sum;
}

static void append_byte(struct weir_buffer *out, unsigned byte)
{
    char c = (char)byte;
    weir_buffer_append(out, &c, 1);
}

/* Seven bits a byte, the lowest first. */
static void append_number(struct weir_buffer *out, uint64_t number)
{
    for (; number >= 0x80; number >>= 7)
        append_byte(out, (unsigned)(number & 0x7f) | 0x80);
    append_byte(out, (unsigned)number);
}

static void append_base64(struct weir_bytes bytes, struct weir_buffer *out)
{
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t group = (uint32_t)(unsigned char)bytes.data[i] << 16;
        group |= left > 1 ? (uint32_t)(unsigned char)bytes.data[i + 1] << 8 : 0;
        group |= left > 2 ? (uint32_t)(unsigned char)bytes.data[i + 2] : 0;
        for (size_t j = 0; j <= (left > 2 ? 3 : left); j++)
            weir_buffer_append(out, &alphabet[group >> (18 - 6 * j) & 63], 1);
    }
}

void weir_feed_token_write(const char *topic, const int64_t *offsets, int32_t count, struct weir_buffer *out)
{
    WEIR_CLEANUP(buffer) struct weir_buffer bytes = {0};
    append_byte(&bytes, VERSION);
    for (int32_t p = 0; p < count; p++)
        append_number(&bytes, (uint64_t)offsets[p]);
    uint32_t sum = sum_of(topic, weir_buffer_bytes(&bytes));
    for (int i = 0; i < SUM_BYTES; i++)
        append_byte(&bytes, sum >> (8 * i) & 0xff);
    out->failed |= bytes.failed;
    if (!bytes.failed)
        append_base64(weir_buffer_bytes(&bytes), out);
}

static bool read_base64(struct weir_bytes text, struct weir_buffer *out)
{
    uint32_t group = 0;
    int bits = 0;
    for (size_t i = 0; i < text.len; i++) {
        const char *found = text.data[i] != '\0' ? strchr(alphabet, text.data[i]) : NULL;
        if (found == NULL)
            return false;
        group = group << 6 | (uint32_t)(found - alphabet);
        bits += 6;
        if (bits < 8)
            continue;
        bits -= 8;
        append_byte(out, group >> bits & 0xff);
    }
    return !out->failed && (group & ((1U << bits) - 1)) == 0 && text.len % 4 != 1;
}

static bool read_number(struct weir_bytes *bytes, int64_t *ret_number)
{
    uint64_t number = 0;
    for (unsigned shift = 0; shift < 63 && bytes->len > 0; shift += 7) {
        unsigned byte = (unsigned char)bytes->data[0];
        *bytes = weir_bytes(bytes->data + 1, bytes->len - 1);
        number |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret_number = (int64_t)number;
            return true;
        }
    }
    return false;
}

static bool read_content(struct weir_bytes bytes, int64_t *offsets, int32_t count)
{
    if (bytes.len == 0 || bytes.data[0] != VERSION)
        return false;
    bytes = weir_bytes(bytes.data + 1, bytes.len - 1);
    for (int32_t p = 0; p < count; p++) {
        if (!read_number(&bytes, &offsets[p]))
            return false;
    }
    return bytes.len == 0;
}

int weir_feed_token_read(
    const char *topic, struct weir_bytes token, int64_t *offsets, int32_t count, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer bytes = {0};
    uint32_t sum = 0;
    if (token.len > TOKEN_MAX || !read_base64(token, &bytes) || bytes.len <= SUM_BYTES)
        return weir_error_set(err, WEIR_E_INVALID, "is no token of a change feed");
    struct weir_bytes content = weir_bytes(bytes.data, bytes.len - SUM_BYTES);
    for (int i = 0; i < SUM_BYTES; i++)
        sum |= (uint32_t)(unsigned char)bytes.data[content.len + (size_t)i] << (8 * i);
    if (sum != sum_of(topic, content) || !read_content(content, offsets, count))
        return weir_error_set(err, WEIR_E_INVALID, "is no token of this change feed, or not all of it");
    return 0;
}
