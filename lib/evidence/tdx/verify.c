/* verify.c: a TD quote against Intel's collateral (evidence-sgx section 9). */
#include "evidence/tdx/tdx.h"

#define WHAT "TDX quote"

static bool keep_advisories(const struct tdx_levels *l, const struct tcb_level *qe, struct arena *a,
                            struct tdx_result *ret)
{
    const struct tcb_level *all[3] = { l->tdx };
    size_t n = 1;

    if (l->module != NULL)
        all[n++] = l->module;
    all[n++] = qe;
    return advisories_join(a, all, 1, &ret->platform_advisories, &ret->platform_advisory_count)
        && advisories_join(a, all, n, &ret->advisories, &ret->advisory_count);
}

static void keep_dates(const struct intel_judge *j, struct tdx_result *ret)
{
    int64_t tcb = j->tcb->tcb.eval_number, qe = j->identity->identity.eval_number;

    ret->eval_number = tcb < qe ? tcb : qe;
    ret->earliest_issue = j->earliest_issue;
    ret->latest_issue = j->latest_issue;
    ret->earliest_expiration = j->earliest_expiration;
}

static bool judge(const struct quote_verified *v, const struct td_body *td, const struct verify_env *env,
                  struct tdx_result *ret, struct err *e)
{
    const struct tcb_info *tcb = &v->judge.tcb->tcb;
    const struct tdx_module *module;
    struct tdx_levels l;
    bool relaunch = false;

    ret->qe_status = v->qe_level->status;
    ret->qe_date = v->qe_level->date;
    if (!tdx_module_find(td, tcb, env, &module, e)
        || !tdx_levels_find(td, &v->chain->ext, tcb, module, env, &l, e)
        || !tdx_relaunch_helps(td, &l, tcb, v->qe_level->status, &relaunch, e))
        return false;
    ret->sgx_status = l.sgx->status;
    ret->platform_status = l.tdx->status;
    ret->tcb_date = l.tdx->date;
    ret->has_module = l.module != NULL;
    ret->module_status = l.module == NULL ? LEVEL_UP_TO_DATE : l.module->status;
    ret->module_date = l.module == NULL ? 0 : l.module->date;
    ret->status = tdx_converge(&l, v->qe_level->status, relaunch, &ret->attester_status);
    ret->ext = v->chain->ext;
    keep_dates(&v->judge, ret);
    ret->decided = true;
    return keep_advisories(&l, v->qe_level, env->a, ret) || err_memory(e, WHAT);
}

static bool judge_set(const void *evidence, const struct quote_verified *v, const struct verify_env *env, struct tcb_set *ret,
                      struct err *e)
{
    struct tdx_result r = { .decided = false };

    if (!judge(v, evidence, env, &r, e))
        return false;
    ret->status = tcb_status_name(r.status);
    ret->date = r.tcb_date;
    ret->advisories = r.advisories;
    ret->advisory_count = r.advisory_count;
    return true;
}

bool tdx_quote_verify(const struct quote *q, const struct td_body *td, const struct verify_env *env,
                      struct tdx_result *ret, struct err *e)
{
    struct tdx_result r = { .decided = false };
    struct quote_verified v;
    bool ok;

    if (!quote_verify_common(q, env, &v, e))
        return false;
    ok = judge(&v, td, env, &r, e) && tcb_status_accepted(r.status, env, WHAT, e)
        && tcb_sets_evaluate(q, &v, env, judge_set, td, &r.sets, e);
    quote_verified_done(&v);
    *ret = r;
    return ok;
}
