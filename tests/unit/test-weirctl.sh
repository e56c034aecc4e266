#!/bin/bash
# weirctl without a real Kafka: command line, plan, the dev broker, a broker that is not there.
. "$(dirname -- "${BASH_SOURCE[0]}")/../integration/lib/check.sh"

WEIRCTL=$WEIR_BUILD/bin/weirctl

write_conf() { # SERVERS DEV PARTITIONS
  cat >"$WORK/weir.conf" <<CONF
[kafka]
bootstrap.servers = $1
dev = $2
[collection orders]
key = orderID
partitions = $3
[service store]
plugin = store
topics = orders
CONF
}

weirctl() { "$WEIRCTL" --config "$WORK/weir.conf" "$@"; }

start_devbroker() {
  work_dir
  write_conf 127.0.0.1:1 true 3
  "$WEIR_BUILD/bin/weir-devbroker" --config "$WORK/weir.conf" --address-file "$WORK/address" >/dev/null 2>&1 &
  at_exit "kill $! 2>/dev/null"
  eventually 10 test -s "$WORK/address"
  write_conf "$(<"$WORK/address")" true 3
}

test_plan_of_the_example_configuration() {
  exits 0 "$WEIRCTL" --config "$WEIR_SOURCE/deploy/conf/weir.conf" topics plan
  local topic
  for topic in orders orders.changes orders.store.retry orders.store.dlq orders.store.outcomes \
    orders.changes.notifier.retry orders.changes.notifier.dlq; do
    contains "plan" "$topic  (" "$output"
  done
  contains "plan" "partitions=6" "$output"
  contains "plan" "min.compaction.lag.ms=604800000" "$output"
}

test_plan_as_json() {
  work_dir
  write_conf 127.0.0.1:1 false 3
  exits 0 weirctl topics plan --json
  equals "commands" '3 delete 604800000' \
    "$(jq -r '.[] | select(.topic=="orders") | "\(.partitions) \(.settings["cleanup.policy"]) \(.settings["retention.ms"])"' <<<"$output")"
  equals "topics" 5 "$(jq length <<<"$output")"
}

gateway_may() { # SWITCH: with topics that hold no commands
  export "WEIR_GATEWAY_${1^^}=on"
  weirctl acl plan --json | jq -r '[.[] | select(.program == "gateway" and .resource == "topic" and .name != "orders")
    | "\(.name)=\(.operations - ["Describe", "DescribeConfigs"] | join("+"))"] | sort | join(" ")'
}

test_acl_plan_gives_each_program_what_it_needs() {
  work_dir
  write_conf 127.0.0.1:1 false 3
  exits 0 weirctl acl plan --command-config "admin's.properties"
  contains "gateway" "--allow-principal 'User:gateway' --operation Write --operation Describe --operation DescribeConfigs --topic 'orders'" "$output"
  contains "owners" "--allow-principal 'User:gateway' --operation Describe --group 'store'" "$output"
  contains "transactions" "--operation Write --resource-pattern-type prefixed --transactional-id 'store.'" "$output"
  contains "quoting" "--command-config 'admin'\\''s.properties'" "$output"
  lacks "the gateway's reads" "'User:gateway' --operation Read" "$output"
  exits 0 weirctl acl plan --json --principal 'User:CN={}'
  equals "what the store may do with commands" '["Read","Describe","DescribeConfigs"]' \
    "$(jq -c '.[] | select(.program == "store" and .name == "orders") | .operations' <<<"$output")"
  equals "what reads letters" weirctl "$(jq -r '.[] | select(.name == "orders.store.dlq" and (.operations | index("Read"))) | .program' <<<"$output")"
  equals "the gateway's reads by switch" "orders.changes=Read" "$(gateway_may feed)"
  equals "with dead letters" "orders.changes=Read orders.store.dlq=Read orders.store.retry=Read+Write" "$(gateway_may dlq)"
}

# Who, kind, pattern, name and operation of each right: what kafka-acls.sh is told, and what Strimzi's operator is.
rights_of_lines() {
  /usr/bin/python3 -c '
import argparse, shlex, sys
options = argparse.ArgumentParser()
for one in ("--bootstrap-server", "--command-config", "--allow-principal", "--topic", "--group", "--transactional-id"):
    options.add_argument(one)
options.add_argument("--operation", action="append")
options.add_argument("--resource-pattern-type", default="literal")
options.add_argument("--add", action="store_true")
kinds = {"topic": "topic", "group": "group", "transactional_id": "transactionalId"}
patterns = {"literal": "literal", "prefixed": "prefix"}
for line in sys.stdin:
    if line.startswith("kafka-acls.sh "):
        told = vars(options.parse_args(shlex.split(line)[1:]))
        (option, kind), = ((option, kind) for option, kind in kinds.items() if told[option])
        for operation in told["operation"]:
            print(told["allow_principal"].removeprefix("User:"), kind, patterns[told["resource_pattern_type"]], told[option], operation)
' | sort
}
rights_of_users() { # CLUSTER
  /usr/bin/python3 -c '
import sys, yaml
for user in yaml.safe_load_all(sys.stdin):
    assert (user["apiVersion"], user["kind"]) == ("kafka.strimzi.io/v1beta2", "KafkaUser"), user
    assert user["metadata"]["labels"] == {"strimzi.io/cluster": sys.argv[1]}, user
    assert user["spec"]["authorization"]["type"] == "simple", user
    for rule in user["spec"]["authorization"]["acls"]:
        of = rule["resource"]
        assert isinstance(of["name"], str), rule
        for operation in rule["operations"]:
            print(user["metadata"]["name"], of["type"], of["patternType"], of["name"], operation)
' "$1" | sort
}

test_acl_plan_for_strimzi_allows_the_same() {
  local lines users
  work_dir
  write_conf 127.0.0.1:1 false 3
  # Names that would be something else than text, were they not quoted.
  cat >>"$WORK/weir.conf" <<CONF
[collection null]
key = id
[service goods]
plugin = store
topics = null
[service mails]
plugin = notifier
topics = orders.changes, 1.5
topics.partitions = 1
CONF
  WEIR_GATEWAY_DLQ=on exits 0 weirctl acl plan
  lines=$(rights_of_lines <<<"$output")
  WEIR_GATEWAY_DLQ=on exits 0 weirctl acl plan --strimzi my-cluster
  users=$(rights_of_users my-cluster <<<"$output")
  equals "users" "gateway goods mails store weirctl" "$(cut -d' ' -f1 <<<"$users" | sort -u | xargs)"
  equals "rights that differ" "" "$(diff <(echo "$lines") <(echo "$users") || :)"
}

test_principals_that_are_none_are_refused() {
  start_devbroker
  local principal
  for principal in foo =x nobody=/x gateway=; do
    exits 64 weirctl doctor --principal "store=$WORK/weir.conf" --principal "$principal"
    contains "reason" "--principal $principal: it is written NAME=FILE, with one of these names: gateway, weirctl, store" "$output"
  done
  exits 64 weirctl acl plan --principal User:weir
  contains "reason" "--principal User:weir: all programs would be one to Kafka; write {}" "$output"
}

test_acl_plan_follows_the_plugins() {
  work_dir
  write_conf 127.0.0.1:1 false 3
  cat >>"$WORK/weir.conf" <<CONF
[collection products]
key = productID
[service goods]
plugin = store
topics = products
[service stock]
plugin = inventory
topics = orders.changes, orders.store.outcomes, products.changes, products.goods.outcomes
[service mails]
plugin = notifier
topics = orders.changes
CONF
  exits 0 weirctl acl plan --json
  equals "whose members the gateway may ask for" "goods mails store" \
    "$(jq -r '.[] | select(.program == "gateway" and .resource == "group") | .name' <<<"$output" | sort | xargs)"
  local topic
  for topic in orders products; do
    equals "what inventory may do with $topic" '["Write","Describe","DescribeConfigs"]' \
      "$(jq -c --arg topic "$topic" '.[] | select(.program == "stock" and .name == $topic) | .operations' <<<"$output")"
  done
}

test_check_on_the_dev_broker() {
  start_devbroker
  exits 0 weirctl topics check
  contains "answer" "5 topics are as they should be" "$output"
  exits 0 weirctl topics check --json
  equals "ok" true "$(jq .ok <<<"$output")"
}

test_a_dev_broker_is_no_real_one() {
  start_devbroker
  write_conf "$(<"$WORK/address")" false 3
  exits 78 weirctl topics check
  contains "reason" "is a dev broker, which keeps nothing and knows no rights, but [kafka] does not say dev = true" "$output"
  exits 1 weirctl doctor
  contains "doctor" "fix: see [kafka] of the configuration" "$output"
  equals "what was written" "" "$(kcat -b "$(<"$WORK/address")" -C -t orders -e -q -J)"
}

test_apply_on_the_dev_broker_says_who_makes_topics() {
  start_devbroker
  exits 0 weirctl topics apply
  contains "answer" "weir-devbroker makes the topics" "$output"
}

test_check_names_each_difference_of_the_dev_broker() {
  start_devbroker
  write_conf "$(<"$WORK/address")" true 4
  exits 1 weirctl topics check
  contains "answer" "orders: partitions is 3, should be 4; " "$output"
  contains "answer" "never changed" "$output"
  equals "lines" 5 "$(wc -l <<<"$output")"
}

test_unreachable_broker_is_waited_for_and_then_69() {
  work_dir
  write_conf 127.0.0.1:1 false 3
  local began=${EPOCHREALTIME/[.,]/}
  exits 69 weirctl topics check --timeout 1500ms
  local took=$(((${EPOCHREALTIME/[.,]/} - began) / 1000))
  ((took >= 1400 && took < 6000)) || fail "took $took ms"
  contains "error" "no broker of 127.0.0.1:1 answered" "$output"
  exits 69 weirctl topics apply --timeout 500ms
}

test_command_line() {
  work_dir
  write_conf 127.0.0.1:1 false 3
  exits 0 weirctl --help
  contains "help" "topics apply" "$output"
  exits 0 weirctl --version
  exits 0 weirctl --check-config
  exits 64 weirctl
  exits 64 weirctl topics
  contains "error" "topics needs a verb: plan, apply, check" "$output"
  exits 64 weirctl topics destroy
  contains "error" "topics has no verb destroy, but plan, apply, check" "$output"
  exits 64 weirctl topcis plan --help
  contains "error" "no such command: topcis" "$output"
  exits 0 weirctl help topics
  contains "help of a group" "topics apply" "$output"
  exits 0 weirctl help acl plan
  contains "help of a command" "--strimzi" "$output"
  equals "help" "$("$WEIRCTL" --help)" "$("$WEIRCTL" help)"
  equals "help" "$("$WEIRCTL" --help)" "$("$WEIRCTL" -h)"
  exits 64 weirctl -x
  contains "error" "-x is unknown" "$output"
  exits 0 weirctl topics --help
  contains "help of a group" "topics apply" "$output"
  lacks "help of a group" "dlq" "$output"
  exits 64 weirctl topics plan surplus
  exits 64 weirctl topics plan --bogus
  contains "error" "--bogus" "$output"
  exits 64 weirctl topics check --timeout 30
  contains "error" "--timeout" "$output"
  exits 64 weirctl topics check --timeout
}

test_output_that_is_lost_is_74() {
  work_dir
  write_conf 127.0.0.1:1 false 3
  local command
  for command in 'acl plan' 'topics plan --json' --help --version 'completion bash'; do
    exits 74 bash -c '"$@" >/dev/full' full "$WEIRCTL" --config "$WORK/weir.conf" $command
    contains "$command" "weirctl: the output could not be written" "$output"
  done
  exits 64 bash -c '"$1" topics >/dev/full' full "$WEIRCTL"
}

test_help_and_manual_know_every_flag() {
  local man=$WEIR_SOURCE/deploy/weirctl/weirctl.8 commands command flag section
  exits 0 groff -man -Tutf8 -ww -z "$man"
  equals "what groff says of the manual" "" "$output"
  mapfile -t commands < <("$WEIRCTL" --help | sed -nE 's/^  ([a-z]+( [a-z-]+)?) {2,}.*/\1/p')
  ((${#commands[@]} >= 25)) || fail "--help lists ${#commands[@]} commands only"
  for command in "${commands[@]}"; do
    grep -qE "^\.B.*\"?${command//-/\\\\-}" "$man" || fail "$command is not in $man"
    exits 0 "$WEIRCTL" $command --help
    contains "$command" "usage: weirctl $command" "$output"
    section=$(sed -nE "/^\.SH FLAGS( OF ${command%% *})?\$/I,/^\.SH EXIT/p" "$man")
    for flag in $(grep -o '^  --[a-z-]*' <<<"$output"); do
      grep -qwF -- "${flag//-/\\-}" <<<"$section" || fail "$flag of $command is not in $man"
    done
  done
  contains "a default" "(default 100)" "$("$WEIRCTL" dlq redrive --help)"
  lacks "flags of another verb" "--rate" "$("$WEIRCTL" dlq purge --help)"
}

test_a_topic_that_is_not_there_is_named_and_not_made() {
  start_devbroker
  local verb
  for verb in list stats 'show 0/0'; do
    exits 64 weirctl dlq $verb --topic mistyped.dlq
    equals "$verb" "weirctl: --topic: topic mistyped.dlq does not exist" "$output"
  done
  exits 64 weirctl group show --service store --topic mistyped
  contains "group" "--topic mistyped: service store does not read it" "$output"
  exits 64 weirctl group show --service store --partition 3
  contains "group" "--partition 3: no topic of service store has it" "$output"
  lacks "topics" mistyped "$(kcat -b "$(<"$WORK/address")" -L)"
}

test_dead_letters_on_the_dev_broker() {
  start_devbroker
  exits 0 weirctl dlq list --service store
  equals "none" "no such dead letters" "$output"
  printf 'o-1|{"orderID":"o-1",' | kcat -b "$(<"$WORK/address")" -P -t orders.store.dlq -p 1 -K '|' \
    -H __dlq.errors.topic=orders -H __dlq.errors.partition=1 -H __dlq.errors.offset=7 -H weir-disposition=invalid
  exits 0 weirctl dlq redrive --service store '--set=={"orderID":"o-1"}'
  contains "answer" "redrove 1 letters; 0 were redriven before, 0 are left" "$output"
  exits 0 weirctl dlq redrive --service store
  contains "answer" "redrove 0 letters; 1 were redriven before, 0 are left" "$output"
  equals "the record" '{"orderID":"o-1"} orders/1/7' \
    "$(kcat -b "$(<"$WORK/address")" -C -t orders.store.retry -o beginning -c 1 -e -q -J | jq -r '"\(.payload) \(.headers[.headers|index("weir-origin")+1])"')"
  exits 78 weirctl dlq purge --service store --yes 1/0
  contains "reason" "the dev broker can't delete records" "$output"
}

test_letters_steer_no_terminal() {
  start_devbroker
  printf 'o-1|a\302\233b\342\200\256c\363\240\201\201d\177e\303\244' | kcat -b "$(<"$WORK/address")" -P -t orders.store.dlq -p 1 -K '|' \
    -H __dlq.errors.topic=orders -H $'weir-reason=\302\233\342\200\256'
  local verb
  for verb in list 'show orders.store.dlq/1/0'; do
    exits 0 weirctl dlq $verb --service store --json
    lacks "$verb" $'\302\233' "$output"
    lacks "$verb" $'\342\200\256' "$output"
  done
  contains "escaped" 'a\u009bb\u202ec\udb40\udc41d\u007feä' "$output"
  equals "the value" $'a\302\233b\342\200\256c\363\240\201\201d\177e\303\244' "$(jq -r '[.. | strings | select(startswith("a\u009b"))][0]' <<<"$output")"
}

test_a_password_is_not_repeated() {
  work_dir
  write_conf 127.0.0.1:1 true 3
  printf '%s\n' '[service mails]' 'plugin = notifier' 'topics = orders.changes' 'notifier.from = a@example.com' 'notifier.to = b@example.com' \
    'notifier.smtp = user:geheim@mail:25' '[gateway]' 'store.url = http://u:geheim@store:80' >>"$WORK/weir.conf"
  exits 78 weirctl config check
  lacks "password" geheim "$output"
  contains "notifier" "notifier.smtp: a server is host:port" "$output"
  contains "gateway" "store.url = ***: expected http://host:port/path" "$output"
  exits 64 weirctl send /v1/orders --url http://u:geheim@127.0.0.1:1
  lacks "password" geheim "$output"
}

test_bad_configurations_are_78_with_a_place() {
  work_dir
  write_conf 127.0.0.1:1 false 3
  echo 'nonsense = 1' >>"$WORK/weir.conf"
  exits 78 weirctl topics plan
  contains "error" "weir.conf:" "$output"
  exits 78 "$WEIRCTL" --config "$WORK/absent.conf" topics plan
  contains "error" "absent.conf" "$output"
}

run_case "$@"
