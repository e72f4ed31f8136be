#!/usr/bin/env bash
# What durable records cost an exchange, on a disk: FOLDER (default: a temporary one) must not be in memory.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-$(mktemp -d "${TMPDIR:-/var/tmp}/strait-bench.XXXXXX")}
[ "${1:-}" ] || trap 'rm -rf "$folder"' EXIT
chmod 711 "$folder"
case $(df --output=fstype "$folder" 2>/dev/null | tail -n 1) in
  tmpfs | ramfs) echo "bench-audit: $folder is in memory; name a folder on a disk" >&2 && exit 1 ;;
esac
for bin in "${STRAIT_POSTGRES_BIN:-}" "$(pg_config --bindir 2>/dev/null || true)" /usr/lib/postgresql/*/bin; do
  [ -x "$bin/pg_test_fsync" ] || continue
  echo "pg_test_fsync on the same folder (PostgreSQL takes the first that works of those it prefers, fdatasync on Linux):"
  "$bin/pg_test_fsync" -s 1 -f "$folder/fsync" | sed -n '/one 8kB write/,/^$/p'
  break
done
# As serve runs, GOGC=400. One token again and again, whose verification is remembered; then each exchange with one that was not seen before.
for run in 'same 1,16,64' 'new 64'; do
  read -r tokens callers <<<"$run"
  GOGC=${GOGC:-400} go test ./internal/app -run '^$' -bench '^BenchmarkAudit$' -benchtime 1x -timeout 30m -args -audit-folder "$folder" -audit-piece 2s \
    -audit-tokens "$tokens" -audit-callers "$callers" | sed -n 's/^ *[a-z_]*\.go:[0-9]*: //p; /FAIL/p; /^cpu/p; /^ok/p'
done
