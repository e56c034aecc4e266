#!/bin/bash
# `weirctl acl plan` on a secure Kafka: with what it prints every program works under its own principal, and may do nothing else.
. "$(dirname -- "${BASH_SOURCE[0]}")/../integration/lib/check.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/../integration/lib/kafka.sh"

write_conf() { # PRINCIPAL: its certificate, and what all have
  {
    printf '[kafka]\nbootstrap.servers = %s\nreplication.factor = 1\nmin.insync.replicas = 1\n' "$KAFKA_MTLS"
    sed -n 's/^\(security\|ssl\)\([^=]*\)=/\1\2 = /p' "$KAFKA_CLIENTS/$1-mtls.conf"
    cat <<EOF
[gateway]
listen = $GATEWAY
management.listen = 127.0.0.1:0
[collection orders]
key = orderID
partitions = 2
[service store]
plugin = store
topics = orders
state.dir = $WORK/store
store.path = $WORK/store/db
store.listen = $READS
store.free.min = 64MiB
[service notifier]
plugin = notifier
topics = orders.changes
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
  at_exit "kill $! 2>/dev/null; wait $! 2>/dev/null"
}

# What the plan says, as an administrator runs it.
kafka-acls.sh() { kafka_tool acls "$@"; }
apply_plan() {
  "$WEIR_BUILD/bin/weirctl" --config "$WORK/weirctl.conf" acl plan --command-config "$KAFKA_CLIENTS/admin-mtls.properties" >"$WORK/plan"
  . "$WORK/plan" >"$WORK/acls.log" 2>&1 || fail "$(tail -n 5 "$WORK/acls.log")"
}

stage() {
  work_dir
  kafka_up --secure
  local ports
  read -ra ports < <("$KAFKA_TOOLS/free-ports" 3)
  GATEWAY=127.0.0.1:${ports[0]} READS=127.0.0.1:${ports[1]} MAILS=127.0.0.1:${ports[2]}
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

test_every_program_works_and_may_do_nothing_else() {
  local topic
  stage
  exits 0 "$WEIR_BUILD/bin/weirctl" --config "$WORK/weirctl.conf" topics apply
  start gateway "$WEIR_BUILD/bin/weir-gateway"
  start store "$WEIR_BUILD/bin/weir-consumer" --service store
  start notifier "$WEIR_BUILD/bin/weir-consumer" --service notifier
  eventually 60 accepted '{"orderID":"o-1","total":19.99}'
  eventually 60 answers "http://$GATEWAY/v1/orders/o-1"
  eventually 60 has_mail
  eventually 60 tells_mails
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

run_case "$@"
