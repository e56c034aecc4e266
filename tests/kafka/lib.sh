# What up, down, broker, client-cert and tool have in common. Sourced, never run.
# shellcheck shell=bash

KAFKA_VERSION=4.1.1
KAFKA_HERE=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
KAFKA_MARK=weir-kafka # the file that makes a directory one of ours; `down` removes no other

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# die CODE TEXT: codes are sysexits, and 77 for "skip".
die() {
  local code=$1
  shift
  say "$@"
  exit "$code"
}

# Absolute form of a path that need not exist.
absolute() { realpath -m -- "$1"; }

jar_dir() { printf '%s\n' "${XDG_CACHE_HOME:-${HOME:-~}/.cache}/weir/${1:-kafka}-$KAFKA_VERSION"; }

# The start time of process $1: a pid comes back one day, never with the same start time. A zombie counts as gone.
start_time() {
  local line fields
  { line=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
  read -ra fields <<<"${line##*) }"
  [[ ${fields[0]} != [ZX] ]] || return 1
  printf '%s\n' "${fields[19]}"
}

# The pid of broker directory $1, only if that very process is still alive.
live_pid() {
  local pid started
  { read -r pid && read -r started; } 2>/dev/null <"$1/process" || return 1
  [[ $(start_time "$pid") == "$started" ]] || return 1
  printf '%s\n' "$pid"
}

# A cluster directory given by the user, made absolute in `dir`.
need_cluster() {
  dir=$(absolute "${1:?}")
  [[ -e $dir/$KAFKA_MARK ]] || die 66 "$dir holds no test cluster"
}

# Waits until COMMAND succeeds; polls, because a foreign process gives no better event. SECONDS_MAX COMMAND...
await() {
  local end=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000))
  shift
  until "$@"; do
    ((${EPOCHREALTIME/[.,]/} < end)) || return 1
    sleep 0.05
  done
}

# Starts the broker of directory $1 in a session of its own: it outlives the caller's shell and holds none of its files.
launch() {
  local home=$1
  rm -f -- "$home/process"
  setsid bash -c '
    . "$1/lib.sh"
    exec </dev/null >>"$2/log" 2>&1
    for fd in /proc/self/fd/*; do
      fd=${fd##*/}
      ((fd > 2)) && eval "exec $fd>&-"
    done
    printf "%s\n%s\n" "$$" "$(start_time $$)" >"$2/process.new"
    printf "%s\n" "$$" >"$2/pid"
    mv -- "$2/process.new" "$2/process"
    cd -- "$2" && exec java @java.args' bash "$KAFKA_HERE" "$home" &
  await 10 test -e "$home/process" || die 70 "$home: the broker's process did not begin"
}

# How often the broker of directory $1 has come up so far.
starts_of() { grep -c 'Kafka Server started' "$1/log" 2>/dev/null || :; }

has_started_or_died() { (($(starts_of "$1") > $2)) || is_gone "$1"; }

# Waits until a broker that `launch` began takes part in the cluster. HOME STARTS_BEFORE SECONDS_MAX
await_started() {
  await "$3" has_started_or_died "$1" "$2" && (($(starts_of "$1") > $2)) && return 0
  tail -n 20 -- "$1/log" >&2
  return 1
}

# Ends the broker of directory $1, paused or not, and waits until it is gone.
end_broker() {
  local pid
  pid=$(live_pid "$1") || return 0
  kill -KILL "$pid" 2>/dev/null
  await 10 is_gone "$1"
}

is_gone() { ! live_pid "$1" >/dev/null; }
