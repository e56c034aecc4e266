#!/bin/bash
# The units as files: known to systemd, confined, and in step with the programs' own limits.
. "$(dirname -- "${BASH_SOURCE[0]}")/../integration/lib/check.sh"

EXPOSURE_MAX=15 # tenths, of systemd-analyze security
UNITS=(weir-gateway.service weir-consumer@store.service)

# A root with the units, what they start, and the targets of systemd that they name.
installed() {
  work_dir
  SYSTEM=$WORK/usr/lib/systemd/system
  mkdir -p "$SYSTEM" "$WORK/usr/bin"
  cp /bin/kill "$WEIR_BUILD"/bin/weir-{gateway,consumer} "$WORK/usr/bin/"
  cp /lib/systemd/system/{basic,network,network-online,shutdown,sysinit}.target "$SYSTEM/"
  cp "$WEIR_BUILD"/deploy/systemd/*.service "$WEIR_SOURCE/deploy/systemd/weir.target" "$SYSTEM/"
}

verify() { systemd-analyze verify --root="$WORK" "${UNITS[@]/#/$SYSTEM/}" "$SYSTEM/weir.target" 2>&1; }

value_ms() { # UNIT KEY
  systemd-analyze timespan "$(sed -n "s/^$2=//p" "$WEIR_BUILD/deploy/systemd/$1")" | sed -n 's/^ *μs: //p'
}

default_ms() { # PROGRAM KEY: as its help tells it
  local text
  text=$("$WEIR_BUILD/bin/$1" --help | sed -n "s/^ *$2 .*default \([0-9a-z]*\).*/\1/p")
  systemd-analyze timespan "$text" | sed -n 's/^ *μs: //p'
}

test_systemd_understands_every_line() {
  installed
  equals "what systemd-analyze says" "" "$(verify)"
}

test_a_misspelt_line_is_found() {
  installed
  sed -i 's/^ProtectHome=/ProtectHouse=/' "$SYSTEM/weir-gateway.service"
  contains "what systemd-analyze says" ProtectHouse "$(verify || :)"
}

test_units_are_confined() {
  local unit
  for unit in "$WEIR_BUILD"/deploy/systemd/*.service; do
    exits 0 systemd-analyze security --offline=yes --threshold=$EXPOSURE_MAX "$unit"
  done
}

test_a_stop_is_longer_than_a_drain() {
  (($(value_ms weir-gateway.service TimeoutStopSec) > $(default_ms weir-gateway drain.timeout))) || fail "gateway"
  (($(value_ms weir-consumer@.service TimeoutStopSec) > $(default_ms weir-consumer drain.timeout))) || fail "consumer"
  (($(value_ms weir-consumer@.service WatchdogSec) > $(default_ms weir-consumer handle.timeout))) || fail "watchdog"
}

test_only_what_no_restart_heals_stays_down() {
  local unit
  for unit in "$WEIR_BUILD"/deploy/systemd/*.service; do # wrong command line, damage, wrong configuration; not 75, a full disk
    equals "$unit" "64 74 78" "$(sed -n 's/^RestartPreventExitStatus=//p' "$unit")"
  done
}

test_a_service_may_have_more_processes_on_a_host() {
  work_dir
  mkdir "$WORK/state"
  printf '[kafka]\nbootstrap.servers = 127.0.0.1:1\n[collection orders]\nkey = orderID\n[service store]\nplugin = store\ntopics = orders\nstore.path = %s/db\nstate.dir = %s/state\n' "$WORK" "$WORK" >"$WORK/weir.conf"
  local consumer=("$WEIR_BUILD/bin/weir-consumer" --config "$WORK/weir.conf")
  exits 0 "${consumer[@]}" --service store_2 --check-config
  exits 78 "${consumer[@]}" --service store_x --check-config
  contains "what it says" "store_x" "$output"
  "${consumer[@]}" --service store_2 >"$WORK/log" 2>&1 &
  at_exit "kill $! 2>/dev/null"
  eventually 30 grep -q "service=store instance=$(uname -n)_2 " "$WORK/log"
}

run_case "$@"
