/* sgx_pki_test.c: what no real quote shows: every status of the ladder, revocation, expiry, mismatches,
 * foreign roots. A row bends one thing of a platform that is otherwise well. */
#include "testing.h"

#include "codec/stamp.h"

#include "evidence/sgx/sgx.h"
#include "pki/intel_pki.h"

#include <stdio.h>

#define NOW 1750000000

static struct intel_pki *pki, *stranger;

struct row {
    const char *name;
    void (*bend)(struct pki_options *o);
    enum err_code code; /* ERR_NONE: valid */
    const char *part;   /* of the message, or the status word where valid */
};

#define BEND(name, ...) static void name(struct pki_options *o) { __VA_ARGS__; }
BEND(nothing, (void)o)
BEND(platform_ca, o->platform_ca = true)
BEND(version_2, o->tcb_version = 2)
BEND(sw_hardening, o->platform_status = "SWHardeningNeeded")
BEND(configuration, o->platform_status = "ConfigurationNeeded")
BEND(configuration_sw, o->platform_status = "ConfigurationAndSWHardeningNeeded")
BEND(out_of_date, o->platform_status = "OutOfDate")
BEND(out_of_date_configuration, o->platform_status = "OutOfDateConfigurationNeeded")
BEND(revoked, o->platform_status = "Revoked")
BEND(unrecognized, o->platform_status = "Splendid")
BEND(qe_out_of_date, o->qe_status = "OutOfDate")
BEND(qe_out_of_date_configuration, o->qe_status = "OutOfDate"; o->platform_status = "ConfigurationNeeded")
BEND(qe_revoked, o->qe_status = "Revoked")
BEND(below_all, o->tcb_level_above = true)
BEND(pck_revoked, o->revoke_pck = true)
BEND(intermediate_revoked, o->revoke_intermediate = true)
BEND(signer_revoked, o->revoke_signer = true)
BEND(certs_expired, o->cert_to = NOW - 1)
BEND(certs_future, o->cert_from = NOW + 1)
BEND(collateral_expired, o->coll_to = NOW - 1)
BEND(collateral_future, o->coll_from = NOW + 1)
BEND(wrong_fmspc, o->tcb_fmspc[5] ^= 1)
BEND(wrong_root_name, o->root_cn = "Intel SGX Root CB")
BEND(wrong_identity, o->identity_id = "QVE")
BEND(debug_qe, o->qe_debug = true)
BEND(unbound_key, o->break_qe_binding = true)
BEND(debug_enclave, o->debug = true)
BEND(last_second, o->coll_to = NOW; o->cert_to = NOW)
BEND(first_second, o->coll_from = NOW; o->cert_from = NOW)
BEND(odd_leaf, o->odd_critical = "Intel SGX PCK Certificate")
BEND(odd_intermediate, o->odd_critical = "Intel SGX PCK Processor CA")
BEND(odd_signer, o->odd_critical = "Intel SGX TCB Signing")
BEND(numbers_differ, o->qe_eval_number = 18)

static const struct row rows[] = {
    { "everything well", nothing, ERR_NONE, "OK" },
    { "PCK certificate with an unknown critical extension", odd_leaf, ERR_PCK_CHAIN_INVALID, "'Intel SGX PCK Certificate' has an unknown critical" },
    { "PCK CA with an unknown critical extension", odd_intermediate, ERR_PCK_CHAIN_INVALID, "'Intel SGX PCK Processor CA' has an unknown critical" },
    { "TCB signer with an unknown critical extension", odd_signer, ERR_TCB_CHAIN_INVALID, "'Intel SGX TCB Signing' has an unknown critical" },
    { "Platform CA with seven entries", platform_ca, ERR_NONE, "OK" },
    { "TCB info version 2", version_2, ERR_NONE, "OK" },
    { "debug enclave: the policy decides", debug_enclave, ERR_NONE, "OK" },
    { "last second of validity", last_second, ERR_NONE, "OK" },
    { "first second of validity", first_second, ERR_NONE, "OK" },
    { "SWHardeningNeeded", sw_hardening, ERR_NONE, "SW_HARDENING_NEEDED" },
    { "ConfigurationNeeded", configuration, ERR_NONE, "CONFIGURATION_NEEDED" },
    { "ConfigurationAndSWHardeningNeeded", configuration_sw, ERR_NONE, "CONFIGURATION_AND_SW_HARDENING_NEEDED" },
    { "OutOfDate", out_of_date, ERR_TCB_STATUS_REFUSED, "found OUT_OF_DATE" },
    { "OutOfDateConfigurationNeeded", out_of_date_configuration, ERR_TCB_STATUS_REFUSED, "found OUT_OF_DATE_CONFIGURATION_NEEDED" },
    { "Revoked", revoked, ERR_TCB_STATUS_REFUSED, "found REVOKED" },
    { "unknown status", unrecognized, ERR_TCB_UNRECOGNIZED, "is not known" },
    { "QE OutOfDate", qe_out_of_date, ERR_TCB_STATUS_REFUSED, "found OUT_OF_DATE" },
    { "QE OutOfDate, platform ConfigurationNeeded", qe_out_of_date_configuration, ERR_TCB_STATUS_REFUSED, "found OUT_OF_DATE_CONFIGURATION_NEEDED" },
    { "QE Revoked", qe_revoked, ERR_TCB_STATUS_REFUSED, "found REVOKED" },
    { "below every level", below_all, ERR_TCB_NOT_SUPPORTED, "found none" },
    { "PCK certificate revoked", pck_revoked, ERR_PCK_REVOKED, "serial 01 is listed" },
    { "intermediate revoked", intermediate_revoked, ERR_INTERMEDIATE_REVOKED, "is listed" },
    { "TCB signer revoked", signer_revoked, ERR_TCB_SIGNER_REVOKED, "is listed" },
    { "certificates expired", certs_expired, ERR_CERT_EXPIRED, "found 2025-06-15T15:06:40Z" },
    { "certificates not valid yet", certs_future, ERR_CERT_EXPIRED, "found 2025-06-15T15:06:40Z" },
    { "collateral expired", collateral_expired, ERR_CRL_EXPIRED, "found 2025-06-15T15:06:40Z" },
    { "collateral from the future", collateral_future, ERR_CRL_EXPIRED, "found 2025-06-15T15:06:40Z" },
    { "TCB info of another platform", wrong_fmspc, ERR_COLLATERAL_MISSING, "no TCB info on hand for FMSPC 00a067110001" },
    { "root of another name", wrong_root_name, ERR_UNTRUSTED_ROOT, "is not a trust anchor" },
    { "identity of another enclave", wrong_identity, ERR_QE_IDENTITY_MISMATCH, "expected 'QE', found 'QVE'" },
    { "debug quoting enclave", debug_qe, ERR_QE_IDENTITY_MISMATCH, "QE ATTRIBUTES" },
    { "attestation key of somebody else", unbound_key, ERR_QE_REPORT_DATA, "QE report data" },
    { "evaluation numbers differ", numbers_differ, ERR_COLLATERAL_MISSING, "no QE identity of evaluation number 17" },
};

struct setup {
    struct arena a;
    struct trust trust;
    struct collateral c;
    struct settings s;
    struct verify_env env;
    struct evidence_input in;
};

static void set_up(struct setup *x, const struct pki_options *o, struct intel_pki *p)
{
    const struct pki_options well = pki_options(NOW);
    struct bytes (*const items[])(struct intel_pki *, const struct pki_options *, struct arena *) = {
        pki_root_crl, pki_pck_crl, pki_tcb_chain, pki_tcb_info, pki_qe_identity,
    };
    struct cert *root;
    struct err e = { 0 };
    size_t n;

    memset(x, 0, sizeof(*x));
    arena_init(&x->a, 64 << 20);
    assert_ok(certs_read(pki_root_pem(pki, &well, &x->a), 1, "root", &x->a, &root, &n, &e), &e);
    x->trust = (struct trust){ .anchors = root, .count = n };
    x->c = collateral_open(&x->a);
    for (size_t i = 0; i < COUNT(items); i++)
        assert_ok(collateral_add(&x->c, items[i](p, o, &x->a), "item", &e), &e);
    x->s = settings_default();
    x->env = (struct verify_env){ .now = NOW, .trust = &x->trust, .collateral = &x->c, .settings = &x->s, .a = &x->a };
    x->in.evidence = pki_quote(p, o, &x->a);
}

static bool verify(struct setup *x, const char **status, struct err *e)
{
    struct claims claims = claims_open(&x->a);

    return evidence_verify(evidence_kind_find(LIT("SgxEnclave")), &x->in, &x->env, &claims, status, e);
}

static void run_row(void **state)
{
    const struct row *r = *state;
    struct pki_options o = pki_options(NOW);
    struct setup x;
    const char *status = NULL;
    struct err e = { 0 };
    bool ok;

    r->bend(&o);
    set_up(&x, &o, pki);
    ok = verify(&x, &status, &e);
    if (r->code == ERR_NONE) {
        assert_ok(ok, &e);
        assert_string_equal(status, r->part);
    } else {
        assert_false(ok);
        assert_refused(&e, r->code, r->part);
    }
    arena_done(&x.a);
}

/* Everything consistent, but by keys that nobody trusts. */
static void foreign_root(void **state)
{
    struct pki_options o = pki_options(NOW);
    struct setup x;
    struct err e = { 0 };

    (void)state;
    set_up(&x, &o, stranger);
    assert_false(verify(&x, NULL, &e));
    assert_refused(&e, ERR_UNTRUSTED_ROOT, "is not a trust anchor");
    arena_done(&x.a);
}

/* A good quote with collateral that a stranger signed: cannot decide, for we lack the vendor's word. */
static void foreign_collateral(void **state)
{
    struct pki_options o = pki_options(NOW);
    struct setup x, y;
    struct err e = { 0 };

    (void)state;
    set_up(&x, &o, pki);
    set_up(&y, &o, stranger);
    x.env.collateral = &y.c;
    assert_false(verify(&x, NULL, &e));
    assert_true(err_is_undecided(e.code));
    assert_refused(&e, ERR_CRL_INVALID, "signature does not verify");
    arena_done(&x.a);
    arena_done(&y.a);
}

static void each_piece_missing(void **state)
{
    static const char *const pieces[] = { "root CA CRL", "PCK CRL", "TCB signing", "TCB info", "QE identity" };

    (void)state;
    for (size_t without = 0; without < COUNT(pieces); without++) {
        struct pki_options o = pki_options(NOW);
        struct setup x;
        struct err e = { 0 };

        set_up(&x, &o, pki);
        for (size_t i = without; i + 1 < x.c.count; i++)
            x.c.list[i] = x.c.list[i + 1];
        x.c.count--;
        assert_false(verify(&x, NULL, &e));
        assert_refused(&e, ERR_COLLATERAL_MISSING, pieces[without]);
        arena_done(&x.a);
    }
}

static void grace_is_a_setting(void **state)
{
    struct pki_options o = pki_options(NOW);
    struct setup x;
    struct err e = { 0 };

    (void)state;
    o.coll_to = NOW - 3600;
    set_up(&x, &o, pki);
    x.s.expired_grace = 3600;
    assert_ok(verify(&x, NULL, &e), &e);
    x.s.expired_grace = 3599;
    assert_false(verify(&x, NULL, &e));
    assert_refused(&e, ERR_CRL_EXPIRED, NULL);
    arena_done(&x.a);
}

/* The signed dates count: of TCB info, QE identity and PCK CRL; one second decides. The root CRL may be as old as it likes. */
static void too_old(void **state)
{
    static const char *const pieces[] = { NULL, "PCK CRL", NULL, "TCB info", "QE identity" }; /* in the order of set_up() */
    struct bytes (*const items[])(struct intel_pki *, const struct pki_options *, struct arena *) = {
        pki_root_crl, pki_pck_crl, pki_tcb_chain, pki_tcb_info, pki_qe_identity,
    };

    (void)state;
    for (size_t i = 0; i < COUNT(items); i++) {
        struct pki_options o = pki_options(NOW), old;
        struct setup x;
        struct err e = { 0 };
        struct collateral one;

        o.coll_from = NOW - 3600;
        old = o;
        old.coll_from = NOW - 7201;
        set_up(&x, &o, pki);
        one = collateral_open(&x.a);
        assert_ok(collateral_add(&one, items[i](pki, &old, &x.a), "item", &e), &e);
        x.c.list[i] = one.list[0];
        x.s.collateral_max_age = 7201;
        assert_ok(verify(&x, NULL, &e), &e);
        x.s.collateral_max_age = 7200;
        if (pieces[i] == NULL) {
            assert_ok(verify(&x, NULL, &e), &e);
        } else {
            assert_false(verify(&x, NULL, &e));
            assert_string_equal(e.what, pieces[i]);
            assert_refused(&e, ERR_COLLATERAL_TOO_OLD, "expected signed at most 7200 s ago, found signed at");
            assert_non_null(strstr(e.why, stamp_text(NOW - 7201).s));
            assert_non_null(strstr(e.why, "7201 s ago"));
            assert_true(err_is_undecided(e.code));
            e = (struct err){ 0 };
            assert_ok(collateral_add(&x.c, items[i](pki, &o, &x.a), "item", &e), &e); /* a newer one beside it counts */
            assert_ok(verify(&x, NULL, &e), &e);
        }
        arena_done(&x.a);
    }
}

static int64_t int_claim(const struct claims *c, const char *name)
{
    const struct claim *x = claims_find(c, name);

    if (x == NULL)
        fail_msg("claim %s is missing", name);
    return x->integer;
}

static void text_claim(const struct claims *c, const char *name, const char *value)
{
    const struct claim *x = claims_find(c, name);

    if (x == NULL)
        fail_msg("claim %s is missing", name);
    assert_text(x->text, value);
}

/* A platform that is up to date by the standard set and not by the early one: both are told, the standard one counts. The age
 * that is demanded holds for the early set as well, which then is not at hand. */
static void sets_as_claims(void **state)
{
    struct pki_options o = pki_options(NOW), early;
    struct setup x;
    struct err e = { 0 };
    struct claims c;

    (void)state;
    o.early_number = 18;
    o.early_status = "OutOfDate";
    o.early_advisory = "INTEL-SA-09999";
    early = o;
    early.eval_number = early.qe_eval_number = 18;
    early.coll_from = NOW - 90000;
    set_up(&x, &o, pki);
    assert_ok(collateral_add(&x.c, pki_eval_numbers(pki, &o, &x.a), "numbers", &e), &e);
    assert_ok(collateral_add(&x.c, pki_tcb_info(pki, &early, &x.a), "tcb", &e), &e);
    assert_ok(collateral_add(&x.c, pki_qe_identity(pki, &early, &x.a), "qe", &e), &e);
    x.c.list[x.c.count - 1].aside = x.c.list[x.c.count - 2].aside = true; /* else the newest would count */
    for (int pass = 0; pass < 3; pass++) {
        c = claims_open(&x.a);
        x.s.tcb_sets = pass > 0;
        x.s.collateral_max_age = pass == 2 ? 86400 : 0;
        assert_ok(evidence_verify(evidence_kind_find(LIT("SgxEnclave")), &x.in, &x.env, &c, NULL, &e), &e);
        text_claim(&c, "x-ms-sgx-tcb-status", "OK");
        if (pass == 0) {
            assert_null(claims_find(&c, "x-avouch-tcb-standard-status"));
            assert_null(claims_find(&c, "x-avouch-tcb-early-status"));
            assert_null(claims_find(&c, "x-avouch-collateral-max-age"));
            continue;
        }
        text_claim(&c, "x-avouch-tcb-standard-status", "OK");
        assert_int_equal(int_claim(&c, "x-avouch-tcb-standard-eval-number"), 17);
        assert_int_equal(int_claim(&c, "x-avouch-tcb-early-eval-number"), 18);
        if (pass == 1) {
            text_claim(&c, "x-avouch-tcb-early-status", "OUT_OF_DATE");
            text_claim(&c, "x-avouch-tcb-early-date", "2023-02-15T00:00:00Z");
            text_claim(&c, "x-avouch-tcb-early-advisory-ids", "[\"INTEL-SA-09999\"]");
            assert_null(claims_find(&c, "x-avouch-tcb-early-missing"));
        } else {
            text_claim(&c, "x-avouch-tcb-early-status", "NOT_AT_HAND");
            assert_non_null(strstr(arena_str(&x.a, claims_find(&c, "x-avouch-tcb-early-missing")->text), "signed at most 86400 s ago"));
            assert_null(claims_find(&c, "x-avouch-tcb-early-date"));
            assert_int_equal(int_claim(&c, "x-avouch-collateral-max-age"), 86400);
        }
    }
    arena_done(&x.a);
}

/* A set under which the platform has no level at all, and one of a stranger. */
static void sets_that_refuse(void **state)
{
    struct pki_options o = pki_options(NOW), early;
    struct setup x;
    struct err e = { 0 };
    struct claims c;

    (void)state;
    o.early_number = 18;
    o.early_status = "UpToDate";
    early = o;
    early.eval_number = early.qe_eval_number = 18;
    early.tcb_level_above = true;
    for (int pass = 0; pass < 2; pass++) {
        set_up(&x, &o, pki);
        x.s.tcb_eval_number = 17;
        x.s.tcb_sets = true;
        assert_ok(collateral_add(&x.c, pki_eval_numbers(pki, &o, &x.a), "numbers", &e), &e);
        assert_ok(collateral_add(&x.c, pki_tcb_info(pass == 0 ? pki : stranger, &early, &x.a), "tcb", &e), &e);
        assert_ok(collateral_add(&x.c, pki_qe_identity(pki, &early, &x.a), "qe", &e), &e);
        c = claims_open(&x.a);
        assert_ok(evidence_verify(evidence_kind_find(LIT("SgxEnclave")), &x.in, &x.env, &c, NULL, &e), &e);
        text_claim(&c, "x-avouch-tcb-standard-status", "OK");
        text_claim(&c, "x-avouch-tcb-early-status", pass == 0 ? "TCB_NOT_SUPPORTED" : "NOT_AT_HAND");
        arena_done(&x.a);
    }
}

/* Anchors of several folders add up, to a limit that is told; what is no certificate is named. */
static void anchors_add_up(void **state)
{
    struct pki_options o = pki_options(NOW);
    struct trust t = { .count = 0 };
    struct named_bytes files[257] = { 0 };
    struct err e = { 0 };
    struct arena a;

    (void)state;
    arena_init(&a, 64 << 20);
    for (size_t i = 0; i < COUNT(files); i++)
        files[i] = (struct named_bytes){ .name = "root.pem", .body = pki_root_pem(i % 2 == 0 ? pki : stranger, &o, &a) };
    assert_ok(trust_add(&t, files, 0, &a, &e), &e);
    assert_int_equal(t.count, 0);
    assert_ok(trust_add(&t, files, 1, &a, &e), &e);
    assert_ok(trust_add(&t, files + 1, 255, &a, &e), &e);
    assert_int_equal(t.count, 256);
    for (size_t i = 0; i < 2; i++)
        assert_true(trust_has(&t, t.anchors[i].subject, t.anchors[i].spki));
    assert_false(trust_add(&t, files + 256, 1, &a, &e));
    assert_refused(&e, ERR_USAGE, "are more than 256 with those of 'root.pem'");
    assert_int_equal(t.count, 256);
    e = (struct err){ 0 };
    files[0].body = LIT("nothing");
    assert_false(trust_add(&t, files, 1, &a, &e));
    assert_string_equal(e.what, "root.pem");
    arena_done(&a);
}

static void init_data_needs_kss(void **state)
{
    struct pki_options o = pki_options(NOW);
    struct digest d = sha256(LIT("init"));
    struct setup x;
    struct err e = { 0 };

    (void)state;
    memcpy(o.config_id, d.p, 32);
    set_up(&x, &o, pki);
    x.in.init = (struct attached){ .present = true, .data = LIT("init") };
    assert_false(verify(&x, NULL, &e));
    assert_refused(&e, ERR_NOT_BOUND, "KSS");
    arena_done(&x.a);
    o.kss = true;
    e = (struct err){ 0 };
    set_up(&x, &o, pki);
    x.in.init = (struct attached){ .present = true, .data = LIT("init") };
    assert_ok(verify(&x, NULL, &e), &e);
    x.in.init.data = LIT("Init");
    assert_false(verify(&x, NULL, &e));
    assert_refused(&e, ERR_NOT_BOUND, "initTimeData is bound");
    arena_done(&x.a);
}

/* Many platforms, one memo that is smaller than their number: each is still judged by its own certificate. */
static void many_platforms(void **state)
{
    struct memo *memo = memo_new(64);
    struct setup x;
    struct pki_options o = pki_options(NOW);

    (void)state;
    o.revoke_pck = true;
    o.serial = 5;
    set_up(&x, &o, pki);
    x.env.memo = memo;
    for (uint64_t serial = 1; serial <= 120; serial++) {
        struct err e = { 0 };

        o.serial = serial;
        x.in.evidence = pki_quote(pki, &o, &x.a);
        if (verify(&x, NULL, &e) != (serial != 5 && serial != 77 && serial != 78))
            fail_msg("serial %d: %s", (int)serial, e.why);
    }
    memo_free(memo);
    arena_done(&x.a);
}

/* Evidence of format SGX_ECDSA: the report data are the hash of the custom claims and nothing else. */
static void custom_claims_fill_the_report_data(void **state)
{
    static const uint8_t format[] = { 0xa3, 0xa2, 0x1e, 0x87, 0x1b, 0x4d, 0x40, 0x14, 0xb7, 0x0a, 0xa1, 0x25, 0xd2, 0xfb, 0xcd, 0x8c };
    const struct digest d = sha256(LIT("claims"));

    (void)state;
    for (int last = 0; last < 2; last++) {
        struct pki_options o = pki_options(NOW);
        struct setup x;
        struct claims claims;
        struct out evidence;
        struct err e = { 0 };
        bool ok;

        memcpy(o.report_data, d.p, 32);
        memset(o.report_data + 32, 0, 32);
        o.report_data[63] = (uint8_t)last;
        set_up(&x, &o, pki);
        evidence = out_open(&x.a);
        out_u32le(&evidence, 3);
        out_bytes(&evidence, BYTES(format));
        out_u32le(&evidence, 0);
        out_u64le(&evidence, x.in.evidence.n + 6);
        out_bytes(&evidence, x.in.evidence);
        out_text(&evidence, "claims");
        x.in.evidence = out_view(&evidence);
        claims = claims_open(&x.a);
        ok = evidence_verify(evidence_kind_find(LIT("OpenEnclave")), &x.in, &x.env, &claims, NULL, &e);
        if (last == 0) {
            assert_ok(ok, &e);
        } else {
            assert_false(ok);
            assert_refused(&e, ERR_NOT_BOUND, "second half of the report data");
        }
        arena_done(&x.a);
    }
}

/* What a memo cannot keep is gone: it must not judge. */
static void memo_without_room(void **state)
{
    struct pki_options o = pki_options(NOW);
    struct pck_chain *chain;
    struct intel_judge judge;
    struct setup x;
    struct err e = { 0 };

    (void)state;
    set_up(&x, &o, pki);
    x.env.memo = memo_new(0);
    assert_ok(pck_chain_build(pki_pck_chain(pki, &o, &x.a), &x.trust, &chain, &e), &e);
    assert_false(intel_judge_make(chain, false, &x.env, &judge, &e));
    assert_refused(&e, ERR_NO_MEMORY, NULL);
    pck_chain_free(chain);
    memo_free(x.env.memo);
    arena_done(&x.a);
}

int main(void)
{
    struct suite s = { 0 };
    int status;

    pki = intel_pki_new();
    stranger = intel_pki_new();
    for (size_t i = 0; i < COUNT(rows); i++)
        suite_add(&s, rows[i].name, run_row, (void *)(uintptr_t)&rows[i]);
    suite_add(&s, "a stranger's root", foreign_root, NULL);
    suite_add(&s, "a stranger's collateral", foreign_collateral, NULL);
    suite_add(&s, "each piece of collateral missing", each_piece_missing, NULL);
    suite_add(&s, "grace for expired collateral", grace_is_a_setting, NULL);
    suite_add(&s, "trust anchors add up", anchors_add_up, NULL);
    suite_add(&s, "collateral that is too old", too_old, NULL);
    suite_add(&s, "both sets as claims", sets_as_claims, NULL);
    suite_add(&s, "sets that refuse, sets of a stranger", sets_that_refuse, NULL);
    suite_add(&s, "initTimeData", init_data_needs_kss, NULL);
    suite_add(&s, "custom claims fill the report data", custom_claims_fill_the_report_data, NULL);
    suite_add(&s, "a memo without room", memo_without_room, NULL);
    suite_add(&s, "120 platforms, a memo of 64", many_platforms, NULL);
    status = suite_run("sgx-pki", &s);
    intel_pki_free(pki);
    intel_pki_free(stranger);
    return status;
}
