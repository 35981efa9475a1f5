/* snp.c: the row of this room in the table of evidence kinds. */
#include "evidence/snp/snp.h"

#include "codec/hex.h"
#include "codec/json.h"
#include "evidence/snp/hcl.h"
#include "evidence/snp/uvm.h"

#define WHAT "SEV-SNP report"

static bool snp_parse(const struct evidence_input *in, struct arena *a, void **ret, struct err *e)
{
    struct snp_evidence *ev;

    if (!snp_evidence_parse(in->evidence, a, &ev, e))
        return false;
    if (in->id_block.n > 0)
        ev->id_block = in->id_block;
    if (in->id_auth.n > 0)
        ev->id_auth = in->id_auth;
    *ret = ev;
    return true;
}

/* The line as far as the report tells: without CPUID a chip id of eight bytes means Turin (section 1.5). */
static bool may_be(const struct snp_report *r, enum snp_line line)
{
    enum snp_line told = snp_report_line(r);
    bool short_id = bytes_all_zero(bytes_part(r->chip_id, 8, 56));

    if (told != SNP_LINE_UNKNOWN)
        return told == line;
    return short_id ? line == SNP_TURIN : line != SNP_TURIN;
}

static bool needs_vcek(const struct snp_report *r, enum snp_line line, bool optional, struct needs *ret)
{
    struct snp_tcb t = snp_tcb_read(r->reported_tcb, line);
    struct bytes id = hex_encode(ret->a, bytes_part(r->chip_id, 0, line == SNP_TURIN ? 8 : 64));
    char *fmc = line == SNP_TURIN ? arena_printf(ret->a, "fmcSPL=%u&", t.fmc) : arena_str(ret->a, LIT(""));

    if (id.p == NULL || fmc == NULL)
        return false;
    return needs_add(ret, COLL_CERTS,
                     arena_printf(ret->a, "kds/vcek/v1/%s/%.*s?%sblSPL=%u&teeSPL=%u&snpSPL=%u&ucodeSPL=%u",
                                  snp_line_name(line), (int)id.n, (const char *)id.p, fmc, t.bl, t.tee, t.snp, t.ucode),
                     optional);
}

static bool has_leaf(const struct snp_evidence *ev)
{
    for (size_t i = 0; i < ev->cert_count; i++)
        if (bytes_is(ev->certs[i].subject_cn, "SEV-VCEK") || bytes_is(ev->certs[i].subject_cn, "SEV-VLEK"))
            return true;
    return false;
}

/* A report that came without its VCEK asks for it; a list of revoked CAs is asked for unless turned off.
 * Where the report does not say its line, what each line would need is asked for, all of it optional. */
bool snp_evidence_needs(const struct snp_evidence *ev, const struct settings *s, struct needs *ret, struct err *e)
{
    enum snp_signing_key key = snp_report_key(&ev->report);
    bool sure = snp_report_line(&ev->report) != SNP_LINE_UNKNOWN, ok = true;
    bool fetch = !has_leaf(ev) && key == SNP_VCEK && !bytes_all_zero(ev->report.chip_id);

    for (size_t i = 0; ok && i < SNP_LINES; i++) {
        enum snp_line line = (enum snp_line)i;

        if (!may_be(&ev->report, line))
            continue;
        if (fetch)
            ok = needs_vcek(&ev->report, line, !sure, ret);
        if (ok && s->snp.crl != CRL_OFF)
            ok = needs_add(ret, COLL_CRL,
                           arena_printf(ret->a, "kds/%s/v1/%s/crl", key == SNP_VLEK ? "vlek" : "vcek",
                                        snp_line_name(line)),
                           !sure || s->snp.crl != CRL_REQUIRED);
    }
    return ok || err_memory(e, WHAT);
}

static bool snp_needs(const void *ev, const struct settings *s, struct needs *ret, struct err *e)
{
    return snp_evidence_needs(ev, s, ret, e);
}

static bool snp_verify(void *p, const struct verify_env *env, struct err *e)
{
    struct snp_evidence *ev = p;

    return snp_evidence_verify(ev, env, e)
        && (ev->hcl == NULL || hcl_check(ev->hcl, HCL_SNP, ev->report.report_data, env->checks, e));
}

static bool runtime_bound(const struct snp_evidence *ev, const struct evidence_input *in, const struct verify_env *env,
                          struct err *e)
{
    static const struct rule same = { "report data carry the hash of runtimeData", "evidence-snp 4.2", WHAT,
                                      ERR_NOT_BOUND };
    static const struct rule tail = { "report data behind the hash are zero", "evidence-snp 4.2", WHAT, ERR_NOT_BOUND };
    struct digest d;

    if (!in->runtime.present) {
        check_skip(env->checks, &same, "no runtimeData");
        return true;
    }
    d = sha256(in->runtime.data);
    return check_bytes(env->checks, &same, digest_bytes(&d), bytes_part(ev->report.report_data, 0, 32), e)
        && (env->settings->snp.allow_nonzero_tail
            || check_fact(env->checks, &tail, bytes_all_zero(bytes_part(ev->report.report_data, 32, 32)), "32 zero bytes",
                          "a byte that is not zero", e));
}

static bool init_bound(const struct snp_evidence *ev, const struct evidence_input *in, const struct verify_env *env,
                       struct err *e)
{
    static const struct rule same = { "host data are the hash of initTimeData", "evidence-snp 4.2", WHAT, ERR_NOT_BOUND };
    struct digest d;

    if (!in->init.present) {
        check_skip(env->checks, &same, "no initTimeData");
        return true;
    }
    d = sha256(in->init.data);
    return check_bytes(env->checks, &same, digest_bytes(&d), ev->report.host_data, e);
}

static bool snp_bound(void *ev, const struct evidence_input *in, const struct verify_env *env, struct err *e)
{
    return runtime_bound(ev, in, env, e) && init_bound(ev, in, env, e);
}

/* JSON that the report data bind: sent as runtimeData, or inside the HCL report. */
static bool snp_claims(const void *p, const struct evidence_input *in, const struct verify_env *env, struct claims *ret,
                       struct err *e)
{
    const struct snp_evidence *ev = p;
    bool sent = in->runtime.present && in->runtime.type == DATA_JSON;
    struct bytes runtime = sent ? in->runtime.data : ev->hcl != NULL ? ev->hcl->runtime : (struct bytes){ NULL, 0 };
    struct out text = out_open(env->a);
    const struct json *j;

    snp_evidence_claims(ev, env, runtime, ret);
    if (sent || ev->hcl == NULL) /* what was sent becomes a claim outside of this room */
        return true;
    if (!json_parse(runtime, JSON_DEPTH, "HCL runtime data", env->a, &j, e))
        return false;
    json_print(&text, j, true);
    claims_json(ret, "x-ms-runtime", CLAIM_TO_BOTH, out_view(&text));
    return true;
}

const struct evidence_kind evidence_snp = {
    .name = "SevSnpVm",
    .token = "sevsnpvm",
    .member = "report",
    .max_size = 256 << 10,
    .parse = snp_parse,
    .needs = snp_needs,
    .verify = snp_verify,
    .bound = snp_bound,
    .claims = snp_claims,
};
