/* check.c: the static checks of section 4.2 on a parsed tree, and what evaluation wants ready: slots of
 * identifiers, functions, compiled literal queries, the property set of configurationrules. */
#include "policy/policy_priv.h"

struct checker {
    struct policy *policy;
    struct problems *p;
    enum section section;
    const char *where; /* grammar rule below claimRule */
    struct bytes names[MAX_CONDITIONS]; /* bound so far in this rule, in order: the slots */
    unsigned bound;
};

static void problem(struct checker *c, enum problem_code code, struct place at, const char *message,
                    const char *expected, const char *suggestion)
{
    if (problems_full(c->p))
        return;
    c->p->rule = problem_printf(c->p, "policy > %s > claimRule%s", section_rules[c->section], c->where);
    problem_add(c->p, code, at, (struct problem_text){ message, expected, suggestion });
}

static void mismatched(struct checker *c, struct place at, const char *expected)
{
    problem(c, P_MISMATCHED, at,
            problem_printf(c->p, "mismatched input '%s' expecting %s", problem_source(c->p, at), expected),
            expected, NULL);
}

/* -- expressions -- */

static bool find_slot(struct checker *c, struct bytes name, unsigned *ret)
{
    for (unsigned i = 0; i < c->bound; i++)
        if (bytes_equal(c->names[i], name)) {
            *ret = i;
            return true;
        }
    return false;
}

static void use_name(struct checker *c, struct bytes name, struct place at, unsigned *ret_slot)
{
    const char *names[MAX_CONDITIONS], *near;
    char *copy;

    if (find_slot(c, name, ret_slot) || problems_full(c->p))
        return;
    for (unsigned i = 0; i < c->bound; i++) {
        copy = arena_str(c->p->d.a, c->names[i]);
        names[i] = copy == NULL ? "" : copy;
    }
    near = suggest_word(c->p, name, names, c->bound);
    if (near == NULL && c->bound > 0)
        near = problem_printf(c->p, "this rule binds '%s'", names[c->bound - 1]);
    else if (near == NULL)
        near = problem_printf(c->p, "bind it in a condition before: %.*s:[type==\"...\"]", (int)name.n,
                              (const char *)name.p);
    problem(c, P_NOT_BOUND, at, problem_printf(c->p, "'%.*s' is not bound", (int)name.n, (const char *)name.p),
            NULL, near);
}

/* A literal query is compiled once, here. Invalid ones are only a warning: queries may be built from claims. */
static void compile_query(struct checker *c, struct expr *x)
{
    struct err e = { 0 };

    if (jmespath_compile(x->text, &c->policy->a, &x->query, &e))
        return;
    x->query = NULL;
    problem(c, P_W_QUERY, x->place, problem_printf(c->p, "the query is not valid JMESPath: %s", e.why), NULL,
            "the rule will fail when it is evaluated");
}

static void check_expr(struct checker *c, struct expr *x);

static void check_call(struct checker *c, struct expr *x)
{
    struct place name = x->place;
    size_t count;
    const char *const *names = function_names(&count);

    name.length = x->text.n;
    for (struct expr *arg = x->args; arg != NULL; arg = arg->next)
        check_expr(c, arg);
    x->function = function_find(x->text);
    if (x->function == NULL) {
        problem(c, P_UNKNOWN_FUNCTION, name,
                problem_printf(c->p, "function '%.*s' is not known", (int)x->text.n, (const char *)x->text.p),
                "JmesPath, JsonToClaimValue, IsSubsetOf, AppendString, NegateBool, ContainsOnlyValue",
                suggest_word(c->p, x->text, names, count));
        return;
    }
    if (c->policy->minor < 2)
        problem(c, P_UNKNOWN_FUNCTION, name,
                problem_printf(c->p, "function '%s' is not known in version %.*s", x->function->name,
                               (int)c->policy->version.text.n, (const char *)c->policy->version.text.p),
                NULL, "functions need version=1.2");
    if (x->count != x->function->arguments)
        problem(c, P_ARITY, name,
                problem_printf(c->p, "function '%s' takes %u argument%s", x->function->name, x->function->arguments,
                               x->function->arguments == 1 ? "" : "s"),
                NULL, problem_printf(c->p, "%zu given", x->count));
    else if (strcmp(x->function->name, "JmesPath") == 0 && x->args->next->kind == X_STRING)
        compile_query(c, x->args->next);
}

/* The recursion is as deep as calls nest, which the parser bounded. */
static void check_expr(struct checker *c, struct expr *x)
{
    if (x->kind == X_CALL)
        check_call(c, x);
    else if (x->kind == X_PROPERTY) {
        struct place name = x->place;

        name.length = x->text.n;
        use_name(c, x->text, name, &x->slot);
    }
}

/* -- conditions -- */

static bool is_literal(const struct expr *x)
{
    return x->kind == X_STRING || x->kind == X_INTEGER || x->kind == X_BOOLEAN;
}

static bool is_value_type(struct bytes text)
{
    return bytes_is(text, "String") || bytes_is(text, "Integer") || bytes_is(text, "Boolean");
}

#define VALUE_TYPES "{\"String\", \"Integer\", \"Boolean\"}"

/* Operands that can never work: rules 8 and 9. */
static void check_operand(struct checker *c, const struct test *t)
{
    bool order = t->op != T_EQ && t->op != T_NE;
    const struct expr *x = t->expr;

    if (order && (t->property != PROP_VALUE || x->kind == X_STRING || x->kind == X_BOOLEAN))
        problem(c, P_OPERATOR, t->property != PROP_VALUE ? t->place : x->place,
                problem_printf(c->p, "operator %s needs an integer", token_texts[t->op]), NULL,
                t->property != PROP_VALUE ? "only 'value' has an order" : NULL);
    else if (t->property != PROP_VALUE && (x->kind == X_INTEGER || x->kind == X_BOOLEAN))
        problem(c, P_OPERATOR, x->place,
                problem_printf(c->p, "operator %s needs a string", token_texts[t->op]), NULL,
                problem_printf(c->p, "'%s' is always a string", property_names[t->property]));
    else if (t->property == PROP_VALUE_TYPE && x->kind == X_STRING && !is_value_type(x->text))
        mismatched(c, x->place, VALUE_TYPES);
}

static void check_condition(struct checker *c, struct condition *k)
{
    unsigned slot;

    c->where = " > condition > propertyCondition > expression";
    for (struct test *t = k->tests; t != NULL; t = t->next) {
        check_expr(c, t->expr);
        check_operand(c, t);
        if (t->property == PROP_TYPE && t->op == T_EQ && t->expr->kind == X_STRING && k->key == NULL)
            k->key = t;
    }
    if (k->name.n == 0)
        return;
    c->where = " > condition";
    if (find_slot(c, k->name, &slot))
        problem(c, P_BOUND_TWICE, k->name_place,
                problem_printf(c->p, "'%.*s' is bound twice", (int)k->name.n, (const char *)k->name.p), NULL,
                "give each condition of a rule a name of its own");
    else
        c->names[c->bound++] = k->name;
    k->slot = c->bound - 1;
}

/* -- actions -- */

static const char *type_article(enum value_type type)
{
    return type == V_STRING ? "a string" : type == V_INTEGER ? "an integer" : "a boolean";
}

static bool type_fits(const struct expr *x, enum value_type type)
{
    return (x->kind == X_STRING && type == V_STRING) || (x->kind == X_INTEGER && type == V_INTEGER)
        || (x->kind == X_BOOLEAN && type == V_BOOLEAN);
}

static bool tcb_identifier(struct bytes text)
{
    if (bytes_is(text, "azuredefault"))
        return true;
    if (text.n == 0 || text.n > 9 || text.p[0] == '0') /* one name a baseline; 0 would mean none at all */
        return false;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
    return true;
}

/* A literal value against what is known of its property (section 9). */
static void check_known_value(struct checker *c, const struct known_property *k, const struct expr *x)
{
    if (!is_literal(x))
        return;
    if (!type_fits(x, k->type))
        problem(c, P_VALUE, x->place, problem_printf(c->p, "property '%s' needs %s", k->name,
                                                     type_article(k->type)), NULL, NULL);
    else if (k->type == V_INTEGER && (x->integer < k->min || x->integer > k->max))
        problem(c, P_VALUE, x->place,
                problem_printf(c->p, "property '%s' is %lld; %lld to %lld is accepted", k->name,
                               (long long)x->integer,
                               (long long)k->min, (long long)k->max), NULL, NULL);
    else if (strcmp(k->name, "x-ms-sgx-tcbidentifier") == 0 && !tcb_identifier(x->text))
        problem(c, P_VALUE, x->place, problem_printf(c->p, "property '%s' is no baseline", k->name),
                "\"azuredefault\" or the decimal number of a TCB baseline", NULL);
    else if (strcmp(k->name, "x-avouch-tcb-sets") == 0 && !bytes_is(x->text, "one") && !bytes_is(x->text, "both"))
        problem(c, P_VALUE, x->place, problem_printf(c->p, "property '%s' is neither \"one\" nor \"both\"", k->name),
                "\"one\" or \"both\"", NULL);
}

static void check_property(struct checker *c, const struct action *a)
{
    const struct expr *type = a->made[PROP_TYPE];
    const struct known_property *k;
    size_t count;
    const char *const *names = known_property_names(&count);

    if (type == NULL || type->kind != X_STRING)
        return;
    k = known_property(type->text, c->section);
    if (k != NULL) {
        if (a->made[PROP_VALUE] != NULL)
            check_known_value(c, k, a->made[PROP_VALUE]);
        return;
    }
    problem(c, P_W_PROPERTY, type->place,
            problem_printf(c->p, "property %s is not known in %s", problem_source(c->p, type->place),
                           section_names[c->section]),
            NULL, suggest_word(c->p, type->text, names, count));
}

static void check_missing(struct checker *c, const struct action *a, enum property property)
{
    if (a->made[property] == NULL)
        problem(c, P_MISSING, a->place, problem_printf(c->p, "property '%s' missing", property_names[property]),
                NULL,
                problem_printf(c->p, "write %s(type=..., value=...)", action_names[a->kind]));
}

static void check_made(struct checker *c, struct action *a)
{
    struct expr *type = a->made[PROP_TYPE], *value_type = a->made[PROP_VALUE_TYPE];

    check_missing(c, a, PROP_TYPE);
    check_missing(c, a, PROP_VALUE);
    for (int i = PROP_TYPE; i <= PROP_VALUE_TYPE; i++) {
        if (a->made[i] == NULL)
            continue;
        check_expr(c, a->made[i]);
        if (c->section == SECTION_CONFIGURATION && !is_literal(a->made[i]))
            mismatched(c, a->made[i]->place, "{string, integer, boolean}");
    }
    if (type != NULL && is_literal(type) && (type->kind != X_STRING || type->text.n == 0))
        mismatched(c, type->place, "a string that is not empty");
    if (value_type != NULL && is_literal(value_type)
        && !(value_type->kind == X_STRING && is_value_type(value_type->text)))
        mismatched(c, value_type->place, VALUE_TYPES);
    if (a->kind == A_ISSUE && type != NULL && type->kind == X_STRING && reserved_name(type->text))
        problem(c, P_W_RESERVED, type->place,
                problem_printf(c->p, "%s is a name of the service", problem_source(c->p, type->place)), NULL,
                "issuing another value than the service's own fails the attestation");
}

static void check_action(struct checker *c, struct action *a)
{
    c->where = " > action > claimExpr";
    if (a->kind <= A_DENY)
        return;
    if (c->section == SECTION_AUTHORIZATION && a->kind == A_ISSUE)
        problem(c, P_W_ISSUE, a->place, "issue() in authorizationrules only adds", NULL,
                "write add(), or issue it in issuancerules");
    if (a->claim.n > 0) {
        if (c->section == SECTION_CONFIGURATION)
            mismatched(c, a->claim_place, "type=..., value=...");
        else
            use_name(c, a->claim, a->claim_place, &a->slot);
        return;
    }
    c->where = " > action > claimExpr > expression";
    check_made(c, a);
    if (a->kind == A_ISSUE_PROPERTY)
        check_property(c, a);
}

/* -- configuration -- */

static struct claim claim_of_literal(const struct expr *type, const struct expr *value)
{
    struct claim c = { .name = type->text, .issuer = ISSUER_POLICY };

    c.type = value->kind == X_STRING ? CLAIM_STRING : value->kind == X_INTEGER ? CLAIM_INTEGER : CLAIM_BOOLEAN;
    if (value->kind == X_STRING)
        c.text = value->text;
    c.integer = value->kind == X_INTEGER ? value->integer : 0;
    c.boolean = value->kind == X_BOOLEAN && value->boolean;
    return c;
}

/* A later assignment of a property replaces the earlier one, at its place. */
static void configure(struct policy *p, struct claim claim)
{
    for (size_t i = 0; i < p->configuration.count; i++)
        if (bytes_equal(p->configuration.list[i].name, claim.name)) {
            p->configuration.list[i] = claim;
            return;
        }
    claims_add(&p->configuration, claim);
}

static void check_rule(struct checker *c, struct rule *r)
{
    struct action *a = &r->action;

    c->bound = 0;
    for (struct condition *k = r->conditions; k != NULL; k = k->next)
        check_condition(c, k);
    check_action(c, a);
    if (c->section == SECTION_CONFIGURATION && c->p->d.errors == 0 && a->made[PROP_TYPE] != NULL)
        configure(c->policy, claim_of_literal(a->made[PROP_TYPE], a->made[PROP_VALUE]));
}

void policy_check(struct policy *policy, struct problems *problems)
{
    struct checker c = { .policy = policy, .p = problems };

    policy->configuration = claims_open(&policy->a);
    for (int s = 0; s < SECTION_COUNT; s++) {
        c.section = (enum section)s;
        for (struct rule *r = policy->sections[s].first; r != NULL && !problems_full(problems); r = r->next)
            check_rule(&c, r);
    }
}
