#include "common/html.h"

static const char *reference(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void weir_html_append(struct weir_buffer *out, struct weir_bytes text)
{
    size_t begin = 0;

    for (size_t i = 0; i < text.len; i++) {
        const char *instead = reference(text.data[i]);
        if (instead == NULL)
            continue;
        weir_buffer_append(out, text.data + begin, i - begin);
        weir_buffer_append_str(out, instead);
        begin = i + 1;
    }
    weir_buffer_append(out, text.data + begin, text.len - begin);
}
