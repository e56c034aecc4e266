#!/bin/bash
# What TAB gives behind weirctl, in a shell that has read its completion.
. "$(dirname -- "${BASH_SOURCE[0]}")/../integration/lib/check.sh"
. <("$WEIR_BUILD/bin/weirctl" completion bash)

completed() { # WORD...: the last one is being typed
  COMP_WORDS=(weirctl "$@") COMP_CWORD=$# COMPREPLY=()
  _weirctl
  printf '%s\n' "${COMPREPLY[*]}"
}

test_groups_and_verbs() {
  equals "groups" "topics" "$(completed to)"
  equals "a group or a verb of its own" "store send smoke" "$(completed s)"
  equals "verbs" "plan apply check" "$(completed topics '')"
  equals "new" "new" "$(completed ne)"
  equals "what may be new" "plugin" "$(completed new '')"
  equals "verbs behind a flag" "redrive" "$(completed --json dlq re)"
  equals "verbs behind a flag's value" "redrive" "$(completed --config dlq dlq re)"
}

test_flags_of_a_command() {
  contains "flags of redrive" "--rate" "$(completed dlq redrive --)"
  contains "flags of redrive" "--config" "$(completed dlq redrive --)"
  lacks "flags of purge" "--rate" "$(completed dlq purge --)"
  contains "flags of a short name" "--keep" "$(completed backup --)"
}

test_values_of_a_flag() {
  equals "a choice" "overwrites all none" "$(completed dlq redrive --if-unchanged '')"
  equals "a choice" "beginning" "$(completed group accept-loss --to b)"
  work_dir
  touch "$WORK/weir.conf"
  equals "a file" "$WORK/weir.conf" "$(completed topics plan --config "$WORK/w")"
}

# The functions are the same in both shells; what differs is how the shell is told.
test_both_shells_take_it() {
  exits 64 "$WEIR_BUILD/bin/weirctl" completion fish
  exits 0 bash -n <("$WEIR_BUILD/bin/weirctl" completion bash)
  exits 0 "$WEIR_BUILD/bin/weirctl" completion zsh
  contains "zsh" "#compdef weirctl" "$output"
  command -v zsh >/dev/null || exit "$SKIP"
  equals "zsh" "plan apply check" "$(zsh -fc '. <("$1" completion zsh) 2>/dev/null; _weirctl_candidates topics ""' zsh "$WEIR_BUILD/bin/weirctl")"
}

run_case "$@"
