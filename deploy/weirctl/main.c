/* weirctl, the operators' tool: one table of subcommands. */
#include "deploy/weirctl/weirctl.h"

#include "common/bytes.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/drain.h"
#include "common/log.h"
#include "deploy/weirctl/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

const struct command weirctl_commands[] = {
    {"topics", "plan", topics_plan_run, "", "print the topics that the configuration needs; asks no broker",
        NULL},
    {"topics", "apply", topics_apply_run, "", "create what is missing, then say what differs (65)", NULL},
    {"topics", "check", topics_check_run, "", "say what is missing or differs (1)", NULL},
    {"acl", "plan", acl_plan_run, "", "print what each program may do on the cluster; asks no broker",
        &acl_flags},
    {"dlq", "list", dlq_list_run, "", "list dead letters and whether they were redriven", &dlq_flags},
    {"dlq", "show", dlq_show_run, "LETTER", "show all of a letter: its headers and its body", &dlq_flags},
    {"dlq", "stats", dlq_stats_run, "", "count dead letters by what was wrong", &dlq_flags},
    {"dlq", "redrive", dlq_redrive_run, "[LETTER …]",
        "take letters back to their service, once each (65: some were left)", &dlq_flags},
    {"dlq", "purge", dlq_purge_run, "LETTER …", "delete each letter and all before it on its partition",
        &dlq_flags},
    {"group", "show", group_show_run, "", "tell where a service stands on each partition", &group_flags},
    {"group", "accept-loss", group_accept_loss_run, "",
        "go on behind records that are lost; while no instance runs", &group_flags},
    {"group", "from-origin", group_from_origin_run, "",
        "go on behind the last record that left a trace, where the offset is lost", &group_flags},
    {"store", "backup", store_backup_run, "", "copy a store's documents while it runs; only what is new",
        &store_flags, true},
    {"store", "restore", store_restore_run, "",
        "put a backup in the place of the documents; the store is stopped", &store_flags, true},
    {"store", "verify", store_verify_run, "", "compare documents, or a backup, with their change log (1)",
        &store_flags, true},
    {"store", "republish", store_republish_run, "",
        "write the documents to a change log that has not all of them", &store_flags},
    {"store", "reset", store_reset_run, "", "remove the documents; they are built again from the change log",
        &store_flags},
    {"new", "plugin", new_plugin_run, "NAME", "write a microservice to begin with into the new folder NAME",
        .unconfigured = true},
    {"key", "add", key_add_run, "NAME", "make an access key for the gateway: it is printed once", &key_flags},
    {"key", "list", key_list_run, "", "tell who has a key and what it may do", &key_flags},
    {"key", "revoke", key_revoke_run, "NAME", "take an access key away", &key_flags},
    {"send", "", send_run, "[METHOD] PATH",
        "send a request to the gateway: status, latency, answer (3, 4, 5)", &send_flags},
    {"journey", "", journey_run, "COLLECTION KEY", "draw what became of a document's commands and mails",
        &send_flags},
    {"smoke", "", smoke_run, "COLLECTION",
        "send a document the whole way and take it back: stored, read, mailed, deleted (1)", &smoke_flags},
    {"config", "check", config_check_run, "", "have every program check the configuration (78)",
        .unconfigured = true},
    {"config", "explain", config_explain_run, "[METHOD] PATH",
        "tell what is done with a request and who is mailed (65: refused)", &explain_flags},
    {"doctor", "", doctor_run, "", "look over Kafka, rights, clocks, disks, mail servers, certificates (1)",
        &doctor_flags},
    {"purge", "", purge_run, "[CLUSTER]",
        "remove all of this deployment: topics, groups, rights, units, folders", &purge_flags},
    {"completion", "", completion_run, "bash|zsh", "print what makes a shell complete this command line",
        .unconfigured = true},
};

const size_t weirctl_command_count = sizeof(weirctl_commands) / sizeof(weirctl_commands[0]);

enum { DESTROY_MS = 3000 };

static void print_common_flags(FILE *to)
{
    fputs("\n"
          "  --config FILE   the configuration; default $WEIR_CONFIG, then /etc/weir/weir.conf\n"
          "  --timeout TIME  how long to wait for the brokers, e.g. 30s (default), 2m\n"
          "  --json          print for programs\n"
          "  --check-config  only read the configuration\n"
          "  --help, --version\n\n"
          "Exit status: 0 done; 1 check or verify found a difference, doctor something ill, smoke something "
          "that does not work,\n"
          "purge left something; 3, 4, 5 class of the gateway's answer; 64 wrong command line, or --yes is "
          "missing; 65 apply found a\n"
          "difference, redrive left a letter, show found none, explain: refused; 69 no broker or gateway in "
          "time; 70 internal;\n"
          "74 output lost, or damaged data; 75 disk full or failing; 78 wrong configuration, or another "
          "redrive took over;\n"
          "130 interrupted.\n",
        to);
}

/* The commands of a group; NULL: all. */
static void print_help(const char *group, FILE *to)
{
    struct text_table table = {.columns = 4}; /* the first one indents */

    fprintf(to, "usage: weirctl [FLAG …] %s %s [OPERAND …]\n\n", group != NULL ? group : "GROUP",
        group != NULL ? "VERB" : "[VERB]");
    for (size_t i = 0; i < weirctl_command_count; i++) {
        const struct command *command = &weirctl_commands[i];
        if (group != NULL && strcmp(command->group, group) != 0)
            continue;
        text_table_add(&table, weir_bytes_str(""));
        text_table_add(&table, weir_bytes_str(command_name(command)));
        text_table_add(&table, weir_bytes_str(command->operands));
        text_table_add(&table, weir_bytes_str(command->help));
    }
    text_table_print(&table, to);
    text_table_done(&table);
    fputs("\nweirctl GROUP VERB --help tells a command's own flags.\n", to);
    print_common_flags(to);
}

static void add_flag(struct text_table *table, const struct weir_option *row)
{
    WEIR_CLEANUP(buffer) struct weir_buffer help = {0};

    weir_buffer_append_str(&help, row->help);
    if (row->fallback != NULL)
        weir_buffer_printf(&help, " (default %s)", row->fallback);
    text_table_add(table, weir_bytes_str(""));
    text_table_add(table, weir_bytes_str(row->key));
    text_table_add(table, weir_buffer_bytes(&help));
}

static void print_command_help(const struct command *command)
{
    const struct flag_table *flags = command->flags;
    struct text_table table = {.columns = 3}; /* the first one indents */

    printf("usage: weirctl %s [FLAG …]%s%s\n\n%s\n", command_name(command),
        command->operands[0] != '\0' ? " " : "", command->operands, command->help);
    for (size_t i = 0; flags != NULL && i < flags->count; i++)
        if (command_takes(command, i))
            add_flag(&table, &flags->rows[i]);
    if (table.count > 0)
        puts("");
    text_table_print(&table, stdout);
    text_table_done(&table);
    print_common_flags(stdout);
}

static int report(int code, const struct weir_error *err)
{
    if (code >= 0)
        return code;
    fprintf(stderr, "weirctl: %s\n", err->text);
    return weir_code_exit_status(code);
}

/* What a command did is half of it: what it says about that has to arrive, too. */
static int end_output(int code)
{
    errno = 0;
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return code;
    fprintf(stderr, "weirctl: the output could not be written%s%s\n", errno != 0 ? ": " : "",
        errno != 0 ? strerror(errno) : "");
    return code < EX__BASE ? EX_IOERR : code;
}

/* What passes by itself is none of a person's business, unless he looks for it. */
static enum weir_log_level log_level(const struct weir_deployment *deployment)
{
    return deployment->log.level == WEIR_LOG_DEBUG ? WEIR_LOG_DEBUG : WEIR_LOG_ERROR;
}

static int run_command(const struct arguments *arguments, struct weir_error *err)
{
    WEIR_CLEANUP(deployment) struct weir_deployment *deployment = NULL;
    struct weirctl ctl = {.arguments = arguments};

    if (arguments->command != NULL && arguments->command->unconfigured)
        return arguments->command->run(&ctl, err);
    int code = weir_deployment_load(arguments->config_path, &deployment, err);
    if (code < 0)
        return code;
    weir_log_init(log_level(deployment), weir_log_format_auto());
    code = weir_kafka_check_version(deployment, err);
    if (code < 0 || arguments->check_config)
        return code;
    ctl.deployment = deployment;
    ctl.deadline_ms = weir_clock_ms() + arguments->timeout_ms;
    code = arguments->command->run(&ctl, err);
    weir_kafka_destroy(ctl.kafka, DESTROY_MS);
    return code;
}

static int run(const struct arguments *arguments, struct weir_error *err)
{
    if (arguments->version)
        puts("weirctl " WEIR_VERSION);
    else if (arguments->help && arguments->command != NULL)
        print_command_help(arguments->command);
    else if (arguments->help)
        print_help(arguments->group, stdout);
    if (arguments->version || arguments->help)
        return 0;
    if (arguments->command != NULL || arguments->check_config)
        return run_command(arguments, err);
    print_help(NULL, stderr);
    return weir_code_exit_status(WEIR_E_USAGE);
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    struct weir_error err = {0};

    int code = arguments_read(argc, argv, &arguments, &err);
    code = end_output(report(code < 0 ? code : run(&arguments, &err), &err));
    arguments_done(&arguments);
    weir_drain_exit(code);
}
