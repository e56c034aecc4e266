#include "common/json_plain.h"

#include "common/json.h"

#include <stdint.h>

enum {
    MEMBERS_MAX = 64,        /* of one object; more are jansson's */
    INTEGER_DIGITS_MAX = 18, /* always within 64 bits */
    NUMBER_BYTES_MAX = 32,   /* with at most two digits of exponent always within double range */
};

/* Reading goes forward only; `end` is one behind the last byte. */
struct look {
    const char *at, *end;
    size_t depth;
};

static bool look_value(struct look *look);

static void skip_space(struct look *look)
{
    while (look->at < look->end &&
           (*look->at == ' ' || *look->at == '\n' || *look->at == '\t' || *look->at == '\r'))
        look->at++;
}

static bool take(struct look *look, char wanted)
{
    if (look->at >= look->end || *look->at != wanted)
        return false;
    look->at++;
    return true;
}

/* Bytes that a string may hold as they are: neither control, quotation mark, backslash nor beyond ASCII. */
static const bool ordinary[256] = {[0x20 ... 0x21] = true, [0x23 ... 0x5B] = true, [0x5D ... 0x7F] = true};

static bool look_escape(struct look *look)
{
    if (look->end - look->at < 2 || memchr("\"\\/bfnrt", look->at[1], 8) == NULL)
        return false;
    look->at += 2;
    return true;
}

static bool look_beyond_ascii(struct look *look)
{
    size_t step = weir_utf8_next(weir_bytes(look->at, (size_t)(look->end - look->at)));
    look->at += step;
    return step > 0;
}

/* at: the opening quotation mark. *ret_escaped tells of a backslash. */
static bool look_string(struct look *look, struct weir_bytes *ret_inner, bool *ret_escaped)
{
    const char *from = ++look->at;

    *ret_escaped = false;
    for (;;) {
        while (look->at < look->end && ordinary[(unsigned char)*look->at])
            look->at++;
        if (look->at >= look->end)
            return false;
        if (*look->at == '"')
            break;
        *ret_escaped |= *look->at == '\\';
        if (!(*look->at == '\\' ? look_escape(look)
                                : (unsigned char)*look->at >= 0x80 && look_beyond_ascii(look)))
            return false;
    }
    *ret_inner = weir_bytes(from, (size_t)(look->at - from));
    look->at++;
    return true;
}

static size_t skip_digits(struct look *look)
{
    const char *from = look->at;
    while (look->at < look->end && *look->at >= '0' && *look->at <= '9')
        look->at++;
    return (size_t)(look->at - from);
}

static bool look_exponent(struct look *look)
{
    if (!take(look, 'e') && !take(look, 'E'))
        return true;
    if (!take(look, '+'))
        (void)take(look, '-');
    size_t digits = skip_digits(look);
    return digits == 1 || digits == 2;
}

static bool look_number(struct look *look)
{
    const char *from = look->at;

    (void)take(look, '-');
    bool leading_zero = look->at < look->end && *look->at == '0';
    size_t digits = skip_digits(look);
    if (digits == 0 || digits > INTEGER_DIGITS_MAX || (leading_zero && digits > 1))
        return false;
    if (take(look, '.') && skip_digits(look) == 0)
        return false;
    return look_exponent(look) && look->at - from <= NUMBER_BYTES_MAX;
}

static bool look_word(struct look *look, const char *word, size_t len)
{
    if ((size_t)(look->end - look->at) < len || memcmp(look->at, word, len) != 0)
        return false;
    look->at += len;
    return true;
}

/* The names of one object so far. `marks` has a bit for each, so that most new names are known to be new at
 * once. */
struct names {
    struct weir_bytes list[MEMBERS_MAX];
    size_t count;
    uint64_t marks;
};

static bool add_name(struct names *names, struct weir_bytes name)
{
    if (name.len == 0 || names->count == MEMBERS_MAX)
        return false;
    unsigned mix = (unsigned char)name.data[0] + 7u * (unsigned char)name.data[name.len - 1] +
                   13u * (unsigned)name.len + 31u * (unsigned char)name.data[name.len / 2];
    uint64_t mark = 1ULL << (mix & 63);
    for (size_t i = 0; (names->marks & mark) != 0 && i < names->count; i++)
        if (weir_bytes_equal(names->list[i], name))
            return false;
    names->marks |= mark;
    names->list[names->count++] = name;
    return true;
}

/* One member; *ret_value is its text. A name with a backslash could equal one without, so it is jansson's. */
static bool look_member(struct look *look, struct names *names, struct weir_bytes *ret_value)
{
    struct weir_bytes name;
    bool escaped;

    skip_space(look);
    if (look->at >= look->end || *look->at != '"' || !look_string(look, &name, &escaped) || escaped ||
        !add_name(names, name))
        return false;
    skip_space(look);
    if (!take(look, ':'))
        return false;
    skip_space(look);
    const char *from = look->at;
    if (!look_value(look))
        return false;
    *ret_value = weir_bytes(from, (size_t)(look->at - from));
    return true;
}

/* at: behind the opening brace. *ret_wanted: the value of the member `wanted`. */
static bool look_object(struct look *look, struct weir_bytes wanted, struct weir_bytes *ret_wanted)
{
    struct names names;
    struct weir_bytes value;

    names.count = 0;
    names.marks = 0;
    skip_space(look);
    if (take(look, '}'))
        return true;
    do {
        if (!look_member(look, &names, &value))
            return false;
        if (wanted.len > 0 && weir_bytes_equal(names.list[names.count - 1], wanted))
            *ret_wanted = value;
        skip_space(look);
    } while (take(look, ','));
    return take(look, '}');
}

static bool look_array(struct look *look)
{
    skip_space(look);
    if (take(look, ']'))
        return true;
    do {
        skip_space(look);
        if (!look_value(look))
            return false;
        skip_space(look);
    } while (take(look, ','));
    return take(look, ']');
}

static bool look_container(struct look *look)
{
    struct weir_bytes unused;

    if (look->depth == WEIR_JSON_DEPTH_MAX)
        return false;
    look->depth++;
    bool object = *look->at++ == '{';
    bool plain = object ? look_object(look, WEIR_BYTES_NULL, &unused) : look_array(look);
    look->depth--;
    return plain;
}

static bool look_value(struct look *look)
{
    struct weir_bytes unused;
    bool escaped;

    if (look->at >= look->end)
        return false;
    switch (*look->at) {
    case '"':
        return look_string(look, &unused, &escaped);
    case '{':
    case '[':
        return look_container(look);
    case 't':
        return look_word(look, "true", 4);
    case 'f':
        return look_word(look, "false", 5);
    case 'n':
        return look_word(look, "null", 4);
    default:
        return look_number(look);
    }
}

/* A string with an escape would have to be decoded before anyone compares it. */
static bool is_plain_member(struct weir_bytes member)
{
    return member.data == NULL || member.data[0] != '"' || memchr(member.data, '\\', member.len) == NULL;
}

bool weir_json_is_plain_object(struct weir_bytes text, const char *name, struct weir_bytes *ret_member)
{
    struct look look = {text.data, text.data + text.len, 1};

    *ret_member = WEIR_BYTES_NULL;
    if (text.data == NULL)
        return false;
    skip_space(&look);
    if (!take(&look, '{') || !look_object(&look, weir_bytes_str(name), ret_member))
        return false;
    skip_space(&look);
    return look.at == look.end && is_plain_member(*ret_member);
}
