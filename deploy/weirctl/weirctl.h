/* What the subcommands of weirctl share: the command line, the deployment and one admin handle. */
#ifndef WEIR_DEPLOY_WEIRCTL_WEIRCTL_H
#define WEIR_DEPLOY_WEIRCTL_WEIRCTL_H

#include "common/deployment.h"
#include "common/error.h"
#include "common/kafka.h"
#include "common/option.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Flags of a group of subcommands. */
struct flag_table {
    const struct weir_option *rows; /* keys begin with "--"; a BOOL takes no value; a LIST may be repeated */
    const char *const *verbs;       /* of each row: the verbs that take it, separated by spaces */
    size_t count;
    size_t settings_size;
};

/* Subcommands answer 0, a negative WEIR_E_* code with err, or a positive exit status after they have said
 * why. */
struct weirctl;
typedef int weirctl_command_fn(struct weirctl *ctl, struct weir_error *err);

struct command {
    const char *group, *verb; /* verb "": the group is the whole name */
    weirctl_command_fn *run;
    const char *operands; /* "" for none */
    const char *help;
    const struct flag_table *flags; /* beside those that every command takes; NULL: none */
    bool alone;                     /* may be named by its verb alone */
    bool unconfigured;              /* reads no configuration, or by itself: it is run with arguments only */
};

extern const struct command weirctl_commands[];
extern const size_t weirctl_command_count;

/* "dlq list", "send"; the thread's, until the next call. */
const char *command_name(const struct command *command);
/* Whether the command takes the i-th flag of its table. */
bool command_takes(const struct command *command, size_t i);

/* What the command line asked for, before anything is opened. */
struct arguments {
    const char *config_path;
    bool json;
    bool check_config;
    bool help;
    bool version;
    int64_t timeout_ms;
    const struct command *command; /* NULL: none was named */
    const char *group;             /* that was named without a verb, to be helped with; NULL: none */
    void *settings;                /* the command's flags; NULL when it has none */
    char **operands;               /* behind group and verb: borrowed from argv */
    int operand_count;
};

/* Reads argv; flags may stand anywhere. WEIR_E_USAGE says what is wrong. The caller ends it with
 * arguments_done() in any case. */
int arguments_read(int argc, char **argv, struct arguments *ret_arguments, struct weir_error *err);
void arguments_done(struct arguments *arguments);

/* Keys of the flags that every command takes, "--config" first; ended by NULL. */
extern const char *const weirctl_common_flags[];

struct weirctl {
    const struct arguments *arguments;
    struct weir_deployment *deployment; /* NULL for an unconfigured command */
    rd_kafka_t *kafka;                  /* NULL until weirctl_connect() */
    int64_t deadline_ms;                /* weir_clock_ms() at which --timeout is over */
};

/* Opens the admin handle and waits for a broker until the deadline. WEIR_E_UNAVAILABLE when none answers;
 * WEIR_E_CONFIG when dev is set for a real cluster, or is not set for the dev broker. */
int weirctl_connect(struct weirctl *ctl, struct weir_error *err);

/* Milliseconds until the deadline, at least 1. */
int weirctl_left_ms(const struct weirctl *ctl);

weirctl_command_fn topics_plan_run;
weirctl_command_fn topics_apply_run;
weirctl_command_fn topics_check_run;
weirctl_command_fn acl_plan_run;
weirctl_command_fn dlq_list_run;
weirctl_command_fn dlq_show_run;
weirctl_command_fn dlq_stats_run;
weirctl_command_fn dlq_redrive_run;
weirctl_command_fn dlq_purge_run;
weirctl_command_fn group_show_run;
weirctl_command_fn group_accept_loss_run;
weirctl_command_fn group_from_origin_run;

weirctl_command_fn store_backup_run;
weirctl_command_fn store_restore_run;
weirctl_command_fn store_verify_run;
weirctl_command_fn store_republish_run;
weirctl_command_fn store_reset_run;

weirctl_command_fn new_plugin_run;
weirctl_command_fn key_add_run;
weirctl_command_fn key_list_run;
weirctl_command_fn key_revoke_run;
weirctl_command_fn send_run;
weirctl_command_fn journey_run;
weirctl_command_fn smoke_run;
weirctl_command_fn config_check_run;
weirctl_command_fn config_explain_run;
weirctl_command_fn doctor_run;
weirctl_command_fn purge_run;
weirctl_command_fn completion_run;

extern const struct flag_table store_flags;
extern const struct flag_table acl_flags, dlq_flags, group_flags, key_flags, send_flags, smoke_flags,
    explain_flags, doctor_flags, purge_flags;

#endif
