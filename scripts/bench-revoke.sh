#!/usr/bin/env bash
# What revocations cost: an exchange beside a million revoked ids, another replica that hears of a change, and orders over so many
# records of a day (default 10 million: some 25 GB of disk).
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d "${TMPDIR:-/var/tmp}/strait-bench.XXXXXX")
trap 'rm -rf "$folder"' EXIT
chmod 711 "$folder"
{
  go test ./internal/revocation -run '^$' -bench .
  go test ./internal/app -run '^$' -bench '^BenchmarkMillionRevoked$' -benchtime 600x -count 3 -cpu 1
  go test ./internal/app -run '^$' -bench '^BenchmarkReplicas$' -benchtime 20x
  go test ./internal/postgres -run '^$' -bench '^BenchmarkRevoke$' -benchtime 3x -timeout 2h -args -records "${1:-10000000}" -records-folder "$folder"
} | grep -v '^\(goos\|goarch\|pkg\|PASS\)'
