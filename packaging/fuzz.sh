#!/usr/bin/env bash
# fuzz.sh TIME: every fuzz target of the tree, one after another, for TIME each.
set -euo pipefail
time=${1:-5s}
count=0
output=$(mktemp)
trap 'rm -f "$output"' EXIT
while IFS=: read -r file target; do
  echo "fuzz: $(dirname "$file") $target"
  go test "./$(dirname "$file")" -run '^$' -fuzz "^$target\$" -fuzztime "$time" >"$output" 2>&1 || {
    cat "$output"
    exit 1
  }
  count=$((count + 1))
done < <(git ls-files '*_test.go' | xargs grep -noE '^func Fuzz[A-Za-z0-9_]+' | sed -E 's/^([^:]+):[0-9]+:func /\1:/')
((count > 0)) || { echo "fuzz: no fuzz target found" >&2; exit 1; }
echo "fuzz: $count targets, $time each, nothing found"
