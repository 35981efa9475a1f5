#!/bin/sh
# Prints avouch-claims.7 from lib/claims/table.h.
set -eu
cat <<'EOF'
.Dd November 26, 2026
.Dt AVOUCH-CLAIMS 7
.Os
.Sh NAME
.Nm avouch-claims
.Nd claims that the attestation service makes
.Sh DESCRIPTION
What verified evidence says, under the names that policies test
.Pq Xr avouch-policy 5
and tokens carry.
Each entry tells the type, where the claim goes, and its meaning.
.Pp
.Sy policy
claims are in the incoming set of the policy;
.Sy token
claims are members of the token.
.Sy token*
stands for claims of the service's own that the setting
.Cm token.compatible
.Pq Xr avouchd.conf 5
keeps out of tokens; the policy sees them always.
A claim of type JSON is a String to policies and an object or array in tokens.
EOF
awk '
    BEGIN {
        title["any"] = "Every kind of evidence"; title["sgx"] = "SGX and Open Enclave"; title["snp"] = "SEV-SNP"; title["tdx"] = "TDX"
        title["tpm"] = "TPM"; title["vbs"] = "VBS enclaves"; title["azurevm"] = "Azure guests"
        where["B"] = "policy, token"; where["P"] = "policy"; where["T"] = "token"; where["O"] = "policy, token*"
    }
    /^    X\(/ {
        line = $0; sub(/^ *X\(/, "", line); sub(/\) *\\?$/, "", line)
        kind = line; sub(/,.*/, "", kind)
        split(line, quoted, "\"")
        split(quoted[3], middle, /, */)
        if (kind != last) { if (last != "") print ".El"; print ".Sh " toupper(title[kind]); print ".Bl -tag -width Ds"; last = kind }
        printf ".It Cm %s\n%s; %s.\n%s.\n", quoted[2], middle[2], where[middle[3]], toupper(substr(quoted[4], 1, 1)) substr(quoted[4], 2)
    }
    END { print ".El" }' "$1"
cat <<'EOF'
.Sh SEE ALSO
.Xr avouch-policy 5 ,
.Xr avouchd 8
EOF
