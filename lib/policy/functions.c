/* functions.c: the six functions of version 1.2 (section 7). */
#include "policy/policy_priv.h"

static bool one(struct run *r, const struct expr *x, const struct value_set *s, enum value_type type,
                unsigned number)
{
    if (s->count != 1)
        return run_fail(r, x->place, x->function->name, "argument %u has %zu values, exactly one %s is needed",
                        number,
                        s->count, value_type_name(type));
    if (s->list[0].type != type)
        return run_fail(r, x->place, x->function->name, "argument %u is of type %s, %s is needed", number,
                        value_type_name(s->list[0].type), value_type_name(type));
    return true;
}

static bool give(struct run *r, struct value v, struct value_set *ret)
{
    struct value *list = run_many(r, 1, struct value);

    if (list == NULL)
        return false;
    *list = v;
    *ret = (struct value_set){ .list = list, .count = 1 };
    return true;
}

/* -- JmesPath -- */

/* What is wrong with a JSON text, without its names and numbers: they are values of claims, which refusals do not tell. NULL:
 * it is not JSON at all. */
static const char *json_but_refused(const struct err *e)
{
    static const char *const known[][2] = { { "stands twice", "a member stands twice in one object" },
                                            { "beyond the range", "a number is beyond the range of a double" },
                                            { "no deeper nesting", "it nests too deep" } };

    for (size_t i = 0; i < COUNT(known); i++)
        if (strstr(e->why, known[i][0]) != NULL)
            return known[i][1];
    return NULL;
}

static void remember(struct run *r, struct bytes text, const struct jvalue *v)
{
    struct parsed *p;

    if (r->parsed_count >= 64)
        return;
    p = arena_new(&r->scratch, struct parsed);
    if (p == NULL)
        return;
    *p = (struct parsed){ text, v, r->parsed };
    r->parsed = p;
    r->parsed_count++;
}

/* Errors of the JMESPath room become evaluation errors of this rule. */
static bool query_failed(struct run *r, const struct expr *x, const struct err *e)
{
    if (e->code == ERR_NO_MEMORY)
        return run_fail(r, x->place, x->function->name, "needs more memory than one evaluation may take");
    if (x->args->next->kind != X_STRING) /* a query that was built: its text holds values of claims */
        return run_fail(r, x->place, x->function->name, "the query fails: %.*s", (int)strcspn(e->why, ":"), e->why);
    return run_fail(r, x->place, x->function->name, "%s", e->why);
}

/* The tree of a JSON text, from memory where it is the same text. false with r->failed unset: it is not JSON,
 * e tells. */
static bool parse_text(struct run *r, const struct expr *x, struct bytes text, const struct jvalue **ret,
                       struct err *e)
{
    for (const struct parsed *p = r->parsed; p != NULL; p = p->next)
        if (p->text.p == text.p && p->text.n == text.n) {
            *ret = p->value;
            return true;
        }
    if (!run_spend(r, 1 + text.n / 16))
        return false;
    if (!jvalue_parse(text, "argument 1", &r->scratch, ret, e))
        return e->code == ERR_NO_MEMORY && query_failed(r, x, e);
    remember(r, text, *ret);
    return true;
}

static bool search(struct run *r, const struct expr *x, const struct value_set *args, const struct jvalue *in,
                   const struct jvalue **ret)
{
    const struct jmespath *query = x->args->next->query;
    uint64_t budget = r->steps < JMESPATH_STEPS ? r->steps : JMESPATH_STEPS, before = budget;
    struct err e = { 0 };

    if (query == NULL && !jmespath_compile(args[1].list[0].text, &r->scratch, &query, &e))
        return query_failed(r, x, &e);
    if (!jmespath_search(query, in, &r->scratch, &budget, ret, &e))
        return query_failed(r, x, &e);
    return run_spend(r, before - budget);
}

static bool f_jmespath(struct run *r, const struct expr *x, struct value_set *args, struct value_set *ret)
{
    const struct jvalue *in, *found;
    struct out o = out_open(r->a);
    struct value v = { .type = V_STRING };
    struct err e = { 0 };

    if (!one(r, x, &args[0], V_STRING, 1) || !one(r, x, &args[1], V_STRING, 2))
        return false;
    if (args[1].list[0].text.n == 0)
        return run_fail(r, x->place, x->function->name, "argument 2 is empty");
    if (!parse_text(r, x, args[0].list[0].text, &in, &e))
        return run_fail(r, x->place, x->function->name, "argument 1 is not JSON: %s", json_but_refused(&e) == NULL ? e.why : json_but_refused(&e));
    if (!search(r, x, args, in, &found))
        return false;
    jvalue_print(&o, found);
    if (!out_ok(&o)) {
        if (o.n > JMESPATH_MAX_RESULT)
            return run_fail(r, x->place, x->function->name, "the result is longer than %zu bytes",
                            JMESPATH_MAX_RESULT);
        return run_memory(r);
    }
    v.text = out_view(&o);
    v.read_only = args[0].list[0].read_only || args[1].list[0].read_only;
    if (!run_spend(r, o.n / 4) || !run_made(r, x->place, v.text.n) || !give(r, v, ret))
        return false;
    remember(r, v.text, found); /* mostly the next query runs on it */
    return true;
}

/* -- JsonToClaimValue -- */

/* Integral and within 64 bits, whatever the notation: 1.0 and 1e2 count (section 7). */
static bool integer_of(const struct jvalue *v, int64_t *ret)
{
    if (v->number == JNUMBER_INT) {
        *ret = v->i;
        return true;
    }
    if (v->number != JNUMBER_DOUBLE || !(v->d >= -9223372036854775808.0 && v->d < 9223372036854775808.0)
        || (double)(int64_t)v->d != v->d)
        return false;
    *ret = (int64_t)v->d;
    return true;
}

static bool scalar_of(struct run *r, const struct expr *x, const struct jvalue *j, struct value *ret)
{
    switch (j->type) {
    case JSON_BOOLEAN:
        ret->type = V_BOOLEAN;
        ret->boolean = j->boolean;
        return true;
    case JSON_STRING:
        ret->type = V_STRING;
        ret->text = arena_copy(r->a, j->text); /* the tree is given back at the end of the run */
        return ret->text.p != NULL ? run_made(r, x->place, j->text.n) : run_memory(r);
    case JSON_NUMBER:
        ret->type = V_INTEGER;
        return integer_of(j, &ret->integer)
            || run_fail(r, x->place, x->function->name, "a number is no integer of 64 bits");
    default:
        return run_fail(r, x->place, x->function->name, "%s has no claim value",
                        j->type == JSON_OBJECT ? "an object" : "an array inside an array");
    }
}

/* Text that is not JSON at all is a string of its own; JSON that only we refuse must not pass as one. */
static bool not_json(struct run *r, const struct expr *x, const struct value_set *arg, const struct err *e,
                     struct value_set *ret)
{
    if (r->failed)
        return false;
    if (json_but_refused(e) != NULL)
        return run_fail(r, x->place, x->function->name, "%s", json_but_refused(e));
    *ret = *arg;
    return true;
}

static bool f_json_to_claim_value(struct run *r, const struct expr *x, struct value_set *args,
                                  struct value_set *ret)
{
    const struct jvalue *j, *const *items;
    struct err e = { 0 };
    struct value *list;
    size_t count, kept = 0;

    if (!one(r, x, &args[0], V_STRING, 1))
        return false;
    if (!parse_text(r, x, args[0].list[0].text, &j, &e))
        return not_json(r, x, &args[0], &e, ret);
    items = j->type == JSON_ARRAY ? j->items : &j;
    count = j->type == JSON_ARRAY ? j->count : 1;
    list = run_many(r, count, struct value);
    if (list == NULL || !run_spend(r, count))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (items[i]->type == JSON_NULL) /* null is the empty set */
            continue;
        list[kept] = (struct value){ .read_only = args[0].list[0].read_only };
        if (!scalar_of(r, x, items[i], &list[kept++]))
            return false;
    }
    *ret = (struct value_set){ .list = list, .count = kept };
    return true;
}

/* -- the small ones -- */

static bool f_is_subset_of(struct run *r, const struct expr *x, struct value_set *args, struct value_set *ret)
{
    bool subset = true;

    (void)x;
    for (size_t i = 0; i < args[0].count && subset; i++) {
        if (!run_spend(r, 1 + args[0].list[i].text.n / 64))
            return false;
        subset = value_set_has(r, &args[1], &args[0].list[i]);
    }
    return !r->failed && give(r, (struct value){ .type = V_BOOLEAN, .boolean = subset }, ret);
}

static bool f_append_string(struct run *r, const struct expr *x, struct value_set *args, struct value_set *ret)
{
    struct value v = { .type = V_STRING };
    struct bytes a, b;
    uint8_t *p;

    if (!one(r, x, &args[0], V_STRING, 1) || !one(r, x, &args[1], V_STRING, 2))
        return false;
    a = args[0].list[0].text;
    b = args[1].list[0].text;
    if (a.n > MAX_VALUE || b.n > MAX_VALUE - a.n)
        return run_fail(r, x->place, x->function->name, "the result is longer than %zu bytes", MAX_VALUE);
    if (!run_made(r, x->place, a.n + b.n))
        return false;
    p = arena_alloc(r->a, a.n + b.n + 1);
    if (p == NULL)
        return run_memory(r);
    if (a.n > 0)
        memcpy(p, a.p, a.n);
    if (b.n > 0)
        memcpy(p + a.n, b.p, b.n);
    v.text = bytes_of(p, a.n + b.n);
    v.read_only = args[0].list[0].read_only || args[1].list[0].read_only;
    return give(r, v, ret);
}

static bool f_negate_bool(struct run *r, const struct expr *x, struct value_set *args, struct value_set *ret)
{
    if (!one(r, x, &args[0], V_BOOLEAN, 1))
        return false;
    return give(r, (struct value){ .type = V_BOOLEAN, .boolean = !args[0].list[0].boolean,
                                   .read_only = args[0].list[0].read_only }, ret);
}

static bool f_contains_only_value(struct run *r, const struct expr *x, struct value_set *args,
                                  struct value_set *ret)
{
    bool only = args[0].count > 0;

    if (args[1].count != 1)
        return run_fail(r, x->place, x->function->name, "argument 2 has %zu values, exactly one is needed",
                        args[1].count);
    for (size_t i = 0; i < args[0].count && only; i++) {
        if (!run_spend(r, 1 + args[0].list[i].text.n / 64))
            return false;
        only = value_equal(&args[0].list[i], &args[1].list[0]);
    }
    return give(r, (struct value){ .type = V_BOOLEAN, .boolean = only }, ret);
}

/* clang-format off */
static const struct function functions[] = {
    { "JmesPath",          2, f_jmespath },
    { "JsonToClaimValue",  1, f_json_to_claim_value },
    { "IsSubsetOf",        2, f_is_subset_of },
    { "AppendString",      2, f_append_string },
    { "NegateBool",        1, f_negate_bool },
    { "ContainsOnlyValue", 2, f_contains_only_value },
};
/* clang-format on */

const struct function *function_find(struct bytes name)
{
    for (size_t i = 0; i < COUNT(functions); i++)
        if (bytes_is(name, functions[i].name))
            return &functions[i];
    return NULL;
}

const char *const *function_names(size_t *ret_count)
{
    static const char *const names[] = { "JmesPath", "JsonToClaimValue", "IsSubsetOf", "AppendString", "NegateBool",
                                         "ContainsOnlyValue" };

    *ret_count = COUNT(names);
    return names;
}
