/* jmespath_priv.h: what the files of this room share: tokens, nodes, the run. */
#ifndef AVOUCH_JMESPATH_PRIV_H
#define AVOUCH_JMESPATH_PRIV_H

#include "jmespath/jmespath.h"

#define JMESPATH_WHAT "JMESPath"
#define JMESPATH_NESTING 256     /* calls of the parser in one another: projections nest to the right */
#define JMESPATH_TREE_DEPTH 1024 /* of the compiled tree: chains such as a.b.c nest to the left */
#define JVALUE_DEPTH 1024        /* of a result */

/* clang-format off */
/*     name       left binding power   text in messages (section 8.2) */
#define JP_TOKENS(X)                                      \
    X(END,                0, "the end of the expression") \
    X(NAME,               0, "a name")                    \
    X(QUOTED,             0, "a quoted name")             \
    X(LITERAL,            0, "a literal")                 \
    X(NUMBER,             0, "a number")                  \
    X(CURRENT,            0, "'@'")                       \
    X(EXPREF,             0, "'&'")                       \
    X(RBRACKET,           0, "']'")                       \
    X(RPAREN,             0, "')'")                       \
    X(RBRACE,             0, "'}'")                       \
    X(COMMA,              0, "','")                       \
    X(COLON,              0, "':'")                       \
    X(PIPE,               1, "'|'")                       \
    X(OR,                 2, "'||'")                      \
    X(AND,                3, "'&&'")                      \
    X(EQ,                 5, "'=='")                      \
    X(NE,                 5, "'!='")                      \
    X(LT,                 5, "'<'")                       \
    X(LE,                 5, "'<='")                      \
    X(GT,                 5, "'>'")                       \
    X(GE,                 5, "'>='")                      \
    X(FLATTEN,            9, "'[]'")                      \
    X(STAR,              20, "'*'")                       \
    X(FILTER,            21, "'[?'")                      \
    X(DOT,               40, "'.'")                       \
    X(NOT,               45, "'!'")                       \
    X(LBRACE,            50, "'{'")                       \
    X(LBRACKET,          55, "'['")                       \
    X(LPAREN,            60, "'('")
/* clang-format on */

enum jp_token_kind {
#define X(name, power, text) JP_##name,
    JP_TOKENS(X)
#undef X
};

struct jp_token {
    enum jp_token_kind kind;
    size_t at;                    /* offset in the expression */
    struct bytes text;            /* NAME, QUOTED: the name */
    const struct jvalue *literal; /* LITERAL */
    int64_t number;
};

struct jp_lexer {
    struct bytes in;
    size_t at;
    struct arena *a;
    struct err *e;
};

/* The next token; false: a syntax error was set. */
bool jp_next(struct jp_lexer *l, struct jp_token *ret);
bool jp_syntax(struct err *e, size_t at, const char *fmt, ...) PRINTF_LIKE(3, 4);

enum jp_node_kind {
    JP_N_CURRENT,
    JP_N_FIELD,    /* text */
    JP_N_LITERAL,  /* literal */
    JP_N_SUB,      /* left, right */
    JP_N_INDEX,    /* left, number */
    JP_N_SLICE,    /* left, slice */
    JP_N_FLATTEN,  /* left */
    JP_N_LIST,     /* left, right: list projection */
    JP_N_VALUES,   /* left, right: value projection */
    JP_N_FILTER,   /* left, right, items[0]: condition */
    JP_N_PIPE,
    JP_N_OR,
    JP_N_AND,
    JP_N_NOT,      /* left */
    JP_N_COMPARE,  /* left, right, op */
    JP_N_MULTI_LIST, /* items */
    JP_N_MULTI_HASH, /* items, names */
    JP_N_CALL,     /* function, items */
    JP_N_EXPREF,   /* left */
};

struct jp_slice {
    bool has[3];
    int64_t v[3]; /* start, stop, step */
};

struct jp_node {
    enum jp_node_kind kind;
    enum jp_token_kind op;
    unsigned depth;
    bool bare; /* FIELD: an unquoted name that was just read; "(" makes it a call */
    struct bytes text;
    size_t at;
    const struct jvalue *literal;
    const struct jp_node *left, *right;
    const struct jp_node **items;
    struct bytes *names;
    size_t count;
    int64_t number;
    struct jp_slice slice;
    const struct jp_function *function;
};

struct jmespath {
    const struct jp_node *root;
};

/* One search. */
struct jp_run {
    struct arena *a;
    uint64_t *steps;
    struct err *e;
};

/* Evaluates; NULL: an error was set. */
const struct jvalue *jp_eval(struct jp_run *r, const struct jp_node *n, const struct jvalue *in);
/* Charges n steps; false and an error when the budget is spent. */
bool jp_spend(struct jp_run *r, uint64_t n);
/* Charges without failing: the next jp_spend() tells. */
static inline void jp_charge(struct jp_run *r, uint64_t n)
{
    *r->steps -= n < *r->steps ? n : *r->steps;
}
/* Comparing two texts of this length. */
#define JP_TEXT_STEPS(n) ((n) / 64)
const struct jvalue *jp_fail(struct jp_run *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
const struct jvalue *jp_no_memory(struct jp_run *r);

/* -- functions -- */

struct jp_call {
    const struct jp_function *f;
    const struct jvalue **args; /* NULL for an expression reference */
    const struct jp_node *const *nodes;
    size_t count;
};

struct jp_function {
    const char *name;
    unsigned min, max; /* arguments; max 0: any number */
    const char *types; /* a letter an argument, the last one repeats: see functions.c */
    const struct jvalue *(*call)(struct jp_run *r, const struct jp_call *c);
};
const struct jp_function *jp_function_find(struct bytes name);
/* The name that is nearest, or NULL. */
const struct jvalue *jp_function_call(struct jp_run *r, const struct jp_node *n, const struct jvalue *in);

/* -- values -- */

extern const struct jvalue jvalue_null, jvalue_true, jvalue_false;

static inline const struct jvalue *jvalue_of_bool(bool b)
{
    return b ? &jvalue_true : &jvalue_false;
}

const struct jvalue *jvalue_int(struct jp_run *r, int64_t v);
const struct jvalue *jvalue_double(struct jp_run *r, double v);
const struct jvalue *jvalue_string(struct jp_run *r, struct bytes text);
/* The array takes the list over. */
const struct jvalue *jvalue_array(struct jp_run *r, const struct jvalue **items, size_t count);
const struct jvalue *jvalue_object(struct jp_run *r, const struct jvalue **items, struct bytes *names,
                                   size_t count);
const struct jvalue *jvalue_member(struct jp_run *r, const struct jvalue *object, struct bytes name);
bool jvalue_truthy(const struct jvalue *v);
/* Deep equality by JSON type; charges steps, which the caller checks by jp_spend(r, 0). */
bool jvalue_equal(struct jp_run *r, const struct jvalue *x, const struct jvalue *y);
int jvalue_compare_numbers(const struct jvalue *x, const struct jvalue *y);
double jvalue_to_double(const struct jvalue *v);
/* A JSON number; false: it is none, or beyond double. */
bool jvalue_number(struct bytes text, struct arena *a, struct jvalue *ret);

#endif
