/* choose.c: which of the items at hand judge a platform (section 4.7). Nothing is verified here: what is chosen and does not
 * hold is the reason of a refusal. */
#include "evidence/sgx/sgx.h"

#include <stdio.h>

static bool valid_now(const struct collateral_item *i, int64_t now)
{
    return i->from <= now && now <= i->to;
}

static bool fits_tcb(const struct collateral_item *i, bool tdx, const struct pck_chain *chain, const struct settings *s)
{
    return i->kind == COLL_TCB_INFO && bytes_is(i->id, tdx ? "TDX" : "SGX") && memcmp(i->fmspc, chain->ext.fmspc, 6) == 0
        && (s->tcb_eval_number == 0 ? !i->aside : i->eval_number == s->tcb_eval_number);
}

static bool fits_identity(const struct collateral_item *i, bool tdx, const struct settings *s)
{
    return i->kind == COLL_QE_IDENTITY && bytes_is(i->id, tdx ? "TD_QE" : "QE")
        && (s->tcb_eval_number == 0 || s->mix_eval_numbers ? !i->aside : i->eval_number == s->tcb_eval_number);
}

/* Whether an identity of this evaluation number is there and valid. */
static bool has_pair(const struct collateral *c, bool tdx, int64_t eval, const struct verify_env *env)
{
    for (size_t i = 0; i < c->count; i++)
        if (fits_identity(&c->list[i], tdx, env->settings) && c->list[i].eval_number == eval
            && valid_now(&c->list[i], env->now))
            return true;
    return false;
}

bool intel_young_enough(int64_t issued, const struct verify_env *env)
{
    int64_t limit = env->settings->collateral_max_age;

    return limit == 0 || env->now - issued <= limit;
}

/* Larger is better: valid now, then a fitting pair, then the newest evaluation; of one set what is young enough, then
 * the newest form and issue. A lower set never stands in for one that is too old. */
static int compare_tcb(const struct collateral_item *x, const struct collateral_item *y, bool tdx,
                       const struct verify_env *env)
{
    int d = valid_now(x, env->now) - valid_now(y, env->now);

    if (d == 0)
        d = has_pair(env->collateral, tdx, x->eval_number, env) - has_pair(env->collateral, tdx, y->eval_number, env);
    if (d == 0)
        d = (x->eval_number > y->eval_number) - (x->eval_number < y->eval_number);
    if (d == 0)
        d = intel_young_enough(x->from, env) - intel_young_enough(y->from, env);
    if (d == 0)
        d = (x->version > y->version) - (x->version < y->version);
    return d != 0 ? d : (x->from > y->from) - (x->from < y->from);
}

static int compare_identity(const struct collateral_item *x, const struct collateral_item *y, int64_t eval, int64_t now)
{
    int d = (x->eval_number == eval) - (y->eval_number == eval);

    if (d == 0)
        d = valid_now(x, now) - valid_now(y, now);
    if (d == 0)
        d = (x->eval_number > y->eval_number) - (x->eval_number < y->eval_number);
    return d != 0 ? d : (x->from > y->from) - (x->from < y->from);
}

static const struct collateral_item *find_crl(const struct collateral *c, struct bytes issuer_cn, int64_t now)
{
    const struct collateral_item *best = NULL;

    for (size_t i = 0; i < c->count; i++) {
        const struct collateral_item *x = &c->list[i];

        if (x->kind != COLL_CRL || !bytes_equal(x->issuer_cn, issuer_cn))
            continue;
        if (best == NULL || valid_now(x, now) > valid_now(best, now)
            || (valid_now(x, now) == valid_now(best, now) && x->from > best->from))
            best = x;
    }
    return best;
}

static bool missing(struct err *e, const char *piece, const struct pck_chain *chain, int64_t eval)
{
    char fmspc[13], number[32] = "";

    for (int i = 0; i < 6; i++)
        snprintf(fmspc + 2 * i, 3, "%02x", chain->ext.fmspc[i]);
    if (eval != 0)
        snprintf(number, sizeof(number), " of evaluation number %lld", (long long)eval);
    return err_set(e, ERR_COLLATERAL_MISSING, piece, "no %s%s on hand for FMSPC %s, CA %s", piece, number, fmspc,
                   chain->platform_ca ? "platform" : "processor");
}

static const struct collateral_item *choose_identity(const struct collateral *c, bool tdx, int64_t eval,
                                                     const struct verify_env *env)
{
    const struct collateral_item *best = NULL, *other = NULL;

    for (size_t i = 0; i < c->count; i++) {
        const struct collateral_item *x = &c->list[i];

        if (x->kind == COLL_QE_IDENTITY && !bytes_is(x->id, tdx ? "TD_QE" : "QE"))
            other = x;
        if (fits_identity(x, tdx, env->settings) && (best == NULL || compare_identity(x, best, eval, env->now) > 0))
            best = x;
    }
    return best != NULL ? best : other; /* one of another enclave is refused with that reason (step 10) */
}

bool intel_choose(const struct pck_chain *chain, bool tdx, const struct verify_env *env,
                  struct intel_choice *ret, struct err *e)
{
    const struct collateral *c = env->collateral;
    struct intel_choice r = { 0 };

    for (size_t i = 0; i < c->count; i++)
        if (fits_tcb(&c->list[i], tdx, chain, env->settings)
            && (r.tcb_info == NULL || compare_tcb(&c->list[i], r.tcb_info, tdx, env) > 0))
            r.tcb_info = &c->list[i];
    r.root_crl = find_crl(c, chain->intermediate.issuer_cn, env->now);
    r.pck_crl = find_crl(c, chain->leaf.issuer_cn, env->now);
    if (r.root_crl == NULL)
        return missing(e, "root CA CRL", chain, 0);
    if (r.pck_crl == NULL)
        return missing(e, "PCK CRL", chain, 0);
    if (r.tcb_info == NULL)
        return missing(e, "TCB info", chain, env->settings->tcb_eval_number);
    r.identity = choose_identity(c, tdx, r.tcb_info->eval_number, env);
    if (r.identity == NULL
        || (!env->settings->mix_eval_numbers && r.identity->eval_number != r.tcb_info->eval_number))
        return missing(e, "QE identity", chain, r.tcb_info->eval_number);
    *ret = r;
    return true;
}

const struct collateral_item *intel_choose_numbers(bool tdx, const struct verify_env *env)
{
    const struct collateral_item *best = NULL;

    for (size_t i = 0; i < env->collateral->count; i++) {
        const struct collateral_item *x = &env->collateral->list[i];

        if (x->kind != COLL_EVAL_NUMBERS || !bytes_is(x->id, tdx ? "TDX" : "SGX"))
            continue;
        if (best == NULL || valid_now(x, env->now) > valid_now(best, env->now)
            || (valid_now(x, env->now) == valid_now(best, env->now) && x->from > best->from))
            best = x;
    }
    return best;
}
