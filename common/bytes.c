#include "common/bytes.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUFFER_FIRST_BYTES = 128 };

char *weir_bytes_dup(struct weir_bytes bytes)
{
    char *copy = bytes.len < SIZE_MAX ? malloc(bytes.len + 1) : NULL;

    if (copy == NULL)
        return NULL;
    if (bytes.len > 0)
        memcpy(copy, bytes.data, bytes.len);
    copy[bytes.len] = '\0';
    return copy;
}

size_t weir_number_write(int64_t number, char out[static WEIR_NUMBER_BYTES])
{
    char digits[WEIR_NUMBER_BYTES];
    size_t count = 0, len = 0;
    uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

    do {
        digits[count++] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (number < 0)
        out[len++] = '-';
    while (count > 0)
        out[len++] = digits[--count];
    return len;
}

/* First bytes of UTF-8 and what may follow them at once (RFC 3629, section 4); further ones are 80..BF. */
static const struct utf8_form {
    unsigned char first_least, first_most, second_least, second_most;
    size_t len;
} utf8_forms[] = {
    {0xc2, 0xdf, 0x80, 0xbf, 2},
    {0xe0, 0xe0, 0xa0, 0xbf, 3},
    {0xe1, 0xec, 0x80, 0xbf, 3},
    {0xed, 0xed, 0x80, 0x9f, 3},
    {0xee, 0xef, 0x80, 0xbf, 3},
    {0xf0, 0xf0, 0x90, 0xbf, 4},
    {0xf1, 0xf3, 0x80, 0xbf, 4},
    {0xf4, 0xf4, 0x80, 0x8f, 4},
};

static size_t match_utf8(const struct utf8_form *form, const unsigned char *at, size_t len)
{
    if (len < form->len || at[1] < form->second_least || at[1] > form->second_most)
        return 0;
    for (size_t i = 2; i < form->len; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return form->len;
}

size_t weir_utf8_next(struct weir_bytes text)
{
    const unsigned char *at = (const unsigned char *)text.data;

    if (text.len == 0)
        return 0;
    if (at[0] < 0x80)
        return 1;
    for (size_t i = 0; i < sizeof(utf8_forms) / sizeof(utf8_forms[0]); i++)
        if (at[0] >= utf8_forms[i].first_least && at[0] <= utf8_forms[i].first_most)
            return match_utf8(&utf8_forms[i], at, text.len);
    return 0;
}

bool weir_utf8_valid(struct weir_bytes text)
{
    for (size_t at = 0, step; at < text.len; at += step) {
        step = weir_utf8_next(weir_bytes(text.data + at, text.len - at));
        if (step == 0)
            return false;
    }
    return true;
}

bool weir_buffer_reserve(struct weir_buffer *buffer, size_t more)
{
    size_t wanted;

    if (buffer->failed)
        return false;
    if (__builtin_add_overflow(buffer->len, more, &wanted) || wanted > SIZE_MAX / 4) {
        buffer->failed = true;
        return false;
    }
    if (buffer->data != NULL && wanted < buffer->capacity)
        return true;
    size_t capacity = buffer->capacity > 0 ? buffer->capacity : BUFFER_FIRST_BYTES;
    while (capacity <= wanted)
        capacity *= 2;
    char *grown = realloc(buffer->data, capacity);
    if (grown == NULL) {
        buffer->failed = true;
        return false;
    }
    grown[buffer->len] = '\0';
    buffer->data = grown;
    buffer->capacity = capacity;
    return true;
}

void weir_buffer_append(struct weir_buffer *buffer, const void *data, size_t len)
{
    if (!weir_buffer_reserve(buffer, len) || len == 0)
        return;
    memcpy(buffer->data + buffer->len, data, len);
    buffer->len += len;
    buffer->data[buffer->len] = '\0';
}

void weir_buffer_append_bytes(struct weir_buffer *buffer, struct weir_bytes bytes)
{
    weir_buffer_append(buffer, bytes.data, bytes.len);
}

void weir_buffer_append_str(struct weir_buffer *buffer, const char *text)
{
    weir_buffer_append(buffer, text, strlen(text));
}

void weir_buffer_append_number(struct weir_buffer *buffer, int64_t number)
{
    char text[WEIR_NUMBER_BYTES];
    weir_buffer_append(buffer, text, weir_number_write(number, text));
}

void weir_buffer_printf(struct weir_buffer *buffer, const char *format, ...)
{
    va_list arguments, again;

    if (!weir_buffer_reserve(buffer, 0))
        return;
    va_start(arguments, format);
    va_copy(again, arguments);
    size_t room = buffer->capacity - buffer->len;
    int len = vsnprintf(buffer->data + buffer->len, room, format, arguments);
    va_end(arguments);
    if (len >= 0 && (size_t)len >= room && weir_buffer_reserve(buffer, (size_t)len))
        len = vsnprintf(buffer->data + buffer->len, (size_t)len + 1, format, again);
    va_end(again);
    if (len < 0)
        buffer->failed = true;
    if (buffer->failed)
        buffer->data[buffer->len] = '\0';
    else
        buffer->len += (size_t)len;
}

/* RFC 8259, section 7: what has a short form; other control characters are \u00NN. */
static const char json_escapes[256] = {
    ['"'] = '"', ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};

static void append_json_escape(struct weir_buffer *buffer, unsigned char byte)
{
    char escape[2] = {'\\', json_escapes[byte]};

    if (escape[1] != '\0')
        weir_buffer_append(buffer, escape, sizeof(escape));
    else
        weir_buffer_printf(buffer, "\\u%04x", byte);
}

/* How many bytes from the beginning may stand in a JSON string as they are. */
static size_t plain_json_span(struct weir_bytes text)
{
    size_t at = 0;

    while (at < text.len) {
        unsigned char byte = (unsigned char)text.data[at];
        if (byte < ' ' || byte == '"' || byte == '\\')
            break;
        size_t step = byte < 0x80 ? 1 : weir_utf8_next(weir_bytes(text.data + at, text.len - at));
        if (step == 0)
            break;
        at += step;
    }
    return at;
}

void weir_buffer_append_json_string(struct weir_buffer *buffer, struct weir_bytes text)
{
    weir_buffer_append(buffer, "\"", 1);
    for (size_t at = 0; at < text.len; at++) {
        size_t span = plain_json_span(weir_bytes(text.data + at, text.len - at));
        weir_buffer_append(buffer, text.data + at, span);
        at += span;
        if (at >= text.len)
            break;
        if ((unsigned char)text.data[at] < 0x80)
            append_json_escape(buffer, (unsigned char)text.data[at]);
        else
            weir_buffer_append_str(buffer, "\xef\xbf\xbd"); /* U+FFFD for a byte that is no UTF-8 */
    }
    weir_buffer_append(buffer, "\"", 1);
}

void weir_buffer_clear(struct weir_buffer *buffer)
{
    buffer->len = 0;
    buffer->failed = false;
    if (buffer->data != NULL)
        buffer->data[0] = '\0';
}

void weir_buffer_done(struct weir_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct weir_buffer){0};
}

struct weir_bytes weir_buffer_bytes(const struct weir_buffer *buffer)
{
    return (struct weir_bytes){buffer->data != NULL ? buffer->data : "", buffer->len};
}
