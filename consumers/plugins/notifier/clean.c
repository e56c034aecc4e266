#include "consumers/plugins/notifier/clean.h"

#include <stdbool.h>

static bool is_space(unsigned char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

void weir_clean_line(const char *text, char *out, size_t size)
{
    size_t len = 0;
    bool gap = false;

    for (; text != NULL && *text != '\0' && len + 2 < size; text++) {
        unsigned char c = (unsigned char)*text;
        if (is_space(c)) {
            gap = len > 0;
            continue;
        }
        if (gap)
            out[len++] = ' ';
        gap = false;
        out[len++] = c > ' ' && c < 0x7f ? (char)c : '?';
    }
    out[len] = '\0';
}
