/* guest_test.c: /attest/AzureGuest over HTTPS: the vectors, and a machine of our own that opens the answer with
 * the TPM it was sealed to, as long as it is in the state that it attested. */
#include "machine.h"
#include "service.h"

#include "codec/b64.h"
#include "crypto/seal.h"
#include "pki/ak_pki.h"

#include <stdio.h>
#include <sys/stat.h>
#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>
#include <tss2/tss2_tctildr.h>

#define ARM "/subscriptions/s/resourceGroups/g/providers/Microsoft.Attestation/attestationProviders"
#define LOG "tpm/qemu/shim-grub-sb/binary_bios_measurements"
#define TENANT "contoso-vm"
#define PERMIT "version=1.2;configurationrules{};authorizationrules{ => permit(); };issuancerules{};"
#define PCRS 0xffu

static struct service the;
static struct machine machine;
static struct ak_pki pki;
static const char *const as_owner[] = { "Authorization: Bearer dev", "Content-Type: application/json", NULL };
static const char *const as_nobody[] = { "Content-Type: application/json", NULL };

static void expect_status(const struct answer *got, long status)
{
    if (got->status != status)
        fail_msg("HTTP %ld, expected %ld: %s", got->status, status, got->body.p == NULL ? "" : (const char *)got->body.p);
}

static void expect_said(const struct answer *got, const char *part)
{
    if (strstr(answer_message(&the, got), part) == NULL)
        fail_msg("'%s' does not say '%s'", answer_message(&the, got), part);
}

static struct answer send_body(const char *host, struct bytes body)
{
    return service_call_host(&the, host, "POST", "/attest/AzureGuest?api-version=2022-08-01", as_nobody, body);
}

static const struct json *parsed(struct bytes text)
{
    struct err e = { 0 };
    const struct json *j;

    assert_ok(json_parse(text, 64, "document", &the.a, &j, &e), &e);
    return j;
}

static struct bytes text_of(const struct json *j, const char *name)
{
    struct bytes b = { NULL, 0 };

    if (!json_string(json_member(j, name), &b))
        fail_msg("member %s is missing", name);
    return b;
}

static struct bytes decoded(const struct json *j, const char *name)
{
    struct err e = { 0 };
    struct bytes b;

    assert_ok(b64_decode(text_of(j, name), B64_ANY, name, &the.a, &b, &e), &e);
    return b;
}

static struct bytes printed(const struct json *j)
{
    struct out o = out_open(&the.a);

    json_print(&o, j, true);
    return out_view(&o);
}

/* -- vectors -- */

static const struct row {
    const char *file, *refusal; /* NULL: accepted */
} rows[] = {
    { "linux-trustedlaunch", NULL },
    { "accept-log-uncovered-pcrs", NULL },
    { "reject-enckey-replaced", "EncKeyPub: the certified name is not the name of public" },
    { "reject-log-other-boot", "does not replay to the quoted PCR" },
    { "reject-no-aik-cert", "a Trusted Launch machine needs one" },
    { "reject-pcr-changed", "PcrQuote" },
};

/* The answer has the members of the recorded form and nothing that is readable without the TPM. */
static void check_sealed(const struct answer *got)
{
    const struct json *want = json_member(parsed(test_vector(&the.a, "tpm/azureguest/sealed-response.json")), "decoded");
    const struct json *have = parsed(decoded(got->json, "token"));

    assert_int_equal(got->json->count, 1);
    assert_null(memchr(text_of(got->json, "token").p, '.', text_of(got->json, "token").n));
    assert_int_equal(decoded(have, "AuthenticationData").n, GCM_TAG_SIZE);
    assert_int_equal(decoded(have, "EncryptedInnerKey").n, 256);
    for (const struct json *m = have->child; m != NULL; m = m->next)
        if (json_member_bytes(want, m->name) == NULL)
            fail_msg("member %s is not in the recorded form", arena_str(&the.a, m->name));
}

static void vector_row(void **state)
{
    const struct row *row = *state;
    const struct json *v = parsed(test_vector(&the.a, arena_printf(&the.a, "tpm/azureguest/%s.json", row->file)));
    struct answer got = send_body(TENANT ".localhost", printed(json_member(v, "body")));

    expect_status(&got, row->refusal == NULL ? 200 : 400);
    if (row->refusal == NULL)
        check_sealed(&got);
    else
        expect_said(&got, row->refusal);
}

/* The built-in policy wants Secure Boot lists that this machine does not have, and says which rule refused. */
static void default_policy(void **state)
{
    const struct json *v = parsed(test_vector(&the.a, "tpm/azureguest/linux-trustedlaunch.json"));
    struct answer got = send_body("localhost", printed(json_member(v, "body")));

    (void)state;
    expect_status(&got, 400);
    assert_string_equal(answer_code(&the, &got), "PolicyEvaluationError");
    expect_said(&got, "authorization failed");
}

/* -- a guest of our own, spoken to through ESYS: the ephemeral key is sealed to PCRs 0 to 7 -- */

struct guest {
    TSS2_TCTI_CONTEXT *tcti;
    ESYS_CONTEXT *esys;
    ESYS_TR ak, enc;
    struct bytes ak_public, ak_cert, quote, quote_sig, enc_public, cert, cert_sig;
    struct pcr_set pcrs;
};

static TPML_PCR_SELECTION selection(void)
{
    return (TPML_PCR_SELECTION){ .count = 1, .pcrSelections = { { .hash = TPM2_ALG_SHA256, .sizeofSelect = 3, .pcrSelect = { PCRS } } } };
}

static ESYS_TR policy_session(struct guest *g, TPM2_SE kind)
{
    const TPMT_SYM_DEF none = { .algorithm = TPM2_ALG_NULL };
    const TPM2B_DIGEST any = { .size = 0 };
    TPML_PCR_SELECTION s = selection();
    ESYS_TR session;

    assert_int_equal(Esys_StartAuthSession(g->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, NULL, kind,
                                           &none, TPM2_ALG_SHA256, &session), 0);
    assert_int_equal(Esys_PolicyPCR(g->esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &any, &s), 0);
    return session;
}

static struct bytes with_size(struct bytes area)
{
    struct out o = out_open(&the.a);

    out_u8(&o, (uint8_t)(area.n >> 8));
    out_u8(&o, (uint8_t)area.n);
    out_bytes(&o, area);
    return out_view(&o);
}

static void make_enc_key(struct guest *g)
{
    TPM2B_PUBLIC p = { .publicArea = { .type = TPM2_ALG_RSA, .nameAlg = TPM2_ALG_SHA256,
        .objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_NODA | TPMA_OBJECT_DECRYPT,
        .parameters.rsaDetail = { .symmetric.algorithm = TPM2_ALG_NULL, .scheme.scheme = TPM2_ALG_NULL, .keyBits = 2048 } } };
    const TPM2B_SENSITIVE_CREATE sensitive = { .size = 0 };
    const TPML_PCR_SELECTION no_pcrs = { .count = 0 };
    const TPM2B_DATA outside = { .size = 0 };
    ESYS_TR trial = policy_session(g, TPM2_SE_TRIAL);
    TPM2B_DIGEST *policy = NULL;
    TPM2B_PUBLIC *made = NULL;
    uint8_t buffer[sizeof(TPM2B_PUBLIC)];
    size_t n = 0;

    assert_int_equal(Esys_PolicyGetDigest(g->esys, trial, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &policy), 0);
    (void)Esys_FlushContext(g->esys, trial);
    p.publicArea.authPolicy = *policy;
    Esys_Free(policy);
    assert_int_equal(Esys_CreatePrimary(g->esys, ESYS_TR_RH_NULL, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &sensitive, &p, &outside,
                                        &no_pcrs, &g->enc, &made, NULL, NULL, NULL), 0);
    assert_int_equal(Tss2_MU_TPMT_PUBLIC_Marshal(&made->publicArea, buffer, sizeof(buffer), &n), 0);
    g->enc_public = with_size(arena_copy(&the.a, bytes_of(buffer, n)));
    Esys_Free(made);
}

static void certify_enc_key(struct guest *g)
{
    const TPMT_SIG_SCHEME of_key = { .scheme = TPM2_ALG_NULL };
    const TPM2B_DATA nothing = { .size = 0 };
    TPM2B_ATTEST *attest = NULL;
    TPMT_SIGNATURE *sig = NULL;
    uint8_t buffer[sizeof(TPMT_SIGNATURE)];
    size_t n = 0;

    assert_int_equal(Esys_TR_FromTPMPublic(g->esys, TPMDEV_AK_HANDLE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &g->ak), 0);
    assert_int_equal(Esys_Certify(g->esys, g->enc, g->ak, ESYS_TR_PASSWORD, ESYS_TR_PASSWORD, ESYS_TR_NONE, &nothing, &of_key, &attest,
                                  &sig), 0);
    assert_int_equal(Tss2_MU_TPMT_SIGNATURE_Marshal(sig, buffer, sizeof(buffer), &n), 0);
    g->cert = arena_copy(&the.a, bytes_of(attest->attestationData, attest->size));
    g->cert_sig = arena_copy(&the.a, bytes_of(buffer, n));
    Esys_Free(attest);
    Esys_Free(sig);
}

/* What the attester's library does for us: the key that attests, its quote, the values. */
static void quote(struct guest *g)
{
    const struct bytes no_nonce = { NULL, 0 };
    struct err e = { .code = ERR_NONE };
    struct tpmdev_key ak;
    struct tpm_public p;
    AUTO_KEY key = NULL;

    assert_ok(tpmdev_ak(machine.tpm, TPMDEV_AK_HANDLE, &the.a, &ak, &e) && tpmdev_keep(machine.tpm, &ak, TPMDEV_AK_HANDLE, &e)
              && tpmdev_quote(machine.tpm, &ak, no_nonce, tpm_bank(TPM_SHA256), PCRS, &the.a, &g->quote, &g->quote_sig, &e)
              && tpmdev_pcrs(machine.tpm, tpm_bank(TPM_SHA256), PCRS, &g->pcrs, &e)
              && tpm_public_parse(ak.public, ERR_AK_KEY, "AK", &p, &e) && tpm_public_key(&p, ERR_AK_KEY, "AK", &key, &e), &e);
    g->ak_public = with_size(ak.public);
    g->ak_cert = ak_pki_issue(&pki, "guest-1", key_spki(key, &the.a));
    tpmdev_key_done(machine.tpm, &ak);
}

static void guest_open(struct guest *g)
{
    memset(g, 0, sizeof(*g));
    quote(g);
    machine_release(&machine);
    assert_int_equal(Tss2_TctiLdr_Initialize(machine_tcti(&machine), &g->tcti), 0);
    assert_int_equal(Esys_Initialize(&g->esys, g->tcti, NULL), 0);
    make_enc_key(g);
    certify_enc_key(g);
}

static void guest_close(struct guest *g)
{
    (void)Esys_FlushContext(g->esys, g->enc);
    Esys_Finalize(&g->esys);
    Tss2_TctiLdr_Finalize(&g->tcti);
    machine_take(&machine);
}

static void member(struct jobj *o, const char *name, struct bytes b)
{
    jobj_str(o, name, b64std_encode(o->a, b));
}

static struct bytes tpm_info(struct guest *g)
{
    struct jobj o = jobj_open(&the.a);
    struct jarr set = jarr_open(&the.a), values = jarr_open(&the.a);

    for (unsigned i = 0; i < 8; i++) {
        struct jobj v = jobj_open(&the.a);

        jobj_int(&v, "Index", i);
        member(&v, "Digest", pcr_value(&g->pcrs.bank[0], i));
        jarr_raw(&values, jobj_print(&v, false));
        jarr_raw(&set, bytes_str(arena_printf(&the.a, "%u", i)));
    }
    member(&o, "AikCert", g->ak_cert);
    member(&o, "AikPub", g->ak_public);
    member(&o, "PcrQuote", g->quote);
    member(&o, "PcrSignature", g->quote_sig);
    member(&o, "EncKeyPub", g->enc_public);
    member(&o, "EncKeyCertifyInfo", g->cert);
    member(&o, "EncKeyCertifyInfoSignature", g->cert_sig);
    jobj_json(&o, "PcrSet", jarr_close(&set));
    jobj_json(&o, "PCRs", jarr_close(&values));
    return jobj_print(&o, false);
}

static struct bytes request(struct guest *g)
{
    struct jobj o = jobj_open(&the.a), body = jobj_open(&the.a);

    jobj_text(&o, "AttestationProtocolVersion", "2.0");
    member(&o, "OSType", LIT("Linux"));
    member(&o, "OSDistro", LIT("Debian"));
    member(&o, "OSBuild", LIT("NotApplicable"));
    jobj_int(&o, "OSVersionMajor", 12);
    jobj_int(&o, "OSVersionMinor", 0);
    member(&o, "TcgLogs", test_vector(&the.a, LOG));
    jobj_json(&o, "ClientPayload", LIT("{\"nonce\":\"aGVsbG8=\"}"));
    jobj_json(&o, "TpmInfo", tpm_info(g));
    jobj_json(&o, "IsolationInfo", LIT("{\"Type\":\"TrustedLaunch\"}"));
    member(&body, "AttestationInfo", jobj_print(&o, false));
    return jobj_print(&body, false);
}

static TSS2_RC unwrap(struct guest *g, struct bytes wrapped, TPM2B_PUBLIC_KEY_RSA **ret)
{
    const TPMT_RSA_DECRYPT scheme = { .scheme = TPM2_ALG_RSAES };
    const TPM2B_DATA no_label = { .size = 0 };
    TPM2B_PUBLIC_KEY_RSA in = { .size = (UINT16)wrapped.n };
    ESYS_TR session = policy_session(g, TPM2_SE_POLICY);
    TSS2_RC rc;

    memcpy(in.buffer, wrapped.p, wrapped.n);
    rc = Esys_RSA_Decrypt(g->esys, g->enc, session, ESYS_TR_NONE, ESYS_TR_NONE, &in, &scheme, &no_label, ret);
    if (rc != 0)
        (void)Esys_FlushContext(g->esys, session);
    return rc;
}

static struct bytes open_answer(struct guest *g, const struct json *sealed)
{
    struct bytes jwt = decoded(sealed, "Jwt"), iv = decoded(json_member(sealed, "EncryptionParams"), "Iv");
    uint8_t *plain = arena_alloc(&the.a, jwt.n);
    TPM2B_PUBLIC_KEY_RSA *key = NULL;

    assert_int_equal(unwrap(g, decoded(sealed, "EncryptedInnerKey"), &key), 0);
    assert_int_equal(key->size, GCM_KEY_SIZE);
    assert_int_equal(iv.n, GCM_IV_SIZE);
    assert_true(gcm_open(key->buffer, iv.p, LIT("Transport Key"), jwt, decoded(sealed, "AuthenticationData"), plain));
    Esys_Free(key);
    return bytes_of(plain, jwt.n);
}

static void check_token(const struct json *claims)
{
    struct bytes nonce;
    int64_t iat = 0, exp = 0;
    bool on;

    assert_text(text_of(claims, "x-ms-attestation-type"), "azurevm");
    assert_text(text_of(claims, "iss"), "https://" TENANT ".localhost:8443");
    assert_true(json_bool(json_member(claims, "secureboot"), &on) && on);
    assert_text(printed(json_member(claims, "x-ms-azurevm-attested-pcrs")), "[0,1,2,3,4,5,6,7]");
    assert_true(json_string(json_member(json_member(json_member(claims, "x-ms-runtime"), "client-payload"), "nonce"), &nonce));
    assert_text(nonce, "aGVsbG8=");
    assert_true(json_int(json_member(claims, "iat"), &iat) && json_int(json_member(claims, "exp"), &exp));
    assert_int_equal(exp - iat, 28800);
}

static void extend_by_hand(struct guest *g)
{
    TPML_DIGEST_VALUES v = { .count = 1, .digests = { { .hashAlg = TPM2_ALG_SHA256 } } };

    assert_int_equal(Esys_PCR_Extend(g->esys, ESYS_TR_PCR4, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &v), 0);
}

static void own_machine(void **state)
{
    TPM2B_PUBLIC_KEY_RSA *key = NULL;
    const struct json *sealed;
    struct answer got;
    struct guest g;

    (void)state;
    guest_open(&g);
    got = send_body(TENANT ".localhost", request(&g));
    expect_status(&got, 200);
    sealed = parsed(decoded(got.json, "token"));
    check_token(token_part(&the.a, open_answer(&g, sealed), 1));
    extend_by_hand(&g); /* the machine is no longer what it attested: its own TPM refuses */
    assert_int_not_equal(unwrap(&g, decoded(sealed, "EncryptedInnerKey"), &key), 0);
    guest_close(&g);
}

#define CONFIG "base_url = https://localhost:8443\nworkers = 1\n[token]\ncompatible = yes\n[verify]\ntrust = %s/trust\n"
static const char *const dev[] = { "--dev", NULL };

/* The issuer's CRL lies in the folder of collateral: what it lists is refused, whatever else is wrong. */
static void revoked(void **state)
{
    const char *folder = arena_printf(&machine.a, "%s/collateral", machine.folder);
    struct err e = { 0 };
    struct answer got;
    struct guest g;

    (void)state;
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_ok(file_write(arena_printf(&machine.a, "%s/own.crl", folder), ak_pki_revoke(&pki), &e), &e);
    service_restart(&the, arena_printf(&machine.a, CONFIG "[collateral]\ndirectory = %s\n", machine.folder, folder), dev);
    guest_open(&g);
    got = send_body(TENANT ".localhost", request(&g));
    expect_status(&got, 400);
    expect_said(&got, "is revoked by 'Avouch test AK issuer'");
    guest_close(&g);
}

/* -- */

static void put_trust(const char *folder)
{
    struct err e = { 0 };

    assert_ok(file_write(arena_printf(&machine.a, "%s/aik-root.pem", folder), test_vector(&machine.a, "tpm/azureguest/aik-root.pem"), &e)
              && file_write(arena_printf(&machine.a, "%s/own.pem", folder), pki.root_pem, &e), &e);
}

static void start(void)
{
    const char *folder = arena_printf(&machine.a, "%s/trust", machine.folder);
    struct answer got;

    ak_pki_init(&pki, &machine.a);
    assert_int_equal(mkdir(folder, 0700), 0);
    put_trust(folder);
    service_start(&the, arena_printf(&machine.a, CONFIG, machine.folder), dev);
    got = service_call(&the, "PUT", ARM "/" TENANT "?api-version=2021-06-01", as_owner, LIT("{\"location\":\"Local\",\"properties\":{}}"));
    expect_status(&got, 201);
    got = service_call_host(&the, TENANT ".localhost", "PUT", "/policies/AzureGuest?api-version=2022-08-01", as_owner, LIT(PERMIT));
    expect_status(&got, 200);
}

int main(void)
{
    struct suite s = { 0 };
    const char *why;
    int status;

    if (!machine_possible(&why) || test_vectors() == NULL) {
        suite_add_skipped(&s, test_vectors() == NULL ? "guest vectors are missing" : why);
        return suite_run("api-guest", &s);
    }
    for (size_t i = 0; i < COUNT(rows); i++)
        suite_add(&s, rows[i].file, vector_row, (void *)(uintptr_t)&rows[i]);
    suite_add(&s, "default policy", default_policy, NULL);
    suite_add(&s, "a machine opens its answer, until it changes", own_machine, NULL);
    suite_add(&s, "a revoked certificate of an attestation key", revoked, NULL);
    machine_init(&machine);
    machine_boot(&machine, test_vector(&machine.a, LOG));
    start();
    status = suite_run("api-guest", &s);
    ak_pki_done(&pki);
    if (service_stop(&the) != 0)
        status = 1;
    machine_done(&machine);
    return status;
}
