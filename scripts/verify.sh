#!/usr/bin/env bash
# What a test run does not see: generated files, the module file, formatting, container files, names that must not be in the tree.
set -euo pipefail
cd "$(dirname "$0")/.."
fail=0
say() { echo "verify: $*" >&2; fail=1; }

go test ./internal/arch ./internal/config -count 1
go test ./internal/conformance -run '^Test(ConformancePageIsFresh|TableIsWhole|DocsListEveryReason)$' -count 1
[ -z "$(gofmt -l cmd internal api migrations examples)" ] || say "gofmt: $(gofmt -l cmd internal api migrations examples)"
go mod tidy -diff >/dev/null || say "go.mod or go.sum is not tidy: run go mod tidy"

# No engine runs the container files here: they are checked as text.
grep -q '^FROM gcr.io/distroless/static' Dockerfile || say "Dockerfile: the last stage is not distroless/static"
grep -q '^USER nonroot' Dockerfile || say "Dockerfile: it does not run as nonroot"
grep -q 'CGO_ENABLED=0' Dockerfile || say "Dockerfile: the binary is not static"
grep -q 'image: postgres:17' docker-compose.yml || say "docker-compose.yml: PostgreSQL is not 17"

# Keys and tokens never live in git.
if git grep -nE -- '-----BEGIN [A-Z ]*PRIVATE KEY-----' -- ':!testdata' ':!*_test.go' ':!scripts/verify.sh'; then say "a private key is in the tree"; fi
[ "$fail" = 0 ] && echo "verify: all fresh"
exit "$fail"
