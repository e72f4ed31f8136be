#!/bin/sh
# Run once by the postgres image: the two roles and the database of Strait. The passwords come from the environment.
set -eu
psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -v owner="$STRAIT_DB_OWNER_PASSWORD" -v app="$STRAIT_DB_PASSWORD" <<'SQL'
CREATE ROLE strait_owner LOGIN PASSWORD :'owner';
CREATE ROLE strait LOGIN PASSWORD :'app';
CREATE DATABASE strait OWNER strait_owner;
REVOKE ALL ON DATABASE strait FROM PUBLIC;
GRANT CONNECT ON DATABASE strait TO strait;
SQL
