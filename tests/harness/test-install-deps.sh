#!/bin/bash
# deploy/install-deps with stand-ins for dpkg-query, apt-get and sudo.
. "$(dirname -- "${BASH_SOURCE[0]}")/../integration/lib/check.sh"
INSTALL=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../../deploy" && pwd)/install-deps
QUICK_MAX_US=1000000

# A machine whose dpkg knows the packages named, "installed" or "removed"; apt-get notes its arguments.
machine() { # PACKAGE STATE...
  work_dir
  mkdir "$WORK/bin"
  while (($#)); do
    printf '%s %s\n' "$([[ $2 == installed ]] && echo 'ii ' || echo 'rc ')" "$1"
    shift 2
  done >"$WORK/packages"
  printf '#!/bin/sh\ncat "%s/packages"\n' "$WORK" >"$WORK/bin/dpkg-query"
  printf '#!/bin/sh\necho "$*" >>"%s/apt"\necho "E: this is apt"\nexit ${APT_RC:-0}\n' "$WORK" >"$WORK/bin/apt-get"
  printf '#!/bin/sh\necho sudo >>"%s/apt"\nexec "$@"\n' "$WORK" >"$WORK/bin/sudo"
  chmod +x "$WORK/bin"/*
}

with_machine() { PATH=$WORK/bin:$PATH "$@"; }

all_packages() {
  machine
  exits 0 with_machine "$INSTALL" --tests --dry-run
  mapfile -t ALL <<<"$output"
}

test_nothing_missing_is_quick_and_silent() {
  local began package known=()
  all_packages
  for package in "${ALL[@]}"; do known+=("$package" installed); done
  machine "${known[@]}"
  began=${EPOCHREALTIME/[.,]/}
  exits 0 with_machine "$INSTALL" --tests
  ((${EPOCHREALTIME/[.,]/} - began < QUICK_MAX_US)) || fail "took more than a second"
  equals "output" "" "$output"
  [[ ! -e $WORK/apt ]] || fail "apt-get was called"
}

test_only_the_missing_are_installed() {
  local package known=()
  all_packages
  for package in "${ALL[@]}"; do
    [[ $package == librocksdb-dev || $package == wrk ]] || known+=("$package" installed)
  done
  machine "${known[@]}" wrk removed
  exits 0 with_machine "$INSTALL" --tests
  contains "calls of apt-get" "install --no-install-recommends librocksdb-dev wrk" "$(<"$WORK/apt")"
  contains "what it says" "installing 2 Debian packages" "$output"
  equals "update comes first" "update install" "$(grep -oE '(^| )(update$|install )' "$WORK/apt" | xargs)"
}

test_tests_want_more_than_a_build() {
  machine
  exits 0 with_machine "$INSTALL" --dry-run
  lacks "what a build needs" python3-confluent-kafka "$output"
  exits 0 with_machine "$INSTALL" --tests --dry-run
  contains "what tests need" python3-confluent-kafka "$output"
  lacks "what tests need" systemd$'\n' "$output"$'\n'
  exits 0 with_machine "$INSTALL" --deploy --dry-run
  contains "what the tests of units need" systemd "$output"
}

test_a_failing_apt_shows_its_words() {
  machine
  exits 69 with_machine env APT_RC=100 "$INSTALL"
  contains "what it says" "E: this is apt" "$output"
}

test_a_broken_dpkg_is_not_taken_for_nothing_missing() {
  machine
  printf '#!/bin/sh\necho broken >&2\nexit 2\n' >"$WORK/bin/dpkg-query"
  exits 70 with_machine "$INSTALL"
  contains "what it says" "broken" "$output"
}

test_without_root_and_sudo_it_says_what_to_do() {
  local nobody=()
  ((EUID != 0)) || nobody=(setpriv --reuid 65534 --clear-groups)
  machine
  rm "$WORK/bin/sudo"
  chmod 755 "$WORK"
  cp "$INSTALL" "$WORK/install-deps"
  # Debian's programs without those in /usr/local, and without sudo.
  mkdir "$WORK/usr"
  for tool in bash sed grep tr cat mktemp rm tail; do ln -s "$(command -v "$tool")" "$WORK/usr/$tool"; done
  exits 77 "${nobody[@]}" env PATH="$WORK/bin:$WORK/usr" bash "$WORK/install-deps"
  contains "what it says" "not root and no sudo" "$output"
}

test_a_system_without_apt_is_refused() {
  machine
  mkdir "$WORK/usr"
  for tool in bash sed grep tr; do ln -s "$(command -v "$tool")" "$WORK/usr/$tool"; done
  exits 69 env PATH="$WORK/usr" bash "$INSTALL"
  contains "what it says" "librdkafka-dev" "$output"
}

run_case "$@"
