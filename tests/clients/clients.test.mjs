// The official JavaScript clients, as npm has them, against a running service; run by run-js.sh.
import test from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { createSign, generateKeyPairSync } from "node:crypto";
import * as jose from "jose";
import pkg from "@azure/attestation";
const { AttestationClient, AttestationAdministrationClient, createAttestationPolicyToken } = pkg;
import { AttestationManagementClient } from "@azure/arm-attestation";

const base = process.env.AVOUCH_URL;             // https://localhost:PORT
const port = new URL(base).port;
const sample = (name) => readFileSync(`${process.env.AVOUCH_SAMPLE}/${name}`);
const quote = sample("quote.bin");
const header = Buffer.alloc(16); // Open Enclave: version 1, remote report, size
header.writeUInt32LE(1, 0);
header.writeUInt32LE(2, 4);
header.writeBigUInt64LE(BigInt(quote.length), 8);
const report = Buffer.concat([header, quote]);
const runtime = sample("runtime-data.json");
const credential = { getToken: async () => ({ token: "dev", expiresOnTimestamp: Date.now() + 3600000 }) };
const noRetry = { retryOptions: { maxRetries: 0 } };
const tenant = (name) => `https://${name}.localhost:${port}`;

// The client checks signature, issuer and times by itself.
const validation = (issuer) => ({
  validationOptions: { validateToken: true, validateIssuer: true, expectedIssuer: issuer, validateExpirationTime: true, validateNotBeforeTime: true, timeValidationSlack: 5 },
  ...noRetry,
});

const arm = new AttestationManagementClient(credential, "00000000-0000-0000-0000-000000000001", { endpoint: base, ...noRetry });

// Certificates that sign policies: made here with openssl, as an operator would.
const signer = (name) => {
  const dir = process.env.AVOUCH_TMP;
  execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", `${dir}/${name}.key`, "-out", `${dir}/${name}.pem`,
    "-days", "3650", "-subj", `/CN=${name}`, "-addext", "basicConstraints=critical,CA:TRUE", "-set_serial", "1"], { stdio: "ignore" });
  return { key: readFileSync(`${dir}/${name}.key`, "utf8"), pem: readFileSync(`${dir}/${name}.pem`, "utf8") };
};
const signers = { first: signer("first"), second: signer("second"), stranger: signer("stranger") };
const der64 = (pem) => pem.replace(/-----[^-]+-----|\s/g, "");

const permit = "version= 1.0; authorizationrules{=> permit();}; issuancerules{=> issue(type=\"custom-name\", value=\"ours\");};";
const deny = "version= 1.0; authorizationrules{=> deny();}; issuancerules{};";

test("arm: create an AAD and an isolated provider", async () => {
  const made = await arm.attestationProviders.create("group", "jsaad", { location: "East US", properties: {} });
  assert.equal(made.trustModel ?? made.properties?.trustModel, "AAD");
  const isolated = await arm.attestationProviders.create("group", "jsiso", {
    location: "East US",
    properties: { policySigningCertificates: { keys: [{ kty: "RSA", x5C: [der64(signers.first.pem)] }] } },
  });
  assert.equal(isolated.trustModel ?? isolated.properties?.trustModel, "Isolated");
});

test("arm: get, update, list, defaults, operations", async () => {
  const got = await arm.attestationProviders.get("group", "jsaad");
  assert.equal(got.attestUri ?? got.properties?.attestUri, `https://jsaad.localhost:8443`);
  const updated = await arm.attestationProviders.update("group", "jsaad", { tags: { team: "a" } });
  assert.deepEqual(updated.tags, { team: "a" });
  const list = await arm.attestationProviders.list();
  assert.equal(list.value.length, 2);
  const byGroup = await arm.attestationProviders.listByResourceGroup("group");
  assert.equal(byGroup.value.length, 2);
  const defaults = await arm.attestationProviders.listDefault();
  assert.equal(defaults.value[0].name, "sharedlocal");
  assert.equal((await arm.attestationProviders.getDefaultByLocation("East US")).name, "sharedlocal");
  const operations = await arm.operations.list();
  assert.ok((operations.value ?? operations).length > 3);
});

test("arm: private endpoint connections and link resources", async () => {
  await arm.privateEndpointConnections.create("group", "jsaad", "pe", {
    privateLinkServiceConnectionState: { status: "Approved", description: "ok" },
  });
  const got = await arm.privateEndpointConnections.get("group", "jsaad", "pe");
  assert.equal(got.name, "pe");
  const all = [];
  for await (const c of arm.privateEndpointConnections.list("group", "jsaad")) all.push(c);
  assert.equal(all.length, 1);
  await arm.privateEndpointConnections.delete("group", "jsaad", "pe");
  const links = await arm.privateLinkResources.listByProvider("group", "jsaad");
  assert.equal(links.value.length, 1);
});

for (const [name, url] of [["shared", base], ["AAD", tenant("jsaad")], ["isolated", tenant("jsiso")]]) {
  const issuer = name === "shared" ? "https://localhost:8443" : url.replace(port, "8443");

  test(`${name}: metadata and signers`, async () => {
    const client = new AttestationClient(url, validation(issuer));
    const metadata = await client.getOpenIdMetadata();
    assert.equal(metadata.issuer, issuer);
    const list = await client.getAttestationSigners();
    assert.equal(list.length, 3);
  });

  test(`${name}: attestSgxEnclave, validated by the client`, async () => {
    const client = new AttestationClient(url, validation(issuer));
    const result = await client.attestSgxEnclave(quote);
    assert.equal(result.body.mrEnclave ?? result.body.mrenclave, "e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
    assert.equal(result.body.isDebuggable, false);
    assert.equal(result.body.productId, 1);
    assert.equal(result.body.issuer, issuer);
  });

  test(`${name}: attestOpenEnclave`, async () => {
    const client = new AttestationClient(url, validation(issuer));
    const result = await client.attestOpenEnclave(report);
    assert.equal(result.body.productId, 1);
    assert.equal(result.body.svn, 2);
  });

  test(`${name}: runtime data, binary and JSON`, async () => {
    const client = new AttestationClient(url, validation(issuer));
    const binary = await client.attestSgxEnclave(quote, { runTimeData: runtime });
    assert.deepEqual(Buffer.from(binary.body.enclaveHeldData), runtime);
    const json = await client.attestOpenEnclave(report, { runTimeJson: runtime });
    assert.equal(json.body.runTimeClaims.greeting, "hello from a development enclave");
    await assert.rejects(client.attestSgxEnclave(quote, { runTimeData: Buffer.from("other") }), (e) => e.statusCode === 400 && e.code === "InvalidParameter");
  });

  test(`${name}: draft policies`, async () => {
    const client = new AttestationClient(url, { validationOptions: { validateToken: false }, ...noRetry });
    const result = await client.attestSgxEnclave(quote, { draftPolicyForAttestation: permit });
    assert.equal(result.body.policyClaims["custom-name"], "ours");
    await assert.rejects(client.attestSgxEnclave(quote, { draftPolicyForAttestation: deny }), (e) => e.statusCode === 400 && e.code === "PolicyEvaluationError");
    await assert.rejects(client.attestSgxEnclave(quote, { draftPolicyForAttestation: "version= 1.0; nonsense" }), (e) => e.code === "PolicyParsingError");
  });
}

test("wrong issuer is noticed by the client", async () => {
  const client = new AttestationClient(base, validation("https://elsewhere.example"));
  await assert.rejects(client.attestSgxEnclave(quote));
});

test("AAD: policy set, get, reset, unsigned and signed", async () => {
  const admin = new AttestationAdministrationClient(tenant("jsaad"), credential, validation("https://jsaad.localhost:8443"));
  const unsigned = await admin.setPolicy("SgxEnclave", permit);
  assert.equal(unsigned.body.policyResolution, "Updated");
  assert.equal((await admin.getPolicy("SgxEnclave")).body, permit);
  const client = new AttestationClient(tenant("jsaad"), validation("https://jsaad.localhost:8443"));
  assert.equal((await client.attestSgxEnclave(quote)).body.policyClaims["custom-name"], "ours");
  await admin.setPolicy("SgxEnclave", deny, { privateKey: signers.stranger.key, certificate: signers.stranger.pem });
  assert.equal((await admin.getPolicy("SgxEnclave")).body, deny);
  await assert.rejects(client.attestSgxEnclave(quote), (e) => e.code === "PolicyEvaluationError");
  assert.equal((await admin.resetPolicy("SgxEnclave")).body.policyResolution, "Removed");
  await client.attestSgxEnclave(quote);
});

test("isolated: only the provider's signers may set policies", async () => {
  const admin = new AttestationAdministrationClient(tenant("jsiso"), credential, validation("https://jsiso.localhost:8443"));
  await assert.rejects(admin.setPolicy("SgxEnclave", permit), (e) => e.statusCode === 400 && e.code === "InvalidOperation");
  await assert.rejects(admin.setPolicy("SgxEnclave", permit, { privateKey: signers.stranger.key, certificate: signers.stranger.pem }), (e) => e.code === "InvalidOperation");
  const set = await admin.setPolicy("SgxEnclave", permit, { privateKey: signers.first.key, certificate: signers.first.pem });
  assert.equal(set.body.policyResolution, "Updated");
  await admin.resetPolicy("SgxEnclave", { privateKey: signers.first.key, certificate: signers.first.pem });
});

test("isolated: certificates add, list, remove; AAD: disallowed", async () => {
  const iso = new AttestationAdministrationClient(tenant("jsiso"), credential, validation("https://jsiso.localhost:8443"));
  const aad = new AttestationAdministrationClient(tenant("jsaad"), credential, validation("https://jsaad.localhost:8443"));
  assert.equal((await iso.getPolicyManagementCertificates()).body.length, 1);
  const added = await iso.addPolicyManagementCertificate(signers.second.pem, signers.first.key, signers.first.pem);
  assert.equal(added.body.certificateResolution, "IsPresent");
  assert.equal((await iso.getPolicyManagementCertificates()).body.length, 2);
  const removed = await iso.removePolicyManagementCertificate(signers.second.pem, signers.first.key, signers.first.pem);
  assert.equal(removed.body.certificateResolution, "IsAbsent");
  await assert.rejects(iso.removePolicyManagementCertificate(signers.first.pem, signers.first.key, signers.first.pem), (e) => e.code === "InvalidOperation");
  await assert.rejects(aad.addPolicyManagementCertificate(signers.second.pem, signers.first.key, signers.first.pem), (e) => e.code === "InvalidOperation");
  assert.equal((await aad.getPolicyManagementCertificates()).body.length, 0);
});

test("a caller without a role gets 401", async () => {
  const stranger = { getToken: async () => ({ token: "wrong", expiresOnTimestamp: Date.now() + 3600000 }) };
  const admin = new AttestationAdministrationClient(tenant("jsaad"), stranger, noRetry);
  await assert.rejects(admin.getPolicy("SgxEnclave"), (e) => e.statusCode === 401);
});

test("a strict JOSE library verifies our tokens from our metadata alone", async () => {
  const metadata = await (await fetch(`${base}/.well-known/openid-configuration`)).json();
  const keys = await (await fetch(metadata.jwks_uri.replace(":8443", `:${port}`))).json();
  const answer = await fetch(`${base}/attest/SgxEnclave?api-version=2022-08-01`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ quote: quote.toString("base64url"), nonce: "n-1" }),
  });
  const { token } = await answer.json();
  const { payload, protectedHeader } = await jose.jwtVerify(token, jose.createLocalJWKSet(keys), {
    issuer: metadata.issuer, algorithms: metadata.id_token_signing_alg_values_supported,
  });
  assert.equal(payload.nonce, "n-1");
  assert.deepEqual(Object.keys(protectedHeader), ["alg", "jku", "kid", "typ"]);
});

test("arm: delete", async () => {
  await arm.attestationProviders.delete("group", "jsaad");
  await arm.attestationProviders.delete("group", "jsiso");
  await assert.rejects(arm.attestationProviders.get("group", "jsaad"), (e) => e.statusCode === 404);
});
