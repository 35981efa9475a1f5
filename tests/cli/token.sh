#!/bin/sh
# token.sh AVOUCH: avouch token on tokens that are signed here, as TAP.
avouch=$1
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
n=0

# expect NAME STATUS PART COMMAND...: the status, PART somewhere in what is printed, and nothing that a terminal would obey
expect()
{
    name=$1 status=$2 part=$3
    shift 3
    n=$((n + 1))
    out=$("$@" 2>&1)
    got=$?
    if [ "$got" -ne "$status" ]; then
        echo "not ok $n - $name"
        echo "# exit status $got, expected $status: $out" | tr -d '\033' | head -n 5
    elif ! printf '%s' "$out" | grep -qF -- "$part"; then
        echo "not ok $n - $name"
        printf '# no %s in:\n%s\n' "$part" "$out" | tr -d '\033' | cut -c1-200 | sed 's/^/# /' | head -n 40
    elif [ "$out" != "$(printf '%s' "$out" | tr -d '\000-\010\013-\037\177')" ]; then
        echo "not ok $n - $name"
        echo "# control characters in what is printed"
    else
        echo "ok $n - $name"
    fi
}

b64url() { base64 -w0 | tr -d = | tr +/ -_; }
token() { # header members and payload: a token in $dir/token
    input=$(printf '{"alg":"RS256",%s}' "$1" | b64url).$(printf '%s' "$2" | b64url)
    printf '%s.%s' "$input" "$(printf '%s' "$input" | openssl dgst -sha256 -sign "$dir/key.pem" | b64url)" >"$dir/token"
}
verify() { "$avouch" token verify "$dir/token" --at 2026-01-01T00:00:00Z "$@"; }

openssl req -x509 -newkey rsa:2048 -nodes -keyout "$dir/key.pem" -out "$dir/cert.pem" -subj /CN=token -days 2 2>/dev/null || exit 99
printf '{"keys":[{"kty":"RSA","kid":"k","x5c":["%s"]}]}' "$(openssl x509 -in "$dir/cert.pem" -outform DER | base64 -w0)" >"$dir/keys"
echo '<html>log in first</html>' >"$dir/portal"

echo 1..11
token '"kid":"k"' '{"iss":"https://a","nbf":1767225000,"exp":1767229200}'
expect "valid" 0 "issuer and times hold" verify --jwks "$dir/keys" --issuer https://a
expect "another issuer" 1 "issuer is 'https://a', expected 'https://b'" verify --jwks "$dir/keys" --issuer https://b
expect "an issuer that nobody named" 0 "its issuer was not compared" verify --jwks "$dir/keys"
expect "keys that are none decide nothing" 3 "key set" verify --jwks "$dir/portal" --issuer https://a
token '"kid":"k"' '{"iss":"https://a","exp":9223372036854775807}'
expect "the last second of all" 0 "valid" verify --jwks "$dir/keys" --issuer https://a
token '"kid":"k"' '{"iss":"https://a","exp":-9223372036854775808}'
expect "the first" 1 "expired" verify --jwks "$dir/keys" --issuer https://a
token '"kid":"k"' '{"iss":"https://a","nbf":9223372036854775807,"exp":9223372036854775807}'
expect "never yet" 1 "is valid from" verify --jwks "$dir/keys" --issuer https://a
token '"kid":"k"' '{"iss":"https://a","nbf":"2099-01-01","exp":9223372036854775807}'
expect "nbf that is no number" 1 "'nbf' is no whole number" verify --jwks "$dir/keys" --issuer https://a
token '"kid":"\u001b[2J"' '{"iss":"https://a","\u001b]0;x\u0007":1,"exp":1767229200}'
expect "decode shows names as they are written" 0 '\u001b]0;x' "$avouch" token decode "$dir/token"
expect "messages hold no control characters" 1 "is not in the key set" verify --jwks "$dir/keys" --issuer https://a
token '"kid":"k"' '{"iss":"\u001b[2J","exp":1767229200}'
expect "nor do values of claims" 1 "expected 'https://a'" verify --jwks "$dir/keys" --issuer https://a
