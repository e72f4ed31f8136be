#!/usr/bin/env bash
# Runs each fuzz target of the tree for the time given (default 10s).
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-10s}
count=0
while IFS=: read -r file name; do
  count=$((count + 1))
  echo "fuzz $(dirname "$file") $name $time"
  go test "./$(dirname "$file")" -run '^$' -fuzz "^$name\$" -fuzztime "$time" -parallel 2 | tail -n 2
done < <(grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' internal | sed 's/func //' | sort)
echo "$count fuzz targets, no finding"
[ "$count" -gt 0 ]
