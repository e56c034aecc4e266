/* weir-devbroker: a Kafka broker in memory for the demo and for fast tests. */
#include "deploy/devbroker/broker.h"

#include "common/kafka.h"
#include "common/log.h"
#include "common/service.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct arguments {
    const char *config_path;
    const char *address_path; /* NULL: only print */
    bool check_config;
};

static const char help[] =
    "usage: weir-devbroker [--config FILE] [--address-file FILE]\n\n"
    "A Kafka broker in memory, with the topics of the configuration, on a free port of 127.0.0.1. It keeps "
    "nothing on disk,\n"
    "replicates nothing and checks no settings: for the demo and tests only. The configuration has to say "
    "[kafka] dev = true.\n\n"
    "  --config FILE        the configuration; default $WEIR_CONFIG, then /etc/weir/weir.conf\n"
    "  --address-file FILE  write host:port there once it is ready; it is printed as KAFKA=host:port in any "
    "case\n"
    "  --check-config       only read the configuration\n"
    "  --help, --version\n\n"
    "Ends on SIGTERM or SIGINT with 0. Exit status: 64 wrong command line, 70 internal, 75 disk, 78 wrong "
    "configuration.\n";

enum { FLAG_CONFIG = 1, FLAG_ADDRESS_FILE, FLAG_CHECK_CONFIG, FLAG_HELP, FLAG_VERSION };

static const struct option flags[] = {
    {"config", required_argument, NULL, FLAG_CONFIG},
    {"address-file", required_argument, NULL, FLAG_ADDRESS_FILE},
    {"check-config", no_argument, NULL, FLAG_CHECK_CONFIG},
    {"help", no_argument, NULL, FLAG_HELP},
    {"version", no_argument, NULL, FLAG_VERSION},
    {0},
};

/* Answers 1 when the program has said what it was asked for, 0 to go on. */
static int read_arguments(int argc, char **argv, struct arguments *arguments, struct weir_error *err)
{
    int flag;

    opterr = 0;
    while ((flag = getopt_long(argc, argv, "", flags, NULL)) >= 0) {
        switch (flag) {
        case FLAG_CONFIG:
            arguments->config_path = optarg;
            break;
        case FLAG_ADDRESS_FILE:
            arguments->address_path = optarg;
            break;
        case FLAG_CHECK_CONFIG:
            arguments->check_config = true;
            break;
        case FLAG_HELP:
            fputs(help, stdout);
            return 1;
        case FLAG_VERSION:
            puts("weir-devbroker " WEIR_VERSION);
            return 1;
        default:
            return weir_error_set(
                err, WEIR_E_USAGE, "%s is unknown or lacks its value; see --help", argv[optind - 1]);
        }
    }
    if (optind < argc)
        return weir_error_set(err, WEIR_E_USAGE, "%s is not expected; see --help", argv[optind]);
    return 0;
}

/* Renamed into place, so that whoever waits for the file reads it whole. */
static int write_address(const char *path, const char *address, struct weir_error *err)
{
    char fresh[4096];

    if (snprintf(fresh, sizeof(fresh), "%s.new", path) >= (int)sizeof(fresh))
        return weir_error_set(err, WEIR_E_USAGE, "--address-file: the path is too long");
    FILE *file = fopen(fresh, "we");
    if (file == NULL)
        return weir_error_set(err, WEIR_E_DISK, "%s: %s", fresh, strerrordesc_np(errno));
    bool written = fprintf(file, "%s\n", address) > 0;
    written = fclose(file) == 0 && written;
    if (!written || rename(fresh, path) != 0)
        return weir_error_set(err, WEIR_E_DISK, "%s: %s", path, strerrordesc_np(errno));
    return 0;
}

static int announce(const struct broker *broker, const struct arguments *arguments, struct weir_error *err)
{
    const char *address = broker_address(broker);

    weir_log(WEIR_LOG_WARNING, "devbroker.volatile",
        "address=%s note=\"records live in this process only and are lost when it ends; never for "
        "production\"",
        address);
    weir_log(WEIR_LOG_INFO, "devbroker.ready", "address=%s topics=%zu", address, broker_topic_count(broker));
    int code = arguments->address_path != NULL ? write_address(arguments->address_path, address, err) : 0;
    if (code < 0)
        return code;
    printf("KAFKA=%s\n", address);
    fflush(stdout);
    weir_service_ready();
    return 0;
}

static int serve(
    const struct weir_deployment *deployment, const struct arguments *arguments, struct weir_error *err)
{
    struct broker *broker = NULL;

    int code = weir_service_signals_init();
    if (code < 0)
        return weir_error_set(err, code, "signals cannot be set up");
    code = broker_new(deployment, &broker, err);
    if (code == 0)
        code = announce(broker, arguments, err);
    while (code == 0 && !weir_service_wait(60 * 1000))
        weir_service_alive();
    weir_service_stopping_notify();
    broker_free(broker);
    return code;
}

static int run(const struct arguments *arguments, struct weir_error *err)
{
    WEIR_CLEANUP(deployment) struct weir_deployment *deployment = NULL;

    int code = weir_deployment_load(arguments->config_path, &deployment, err);
    if (code < 0)
        return code;
    weir_log_init((enum weir_log_level)deployment->log.level, weir_log_format_auto());
    if (!deployment->kafka.dev)
        return weir_error_set(err, WEIR_E_CONFIG,
            "%s: [kafka] dev is not true: this configuration is meant for a real cluster, which "
            "weir-devbroker is not",
            arguments->config_path);
    return arguments->check_config ? 0 : serve(deployment, arguments, err);
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.config_path = weir_deployment_default_path()};
    struct weir_error err = {0};

    int code = read_arguments(argc, argv, &arguments, &err);
    if (code > 0)
        return 0;
    if (code == 0)
        code = run(&arguments, &err);
    if (code == 0)
        return 0;
    fprintf(stderr, "weir-devbroker: %s\n", err.text);
    return weir_code_exit_status(code);
}
