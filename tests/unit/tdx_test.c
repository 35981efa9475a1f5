/* tdx_test.c: TD quotes: every case and every member of the vectors, damage, and the ladder that no vector shows. */
#include "testing.h"

#include "codec/hex.h"
#include "codec/json.h"
#include "evidence/snp/hcl.h"
#include "evidence/tdx/tdx.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static struct arena shared;
static const struct json *quotes_all;
static struct table cases;

static struct bytes tdx_file(struct arena *a, const char *name)
{
    char path[300];

    snprintf(path, sizeof(path), "tdx/%s", name);
    return test_vector(a, path);
}

static void add_file(struct collateral *c, const char *name)
{
    struct err e = { 0 };

    if (strcmp(name, "-") != 0)
        assert_ok(collateral_add(c, tdx_file(c->a, name), name, &e), &e);
}

/* One case, ready to run. */
struct setup {
    struct arena a;
    struct collateral bag;
    struct settings settings;
    struct checks checks;
    struct verify_env env;
    struct tdx_evidence *ev;
    struct bytes file;
};

static void set_up(struct setup *s, size_t row)
{
    static const char *const columns[] = { "tcb_info", "qe_identity", "tcb_chain", "pck_crl", "root_crl" };
    struct err e = { 0 };

    memset(s, 0, sizeof(*s));
    arena_init(&s->a, 256 << 20);
    s->bag = collateral_open(&s->a);
    s->settings = settings_default();
    s->settings.accept_tcb = 0xff; /* the status is what the rows are about */
    s->settings.mix_eval_numbers = true;
    s->checks = (struct checks){ .a = &s->a };
    for (size_t i = 0; i < COUNT(columns); i++)
        add_file(&s->bag, table_cell(&cases, row, columns[i]));
    s->env = (struct verify_env){ .now = test_time(table_cell(&cases, row, "verify_at")), .collateral = &s->bag,
                                  .settings = &s->settings, .checks = &s->checks, .a = &s->a };
    s->file = tdx_file(&s->a, table_cell(&cases, row, "quote"));
    assert_ok(tdx_evidence_parse(s->file, &s->a, &s->ev, &e), &e);
}

static size_t row_named(const char *id)
{
    for (size_t i = 0; i < cases.rows; i++)
        if (strcmp(table_cell(&cases, i, "id"), id) == 0)
            return i;
    fail_msg("no case %s", id);
    return 0;
}

static const char *level_or_dash(bool known, enum level_status s)
{
    return known ? level_status_name(s) : "-";
}

static void date_is(const char *cell, bool known, int64_t t)
{
    if (strcmp(cell, "-") == 0)
        assert_false(known);
    else
        assert_true(known && t == test_time(cell));
}

static const char *advisories_text(struct arena *a, const struct bytes *list, size_t n)
{
    struct out o = out_open(a);

    for (size_t i = 0; i < n; i++)
        out_printf(&o, "%s%.*s", i == 0 ? "" : ",", (int)list[i].n, (const char *)list[i].p);
    return n == 0 ? "-" : (const char *)out_view(&o).p;
}

static void check_result(struct setup *s, size_t row, bool ok, const struct err *e)
{
    const struct tdx_result *r = &s->ev->result;
    const char *status = table_cell(&cases, row, "status");

    assert_string_equal(level_status_name(r->qe_status), table_cell(&cases, row, "qe_status"));
    date_is(table_cell(&cases, row, "qe_tcb_date"), true, r->qe_date);
    if (strcmp(status, "TCB_NOT_SUPPORTED") == 0) {
        assert_false(ok);
        assert_refused(e, ERR_TCB_NOT_SUPPORTED, "platform TCB level");
        assert_false(r->decided);
        return;
    }
    assert_ok(ok, e);
    assert_true(r->decided);
    assert_string_equal(arena_printf(&s->a, "%s%s", strcmp(status, "OK") == 0 ? "" : "TCB_", tcb_status_name(r->status)),
                        status);
    assert_string_equal(level_status_name(r->platform_status), table_cell(&cases, row, "platform_status"));
    date_is(table_cell(&cases, row, "platform_tcb_date"), true, r->tcb_date);
    assert_string_equal(level_or_dash(r->has_module, r->module_status), table_cell(&cases, row, "module_status"));
    date_is(table_cell(&cases, row, "module_tcb_date"), r->has_module, r->module_date);
    assert_string_equal(advisories_text(&s->a, r->platform_advisories, r->platform_advisory_count),
                        table_cell(&cases, row, "advisories"));
    assert_true(r->earliest_expiration == test_time(table_cell(&cases, row, "valid_to")));
}

/* At the time of the row, at both ends of its validity, and a second outside of each. */
static void case_row(void **state)
{
    static const struct {
        const char *column;
        int shift;
    } times[] = { { "verify_at", 0 }, { "valid_from", 0 }, { "valid_to", 0 }, { "valid_from", -1 }, { "valid_to", 1 } };
    size_t row = (size_t)(uintptr_t)*state;
    struct setup s;

    set_up(&s, row);
    assert_true(test_time(table_cell(&cases, row, "verify_at")) == atoll(table_cell(&cases, row, "verify_at_unix")));
    for (size_t i = 0; i < COUNT(times); i++) {
        struct err e = { 0 };
        bool ok;

        s.env.now = test_time(table_cell(&cases, row, times[i].column)) + times[i].shift;
        ok = tdx_evidence_verify(s.ev, &s.env, &e);
        if (times[i].shift == 0) {
            check_result(&s, row, ok, &e);
        } else {
            assert_false(ok);
            assert_true(err_is_undecided(e.code) && e.why[0] != 0);
        }
    }
    assert_true(s.checks.count > 60);
    arena_done(&s.a);
}

/* With a memory: the second time nothing is verified twice, and the answer is the same. */
static void case_remembered(void **state)
{
    size_t row = (size_t)(uintptr_t)*state;
    struct setup s;

    set_up(&s, row);
    s.env.memo = memo_new(64);
    for (int i = 0; i < 3; i++) {
        struct err e = { 0 };
        bool ok = tdx_evidence_verify(s.ev, &s.env, &e);

        check_result(&s, row, ok, &e);
    }
    memo_free(s.env.memo);
    arena_done(&s.a);
}

/* -- members of quotes.json -- */

static struct bytes text_of(const struct json *j, const char *name)
{
    struct bytes t = { NULL, 0 };

    if (!json_string(json_member(j, name), &t))
        fail_msg("no string member %s", name);
    return t;
}

static int64_t int_of(const struct json *j, const char *name)
{
    int64_t v = -1;

    if (!json_int(json_member(j, name), &v))
        fail_msg("no integer member %s", name);
    return v;
}

static void check_body(const struct td_body *td, const struct json *m, struct arena *a)
{
    const struct {
        const char *name;
        struct bytes value;
    } rows[] = {
        { "tee_tcb_svn", td->tee_tcb_svn }, { "mrseam", td->mr_seam }, { "mrsignerseam", td->mr_signer_seam },
        { "seamattr", td->seam_attributes }, { "tdattr", td->td_attributes }, { "xfam", td->xfam }, { "mrtd", td->mr_td },
        { "mrconfigid", td->mr_config_id }, { "mrowner", td->mr_owner }, { "mrownerconfig", td->mr_owner_config },
        { "rtmr0", td->rtmr[0] }, { "rtmr1", td->rtmr[1] }, { "rtmr2", td->rtmr[2] }, { "rtmr3", td->rtmr[3] },
        { "reportdata", td->report_data }, { "tee_tcb_svn2", td->tee_tcb_svn2 }, { "mrservicetd", td->mr_service_td },
    };

    for (size_t i = 0; i < COUNT(rows); i++)
        if (bytes_is(m->name, rows[i].name)) {
            assert_bytes_equal(hex_encode(a, rows[i].value), m->text);
            return;
        }
    fail_msg("unknown member of a body: %.*s", (int)m->name.n, (const char *)m->name.p);
}

static void check_pck(const struct pck_chain *c, const struct json *q, struct arena *a)
{
    size_t i = 0;

    assert_bytes_equal(hex_encode(a, BYTES(c->ext.fmspc)), text_of(q, "fmspc"));
    assert_bytes_equal(hex_encode(a, BYTES(c->ext.pce_id)), text_of(q, "pceid"));
    assert_int_equal(c->ext.pce_svn, int_of(q, "pck_pcesvn"));
    assert_int_equal(c->ext.sgx_type, int_of(q, "sgx_type"));
    assert_bytes_equal(c->leaf.issuer_cn, text_of(q, "pck_ca"));
    for (const struct json *v = json_member(q, "pck_comp_svns")->child; v != NULL; v = v->next, i++) {
        int64_t n;

        assert_true(json_int(v, &n) && n == c->ext.comp_svn[i]);
    }
    assert_int_equal(i, 16);
}

static void quote_members(void **state)
{
    const struct json *q = *state;
    struct tdx_evidence *ev;
    struct pck_chain *chain;
    struct sgx_body qe;
    struct digest d;
    struct arena a;
    struct err e = { 0 };
    struct bytes in, bound[2];
    AUTO_KEY ak = NULL;
    bool flag;

    arena_init(&a, 16 << 20);
    in = tdx_file(&a, arena_printf(&a, "quotes/%.*s.bin", (int)q->name.n, (const char *)q->name.p));
    assert_ok(tdx_evidence_parse(in, &a, &ev, &e), &e);
    assert_int_equal(in.n, int_of(q, "length"));
    assert_int_equal(ev->quote.used.n, int_of(q, "used"));
    assert_int_equal(ev->quote.trailing.n, int_of(q, "trailing"));
    assert_int_equal(ev->quote.version, int_of(q, "version"));
    assert_int_equal(ev->quote.tee, int_of(q, "tee"));
    assert_int_equal(ev->quote.qe_svn, int_of(q, "qe_svn"));
    assert_int_equal(ev->quote.pce_svn, int_of(q, "pce_svn"));
    assert_bytes_equal(hex_encode(&a, ev->quote.user_data), text_of(q, "user_data"));
    assert_int_equal(ev->quote.cert_type, int_of(q, "cert_type"));
    assert_int_equal(ev->quote.qe_auth.n, int_of(q, "qe_auth_len"));
    d = sha256(in);
    assert_bytes_equal(hex_encode(&a, digest_bytes(&d)), text_of(q, "sha256"));
    d = sha256(ev->quote.used);
    assert_bytes_equal(hex_encode(&a, digest_bytes(&d)), text_of(q, "sha256_without_trailing"));
    for (const struct json *m = json_member(q, "body")->child; m != NULL; m = m->next)
        check_body(&ev->td, m, &a);
    assert_true(sgx_body_parse(ev->quote.qe_report, &qe));
    assert_int_equal(qe.isv_svn, int_of(q, "qe_isvsvn"));
    assert_int_equal(qe.isv_prod_id, int_of(q, "qe_isvprodid"));
    assert_ok(key_from_point(KEY_P256, ev->quote.ak, "ak", &ak, &e), &e);
    assert_true(json_bool(json_member(q, "quote_signature_ok"), &flag));
    assert_int_equal(flag, key_verify(ak, SIG_ES256, SIG_RAW, ev->quote.signed_part, ev->quote.sig));
    bound[0] = ev->quote.ak;
    bound[1] = ev->quote.qe_auth;
    d = hash_parts(HASH_SHA256, bound, 2);
    assert_true(json_bool(json_member(q, "ak_binding_ok"), &flag));
    assert_int_equal(flag, bytes_equal(digest_bytes(&d), bytes_part(qe.report_data, 0, 32)));
    assert_ok(pck_chain_build(ev->quote.cert_data, NULL, &chain, &e), &e);
    assert_true(json_bool(json_member(q, "qe_signature_ok"), &flag));
    assert_int_equal(flag, key_verify(chain->leaf_key, SIG_ES256, SIG_RAW, ev->quote.qe_report, ev->quote.qe_report_sig));
    check_pck(chain, q, &a);
    pck_chain_free(chain);
    arena_done(&a);
}

/* -- claims -- */

static void claims_of_the_profile(void **state)
{
    static const char *const names[] = {
        "tdx_tee_tcb_svn", "tdx_mrseam", "tdx_mrsignerseam", "tdx_seam_attributes", "tdx_td_attributes", "tdx_xfam",
        "tdx_mrtd", "tdx_mrconfigid", "tdx_mrowner", "tdx_mrownerconfig", "tdx_rtmr0", "tdx_rtmr1", "tdx_rtmr2",
        "tdx_rtmr3", "tdx_report_data", "tdx_seamsvn", "tdx_td_attributes_debug", "tdx_td_attributes_septve_disable",
        "tdx_td_attributes_protection_keys", "tdx_td_attributes_key_locker", "tdx_td_attributes_perfmon",
        "attester_tcb_status", "dbgstat", "eat_profile", "intuse",
    };
    struct evidence_input in = { .evidence = { NULL, 0 } };
    struct claims c;
    struct setup s;
    struct err e = { 0 };
    const char *status;

    (void)state;
    set_up(&s, row_named("trustee_v4@15-15-v3-2023")); /* a TD with DEBUG set */
    in.evidence = s.file;
    c = claims_open(&s.a);
    assert_ok(evidence_verify(&evidence_tdx, &in, &s.env, &c, &status, &e), &e);
    assert_string_equal(status, "OK");
    for (size_t i = 0; i < COUNT(names); i++)
        if (claims_find(&c, names[i]) == NULL)
            fail_msg("no claim %s", names[i]);
    assert_text(claims_find(&c, "tdx_mrtd")->text,
                "705ee9381b8633a9fbe532b52345e8433343d2868959f57889d84ca377c395b689cac1599ccea1b7d420483a9ce5f031");
    assert_text(claims_find(&c, "tdx_td_attributes")->text, "0100001000000000");
    assert_true(claims_find(&c, "tdx_td_attributes_debug")->boolean);
    assert_true(claims_find(&c, "tdx_td_attributes_septve_disable")->boolean);
    assert_text(claims_find(&c, "dbgstat")->text, "enabled");
    assert_text(claims_find(&c, "attester_tcb_status")->text, "UpToDate");
    assert_int_equal(claims_find(&c, "tdx_seamsvn")->integer, 3); /* 0300 in the documented sample gives 3 */
    assert_null(claims_find(&c, "x-ms-compliance-status"));
    s.env.settings = &(struct settings){ .accept_tcb = TCB_ACCEPT_DEFAULT, .mix_eval_numbers = true };
    arena_done(&s.a);
}

static void stale_platform_is_refused_by_default(void **state)
{
    struct setup s;
    struct err e = { 0 };

    (void)state;
    set_up(&s, row_named("alibaba_v5@18-18-v3-2026"));
    s.settings.accept_tcb = TCB_ACCEPT_DEFAULT;
    assert_false(tdx_evidence_verify(s.ev, &s.env, &e));
    assert_refused(&e, ERR_TCB_STATUS_REFUSED, "OUT_OF_DATE");
    assert_string_equal(evidence_tdx.status(s.ev), "OUT_OF_DATE");
    arena_done(&s.a);
}

static void runtime_data_are_bound(void **state)
{
    struct setup s;
    struct err e = { 0 };
    struct evidence_input in = { .runtime = { .present = true, .type = DATA_JSON, .data = LIT("{}") } };

    (void)state;
    set_up(&s, row_named("google_v5@18-18-v3-2026"));
    assert_false(evidence_tdx.bound(s.ev, &in, &s.env, &e));
    assert_refused(&e, ERR_NOT_BOUND, "report data carry the hash of runtimeData");
    in = (struct evidence_input){ .init = { .present = true, .data = LIT("x") } };
    e = (struct err){ 0 };
    assert_false(evidence_tdx.bound(s.ev, &in, &s.env, &e));
    assert_refused(&e, ERR_NOT_BOUND, "MRCONFIGID");
    arena_done(&s.a);
}

/* The compliance word needs the listed paravisor, a confidential TD, a current platform, and its runtime data. */
static void compliance_word(void **state)
{
    static const struct bytes runtime = { (const uint8_t *)"{\"vm-configuration\":{}}", 23 };
    struct setup s;
    struct claims c;

    (void)state;
    set_up(&s, row_named("az_tdx_vtpm@17-17-v3-2025"));
    s.ev->result = (struct tdx_result){ .decided = true, .status = TCB_OK, .attester_status = "UpToDate" };
    c = claims_open(&s.a);
    tdx_evidence_claims(s.ev, &s.env, runtime, &c);
    assert_text(claims_find(&c, "x-ms-compliance-status")->text, "azure-compliant-cvm");
    c = claims_open(&s.a);
    tdx_evidence_claims(s.ev, &s.env, LIT("{}"), &c);
    assert_null(claims_find(&c, "x-ms-compliance-status"));
    s.ev->result.status = TCB_OUT_OF_DATE;
    c = claims_open(&s.a);
    tdx_evidence_claims(s.ev, &s.env, runtime, &c);
    assert_null(claims_find(&c, "x-ms-compliance-status"));
    s.ev->result.status = TCB_OK;
    s.ev->td.attributes |= TD_ATTR_DEBUG;
    c = claims_open(&s.a);
    tdx_evidence_claims(s.ev, &s.env, runtime, &c);
    assert_null(claims_find(&c, "x-ms-compliance-status"));
    s.ev->td.attributes = 0;
    s.settings.tdx_profiles = &(struct tdx_profiles){ NULL, 0 };
    c = claims_open(&s.a);
    tdx_evidence_claims(s.ev, &s.env, runtime, &c);
    assert_null(claims_find(&c, "x-ms-compliance-status"));
    arena_done(&s.a);
}

/* -- damage -- */

/* Each byte up to the end of the signature data; what stands behind it is unsigned and ignored. */
static void damage(void **state)
{
    size_t row = (size_t)(uintptr_t)*state;
    struct setup s;
    uint8_t *copy;
    size_t used;

    set_up(&s, row);
    s.env.memo = memo_new(64);
    s.env.checks = NULL;
    used = s.ev->quote.used.n;
    copy = arena_alloc(&s.a, s.file.n);
    memcpy(copy, s.file.p, s.file.n);
    for (size_t i = 0; i < s.file.n; i += i < 700 ? 1 : 11) {
        struct tdx_evidence *ev;
        struct err e = { 0 };
        struct arena one;
        bool ok;

        arena_init(&one, 32 << 20);
        s.env.a = &one;
        copy[i] = (uint8_t)(copy[i] ^ 1u << (i % 8));
        ok = tdx_evidence_parse(bytes_of(copy, s.file.n), &one, &ev, &e) && tdx_evidence_verify(ev, &s.env, &e);
        if (ok != (i >= used)) {
            bool text = bytes_contain(s.ev->quote.cert_data, LIT("-----")) && i > used - s.ev->quote.cert_data.n;

            if (!(ok && text)) /* white space and labels around the certificates' PEM blocks are not the certificates */
                fail_msg("byte %zu of %zu: %s", i, used, ok ? "altered and still valid" : e.why);
        }
        if (!ok)
            assert_true(e.code != ERR_NONE && e.why[0] != 0);
        copy[i] = s.file.p[i];
        arena_done(&one);
    }
    memo_free(s.env.memo);
    arena_done(&s.a);
}

static void truncated(void **state)
{
    size_t row = (size_t)(uintptr_t)*state;
    struct setup s;

    set_up(&s, row);
    for (size_t n = 0; n < s.ev->quote.used.n; n++) {
        struct tdx_evidence *ev;
        struct err e = { 0 };

        if (tdx_evidence_parse(bytes_part(s.file, 0, n), &s.a, &ev, &e))
            fail_msg("cut at %zu and still read", n);
        assert_refused(&e, ERR_FORMAT, "are left");
    }
    arena_done(&s.a);
}

static void lengths_at_their_end(void **state)
{
    static const size_t fields_v4[] = { 48 + 584, 48 + 584 + 4 + 130 };
    struct setup s;
    uint8_t *copy;

    (void)state;
    set_up(&s, row_named("phala_v4@17-17-v3-2025"));
    copy = arena_alloc(&s.a, s.file.n);
    for (size_t i = 0; i < COUNT(fields_v4); i++) {
        struct tdx_evidence *ev;
        struct err e = { 0 };

        memcpy(copy, s.file.p, s.file.n);
        memset(copy + fields_v4[i], 0xff, 4);
        assert_false(tdx_evidence_parse(bytes_of(copy, s.file.n), &s.a, &ev, &e));
        assert_refused(&e, ERR_FORMAT, "needs 4294967295 bytes");
    }
    arena_done(&s.a);
}

static void wrong_door(void **state)
{
    struct setup s;
    struct err e = { 0 };
    struct evidence_input in;
    void *ev;

    (void)state;
    set_up(&s, row_named("phala_v4@17-17-v3-2025"));
    in = (struct evidence_input){ .evidence = s.file };
    assert_false(evidence_kind_find(LIT("SgxEnclave"))->parse(&in, &s.a, &ev, &e));
    assert_refused(&e, ERR_UNSUPPORTED_TEE, "this door takes SGX");
    arena_done(&s.a);
}

/* Intel's synthetic sample under its own root. Its TCB info has SVNs above 255, which are refused as collateral that
 * nobody could have meant (Intel's library cuts them to a byte); all before and behind that is as Intel says. */
static void intel_sample(void **state)
{
    static const char *const files[] = { "tcbInfo.json", "qeIdentity.json", "tcbSignChain.pem", "rootCaCrl.der",
                                         "intermediateCaCrl.der", "pckCert.pem", "pckSignChain.pem" };
    uint8_t no_signer[48] = { 0 };
    struct tcb_info tcb = { .tdx = true, .has_module = true, .module = { .mr_signer = BYTES(no_signer) } };
    const struct tdx_module *found;
    struct tdx_evidence *ev;
    struct pck_chain *chain;
    struct collateral bag;
    struct settings settings = settings_default();
    struct trust trust = { .count = 1, .replace = true };
    struct verify_env env;
    struct cert *root;
    struct arena a;
    struct err e = { 0 };
    struct digest d;
    size_t n;

    (void)state;
    arena_init(&a, 64 << 20);
    bag = collateral_open(&a);
    settings.mix_eval_numbers = true;
    for (size_t i = 0; i < COUNT(files); i++)
        add_file(&bag, arena_printf(&a, "qvl-sample/%s", files[i]));
    assert_ok(certs_read(tdx_file(&a, "qvl-sample/trustedRootCaCert.pem"), 1, "root", &a, &root, &n, &e), &e);
    d = sha256(root->der);
    assert_true(d.p[0] == 0xbf && d.p[1] == 0x85 && d.p[2] == 0xa5 && d.p[3] == 0x3f);
    trust.anchors = root;
    env = (struct verify_env){ .now = test_time("2026-01-01T00:00:00Z"), .trust = &trust, .collateral = &bag,
                               .settings = &settings, .a = &a };
    assert_ok(tdx_evidence_parse(tdx_file(&a, "qvl-sample/quote.dat"), &a, &ev, &e), &e);
    assert_ok(pck_chain_build(ev->quote.cert_data, &trust, &chain, &e), &e); /* DER certificates, not PEM */
    pck_chain_free(chain);
    assert_false(tdx_evidence_verify(ev, &env, &e));
    assert_refused(&e, ERR_COLLATERAL_FORMAT, "member 'svn' is 65473");
    e = (struct err){ 0 };
    assert_false(tdx_module_find(&ev->td, &tcb, &env, &found, &e));
    assert_refused(&e, ERR_TDX_MODULE_MISMATCH, "identity of the TDX module");
    env.trust = NULL;
    e = (struct err){ 0 };
    assert_false(tdx_evidence_verify(ev, &env, &e));
    assert_refused(&e, ERR_UNTRUSTED_ROOT, NULL);
    arena_done(&a);
}

/* -- the ladder that no vector shows -- */

static const struct ladder_row {
    const char *name;
    enum level_status sgx, tdx;
    int module; /* -1: major version 0 */
    enum level_status qe;
    bool current; /* TEE_TCB_SVN2 is what Intel lists best */
    enum tcb_status status;
    const char *word;
} ladder[] = {
    { "all current", LEVEL_UP_TO_DATE, LEVEL_UP_TO_DATE, LEVEL_UP_TO_DATE, LEVEL_UP_TO_DATE, true, TCB_OK, "UpToDate" },
    { "module 1.0", LEVEL_UP_TO_DATE, LEVEL_UP_TO_DATE, -1, LEVEL_UP_TO_DATE, true, TCB_OK, "UpToDate" },
    { "hardening", LEVEL_SW_HARDENING_NEEDED, LEVEL_SW_HARDENING_NEEDED, LEVEL_UP_TO_DATE, LEVEL_UP_TO_DATE, true,
      TCB_SW_HARDENING_NEEDED, "SWHardeningNeeded" },
    { "configuration", LEVEL_CONFIGURATION_NEEDED, LEVEL_CONFIGURATION_NEEDED, LEVEL_UP_TO_DATE, LEVEL_UP_TO_DATE, true,
      TCB_CONFIGURATION_NEEDED, "ConfigurationNeeded" },
    { "stale module, running one current: relaunch", LEVEL_UP_TO_DATE, LEVEL_UP_TO_DATE, LEVEL_OUT_OF_DATE,
      LEVEL_UP_TO_DATE, true, TCB_TD_RELAUNCH_ADVISED, "TDRelaunchAdvised" },
    { "stale module and TDX level: relaunch", LEVEL_UP_TO_DATE, LEVEL_OUT_OF_DATE, LEVEL_OUT_OF_DATE, LEVEL_UP_TO_DATE,
      true, TCB_TD_RELAUNCH_ADVISED, "TDRelaunchAdvised" },
    { "stale module, configuration: relaunch and configure", LEVEL_CONFIGURATION_NEEDED, LEVEL_CONFIGURATION_NEEDED,
      LEVEL_OUT_OF_DATE, LEVEL_UP_TO_DATE, true, TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED,
      "TDRelaunchAdvisedAndConfigurationNeeded" },
    { "stale module, running one stale too", LEVEL_UP_TO_DATE, LEVEL_UP_TO_DATE, LEVEL_OUT_OF_DATE, LEVEL_UP_TO_DATE,
      false, TCB_OUT_OF_DATE, "OutOfDate" },
    { "stale quoting enclave: no relaunch", LEVEL_UP_TO_DATE, LEVEL_UP_TO_DATE, LEVEL_OUT_OF_DATE, LEVEL_OUT_OF_DATE, true,
      TCB_OUT_OF_DATE, "OutOfDate" },
    { "stale SGX level: no relaunch", LEVEL_OUT_OF_DATE, LEVEL_OUT_OF_DATE, LEVEL_OUT_OF_DATE, LEVEL_UP_TO_DATE, true,
      TCB_OUT_OF_DATE, "OutOfDate" },
    { "current module: nothing to relaunch", LEVEL_UP_TO_DATE, LEVEL_OUT_OF_DATE, LEVEL_UP_TO_DATE, LEVEL_UP_TO_DATE, true,
      TCB_OUT_OF_DATE, "OutOfDate" },
    { "configuration and stale quoting enclave", LEVEL_CONFIGURATION_NEEDED, LEVEL_CONFIGURATION_NEEDED, LEVEL_UP_TO_DATE,
      LEVEL_OUT_OF_DATE, true, TCB_OUT_OF_DATE_CONFIGURATION_NEEDED, "OutOfDateConfigurationNeeded" },
    { "revoked module", LEVEL_UP_TO_DATE, LEVEL_UP_TO_DATE, LEVEL_REVOKED, LEVEL_UP_TO_DATE, true, TCB_REVOKED, "Revoked" },
    { "revoked level", LEVEL_UP_TO_DATE, LEVEL_REVOKED, LEVEL_UP_TO_DATE, LEVEL_UP_TO_DATE, true, TCB_REVOKED, "Revoked" },
    { "revoked quoting enclave", LEVEL_UP_TO_DATE, LEVEL_UP_TO_DATE, LEVEL_UP_TO_DATE, LEVEL_REVOKED, true, TCB_REVOKED,
      "Revoked" },
};

/* A TCB info of two levels and one module identity, a TD report 1.5, and what the algorithm makes of them. */
static void ladder_step(void **state)
{
    const struct ladder_row *r = *state;
    uint8_t body[TDX15_BODY_SIZE] = { 3, 1, 4 }, signer[48] = { 0 };
    struct tcb_level levels[2] = { { .sgx = { 5 }, .tdx = { 0, 0, 9 }, .pce_svn = 7, .status = r->sgx },
                                   { .sgx = { 5 }, .tdx = { 0, 0, 4 }, .pce_svn = 7, .status = r->tdx } };
    struct tcb_level module_levels[2] = { { .isv_svn = 6, .status = LEVEL_UP_TO_DATE },
                                          { .isv_svn = 3, .status = (enum level_status)r->module } };
    struct tdx_module module = { .major = 1, .mr_signer = BYTES(signer), .levels = module_levels, .level_count = 2 };
    struct tcb_info tcb = { .tdx = true, .levels = levels, .level_count = 2, .has_module = true, .has_identities = true,
                            .module = { .mr_signer = BYTES(signer) }, .modules = &module, .module_count = 1 };
    struct pck_extension x = { .comp_svn = { 5 }, .pce_svn = 7 };
    struct settings s = settings_default();
    struct verify_env env = { .settings = &s };
    const struct tdx_module *found;
    struct tdx_levels l;
    struct td_body td;
    struct arena a;
    struct err e = { 0 };
    const char *word = NULL;
    bool relaunch = false;

    arena_init(&a, 1 << 20);
    env.a = &a;
    body[584] = r->current ? 6 : 5;
    body[585] = 1;
    body[586] = 9;
    if (r->module < 0)
        body[1] = 0;
    if (r->sgx == LEVEL_CONFIGURATION_NEEDED)
        levels[1].status = r->tdx;
    assert_ok(td_body_parse(BYTES(body), &td, &e) && tdx_module_find(&td, &tcb, &env, &found, &e)
              && tdx_levels_find(&td, &x, &tcb, found, &env, &l, &e)
              && tdx_relaunch_helps(&td, &l, &tcb, r->qe, &relaunch, &e), &e);
    assert_ptr_equal(l.sgx, &levels[0]);
    assert_ptr_equal(l.tdx, &levels[1]);
    assert_int_equal(tdx_converge(&l, r->qe, relaunch, &word), r->status);
    assert_string_equal(word, r->word);
    arena_done(&a);
}

static void module_rules(void **state)
{
    uint8_t body[TDX_BODY_SIZE] = { 3, 1 }, signer[48] = { 0 };
    struct tdx_module module = { .major = 2, .mr_signer = BYTES(signer) };
    struct tcb_info tcb = { .tdx = true, .module = { .mr_signer = BYTES(signer) }, .modules = &module, .module_count = 1,
                            .has_identities = true };
    struct settings s = settings_default();
    struct verify_env env = { .settings = &s };
    const struct tdx_module *found;
    struct td_body td;
    struct arena a;
    struct err e = { 0 };

    (void)state;
    arena_init(&a, 1 << 20);
    env.a = &a;
    assert_ok(td_body_parse(BYTES(body), &td, &e), &e);
    assert_false(tdx_module_find(&td, &tcb, &env, &found, &e));
    assert_refused(&e, ERR_TDX_MODULE_MISMATCH, "expected an identity TDX_01 in the TCB info, found not listed");
    tcb.has_identities = false;
    tcb.module_count = 0;
    e = (struct err){ 0 };
    assert_false(tdx_module_find(&td, &tcb, &env, &found, &e));
    assert_refused(&e, ERR_TDX_MODULE_MISMATCH, "no identities at all");
    body[1] = 0;
    body[64] = 1;
    e = (struct err){ 0 };
    assert_false(tdx_module_find(&td, &tcb, &env, &found, &e));
    assert_refused(&e, ERR_TDX_MODULE_MISMATCH, "MRSIGNERSEAM");
    body[64] = 0;
    body[112] = 1;
    e = (struct err){ 0 };
    assert_false(tdx_module_find(&td, &tcb, &env, &found, &e));
    assert_refused(&e, ERR_TDX_MODULE_MISMATCH, "SEAMATTRIBUTES are zero");
    arena_done(&a);
}

static void add_vectors(struct suite *s)
{
    struct err e = { 0 };
    size_t members = 0;

    if (!json_parse(test_vector(&shared, "tdx/quotes.json"), 16, "quotes.json", &shared, &quotes_all, &e))
        abort();
    cases = test_table(&shared, "tdx/cases.tsv");
    if (cases.rows != 22)
        abort();
    for (size_t i = 0; i < cases.rows; i++) {
        char name[200];

        suite_add(s, table_cell(&cases, i, "id"), case_row, (void *)(uintptr_t)i);
        snprintf(name, sizeof(name), "%s from memory", table_cell(&cases, i, "id"));
        suite_add(s, name, case_remembered, (void *)(uintptr_t)i);
        if (strcmp(table_cell(&cases, i, "status"), "OK") != 0)
            continue;
        snprintf(name, sizeof(name), "%s damaged", table_cell(&cases, i, "id"));
        suite_add(s, name, damage, (void *)(uintptr_t)i);
        snprintf(name, sizeof(name), "%s cut anywhere", table_cell(&cases, i, "id"));
        suite_add(s, name, truncated, (void *)(uintptr_t)i);
    }
    for (const struct json *q = quotes_all->child; q != NULL; q = q->next, members++) {
        char name[100];

        snprintf(name, sizeof(name), "members of %.*s", (int)q->name.n, (const char *)q->name.p);
        suite_add(s, name, quote_members, (void *)(uintptr_t)q);
    }
    suite_add(s, "claims of the profile", claims_of_the_profile, NULL);
    suite_add(s, "stale platform is refused by default", stale_platform_is_refused_by_default, NULL);
    suite_add(s, "runtime data are bound", runtime_data_are_bound, NULL);
    suite_add(s, "compliance word", compliance_word, NULL);
    suite_add(s, "lengths at their end", lengths_at_their_end, NULL);
    suite_add(s, "TD quote at the SGX door", wrong_door, NULL);
    suite_add(s, "Intel's sample", intel_sample, NULL);
}

int main(void)
{
    struct suite s = { 0 };
    int status;

    arena_init(&shared, 64 << 20);
    if (test_vectors() == NULL)
        suite_add_skipped(&s, "TDX vectors (missing)");
    else
        add_vectors(&s);
    for (size_t i = 0; i < COUNT(ladder); i++) {
        char name[120];

        snprintf(name, sizeof(name), "ladder: %s", ladder[i].name);
        suite_add(&s, name, ladder_step, (void *)(uintptr_t)&ladder[i]);
    }
    suite_add(&s, "module identities", module_rules, NULL);
    status = suite_run("tdx", &s);
    arena_done(&shared);
    return status;
}
