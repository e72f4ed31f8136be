#!/usr/bin/env bash
# Benchmarks, and the ratios between them: all figures of one run on one machine. docs/performance.md keeps some.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-1s}
out=$(mktemp)
trap 'rm -f "$out"' EXIT
go test ./internal/app -run '^$' -bench '^Benchmark(Crypto|Exchange)' -benchtime "$time" -count 5 -benchmem -cpu 1 | tee "$out"
echo
awk '
  /^Benchmark/ { name = $1; for (i = 2; i <= NF; i++) if ($i == "ns/op") v[name, ++n[name]] = $(i - 1) }
  function median(name,   i, j, t, a, k) {
    k = n[name]; for (i = 1; i <= k; i++) a[i] = v[name, i]
    for (i = 1; i < k; i++) for (j = i + 1; j <= k; j++) if (a[j] < a[i]) { t = a[i]; a[i] = a[j]; a[j] = t }
    return a[int((k + 1) / 2)]
  }
  END {
    printf "%-40s %12s %10s\n", "median of 5 runs", "us", "to crypto"
    for (name in n) {
      split(name, part, "/")
      floor = median("BenchmarkCrypto/" part[2])
      printf "%-40s %12.1f %10.2f\n", name, median(name) / 1000, median(name) / floor | "sort"
    }
  }' "$out"
