/* common/drain.h: an end within its limit. Each case acts in a child process, as all of it is about ending.
 */
#include "support/test.h"

#include "common/clock.h"
#include "common/drain.h"
#include "common/service.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000, LATE = 42, IN_TIME = 43, DESTRUCTED = 44, FAILED = 1 };

/* Ends within PATIENCE_MS with its exit status, or is killed by SIGALRM: then -1. */
static int in_child(int (*act)(void))
{
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        alarm(PATIENCE_MS / 1000);
        weir_drain_exit(act());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static const char *end_late(void *context, int *ret_status)
{
    *ret_status = *(int *)context;
    return "test";
}

static int late_status = LATE;

static int limit(int64_t limit_ms)
{
    return weir_service_signals_init() == 0 ? weir_drain_limit(limit_ms, end_late, &late_status) : -1;
}

static int hang(void)
{
    if (limit(50) != 0)
        return FAILED;
    kill(getpid(), SIGTERM);
    for (;;)
        pause();
}

static int end_in_time(void)
{
    if (limit(PATIENCE_MS) != 0 || weir_drain_left_ms() != PATIENCE_MS)
        return FAILED;
    kill(getpid(), SIGTERM);
    return weir_service_wait(PATIENCE_MS) && weir_drain_left_ms() > 0 ? IN_TIME : FAILED;
}

/* Nobody asks: a limit of 1 ms is no reason to end. */
static int stay(void)
{
    if (limit(1) != 0)
        return FAILED;
    return weir_service_wait(100) || weir_drain_left_ms() != 1 ? FAILED : IN_TIME;
}

static int use_up(void)
{
    late_status = IN_TIME;
    if (limit(50) != 0)
        return FAILED;
    weir_service_stop();
    for (int64_t begin_ms = weir_clock_ms(); weir_clock_ms() < begin_ms + PATIENCE_MS;) {
        int64_t left_ms = weir_drain_left_ms();
        if (left_ms < 0 || left_ms > 50)
            return FAILED;
    }
    return FAILED;
}

static void destruct(void)
{
    _exit(DESTRUCTED);
}

static int end_whole(void)
{
    return atexit(destruct) == 0 ? IN_TIME : FAILED;
}

static int end_with_a_thread_left(void)
{
    weir_drain_leave_thread();
    return end_whole();
}

static void what_hangs_is_ended(void **state)
{
    (void)state;
    assert_int_equal(in_child(hang), LATE);
}

static void an_end_in_time_is_left_alone(void **state)
{
    (void)state;
    assert_int_equal(in_child(end_in_time), IN_TIME);
}

static void nobody_is_ended_unasked(void **state)
{
    (void)state;
    assert_int_equal(in_child(stay), IN_TIME);
}

static void what_is_left_gets_less(void **state)
{
    (void)state;
    assert_int_equal(in_child(use_up), IN_TIME);
}

static void destructors_run_unless_a_thread_is_left(void **state)
{
    (void)state;
    assert_int_equal(in_child(end_whole), DESTRUCTED);
    assert_int_equal(in_child(end_with_a_thread_left), IN_TIME);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_hangs_is_ended),
    cmocka_unit_test(an_end_in_time_is_left_alone),
    cmocka_unit_test(nobody_is_ended_unasked),
    cmocka_unit_test(what_is_left_gets_less),
    cmocka_unit_test(destructors_run_unless_a_thread_is_left),
};

WEIR_TEST_MAIN(tests)
