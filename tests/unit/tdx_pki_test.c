/* tdx_pki_test.c: what no real quote shows: SGX quotes of versions 4 and 5, relaunch, stale and revoked modules, bound
 * data. A row bends one thing of a platform that is otherwise well. */
#include "testing.h"

#include "evidence/tdx/tdx.h"
#include "pki/intel_pki.h"

#define NOW 1750000000

static struct intel_pki *pki;

struct row {
    const char *name, *kind;
    void (*bend)(struct pki_options *o);
    enum err_code code; /* ERR_NONE: valid */
    const char *part;   /* of the message, or the status word where valid */
    const char *word;   /* attester_tcb_status where valid and TDX */
};

#define BEND(name, ...) static void name(struct pki_options *o) { __VA_ARGS__; }
#define TD(v) o->tdx = true; o->quote_version = v
#define TD15 TD(5); o->td_15 = true
BEND(sgx_4, o->quote_version = 4)
BEND(sgx_5, o->quote_version = 5)
BEND(sgx_4_debug_qe, o->quote_version = 4; o->qe_debug = true)
BEND(td_4, TD(4))
BEND(td_5, TD(5))
BEND(td_15, TD15)
BEND(td_module_1_0, TD(4); o->tee_tcb_svn[1] = 0)
BEND(td_sw_hardening, TD15; o->platform_status = "SWHardeningNeeded")
BEND(td_configuration, TD15; o->platform_status = "ConfigurationNeeded")
BEND(td_out_of_date, TD15; o->platform_status = "OutOfDate")
BEND(td_revoked, TD15; o->platform_status = "Revoked")
BEND(td_unrecognized, TD15; o->platform_status = "Splendid")
BEND(td_qe_out_of_date, TD15; o->qe_status = "OutOfDate")
BEND(td_qe_revoked, TD15; o->qe_status = "Revoked")
BEND(td_stale, TD15; o->tee_tcb_svn[0] = o->tee_tcb_svn2[0] = 3)
BEND(td_stale_10, TD(5); o->tee_tcb_svn[0] = 3)
BEND(td_relaunch, TD15; o->tee_tcb_svn[0] = 3)
BEND(td_relaunch_configuration, TD15; o->tee_tcb_svn[0] = 3; o->platform_status = "ConfigurationNeeded")
BEND(td_relaunch_stale_qe, TD15; o->tee_tcb_svn[0] = 3; o->qe_status = "OutOfDate")
BEND(td_relaunch_unknown, TD15; o->tee_tcb_svn[0] = 3; o->tee_tcb_svn2[1] = 9)
BEND(td_module_revoked, TD15; o->tee_tcb_svn[0] = 3; o->module_status = "Revoked")
BEND(td_module_strange, TD15; o->tee_tcb_svn[0] = 3; o->module_status = "ConfigurationNeeded")
BEND(td_module_below, TD15; o->tee_tcb_svn[0] = 1)
BEND(td_module_unknown, TD15; o->module_major = 3)
BEND(td_below_all, TD15; o->tcb_level_above = true)
BEND(td_pck_revoked, TD15; o->revoke_pck = true)
BEND(td_debug, TD15; o->td_attributes = 1)

static const struct row rows[] = {
    { "SGX quote of version 4", "SgxEnclave", sgx_4, ERR_NONE, "OK", NULL },
    { "SGX quote of version 5", "SgxEnclave", sgx_5, ERR_NONE, "OK", NULL },
    { "SGX quote of version 4, debug quoting enclave", "SgxEnclave", sgx_4_debug_qe, ERR_QE_IDENTITY_MISMATCH,
      "QE ATTRIBUTES", NULL },
    { "SGX quote of version 4 at the TDX door", "TdxVm", sgx_4, ERR_UNSUPPORTED_TEE, "this door takes TDX", NULL },
    { "TD quote of version 4", "TdxVm", td_4, ERR_NONE, "OK", "UpToDate" },
    { "TD quote of version 5, TD report 1.0", "TdxVm", td_5, ERR_NONE, "OK", "UpToDate" },
    { "TD quote of version 5, TD report 1.5", "TdxVm", td_15, ERR_NONE, "OK", "UpToDate" },
    { "module 1.0", "TdxVm", td_module_1_0, ERR_NONE, "OK", "UpToDate" },
    { "debug TD: the policy decides", "TdxVm", td_debug, ERR_NONE, "OK", "UpToDate" },
    { "SWHardeningNeeded", "TdxVm", td_sw_hardening, ERR_NONE, "SW_HARDENING_NEEDED", "SWHardeningNeeded" },
    { "ConfigurationNeeded", "TdxVm", td_configuration, ERR_NONE, "CONFIGURATION_NEEDED", "ConfigurationNeeded" },
    { "OutOfDate", "TdxVm", td_out_of_date, ERR_TCB_STATUS_REFUSED, "found OUT_OF_DATE", NULL },
    { "Revoked", "TdxVm", td_revoked, ERR_TCB_STATUS_REFUSED, "found REVOKED", NULL },
    { "unknown status", "TdxVm", td_unrecognized, ERR_TCB_UNRECOGNIZED, "is not known", NULL },
    { "QE OutOfDate", "TdxVm", td_qe_out_of_date, ERR_TCB_STATUS_REFUSED, "found OUT_OF_DATE", NULL },
    { "QE Revoked", "TdxVm", td_qe_revoked, ERR_TCB_STATUS_REFUSED, "found REVOKED", NULL },
    { "stale module, still running", "TdxVm", td_stale, ERR_TCB_STATUS_REFUSED, "found OUT_OF_DATE", NULL },
    { "stale module, TD report 1.0 does not tell what runs", "TdxVm", td_stale_10, ERR_TCB_STATUS_REFUSED,
      "found OUT_OF_DATE", NULL },
    { "relaunch advised", "TdxVm", td_relaunch, ERR_NONE, "TD_RELAUNCH_ADVISED", "TDRelaunchAdvised" },
    { "relaunch and configuration advised", "TdxVm", td_relaunch_configuration, ERR_NONE,
      "TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED", "TDRelaunchAdvisedAndConfigurationNeeded" },
    { "no relaunch below a stale quoting enclave", "TdxVm", td_relaunch_stale_qe, ERR_TCB_STATUS_REFUSED,
      "found OUT_OF_DATE", NULL },
    { "running module has no identity", "TdxVm", td_relaunch_unknown, ERR_TDX_MODULE_MISMATCH, "TDX_09", NULL },
    { "module revoked", "TdxVm", td_module_revoked, ERR_TCB_STATUS_REFUSED, "found REVOKED", NULL },
    { "status that modules do not have", "TdxVm", td_module_strange, ERR_TCB_UNRECOGNIZED, "none that modules have", NULL },
    { "module below every level", "TdxVm", td_module_below, ERR_TCB_NOT_SUPPORTED, "module isvsvn 1", NULL },
    { "module of another version", "TdxVm", td_module_unknown, ERR_TDX_MODULE_MISMATCH, "an identity TDX_01", NULL },
    { "below every level", "TdxVm", td_below_all, ERR_TCB_NOT_SUPPORTED, "platform TCB level", NULL },
    { "PCK certificate revoked", "TdxVm", td_pck_revoked, ERR_PCK_REVOKED, "is listed", NULL },
};

struct setup {
    struct arena a;
    struct trust trust;
    struct collateral c;
    struct settings s;
    struct verify_env env;
    struct evidence_input in;
    struct claims claims;
};

static void set_up(struct setup *x, const struct pki_options *o)
{
    struct bytes (*const items[])(struct intel_pki *, const struct pki_options *, struct arena *) = {
        pki_root_crl, pki_pck_crl, pki_tcb_chain, pki_tcb_info, pki_qe_identity,
    };
    struct cert *root;
    struct err e = { 0 };
    size_t n;

    memset(x, 0, sizeof(*x));
    arena_init(&x->a, 64 << 20);
    assert_ok(certs_read(pki_root_pem(pki, o, &x->a), 1, "root", &x->a, &root, &n, &e), &e);
    x->trust = (struct trust){ .anchors = root, .count = n };
    x->c = collateral_open(&x->a);
    for (size_t i = 0; i < COUNT(items); i++)
        assert_ok(collateral_add(&x->c, items[i](pki, o, &x->a), "item", &e), &e);
    x->s = settings_default();
    x->env = (struct verify_env){ .now = NOW, .trust = &x->trust, .collateral = &x->c, .settings = &x->s, .a = &x->a };
    x->in.evidence = pki_quote(pki, o, &x->a);
}

static bool verify(struct setup *x, const char *kind, const char **status, struct err *e)
{
    *e = (struct err){ .code = ERR_NONE };
    x->claims = claims_open(&x->a);
    return evidence_verify(evidence_kind_find(bytes_str(kind)), &x->in, &x->env, &x->claims, status, e);
}

static void run_row(void **state)
{
    const struct row *r = *state;
    struct pki_options o = pki_options(NOW);
    struct setup x;
    const char *status = NULL;
    struct err e;
    bool ok;

    r->bend(&o);
    set_up(&x, &o);
    ok = verify(&x, r->kind, &status, &e);
    if (r->code == ERR_NONE) {
        assert_ok(ok, &e);
        assert_string_equal(status, r->part);
        if (r->word != NULL)
            assert_text(claims_find(&x.claims, "attester_tcb_status")->text, r->word);
    } else {
        assert_false(ok);
        assert_refused(&e, r->code, r->part);
    }
    arena_done(&x.a);
}

/* An SGX quote's collateral does not judge a TD, nor the other way round. */
static void collateral_of_the_other_tee(void **state)
{
    struct pki_options sgx = pki_options(NOW), td = pki_options(NOW);
    struct setup x, y;
    struct err e;

    (void)state;
    td_4(&td);
    sgx_4(&sgx);
    set_up(&x, &sgx);
    set_up(&y, &td);
    x.env.collateral = &y.c;
    assert_false(verify(&x, "SgxEnclave", NULL, &e));
    assert_refused(&e, ERR_COLLATERAL_MISSING, NULL);
    x.env.collateral = &x.c;
    y.env.collateral = &x.c;
    assert_false(verify(&y, "TdxVm", NULL, &e));
    assert_refused(&e, ERR_COLLATERAL_MISSING, NULL);
    arena_done(&x.a);
    arena_done(&y.a);
}

/* The standard and the early set of a TD: its own list, its own ladder. A list for SGX is none. */
static void both_sets(void **state)
{
    struct pki_options o, early;
    struct setup x;
    const char *status;
    struct err e = { 0 };

    (void)state;
    for (int pass = 0; pass < 2; pass++) {
        o = pki_options(NOW);
        o.tdx = true;
        o.quote_version = 4;
        o.early_number = 18;
        o.early_status = "OutOfDate";
        early = o;
        early.eval_number = early.qe_eval_number = 18;
        set_up(&x, &o);
        x.s.tcb_eval_number = 17;
        x.s.tcb_sets = true;
        assert_ok(collateral_add(&x.c, pki_tcb_info(pki, &early, &x.a), "tcb", &e), &e);
        assert_ok(collateral_add(&x.c, pki_qe_identity(pki, &early, &x.a), "qe", &e), &e);
        o.tdx = pass == 0;
        assert_ok(collateral_add(&x.c, pki_eval_numbers(pki, &o, &x.a), "numbers", &e), &e);
        assert_ok(verify(&x, "TdxVm", &status, &e), &e);
        assert_string_equal(status, "OK");
        assert_text(claims_find(&x.claims, "x-avouch-tcb-standard-status")->text, pass == 0 ? "OK" : "NOT_AT_HAND");
        assert_text(claims_find(&x.claims, "x-avouch-tcb-early-status")->text, pass == 0 ? "OUT_OF_DATE" : "NOT_AT_HAND");
        arena_done(&x.a);
    }
}

static void too_old(void **state)
{
    struct pki_options o = pki_options(NOW);
    struct setup x;
    struct err e = { 0 };

    (void)state;
    o.tdx = true;
    o.quote_version = 4;
    set_up(&x, &o);
    x.s.collateral_max_age = 86400;
    assert_ok(verify(&x, "TdxVm", NULL, &e), &e);
    assert_int_equal(claims_find(&x.claims, "x-avouch-collateral-max-age")->integer, 86400);
    x.s.collateral_max_age = 86399;
    assert_false(verify(&x, "TdxVm", NULL, &e));
    assert_refused(&e, ERR_COLLATERAL_TOO_OLD, "expected signed at most 86399 s ago");
    arena_done(&x.a);
}

static void bound_data(void **state)
{
    static const struct bytes runtime = { (const uint8_t *)"{\"k\":[1]}", 9 };
    struct pki_options o = pki_options(NOW);
    struct digest d = sha256(runtime), init = sha256(LIT("init"));
    struct setup x;
    struct err e;

    (void)state;
    td_15(&o);
    memcpy(o.report_data, d.p, 32);
    memcpy(o.config_id, init.p, 32);
    set_up(&x, &o);
    x.in.runtime = (struct attached){ .present = true, .type = DATA_JSON, .data = runtime };
    x.in.init = (struct attached){ .present = true, .data = LIT("init") };
    assert_ok(verify(&x, "TdxVm", NULL, &e), &e);
    assert_text(claims_find(&x.claims, "x-ms-runtime")->text, "{\"k\":[1]}");
    x.in.init.data = LIT("Init");
    assert_false(verify(&x, "TdxVm", NULL, &e));
    assert_refused(&e, ERR_NOT_BOUND, "MRCONFIGID begins with the hash of initTimeData");
    arena_done(&x.a);
    o.report_data[40] = 1; /* the tail counts */
    set_up(&x, &o);
    x.in.runtime = (struct attached){ .present = true, .type = DATA_JSON, .data = runtime };
    assert_false(verify(&x, "TdxVm", NULL, &e));
    assert_refused(&e, ERR_NOT_BOUND, "report data behind the hash are zero");
    arena_done(&x.a);
}

static void trailing_bytes(void **state)
{
    struct pki_options o = pki_options(NOW);
    struct setup x;
    struct err e;
    uint8_t *longer;

    (void)state;
    td_4(&o);
    set_up(&x, &o);
    longer = arena_alloc(&x.a, x.in.evidence.n + 70);
    memcpy(longer, x.in.evidence.p, x.in.evidence.n);
    longer[x.in.evidence.n + 5] = 0x55; /* a host's buffer, with what was in it */
    x.in.evidence = bytes_of(longer, x.in.evidence.n + 70);
    assert_ok(verify(&x, "TdxVm", NULL, &e), &e);
    arena_done(&x.a);
}

int main(void)
{
    struct suite s = { 0 };
    int status;

    pki = intel_pki_new();
    for (size_t i = 0; i < COUNT(rows); i++)
        suite_add(&s, rows[i].name, run_row, (void *)(uintptr_t)&rows[i]);
    suite_add(&s, "collateral of the other TEE", collateral_of_the_other_tee, NULL);
    suite_add(&s, "both sets", both_sets, NULL);
    suite_add(&s, "collateral that is too old", too_old, NULL);
    suite_add(&s, "bound data", bound_data, NULL);
    suite_add(&s, "trailing bytes", trailing_bytes, NULL);
    status = suite_run("tdx-pki", &s);
    intel_pki_free(pki);
    return status;
}
