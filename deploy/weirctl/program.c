#include "deploy/weirctl/program.h"

#include "common/cleanup.h"
#include "common/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { SAID_BYTES_MAX = 1 << 20, STREAMS = 2 };

/* What the program writes: its standard output and error. */
struct said {
    int ends[STREAMS][2]; /* of the pipes */
    struct weir_buffer *into[STREAMS];
};

/* Programs that were built or installed together lie in one folder. */
static void find_beside(const char *name, char out[static PATH_MAX])
{
    char own[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", own, sizeof(own) - 1);
    char *slash = len > 0 ? memrchr(own, '/', (size_t)len) : NULL;

    out[0] = '\0';
    if (slash == NULL)
        return;
    int all = snprintf(out, PATH_MAX, "%.*s/%s", (int)(slash - own), own, name);
    if (all < 0 || all >= PATH_MAX || access(out, X_OK) != 0)
        out[0] = '\0';
}

static int start(char *const *arguments, const struct said *said, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    char path[PATH_MAX];

    find_beside(arguments[0], path);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, said->ends[0][1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, said->ends[1][1], STDERR_FILENO);
    int number = path[0] != '\0' ? posix_spawn(ret_pid, path, &actions, NULL, arguments, environ)
                                 : posix_spawnp(ret_pid, arguments[0], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    return number;
}

/* false: the stream has ended. */
static bool take(int fd, struct weir_buffer *into)
{
    char chunk[4096];
    ssize_t got = read(fd, chunk, sizeof(chunk));

    if (got < 0)
        return errno == EINTR;
    if (into->len < SAID_BYTES_MAX)
        weir_buffer_append(into, chunk, (size_t)got);
    return got > 0;
}

/* true: both streams have ended, so the program has. */
static bool listen_to(struct said *said, int64_t deadline_ms)
{
    struct pollfd polled[STREAMS] = {
        {.fd = said->ends[0][0], .events = POLLIN}, {.fd = said->ends[1][0], .events = POLLIN}};

    while (polled[0].fd >= 0 || polled[1].fd >= 0) {
        int64_t left_ms = deadline_ms - weir_clock_ms();
        if (left_ms <= 0 || (poll(polled, STREAMS, (int)left_ms) < 0 && errno != EINTR))
            return false;
        for (size_t i = 0; i < STREAMS; i++)
            if (polled[i].fd >= 0 && polled[i].revents != 0 && !take(polled[i].fd, said->into[i]))
                polled[i].fd = -1;
    }
    return true;
}

static int await(pid_t pid, bool ended)
{
    int status = 0;

    if (!ended)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!ended)
        return PROGRAM_LATE;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void close_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

int program_run(char *const *arguments, int64_t deadline_ms, struct weir_buffer *out,
    struct weir_buffer *told, int *ret_status, struct weir_error *err)
{
    struct said said = {.ends = {{-1, -1}, {-1, -1}}, .into = {out, told}};
    pid_t pid = -1;

    int number = pipe2(said.ends[0], O_CLOEXEC) < 0 || pipe2(said.ends[1], O_CLOEXEC) < 0 ? errno : 0;
    if (number == 0)
        number = start(arguments, &said, &pid);
    close_end(&said.ends[0][1]);
    close_end(&said.ends[1][1]);
    if (number == 0)
        *ret_status = await(pid, listen_to(&said, deadline_ms));
    close_end(&said.ends[0][0]);
    close_end(&said.ends[1][0]);
    if (number == ENOENT)
        *ret_status = PROGRAM_ABSENT;
    if (number == 0 || number == ENOENT)
        return 0;
    return weir_error_set(err, WEIR_E_INTERNAL, "%s can't be run: %s", arguments[0], strerrordesc_np(number));
}
