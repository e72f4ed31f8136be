#!/usr/bin/env bash
# Finds PostgreSQL's programs (15 or newer), or installs them where that is allowed, or says the command.
set -euo pipefail

found() {
  [ -n "${STRAIT_POSTGRES_BIN:-}" ] && [ -x "$STRAIT_POSTGRES_BIN/initdb" ] && return 0
  command -v initdb >/dev/null 2>&1 && command -v postgres >/dev/null 2>&1 && return 0
  for bin in "$(pg_config --bindir 2>/dev/null || true)" /usr/lib/postgresql/*/bin /usr/pgsql-*/bin \
    /opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin /Applications/Postgres.app/Contents/Versions/*/bin; do
    [ -x "$bin/initdb" ] && [ -x "$bin/postgres" ] && return 0
  done
  return 1
}

found && exit 0
if command -v apt-get >/dev/null 2>&1; then
  if [ "$(id -u)" = 0 ]; then
    echo "installing PostgreSQL: apt-get install -y postgresql" >&2
    export DEBIAN_FRONTEND=noninteractive
    # The distribution's own cluster is not wanted: only the programs are.
    mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] || echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
    (apt-get update -q && apt-get install -y -q --no-install-recommends postgresql) >&2
    found && exit 0
  fi
  echo "PostgreSQL's programs are missing. Run: sudo apt-get install -y postgresql" >&2
elif command -v brew >/dev/null 2>&1; then
  echo "installing PostgreSQL: brew install postgresql@17" >&2
  brew install postgresql@17 >&2
  found && exit 0
elif command -v dnf >/dev/null 2>&1; then
  echo "PostgreSQL's programs are missing. Run: sudo dnf install -y postgresql-server" >&2
else
  echo "PostgreSQL's programs (15 or newer) are missing. Install them, or name their folder in STRAIT_POSTGRES_BIN." >&2
fi
exit 1
