#include "consumers/plugins/store/change.h"

#include "common/envelope.h"
#include "consumers/plugins/store/document.h"

#include <stdbool.h>

/* Decimal digits of value; faster than printf by far, and every event needs two. */
static void append_number(struct weir_buffer *out, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    weir_buffer_append(out, digits + at, sizeof(digits) - at);
}

static void append_image(struct weir_buffer *out, const char *prefix, struct weir_bytes text)
{
    if (text.data == NULL)
        return;
    weir_buffer_append_str(out, prefix);
    weir_buffer_append_bytes(out, text);
}

void weir_change_write(const struct weir_change *change, struct weir_buffer *out)
{
    weir_buffer_clear(out);
    weir_buffer_reserve(out, 512 + change->before.len + change->after.len);
    weir_buffer_append_str(out, "{\"op\":\"");
    weir_buffer_append(out, &change->op, 1);
    weir_buffer_append_str(out, "\",\"collection\":\"");
    weir_buffer_append_str(out, change->collection);
    weir_buffer_append_str(out, "\",\"key\":");
    weir_buffer_append_json_string(out, change->key);
    weir_buffer_append_str(out, ",\"version\":");
    append_number(out, change->version);
    weir_buffer_append_str(out, ",\"request\":");
    weir_buffer_append_json_string(out, change->request);
    weir_buffer_append_str(out, ",\"ts_ms\":");
    append_number(out, (uint64_t)change->ts_ms);
    if (change->reason != NULL) {
        weir_buffer_append_str(out, ",\"reason\":");
        weir_buffer_append_json_string(out, weir_bytes_str(change->reason));
    }
    append_image(out, ",\"before\":", change->before);
    append_image(out, ",\"after\":", change->after);
    weir_buffer_append_str(out, "}");
}

void weir_outcome_write(const struct weir_outcome *outcome, struct weir_buffer *out)
{
    weir_buffer_clear(out);
    weir_buffer_append_str(out, "{\"request\":");
    weir_buffer_append_json_string(out, outcome->request);
    weir_buffer_append_str(out, ",\"outcome\":");
    weir_buffer_append_json_string(out, weir_bytes_str(outcome->outcome));
    if (outcome->error != NULL) {
        weir_buffer_append_str(out, ",\"error\":");
        weir_buffer_append_json_string(out, weir_bytes_str(outcome->error));
    }
    if (outcome->problem.len > 0) {
        weir_buffer_append_str(out, ",");
        weir_buffer_append_bytes(out, outcome->problem);
    }
    weir_buffer_append_str(out, ",\"at\":");
    weir_buffer_append_json_string(out, weir_bytes_str(outcome->at));
    if (outcome->first != NULL) {
        weir_buffer_append_str(out, ",\"first\":");
        weir_buffer_append_json_string(out, weir_bytes_str(outcome->first));
    }
    weir_buffer_append_str(out, ",\"ts_ms\":");
    append_number(out, (uint64_t)outcome->ts_ms);
    weir_buffer_append_str(out, "}");
}

/* One top-level member of an event. */
struct member {
    struct weir_bytes name; /* without quotes, as written */
    struct weir_bytes text; /* all between the colon and the comma or brace behind it */
};

/* Whether the quote at `at` is none, because an odd number of backslashes stands before it; a string begins
 * behind `begin`. */
static bool is_escaped(struct weir_bytes value, size_t begin, size_t at)
{
    size_t slashes = 0;

    while (at - slashes - 1 > begin && value.data[at - slashes - 1] == '\\')
        slashes++;
    return slashes % 2 == 1;
}

/* The first byte behind the string whose opening quote is at `begin`; beyond value.len if it does not end. */
static size_t skip_string(struct weir_bytes value, size_t begin)
{
    for (size_t at = begin + 1; at < value.len; at++) {
        const char *quote = memchr(value.data + at, '"', value.len - at);
        if (quote == NULL)
            break;
        at = (size_t)(quote - value.data);
        if (!is_escaped(value, begin, at))
            return at + 1;
    }
    return value.len + 1;
}

/* What the bytes of a member's text mean to find its end; most of them nothing. */
enum { BYTE_PLAIN, BYTE_QUOTE, BYTE_OPENS, BYTE_CLOSES, BYTE_PARTS };
static const unsigned char byte_kinds[256] = {
    ['"'] = BYTE_QUOTE,
    ['{'] = BYTE_OPENS,
    ['['] = BYTE_OPENS,
    ['}'] = BYTE_CLOSES,
    [']'] = BYTE_CLOSES,
    [','] = BYTE_PARTS,
};

/* Where the member text that begins at `at` ends: the comma or closing bracket of its own level; value.len if
 * none. */
static size_t find_member_end(struct weir_bytes value, size_t at)
{
    for (size_t depth = 0; at < value.len;) {
        unsigned char kind = byte_kinds[(unsigned char)value.data[at]];
        if (depth == 0 && kind >= BYTE_CLOSES)
            return at;
        depth += kind == BYTE_OPENS;
        depth -= kind == BYTE_CLOSES;
        at = kind == BYTE_QUOTE ? skip_string(value, at) : at + 1;
    }
    return value.len;
}

/* Reads the member whose opening quote is at *at; *at is then behind the comma or brace that ended it. */
static bool next_member(struct weir_bytes value, size_t *at, struct member *ret_member)
{
    if (*at >= value.len || value.data[*at] != '"')
        return false;
    size_t name_end = skip_string(value, *at);
    if (name_end >= value.len || value.data[name_end] != ':')
        return false;
    size_t end = find_member_end(value, name_end + 1);
    if (end >= value.len)
        return false;
    ret_member->name = weir_bytes(value.data + *at + 1, name_end - *at - 2);
    ret_member->text = weir_bytes(value.data + name_end + 1, end - name_end - 1);
    *at = end + 1;
    return true;
}

static bool read_number(struct weir_bytes text, uint64_t limit, uint64_t *ret_number)
{
    uint64_t number = 0;

    if (text.len == 0 || text.len > 19)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    }
    *ret_number = number;
    return number <= limit;
}

static bool read_op(struct weir_bytes text, struct weir_change *change)
{
    bool known =
        text.len == 3 && text.data[0] == '"' && text.data[2] == '"' && strchr("cud", text.data[1]) != NULL;
    change->op = known ? text.data[1] : '\0';
    return known;
}

static bool read_version(struct weir_bytes text, struct weir_change *change)
{
    return read_number(text, UINT64_MAX, &change->version) && change->version > 0;
}

static bool read_ts_ms(struct weir_bytes text, struct weir_change *change)
{
    uint64_t ts_ms = 0;
    bool valid = read_number(text, INT64_MAX, &ts_ms);
    change->ts_ms = (int64_t)ts_ms;
    return valid;
}

static bool read_after(struct weir_bytes text, struct weir_change *change)
{
    change->after = text;
    return text.len > 0;
}

/* false when the member is one of ours and not as it has to be. */
static bool take_member(const struct member *member, struct weir_change *change)
{
    static const struct {
        const char *name;
        bool (*read)(struct weir_bytes text, struct weir_change *change);
    } readers[] = {{"op", read_op}, {"version", read_version}, {"ts_ms", read_ts_ms}, {"after", read_after}};

    for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++)
        if (weir_bytes_is(member->name, readers[i].name))
            return readers[i].read(member->text, change);
    return true;
}

static bool is_whole(const struct weir_change *change)
{
    return change->op != '\0' && change->version > 0 && (change->op == 'd') == (change->after.data == NULL);
}

int weir_change_read(struct weir_bytes value, struct weir_change *ret_change, struct weir_error *err)
{
    struct member member;
    size_t at = 1;

    *ret_change = (struct weir_change){0};
    if (value.len < 2 || value.data[0] != '{' || value.data[value.len - 1] != '}')
        return weir_error_set(err, WEIR_E_INVALID, "not a change event: no JSON object");
    while (next_member(value, &at, &member)) {
        if (!take_member(&member, ret_change))
            return weir_error_set(err, WEIR_E_INVALID, "not a change event: bad member %.*s",
                (int)member.name.len, member.name.data);
        if (at == value.len && is_whole(ret_change))
            return 0;
    }
    return weir_error_set(err, WEIR_E_INVALID, "not a change event: stops making sense at byte %zu", at);
}

int weir_change_read_record(struct weir_bytes key, struct weir_bytes value, struct weir_bytes request,
    struct weir_change *ret_change, struct weir_error *err)
{
    *ret_change = (struct weir_change){.op = 'd'};
    int r = weir_key_check(key, err);
    if (r == 0 && value.data != NULL)
        r = weir_change_read(value, ret_change, err);
    if (r == 0 && value.data != NULL && (request.len == 0 || request.len > WEIR_REQUEST_BYTES))
        r = weir_error_set(err, WEIR_E_INVALID, "no request id");
    ret_change->key = key;
    ret_change->request = request;
    return r;
}
