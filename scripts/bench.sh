#!/usr/bin/env bash
# Benchmarks, and the ratios between them: all figures of one run on one machine. docs/performance.md keeps some.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-1s}
out=$(mktemp)
trap 'rm -f "$out"' EXIT
# medians prints "name median-ns" of the lines in $out.
medians() {
  awk '
    /^Benchmark/ { name = $1; for (i = 2; i <= NF; i++) if ($i == "ns/op") v[name, ++n[name]] = $(i - 1) }
    END {
      for (name in n) {
        k = n[name]; for (i = 1; i <= k; i++) a[i] = v[name, i]
        for (i = 1; i < k; i++) for (j = i + 1; j <= k; j++) if (a[j] < a[i]) { t = a[i]; a[i] = a[j]; a[j] = t }
        print name, a[int((k + 1) / 2)]
      }
    }' "$out" | sort
}

go test ./internal/app -run '^$' -bench '^Benchmark(Crypto|Exchange)' -benchtime "$time" -count 5 -benchmem -cpu 1 | tee "$out"
echo
printf '%-52s %12s %10s\n' "an exchange, median of 5 runs" us "to crypto"
medians | awk '{ v[$1] = $2 } END { for (name in v) { split(name, part, "/"); printf "%-52s %12.1f %10.2f\n", name, v[name] / 1000, v[name] / v["BenchmarkCrypto/" part[2]] } }' | sort

# One process after the other: each count is a run of its own, so that a disturbance does not hit one size alone.
: >"$out"
for _ in 1 2 3 4 5 6 7; do
  go test ./internal/policy -run '^$' -bench '^BenchmarkDecision$' -benchtime "$time" -benchmem -cpu 1 | grep ^Benchmark | tee -a "$out"
done
echo
printf '%-52s %12s %10s   %s\n' "a decision, median of 7 runs" us "to 10" "bound"
medians | awk '
  { v[$1] = $2 }
  END {
    for (name in v) {
      ten = name; sub(/policies=[0-9]+/, "policies=10", ten)
      ratio = v[name] / v[ten]
      printf "%-52s %12.3f %10.2f   %s\n", name, v[name] / 1000, ratio, ratio <= 1.3 && v[ten] <= 5000 ? "5 us, 1.3 x: kept" : "5 us, 1.3 x: MISSED"
    }
  }' | sort

go test ./internal/reach ./internal/analysis -run '^$' -bench '^Benchmark(Reach|Lint)$' -benchtime "$time" -count 5 -benchmem | tee "$out"
echo
printf '%-52s %12s   %s\n' "10,000 policies, median of 5 runs" ms "bound"
medians | awk '{ printf "%-52s %12.0f   %s\n", $1, $2 / 1e6, $2 < 2e9 ? "2 s: kept" : "2 s: MISSED" }'
