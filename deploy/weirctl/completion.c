/* Completion for shells, made of the tables that the command line is read by. */
#include "common/bytes.h"
#include "deploy/weirctl/weirctl.h"

#include <stdio.h>
#include <string.h>

/* Shell text that bash and zsh both understand: what comes next behind the words before the cursor ($1 to the
 * last but one) for the one that is being typed (the last). @ stands for files. */
static const char candidates[] =
    "_weirctl_candidates() {\n"
    "    local command='' before='' word values\n"
    "    while [ $# -gt 1 ]; do\n"
    "        word=$1\n"
    "        shift\n"
    "        case $before in\n"
    "            -*=*) ;;\n"
    "            -*) if [ -n \"$(_weirctl_values \"$command\" \"$before\")\" ]; then before= && continue; fi "
    ";;\n"
    "        esac\n"
    "        before=$word\n"
    "        case $word in\n"
    "            -*) ;;\n"
    "            *) if [ -n \"$(_weirctl_verbs \"$command\")\" ]; then command=\"$command${command:+ "
    "}$word\"; fi ;;\n"
    "        esac\n"
    "    done\n"
    "    case $before in -*) values=$(_weirctl_values \"$command\" \"$before\") ;; esac\n"
    "    case ${values:+value}$1 in\n"
    "        value*) printf '%s\\n' \"$values\" ;;\n"
    "        -*) _weirctl_flags \"$command\" ;;\n"
    "        *) _weirctl_verbs \"$command\" ;;\n"
    "    esac\n"
    "}\n";

static const char bash_end[] =
    "_weirctl() {\n"
    "    local found\n"
    "    found=$(_weirctl_candidates \"${COMP_WORDS[@]:1:COMP_CWORD}\")\n"
    "    case $found in\n"
    "        @) mapfile -t COMPREPLY < <(compgen -f -- \"${COMP_WORDS[COMP_CWORD]}\") ;;\n"
    "        *) mapfile -t COMPREPLY < <(compgen -W \"$found\" -- \"${COMP_WORDS[COMP_CWORD]}\") ;;\n"
    "    esac\n"
    "}\n"
    "complete -o default -F _weirctl weirctl\n";

static const char zsh_end[] =
    "_weirctl() {\n"
    "    local found=$(_weirctl_candidates \"${(@)words[2,CURRENT]}\")\n"
    "    if [[ $found == @ || -z $found ]]; then _files; else compadd -- ${=found}; fi\n"
    "}\n"
    "if [[ $funcstack[1] == _weirctl ]]; then _weirctl \"$@\"; else compdef _weirctl "
    "weirctl; fi\n";

static const struct shell {
    const char *name, *begin, *end;
} shells[] = {
    {"bash", "# bash completion of weirctl, made by `weirctl completion bash`.\n# shellcheck shell=bash\n\n",
        bash_end},
    {"zsh", "#compdef weirctl\n# zsh completion of weirctl, made by `weirctl completion zsh`.\n\n", zsh_end},
};

static void open_function(struct weir_buffer *out, const char *name)
{
    weir_buffer_printf(out, "%s() {\n    case $1 in\n", name);
}

static void close_function(struct weir_buffer *out)
{
    weir_buffer_append_str(out, "    esac\n}\n");
}

static bool is_first_of_group(size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(weirctl_commands[k].group, weirctl_commands[i].group) == 0)
            return false;
    return true;
}

static void write_first_words(struct weir_buffer *out)
{
    weir_buffer_append_str(out, "        '') echo");
    for (size_t i = 0; i < weirctl_command_count; i++) {
        if (is_first_of_group(i))
            weir_buffer_printf(out, " %s", weirctl_commands[i].group);
        if (weirctl_commands[i].alone)
            weir_buffer_printf(out, " %s", weirctl_commands[i].verb);
    }
    weir_buffer_append_str(out, " ;;\n");
}

static void write_verbs(struct weir_buffer *out)
{
    open_function(out, "_weirctl_verbs");
    write_first_words(out);
    for (size_t i = 0; i < weirctl_command_count; i++) {
        const struct command *first = &weirctl_commands[i];
        if (!is_first_of_group(i) || first->verb[0] == '\0')
            continue;
        weir_buffer_printf(out, "        %s) echo", first->group);
        for (size_t k = i; k < weirctl_command_count; k++)
            if (strcmp(weirctl_commands[k].group, first->group) == 0)
                weir_buffer_printf(out, " %s", weirctl_commands[k].verb);
        weir_buffer_append_str(out, " ;;\n");
    }
    close_function(out);
}

/* As a pattern of `case`: both names of a command that has two. */
static void write_pattern(struct weir_buffer *out, const struct command *command)
{
    weir_buffer_printf(out, "        '%s'", command_name(command));
    if (command->alone)
        weir_buffer_printf(out, " | %s", command->verb);
    weir_buffer_append_str(out, ")");
}

static void write_flags(struct weir_buffer *out)
{
    open_function(out, "_weirctl_flags");
    for (size_t i = 0; i < weirctl_command_count; i++) {
        const struct command *command = &weirctl_commands[i];
        if (command->flags == NULL)
            continue;
        write_pattern(out, command);
        weir_buffer_append_str(out, " echo");
        for (size_t row = 0; row < command->flags->count; row++)
            if (command_takes(command, row))
                weir_buffer_printf(out, " %s", command->flags->rows[row].key);
        weir_buffer_append_str(out, " ;;\n");
    }
    weir_buffer_append_str(out, "    esac\n    echo");
    for (const char *const *flag = weirctl_common_flags; *flag != NULL; flag++)
        weir_buffer_printf(out, " %s", *flag);
    weir_buffer_append_str(out, "\n}\n");
}

/* What may stand behind a flag: the words of a choice, else a file, which the shell offers for any text. */
static void write_value(struct weir_buffer *out, const struct command *command, const struct weir_option *row)
{
    weir_buffer_printf(
        out, "        *'%s %s') echo ", command->verb[0] != '\0' ? command->verb : command->group, row->key);
    if (row->type != WEIR_OPTION_CHOICE)
        weir_buffer_append_str(out, "@");
    for (const char *at = row->choices; row->type == WEIR_OPTION_CHOICE && *at != '\0'; at++)
        weir_buffer_append(out, *at == '|' ? " " : at, 1);
    weir_buffer_append_str(out, " ;;\n");
}

static void write_values(struct weir_buffer *out)
{
    weir_buffer_append_str(out, "_weirctl_values() {\n    case \"$1 $2\" in\n"
                                "        *' --config' | *' --timeout') echo @ ;;\n");
    for (size_t i = 0; i < weirctl_command_count; i++) {
        const struct command *command = &weirctl_commands[i];
        for (size_t row = 0; command->flags != NULL && row < command->flags->count; row++)
            if (command_takes(command, row) && command->flags->rows[row].type != WEIR_OPTION_BOOL)
                write_value(out, command, &command->flags->rows[row]);
    }
    close_function(out);
}

static int write_all(const struct shell *shell, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer out = {0};

    weir_buffer_append_str(&out, shell->begin);
    write_verbs(&out);
    write_flags(&out);
    write_values(&out);
    weir_buffer_append_str(&out, candidates);
    weir_buffer_append_str(&out, shell->end);
    if (out.failed)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    fwrite(out.data, 1, out.len, stdout);
    return 0;
}

int completion_run(struct weirctl *ctl, struct weir_error *err)
{
    const struct arguments *arguments = ctl->arguments;

    for (size_t i = 0; arguments->operand_count == 1 && i < sizeof(shells) / sizeof(shells[0]); i++)
        if (strcmp(arguments->operands[0], shells[i].name) == 0)
            return write_all(&shells[i], err);
    return weir_error_set(err, WEIR_E_USAGE, "say for which shell: weirctl completion bash|zsh");
}
