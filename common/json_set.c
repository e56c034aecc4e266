/* One value of a text replaced by its JSON Pointer, for common/json.h. */
#include "common/json.h"
#include "common/json_span.h"

#include <stdlib.h>
#include <string.h>

/* Where the new value goes: between text[0..from) and text[to..), behind `lead`. */
struct place {
    const char *from, *to;
    struct weir_buffer lead; /* the comma and the name of a new member */
};

static void weir_cleanup_place(struct place *place)
{
    weir_buffer_done(&place->lead);
}

static void move_to(struct place *place, struct weir_bytes value)
{
    place->from = value.data;
    place->to = value.data + value.len;
}

struct token {
    struct weir_bytes text;
    char *owned;
};

static void weir_cleanup_token(struct token *token)
{
    free(token->owned);
}

/* Takes "/name" off *pointer and decodes ~1 and ~0 (RFC 6901, section 4). */
static int take_token(const char **pointer, struct token *token, struct weir_error *err)
{
    const char *at = *pointer + 1;
    size_t len = strcspn(at, "/");
    char *out = token->owned = malloc(len + 1);

    if (out == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    for (const char *end = at + len; at < end; at++) {
        if (*at == '~' && at[1] != '0' && at[1] != '1')
            return weir_error_set(err, WEIR_E_INVALID, "in a JSON Pointer, ~ is followed by 0 or 1");
        *out++ = *at != '~' ? *at : *++at == '0' ? '~' : '/';
    }
    *out = '\0';
    token->text = weir_bytes(token->owned, (size_t)(out - token->owned));
    *pointer += 1 + len;
    return 0;
}

/* The member's value within object; if there is none, the empty span behind the last member or the brace. */
static int find_member(
    struct weir_bytes object, struct weir_bytes name, struct weir_bytes *ret_value, bool *ret_found)
{
    struct weir_json_cursor cursor = weir_json_cursor_begin(object);
    struct weir_json_member member;

    *ret_found = false;
    while (!*ret_found && weir_json_cursor_next(&cursor, &member)) {
        WEIR_CLEANUP(token) struct token decoded = {0};
        if (!weir_json_decode_string(member.name, &decoded.text, &decoded.owned))
            return WEIR_E_INTERNAL;
        *ret_found = weir_bytes_equal(decoded.text, name);
    }
    *ret_value = *ret_found ? member.value : weir_bytes(cursor.at, 0);
    return 0;
}

static struct weir_bytes find_element(struct weir_bytes array, int64_t index)
{
    const char *end = array.data + array.len;
    const char *at = weir_json_skip_space(array.data + 1, end);

    for (int64_t i = 0; at < end && *at != ']'; i++) {
        const char *behind = weir_json_skip_value(at, end);
        if (i == index)
            return weir_json_span(at, behind);
        at = weir_json_skip_space(behind, end);
        if (at < end && *at == ',')
            at = weir_json_skip_space(at + 1, end);
    }
    return WEIR_BYTES_NULL;
}

static int step_into_array(
    struct weir_bytes array, const struct token *token, struct place *place, struct weir_error *err)
{
    /* "1207" is an index, "01" and "-" are none. */
    int64_t index = -1;
    if (token->text.len > 0 && token->text.len < 10 &&
        strspn(token->owned, "0123456789") >= token->text.len &&
        (token->owned[0] != '0' || token->text.len == 1))
        index = strtol(token->owned, NULL, 10);
    struct weir_bytes found = index >= 0 ? find_element(array, index) : WEIR_BYTES_NULL;

    if (found.data == NULL)
        return weir_error_set(err, WEIR_E_NOT_FOUND, "the array has no element \"%.*s\"",
            (int)token->text.len, token->text.data);
    move_to(place, found);
    return 0;
}

static bool is_empty(struct weir_bytes object)
{
    struct weir_json_cursor cursor = weir_json_cursor_begin(object);
    struct weir_json_member member;

    return !weir_json_cursor_next(&cursor, &member);
}

static int step_into_object(struct weir_bytes object, const struct token *token, bool last,
    struct place *place, struct weir_error *err)
{
    struct weir_bytes value;
    bool found;

    if (find_member(object, token->text, &value, &found) < 0)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    if (!found && !last)
        return weir_error_set(
            err, WEIR_E_NOT_FOUND, "there is no member \"%.*s\"", (int)token->text.len, token->text.data);
    move_to(place, value);
    if (found)
        return 0;
    weir_buffer_append_str(&place->lead, is_empty(object) ? "" : ",");
    weir_buffer_append_json_string(&place->lead, token->text);
    weir_buffer_append_str(&place->lead, ":");
    return 0;
}

/* One token further; the last one of an object may be new. */
static int step(const char **pointer, struct place *place, struct weir_error *err)
{
    WEIR_CLEANUP(token) struct token token = {0};
    struct weir_bytes inner = weir_json_span(place->from, place->to);

    int code = take_token(pointer, &token, err);
    if (code < 0)
        return code;
    if (inner.len > 0 && inner.data[0] == '[')
        return step_into_array(inner, &token, place, err);
    if (inner.len == 0 || inner.data[0] != '{')
        return weir_error_set(err, WEIR_E_NOT_FOUND, "\"%.*s\" would be a member of what is no object",
            (int)token.text.len, token.text.data);
    return step_into_object(inner, &token, **pointer == '\0', place, err);
}

static int find_place(
    struct weir_bytes text, const char *pointer, struct place *place, struct weir_error *err)
{
    WEIR_CLEANUP(json) json_t *parsed = NULL;
    int code = weir_json_parse(text, &parsed, err);

    if (code < 0)
        return code;
    place->from = weir_json_skip_space(text.data, text.data + text.len);
    place->to = weir_json_skip_value(place->from, text.data + text.len);
    while (code == 0 && *pointer == '/')
        code = step(&pointer, place, err);
    if (code == 0 && *pointer != '\0')
        code = weir_error_set(err, WEIR_E_INVALID, "a JSON Pointer begins with /");
    return code;
}

int weir_json_set(struct weir_bytes text, const char *pointer, struct weir_bytes value,
    struct weir_buffer *out, struct weir_error *err)
{
    WEIR_CLEANUP(place) struct place place = {0};

    if (*pointer == '\0') {
        weir_buffer_append_bytes(out, value);
        return out->failed ? weir_error_set(err, WEIR_E_INTERNAL, "out of memory") : 0;
    }
    if (find_place(text, pointer, &place, err) < 0)
        return weir_error_prefix(err, "%s", pointer);
    weir_buffer_append_bytes(out, weir_json_span(text.data, place.from));
    weir_buffer_append_bytes(out, weir_buffer_bytes(&place.lead));
    weir_buffer_append_bytes(out, value);
    weir_buffer_append_bytes(out, weir_json_span(place.to, text.data + text.len));
    return out->failed || place.lead.failed ? weir_error_set(err, WEIR_E_INTERNAL, "out of memory") : 0;
}
