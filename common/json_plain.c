#include "common/json_plain.h"

#include "common/json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    MEMBERS_MAX = 64,        /* of one object; more are jansson's */
    INTEGER_DIGITS_MAX = 18, /* always within 64 bits */
    NUMBER_BYTES_MAX = 32,   /* with at most two digits of exponent always within double range */
    EXACT_DIGITS_MAX = 15,   /* of an integer that a double always holds */
};

/* Reading goes forward only; `end` is one behind the last byte. */
struct look {
    const char *at, *end;
    size_t depth;
};

/* Here and below: the value is built unless `ret_built` is NULL. */
static bool look_value(struct look *look, json_t **ret_built);

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

/* A real without exponent and with few digits is a quotient of two numbers that are exact, and so, by IEEE
 * 754, the nearest double itself. */
static json_t *build_short(int64_t integer, bool negative, size_t decimals)
{
    static const double tens[EXACT_DIGITS_MAX + 1] = {
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    double real = (double)integer / tens[decimals];
    return json_real(negative ? -real : real);
}

static json_t *build_long(struct weir_bytes text)
{
    char copy[NUMBER_BYTES_MAX + 1];
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    return json_real(strtod(copy, NULL));
}

/* text: what look_number() has let pass. */
static json_t *build_number(struct weir_bytes text)
{
    bool negative = text.data[0] == '-';
    int64_t integer = 0;
    size_t digits = 0, point = text.len;
    for (size_t i = negative; i < text.len; i++) {
        if (text.data[i] == '.') {
            point = i;
            continue;
        }
        if (text.data[i] < '0' || text.data[i] > '9' || ++digits > INTEGER_DIGITS_MAX)
            return build_long(text);
        integer = integer * 10 + (text.data[i] - '0');
    }
    if (point == text.len)
        return json_integer(negative ? -integer : integer);
    return digits <= EXACT_DIGITS_MAX ? build_short(integer, negative, text.len - point - 1)
                                      : build_long(text);
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
static bool look_member(
    struct look *look, struct names *names, struct weir_bytes *ret_value, json_t **ret_built)
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
    if (!look_value(look, ret_built))
        return false;
    *ret_value = weir_bytes(from, (size_t)(look->at - from));
    return true;
}

/* at: behind the opening brace. *ret_wanted: the value of the member `wanted`. Members go into `object`, if
 * there is one. */
static bool look_object(
    struct look *look, struct weir_bytes wanted, struct weir_bytes *ret_wanted, json_t *object)
{
    struct names names;
    struct weir_bytes value;
    json_t *built = NULL;

    names.count = 0;
    names.marks = 0;
    skip_space(look);
    if (take(look, '}'))
        return true;
    do {
        if (!look_member(look, &names, &value, object != NULL ? &built : NULL))
            return false;
        struct weir_bytes name = names.list[names.count - 1];
        if (object != NULL && json_object_setn_new_nocheck(object, name.data, name.len, built) < 0)
            return false;
        if (wanted.len > 0 && weir_bytes_equal(name, wanted))
            *ret_wanted = value;
        skip_space(look);
    } while (take(look, ','));
    return take(look, '}');
}

static bool look_array(struct look *look, json_t *array)
{
    json_t *built = NULL;

    skip_space(look);
    if (take(look, ']'))
        return true;
    do {
        skip_space(look);
        if (!look_value(look, array != NULL ? &built : NULL))
            return false;
        if (array != NULL && json_array_append_new(array, built) < 0)
            return false;
        skip_space(look);
    } while (take(look, ','));
    return take(look, ']');
}

static bool look_container(struct look *look, json_t **ret_built)
{
    struct weir_bytes unused;
    bool is_object = *look->at++ == '{';
    WEIR_CLEANUP(json) json_t *built = NULL;

    if (look->depth == WEIR_JSON_DEPTH_MAX)
        return false;
    if (ret_built != NULL && (built = is_object ? json_object() : json_array()) == NULL)
        return false;
    look->depth++;
    bool plain = is_object ? look_object(look, WEIR_BYTES_NULL, &unused, built) : look_array(look, built);
    look->depth--;
    if (plain && ret_built != NULL)
        *ret_built = weir_steal(built);
    return plain;
}

/* A string with a backslash has to be decoded, which is jansson's. */
static bool look_text(struct look *look, json_t **ret_built)
{
    struct weir_bytes inner;
    bool escaped;

    if (!look_string(look, &inner, &escaped))
        return false;
    if (ret_built == NULL)
        return true;
    return !escaped && (*ret_built = json_stringn_nocheck(inner.data, inner.len)) != NULL;
}

static bool look_constant(struct look *look, json_t **ret_built)
{
    static const struct {
        const char *word;
        size_t len;
        json_t *(*build)(void);
    } constants[] = {{"true", 4, json_true}, {"false", 5, json_false}, {"null", 4, json_null}};

    for (size_t i = 0; i < sizeof(constants) / sizeof(constants[0]); i++) {
        if (!look_word(look, constants[i].word, constants[i].len))
            continue;
        if (ret_built != NULL)
            *ret_built = constants[i].build();
        return true;
    }
    return false;
}

static bool look_numeral(struct look *look, json_t **ret_built)
{
    const char *from = look->at;
    if (!look_number(look))
        return false;
    if (ret_built == NULL)
        return true;
    return (*ret_built = build_number(weir_bytes(from, (size_t)(look->at - from)))) != NULL;
}

static bool look_value(struct look *look, json_t **ret_built)
{
    if (look->at >= look->end)
        return false;
    switch (*look->at) {
    case '"':
        return look_text(look, ret_built);
    case '{':
    case '[':
        return look_container(look, ret_built);
    case 't':
    case 'f':
    case 'n':
        return look_constant(look, ret_built);
    default:
        return look_numeral(look, ret_built);
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
    if (!take(&look, '{') || !look_object(&look, weir_bytes_str(name), ret_member, NULL))
        return false;
    skip_space(&look);
    return look.at == look.end && is_plain_member(*ret_member);
}

json_t *weir_json_build_plain(struct weir_bytes text)
{
    struct look look = {text.data, text.data + text.len, 0};
    json_t *built = NULL;

    if (text.data == NULL)
        return NULL;
    skip_space(&look);
    if (!look_value(&look, &built))
        return NULL;
    skip_space(&look);
    if (look.at == look.end)
        return built;
    json_decref(built);
    return NULL;
}
