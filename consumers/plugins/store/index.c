#include "consumers/plugins/store/index.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "common/json_span.h"

#include <endian.h>
#include <stdint.h>
#include <stdlib.h>

enum { TAG_FALSE = 0x10, TAG_TRUE = 0x11, TAG_NUMBER = 0x20, TAG_TEXT = 0x30, NUMBER_TEXT_BYTES = 400 };

/* Bits that sort as the numbers do: IEEE 754 but for the sign. */
static uint64_t sortable(double number)
{
    uint64_t bits;

    number += 0.0; /* -0 is 0 */
    memcpy(&bits, &number, sizeof(bits));
    return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

static bool is_integer(struct weir_bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] == '.' || text.data[i] == 'e' || text.data[i] == 'E')
            return false;
    return true;
}

static size_t encode_number(struct weir_bytes json, char *out)
{
    char text[NUMBER_TEXT_BYTES];
    int64_t lacking = 0;

    if (json.len >= sizeof(text))
        return 0;
    memcpy(text, json.data, json.len);
    text[json.len] = '\0';
    double number = strtod(text, NULL);
    if (is_integer(json))
        lacking = (int64_t)((__int128)strtoll(text, NULL, 10) - (__int128)number);
    uint64_t bits = htobe64(sortable(number));
    uint16_t rest = htobe16((uint16_t)(lacking + 0x8000));
    out[0] = TAG_NUMBER;
    memcpy(out + 1, &bits, sizeof(bits));
    memcpy(out + 1 + sizeof(bits), &rest, sizeof(rest));
    return 1 + sizeof(bits) + sizeof(rest);
}

size_t weir_index_encode_text(struct weir_bytes text, bool prefix, char out[static WEIR_INDEX_VALUE_BYTES])
{
    size_t len = text.len < WEIR_INDEX_TEXT_BYTES ? text.len : WEIR_INDEX_TEXT_BYTES;

    out[0] = TAG_TEXT;
    if (len > 0)
        memcpy(out + 1, text.data, len);
    if (prefix)
        return 1 + len;
    out[1 + len] = '\0';
    return 2 + len;
}

static size_t encode_string(struct weir_bytes json, char *out)
{
    WEIR_CLEANUP(free) char *owned = NULL;
    struct weir_bytes text;

    return weir_json_decode_string(json, &text, &owned) ? weir_index_encode_text(text, false, out) : 0;
}

size_t weir_index_encode(struct weir_bytes json, char out[static WEIR_INDEX_VALUE_BYTES])
{
    switch (json.len > 0 ? json.data[0] : '\0') {
    case '"':
        return encode_string(json, out);
    case 't':
    case 'f':
        out[0] = json.data[0] == 't' ? TAG_TRUE : TAG_FALSE;
        return 1;
    case '-':
    case '0' ... '9':
        return encode_number(json, out);
    default:
        return 0;
    }
}

size_t weir_index_value_length(struct weir_bytes entry)
{
    const char *end = NULL;
    size_t len = entry.len;

    switch (entry.len > 0 ? entry.data[0] : '\0') {
    case TAG_FALSE:
    case TAG_TRUE:
        len = 1;
        break;
    case TAG_NUMBER:
        len = 1 + sizeof(uint64_t) + sizeof(uint16_t);
        break;
    case TAG_TEXT:
        end = memchr(entry.data, '\0', entry.len);
        len = end != NULL ? (size_t)(end - entry.data) + 1 : entry.len;
        break;
    default:
        break;
    }
    return len < entry.len ? len : entry.len;
}

struct search {
    weir_index_found *found;
    void *context;
    bool failed;
};

static void search_value(struct search *search, struct weir_bytes json, const char *path);

static void search_elements(struct search *search, struct weir_bytes array, const char *path)
{
    const char *end = array.data + array.len, *at = weir_json_skip_space(array.data + 1, end);

    while (at < end && *at != ']') {
        const char *behind = weir_json_skip_value(at, end);
        search_value(search, weir_json_span(at, behind), path);
        at = weir_json_skip_space(behind, end);
        if (at < end && *at == ',')
            at = weir_json_skip_space(at + 1, end);
    }
}

static void search_member(struct search *search, struct weir_bytes object, const char *path)
{
    size_t len = strcspn(path, ".");
    WEIR_CLEANUP(free) char *name = strndup(path, len);

    search->failed = search->failed || name == NULL;
    if (name == NULL)
        return;
    struct weir_bytes member = weir_json_member(object, name);
    if (member.data != NULL)
        search_value(search, member, path[len] == '.' ? path + len + 1 : "");
}

static void search_value(struct search *search, struct weir_bytes json, const char *path)
{
    char value[WEIR_INDEX_VALUE_BYTES];

    if (json.len > 0 && json.data[0] == '[') {
        search_elements(search, json, path);
    } else if (path[0] != '\0') {
        if (json.len > 0 && json.data[0] == '{')
            search_member(search, json, path);
    } else {
        size_t len = weir_index_encode(json, value);
        if (len > 0)
            search->found(search->context, weir_bytes(value, len));
    }
}

bool weir_index_each(struct weir_bytes document, const char *path, weir_index_found *found, void *context)
{
    struct search search = {found, context, false};
    const char *end = document.data + document.len, *at = weir_json_skip_space(document.data, end);

    search_value(&search, weir_json_span(at, end), path);
    return !search.failed;
}
