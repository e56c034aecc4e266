/* common/service.h: signals, waiting, the supervisor, crash points. Each case acts in a child process,
 * because signals and their state belong to a whole process. */
#include "support/test.h"

#include "common/clock.h"
#include "common/service.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000 };

/* How act() ended in a child: its exit status, or 1000 + the signal. */
static int in_child(int (*act)(void))
{
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0)
        _exit(act());
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                  \
            return 1;                                                                                        \
        }                                                                                                    \
    } while (0)

static int take_term(void)
{
    CHECK(weir_service_signals_init() == 0);
    CHECK(!weir_service_stopping());
    int64_t begin_ms = weir_clock_ms();
    CHECK(!weir_service_wait(0));
    kill(getpid(), SIGTERM);
    CHECK(weir_service_wait(PATIENCE_MS));
    CHECK(weir_clock_ms() - begin_ms < PATIENCE_MS / 2);
    CHECK(weir_service_stopping());
    CHECK(weir_service_wait(PATIENCE_MS)); /* at once, from now on */
    CHECK(weir_clock_ms() - begin_ms < PATIENCE_MS / 2);
    return 0;
}

static int take_int(void)
{
    CHECK(weir_service_signals_init() == 0);
    kill(getpid(), SIGINT);
    CHECK(weir_service_wait(PATIENCE_MS));
    return 0;
}

static int take_reloads(void)
{
    CHECK(weir_service_signals_init() == 0);
    CHECK(!weir_service_reload_asked());
    int64_t begin_ms = weir_clock_ms();
    kill(getpid(), SIGHUP);
    CHECK(!weir_service_wait(PATIENCE_MS)); /* woken, not stopping */
    CHECK(weir_clock_ms() - begin_ms < PATIENCE_MS / 2);
    CHECK(weir_service_reload_asked());
    CHECK(!weir_service_reload_asked());
    return 0;
}

/* A program that never asks must not be woken over and over. */
static int ignore_reload(void)
{
    CHECK(weir_service_signals_init() == 0);
    kill(getpid(), SIGHUP);
    CHECK(!weir_service_wait(PATIENCE_MS));
    int64_t begin_ms = weir_clock_ms();
    CHECK(!weir_service_wait(50));
    CHECK(weir_clock_ms() - begin_ms >= 49);
    return 0;
}

static int outlive_pipe(void)
{
    int ends[2];

    CHECK(weir_service_signals_init() == 0);
    CHECK(pipe(ends) == 0);
    close(ends[0]);
    CHECK(write(ends[1], "x", 1) == -1);
    return 0;
}

static void *stop_soon(void *unused)
{
    weir_service_stop();
    return unused;
}

static int stop_from_thread(void)
{
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, stop_soon, NULL) == 0);
    CHECK(weir_service_wait(PATIENCE_MS));
    pthread_join(thread, NULL);
    return 0;
}

static _Atomic pid_t waiters[8];

static void *wait_long(void *place)
{
    atomic_store((_Atomic pid_t *)place, gettid());
    return weir_service_wait(PATIENCE_MS) ? (void *)1 : NULL;
}

/* proc(5): the letter behind the name of a thread that waits is S. */
static bool sleeps(pid_t thread)
{
    char path[64], text[512] = "";

    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)thread);
    FILE *file = thread != 0 ? fopen(path, "r") : NULL;
    size_t len = file != NULL ? fread(text, 1, sizeof(text) - 1, file) : 0;
    if (file != NULL)
        fclose(file);
    const char *letter = len > 0 ? strrchr(text, ')') : NULL;
    return letter != NULL && letter[2] == 'S';
}

static int wake_all(void)
{
    pthread_t threads[8];
    int64_t begin_ms = weir_clock_ms();

    CHECK(weir_service_signals_init() == 0);
    for (size_t i = 0; i < 8; i++)
        CHECK(pthread_create(&threads[i], NULL, wait_long, &waiters[i]) == 0);
    for (size_t i = 0; i < 8; i++)
        while (!sleeps(atomic_load(&waiters[i])) && weir_clock_ms() - begin_ms < PATIENCE_MS)
            sched_yield();
    kill(getpid(), SIGTERM);
    for (size_t i = 0; i < 8; i++) {
        void *stopped = NULL;
        pthread_join(threads[i], &stopped);
        CHECK(stopped != NULL);
    }
    CHECK(weir_clock_ms() - begin_ms < PATIENCE_MS / 2);
    return 0;
}

static void term_stops(void **state)
{
    (void)state;
    assert_int_equal(in_child(take_term), 0);
}

static void int_stops(void **state)
{
    (void)state;
    assert_int_equal(in_child(take_int), 0);
}

static void hup_asks_for_a_reload(void **state)
{
    (void)state;
    assert_int_equal(in_child(take_reloads), 0);
}

static void unasked_reload_wakes_once(void **state)
{
    (void)state;
    assert_int_equal(in_child(ignore_reload), 0);
}

static void broken_pipe_does_not_kill(void **state)
{
    (void)state;
    assert_int_equal(in_child(outlive_pipe), 0);
}

static void stop_wakes_a_waiter(void **state)
{
    (void)state;
    assert_int_equal(in_child(stop_from_thread), 0);
}

static void every_waiter_wakes(void **state)
{
    (void)state;
    assert_int_equal(in_child(wake_all), 0);
}

static int supervisor;

/* The next message to the supervisor, "" when none comes within timeout_ms. */
static const char *next_message(int timeout_ms)
{
    static char text[1024];
    struct pollfd poller = {.fd = supervisor, .events = POLLIN};

    text[0] = '\0';
    if (poll(&poller, 1, timeout_ms) == 1) {
        ssize_t len = recv(supervisor, text, sizeof(text) - 1, 0);
        text[len > 0 ? len : 0] = '\0';
    }
    return text;
}

static int listen_as_supervisor(void)
{
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    char folder[] = "/tmp/unit-service-XXXXXX";

    CHECK(mkdtemp(folder) != NULL);
    snprintf(where.sun_path, sizeof(where.sun_path), "%s/notify", folder);
    supervisor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK(bind(supervisor, (const struct sockaddr *)&where, sizeof(where)) == 0);
    setenv("NOTIFY_SOCKET", where.sun_path, 1);
    return 0;
}

static int stop_listening(void)
{
    char *path = getenv("NOTIFY_SOCKET");

    unlink(path);
    *strrchr(path, '/') = '\0';
    rmdir(path);
    return 0;
}

static int notify(void)
{
    CHECK(listen_as_supervisor() == 0);
    weir_service_ready();
    CHECK(strcmp(next_message(PATIENCE_MS), "READY=1") == 0);
    weir_service_status("waiting for %s\nREADY=1\r", "kafka");
    CHECK(strcmp(next_message(PATIENCE_MS), "STATUS=waiting for kafka READY=1 ") == 0);
    weir_service_stopping_notify();
    CHECK(strcmp(next_message(PATIENCE_MS), "STOPPING=1") == 0);
    weir_service_alive(); /* no WATCHDOG_USEC: nobody asked */
    CHECK(strcmp(next_message(0), "") == 0);
    return stop_listening();
}

/* Called all the time, it tells the supervisor every quarter of its patience. This machine may be busy, and
 * what is read late makes one pause longer and the next one shorter. */
static int feed_watchdog(void)
{
    int64_t last_us = 0, shortest_us = INT64_MAX, longest_us = 0;

    CHECK(listen_as_supervisor() == 0);
    setenv("WATCHDOG_USEC", "400000", 1);
    for (int fed = 0; fed < 5;) {
        weir_service_alive();
        if (next_message(1)[0] == '\0')
            continue;
        int64_t now_us = weir_clock_us();
        int64_t pause_us = now_us - last_us;
        if (fed > 0 && pause_us < shortest_us)
            shortest_us = pause_us;
        if (fed++ > 0 && pause_us > longest_us)
            longest_us = pause_us;
        last_us = now_us;
    }
    CHECK(longest_us > 90000 && shortest_us < 160000);
    return stop_listening();
}

static int notify_nobody(void)
{
    unsetenv("NOTIFY_SOCKET");
    weir_service_ready();
    weir_service_status("x");
    weir_service_stopping_notify();
    weir_service_alive();
    return 0;
}

static void supervisor_is_told(void **state)
{
    (void)state;
    assert_int_equal(in_child(notify), 0);
}

static void watchdog_is_fed_in_time(void **state)
{
    (void)state;
    assert_int_equal(in_child(feed_watchdog), 0);
}

static void no_supervisor_is_fine(void **state)
{
    (void)state;
    assert_int_equal(in_child(notify_nobody), 0);
}

#ifdef WEIR_CRASH_POINTS
/* Reaches three points in turn, twice; the exit status tells how far it came. */
static int reach_points(void)
{
    weir_crash_point("before-commit");
    weir_crash_point("before-commit-too");
    weir_crash_point("after-commit");
    weir_crash_point("before-commit");
    return 42;
}

static void crash_points_kill(void **state)
{
    static const struct {
        const char *wanted;
        int end;
    } rows[] = {
        {"before-commit", 1000 + SIGKILL},
        {"before-commit:1", 1000 + SIGKILL},
        {"before-commit:2", 1000 + SIGKILL},
        {"before-commit:3", 42},
        {"after-commit:2", 42},
        {"before", 42},
        {"before-commit:x", 42},
        {"", 42},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        setenv("WEIR_CRASH_AT", rows[i].wanted, 1);
        assert_int_equal(in_child(reach_points), rows[i].end);
    }
    unsetenv("WEIR_CRASH_AT");
    assert_int_equal(in_child(reach_points), 42);
}
#else
static void crash_points_kill(void **state)
{
    (void)state;
    skip();
}
#endif

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(term_stops),
    cmocka_unit_test(int_stops),
    cmocka_unit_test(hup_asks_for_a_reload),
    cmocka_unit_test(unasked_reload_wakes_once),
    cmocka_unit_test(broken_pipe_does_not_kill),
    cmocka_unit_test(stop_wakes_a_waiter),
    cmocka_unit_test(every_waiter_wakes),
    cmocka_unit_test(supervisor_is_told),
    cmocka_unit_test(watchdog_is_fed_in_time),
    cmocka_unit_test(no_supervisor_is_fine),
    cmocka_unit_test(crash_points_kill),
};

WEIR_TEST_MAIN(tests)
