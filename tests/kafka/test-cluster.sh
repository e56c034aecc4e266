#!/bin/bash
# The life of a one-broker cluster.
. "$(dirname -- "${BASH_SOURCE[0]}")/../integration/lib/check.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/../integration/lib/kafka.sh"

READY_MAX_S=15 # of processor time: how long that takes says more about the machine's other work

make_topic() { kafka_tool topics --bootstrap-server "$KAFKA" --create --topic "$1" --partitions 1 >/dev/null; }
alive() { kill -0 "$1" 2>/dev/null && [[ $(cut -d' ' -f3 "/proc/$1/stat") != Z ]]; }
gone() { ! alive "$1"; }
removed() { [[ ! -e $1 ]]; }
consume() { kcat -b "$KAFKA" -C -t "$1" -e -q -f '%k=%s\n'; }

cpu_s() { awk -v ticks="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print int(($12 + $13) / ticks) }' "/proc/$1/stat"; }

test_round_trip() {
  kafka_up
  (($(cpu_s "$KAFKA_PIDS") <= READY_MAX_S)) || fail "ready only after $(cpu_s "$KAFKA_PIDS") s of processor time"
  make_topic t
  printf 'a:1\nb:2\n' | kcat -b "$KAFKA" -P -t t -K: -X acks=all
  equals "records" $'a=1\nb=2' "$(consume t)"
}

test_topics_are_not_made_by_use() {
  kafka_up
  echo x | exits 1 kcat -b "$KAFKA" -P -t absent -X message.timeout.ms=5000
}

test_killed_broker_keeps_records_and_port() {
  kafka_up
  make_topic t
  echo a:1 | kcat -b "$KAFKA" -P -t t -K: -X acks=all
  kafka_broker kill
  gone "$KAFKA_PIDS" || fail "the broker is still there"
  kafka_broker start
  equals "records" "a=1" "$(consume t)"
  [[ $(<"$KAFKA_DIR/broker-1/pid") != "$KAFKA_PIDS" ]] || fail "the pid file still has the old pid"
}

test_paused_broker_answers_nothing_until_continued() {
  kafka_up
  kafka_broker stop
  exits 1 kcat -b "$KAFKA" -L -m 1
  kafka_broker cont
  exits 0 kcat -b "$KAFKA" -L -m 10
}

test_down_ends_a_paused_and_a_killed_cluster() {
  local verb
  for verb in kill stop; do
    kafka_up
    kafka_broker "$verb"
    exits 0 "$KAFKA_TOOLS/down" "$KAFKA_DIR"
    gone "$KAFKA_PIDS" || fail "after $verb, down left the broker"
    removed "$KAFKA_DIR" || fail "after $verb, down left the directory"
    CHECK_AT_EXIT=()
  done
}

test_two_side_by_side() {
  local first=$BASHPID
  kafka_up
  first=$KAFKA
  make_topic only-here
  kafka_up
  [[ $KAFKA != "$first" ]] || fail "both have $first"
  lacks "topics of the second" only-here "$(kcat -b "$KAFKA" -L)"
  contains "topics of the first" only-here "$(kcat -b "$first" -L)"
}

test_outlives_the_shell_and_ends_with_its_owner() {
  local owner env
  work_dir
  sleep 600 &
  owner=$!
  disown "$owner"
  at_exit "kill $owner 2>/dev/null"
  # Its own session, of which nothing that stays in it survives.
  setsid -w bash -c "'$KAFKA_TOOLS/up' --dir '$WORK/with space' --for $owner >'$WORK/env'; kill -KILL 0" 2>/dev/null || :
  env=$(<"$WORK/env")
  . "$env"
  at_exit "[[ ! -e '$KAFKA_DIR' ]] || '$KAFKA_TOOLS/down' '$KAFKA_DIR'"
  exits 0 kcat -b "$KAFKA" -L -m 10
  kill -KILL "$owner"
  eventually 10 removed "$KAFKA_DIR"
  gone "$KAFKA_PIDS" || fail "the broker outlived its owner"
}

test_interrupted_start_leaves_nothing() {
  local pid
  work_dir
  "$KAFKA_TOOLS/up" --dir "$WORK/c" >/dev/null 2>&1 &
  pid=$!
  eventually 20 test -e "$WORK/c/broker-1/process"
  KAFKA_PIDS=$(<"$WORK/c/broker-1/pid")
  kill -TERM "$pid"
  wait "$pid" && fail "up ended with 0"
  removed "$WORK/c" || fail "the directory is still there"
  gone "$KAFKA_PIDS" || fail "the broker is still there"
}

test_listens_on_loopback_only() {
  local inode socket local_address
  kafka_up
  for socket in "/proc/$KAFKA_PIDS"/fd/*; do
    inode=$(readlink -- "$socket") || continue
    [[ $inode == socket:* ]] || continue
    inode=${inode//[!0-9]/}
    local_address=$(awk -v i="$inode" '$10 == i && $4 == "0A" { print $2 }' "/proc/$KAFKA_PIDS/net/tcp" "/proc/$KAFKA_PIDS/net/tcp6")
    [[ -z $local_address || $local_address == 0100007F:* ]] || fail "listens on $local_address"
  done
}

test_settings_can_be_added() {
  kafka_up --set message.max.bytes=2000 --set 1:num.io.threads=2
  make_topic t
  head -c 3000 /dev/zero | tr '\0' x >"$KAFKA_DIR/big"
  exits 1 kcat -b "$KAFKA" -P -t t "$KAFKA_DIR/big"
  contains "what the broker says" "Message size too large" "$output"
  contains "properties" num.io.threads=2 "$(<"$KAFKA_DIR/broker-1/server.properties")"
}

test_arguments_are_checked() {
  work_dir
  exits 64 "$KAFKA_TOOLS/up" --brokers 2
  exits 64 "$KAFKA_TOOLS/up" --nonsense
  exits 64 "$KAFKA_TOOLS/up" --dir
  exits 64 "$KAFKA_TOOLS/up" --set nonsense
  exits 64 "$KAFKA_TOOLS/up" --dir "$WORK/a,b"
  touch "$WORK/file"
  exits 73 "$KAFKA_TOOLS/up" --dir "$WORK"
  exits 66 "$KAFKA_TOOLS/down" "$WORK"
  [[ -e $WORK/file ]] || fail "down removed what is not its own"
  exits 66 "$KAFKA_TOOLS/broker" kill "$WORK" 1
  exits 64 "$KAFKA_TOOLS/tool" nonsense
}

run_case "$@"
