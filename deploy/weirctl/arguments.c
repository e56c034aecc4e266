#include "deploy/weirctl/weirctl.h"

#include "common/bytes.h"
#include "common/cleanup.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct timeout {
    int64_t timeout_ms;
};

static const struct weir_option timeout_row = {.key = "--timeout",
    .type = WEIR_OPTION_DURATION,
    .offset = offsetof(struct timeout, timeout_ms),
    .min = 100,
    .max = 3600 * 1000};

static const struct option common_flags[] = {
    {"config", required_argument, NULL, 'c'},
    {"json", no_argument, NULL, 'j'},
    {"timeout", required_argument, NULL, 't'},
    {"check-config", no_argument, NULL, 'k'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
};

enum {
    DEFAULT_TIMEOUT_MS = 30000,
    COMMON_FLAGS = sizeof(common_flags) / sizeof(common_flags[0]),
    ROW_FLAG = 256, /* any flag of a table */
    TABLES_MAX = 16,
    FLAGS_MAX = 128,
    NAME_BYTES = 64,
};

const char *const weirctl_common_flags[] = {
    "--config", "--timeout", "--json", "--check-config", "--help", "--version", NULL};

/* Every flag that some command takes: which command it is, is known only when all have been read. */
struct reading {
    const struct flag_table *tables[TABLES_MAX];
    struct option flags[FLAGS_MAX];
    const char *keys[FLAGS_MAX]; /* what was given, in its order */
    const char *values[FLAGS_MAX];
    size_t table_count, flag_count, given_count;
};

static bool is_known(const struct reading *reading, const struct flag_table *table)
{
    for (size_t i = 0; i < reading->table_count; i++)
        if (reading->tables[i] == table)
            return true;
    return table == NULL;
}

static void add_table(struct reading *reading, const struct flag_table *table)
{
    reading->tables[reading->table_count++] = table;
    for (size_t i = 0; i < table->count; i++) {
        const struct weir_option *row = &table->rows[i];
        reading->flags[reading->flag_count++] = (struct option){.name = row->key + strlen("--"),
            .has_arg = row->type == WEIR_OPTION_BOOL ? no_argument : required_argument,
            .val = ROW_FLAG};
    }
}

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

static int keep_given(struct reading *reading, const struct option *flag, struct weir_error *err)
{
    if (reading->given_count == FLAGS_MAX)
        return weir_error_set(err, WEIR_E_USAGE, "more than %d flags", FLAGS_MAX);
    reading->keys[reading->given_count] = flag->name;
    reading->values[reading->given_count++] = optarg != NULL ? optarg : "true";
    return 0;
}

static int read_flags(
    struct reading *reading, int argc, char **argv, struct arguments *arguments, struct weir_error *err)
{
    int flag, index = 0;

    opterr = 0;
    while ((flag = getopt_long(argc, argv, "h", reading->flags, &index)) >= 0) {
        if (flag == '?')
            return weir_error_set(err, WEIR_E_USAGE, "%s is unknown or lacks its value", argv[optind - 1]);
        int code = flag == ROW_FLAG ? keep_given(reading, &reading->flags[index], err)
                                    : take_flag(flag, optarg, arguments, err);
        if (code < 0)
            return code;
    }
    return 0;
}

const char *command_name(const struct command *command)
{
    static _Thread_local char name[NAME_BYTES];

    snprintf(
        name, sizeof(name), "%s%s%s", command->group, command->verb[0] != '\0' ? " " : "", command->verb);
    return name;
}

/* How many of the words name it; 0: none. */
static int words_of(const struct command *command, char **words, int count)
{
    bool group = count > 0 && strcmp(command->group, words[0]) == 0;

    if (group && command->verb[0] == '\0')
        return 1;
    if (group && count > 1 && strcmp(command->verb, words[1]) == 0)
        return 2;
    return command->alone && count > 0 && strcmp(command->verb, words[0]) == 0 ? 1 : 0;
}

static const struct command *find_command(char **words, int count, int *ret_words)
{
    for (size_t i = 0; i < weirctl_command_count; i++) {
        *ret_words = words_of(&weirctl_commands[i], words, count);
        if (*ret_words > 0)
            return &weirctl_commands[i];
    }
    return NULL;
}

/* "list, show, stats", the verbs of a group; empty: there is no such group. */
static void join_verbs(struct weir_buffer *out, const char *group)
{
    for (size_t i = 0; i < weirctl_command_count; i++)
        if (strcmp(weirctl_commands[i].group, group) == 0)
            weir_buffer_printf(out, "%s%s", out->len > 0 ? ", " : "", weirctl_commands[i].verb);
}

/* The words name no command: a group alone is one to be helped with, all else is wrong. */
static int take_group(char **words, int count, struct arguments *arguments, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer verbs = {0};

    if (count == 0)
        return 0;
    join_verbs(&verbs, words[0]);
    if (verbs.len == 0)
        return weir_error_set(err, WEIR_E_USAGE, "no such command: %s; weirctl --help tells all", words[0]);
    if (count > 1)
        return weir_error_set(err, WEIR_E_USAGE, "%s has no verb %s, but %s", words[0], words[1], verbs.data);
    if (!arguments->help)
        return weir_error_set(err, WEIR_E_USAGE, "%s needs a verb: %s", words[0], verbs.data);
    arguments->group = words[0];
    return 0;
}

static bool holds_word(const char *words, const char *word)
{
    size_t len = strlen(word);

    for (const char *at = words; (at = strstr(at, word)) != NULL; at += len)
        if ((at == words || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
            return true;
    return false;
}

bool command_takes(const struct command *command, size_t i)
{
    const char *word = command->verb[0] != '\0' ? command->verb : command->group;
    return holds_word(command->flags->verbs[i], word);
}

/* A LIST row holds what was given each time: no comma separates. */
static int append(void *settings, const struct weir_option *row, const char *value)
{
    char ***list = (char ***)(void *)((char *)settings + row->offset);
    size_t count = 0;

    while (*list != NULL && (*list)[count] != NULL)
        count++;
    char **grown = reallocarray(*list, count + 2, sizeof(char *));
    if (grown == NULL)
        return WEIR_E_INTERNAL;
    *list = grown;
    grown[count] = strdup(value);
    grown[count + 1] = NULL;
    return grown[count] != NULL ? 0 : WEIR_E_INTERNAL;
}

static const struct weir_option *find_row(const struct command *command, const char *name)
{
    const struct flag_table *table = command->flags;

    for (size_t i = 0; table != NULL && i < table->count; i++)
        if (strcmp(table->rows[i].key + strlen("--"), name) == 0)
            return command_takes(command, i) ? &table->rows[i] : NULL;
    return NULL;
}

static int set_row(struct arguments *arguments, const char *name, const char *value, struct weir_error *err)
{
    const struct weir_option *row = find_row(arguments->command, name);

    if (row == NULL)
        return weir_error_set(err, WEIR_E_USAGE, "%s takes no --%s", command_name(arguments->command), name);
    if (row->type == WEIR_OPTION_LIST)
        return append(arguments->settings, row, value);
    return weir_option_set(row, arguments->settings, value, err) < 0 ? WEIR_E_USAGE : 0;
}

static struct weir_option_table option_table(const struct flag_table *flags)
{
    return (struct weir_option_table){
        .section = "", .rows = flags->rows, .count = flags->count, .settings_size = flags->settings_size};
}

static int fill_settings(const struct reading *reading, struct arguments *arguments, struct weir_error *err)
{
    const struct flag_table *flags = arguments->command->flags;
    int code = 0;

    if (flags != NULL) {
        struct weir_option_table table = option_table(flags);
        arguments->settings = calloc(1, flags->settings_size);
        if (arguments->settings == NULL)
            return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
        code = weir_option_defaults(&table, arguments->settings, err);
    }
    for (size_t i = 0; i < reading->given_count && code == 0; i++)
        code = set_row(arguments, reading->keys[i], reading->values[i], err);
    return code;
}

int arguments_read(int argc, char **argv, struct arguments *ret_arguments, struct weir_error *err)
{
    struct reading reading = {.flag_count = COMMON_FLAGS};
    int words = 0;

    *ret_arguments =
        (struct arguments){.config_path = weir_deployment_default_path(), .timeout_ms = DEFAULT_TIMEOUT_MS};
    memcpy(reading.flags, common_flags, sizeof(common_flags));
    for (size_t i = 0; i < weirctl_command_count; i++)
        if (!is_known(&reading, weirctl_commands[i].flags))
            add_table(&reading, weirctl_commands[i].flags);
    int code = read_flags(&reading, argc, argv, ret_arguments, err);
    if (code < 0)
        return code;
    if (optind < argc && strcmp(argv[optind], "help") == 0) {
        ret_arguments->help = true;
        optind++;
    }
    ret_arguments->command = find_command(argv + optind, argc - optind, &words);
    if (ret_arguments->command == NULL)
        return take_group(argv + optind, argc - optind, ret_arguments, err);
    ret_arguments->operands = argv + optind + words;
    ret_arguments->operand_count = argc - optind - words;
    if (ret_arguments->operand_count > 0 && ret_arguments->command->operands[0] == '\0')
        return weir_error_set(err, WEIR_E_USAGE, "%s is too much", ret_arguments->operands[0]);
    return fill_settings(&reading, ret_arguments, err);
}

void arguments_done(struct arguments *arguments)
{
    if (arguments->settings == NULL)
        return;
    struct weir_option_table table = option_table(arguments->command->flags);
    weir_option_free(&table, arguments->settings);
    free(arguments->settings);
    arguments->settings = NULL;
}
