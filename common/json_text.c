#include "common/json.h"

#include <stdlib.h>
#include <string.h>

/* Spans below stand in text that jansson has accepted; the ends are checked all the same, so that a caller's
 * mistake gives a wrong answer and not a wild read. */
static const char *skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r'))
        at++;
    return at;
}

/* at: the opening quote. Answers the byte behind the closing one. */
static const char *skip_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\')
            at++;
    return at < end ? at + 1 : end;
}

static const char *skip_container(const char *at, const char *end)
{
    size_t depth = 0;

    while (at < end) {
        char byte = *at;
        if (byte == '"') {
            at = skip_string(at, end);
            continue;
        }
        at++;
        if (byte == '{' || byte == '[')
            depth++;
        else if ((byte == '}' || byte == ']') && --depth == 0)
            break;
    }
    return at;
}

static const char *skip_scalar(const char *at, const char *end)
{
    while (at < end && strchr(",}] \n\t\r", *at) == NULL)
        at++;
    return at;
}

static const char *skip_value(const char *at, const char *end)
{
    if (at >= end)
        return end;
    if (*at == '"')
        return skip_string(at, end);
    if (*at == '{' || *at == '[')
        return skip_container(at, end);
    return skip_scalar(at, end);
}

static struct weir_bytes span(const char *from, const char *to)
{
    return weir_bytes(from, (size_t)(to - from));
}

static struct weir_bytes trim(struct weir_bytes text)
{
    if (text.data == NULL)
        return text;
    const char *from = skip_space(text.data, text.data + text.len);
    return span(from, skip_value(from, text.data + text.len));
}

static bool is_object(struct weir_bytes text)
{
    return text.len > 0 && text.data[0] == '{';
}

/* The decoded text of a JSON string with its quotes: a view into it where nothing is escaped, else an owned
 * copy, which *ret_owned holds too. False when memory is out. */
static bool decode_string(struct weir_bytes quoted, struct weir_bytes *ret_text, char **ret_owned)
{
    struct weir_bytes inner = weir_bytes(quoted.data + 1, quoted.len - 2);

    *ret_owned = NULL;
    *ret_text = inner;
    if (memchr(inner.data, '\\', inner.len) == NULL)
        return true;
    WEIR_CLEANUP(json) json_t *decoded = json_loadb(quoted.data, quoted.len, JSON_DECODE_ANY, NULL);
    if (decoded == NULL)
        return false;
    *ret_text = weir_bytes(json_string_value(decoded), json_string_length(decoded));
    *ret_owned = weir_bytes_dup(*ret_text);
    ret_text->data = *ret_owned;
    return *ret_owned != NULL;
}

/* Walks the members of one object. */
struct cursor {
    const char *at, *end;
};

struct member {
    struct weir_bytes name; /* with quotes */
    struct weir_bytes value;
};

static struct cursor cursor_begin(struct weir_bytes object)
{
    const char *end = object.data + object.len;
    const char *at = skip_space(object.data, end);
    return (struct cursor){at < end ? at + 1 : end, end};
}

static bool cursor_next(struct cursor *cursor, struct member *ret_member)
{
    const char *at = skip_space(cursor->at, cursor->end);
    if (at < cursor->end && *at == ',')
        at = skip_space(at + 1, cursor->end);
    if (at >= cursor->end || *at != '"')
        return false;
    const char *behind = skip_string(at, cursor->end);
    ret_member->name = span(at, behind);
    at = skip_space(behind, cursor->end);
    if (at < cursor->end && *at == ':')
        at = skip_space(at + 1, cursor->end);
    behind = skip_value(at, cursor->end);
    ret_member->value = span(at, behind);
    cursor->at = behind;
    return ret_member->name.len >= 2;
}

static bool name_is(struct weir_bytes quoted, struct weir_bytes name)
{
    struct weir_bytes decoded;
    WEIR_CLEANUP(free) char *owned = NULL;

    if (quoted.len < name.len + 2) /* an escape is never shorter than what it stands for */
        return false;
    return decode_string(quoted, &decoded, &owned) && weir_bytes_equal(decoded, name);
}

struct weir_bytes weir_json_member(struct weir_bytes object, const char *name)
{
    struct weir_bytes wanted = weir_bytes_str(name);
    struct cursor cursor = cursor_begin(object);
    struct member member;

    while (cursor_next(&cursor, &member))
        if (name_is(member.name, wanted))
            return member.value;
    return WEIR_BYTES_NULL;
}

int weir_json_member_string(
    struct weir_bytes object, const char *name, char **ret_text, struct weir_error *err)
{
    struct weir_bytes value = weir_json_member(object, name), text;
    WEIR_CLEANUP(free) char *owned = NULL;

    if (value.data == NULL)
        return weir_error_set(err, WEIR_E_NOT_FOUND, "member \"%s\" is missing", name);
    if (value.len < 2 || value.data[0] != '"')
        return weir_error_set(err, WEIR_E_INVALID, "member \"%s\" is not a string", name);
    if (!decode_string(value, &text, &owned))
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    *ret_text = owned != NULL ? weir_steal(owned) : weir_bytes_dup(text);
    return *ret_text != NULL ? 0 : weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
}

void weir_json_splice_first(
    struct weir_bytes object, const char *name, struct weir_bytes value, struct weir_buffer *out)
{
    struct cursor cursor = cursor_begin(object);
    const char *first = skip_space(cursor.at, cursor.end);

    weir_buffer_append_bytes(out, span(object.data, cursor.at));
    weir_buffer_append_json_string(out, weir_bytes_str(name));
    weir_buffer_append_str(out, ":");
    weir_buffer_append_bytes(out, value);
    if (first < cursor.end && *first != '}')
        weir_buffer_append_str(out, ",");
    weir_buffer_append_bytes(out, span(cursor.at, cursor.end));
}

/* The members of an object, found by name. Parsing has made sure that no name stands twice. */
struct entry {
    struct member member;
    const char *from;       /* where the gap before it begins: behind the brace or the member before */
    struct weir_bytes name; /* decoded */
    char *owned;            /* what name points into if it was escaped */
    bool used;
};

struct members {
    struct entry *entries;
    struct entry **by_name;
    size_t count, capacity;
    const char *tail; /* behind the last member */
};

static void weir_cleanup_members(struct members *members)
{
    for (size_t i = 0; i < members->count; i++)
        free(members->entries[i].owned);
    free(members->entries);
    free(members->by_name);
}

static bool members_grow(struct members *members)
{
    if (members->count < members->capacity)
        return true;
    size_t capacity = members->capacity == 0 ? 16 : members->capacity * 2;
    struct entry *entries = realloc(members->entries, capacity * sizeof(*entries));
    if (entries == NULL)
        return false;
    members->entries = entries;
    members->capacity = capacity;
    return true;
}

static bool members_read(struct members *members, struct weir_bytes object)
{
    struct cursor cursor = cursor_begin(object);
    struct member member;

    members->tail = cursor.at;
    while (cursor_next(&cursor, &member)) {
        if (!members_grow(members))
            return false;
        struct entry *entry = &members->entries[members->count];
        *entry = (struct entry){.member = member, .from = members->tail};
        if (!decode_string(member.name, &entry->name, &entry->owned))
            return false;
        members->tail = cursor.at;
        members->count++;
    }
    return true;
}

static int names_compare(struct weir_bytes a, struct weir_bytes b)
{
    int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int entries_compare(const void *a, const void *b)
{
    return names_compare((*(struct entry *const *)a)->name, (*(struct entry *const *)b)->name);
}

/* A patch of thousands of members must not cost thousands of times the target's length. */
static bool members_index(struct members *members)
{
    members->by_name = malloc((members->count + 1) * sizeof(struct entry *));
    if (members->by_name == NULL)
        return false;
    for (size_t i = 0; i < members->count; i++)
        members->by_name[i] = &members->entries[i];
    qsort(members->by_name, members->count, sizeof(struct entry *), entries_compare);
    return true;
}

static struct entry *members_find(const struct members *members, const struct entry *wanted)
{
    struct entry **found =
        bsearch(&wanted, members->by_name, members->count, sizeof(struct entry *), entries_compare);
    return found != NULL ? *found : NULL;
}

static int merge(struct weir_bytes target, struct weir_bytes patch, struct weir_buffer *out);

/* The first member that stays has no comma before it, even if it was not the first. */
static const char *gap_begin(const struct entry *entry, bool first)
{
    const char *comma = skip_space(entry->from, entry->member.name.data);
    return first && *comma == ',' ? comma + 1 : entry->from;
}

/* A member of the target: as it is, with its value patched, or not at all. */
static int merge_kept(
    const struct entry *entry, const struct members *patch, size_t *written, struct weir_buffer *out)
{
    struct entry *change = members_find(patch, entry);

    if (change != NULL)
        change->used = true;
    if (change != NULL && weir_bytes_is(change->member.value, "null"))
        return 0;
    weir_buffer_append_bytes(out, span(gap_begin(entry, *written == 0), entry->member.value.data));
    *written += 1;
    if (change != NULL)
        return merge(entry->member.value, change->member.value, out);
    weir_buffer_append_bytes(out, entry->member.value);
    return 0;
}

static int merge_new(const struct entry *change, size_t *written, struct weir_buffer *out)
{
    if (change->used || weir_bytes_is(change->member.value, "null"))
        return 0;
    weir_buffer_append_str(out, *written == 0 ? "" : ",");
    weir_buffer_append_bytes(out, change->member.name);
    weir_buffer_append_str(out, ":");
    *written += 1;
    return merge(WEIR_BYTES_NULL, change->member.value, out);
}

static int merge_members(struct weir_bytes target, const struct members *patch, struct weir_buffer *out)
{
    __attribute__((cleanup(weir_cleanup_members))) struct members old = {0};
    size_t written = 0;
    int code = 0;

    if (!members_read(&old, target))
        return WEIR_E_INTERNAL;
    weir_buffer_append_str(out, "{");
    for (size_t i = 0; i < old.count && code == 0; i++)
        code = merge_kept(&old.entries[i], patch, &written, out);
    for (size_t i = 0; i < patch->count && code == 0; i++)
        code = merge_new(&patch->entries[i], &written, out);
    weir_buffer_append_bytes(out, span(old.tail, target.data + target.len));
    return code;
}

static int merge(struct weir_bytes target, struct weir_bytes patch, struct weir_buffer *out)
{
    __attribute__((cleanup(weir_cleanup_members))) struct members changes = {0};

    if (!is_object(patch)) {
        weir_buffer_append_bytes(out, patch);
        return 0;
    }
    if (!members_read(&changes, patch) || !members_index(&changes))
        return WEIR_E_INTERNAL;
    return merge_members(is_object(target) ? target : weir_bytes_str("{}"), &changes, out);
}

int weir_json_merge(struct weir_bytes target, struct weir_bytes patch, struct weir_buffer *out)
{
    int code = merge(trim(target), trim(patch), out);
    return out->failed ? WEIR_E_INTERNAL : code;
}

json_t *weir_json_path(json_t *root, const char *path)
{
    while (root != NULL) {
        const char *dot = strchrnul(path, '.');
        root = json_object_getn(root, path, (size_t)(dot - path));
        if (*dot == '\0')
            return root;
        path = dot + 1;
    }
    return NULL;
}
