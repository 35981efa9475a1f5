#!/bin/sh
# Holds the code against its rules: the include table of layout.txt, and what the compiler does not know:
# memory only from base, no clock, no printing in lib, TLS and OpenSSL only where they belong. TAP.
set -u
cd "$1" || exit 1
n=0
report() { # name, offending lines
    n=$((n + 1))
    if [ -z "$2" ]; then echo "ok $n - $1"; else echo "not ok $n - $1"; echo "$2" | sed 's/^/# /' ; fi
}
files=$(find lib os store collateral core front daemon cli attester -name '*.[ch]' 2>/dev/null)

report "include table" "$(echo "$files" | xargs awk '
    BEGIN {
        while ((getline line < "layout.txt") > 0) {
            if (line ~ /^#/ || line == "") continue
            k = split(line, f, " +"); known[f[1]] = 1
            for (i = 1; i <= k; i++) may[f[1] "," f[i]] = 1
        }
    }
    function room(path,  p, r) { # the longest known beginning
        split(path, p, "/"); r = p[1] "/" p[2]
        return (r in known) ? r : (p[1] in known) ? p[1] : ""
    }
    /^#include "/ {
        split($0, q, "\""); name = q[2]
        to = room(name); if (to == "") to = room("lib/" name)
        from = room(FILENAME)
        if (to != "" && !((from "," to) in may)) print FILENAME ":" FNR ": " from " may not include " to
    }')"
report "memory comes from base (crypto wraps handles)" "$(echo "$files" | grep -E '^lib/' | grep -vE '^lib/(base|crypto)/' | xargs grep -nE '\b(malloc|calloc|realloc|strdup|free)\(' | grep -vE '_free\(')"
report "no clock, environment, file or printing in lib" "$(echo "$files" | grep -E '^lib/' | xargs grep -nE '\b(time|clock_gettime|gettimeofday|getenv|fopen|open|printf|fprintf|puts|perror)\(' | grep -vE '(//|\*|"|snprintf|_printf)')"
report "OpenSSL in lib/crypto, core keys, os/tls and the policy signer of the tool" "$(echo "$files" | xargs grep -ln '#include <openssl/' | grep -vE '^(lib/crypto/|core/keys.c|os/tls.c|cli/policy_sign.c|attester/)')"
report "no sleeping" "$(echo "$files" | xargs grep -nE '\b(sleep|usleep|nanosleep)\(')"
report "secrets are compared in constant time" "$(grep -nE 'memcmp\([^)]*(mac|secret|tag|key)' core/*.c front/*.c | grep -vE 'public')"
report "no machine's paths" "$(git ls-files | grep -vE '^tests/layout.sh$' | xargs grep -nIE '/home/|/work/|/Users/' 2>/dev/null)"
report "avouchd.conf.5 is the table of keys" "$(tools/man-conf.sh os/config.h | diff - man/avouchd.conf.5)"
report "avouch-claims.7 is the table of claims" "$(tools/man-claims.sh lib/claims/table.h | diff - man/avouch-claims.7)"
report "the table of claims and the code name the same ones, with the same types" "$(
    grep -rhoE 'claims_(str|bool|int|json|hex|b64url)\([^;"]*"[^"]+"' lib/evidence core --include='*.c' |
        sed -E 's/^claims_(str|hex|b64url).*"([^"]+)"$/\2 String/; s/^claims_bool.*"([^"]+)"$/\1 Boolean/; s/^claims_int.*"([^"]+)"$/\1 Integer/; s/^claims_json.*"([^"]+)"$/\1 JSON/' |
        sort -u | while read -r name type; do grep -qE "\"$(echo "$name" | sed 's/[$]/[$]/')\", *$type," lib/claims/table.h || echo "not in the table: $name, $type"; done
    sed -nE 's/^    X\([a-z]+, "([^"]+)".*/\1/p' lib/claims/table.h | while read -r name; do
        grep -rqF "\"$name\"" lib/evidence core/attest.c || echo "not in the code: $name"; done)"
if command -v mandoc >/dev/null; then
    report "manual pages are clean" "$(for page in man/*; do mandoc -T lint -W warning "$page"; done)"
fi
echo "1..$n"
