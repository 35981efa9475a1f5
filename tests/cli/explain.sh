#!/bin/sh
# explain.sh AVOUCH: avouch explain and avouch verify on SEV-SNP and TDX evidence as files, as TAP.
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
        printf '# no %s in:\n%s\n' "$part" "$out" | sed 's/^/# /' | head -n 40
    else
        echo "ok $n - $name"
    fi
}

if [ ! -d "$vectors/snp" ]; then
    echo "1..0 # SKIP vectors are missing"
    exit 0
fi
snp=$vectors/snp tdx=$vectors/tdx
mkdir "$dir/genoa" "$dir/none"
cp "$snp/genoa-v5/vcek.der" "$dir/genoa/"
head -c 1000 "$snp/genoa-v5/report.bin" >"$dir/cut.bin"
head -c 700 "$tdx/quotes/google_v5.bin" >"$dir/cut-quote.bin"
od -An -v -tx1 "$snp/turin-v5/report.bin" >"$dir/report.hex"
echo hello >"$dir/hello"

echo 1..24
expect "SNP report: line" 0 "processor line                 Turin" "$avouch" explain "$snp/turin-v5/report.bin"
expect "SNP report: a bit by name" 0 "1  ALIAS_CHECK_COMPLETE" "$avouch" explain "$snp/turin-v5/report.bin"
expect "SNP report: a bit without a name" 0 "bit 6                          1  (no published name)" "$avouch" explain "$snp/turin-v5/report.bin"
expect "SNP report as hexadecimal text" 0 "fmc 1, boot loader 1, tee 1, snp 4, microcode 81" "$avouch" explain "$dir/report.hex"
expect "debug policy" 0 "1  DEBUG: the host may debug the guest" "$avouch" explain "$snp/milan-v2-debug/report.bin"
expect "HCL report" 0 "hardware report type           2 (SEV-SNP)" "$avouch" explain "$snp/azure-hcl/hcl-report.bin"
expect "HCL report inside JSON" 0 "HCLAkPub" "$avouch" explain "$snp/azure-hcl/evidence-v1.json"
expect "recorded request" 0 "CN=SEV-VCEK" "$avouch" explain "$vectors/rest/evidence/sevsnp-attest-request.json"
expect "endorsement" 0 "endorses the measurement       dc3f5a93" "$avouch" explain "$snp/uvm/esrp_transparent_hash_envelop.cose"
expect "endorsement as base64" 0 "feed                           ContainerPlat-AMD-UVM" "$avouch" explain "$snp/aci-security-context/reference-info-base64"
expect "certificates of a host" 0 "certificateChain 2" "$avouch" explain "$snp/aci-milan-v2/uvm_host_amd_certificate.json"
expect "TD quote" 0 "1  SEPT_VE_DISABLE" "$avouch" explain "$tdx/quotes/google_v5.bin"
expect "TD quote: platform" 0 "FMSPC                          90c06f000000" "$avouch" explain "$tdx/quotes/google_v5.bin"
expect "SGX quote in an Open Enclave report" 0 "MRENCLAVE" "$avouch" explain "$vectors/rest/evidence/sdk-OpenEnclave.bin"
expect "TCB info" 0 "kind                           TCB info" "$avouch" explain "$tdx/collateral/tcbinfo-tdx-v3-b0c06f000000-eval17-20250619T101603Z.json"
expect "revocation list" 0 "revoked certificates           44" "$avouch" explain "$tdx/collateral/crl-platform-20230608T072752Z.der"
expect "cut quote: where it ends" 1 "are left" "$avouch" explain "$dir/cut-quote.bin"
expect "no evidence" 1 "of no kind that is known here" "$avouch" explain "$dir/hello"
expect "no file" 2 "usage: avouch explain FILE" "$avouch" explain
expect "raw report with its certificate" 0 "SevSnpVm: valid" "$avouch" verify SevSnpVm "$snp/genoa-v5/report.bin" --collateral "$dir/genoa" --at 2026-11-01T00:00:00Z
expect "raw report without it" 3 "COLLATERAL_MISSING" "$avouch" verify SevSnpVm "$snp/genoa-v5/report.bin" --collateral "$dir/none" --at 2026-11-01T00:00:00Z
expect "cut report" 1 "report length is 1000 bytes, exactly 1184 are expected" "$avouch" verify SevSnpVm "$dir/cut.bin" --collateral "$dir/genoa"
expect "after the certificate's end" 1 "CERT_EXPIRED" "$avouch" verify SevSnpVm "$snp/genoa-v5/report.bin" --collateral "$dir/genoa" --at 2034-01-01T00:00:00Z
expect "TD quote with a folder of collateral" 0 "platform status OK" "$avouch" verify TdxVm "$tdx/quotes/google_v5.bin" --collateral "$tdx/collateral" --at 2026-03-05T10:50:03Z
