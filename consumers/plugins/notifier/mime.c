#include "consumers/plugins/notifier/mime.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    LINE_BYTES = 76,       /* RFC 2045, 6.7 (5): an encoded line, its soft break included */
    PLAIN_BYTES = 60,      /* a value up to this length goes on one line behind its name */
    WORD_BYTES = 45,       /* of an encoded word: 60 in base64, with its frame 72 of the 75 allowed */
    FIRST_WORD_BYTES = 36, /* the first one stands behind the header's name */
};

static bool is_control(unsigned char c)
{
    return c < 0x20 || c == 0x7f;
}

static bool needs_encoding(const char *value)
{
    size_t len = strlen(value);
    if (len > PLAIN_BYTES || len == 0 || value[0] == ' ' || value[len - 1] == ' ')
        return true;
    for (const char *at = value; *at != '\0'; at++)
        if ((unsigned char)*at > 0x7e)
            return true;
    return strstr(value, "=?") != NULL;
}

/* How much of text fits into `most` bytes without cutting a character. */
static size_t whole_characters(const char *text, size_t most)
{
    size_t len = strnlen(text, most + 1);
    if (len <= most)
        return len;
    len = most;
    while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
        len--;
    return len > 0 ? len : most;
}

static void append_words(struct weir_buffer *out, const char *value)
{
    size_t most = FIRST_WORD_BYTES;

    do {
        unsigned char word[4 * ((WORD_BYTES + 2) / 3) + 1];
        size_t len = whole_characters(value, most);
        EVP_EncodeBlock(word, (const unsigned char *)value, (int)len);
        weir_buffer_printf(out, "%s=?UTF-8?B?%s?=", most == FIRST_WORD_BYTES ? "" : "\r\n ", (char *)word);
        value += len;
        most = WORD_BYTES;
    } while (*value != '\0');
}

static int check_value(const char *name, const char *value, struct weir_error *err)
{
    for (const char *at = value; *at != '\0'; at++)
        if (is_control((unsigned char)*at))
            return weir_error_set(err, WEIR_E_INVALID, "control byte 0x%02x in the value of header %s",
                (unsigned char)*at, name);
    return 0;
}

int weir_mime_header(struct weir_buffer *out, const char *name, const char *value, struct weir_error *err)
{
    int code = check_value(name, value, err);
    if (code < 0)
        return code;
    weir_buffer_printf(out, "%s: ", name);
    if (needs_encoding(value))
        append_words(out, value);
    else
        weir_buffer_append_str(out, value);
    weir_buffer_append_str(out, "\r\n");
    return 0;
}

/* RFC 5322's phrase of atoms: letters, digits and spaces suffice; all others are encoded. */
static bool is_phrase(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ";
    return strspn(text, allowed) == strlen(text) && !needs_encoding(text);
}

int weir_mime_address(struct weir_buffer *out, const char *name, const char *display, const char *address,
    struct weir_error *err)
{
    if (display == NULL) {
        weir_buffer_printf(out, "%s: <%s>\r\n", name, address);
        return 0;
    }
    int code = check_value(name, display, err);
    if (code < 0)
        return code;
    weir_buffer_printf(out, "%s: ", name);
    if (is_phrase(display))
        weir_buffer_append_str(out, display);
    else
        append_words(out, display);
    weir_buffer_printf(out, "\r\n <%s>\r\n", address);
    return 0;
}

void weir_mime_one_line(struct weir_buffer *text, size_t most)
{
    size_t len = 0;
    bool gap = false;

    for (size_t i = 0; i < text->len; i++) {
        unsigned char c = (unsigned char)text->data[i];
        if (is_control(c)) {
            gap = true;
            continue;
        }
        if (gap && len > 0)
            text->data[len++] = ' ';
        gap = false;
        text->data[len++] = (char)c;
    }
    if (text->capacity == 0)
        return;
    text->data[len] = '\0';
    text->len = whole_characters(text->data, most);
    text->data[text->len] = '\0';
}

/* One line of text, without its end. */
struct qp_line {
    struct weir_buffer *out;
    const unsigned char *text;
    size_t len;
    char row[LINE_BYTES +
             2]; /* of the output, gathered because a call for each byte costs more than the rest */
    size_t column;
};

static bool is_literal(const struct qp_line *line, size_t at)
{
    unsigned char c = line->text[at];
    if (c == ' ' || c == '\t')
        return at + 1 < line->len;
    if (line->column == 0 &&
        (c == '.' || (c == 'F' && line->len - at >= 5 && memcmp(line->text + at, "From ", 5) == 0)))
        return false;
    return c > ' ' && c < 0x7f && c != '=';
}

static void end_row(struct qp_line *line, const char *end)
{
    weir_buffer_append(line->out, line->row, line->column);
    weir_buffer_append_str(line->out, end);
    line->column = 0;
}

static void append_line(struct qp_line *line)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < line->len; i++) {
        if (line->column + 3 > LINE_BYTES - 1)
            end_row(line, "=\r\n");
        unsigned char c = line->text[i];
        if (is_literal(line, i)) {
            line->row[line->column++] = (char)c;
            continue;
        }
        line->row[line->column++] = '=';
        line->row[line->column++] = digits[c >> 4];
        line->row[line->column++] = digits[c & 15];
    }
    end_row(line, "\r\n");
}

void weir_mime_quoted_printable(struct weir_buffer *out, struct weir_bytes text)
{
    const char *at = text.data, *end = at + text.len;

    while (at < end) {
        const char *feed = memchr(at, '\n', (size_t)(end - at));
        const char *stop = feed != NULL ? feed : end;
        size_t len = (size_t)(stop - at);
        if (feed != NULL && len > 0 && at[len - 1] == '\r')
            len--;
        struct qp_line line;
        line.out = out;
        line.text = (const unsigned char *)at;
        line.len = len;
        line.column = 0;
        append_line(&line);
        at = feed != NULL ? feed + 1 : end;
    }
}

/* Every line end as CRLF, the last line with one. */
static void append_lines(struct weir_buffer *out, struct weir_bytes text)
{
    const char *at = text.data, *end = at + text.len;

    while (at < end) {
        const char *feed = memchr(at, '\n', (size_t)(end - at));
        const char *stop = feed != NULL ? feed : end;
        size_t len = (size_t)(stop - at);
        if (feed != NULL && len > 0 && at[len - 1] == '\r')
            len--;
        weir_buffer_append(out, at, len);
        weir_buffer_append_str(out, "\r\n");
        at = feed != NULL ? feed + 1 : end;
    }
}

void weir_mime_base64(struct weir_buffer *out, struct weir_bytes text)
{
    enum { ROW_BYTES = LINE_BYTES / 4 * 3 };
    struct weir_buffer lines = {0};

    append_lines(&lines, text);
    out->failed |= lines.failed;
    for (size_t at = 0; at < lines.len; at += ROW_BYTES) {
        unsigned char row[LINE_BYTES + 1];
        size_t len = lines.len - at < ROW_BYTES ? lines.len - at : ROW_BYTES;
        EVP_EncodeBlock(row, (const unsigned char *)lines.data + at, (int)len);
        weir_buffer_append_str(out, (const char *)row);
        weir_buffer_append_str(out, "\r\n");
    }
    weir_buffer_done(&lines);
}

/* Of quoted-printable, each byte above ASCII takes three, in base64 each byte takes 4/3. */
const char *weir_mime_encode(struct weir_buffer *out, struct weir_bytes text)
{
    size_t begin = out->len;

    weir_mime_quoted_printable(out, text);
    if (2 * (text.len * 4 / 3 * (LINE_BYTES + 2) / LINE_BYTES) > out->len - begin)
        return "quoted-printable";
    out->len = begin;
    weir_mime_base64(out, text);
    return "base64";
}

char *weir_mime_date(int64_t wall_ms, char out[static WEIR_MIME_DATE_BYTES])
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm utc = {0};

    gmtime_r(&seconds, &utc);
    snprintf(out, WEIR_MIME_DATE_BYTES, "%s, %d %s %04d %02d:%02d:%02d +0000", days[utc.tm_wday], utc.tm_mday,
        months[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
    return out;
}
