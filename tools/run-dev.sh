#!/bin/sh
# make run: a development service on https://localhost:8443 that attests a sample of the project's own test PKI,
# and this machine by a software TPM where there is one.
set -eu
build=$1
state=$PWD/.avouch
url=https://localhost:8443
machine=https://dev-machine.localhost:8443
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
swtpm=
stop() {
    [ -z "$swtpm" ] || kill "$swtpm" 2>/dev/null || true
    kill $daemon 2>/dev/null || true
    wait $daemon 2>/dev/null || true
}
trap 'stop; exit 0' INT TERM
read -r word <"$ready" || { echo "the service did not start; its reason stands above" >&2; exit 1; }
rm -f "$ready"

show() { # URL, token
    "$build/avouch" token verify "$2" --url "$1" --ca "$ca"
    "$build/avouch" token decode "$2"
}

# A software TPM of this folder's own. Its keys stay, so it is the same machine each time. Says why there is none.
start_tpm() {
    tpm=$state/tpm
    [ -x "$build/attester/avouch-attester" ] || { echo "avouch-attester is not built, tpm2-tss is missing"; return 1; }
    command -v swtpm >/dev/null || { echo "swtpm is not installed"; return 1; }
    command -v curl >/dev/null || { echo "curl, which would set the provider's policy, is not installed"; return 1; }
    [ ${#tpm} -le 90 ] || { echo "the path $tpm is too long for a socket"; return 1; }
    mkdir -p "$tpm"
    swtpm socket --tpm2 --tpmstate "dir=$tpm" --server "type=unixio,path=$tpm/socket,disconnect=false" \
        --ctrl "type=unixio,path=$tpm/socket.ctrl" --flags startup-clear,not-need-init --daemon --pid "file=$tpm/pid" \
        >"$tpm/error" 2>&1 || { echo "swtpm does not start: $(cat "$tpm/error")"; return 1; }
}

# An operator's call; the answer is told only where it is no success.
call() {
    status=$(curl -sS --cacert "$ca" -H 'Authorization: Bearer dev' -o "$state/run/answer" -w '%{http_code}' "$@") || return 1
    [ "$status" -lt 300 ] || { cat "$state/run/answer"; echo; return 1; }
}

# A provider that asks nobody who he is, and a policy: the TPM's key has no certificate, which the token tells.
make_provider() {
    call -X PUT -H 'Content-Type: application/json' \
        --data '{"location":"Local","properties":{"tpmAttestationAuthentication":"Disabled"}}' \
        "$url/subscriptions/dev/resourceGroups/dev/providers/Microsoft.Attestation/attestationProviders/dev-machine?api-version=2021-06-01" \
    && call -X PUT --data 'version=1.2;
configurationrules { => issueproperty(type="require_valid_aik_cert", value=false); };
authorizationrules { [type=="tpmVersion", value==2] => permit(); };
issuancerules {
    => issueproperty(type="omit_x5c", value=true);
    c:[type=="tpmVersion"] => issue(claim=c);
    c:[type=="aikPubHash"] => issue(claim=c);
    c:[type=="aikValidated"] => issue(claim=c);
};' "$machine/policies/Tpm?api-version=2022-08-01"
}

# The firmware of this machine knows nothing of the TPM beside it, so there is no log: PCR values alone are attested.
attest_machine() {
    report=$("$build/attester/avouch-attester" attest --url $machine --ca "$ca" --tcti "swtpm:path=$state/tpm/socket" \
        --log "$state/tpm/no-log")
}

echo
echo "== a quote of the development platform, attested by the service"
token=$("$build/avouch" attest SgxEnclave "$state/dev/sample/quote.bin" --url $url --ca "$ca" --runtime-json "$state/dev/sample/runtime-data.json")
echo "== its token, verified with the service's keys"
show $url "$token"
echo
if why=$(start_tpm); then
    swtpm=$(cat "$state/tpm/pid")
    echo "== this machine, attested by the quote of a software TPM"
    { make_provider && attest_machine; } || { echo "that failed" >&2; stop; exit 1; }
    echo "== its report, verified with the service's keys"
    show $machine "$report"
else
    echo "== this machine is not attested by a TPM: $why"
fi
if [ "${AVOUCH_RUN_ONCE:-}" = 1 ]; then
    stop
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
[ -z "$swtpm" ] || cat <<EOF

This machine once more; the software TPM is there as long as the service:

  $build/attester/avouch-attester attest --url $machine --ca $ca \\
       --tcti swtpm:path=$state/tpm/socket --log $state/tpm/no-log
EOF
wait $daemon
