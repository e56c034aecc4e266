# A real Kafka cluster for one test script; sourced after check.sh.
# shellcheck shell=bash

KAFKA_TOOLS=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../../kafka" && pwd)

# Starts a cluster that lasts as long as this test, with up's arguments, and sets up's variables.
# Where Kafka cannot be had the test ends as skipped.
kafka_up() {
  local env rc=0
  env=$("$KAFKA_TOOLS/up" --for $$ "$@") || rc=$?
  ((rc != SKIP)) || exit "$SKIP"
  ((rc == 0)) || fail "up $* ended with $rc"
  . "$env"
  at_exit "'$KAFKA_TOOLS/down' '$KAFKA_DIR'"
}

kafka_broker() { "$KAFKA_TOOLS/broker" "$1" "$KAFKA_DIR" "${2:-1}"; }
kafka_tool() { "$KAFKA_TOOLS/tool" "$@"; }
