#!/usr/bin/env bash
# fuzz.sh TIME: every fuzz target of the tree, one after another, for TIME each.
set -euo pipefail
time=${1:-5s}
count=0
output=$(mktemp)
trap 'rm -f "$output"' EXIT

fuzz() { go test "./$1" -run '^$' -fuzz "^$2\$" -fuzztime "$time" >"$output" 2>&1; }

# Go before 1.27 may call the end of -fuzztime a failure of the target (go.dev/issue/75804). A
# finding is told by the input that was written; a panic or an error of the target has lines.
deadline_only() {
  grep -qx ' *context deadline exceeded' "$output" && ! grep -qE 'Failing input|panic|_test\.go:' "$output"
}

while IFS=: read -r file target; do
  folder=$(dirname "$file")
  echo "fuzz: $folder $target"
  for try in 1 2 3; do
    fuzz "$folder" "$target" && break
    if [[ $try == 3 ]] || ! deadline_only; then
      cat "$output"
      exit 1
    fi
    echo "fuzz: $folder $target ended by its own deadline and found nothing; again"
  done
  count=$((count + 1))
done < <(git ls-files '*_test.go' | xargs grep -noE '^func Fuzz[A-Za-z0-9_]+' | sed -E 's/^([^:]+):[0-9]+:func /\1:/')
((count > 0)) || { echo "fuzz: no fuzz target found" >&2; exit 1; }
echo "fuzz: $count targets, $time each, nothing found"
