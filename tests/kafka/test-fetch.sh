#!/bin/bash
# How Kafka's jars are got and cached, with a stand-in for Maven.
. "$(dirname -- "${BASH_SOURCE[0]}")/../integration/lib/check.sh"
HERE=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

# A Maven that writes one line to the file of calls, then does BODY.
stand_in() { # BODY
  work_dir
  mkdir -p "$WORK/bin"
  printf '#!/bin/bash\necho called >>"%s/calls"\nfor a; do case $a in -DoutputDirectory=*) out=${a#*=} ;; esac; done\n%s\n' \
    "$WORK" "$1" >"$WORK/bin/mvn"
  chmod +x "$WORK/bin/mvn"
  export PATH=$WORK/bin:$PATH XDG_CACHE_HOME=$WORK/cache
}

test_unreachable_is_a_loud_skip() {
  stand_in 'echo "no route to Maven Central"; exit 1'
  exits 77 env WEIR_REQUIRE_KAFKA=0 "$HERE/up"
  contains "what up says" "no route to Maven Central" "$output"
  contains "what up says" "SKIPPED: REAL KAFKA IS NOT AVAILABLE" "$output"
  equals "left in the cache" "" "$(find "$WORK/cache" -name 'kafka-*' ! -name '*.lock')"
}

test_unreachable_fails_where_required() {
  stand_in 'exit 1'
  exits 1 env WEIR_REQUIRE_KAFKA=1 "$HERE/up"
  contains "what up says" "REAL KAFKA IS REQUIRED" "$output"
}

test_side_by_side_fetches_once() {
  local pids=() pid
  stand_in 'sleep 0.3; echo jar >"$out/a.jar"'
  for _ in 1 2 3 4; do
    "$HERE/fetch" >>"$WORK/answers" 2>/dev/null &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || fail "a fetch ended with $?"; done
  equals "calls of Maven" 1 "$(wc -l <"$WORK/calls")"
  equals "answers" "4 $WORK/cache/weir/kafka-4.1.1" "$(sort "$WORK/answers" | uniq -c | sed 's/^ *//')"
  [[ -s $WORK/cache/weir/kafka-4.1.1/a.jar ]] || fail "the jar is not in the cache"
}

test_other_list_of_jars_is_fetched_again() {
  stand_in 'echo jar >"$out/a.jar"'
  exits 0 "$HERE/fetch"
  echo '<!-- older -->' >>"$WORK/cache/weir/kafka-4.1.1/pom.xml"
  exits 0 "$HERE/fetch"
  exits 0 "$HERE/fetch"
  equals "calls of Maven" 2 "$(wc -l <"$WORK/calls")"
}

run_case "$@"
