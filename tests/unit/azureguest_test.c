/* azureguest_test.c: requests of Azure guests and their sealed answers against the vectors. */
#include "testing.h"

#include "codec/b64.h"
#include "codec/json.h"
#include "crypto/seal.h"
#include "evidence/azureguest/azureguest.h"
#include "evidence/snp/hcl.h"
#include "evidence/snp/uvm.h"
#include "evidence/tdx/tdx.h"
#include "evidence/tpm/akcert.h"
#include "pki/amd_pki.h"
#include "pki/intel_pki.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <stdio.h>

#define NOW "2026-11-26T12:00:00Z"

enum { BUDGET = 128 << 20 };

struct fixture {
    struct arena a;
    struct settings settings;
    struct trust trust;
    struct collateral coll;
    struct verify_env env;
    const struct json *j;
    struct bytes info; /* JSON below AttestationInfo */
};

static const struct json *parse(struct arena *a, struct bytes text)
{
    const struct json *j = NULL;
    struct err e = { .code = ERR_NONE };

    assert_ok(json_parse(text, JSON_DEPTH, "vector", a, &j, &e), &e);
    return j;
}

static struct bytes text_of(const struct json *j, const char *name)
{
    struct bytes b = { NULL, 0 };

    if (!json_string(json_member(j, name), &b))
        fail_msg("no string %s", name);
    return b;
}

static struct bytes b64_of(struct arena *a, const struct json *j, const char *name)
{
    struct bytes b;

    assert_true(b64_decode(text_of(j, name), B64_ANY, name, a, &b, NULL));
    return b;
}

static void fixture_init(struct fixture *f, const char *now)
{
    memset(f, 0, sizeof(*f));
    arena_init(&f->a, BUDGET);
    f->settings = settings_default();
    f->coll = collateral_open(&f->a);
    f->env = (struct verify_env){ .now = test_time(now), .trust = &f->trust, .collateral = &f->coll,
                                  .settings = &f->settings, .a = &f->a };
}

static void load(struct fixture *f, const char *name)
{
    struct err e = { .code = ERR_NONE };
    struct cert *list;
    size_t n;

    fixture_init(f, NOW);
    assert_ok(certs_read(test_vector(&f->a, "tpm/azureguest/aik-root.pem"), 4, "root", &f->a, &list, &n, &e), &e);
    f->trust = (struct trust){ .anchors = list, .count = n };
    f->j = parse(&f->a, test_vector(&f->a, arena_printf(&f->a, "tpm/azureguest/%s.json", name)));
    f->info = b64_of(&f->a, json_member(f->j, "body"), "AttestationInfo");
}

static bool run(struct fixture *f, struct bytes info, struct claims *c, struct err *e)
{
    const struct evidence_input in = { .evidence = info, .sealed = true };

    e->code = ERR_NONE;
    *c = claims_open(&f->a);
    return evidence_verify(evidence_kind_find(LIT("azurevm")), &in, &f->env, c, NULL, e);
}

static void check_claims(struct fixture *f, const struct json *want, const struct claims *c)
{
    struct jobj o = jobj_open(&f->a);
    const struct json *got;

    claims_to_object(c, CLAIM_TO_TOKEN, &o);
    got = parse(&f->a, jobj_print(&o, true));
    for (const struct json *w = want->child; w != NULL; w = w->next) {
        const struct json *g = json_member_bytes(got, w->name);
        struct out x = out_open(&f->a), y = out_open(&f->a);

        if (bytes_is(w->name, "x-ms-attestation-type") || bytes_is(w->name, "note")) /* the token's own, a remark */
            continue;
        if (g == NULL)
            fail_msg("member %s is missing", arena_str(&f->a, w->name));
        json_print(&x, g, true);
        json_print(&y, w, true);
        if (!bytes_equal(out_view(&x), out_view(&y)))
            fail_msg("member %s is %s, expected %s", arena_str(&f->a, w->name), (const char *)out_view(&x).p,
                     (const char *)out_view(&y).p);
    }
}

static enum err_code code_named(struct bytes name)
{
    for (int i = 0; i <= ERR_USAGE; i++)
        if (bytes_is(name, err_name((enum err_code)i)))
            return (enum err_code)i;
    fail_msg("no error %.*s", (int)name.n, (const char *)name.p);
    return ERR_NONE;
}

static void test_vector_row(void **state)
{
    struct fixture f;
    struct claims c;
    struct err e;
    bool ok;

    load(&f, *state);
    ok = run(&f, f.info, &c, &e);
    if (bytes_is(text_of(f.j, "expect"), "reject")) {
        assert_false(ok);
        assert_refused(&e, code_named(text_of(f.j, "error")), NULL);
        assert_true(e.why[0] != 0);
    } else {
        assert_ok(ok, &e);
        if (json_is(json_member(f.j, "claims"), JSON_OBJECT))
            check_claims(&f, json_member(f.j, "claims"), &c);
    }
    arena_done(&f.a);
}

/* Events of PCRs that are not quoted must not show anywhere. */
static void test_uncovered(void **state)
{
    struct guest_request *rq;
    struct fixture f;
    struct err e = { .code = ERR_NONE };

    (void)state;
    load(&f, "accept-log-uncovered-pcrs");
    assert_ok(guest_request_parse(f.info, &f.a, &rq, &e), &e);
    assert_ok(evidence_azureguest.verify(rq, &f.env, &e), &e);
    assert_true((rq->state.removed >> 8 & 3) == 3);
    assert_int_equal(tpm_kernel_command_line(&rq->state, &f.a).n, 0);
    assert_false(bytes_contain(tpm_events_json(&rq->state, &f.a), LIT("\"PcrIndex\":8")));
    arena_done(&f.a);
}

/* A caller that does not promise to seal gets no claims. */
static void test_unsealed(void **state)
{
    struct evidence_input in = { .offline = false };
    struct err e = { .code = ERR_NONE };
    struct fixture f;
    struct claims c;

    (void)state;
    load(&f, "linux-trustedlaunch");
    in.evidence = f.info;
    c = claims_open(&f.a);
    assert_false(evidence_verify(&evidence_azureguest, &in, &f.env, &c, NULL, &e));
    assert_refused(&e, ERR_INTERNAL, "would leave unsealed");
    assert_int_equal(c.count, 0);
    arena_done(&f.a);
}

/* The decoded request that lies beside it is the same document. */
static void test_decoded(void **state)
{
    struct fixture f;
    struct claims c;
    struct err e;

    (void)state;
    load(&f, "linux-trustedlaunch");
    assert_ok(run(&f, test_vector(&f.a, "tpm/azureguest/linux-trustedlaunch.attestationinfo.json"), &c, &e), &e);
    assert_true(claims_find(&c, "secureboot")->boolean);
    arena_done(&f.a);
}

/* A document with one member replaced: path is "TpmInfo.PcrSet" or "OSType". */
static struct bytes with_member(struct fixture *f, const struct json *top, const char *object, const char *name,
                                struct bytes value)
{
    struct jobj o = jobj_open(&f->a), inner = jobj_open(&f->a);
    const struct json *in = object == NULL ? NULL : json_member(top, object);

    for (const struct json *m = top->child; m != NULL; m = m->next)
        jobj_raw(&o, m->name, m->raw);
    if (in == NULL) {
        jobj_json(&o, name, value);
    } else {
        for (const struct json *m = in->child; m != NULL; m = m->next)
            jobj_raw(&inner, m->name, m->raw);
        jobj_json(&inner, name, value);
        jobj_json(&o, object, jobj_print(&inner, false));
    }
    return jobj_print(&o, false);
}

static const struct change {
    const char *name, *object, *member, *value;
    enum err_code code;
    const char *part;
} changes[] = {
    { "protocol 9", NULL, "AttestationProtocolVersion", "\"9.0\"", ERR_UNSUPPORTED_VERSION, "is '9.0'" },
    { "other set", "TpmInfo", "PcrSet", "[0,1,2]", ERR_QUOTE_SELECTION, "PCR set" },
    { "PCR twice in the set", "TpmInfo", "PcrSet", "[0,0]", ERR_QUOTE_SELECTION, "each once" },
    { "no PCRs", "TpmInfo", "PCRs", "[]", ERR_QUOTE_PCR_VALUES, "no value is given for PCR 0" },
    { "short digest", "TpmInfo", "PCRs", "[{\"Index\":0,\"Digest\":\"AAAA\"}]", ERR_QUOTE_PCR_VALUES, "3 bytes instead of 32" },
    { "unknown isolation", NULL, "IsolationInfo", "{\"Type\":\"Moat\"}", ERR_UNSUPPORTED_TEE, "'Moat' is not verified" },
    { "TDX without a quote", NULL, "IsolationInfo", "{\"Type\":\"Tdx\",\"Evidence\":{\"Proof\":\"e30=\",\"RunTimeData\":\"e30=\"}}",
      ERR_BAD_REQUEST, "no member TdQuote" },
    { "no isolation", NULL, "IsolationInfo", "{}", ERR_BAD_REQUEST, "IsolationInfo" },
    { "log is damaged", NULL, "TcgLogs", "\"AAAA\"", ERR_LOG_FORMAT, "event 0 at offset 0" },
    { "no public area", "TpmInfo", "AikPub", "\"AAAA\"", ERR_AK_KEY, "AikPub" },
    { "no quote", "TpmInfo", "PcrQuote", "\"\"", ERR_QUOTE_FORMAT, "magic" },
    { "payload is a number", NULL, "ClientPayload", "{\"nonce\":1}", ERR_BAD_REQUEST, "no string" },
};

static void test_change(void **state)
{
    const struct change *row = *state;
    const struct json *top;
    struct fixture f;
    struct claims c;
    struct err e;

    load(&f, "linux-trustedlaunch");
    top = parse(&f.a, f.info);
    assert_false(run(&f, with_member(&f, top, row->object, row->member, bytes_str(row->value)), &c, &e));
    assert_refused(&e, row->code, row->part);
    arena_done(&f.a);
}

/* The quote used as a certification, and the other way round: types are checked. */
static void test_swapped(void **state)
{
    const struct json *top, *tpm;
    struct bytes doc;
    struct fixture f;
    struct claims c;
    struct err e;

    (void)state;
    load(&f, "linux-trustedlaunch");
    top = parse(&f.a, f.info);
    tpm = json_member(top, "TpmInfo");
    doc = with_member(&f, top, "TpmInfo", "EncKeyCertifyInfo", json_member(tpm, "PcrQuote")->raw);
    assert_false(run(&f, doc, &c, &e));
    assert_refused(&e, ERR_CERTIFY_FORMAT, "type is 0x8018");
    doc = with_member(&f, top, "TpmInfo", "PcrQuote", json_member(tpm, "EncKeyCertifyInfo")->raw);
    assert_false(run(&f, doc, &c, &e));
    assert_refused(&e, ERR_QUOTE_FORMAT, "type is 0x8017");
    arena_done(&f.a);
}

/* TpmInfo of a real Windows machine, whose log was not published: everything but the log verifies. */
static void test_real_windows(void **state)
{
    static const char *const certs[] = { "global-virtual-tpm-ca-01.pem", "azure-virtual-tpm-root-ca-2023.pem" };
    struct bytes text, tpm;
    struct fixture f;
    struct claims c;
    struct err e = { .code = ERR_NONE };

    (void)state;
    fixture_init(&f, "2025-01-01T00:00:00Z");
    for (size_t i = 0; i < COUNT(certs); i++) {
        text = test_vector(&f.a, arena_printf(&f.a, "tpm/quotes/azure-trustedlaunch-windows/%s", certs[i]));
        assert_ok(collateral_add(&f.coll, text, certs[i], &e), &e);
    }
    tpm = test_vector(&f.a, "tpm/quotes/azure-trustedlaunch-windows/tpminfo.json");
    text = bytes_str(arena_printf(&f.a, "{\"AttestationProtocolVersion\":\"2.0\",\"OSType\":\"V2luZG93cw==\",\"TcgLogs\":\"\","
                                  "\"IsolationInfo\":{\"Type\":\"TrustedLaunch\"},\"TpmInfo\":%s}", arena_str(&f.a, tpm)));
    assert_ok(run(&f, text, &c, &e), &e);
    assert_false(claims_find(&c, "secureboot")->boolean); /* nothing is derived without a log */
    assert_true(claims_find(&c, "x-ms-azurevm-is-windows")->boolean);
    assert_false(claims_find(&c, "x-ms-azurevm-debuggersdisabled")->boolean);
    f.env.now = test_time("2026-01-01T00:00:00Z");
    assert_false(run(&f, text, &c, &e));
    assert_refused(&e, ERR_CERT_EXPIRED, "ended at");
    f.env.now = test_time("2025-01-01T00:00:00Z");
    f.coll.count = 0;
    assert_false(run(&f, text, &c, &e));
    assert_refused(&e, ERR_AK_CERT_CHAIN, "neither a trusted root nor known");
    arena_done(&f.a);
}

/* -- isolation: a real SEV-SNP report below the vTPM of another machine -- */

static struct bytes isolation_json(struct fixture *f, struct bytes report, struct bytes chain, struct bytes runtime)
{
    struct jobj proof = jobj_open(&f->a), evidence = jobj_open(&f->a), o = jobj_open(&f->a);

    jobj_b64url(&proof, "SnpReport", report);
    jobj_str(&proof, "VcekCertChain", b64std_encode(&f->a, chain));
    jobj_str(&evidence, "Proof", b64std_encode(&f->a, jobj_print(&proof, false)));
    jobj_str(&evidence, "RunTimeData", b64std_encode(&f->a, runtime));
    jobj_text(&o, "Type", "SevSnp");
    jobj_json(&o, "Evidence", jobj_print(&evidence, false));
    return jobj_print(&o, false);
}

static void test_isolation(void **state)
{
    struct err e = { .code = ERR_NONE };
    struct bytes hcl, chain, doc, other;
    struct hcl_report h;
    const struct json *top;
    struct fixture f;
    struct claims c;
    uint8_t *copy;

    (void)state;
    load(&f, "linux-trustedlaunch");
    f.env.now = test_time("2025-06-01T00:00:00Z");
    hcl = test_vector(&f.a, "snp/azure-hcl/hcl-report.bin");
    chain = test_vector(&f.a, "snp/azure-hcl/vcek.pem");
    assert_ok(hcl_parse(hcl, &h, &e), &e);
    top = parse(&f.a, f.info);
    doc = with_member(&f, top, NULL, "IsolationInfo", isolation_json(&f, h.hardware, chain, h.runtime));
    assert_false(run(&f, doc, &c, &e)); /* verified down to the hardware: the AK is not the one it names */
    assert_refused(&e, ERR_AK_MISMATCH, NULL);

    copy = arena_alloc(&f.a, h.runtime.n);
    memcpy(copy, h.runtime.p, h.runtime.n);
    copy[h.runtime.n / 2] ^= 1;
    other = bytes_of(copy, h.runtime.n);
    doc = with_member(&f, top, NULL, "IsolationInfo", isolation_json(&f, h.hardware, chain, other));
    assert_false(run(&f, doc, &c, &e));
    assert_refused(&e, ERR_HCL_HASH, "runtime data");

    copy = arena_alloc(&f.a, h.hardware.n);
    memcpy(copy, h.hardware.p, h.hardware.n);
    copy[0x90] ^= 1; /* the measurement */
    doc = with_member(&f, top, NULL, "IsolationInfo", isolation_json(&f, bytes_of(copy, h.hardware.n), chain, h.runtime));
    assert_false(run(&f, doc, &c, &e));
    assert_refused(&e, ERR_REPORT_SIGNATURE, NULL);
    arena_done(&f.a);
}

/* -- what vouches for the attestation key: reports of vendors of our own below the vTPM of the vector -- */

#define CONFIGURED ",\"vm-configuration\":{\"vmUniqueId\":\"1F2E3D4C-0000-4000-8000-0123456789AB\"}"

static struct arena shared;
static struct amd_pki amd;
static struct intel_pki *intel;
static const char listed_key[] = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";

enum ak_cert {
    CERT_NONE,
    CERT_STRANGER, /* of a root that is not configured */
    CERT_TRUSTED,
};
static const struct vouch {
    const char *name;
    bool tdx, listed, configured;
    uint8_t vmpl;
    uint64_t policy; /* bits of the SNP policy or the TD attributes beside the usual ones */
    enum ak_cert cert;
    enum err_code code; /* ERR_NONE: accepted */
    const char *part;
    bool vm_id;
} vouches[] = {
    { "SNP, recognised, no AikCert", false, true, true, 0, 0, CERT_NONE, ERR_NONE, NULL, true },
    { "SNP, recognised, AikCert of a stranger", false, true, true, 0, 0, CERT_STRANGER, ERR_NONE, NULL, true },
    { "SNP, not recognised, trusted AikCert", false, false, true, 0, 0, CERT_TRUSTED, ERR_NONE, NULL, false },
    { "SNP, not recognised, no AikCert", false, false, true, 0, 0, CERT_NONE, ERR_AK_MISSING, "ID key digest 5a5a5a5a5a5a5a5a", false },
    { "SNP, not recognised, AikCert of a stranger", false, false, true, 0, 0, CERT_STRANGER, ERR_AK_CERT_CHAIN,
      "SevSnp report does not vouch", false },
    { "SNP, VMPL 2", false, true, true, 2, 0, CERT_NONE, ERR_AK_MISSING, "asked for at VMPL 2", false },
    { "SNP, VMPL 2, trusted AikCert", false, true, true, 2, 0, CERT_TRUSTED, ERR_NONE, NULL, false },
    { "SNP, debugging allowed", false, true, true, 0, SNP_POLICY_DEBUG, CERT_NONE, ERR_AK_MISSING, "policy 0xb001f", false },
    { "SNP, no vm-configuration", false, true, false, 0, 0, CERT_NONE, ERR_AK_MISSING, "guest SVN 0, policy 0x3001f", false },
    { "TDX, recognised, no AikCert", true, true, true, 0, 0, CERT_NONE, ERR_NONE, NULL, true },
    { "TDX, recognised, AikCert of a stranger", true, true, true, 0, 0, CERT_STRANGER, ERR_NONE, NULL, true },
    { "TDX, not recognised, trusted AikCert", true, false, true, 0, 0, CERT_TRUSTED, ERR_NONE, NULL, false },
    { "TDX, not recognised, no AikCert", true, false, true, 0, 0, CERT_NONE, ERR_AK_MISSING, "MRTD 5a5a5a5a5a5a5a5a", false },
    { "TDX, not recognised, AikCert of a stranger", true, false, true, 0, 0, CERT_STRANGER, ERR_AK_CERT_CHAIN,
      "Tdx report does not vouch", false },
    { "TDX, debuggable", true, true, true, 0, TD_ATTR_DEBUG, CERT_NONE, ERR_AK_MISSING, "attributes 0x10000001", false },
};

/* Runtime data as a paravisor writes them, naming the attestation key of the request. */
static struct bytes runtime_naming(struct fixture *f, const struct json *tpm, bool configured)
{
    struct bytes pub = b64_of(&f->a, tpm, "AikPub");
    struct err e = { .code = ERR_NONE };
    struct out n = out_open(&f->a);
    struct tpm_public ak;

    assert_ok(tpm_public_parse(pub, ERR_AK_KEY, "AikPub", &ak, &e), &e);
    b64url_print(&n, ak.n);
    return bytes_str(arena_printf(&f->a, "{\"keys\":[{\"kid\":\"HCLAkPub\",\"key_ops\":[\"sign\"],\"kty\":\"RSA\",\"e\":\"AQAB\","
                                  "\"n\":\"%s\"}]%s}", arena_str(&f->a, out_view(&n)), configured ? CONFIGURED : ""));
}

static struct bytes snp_isolation(struct fixture *f, const struct vouch *row, struct bytes runtime)
{
    struct amd_leaf_spec spec = amd_leaf_spec(&amd, SNP_VCEK, 1);
    struct amd_leaf leaf = amd_leaf_new(&amd, &spec);
    struct bytes ders[3] = { leaf.der, amd.ca_der[SNP_VCEK], amd.ark_der };
    struct digest d = sha256(runtime);
    uint8_t *r = amd_report(&amd, &spec);

    memset(r + 0x50, 0, 64);
    memcpy(r + 0x50, digest_bytes(&d).p, 32);
    for (size_t i = 0; i < 8; i++)
        r[0x08 + i] |= (uint8_t)(row->policy >> 8 * i);
    r[0x30] = row->vmpl;
    memset(r + 0xe0, 0x5a, 48);
    amd_report_sign(r, leaf.key);
    EVP_PKEY_free(leaf.key);
    return isolation_json(f, bytes_of(r, SNP_REPORT_SIZE), amd_pem(&f->a, ders, 3), runtime);
}

static struct bytes td_isolation(struct fixture *f, const struct vouch *row, struct bytes runtime, struct cert *ret_root)
{
    struct bytes (*const items[])(struct intel_pki *, const struct pki_options *, struct arena *) = {
        pki_root_crl, pki_pck_crl, pki_tcb_chain, pki_tcb_info, pki_qe_identity,
    };
    struct pki_options o = pki_options(f->env.now);
    struct jobj evidence = jobj_open(&f->a), top = jobj_open(&f->a);
    struct digest d = sha256(runtime);
    struct err e = { .code = ERR_NONE };
    struct cert *list;
    size_t n;

    o.tdx = true;
    o.quote_version = 4;
    o.td_attributes |= row->policy;
    memcpy(o.report_data, digest_bytes(&d).p, 32);
    memset(o.mr_td, 0x5a, sizeof(o.mr_td));
    for (size_t i = 0; i < COUNT(items); i++)
        assert_ok(collateral_add(&f->coll, items[i](intel, &o, &f->a), "item", &e), &e);
    assert_ok(certs_read(pki_root_pem(intel, &o, &f->a), 1, "root", &f->a, &list, &n, &e), &e);
    *ret_root = list[0];
    jobj_str(&evidence, "Proof", b64std_encode(&f->a, pki_quote(intel, &o, &f->a)));
    jobj_str(&evidence, "RunTimeData", b64std_encode(&f->a, runtime));
    jobj_text(&top, "Type", "Tdx");
    jobj_json(&top, "Evidence", jobj_print(&evidence, false));
    return jobj_print(&top, false);
}

static struct bytes vouch_request(struct fixture *f, const struct vouch *row, struct cert *ret_root)
{
    const struct json *top = parse(&f->a, f->info), *tpm = json_member(top, "TpmInfo");
    struct bytes runtime = runtime_naming(f, tpm, row->configured), doc;
    struct err e = { .code = ERR_NONE };

    if (row->tdx) {
        doc = with_member(f, top, NULL, "IsolationInfo", td_isolation(f, row, runtime, ret_root));
    } else {
        assert_ok(cert_parse(amd.ark_der, "ARK", ret_root, &e), &e);
        doc = with_member(f, top, NULL, "IsolationInfo", snp_isolation(f, row, runtime));
    }
    return row->cert != CERT_NONE ? doc : with_member(f, parse(&f->a, doc), "TpmInfo", "AikCert", LIT("\"\""));
}

static void test_vouched(void **state)
{
    static const struct snp_cvm_profile snp_row = { listed_key, 0, { 0 }, "azure-compliant-cvm" };
    static const struct snp_profiles snp_lists = { .cvm = &snp_row, .cvm_count = 1 };
    static const struct tdx_profile td_row = { listed_key, "azure-compliant-cvm" };
    static const struct tdx_profiles td_lists = { &td_row, 1 };
    const struct vouch *row = *state;
    struct cert anchors[2];
    struct bytes doc;
    struct fixture f;
    struct claims c;
    struct err e = { .code = ERR_NONE };

    load(&f, "linux-trustedlaunch");
    anchors[1] = f.trust.anchors[0];
    doc = vouch_request(&f, row, &anchors[0]);
    f.trust = (struct trust){ .anchors = anchors, .count = row->cert == CERT_TRUSTED ? 2 : 1 };
    if (row->listed) {
        f.settings.snp.profiles = &snp_lists;
        f.settings.tdx_profiles = &td_lists;
    }
    if (row->code == ERR_NONE) {
        assert_ok(run(&f, doc, &c, &e), &e);
        assert_true((claims_find(&c, "x-ms-azurevm-vmid") != NULL) == row->vm_id);
    } else {
        assert_false(run(&f, doc, &c, &e));
        assert_refused(&e, row->code, row->part);
        assert_refused(&e, row->code, "Either a launch that is recognised as a paravisor's or a certificate up to a trusted root");
    }
    arena_done(&f.a);
}

/* -- sealed answers -- */

static struct bytes unwrap(struct arena *a, EVP_PKEY *k, struct bytes in)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(k, NULL);
    uint8_t *p = arena_alloc(a, 512);
    size_t n = 512;

    assert_true(EVP_PKEY_decrypt_init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1);
    assert_int_equal(EVP_PKEY_decrypt(ctx, p, &n, in.p, in.n), 1);
    EVP_PKEY_CTX_free(ctx);
    return bytes_of(p, n);
}

static struct bytes open_answer(struct arena *a, EVP_PKEY *k, struct bytes token)
{
    struct bytes doc, inner, sealed, iv, tag;
    const struct json *j, *params;
    uint8_t *plain;

    assert_true(b64_decode(token, B64_ANY, "token", a, &doc, NULL));
    j = parse(a, doc);
    params = json_member(j, "EncryptionParams");
    assert_text(text_of(params, "BlockMode"), "ChainingModeGCM");
    assert_text(text_of(params, "BlockPadding"), "PKCS7");
    inner = unwrap(a, k, b64_of(a, j, "EncryptedInnerKey"));
    assert_int_equal(inner.n, GCM_KEY_SIZE);
    sealed = b64_of(a, j, "Jwt");
    iv = b64_of(a, params, "Iv");
    tag = b64_of(a, j, "AuthenticationData");
    assert_int_equal(iv.n, GCM_IV_SIZE);
    plain = arena_alloc(a, sealed.n);
    assert_true(gcm_open(inner.p, iv.p, LIT("Transport Key"), sealed, tag, plain));
    assert_false(gcm_open(inner.p, iv.p, LIT("transport key"), sealed, tag, arena_alloc(a, sealed.n)));
    return bytes_of(plain, sealed.n);
}

static EVP_PKEY *answer_key(struct arena *a)
{
    struct bytes der = test_vector(a, "tpm/azureguest/sealed-response-key.pkcs8.der");
    const unsigned char *p = der.p;
    EVP_PKEY *k = d2i_AutoPrivateKey(NULL, &p, (long)der.n);

    assert_non_null(k);
    return k;
}

static void test_sealed(void **state)
{
    struct err e = { .code = ERR_NONE };
    uint8_t random[GUEST_SEAL_RANDOM], *spki = NULL;
    struct bytes token;
    AUTO_KEY enc = NULL;
    struct fixture f;
    EVP_PKEY *k;
    int n;

    (void)state;
    fixture_init(&f, "2026-11-26T12:00:00Z");
    f.j = parse(&f.a, test_vector(&f.a, "tpm/azureguest/sealed-response.json"));
    k = answer_key(&f.a);
    assert_bytes_equal(open_answer(&f.a, k, text_of(json_member(f.j, "body"), "token")), text_of(f.j, "plaintextJwt"));
    n = i2d_PUBKEY(k, &spki);
    assert_true(n > 0);
    assert_ok(key_from_spki(bytes_of(spki, (size_t)n), "key", &enc, &e), &e);
    OPENSSL_free(spki);
    for (size_t i = 0; i < sizeof(random); i++)
        random[i] = (uint8_t)(i * 5 + 3);
    assert_ok(azureguest_seal_to(enc, LIT("header.payload.signature"), random, &f.a, &token, &e), &e);
    assert_text(open_answer(&f.a, k, token), "header.payload.signature");
    EVP_PKEY_free(k);
    arena_done(&f.a);
}

static void test_seal_unverified(void **state)
{
    static const uint8_t random[GUEST_SEAL_RANDOM];
    struct err e = { .code = ERR_NONE };
    struct guest_request *rq;
    struct bytes token;
    struct fixture f;

    (void)state;
    load(&f, "linux-trustedlaunch");
    assert_ok(guest_request_parse(f.info, &f.a, &rq, &e), &e);
    assert_false(azureguest_seal(rq, LIT("a.b.c"), random, &f.a, &token, &e));
    assert_refused(&e, ERR_INTERNAL, "is not verified");
    e.code = ERR_NONE;
    assert_ok(evidence_azureguest.verify(rq, &f.env, &e), &e);
    assert_ok(azureguest_seal(rq, LIT("a.b.c"), random, &f.a, &token, &e), &e);
    arena_done(&f.a);
}

int main(void)
{
    static const char *const rows[] = { "linux-trustedlaunch", "accept-log-uncovered-pcrs", "reject-enckey-replaced",
                                        "reject-log-other-boot", "reject-no-aik-cert", "reject-pcr-changed" };
    struct suite s = { 0 };
    char name[128];
    int failed;

    if (test_vectors() == NULL) {
        suite_add_skipped(&s, "Azure guest vectors");
        return suite_run("azureguest", &s);
    }
    for (size_t i = 0; i < COUNT(rows); i++)
        suite_add(&s, rows[i], test_vector_row, (void *)(uintptr_t)rows[i]);
    for (size_t i = 0; i < COUNT(changes); i++) {
        snprintf(name, sizeof(name), "changed: %s", changes[i].name);
        suite_add(&s, name, test_change, (void *)(uintptr_t)&changes[i]);
    }
    suite_add(&s, "PCRs that are not quoted", test_uncovered, NULL);
    suite_add(&s, "decoded request", test_decoded, NULL);
    suite_add(&s, "unsealed", test_unsealed, NULL);
    suite_add(&s, "quote and certification exchanged", test_swapped, NULL);
    suite_add(&s, "real Windows machine", test_real_windows, NULL);
    suite_add(&s, "SEV-SNP below", test_isolation, NULL);
    for (size_t i = 0; i < COUNT(vouches); i++) {
        snprintf(name, sizeof(name), "vouched for: %s", vouches[i].name);
        suite_add(&s, name, test_vouched, (void *)(uintptr_t)&vouches[i]);
    }
    suite_add(&s, "sealed answer", test_sealed, NULL);
    suite_add(&s, "only verified requests are answered", test_seal_unverified, NULL);
    arena_init(&shared, 16 << 20);
    amd_pki_init(&amd, SNP_MILAN, test_time(NOW), 4096, &shared);
    intel = intel_pki_new();
    failed = suite_run("azureguest", &s);
    intel_pki_free(intel);
    amd_pki_done(&amd);
    arena_done(&shared);
    return failed;
}
