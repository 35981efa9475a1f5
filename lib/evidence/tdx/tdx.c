/* tdx.c: the row of /attest/TdxVm: parsing, binding, claims of the EAT profile (claims.md section 7). */
#include "evidence/tdx/tdx.h"

#include "codec/hex.h"
#include "codec/json.h"
#include "codec/stamp.h"

#define WHAT "TDX quote"

bool tdx_evidence_parse(struct bytes in, struct arena *a, struct tdx_evidence **ret, struct err *e)
{
    struct tdx_evidence *x = arena_new(a, struct tdx_evidence);

    if (x == NULL)
        return err_memory(e, WHAT);
    if (!quote_parse(in, WHAT, &x->quote, e))
        return false;
    if (x->quote.tee != TEE_TDX)
        return err_set(e, ERR_UNSUPPORTED_TEE, WHAT, "TEE type is 0x%x (SGX); this door takes TDX (0x81)", x->quote.tee);
    if (!td_body_parse(x->quote.body, &x->td, e)) /* bytes behind the quote are ignored: hosts hand out fixed buffers */
        return false;
    *ret = x;
    return true;
}

static bool tdx_parse(const struct evidence_input *in, struct arena *a, void **ret, struct err *e)
{
    struct tdx_evidence *x;

    if (!tdx_evidence_parse(in->evidence, a, &x, e))
        return false;
    *ret = x;
    return true;
}

static bool tdx_needs(const void *ev, const struct settings *s, struct needs *ret, struct err *e)
{
    return sgx_needs_of(&((const struct tdx_evidence *)ev)->quote, true, s, ret, e);
}

static bool tdx_genuine(const void *ev, const struct trust *trust, struct err *e)
{
    return sgx_quote_genuine(&((const struct tdx_evidence *)ev)->quote, trust, e);
}

bool tdx_evidence_verify(struct tdx_evidence *ev, const struct verify_env *env, struct err *e)
{
    return tdx_quote_verify(&ev->quote, &ev->td, env, &ev->result, e);
}

static bool tdx_verify(void *ev, const struct verify_env *env, struct err *e)
{
    return tdx_evidence_verify(ev, env, e);
}

static bool tdx_bound(void *ev, const struct evidence_input *in, const struct verify_env *env, struct err *e)
{
    static const struct rule runtime = { "report data carry the hash of runtimeData", "evidence-sgx 9, REPORTDATA", WHAT,
                                         ERR_NOT_BOUND };
    static const struct rule tail = { "report data behind the hash are zero", "evidence-sgx 9, REPORTDATA", WHAT,
                                      ERR_NOT_BOUND };
    static const struct rule init = { "MRCONFIGID begins with the hash of initTimeData", "rest-api 5.1", WHAT,
                                      ERR_NOT_BOUND };
    const struct td_body *td = &((struct tdx_evidence *)ev)->td;
    struct digest d;

    if (in->runtime.present) {
        d = sha256(in->runtime.data);
        if (!check_bytes(env->checks, &runtime, digest_bytes(&d), bytes_part(td->report_data, 0, 32), e)
            || !check_fact(env->checks, &tail, bytes_all_zero(bytes_part(td->report_data, 32, 32)), "32 zero bytes",
                           "a byte that is not zero", e))
            return false;
    }
    if (!in->init.present)
        return true;
    d = sha256(in->init.data);
    return check_bytes(env->checks, &init, digest_bytes(&d), bytes_part(td->mr_config_id, 0, 32), e);
}

/* -- claims -- */

static const struct {
    const char *name;
    size_t at, size;
} hex_rows[] = {
    { "tdx_tee_tcb_svn", 0, 16 },       { "tdx_mrseam", 16, 48 },        { "tdx_mrsignerseam", 64, 48 },
    { "tdx_seam_attributes", 112, 8 },  { "tdx_td_attributes", 120, 8 }, { "tdx_xfam", 128, 8 },
    { "tdx_mrtd", 136, 48 },            { "tdx_mrconfigid", 184, 48 },   { "tdx_mrowner", 232, 48 },
    { "tdx_mrownerconfig", 280, 48 },   { "tdx_rtmr0", 328, 48 },        { "tdx_rtmr1", 376, 48 },
    { "tdx_rtmr2", 424, 48 },           { "tdx_rtmr3", 472, 48 },        { "tdx_report_data", 520, 64 },
};

static const struct {
    const char *name;
    uint64_t bit;
} bit_rows[] = {
    { "tdx_td_attributes_debug", TD_ATTR_DEBUG },
    { "tdx_td_attributes_septve_disable", TD_ATTR_SEPT_VE_DISABLE },
    { "tdx_td_attributes_protection_keys", TD_ATTR_PKS },
    { "tdx_td_attributes_key_locker", TD_ATTR_KL },
    { "tdx_td_attributes_perfmon", TD_ATTR_PERFMON },
};

static bool has_configuration(struct bytes runtime, struct arena *a)
{
    struct err ignored = { .code = ERR_NONE };
    const struct json *j;

    while (runtime.n > 0 && runtime.p[runtime.n - 1] == 0)
        runtime.n--;
    return runtime.n > 0 && json_parse(runtime, JSON_DEPTH, "runtime data", a, &j, &ignored)
        && json_is(json_member(j, "vm-configuration"), JSON_OBJECT);
}

/* Paravisors of confidential VMs, by the measurement of the TD that they are. Nobody publishes the list; this one is
 * from quotes of real VMs, and an operator replaces it. */
static const struct tdx_profile profiles[] = {
    { "024a32b070383331181619fa387cb4d55d1e38879f989933055ccad5bc2db795d1737b66205949d15469dc8c1ba7ab7b",
      "azure-compliant-cvm" },
};
const struct tdx_profiles tdx_profiles_builtin = { profiles, COUNT(profiles) };

/* No word where any bit says that the TD is not confidential, where it may migrate, where the platform is stale, or
 * where no runtime data of a paravisor are bound. */
static const char *compliance(const struct tdx_evidence *ev, const struct verify_env *env, struct bytes runtime)
{
    const struct tdx_profiles *p = env->settings->tdx_profiles != NULL ? env->settings->tdx_profiles
                                                                       : &tdx_profiles_builtin;
    uint8_t mr_td[48];

    if ((ev->td.attributes & (TD_ATTR_TUD | TD_ATTR_MIGRATABLE)) != 0
        || ev->result.status >= TCB_TD_RELAUNCH_ADVISED || !has_configuration(runtime, env->a))
        return NULL;
    for (size_t i = 0; i < p->count; i++)
        if (hex_decode_exact(bytes_str(p->list[i].mr_td), mr_td, sizeof(mr_td))
            && bytes_equal(BYTES(mr_td), ev->td.mr_td))
            return p->list[i].status;
    return NULL;
}

/* The service's own words beside the profile's: for the policy always, for the token where the operator wants it. */
static void extra_claims(const struct tdx_evidence *ev, unsigned use, struct claims *ret)
{
    const struct tdx_result *r = &ev->result;
    struct jarr ids = jarr_open(ret->a);

    claims_str(ret, "avouch-tdx-tcb-status", use, bytes_str(tcb_status_name(r->status)));
    claims_str(ret, "avouch-tdx-tcb-date", use, bytes_str(arena_str(ret->a, bytes_str(stamp_text(r->tcb_date).s))));
    claims_int(ret, "avouch-tdx-tcb-eval-number", use, r->eval_number);
    for (size_t i = 0; i < r->advisory_count; i++)
        jarr_str(&ids, r->advisories[i]);
    claims_json(ret, "avouch-tdx-advisory-ids", use, jarr_close(&ids));
    claims_hex(ret, "avouch-tdx-fmspc", use, BYTES(r->ext.fmspc));
    if (ev->td.is_15) {
        claims_hex(ret, "avouch-tdx-tee-tcb-svn2", use, ev->td.tee_tcb_svn2);
        claims_hex(ret, "avouch-tdx-mrservicetd", use, ev->td.mr_service_td);
    }
}

void tdx_evidence_claims(const struct tdx_evidence *ev, const struct verify_env *env, struct bytes runtime,
                         struct claims *ret)
{
    const char *status = compliance(ev, env, runtime);
    const struct td_body *td = &ev->td;

    for (size_t i = 0; i < COUNT(hex_rows); i++)
        claims_hex(ret, hex_rows[i].name, CLAIM_TO_BOTH, bytes_part(td->raw, hex_rows[i].at, hex_rows[i].size));
    for (size_t i = 0; i < COUNT(bit_rows); i++)
        claims_bool(ret, bit_rows[i].name, CLAIM_TO_BOTH, (td->attributes & bit_rows[i].bit) != 0);
    claims_int(ret, "tdx_seamsvn", CLAIM_TO_BOTH, td->tee_tcb_svn.p[0] | td->tee_tcb_svn.p[1] << 8);
    claims_str(ret, "attester_tcb_status", CLAIM_TO_BOTH, bytes_str(ev->result.attester_status));
    claims_str(ret, "dbgstat", CLAIM_TO_BOTH, (td->attributes & TD_ATTR_DEBUG) != 0 ? LIT("enabled") : LIT("disabled"));
    claims_str(ret, "eat_profile", CLAIM_TO_BOTH, LIT("https://aka.ms/maa-eat-profile-tdxvm"));
    claims_str(ret, "intuse", CLAIM_TO_BOTH, LIT("generic"));
    if (status != NULL)
        claims_str(ret, "x-ms-compliance-status", CLAIM_TO_BOTH | CLAIM_READ_ONLY, bytes_str(status));
    extra_claims(ev, env->settings->extra_claims ? CLAIM_TO_BOTH : CLAIM_TO_POLICY, ret);
    tcb_sets_claims(&ev->result.sets, env, ret);
}

struct bytes tdx_isolation_json(const struct tdx_evidence *ev, const struct verify_env *env, struct bytes runtime,
                                struct arena *a)
{
    struct err ignored = { .code = ERR_NONE };
    struct claims c = claims_open(a);
    struct jobj o = jobj_open(a);
    struct out text = out_open(a);
    const struct json *j;

    tdx_evidence_claims(ev, env, runtime, &c);
    jobj_text(&o, "x-ms-attestation-type", "tdxvm");
    if (runtime.n > 0 && json_parse(runtime, JSON_DEPTH, "runtime data", a, &j, &ignored)) {
        json_print(&text, j, true);
        jobj_json(&o, "x-ms-runtime", out_view(&text));
    }
    claims_to_object(&c, CLAIM_TO_TOKEN, &o);
    return jobj_print(&o, true);
}

static bool tdx_claims(const void *p, const struct evidence_input *in, const struct verify_env *env, struct claims *ret,
                       struct err *e)
{
    bool json = in->runtime.present && in->runtime.type == DATA_JSON;

    (void)e;
    tdx_evidence_claims(p, env, json ? in->runtime.data : (struct bytes){ NULL, 0 }, ret);
    return true;
}

static const char *tdx_status(const void *ev)
{
    const struct tdx_evidence *x = ev;

    return x->result.decided ? tcb_status_name(x->result.status) : NULL;
}

const struct evidence_kind evidence_tdx = {
    .name = "TdxVm",
    .token = "tdxvm",
    .member = "quote",
    .max_size = QUOTE_MAX_SIZE,
    .parse = tdx_parse,
    .needs = tdx_needs,
    .genuine = tdx_genuine,
    .verify = tdx_verify,
    .bound = tdx_bound,
    .claims = tdx_claims,
    .status = tdx_status,
    .tcb_sets = true,
};
