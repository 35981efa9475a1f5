/* lint.c: warnings for authors (section 13). A policy with warnings is accepted. */
#include "policy/policy_priv.h"

#include "claims/table.h"

static void warn(struct problems *p, enum problem_code code, enum section section, struct place at,
                 const char *message,
                 const char *suggestion)
{
    p->rule = problem_printf(p, "policy > %s > claimRule", section_rules[section]);
    problem_add(p, code, at, (struct problem_text){ message, NULL, suggestion });
}

static const struct test *find_test(const struct condition *c, enum property property)
{
    for (const struct test *t = c->tests; t != NULL; t = t->next)
        if (t->property == property)
            return t;
    return NULL;
}

/* mrsigner and mrenclave are written in lower case: an upper-case digit never compares equal. */
static void lint_hex(struct problems *p, enum section section, const struct condition *c)
{
    const struct test *value = find_test(c, PROP_VALUE);
    bool hash;

    if (c->key == NULL || value == NULL || value->expr->kind != X_STRING)
        return;
    hash = bytes_contain(c->key->expr->text, LIT("mrsigner"))
        || bytes_contain(c->key->expr->text, LIT("mrenclave"));
    for (size_t i = 0; hash && i < value->expr->text.n; i++)
        if (value->expr->text.p[i] >= 'A' && value->expr->text.p[i] <= 'F') {
            warn(p, P_W_HEX, section, value->expr->place, "upper-case digits never equal this claim",
                 "write the hexadecimal value in lower case");
            return;
        }
}

static bool makes(const struct policy *policy, struct bytes type)
{
    for (int s = 0; s < SECTION_COUNT; s++)
        for (const struct rule *r = policy->sections[s].first; r != NULL; r = r->next) {
            const struct expr *made = r->action.made[PROP_TYPE];

            if (made != NULL && (made->kind != X_STRING || bytes_equal(made->text, type)))
                return true;
        }
    return false;
}

/* A claim that nobody makes is no mistake by itself: callers bring claims of their own. One that is a slip away
 * from a known name most likely is. */
static void lint_type(struct problems *p, const struct policy *policy, enum section section, const struct condition *c)
{
    static const char *const known[] = {
#define X(kind, name, type, use, meaning) name,
        CLAIM_TABLE(X)
#undef X
    };
    const struct expr *type = c->key == NULL ? NULL : c->key->expr;
    const char *near;

    if (type == NULL || type->kind != X_STRING)
        return;
    near = nearest_word(type->text, known, COUNT(known));
    if (near == NULL || bytes_is(type->text, near) || makes(policy, type->text))
        return;
    warn(p, P_W_CLAIM, section, type->place, "no evidence yields a claim of this type",
         problem_printf(p, "did you mean '%s'?", near));
}

/* What the queries of published policies got wrong; text is enough to see it. */
static void lint_query(struct problems *p, enum section section, const struct expr *x)
{
    /* clang-format off */
    static const struct { const char *part, *message, *suggestion; } slips[] = {
        { "== true",   "bare true is a field of that name", "write == `true`" },
        { "==true",    "bare true is a field of that name", "write == `true`" },
        { "== false",  "bare false is a field of that name", "write == `false`" },
        { "==false",   "bare false is a field of that name", "write == `false`" },
        { "== null",   "bare null is a field of that name", "write == `null`" },
        { "!= null",   "bare null is a field of that name", "write != `null`" },
        { "PcrIndex == '", "a number never equals a quoted text", "write PcrIndex == `12`" },
        { "PcrIndex=='",   "a number never equals a quoted text", "write PcrIndex == `12`" },
        { "@ != `null`", "an empty array is not null: this is true whenever there is a list", "write length(@) > `0`" },
    };
    /* clang-format on */

    for (size_t i = 0; i < COUNT(slips); i++)
        if (bytes_contain(x->text, bytes_str(slips[i].part))) {
            warn(p, P_W_QUERY_STYLE, section, x->place, slips[i].message, slips[i].suggestion);
            return;
        }
}

/* The recursion is as deep as calls nest, which the parser bounded. */
static void lint_expr(struct problems *p, enum section section, const struct expr *x)
{
    if (x == NULL || x->kind != X_CALL)
        return;
    for (const struct expr *arg = x->args; arg != NULL; arg = arg->next) {
        if (arg->query != NULL)
            lint_query(p, section, arg);
        lint_expr(p, section, arg);
    }
}

static bool denies_absence(const struct rules *rules, struct bytes type)
{
    for (const struct rule *r = rules->first; r != NULL; r = r->next)
        if (r->action.kind == A_DENY && r->conditions != NULL && r->conditions->negated
            && r->conditions->key != NULL
            && bytes_equal(r->conditions->key->expr->text, type))
            return true;
    return false;
}

static const struct rule *unconditional_permit(const struct rules *rules)
{
    for (const struct rule *r = rules->first; r != NULL; r = r->next)
        if (r->action.kind == A_PERMIT && r->conditions == NULL)
            return r;
    return NULL;
}

/* A deny list behind which everything is permitted lets pass who sends no such claim. One warning is enough. */
static void lint_authorization(struct problems *p, const struct rules *rules)
{
    const struct rule *permit = unconditional_permit(rules);

    if (permit == NULL)
        return;
    if (rules->count == 1)
        warn(p, P_W_ALLOWS_ALL, SECTION_AUTHORIZATION, permit->place, "this policy permits everything",
             "put conditions on permit() unless that is meant");
    for (const struct rule *r = rules->first; r != NULL; r = r->next) {
        const struct condition *c = r->conditions;

        if (r->action.kind != A_DENY || c == NULL || c->negated || c->key == NULL
            || find_test(c, PROP_VALUE) == NULL
            || denies_absence(rules, c->key->expr->text))
            continue;
        warn(p, P_W_ABSENT, SECTION_AUTHORIZATION, r->place, "evidence without this claim is not denied",
             problem_printf(p, "add: ![type==\"%.*s\"] => deny(); (version 1.2)",
                            (int)cut_utf8(c->key->expr->text, 80).n,
                            (const char *)c->key->expr->text.p));
        return;
    }
}

void policy_lint(struct policy *policy, struct problems *p)
{
    for (int s = 0; s < SECTION_COUNT; s++)
        for (const struct rule *r = policy->sections[s].first; r != NULL; r = r->next) {
            for (const struct condition *c = r->conditions; c != NULL; c = c->next) {
                lint_hex(p, (enum section)s, c);
                lint_type(p, policy, (enum section)s, c);
                for (const struct test *t = c->tests; t != NULL; t = t->next)
                    lint_expr(p, (enum section)s, t->expr);
            }
            for (int i = PROP_TYPE; i <= PROP_VALUE_TYPE; i++)
                lint_expr(p, (enum section)s, r->action.made[i]);
        }
    lint_authorization(p, &policy->sections[SECTION_AUTHORIZATION]);
}
