#!/bin/sh
# Starts a development service and runs the JavaScript clients against it: TAP. Skipped, with the reason,
# where node or the packages cannot be had.
set -u
skip() { echo "1..1"; echo "ok 1 # SKIP JavaScript clients: $1"; exit 0; }
source=$1
build=$2
command -v node >/dev/null || skip "node is not installed"
command -v npm >/dev/null || skip "npm is not installed"
work=$build/clients-js
mkdir -p "$work"
cp "$source/tests/clients/package.json" "$source/tests/clients/clients.test.mjs" "$work/"
[ -d "$work/node_modules/@azure/attestation" ] || (cd "$work" && npm install --no-audit --no-fund --silent --fetch-retries=1 >npm.log 2>&1) || skip "npm cannot install the packages"
state=$(mktemp -d /tmp/avouch-js-XXXXXX)
. "$source/tests/clients/service.sh"
start_service
# By the environment, since the runner starts a process for each file. Debian 12's node has the global that the
# clients want behind a switch.
options="--require $source/tests/clients/resolve-localhost.cjs"
[ "$(node -p 'parseInt(process.versions.node)')" -ge 19 ] || options="$options --experimental-global-webcrypto"
NODE_OPTIONS=$options NODE_EXTRA_CA_CERTS=$state/state/tls/cert.pem AVOUCH_URL=https://localhost:$port AVOUCH_SAMPLE=$state/state/dev/sample AVOUCH_TMP=$state \
    node --test --test-reporter=tap "$work/clients.test.mjs" >"$work/tap" 2>"$work/err"
stop_service
# node counts the file as a test around its tests: the tests inside are what we count
awk '/^    (not )?ok [0-9]+ - / || /^(not )?ok [0-9]+ - / { line = $0; sub(/^ +/, "", line); n++; sub(/ok [0-9]+/, "ok " n, line); sub(/ # time=.*/, "", line); print line }
     END { print "1.." n }' "$work/tap"
grep -A12 -E '^ *not ok' "$work/tap" >&2
exit 0
