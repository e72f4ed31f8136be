#!/usr/bin/env bash
# Runs each fuzz target of the tree for the time given (default 10s).
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-10s}
count=0
output=$(mktemp)
trap 'rm -f "$output"' EXIT

# fuzz runs one target; where it fails, all that it said is printed.
fuzz() {
  if go test "$1" -run '^$' -fuzz "^$2\$" -fuzztime "$time" -parallel 2 >"$output" 2>&1; then
    tail -n 1 "$output"
    return
  fi
  cat "$output"
  return 1
}

# ended says that the last failure was nothing but the end of the time, which go test reports as one now and then (golang/go#75804): no
# input was found, and none was written.
ended() {
  [ "$(grep -A 1 '^--- FAIL' "$output" | tail -n 1 | tr -d ' ')" = "contextdeadlineexceeded" ] && ! grep -q 'Failing input\|panic' "$output"
}

while IFS=: read -r file name; do
  count=$((count + 1))
  echo "fuzz $(dirname "$file") $name $time"
  fuzz "./$(dirname "$file")" "$name" || { ended && echo "again: it was the end of the time" && fuzz "./$(dirname "$file")" "$name"; }
done < <(grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' internal | sed 's/func //' | sort)
echo "$count fuzz targets, no finding"
[ "$count" -gt 0 ]
