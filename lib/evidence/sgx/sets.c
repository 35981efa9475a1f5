/* sets.c: the vendor's TCB evaluation sets beside the one that counts: what standard and early say of a platform, so that
 * a policy sees a TCB recovery coming before it is the standard (section 4.3).
 *
 * Nothing here refuses: what a set lacks is told in its claims. */
#include "evidence/sgx/sgx.h"

#include "codec/stamp.h"

enum { MAX_NUMBERS = 64 };

/* -- the list -- */

bool eval_numbers_parse(const struct json *body, struct arena *a, struct eval_numbers *ret, struct err *e)
{
    static const char what[] = "TCB evaluation numbers";
    struct eval_numbers n = { .count = 0 };
    const struct json *list = member_of(body, "tcbEvalNumbers", JSON_ARRAY, e), *id = json_member(body, "id");
    struct bytes name;

    if (list == NULL || !member_time(body, "issueDate", &n.issue, e) || !member_time(body, "nextUpdate", &n.next, e))
        return false;
    if (!json_string(id, &name) || (!bytes_is(name, "SGX") && !bytes_is(name, "TDX")))
        return err_set(e, ERR_COLLATERAL_FORMAT, what, "id is neither SGX nor TDX");
    if (list->count > MAX_NUMBERS)
        return err_set(e, ERR_COLLATERAL_FORMAT, what, "has %zu sets, at most %d are expected", list->count, MAX_NUMBERS);
    n.tdx = bytes_is(name, "TDX");
    n.list = arena_many(a, list->count, struct eval_number);
    if (n.list == NULL && list->count > 0)
        return err_memory(e, what);
    for (const struct json *x = list->child; x != NULL; x = x->next) {
        struct eval_number *to = &n.list[n.count++];

        if (!member_uint(x, "tcbEvaluationDataNumber", UINT32_MAX, &to->number, e) || !member_time(x, "tcbRecoveryEventDate", &to->event, e))
            return false;
    }
    *ret = n;
    return true;
}

void eval_numbers_pick(const struct eval_numbers *n, int64_t now, int64_t *ret_standard, int64_t *ret_early)
{
    *ret_standard = *ret_early = 0;
    for (size_t i = 0; i < n->count; i++) {
        const struct eval_number *x = &n->list[i];

        if (x->number > *ret_early)
            *ret_early = x->number;
        if (x->number > *ret_standard && now - x->event >= EVAL_STANDARD_AFTER)
            *ret_standard = x->number;
    }
}

bool eval_numbers_peek(struct bytes document, int64_t now, struct arena *a, int64_t *ret_standard, int64_t *ret_early)
{
    struct eval_numbers n;
    const struct json *doc, *body;

    if (!json_parse(document, JSON_DEPTH, "TCB evaluation numbers", a, &doc, NULL)
        || (body = json_member(doc, "tcbEvaluationDataNumbers")) == NULL || !eval_numbers_parse(body, a, &n, NULL))
        return false;
    eval_numbers_pick(&n, now, ret_standard, ret_early);
    return true;
}

/* -- the sets -- */

struct judging {
    const struct quote *quote;
    const struct quote_verified *verified;
    const struct verify_env *env;
    bool (*judge)(const void *evidence, const struct quote_verified *v, const struct verify_env *env, struct tcb_set *ret, struct err *e);
    const void *evidence;
};

static bool not_at_hand(const struct judging *x, const char *why, struct tcb_set *ret)
{
    ret->status = TCB_SET_MISSING;
    ret->missing = arena_str(x->env->a, bytes_str(why));
    return ret->missing != NULL;
}

/* The number and nothing else: sets are not mixed, whatever the settings are, and no check of it is told as one of the
 * verification. false: out of memory. */
static bool evaluate(const struct judging *x, struct tcb_set *ret)
{
    struct settings only = *x->env->settings;
    struct verify_env env = *x->env;
    struct err why = { .code = ERR_NONE };
    struct quote_verified v;

    only.tcb_eval_number = ret->number;
    only.mix_eval_numbers = false;
    env.settings = &only;
    env.checks = NULL;
    if (quote_judge_again(x->quote, x->verified, &env, &v, &why)) {
        ret->decided = x->judge(x->evidence, &v, &env, ret, &why);
        quote_verified_done(&v);
    }
    if (ret->decided)
        return true;
    if (why.code == ERR_NO_MEMORY)
        return false;
    if (err_is_undecided(why.code))
        return not_at_hand(x, why.why, ret);
    ret->status = err_name(why.code); /* the set refuses the platform: a policy may want to as well */
    return true;
}

static bool evaluate_numbers(const struct judging *x, const struct eval_numbers *n, struct tcb_sets *ret)
{
    eval_numbers_pick(n, x->env->now, &ret->standard.number, &ret->early.number);
    if (ret->standard.number == 0 ? !not_at_hand(x, "the vendor's list has no set that is standard yet", &ret->standard)
                                  : !evaluate(x, &ret->standard))
        return false;
    if (ret->early.number == 0)
        return not_at_hand(x, "the vendor's list is empty", &ret->early);
    if (ret->early.number == ret->standard.number) {
        ret->early = ret->standard;
        return true;
    }
    return evaluate(x, &ret->early);
}

bool tcb_sets_evaluate(const struct quote *q, const struct quote_verified *v, const struct verify_env *env,
                       bool (*judge)(const void *evidence, const struct quote_verified *v, const struct verify_env *env,
                                     struct tcb_set *ret, struct err *e),
                       const void *evidence, struct tcb_sets *ret, struct err *e)
{
    const struct judging x = { q, v, env, judge, evidence };
    struct tcb_sets r = { .evaluated = env->settings->tcb_sets };
    struct verify_env quiet = *env;
    struct intel_judge owner;
    const struct eval_numbers *numbers;
    struct err why = { .code = ERR_NONE };
    bool ok;

    *ret = r;
    if (!r.evaluated)
        return true;
    quiet.checks = NULL;
    if (intel_numbers_get(q->tee == TEE_TDX, &v->judge, &quiet, &owner, &numbers, &why)) {
        ok = evaluate_numbers(&x, numbers, &r);
        intel_judge_done(&owner);
    } else {
        ok = why.code != ERR_NO_MEMORY && not_at_hand(&x, why.why, &r.standard) && not_at_hand(&x, why.why, &r.early);
    }
    if (!ok)
        return err_memory(e, "TCB evaluation sets");
    *ret = r;
    return true;
}

/* -- claims -- */

static void set_claims(const struct tcb_set *s, const char *const names[5], unsigned use, struct claims *c)
{
    struct jarr ids = jarr_open(c->a);

    claims_str(c, names[0], use, bytes_str(s->status));
    if (s->number != 0)
        claims_int(c, names[1], use, s->number);
    if (s->missing != NULL)
        claims_str(c, names[4], use, bytes_str(s->missing));
    if (!s->decided)
        return;
    claims_str(c, names[2], use, bytes_str(arena_str(c->a, bytes_str(stamp_text(s->date).s))));
    for (size_t i = 0; i < s->advisory_count; i++)
        jarr_str(&ids, s->advisories[i]);
    claims_json(c, names[3], use, jarr_close(&ids));
}

void tcb_sets_claims(const struct tcb_sets *s, const struct verify_env *env, struct claims *c)
{
    static const char *const standard[] = { "x-avouch-tcb-standard-status", "x-avouch-tcb-standard-eval-number", "x-avouch-tcb-standard-date",
                                            "x-avouch-tcb-standard-advisory-ids", "x-avouch-tcb-standard-missing" };
    static const char *const early[] = { "x-avouch-tcb-early-status", "x-avouch-tcb-early-eval-number", "x-avouch-tcb-early-date",
                                         "x-avouch-tcb-early-advisory-ids", "x-avouch-tcb-early-missing" };
    unsigned use = env->settings->extra_claims ? CLAIM_TO_BOTH : CLAIM_TO_POLICY;

    if (env->settings->collateral_max_age != 0)
        claims_int(c, "x-avouch-collateral-max-age", use, env->settings->collateral_max_age);
    if (!s->evaluated)
        return;
    set_claims(&s->standard, standard, use, c);
    set_claims(&s->early, early, use, c);
}
