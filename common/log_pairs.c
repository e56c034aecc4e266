#include "common/log_pairs.h"

#include <stdio.h>
#include <string.h>

enum { FORMAT_BYTES = 1024 };

struct weir_log_pairs weir_log_pairs(const char *format, va_list arguments, char *text, size_t size)
{
    va_list copy;

    va_copy(copy, arguments);
    int len = vsnprintf(text, size, format, copy);
    va_end(copy);
    if (len < 0)
        return (struct weir_log_pairs){"", {"", 0}, 0, 0};
    return (struct weir_log_pairs){format, {text, (size_t)len < size ? (size_t)len : size - 1}, 0, 0};
}

/* A value's place in the format. */
struct place {
    struct weir_bytes key;
    size_t begin, end;
    bool keyed;
};

static bool find(const char *format, size_t at, struct place *ret_place)
{
    static const char key_characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    const char *here = format + at + strspn(format + at, "\" ");
    size_t key_len = strspn(here, key_characters);

    if (*here == '\0')
        return false;
    if (key_len == 0 || here[key_len] != '=') {
        *ret_place =
            (struct place){weir_bytes_str("message"), (size_t)(here - format), strlen(format), false};
        return true;
    }
    const char *value = here + key_len + 1;
    bool quoted = *value == '"';
    size_t begin = (size_t)(value - format) + quoted;
    *ret_place = (struct place){
        weir_bytes(here, key_len), begin, begin + strcspn(format + begin, quoted ? "\"" : " "), true};
    return true;
}

/* How many bytes the format makes up to there. */
static size_t made_until(const struct weir_log_pairs *pairs, size_t end, va_list arguments)
{
    char format[FORMAT_BYTES];
    va_list copy;

    if (pairs->format[end] == '\0' || end >= sizeof(format))
        return pairs->text.len;
    memcpy(format, pairs->format, end);
    format[end] = '\0';
    va_copy(copy, arguments);
    /* It is the beginning of what was checked where it is written. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    int len = vsnprintf(NULL, 0, format, copy);
#pragma GCC diagnostic pop
    va_end(copy);
    return len < 0 || (size_t)len > pairs->text.len ? pairs->text.len : (size_t)len;
}

static bool is_integer(const char *format, size_t len)
{
    return len >= 2 && format[0] == '%' && strchr("diu", format[len - 1]) != NULL &&
           strspn(format + 1, "hjltz") == len - 2;
}

bool weir_log_pairs_next(struct weir_log_pairs *pairs, va_list arguments, struct weir_log_pair *ret_pair)
{
    struct place place;

    if (!find(pairs->format, pairs->at, &place))
        return false;
    /* Between two values the format is no conversion. */
    size_t begin = pairs->place + place.begin - pairs->at, end = made_until(pairs, place.end, arguments);
    if (begin > pairs->text.len)
        begin = pairs->text.len;
    *ret_pair = (struct weir_log_pair){
        .key = place.key,
        .value = weir_bytes(pairs->text.data + begin, end > begin ? end - begin : 0),
        .number = end > begin && is_integer(pairs->format + place.begin, place.end - place.begin),
    };
    pairs->at = place.end;
    pairs->place = end;
    return place.keyed || ret_pair->value.len > 0;
}
