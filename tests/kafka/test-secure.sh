#!/bin/bash
# The --secure form: who may come in by which mechanism, and who may not.
. "$(dirname -- "${BASH_SOURCE[0]}")/../integration/lib/check.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/../integration/lib/kafka.sh"

secure_up() {
  kafka_up --secure "$@"
  admin topics --create --topic t --partitions 1 >/dev/null
}

admin() { kafka_tool "$1" --bootstrap-server "$KAFKA_MTLS" --command-config "$KAFKA_CLIENTS/admin-mtls.properties" "${@:2}"; }
allow() { admin acls --add --allow-principal "User:$1" --operation "$2" --topic t >/dev/null; }
put() { kcat -F "$KAFKA_CLIENTS/$1.conf" -P -t t -K: -X message.timeout.ms=10000 2>&1 <<<"$2"; }
all_records() { kcat -F "$KAFKA_CLIENTS/admin-mtls.conf" -C -t t -e -q -f '%k=%s\n' 2>/dev/null; }

test_client_certificates_and_plain_are_one_principal() {
  secure_up
  allow gateway Write
  put gateway-mtls a:1 || fail "mutual TLS was refused"
  put gateway-plain b:2 || fail "SASL/PLAIN was refused"
  equals "records" $'a=1\nb=2' "$(all_records)"
}

test_principals_without_a_right_are_refused() {
  local conf
  secure_up
  allow gateway Write
  for conf in stranger-mtls stranger-plain; do
    output=$(put "$conf" a:1) && fail "$conf was let in"
    contains "$conf" "Topic authorization failed" "$output"
  done
  equals "records" "" "$(all_records)"
}

test_no_certificate_or_a_wrong_password_is_refused() {
  secure_up
  sed '/certificate\|key/d' "$KAFKA_CLIENTS/admin-mtls.conf" >"$KAFKA_DIR/bare.conf"
  exits 1 kcat -F "$KAFKA_DIR/bare.conf" -L -m 3
  sed 's/^sasl.password=.*/sasl.password=wrong/' "$KAFKA_CLIENTS/admin-plain.conf" >"$KAFKA_DIR/wrong.conf"
  exits 1 kcat -F "$KAFKA_DIR/wrong.conf" -L -m 3
  contains "wrong password" "Authentication failed" "$output"
  exits 1 kcat -b "$KAFKA" -L -m 3
}

# By the Java client: librdkafka 2.0.2 cannot do SCRAM with Kafka 4.
test_scram_works_by_the_java_client() {
  local java
  secure_up
  java=(--bootstrap-server "$KAFKA_SASL_SCRAM")
  allow gateway Write
  echo a:1 | kafka_tool produce "${java[@]}" --producer.config "$KAFKA_CLIENTS/gateway-scram.properties" --topic t \
    --property parse.key=true --property key.separator=:
  equals "records" "a=1" "$(all_records)"
  sed 's/password="[^"]*"/password="wrong"/' "$KAFKA_CLIENTS/gateway-scram.properties" >"$KAFKA_DIR/wrong.properties"
  exits 1 kafka_tool topics "${java[@]}" --command-config "$KAFKA_DIR/wrong.properties" --list
  contains "wrong password" "SaslAuthenticationException" "$output"
}

test_more_principals_can_be_made() {
  secure_up
  exits 0 "$KAFKA_TOOLS/client-cert" newcomer "$KAFKA_DIR"
  allow newcomer Write
  put newcomer-mtls a:1 || fail "the newcomer was refused"
  exits 64 "$KAFKA_TOOLS/client-cert" 'no/name' "$KAFKA_DIR"
}

test_secrets_are_in_closed_files_only() {
  local password
  kafka_up --secure
  equals "files that others can read" "" "$(find "$KAFKA_DIR" -perm /077)"
  for password in "$KAFKA_CLIENTS"/*.password; do
    password=$(<"$password")
    lacks "the command line" "$password" "$(tr '\0' ' ' <"/proc/$KAFKA_PIDS/cmdline")"
    lacks "the log" "$password" "$(cat -- "$KAFKA_DIR"/broker-1/*log)"
  done
}

run_case "$@"
