#!/bin/bash
# The notifier in weir-consumer on real Kafka: one mail for each event, whatever the mail server does meanwhile.
. "${WEIR_SOURCE:?}/tests/integration/lib/check.sh"
. "$WEIR_SOURCE/tests/integration/lib/kafka.sh"
BIN=${WEIR_BUILD:?}/bin

# A configuration whose mail server is $SMTP.
configure() { # KAFKA
  local ports
  [[ -x $BIN/weir-consumer && -x $BIN/weirctl ]] || fail "$BIN holds no programs"
  work_dir
  read -ra ports <<<"$("$WEIR_SOURCE/tests/kafka/free-ports" 3)"
  SMTP=127.0.0.1:${ports[0]} MANAGEMENT=127.0.0.1:${ports[1]} READS=127.0.0.1:${ports[2]}
  cat >"$WORK/weir.conf" <<CONF
[kafka]
bootstrap.servers = $1
replication.factor = 1
min.insync.replicas = 1
[kafka.consumer]
session.timeout.ms = 6000
[collection orders]
key = orderID
partitions = 6
[service notifier]
plugin = notifier
topics = orders.changes
management.listen = $MANAGEMENT
state.dir = $WORK/notifier
retry.backoff = 200ms
retry.backoff.max = 500ms
notifier.smtp = $SMTP
notifier.from = weir@example.com
notifier.to = team@example.org
notifier.hostname = host.example.com
notifier.listen = $READS
CONF
  mkdir "$WORK/notifier"
}

# A cluster with its topics, and the configuration.
begin() {
  kafka_up --brokers 1
  configure "$KAFKA"
  "$BIN/weirctl" --config "$WORK/weir.conf" topics apply >"$WORK/topics.log" 2>&1 || fail "$(cat "$WORK/topics.log")"
}

start_sink() {
  "$WEIR_SOURCE/deploy/mail-sink" --listen "$SMTP" --maildir "$WORK/mail" --address-file "$WORK/address" >"$WORK/sink.log" 2>&1 &
  SINK=$!
  at_exit "kill $SINK 2>/dev/null"
  eventually 20 test -s "$WORK/address"
}

start_notifier() {
  "$BIN/weir-consumer" --service notifier --config "$WORK/weir.conf" >>"$WORK/notifier.log" 2>&1 &
  NOTIFIER=$!
  at_exit "kill -9 $NOTIFIER 2>/dev/null"
}

stop_notifier() {
  kill -TERM "$NOTIFIER"
  wait "$NOTIFIER" || fail "the notifier ended with $?: $(tail -3 "$WORK/notifier.log")"
}

# events FIRST COUNT OP: change events of keys o-FIRST…; a delete has its tombstone behind it.
events() {
  local i
  for ((i = $1; i < $1 + $2; i++)); do
    if [[ $3 == d ]]; then
      printf 'o-%d\t{"op":"d","collection":"orders","key":"o-%d","version":2,"request":"req-%s-%d","ts_ms":1795243220123}\n' $i $i "$3" $i
      printf 'o-%d\t\n' $i
    else
      printf 'o-%d\t{"op":"%s","collection":"orders","key":"o-%d","version":1,"request":"req-%s-%d","ts_ms":1795243220123,"after":{"orderID":"o-%d","total":19.99}}\n' $i "$3" $i "$3" $i $i
    fi
  done
}

produce() { kcat -P -Z -b "$KAFKA" -t orders.changes -K '\t' -X topic.partitioner=murmur2_random; }
mails() { find "$WORK/mail/new" -type f 2>/dev/null | wc -l; }
has_mails() { (($(mails) >= $1)); }
dead_letters() { kcat -C -b "$KAFKA" -t orders.changes.notifier.dlq -e -q -f '%h\n'; }
has_dead_letters() { (($(dead_letters | wc -l) >= $1)); }
metric() { curl -s "http://$MANAGEMENT/metrics" | sed -n "s/^$1 //p"; }
# Of the six partitions, all of them taken.
lag_is_zero() { [[ $(curl -s "http://$MANAGEMENT/metrics" | awk '/^weir_lag\{/{n++; sum+=$2} END{print n ":" sum}') == 6:0 ]]; }
message_ids() { grep -h '^Message-ID:' "$WORK"/mail/new/* | sort -u | wc -l; }

test_one_mail_an_event() {
  begin
  events 0 1000 c | produce
  events 0 200 d | produce
  start_sink
  start_notifier
  eventually 60 has_mails 1200
  eventually 30 lag_is_zero
  equals "mails" 1200 "$(mails)"
  equals "different Message-IDs" 1200 "$(message_ids)"
  equals "dead letters" 0 "$(dead_letters | wc -l)"
  # Whoever asks is told; of another partition, by who has it.
  local partition answers=
  for partition in 0 1 2 3 4 5; do
    answers+=$(curl -s "http://$READS/deliveries/orders.changes/$partition?request=req-c-7")
  done
  equals "deliveries of a request" "team@example.org sent" "$(jq -rs '[.[].deliveries[]][0] | "\(.recipient) \(.status)"' <<<"$answers")"
  equals "a topic that is not read" 404 "$(curl -s -o /dev/null -w '%{http_code}' "http://$READS/deliveries/orders/0?request=r")"
  equals "a partition that there is not" 503 "$(curl -s -o /dev/null -w '%{http_code}' "http://$READS/deliveries/orders.changes/6?request=r")"
  stop_notifier
  # What was committed is not mailed again.
  events 5000 50 c | produce
  start_notifier
  eventually 60 has_mails 1250
  eventually 30 lag_is_zero
  equals "mails after a restart" 1250 "$(mails)"
  stop_notifier
}

test_an_outage_loses_nothing() {
  begin
  events 0 300 c | produce
  start_notifier
  eventually 60 grep -q smtp.blocked "$WORK/notifier.log"
  contains "the log" "Connection refused" "$(grep smtp.blocked "$WORK/notifier.log")"
  start_sink
  eventually 60 has_mails 300
  eventually 30 lag_is_zero
  equals "mails" 300 "$(mails)"
  equals "different Message-IDs" 300 "$(message_ids)"
  equals "dead letters" 0 "$(dead_letters | wc -l)"
  kill -TERM $SINK
  wait $SINK || fail "the sink ended with $?"
  rm "$WORK/address"
  events 1000 100 c | produce
  eventually 60 eval '[[ $(grep -c smtp.blocked "$WORK/notifier.log") -ge 2 ]]'
  start_sink
  eventually 60 has_mails 400
  eventually 30 lag_is_zero
  equals "mails" 400 "$(mails)"
  equals "dead letters" 0 "$(dead_letters | wc -l)"
  stop_notifier
}

test_no_event_is_a_dead_letter() {
  begin
  { events 0 20 c && printf 'o-3\t{"op":\no-4\t{"op":"c","collection":"orders","key":"a\\r\\nBcc: x@example.org","version":1,"ts_ms":1,"after":{}}\n' && events 100 20 c; } | produce
  start_sink
  start_notifier
  eventually 60 has_mails 40
  eventually 30 has_dead_letters 2
  eventually 30 lag_is_zero
  equals "mails" 40 "$(mails)"
  equals "dead letters" 2 "$(dead_letters | wc -l)"
  contains "dead letter" "weir-disposition=invalid" "$(dead_letters)"
  contains "dead letter" "weir-error-type=event" "$(dead_letters)"
  stop_notifier
}

test_a_refused_mail_is_a_dead_letter() {
  begin
  "$WEIR_SOURCE/tests/mail/refusing-server" "$SMTP" "550 5.1.1 no such user" >"$WORK/address" &
  at_exit "kill $! 2>/dev/null"
  eventually 20 test -s "$WORK/address"
  events 0 30 c | produce
  start_notifier
  eventually 60 has_dead_letters 30
  eventually 30 lag_is_zero
  equals "dead letters" 30 "$(dead_letters | wc -l)"
  contains "dead letter" "weir-error-type=smtp-550" "$(dead_letters)"
  contains "dead letter" "no such user" "$(dead_letters)"
  stop_notifier
}

# A refusal for now delays a mail and costs none; the mails of a key keep their order.
test_a_delayed_mail_arrives_in_order() {
  begin
  "$WEIR_SOURCE/tests/mail/refusing-server" "$SMTP" "451 4.7.1 come again" 2 >"$WORK/address" &
  at_exit "kill $! 2>/dev/null"
  eventually 20 test -s "$WORK/address"
  { events 0 1 c && events 0 1 u && events 0 1 d && events 10 30 c; } | produce
  start_notifier
  eventually 60 eval '(($(sort -u "$WORK/address" | grep -c "^taken") >= 33))'
  eventually 30 lag_is_zero
  equals "order" "created updated deleted " "$(sed -n 's/^taken: orders o-0 //p' "$WORK/address" | tr '\n' ' ')"
  equals "mails" 33 "$(grep -c '^taken' "$WORK/address")"
  equals "dead letters" 0 "$(dead_letters | wc -l)"
  stop_notifier
}

# Killed again and again: no mail is lost, and what is repeated is what one session had sent.
test_a_kill_loses_nothing() {
  begin
  events 0 3000 c | produce
  start_sink
  local kills=2 wanted i
  for ((i = 1; i <= kills; i++)); do
    start_notifier
    wanted=$(($(mails) + 250))
    eventually 70 has_mails "$wanted"
    kill -9 "$NOTIFIER"
    { wait "$NOTIFIER" || :; } 2>/dev/null
  done
  start_notifier
  eventually 90 eval '(($(message_ids) >= 3000))'
  eventually 30 lag_is_zero
  equals "different Message-IDs" 3000 "$(message_ids)"
  (($(mails) <= 3000 + kills * 100)) || fail "$(($(mails) - 3000)) mails were repeated by $kills kills"
  equals "dead letters" 0 "$(dead_letters | wc -l)"
  stop_notifier
}

# A mail server that writes down each Message-ID it takes, and nothing else.
start_counter() {
  "$WEIR_SOURCE/tests/mail/counting-server" "$SMTP" >"$WORK/taken" &
  at_exit "kill $! 2>/dev/null"
  eventually 20 test -s "$WORK/taken"
}
taken() { grep -c '^<' "$WORK/taken" || :; }
taken_once() { { grep '^<' "$WORK/taken" || :; } | sort -u | wc -l; }

# Killed every 3 s through 20,000 mails over four sessions: none is lost, and those that come twice are no more than were written and
# not answered yet, one a session, at the kills.
test_kills_through_20000_mails() {
  local kills=0 sessions=4
  begin
  cat >>"$WORK/weir.conf" <<CONF
instance.static = true
notifier.smtp.sessions = $sessions
CONF
  start_counter
  events 0 20000 c | produce
  while (($(taken_once) < 20000)); do
    start_notifier
    sleep 3 # the rhythm of the kills, not a wait for something
    kill -9 "$NOTIFIER"
    { wait "$NOTIFIER" || :; } 2>/dev/null
    ((++kills <= 400)) || fail "$(taken_once) of 20000 mails after $kills kills"
  done
  start_notifier
  eventually 120 lag_is_zero
  equals "mails" 20000 "$(taken_once)"
  equals "dead letters" 0 "$(dead_letters | wc -l)"
  printf '%d kills, %d mails came twice\n' "$kills" $(($(taken) - 20000))
  ((kills >= 2 && $(taken) - 20000 <= kills * sessions)) || fail "$(($(taken) - 20000)) mails came twice by $kills kills"
  stop_notifier
}

# sent COUNT: that many deliveries in the topic say so, of those that it holds now: kcat -e may find no end where more comes all the time.
sent() {
  /usr/bin/python3 -B - "$KAFKA" "$1" <<'PY'
import os, sys
sys.path.insert(0, os.environ["WEIR_SOURCE"] + "/tests/judge")
import source
topic = "orders.changes.notifier.notifications"
records = source.read(sys.argv[1], {topic: 6}, allow_trimmed=True)[topic]
sys.exit(sum(b'"status":"sent"' in record.value for record in records) != int(sys.argv[2]))
PY
}

# Another machine takes over while records wait for one of their two recipients: only the topic tells it that the other one has had theirs.
test_another_machine_knows_who_got_mails() {
  local refusing
  begin
  sed -i -e 's/^notifier.to = .*/notifier.to = team@example.org, late@example.org/' -e '/^retry.backoff = /i attempts = 100' "$WORK/weir.conf"
  "$WEIR_SOURCE/tests/mail/refusing-server" "$SMTP" "451 4.7.1 come again" 1000000 late@ >"$WORK/address" &
  refusing=$!
  at_exit "kill $refusing 2>/dev/null"
  eventually 20 test -s "$WORK/address"
  events 0 20 c | produce
  start_notifier
  eventually 60 sent 20
  kill -9 "$NOTIFIER" "$refusing"
  { wait "$NOTIFIER" "$refusing" || :; } 2>/dev/null
  equals "mails before" 20 "$(grep -c "^to: .*team" "$WORK/address")"
  rm -r "$WORK/notifier" "$WORK/address"
  mkdir "$WORK/notifier"
  start_sink
  start_notifier
  eventually 120 has_mails 20
  eventually 30 lag_is_zero
  equals "mails after" 20 "$(mails_to late)"
  eventually 30 sent 40
  equals "all mails after" 20 "$(mails)"
  stop_notifier
}

# subscription STATUS VERSION ENDPOINT: a change of subscription s-ENDPOINT, as the store would write it.
subscription() {
  printf 's-%s\t{"op":"u","collection":"subscriptions","key":"s-%s","version":%d,"ts_ms":1795243220123,"after":{"subscriptionID":"s-%s","status":"%s","endpoint":"%s@example.org","collection":"orders"}}\n' \
    "$3" "$3" "$2" "$3" "$1" "$3" | kcat -P -Z -b "$KAFKA" -t subscriptions.changes -K '\t' -X topic.partitioner=murmur2_random
}
mails_to() { grep -l "^To: <$1@example.org>" "$WORK"/mail/new/* 2>/dev/null | wc -l; }

# A cluster for subscribers alone.
subscribers_only() {
  kafka_up --brokers 1
  configure "$KAFKA"
  sed -i -e '/^notifier.to/d' -e 's/^topics = .*/topics = orders.changes, subscriptions.changes/' "$WORK/weir.conf"
  cat >>"$WORK/weir.conf" <<CONF
[collection subscriptions]
key = subscriptionID
[subscriptions]
url = https://shop.example.com
key = @file:$WORK/key
CONF
  openssl rand -hex 32 >"$WORK/key"
  "$BIN/weirctl" --config "$WORK/weir.conf" topics apply >"$WORK/topics.log" 2>&1 || fail "$(cat "$WORK/topics.log")"
}

# Whoever is confirmed when the notifier starts, or while it runs, gets mails, and who has left gets none; a pending one is asked.
test_subscribers_come_and_go() {
  subscribers_only
  subscription CONFIRMED 2 ada
  subscription PENDING 1 grace
  start_sink
  start_notifier
  eventually 60 eval '(($(mails_to grace) == 1))'
  grep -q 'https://shop.example.com/v1/subscriptions/s-grace:confirm?token=' "$WORK"/mail/new/* ||
    fail "the mail that asks holds no link"
  events 0 20 c | produce
  eventually 60 eval '(($(mails_to ada) == 20))'
  subscription CONFIRMED 2 grace
  eventually 30 eval '[[ $(metric weir_notifier_subscriptions) == 2 ]]'
  events 100 20 c | produce
  eventually 60 eval '(($(mails_to ada) == 40 && $(mails_to grace) == 21))'
  subscription UNSUBSCRIBED 3 ada
  eventually 30 eval '[[ $(metric weir_notifier_subscriptions) == 1 ]]'
  events 200 20 c | produce
  eventually 60 eval '(($(mails_to grace) == 41))'
  equals "mails to who has left" 40 "$(mails_to ada)"
  stop_notifier
}

# What was said of a subscription before an event counts for it, without any pause between the two; each event also has a mail to the team.
test_subscriptions_count_at_once() {
  local turn
  subscribers_only
  sed -i 's/^notifier.hostname/notifier.to = team@example.org\n&/' "$WORK/weir.conf"
  sed -i 's/^topics = .*/topics = orders.changes/' "$WORK/weir.conf"
  start_sink
  start_notifier
  for turn in 1 2 3 4 5 6; do
    subscription CONFIRMED $((2 * turn)) ada
    events $((100 * turn)) 1 c | produce
    eventually 60 eval "((\$(mails_to ada) == $turn))"
    subscription UNSUBSCRIBED $((2 * turn + 1)) ada
    events $((100 * turn + 50)) 1 c | produce
    eventually 30 eval "((\$(mails_to team) == 2 * $turn))"
  done
  eventually 30 lag_is_zero
  equals "mails to the one who came and went" 6 "$(mails_to ada)"
  stop_notifier
}

test_hostile_settings_are_refused() {
  configure 127.0.0.1:1
  local recipient
  for recipient in 'a@example.org>' 'a b@example.org' 'no-at' 'ä@example.org'; do
    sed -i "s/^notifier.to = .*/notifier.to = team@example.org,$recipient/" "$WORK/weir.conf"
    exits 78 "$BIN/weir-consumer" --service notifier --config "$WORK/weir.conf" --check-config
    contains "the error" "notifier.to" "$output"
    contains "the error" "weir.conf:" "$output"
  done
}

run_case "$@"
