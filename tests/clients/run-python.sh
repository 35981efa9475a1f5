#!/bin/sh
# Starts a development service and runs the Python clients of Debian's python3-azure against it: TAP. Only four
# packages of that large one are unpacked. Skipped, with the reason, where they cannot be had.
set -u
skip() { echo "1..1"; echo "ok 1 # SKIP Python clients: $1"; exit 0; }
source=$1
build=$(cd "$2" && pwd)
python=/usr/bin/python3 # Debian's own: its packages are the clients'
[ -x $python ] || skip "python3 is not installed"
work=$build/clients-python
if [ ! -d "$work/azure/security/attestation" ]; then
    command -v apt-get >/dev/null || skip "no apt-get to fetch python3-azure with"
    rm -rf "$work" && mkdir -p "$work/deb"
    chmod a+rwx "$work/deb"
    (cd "$work/deb" && apt-get download -qq python3-azure >log 2>&1) || skip "python3-azure cannot be fetched"
    dpkg-deb --fsys-tarfile "$work"/deb/python3-azure_*.deb | tar -xf - -C "$work" --strip-components=5 --wildcards \
        './usr/lib/python3/dist-packages/azure/core/*' './usr/lib/python3/dist-packages/azure/__init__.py' \
        './usr/lib/python3/dist-packages/azure/security/attestation/*' './usr/lib/python3/dist-packages/azure/mgmt/core/*' \
        './usr/lib/python3/dist-packages/azure/mgmt/attestation/*' 2>/dev/null
    rm -rf "$work/deb"
fi
PYTHONPATH=$work $python -c 'import azure.security.attestation, azure.mgmt.attestation' 2>"$work/err" || skip "its modules cannot be loaded: $(tail -n 1 "$work/err")"
state=$(mktemp -d /tmp/avouch-py-XXXXXX)
. "$source/tests/clients/service.sh"
start_service
PYTHONPATH=$work PYTHONDONTWRITEBYTECODE=1 AVOUCH_PORT=$port AVOUCH_CA=$state/state/tls/cert.pem AVOUCH_SAMPLE=$state/state/dev/sample \
    AVOUCH_TMP=$state $python "$source/tests/clients/clients_test.py"
stop_service
exit 0
