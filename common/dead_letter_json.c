/* Dead letters as JSON, for common/dead_letter.h. */
#include "common/clock.h"
#include "common/dead_letter.h"

#include <inttypes.h>

static void add_text(struct weir_buffer *out, const char *name, struct weir_bytes text)
{
    if (text.data == NULL)
        return;
    weir_buffer_printf(out, ",\"%s\":", name);
    weir_buffer_append_json_string(out, text);
}

static void add_number(struct weir_buffer *out, const char *name, int64_t number)
{
    if (number >= 0)
        weir_buffer_printf(out, ",\"%s\":%" PRId64, name, number);
}

void weir_letter_write(const struct weir_letter *letter, struct weir_buffer *out)
{
    char written[WEIR_CLOCK_RFC3339_BYTES];

    weir_buffer_printf(out,
        "{\"letter\":\"%s/%" PRId32 "/%" PRId64 "\",\"written\":\"%s\",\"dialect\":\"%s\"", letter->topic,
        letter->partition, letter->offset, weir_clock_rfc3339(letter->timestamp_ms, written),
        weir_letter_dialect_name(letter->dialect));
    add_text(out, "key", letter->key);
    add_text(out, "disposition", letter->disposition);
    add_text(out, "error_type", letter->error_type);
    add_text(out, "reason", letter->reason);
    add_text(out, "source_topic", letter->source_topic);
    add_number(out, "source_partition", letter->source_partition);
    add_number(out, "source_offset", letter->source_offset);
    add_text(out, "group", letter->group);
    add_number(out, "executions", letter->executions);
    add_number(out, "original_timestamp_ms", letter->original_ms);
    add_number(out, "redrive_count", letter->redrive_count);
    add_text(out, "cut", letter->cut);
}

/* What is no UTF-8 is given as hexadecimal digits too, so that nothing of it is lost. */
static void write_bytes(struct weir_buffer *out, const char *name, struct weir_bytes bytes)
{
    weir_buffer_printf(out, ",\"%s\":", name);
    if (bytes.data == NULL) {
        weir_buffer_append_str(out, "null");
        return;
    }
    weir_buffer_append_json_string(out, bytes);
    if (weir_utf8_valid(bytes))
        return;
    weir_buffer_printf(out, ",\"%s_hex\":\"", name);
    for (size_t i = 0; i < bytes.len; i++)
        weir_buffer_printf(out, "%02x", (unsigned char)bytes.data[i]);
    weir_buffer_append_str(out, "\"");
}

void weir_letter_write_whole(const struct weir_letter *letter, bool redriven, struct weir_buffer *out)
{
    weir_letter_write(letter, out);
    weir_buffer_printf(out, ",\"redriven\":%s,\"headers\":[", redriven ? "true" : "false");
    for (size_t i = 0; i < letter->header_count; i++) {
        weir_buffer_append_str(out, i > 0 ? ",{\"name\":" : "{\"name\":");
        weir_buffer_append_json_string(out, weir_bytes_str(letter->headers[i].name));
        write_bytes(out, "value", letter->headers[i].value);
        weir_buffer_append_str(out, "}");
    }
    weir_buffer_append_str(out, "]");
    write_bytes(out, "value", letter->value);
    weir_buffer_append_str(out, "}");
}
