#!/bin/bash
# Three brokers lose one and go on.
. "$(dirname -- "${BASH_SOURCE[0]}")/../integration/lib/check.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/../integration/lib/kafka.sh"

RECORDS=200

produce_from() { # FIRST
  seq "$1" $(($1 + RECORDS - 1)) | sed 's/.*/k&:v&/' |
    kcat -b "$KAFKA" -P -t t -K: -X acks=all -X topic.partitioner=murmur2_random -X message.timeout.ms=60000
}

test_a_killed_broker() {
  kafka_up --brokers 3
  kafka_tool topics --bootstrap-server "$KAFKA" --create --topic t --partitions 3 \
    --replication-factor 3 --config min.insync.replicas=2 >/dev/null
  produce_from 1
  kafka_broker kill 2
  produce_from 1001
  equals "records with two brokers" $((2 * RECORDS)) "$(kcat -b "$KAFKA" -C -t t -e -q | sort -u | wc -l)"
  kafka_broker start 2
  produce_from 2001
  equals "records with all brokers" $((3 * RECORDS)) "$(kcat -b "$KAFKA" -C -t t -e -q | sort -u | wc -l)"
}

run_case "$@"
