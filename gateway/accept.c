#include "gateway/accept.h"

#include <string.h>
#include <strings.h>

/* How closely a range names a media type. */
enum closeness { CLOSENESS_NONE, CLOSENESS_ANY, CLOSENESS_TYPE, CLOSENESS_EXACT };

static struct weir_bytes trim(struct weir_bytes text)
{
    while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = weir_bytes(text.data + 1, text.len - 1);
    while (text.len > 0 && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
        text.len--;
    return text;
}

/* Takes what is before the next `separator` off *text; that itself goes, too. */
static struct weir_bytes cut(struct weir_bytes *text, char separator)
{
    const char *at = memchr(text->data, separator, text->len);
    size_t len = at != NULL ? (size_t)(at - text->data) : text->len;
    struct weir_bytes part = trim(weir_bytes(text->data, len));
    len += at != NULL;
    *text = weir_bytes(text->data + len, text->len - len);
    return part;
}

static bool is_word(struct weir_bytes text, const char *word, size_t len)
{
    return text.len == len && strncasecmp(text.data, word, len) == 0;
}

static enum closeness compare(struct weir_bytes range, const char *media_type)
{
    size_t type_len = strcspn(media_type, "/") + 1;
    if (is_word(range, "*/*", 3))
        return CLOSENESS_ANY;
    if (range.len == type_len + 1 && range.data[type_len] == '*' &&
        strncasecmp(range.data, media_type, type_len) == 0)
        return CLOSENESS_TYPE;
    return is_word(range, media_type, strlen(media_type)) ? CLOSENESS_EXACT : CLOSENESS_NONE;
}

/* Whether the parameters say q=0, which is written 0, 0. or 0.000. */
static bool is_never(struct weir_bytes parameters)
{
    while (parameters.len > 0) {
        struct weir_bytes parameter = cut(&parameters, ';');
        if (parameter.len < 3 || strncasecmp(parameter.data, "q=", 2) != 0)
            continue;
        for (size_t i = 2; i < parameter.len; i++) {
            if (parameter.data[i] != '0' && parameter.data[i] != '.')
                return false;
        }
        return true;
    }
    return false;
}

bool weir_accept_takes(struct weir_bytes accept, const char *media_type)
{
    enum closeness closest = CLOSENESS_NONE;
    bool takes = accept.len == 0;
    while (accept.len > 0) {
        struct weir_bytes parameters = cut(&accept, ',');
        enum closeness closeness = compare(cut(&parameters, ';'), media_type);
        if (closeness <= closest)
            continue;
        closest = closeness;
        takes = !is_never(parameters);
    }
    return takes;
}
