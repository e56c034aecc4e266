#!/bin/bash
# weir-devbroker as a program, seen by other clients of librdkafka.
. "$(dirname -- "${BASH_SOURCE[0]}")/../integration/lib/check.sh"

DEVBROKER=$WEIR_BUILD/bin/weir-devbroker

write_conf() { # DEV
  cat >"$WORK/weir.conf" <<CONF
[kafka]
bootstrap.servers = 127.0.0.1:1
dev = $1
[collection orders]
key = orderID
partitions = 3
[service store]
plugin = store
topics = orders
CONF
}

ended() { ! kill -0 "$1" 2>/dev/null; }
written() { [[ -s $1 ]]; }

start() {
  work_dir
  write_conf true
  "$DEVBROKER" --config "$WORK/weir.conf" --address-file "$WORK/address" >"$WORK/out" 2>"$WORK/log" &
  BROKER_PID=$!
  at_exit "kill $BROKER_PID 2>/dev/null"
  eventually 10 written "$WORK/address"
  KAFKA=$(<"$WORK/address")
}

test_serves_the_configured_topics() {
  start
  eventually 5 written "$WORK/out"
  equals "what it prints" "KAFKA=$KAFKA" "$(<"$WORK/out")"
  local topics
  topics=$(kcat -b "$KAFKA" -L | sed -n 's/^  topic "\(.*\)" with \([0-9]*\) partitions.*/\1 \2/p' | sort)
  equals "topics" "orders 3
orders.changes 3
orders.store.dlq 3
orders.store.outcomes 3
orders.store.retry 3" "$topics"
}

test_warns_that_nothing_is_kept() {
  start
  contains "log" "devbroker.volatile" "$(<"$WORK/log")"
  contains "log" "lost when it ends" "$(<"$WORK/log")"
}

test_keeps_keys_headers_and_nulls() {
  start
  printf 'o-1|{"a":1}\n' | kcat -b "$KAFKA" -P -t orders -p 1 -K '|' -H ce_id=r-1 -X acks=all
  printf 'o-1|\n' | kcat -b "$KAFKA" -P -t orders -p 1 -K '|' -Z -X acks=all
  equals "records" 'o-1 7 ce_id=r-1 {"a":1}
o-1 -1  ' "$(kcat -b "$KAFKA" -C -t orders -p 1 -e -q -f '%k %S %h %s\n')"
}

test_transactions_and_groups_work() {
  start
  printf 'a|1\nb|2\n' | kcat -b "$KAFKA" -P -t orders -p 0 -K '|'
  timeout 60 /usr/bin/python3 - "$KAFKA" <<'PYTHON'
import sys
from confluent_kafka import Consumer, Producer, TopicPartition

servers = {"bootstrap.servers": sys.argv[1]}
consumer = Consumer({**servers, "group.id": "g", "auto.offset.reset": "earliest", "enable.auto.commit": False,
                     "isolation.level": "read_committed"})
producer = Producer({**servers, "transactional.id": "g.one", "transaction.timeout.ms": 15000, "message.timeout.ms": 15000})
producer.init_transactions(15)
consumer.subscribe(["orders"])
read = []
while len(read) < 2:
    message = consumer.poll(20)
    assert message is not None, "no record within 20 s"
    assert message.error() is None, message.error()
    read.append(message)
producer.begin_transaction()
for message in read:
    producer.produce("orders.changes", key=message.key(), value=b"done " + message.value(), partition=message.partition())
producer.send_offsets_to_transaction([TopicPartition("orders", 0, read[-1].offset() + 1)], consumer.consumer_group_metadata(), 15)
producer.commit_transaction(15)
# librdkafka 2.0.2 forgets the offsets of a transaction; those of a plain commit it keeps.
consumer.commit(offsets=[TopicPartition("orders", 0, 2)], asynchronous=False)
assert consumer.committed([TopicPartition("orders", 0)], 15)[0].offset == 2
consumer.close()
PYTHON
  equals "committed records" $'a done 1\nb done 2' "$(kcat -b "$KAFKA" -C -t orders.changes -p 0 -e -q -f '%k %s\n' -X isolation.level=read_committed)"
}

test_ends_on_sigterm_and_sigint() {
  local signal rc
  for signal in TERM INT; do
    start
    kill -"$signal" "$BROKER_PID"
    eventually 10 ended "$BROKER_PID"
    rc=0
    wait "$BROKER_PID" || rc=$?
    equals "exit status after $signal" 0 "$rc"
  done
}

test_refuses_a_configuration_of_a_real_cluster() {
  work_dir
  write_conf false
  exits 78 "$DEVBROKER" --config "$WORK/weir.conf"
  contains "error" "dev is not true" "$output"
  contains "error" "$WORK/weir.conf" "$output"
}

test_command_line() {
  work_dir
  write_conf true
  exits 0 "$DEVBROKER" --help
  contains "help" "keeps nothing on disk" "$output"
  exits 0 "$DEVBROKER" --version
  exits 0 "$DEVBROKER" --config "$WORK/weir.conf" --check-config
  exits 64 "$DEVBROKER" --bogus
  contains "error" "--bogus" "$output"
  exits 64 "$DEVBROKER" --config
  exits 64 "$DEVBROKER" surplus
  exits 78 "$DEVBROKER" --config "$WORK/absent.conf"
  contains "error" "absent.conf" "$output"
  exits 75 "$DEVBROKER" --config "$WORK/weir.conf" --address-file "$WORK/no/such/folder"
}

run_case "$@"
