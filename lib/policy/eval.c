/* eval.c: a compiled policy on claims (section 6). Cost: rules times claims of the types they name; every claim
 * looked at, every value compared, every step of a query is counted against one budget. */
#include "policy/eval_priv.h"

#include <stdarg.h>
#include <stdio.h>

/* -- failing -- */

#define HEAD "Native operation failed with 65518: Policy Evaluation Error has occurred Msg:[Policy Engine Exception: "

bool run_fail(struct run *r, struct place at, const char *function, const char *fmt, ...)
{
    char why[200], what[64];
    va_list args;

    va_start(args, fmt);
    vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);
    snprintf(what, sizeof(what), "policy %u:%u", at.line, at.column);
    r->failed = true;
    return err_set(r->e, ERR_POLICY_EVALUATION, what, HEAD "%s: %s at line %u, column %u]", function, why,
                   at.line, at.column);
}

bool run_memory(struct run *r)
{
    r->failed = true;
    return err_memory(r->e, "policy evaluation");
}

static struct place place_now(const struct run *r)
{
    return r->rule == NULL ? (struct place){ .line = 1, .column = 1 } : r->rule->place;
}

void *run_temp(struct run *r, size_t count, size_t size)
{
    void *p = arena_array(&r->temp, count, size);

    if (p == NULL)
        run_fail(r, place_now(r), "budget", "the rule needs more memory than it may take");
    return p;
}

bool run_spend(struct run *r, uint64_t n)
{
    if (r->steps > n) {
        r->steps -= n;
        return true;
    }
    r->steps = 0;
    return run_fail(r, place_now(r), "budget", "the evaluation needs more steps than it may take");
}

bool run_made(struct run *r, struct place at, size_t n)
{
    r->made += n;
    if (r->made > MAX_MADE)
        return run_fail(r, at, "budget", "the policy makes more than %zu bytes of values", MAX_MADE);
    return run_spend(r, 1 + n / 64);
}

/* -- expressions -- */

static bool single(struct run *r, struct value v, struct value_set *ret)
{
    struct value *list = run_many(r, 1, struct value);

    if (list == NULL)
        return false;
    *list = v;
    *ret = (struct value_set){ .list = list, .count = 1 };
    return true;
}

static bool eval_property(struct eval *ev, const struct expr *x, struct value_set *ret)
{
    const struct binding *b = &ev->bindings[x->slot];
    struct value *list = run_many(&ev->run, b->count, struct value);

    if (list == NULL || !run_spend(&ev->run, b->count))
        return false;
    for (size_t i = 0; i < b->count; i++)
        list[i] = value_of_claim(&ev->set.list[b->claims[i]], x->property);
    *ret = (struct value_set){ .list = list, .count = b->count };
    return true;
}

/* The recursion is as deep as calls nest, which the parser bounded. */
static bool eval_call(struct eval *ev, const struct expr *x, struct value_set *ret)
{
    struct value_set args[2] = { 0 };
    size_t i = 0;

    for (const struct expr *arg = x->args; arg != NULL && i < COUNT(args); arg = arg->next)
        if (!eval_expr(ev, arg, &args[i++]))
            return false;
    return run_spend(&ev->run, 1) && x->function->call(&ev->run, x, args, ret);
}

bool eval_expr(struct eval *ev, const struct expr *x, struct value_set *ret)
{
    switch (x->kind) {
    case X_STRING:
        return single(&ev->run, (struct value){ .type = V_STRING, .text = x->text }, ret);
    case X_INTEGER:
        return single(&ev->run, (struct value){ .type = V_INTEGER, .integer = x->integer }, ret);
    case X_BOOLEAN:
        return single(&ev->run, (struct value){ .type = V_BOOLEAN, .boolean = x->boolean }, ret);
    case X_PROPERTY:
        return eval_property(ev, x, ret);
    case X_CALL:
        return eval_call(ev, x, ret);
    }
    return false;
}

/* -- conditions -- */

/* The right side of a test, prepared so that each claim is decided in constant time. */
struct operand {
    bool ready;
    struct value_set values;
    bool differ;           /* not all values are equal */
    bool any_integer;
    int64_t least, greatest;
};

static bool prepare(struct eval *ev, const struct test *t, struct operand *o)
{
    if (o->ready)
        return true;
    if (!eval_expr(ev, t->expr, &o->values) || !run_spend(&ev->run, o->values.count))
        return false;
    for (size_t i = 0; i < o->values.count; i++) {
        const struct value *v = &o->values.list[i];

        if (v->type == V_STRING && !run_spend(&ev->run, v->text.n / 64))
            return false;
        o->differ = o->differ || !value_equal(v, &o->values.list[0]);
        if (v->type != V_INTEGER)
            continue;
        if (!o->any_integer || v->integer < o->least)
            o->least = v->integer;
        if (!o->any_integer || v->integer > o->greatest)
            o->greatest = v->integer;
        o->any_integer = true;
    }
    o->ready = true;
    return true;
}

/* Section 6.3: some member r of the right side satisfies "value op r". */
static bool holds(struct run *r, const struct value *v, enum token_kind op, struct operand *o)
{
    if (op == T_EQ)
        return value_set_has(r, &o->values, v);
    if (op == T_NE)
        return o->values.count > 0 && (o->differ || !value_equal(v, &o->values.list[0]));
    if (v->type != V_INTEGER || !o->any_integer)
        return false;
    switch (op) {
    case T_LT:
        return v->integer < o->greatest;
    case T_LE:
        return v->integer <= o->greatest;
    case T_GT:
        return v->integer > o->least;
    default:
        return v->integer >= o->least;
    }
}

/* The first test that the claim fails, or NULL: it matches. *ok is false after an evaluation error. */
static const struct test *failed_test(struct eval *ev, const struct condition *c, const struct claim *claim,
                                      struct operand *operands, bool *ok)
{
    struct operand *o = operands;

    for (const struct test *t = c->tests; t != NULL; t = t->next, o++) {
        struct value v = value_of_claim(claim, t->property);

        *ok = prepare(ev, t, o) && run_spend(&ev->run, 1 + (v.type == V_STRING ? v.text.n / 64 : 0));
        if (!*ok || !holds(&ev->run, &v, t->op, o)) {
            *ok = *ok && !ev->run.failed;
            return t;
        }
    }
    return NULL;
}

static void trace_failed(struct eval *ev, struct trace_condition *tc, const struct claim *claim,
                         const struct test *t,
                         const struct operand *o)
{
    struct value v = value_of_claim(claim, t->property);

    if (ev->trace->used < TRACE_CLAIMS)
        trace_claim_add(ev->trace, tc, claim, false,
                        trace_reason(ev->trace, property_names[t->property], &v, token_texts[t->op], &o->values));
    else
        ev->trace->cut = true;
}

static size_t first_candidate(struct eval *ev, const struct condition *c)
{
    return c->key != NULL ? claim_set_first(&ev->run, &ev->set, c->key->expr->text) : ev->set.count > 0 ? 0 : NO_CLAIM;
}

static size_t next_candidate(const struct eval *ev, const struct condition *c, size_t i)
{
    if (c->key != NULL)
        return ev->set.next_of_type[i];
    return i + 1 < ev->set.count ? i + 1 : NO_CLAIM;
}

static bool bind(struct eval *ev, struct binding *b, size_t claim)
{
    if (b->count == b->room) {
        size_t room = b->room == 0 ? 4 : b->room * 2;
        uint32_t *claims = run_many(&ev->run, room, uint32_t);

        if (claims == NULL)
            return false;
        if (b->count > 0)
            memcpy(claims, b->claims, b->count * sizeof(*claims));
        b->claims = claims;
        b->room = room;
    }
    b->claims[b->count++] = (uint32_t)claim;
    return true;
}

/* Collects the claims that satisfy the condition. */
static bool match(struct eval *ev, const struct condition *c, struct binding *b, struct trace_condition *tc)
{
    struct operand operands[MAX_TESTS] = { 0 };
    bool ok = true;

    for (size_t i = first_candidate(ev, c); i != NO_CLAIM; i = next_candidate(ev, c, i)) {
        const struct claim *claim = &ev->set.list[i];
        const struct test *failed = failed_test(ev, c, claim, operands, &ok);

        if (!ok)
            return false;
        if (tc != NULL && failed == NULL)
            trace_claim_add(ev->trace, tc, claim, true, NULL);
        /* a condition without a type fails on nearly every claim: only short lists are told */
        else if (tc != NULL && (c->key != NULL || ev->set.count <= 8))
            trace_failed(ev, tc, claim, failed, &operands[test_number(c, failed)]);
        if (failed != NULL)
            continue;
        if (!bind(ev, b, i))
            return false;
        if (c->negated && tc == NULL) /* one is enough */
            return true;
    }
    return true;
}

/* *ret: whether the rule goes on. */
static bool eval_condition(struct eval *ev, const struct condition *c, struct trace_rule *tr, bool *ret)
{
    struct trace_condition *tc = tr == NULL ? NULL : trace_condition_add(ev->trace, tr, ev->run.p, c);
    struct binding found = { 0 };

    if (!match(ev, c, &found, tc))
        return false;
    *ret = (found.count == 0) == c->negated;
    if (tc != NULL)
        tc->holds = *ret;
    if (c->name.n > 0)
        ev->bindings[c->slot] = found;
    return true;
}

/* -- actions -- */

static bool check_types(struct eval *ev, const struct action *a, const struct value_set *types)
{
    for (size_t i = 0; i < types->count; i++)
        if (types->list[i].type != V_STRING || types->list[i].text.n == 0)
            return run_fail(&ev->run, a->place, action_names[a->kind], "type must be a string that is not empty");
    return true;
}

/* valueType, where it is given: one string, the type of the value. */
static bool check_kind(struct eval *ev, const struct action *a, const struct value_set *kinds, const struct value *v)
{
    if (kinds->count != 1 || kinds->list[0].type != V_STRING)
        return run_fail(&ev->run, a->place, action_names[a->kind], "valueType must be one string");
    return bytes_is(kinds->list[0].text, value_type_name(v->type))
        || run_fail(&ev->run, a->place, action_names[a->kind], "a value is of type %s, which valueType denies",
                    value_type_name(v->type));
}

static struct claim claim_of(const struct value *type, const struct value *v)
{
    struct claim c = { .name = type->text, .issuer = ISSUER_POLICY };

    c.use = CLAIM_TO_BOTH | (v->read_only || type->read_only ? CLAIM_READ_ONLY : 0);
    c.type = v->type == V_STRING ? CLAIM_STRING : v->type == V_INTEGER ? CLAIM_INTEGER : CLAIM_BOOLEAN;
    c.text = v->text;
    c.integer = v->integer;
    c.boolean = v->boolean;
    return c;
}

/* claimNew: a claim for every pair of T x V (section 6.4). */
static bool make_claims(struct eval *ev, const struct action *a, struct claims *ret)
{
    struct value_set types, values, kinds;
    const struct expr *kind = a->made[PROP_VALUE_TYPE];

    if (!eval_expr(ev, a->made[PROP_TYPE], &types) || !eval_expr(ev, a->made[PROP_VALUE], &values)
        || (kind != NULL && !eval_expr(ev, kind, &kinds)) || !check_types(ev, a, &types))
        return false;
    for (size_t i = 0; i < types.count; i++)
        for (size_t k = 0; k < values.count; k++) {
            if (!run_spend(&ev->run, 1) || (kind != NULL && !check_kind(ev, a, &kinds, &values.list[k])))
                return false;
            if (ret->count >= MAX_CLAIMS)
                return run_fail(&ev->run, a->place, action_names[a->kind], "the rule makes more than %u claims",
                                MAX_CLAIMS);
            claims_add(ret, claim_of(&types.list[i], &values.list[k]));
        }
    return !ret->failed || run_temp(&ev->run, SIZE_MAX, 1) != NULL;
}

/* claim = c: copies keep their issuer. */
static bool copy_claims(struct eval *ev, const struct action *a, struct claims *ret)
{
    const struct binding *b = &ev->bindings[a->slot];

    if (!run_spend(&ev->run, b->count))
        return false;
    for (size_t i = 0; i < b->count; i++)
        claims_add(ret, ev->set.list[b->claims[i]]);
    return !ret->failed || run_temp(&ev->run, SIZE_MAX, 1) != NULL;
}

static bool refuse_read_only(struct eval *ev, const struct action *a, const struct claims *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        if ((batch->list[i].use & CLAIM_READ_ONLY) != 0)
            return run_fail(&ev->run, a->place, action_names[a->kind],
                            "the value comes from a read-only claim; it may be tested and added, never issued");
    return true;
}

static int64_t limit(int64_t v, int64_t low, int64_t high)
{
    return v < low ? low : v > high ? high : v;
}

/* Token properties have an effect for TPM and VBS; a value out of range fails there (section 9.2). */
static bool check_properties(struct eval *ev, const struct action *a, const struct claims *batch)
{
    if (!type_is_tpm(ev->run.p->type) && ev->run.p->type.n > 0)
        return true;
    for (size_t i = 0; i < batch->count; i++) {
        const struct claim *c = &batch->list[i];
        const struct known_property *k = known_property(c->name, SECTION_ISSUANCE);

        if (k == NULL)
            continue;
        if (c->type != (k->type == V_INTEGER ? CLAIM_INTEGER : CLAIM_BOOLEAN))
            return run_fail(&ev->run, a->place, "issueproperty", "%s needs type %s", k->name,
                            value_type_name(k->type));
        if (k->type == V_INTEGER && limit(c->integer, k->min, k->max) != c->integer)
            return run_fail(&ev->run, a->place, "issueproperty", "the value of %s is out of range; %lld to %lld is accepted", k->name,
                            (long long)k->min, (long long)k->max);
    }
    return true;
}

static bool run_action(struct eval *ev, const struct action *a, struct trace_rule *tr)
{
    struct claims batch = claims_open(&ev->run.temp);

    if (a->kind == A_PERMIT || a->kind == A_DENY) {
        const struct rule **first = a->kind == A_PERMIT ? &ev->permit : &ev->deny;

        if (*first == NULL)
            *first = ev->run.rule;
        return true;
    }
    if (a->claim.n > 0 ? !copy_claims(ev, a, &batch) : !make_claims(ev, a, &batch))
        return false;
    /* issue() in authorizationrules acts as add(): section 4.4 */
    if ((a->kind == A_ISSUE && ev->section == SECTION_ISSUANCE) || a->kind == A_ISSUE_PROPERTY) {
        if (!refuse_read_only(ev, a, &batch))
            return false;
        if (a->kind == A_ISSUE_PROPERTY && !check_properties(ev, a, &batch))
            return false;
        if (!claim_set_add(&ev->run, a->kind == A_ISSUE ? &ev->issued : &ev->properties, &batch, NULL))
            return false;
    }
    for (size_t i = 0; tr != NULL && i < batch.count; i++)
        trace_made(ev->trace, tr, &batch.list[i]);
    return claim_set_add(&ev->run, &ev->set, &batch, ev->added);
}

/* -- rules -- */

/* The permit rule that came nearest: the fewest conditions from the one that failed to the end. */
static void note_nearest(struct eval *ev, const struct rule *rule, unsigned satisfied)
{
    unsigned missing = rule->condition_count - satisfied;

    if (rule->action.kind != A_PERMIT || (ev->nearest != NULL && missing >= ev->nearest_missing))
        return;
    ev->nearest = rule;
    ev->nearest_missing = missing;
    ev->nearest_satisfied = satisfied;
}

static bool eval_rule(struct eval *ev, const struct rule *rule, unsigned number)
{
    struct trace_rule *tr = ev->trace == NULL
        ? NULL : trace_rule_add(ev->trace, ev->run.p, ev->section, rule, number);
    unsigned satisfied = 0;
    bool go_on = true, ok = run_spend(&ev->run, 1);

    ev->run.rule = rule;
    arena_reset(&ev->run.temp, TEMP_BUDGET);
    for (const struct condition *c = rule->conditions; ok && c != NULL; c = c->next) {
        ok = eval_condition(ev, c, tr, &go_on);
        if (!ok || !go_on)
            break;
        satisfied++;
    }
    if (tr != NULL) {
        tr->satisfied = satisfied;
        tr->fired = ok && go_on;
    }
    if (ok && go_on)
        ok = run_action(ev, &rule->action, tr);
    else if (ok)
        note_nearest(ev, rule, satisfied);
    if (!ok && tr != NULL && ev->run.e != NULL)
        tr->error = arena_str(ev->trace->a, bytes_str(ev->run.e->why));
    return ok;
}

static bool eval_section(struct eval *ev, enum section section)
{
    unsigned number = 0;

    ev->section = section;
    for (const struct rule *r = ev->run.p->sections[section].first; r != NULL; r = r->next)
        if (!eval_rule(ev, r, number++))
            return false;
    return true;
}

/* -- the decision -- */

static void decisive(struct eval *ev, enum policy_decision decision, const struct rule *rule)
{
    if (ev->trace == NULL)
        return;
    ev->trace->decision = decision;
    for (const struct trace_rule *t = ev->trace->first; t != NULL && rule != NULL; t = t->next)
        if (t->rule == rule)
            ev->trace->decisive = t;
}

static struct bytes rule_text(struct eval *ev, const struct rule *rule)
{
    return cut_utf8(source_collapse(ev->run.a, bytes_part(ev->run.p->text, rule->place.at, rule->place.length)),
                    200);
}

/* Section 6.1 step 5: a deny beats every permit. */
static bool decide(struct eval *ev)
{
    char what[64];
    struct bytes text;

    if (ev->deny != NULL) {
        text = rule_text(ev, ev->deny);
        snprintf(what, sizeof(what), "policy %u:%u", ev->deny->place.line, ev->deny->place.column);
        decisive(ev, POLICY_DENIED, ev->deny);
        return err_set(ev->run.e, ERR_POLICY_DENIED, what,
                       HEAD "A Deny claim was issued, authorization failed.]\nPolicyValidationFailure: %.*s",
                       (int)text.n, (const char *)text.p);
    }
    if (ev->permit != NULL)
        return true;
    decisive(ev, POLICY_NOT_PERMITTED, ev->nearest);
    if (ev->nearest == NULL)
        return err_set(ev->run.e, ERR_POLICY_DENIED, "policy",
                       HEAD "No Permit claim was issued in the authorizationrules section, authorization failed.]");
    text = rule_text(ev, ev->nearest);
    snprintf(what, sizeof(what), "policy %u:%u", ev->nearest->place.line, ev->nearest->place.column);
    return err_set(ev->run.e, ERR_POLICY_DENIED, what,
                   HEAD "No Permit claim was issued in the authorizationrules section, authorization failed.]\n"
                        "Nearest rule, line %u, stopped by its condition %u: %.*s",
                   ev->nearest->place.line, ev->nearest_satisfied + 1, (int)text.n, (const char *)text.p);
}

/* The incoming claims that are for policies, then the properties of configurationrules (section 6.1). */
static bool fill(struct eval *ev, const struct claims *incoming)
{
    struct claims list = claims_open(ev->run.a);

    for (size_t i = 0; i < incoming->count; i++)
        if ((incoming->list[i].use & CLAIM_TO_POLICY) != 0)
            claims_add(&list, incoming->list[i]);
    if (list.failed || incoming->failed)
        return run_memory(&ev->run);
    if (!claim_set_fill(&ev->run, &ev->set, &list))
        return false;
    return true;
}

/* Each rule of configurationrules runs as issueproperty; they have no conditions and were checked. */
static bool run_all(struct eval *ev, const struct claims *incoming)
{
    return fill(ev, incoming) && eval_section(ev, SECTION_CONFIGURATION) && eval_section(ev, SECTION_AUTHORIZATION)
        && decide(ev) && eval_section(ev, SECTION_ISSUANCE);
}

/* Each property once, the last value, at the place of its first. */
static bool last_of_each(struct eval *ev, struct claims *ret)
{
    const struct claim_set *s = &ev->properties;
    struct claims list = claims_open(ev->run.a);

    for (size_t i = 0; i < s->count; i++) {
        size_t last = claim_set_first(&ev->run, s, s->list[i].name);

        if (last != i)
            continue; /* not the first of its name */
        while (s->next_of_type[last] != NO_CLAIM)
            last = s->next_of_type[last];
        claims_add(&list, s->list[last]);
    }
    *ret = list;
    return !list.failed || run_memory(&ev->run);
}

static bool finish(struct eval *ev, struct claims *added, struct policy_result *ret)
{
    struct policy_result result = { .issued = claims_open(ev->run.a), .added = *added };
    bool tpm = type_is_tpm(ev->run.p->type);
    const struct claim *c;

    for (size_t i = 0; i < ev->issued.count; i++) {
        struct claim one = ev->issued.list[i];

        if (one.type == CLAIM_JSON) /* a string that holds JSON stays a string (section 10.1) */
            one.type = CLAIM_STRING;
        claims_add(&result.issued, one);
    }
    if (!last_of_each(ev, &result.properties))
        return false;
    c = claims_find(&result.properties, "report_validity_in_minutes");
    if (tpm)
        result.report_validity_in_minutes = c == NULL ? 1440 : c->integer;
    c = claims_find(&result.properties, "omit_x5c");
    result.omit_x5c = tpm && c != NULL && c->boolean;
    if (result.issued.failed || added->failed)
        return run_memory(&ev->run);
    *ret = result;
    return true;
}

bool policy_eval(const struct policy *p, const struct claims *incoming, struct arena *a, struct policy_result *ret,
                 struct policy_trace *trace, struct err *e)
{
    struct err own = { 0 };
    struct claims added = claims_open(a);
    struct eval ev = { .run = { .p = p, .a = a, .steps = MAX_STEPS, .e = e == NULL ? &own : e }, .trace = trace,
                      .added = &added };
    bool ok;

    arena_init(&ev.run.scratch, SCRATCH_BUDGET);
    arena_init(&ev.run.temp, TEMP_BUDGET);
    ok = run_all(&ev, incoming) && finish(&ev, &added, ret);
    if (!ok && ev.run.failed)
        decisive(&ev, POLICY_FAILED, ev.run.rule);
    arena_done(&ev.run.scratch);
    arena_done(&ev.run.temp);
    return ok;
}
