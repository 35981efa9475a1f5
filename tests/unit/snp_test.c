/* snp_test.c: SEV-SNP: every vector with every member of its expectation, damage, and a vendor of our own. */
#include "testing.h"

#include "base/cur.h"
#include "base/out.h"
#include "codec/b64.h"
#include "codec/hex.h"
#include "codec/json.h"
#include "evidence/snp/hcl.h"
#include "evidence/snp/snp_priv.h"
#include "evidence/snp/uvm.h"
#include "pki/amd_pki.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* What lives as long as the program: expectations, the test vendor. */
static struct arena shared;
static const struct json *expected_all;

/* -- vectors -- */

enum form {
    FORM_PLAIN,  /* report file and certificate file */
    FORM_HCL,    /* HCL report file and certificate file */
    FORM_JSON,   /* {"hcl_report","vcek","tpm_quote"}, base64url */
    FORM_NESTED, /* the same below "evidence" */
    FORM_ARRAYS, /* {"report":[...],"vcek":PEM,"quote":{...}} */
    FORM_REST,   /* a recorded request */
};

static const struct vector {
    const char *key; /* in expected.json */
    enum form form;
    const char *file, *cert, *quote;
    enum err_code code; /* ERR_NONE: valid */
    const char *why;
} vectors[] = {
    { "milan-v2-debug/report.bin + vcek.der", FORM_PLAIN, "milan-v2-debug/report.bin", "milan-v2-debug/vcek.der", NULL,
      ERR_NONE, NULL },
    { "milan-v2/report.bin + vcek.der", FORM_PLAIN, "milan-v2/report.bin", "milan-v2/vcek.der", NULL, ERR_NONE, NULL },
    { "milan-v2/report.bin + vcek-invalid-legacy.der", FORM_PLAIN, "milan-v2/report.bin",
      "milan-v2/vcek-invalid-legacy.der", NULL, ERR_CERT_SIGNATURE, "signature of the leaf certificate" },
    { "milan-v2/report.bin + vcek-invalid-new.der", FORM_PLAIN, "milan-v2/report.bin", "milan-v2/vcek-invalid-new.der",
      NULL, ERR_CERT_SIGNATURE, "signature of the leaf certificate" },
    { "milan-v3-vlek/report.bin + vlek.der", FORM_PLAIN, "milan-v3-vlek/report.bin", "milan-v3-vlek/vlek.der", NULL,
      ERR_NONE, NULL },
    { "milan-v3/report.bin + vcek.pem", FORM_PLAIN, "milan-v3/report.bin", "milan-v3/vcek.pem", NULL, ERR_NONE, NULL },
    { "turin-v5/report.bin + vcek.pem", FORM_PLAIN, "turin-v5/report.bin", "turin-v5/vcek.pem", NULL, ERR_NONE, NULL },
    { "genoa-v5/report.bin + vcek.der", FORM_PLAIN, "genoa-v5/report.bin", "genoa-v5/vcek.der", NULL, ERR_NONE, NULL },
    { "aci-milan-v2/snp_report.bin + uvm_host_amd_certificate.pem", FORM_PLAIN, "aci-milan-v2/snp_report.bin",
      "aci-milan-v2/uvm_host_amd_certificate.pem", NULL, ERR_NONE, NULL },
    { "azure-hcl/hcl-report.bin + vcek.pem + tpm-quote-v1.json", FORM_HCL, "azure-hcl/hcl-report.bin",
      "azure-hcl/vcek.pem", "azure-hcl/tpm-quote-v1.json", ERR_NONE, NULL },
    { "azure-hcl/evidence-v1.json", FORM_JSON, "azure-hcl/evidence-v1.json", NULL, NULL, ERR_NONE, NULL },
    { "azure-hcl/evidence-genoa.json", FORM_ARRAYS, "azure-hcl/evidence-genoa.json", NULL, NULL, ERR_NONE, NULL },
    { "azure-hcl/milan-v3-attestation.json", FORM_NESTED, "azure-hcl/milan-v3-attestation.json", NULL, NULL, ERR_NONE,
      NULL },
    { "azure-hcl-mismatch/hcl-report-snp.bin + certs.pem", FORM_HCL, "azure-hcl-mismatch/hcl-report-snp.bin",
      "azure-hcl-mismatch/certs.pem", NULL, ERR_REPORT_SIGNATURE, "report signature" },
    { "../rest/evidence/sevsnp-attest-request.json", FORM_REST, "../rest/evidence/sevsnp-attest-request.json", NULL, NULL,
      ERR_NONE, NULL },
};

/* A vector as it is fed to the verifier. */
struct loaded {
    struct arena a;
    const struct json *expected;
    struct bytes evidence;  /* raw report, HCL report, or JSON of the REST member */
    struct bytes report;    /* the 1184 bytes */
    struct bytes cert;      /* empty: inside the evidence */
    struct bytes hcl;       /* empty: none */
    const struct json *quote;
    int64_t at;
};

static struct bytes snp_file(struct arena *a, const char *name)
{
    char path[300];

    snprintf(path, sizeof(path), "snp/%s", name);
    return test_vector(a, path);
}

static const struct json *parse_text(struct arena *a, struct bytes text)
{
    const struct json *j = NULL;
    struct err e = { 0 };

    assert_ok(json_parse(text, 64, "vector", a, &j, &e), &e);
    return j;
}

static struct bytes text_of(const struct json *j, const char *name)
{
    struct bytes t = { NULL, 0 };

    if (!json_string(json_member(j, name), &t))
        fail_msg("no string member %s", name);
    return t;
}

static struct bytes b64_of(struct arena *a, const struct json *j, const char *name)
{
    struct bytes b = { NULL, 0 };
    struct err e = { 0 };

    assert_ok(b64_decode(text_of(j, name), B64_ANY, name, a, &b, &e), &e);
    return b;
}

static struct bytes array_bytes(struct arena *a, const struct json *j)
{
    struct out o = out_open(a);

    assert_true(json_is(j, JSON_ARRAY));
    for (const struct json *x = j->child; x != NULL; x = x->next) {
        int64_t v = -1;

        assert_true(json_int(x, &v) && v >= 0 && v < 256);
        out_u8(&o, (uint8_t)v);
    }
    return out_view(&o);
}

/* "2022-09-24 00:55:28Z" */
static int64_t time_of(const struct json *j, const char *name)
{
    char text[32];
    struct bytes t = text_of(j, name);

    assert_int_equal(t.n, 20);
    memcpy(text, t.p, 20);
    text[10] = 'T';
    text[20] = 0;
    return test_time(text);
}

static void load_json(struct loaded *l, const struct json *j)
{
    l->evidence = l->hcl = b64_of(&l->a, j, "hcl_report");
    l->cert = b64_of(&l->a, j, "vcek");
    l->quote = json_member(j, "tpm_quote");
}

static void load(struct loaded *l, const struct vector *v)
{
    struct bytes file;

    memset(l, 0, sizeof(*l));
    arena_init(&l->a, 64 << 20);
    file = snp_file(&l->a, v->file);
    l->expected = json_member(expected_all, v->key);
    assert_non_null(l->expected);
    l->evidence = file;
    switch (v->form) {
    case FORM_PLAIN:
        break;
    case FORM_HCL:
        l->hcl = file;
        break;
    case FORM_JSON:
        load_json(l, parse_text(&l->a, file));
        break;
    case FORM_NESTED:
        load_json(l, json_member(parse_text(&l->a, file), "evidence"));
        break;
    case FORM_ARRAYS:
        l->evidence = l->hcl = array_bytes(&l->a, json_member(parse_text(&l->a, file), "report"));
        l->cert = text_of(parse_text(&l->a, file), "vcek");
        l->quote = json_member(parse_text(&l->a, file), "quote");
        break;
    case FORM_REST:
        l->evidence = b64_of(&l->a, parse_text(&l->a, file), "report");
        l->report = b64_of(&l->a, parse_text(&l->a, l->evidence), "SnpReport");
        break;
    }
    if (v->cert != NULL)
        l->cert = snp_file(&l->a, v->cert);
    if (v->quote != NULL)
        l->quote = parse_text(&l->a, snp_file(&l->a, v->quote));
    if (l->hcl.n > 0)
        l->report = bytes_part(l->hcl, 32, SNP_REPORT_SIZE);
    else if (l->report.n == 0)
        l->report = l->evidence;
    l->at = time_of(l->expected, "endorsement_not_before") + 86400;
}

static void unload(struct loaded *l)
{
    arena_done(&l->a);
}

/* -- running the verifier -- */

struct run {
    struct arena *a;
    int64_t now;
    struct bytes evidence, cert;
    const struct bytes *crls;
    size_t crl_count;
    const struct trust *trust;
    struct settings settings;
    struct memo *memo;
    struct attached runtime, init;
    struct checks checks;
    struct claims claims;
};

static struct run run_of(struct arena *a, struct bytes evidence, struct bytes cert, int64_t now)
{
    struct run r = { .a = a, .now = now, .evidence = evidence, .cert = cert, .settings = settings_default() };

    r.settings.extra_claims = false; /* only what recorded tokens have */
    return r;
}

static bool run(struct run *r, struct err *e)
{
    struct evidence_input in = { .evidence = r->evidence, .runtime = r->runtime, .init = r->init };
    struct collateral bag = collateral_open(r->a);
    struct verify_env env = { .now = r->now, .collateral = &bag, .settings = &r->settings, .trust = r->trust,
                              .memo = r->memo, .checks = &r->checks, .a = r->a };

    *e = (struct err){ .code = ERR_NONE };
    r->checks = (struct checks){ .a = r->a };
    r->claims = claims_open(r->a);
    if (r->cert.n > 0)
        assert_ok(collateral_add(&bag, r->cert, "certificate", e), e);
    for (size_t i = 0; i < r->crl_count; i++)
        assert_ok(collateral_add(&bag, r->crls[i], "CRL", e), e);
    return evidence_verify(&evidence_snp, &in, &env, &r->claims, NULL, e);
}

static void assert_verdict(struct run *r, enum err_code code, const char *why)
{
    struct err e;
    bool ok = run(r, &e);

    if (code == ERR_NONE) {
        assert_ok(ok, &e);
        assert_true(r->checks.count >= 15);
        return;
    }
    assert_false(ok);
    assert_refused(&e, code, why);
}

static struct bytes rest_json(struct arena *a, struct bytes report, struct bytes pem)
{
    struct jobj o = jobj_open(a);

    jobj_b64url(&o, "SnpReport", report);
    jobj_b64url(&o, "VcekCertChain", pem);
    return jobj_print(&o, false);
}

/* -- each member of `report` -- */

static const char *version_text(struct arena *a, struct snp_version v)
{
    return arena_printf(a, "%u.%u.%u", v.major, v.minor, v.build);
}

static const char *hex_text(struct arena *a, struct bytes b)
{
    return (const char *)hex_encode(a, b).p;
}

/* The value as the expectation writes it, JSON text; fails on a member this list does not know. */
static const char *report_member(struct arena *a, const struct snp_report *r, enum snp_line line, struct bytes name)
{
    struct snp_tcb t = snp_tcb_read(r->reported_tcb, line);
    const struct {
        const char *name;
        const char *text;
    } rows[] = {
        { "version", arena_printf(a, "%" PRIu32, r->version) },
        { "guest_svn", arena_printf(a, "%" PRIu32, r->guest_svn) },
        { "policy", arena_printf(a, "\"0x%016" PRIx64 "\"", r->policy) },
        { "family_id", arena_printf(a, "\"%s\"", hex_text(a, r->family_id)) },
        { "image_id", arena_printf(a, "\"%s\"", hex_text(a, r->image_id)) },
        { "vmpl", arena_printf(a, "%" PRIu32, r->vmpl) },
        { "signature_algo", arena_printf(a, "%" PRIu32, r->signature_algo) },
        { "current_tcb", arena_printf(a, "\"%s\"", hex_text(a, r->current_tcb)) },
        { "platform_info", arena_printf(a, "\"0x%016" PRIx64 "\"", r->platform_info) },
        { "key_info", arena_printf(a, "\"0x%08" PRIx32 "\"", r->key_info) },
        { "report_data", arena_printf(a, "\"%s\"", hex_text(a, r->report_data)) },
        { "measurement", arena_printf(a, "\"%s\"", hex_text(a, r->measurement)) },
        { "host_data", arena_printf(a, "\"%s\"", hex_text(a, r->host_data)) },
        { "id_key_digest", arena_printf(a, "\"%s\"", hex_text(a, r->id_key_digest)) },
        { "author_key_digest", arena_printf(a, "\"%s\"", hex_text(a, r->author_key_digest)) },
        { "report_id", arena_printf(a, "\"%s\"", hex_text(a, r->report_id)) },
        { "report_id_ma", arena_printf(a, "\"%s\"", hex_text(a, r->report_id_ma)) },
        { "reported_tcb", arena_printf(a, "\"%s\"", hex_text(a, r->reported_tcb)) },
        { "reported_tcb_components",
          line == SNP_TURIN
              ? arena_printf(a, "{\"bl\":%u,\"fmc\":%u,\"snp\":%u,\"tee\":%u,\"ucode\":%u}", t.bl, t.fmc, t.snp, t.tee,
                             t.ucode)
              : arena_printf(a, "{\"bl\":%u,\"snp\":%u,\"tee\":%u,\"ucode\":%u}", t.bl, t.snp, t.tee, t.ucode) },
        { "cpuid_family_model_stepping",
          r->has_cpuid ? arena_printf(a, "[%u,%u,%u]", r->family, r->model, r->stepping) : "null" },
        { "chip_id", arena_printf(a, "\"%s\"", hex_text(a, r->chip_id)) },
        { "committed_tcb", arena_printf(a, "\"%s\"", hex_text(a, r->committed_tcb)) },
        { "current_version", arena_printf(a, "\"%s\"", version_text(a, r->current)) },
        { "committed_version", arena_printf(a, "\"%s\"", version_text(a, r->committed)) },
        { "launch_tcb", arena_printf(a, "\"%s\"", hex_text(a, r->launch_tcb)) },
        { "launch_mit_vector", r->has_mitigations ? arena_printf(a, "%" PRIu64, r->launch_mit) : "null" },
        { "current_mit_vector", r->has_mitigations ? arena_printf(a, "%" PRIu64, r->current_mit) : "null" },
        { "report_sha256", NULL },
    };

    for (size_t i = 0; i < COUNT(rows); i++)
        if (bytes_is(name, rows[i].name)) {
            struct digest d = sha256(r->raw);

            return rows[i].text != NULL ? rows[i].text : arena_printf(a, "\"%s\"", hex_text(a, digest_bytes(&d)));
        }
    fail_msg("expectation has an unknown member %.*s", (int)name.n, (const char *)name.p);
    return NULL;
}

/* The expectation's reserved bytes inside TCBs are dropped: they are part of the whole TCB member. */
static const char *expected_text(struct arena *a, const struct json *m)
{
    struct jobj o = jobj_open(a);
    struct out text = out_open(a);

    if (!json_is(m, JSON_OBJECT)) {
        json_print(&text, m, true);
        return (const char *)out_view(&text).p;
    }
    for (const struct json *x = m->child; x != NULL; x = x->next)
        if (!bytes_equal(bytes_part(x->name, 0, 3), LIT("rsv")))
            jobj_raw(&o, x->name, x->raw);
    return arena_str(a, jobj_print(&o, true));
}

static void vector_fields(void **state)
{
    const struct vector *v = *state;
    struct loaded l;
    struct snp_report r;
    struct err e = { 0 };
    enum snp_line line = strncmp(v->key, "turin", 5) == 0 ? SNP_TURIN
        : strstr(v->key, "genoa") != NULL ? SNP_GENOA : SNP_MILAN;

    load(&l, v);
    assert_ok(snp_report_parse(l.report, &r, &e), &e);
    assert_ok(snp_report_check(&r, false, NULL, &e), &e);
    for (const struct json *m = json_member(l.expected, "report")->child; m != NULL; m = m->next)
        assert_string_equal(report_member(&l.a, &r, line, m->name), expected_text(&l.a, m));
    if (r.has_cpuid)
        assert_int_equal(snp_report_line(&r), line);
    unload(&l);
}

/* product_line, signing_ca, endorsement_key, window, hwID and TCB of the certificate. */
static void vector_certificate(void **state)
{
    const struct vector *v = *state;
    struct loaded l;
    struct snp_evidence *ev;
    struct snp_report r;
    struct snp_leaf leaf = { .line = SNP_MILAN };
    struct err e = { 0 };
    bool expected = false;
    int64_t n = 0;

    load(&l, v);
    if (l.cert.n > 0)
        assert_ok(snp_evidence_make(l.report, l.cert, &l.a, &ev, &e), &e);
    else
        assert_ok(snp_evidence_parse(l.evidence, &l.a, &ev, &e), &e);
    r = ev->report;
    leaf.cert = ev->certs[0];
    assert_bytes_equal(leaf.cert.subject_cn, text_of(l.expected, "endorsement_key"));
    assert_true(leaf.cert.not_before == time_of(l.expected, "endorsement_not_before"));
    assert_true(leaf.cert.not_after == time_of(l.expected, "endorsement_not_after"));
    if (json_is(json_member(l.expected, "signing_ca"), JSON_STRING))
        assert_bytes_equal(leaf.cert.issuer_cn, text_of(l.expected, "signing_ca"));
    for (size_t i = 0; i < SNP_LINES; i++)
        if (json_is(json_member(l.expected, "product_line"), JSON_STRING)
            && bytes_is(text_of(l.expected, "product_line"), snp_line_name((enum snp_line)i)))
            leaf.line = (enum snp_line)i;
    leaf.kind = bytes_is(leaf.cert.subject_cn, "SEV-VLEK") ? SNP_VLEK : SNP_VCEK;
    assert_ok(snp_leaf_extensions(&leaf, &e), &e);
    if (json_bool(json_member(l.expected, "tcb_matches_certificate"), &expected)
        && json_is(json_member(l.expected, "signing_ca"), JSON_STRING)) {
        struct snp_tcb t = snp_tcb_read(r.reported_tcb, leaf.line);

        assert_int_equal(expected, snp_tcb_at_least(t, leaf.spl) && snp_tcb_at_least(leaf.spl, t));
    }
    if (json_bool(json_member(l.expected, "hwid_matches_certificate"), &expected))
        assert_int_equal(expected, bytes_equal(bytes_part(r.chip_id, 0, leaf.hwid.n), leaf.hwid));
    if (json_int(json_member(l.expected, "hwid_length"), &n)) /* 66: the OCTET STRING around it is taken off */
        assert_int_equal(n == 66 ? 64 : n, leaf.hwid.n);
    unload(&l);
}

/* A check that held tells what is there, never what would have been wrong. */
static void told_as_they_are(const struct run *r)
{
    static const char *const wrong[] = { "another", "not zero", "none", "masked", "no certificate", "0xffffffff" };

    for (const struct check *c = r->checks.first; c != NULL; c = c->next)
        for (size_t i = 0; c->result == CHECK_OK && c->actual != NULL && i < COUNT(wrong); i++)
            if (strstr(c->actual, wrong[i]) != NULL)
                fail_msg("'%s' holds and tells '%s'", c->name, c->actual);
}

static bool check_was_ok(const struct run *r, const char *name)
{
    for (const struct check *c = r->checks.first; c != NULL; c = c->next)
        if (strcmp(c->name, name) == 0)
            return c->result == CHECK_OK;
    return false;
}

static void vector_verdict(void **state)
{
    const struct vector *v = *state;
    struct loaded l;
    struct run r;
    bool valid, chain = false, sig = false;

    load(&l, v);
    r = run_of(&l.a, l.evidence, l.cert, l.at);
    valid = bytes_is(text_of(l.expected, "overall"), "valid");
    assert_int_equal(valid, v->code == ERR_NONE);
    assert_verdict(&r, v->code, v->why);
    assert_true(json_bool(json_member(l.expected, "chain_valid"), &chain));
    assert_int_equal(chain, check_was_ok(&r, "trust in the root key"));
    assert_true(json_bool(json_member(l.expected, "signature_valid"), &sig));
    assert_int_equal(sig, check_was_ok(&r, "report signature"));
    told_as_they_are(&r);
    unload(&l);
}

static void vector_claims(void **state)
{
    const struct vector *v = *state;
    const struct json *wanted, *got;
    struct loaded l;
    struct run r;
    struct jobj o;
    struct err e;
    size_t seen = 0;

    load(&l, v);
    r = run_of(&l.a, l.evidence, l.cert, l.at);
    assert_true(run(&r, &e));
    o = jobj_open(&l.a);
    jobj_text(&o, "x-ms-attestation-type", evidence_snp.token);
    claims_to_object(&r.claims, CLAIM_TO_TOKEN, &o);
    got = parse_text(&l.a, jobj_print(&o, true));
    wanted = json_member(l.expected, "maa_claims");
    for (const struct json *m = wanted->child; m != NULL; m = m->next) {
        const struct json *g = json_member_bytes(got, m->name);

        if (g == NULL || !bytes_equal(g->raw, m->raw))
            fail_msg("%.*s: expected %.*s, got %.*s", (int)m->name.n, (const char *)m->name.p, (int)m->raw.n,
                     (const char *)m->raw.p, g == NULL ? 6 : (int)g->raw.n, g == NULL ? "absent" : (const char *)g->raw.p);
        seen++;
    }
    for (const struct json *g = got->child; g != NULL; g = g->next) /* nothing else but what the HCL report adds */
        if (json_member_bytes(wanted, g->name) == NULL)
            assert_true(l.hcl.n > 0
                        && (bytes_is(g->name, "x-ms-runtime") || bytes_is(g->name, "x-ms-compliance-status")));
    assert_true(seen == 24);
    r.settings.extra_claims = true; /* our own stand beside them under our own name */
    assert_true(run(&r, &e));
    o = jobj_open(&l.a);
    claims_to_object(&r.claims, CLAIM_TO_TOKEN, &o);
    got = parse_text(&l.a, jobj_print(&o, true));
    assert_bytes_equal(json_member(got, "avouch-snp-product")->text, text_of(l.expected, "product_line"));
    unload(&l);
}

/* Valid inside the certificate's window, refused on either side of it. */
static void vector_window(void **state)
{
    const struct vector *v = *state;
    struct loaded l;
    struct run r;

    load(&l, v);
    r = run_of(&l.a, l.evidence, l.cert, time_of(l.expected, "endorsement_not_before") - 3600);
    assert_verdict(&r, ERR_CERT_NOT_YET_VALID, "validity of SEV-V");
    r.now = time_of(l.expected, "endorsement_not_after");
    assert_verdict(&r, ERR_NONE, NULL);
    r.now += 3600;
    assert_verdict(&r, ERR_CERT_EXPIRED, "validity of SEV-V");
    unload(&l);
}

/* One bit in each byte. Nothing of a report is unsigned and free: 0x330 to 0x49f must be zero. */
static void vector_damage(void **state)
{
    const struct vector *v = *state;
    struct memo *memo = memo_new(16);
    struct loaded l;
    struct err e;

    load(&l, v);
    for (size_t i = 0; i < SNP_REPORT_SIZE; i++) {
        struct arena a;
        struct run r;
        uint8_t *copy;

        arena_init(&a, 8 << 20);
        copy = arena_alloc(&a, SNP_REPORT_SIZE);
        memcpy(copy, l.report.p, SNP_REPORT_SIZE);
        copy[i] = (uint8_t)(copy[i] ^ 1u << (i % 8));
        r = run_of(&a, bytes_of(copy, SNP_REPORT_SIZE), l.cert, l.at);
        r.memo = memo;
        if (run(&r, &e))
            fail_msg("bit %zu of byte 0x%zx flipped and still valid", i % 8, i);
        assert_true(e.code != ERR_NONE && e.why[0] != 0 && !err_is_undecided(e.code));
        if (i >= 0x330)
            assert_int_equal(e.code, ERR_RESERVED_NOT_ZERO);
        arena_done(&a);
    }
    memo_free(memo);
    unload(&l);
}

/* The certificate beside the report: each byte altered, each length cut. */
static void vector_certificate_damage(void **state)
{
    const struct vector *v = *state;
    struct memo *memo = memo_new(16);
    struct snp_evidence *ev;
    struct bytes der;
    struct loaded l;
    struct err e = { 0 };
    uint8_t *copy;

    load(&l, v);
    if (l.cert.n > 0)
        assert_ok(snp_evidence_make(l.report, l.cert, &l.a, &ev, &e), &e);
    else
        assert_ok(snp_evidence_parse(l.evidence, &l.a, &ev, &e), &e);
    der = ev->certs[0].der;
    copy = arena_alloc(&l.a, der.n);
    memcpy(copy, der.p, der.n);
    {
        struct run whole = run_of(&l.a, rest_json(&l.a, l.report, der), (struct bytes){ NULL, 0 }, l.at);

        assert_verdict(&whole, ERR_NONE, NULL); /* DER instead of PEM is fine */
    }
    for (size_t i = 0; i < 2 * der.n; i++) {
        bool cut = i >= der.n;
        struct arena a;
        struct run r;

        arena_init(&a, 8 << 20);
        if (!cut)
            copy[i] = (uint8_t)(copy[i] ^ 1u << (i % 8));
        r = run_of(&a, rest_json(&a, l.report, bytes_of(copy, cut ? i - der.n : der.n)), (struct bytes){ NULL, 0 }, l.at);
        r.memo = memo;
        if (run(&r, &e))
            fail_msg("byte %zu of the certificate altered or cut and still valid", i);
        assert_true(e.code != ERR_NONE && e.why[0] != 0);
        assert_true(!err_is_undecided(e.code) || i == der.n); /* no certificate at all: one could be had */
        if (!cut)
            copy[i] = der.p[i];
        arena_done(&a);
    }
    memo_free(memo);
    unload(&l);
}

static void vector_truncated(void **state)
{
    const struct vector *v = *state;
    struct loaded l;
    uint8_t *longer;
    struct run r;
    struct err e;

    load(&l, v);
    for (size_t n = 0; n < SNP_REPORT_SIZE; n++) {
        r = run_of(&l.a, bytes_part(l.report, 0, n), l.cert, l.at);
        assert_false(run(&r, &e));
        assert_true(e.code == ERR_REPORT_LENGTH || (n < 4 && e.code == ERR_JSON_SYNTAX));
    }
    longer = arena_alloc(&l.a, SNP_REPORT_SIZE + 1);
    memcpy(longer, l.report.p, SNP_REPORT_SIZE);
    r = run_of(&l.a, bytes_of(longer, SNP_REPORT_SIZE + 1), l.cert, l.at);
    assert_verdict(&r, ERR_REPORT_LENGTH, "report length is 1185 bytes, exactly 1184 are expected");
    unload(&l);
}

/* -- HCL members -- */

static void hcl_member(const struct hcl_report *h, const struct json *m, struct arena *a, struct bytes report_data)
{
    struct digest d = hash(h->hash, h->runtime);
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {
        { "version", h->version }, { "report_size", h->report_size }, { "request_type", h->request_type },
        { "status", h->status }, { "data_size", h->data_size }, { "data_version", h->data_version },
        { "report_type", h->report_type }, { "hash_type", h->hash_type }, { "variable_data_size", h->variable_size },
    };
    struct err e = { 0 };
    struct out ours = out_open(a), theirs = out_open(a);
    int64_t n;
    bool b;

    for (size_t i = 0; i < COUNT(numbers); i++)
        if (bytes_is(m->name, numbers[i].name)) {
            assert_true(json_int(m, &n) && (uint64_t)n == numbers[i].value);
            return;
        }
    if (bytes_is(m->name, "signature")) {
        assert_text(m->text, "0x414c4348");
    } else if (bytes_is(m->name, "variable_data_sha256")) {
        assert_text(m->text, hex_text(a, digest_bytes(&d)));
    } else if (bytes_is(m->name, "hash_matches_report_data")) {
        assert_true(json_bool(m, &b));
        assert_int_equal(b, hcl_check(h, HCL_SNP, report_data, NULL, &e));
    } else if (bytes_is(m->name, "runtime_data")) {
        json_print(&ours, parse_text(a, h->runtime), true);
        json_print(&theirs, m, true);
        assert_bytes_equal(out_view(&ours), out_view(&theirs));
    } else {
        fail_msg("expectation has an unknown member %.*s", (int)m->name.n, (const char *)m->name.p);
    }
}

static void vector_hcl(void **state)
{
    const struct vector *v = *state;
    struct hcl_runtime rt;
    struct hcl_report h;
    struct snp_report r;
    struct loaded l;
    struct err e = { 0 };
    AUTO_KEY k = NULL;

    load(&l, v);
    assert_ok(hcl_parse(l.hcl, &h, &e) && snp_report_parse(h.hardware, &r, &e), &e);
    for (const struct json *m = json_member(l.expected, "hcl")->child; m != NULL; m = m->next)
        hcl_member(&h, m, &l.a, r.report_data);
    assert_ok(hcl_runtime_parse(h.runtime, &l.a, &rt, &e) && hcl_ak_key(&rt, &k, &e), &e);
    assert_int_equal(key_bits(k), 2048);
    assert_true(rt.configuration != NULL && rt.vm_id.n == 36);
    assert_ok(hcl_ak_check(&rt, key_modulus(k), key_exponent(k), NULL, &e), &e);
    assert_false(hcl_ak_check(&rt, h.runtime, key_exponent(k), NULL, &e));
    assert_refused(&e, ERR_AK_MISMATCH, "modulus of the attestation key");
    unload(&l);
}

static struct bytes quote_bytes(struct arena *a, const struct json *j)
{
    struct bytes t, b = { NULL, 0 };

    if (json_is(j, JSON_ARRAY))
        return array_bytes(a, j);
    assert_true(json_string(j, &t) && hex_decode(t, a, &b));
    return b;
}

/* The vTPM quote verifies with the key of the runtime data: the last link from AMD's root to the PCRs. */
static void vector_quote(void **state)
{
    const struct vector *v = *state;
    const struct json *want;
    struct bytes message, sig, nonce, digest, text;
    struct hcl_runtime rt;
    struct hcl_report h;
    struct loaded l;
    struct err e = { 0 };
    struct out pcrs;
    struct digest d;
    struct cur c;
    AUTO_KEY k = NULL;
    int64_t count = 0;

    load(&l, v);
    want = json_member(l.expected, "quote");
    message = quote_bytes(&l.a, json_member(l.quote, "message"));
    sig = quote_bytes(&l.a, json_member(l.quote, "signature"));
    assert_ok(hcl_parse(l.hcl, &h, &e) && hcl_runtime_parse(h.runtime, &l.a, &rt, &e) && hcl_ak_key(&rt, &k, &e), &e);
    assert_true(key_verify(k, SIG_RS256, SIG_RAW, message, sig)); /* signature_valid */
    c = cur_open(message);
    cur_skip(&c, 6, "magic and type");
    cur_skip(&c, cur_u16be(&c, "signer"), "signer");
    nonce = cur_take(&c, cur_u16be(&c, "nonce"), "nonce");
    cur_skip(&c, 17, "clock");
    assert_text(text_of(want, "firmware_version"), arena_printf(&l.a, "0x%016" PRIx64, cur_u64be(&c, "firmware")));
    assert_int_equal(cur_u32be(&c, "selections"), 1);
    assert_int_equal(cur_u16be(&c, "bank"), 0x000b);
    assert_text(json_member(want, "pcr_selection")->child->child->next->text,
                hex_text(&l.a, cur_take(&c, cur_u8(&c, "size"), "bitmap")));
    digest = cur_take(&c, cur_u16be(&c, "digest"), "digest");
    assert_ok(cur_close(&c, ERR_FORMAT, "quote", &e), &e);
    assert_bytes_equal(hex_encode(&l.a, nonce), text_of(want, "qualifying_data_hex"));
    assert_bytes_equal(hex_encode(&l.a, digest), text_of(want, "pcr_digest"));
    pcrs = out_open(&l.a);
    for (const struct json *p = json_member(l.quote, "pcrs")->child; p != NULL; p = p->next, count++)
        out_bytes(&pcrs, json_string(p, &text) ? quote_bytes(&l.a, p) : array_bytes(&l.a, p));
    d = sha256(out_view(&pcrs));
    assert_bytes_equal(digest_bytes(&d), digest); /* pcr_digest_matches */
    assert_true(json_int(json_member(want, "pcr_count"), &count) && count == 24);
    unload(&l);
}

static void hcl_damage(void **state)
{
    const struct vector *v = *state;
    struct loaded l;
    struct run r;
    struct err e;
    struct hcl_report h;

    load(&l, v);
    assert_true(hcl_parse(l.hcl, &h, &e));
    for (size_t n = 4; n < 0x4d4 + h.variable_size; n += n < 64 ? 1 : 7) {
        struct hcl_report cut;

        e = (struct err){ .code = ERR_NONE };
        assert_false(hcl_parse(bytes_part(l.hcl, 0, n), &cut, &e));
        assert_int_equal(e.code, ERR_HCL_LENGTH);
    }
    for (size_t i = 0; i < l.hcl.n; i++) {
        /* unsigned and free: version (1 or 2), report size, request type, status, reserved, data version */
        bool is_free = (i >= 0x08 && i < 0x20) || (i >= 0x4c4 && i < 0x4c8);
        struct arena a;
        uint8_t *copy;

        if (i >= 0x20 && i < 0x4c0) /* the hardware report has its own damage test */
            continue;
        arena_init(&a, 8 << 20);
        copy = arena_alloc(&a, l.hcl.n);
        memcpy(copy, l.hcl.p, l.hcl.n);
        copy[i] ^= 0x40;
        r = run_of(&a, bytes_of(copy, l.hcl.n), l.cert, l.at);
        if (run(&r, &e) != is_free)
            fail_msg("byte 0x%zx: %s", i, is_free ? e.why : "altered and still valid");
        arena_done(&a);
    }
    unload(&l);
}

/* -- the recorded request -- */

static const char request_key[] = "../rest/evidence/sevsnp-attest-request.json";

static const struct vector *vector_find(const char *key)
{
    for (size_t i = 0; i < COUNT(vectors); i++)
        if (strcmp(vectors[i].key, key) == 0)
            return &vectors[i];
    fail_msg("no vector %s", key);
    return NULL;
}

/* Azure's own token for the recorded request: every x-ms-sevsnpvm member is ours too, with the same value. */
static void recorded_token(void **state)
{
    struct loaded l;
    struct run r;
    struct err e;
    struct jobj o;
    const struct json *token, *got;
    struct bytes jwt, body;
    const uint8_t *dot;
    size_t seen = 0;

    (void)state;
    load(&l, vector_find(request_key));
    jwt = test_vector(&l.a, "rest/tokens/sevsnp-apr2025.jwt");
    dot = memchr(jwt.p, '.', jwt.n);
    jwt = bytes_part(jwt, (size_t)(dot - jwt.p) + 1, jwt.n);
    dot = memchr(jwt.p, '.', jwt.n);
    assert_ok(b64_decode(bytes_part(jwt, 0, (size_t)(dot - jwt.p)), B64_URL_STRICT, "token", &l.a, &body, &e), &e);
    token = parse_text(&l.a, body);
    r = run_of(&l.a, l.evidence, l.cert, 1744085700); /* the token's iat */
    assert_true(run(&r, &e));
    o = jobj_open(&l.a);
    claims_to_object(&r.claims, CLAIM_TO_TOKEN, &o);
    got = parse_text(&l.a, jobj_print(&o, true));
    for (const struct json *m = token->child; m != NULL; m = m->next) {
        if (!bytes_equal(bytes_part(m->name, 0, 14), LIT("x-ms-sevsnpvm-")))
            continue;
        assert_non_null(json_member_bytes(got, m->name));
        assert_bytes_equal(json_member_bytes(got, m->name)->raw, m->raw);
        seen++;
    }
    assert_int_equal(seen, 17);
    assert_null(claims_find(&r.claims, "x-ms-compliance-status")); /* no endorsement was sent: the token has none */
    unload(&l);
}

static void recorded_wrong_runtime(void **state)
{
    struct arena a;
    struct run r;
    const struct json *j, *runtime;

    (void)state;
    arena_init(&a, 32 << 20);
    j = parse_text(&a, test_vector(&a, "rest/evidence/sevsnp-attest-request-with-wrong-runtime.json"));
    runtime = json_member(j, "runtimeData");
    r = run_of(&a, b64_of(&a, j, "report"), (struct bytes){ NULL, 0 }, test_time("2025-04-08T00:00:00Z"));
    assert_verdict(&r, ERR_NONE, NULL);
    r.runtime = (struct attached){ .present = true, .type = DATA_JSON, .data = b64_of(&a, runtime, "data") };
    assert_verdict(&r, ERR_NOT_BOUND, "report data carry the hash of runtimeData");
    arena_done(&a);
}

/* The JSON of the REST member in forms that clients send, and in forms that are refused. */
static void rest_forms(void **state)
{
    static const struct {
        const char *name, *text; /* %R report, %C chain, both base64url */
        enum err_code code;
        const char *why;
    } rows[] = {
        { "as recorded", "{\"SnpReport\":\"%R\",\"VcekCertChain\":\"%C\"}", ERR_NONE, NULL },
        { "white space and another case of names", " \n {\n\"snpreport\" : \"%R\" ,\n\"VCEKCertChain\":\"%C\" }\n", ERR_NONE,
          NULL },
        { "empty endorsements", "{\"SnpReport\":\"%R\",\"VcekCertChain\":\"%C\",\"Endorsements\":\"\"}", ERR_NONE, NULL },
        { "null endorsements", "{\"SnpReport\":\"%R\",\"VcekCertChain\":\"%C\",\"Endorsements\":null}", ERR_NONE, NULL },
        { "object without Uvm", "{\"SnpReport\":\"%R\",\"VcekCertChain\":\"%C\",\"Endorsements\":{}}", ERR_NONE, NULL },
        { "unknown member", "{\"SnpReport\":\"%R\",\"VcekCertChain\":\"%C\",\"More\":[1]}", ERR_NONE, NULL },
        { "no report", "{\"VcekCertChain\":\"%C\"}", ERR_BAD_REQUEST, "member 'SnpReport' is missing" },
        { "report twice", "{\"SnpReport\":\"%R\",\"snpREPORT\":\"%R\",\"VcekCertChain\":\"%C\"}", ERR_JSON_SYNTAX,
          "member 'SnpReport' stands twice" },
        { "report is a number", "{\"SnpReport\":5,\"VcekCertChain\":\"%C\"}", ERR_BAD_REQUEST,
          "member 'SnpReport' is of type number" },
        { "report is no base64", "{\"SnpReport\":\"*\",\"VcekCertChain\":\"%C\"}", ERR_BAD_REQUEST, "SnpReport" },
        { "short report", "{\"SnpReport\":\"AAAA\",\"VcekCertChain\":\"%C\"}", ERR_REPORT_LENGTH, "3 bytes" },
        { "no chain", "{\"SnpReport\":\"%R\"}", ERR_COLLATERAL_MISSING, "without its VCEK" },
        { "chain is no certificate", "{\"SnpReport\":\"%R\",\"VcekCertChain\":\"AAAA\"}", ERR_CERT_PARSE,
          "SEV-SNP certificates" },
        { "endorsements of a wrong type", "{\"SnpReport\":\"%R\",\"VcekCertChain\":\"%C\",\"Endorsements\":7}",
          ERR_BAD_REQUEST, "'Endorsements' is of type number" },
        { "Uvm of a wrong type", "{\"SnpReport\":\"%R\",\"VcekCertChain\":\"%C\",\"Endorsements\":{\"Uvm\":\"AA\"}}",
          ERR_BAD_REQUEST, "'Uvm' is not an array" },
        { "five endorsements",
          "{\"SnpReport\":\"%R\",\"VcekCertChain\":\"%C\",\"Endorsements\":{\"Uvm\":[\"\",\"\",\"\",\"\",\"\"]}}",
          ERR_BAD_REQUEST, "at most 4" },
        { "endorsement is no COSE", "{\"SnpReport\":\"%R\",\"VcekCertChain\":\"%C\",\"Endorsements\":{\"Uvm\":[\"AAAA\"]}}",
          ERR_COSE_FORMAT, "UVM endorsement" },
        { "an array", "[]", ERR_FORMAT, "JSON is of type array" },
        { "no JSON", "hello", ERR_JSON_SYNTAX, "JSON at offset 0" },
    };
    struct loaded l;
    const struct json *inner;

    (void)state;
    load(&l, vector_find(request_key));
    inner = parse_text(&l.a, l.evidence);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct out o = out_open(&l.a);
        struct run r;

        for (const char *p = rows[i].text; *p != 0; p++) {
            if (p[0] != '%') {
                out_char(&o, *p);
                continue;
            }
            out_bytes(&o, text_of(inner, *++p == 'R' ? "SnpReport" : "VcekCertChain"));
        }
        r = run_of(&l.a, out_view(&o), (struct bytes){ NULL, 0 }, l.at);
        print_message("# %s\n", rows[i].name);
        assert_verdict(&r, rows[i].code, rows[i].why);
    }
    unload(&l);
}

static void needs_of_a_bare_report(void **state)
{
    static const struct {
        const char *key, *first;
        size_t count;
    } rows[] = {
        { "turin-v5/report.bin + vcek.pem", "kds/vcek/v1/Turin/", 2 },
        { "genoa-v5/report.bin + vcek.der", "kds/vcek/v1/Genoa/", 2 },
        { "milan-v2/report.bin + vcek.der", "kds/vcek/v1/Milan/", 4 }, /* version 2: Milan or Genoa */
        { "milan-v3-vlek/report.bin + vlek.der", "kds/vlek/v1/Milan/crl", 1 }, /* a VLEK cannot be fetched */
    };
    struct settings s = settings_default();

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct loaded l;
        struct snp_evidence *ev;
        struct needs n;
        struct err e = { 0 };

        load(&l, vector_find(rows[i].key));
        n = needs_open(&l.a);
        assert_ok(snp_evidence_parse(l.evidence, &l.a, &ev, &e) && snp_evidence_needs(ev, &s, &n, &e), &e);
        assert_int_equal(n.count, rows[i].count);
        assert_memory_equal(n.list[0].key, rows[i].first, strlen(rows[i].first));
        unload(&l);
    }
}

/* -- roots -- */

static void roots_are_amds(void **state)
{
    static const struct {
        enum snp_line line;
        int which; /* -1 ARK, else by enum snp_signing_key */
        const char *sha256, *spki;
    } rows[] = {
        { SNP_MILAN, -1, "69d063b45344d26a2e94e1f4210de49ef555308287d4c174445c95639a540bcd",
          "9f056bee44377e29308cb5ffa895bdfb62d18881fa6bed8d6f075b0204089cb9" },
        { SNP_MILAN, SNP_VCEK, "67d303bd3905fd38db8b20e0793699870e7fa612eaad5dec358293fd8c0bac1b",
          "42491669ccb851d627ea9846cd24eccbeb7de7c2a62740120fff88001d38ebb6" },
        { SNP_MILAN, SNP_VLEK, "c5e081f59b7efab1fe2f8b505e159704e72f29cab7ef7cf628a05a42439082f5",
          "66450a123ea5876206df67f2514a4fea224c0f63b18313423078b0edc4535e33" },
        { SNP_GENOA, -1, "4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1",
          "429a69c9422aa258ee4d8db5fcda9c6470ef15f8cd5a9cebd6cbc7d90b863831" },
        { SNP_GENOA, SNP_VCEK, "5464738c1546aed5f2cecf1dc98c5c960a92e8913238a61711bc90ec6e828521",
          "0324d55bcd48ba877a8fd87c0e1b4934dec8448e3807a24384a34dc6a6c9ebb8" },
        { SNP_GENOA, SNP_VLEK, "197e610743a917d6b9bb982a5a9226ccc0a15b611be0619e626aca9151457372",
          "7d1633252ebbadaa75f96e9b4e6f7d43a90ceb3f843937482630f8da2459264e" },
        { SNP_TURIN, -1, "1f084161a44bb6d93778a904877d4819cafa5d05ef4193b2ded9dd9c73dd3f6a",
          "4f125410563a2ab9a50356f9243f6fe0b6f73de98603f53f90339c70e9d7ad08" },
        { SNP_TURIN, SNP_VCEK, "5b77ef5fe7a7a004fd9032668fba9d0fda22f88c4442069a479636a6ae3b3185",
          "0000ead352025f208bf55297c4192c34cd1b878002107366d8f2065a9ae7d3a9" },
        { SNP_TURIN, SNP_VLEK, "104e10a8bd060a3c20a434261a57d0588fd65a88915b4f65b08bdecaf8df1a3c",
          "bfc441408b2f806c5dbf180bd8920e6e60dd404d82141780d85dbf962954d386" },
    };
    struct arena a;

    (void)state;
    arena_init(&a, 8 << 20);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct snp_root *root = &snp_roots[rows[i].line];
        struct cert c, ark;
        struct bytes der, ark_der;
        struct err e = { 0 };
        struct digest d;
        AUTO_KEY k = NULL;

        assert_ok(b64_decode(bytes_str(root->ark), B64_STD_STRICT, "ARK", &a, &ark_der, &e), &e);
        assert_ok(b64_decode(bytes_str(rows[i].which < 0 ? root->ark : root->ca[rows[i].which]), B64_STD_STRICT, "CA", &a,
                             &der, &e) && cert_parse(der, "CA", &c, &e) && cert_parse(ark_der, "ARK", &ark, &e), &e);
        d = sha256(der);
        assert_text(hex_encode(&a, digest_bytes(&d)), rows[i].sha256);
        d = sha256(c.spki);
        assert_text(hex_encode(&a, digest_bytes(&d)), rows[i].spki);
        if (rows[i].which < 0)
            assert_bytes_equal(digest_bytes(&d), BYTES(root->ark_spki));
        assert_ok(key_from_spki(ark.spki, "ARK", &k, &e), &e);
        assert_true(cert_signed_by(&c, k));
    }
    arena_done(&a);
}

static void turin_certificate_alone(void **state)
{
    struct arena a;
    struct snp_leaf leaf = { .line = SNP_TURIN, .kind = SNP_VCEK };
    struct bytes ca;
    struct err e = { 0 };
    struct cert issuer;
    AUTO_KEY k = NULL;

    (void)state;
    arena_init(&a, 8 << 20);
    assert_ok(cert_parse(snp_file(&a, "turin-vcek-only/vcek.der"), "VCEK", &leaf.cert, &e)
              && snp_leaf_extensions(&leaf, &e), &e);
    assert_int_equal(leaf.hwid.n, 8);
    assert_true(leaf.cert.not_before / 86400 == test_time("2024-11-06T00:00:00Z") / 86400);
    assert_ok(b64_decode(bytes_str(snp_roots[SNP_TURIN].ca[SNP_VCEK]), B64_STD_STRICT, "CA", &a, &ca, &e)
              && cert_parse(ca, "CA", &issuer, &e) && key_from_spki(issuer.spki, "CA", &k, &e), &e);
    assert_true(cert_signed_by(&leaf.cert, k));
    arena_done(&a);
}

/* -- ID block -- */

static void id_block_vector(void **state)
{
    struct arena a;
    struct bytes block, auth;
    struct snp_id id = { .has_author = false };
    struct snp_report r;
    struct err e = { 0 };
    uint8_t *raw;

    (void)state;
    arena_init(&a, 8 << 20);
    block = snp_file(&a, "id-block/id-block.bin");
    auth = snp_file(&a, "id-block/id-auth.bin");
    assert_ok(snp_id_verify(block, auth, NULL, &id, &e), &e);
    assert_true(id.has_author);
    assert_text(hex_encode(&a, digest_bytes(&id.id_key_digest)),
                "59fb2c686dfa4fef49f38339aa775c90051c28d57383ddc3baf3b5eb4b1496df3b0dbbdcbae5fe27677a644820773fe2");
    assert_text(hex_encode(&a, digest_bytes(&id.author_key_digest)),
                "eed81169fb0cb5e0ec34794f128fd4e0c4a46f67c65a1adfa81fcb24bcc088c272369b7ffc3eb2b6af6a4284a1b36c5f");
    raw = arena_alloc(&a, SNP_REPORT_SIZE); /* a report that was launched with them */
    raw[0] = 3;
    memcpy(raw + 0x90, block.p, 48);
    memcpy(raw + 0x10, block.p + 0x30, 32);
    memcpy(raw + 0x04, block.p + 0x54, 4);
    memcpy(raw + 0x08, block.p + 0x58, 8);
    raw[0x48] = 1;
    memcpy(raw + 0xe0, id.id_key_digest.p, 48);
    memcpy(raw + 0x110, id.author_key_digest.p, 48);
    assert_ok(snp_report_parse(bytes_of(raw, SNP_REPORT_SIZE), &r, &e), &e);
    assert_ok(snp_id_check(block, &id, &r, NULL, &e), &e);
    {
        static const struct {
            size_t at;
            enum err_code code;
            const char *why;
        } rows[] = {
            { 0xe0, ERR_ID_KEY_DIGEST, "ID key digest" }, { 0x110, ERR_AUTHOR_KEY_DIGEST, "author key digest" },
            { 0x48, ERR_AUTHOR_KEY_DIGEST, "author key bit" }, { 0x90, ERR_ID_BLOCK_MISMATCH, "launch digest" },
            { 0x10, ERR_ID_BLOCK_MISMATCH, "family id" }, { 0x20, ERR_ID_BLOCK_MISMATCH, "image id" },
            { 0x04, ERR_ID_BLOCK_MISMATCH, "guest SVN" }, { 0x08, ERR_ID_BLOCK_MISMATCH, "guest policy" },
        };

        for (size_t i = 0; i < COUNT(rows); i++) {
            raw[rows[i].at] ^= 1;
            assert_true(snp_report_parse(bytes_of(raw, SNP_REPORT_SIZE), &r, &e));
            e = (struct err){ 0 };
            assert_false(snp_id_check(block, &id, &r, NULL, &e));
            assert_refused(&e, rows[i].code, rows[i].why);
            raw[rows[i].at] ^= 1;
        }
    }
    arena_done(&a);
}

/* Every byte of both structures counts: signed, hashed, or reserved. */
static void id_block_damage(void **state)
{
    struct arena a;
    struct bytes block, auth;
    struct snp_id id;
    struct err e = { 0 };
    uint8_t *copy;

    (void)state;
    arena_init(&a, 64 << 20);
    block = snp_file(&a, "id-block/id-block.bin");
    auth = snp_file(&a, "id-block/id-auth.bin");
    copy = arena_alloc(&a, auth.n);
    memcpy(copy, auth.p, auth.n);
    for (size_t i = 0; i < auth.n; i += i < 0x900 ? 13 : 101) {
        copy[i] ^= 0x10;
        e = (struct err){ 0 };
        if (snp_id_verify(block, bytes_of(copy, auth.n), NULL, &id, &e))
            fail_msg("byte 0x%zx altered and still verified", i);
        assert_true(e.code == ERR_ID_BLOCK_FORMAT || e.code == ERR_ID_BLOCK_SIGNATURE);
        copy[i] ^= 0x10;
    }
    memcpy(copy, block.p, block.n);
    for (size_t i = 0; i < block.n; i++) {
        copy[i] ^= 0x10;
        assert_false(snp_id_verify(bytes_of(copy, block.n), auth, NULL, &id, &e));
        copy[i] ^= 0x10;
        e = (struct err){ 0 };
        assert_false(snp_id_verify(bytes_part(block, 0, i), auth, NULL, &id, &e));
        assert_refused(&e, ERR_ID_BLOCK_FORMAT, "are left");
    }
    arena_done(&a);
}

/* -- certificate table -- */

static void put_entry(uint8_t *to, const char *guid, uint32_t offset, uint32_t length, struct arena *a)
{
    struct bytes g = test_hex(a, guid);

    memcpy(to, g.p, 16);
    for (int i = 0; i < 4; i++) {
        to[16 + i] = (uint8_t)(offset >> (8 * i));
        to[20 + i] = (uint8_t)(length >> (8 * i));
    }
}

#define GUID_VCEK "63da758de6644564adc5f4b93be8accd"

static void certificate_table(void **state)
{
    struct loaded l;
    struct run r;
    struct err e = { 0 };
    struct snp_certtable t;
    uint8_t *in;
    size_t n, base = SNP_REPORT_SIZE;

    (void)state;
    load(&l, vector_find("genoa-v5/report.bin + vcek.der"));
    n = base + 72 + l.cert.n;
    in = arena_alloc(&l.a, n);
    memcpy(in, l.report.p, base);
    put_entry(in + base, GUID_VCEK, 72, (uint32_t)l.cert.n, &l.a);
    put_entry(in + base + 24, "00112233445566778899aabbccddeeff", 72, 1, &l.a); /* unknown: ignored */
    memcpy(in + base + 72, l.cert.p, l.cert.n);
    r = run_of(&l.a, bytes_of(in, n), (struct bytes){ NULL, 0 }, l.at);
    assert_verdict(&r, ERR_NONE, NULL);
    assert_true(snp_certtable_parse(bytes_of(in + base, n - base), &t, &e));
    assert_int_equal(t.entries, 2);
    assert_bytes_equal(t.vcek, l.cert);
    {
        static const struct {
            uint32_t offset, length;
        } rows[] = { { 71, 1 }, { 0, 10 }, { 72, UINT32_MAX }, { UINT32_MAX, 1 }, { UINT32_MAX, UINT32_MAX } };

        for (size_t i = 0; i < COUNT(rows); i++) {
            put_entry(in + base, GUID_VCEK, rows[i].offset, rows[i].length, &l.a);
            e = (struct err){ 0 };
            assert_false(snp_certtable_parse(bytes_of(in + base, n - base), &t, &e));
            assert_refused(&e, ERR_CERT_PARSE, "blobs lie between 72 and");
        }
    }
    for (size_t cut = 0; cut < 72; cut++) {
        e = (struct err){ 0 };
        assert_false(snp_certtable_parse(bytes_of(in + base, cut), &t, &e));
        assert_refused(&e, ERR_CERT_PARSE, "no end of the table");
    }
    unload(&l);
}

/* -- container endorsements -- */

static struct bytes with_endorsement(struct arena *a, struct bytes report, struct bytes chain, struct bytes cose)
{
    struct jobj o = jobj_open(a), uvm = jobj_open(a);
    struct jarr list = jarr_open(a);

    jarr_str(&list, b64url_encode(a, cose));
    jobj_json(&uvm, "Uvm", jarr_close(&list));
    jobj_b64url(&o, "SnpReport", report);
    jobj_b64url(&o, "VcekCertChain", chain);
    jobj_b64url(&o, "Endorsements", jobj_print(&uvm, false));
    return jobj_print(&o, false);
}

static void endorsed_container(void **state)
{
    static const struct snp_uvm_profile low[] = {
        { "did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::eku:1.3.6.1.4.1.311.76.59.1.2",
          "ContainerPlat-AMD-UVM", 20, "azure-compliant-uvm" },
    };
    static const struct snp_uvm_profile other_feed[] = {
        { "did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::eku:1.3.6.1.4.1.311.76.59.1.2",
          "Another", 0, "x" },
    };
    struct snp_profiles p = { low, 1, NULL, 0, NULL, 0 };
    struct memo *memo = memo_new(16);
    struct bytes cose, other;
    struct loaded l;
    struct run r;

    (void)state;
    load(&l, vector_find("aci-milan-v2/snp_report.bin + uvm_host_amd_certificate.pem"));
    cose = snp_file(&l.a, "aci-milan-v2/body.uvm_reference_info.bin");
    r = run_of(&l.a, with_endorsement(&l.a, l.report, l.cert, cose), (struct bytes){ NULL, 0 },
               test_time("2026-11-01T00:00:00Z")); /* long after the endorsement's leaf: judged at its signing time */
    r.memo = memo;
    assert_verdict(&r, ERR_NONE, NULL);
    assert_null(claims_find(&r.claims, "x-ms-compliance-status")); /* svn 22 is below 100 */
    r.settings.snp.profiles = &p;
    for (int i = 0; i < 2; i++) { /* anew, and from memory */
        assert_verdict(&r, ERR_NONE, NULL);
        assert_text(claims_find(&r.claims, "x-ms-compliance-status")->text, "azure-compliant-uvm");
    }
    assert_null(claims_find(&r.claims, "x-ms-sevsnpvm-guestsvn-int"));
    p.uvm = other_feed;
    assert_verdict(&r, ERR_FEED_UNTRUSTED, "feed of the endorsement");
    p.uvm_count = 0;
    assert_verdict(&r, ERR_ISSUER_UNTRUSTED, "issuer of the endorsement");
    p.uvm = low;
    p.uvm_count = 1;
    r.settings.snp.require_receipt = true;
    assert_verdict(&r, ERR_COSE_RECEIPT, "the statement carries none");
    r.settings.snp.require_receipt = false;
    r.now = test_time("2023-02-01T00:00:00Z"); /* before it was signed, after the report's certificate began */
    assert_verdict(&r, ERR_CERT_NOT_YET_VALID, "signing time is not in the future");
    other = snp_file(&l.a, "uvm/esrp_transparent_hash_envelop.cose");
    r.now = test_time("2026-11-01T00:00:00Z");
    r.evidence = with_endorsement(&l.a, l.report, l.cert, other);
    assert_verdict(&r, ERR_MEASUREMENT_MISMATCH, "endorsed launch measurement");
    memo_free(memo);
    unload(&l);
}

/* The init-time data of a container group are the decoded policy text. */
static void container_policy_is_bound(void **state)
{
    struct bytes text, policy = { NULL, 0 };
    struct loaded l;
    struct run r;
    struct err e = { 0 };

    (void)state;
    load(&l, vector_find("aci-milan-v2/snp_report.bin + uvm_host_amd_certificate.pem"));
    text = snp_file(&l.a, "aci-milan-v2/uvm_security_policy.base64");
    while (text.n > 0 && text.p[text.n - 1] == '\n')
        text.n--;
    assert_ok(b64_decode(text, B64_ANY, "policy", &l.a, &policy, &e), &e);
    r = run_of(&l.a, l.evidence, l.cert, l.at);
    r.init = (struct attached){ .present = true, .data = policy };
    assert_verdict(&r, ERR_NONE, NULL);
    {
        struct digest d = sha256(policy);

        assert_bytes_equal(hex_encode(&l.a, digest_bytes(&d)), text_of(l.expected, "policy_sha256"));
    }
    r.init.data.n--;
    assert_verdict(&r, ERR_NOT_BOUND, "host data are the hash of initTimeData");
    unload(&l);
}

static void compliant_vm(void **state)
{
    struct snp_evidence *ev;
    struct loaded l;
    struct run r;
    struct err e = { 0 };
    struct verify_env env;
    struct hcl_report h;
    const struct json *j;

    (void)state;
    load(&l, vector_find("azure-hcl/evidence-genoa.json"));
    r = run_of(&l.a, l.evidence, l.cert, l.at);
    assert_verdict(&r, ERR_NONE, NULL);
    assert_text(claims_find(&r.claims, "x-ms-compliance-status")->text, "azure-compliant-cvm");
    assert_true(bytes_contain(claims_find(&r.claims, "x-ms-runtime")->text, LIT("\"HCLAkPub\"")));
    assert_true(hcl_parse(l.hcl, &h, &e));
    r.runtime = (struct attached){ .present = true, .type = DATA_JSON, .data = h.runtime };
    assert_verdict(&r, ERR_NONE, NULL);
    r = run_of(&l.a, l.report, l.cert, l.at); /* without runtime data nobody knows that it is such a VM */
    assert_verdict(&r, ERR_NONE, NULL);
    assert_null(claims_find(&r.claims, "x-ms-compliance-status"));
    env = (struct verify_env){ .now = l.at, .settings = &r.settings, .a = &l.a };
    assert_ok(snp_evidence_make(l.report, l.cert, &l.a, &ev, &e) && snp_evidence_verify(ev, &env, &e), &e);
    j = parse_text(&l.a, snp_isolation_json(ev, &env, h.runtime, &l.a));
    assert_text(text_of(j, "x-ms-attestation-type"), "sevsnpvm");
    assert_text(text_of(j, "x-ms-compliance-status"), "azure-compliant-cvm");
    assert_non_null(json_member(json_member(j, "x-ms-runtime"), "keys"));
    assert_true(j->count == 3 + 23);
    unload(&l);
}

/* -- our own vendor -- */

#define NOW INT64_C(1790000000)

static struct amd_pki milan, genoa, turin;

static struct trust trust_of(struct arena *a, const struct amd_pki *p, bool replace)
{
    struct cert *c = arena_new(a, struct cert);
    struct err e = { 0 };

    assert_ok(cert_parse(p->ark_der, "ARK", c, &e), &e);
    return (struct trust){ c, 1, replace };
}

enum change {
    CH_NONE, CH_TCB_BL, CH_TCB_UCODE, CH_HWID, CH_MASKED, CH_DEBUG, CH_MIGRATION, CH_VMPL4, CH_HOST, CH_KEY_NONE, CH_KEY_2,
    CH_ALGO, CH_POLICY17, CH_POLICY26, CH_VERSION6, CH_VERSION1, CH_VERSION0, CH_ORDER_COMMITTED, CH_ORDER_LAUNCH,
    CH_FIRMWARE, CH_PROVISIONAL, CH_CPUID_OTHER, CH_CPUID_VENICE, CH_CPUID_UNKNOWN, CH_PLATFORM6, CH_RESERVED,
    CH_CHIP_TAIL, CH_HIGH_R, CH_ZERO_S,
};

static void change_report(uint8_t *r, enum change ch)
{
    switch (ch) {
    case CH_TCB_BL: r[0x180] = (uint8_t)(r[0x180] - 1); break;
    case CH_TCB_UCODE: r[0x187] = (uint8_t)(r[0x187] - 1); break;
    case CH_HWID: r[0x1a0] ^= 1; break;
    case CH_MASKED: memset(r + 0x1a0, 0, 64); break;
    case CH_DEBUG: r[0x0a] |= 8; break;
    case CH_MIGRATION: r[0x160] = 0; break;
    case CH_VMPL4: r[0x30] = 4; break;
    case CH_HOST: memset(r + 0x30, 0xff, 4); break;
    case CH_KEY_NONE: r[0x48] = 7 << 2; break;
    case CH_KEY_2: r[0x48] = 2 << 2; break;
    case CH_ALGO: r[0x34] = 2; break;
    case CH_POLICY17: r[0x0a] = (uint8_t)(r[0x0a] & ~2); break;
    case CH_POLICY26: r[0x0b] |= 4; break;
    case CH_VERSION6: r[0] = 6; break;
    case CH_VERSION1: r[0] = 1; break;
    case CH_VERSION0: r[0] = 0; break;
    case CH_ORDER_COMMITTED: r[0x1e7] = (uint8_t)(r[0x1e7] - 1); break;
    case CH_ORDER_LAUNCH: r[0x1f7] = (uint8_t)(r[0x1f7] + 1); break;
    case CH_FIRMWARE: r[0x1ee] = 2; break;
    case CH_PROVISIONAL: r[0x3f] = (uint8_t)(r[0x3f] + 1); break;
    case CH_CPUID_OTHER: r[0x189] = 0x11; break;
    case CH_CPUID_VENICE: r[0x188] = 0x1a; r[0x189] = 0x50; break;
    case CH_CPUID_UNKNOWN: r[0x188] = 0x17; break;
    case CH_PLATFORM6: r[0x40] |= 0x40; break;
    case CH_RESERVED: r[0x210] = 1; break;
    case CH_CHIP_TAIL: r[0x1a9] = 1; break;
    default: break;
    }
}

static void change_signature(uint8_t *r, enum change ch)
{
    if (ch == CH_HIGH_R)
        r[0x2a0 + 48] = 1; /* above 48 bytes: out of range whatever the rest is */
    if (ch == CH_ZERO_S)
        memset(r + 0x2e8, 0, 72);
}

static const struct own {
    const char *name;
    const struct amd_pki *pki;
    enum snp_signing_key kind;
    enum change change;
    enum err_code code;
    const char *why;
} own_rows[] = {
    { "Milan VCEK", &milan, SNP_VCEK, CH_NONE, ERR_NONE, NULL },
    { "Milan VLEK", &milan, SNP_VLEK, CH_NONE, ERR_NONE, NULL },
    { "Genoa VCEK, model 0xaf", &genoa, SNP_VCEK, CH_NONE, ERR_NONE, NULL },
    { "Genoa VLEK", &genoa, SNP_VLEK, CH_NONE, ERR_NONE, NULL },
    { "Turin VCEK", &turin, SNP_VCEK, CH_NONE, ERR_NONE, NULL },
    { "Turin VLEK", &turin, SNP_VLEK, CH_NONE, ERR_NONE, NULL },
    { "boot loader SVN below the certificate's", &milan, SNP_VCEK, CH_TCB_BL, ERR_TCB_MISMATCH,
      "expected boot loader 4, tee 0, snp 20, microcode 200, found boot loader 3" },
    { "microcode SVN of 199, certificate's of 200", &milan, SNP_VCEK, CH_TCB_UCODE, ERR_TCB_MISMATCH, "microcode 199" },
    { "Turin: FMC below the certificate's", &turin, SNP_VCEK, CH_TCB_BL, ERR_TCB_MISMATCH, "found fmc 0" },
    { "VLEK with another TCB", &milan, SNP_VLEK, CH_TCB_BL, ERR_TCB_MISMATCH, "reported TCB" },
    { "chip id of another processor", &milan, SNP_VCEK, CH_HWID, ERR_CHIP_ID_MISMATCH, "chip id is the certificate's hwID" },
    { "Turin: chip id of another processor", &turin, SNP_VCEK, CH_HWID, ERR_CHIP_ID_MISMATCH, "hwID" },
    { "Turin: chip id longer than eight bytes", &turin, SNP_VCEK, CH_CHIP_TAIL, ERR_CHIP_ID_MISMATCH,
      "chip id behind the hwID is zero" },
    { "masked chip id", &milan, SNP_VCEK, CH_MASKED, ERR_CHIP_ID_MASKED, "masked by the host" },
    { "debugging is left to the policy", &milan, SNP_VCEK, CH_DEBUG, ERR_NONE, NULL },
    { "migration agent without permission", &milan, SNP_VCEK, CH_MIGRATION, ERR_MIGRATION_AGENT, "migration agent" },
    { "VMPL 4", &milan, SNP_VCEK, CH_VMPL4, ERR_VMPL_RANGE, "VMPL: expected 0 to 3, found 4" },
    { "asked for by the host", &milan, SNP_VCEK, CH_HOST, ERR_HOST_REQUESTED_REPORT, "the host's own request" },
    { "not signed", &milan, SNP_VCEK, CH_KEY_NONE, ERR_REPORT_NOT_SIGNED, "signing key 7" },
    { "reserved signing key", &milan, SNP_VCEK, CH_KEY_2, ERR_UNSUPPORTED_SIGNING_KEY, "key info 0x00000008" },
    { "other algorithm", &milan, SNP_VCEK, CH_ALGO, ERR_UNSUPPORTED_SIGNATURE_ALGORITHM, "expected 1, found 2" },
    { "policy bit 17 clear", &milan, SNP_VCEK, CH_POLICY17, ERR_POLICY_RESERVED_BIT, "bit 17" },
    { "policy bit 26 set", &milan, SNP_VCEK, CH_POLICY26, ERR_POLICY_RESERVED_BIT, "bits 26 to 63" },
    { "version 6", &milan, SNP_VCEK, CH_VERSION6, ERR_UNSUPPORTED_VERSION, "expected 2 to 5, found 6" },
    { "version 1", &milan, SNP_VCEK, CH_VERSION1, ERR_UNSUPPORTED_VERSION, "expected 2 to 5, found 1" },
    { "version 0", &milan, SNP_VCEK, CH_VERSION0, ERR_UNSUPPORTED_VERSION, "found 0" },
    { "committed below reported", &milan, SNP_VCEK, CH_ORDER_COMMITTED, ERR_TCB_ORDER, "reported TCB is not above" },
    { "launched above current", &milan, SNP_VCEK, CH_ORDER_LAUNCH, ERR_TCB_ORDER, "launch TCB is not above" },
    { "committed firmware above current", &milan, SNP_VCEK, CH_FIRMWARE, ERR_TCB_ORDER, "found 2.55.0" },
    { "provisional firmware is accepted", &milan, SNP_VCEK, CH_PROVISIONAL, ERR_NONE, NULL },
    { "Genoa processor, Milan certificate", &milan, SNP_VCEK, CH_CPUID_OTHER, ERR_PRODUCT_MISMATCH,
      "expected 'Milan', found 'Genoa'" },
    { "Venice has no published root", &milan, SNP_VCEK, CH_CPUID_VENICE, ERR_UNSUPPORTED_PRODUCT, "(Venice)" },
    { "unknown processor", &milan, SNP_VCEK, CH_CPUID_UNKNOWN, ERR_UNSUPPORTED_PRODUCT, "family 0x17" },
    { "platform info bit 6 is no reason", &milan, SNP_VCEK, CH_PLATFORM6, ERR_NONE, NULL },
    { "signed reserved byte is no reason", &milan, SNP_VCEK, CH_RESERVED, ERR_NONE, NULL },
    { "R above 48 bytes", &milan, SNP_VCEK, CH_HIGH_R, ERR_REPORT_SIGNATURE, "report signature" },
    { "S of zero", &milan, SNP_VCEK, CH_ZERO_S, ERR_REPORT_SIGNATURE, "report signature" },
};

/* A report of a spec, changed before it is signed, and the PEM of its certificates. */
static void mint(struct arena *a, const struct amd_pki *p, const struct amd_leaf_spec *spec, enum change ch,
                 struct bytes *ret_report, struct bytes *ret_pem)
{
    struct amd_leaf leaf = amd_leaf_new(p, spec);
    struct bytes ders[3] = { leaf.der, p->ca_der[spec->kind], p->ark_der };
    uint8_t *report = amd_report(p, spec);

    change_report(report, ch);
    amd_report_sign(report, leaf.key);
    change_signature(report, ch);
    EVP_PKEY_free(leaf.key);
    *ret_report = bytes_of(report, SNP_REPORT_SIZE);
    *ret_pem = amd_pem(a, ders, 3);
}

/* -- a report that comes with its ID block -- */

/* What the firmware copies from both structures into the report. */
static void launch_with(uint8_t *report, struct bytes block, const struct snp_id *id)
{
    memcpy(report + 0x04, block.p + 0x54, 4);
    memcpy(report + 0x08, block.p + 0x58, 8);
    memcpy(report + 0x10, block.p + 0x30, 32);
    report[0x48] |= 1;
    memcpy(report + 0x90, block.p, 48);
    memcpy(report + 0xe0, id->id_key_digest.p, 48);
    memcpy(report + 0x110, id->author_key_digest.p, 48);
}

static struct bytes with_id_block(struct arena *a, struct bytes report, struct bytes pem, struct bytes block, struct bytes auth)
{
    struct jobj o = jobj_open(a);

    jobj_b64url(&o, "SnpReport", report);
    jobj_b64url(&o, "VcekCertChain", pem);
    if (block.n > 0)
        jobj_b64url(&o, "IdBlock", block);
    if (auth.n > 0)
        jobj_b64url(&o, "IdAuth", auth);
    return jobj_print(&o, false);
}

static void id_block_in_evidence(void **state)
{
    struct amd_leaf_spec spec = amd_leaf_spec(&milan, SNP_VCEK, 1);
    struct amd_leaf leaf = amd_leaf_new(&milan, &spec);
    struct bytes ders[3] = { leaf.der, milan.ca_der[SNP_VCEK], milan.ark_der }, block, auth, pem, none = { NULL, 0 }, other;
    uint8_t *report = amd_report(&milan, &spec), *changed;
    struct err e = { 0 };
    struct snp_id id;
    struct trust t;
    struct arena a;
    struct run r;

    (void)state;
    arena_init(&a, 64 << 20);
    t = trust_of(&a, &milan, true);
    block = snp_file(&a, "id-block/id-block.bin");
    auth = snp_file(&a, "id-block/id-auth.bin");
    pem = amd_pem(&a, ders, 3);
    assert_ok(snp_id_verify(block, auth, NULL, &id, &e), &e);
    amd_report_sign(report, leaf.key); /* launched without one */
    other = arena_copy(&a, bytes_of(report, SNP_REPORT_SIZE));
    launch_with(report, block, &id);
    amd_report_sign(report, leaf.key);
    EVP_PKEY_free(leaf.key);
    changed = arena_alloc(&a, block.n);
    memcpy(changed, block.p, block.n);
    changed[0x54] ^= 1;
    {
        const struct {
            struct bytes report, block, auth;
            enum err_code code;
            const char *why;
        } rows[] = {
            { bytes_of(report, SNP_REPORT_SIZE), block, auth, ERR_NONE, NULL },
            { bytes_of(report, SNP_REPORT_SIZE), none, none, ERR_NONE, NULL },
            { bytes_of(report, SNP_REPORT_SIZE), block, none, ERR_ID_BLOCK_FORMAT, "the block alone" },
            { bytes_of(report, SNP_REPORT_SIZE), none, auth, ERR_ID_BLOCK_FORMAT, "the authentication alone" },
            { bytes_of(report, SNP_REPORT_SIZE), bytes_of(changed, block.n), auth, ERR_ID_BLOCK_SIGNATURE, "ID block" },
            { other, block, auth, ERR_ID_KEY_DIGEST, "ID key digest" },
        };

        for (size_t i = 0; i < COUNT(rows); i++) {
            const struct claim *c;

            r = run_of(&a, with_id_block(&a, rows[i].report, pem, rows[i].block, rows[i].auth), none, NOW);
            r.trust = &t;
            assert_verdict(&r, rows[i].code, rows[i].why);
            c = rows[i].code == ERR_NONE ? claims_find(&r.claims, "avouch-snp-id-block-verified") : NULL;
            assert_int_equal(c != NULL, rows[i].code == ERR_NONE && rows[i].block.n > 0);
        }
    }
    arena_done(&a);
}

static void own_vendor(void **state)
{
    const struct own *row = *state;
    struct bytes report, pem;
    struct amd_leaf_spec spec;
    struct trust t;
    struct arena a;
    struct run r;

    arena_init(&a, 32 << 20);
    t = trust_of(&a, row->pki, true);
    spec = amd_leaf_spec(row->pki, row->kind, 1);
    mint(&a, row->pki, &spec, row->change, &report, &pem);
    r = run_of(&a, rest_json(&a, report, pem), (struct bytes){ NULL, 0 }, NOW);
    r.trust = &t;
    assert_verdict(&r, row->code, row->why);
    if (row->code == ERR_NONE) {
        assert_int_equal(claims_find(&r.claims, "x-ms-sevsnpvm-microcode-svn")->integer, 200);
        r.trust = NULL; /* nobody trusts this vendor by default */
        assert_verdict(&r, ERR_UNTRUSTED_ROOT, "chain to AMD's root key");
    }
    arena_done(&a);
}

enum leaf_change {
    LC_NONE, LC_WRAPPED, LC_NO_HWID, LC_SHORT_HWID, LC_OMIT_BL, LC_OMIT_TEE, LC_OMIT_SNP, LC_OMIT_UCODE, LC_OMIT_FMC,
    LC_SPL_256, LC_PRODUCT_OTHER, LC_PKCS1, LC_P256, LC_OTHER_CN, LC_EXPIRED, LC_FUTURE, LC_SKEW, LC_KIND, LC_CRITICAL,
};

static const struct own_leaf {
    const char *name;
    const struct amd_pki *pki;
    enum leaf_change change;
    int version; /* of the report; 0: as the line */
    enum err_code code;
    const char *why;
} leaf_rows[] = {
    { "hwID inside an OCTET STRING", &milan, LC_WRAPPED, 0, ERR_NONE, NULL },
    { "Turin: hwID inside an OCTET STRING", &turin, LC_WRAPPED, 0, ERR_NONE, NULL },
    { "no hwID", &milan, LC_NO_HWID, 0, ERR_CERT_EXTENSION, "hwID is missing" },
    { "hwID of 63 bytes", &milan, LC_SHORT_HWID, 0, ERR_CERT_EXTENSION, "hwID has 63 bytes, 64 are expected on Milan" },
    { "no blSPL", &milan, LC_OMIT_BL, 0, ERR_CERT_EXTENSION, "blSPL is missing" },
    { "no teeSPL", &milan, LC_OMIT_TEE, 0, ERR_CERT_EXTENSION, "teeSPL is missing" },
    { "no snpSPL", &milan, LC_OMIT_SNP, 0, ERR_CERT_EXTENSION, "snpSPL is missing" },
    { "no ucodeSPL", &milan, LC_OMIT_UCODE, 0, ERR_CERT_EXTENSION, "ucodeSPL is missing" },
    { "Turin: no fmcSPL", &turin, LC_OMIT_FMC, 0, ERR_CERT_EXTENSION, "fmcSPL is missing" },
    { "blSPL of 256", &milan, LC_SPL_256, 0, ERR_CERT_EXTENSION, "blSPL" },
    { "version 2: product of another line", &milan, LC_PRODUCT_OTHER, 2, ERR_PRODUCT_MISMATCH,
      "expected 'Milan', found 'Genoa'" },
    { "version 2", &milan, LC_NONE, 2, ERR_NONE, NULL },
    { "signed with PKCS #1", &milan, LC_PKCS1, 0, ERR_CERT_SIGNATURE_ALGORITHM, "found RS384" },
    { "key on P-256", &milan, LC_P256, 0, ERR_LEAF_MISSING, "expected 'P-384', found 'P-256'" },
    { "leaf of another name", &milan, LC_OTHER_CN, 0, ERR_LEAF_MISSING, "none of 3 certificates" },
    { "unknown critical extension", &milan, LC_CRITICAL, 0, ERR_CERT_EXTENSION, "'SEV-VCEK' has an unknown critical extension" },
    { "leaf over", &milan, LC_EXPIRED, 0, ERR_CERT_EXPIRED, "validity of SEV-VCEK" },
    { "leaf not begun", &milan, LC_FUTURE, 0, ERR_CERT_NOT_YET_VALID, "validity of SEV-VCEK" },
    { "leaf begins in two minutes: clocks differ", &milan, LC_SKEW, 0, ERR_NONE, NULL },
    { "VCEK certificate for a VLEK report", &milan, LC_KIND, 0, ERR_SIGNING_KEY_KIND, "expected 'SEV-VLEK'" },
};

static void change_leaf(struct amd_leaf_spec *s, enum leaf_change ch)
{
    switch (ch) {
    case LC_WRAPPED: s->hwid_wrapped = true; break;
    case LC_NO_HWID: s->hwid_size = 0; break;
    case LC_SHORT_HWID: s->hwid_size = 63; break;
    case LC_OMIT_BL: s->omit = 1; break;
    case LC_OMIT_TEE: s->omit = 2; break;
    case LC_OMIT_SNP: s->omit = 4; break;
    case LC_OMIT_UCODE: s->omit = 8; break;
    case LC_OMIT_FMC: s->omit = 16; break;
    case LC_SPL_256: s->spl_override = 256; break;
    case LC_PRODUCT_OTHER: s->product = "Genoa-B1"; break;
    case LC_PKCS1: s->pkcs1 = true; break;
    case LC_P256: s->p256 = true; break;
    case LC_CRITICAL: s->odd_critical = true; break;
    case LC_OTHER_CN: s->cn = "VCEK"; break; /* the name that two peers look for */
    case LC_EXPIRED: s->not_after = NOW - 1000; break;
    case LC_FUTURE: s->not_before = NOW + 1000; break;
    case LC_SKEW: s->not_before = NOW + 120; break;
    default: break;
    }
}

static void own_leaf(void **state)
{
    const struct own_leaf *row = *state;
    struct amd_leaf_spec spec = amd_leaf_spec(row->pki, SNP_VCEK, 1), report_spec = spec;
    struct amd_leaf leaf;
    struct bytes ders[3];
    struct trust t;
    struct arena a;
    uint8_t *report;
    struct run r;

    arena_init(&a, 32 << 20);
    t = trust_of(&a, row->pki, true);
    change_leaf(&spec, row->change);
    leaf = amd_leaf_new(row->pki, &spec);
    ders[0] = leaf.der;
    ders[1] = row->pki->ca_der[SNP_VCEK];
    ders[2] = row->pki->ark_der;
    report = amd_report(row->pki, &report_spec);
    if (row->version != 0) {
        report[0] = (uint8_t)row->version;
        memset(report + 0x188, 0, 24);
    }
    if (row->change == LC_KIND)
        report[0x48] = SNP_VLEK << 2;
    if (!spec.p256)
        amd_report_sign(report, leaf.key);
    EVP_PKEY_free(leaf.key);
    r = run_of(&a, rest_json(&a, bytes_of(report, SNP_REPORT_SIZE), amd_pem(&a, ders, 3)), (struct bytes){ NULL, 0 }, NOW);
    r.trust = &t;
    assert_verdict(&r, row->code, row->why);
    arena_done(&a);
}

/* Certificates of one kind of key, reports of the other; chips and TCBs swapped. */
static void own_mixes(void **state)
{
    struct amd_leaf_spec one, two, vlek;
    struct bytes report, other, pem, pem_two, pem_vlek, ders[2];
    struct amd_leaf a_leaf, b_leaf;
    struct trust t;
    struct arena a;
    struct run r;

    (void)state;
    arena_init(&a, 64 << 20);
    t = trust_of(&a, &milan, true);
    one = amd_leaf_spec(&milan, SNP_VCEK, 1);
    two = amd_leaf_spec(&milan, SNP_VCEK, 2);
    vlek = amd_leaf_spec(&milan, SNP_VLEK, 0);
    mint(&a, &milan, &one, CH_NONE, &report, &pem);
    mint(&a, &milan, &two, CH_NONE, &other, &pem_two);
    r = run_of(&a, rest_json(&a, report, pem_two), (struct bytes){ NULL, 0 }, NOW);
    r.trust = &t;
    assert_verdict(&r, ERR_REPORT_SIGNATURE, "report signature"); /* another chip of the same TCB */
    mint(&a, &milan, &vlek, CH_NONE, &other, &pem_vlek);
    r.evidence = rest_json(&a, report, pem_vlek);
    assert_verdict(&r, ERR_SIGNING_KEY_KIND, "expected 'SEV-VCEK', found 'SEV-VLEK'");
    r.evidence = rest_json(&a, other, pem);
    assert_verdict(&r, ERR_SIGNING_KEY_KIND, "expected 'SEV-VLEK', found 'SEV-VCEK'");
    a_leaf = amd_leaf_new(&milan, &one);
    b_leaf = amd_leaf_new(&milan, &two);
    ders[0] = a_leaf.der;
    ders[1] = b_leaf.der;
    EVP_PKEY_free(a_leaf.key);
    EVP_PKEY_free(b_leaf.key);
    r.evidence = rest_json(&a, report, amd_pem(&a, ders, 2));
    assert_verdict(&r, ERR_LEAF_AMBIGUOUS, "two different certificates");
    r.evidence = rest_json(&a, report, amd_pem(&a, &milan.ca_der[0], 1));
    assert_verdict(&r, ERR_LEAF_MISSING, "none of 1 certificates");
    arena_done(&a);
}

/* A chain that ends in our root under AMD's name: told as such, never as a broken signature. */
static void own_root_under_amds_name(void **state)
{
    struct amd_leaf_spec spec = amd_leaf_spec(&milan, SNP_VCEK, 1);
    struct bytes report, pem;
    struct loaded l;
    struct run r;
    struct out o;

    (void)state;
    load(&l, vector_find("milan-v3/report.bin + vcek.pem"));
    mint(&l.a, &milan, &spec, CH_NONE, &report, &pem);
    r = run_of(&l.a, rest_json(&l.a, report, pem), (struct bytes){ NULL, 0 }, NOW);
    assert_verdict(&r, ERR_UNTRUSTED_ROOT, "chain to AMD's root key");
    o = out_open(&l.a); /* AMD's leaf with our root beside it */
    out_bytes(&o, l.cert);
    out_bytes(&o, LIT("\n"));
    out_bytes(&o, amd_pem(&l.a, &milan.ark_der, 1));
    r = run_of(&l.a, rest_json(&l.a, l.report, out_view(&o)), (struct bytes){ NULL, 0 }, l.at);
    assert_verdict(&r, ERR_UNTRUSTED_ROOT, "root that came with the evidence");
    unload(&l);
}

/* An operator's anchor stands beside AMD's unless it replaces them. */
static void own_anchor_beside_amds(void **state)
{
    struct loaded l;
    struct trust t;
    struct run r;

    (void)state;
    load(&l, vector_find("milan-v3/report.bin + vcek.pem"));
    t = trust_of(&l.a, &milan, false);
    r = run_of(&l.a, l.evidence, l.cert, l.at);
    r.trust = &t;
    r.memo = memo_new(8);
    assert_verdict(&r, ERR_NONE, NULL);
    t.replace = true; /* the remembered chain is no excuse */
    assert_verdict(&r, ERR_UNTRUSTED_ROOT, "trust in the root key");
    memo_free(r.memo);
    unload(&l);
}

static void own_settings(void **state)
{
    struct amd_leaf_spec spec = amd_leaf_spec(&milan, SNP_VCEK, 1);
    struct bytes report, pem;
    struct trust t;
    struct arena a;
    struct run r;

    (void)state;
    arena_init(&a, 64 << 20);
    t = trust_of(&a, &milan, true);
    r = run_of(&a, (struct bytes){ NULL, 0 }, (struct bytes){ NULL, 0 }, NOW);
    r.trust = &t;
    mint(&a, &milan, &spec, CH_MASKED, &report, &pem);
    r.evidence = rest_json(&a, report, pem);
    r.settings.snp.allow_masked_chip_id = true;
    assert_verdict(&r, ERR_NONE, NULL);
    mint(&a, &milan, &spec, CH_DEBUG, &report, &pem);
    r.evidence = rest_json(&a, report, pem);
    assert_verdict(&r, ERR_NONE, NULL);
    assert_true(claims_find(&r.claims, "x-ms-sevsnpvm-is-debuggable")->boolean);
    r.settings.snp.refuse_debug = true;
    assert_verdict(&r, ERR_DEBUG_ENABLED, "debugging is off");
    mint(&a, &milan, &spec, CH_PROVISIONAL, &report, &pem);
    r.evidence = rest_json(&a, report, pem);
    r.settings.snp.refuse_provisional = true;
    assert_verdict(&r, ERR_PLATFORM_REFUSED, "firmware is committed");
    mint(&a, &milan, &spec, CH_NONE, &report, &pem);
    r.evidence = rest_json(&a, report, pem);
    r.settings.snp.min_tcb[SNP_MILAN][3] = 20;
    assert_verdict(&r, ERR_NONE, NULL);
    r.settings.snp.min_tcb[SNP_MILAN][3] = 21;
    assert_verdict(&r, ERR_TCB_TOO_OLD, "minimum TCB");
    arena_done(&a);
}

/* Version 1: off by default; where it is on, nothing but the reported TCB is looked at. */
static void own_version_1(void **state)
{
    struct amd_leaf_spec spec = amd_leaf_spec(&milan, SNP_VCEK, 1);
    struct amd_leaf leaf = amd_leaf_new(&milan, &spec);
    struct bytes ders[2];
    struct trust t;
    struct arena a;
    uint8_t *report;
    struct run r;

    (void)state;
    arena_init(&a, 16 << 20);
    t = trust_of(&a, &milan, true);
    ders[0] = leaf.der;
    ders[1] = milan.ca_der[SNP_VCEK];
    report = amd_report(&milan, &spec);
    report[0] = 1;
    memset(report + 0x188, 0, 24);
    memset(report + 0x1e0, 0, 0x18);
    amd_report_sign(report, leaf.key);
    EVP_PKEY_free(leaf.key);
    r = run_of(&a, rest_json(&a, bytes_of(report, SNP_REPORT_SIZE), amd_pem(&a, ders, 2)), (struct bytes){ NULL, 0 }, NOW);
    r.trust = &t;
    assert_verdict(&r, ERR_UNSUPPORTED_VERSION, "expected 2 to 5, found 1");
    r.settings.allow_snp_v1 = true;
    assert_verdict(&r, ERR_NONE, NULL);
    arena_done(&a);
}

/* -- revocation -- */

static const struct crl_row {
    const char *name;
    enum crl_use use;
    int given;     /* 0 none, 1 a list, 2 signed by another key, 3 stale and fresh */
    long serial;   /* 0 empty; -1 the ASK's; -2 the ASVK's */
    int64_t from, to;
    enum err_code code;
    const char *why;
} crl_rows[] = {
    { "none, not required", CRL_IF_PRESENT, 0, 0, 0, 0, ERR_NONE, NULL },
    { "none, required", CRL_REQUIRED, 0, 0, 0, 0, ERR_CRL_MISSING, "none is on hand" },
    { "empty list", CRL_REQUIRED, 1, 0, -100, 100, ERR_NONE, NULL },
    { "another serial", CRL_REQUIRED, 1, 99, -100, 100, ERR_NONE, NULL },
    { "the ASK's serial", CRL_IF_PRESENT, 1, -1, -100, 100, ERR_CA_REVOKED, "CA is not revoked" },
    { "the ASVK's serial does not touch a VCEK", CRL_IF_PRESENT, 1, -2, -100, 100, ERR_NONE, NULL },
    { "revoked, but turned off", CRL_OFF, 1, -1, -100, 100, ERR_NONE, NULL },
    { "stale", CRL_IF_PRESENT, 1, 0, -200, -100, ERR_CRL_EXPIRED, "age of the revocation list" },
    { "not yet begun", CRL_IF_PRESENT, 1, 0, 100, 200, ERR_CRL_EXPIRED, "age of the revocation list" },
    { "of another key", CRL_IF_PRESENT, 2, 0, -100, 100, ERR_CRL_SIGNATURE, "no list on hand verifies" },
    { "a stale one beside a fresh one", CRL_REQUIRED, 3, 0, -100, 100, ERR_NONE, NULL },
};

static void own_crl(void **state)
{
    const struct crl_row *row = *state;
    struct amd_leaf_spec spec = amd_leaf_spec(&milan, SNP_VCEK, 1);
    struct bytes report, pem, lists[2];
    struct trust t;
    struct arena a;
    struct run r;
    long serial = row->serial < 0 ? milan.ca_serial[-row->serial - 1] : row->serial;

    arena_init(&a, 32 << 20);
    t = trust_of(&a, &milan, true);
    mint(&a, &milan, &spec, CH_NONE, &report, &pem);
    r = run_of(&a, rest_json(&a, report, pem), (struct bytes){ NULL, 0 }, NOW);
    r.trust = &t;
    r.settings.snp.crl = row->use;
    lists[0] = amd_crl(&milan, row->given == 3 ? 0 : serial, row->given == 3 ? NOW - 900 : NOW + row->from,
                       row->given == 3 ? NOW - 800 : NOW + row->to, row->given == 2 ? milan.ca[0] : milan.ark);
    lists[1] = amd_crl(&milan, serial, NOW + row->from, NOW + row->to, milan.ark);
    r.crls = lists;
    r.crl_count = row->given == 0 ? 0 : row->given == 3 ? 2 : 1;
    r.memo = memo_new(2); /* so small that each keeping drops something */
    for (int i = 0; i < 3; i++)
        assert_verdict(&r, row->code, row->why);
    memo_free(r.memo);
    arena_done(&a);
}

/* A remembered chain still ends with its certificate, and still asks the revocation list. */
static void memory_skips_nothing(void **state)
{
    struct amd_leaf_spec spec = amd_leaf_spec(&genoa, SNP_VCEK, 7);
    struct bytes report, pem, list;
    struct trust t;
    struct arena a;
    struct run r;

    (void)state;
    arena_init(&a, 32 << 20);
    t = trust_of(&a, &genoa, true);
    mint(&a, &genoa, &spec, CH_NONE, &report, &pem);
    r = run_of(&a, rest_json(&a, report, pem), (struct bytes){ NULL, 0 }, NOW);
    r.trust = &t;
    r.memo = memo_new(64);
    assert_verdict(&r, ERR_NONE, NULL);
    assert_int_equal(memo_count(r.memo), 2);
    r.now = NOW + INT64_C(86400) * 365 * 7;
    assert_verdict(&r, ERR_CERT_EXPIRED, "validity of SEV-VCEK");
    r.now = NOW + INT64_C(86400) * 365 * 11;
    assert_verdict(&r, ERR_CERT_EXPIRED, "validity of");
    r.now = NOW;
    list = amd_crl(&genoa, genoa.ca_serial[0], NOW - 100, NOW + 100, genoa.ark);
    r.crls = &list;
    r.crl_count = 1;
    assert_verdict(&r, ERR_CA_REVOKED, "CA is not revoked");
    memo_free(r.memo);
    arena_done(&a);
}

/* 220 processors through one memory that holds them, and through one that is far too small. */
static void many_processors(void **state)
{
    enum { CHIPS = 220 };
    static struct bytes reports[CHIPS], leaves[CHIPS];
    struct memo *memos[2] = { memo_new(CHIPS + 8), memo_new(5) };
    struct trust t;
    struct arena a;

    (void)state;
    arena_init(&a, 256 << 20);
    t = trust_of(&a, &genoa, true);
    for (unsigned i = 0; i < CHIPS; i++) {
        struct amd_leaf_spec spec = amd_leaf_spec(&genoa, SNP_VCEK, i + 1000);

        mint(&a, &genoa, &spec, CH_NONE, &reports[i], &leaves[i]);
    }
    for (int round = 0; round < 2; round++)
        for (size_t m = 0; m < 2; m++)
            for (unsigned i = 0; i < CHIPS; i++) {
                struct arena one;
                struct run r;

                arena_init(&one, 4 << 20);
                r = run_of(&one, rest_json(&one, reports[i], leaves[i]), (struct bytes){ NULL, 0 }, NOW);
                r.trust = &t;
                r.memo = memos[m];
                assert_verdict(&r, ERR_NONE, NULL);
                r.evidence = rest_json(&one, reports[(i + 1) % CHIPS], leaves[i]); /* the neighbour's report */
                assert_verdict(&r, ERR_REPORT_SIGNATURE, "report signature");
                arena_done(&one);
            }
    assert_int_equal(memo_count(memos[0]), CHIPS + 1);
    assert_int_equal(memo_count(memos[1]), 5);
    memo_free(memos[0]);
    memo_free(memos[1]);
    arena_done(&a);
}

/* From a folder of many certificates the right one is taken. */
static void leaf_from_a_folder(void **state)
{
    struct amd_leaf_spec one = amd_leaf_spec(&milan, SNP_VCEK, 1), two = amd_leaf_spec(&milan, SNP_VCEK, 2);
    struct bytes report, pem, other, pem_two;
    struct collateral bag;
    struct trust t;
    struct arena a;
    struct settings s = settings_default();
    struct claims c;
    struct err e = { 0 };

    (void)state;
    arena_init(&a, 32 << 20);
    t = trust_of(&a, &milan, true);
    mint(&a, &milan, &one, CH_NONE, &report, &pem);
    mint(&a, &milan, &two, CH_NONE, &other, &pem_two);
    bag = collateral_open(&a);
    assert_true(collateral_add(&bag, pem_two, "two", &e) && collateral_add(&bag, pem, "one", &e));
    for (int i = 0; i < 2; i++) {
        struct evidence_input in = { .evidence = i == 0 ? report : other };
        struct verify_env env = { .now = NOW, .trust = &t, .collateral = &bag, .settings = &s, .a = &a };

        c = claims_open(&a);
        assert_ok(evidence_verify(&evidence_snp, &in, &env, &c, NULL, &e), &e);
    }
    arena_done(&a);
}

/* Walks the memory budget upwards: refused for memory or verified, never anything else. */
static void within_budget(void **state)
{
    struct loaded l;
    bool done = false;

    (void)state;
    load(&l, vector_find(request_key));
    for (size_t budget = 0; budget < (1 << 20) && !done; budget += 1999) {
        struct settings s = settings_default();
        struct evidence_input in = { .evidence = l.evidence };
        struct verify_env env = { .now = l.at, .settings = &s };
        struct err e = { 0 };
        struct claims c;
        struct arena a;

        arena_init(&a, budget);
        env.a = &a;
        c = claims_open(&a);
        done = evidence_verify(&evidence_snp, &in, &env, &c, NULL, &e);
        if (!done && e.code != ERR_NO_MEMORY)
            fail_msg("budget %zu: %s: %s: %s", budget, err_name(e.code), e.what, e.why);
        arena_done(&a);
    }
    assert_true(done);
    unload(&l);
}

static void add_vectors(struct suite *s)
{
    static const struct {
        const char *name;
        CMUnitTestFunction f;
        bool valid_only, hcl, quote;
    } tests[] = {
        { "fields", vector_fields, false, false, false },      { "certificate", vector_certificate, false, false, false },
        { "verdict", vector_verdict, false, false, false },    { "claims", vector_claims, true, false, false },
        { "window", vector_window, true, false, false },       { "each byte damaged", vector_damage, true, false, false },
        { "cut anywhere", vector_truncated, true, false, false },
        { "certificate damaged", vector_certificate_damage, true, false, false }, { "HCL report", vector_hcl, false, true, false },
        { "HCL report damaged", hcl_damage, true, true, false }, { "vTPM quote", vector_quote, false, true, true },
    };

    for (size_t v = 0; v < COUNT(vectors); v++)
        for (size_t t = 0; t < COUNT(tests); t++) {
            const struct json *x = json_member(expected_all, vectors[v].key);
            char name[300];

            if ((tests[t].valid_only && vectors[v].code != ERR_NONE)
                || (tests[t].hcl && json_member(x, "hcl") == NULL) || (tests[t].quote && json_member(x, "quote") == NULL)
                || (vectors[v].form == FORM_REST && tests[t].f == vector_damage)) /* damaged as JSON: snp_rest fuzz target */
                continue;
            snprintf(name, sizeof(name), "%s: %s", vectors[v].key, tests[t].name);
            suite_add(s, name, tests[t].f, (void *)(uintptr_t)&vectors[v]);
        }
    suite_add(s, "Azure's token for the recorded request", recorded_token, NULL);
    suite_add(s, "recorded request with wrong runtime data", recorded_wrong_runtime, NULL);
    suite_add(s, "forms of the REST member", rest_forms, NULL);
    suite_add(s, "what a bare report asks for", needs_of_a_bare_report, NULL);
    suite_add(s, "Turin VCEK without a report", turin_certificate_alone, NULL);
    suite_add(s, "ID block", id_block_vector, NULL);
    suite_add(s, "ID block damaged", id_block_damage, NULL);
    suite_add(s, "ID block beside the report", id_block_in_evidence, NULL);
    suite_add(s, "certificate table", certificate_table, NULL);
    suite_add(s, "endorsed container group", endorsed_container, NULL);
    suite_add(s, "container policy is the init-time data", container_policy_is_bound, NULL);
    suite_add(s, "compliant confidential VM", compliant_vm, NULL);
    suite_add(s, "our root under AMD's name", own_root_under_amds_name, NULL);
    suite_add(s, "our anchor beside AMD's", own_anchor_beside_amds, NULL);
    suite_add(s, "memory budget", within_budget, NULL);
}

static void add_own(struct suite *s)
{
    for (size_t i = 0; i < COUNT(own_rows); i++)
        suite_add(s, own_rows[i].name, own_vendor, (void *)(uintptr_t)&own_rows[i]);
    for (size_t i = 0; i < COUNT(leaf_rows); i++)
        suite_add(s, leaf_rows[i].name, own_leaf, (void *)(uintptr_t)&leaf_rows[i]);
    for (size_t i = 0; i < COUNT(crl_rows); i++) {
        char name[100];

        snprintf(name, sizeof(name), "CRL: %s", crl_rows[i].name);
        suite_add(s, name, own_crl, (void *)(uintptr_t)&crl_rows[i]);
    }
    suite_add(s, "mixed leaves and reports", own_mixes, NULL);
    suite_add(s, "settings", own_settings, NULL);
    suite_add(s, "report version 1", own_version_1, NULL);
    suite_add(s, "a remembered chain skips no check", memory_skips_nothing, NULL);
    suite_add(s, "220 processors", many_processors, NULL);
    suite_add(s, "leaf from a folder", leaf_from_a_folder, NULL);
    suite_add(s, "embedded roots", roots_are_amds, NULL);
}

int main(void)
{
    struct suite s = { 0 };
    struct err e = { 0 };
    int status;

    arena_init(&shared, 64 << 20);
    amd_pki_init(&milan, SNP_MILAN, NOW, 4096, &shared);
    amd_pki_relabel(&milan, SNP_GENOA, &genoa);
    amd_pki_relabel(&milan, SNP_TURIN, &turin);
    if (test_vectors() == NULL)
        suite_add_skipped(&s, "SEV-SNP vectors (missing)");
    else if (!json_parse(test_vector(&shared, "snp/expected.json"), 64, "expected.json", &shared, &expected_all, &e))
        abort();
    else
        add_vectors(&s);
    add_own(&s);
    status = suite_run("snp", &s);
    amd_pki_done(&milan);
    amd_pki_done(&genoa);
    amd_pki_done(&turin);
    arena_done(&shared);
    return status;
}
