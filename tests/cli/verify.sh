#!/bin/sh
# verify.sh AVOUCH: avouch verify on requests of TPMs and of Azure guests as files, as TAP.
avouch=$1
vectors=${AVOUCH_VECTORS:-${AVOUCH_SOURCE:-.}/../shared/vectors}
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
n=0

# expect NAME STATUS PART COMMAND...: the status, and PART somewhere in what is printed
expect()
{
    name=$1 status=$2 part=$3
    shift 3
    n=$((n + 1))
    out=$("$@" 2>&1)
    got=$?
    if [ "$got" -ne "$status" ]; then
        echo "not ok $n - $name"
        echo "# exit status $got, expected $status: $out" | head -n 5
    elif ! printf '%s' "$out" | grep -qF -- "$part"; then
        echo "not ok $n - $name"
        printf '# no %s in:\n%s\n' "$part" "$out" | cut -c1-200 | sed 's/^/# /' | head -n 40
    else
        echo "ok $n - $name"
    fi
}

if [ ! -d "$vectors/tpm/protocol" ]; then
    echo "1..0 # SKIP vectors are missing"
    exit 0
fi
tpm=$vectors/tpm
mkdir "$dir/tpm" "$dir/guest"
cp "$tpm/protocol/aik-root.pem" "$dir/tpm/"
cp "$tpm/azureguest/aik-root.pem" "$dir/guest/"
request() { # the JWS of a vector as the protocol sends it
    sed -n 's/.*"request": *"\([^"]*\)".*/{"payload":{"request":"\1"}}/p' "$tpm/protocol/$1.json" >"$dir/$1"
}
request v2-basic-tpm_quote
request v2-vbs
request reject-log-event-removed
lenient='configurationrules { => issueproperty(type="require_valid_aik_cert", value=false); };'
issue='issuancerules { c:[type=="x-ms-attestation-type"] => issue(type="kind", value=c.value); };'
printf 'version=1.2; %s authorizationrules { => permit(); }; %s' "$lenient" "$issue" >"$dir/lenient"
printf 'version=1.2; configurationrules { => issueproperty(type="required_pcr_mask", value=15); }; authorizationrules { [type=="x-ms-attestation-type", value=="vbs"] => permit(); }; issuancerules {};' >"$dir/vbs"
guest=$tpm/azureguest/linux-trustedlaunch.attestationinfo.json

printf '{"data":"%s"}' "$(base64 -w0 <"$dir/v2-vbs" | tr -d = | tr +/ -_)" >"$dir/body"
sed -n 's/.*\("AttestationInfo": *"[^"]*"\).*/{\1}/p' "$tpm/azureguest/linux-trustedlaunch.json" >"$dir/guest-body"
head -c 100 "$tpm/qemu/shim-grub-sb/quoteall.attest" >"$dir/cut"

sgx=$vectors/sgx
mkdir "$dir/sets"
for f in tcbinfo-sgx-v3-00606a000000-eval17-20250606T123041Z.json identity-qe-eval17-20250604T091932Z.json chain-tcbsign-2025-2032.pem \
    tcbinfo-sgx-v3-00606a000000-eval19-20250606T123047Z.json identity-qe-eval19-20250606T120204Z.json \
    crl-platform-20250527T192505Z.der crl-root-20250320T112157Z.der; do
    cp "$sgx/collateral/$f" "$dir/sets/"
done
cp "$sgx/misc/tcb-evaluation-data-numbers-sgx-20250605.json" "$dir/sets/"
printf 'version=1.1; configurationrules { => issueproperty(type="x-avouch-tcb-sets", value="both"); }; authorizationrules { [type=="x-avouch-tcb-early-status", value=="OUT_OF_DATE"] => deny(); => permit(); }; issuancerules {};' >"$dir/deny-early"
printf 'version=1.1; configurationrules { => issueproperty(type="x-avouch-collateral-max-age", value=864000); }; authorizationrules { => permit(); }; issuancerules {};' >"$dir/ten-days"
quote() { # on the 16th of June 2025, by set 17, with further options
    "$avouch" verify SgxEnclave "$sgx/quotes/automata_v3.bin" --collateral "$dir/sets" --at 2025-06-16T12:00:00Z --evaluation 17 "$@"
}

baseline() { printf 'version=1.1; configurationrules { => issueproperty(type="x-ms-sgx-tcbidentifier", value="%s"); }; authorizationrules { => permit(); };' "$1"; }
baseline 19 >"$dir/set-19"
baseline 20 >"$dir/set-20"

echo 1..28
expect "TPM request: a certificate is asked for" 1 "requires a valid AIK certificate" "$avouch" verify Tpm "$dir/v2-basic-tpm_quote"
expect "TPM request under a root of ours" 0 "chains to a trusted root" "$avouch" verify Tpm "$dir/v2-basic-tpm_quote" --trust "$dir/tpm"
expect "the policy says that none is needed" 0 '"kind":"tpm"' "$avouch" verify Tpm "$dir/v2-basic-tpm_quote" --policy "$dir/lenient" --json
expect "what a policy sees is shown to people" 0 '"policy_claims":{"aikPubHash"' "$avouch" verify Tpm "$dir/v2-basic-tpm_quote" --trust "$dir/tpm" --json
expect "long values are cut" 0 '  events = {"Events":[{"EventSeq":1,' "$avouch" verify Tpm "$dir/v2-basic-tpm_quote" --trust "$dir/tpm"
expect "an enclave's request is of type vbs" 0 '"x-ms-attestation-type":"vbs"' "$avouch" verify Tpm "$dir/v2-vbs" --trust "$dir/tpm" --policy "$dir/vbs" --json
expect "other requests are not" 1 "POLICY_DENIED" "$avouch" verify Tpm "$dir/v2-basic-tpm_quote" --trust "$dir/tpm" --policy "$dir/vbs"
expect "a log without one of its events" 1 "does not replay to the quoted PCR 4" "$avouch" verify Tpm "$dir/reject-log-event-removed" --trust "$dir/tpm"
expect "Azure guest" 0 '"x-ms-azurevm-attested-pcrs":[0,1,2,3,4,5,6,7]' "$avouch" verify AzureGuest "$guest" --trust "$dir/guest" --json
expect "Azure guest under no root" 1 "neither a trusted root nor known" "$avouch" verify AzureGuest "$guest"
expect "explain a quote" 0 "PCRs                           SHA384: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14" "$avouch" explain "$tpm/qemu/shim-grub-sb/quoteall.attest"
expect "explain a certification" 0 "name of the key                000bc107" "$avouch" explain "$tpm/qemu/shim-grub-sb/certify.attest"
expect "explain a key" 0 "1  restricted: signs only what the TPM made" "$avouch" explain "$tpm/qemu/shim-grub-sb/ak.tpm2b_public"
expect "explain a boot log" 0 "event 1                        PCR 0  EV_S_CRTM_VERSION, 2 bytes" "$avouch" explain "$tpm/qemu/shim-grub-sb/binary_bios_measurements"
expect "explain a boot log of TPM 1.2" 0 "format                         SHA-1 only" "$avouch" explain "$tpm/qemu/tpm12-shim-grub/binary_bios_measurements"
expect "explain a TPM request" 0 "request key                    in the quote" "$avouch" explain "$dir/v2-basic-tpm_quote"
expect "explain a body of /attest/Tpm" 0 "with the report of an enclave" "$avouch" explain "$dir/body"
expect "explain a body of /attest/AzureGuest" 0 "distribution, as it says       Debian" "$avouch" explain "$dir/guest-body"
expect "a cut quote: where it ends" 1 "are left" "$avouch" explain "$dir/cut"
expect "both sets: the standard one" 0 'x-avouch-tcb-standard-status = "SW_HARDENING_NEEDED"' quote --tcb-sets
expect "both sets: the early one" 0 'x-avouch-tcb-early-status = "OUT_OF_DATE"' quote --tcb-sets
expect "a policy denies by the early set" 1 "POLICY_DENIED" quote --policy "$dir/deny-early"
expect "an age that the newest statement just has" 3 "signed at 2025-05-27T19:25:05Z, 1701295 s ago" quote --max-age 1701294
expect "and one second more" 0 "x-avouch-collateral-max-age = 1701295" quote --max-age 1701295
expect "the policy's limit is the stricter one" 3 "signed at most 864000 s ago" quote --max-age 1701295 --policy "$dir/ten-days"
expect "the policy's baseline is the one that judges" 1 "OUT_OF_DATE" quote --policy "$dir/set-19"
expect "and is told by its name" 0 'x-ms-sgx-tcbidentifier = "19"' quote --policy "$dir/set-19" --accept OUT_OF_DATE
expect "a baseline that is not at hand" 3 "COLLATERAL_MISSING" quote --policy "$dir/set-20"
