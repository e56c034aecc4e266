#!/bin/bash
# `weirctl acl plan` on a secure Kafka: with what it prints every program works under its own principal, and may do nothing else.
. "$(dirname -- "${BASH_SOURCE[0]}")/../integration/lib/check.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/../integration/lib/kafka.sh"

MECHANISM=mtls # or scram: how every program says who it is
declare -A MANAGED

write_conf() { # PRINCIPAL: how it connects, and what all have
  {
    printf '[kafka]\nreplication.factor = 1\nmin.insync.replicas = 1\n'
    sed 's/=/ = /' "$KAFKA_CLIENTS/$1-$MECHANISM.conf"
    cat <<EOF
[gateway]
listen = $GATEWAY
management.listen = ${MANAGED[gateway]}
[collection orders]
key = orderID
partitions = 2
[service store]
plugin = store
topics = orders
management.listen = ${MANAGED[store]}
state.dir = $WORK/store
store.path = $WORK/store/db
store.listen = $READS
store.free.min = 64MiB
[service notifier]
plugin = notifier
topics = orders.changes
management.listen = ${MANAGED[notifier]}
state.dir = $WORK/notifier
notifier.smtp = $(cat "$WORK/smtp" 2>/dev/null || echo 127.0.0.1:25)
notifier.from = orders@example.com
notifier.to = team@example.com
notifier.listen = $MAILS
EOF
  } >"$WORK/$1.conf"
  chmod 600 "$WORK/$1.conf"
}

start() { # NAME COMMAND...
  local name=$1
  shift
  "$@" --config "$WORK/$name.conf" >"$WORK/$name.log" 2>&1 &
  started+=($!)
  at_exit "kill $! 2>/dev/null; wait $! 2>/dev/null"
}
start_all() {
  start gateway "$WEIR_BUILD/bin/weir-gateway"
  start store "$WEIR_BUILD/bin/weir-consumer" --service store
  start notifier "$WEIR_BUILD/bin/weir-consumer" --service notifier
}
stop_all() {
  kill "${started[@]}"
  wait "${started[@]}" || :
  started=()
}

# What the plan says, as an administrator runs it. A call takes a second: lines that differ in their topic are one.
kafka-acls.sh() { kafka_tool acls --bootstrap-server "$KAFKA_MTLS" "${@:3}"; }
by_topics() {
  awk -F ' --topic ' '/^kafka-acls/ { topics[$1] = topics[$1] (NF > 1 ? FS $2 : "") } END { for (line in topics) print line topics[line] }'
}
apply_plan() {
  "$WEIR_BUILD/bin/weirctl" --config "$WORK/weirctl.conf" acl plan --command-config "$KAFKA_CLIENTS/admin-mtls.properties" | by_topics >"$WORK/plan"
  . "$WORK/plan" >"$WORK/acls.log" 2>&1 || fail "$(tail -n 5 "$WORK/acls.log")"
}

stage() {
  work_dir
  kafka_up --secure
  local ports
  read -ra ports < <("$KAFKA_TOOLS/free-ports" 6)
  ports=("${ports[@]/#/127.0.0.1:}")
  GATEWAY=${ports[0]} READS=${ports[1]} MAILS=${ports[2]}
  MANAGED=([gateway]=${ports[3]} [store]=${ports[4]} [notifier]=${ports[5]})
  mkdir "$WORK/store" "$WORK/notifier"
  /usr/bin/python3 -B "$WEIR_SOURCE/deploy/mail-sink" --listen 127.0.0.1:0 --maildir "$WORK/mail" --address-file "$WORK/smtp" >/dev/null 2>&1 &
  at_exit "kill $! 2>/dev/null"
  eventually 10 test -s "$WORK/smtp"
  local name
  for name in weirctl gateway store notifier; do write_conf "$name"; done
  apply_plan
}

answers() { [[ $(curl -s -o /dev/null -w '%{http_code}' "$@") == 200 ]]; }
accepted() { [[ $(curl -s -o /dev/null -w '%{http_code}' "http://$GATEWAY/v1/orders" -H 'content-type: application/json' -d "$1") == 202 ]]; }
letters() { "$WEIR_BUILD/bin/weirctl" --config "$WORK/weirctl.conf" dlq list --service store 2>&1; }
has_letter() { [[ $(letters | tee "$WORK/letters") == *o-2*invalid* ]]; }
has_mail() { [[ -n $(ls "$WORK/mail/new" 2>/dev/null) ]]; }

tells_mails() { [[ $(curl -s "http://$GATEWAY/v1/orders/o-1:journey") == *'"status":"sent"'* ]]; }

may_not_read() { # PRINCIPAL TOPIC
  output=$(kcat -F "$KAFKA_CLIENTS/$1-mtls.conf" -C -t "$2" -p 0 -o beginning -e -q 2>&1) && fail "$1 reads $2"
  contains "$1 reads $2" "authorization failed" "$output"
}
may_not_write() { # PRINCIPAL TOPIC
  output=$(kcat -F "$KAFKA_CLIENTS/$1-mtls.conf" -P -t "$2" -K: -X message.timeout.ms=10000 2>&1 <<<k:v) && fail "$1 writes $2"
  contains "$1 writes $2" "authorization failed" "$output"
}

check_order_goes_the_whole_way() {
  eventually 60 accepted '{"orderID":"o-1","total":19.99}'
  eventually 60 answers "http://$GATEWAY/v1/orders/o-1"
  eventually 60 has_mail
  eventually 60 tells_mails
}

test_every_program_works_and_may_do_nothing_else() {
  local topic
  stage
  exits 0 "$WEIR_BUILD/bin/weirctl" --config "$WORK/weirctl.conf" topics apply
  start_all
  check_order_goes_the_whole_way
  kcat -F "$KAFKA_CLIENTS/admin-mtls.conf" -P -t orders -K'|' -X topic.partitioner=murmur2_random <<<'o-2|{"orderID":'
  eventually 60 has_letter
  exits 0 "$WEIR_BUILD/bin/weirctl" --config "$WORK/weirctl.conf" dlq redrive --service store --key o-2 '--set=={"orderID":"o-2"}'
  eventually 60 answers "http://$GATEWAY/v1/orders/o-2"

  for topic in orders orders.changes orders.store.dlq orders.store.outcomes; do may_not_read gateway "$topic"; done
  for topic in orders.changes orders.store.retry orders.store.dlq; do may_not_write gateway "$topic"; done
  for topic in orders orders.changes.notifier.retry orders.changes.notifier.notifications; do may_not_write store "$topic"; done
  for topic in orders.store.dlq orders.changes.notifier.notifications; do may_not_read store "$topic"; done
  for topic in orders orders.changes orders.store.retry orders.store.outcomes; do may_not_write notifier "$topic"; done
  may_not_read notifier orders
  for topic in orders orders.changes orders.store.outcomes orders.store.dlq; do may_not_write weirctl "$topic"; done
  may_not_read weirctl orders.store.outcomes
}

told() { # STATUS PATH [BODY]: what the gateway answers, of that status
  local body=("${@:3}")
  output=$(curl -s -w '\n%{http_code}' "http://$GATEWAY$2" ${body:+-H 'content-type: application/json' -d "$body"})
  [[ ${output##*$'\n'} == "$1" ]]
}
tells_change() { told 200 "/v1/orders:changes?since=earliest" && [[ $output == *'"key":"o-1"'* ]]; }
stream() { # NAME CURL'S ARGUMENTS...: what the gateway streams, into the file of that name
  curl -sN -H 'accept: text/event-stream' "${@:2}" >"$WORK/$1" &
  at_exit "kill $! 2>/dev/null"
}
streamed() { grep -q "\"key\":\"$2\"" "$WORK/$1"; } # NAME KEY
place_behind() { sed -n "/^id: /h; /\"key\":\"$2\"/{x; s/^id: //p; q}" "$WORK/$1"; }
has_told_letter() { told 200 /v1/dlq && [[ $output == *'"open":1,'* ]]; }

test_a_gateway_with_feed_and_dead_letters_may_do_that_too() {
  local topic
  export WEIR_GATEWAY_FEED=on WEIR_GATEWAY_DLQ=on
  stage
  exits 0 "$WEIR_BUILD/bin/weirctl" --config "$WORK/weirctl.conf" topics apply
  start gateway "$WEIR_BUILD/bin/weir-gateway"
  start store "$WEIR_BUILD/bin/weir-consumer" --service store
  eventually 60 accepted '{"orderID":"o-1","total":19.99}'
  eventually 60 tells_change
  stream all "http://$GATEWAY/v1/orders:changes?since=earliest"
  eventually 60 streamed all o-1
  kcat -F "$KAFKA_CLIENTS/admin-mtls.conf" -P -t orders -K'|' -X topic.partitioner=murmur2_random <<<'o-2|{"orderID":'
  eventually 60 has_told_letter
  told 200 /v1/dlq/store/letters:redrive '{"set":[{"pointer":"","value":{"orderID":"o-2"}}]}' || fail "the redrive: $output"
  contains "the redrive" '"sent":1,"already":0' "$output"
  eventually 60 answers "http://$GATEWAY/v1/orders/o-2"
  told 200 /v1/dlq/store/letters:redrive '{}' || fail "the second redrive: $output"
  contains "the second redrive" '"sent":0,"already":1' "$output"
  eventually 60 streamed all o-2
  stream rest -H "last-event-id: $(place_behind all o-1)" "http://$GATEWAY/v1/orders:changes"
  eventually 60 streamed rest o-2
  lacks "what comes behind o-1" '"key":"o-1"' "$(cat "$WORK/rest")"

  for topic in orders orders.store.outcomes; do may_not_read gateway "$topic"; done
  for topic in orders.changes orders.store.dlq orders.store.outcomes; do may_not_write gateway "$topic"; done
}

says() { grep -q "$2" "$WORK/$1.log"; } # NAME TEXT
is_ready() { [[ $(curl -s "http://${MANAGED[$1]}/readyz") == '{"ready":true'* ]]; }

check_debians_library_is_refused() {
  local command
  for command in weir-gateway "weir-consumer --service store" "weir-consumer --service notifier"; do
    # shellcheck disable=SC2086
    exits 78 env -u LD_LIBRARY_PATH timeout 60 "$WEIR_BUILD/bin/"$command --config "$WORK/gateway.conf"
    contains "$command" "sasl.mechanism: librdkafka 2.0.2 cannot do SCRAM against Kafka 4.x" "$output"
  done
}

check_wrong_password_is_told() {
  local name
  sed -i.right 's/^\(sasl.password = \).*/\1wrong/' "$WORK"/{gateway,store,notifier}.conf
  start_all
  for name in gateway store notifier; do
    eventually 60 says "$name" "invalid credentials with SASL mechanism SCRAM-SHA-512"
    eventually 60 says "$name" "kafka.waiting"
    is_ready "$name" && fail "$name is ready without Kafka"
  done
  stop_all
  for name in gateway store notifier; do mv "$WORK/$name.conf.right" "$WORK/$name.conf"; done
}

test_scram_works_on_the_newest_librdkafka() {
  LD_LIBRARY_PATH=$("$WEIR_SOURCE/tests/support/newest" librdkafka) || exit
  export LD_LIBRARY_PATH
  MECHANISM=scram
  local name
  stage
  exits 0 "$WEIR_BUILD/bin/weirctl" --config "$WORK/weirctl.conf" topics apply
  check_debians_library_is_refused
  check_wrong_password_is_told
  start_all
  check_order_goes_the_whole_way
  for name in gateway store notifier; do eventually 60 is_ready "$name"; done
}

run_case "$@"
