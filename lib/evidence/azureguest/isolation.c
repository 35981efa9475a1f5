/* isolation.c: the technologies below a confidential VM's vTPM, a row each. */
#include "evidence/azureguest/azureguest.h"
#include "codec/b64.h"
#include "codec/hex.h"
#include "evidence/snp/snp.h"
#include "evidence/snp/uvm.h"
#include "evidence/tdx/tdx.h"

static bool snp_row_parse(struct bytes proof, struct arena *a, void **ret, struct err *e)
{
    struct snp_evidence *ev;

    if (!snp_evidence_parse(proof, a, &ev, e))
        return false;
    *ret = ev;
    return true;
}

static bool snp_row_needs(const void *ev, const struct settings *s, struct needs *ret, struct err *e)
{
    return snp_evidence_needs(ev, s, ret, e);
}

static bool snp_row_verify(void *ev, const struct verify_env *env, struct err *e)
{
    return snp_evidence_verify(ev, env, e);
}

static struct bytes snp_row_data(const void *ev)
{
    return ((const struct snp_evidence *)ev)->report.report_data;
}

/* Below VMPL 0 runs the guest itself, and it may put what it likes into a report. So may the workload of a container
 * group, whose endorsed utility VM does run at VMPL 0: such a launch is compliant, but no paravisor's. */
static const char *snp_row_doubt(const void *p, const struct verify_env *env, struct bytes runtime)
{
    const struct snp_evidence *ev = p;

    if (ev->report.vmpl != 0)
        return arena_printf(env->a, "it was asked for at VMPL %u, a paravisor asks at VMPL 0", ev->report.vmpl);
    if (ev->endorsed != NULL)
        return "it is that of a container group, whose workload chooses the report data";
    if (snp_compliance(ev, env, runtime) == NULL)
        return arena_printf(env->a, "its launch is none of those that count as compliant (ID key digest %.16s..., guest "
                            "SVN %u, policy 0x%llx)", arena_str(env->a, hex_encode(env->a, ev->report.id_key_digest)),
                            ev->report.guest_svn, (unsigned long long)ev->report.policy);
    return NULL;
}

static struct bytes snp_row_json(const void *ev, const struct verify_env *env, struct bytes runtime,
                                 struct arena *a)
{
    return snp_isolation_json(ev, env, runtime, a);
}

/* The form of a TDX proof is not published: a bare TD quote, or JSON with the member TdQuote (or quote). */
static bool tdx_row_parse(struct bytes proof, struct arena *a, void **ret, struct err *e)
{
    const struct json *j, *m;
    struct bytes text, quote = proof;
    struct tdx_evidence *ev;

    if (proof.n > 0 && proof.p[0] == '{') {
        if (!json_parse(proof, 16, "Proof", a, &j, e))
            return false;
        m = json_member_nocase(j, "TdQuote") != NULL ? json_member_nocase(j, "TdQuote")
                                                     : json_member_nocase(j, "quote");
        if (!json_string(m, &text))
            return err_set(e, ERR_BAD_REQUEST, "Proof", "has no member TdQuote that is a string");
        if (!b64_decode(text, B64_ANY, "TdQuote", a, &quote, e))
            return false;
    }
    if (!tdx_evidence_parse(quote, a, &ev, e))
        return false;
    *ret = ev;
    return true;
}

static bool tdx_row_needs(const void *ev, const struct settings *s, struct needs *ret, struct err *e)
{
    return evidence_tdx.needs(ev, s, ret, e);
}

static bool tdx_row_verify(void *ev, const struct verify_env *env, struct err *e)
{
    return tdx_evidence_verify(ev, env, e);
}

static struct bytes tdx_row_data(const void *ev)
{
    return ((const struct tdx_evidence *)ev)->td.report_data;
}

/* A TD has one such measurement; what runs above the paravisor inside it cannot ask for a report of its own data. */
static const char *tdx_row_doubt(const void *p, const struct verify_env *env, struct bytes runtime)
{
    const struct tdx_evidence *ev = p;
    struct claims c = claims_open(env->a);

    tdx_evidence_claims(ev, env, runtime, &c);
    if (claims_find(&c, "x-ms-compliance-status") != NULL)
        return NULL;
    return arena_printf(env->a, "its launch is none of those that count as compliant (MRTD %.16s..., attributes 0x%llx, "
                        "platform %s)", arena_str(env->a, hex_encode(env->a, ev->td.mr_td)),
                        (unsigned long long)ev->td.attributes, tcb_status_name(ev->result.status));
}

static struct bytes tdx_row_json(const void *ev, const struct verify_env *env, struct bytes runtime,
                                 struct arena *a)
{
    return tdx_isolation_json(ev, env, runtime, a);
}

static const struct guest_isolation rows[] = {
    { "SevSnp", snp_row_parse, snp_row_needs, snp_row_verify, snp_row_data, snp_row_doubt, snp_row_json },
    { "Tdx", tdx_row_parse, tdx_row_needs, tdx_row_verify, tdx_row_data, tdx_row_doubt, tdx_row_json },
};

const struct guest_isolation *guest_isolation_find(struct bytes type)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        if (bytes_equal_nocase(type, bytes_str(rows[i].type)))
            return &rows[i];
    return NULL;
}
