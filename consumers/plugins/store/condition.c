#include "consumers/plugins/store/condition.h"

/* One entity tag of a list. */
struct tag {
    struct weir_bytes opaque;
    bool weak;
};

static bool is_separator(char byte)
{
    return byte == ' ' || byte == '\t' || byte == ',';
}

static struct weir_bytes take(struct weir_bytes *list, size_t len)
{
    struct weir_bytes taken = weir_bytes(list->data, len);
    *list = weir_bytes(list->data + len, list->len - len);
    return taken;
}

static size_t find_end(struct weir_bytes list, bool quoted)
{
    size_t end = 0;
    while (end < list.len && (quoted ? list.data[end] != '"' : !is_separator(list.data[end])))
        end++;
    return end;
}

/* Takes the next tag off the list; false at its end. */
static bool next_tag(struct weir_bytes *list, struct tag *ret_tag)
{
    while (list->len > 0 && is_separator(list->data[0]))
        take(list, 1);
    if (list->len == 0)
        return false;
    ret_tag->weak = list->len > 2 && memcmp(list->data, "W/\"", 3) == 0;
    if (ret_tag->weak)
        take(list, 2);
    bool quoted = list->data[0] == '"';
    if (quoted)
        take(list, 1);
    ret_tag->opaque = take(list, find_end(*list, quoted));
    if (quoted && list->len > 0)
        take(list, 1);
    return true;
}

static bool is_star(struct weir_bytes list)
{
    struct tag only, more;
    return next_tag(&list, &only) && weir_bytes_is(only.opaque, "*") && !next_tag(&list, &more);
}

static bool holds_tag(struct weir_bytes list, struct weir_bytes tag, bool strong)
{
    for (struct tag given; next_tag(&list, &given);)
        if (weir_bytes_equal(given.opaque, tag) && !(strong && given.weak))
            return true;
    return false;
}

bool weir_condition_holds(struct weir_bytes if_match, struct weir_bytes if_none_match, struct weir_bytes tag)
{
    bool exists = tag.data != NULL;

    if (if_match.data != NULL && !(exists && (is_star(if_match) || holds_tag(if_match, tag, true))))
        return false;
    if (if_none_match.data != NULL && exists &&
        (is_star(if_none_match) || holds_tag(if_none_match, tag, false)))
        return false;
    return true;
}
