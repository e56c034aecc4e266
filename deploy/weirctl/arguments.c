#include "deploy/weirctl/weirctl.h"

#include "common/option.h"

#include <getopt.h>
#include <stdlib.h>

struct timeout {
    int64_t timeout_ms;
};

static const struct weir_option timeout_row = {.key = "--timeout",
    .type = WEIR_OPTION_DURATION,
    .offset = offsetof(struct timeout, timeout_ms),
    .min = 100,
    .max = 3600 * 1000};

enum { DEFAULT_TIMEOUT_MS = 30000 };

static int take_flag(int flag, const char *value, struct arguments *arguments, struct weir_error *err)
{
    struct timeout timeout = {0};

    switch (flag) {
    case 'c':
        arguments->config_path = value;
        return 0;
    case 'j':
        arguments->json = true;
        return 0;
    case 'k':
        arguments->check_config = true;
        return 0;
    case 'h':
        arguments->help = true;
        return 0;
    case 'V':
        arguments->version = true;
        return 0;
    case 't':
        if (weir_option_set(&timeout_row, &timeout, value, err) < 0)
            return WEIR_E_USAGE;
        arguments->timeout_ms = timeout.timeout_ms;
        return 0;
    default:
        return WEIR_E_USAGE;
    }
}

int arguments_read(int argc, char **argv, struct arguments *ret_arguments, struct weir_error *err)
{
    static const struct option flags[] = {
        {"config", required_argument, NULL, 'c'},
        {"json", no_argument, NULL, 'j'},
        {"timeout", required_argument, NULL, 't'},
        {"check-config", no_argument, NULL, 'k'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {0},
    };
    int flag;

    *ret_arguments =
        (struct arguments){.config_path = weir_deployment_default_path(), .timeout_ms = DEFAULT_TIMEOUT_MS};
    opterr = 0;
    while ((flag = getopt_long(argc, argv, "", flags, NULL)) >= 0) {
        if (flag == '?')
            return weir_error_set(err, WEIR_E_USAGE, "%s is unknown or lacks its value", argv[optind - 1]);
        int code = take_flag(flag, optarg, ret_arguments, err);
        if (code < 0)
            return code;
    }
    ret_arguments->words = argv + optind;
    ret_arguments->word_count = argc - optind;
    return 0;
}
