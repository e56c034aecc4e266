#include "common/log_line.h"

#include <string.h>

/* What closes a line always fits: so much is kept for it. */
enum { TAIL_BYTES = 16 };

static bool has_room(struct weir_log_line *line, size_t len)
{
    if (line->cut == WEIR_LOG_WHOLE && len > sizeof(line->data) - TAIL_BYTES - line->len)
        line->cut = WEIR_LOG_CUT;
    return line->cut == WEIR_LOG_WHOLE;
}

void weir_log_line_put(struct weir_log_line *line, struct weir_bytes text)
{
    if (!has_room(line, text.len))
        return;
    memcpy(line->data + line->len, text.data, text.len);
    line->len += text.len;
}

void weir_log_line_put_str(struct weir_log_line *line, const char *text)
{
    weir_log_line_put(line, weir_bytes_str(text));
}

/* U+0080 to U+009F steer terminals as well as the others do. */
static bool is_control(struct weir_bytes step)
{
    unsigned char first = (unsigned char)step.data[0];
    return first < ' ' || first == 0x7f ||
           (step.len == 2 && first == 0xc2 && (unsigned char)step.data[1] < 0xa0);
}

static void put_hex(struct weir_log_line *line, const char *prefix, char byte)
{
    static const char digits[] = "0123456789abcdef";
    char text[8];
    size_t len = strlen(prefix);

    memcpy(text, prefix, len);
    text[len++] = digits[(unsigned char)byte >> 4];
    text[len++] = digits[byte & 15];
    weir_log_line_put(line, weir_bytes(text, len));
}

static void put_control(struct weir_log_line *line, struct weir_bytes step)
{
    static const char letters[] = {['\t'] = 't', ['\n'] = 'n', ['\r'] = 'r'};
    unsigned char byte = (unsigned char)step.data[step.len - 1];

    if (byte < sizeof(letters) && letters[byte] != '\0')
        weir_log_line_put(line, weir_bytes((const char[]){'\\', letters[byte]}, 2));
    else
        put_hex(line, "\\u00", (char)byte);
}

/* One character as a string holds it, whole or not at all; returns its bytes in the text. */
static size_t put_character(struct weir_log_line *line, struct weir_bytes text)
{
    size_t len = weir_utf8_next(text);
    struct weir_bytes step = weir_bytes(text.data, len);

    if (len == 0) {
        put_hex(line, "\\\\x", text.data[0]);
        return 1;
    }
    if (is_control(step))
        put_control(line, step);
    else if (text.data[0] == '"' || text.data[0] == '\\')
        weir_log_line_put(line, weir_bytes((const char[]){'\\', text.data[0]}, 2));
    else
        weir_log_line_put(line, step);
    return len;
}

static void put_string(struct weir_log_line *line, struct weir_bytes text)
{
    weir_log_line_put_str(line, "\"");
    if (line->cut != WEIR_LOG_WHOLE)
        return;
    for (size_t at = 0; at < text.len && line->cut == WEIR_LOG_WHOLE;)
        at += put_character(line, weir_bytes(text.data + at, text.len - at));
    weir_log_line_put_str(line, "\"");
    if (line->cut != WEIR_LOG_WHOLE)
        line->cut = WEIR_LOG_CUT_IN_QUOTES;
}

static bool is_word(struct weir_bytes text)
{
    for (size_t at = 0, len; at < text.len; at += len) {
        len = weir_utf8_next(weir_bytes(text.data + at, text.len - at));
        if (len == 0 || is_control(weir_bytes(text.data + at, len)) ||
            strchr(" =\"\\", text.data[at]) != NULL)
            return false;
    }
    return text.len > 0;
}

void weir_log_line_put_word(struct weir_log_line *line, struct weir_bytes text)
{
    if (!is_word(text)) {
        put_string(line, text);
        return;
    }
    for (size_t at = 0; at < text.len && line->cut == WEIR_LOG_WHOLE;)
        at += put_character(line, weir_bytes(text.data + at, text.len - at));
}

void weir_log_line_put_member(
    struct weir_log_line *line, const char *name, struct weir_bytes value, bool number)
{
    static const char opens[] = ",\"", closes[] = "\":";

    if (!has_room(line, strlen(opens) + strlen(name) + strlen(closes) + (number ? value.len : 1)))
        return;
    weir_log_line_put_str(line, opens);
    weir_log_line_put_str(line, name);
    weir_log_line_put_str(line, closes);
    if (number)
        weir_log_line_put(line, value);
    else
        put_string(line, value);
}

void weir_log_line_end(struct weir_log_line *line, bool json)
{
    static const char *const tails[][2] = {
        [WEIR_LOG_WHOLE] = {"\n", "}\n"},
        [WEIR_LOG_CUT] = {"…\n", ",\"cut\":\"…\"}\n"},
        [WEIR_LOG_CUT_IN_QUOTES] = {"…\"\n", "…\"}\n"},
    };
    const char *tail = tails[line->cut][json];

    memcpy(line->data + line->len, tail, strlen(tail));
    line->len += strlen(tail);
}
