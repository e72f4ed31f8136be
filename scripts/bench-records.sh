#!/usr/bin/env bash
# The time of the first page of every filter over so many records (default 10 million: some 25 GB of disk for ten minutes).
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d "${TMPDIR:-/var/tmp}/strait-bench.XXXXXX")
trap 'rm -rf "$folder"' EXIT
chmod 711 "$folder"
go test ./internal/postgres -run '^$' -bench '^BenchmarkFirstPage$' -benchtime 10x -timeout 60m -args -records "${1:-10000000}" -records-folder "$folder" |
  grep -v '^\(goos\|goarch\|pkg\|PASS\)'
