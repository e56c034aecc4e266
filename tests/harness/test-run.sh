#!/bin/bash
# tests/run, in a small project whose tests pass, fail or skip on purpose.
. "$(dirname -- "${BASH_SOURCE[0]}")/../integration/lib/check.sh"
SOURCE=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)

# small_project NAME:LABELS:EXIT_CODE...
small_project() {
  local test name labels code
  work_dir
  P="$WORK/a project"
  mkdir -p "$P/tests" "$P/deploy"
  cp "$SOURCE/tests/run" "$P/tests/"
  printf '#!/bin/bash\necho "$@" >>"%s/installed"\n' "$WORK" >"$P/deploy/install-deps"
  chmod +x "$P/deploy/install-deps"
  cat >"$P/CMakePresets.json" <<'EOF'
{"version": 6, "configurePresets": [{"name": "dev", "generator": "Ninja"}, {"name": "tsan", "generator": "Ninja"}]}
EOF
  printf 'cmake_minimum_required(VERSION 3.25)\nproject(small LANGUAGES NONE)\nenable_testing()\n' >"$P/CMakeLists.txt"
  for test in "$@"; do
    IFS=: read -r name labels code <<<"$test"
    printf 'add_test(NAME %s COMMAND sh -c "echo this is %s; exit %s")\n' "$name" "$name" "$code"
    printf 'set_tests_properties(%s PROPERTIES LABELS "%s" SKIP_RETURN_CODE 77)\n' "$name" "$labels"
  done >>"$P/CMakeLists.txt"
}

run() { env -u WEIR_REQUIRE_KAFKA -u WEIR_FULL -u WEIR_PRESET -u WEIR_BUILD_DIR "$@"; }
last_line() { tail -n 1 <<<"$output"; }

test_everything() {
  small_project a.one:unit:0 b.two:kafka:0
  exits 0 run "$P/tests/run"
  contains "what it says" "100% tests passed, 0 tests failed out of 2" "$output"
  equals "how it installs" "--tests --deploy" "$(<"$WORK/installed")"
  exits 0 run "$P/tests/run" unit
  equals "how it installs for one area" "--tests" "$(tail -n 1 "$WORK/installed")"
  [[ -d $P/build/dev ]] || fail "not built in build/dev"
}

test_one_area_and_pattern() {
  small_project a.one:unit:0 a.other:unit:1 b.one:kafka:1
  exits 0 run "$P/tests/run" unit 'one$'
  contains "what it says" "out of 1" "$output"
  exits 1 run "$P/tests/run" all '^b'
  exits 1 run "$P/tests/run" unit,kafka
  contains "what it says" "out of 3" "$output"
}

test_a_failure_shows_its_output() {
  small_project a.one:unit:3
  exits 1 run "$P/tests/run"
  contains "what it says" "this is a.one" "$output"
}

test_who_needs_a_second_try_is_named() {
  small_project a.one:unit:0 'b.twice:unit:$(test -e tried; echo $?)$(touch tried)'
  exits 1 run WEIR_TRIES=1 "$P/tests/run" unit
  rm "$P/build/dev/tried"
  exits 0 run WEIR_TRIES=2 "$P/tests/run" unit
  contains "last line" "FAILED AT LEAST ONCE, OF 2 TRIES: b.twice" "$(last_line)"
  exits 0 run WEIR_TRIES=2 "$P/tests/run" unit a
  lacks "what it says" "AT LEAST ONCE" "$output"
  small_project a.one:unit:3
  exits 1 run WEIR_TRIES=2 "$P/tests/run" unit
  exits 64 run WEIR_TRIES=0 "$P/tests/run" unit
}

test_no_match_is_a_failure() {
  small_project a.one:unit:0
  exits 1 run "$P/tests/run" unit misspelt
  exits 1 run "$P/tests/run" browser
}

test_skips_are_named_in_the_last_line() {
  small_project a.one:unit:0 b.two:kafka:77
  exits 0 run "$P/tests/run"
  contains "last line" "SKIPPED 1 TEST(S)" "$(last_line)"
  contains "last line" "b.two" "$(last_line)"
  exits 1 run WEIR_REQUIRE_KAFKA=1 "$P/tests/run"
  contains "last line" "SKIPPED 1 TEST(S)" "$(last_line)"
  exits 0 run WEIR_REQUIRE_KAFKA=1 "$P/tests/run" unit
}

test_full_form_is_asked_for() {
  small_project a.one:unit:0 'a.long:unit;full:1' 'c.long:bench;full:0' 'd.long:browser;full:0'
  exits 0 run "$P/tests/run"
  exits 1 run WEIR_FULL=1 "$P/tests/run"
  exits 0 run "$P/tests/run" bench
  exits 0 run "$P/tests/run" browser
}

test_other_presets_are_built_elsewhere() {
  small_project a.one:unit:0
  exits 0 run WEIR_PRESET=tsan "$P/tests/run"
  [[ -d $P/build/tsan ]] || fail "not built in build/tsan"
  exits 0 run WEIR_BUILD_DIR="$WORK/elsewhere" "$P/tests/run"
  [[ -e $WORK/elsewhere/build.ninja ]] || fail "not built where asked"
}

test_wrong_arguments() {
  small_project a.one:unit:0
  exits 64 run "$P/tests/run" nonsense
  contains "what it says" "unit contract http store mail shop kafka faults deploy browser bench" "$output"
  exits 64 run "$P/tests/run" unit '['
  exits 64 run "$P/tests/run" unit a b
  exits 0 run "$P/tests/run" --help
  contains "help" "WEIR_REQUIRE_KAFKA" "$output"
}

test_a_broken_build_fails() {
  small_project a.one:unit:0
  echo 'add_custom_target(broken ALL COMMAND false)' >>"$P/CMakeLists.txt"
  exits 1 run "$P/tests/run"
  contains "what it says" "the build failed" "$output"
  echo 'nonsense(' >>"$P/CMakeLists.txt"
  exits 1 run "$P/tests/run"
  contains "what it says" "cmake failed" "$output"
}

run_case "$@"
