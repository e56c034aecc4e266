#include "gateway/etag.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == ',';
}

static struct weir_bytes without_weak(struct weir_bytes tag)
{
    bool weak = tag.len >= 2 && tag.data[0] == 'W' && tag.data[1] == '/';
    return weak ? weir_bytes(tag.data + 2, tag.len - 2) : tag;
}

/* The length of the entity-tag at the beginning of list: a comma inside the quotes belongs to it. */
static size_t tag_len(struct weir_bytes list)
{
    bool quoted = false;
    size_t len = 0;
    while (len < list.len && (quoted || !is_blank(list.data[len]))) {
        if (list.data[len] == '"')
            quoted = !quoted;
        len++;
    }
    return len;
}

bool weir_etag_matches(struct weir_bytes list, const char *etag)
{
    struct weir_bytes wanted = without_weak(weir_bytes_str(etag));
    if (list.data == NULL || wanted.len == 0)
        return false;
    while (list.len > 0) {
        size_t len = is_blank(list.data[0]) ? 0 : tag_len(list);
        struct weir_bytes tag = weir_bytes(list.data, len);
        if (len > 0 && (weir_bytes_is(tag, "*") || weir_bytes_equal(without_weak(tag), wanted)))
            return true;
        size_t step = len > 0 ? len : 1;
        list = weir_bytes(list.data + step, list.len - step);
    }
    return false;
}
