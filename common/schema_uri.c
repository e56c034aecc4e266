/* Resolution of URI references, as far as `$id` and `$ref` need it: RFC 3986 §5.2. */
#include "common/schema_compile.h"

#include <string.h>

/* "scheme:" at the beginning; 0 when there is none. */
static size_t scheme_len(const char *uri)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char others[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.";
    if (uri[0] == '\0' || strchr(letters, uri[0]) == NULL)
        return 0;
    size_t len = strspn(uri, others);
    return uri[len] == ':' ? len + 1 : 0;
}

/* Scheme and authority. */
static size_t origin_len(const char *uri)
{
    size_t len = scheme_len(uri);
    if (strncmp(uri + len, "//", 2) == 0)
        len += 2 + strcspn(uri + len + 2, "/?#");
    return len;
}

/* §5.2.4, in place; path begins with a slash, or it is left as it is. */
static void remove_dots(char *path)
{
    char *out = path;
    const char *at = path;

    while (*at == '/') {
        size_t len = 1 + strcspn(at + 1, "/?");
        bool last = at[len] != '/';
        bool up = len == 3 && memcmp(at, "/..", 3) == 0;
        if (up || (len == 2 && at[1] == '.')) {
            while (up && out > path && *--out != '/')
                ;
            if (last)
                *out++ = '/';
        } else {
            memmove(out, at, len);
            out += len;
        }
        at += len;
    }
    memmove(out, at, strlen(at) + 1);
}

/* How much of base stays before a reference of this form. */
static size_t kept_len(const char *base, const char *reference, size_t reference_len)
{
    size_t origin = origin_len(base);
    if (scheme_len(reference) > 0)
        return 0;
    if (strncmp(reference, "//", 2) == 0)
        return scheme_len(base);
    if (reference[0] == '/')
        return origin;
    if (reference_len == 0)
        return strlen(base);
    size_t path = origin + strcspn(base + origin, "?");
    if (reference[0] == '?')
        return path;
    while (path > origin && base[path - 1] != '/')
        path--;
    return path;
}

const char *weir_schema_uri(
    struct weir_schema *schema, const char *base, const char *reference, const char **ret_fragment)
{
    size_t len = strcspn(reference, "#");
    size_t kept = kept_len(base, reference, len);
    char *uri = weir_schema_alloc(schema, kept + len + 2);

    *ret_fragment = reference[len] == '#' ? reference + len + 1 : NULL;
    if (uri == NULL)
        return NULL;
    memcpy(uri, base, kept);
    /* §5.2.3: a base without a path gets one */
    bool slash = kept > 0 && len > 0 && kept == origin_len(base) && kept > scheme_len(base) &&
                 strchr("/?", reference[0]) == NULL;
    if (slash)
        uri[kept++] = '/';
    memcpy(uri + kept, reference, len);
    remove_dots(uri + origin_len(uri));
    return uri;
}
