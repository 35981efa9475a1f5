#!/bin/sh
# Starts a development service and runs the Java client against it: TAP. Skipped, with the reason, where there is no
# JDK with Maven or the packages cannot be had.
set -u
skip() { echo "1..1"; echo "ok 1 # SKIP Java client: $1"; exit 0; }
source=$1
build=$(cd "$2" && pwd)
command -v java >/dev/null && command -v keytool >/dev/null || skip "no JDK is installed"
command -v mvn >/dev/null || skip "Maven is not installed"
work=$build/clients-java
mkdir -p "$work"
cp "$source/tests/clients/pom.xml" "$work/"
[ -n "$(ls "$work"/lib/azure-security-attestation-*.jar 2>/dev/null)" ] ||
    (cd "$work" && mvn -B -q dependency:copy-dependencies -DoutputDirectory=lib >mvn.log 2>&1) || skip "Maven cannot fetch the packages"
state=$(mktemp -d /tmp/avouch-java-XXXXXX)
. "$source/tests/clients/service.sh"
start_service
for name in rsa other; do
    openssl req -x509 -newkey rsa:2048 -nodes -keyout "$state/$name.key" -out "$state/$name.pem" -days 30 -subj "/CN=$name" 2>/dev/null
    openssl pkcs8 -topk8 -nocrypt -in "$state/$name.key" -outform der -out "$state/$name.p8"
done
signer=$(openssl x509 -in "$state/rsa.pem" -outform der | base64 -w0)
providers=https://localhost:$port/subscriptions/s/resourceGroups/g/providers/Microsoft.Attestation/attestationProviders
create() { # name, properties
    curl -sSf --cacert "$state/state/tls/cert.pem" -H 'Authorization: Bearer dev' -X PUT "$providers/$1?api-version=2020-10-01" \
        -d "{\"location\":\"East US\",\"properties\":$2}" >/dev/null
}
create javaaad '{}'
create javaiso "{\"policySigningCertificates\":{\"keys\":[{\"kty\":\"RSA\",\"x5c\":[\"$signer\"]}]}}"
# names below localhost are this machine (RFC 6761 section 6.3); the certificate is one for the service alone
printf '127.0.0.1 localhost javaaad.localhost javaiso.localhost\n' >"$state/hosts"
keytool -importcert -noprompt -alias avouch -file "$state/state/tls/cert.pem" -keystore "$state/trust.p12" -storetype PKCS12 \
    -storepass changeit >/dev/null 2>&1
java -Djdk.net.hosts.file="$state/hosts" -Djavax.net.ssl.trustStore="$state/trust.p12" -Djavax.net.ssl.trustStorePassword=changeit \
    -cp "$work/lib/*" "$source/tests/clients/ClientsTest.java" "https://localhost:$port" "https://javaaad.localhost:$port" \
    "https://javaiso.localhost:$port" "$state/state/dev/sample" "$state" 2>"$work/err"
[ $? -le 1 ] || tail -5 "$work/err" >&2
stop_service
exit 0
