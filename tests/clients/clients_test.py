"""The official Python clients, as Debian has them, against a running service: TAP on standard output."""
import base64
import json
import os
import socket
import struct
import subprocess
import sys
import time
import traceback

import requests
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.mgmt.attestation import AttestationManagementClient
from azure.security.attestation import AttestationAdministrationClient, AttestationClient, AttestationType

PORT = os.environ["AVOUCH_PORT"]
CA = os.environ["AVOUCH_CA"]
TMP = os.environ["AVOUCH_TMP"]
BASE = "https://localhost:%s" % PORT
NO_RETRY = {"connection_verify": CA, "retry_total": 0}

# Names below localhost are this machine (RFC 6761 section 6.3); not every resolver knows.
_lookup = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **kw: _lookup("localhost" if str(host).endswith(".localhost") else host, *rest, **kw)


def sample(name):
    with open(os.path.join(os.environ["AVOUCH_SAMPLE"], name), "rb") as f:
        return f.read()


QUOTE = sample("quote.bin")
REPORT = struct.pack("<IIQ", 1, 2, len(QUOTE)) + QUOTE
RUNTIME = sample("runtime-data.json")
PERMIT = 'version= 1.0; authorizationrules{=> permit();}; issuancerules{=> issue(type="custom-name", value="ours");};'
DENY = "version= 1.0; authorizationrules{=> deny();}; issuancerules{};"


class Credential:
    def __init__(self, token="dev"):
        self.token = token

    def get_token(self, *scopes, **kw):
        return AccessToken(self.token, int(time.time()) + 3600)


def signer(name, *key):
    """Key and certificate as PEM texts, made with openssl as an operator would."""
    paths = [os.path.join(TMP, "py-%s.%s" % (name, end)) for end in ("key", "pem")]
    subprocess.run(["openssl", "req", "-x509", "-newkey", *key, "-nodes", "-keyout", paths[0], "-out", paths[1], "-days", "30", "-sha256",
                    "-subj", "/CN=" + name, "-addext", "basicConstraints=critical,CA:TRUE"], check=True, stderr=subprocess.DEVNULL)
    return [open(p).read() for p in paths]


RSA = signer("rsa", "rsa:2048")
EC = signer("ec", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
STRANGER = signer("stranger", "rsa:2048")


def der64(pem):
    return "".join(line for line in pem.splitlines() if "-----" not in line)


def ec_policy(text):
    """ECDH256 for ES256, a DER signature, the certificate in jwk: as the client names and places them."""
    def b64(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")
    header = b64(json.dumps({"alg": "ECDH256", "jwk": {"x5c": [der64(EC[1])]}}).encode())
    body = b64(json.dumps({"AttestationPolicy": b64(text.encode()).decode()}).encode())
    key = serialization.load_pem_private_key(EC[0].encode(), None)
    return header + b"." + body + b"." + b64(key.sign(header + b"." + body, ec.ECDSA(hashes.SHA256())))


def url(tenant):
    return BASE if tenant == "shared" else "https://%s.localhost:%s" % (tenant, PORT)


def issuer(tenant):
    return url(tenant).replace(":" + PORT, ":8443")


def client(tenant, **more):
    options = dict(NO_RETRY, validate_token=True, validate_issuer=True, issuer=issuer(tenant), **more)
    return AttestationClient(url(tenant), Credential(), **options)


def admin(tenant, key=None, **more):
    signing = {} if key is None else {"signing_key": key[0], "signing_certificate": key[1]}
    return AttestationAdministrationClient(url(tenant), Credential(), **dict(NO_RETRY, **signing, **more))


def refused(code, call, *args, **kw):
    try:
        call(*args, **kw)
    except HttpResponseError as e:
        assert e.error.code == code, "%s: %s" % (e.error.code, e)
        return
    raise AssertionError("not refused")


arm = AttestationManagementClient(Credential(), "00000000-0000-0000-0000-000000000002", base_url=BASE, connection_verify=CA,
                                  credential_scopes=["https://management.azure.com/.default"], retry_total=0)


def arm_creates():
    made = arm.attestation_providers.create("group", "pyaad", {"location": "East US", "properties": {}})
    assert made.trust_model == "AAD" and made.attest_uri == issuer("pyaad")
    keys = {"keys": [{"kty": "RSA", "x5c": [der64(RSA[1])]}, {"kty": "EC", "x5c": [der64(EC[1])]}]}
    made = arm.attestation_providers.create("group", "pyiso", {"location": "East US", "properties": {"policySigningCertificates": keys}})
    assert made.trust_model == "Isolated", made.trust_model


def arm_reads():
    assert arm.attestation_providers.get("group", "pyaad").status == "Ready"
    assert arm.attestation_providers.update("group", "pyaad", {"tags": {"a": "b"}}).tags == {"a": "b"}
    assert len(arm.attestation_providers.list().value) == 2
    assert len(arm.attestation_providers.list_by_resource_group("group").value) == 2
    assert arm.attestation_providers.list_default().value[0].name == "sharedlocal"
    assert arm.attestation_providers.get_default_by_location("eastus").name == "sharedlocal"
    assert len(arm.operations.list().value) > 3


def metadata(tenant):
    assert client(tenant).get_open_id_metadata()["issuer"] == issuer(tenant)
    assert len(client(tenant).get_signing_certificates()) == 3


def attest_sgx(tenant):
    result, token = client(tenant).attest_sgx_enclave(QUOTE)
    assert result.enclave_product_id if hasattr(result, "enclave_product_id") else result.product_id == 1
    assert result.mr_enclave == "".join("%02x" % (0xe0 + i) for i in range(32))
    assert result.issuer == issuer(tenant)


def attest_oe(tenant):
    result, token = client(tenant).attest_open_enclave(REPORT)
    assert result.svn == 2


def runtime_data(tenant):
    result, token = client(tenant).attest_sgx_enclave(QUOTE, runtime_data=RUNTIME)
    assert result.enclave_held_data == RUNTIME
    result, token = client(tenant).attest_open_enclave(REPORT, runtime_json=RUNTIME)
    assert result.runtime_claims == {"greeting": "hello from a development enclave"}
    refused("InvalidParameter", client(tenant).attest_sgx_enclave, QUOTE, runtime_data=b"other")


def drafts(tenant):
    unsigned = AttestationClient(url(tenant), Credential(), validate_token=False, **NO_RETRY)
    result, token = unsigned.attest_sgx_enclave(QUOTE, draft_policy=PERMIT)
    assert result.policy_claims["custom-name"] == "ours"
    refused("PolicyEvaluationError", unsigned.attest_sgx_enclave, QUOTE, draft_policy=DENY)
    refused("PolicyParsingError", unsigned.attest_sgx_enclave, QUOTE, draft_policy="version= 1.0; nonsense")


def policies_aad():
    a = admin("pyaad")
    result, _ = a.set_policy(AttestationType.SGX_ENCLAVE, PERMIT)
    assert result.policy_resolution == "Updated"
    assert a.get_policy(AttestationType.SGX_ENCLAVE)[0] == PERMIT
    assert a.get_policy(AttestationType.TPM)[0] in ("", None)
    result, _ = client("pyaad").attest_sgx_enclave(QUOTE)
    assert result.policy_claims["custom-name"] == "ours"
    result, _ = admin("pyaad", STRANGER).set_policy(AttestationType.SGX_ENCLAVE, DENY)
    assert result.policy_signer is not None
    refused("PolicyEvaluationError", client("pyaad").attest_sgx_enclave, QUOTE)
    assert a.reset_policy(AttestationType.SGX_ENCLAVE)[0].policy_resolution == "Removed"


def policies_isolated():
    refused("InvalidOperation", admin("pyiso").set_policy, AttestationType.OPEN_ENCLAVE, PERMIT)
    refused("InvalidOperation", admin("pyiso", STRANGER).set_policy, AttestationType.OPEN_ENCLAVE, PERMIT)
    assert admin("pyiso", RSA).set_policy(AttestationType.OPEN_ENCLAVE, PERMIT)[0].policy_resolution == "Updated"
    # the client calls its library wrongly for EC keys: what it would send is put together here
    answer = requests.put(url("pyiso") + "/policies/OpenEnclave?api-version=2020-10-01", ec_policy(PERMIT), verify=CA,
                          headers={"Authorization": "Bearer dev", "Content-Type": "text/plain"})
    assert answer.status_code == 200, answer.text
    assert admin("pyiso", RSA).reset_policy(AttestationType.OPEN_ENCLAVE)[0].policy_resolution == "Removed"


def certificates():
    a = admin("pyiso", RSA)
    assert len(a.get_policy_management_certificates()[0]) == 2
    assert a.add_policy_management_certificate(STRANGER[1])[0].certificate_resolution == "IsPresent"
    assert a.remove_policy_management_certificate(STRANGER[1])[0].certificate_resolution == "IsAbsent"
    assert len(admin("pyaad").get_policy_management_certificates()[0]) == 0
    refused("InvalidOperation", admin("pyaad", RSA).add_policy_management_certificate, STRANGER[1])


def no_role():
    try:
        AttestationAdministrationClient(url("pyaad"), Credential("wrong"), **NO_RETRY).get_policy(AttestationType.SGX_ENCLAVE)
    except ClientAuthenticationError as e:
        assert e.status_code == 401
        return
    raise AssertionError("not refused")


def arm_deletes():
    arm.attestation_providers.delete("group", "pyaad")
    arm.attestation_providers.delete("group", "pyiso")
    try:
        arm.attestation_providers.get("group", "pyaad")
    except ResourceNotFoundError:
        return
    raise AssertionError("still there")


TESTS = [("arm: create", arm_creates), ("arm: read, update, list, defaults", arm_reads)]
for t in ("shared", "pyaad", "pyiso"):
    for f in (metadata, attest_sgx, attest_oe, runtime_data, drafts):
        TESTS.append(("%s: %s" % (t, f.__name__), lambda f=f, t=t: f(t)))
TESTS += [("policies of an AAD provider", policies_aad), ("policies of an isolated provider", policies_isolated),
          ("policy certificates", certificates), ("a caller without a role", no_role), ("arm: delete", arm_deletes)]

print("1..%d" % len(TESTS))
for n, (name, test) in enumerate(TESTS, 1):
    try:
        test()
        print("ok %d - %s" % (n, name))
    except Exception:
        traceback.print_exc()
        print("not ok %d - %s" % (n, name))
    sys.stdout.flush()
