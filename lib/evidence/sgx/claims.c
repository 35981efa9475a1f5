/* claims.c: what an SGX quote says, as claims (claims.md section 2), and what binds data to it. */
#include "evidence/sgx/sgx.h"

#include "codec/hex.h"
#include "codec/stamp.h"

#include <stdio.h>

bool sgx_needs_of(const struct quote *q, bool tdx, const struct settings *s, struct needs *ret, struct err *e)
{
    const char *tee = tdx ? "tdx" : "sgx";
    char eval[32] = "", fmspc[13];
    struct pck_extension ext;
    struct cert *list;
    struct bytes pem = q->cert_data;
    size_t count;
    const struct cert *leaf = NULL;

    while (pem.n > 0 && pem.p[pem.n - 1] == 0)
        pem.n--;
    if (q->cert_type != 5)
        return true; /* nothing can be asked for by FMSPC: verification tells what is wrong */
    if (!certs_read(pem, 3, "PCK certificate chain", ret->a, &list, &count, e))
        return false;
    for (size_t i = 0; i < count; i++)
        if (bytes_contain(list[i].subject_cn, LIT("SGX PCK Certificate")))
            leaf = &list[i];
    if (leaf == NULL)
        return err_set(e, ERR_PCK_CHAIN_INVALID, "PCK certificate chain", "no PCK certificate among %zu", count);
    if (!pck_extension_parse(leaf, &ext, e))
        return false;
    if (s->tcb_eval_number != 0)
        snprintf(eval, sizeof(eval), "&eval=%lld", (long long)s->tcb_eval_number);
    for (int i = 0; i < 6; i++)
        snprintf(fmspc + 2 * i, 3, "%02x", ext.fmspc[i]);
    return (needs_add(ret, COLL_TCB_INFO, arena_printf(ret->a, "%s/tcb?fmspc=%s%s", tee, fmspc, eval), false)
            && needs_add(ret, COLL_QE_IDENTITY, arena_printf(ret->a, "%s/qe/identity%s%s", tee, eval[0] ? "?" : "", eval[0] ? eval + 1 : ""), false)
            && needs_add(ret, COLL_CRL,
                         bytes_contain(leaf->issuer_cn, LIT("Platform")) ? "sgx/pckcrl?ca=platform" : "sgx/pckcrl?ca=processor", false)
            && needs_add(ret, COLL_CRL, "sgx/rootcacrl", false)
            && (!s->tcb_sets || needs_add(ret, COLL_EVAL_NUMBERS, arena_printf(ret->a, "%s/tcbevaluationdatanumbers", tee), true)))
        || err_memory(e, "SGX quote");
}

bool sgx_evidence_needs(const void *ev, const struct settings *s, struct needs *ret, struct err *e)
{
    return sgx_needs_of(&((const struct sgx_evidence *)ev)->quote, false, s, ret, e);
}

bool sgx_quote_genuine(const struct quote *q, const struct trust *trust, struct err *e)
{
    struct pck_chain *chain;

    if (q->cert_type != 5)
        return true;
    if (!pck_chain_build(q->cert_data, trust, &chain, e))
        return false;
    pck_chain_free(chain);
    return true;
}

bool sgx_evidence_genuine(const void *ev, const struct trust *trust, struct err *e)
{
    return sgx_quote_genuine(&((const struct sgx_evidence *)ev)->quote, trust, e);
}

bool sgx_evidence_verify(void *ev, const struct verify_env *env, struct err *e)
{
    struct sgx_evidence *x = ev;

    return sgx_quote_verify(&x->quote, env, &x->result, e);
}

const char *sgx_evidence_status(const void *ev)
{
    const struct sgx_evidence *x = ev;

    return x->result.decided ? tcb_status_name(x->result.status) : NULL;
}

static bool digest_is(const struct verify_env *env, const struct rule *r, struct bytes data, struct bytes field, struct err *e)
{
    struct digest d = sha256(data);

    return check_bytes(env->checks, r, digest_bytes(&d), bytes_part(field, 0, 32), e);
}

/* The hash of `data` and nothing else. */
static bool report_data_is(const struct sgx_evidence *x, const struct verify_env *env, const struct rule *r, struct bytes data,
                           struct err *e)
{
    const struct rule rest = { "second half of the report data", "binding of attached data", r->what, ERR_NOT_BOUND };

    return digest_is(env, r, data, x->body.report_data, e)
        && check_true(env->checks, &rest, bytes_all_zero(bytes_part(x->body.report_data, 32, 32)), "32 zero bytes", "other bytes", e);
}

/* Evidence of format SGX_ECDSA binds the buffer of custom claims instead (section 7.3). */
static bool custom_claims_bound(const struct sgx_evidence *x, const struct evidence_input *in, const struct verify_env *env,
                                struct err *e)
{
    const struct rule claims = { "custom claims are bound", "Open Enclave custom claims", "custom claims", ERR_NOT_BOUND };
    const struct rule same = { "runtimeData is the custom claims buffer", "binding of attached data", "runtimeData", ERR_NOT_BOUND };

    return report_data_is(x, env, &claims, x->custom_claims, e)
        && (!in->runtime.present || check_bytes(env->checks, &same, x->custom_claims, in->runtime.data, e));
}

bool sgx_evidence_bound(void *ev, const struct evidence_input *in, const struct verify_env *env, struct err *e)
{
    const struct rule runtime = { "runtimeData is bound", "binding of attached data", "runtimeData", ERR_NOT_BOUND };
    const struct rule kss = { "enclave has KSS for initTimeData", "binding of attached data", "initTimeData", ERR_NOT_BOUND };
    const struct rule init = { "initTimeData is bound", "binding of attached data", "initTimeData", ERR_NOT_BOUND };
    const struct sgx_evidence *x = ev;
    bool has_kss = (x->body.flags & SGX_FLAG_KSS) != 0;

    if (x->custom_claims_bound && !custom_claims_bound(x, in, env, e))
        return false;
    if (in->runtime.present && !x->custom_claims_bound && !report_data_is(x, env, &runtime, in->runtime.data, e))
        return false;
    return !in->init.present
        || (check_true(env->checks, &kss, has_kss, "ATTRIBUTES bit 7", has_kss ? "set" : "clear", e)
            && digest_is(env, &init, in->init.data, x->body.config_id, e));
}

/* -- claims -- */

enum row_form {
    AS_HEX,
    AS_U16,
};

static const struct claim_row {
    const char *name;
    enum row_form form;
    size_t at, size;
    bool kss; /* only if the enclave has Key Separation and Sharing */
} rows[] = {
    { "x-ms-sgx-product-id", AS_U16, 256, 2, false },
    { "x-ms-sgx-svn", AS_U16, 258, 2, false },
    { "x-ms-sgx-mrenclave", AS_HEX, 64, 32, false },
    { "x-ms-sgx-mrsigner", AS_HEX, 128, 32, false },
    { "x-ms-sgx-report-data", AS_HEX, 320, 64, false },
    { "x-ms-sgx-config-id", AS_HEX, 192, 64, true },
    { "x-ms-sgx-config-svn", AS_U16, 260, 2, true },
    { "x-ms-sgx-isv-extended-product-id", AS_HEX, 32, 16, true },
    { "x-ms-sgx-isv-family-id", AS_HEX, 304, 16, true },
};

static void body_rows(const struct sgx_evidence *x, struct claims *c)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct bytes b = bytes_part(x->body.raw, rows[i].at, rows[i].size);

        if (rows[i].kss && (x->body.flags & SGX_FLAG_KSS) == 0)
            continue;
        if (rows[i].form == AS_HEX)
            claims_hex(c, rows[i].name, CLAIM_TO_BOTH, b);
        else
            claims_int(c, rows[i].name, CLAIM_TO_BOTH, b.p[0] | b.p[1] << 8);
    }
}

static struct bytes collateral_object(const struct sgx_evidence *x, struct arena *a)
{
    struct digest quote = sha256(x->submitted);
    struct jobj o = jobj_open(a);

    jobj_hex(&o, "qeidcertshash", BYTES(x->result.qe_certs_hash));
    jobj_hex(&o, "qeidcrlhash", BYTES(x->result.qe_crl_hash));
    jobj_hex(&o, "qeidhash", BYTES(x->result.qe_id_hash));
    jobj_hex(&o, "quotehash", digest_bytes(&quote));
    jobj_hex(&o, "tcbinfocertshash", BYTES(x->result.tcb_certs_hash));
    jobj_hex(&o, "tcbinfocrlhash", BYTES(x->result.tcb_crl_hash));
    jobj_hex(&o, "tcbinfohash", BYTES(x->result.tcb_info_hash));
    return jobj_print(&o, true);
}

/* The names of older policies, with and without the dollar sign (claims.md section 2). */
static void aliases(struct claims *c)
{
    static const struct {
        const char *old, *of;
    } names[] = {
        { "is-debuggable", "x-ms-sgx-is-debuggable" }, { "product-id", "x-ms-sgx-product-id" },
        { "svn", "x-ms-sgx-svn" }, { "sgx-mrsigner", "x-ms-sgx-mrsigner" },
        { "sgx-mrenclave", "x-ms-sgx-mrenclave" },
    };
    static const char *const dollar[] = { "$is-debuggable", "$product-id", "$svn", "$sgx-mrsigner", "$sgx-mrenclave" };

    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < COUNT(names); i++) {
            const struct claim *of = claims_find(c, names[i].of);
            struct claim copy;

            if (of == NULL)
                continue;
            copy = *of;
            copy.name = bytes_str(pass == 0 ? dollar[i] : names[i].old);
            copy.use = CLAIM_TO_POLICY;
            claims_add(c, copy);
        }
    }
    claims_str(c, "$tee", CLAIM_TO_POLICY, LIT("sgx"));
}

/* The service's own claims (section 6.4): which TCB status was accepted is never silent to the policy,
 * and not to the relying party unless the operator wants tokens with the recorded members only. */
static void extra_claims(const struct sgx_evidence *x, const struct verify_env *env, struct claims *c)
{
    unsigned use = env->settings->extra_claims ? CLAIM_TO_BOTH : CLAIM_TO_POLICY;
    const struct sgx_result *r = &x->result;
    const struct {
        const char *name;
        int8_t flag; /* -1: the certificate does not tell */
    } flags[] = {
        { "x-ms-sgx-smt-enabled", r->ext.smt_enabled },
        { "x-ms-sgx-dynamic-platform", r->ext.dynamic_platform },
        { "x-ms-sgx-cached-keys", r->ext.cached_keys },
    };
    struct jarr ids = jarr_open(c->a);

    claims_str(c, "x-ms-sgx-tcb-status", use, bytes_str(tcb_status_name(r->status)));
    claims_int(c, "x-ms-sgx-tcb-eval-number", use, r->eval_number);
    claims_str(c, "x-ms-sgx-tcb-date", use, bytes_str(arena_str(c->a, bytes_str(stamp_text(r->tcb_date).s))));
    claims_str(c, "x-ms-sgx-collateral-expiration", use,
               bytes_str(arena_str(c->a, bytes_str(stamp_text(r->earliest_expiration).s))));
    for (size_t i = 0; i < r->advisory_count; i++)
        jarr_str(&ids, r->advisories[i]);
    claims_json(c, "x-ms-sgx-advisory-ids", use, jarr_close(&ids));
    claims_hex(c, "x-ms-sgx-fmspc", use, BYTES(r->ext.fmspc));
    claims_hex(c, "x-ms-sgx-attributes", use, x->body.attributes);
    claims_hex(c, "x-ms-sgx-xfrm", use, bytes_part(x->body.attributes, 8, 8));
    if (r->ext.has_platform_instance)
        claims_hex(c, "x-ms-sgx-platform-instance-id", use, BYTES(r->ext.platform_instance));
    for (size_t i = 0; i < COUNT(flags); i++)
        if (flags[i].flag >= 0)
            claims_bool(c, flags[i].name, use, flags[i].flag != 0);
}

bool sgx_evidence_claims(const void *ev, const struct evidence_input *in, const struct verify_env *env,
                         struct claims *ret, struct err *e)
{
    const struct sgx_evidence *x = ev;
    struct bytes collateral = collateral_object(x, env->a);
    struct bytes held = in->runtime.present && in->runtime.type == DATA_BINARY ? in->runtime.data
        : x->custom_claims_bound && !in->runtime.present                       ? x->custom_claims
                                                                               : (struct bytes){ NULL, 0 };

    claims_bool(ret, "x-ms-sgx-is-debuggable", CLAIM_TO_BOTH, (x->body.flags & SGX_FLAG_DEBUG) != 0);
    body_rows(x, ret);
    if (held.n > 0)
        claims_b64url(ret, "x-ms-sgx-ehd", CLAIM_TO_BOTH, held);
    claims_json(ret, "x-ms-sgx-collateral", CLAIM_TO_BOTH, collateral);
    if (held.n > 0) {
        claims_b64url(ret, "maa-ehd", CLAIM_TO_BOTH, held);
        claims_b64url(ret, "aas-ehd", CLAIM_TO_BOTH, held);
    }
    claims_json(ret, "maa-attestationcollateral", CLAIM_TO_BOTH, collateral);
    claims_str(ret, "x-ms-sgx-tcbidentifier", CLAIM_TO_BOTH, env->settings->tcb_identifier);
    aliases(ret);
    extra_claims(x, env, ret);
    tcb_sets_claims(&x->result.sets, env, ret);
    return !ret->failed || err_memory(e, "claims");
}
