/* Which dead letters are meant, for common/dead_letter.h. */
#include "common/dead_letter_settings.h"

#include <stdio.h>
#include <string.h>

/* "FROM[-TO]" */
static int read_offsets(const char *text, struct weir_letter_filter *filter)
{
    size_t digits = strspn(text, "0123456789");

    filter->source_from = weir_header_number(weir_bytes(text, digits), INT64_MAX);
    filter->source_to = filter->source_from;
    if (text[digits] == '-')
        filter->source_to = weir_header_number(weir_bytes_str(text + digits + 1), INT64_MAX);
    bool whole = text[digits] == '\0' || text[digits] == '-';
    return whole && filter->source_from >= 0 && filter->source_to >= filter->source_from ? 0 : WEIR_E_INVALID;
}

int weir_letter_filter_source(
    struct weir_letter_filter *filter, const char *text, char topic[static WEIR_TOPIC_NAME_BYTES])
{
    size_t len = strcspn(text, "/");
    const char *rest = text[len] == '/' ? text + len + 1 : NULL;

    if (len >= WEIR_TOPIC_NAME_BYTES)
        return WEIR_E_INVALID;
    snprintf(topic, WEIR_TOPIC_NAME_BYTES, "%.*s", (int)len, text);
    filter->source_topic = topic;
    if (rest == NULL)
        return 0;
    size_t digits = strcspn(rest, "/");
    filter->source_partition = weir_header_number(weir_bytes(rest, digits), INT32_MAX);
    if (filter->source_partition < 0)
        return WEIR_E_INVALID;
    return rest[digits] == '/' ? read_offsets(rest + digits + 1, filter) : 0;
}

int weir_letter_filter_make(const struct weir_letter_settings *settings, int64_t now_ms,
    char topic[static WEIR_TOPIC_NAME_BYTES], struct weir_letter_filter *ret_filter)
{
    *ret_filter = WEIR_LETTER_ANY;
    ret_filter->disposition = settings->disposition;
    ret_filter->error_type = settings->error_type;
    ret_filter->key = settings->key;
    ret_filter->reason = settings->reason;
    if (settings->newer_ms > 0)
        ret_filter->from_ms = now_ms - settings->newer_ms;
    if (settings->older_ms > 0)
        ret_filter->to_ms = now_ms - settings->older_ms;
    return settings->source != NULL ? weir_letter_filter_source(ret_filter, settings->source, topic) : 0;
}
