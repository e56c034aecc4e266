#include "deploy/weirctl/progress.h"

#include "common/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { PATIENCE_MS = 2000, REFRESH_MS = 200 };

void progress_begin(struct progress *progress)
{
    *progress =
        (struct progress){.due_ms = isatty(STDERR_FILENO) ? weir_clock_ms() + PATIENCE_MS : INT64_MAX};
}

void progress_show(struct progress *progress, const char *format, ...)
{
    va_list arguments;

    if (progress->due_ms == INT64_MAX || weir_clock_ms() < progress->due_ms)
        return;
    progress->due_ms = weir_clock_ms() + REFRESH_MS;
    progress->shown = true;
    fputs("\r\033[K", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fflush(stderr);
}

void progress_end(struct progress *progress)
{
    if (progress->shown)
        fputs("\r\033[K", stderr);
    progress->shown = false;
}
