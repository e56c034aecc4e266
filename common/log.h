/* One line an event on stderr: `event.name key=value …`, under systemd with the journal's <N> priority, as
 * logfmt or JSON by option. A library never logs above debug; whoever handles an error logs it.
 *
 *     weir_log(WEIR_LOG_INFO, "store.restored", "topic=%s partition=%d events=%zu", topic, partition, count);
 */
#ifndef WEIR_COMMON_LOG_H
#define WEIR_COMMON_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

enum weir_log_level { WEIR_LOG_ERROR, WEIR_LOG_WARNING, WEIR_LOG_NOTICE, WEIR_LOG_INFO, WEIR_LOG_DEBUG };

enum weir_log_format {
    WEIR_LOG_TEXT,    /* "2026-11-21T06:40:20.123Z INFO event key=value" on a terminal or file */
    WEIR_LOG_JOURNAL, /* "<6>event key=value": chosen by itself when $JOURNAL_STREAM is stderr */
    WEIR_LOG_JSON,    /* {"ts":…,"level":…,"event":…,"key":value,…}, by OpenTelemetry's names where it has some */
    WEIR_LOG_LOGFMT,  /* ts=… level=… event=… key=value … */
};

/* At start, before threads. */
void weir_log_init(enum weir_log_level level, enum weir_log_format format);
/* Journal or text: by where stderr leads. */
enum weir_log_format weir_log_format_auto(void);
/* `choice`: the number of a word of [log] format, of which the first is auto. */
enum weir_log_format weir_log_format_of(int64_t choice);

/* May be called at run time (SIGHUP). Threads: any. */
void weir_log_set_level(enum weir_log_level level);
bool weir_log_enabled(enum weir_log_level level);

/* `event`: lower-case words joined by dots, a stable name. `format`: pairs `key=value` or `key="value"`, with
 * spaces between them; each value is written so that it can be read back (common/log_pairs.h), whatever it
 * holds: hostile input can't forge a line, nor a pair. At most 4 KiB, then cut with "…". One write(2) a line.
 * Threads: any. */
void weir_log(enum weir_log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void weir_logv(enum weir_log_level level, const char *event, const char *format, va_list arguments);

#endif
