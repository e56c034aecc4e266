#!/bin/bash
# weirctl doctor and purge on a secure Kafka: each fault that is planted is found, and nothing is left behind.
. "$(dirname -- "${BASH_SOURCE[0]}")/../integration/lib/check.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/../integration/lib/kafka.sh"

write_conf() { # PRINCIPAL: its certificate, and what all have
  {
    printf '[kafka]\nbootstrap.servers = %s\nreplication.factor = 1\nmin.insync.replicas = 1\n' "$KAFKA_MTLS"
    sed -n 's/^\(security\|ssl\)\([^=]*\)=/\1\2 = /p' "$KAFKA_CLIENTS/$1-mtls.conf"
    cat <<CONF
[gateway]
listen = 127.0.0.1:0
[collection orders]
key = orderID
partitions = 2
[service store]
plugin = store
topics = orders
state.dir = $WORK/store
store.path = $WORK/store/db
store.listen = 127.0.0.1:0
store.free.min = ${FREE:-64MiB}
[service notifier]
plugin = notifier
topics = orders.changes
state.dir = $WORK/notifier
notifier.smtp = ${SMTP:-$(cat "$WORK/smtp")}
notifier.from = orders@example.com
notifier.to = team@example.com
CONF
  } >"$WORK/$1.conf"
  chmod 600 "$WORK/$1.conf"
}

kafka-acls.sh() { kafka_tool acls "$@"; }
admin() { kafka_tool "$1" --bootstrap-server "$KAFKA_MTLS" --command-config "$KAFKA_CLIENTS/admin-mtls.properties" "${@:2}"; }
allow() { # PRINCIPAL OPTION...
  admin acls --add --allow-principal "User:$1" "${@:2}" >/dev/null
}

stage() {
  work_dir
  kafka_up --secure
  mkdir "$WORK/store" "$WORK/notifier"
  /usr/bin/python3 -B "$WEIR_SOURCE/deploy/mail-sink" --listen 127.0.0.1:0 --maildir "$WORK/mail" --address-file "$WORK/smtp" >/dev/null 2>&1 &
  at_exit "kill $! 2>/dev/null"
  eventually 10 test -s "$WORK/smtp"
  local name
  for name in weirctl gateway store notifier admin; do write_conf "$name"; done
  weirctl acl plan --command-config "$KAFKA_CLIENTS/admin-mtls.properties" >"$WORK/plan"
  . "$WORK/plan" >"$WORK/acls.log" 2>&1 || fail "$(tail -n 5 "$WORK/acls.log")"
  exits 0 weirctl topics apply
}

weirctl() { "$WEIR_BUILD/bin/weirctl" --config "$WORK/weirctl.conf" "$@"; }
doctor() {
  weirctl doctor --environment "$WORK" --credentials "$WORK" --principal "gateway=$WORK/gateway.conf" \
    --principal "store=$WORK/store.conf" --principal "notifier=$WORK/notifier.conf" "$@"
}
ills() { jq -r '[.findings[] | select(.level == "ill") | "\(.area): \(.what)"] | join("\n")' <<<"$output"; }
ends_of() { kafka_tool offsets --bootstrap-server "$KAFKA_MTLS" --command-config "$KAFKA_CLIENTS/admin-mtls.properties" 2>/dev/null | grep '^orders' | sort; }

check_well() {
  local before
  before=$(ends_of)
  exits 0 doctor --json
  equals "ills" "" "$(ills)"
  equals "who may do what it needs and nothing else" "gateway notifier store weirctl" \
    "$(jq -r '[.findings[] | select(.area == "rights" and .level == "well") | .what | split(" ")[0]] | sort | join(" ")' <<<"$output")"
  equals "unclear answers" "" "$(jq -r '.findings[] | select(.what | contains("no clear answer")) | .what' <<<"$output")"
  contains "disks" "MiB are free" "$output"
  contains "relays" "mail server $(<"$WORK/smtp") answers" "$output"
  equals "what stands in the topics" "$before" "$(ends_of)"
  exits 0 doctor
  contains "text" "well  topics" "$output"
}

# What runs with LD_PRELOAD=$WORK/skew.so believes that it is $SKEW_S seconds later.
make_skew() {
  cc -shared -fPIC -o "$WORK/skew.so" -x c - <<'C'
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now)
{
    const char *skew = getenv("SKEW_S");
    int rc = (int)syscall(SYS_clock_gettime, clock, now);
    now->tv_sec += skew != NULL && clock == CLOCK_REALTIME ? atol(skew) : 0;
    return rc;
}

time_t time(time_t *ret_seconds)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (ret_seconds != NULL)
        *ret_seconds = now.tv_sec;
    return now.tv_sec;
}
C
}
skewed() { LD_PRELOAD=$WORK/skew.so SKEW_S=$1 doctor --json; }
is_found_by_skewed() { # SECONDS TEXT
  output=$(skewed "$1") || :
  [[ $(ills) == *"$2"* ]]
}

check_clock_of_this_machine() {
  make_skew
  kcat -F "$KAFKA_CLIENTS/admin-mtls.conf" -P -t orders -K: -X topic.partitioner=murmur2_random \
    < <(while sleep 0.05; do echo 'o-1:{"orderID":"o-1"}'; done) &
  local traffic=$!
  at_exit "kill $traffic 2>/dev/null"
  eventually 60 is_found_by_skewed 5 "clocks: orders: this machine's clock is at least 4"
  contains "ahead" "ms ahead of the brokers'" "$(ills)"
  eventually 60 is_found_by_skewed -5 "clocks: orders: this machine's clock is at least 4"
  contains "behind" "ms behind the brokers'" "$(ills)"
  kill "$traffic"
}

check_certificate_of_relay() {
  openssl req -x509 -newkey rsa:2048 -nodes -days 3 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout "$WORK/relay.key" \
    -out "$WORK/relay.pem" 2>/dev/null
  /usr/bin/python3 -B "$WEIR_SOURCE/deploy/mail-sink" --listen 127.0.0.1:0 --maildir "$WORK/mail" --address-file "$WORK/smtps" \
    --certificate "$WORK/relay.pem" --key "$WORK/relay.key" >/dev/null 2>&1 &
  at_exit "kill $! 2>/dev/null"
  eventually 10 test -s "$WORK/smtps"
  local relay
  relay=localhost:$(cut -d: -f2 "$WORK/smtps")
  SMTP=$relay write_conf notifier
  printf 'notifier.smtp.starttls = required\nnotifier.smtp.ca = %s\n' "$WORK/relay.pem" >>"$WORK/notifier.conf"
  exits 0 doctor --json --expiry 1d
  contains "encrypted" "mail server $relay answers, encrypted" "$output"
  exits 1 doctor --json
  equals "ills" "relays: the certificate of the mail server $relay expires in 2 days" "$(ills)"
  exits 1 skewed $((4 * 86400))
  contains "expired" "relays: notifier: mail server $relay: the server's certificate is not accepted: certificate has expired" "$(ills)"
  write_conf notifier
}

check_planted_faults() {
  allow store --operation Write --topic orders
  allow gateway --operation Read --topic orders
  allow notifier --operation Read --group store
  allow notifier --operation Write --transactional-id store. --resource-pattern-type prefixed
  admin acls --remove --force --allow-principal User:notifier --operation Read --topic orders.changes >/dev/null
  admin acls --remove --force --allow-principal User:store --operation Write --transactional-id store. --resource-pattern-type prefixed >/dev/null
  admin configs --alter --entity-type topics --entity-name orders --add-config retention.ms=1000,unclean.leader.election.enable=true >/dev/null
  admin configs --alter --entity-type brokers --entity-default --add-config unclean.leader.election.enable=true >/dev/null
  admin topics --delete --topic orders.store.outcomes >/dev/null
  printf 'o-1:{}' | kcat -F "$KAFKA_CLIENTS/admin-mtls.conf" -P -t orders -K: -H "ce_time=$(date -u -d '+1 hour' +%Y-%m-%dT%H:%M:%S.000Z)"
  openssl req -x509 -newkey rsa:2048 -nodes -days 3 -subj /CN=gateway -keyout "$WORK/gateway.key" -out "$WORK/gateway.pem" 2>/dev/null
  FREE=900000GiB write_conf store
  SMTP="127.0.0.1:1, $(<"$WORK/smtp")" write_conf notifier
  sed -i "s|^\[gateway\]|&\ntls.certificate = $WORK/gateway.pem\ntls.key = $WORK/gateway.key|" "$WORK/gateway.conf"
  exits 1 doctor --json
  local found
  found=$(ills)
  contains "retention" "topics: orders: retention.ms is 1000, should be 604800000" "$found"
  contains "elections" "topics: orders: unclean.leader.election.enable is on" "$found"
  contains "elections by the brokers' default" "topics: orders.changes: unclean.leader.election.enable is on" "$found"
  contains "a missing topic" "topics: orders.store.outcomes: topic is missing" "$found"
  contains "needed" "rights: notifier may not read orders.changes" "$found"
  contains "needed" "rights: store may not begin transactions of store." "$found"
  contains "excess" "rights: store has no need to write orders" "$found"
  contains "excess" "rights: gateway has no need to read orders" "$found"
  contains "excess" "rights: notifier has no need to be in group store" "$found"
  contains "excess" "rights: notifier has no need to begin transactions of store." "$found"
  [[ $found =~ clocks:\ orders:\ the\ clock\ of\ a\ gateway\ is\ 3[56][0-9]{5}\ ms\ ahead ]] || fail "clocks: $found"
  contains "disk" "disks: store: " "$found"
  contains "relay" "relays: notifier: mail server 127.0.0.1:1: Connection refused" "$found"
  contains "certificate" "certificates: the gateway's certificate expires in 2 days" "$found"
  equals "an ill without a fix" "" "$(jq -r '.findings[] | select(.level == "ill" and .fix == null) | .what' <<<"$output")"
  contains "the fix of a right" "weirctl acl plan" "$(jq -r '.findings[] | select(.what == "notifier may not read orders.changes") | .fix' <<<"$output")"

  sed -i 's/^ssl.certificate.location.*/ssl.certificate.location = \/nowhere/' "$WORK/store.conf"
  exits 1 doctor --json
  contains "a principal that can't connect" "rights: store can't connect: " "$(ills)"
}

# What runs with LD_PRELOAD=$WORK/late.so gets no answer to its second list of topics, nor to its second question for settings.
make_late() {
  cc -shared -fPIC -o "$WORK/late.so" -x c - -ldl <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <librdkafka/rdkafka.h>

rd_kafka_resp_err_t rd_kafka_metadata(rd_kafka_t *kafka, int all, rd_kafka_topic_t *only,
    const struct rd_kafka_metadata **ret_metadata, int timeout_ms)
{
    static int lists;
    rd_kafka_resp_err_t (*real)(rd_kafka_t *, int, rd_kafka_topic_t *, const struct rd_kafka_metadata **, int) =
        dlsym(RTLD_NEXT, "rd_kafka_metadata");
    return all && ++lists == 2 ? RD_KAFKA_RESP_ERR__TIMED_OUT : real(kafka, all, only, ret_metadata, timeout_ms);
}

rd_kafka_resp_err_t rd_kafka_event_error(rd_kafka_event_t *event)
{
    static int settings;
    rd_kafka_resp_err_t (*real)(rd_kafka_event_t *) = dlsym(RTLD_NEXT, "rd_kafka_event_error");
    if (event != NULL && rd_kafka_event_type(event) == RD_KAFKA_EVENT_DESCRIBECONFIGS_RESULT && ++settings == 2)
        return RD_KAFKA_RESP_ERR__TIMED_OUT;
    return real(event);
}
C
}

check_what_is_not_answered() {
  make_late
  output=$(LD_PRELOAD=$WORK/late.so doctor --json) && fail "all is well"
  equals "ills" "topics: the brokers and the copies of topics could not be looked at: Local: Timed out (_TIMED_OUT)
topics: who may become leader could not be looked at: Local: Timed out (_TIMED_OUT)" "$(ills)"
  contains "fix" "see that all brokers are up" "$(jq -r '.findings[0].fix' <<<"$output")"
  lacks "a promise" "are as they should be" "$output"
  admin acls --remove --force --allow-principal User:weirctl --operation DescribeConfigs --topic orders >/dev/null
  exits 1 doctor --json
  contains "no right" "topics: reading the settings of orders: " "$(ills)"
  contains "fix" "give weirctl its rights" "$(jq -r '.findings[0].fix' <<<"$output")"
  allow weirctl --operation DescribeConfigs --topic orders
}

check_super_user_and_units() {
  exits 1 weirctl doctor --environment "$WORK" --credentials "$WORK" --principal "gateway=$WORK/admin.conf" --json
  contains "all of it" "rights: gateway has no need to change everybody's rights" "$(ills)"
  contains "units of this machine" "store connects by nothing of its own that could be found here" "$output"
  {
    printf 'WEIR_KAFKA_SSL_CERTIFICATE_LOCATION=%s\n' "$KAFKA_CERTS/store.pem"
    printf 'WEIR_KAFKA_SSL_KEY_LOCATION="%s"\n' "$KAFKA_CERTS/store.key"
  } >"$WORK/weir-consumer-store"
  exits 1 weirctl doctor --environment "$WORK" --credentials "$WORK" --principal "gateway=$WORK/admin.conf" --json
  contains "by the unit's variables" "store may do what it needs, and nothing else" "$output"
}

start_services() {
  local name
  for name in store notifier; do
    "$WEIR_BUILD/bin/weir-consumer" --service "$name" --config "$WORK/$name.conf" >"$WORK/$name.log" 2>&1 &
    eval "$name=$!"
    at_exit "kill $! 2>/dev/null; wait $! 2>/dev/null"
  done
}
has_offsets() { [[ -n $(admin groups --describe --group store 2>/dev/null | grep '^store .* orders ') ]]; }
things() { { admin topics --list; admin groups --list; admin acls --list | sed -n 's/^Current ACLs for resource//p'; ls "$WORK/store" "$WORK/notifier"; } 2>/dev/null | grep -v '^__'; }
as_admin() { "$WEIR_BUILD/bin/weirctl" --config "$WORK/admin.conf" "$@"; }

check_refusals() {
  printf 'o-1:{"orderID":"o-1"}' | kcat -F "$KAFKA_CLIENTS/admin-mtls.conf" -P -t orders -K: -X topic.partitioner=murmur2_random
  start_services
  eventually 60 has_offsets
  eventually 30 test -e "$WORK/notifier/ledger/CURRENT"
  exits 78 weirctl purge --dry-run # weirctl's own principal may not see all of it
  exits 0 as_admin purge --dry-run --json
  equals "kinds" "8 2" "$(jq -r '"\(.topics | length) \(.groups | length)"' <<<"$output")"
  cluster=$(jq -r .cluster <<<"$output")
  exits 69 as_admin purge --yes "$cluster"
  contains "who is in the way" "stop them on every machine" "$output"
  kill "$store" "$notifier"
  wait "$store" "$notifier" || :
  exits 64 as_admin purge
  contains "nobody to ask" "weirctl purge --yes $cluster" "$output"
  exits 64 as_admin purge --yes
  exits 64 as_admin purge --yes another
}

check_purge() {
  admin topics --create --topic theirs --partitions 1 >/dev/null
  allow theirs --operation Read --topic theirs --group theirs
  exits 0 as_admin purge --yes "$cluster" --timeout 60s
  contains "told" "removed topic orders.changes" "$output"
  contains "told" "removed folder $WORK/store/db" "$output"
  eventually 30 gone
  contains "others'" "theirs" "$(admin topics --list)"
  contains "others' rights" "name=theirs" "$(admin acls --list)"
  exits 0 as_admin purge --yes "$cluster"
  equals "a second time" "there is nothing of this deployment" "$output"
}

gone() { [[ $(things | grep -v theirs) == "" ]]; }

# One stage for all: an administrator's tool takes a second for each right.
test_doctor_finds_what_is_ill_and_purge_leaves_nothing() {
  stage
  check_well
  check_clock_of_this_machine
  check_certificate_of_relay
  check_what_is_not_answered
  check_super_user_and_units
  check_refusals
  check_planted_faults
  check_purge
}

write_plain_conf() {
  cat >"$WORK/weirctl.conf" <<CONF
[kafka]
bootstrap.servers = $KAFKA
replication.factor = 3
min.insync.replicas = 2
[collection orders]
key = orderID
partitions = 3
[service store]
plugin = store
topics = orders
state.dir = $WORK
store.free.min = 64MiB
CONF
}

plain() { kafka_tool "$1" --bootstrap-server "$KAFKA" "${@:2}" >/dev/null 2>&1; }
topics_ills() { # how they are mended, too
  output=$(weirctl doctor --environment "$WORK" --credentials "$WORK" --json) || :
  jq -r '.findings[] | select(.area == "topics" and .level != "well") | "\(.level) \(.what): \(.fix)"' <<<"$output"
}
are_well() { [[ $(topics_ills) == "" ]]; }
lack_copies() { [[ $(topics_ills) == *"orders.changes: 3 partitions have fewer copies in sync"*"orders.store.retry: 3 partitions have fewer"* ]]; }

# On the third broker alone are the outcomes; commands are taken with one copy in sync.
plant_few_copies() {
  plain topics --delete --topic orders.store.outcomes
  eventually 30 plain topics --create --topic orders.store.outcomes --replica-assignment 3,3,3 --config message.timestamp.type=LogAppendTime
  plain configs --alter --entity-type topics --entity-name orders --add-config min.insync.replicas=1
}
mend_few_copies() {
  plain topics --delete --topic orders.store.outcomes
  plain configs --alter --entity-type topics --entity-name orders --delete-config min.insync.replicas
  eventually 30 weirctl topics apply >/dev/null
}

test_doctor_names_lost_copies_until_they_are_back() {
  local found line
  work_dir
  kafka_up --brokers 3
  write_plain_conf
  exits 0 weirctl topics apply
  eventually 60 are_well
  plant_few_copies
  kafka_broker term 3
  eventually 60 lack_copies
  found=$(topics_ills)
  contains "two brokers" "note the cluster has 2 brokers: what a disk or a power cut takes is not elsewhere: run three brokers on three machines" "$found"
  contains "copies" "ill orders: 3 partitions have fewer copies in sync than they should: see which broker is down or slow" "$found"
  contains "leaders" "ill orders.store.outcomes: 3 partitions have no leader, so nothing is written or read there: start the brokers that hold them" "$found"
  contains "insync" "ill orders: min.insync.replicas is 1, should be at least 2: kafka-configs.sh" "$found"
  contains "the fix of insync" "--entity-name orders --add-config min.insync.replicas=2" "$found"
  exits 1 weirctl doctor
  for line in "ILL   topics       orders.store.outcomes: 3 partitions have no leader" "fix: see which broker is down or slow"; do
    contains "text" "$line" "$output"
  done
  WEIR_KAFKA_MIN_INSYNC_REPLICAS=1 exits 1 weirctl doctor
  contains "a configuration for one disk" "min.insync.replicas = 1: a 202 does not survive the loss of a disk" "$output"
  kafka_broker start 3
  mend_few_copies
  eventually 60 are_well
}

run_case "$@"
