/* weirctl, the operators' tool: one table of subcommands. */
#include "deploy/weirctl/weirctl.h"

#include "common/clock.h"
#include "common/drain.h"
#include "common/log.h"

#include <stdio.h>
#include <string.h>

static const struct command {
    const char *group, *verb;
    weirctl_command_fn *run;
    const char *help;
} commands[] = {
    {"topics", "plan", topics_plan_run, "print the topics that the configuration needs; asks no broker"},
    {"topics", "apply", topics_apply_run, "create what is missing, then say what differs (65)"},
    {"topics", "check", topics_check_run, "say what is missing or differs (1)"},
};

enum { DESTROY_MS = 3000, COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static void print_help(FILE *to)
{
    fputs("usage: weirctl [FLAG …] GROUP VERB\n\n", to);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(to, "  %-7s %-7s %s\n", commands[i].group, commands[i].verb, commands[i].help);
    fputs("\n"
          "  --config FILE   the configuration; default $WEIR_CONFIG, then /etc/weir/weir.conf\n"
          "  --timeout TIME  how long to wait for the brokers, e.g. 30s (default), 2m\n"
          "  --json          print for programs\n"
          "  --check-config  only read the configuration\n"
          "  --help, --version\n\n"
          "Exit status: 0 done; 1 check found a difference; 64 wrong command line; 65 apply found a "
          "difference;\n"
          "69 no broker in time; 70 internal; 78 wrong configuration.\n",
        to);
}

static const struct command *find_command(const struct arguments *arguments)
{
    if (arguments->word_count != 2)
        return NULL;
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].group, arguments->words[0]) == 0 &&
            strcmp(commands[i].verb, arguments->words[1]) == 0)
            return &commands[i];
    return NULL;
}

static int report(int code, const struct weir_error *err)
{
    if (code >= 0)
        return code;
    fprintf(stderr, "weirctl: %s\n", err->text);
    return weir_code_exit_status(code);
}

static int run_command(
    const struct command *command, const struct arguments *arguments, struct weir_error *err)
{
    WEIR_CLEANUP(deployment) struct weir_deployment *deployment = NULL;

    int code = weir_deployment_load(arguments->config_path, &deployment, err);
    if (code < 0)
        return code;
    weir_log_init((enum weir_log_level)deployment->log.level, weir_log_format_auto());
    code = weir_kafka_check_version(deployment, err);
    if (code < 0 || arguments->check_config)
        return code;
    struct weirctl ctl = {.arguments = arguments,
        .deployment = deployment,
        .deadline_ms = weir_clock_ms() + arguments->timeout_ms};
    code = command->run(&ctl, err);
    weir_kafka_destroy(ctl.kafka, DESTROY_MS);
    return code;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    struct weir_error err = {0};

    int code = arguments_read(argc, argv, &arguments, &err);
    if (code < 0)
        return report(code, &err);
    if (arguments.help || arguments.version) {
        if (arguments.help)
            print_help(stdout);
        else
            puts("weirctl " WEIR_VERSION);
        return 0;
    }
    const struct command *command = find_command(&arguments);
    if (command == NULL && !(arguments.check_config && arguments.word_count == 0)) {
        print_help(stderr);
        return weir_code_exit_status(WEIR_E_USAGE);
    }
    weir_drain_exit(report(run_command(command, &arguments, &err), &err));
}
