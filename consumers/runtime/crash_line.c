#include "consumers/runtime/crash_line.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { STACK_BYTES = 16 * 1024 };

static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
enum { FATAL_COUNT = sizeof(fatal_signals) / sizeof(fatal_signals[0]) };

static char line[PATH_MAX + 64];
static struct sigaction before[FATAL_COUNT];

static void say(const char *text)
{
    ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void)written;
}

/* SA_RESETHAND: raised again, the signal does what it does by default. */
static void tell(int signal)
{
    const char *name = sigdescr_np(signal);
    say(line);
    say(name != NULL ? name : "a signal");
    say("\n");
    raise(signal);
}

void weir_crash_line_arm(const char *what)
{
    static char stack[STACK_BYTES]; /* its own: the plugin may have used up the thread's */
    stack_t own = {.ss_sp = stack, .ss_size = sizeof(stack)};
    struct sigaction action = {.sa_handler = tell, .sa_flags = (int)SA_RESETHAND | SA_ONSTACK | SA_NODEFER};
    snprintf(line, sizeof(line), "weir-consumer: %s: ", what);
    sigaltstack(&own, NULL);
    for (size_t i = 0; i < FATAL_COUNT; i++)
        sigaction(fatal_signals[i], &action, &before[i]);
}

void weir_crash_line_disarm(void)
{
    for (size_t i = 0; i < FATAL_COUNT; i++)
        sigaction(fatal_signals[i], &before[i], NULL);
    sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
}
