#!/bin/bash
# test-house.sh CASE: rules of the house that are checked over the sources.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

test_include_rule() { "$here/include-rule"; }

# The check itself: a tree for each violation it has to find.
test_include_rule_finds_planted() { "$here/include-rule" --self-test; }

"test_$1"
