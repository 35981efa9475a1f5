#!/bin/sh
# make bench: JSON lines: primitives and rooms in one process, then the peer @phala/dcap-qvl on quotes of the same
# make where npm has it, then the whole service over HTTPS by wrk. Ratios are against primitives of the same run.
set -eu
build=$1
here=$(cd "$(dirname "$0")/.." && pwd)
health=${AVOUCH_VECTORS:-../shared/vectors}/policies/100-health-attestation-csp.txt # the largest sample
for b in "$build"/bench/*_bench; do
    case $b in
    */policy_bench) [ -f "$health" ] && set -- "$health" || set -- ;;
    *) set -- ;;
    esac
    "$b" "$@" >"$build/bench.out" || { cat "$build/bench.out"; echo "$b failed" >&2; exit 1; } # a pipe would hide it
    tee -a "$build/bench.log" <"$build/bench.out"
done
value() { sed -n "s/.*\"name\":\"$1\",\"value\":\([0-9.]*\).*/\1/p" "$build/bench.log" | tail -n 1; }
p256=$(value "floor: P-256 verify")
rsa=$(value "floor: RSA-2048 sign")
peer=$build/bench-peer
mkdir -p "$peer"
if command -v npm >/dev/null && { [ -d "$peer/node_modules/@phala/dcap-qvl" ] ||
    npm install --prefix "$peer" --no-audit --no-fund --silent --fetch-retries=1 @phala/dcap-qvl@0.3.9 >"$peer/npm.log" 2>&1; }; then
    rm -rf "$peer/dev"
    "$build/avouch-mint" "$peer/dev" 64
    NODE_PATH=$peer/node_modules node "$here/bench/peer.cjs" "$peer/dev" "$(awk -v p="$p256" 'BEGIN { print 11 * p }')" | tee -a "$build/bench.log"
else
    echo "npm cannot install @phala/dcap-qvl: no peer to compare with" >&2
fi
command -v wrk >/dev/null || { [ "$(id -u)" = 0 ] && apt-get install -y -qq wrk >/dev/null 2>&1; } || { echo "wrk is not installed: no figures end to end" >&2; exit 0; }
state=$(mktemp -d /tmp/avouch-bench-XXXXXX)
"$build/avouch-mint" "$state/dev" 256
cat >"$state/conf" <<EOF
[service]
listen = 127.0.0.1:0
base_url = https://localhost:8443
state = $state
[metrics]
listen =
EOF
mkfifo "$state/ready"
"$build/avouchd" --config "$state/conf" --dev --ready-fd 3 3>"$state/ready" 2>"$state/log" &
daemon=$!
trap 'kill $daemon; wait $daemon; rm -rf "$state"' EXIT
read -r word <"$state/ready"
url=https://localhost:$(sed 's/.*://' "$state/run/address")
cores=$(nproc)
memory() { for p in $(pgrep -P $daemon; for c in $(pgrep -P $daemon); do pgrep -P "$c"; done); do awk '/VmRSS/ {print $2}' "/proc/$p/status"; done | awk '{s+=$1} END {print s}'; }
for connections in 1 8 64; do
    REQUESTS=$state/dev/sample/requests.jsonl wrk -t1 -c$connections -d10s --latency -s "$here/bench/attest.lua" "$url" >"$state/wrk"
    rate=$(awk '/Requests\/sec/ {print $2}' "$state/wrk")
    p50=$(awk '$1 == "50%" {print $2}' "$state/wrk")
    p99=$(awk '$1 == "99%" {print $2}' "$state/wrk")
    n=$(awk '/requests in/ {print $1}' "$state/wrk")
    bad=$(awk '/Non-2xx/ {print $NF}' "$state/wrk")
    awk -v c=$connections -v r="$rate" -v p50="$p50" -v p99="$p99" -v n="$n" -v p="$p256" -v s="$rsa" -v k="$cores" -v m="$(memory)" -v bad="${bad:-0}" 'BEGIN {
        floor = k * 1e6 / (p + s)
        printf "{\"name\":\"HTTPS attest, %d connections\",\"value\":%.1f,\"unit\":\"requests/s\",\"floor\":%.1f,\"ratio\":%.3f,\"n\":%d,\"p50\":\"%s\",\"p99\":\"%s\",\"memory_kib\":%d,\"failed\":%d}\n", c, r, floor, r / floor, n, p50, p99, m, bad }'
done
