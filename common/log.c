#include "common/log.h"

#include "common/bytes.h"
#include "common/clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* PIPE_BUF: up to here a write to a pipe is not mixed with those of others. */
enum { LINE_BYTES = 4096, TAIL_BYTES = 8 };

static const struct level {
    const char *name, *journal;
} levels[] = {
    [WEIR_LOG_ERROR] = {"ERROR", "<3>"},
    [WEIR_LOG_WARNING] = {"WARNING", "<4>"},
    [WEIR_LOG_NOTICE] = {"NOTICE", "<5>"},
    [WEIR_LOG_INFO] = {"INFO", "<6>"},
    [WEIR_LOG_DEBUG] = {"DEBUG", "<7>"},
};

static _Atomic int least_level = WEIR_LOG_INFO;
static _Atomic int line_format = WEIR_LOG_TEXT;

/* A line being made. The last TAIL_BYTES stay free for what closes it. */
struct line {
    char data[LINE_BYTES];
    size_t len;
    bool cut;
};

void weir_log_init(enum weir_log_level level, enum weir_log_format format)
{
    atomic_store(&least_level, (int)level);
    atomic_store(&line_format, (int)format);
}

/* systemd.exec(5): JOURNAL_STREAM is "device:inode" of the stream that leads to the journal. */
enum weir_log_format weir_log_format_auto(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat found;
    char mine[64];

    if (stream == NULL || fstat(STDERR_FILENO, &found) != 0)
        return WEIR_LOG_TEXT;
    snprintf(mine, sizeof(mine), "%ju:%ju", (uintmax_t)found.st_dev, (uintmax_t)found.st_ino);
    return strcmp(stream, mine) == 0 ? WEIR_LOG_JOURNAL : WEIR_LOG_TEXT;
}

void weir_log_set_level(enum weir_log_level level)
{
    atomic_store(&least_level, (int)level);
}

bool weir_log_enabled(enum weir_log_level level)
{
    return (int)level <= atomic_load_explicit(&least_level, memory_order_relaxed);
}

static void put(struct line *line, const char *data, size_t len)
{
    if (line->cut)
        return;
    if (len > sizeof(line->data) - TAIL_BYTES - line->len) {
        line->cut = true;
        return;
    }
    memcpy(line->data + line->len, data, len);
    line->len += len;
}

static void put_str(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

/* What closes a line always fits: TAIL_BYTES were kept for it. */
static void put_tail(struct line *line, const char *tail)
{
    size_t len = strlen(tail);
    memcpy(line->data + line->len, tail, len);
    line->len += len;
}

/* U+0080 to U+009F steer terminals as well as the others do. */
static bool is_control(const char *at, size_t step)
{
    unsigned char byte = (unsigned char)at[0];
    return byte < ' ' || byte == 0x7f || (step == 2 && byte == 0xc2 && (unsigned char)at[1] < 0xa0);
}

/* A byte as \xNN; in JSON that backslash is escaped itself. */
static void put_hex(struct line *line, char byte, bool json)
{
    static const char digits[] = "0123456789abcdef";
    const char text[] = {'\\', '\\', 'x', digits[(unsigned char)byte >> 4], digits[byte & 15]};

    put(line, json ? text : text + 1, json ? sizeof(text) : sizeof(text) - 1);
}

static void put_escaped(struct line *line, char byte)
{
    const char text[] = {'\\', byte};
    put(line, text, sizeof(text));
}

/* Text as people read it: what is no printable UTF-8 becomes \xNN. Each step is put whole or not at all. */
static void put_clean(struct line *line, struct weir_bytes text, bool json)
{
    for (size_t at = 0, step; at < text.len && !line->cut; at += step) {
        const char *here = text.data + at;
        step = weir_utf8_next(weir_bytes(here, text.len - at));
        if (step == 0 || is_control(here, step)) {
            step = 1; /* what follows of a control character is no beginning, and becomes \xNN too */
            put_hex(line, here[0], json);
        } else if (json && (here[0] == '"' || here[0] == '\\')) {
            put_escaped(line, here[0]);
        } else {
            put(line, here, step);
        }
    }
}

static void put_text_head(struct line *line, const struct level *level)
{
    char now[WEIR_CLOCK_RFC3339_BYTES];

    put_str(line, weir_clock_rfc3339(weir_clock_wall_ms(), now));
    put_str(line, " ");
    put_str(line, level->name);
    put_str(line, " ");
}

static void make_plain(struct line *line, const char *event, struct weir_bytes message)
{
    put_clean(line, weir_bytes_str(event), false);
    if (message.len > 0)
        put_str(line, " ");
    put_clean(line, message, false);
    put_tail(line, line->cut ? "…\n" : "\n");
}

static void make_json(
    struct line *line, const struct level *level, const char *event, struct weir_bytes message)
{
    char now[WEIR_CLOCK_RFC3339_BYTES];

    put_str(line, "{\"ts\":\"");
    put_str(line, weir_clock_rfc3339(weir_clock_wall_ms(), now));
    put_str(line, "\",\"level\":\"");
    put_str(line, level->name);
    put_str(line, "\",\"event\":\"");
    put_clean(line, weir_bytes_str(event), true);
    put_str(line, "\",\"message\":\"");
    put_clean(line, message, true);
    put_tail(line, line->cut ? "…\"}\n" : "\"}\n");
}

/* One write: a line is never mixed with another's. What a full pipe does not take is lost rather than waited
 * for. */
static void emit(const struct line *line)
{
    ssize_t written;

    do {
        written = write(STDERR_FILENO, line->data, line->len);
    } while (written < 0 && errno == EINTR);
}

void weir_logv(enum weir_log_level level, const char *event, const char *format, va_list arguments)
{
    int number = errno;
    char message[LINE_BYTES + 4];
    struct line line;

    if (!weir_log_enabled(level))
        return;
    line.len = 0;
    line.cut = false;
    int len = vsnprintf(message, sizeof(message), format, arguments);
    struct weir_bytes text = weir_bytes_str(len < 0 ? "text=unprintable" : message);
    int chosen = atomic_load_explicit(&line_format, memory_order_relaxed);
    if (chosen == WEIR_LOG_JSON) {
        make_json(&line, &levels[level], event, text);
    } else {
        if (chosen == WEIR_LOG_JOURNAL)
            put_str(&line, levels[level].journal);
        else
            put_text_head(&line, &levels[level]);
        make_plain(&line, event, text);
    }
    emit(&line);
    errno = number;
}

void weir_log(enum weir_log_level level, const char *event, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    weir_logv(level, event, format, arguments);
    va_end(arguments);
}
