#!/bin/bash
# weirctl's commands about the gateway: access keys, requests, journeys, what a configuration does.
. "$(dirname -- "${BASH_SOURCE[0]}")/../integration/lib/check.sh"

WEIRCTL=$WEIR_BUILD/bin/weirctl

write_conf() { # [LINE OF gateway]...
  {
    printf '[kafka]\nbootstrap.servers = %s\ndev = true\n[gateway]\n' "$(cat "$WORK/address" 2>/dev/null || echo 127.0.0.1:1)"
    printf '%s\n' "$@"
    cat <<CONF
[collection orders]
key = orderID
partitions = 3
schema = $WEIR_SOURCE/schemas/orders.schema.json
[collection notes]
key = noteID
[service store]
plugin = store
topics = orders, notes
state.dir = $WORK/store
store.path = $WORK/store/db
store.listen = ${READS:-127.0.0.1:0}
[service notifier]
plugin = notifier
topics = orders.changes
state.dir = $WORK/notifier
attempts = 4
retry.backoff = 2s
retry.backoff.max = 5s
notifier.smtp = 127.0.0.1:25
notifier.from = shop@example.com
notifier.to = team@example.com
[notify big]
collection = orders
to = after.email, boss@example.com
filter = {"after.total": [{"numeric": [">", 100]}]}
template = change
CONF
  } >"$WORK/weir.conf"
}

weirctl() { "$WEIRCTL" --config "$WORK/weir.conf" "$@"; }
of() { jq -r "$1" <<<"$output"; }

with_keys_file() {
  work_dir
  write_conf "auth = keys" "keys.file = $WORK/keys"
}

test_a_key_is_printed_once_and_kept_as_its_digest() {
  with_keys_file
  local key
  key=$(weirctl key add portal --scope orders:create --scope '*:read' 2>"$WORK/hint")
  [[ $key =~ ^[0-9a-f]{64}$ ]] || fail "a key: $key"
  contains "what a person is told" "systemctl reload weir-gateway" "$(<"$WORK/hint")"
  lacks "the file" "$key" "$(<"$WORK/keys")"
  contains "the file" "portal $(printf %s "$key" | sha256sum | cut -d ' ' -f 1) orders:create,*:read" "$(<"$WORK/keys")"
  equals "mode" 640 "$(stat -c %a "$WORK/keys")"
  exits 0 weirctl key list
  lacks "the list" "$(sed -n 's/^portal \([0-9a-f]*\) .*/\1/p' "$WORK/keys")" "$output"
  [[ $output =~ ^portal\ +key\ +orders:create,\*:read\ +20..-.*Z\ by\ [^\ ]+@ ]] || fail "the list: $output"
  exits 0 "$WEIR_BUILD/bin/weir-gateway" --config "$WORK/weir.conf" --check-config
}

test_the_file_of_keys_keeps_mode_comments_and_links() {
  with_keys_file
  printf '# ours\nold %064d orders:read' 7 >"$WORK/real"
  chmod 604 "$WORK/real"
  ln -s real "$WORK/keys"
  exits 0 weirctl key add shop --certificate dns=shop.example.org --scope orders:create --file "$WORK/keys" --json
  equals "answer" '{"name":"shop","scopes":"orders:create"}' "$output"
  exits 0 weirctl key add two --scope notes:read --json --file "$WORK/keys"
  equals "a key" 64 "$(of '.key | length')"
  equals "mode" 604 "$(stat -c %a "$WORK/real")"
  [[ -L $WORK/keys ]] || fail "the link is gone"
  equals "files" "keys real weir.conf" "$(ls "$WORK" | xargs)"
  exits 0 weirctl key list --json --file "$WORK/keys"
  equals "names" "old shop two" "$(of 'map(.name) | join(" ")')"
  equals "what is known of the old one" "null null" "$(of '.[0] | "\(.created) \(.certificate)"')"
  exits 0 weirctl key revoke shop --file "$WORK/keys"
  exits 0 weirctl key revoke two --file "$WORK/keys"
  equals "what is left" $'# ours\n'"old $(printf %064d 7) orders:read" "$(<"$WORK/real")"
}

test_a_scope_of_an_unknown_collection_is_told_of() {
  with_keys_file
  exits 0 weirctl key add a --scope notes:read,ordrs:read,orders:read --scope 'dlq:*' --scope '*:read'
  equals "warnings" "weirctl: --scope ordrs:read: the configuration has no [collection ordrs]" "$(grep -e --scope <<<"$output")"
}

test_what_is_no_key_changes_nothing() {
  with_keys_file
  exits 78 weirctl key list
  contains "reason" "$WORK/keys" "$output"
  exits 0 weirctl key add a --scope orders:read
  local before
  before=$(<"$WORK/keys")
  exits 64 weirctl key add a --scope orders:read
  contains "reason" "revoke it first" "$output"
  exits 64 weirctl key add b
  exits 64 weirctl key add 'b x' --scope orders:read
  exits 64 weirctl key add b --scope $'orders:read\nroot 1 *:*'
  local scope
  for scope in orders:fly :read orders 'orders:read,' ''; do
    exits 64 weirctl key add b --scope "$scope"
    contains "reason" "--scope $scope: it is written COLLECTION:VERB" "$output"
  done
  exits 64 weirctl key add 'b$' --scope orders:read
  equals "reason" "weirctl: b\$: a name is 1 to 63 letters, digits, dots, _ or -" "$output"
  exits 64 weirctl key add b --scope orders:read --certificate ip=10.0.0.1
  exits 64 weirctl key revoke b
  exits 64 weirctl key revoke a
  contains "reason" "the last key" "$output"
  equals "the file" "$before" "$(<"$WORK/keys")"
  write_conf
  exits 78 weirctl key add b --scope orders:read
  contains "reason" "keys.file" "$output"
}

test_every_program_checks_the_configuration() {
  work_dir
  write_conf
  exits 0 weirctl config check
  equals "programs" 4 "$(grep -c ' good' <<<"$output")"
  write_conf "threads = 0"
  sed -i 's/^notifier.from .*/notifier.from = nobody/' "$WORK/weir.conf"
  exits 78 weirctl config check --json
  equals "who says so" "weir-gateway null weir-consumer notifier" "$(of '[.programs[] | select(.ok == false) | "\(.program) \(.service)"] | join(" ")')"
  equals "where" "$WORK/weir.conf:5:" "$(of '.programs[1].reason | split(" ")[0]')"
  contains "why" "weir.conf:5: threads" "$(of '.programs[1].reason')"
  equals "where" "$WORK/weir.conf" "$(of '.programs[3].reason | split(":")[0]')"
  contains "why" "notifier.from" "$(of '.programs[3].reason')"
  write_conf "nonsense = 1"
  sed -i 's/^\[kafka\]/&\nretenton = 1/' "$WORK/weir.conf"
  exits 78 weirctl config check --json
  equals "what weirctl says" "false weirctl false" "$(of '"\(.ok) \(.programs[] | "\(.program) \(.ok)")"')"
  contains "why" "$WORK/weir.conf:2: " "$(of '.programs[0].reason')"
  exits 78 weirctl config check
  contains "text" "weirctl  bad  $WORK/weir.conf:2: " "$output"
}

test_a_request_is_explained_from_route_to_mails() {
  work_dir
  write_conf "base.path = /api"
  echo '{"orderID":"o-1","customerID":"ada","total":101.5,"email":"ada@example.com"}' >"$WORK/order"
  exits 0 weirctl config explain POST /api/v1/orders --body "$WORK/order"
  contains "text" "record     orders/0 of 3 partitions, key o-1" "$output"
  contains "text" "mails team@example.com by notifier.to, template change: orders o-1 created" "$output"
  contains "text" "mails ada@example.com, boss@example.com by [notify big]" "$output"
  contains "text" "executes it 4 times at most, waits up to 2 s, 4 s, 5 s" "$output"
  exits 0 weirctl config explain POST /api/v1/orders --body - --json <"$WORK/order"
  equals "what is told" "202 orders:create create orders 0 3 orders.changes" \
    "$(of '"\(.status) \(.scope) \(.operation) \(.topic) \(.partition) \(.partitions) \(.changes)"')"
  equals "who handles it" "store orders.store.dlq, notifier orders.changes.notifier.dlq" \
    "$(of '[.services[] | "\(.service) \(.dead_letters)"] | join(", ")')"
  echo '{"total":5}' >"$WORK/patch"
  exits 0 weirctl config explain PATCH /api/v1/orders/o-1 --body "$WORK/patch" --before "$WORK/order" --json
  equals "a merge makes it small" '["team@example.com"]' "$(of '[.services[1].mails[] | .to[]] | tostring')"
  exits 65 weirctl config explain POST /api/v1/orders --body <(echo '{"orderID":7,"total":"x"}')
  contains "text" 'at "/orderID"' "$output"
  exits 65 weirctl config explain POST /api/v1/orders --body <(echo '{"orderID":"o-1","total":"x"}') --json
  equals "violations" '422 ["","/total"]' "$(of '"\(.status) \([.problem.errors[].pointer] | unique | tostring)"')"
  exits 65 weirctl config explain /v1/orders --json
  equals "no such path" 404 "$(of .status)"
  exits 0 weirctl config explain /api/v1/orders/o-1 --json
  equals "a read" "null orders:read 0" "$(of '"\(.status) \(.scope) \(.partition)"')"
  exits 64 weirctl config explain POST
}

test_what_is_no_request_is_not_sent() {
  work_dir
  write_conf
  local header path
  for header in nocolon 'X-None:' ': x' 'X y: z' $'X-A: b\r\nX-C: d' $'X-A: \033[2J'; do
    exits 64 weirctl send /v1/orders --header 'Prefer: wait=5' --header "$header"
    contains "reason" "it is written NAME: VALUE" "$output"
  done
  for path in '/v1/a b' $'/v1/a\rb' $'/v1/a\177' '/v1/a#b'; do
    exits 64 weirctl send "$path"
    contains "reason" "a space, # or control character of a path is written %" "$output"
  done
  echo >"$WORK/empty"
  for path in 'send /v1/orders' 'journey orders o-1' 'smoke orders'; do
    exits 78 weirctl $path --key-file "$WORK/empty"
    contains "reason" "$WORK/empty holds no access key" "$output"
  done
  exits 64 weirctl smoke nothing
  equals "reason" "weirctl: there is no [collection nothing]; there are: orders, notes" "$output"
  exits 64 weirctl smoke
  contains "reason" "say which collection" "$output"
}

start() { # NAME COMMAND...
  local name=$1
  shift
  "$@" --config "$WORK/weir.conf" >"$WORK/$name.log" 2>&1 &
  eval "$name=$!"
  at_exit "kill $! 2>/dev/null; wait $! 2>/dev/null"
}

stack() { # a dev broker, a gateway that asks for keys, a store
  local ports
  with_keys_file
  start broker "$WEIR_BUILD/bin/weir-devbroker" --address-file "$WORK/address"
  read -ra ports < <("$WEIR_SOURCE/tests/kafka/free-ports" 2)
  eventually 10 test -s "$WORK/address"
  READS=127.0.0.1:${ports[1]}
  write_conf "auth = keys" "keys.file = $WORK/keys" "listen = 127.0.0.1:${ports[0]}" "management.listen = 127.0.0.1:0" \
    "store.url = http://$READS"
  weirctl key add first --scope '*:*' >"$WORK/first" 2>/dev/null
  start gateway "$WEIR_BUILD/bin/weir-gateway"
  start store "$WEIR_BUILD/bin/weir-consumer" --service store
  eventually 20 stored /v1/notes/n-0
}

stored() { # PATH
  weirctl send PUT "$1" --body <(echo '{}') --key-file "$WORK/first" --header 'Prefer: wait=5' 2>/dev/null | grep -q 'Preference-Applied: wait=5'
}

knows() { weirctl send /v1/orders --key-file "$WORK/second" >/dev/null 2>&1; }

test_requests_and_journeys_through_a_gateway() {
  stack
  exits 4 weirctl send /v1/orders/o-1
  contains "without a key" "401 Unauthorized" "$output"
  weirctl key add second --scope orders:read >"$WORK/second" 2>/dev/null
  kill -HUP "$gateway"
  eventually 10 knows
  exits 4 weirctl send POST /v1/orders --body <(echo '{}') --key-file "$WORK/second"
  contains "another's right" "403 Forbidden" "$output"
  WEIR_KEY=$(<"$WORK/first") exits 0 weirctl send POST /v1/notes --body <(echo '{"text":"x"}') --count 20 --json
  equals "twenty" '20 {"202":20}' "$(of '"\(.answers) \(.statuses | tostring)"')"
  [[ $(of '.latency_ms | .min <= .p50 and .p50 <= .max and .min > 0') == true ]] || fail "latencies: $output"
  exits 69 weirctl send /v1/orders --url http://127.0.0.1:1
  contains "nobody there" "http://127.0.0.1:1/v1/orders" "$output"

  stored /v1/notes/a%2Fb || fail "the document is not stored"
  exits 4 weirctl send POST /v1/notes --body <(echo '{"noteID":"a/b"}') --key-file "$WORK/first" --header 'Prefer: wait=5'
  contains "a command's end" "409 Conflict" "$output"
  exits 0 weirctl journey notes a/b --key-file "$WORK/first"
  contains "drawn" "├─ stored, created as version 1  notes.changes/" "$output"
  contains "drawn" "├─ rejected: already-exists" "$output"
  contains "drawn" "○ notes/a/b is version 1, changed" "$output"
  exits 0 weirctl journey notes a/b --key-file "$WORK/first" --json
  equals "raw" a/b "$(of .key)"
  exits 4 weirctl journey notes never --key-file "$WORK/first"
  contains "reason" "404 Not Found" "$output"
}

test_a_document_goes_the_whole_way_and_back() {
  stack
  exits 0 weirctl smoke notes --key-file "$WORK/first"
  equals "what worked" "stored read deleted" "$(awk '{ print $1 }' <<<"$output" | xargs)"
  exits 4 weirctl send "/v1/$(awk 'NR == 1 { print $2 }' <<<"$output")" --key-file "$WORK/first"
  exits 1 weirctl smoke notes
  contains "without a key" " was not stored: the gateway answered 401 Unauthorized" "$output"
  exits 1 weirctl smoke orders --body <(echo '{"total":"x"}') --key-file "$WORK/first"
  contains "against the schema" " was not stored: the gateway answered 422 " "$output"
  exits 0 weirctl smoke orders --body <(echo '{"customerID":"ada","total":19.99}') --key-file "$WORK/first" --json
  equals "told to programs" "stored read deleted true" "$(jq -rs '"\(map(.step) | join(" ")) \(all(.ok))"' <<<"$output")"
  exits 1 weirctl smoke notes --mailed --timeout 3s --key-file "$WORK/first"
  contains "nobody mails it" " was not mailed: no mail about it was sent within 3 s" "$output"
  eventually 10 is_gone "$(awk 'NR == 1 { print $2 }' <<<"$output")"
  exits 1 weirctl smoke notes --url http://127.0.0.1:1
  contains "nobody there" " was not stored: POST http://127.0.0.1:1/v1/notes" "$output"
}

is_gone() { # COLLECTION/KEY
  [[ $(weirctl send "/v1/$1" --key-file "$WORK/first" 2>/dev/null) == '404 '* ]]
}

run_case "$@"
