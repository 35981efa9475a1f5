/* print.c: the tree as text again, in one style; and whether two trees are the same. */
#include "policy/policy_priv.h"

/* -- printing -- */

static void print_string(struct out *o, struct bytes text)
{
    size_t from = 0;

    out_char(o, '"');
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] == '"' || text.p[i] == '\\') {
            out_bytes(o, bytes_part(text, from, i - from));
            out_char(o, '\\');
            from = i;
        }
    out_bytes(o, bytes_part(text, from, text.n - from));
    out_char(o, '"');
}

static void print_expr(struct out *o, const struct expr *x)
{
    switch (x->kind) {
    case X_STRING:
        print_string(o, x->text);
        break;
    case X_INTEGER:
        out_printf(o, "%lld", (long long)x->integer);
        break;
    case X_BOOLEAN:
        out_text(o, x->boolean ? "true" : "false");
        break;
    case X_PROPERTY:
        out_bytes(o, x->text);
        out_char(o, '.');
        out_text(o, property_names[x->property]);
        break;
    case X_CALL:
        out_bytes(o, x->text);
        out_char(o, '(');
        for (const struct expr *arg = x->args; arg != NULL; arg = arg->next) {
            if (arg != x->args)
                out_text(o, ", ");
            print_expr(o, arg);
        }
        out_char(o, ')');
        break;
    }
}

static void print_operator(struct out *o, enum token_kind op)
{
    const char *quoted = token_texts[op]; /* "'=='" */

    out_bytes(o, bytes_of(quoted + 1, strlen(quoted) - 2));
}

static void print_condition(struct out *o, const struct condition *c)
{
    if (c->negated)
        out_char(o, '!');
    if (c->name.n > 0) {
        out_bytes(o, c->name);
        out_char(o, ':');
    }
    out_char(o, '[');
    for (const struct test *t = c->tests; t != NULL; t = t->next) {
        if (t != c->tests)
            out_text(o, ", ");
        out_text(o, property_names[t->property]);
        print_operator(o, t->op);
        print_expr(o, t->expr);
    }
    out_char(o, ']');
}

static void print_action(struct out *o, const struct action *a)
{
    bool any = false;

    out_text(o, action_names[a->kind]);
    out_char(o, '(');
    if (a->claim.n > 0) {
        out_text(o, "claim=");
        out_bytes(o, a->claim);
    }
    for (int i = PROP_TYPE; i <= PROP_VALUE_TYPE; i++)
        if (a->made[i] != NULL) {
            out_text(o, any ? ", " : "");
            out_text(o, property_names[i]);
            out_char(o, '=');
            print_expr(o, a->made[i]);
            any = true;
        }
    out_char(o, ')');
}

/* The comments of the text, printed as the text is passed. */
struct comments {
    struct lexer l;
    struct place next; /* length 0: no more */
};

static void print_comment(struct comments *c, struct out *o)
{
    out_bytes(o, bytes_part(c->l.in, c->next.at, c->next.length));
    c->next = lexer_comment(&c->l);
}

static void comments_before(struct comments *c, size_t at, const char *indent, struct out *o)
{
    while (c->next.length > 0 && c->next.at < at) {
        out_text(o, indent);
        print_comment(c, o);
        out_char(o, '\n');
    }
}

/* Those that stand on the line on which the text up to `end` ends, with nothing but blanks between. */
static void comments_behind(struct comments *c, size_t end, struct out *o)
{
    while (c->next.length > 0) {
        while (end < c->next.at && (c->l.in.p[end] == ' ' || c->l.in.p[end] == '\t'))
            end++;
        if (end != c->next.at)
            return;
        end += c->next.length;
        out_char(o, ' ');
        print_comment(c, o);
    }
}

static void print_rule(struct out *o, const struct rule *r, struct comments *comments)
{
    comments_before(comments, r->place.at + r->place.length, "    ", o);
    out_text(o, "    ");
    for (const struct condition *c = r->conditions; c != NULL; c = c->next) {
        print_condition(o, c);
        out_text(o, c->next != NULL ? " &&\n    " : " ");
    }
    out_text(o, "=> ");
    print_action(o, &r->action);
    out_char(o, ';');
    comments_behind(comments, r->place.at + r->place.length, o);
    out_char(o, '\n');
}

bool policy_print(const struct policy *p, struct out *o)
{
    struct comments comments;

    lexer_open(&comments.l, p->text, NULL, NULL);
    comments.next = lexer_comment(&comments.l);
    comments_before(&comments, p->version.place.at, "", o);
    out_printf(o, "version=%s;\n", policy_version(p));
    for (int s = 0; s < SECTION_COUNT; s++) {
        const struct rules *section = &p->sections[s];

        if (!section->present)
            continue;
        comments_before(&comments, section->place.at, "", o);
        out_printf(o, "%s\n{\n", section_names[s]);
        for (const struct rule *r = section->first; r != NULL; r = r->next)
            print_rule(o, r, &comments);
        comments_before(&comments, section->end.at, "    ", o);
        out_text(o, "};\n");
    }
    comments_before(&comments, SIZE_MAX, "", o);
    return out_ok(o);
}

/* -- comparing -- */

static bool same_expr(const struct expr *a, const struct expr *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    if (a->kind != b->kind || a->count != b->count)
        return false;
    switch (a->kind) {
    case X_STRING:
        return bytes_equal(a->text, b->text);
    case X_INTEGER:
        return a->integer == b->integer;
    case X_BOOLEAN:
        return a->boolean == b->boolean;
    case X_PROPERTY:
        return bytes_equal(a->text, b->text) && a->property == b->property && a->slot == b->slot;
    case X_CALL:
        break;
    }
    if (a->function != b->function)
        return false;
    for (const struct expr *x = a->args, *y = b->args; x != NULL; x = x->next, y = y->next)
        if (!same_expr(x, y))
            return false;
    return true;
}

static bool same_condition(const struct condition *a, const struct condition *b)
{
    if (a->negated != b->negated || !bytes_equal(a->name, b->name) || a->test_count != b->test_count)
        return false;
    for (const struct test *x = a->tests, *y = b->tests; x != NULL; x = x->next, y = y->next)
        if (x->property != y->property || x->op != y->op || !same_expr(x->expr, y->expr))
            return false;
    return true;
}

static bool same_rule(const struct rule *a, const struct rule *b)
{
    if (a->condition_count != b->condition_count || a->action.kind != b->action.kind
        || !bytes_equal(a->action.claim, b->action.claim))
        return false;
    for (const struct condition *x = a->conditions, *y = b->conditions; x != NULL; x = x->next, y = y->next)
        if (!same_condition(x, y))
            return false;
    for (int i = PROP_TYPE; i <= PROP_VALUE_TYPE; i++)
        if (!same_expr(a->action.made[i], b->action.made[i]))
            return false;
    return true;
}

bool policy_same(const struct policy *a, const struct policy *b)
{
    if (a->minor != b->minor)
        return false;
    for (int s = 0; s < SECTION_COUNT; s++) {
        const struct rules *x = &a->sections[s], *y = &b->sections[s];

        if (x->present != y->present || x->count != y->count)
            return false;
        for (const struct rule *p = x->first, *q = y->first; p != NULL; p = p->next, q = q->next)
            if (!same_rule(p, q))
                return false;
    }
    return true;
}
