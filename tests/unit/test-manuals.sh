#!/bin/bash
# The manuals of the programs: well-formed, and of the same options as --help. That of weirctl: test-weirctl.sh.
. "$(dirname -- "${BASH_SOURCE[0]}")/../integration/lib/check.sh"

options_of() { grep -oE -- '--[a-z][a-z-]+' | sort -u; }

same_options() { # PROGRAM FOLDER
  local man=$WEIR_SOURCE/$2/$1.8
  exits 0 groff -man -Tutf8 -ww -z "$man"
  equals "what groff says of the manual of $1" "" "$output"
  exits 0 "$WEIR_BUILD/bin/$1" --help
  equals "options of $1: --help, the manual" "$(sed -E 's/^Keys of .*//; /^ +[a-z]/d' <<<"$output" | options_of | xargs)" \
    "$(sed -n '/^\.SH OPTIONS/,/^\.SH/p' "$man" | sed 's/\\-/-/g' | options_of | xargs)"
}

test_options_are_those_of_the_help() {
  same_options weir-gateway gateway
  same_options weir-consumer consumers/runtime
  same_options weir-devbroker deploy/devbroker
}

run_case "$@"
