# Assertions for test scripts. Sourced. A failed one names the line of the test and ends it with 1.
# shellcheck shell=bash
set -euo pipefail

SKIP=77 # ctest counts this exit code as skipped

fail() {
  local level=0
  while [[ ${BASH_SOURCE[level]} == "${BASH_SOURCE[0]}" ]]; do level=$((level + 1)); done
  printf 'FAILED %s:%s: %s\n' "${BASH_SOURCE[level]##*/}" "${BASH_LINENO[level - 1]}" "$*" >&2
  exit 1
}

# A command that fails outside an `if` ends the test; say where.
trap 'printf "FAILED %s:%s: %s\n" "${BASH_SOURCE[0]##*/}" "$LINENO" "$BASH_COMMAND" >&2' ERR
set -E

equals() { # WHAT EXPECTED GOT
  [[ $2 == "$3" ]] || fail "$1: expected \"$2\", got \"$3\""
}

contains() { # WHAT PART TEXT
  [[ $3 == *"$2"* ]] || fail "$1: no \"$2\" in \"$3\""
}

lacks() { # WHAT PART TEXT
  [[ $3 != *"$2"* ]] || fail "$1: \"$2\" must not be in \"$3\""
}

# exits CODE COMMAND...: what the command printed, both streams, is left in $output.
exits() {
  local wanted=$1 rc=0
  shift
  output=$("$@" 2>&1) || rc=$?
  ((rc == wanted)) || fail "\"$*\" ended with $rc instead of $wanted: $output"
}

# eventually SECONDS COMMAND...: polls a condition that has no event of its own, up to a deadline.
eventually() {
  local end=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000)) limit=$1
  shift
  until "$@"; do
    ((${EPOCHREALTIME/[.,]/} < end)) || fail "not within $limit s: $*"
    sleep 0.05
  done
}

# A directory for this test alone, removed at its end unless WEIR_KEEP=1.
work_dir() {
  WORK=$(mktemp -d "${TMPDIR:-/tmp}/weir-test.XXXXXX")
  [[ ${WEIR_KEEP:-0} == 1 ]] || at_exit "rm -rf -- '$WORK'"
}

# Commands to run at the end of the test, however it ends, the last one first.
at_exit() { CHECK_AT_EXIT=("$1" "${CHECK_AT_EXIT[@]}"); }
CHECK_AT_EXIT=()
run_at_exit() {
  local rc=$? command
  trap - ERR
  set +e
  for command in "${CHECK_AT_EXIT[@]}"; do eval "$command"; done
  exit "$rc"
}
trap run_at_exit EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

# Runs the function named by the test script's only argument, test_NAME; without it lists the names.
run_case() {
  [[ $# -eq 1 ]] || { compgen -A function | sed -n 's/^test_//p' && exit 64; }
  declare -F "test_$1" >/dev/null || fail "no case \"$1\""
  "test_$1" </dev/null
}
