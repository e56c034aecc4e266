#include "common/json.h"

#include "common/json_arena.h"
#include "common/json_plain.h"

#include <string.h>

enum { POINTER_BYTES = 200 };

void weir_json_init(void)
{
    json_object_seed(0);
    json_set_alloc_funcs(weir_json_arena_take, weir_json_arena_give);
}

/* Where the reader of a text stands: one level for each open object or array. */
struct level {
    bool array;
    bool in_value;          /* object: behind the colon */
    size_t index;           /* array */
    struct weir_bytes name; /* object: the last name, without quotes; data NULL before the first */
};

struct place {
    struct level levels[WEIR_JSON_DEPTH_MAX + 1];
    size_t depth;
};

static void place_take_string(struct place *place, struct weir_bytes inner)
{
    struct level *level = place->depth > 0 ? &place->levels[place->depth - 1] : NULL;
    if (level != NULL && !level->array && !level->in_value)
        level->name = inner;
}

static void place_take_mark(struct place *place, char mark)
{
    struct level *level = place->depth > 0 ? &place->levels[place->depth - 1] : NULL;

    if ((mark == '{' || mark == '[') && place->depth <= WEIR_JSON_DEPTH_MAX)
        place->levels[place->depth++] = (struct level){.array = mark == '['};
    else if ((mark == '}' || mark == ']') && level != NULL)
        place->depth--;
    else if (mark == ':' && level != NULL)
        level->in_value = true;
    else if (mark == ',' && level != NULL) {
        level->in_value = false;
        level->index++;
    }
}

static size_t string_end(struct weir_bytes text, size_t at)
{
    for (at++; at < text.len && text.data[at] != '"'; at++)
        if (text.data[at] == '\\')
            at++;
    return at < text.len ? at : text.len;
}

/* Walks text up to byte `end`. Only an error pays for it. */
static void place_find(struct place *place, struct weir_bytes text, size_t end)
{
    if (end < text.len)
        text.len = end;
    for (size_t at = 0; at < text.len; at++) {
        if (text.data[at] != '"') {
            place_take_mark(place, text.data[at]);
            continue;
        }
        size_t close = string_end(text, at);
        place_take_string(place, weir_bytes(text.data + at + 1, close - at - 1));
        at = close;
    }
}

/* RFC 6901: ~ and / are written ~0 and ~1. An escaped name is shown as it was written. */
static void pointer_append_name(char *out, size_t *len, struct weir_bytes name)
{
    for (size_t i = 0; i < name.len && *len + 3 < POINTER_BYTES; i++) {
        char byte = name.data[i];
        if (byte == '~' || byte == '/') {
            out[(*len)++] = '~';
            out[(*len)++] = byte == '~' ? '0' : '1';
        } else {
            out[(*len)++] = (unsigned char)byte < 0x20 ? '?' : byte;
        }
    }
}

static void pointer_write(const struct place *place, char out[static POINTER_BYTES])
{
    size_t len = 0;

    for (size_t i = 0; i < place->depth && len + 24 < POINTER_BYTES; i++) {
        const struct level *level = &place->levels[i];
        if (!level->array && level->name.data == NULL)
            break;
        out[len++] = '/';
        if (level->array)
            len += (size_t)snprintf(out + len, POINTER_BYTES - len, "%zu", level->index);
        else
            pointer_append_name(out, &len, level->name);
    }
    out[len] = '\0';
}

static int refuse(struct weir_bytes text, size_t at, const char *what, struct weir_error *err)
{
    struct place place = {.depth = 0};
    char pointer[POINTER_BYTES];

    place_find(&place, text, at);
    pointer_write(&place, pointer);
    return weir_error_set(
        err, WEIR_E_INVALID, "invalid JSON at byte %zu (pointer \"%s\"): %s", at, pointer, what);
}

bool weir_json_error_place(const char *text, struct weir_bytes *ret_pointer, struct weir_bytes *ret_sentence)
{
    static const char begin[] = "(pointer \"", end[] = "\"): ";
    const char *from = strstr(text, begin);
    const char *to = from != NULL ? strstr(from += strlen(begin), end) : NULL;

    if (to == NULL)
        return false;
    *ret_pointer = weir_bytes(from, (size_t)(to - from));
    *ret_sentence = weir_bytes_str(to + strlen(end));
    return true;
}

/* jansson recurses up to 2048 levels and can't be told less, so nesting is counted before it runs; and it
 * does not see a NUL behind a number. */
static int check_text(struct weir_bytes text, size_t depth_max, struct weir_error *err)
{
    size_t depth = 0;
    char what[48];

    for (size_t at = 0; at < text.len; at++) {
        switch (text.data[at]) {
        case '"':
            at = string_end(text, at);
            break;
        case '{':
        case '[':
            if (++depth <= depth_max)
                break;
            snprintf(what, sizeof(what), "nested deeper than %zu levels", depth_max);
            return refuse(text, at, what, err);
        case '}':
        case ']':
            if (depth > 0)
                depth--;
            break;
        case '\0':
            return refuse(text, at, "a NUL byte", err);
        default:
            break;
        }
    }
    return 0;
}

/* jansson's sentence without the piece of input that it quotes. */
static int refuse_by(struct weir_bytes text, json_error_t *error, struct weir_error *err)
{
    char *near = strstr(error->text, " near '");
    size_t at = error->position > 0 ? (size_t)error->position : 0;

    if (near != NULL)
        *near = '\0';
    if (json_error_code(error) == json_error_out_of_memory)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    return refuse(text, at, error->text, err);
}

static int parse(struct weir_bytes text, size_t depth_max, json_t **ret_value, struct weir_error *err)
{
    json_error_t error;

    if (text.data == NULL || text.len == 0)
        return weir_error_set(err, WEIR_E_INVALID, "invalid JSON: empty");
    json_t *value = weir_json_build_plain(text);
    if (value == NULL && check_text(text, depth_max, err) < 0)
        return WEIR_E_INVALID;
    if (value == NULL)
        value = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (value == NULL)
        return refuse_by(text, &error, err);
    *ret_value = value;
    return 0;
}

static int parse_object(struct weir_bytes text, size_t depth_max, json_t **ret_object, struct weir_error *err)
{
    WEIR_CLEANUP(json) json_t *value = NULL;

    int code = parse(text, depth_max, &value, err);
    if (code < 0)
        return code;
    if (!json_is_object(value))
        return weir_error_set(err, WEIR_E_INVALID, "invalid JSON: the document has to be an object");
    *ret_object = weir_steal(value);
    return 0;
}

int weir_json_parse(struct weir_bytes text, json_t **ret_value, struct weir_error *err)
{
    return parse(text, WEIR_JSON_DEPTH_MAX, ret_value, err);
}

int weir_json_parse_object(struct weir_bytes text, json_t **ret_object, struct weir_error *err)
{
    return parse_object(text, WEIR_JSON_DEPTH_MAX, ret_object, err);
}

int weir_json_parse_event(struct weir_bytes text, json_t **ret_object, struct weir_error *err)
{
    return parse_object(text, WEIR_JSON_DEPTH_MAX + 1, ret_object, err);
}
