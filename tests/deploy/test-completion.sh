#!/bin/bash
# What TAB gives behind weirctl, in a bash that has read its completion.
. "$(dirname -- "${BASH_SOURCE[0]}")/../integration/lib/check.sh"
. "$WEIR_SOURCE/deploy/weirctl/completion.bash"

PATH=$WEIR_BUILD/bin:$PATH

completed() { # WORD...: the last one is being typed
  COMP_WORDS=(weirctl "$@") COMP_CWORD=$# COMPREPLY=()
  _weirctl
  printf '%s\n' "${COMPREPLY[*]}"
}

test_groups_and_verbs() {
  equals "groups" "topics" "$(completed to)"
  equals "verbs" "plan apply check" "$(completed topics '')"
  equals "new" "new" "$(completed ne)"
  equals "what may be new" "plugin" "$(completed new '')"
  equals "verbs behind a flag" "redrive" "$(completed --json dlq re)"
}

test_flags_of_a_command() {
  contains "flags of redrive" "--rate" "$(completed dlq redrive --)"
  contains "flags of redrive" "--config" "$(completed dlq redrive --)"
  lacks "flags of purge" "--rate" "$(completed dlq purge --)"
}

run_case "$@"
