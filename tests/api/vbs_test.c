/* vbs_test.c: an enclave of Windows' virtualisation-based security attests over HTTPS. Everything of Windows is
 * made here (its boot log, the key that signs reports, the report); the TPM that the log is quoted by is real. */
#include "machine.h"
#include "tpm_client.h"

#include "codec/b64.h"
#include "evidence/tpm/eventlog.h"
#include "evidence/tpm/sipa.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#define TENANT "contoso-vbs"
#define POLICY "version=1.2;\nconfigurationrules{ => issueproperty(type=\"require_valid_aik_cert\", value=false); };\n" \
               "authorizationrules{ [type==\"tee\", value==\"vbs\"] && [type==\"vbsReportPresent\", value==true] => permit(); };\n" \
               "issuancerules{ c:[type==\"enclaveFlags\"] => issue(claim=c); c:[type==\"enclaveSvn\"] => issue(claim=c); };"

enum { SVN = 7, STATEMENT = 224, SIGNATURE = 256 };

static struct machine machine;
static EVP_PKEY *idks; /* signs reports; the hypervisor measures it */

/* -- a boot of Windows, as far as it matters -- */

static struct bytes modulus(EVP_PKEY *k)
{
    BIGNUM *n = NULL;
    uint8_t *p = arena_alloc(&the.a, SIGNATURE);

    assert_int_equal(EVP_PKEY_get_bn_param(k, OSSL_PKEY_PARAM_RSA_N, &n), 1);
    assert_int_equal(BN_bn2binpad(n, p, SIGNATURE), SIGNATURE);
    BN_free(n);
    return bytes_of(p, SIGNATURE);
}

/* VSM_IDKS_INFO: algorithm, bits, lengths, exponent, modulus. */
static struct bytes key_info(EVP_PKEY *k)
{
    struct out o = out_open(&the.a);

    out_u32le(&o, 1);
    out_u32le(&o, 8 * SIGNATURE);
    out_u32le(&o, 3);
    out_u32le(&o, SIGNATURE);
    out_bytes(&o, LIT("\1\0\1"));
    out_bytes(&o, modulus(k));
    return out_view(&o);
}

static void put_event(struct out *o, uint32_t pcr, uint32_t type, struct bytes content)
{
    struct digest d = sha256(content);

    out_u32le(o, pcr);
    out_u32le(o, type);
    out_u32le(o, 1);
    out_u16le(o, TPM_SHA256);
    out_bytes(o, digest_bytes(&d));
    out_u32le(o, (uint32_t)content.n);
    out_bytes(o, content);
}

static struct bytes boot_log(EVP_PKEY *k)
{
    static const uint8_t no_digest[20];
    struct out o = out_open(&the.a), tag = out_open(&the.a);
    struct bytes info = key_info(k);

    out_u32le(&o, 0);
    out_u32le(&o, EV_NO_ACTION);
    out_bytes(&o, BYTES(no_digest));
    out_u32le(&o, 33);
    out_bytes(&o, LIT("Spec ID Event03\0\0\0\0\0\0\2\0\2\1\0\0\0\x0b\0\x20\0\0"));
    out_u32le(&tag, 0x40010001); /* a trust boundary, which holds the rest */
    out_u32le(&tag, (uint32_t)(8 + info.n));
    out_u32le(&tag, SIPA_VSM_IDKS_INFO);
    out_u32le(&tag, (uint32_t)info.n);
    out_bytes(&tag, info);
    put_event(&o, 12, EV_EVENT_TAG, out_view(&tag));
    put_event(&o, 12, EV_SEPARATOR, LIT("WBCL"));
    return out_view(&o);
}

/* -- the report of an enclave -- */

static struct bytes sign(EVP_PKEY *k, struct bytes content)
{
    EVP_MD_CTX *m = EVP_MD_CTX_new();
    EVP_PKEY_CTX *ctx = NULL;
    uint8_t *sig = arena_alloc(&the.a, SIGNATURE);
    size_t n = SIGNATURE;

    assert_int_equal(EVP_DigestSignInit(m, &ctx, EVP_sha256(), NULL, k), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST), 1);
    assert_int_equal(EVP_DigestSign(m, sig, &n, content.p, content.n), 1);
    EVP_MD_CTX_free(m);
    return bytes_of(sig, n);
}

static struct bytes statement(struct bytes report_signed)
{
    struct digest d = hash(HASH_SHA512, report_signed);
    static const uint8_t ids[32 + 32 + 32 + 16 + 16]; /* owner; unique, author, family, image */
    struct out o = out_open(&the.a);

    out_u32le(&o, STATEMENT);
    out_u32le(&o, 1);
    out_bytes(&o, digest_bytes(&d));
    out_bytes(&o, BYTES(ids));
    out_u32le(&o, SVN);
    for (int i = 0; i < 5; i++) /* SVNs of kernel and platform, flags, signing level, type */
        out_u32le(&o, 0);
    assert_int_equal(o.n, STATEMENT);
    return out_view(&o);
}

static struct bytes report(EVP_PKEY *k, struct bytes report_signed)
{
    struct out o = out_open(&the.a);
    struct bytes s = statement(report_signed);

    out_u32le(&o, 24 + STATEMENT + SIGNATURE);
    out_u32le(&o, 1);
    out_u32le(&o, 1);
    out_u32le(&o, STATEMENT);
    out_u32le(&o, SIGNATURE);
    out_u32le(&o, 0);
    out_bytes(&o, s);
    out_bytes(&o, sign(k, s));
    return out_view(&o);
}

/* -- the request: what the basic one says, as the enclave signed it -- */

static struct bytes part_of(struct bytes jws, int part)
{
    struct err e = { 0 };
    struct bytes rest = jws, text;

    for (int i = 0; i < part; i++)
        rest = bytes_part(rest, (size_t)((const uint8_t *)memchr(rest.p, '.', rest.n) - rest.p) + 1, rest.n);
    rest = bytes_part(rest, 0, (size_t)((const uint8_t *)memchr(rest.p, '.', rest.n) - rest.p));
    assert_ok(b64_decode(rest, B64_URL_STRICT, "part", &the.a, &text, &e), &e);
    return text;
}

static struct bytes enclave_payload(struct bytes report_signed, struct bytes hashed, EVP_PKEY *signer)
{
    struct jobj top = jobj_open(&the.a), att = jobj_open(&the.a), vsm = jobj_open(&the.a), enclave = jobj_open(&the.a);

    jobj_b64url(&enclave, "report", report(signer, hashed));
    jobj_json(&vsm, "enclave", jobj_print(&enclave, false));
    jobj_json(&att, "report_signed", report_signed);
    jobj_json(&att, "vsm_report", jobj_print(&vsm, false));
    jobj_text(&top, "att_type", "vbs");
    jobj_json(&top, "att_data", jobj_print(&att, false));
    return jobj_print(&top, false);
}

/* What is wrong with it, if anything. */
enum lie { TRUTH, OTHER_DATA, OTHER_SIGNER };

static struct bytes make_request(const struct asked *q, enum lie lie)
{
    struct gather g = gather_default();
    struct err e = { .code = ERR_NONE };
    struct out signed_text = out_open(&the.a);
    struct bytes basic, content, sig;
    EVP_PKEY *stranger = lie == OTHER_SIGNER ? EVP_RSA_gen(8 * SIGNATURE) : NULL;
    struct gathered have;

    g.log_path = machine_file(&machine, "log", boot_log(idks));
    assert_ok(gather_tpm(machine.tpm, &g, q->challenge, &the.a, &have, &e), &e);
    assert_ok(request_make(machine.tpm, &g, &have, q->challenge, q->context, &the.a, &basic, &e), &e);
    content = json_member(parsed(part_of(basic, 1)), "att_data")->raw;
    content = enclave_payload(content, lie == OTHER_DATA ? LIT("{}") : content, stranger == NULL ? idks : stranger);
    b64url_print(&signed_text, LIT("{\"alg\":\"PS256\",\"typ\":\"attReqV2\"}"));
    out_char(&signed_text, '.');
    b64url_print(&signed_text, content);
    assert_ok(tpmdev_sign(machine.tpm, &have.request_key, out_view(&signed_text), &the.a, &sig, &e), &e);
    out_char(&signed_text, '.');
    b64url_print(&signed_text, sig);
    gathered_done(machine.tpm, &have);
    EVP_PKEY_free(stranger);
    return out_view(&signed_text);
}

static void attest(void **state)
{
    const struct asked q = ask(TENANT, as_owner);
    struct answer got = send_jws(TENANT, as_owner, make_request(&q, TRUTH));
    const struct json *claims = token_part(&the.a, report_of(&got), 1);
    int64_t v = -1;

    (void)state;
    assert_text(text_of(claims, "x-ms-attestation-type"), "vbs");
    assert_true(json_int(json_member(claims, "enclaveSvn"), &v));
    assert_int_equal(v, SVN);
    assert_true(json_int(json_member(claims, "enclaveFlags"), &v));
    assert_int_equal(v, 0);
}

static void other_data(void **state)
{
    const struct asked q = ask(TENANT, as_owner);
    struct answer got = send_jws(TENANT, as_owner, make_request(&q, OTHER_DATA));

    (void)state;
    expect_refused(&got, "InvalidParameter", "the SHA-512 of report_signed is");
}

static void other_signer(void **state)
{
    const struct asked q = ask(TENANT, as_owner);
    struct answer got = send_jws(TENANT, as_owner, make_request(&q, OTHER_SIGNER));

    (void)state;
    expect_refused(&got, "InvalidParameter", "does not verify with the key of the boot log");
}

/* The machine alone, without the enclave, is not what this policy asks for. */
static void no_enclave(void **state)
{
    const struct asked q = ask(TENANT, as_owner);
    struct gather g = gather_default();
    struct err e = { .code = ERR_NONE };
    struct gathered have;
    struct answer got;
    struct bytes jws;

    (void)state;
    g.log_path = machine_file(&machine, "log", boot_log(idks));
    assert_ok(gather_tpm(machine.tpm, &g, q.challenge, &the.a, &have, &e), &e);
    assert_ok(request_make(machine.tpm, &g, &have, q.challenge, q.context, &the.a, &jws, &e), &e);
    gathered_done(machine.tpm, &have);
    got = send_jws(TENANT, as_owner, jws);
    expect_refused(&got, "PolicyEvaluationError", "authorization failed");
}

int main(void)
{
    struct suite s = { 0 };
    const char *why;
    int status;

    if (!machine_possible(&why)) {
        suite_add_skipped(&s, why);
        return suite_run("api-vbs", &s);
    }
    suite_add(&s, "attest", attest, NULL);
    suite_add(&s, "report of other data", other_data, NULL);
    suite_add(&s, "report of another signer", other_signer, NULL);
    suite_add(&s, "no enclave", no_enclave, NULL);
    service_start(&the, "base_url = https://localhost:8443\nworkers = 1\n", (const char *const[]){ "--dev", NULL });
    make_provider(TENANT, "{}", POLICY);
    idks = EVP_RSA_gen(8 * SIGNATURE);
    machine_init(&machine);
    machine_boot(&machine, boot_log(idks));
    status = suite_run("api-vbs", &s);
    machine_done(&machine);
    EVP_PKEY_free(idks);
    return service_stop(&the) == 0 ? status : 1;
}
