#include "deploy/weirctl/progress.h"

#include "common/clock.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { PATIENCE_MS = 2000, REFRESH_MS = 200, COLUMNS = 80, COLUMNS_MAX = 200, BAR_MIN = 5 };

void progress_begin(struct progress *progress)
{
    *progress =
        (struct progress){.due_ms = isatty(STDERR_FILENO) ? weir_clock_ms() + PATIENCE_MS : INT64_MAX};
}

static bool is_due(struct progress *progress)
{
    if (progress->due_ms == INT64_MAX || weir_clock_ms() < progress->due_ms)
        return false;
    progress->due_ms = weir_clock_ms() + REFRESH_MS;
    return true;
}

/* What fits into one line: a second one could not be taken away. The last column stays free, where some
 * terminals break. */
static int width(void)
{
    struct winsize size = {0};
    int columns = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : COLUMNS;

    return columns < COLUMNS_MAX ? columns - 1 : COLUMNS_MAX - 1;
}

static void draw(struct progress *progress, const char *line)
{
    progress->shown = true;
    fprintf(stderr, "\r\033[K%.*s", width(), line);
    fflush(stderr);
}

void progress_show(struct progress *progress, const char *format, ...)
{
    char line[COLUMNS_MAX];
    va_list arguments;

    if (!is_due(progress))
        return;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    draw(progress, line);
}

/* Of what is counted now; 0 before it can be told. */
static int64_t rate(struct progress *progress, const char *what, int64_t done)
{
    int64_t now_ms = weir_clock_ms(), took_ms = now_ms - progress->since_ms;

    if (strcmp(progress->what, what) == 0)
        return took_ms > 0 ? (done - progress->first) * 1000 / took_ms : 0;
    snprintf(progress->what, sizeof(progress->what), "%s", what);
    progress->since_ms = now_ms;
    progress->first = done;
    return 0;
}

/* "[####    ]  50%", as wide as there is room; without room the share alone. */
static void write_bar(char *out, size_t size, int room, int64_t done, int64_t total)
{
    char marks[COLUMNS_MAX];
    int share = (int)(done >= total ? 100 : done * 100 / total), bar = room - (int)strlen(" []  50%");

    if (bar >= COLUMNS_MAX)
        bar = COLUMNS_MAX - 1;
    if (bar < BAR_MIN) {
        snprintf(out, size, " %3d%%", share);
        return;
    }
    memset(marks, '#', sizeof(marks));
    snprintf(out, size, " [%-*.*s] %3d%%", bar, bar * share / 100, marks, share);
}

void progress_count(
    struct progress *progress, int64_t done, int64_t total, const char *unit, const char *format, ...)
{
    char what[sizeof(progress->what)], tail[80], bar[COLUMNS_MAX] = "", line[COLUMNS_MAX + sizeof(what)];
    va_list arguments;

    if (!is_due(progress))
        return;
    va_start(arguments, format);
    vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    int64_t per_s = rate(progress, what, done);
    int len = snprintf(tail, sizeof(tail), "  %" PRId64 " %s", done, unit);
    if (per_s > 0)
        snprintf(tail + len, sizeof(tail) - (size_t)len, ", %" PRId64 "/s", per_s);
    if (total > 0)
        write_bar(bar, sizeof(bar), width() - (int)strlen(what) - (int)strlen(tail), done, total);
    snprintf(line, sizeof(line), "%s%s%s", what, bar, tail);
    draw(progress, line);
}

bool progress_tick(
    void *context, const struct weir_kafka_range *range, int64_t begin, int64_t offset, int64_t end)
{
    if (offset >= 0)
        progress_count(context, offset - begin, end - begin, "records", "reading %s/%" PRId32, range->topic,
            range->partition);
    return true;
}

void progress_end(struct progress *progress)
{
    if (progress->shown)
        fputs("\r\033[K", stderr);
    progress->shown = false;
}
