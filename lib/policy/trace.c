/* trace.c: what an evaluation did, rule by rule: for authors, and for the sender of a refused request. */
#include "policy/eval_priv.h"

enum { VALUE_BYTES = 256, CLAIMS_OF_CONDITION = 16 };

struct policy_trace policy_trace_open(struct arena *a)
{
    return (struct policy_trace){ .a = a };
}

/* -- recording: a trace that has no memory left is cut, never an error -- */

static void *make(struct policy_trace *t, size_t size)
{
    void *p = t->used++ < 2 * TRACE_CLAIMS ? arena_alloc(t->a, size) : NULL;

    if (p == NULL)
        t->cut = true;
    return p;
}

static struct bytes source(struct policy_trace *t, const struct policy *p, struct place at)
{
    return cut_utf8(source_collapse(t->a, bytes_part(p->text, at.at, at.length)), 2000);
}

struct trace_rule *trace_rule_add(struct policy_trace *t, const struct policy *p, enum section section,
                                  const struct rule *rule, unsigned number)
{
    struct trace_rule *r = make(t, sizeof(*r));

    if (r == NULL)
        return NULL;
    *r = (struct trace_rule){ .section = section, .rule = rule, .number = number, .line = rule->place.line };
    r->text = source(t, p, rule->place);
    r->made = claims_open(t->a);
    if (t->last == NULL)
        t->first = r;
    else
        t->last->next = r;
    t->last = r;
    return r;
}

struct trace_condition *trace_condition_add(struct policy_trace *t, struct trace_rule *r, const struct policy *p,
                                            const struct condition *c)
{
    struct trace_condition *tc = make(t, sizeof(*tc));

    if (tc == NULL)
        return NULL;
    tc->condition = c;
    tc->text = source(t, p, c->place);
    if (r->last_condition == NULL)
        r->conditions = tc;
    else
        r->last_condition->next = tc;
    r->last_condition = tc;
    return tc;
}

void trace_claim_add(struct policy_trace *t, struct trace_condition *c, const struct claim *claim, bool matched,
                     const char *why)
{
    struct trace_claim *tc;
    struct claim *copy;

    if (c->seen++ >= CLAIMS_OF_CONDITION)
        return;
    tc = make(t, sizeof(*tc));
    copy = arena_new(t->a, struct claim); /* the set that holds it moves when it grows */
    if (tc == NULL || copy == NULL)
        return;
    *copy = *claim;
    *tc = (struct trace_claim){ .claim = copy, .matched = matched, .why = why };
    if (c->last == NULL)
        c->claims = tc;
    else
        c->last->next = tc;
    c->last = tc;
}

void trace_made(struct policy_trace *t, struct trace_rule *r, const struct claim *c)
{
    if (r->made.count < CLAIMS_OF_CONDITION && t->used++ < 2 * TRACE_CLAIMS)
        claims_add(&r->made, *c);
    else
        t->cut = true;
}

/* -- values as text -- */

static void print_text(struct out *o, struct bytes text)
{
    struct bytes cut = cut_utf8(text, VALUE_BYTES);

    json_print_string(o, cut);
    if (cut.n < text.n)
        out_text(o, "...");
}

static void print_value(struct out *o, const struct value *v)
{
    if (v->type == V_STRING)
        print_text(o, v->text);
    else if (v->type == V_INTEGER)
        out_printf(o, "%lld", (long long)v->integer);
    else
        out_text(o, v->boolean ? "true" : "false");
}

static void print_right(struct out *o, const struct value_set *s)
{
    if (s->count == 0)
        out_text(o, "an empty set");
    if (s->count > 1)
        out_text(o, "one of {");
    for (size_t i = 0; i < s->count && i < 4; i++) {
        if (i > 0)
            out_text(o, ", ");
        print_value(o, &s->list[i]);
    }
    if (s->count > 1)
        out_text(o, s->count > 4 ? ", ...}" : "}");
}

const char *trace_reason(struct policy_trace *t, const char *property, const struct value *v, const char *op,
                         const struct value_set *right)
{
    struct out o = out_open(t->a);

    out_printf(&o, "%s ", property);
    print_value(&o, v);
    out_text(&o, " is not ");
    out_bytes(&o, bytes_of(op + 1, strlen(op) - 2));
    out_char(&o, ' ');
    print_right(&o, right);
    if (right->count == 1 && right->list[0].type != v->type)
        out_printf(&o, " (%s and %s never compare)", value_type_name(v->type),
                   value_type_name(right->list[0].type));
    return out_ok(&o) ? (const char *)out_view(&o).p : "";
}

static void print_claim(struct out *o, const struct claim *c)
{
    struct value v = value_of_claim(c, PROP_VALUE);
    struct bytes name = cut_utf8(c->name, VALUE_BYTES);

    out_bytes(o, name);
    out_text(o, " = ");
    print_value(o, &v);
    out_printf(o, " (%s, %s)", value_type_name(v.type), claim_issuer_name(c->issuer));
}

/* -- as JSON -- */

static struct bytes claim_json(const struct claim *c, struct arena *a)
{
    struct jobj o = jobj_open(a);
    struct value v = value_of_claim(c, PROP_VALUE);

    jobj_str(&o, "type", cut_utf8(c->name, VALUE_BYTES));
    if (v.type == V_STRING && v.text.n > VALUE_BYTES)
        jobj_bool(&o, "cut", true);
    if (v.type == V_STRING)
        jobj_str(&o, "value", cut_utf8(v.text, VALUE_BYTES));
    else if (v.type == V_INTEGER)
        jobj_int(&o, "value", v.integer);
    else
        jobj_bool(&o, "value", v.boolean);
    jobj_text(&o, "valueType", value_type_name(v.type));
    jobj_text(&o, "issuer", claim_issuer_name(c->issuer));
    return jobj_print(&o, false);
}

static const char *note_of(const struct trace_condition *c, struct arena *a)
{
    struct bytes type;

    if (c->seen > 0)
        return NULL;
    if (c->condition->key == NULL)
        return "no claim matches";
    type = cut_utf8(c->condition->key->expr->text, VALUE_BYTES);
    return arena_printf(a, "there is no claim of type \"%.*s\"", (int)type.n, (const char *)type.p);
}

static struct bytes condition_json(const struct trace_condition *c, struct arena *a)
{
    struct jobj o = jobj_open(a);
    struct jarr matched = jarr_open(a), failed = jarr_open(a);
    const char *note = note_of(c, a);

    for (const struct trace_claim *t = c->claims; t != NULL; t = t->next) {
        if (t->matched) {
            jarr_raw(&matched, claim_json(t->claim, a));
        } else {
            struct jobj one = jobj_open(a);

            jobj_json(&one, "claim", claim_json(t->claim, a));
            jobj_text(&one, "why", t->why == NULL ? "" : t->why);
            jarr_raw(&failed, jobj_print(&one, false));
        }
    }
    jobj_str(&o, "condition", c->text);
    jobj_bool(&o, "holds", c->holds);
    jobj_json(&o, "matched", jarr_close(&matched));
    jobj_json(&o, "failed", jarr_close(&failed));
    if (note != NULL)
        jobj_text(&o, "note", note);
    return jobj_print(&o, false);
}

static struct bytes rule_json(const struct trace_rule *r, struct arena *a)
{
    struct jobj o = jobj_open(a);
    struct jarr conditions = jarr_open(a), made = jarr_open(a);

    for (const struct trace_condition *c = r->conditions; c != NULL; c = c->next)
        jarr_raw(&conditions, condition_json(c, a));
    for (size_t i = 0; i < r->made.count; i++)
        jarr_raw(&made, claim_json(&r->made.list[i], a));
    jobj_text(&o, "section", section_names[r->section]);
    jobj_int(&o, "line", r->line);
    jobj_str(&o, "rule", r->text);
    jobj_bool(&o, "fired", r->fired);
    jobj_text(&o, "action", action_names[r->rule->action.kind]);
    jobj_json(&o, "conditions", jarr_close(&conditions));
    jobj_json(&o, "made", jarr_close(&made));
    if (r->error != NULL)
        jobj_text(&o, "error", r->error);
    return jobj_print(&o, false);
}

static const char *decision_name(enum policy_decision d)
{
    static const char *const names[] = { "permitted", "denied", "not-permitted", "failed" };

    return names[d];
}

struct bytes policy_trace_rules_json(const struct policy_trace *t, struct arena *a)
{
    struct jarr rules = jarr_open(a);

    for (const struct trace_rule *r = t->first; r != NULL; r = r->next)
        jarr_raw(&rules, rule_json(r, a));
    return jarr_close(&rules);
}

struct bytes policy_trace_json(const struct policy_trace *t, struct arena *a)
{
    struct jobj o = jobj_open(a);
    int64_t number = 0;

    jobj_text(&o, "decision", decision_name(t->decision));
    for (const struct trace_rule *r = t->first; r != NULL; r = r->next, number++)
        if (r == t->decisive)
            jobj_int(&o, "decisive", number);
    jobj_json(&o, "rules", policy_trace_rules_json(t, a));
    if (t->cut)
        jobj_bool(&o, "cut", true);
    return jobj_print(&o, false);
}

/* -- for people -- */

static void print_condition(const struct trace_condition *c, bool values, struct arena *a, struct out *o)
{
    const char *note = note_of(c, a);

    out_printf(o, "    %s ", c->holds ? "holds" : "fails");
    out_bytes(o, c->text);
    out_char(o, '\n');
    if (note != NULL)
        out_printf(o, "        %s\n", note);
    for (const struct trace_claim *t = c->claims; t != NULL && values; t = t->next) {
        out_text(o, t->matched ? "        matched " : "        not     ");
        print_claim(o, t->claim);
        if (!t->matched && t->why != NULL)
            out_printf(o, ": %s", t->why);
        out_char(o, '\n');
    }
}

static void print_rule(const struct trace_rule *r, bool values, struct arena *a, struct out *o)
{
    out_printf(o, "%s line %u: %s: ", section_names[r->section], r->line, r->fired ? "fired" : "not fired");
    out_bytes(o, r->text);
    out_char(o, '\n');
    for (const struct trace_condition *c = r->conditions; c != NULL; c = c->next)
        print_condition(c, values, a, o);
    for (size_t i = 0; i < r->made.count && values; i++) {
        out_printf(o, "    %s ", action_names[r->rule->action.kind]);
        print_claim(o, &r->made.list[i]);
        out_char(o, '\n');
    }
    if (r->error != NULL)
        out_printf(o, "    %s\n", r->error);
}

void policy_trace_print(const struct policy_trace *t, struct out *o)
{
    for (const struct trace_rule *r = t->first; r != NULL; r = r->next)
        print_rule(r, true, o->a, o);
    out_printf(o, "decision: %s\n", decision_name(t->decision));
    if (t->cut)
        out_text(o, "(the trace is cut)\n");
}

const char *policy_trace_summary(const struct policy_trace *t, bool values, struct arena *a)
{
    static const char *const heads[] = {
        "permitted", "denied by the rule", "no rule permitted; the nearest is", "the evaluation failed in the rule",
    };
    struct out o = out_open(a);

    out_text(&o, heads[t->decision]);
    if (t->decisive != NULL) {
        out_char(&o, '\n');
        print_rule(t->decisive, values, a, &o);
    }
    return out_ok(&o) ? (const char *)out_view(&o).p : "";
}
