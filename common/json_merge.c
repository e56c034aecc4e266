/* RFC 7396 on text, for common/json.h. */
#include "common/json.h"
#include "common/json_span.h"

#include <stdlib.h>
#include <string.h>

static struct weir_bytes trim(struct weir_bytes text)
{
    if (text.data == NULL)
        return text;
    const char *from = weir_json_skip_space(text.data, text.data + text.len);
    return weir_json_span(from, weir_json_skip_value(from, text.data + text.len));
}

static bool is_object(struct weir_bytes text)
{
    return text.len > 0 && text.data[0] == '{';
}

/* The members of an object, found by name. Parsing has made sure that no name stands twice. */
struct entry {
    struct weir_json_member member;
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
    struct weir_json_cursor cursor = weir_json_cursor_begin(object);
    struct weir_json_member member;

    members->tail = cursor.at;
    while (weir_json_cursor_next(&cursor, &member)) {
        if (!members_grow(members))
            return false;
        struct entry *entry = &members->entries[members->count];
        *entry = (struct entry){.member = member, .from = members->tail};
        if (!weir_json_decode_string(member.name, &entry->name, &entry->owned))
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
    const char *comma = weir_json_skip_space(entry->from, entry->member.name.data);
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
    weir_buffer_append_bytes(out, weir_json_span(gap_begin(entry, *written == 0), entry->member.value.data));
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
    WEIR_CLEANUP(members) struct members old = {0};
    size_t written = 0;
    int code = 0;

    if (!members_read(&old, target))
        return WEIR_E_INTERNAL;
    weir_buffer_append_str(out, "{");
    for (size_t i = 0; i < old.count && code == 0; i++)
        code = merge_kept(&old.entries[i], patch, &written, out);
    for (size_t i = 0; i < patch->count && code == 0; i++)
        code = merge_new(&patch->entries[i], &written, out);
    weir_buffer_append_bytes(out, weir_json_span(old.tail, target.data + target.len));
    return code;
}

static int merge(struct weir_bytes target, struct weir_bytes patch, struct weir_buffer *out)
{
    WEIR_CLEANUP(members) struct members changes = {0};

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
