#!/bin/sh
# make run: a development service on https://localhost:8443 that attests a sample of the project's own test PKI.
set -eu
build=$1
state=$PWD/.avouch
url=https://localhost:8443
ca=$state/tls/cert.pem
mkdir -p "$state/run"
[ -f "$state/dev/sample/quote.bin" ] && [ -z "$(find "$state/dev/sample/quote.bin" -mtime +20)" ] || "$build/avouch-mint" "$state/dev"
cat >"$state/avouchd.conf" <<EOF
[service]
base_url = $url
state = $state
EOF
ready=$state/run/ready.fifo
rm -f "$ready"
mkfifo "$ready"
"$build/avouchd" --config "$state/avouchd.conf" --dev --ready-fd 3 3>"$ready" &
daemon=$!
trap 'kill $daemon 2>/dev/null; wait $daemon 2>/dev/null; exit 0' INT TERM
read -r word <"$ready" || { echo "the service did not start; its reason stands above" >&2; exit 1; }
rm -f "$ready"
echo
echo "== a quote of the development platform, attested by the service"
token=$("$build/avouch" attest SgxEnclave "$state/dev/sample/quote.bin" --url $url --ca "$ca" --runtime-json "$state/dev/sample/runtime-data.json")
echo "== its token, verified with the service's keys"
"$build/avouch" token verify "$token" --url $url --ca "$ca"
"$build/avouch" token decode "$token"
if [ "${AVOUCH_RUN_ONCE:-}" = 1 ]; then
    kill $daemon
    wait $daemon
    exit 0
fi
request=$state/dev/sample/request.json
printf '{"quote":"%s","runtimeData":{"data":"%s","dataType":"JSON"}}\n' "$(base64 -w0 "$state/dev/sample/quote.bin")" \
    "$(base64 -w0 "$state/dev/sample/runtime-data.json")" >"$request"
cat <<EOF

The service listens on $url (stop it with Ctrl-C). The same with curl:

  curl --cacert $ca -H 'Content-Type: application/json' --data @$request \\
       '$url/attest/SgxEnclave?api-version=2022-08-01'
  curl --cacert $ca $url/certs
  curl --cacert $ca $url/.well-known/openid-configuration

A wrong request explains itself:

  curl --cacert $ca -H 'Content-Type: application/json' --data '{"quote":"AwACAA"}' \\
       '$url/attest/SgxEnclave?api-version=2022-08-01'
EOF
wait $daemon
