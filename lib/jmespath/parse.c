/* parse.c: tokens to a tree, by top-down operator precedence (section 8.2).
 *
 * "Denoted" functions read what begins an expression, "led" functions what follows one. */
#include "jmespath/jmespath_priv.h"

/* Tokens with less power end a projection. */
#define PROJECTION_STOP 10

struct parser {
    struct jp_lexer lex;
    struct jp_token now, ahead;
    unsigned nesting;
    struct arena *a;
    struct err *e;
};

static const unsigned char powers[] = {
#define X(name, power, text) power,
    JP_TOKENS(X)
#undef X
};
static const char *const texts[] = {
#define X(name, power, text) text,
    JP_TOKENS(X)
#undef X
};

static struct jp_node *parse(struct parser *p, unsigned power);

static bool advance(struct parser *p)
{
    p->now = p->ahead;
    return jp_next(&p->lex, &p->ahead);
}

static void *unexpected(struct parser *p, const char *wanted)
{
    jp_syntax(p->e, p->now.at, "%s cannot stand here; expected %s", texts[p->now.kind], wanted);
    return NULL;
}

static bool match(struct parser *p, enum jp_token_kind kind)
{
    if (p->now.kind == kind)
        return advance(p);
    unexpected(p, texts[kind]);
    return false;
}

static void *no_memory(struct parser *p)
{
    err_memory(p->e, JMESPATH_WHAT);
    return NULL;
}

static void *too_deep(struct parser *p)
{
    jp_syntax(p->e, p->now.at, "the expression nests too deep");
    return NULL;
}

/* A node over its parts; NULL where a part is missing (then the error is set already) or nests too deep. */
static struct jp_node *node(struct parser *p, enum jp_node_kind kind, const struct jp_node *left,
                            const struct jp_node *right)
{
    struct jp_node *n = arena_new(p->a, struct jp_node);
    unsigned l = left == NULL ? 0 : left->depth, r = right == NULL ? 0 : right->depth;

    if (n == NULL)
        return no_memory(p);
    n->kind = kind;
    n->at = p->now.at;
    n->left = left;
    n->right = right;
    n->depth = 1 + (l > r ? l : r);
    return n->depth > JMESPATH_TREE_DEPTH ? too_deep(p) : n;
}

static struct jp_node *join(struct parser *p, enum jp_node_kind kind, const struct jp_node *left,
                            const struct jp_node *right)
{
    return left == NULL || right == NULL ? NULL : node(p, kind, left, right);
}

static struct jp_node *identity(struct parser *p)
{
    return node(p, JP_N_CURRENT, NULL, NULL);
}

/* Adds an item (and its name) to a list node. */
static bool add_item(struct parser *p, struct jp_node *n, const struct jp_node *item, struct bytes name)
{
    if (item == NULL)
        return false;
    if ((n->count & (n->count - 1)) == 0) { /* 0, 1, 2, 4, ...: full */
        size_t room = n->count == 0 ? 1 : n->count * 2;
        const struct jp_node **items = arena_many(p->a, room, const struct jp_node *);
        struct bytes *names = arena_many(p->a, room, struct bytes);

        if (items == NULL || names == NULL)
            return no_memory(p) != NULL;
        if (n->count > 0) {
            memcpy(items, n->items, n->count * sizeof(*items));
            memcpy(names, n->names, n->count * sizeof(*names));
        }
        n->items = items;
        n->names = names;
    }
    n->items[n->count] = item;
    n->names[n->count++] = name;
    if (item->depth >= n->depth)
        n->depth = item->depth + 1;
    return n->depth <= JMESPATH_TREE_DEPTH || too_deep(p) != NULL;
}

/* multi-list = expression { "," expression } "]"     the "[" is taken */
static struct jp_node *parse_multi_list(struct parser *p)
{
    struct jp_node *n = node(p, JP_N_MULTI_LIST, NULL, NULL);

    if (n == NULL)
        return NULL;
    for (;;) {
        if (!add_item(p, n, parse(p, 0), (struct bytes){ NULL, 0 }))
            return NULL;
        if (p->now.kind == JP_RBRACKET)
            return advance(p) ? n : NULL;
        if (!match(p, JP_COMMA))
            return NULL;
    }
}

/* multi-hash = key ":" expression { "," key ":" expression } "}"     the "{" is taken */
static struct jp_node *parse_multi_hash(struct parser *p)
{
    struct jp_node *n = node(p, JP_N_MULTI_HASH, NULL, NULL);

    if (n == NULL)
        return NULL;
    for (;;) {
        struct bytes key = p->now.text;

        if (p->now.kind != JP_NAME && p->now.kind != JP_QUOTED)
            return unexpected(p, "a key");
        if (!advance(p) || !match(p, JP_COLON) || !add_item(p, n, parse(p, 0), key))
            return NULL;
        if (p->now.kind == JP_RBRACE)
            return advance(p) ? n : NULL;
        if (!match(p, JP_COMMA))
            return NULL;
    }
}

/* What follows a "." where the left side is no star: section 8.2, "after". */
static struct jp_node *parse_after_dot(struct parser *p, unsigned power)
{
    switch (p->now.kind) {
    case JP_NAME:
    case JP_QUOTED:
    case JP_STAR:
        return parse(p, power);
    case JP_LBRACKET:
        return advance(p) ? parse_multi_list(p) : NULL;
    case JP_LBRACE:
        return advance(p) ? parse_multi_hash(p) : NULL;
    default:
        return unexpected(p, "a name, '*', '[' or '{' after '.'");
    }
}

/* The part that a projection applies to each element. */
static struct jp_node *parse_projected(struct parser *p, unsigned power)
{
    if (powers[p->now.kind] < PROJECTION_STOP)
        return identity(p);
    switch (p->now.kind) {
    case JP_LBRACKET:
    case JP_FILTER:
        return parse(p, power);
    case JP_DOT:
        return advance(p) ? parse_after_dot(p, power) : NULL;
    default:
        return unexpected(p, "'.', '[' or the end of the projection");
    }
}

/* slice = [number] ":" [number] [ ":" [number] ] "]"     `first` is what stood before the first colon */
static struct jp_node *parse_slice(struct parser *p, const struct jp_node *left)
{
    struct jp_node *n = node(p, JP_N_SLICE, left, NULL);
    unsigned part = 0;

    if (n == NULL)
        return NULL;
    while (p->now.kind != JP_RBRACKET) {
        if (p->now.kind == JP_COLON) {
            if (++part > 2)
                return unexpected(p, "']'");
        } else if (p->now.kind == JP_NUMBER && !n->slice.has[part]) {
            n->slice.has[part] = true;
            n->slice.v[part] = p->now.number;
        } else {
            return unexpected(p, "a number, ':' or ']'");
        }
        if (!advance(p))
            return NULL;
    }
    if (!advance(p))
        return NULL;
    return join(p, JP_N_LIST, n, parse_projected(p, powers[JP_STAR]));
}

/* bracket = number "]" | slice | "*" "]"     the "[" is taken */
static struct jp_node *parse_bracket(struct parser *p, const struct jp_node *left)
{
    struct jp_node *n;

    if (p->now.kind == JP_COLON || (p->now.kind == JP_NUMBER && p->ahead.kind == JP_COLON))
        return parse_slice(p, left);
    if (p->now.kind == JP_NUMBER) {
        n = node(p, JP_N_INDEX, left, NULL);
        if (n == NULL)
            return NULL;
        n->number = p->now.number;
        return advance(p) && match(p, JP_RBRACKET) ? n : NULL;
    }
    if (p->now.kind != JP_STAR)
        return unexpected(p, "a number, ':' or '*'");
    if (!advance(p) || !match(p, JP_RBRACKET))
        return NULL;
    return join(p, JP_N_LIST, left, parse_projected(p, powers[JP_STAR]));
}

/* filter = expression "]"     the "[?" is taken */
static struct jp_node *parse_filter(struct parser *p, const struct jp_node *left)
{
    const struct jp_node *condition = parse(p, 0), *right;
    struct jp_node *n;

    if (condition == NULL || !match(p, JP_RBRACKET))
        return NULL;
    right = p->now.kind == JP_FLATTEN ? identity(p) : parse_projected(p, powers[JP_FILTER]);
    n = join(p, JP_N_FILTER, left, right);
    return n != NULL && add_item(p, n, condition, (struct bytes){ NULL, 0 }) ? n : NULL;
}

static struct jp_node *parse_flatten(struct parser *p, const struct jp_node *left)
{
    struct jp_node *flat = join(p, JP_N_FLATTEN, left, left);

    if (flat == NULL)
        return NULL;
    flat->right = NULL;
    return join(p, JP_N_LIST, flat, parse_projected(p, powers[JP_FLATTEN]));
}

static struct jp_node *parse_argument(struct parser *p)
{
    struct jp_node *inner;

    if (p->now.kind != JP_EXPREF)
        return parse(p, 0);
    if (!advance(p))
        return NULL;
    inner = parse(p, 0);
    return inner == NULL ? NULL : node(p, JP_N_EXPREF, inner, NULL);
}

/* What the table of functions says about the number and the kinds of arguments is known before any search. */
static struct jp_node *check_call(struct parser *p, struct jp_node *n)
{
    const struct jp_function *f = n->function;

    if (n->count >= f->min && (f->max == 0 || n->count <= f->max))
        return n;
    err_set(p->e, ERR_EXPRESSION, JMESPATH_WHAT, "invalid-arity: %s() takes %s%u argument%s, %zu given", f->name,
            f->max == f->min ? "" : "at least ", f->min, f->min == 1 ? "" : "s", n->count);
    return NULL;
}

/* function = NAME "(" [ arg { "," arg } ] ")"     name and "(" are taken */
static struct jp_node *parse_call(struct parser *p, const struct jp_node *name)
{
    struct jp_node *n = node(p, JP_N_CALL, NULL, NULL);

    if (n == NULL)
        return NULL;
    if (!name->bare)
        return unexpected(p, "an operator; only an unquoted name is called");
    n->function = jp_function_find(name->text);
    if (n->function == NULL) {
        err_set(p->e, ERR_EXPRESSION, JMESPATH_WHAT, "unknown-function: '%.*s' is not a function",
                (int)(name->text.n > 60 ? 60 : name->text.n), (const char *)name->text.p);
        return NULL;
    }
    while (p->now.kind != JP_RPAREN) {
        if (n->count > 0 && !match(p, JP_COMMA))
            return NULL;
        if (!add_item(p, n, parse_argument(p), (struct bytes){ NULL, 0 }))
            return NULL;
    }
    return advance(p) ? check_call(p, n) : NULL;
}

static struct jp_node *parse_paren(struct parser *p)
{
    struct jp_node *n = parse(p, 0);

    if (n == NULL || !match(p, JP_RPAREN))
        return NULL;
    n->bare = false;
    return n;
}

/* The beginning of an expression. */
static struct jp_node *parse_denoted(struct parser *p)
{
    struct jp_token t = p->now;
    struct jp_node *n;

    if (!advance(p))
        return NULL;
    switch (t.kind) {
    case JP_NAME:
    case JP_QUOTED:
        n = node(p, JP_N_FIELD, NULL, NULL);
        if (n != NULL) {
            n->text = t.text;
            n->bare = t.kind == JP_NAME;
        }
        return n;
    case JP_LITERAL:
        n = node(p, JP_N_LITERAL, NULL, NULL);
        if (n != NULL)
            n->literal = t.literal;
        return n;
    case JP_CURRENT:
        return identity(p);
    case JP_STAR:
        n = identity(p);
        return join(p, JP_N_VALUES, n, parse_projected(p, powers[JP_STAR]));
    case JP_FILTER:
        return parse_filter(p, identity(p));
    case JP_FLATTEN:
        return parse_flatten(p, identity(p));
    case JP_LBRACE:
        return parse_multi_hash(p);
    case JP_LPAREN:
        return parse_paren(p);
    case JP_NOT:
        n = parse(p, powers[JP_NOT]);
        return n == NULL ? NULL : node(p, JP_N_NOT, n, NULL);
    case JP_LBRACKET:
        if (p->now.kind == JP_NUMBER || p->now.kind == JP_COLON
            || (p->now.kind == JP_STAR && p->ahead.kind == JP_RBRACKET))
            return parse_bracket(p, identity(p));
        return parse_multi_list(p);
    default:
        p->now = t;
        return unexpected(p, "an expression");
    }
}

/* A binary operator whose right side binds tighter than itself. */
static struct jp_node *parse_binary(struct parser *p, enum jp_node_kind kind, enum jp_token_kind op,
                                    const struct jp_node *left)
{
    struct jp_node *n = join(p, kind, left, parse(p, powers[op]));

    if (n != NULL)
        n->op = op;
    return n;
}

/* What follows `left`; the token `t` is taken. */
static struct jp_node *parse_led(struct parser *p, enum jp_token_kind t, struct jp_node *left)
{
    switch (t) {
    case JP_DOT:
        if (p->now.kind != JP_STAR)
            return join(p, JP_N_SUB, left, parse_after_dot(p, powers[JP_DOT]));
        return advance(p) ? join(p, JP_N_VALUES, left, parse_projected(p, powers[JP_DOT])) : NULL;
    case JP_PIPE:
        return parse_binary(p, JP_N_PIPE, t, left);
    case JP_OR:
        return parse_binary(p, JP_N_OR, t, left);
    case JP_AND:
        return parse_binary(p, JP_N_AND, t, left);
    case JP_LPAREN:
        return parse_call(p, left);
    case JP_FILTER:
        return parse_filter(p, left);
    case JP_FLATTEN:
        return parse_flatten(p, left);
    case JP_LBRACKET:
        return parse_bracket(p, left);
    case JP_EQ:
    case JP_NE:
    case JP_LT:
    case JP_LE:
    case JP_GT:
    case JP_GE:
        return parse_binary(p, JP_N_COMPARE, t, left);
    default:
        return unexpected(p, "an operator or the end");
    }
}

static struct jp_node *parse_loop(struct parser *p, unsigned power)
{
    struct jp_node *left = parse_denoted(p);

    while (left != NULL && powers[p->now.kind] > power) {
        struct jp_token t = p->now;

        if (!advance(p))
            return NULL;
        if (t.kind == JP_STAR || t.kind == JP_NOT || t.kind == JP_LBRACE) {
            p->now = t;
            return unexpected(p, "an operator or the end");
        }
        left = parse_led(p, t.kind, left);
    }
    return left;
}

static struct jp_node *parse(struct parser *p, unsigned power)
{
    struct jp_node *n;

    if (p->nesting >= JMESPATH_NESTING)
        return too_deep(p);
    p->nesting++;
    n = parse_loop(p, power);
    p->nesting--;
    return n;
}

bool jmespath_compile(struct bytes expression, struct arena *a, const struct jmespath **ret, struct err *e)
{
    struct parser p = { .lex = { .in = expression, .a = a, .e = e }, .a = a, .e = e };
    struct jmespath *j = arena_new(a, struct jmespath);

    if (j == NULL)
        return err_memory(e, JMESPATH_WHAT);
    if (expression.n > JMESPATH_MAX_TEXT)
        return err_set(e, ERR_EXPRESSION, JMESPATH_WHAT,
                       "syntax: the expression has %zu bytes, at most %zu are accepted",
                       expression.n, JMESPATH_MAX_TEXT);
    if (!utf8_valid(expression))
        return jp_syntax(e, 0, "the expression is not UTF-8");
    if (!advance(&p) || !advance(&p))
        return false;
    j->root = parse(&p, 0);
    if (j->root == NULL)
        return false;
    if (p.now.kind != JP_END)
        return unexpected(&p, "an operator or the end") != NULL;
    *ret = j;
    return true;
}
