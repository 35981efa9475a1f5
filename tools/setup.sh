#!/bin/sh
# Installs from Debian's packages what building, running and testing need; says nothing where all is there.
set -eu
need="meson ninja-build gcc clang pkg-config libssl-dev libcmocka-dev libmicrohttpd-dev libgnutls28-dev libseccomp-dev
libsqlite3-dev libcurl4-openssl-dev libinih-dev libgmp-dev libtss2-dev swtpm swtpm-tools libclang-rt-14-dev libtss2-tcti-swtpm0 mandoc curl
openssl ca-certificates git python3-msrest python3-isodate python3-requests python3-cryptography
python3-typing-extensions python3-six python3-oauthlib python3-requests-oauthlib"
command -v npm >/dev/null || need="$need nodejs npm" # the official JavaScript clients
command -v mvn >/dev/null || need="$need openjdk-17-jdk-headless maven" # the official Java client
missing=""
for p in $need; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
sudo=""
[ "$(id -u)" = 0 ] || sudo=sudo
echo "installing:$missing"
$sudo apt-get update -qq
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
