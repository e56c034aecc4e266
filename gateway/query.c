#include "gateway/query.h"

#include <weir/error.h>

#include <string.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int weir_percent_byte(struct weir_bytes text)
{
    if (text.len < 3 || text.data[0] != '%')
        return -1;
    int high = hex_digit(text.data[1]), low = hex_digit(text.data[2]);
    return high >= 0 && low >= 0 ? high * 16 + low : -1;
}

int weir_query_decode(struct weir_bytes text, char *out, size_t size, size_t *ret_len)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        bool escaped = text.data[i] == '%';
        int byte = escaped ? weir_percent_byte(weir_bytes(text.data + i, text.len - i)) : text.data[i];
        if (escaped && byte < 0)
            return WEIR_E_INVALID;
        if (len + 1 >= size)
            return WEIR_E_TOO_LARGE;
        out[len++] = text.data[i] == '+' ? ' ' : (char)byte;
        i += escaped ? 2 : 0;
    }
    out[len] = '\0';
    if (ret_len != NULL)
        *ret_len = len;
    return 0;
}

static struct weir_query_pair split(struct weir_bytes text)
{
    const char *equals = memchr(text.data, '=', text.len);
    size_t len = equals != NULL ? (size_t)(equals - text.data) : text.len;
    return (struct weir_query_pair){.text = text,
        .name = weir_bytes(text.data, len),
        .value = equals != NULL ? weir_bytes(equals + 1, text.len - len - 1) : weir_bytes("", 0)};
}

bool weir_query_next(struct weir_bytes *text, struct weir_query_pair *ret_pair)
{
    while (text->len > 0) {
        const char *end = memchr(text->data, '&', text->len);
        size_t len = end != NULL ? (size_t)(end - text->data) : text->len, cut = len + (end != NULL);
        *ret_pair = split(weir_bytes(text->data, len));
        *text = weir_bytes(text->data + cut, text->len - cut);
        if (len > 0)
            return true;
    }
    return false;
}

struct weir_bytes weir_query_of(const char *target)
{
    const char *mark = strchr(target, '?');
    return mark != NULL ? weir_bytes_str(mark + 1) : weir_bytes("", 0);
}

static bool find(const char *target, const char *name, struct weir_bytes *ret_value)
{
    struct weir_bytes rest = weir_query_of(target);
    struct weir_query_pair pair;
    while (weir_query_next(&rest, &pair)) {
        if (!weir_bytes_is(pair.name, name))
            continue;
        *ret_value = pair.value;
        return true;
    }
    return false;
}

bool weir_query_value(const char *target, const char *name, char *out, size_t size)
{
    struct weir_bytes value;
    return find(target, name, &value) && weir_query_decode(value, out, size, NULL) == 0;
}

bool weir_query_has(const char *target, const char *name)
{
    struct weir_bytes value;
    return find(target, name, &value);
}
