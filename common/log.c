#include "common/log.h"

#include "common/clock.h"
#include "common/log_line.h"
#include "common/log_pairs.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

void weir_log_init(enum weir_log_level level, enum weir_log_format format)
{
    atomic_store(&least_level, (int)level);
    atomic_store(&line_format, (int)format);
}

enum weir_log_format weir_log_format_of(int64_t choice)
{
    static const enum weir_log_format chosen[] = {
        WEIR_LOG_TEXT, WEIR_LOG_TEXT, WEIR_LOG_JOURNAL, WEIR_LOG_JSON, WEIR_LOG_LOGFMT};
    return choice == 0 ? weir_log_format_auto() : chosen[choice];
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

/* ---- forms */

static const char *time_text(char out[static WEIR_CLOCK_RFC3339_BYTES])
{
    return weir_clock_rfc3339(weir_clock_wall_ms(), out);
}

static void begin_text(struct weir_log_line *line, const struct level *level, const char *event)
{
    char now[WEIR_CLOCK_RFC3339_BYTES];

    weir_log_line_put_str(line, time_text(now));
    weir_log_line_put_str(line, " ");
    weir_log_line_put_str(line, level->name);
    weir_log_line_put_str(line, " ");
    weir_log_line_put_word(line, weir_bytes_str(event));
}

static void begin_journal(struct weir_log_line *line, const struct level *level, const char *event)
{
    weir_log_line_put_str(line, level->journal);
    weir_log_line_put_word(line, weir_bytes_str(event));
}

static void begin_logfmt(struct weir_log_line *line, const struct level *level, const char *event)
{
    char now[WEIR_CLOCK_RFC3339_BYTES];

    weir_log_line_put_str(line, "ts=");
    weir_log_line_put_str(line, time_text(now));
    weir_log_line_put_str(line, " level=");
    weir_log_line_put_str(line, level->name);
    weir_log_line_put_str(line, " event=");
    weir_log_line_put_word(line, weir_bytes_str(event));
}

static void begin_json(struct weir_log_line *line, const struct level *level, const char *event)
{
    char now[WEIR_CLOCK_RFC3339_BYTES];

    weir_log_line_put_str(line, "{\"ts\":\"");
    weir_log_line_put_str(line, time_text(now));
    weir_log_line_put_str(line, "\"");
    weir_log_line_put_member(line, "level", weir_bytes_str(level->name), false);
    weir_log_line_put_member(line, "event", weir_bytes_str(event), false);
}

static void put_pair(struct weir_log_line *line, const struct weir_log_pair *pair)
{
    weir_log_line_put_str(line, " ");
    weir_log_line_put(line, pair->key);
    weir_log_line_put_str(line, "=");
    weir_log_line_put_word(line, pair->value);
}

/* OpenTelemetry's semantic conventions, 1.37. */
static const struct name {
    const char *key, *attribute;
    bool text; /* of a number, too */
} names[] = {
    {"error", "error.type", false},
    {"error_type", "error.type", false},
    {"exit_status", "process.exit.code", false},
    {"file", "file.path", false},
    {"instance", "service.instance.id", false},
    {"offset", "messaging.kafka.offset", false},
    {"partition", "messaging.destination.partition.id", true},
    {"service", "service.name", false},
    {"topic", "messaging.destination.name", false},
    {"version", "service.version", false},
};

static void put_member(struct weir_log_line *line, const struct weir_log_pair *pair)
{
    char own[64];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (weir_bytes_is(pair->key, names[i].key)) {
            weir_log_line_put_member(line, names[i].attribute, pair->value, pair->number && !names[i].text);
            return;
        }
    snprintf(own, sizeof(own), "%.*s", (int)pair->key.len, pair->key.data);
    weir_log_line_put_member(line, own, pair->value, pair->number);
}

static const struct form {
    void (*begin)(struct weir_log_line *line, const struct level *level, const char *event);
    void (*pair)(struct weir_log_line *line, const struct weir_log_pair *pair);
    bool json;
} forms[] = {
    [WEIR_LOG_TEXT] = {begin_text, put_pair, false},
    [WEIR_LOG_JOURNAL] = {begin_journal, put_pair, false},
    [WEIR_LOG_JSON] = {begin_json, put_member, true},
    [WEIR_LOG_LOGFMT] = {begin_logfmt, put_pair, false},
};

/* One write: a line is never mixed with another's. What a full pipe does not take is lost rather than waited
 * for. */
static void emit(const struct weir_log_line *line)
{
    ssize_t written;

    do {
        written = write(STDERR_FILENO, line->data, line->len);
    } while (written < 0 && errno == EINTR);
}

void weir_logv(enum weir_log_level level, const char *event, const char *format, va_list arguments)
{
    int number = errno;
    const struct form *form = &forms[atomic_load_explicit(&line_format, memory_order_relaxed)];
    char text[WEIR_LOG_LINE_BYTES + 4];
    struct weir_log_line line;
    struct weir_log_pair pair;

    if (!weir_log_enabled(level))
        return;
    line.len = 0;
    line.cut = WEIR_LOG_WHOLE;
    form->begin(&line, &levels[level], event);
    struct weir_log_pairs pairs = weir_log_pairs(format, arguments, text, sizeof(text));
    while (weir_log_pairs_next(&pairs, arguments, &pair))
        form->pair(&line, &pair);
    weir_log_line_end(&line, form->json);
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
