# Completes the command line of weirctl by what its help tells.
# shellcheck shell=bash

_weirctl_flags() { weirctl "$@" --help 2>/dev/null | sed -n 's/^  \(--[a-z-]*\).*/\1/p; s/.*, \(--[a-z-]*\)$/\1/p'; }

_weirctl_commands() { weirctl --help 2>/dev/null | sed -n 's/^  \([a-z]*\)  *\([a-z]*\) .*/\1 \2/p'; }

_weirctl() {
    local now=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} word words=()
    COMPREPLY=()
    [[ $before != --config ]] || { mapfile -t COMPREPLY < <(compgen -f -- "$now") && return; }
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        [[ $word == -* ]] || words+=("$word")
    done
    if [[ $now == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_weirctl_flags "${words[@]:0:2}")" -- "$now")
    elif ((${#words[@]} == 0)); then
        mapfile -t COMPREPLY < <(compgen -W "$(_weirctl_commands | cut -d ' ' -f 1 | sort -u)" -- "$now")
    elif ((${#words[@]} == 1)); then
        mapfile -t COMPREPLY < <(compgen -W "$(_weirctl_commands | sed -n "s/^${words[0]} //p")" -- "$now")
    fi
}
complete -o default -F _weirctl weirctl
