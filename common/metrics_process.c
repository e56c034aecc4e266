#include "common/metrics_process.h"

#include "common/cleanup.h"
#include "common/file.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Answers in millionths, or a negative number when it can't be known. */
static int64_t read_cpu_us(void)
{
    struct rusage used;

    if (getrusage(RUSAGE_SELF, &used) != 0)
        return -1;
    return ((int64_t)used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 + used.ru_utime.tv_usec +
           used.ru_stime.tv_usec;
}

static int64_t read_max_fds(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > INT64_MAX / 1000000)
        return -1;
    return (int64_t)limit.rlim_cur * 1000000;
}

static int64_t read_open_fds(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int64_t count = -1; /* the folder's own */

    if (folder == NULL)
        return -1;
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count * 1000000;
}

/* The word-th (from 0) number behind `after` in a file of /proc; negative when it is not there. */
static int64_t read_proc(const char *path, const char *after, int word)
{
    WEIR_CLEANUP(buffer) struct weir_buffer text = {0};
    enum { PROC_BYTES = 1 << 20 };

    if (weir_file_read(path, PROC_BYTES, &text, NULL, NULL) < 0 || text.len == 0)
        return -1;
    const char *at = after[0] != '\0' ? strstr(text.data, after) : text.data;
    if (at == NULL)
        return -1;
    at += strlen(after);
    for (int i = 0; i < word; i++) {
        at += strspn(at, " ");
        at += strcspn(at, " ");
    }
    return strtoll(at, NULL, 10);
}

/* proc(5): statm's second number is the resident set in pages. */
int64_t weir_process_resident_bytes(void)
{
    int64_t pages = read_proc("/proc/self/statm", "", 1);
    return pages < 0 ? -1 : pages * sysconf(_SC_PAGESIZE);
}

static int64_t read_resident_bytes(void)
{
    int64_t bytes = weir_process_resident_bytes();
    return bytes < 0 ? -1 : bytes * 1000000;
}

/* proc(5): starttime is number 22 of stat; number 2 ends with the last ')'. */
static int64_t read_start_us(void)
{
    int64_t boot_s = read_proc("/proc/stat", "\nbtime ", 0);
    int64_t ticks = read_proc("/proc/self/stat", ") ", 19);

    if (boot_s < 0 || ticks < 0)
        return -1;
    return boot_s * 1000000 + ticks * (1000000 / sysconf(_SC_CLK_TCK));
}

/* Sorted by name. */
static const struct figure {
    const char *name, *type, *help;
    int64_t (*read)(void);
} figures[] = {
    {"process_cpu_seconds_total", "counter", "User and system time spent, in seconds.", read_cpu_us},
    {"process_max_fds", "gauge", "Most file descriptors that may be open.", read_max_fds},
    {"process_open_fds", "gauge", "File descriptors that are open.", read_open_fds},
    {"process_resident_memory_bytes", "gauge", "Resident memory, in bytes.", read_resident_bytes},
    {"process_start_time_seconds", "gauge", "When the process began, in seconds since 1970.", read_start_us},
};

void weir_metrics_write_process(struct weir_buffer *out)
{
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
        int64_t millionths = figures[i].read();
        if (millionths < 0)
            continue;
        weir_metrics_write_head(out, figures[i].name, figures[i].type, figures[i].help);
        weir_buffer_printf(out, "%s %" PRId64, figures[i].name, millionths / 1000000);
        if (millionths % 1000000 != 0)
            weir_buffer_printf(out, ".%06" PRId64, millionths % 1000000);
        weir_buffer_append(out, "\n", 1);
    }
}
