#!/bin/bash
# weirctl topics on a real Kafka.
. "$(dirname -- "${BASH_SOURCE[0]}")/../integration/lib/check.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/../integration/lib/kafka.sh"

WEIRCTL=$WEIR_BUILD/bin/weirctl

write_conf() { # PARTITIONS REPLICAS [LINE OF kafka]...
  {
    printf '[kafka]\nbootstrap.servers = %s\nreplication.factor = %s\nmin.insync.replicas = %s\n' "$KAFKA" "$2" "$2"
    printf '%s\n' "${@:3}"
    printf '[collection orders]\nkey = orderID\npartitions = %s\n' "$1"
    printf '[service store]\nplugin = store\ntopics = orders\n'
  } >"$WORK/weir.conf"
}

weirctl() { "$WEIRCTL" --config "$WORK/weir.conf" "$@"; }
partitions() { kcat -b "$KAFKA" -L -t "$1" | sed -n 's/.* with \([0-9]*\) partitions.*/\1/p'; }
setting() { kafka_tool configs --bootstrap-server "$KAFKA" --describe --all --entity-type topics --entity-name "$1" | sed -n "s/^ *$2=\([^ ]*\) .*/\1/p"; }
alter() { kafka_tool configs --bootstrap-server "$KAFKA" --alter --entity-type topics --entity-name "$1" --add-config "$2" >/dev/null; }

up() {
  work_dir
  kafka_up "$@"
}

test_apply_creates_and_check_agrees() {
  up
  write_conf 3 1
  exits 1 weirctl topics check
  contains "answer" "orders: topic is missing, should be there; weirctl topics apply" "$output"
  exits 0 weirctl topics apply
  contains "answer" "created orders.store.dlq" "$output"
  exits 0 weirctl topics check
  contains "answer" "5 topics are as they should be" "$output"
  equals "partitions" 3 "$(partitions orders.changes)"
  equals "policy" compact "$(setting orders.changes cleanup.policy)"
  equals "lag" 604800000 "$(setting orders.changes min.compaction.lag.ms)"
  equals "timestamps" LogAppendTime "$(setting orders message.timestamp.type)"
  equals "size" 327680 "$(setting orders max.message.bytes)"
}

test_apply_twice_changes_nothing() {
  up
  write_conf 3 1
  exits 0 weirctl topics apply
  exits 0 weirctl topics apply
  lacks "answer" "created" "$output"
  exits 0 weirctl topics apply --json
  equals "created" "[]" "$(jq -c .created <<<"$output")"
}

test_a_different_partition_count_is_told_and_never_changed() {
  up
  write_conf 3 1
  exits 0 weirctl topics apply
  write_conf 6 1
  exits 65 weirctl topics apply
  contains "answer" "orders: partitions is 3, should be 6; " "$output"
  exits 1 weirctl topics check
  equals "partitions" 3 "$(partitions orders)"
}

test_each_different_setting_is_told_with_its_fix() {
  up
  write_conf 3 1
  exits 0 weirctl topics apply
  alter orders retention.ms=1000
  alter orders.changes min.compaction.lag.ms=5
  alter orders.store.dlq retention.ms=-1
  exits 1 weirctl topics check
  contains "answer" "orders: retention.ms is 1000, should be 604800000; kafka-configs.sh --bootstrap-server $KAFKA" "$output"
  contains "answer" "orders.changes: min.compaction.lag.ms is 5, should be at least 604800000" "$output"
  equals "lines: letters kept for ever do no harm" 2 "$(wc -l <<<"$output")"
  exits 1 weirctl topics check --json
  equals "json" 'orders retention.ms 1000 604800000' \
    "$(jq -r '.differences[] | select(.topic=="orders") | "\(.topic) \(.setting) \(.has) \(.wants)"' <<<"$output")"
  exits 65 weirctl topics apply
  equals "left alone" 1000 "$(setting orders retention.ms)"
}

test_too_many_replicas_are_a_clear_error() {
  up
  write_conf 3 3
  exits 78 weirctl topics apply --timeout 10s
  contains "error" "topic orders cannot be created" "$output"
  contains "error" "eplica" "$output"
  lacks "error" $'\n\n' "$output"
}

test_dev_is_refused_by_a_real_cluster() {
  up
  write_conf 3 1 "dev = true"
  exits 78 weirctl topics apply
  contains "error" "real Kafka cluster" "$output"
  exits 78 weirctl topics check
}

test_waits_for_a_broker_that_comes_late() {
  up
  write_conf 3 1
  kafka_broker kill
  weirctl topics apply --timeout 60s >"$WORK/out" 2>&1 &
  local pid=$! rc=0
  kafka_broker start
  wait "$pid" || rc=$?
  equals "exit status: $(<"$WORK/out")" 0 "$rc"
  equals "partitions" 3 "$(partitions orders)"
}

secure_conf() { # PRINCIPAL
  write_conf 3 1 "$(sed -n 's/^\(security\|ssl\|sasl\)\([^=]*\)=/\1\2 = /p' "$KAFKA_CLIENTS/$1-mtls.conf")"
}

test_a_principal_without_rights_is_told_so() {
  up --secure
  secure_conf weirctl
  exits 78 weirctl topics check
  contains "error" "authorization" "$output"
  lacks "error" "missing" "$output"
  exits 78 weirctl topics apply
  contains "error" "authorization" "$output"
  secure_conf admin
  exits 0 weirctl topics apply
  exits 0 weirctl topics check
}

test_three_brokers_hold_three_copies() {
  up --brokers 3
  write_conf 3 3
  exits 0 weirctl topics apply
  exits 0 weirctl topics check
  equals "partitions with three replicas" 3 "$(kcat -b "$KAFKA" -L -t orders | grep -c 'replicas: [0-9]*,[0-9]*,[0-9]*,')"
}

run_case "$@"
