/* What the subcommands of weirctl share: the command line, the deployment and one admin handle. */
#ifndef WEIR_DEPLOY_WEIRCTL_WEIRCTL_H
#define WEIR_DEPLOY_WEIRCTL_WEIRCTL_H

#include "common/deployment.h"
#include "common/error.h"
#include "common/kafka.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the command line asked for, before anything is opened. */
struct arguments {
    const char *config_path;
    bool json;
    bool check_config;
    bool help;
    bool version;
    int64_t timeout_ms;
    char **words; /* the subcommand: borrowed from argv */
    int word_count;
};

/* Reads argv; flags may stand anywhere. WEIR_E_USAGE says what is wrong. */
int arguments_read(int argc, char **argv, struct arguments *ret_arguments, struct weir_error *err);

struct weirctl {
    const struct arguments *arguments;
    struct weir_deployment *deployment;
    rd_kafka_t *kafka;   /* NULL until weirctl_connect() */
    int64_t deadline_ms; /* weir_clock_ms() at which --timeout is over */
};

/* Opens the admin handle and waits for a broker until the deadline. WEIR_E_UNAVAILABLE when none answers;
 * WEIR_E_CONFIG when dev is set for a real cluster. */
int weirctl_connect(struct weirctl *ctl, struct weir_error *err);

/* Milliseconds until the deadline, at least 1. */
int weirctl_left_ms(const struct weirctl *ctl);

/* Subcommands answer 0, a negative WEIR_E_* code with err, or a positive exit status after they have said
 * why. */
typedef int weirctl_command_fn(struct weirctl *ctl, struct weir_error *err);

weirctl_command_fn topics_plan_run;
weirctl_command_fn topics_apply_run;
weirctl_command_fn topics_check_run;

#endif
