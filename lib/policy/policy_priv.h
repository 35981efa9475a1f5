/* policy_priv.h: what the files of this room share: tokens, the tree, problems, the run. */
#ifndef AVOUCH_POLICY_PRIV_H
#define AVOUCH_POLICY_PRIV_H

#include "jmespath/jmespath.h"
#include "policy/policy.h"

/* Limits of section 2.3. */
#define MAX_TEXT ((size_t)256 << 10)
#define MAX_TOKENS 200000u
#define MAX_RULES 4096u      /* of a section */
#define MAX_CONDITIONS 64u   /* of a rule */
#define MAX_TESTS 32u        /* of a condition */
#define MAX_CALL_NESTING 32u
#define MAX_STRING ((size_t)64 << 10)
#define MAX_NAME 128u
#define MAX_CLAIMS 16384u    /* incoming, with those that the policy adds */
#define MAX_VALUE ((size_t)16 << 20)
#define MAX_MADE ((size_t)64 << 20)  /* bytes of strings made by one evaluation */
#define MAX_STEPS 50000000u  /* claims looked at, values made and compared, JMESPath included */

/* -- tokens: lex.c -- */

/* clang-format off */
#define TOKENS(X)          \
    X(EOF,      "<EOF>")   \
    X(BAD,      "?")       \
    X(NAME,     "identifier") \
    X(STRING,   "string")  \
    X(INTEGER,  "integer") \
    X(BOOLEAN,  "boolean") \
    X(VERSION,  "version number") \
    X(ARROW,    "'=>'")    \
    X(EQ,       "'=='")    \
    X(NE,       "'!='")    \
    X(LE,       "'<='")    \
    X(GE,       "'>='")    \
    X(AND,      "'&&'")    \
    X(LT,       "'<'")     \
    X(GT,       "'>'")     \
    X(ASSIGN,   "'='")     \
    X(NOT,      "'!'")     \
    X(COLON,    "':'")     \
    X(SEMI,     "';'")     \
    X(COMMA,    "','")     \
    X(DOT,      "'.'")     \
    X(LPAREN,   "'('")     \
    X(RPAREN,   "')'")     \
    X(LBRACE,   "'{'")     \
    X(RBRACE,   "'}'")     \
    X(LBRACKET, "'['")     \
    X(RBRACKET, "']'")
/* clang-format on */

enum token_kind {
#define X(name, text) T_##name,
    TOKENS(X)
#undef X
};
extern const char *const token_texts[];

struct place {
    size_t at, length; /* in the text */
    unsigned line, column;
};

struct token {
    enum token_kind kind;
    struct place place;
    struct bytes text; /* STRING: decoded; NAME, VERSION: as written */
    int64_t integer;
    bool boolean;
};

/* -- problems: diag.c -- */

/* clang-format off */
#define PROBLEMS(X)                              \
    X(MISMATCHED,       "mismatched-input")      \
    X(TOKEN,            "token-recognition")     \
    X(VERSION,          "unsupported-version")   \
    X(NOT_BOUND,        "not-bound")             \
    X(BOUND_TWICE,      "bound-twice")           \
    X(UNKNOWN_FUNCTION, "unknown-function")      \
    X(ARITY,            "argument-count")        \
    X(ACTION,           "action-not-allowed")    \
    X(TWICE,            "property-twice")        \
    X(MISSING,          "property-missing")      \
    X(OPERATOR,         "operand-type")          \
    X(RANGE,            "integer-range")         \
    X(STRING,           "unterminated-string")   \
    X(COMMENT,          "unterminated-comment")  \
    X(TOO_LARGE,        "too-large")             \
    X(VALUE,            "property-value")        \
    X(W_ISSUE,          "issue-in-authorization") \
    X(W_PROPERTY,       "unknown-property")      \
    X(W_RESERVED,       "reserved-name")         \
    X(W_QUERY,          "invalid-query")         \
    X(W_QUERY_STYLE,    "suspicious-query")      \
    X(W_HEX,            "upper-case-hex")        \
    X(W_CLAIM,          "unknown-claim")         \
    X(W_ALLOWS_ALL,     "allows-everything")     \
    X(W_ABSENT,         "absent-claim-passes")
/* clang-format on */

enum problem_code {
#define X(name, text) P_##name,
    PROBLEMS(X)
#undef X
};

/* Collects problems while a text is read. Places come in any order and are sorted at the end. */
struct problems {
    struct policy_diagnostics d;
    struct bytes text;
    size_t places[POLICY_MAX_PROBLEMS];
    const char *rule; /* path of the grammar where the reader is, e.g. "policy > versionInfo" */
};

struct problem_text {
    const char *message, *expected, *suggestion;
};
void problem_add(struct problems *p, enum problem_code code, struct place at, struct problem_text text);
void problems_sort(struct problems *p);
/* No more can be kept: the reader stops, and texts are not made any more (they live in the caller's arena). */
static inline bool problems_full(const struct problems *p)
{
    return p->d.count >= POLICY_MAX_PROBLEMS;
}
/* printf into the arena of the problems; "" where it is full. */
const char *problem_printf(struct problems *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The source of a place, cut to what a message bears. */
const char *problem_source(struct problems *p, struct place at);
/* The word of a list that is nearest to `word`, or NULL when none is near. */
const char *nearest_word(struct bytes word, const char *const *list, size_t count);
/* "did you mean 'x'?" or NULL. */
const char *suggest_word(struct problems *p, struct bytes word, const char *const *list, size_t count);
/* At most n bytes of b, cut between code points. */
struct bytes cut_utf8(struct bytes b, size_t n);

struct lexer {
    struct bytes in;
    size_t at;
    unsigned line, column;
    unsigned tokens;
    bool dead; /* nothing after this place can be read: no more problems */
    struct arena *a; /* decoded strings */
    struct problems *p;
};
void lexer_open(struct lexer *l, struct bytes text, struct arena *a, struct problems *p);
/* `version`: digits "." digits is one token. T_BAD: the problem is told already. */
struct token lexer_next(struct lexer *l, bool version);
/* The next comment at or behind l->at; length 0: there is none. Strings are stepped over. */
struct place lexer_comment(struct lexer *l);
/* Text without comments, runs of white space as one blank; strings stay (section 12). */
struct bytes source_collapse(struct arena *a, struct bytes text);

/* -- the tree: parse.c, check.c -- */

enum property { PROP_TYPE, PROP_VALUE, PROP_VALUE_TYPE, PROP_ISSUER };
#define PROPERTY_COUNT 4
extern const char *const property_names[PROPERTY_COUNT];

enum expr_kind { X_STRING, X_INTEGER, X_BOOLEAN, X_PROPERTY, X_CALL };

struct function;

struct expr {
    enum expr_kind kind;
    struct place place;
    struct bytes text;  /* X_STRING; X_PROPERTY: the identifier; X_CALL: the name as written */
    int64_t integer;
    bool boolean;
    enum property property;
    unsigned slot;      /* of the identifier: check.c */
    const struct function *function; /* check.c */
    struct expr *args;  /* first argument */
    size_t count;
    struct expr *next;
    const struct jmespath *query; /* this literal as a query, compiled; NULL: not a query or not valid */
};

struct test {
    enum property property;
    enum token_kind op;
    struct place place;
    struct expr *expr;
    struct test *next;
};

struct condition {
    struct bytes name; /* empty: binds nothing */
    struct place name_place, place;
    bool negated;
    unsigned slot;
    struct test *tests;
    unsigned test_count;
    const struct test *key; /* type == "literal": the claims of that type only; or NULL */
    struct condition *next;
};

enum action_kind { A_PERMIT, A_DENY, A_ADD, A_ISSUE, A_ISSUE_PROPERTY };
#define ACTION_COUNT 5
extern const char *const action_names[ACTION_COUNT];

struct action {
    enum action_kind kind;
    struct place place;   /* of the action's name */
    struct bytes claim;   /* claim = NAME */
    struct place claim_place;
    unsigned slot;
    struct expr *made[3]; /* PROP_TYPE, PROP_VALUE, PROP_VALUE_TYPE */
    struct place places[3];
};

enum section { SECTION_CONFIGURATION, SECTION_AUTHORIZATION, SECTION_ISSUANCE };
#define SECTION_COUNT 3
extern const char *const section_names[SECTION_COUNT]; /* "configurationrules" */
extern const char *const section_rules[SECTION_COUNT]; /* "configurationRules": grammar */

struct rule {
    struct condition *conditions;
    unsigned condition_count;
    struct action action;
    struct place place; /* from its first token to the ';' */
    struct rule *next;
};

struct rules {
    bool present;
    struct place place, end; /* of its name and of its '}' */
    struct rule *first, *last;
    unsigned count;
};

struct policy {
    struct arena a;
    struct bytes text, type;
    struct token version; /* text: "1.0" */
    unsigned minor;       /* 0, 1, 2 */
    struct rules sections[SECTION_COUNT];
    struct claims configuration; /* the property set of configurationrules */
};

/* Text to tree; problems are collected, rules with a syntax error are left out. */
void policy_parse(struct policy *p, struct problems *problems);
/* Static checks of section 4.2, binding of identifiers, functions and literal queries; then warnings. */
void policy_check(struct policy *p, struct problems *problems);
void policy_lint(struct policy *p, struct problems *problems); /* section 13 */

/* -- values and functions: values.c, functions.c -- */

enum value_type { V_STRING, V_INTEGER, V_BOOLEAN };

struct value {
    enum value_type type;
    bool read_only;
    bool boolean;
    int64_t integer;
    struct bytes text;
};

/* An ordered list of values, with an index for look-ups once it is worth it. */
struct value_set {
    const struct value *list;
    size_t count;
    uint32_t *index; /* open addressing, entries are position + 1 */
    size_t mask;
};

struct run;

uint32_t hash_bytes(uint32_t h, struct bytes b);
bool value_equal(const struct value *a, const struct value *b);
struct value value_of_claim(const struct claim *c, enum property property);
/* Whether a member equals v; false also when the budget ends, which run_ok() tells. */
bool value_set_has(struct run *r, struct value_set *s, const struct value *v);
const char *value_type_name(enum value_type type);

struct function {
    const char *name;
    unsigned arguments;
    bool (*call)(struct run *r, const struct expr *x, struct value_set *args, struct value_set *ret);
};
const struct function *function_find(struct bytes name);
const char *const *function_names(size_t *ret_count);

/* -- one evaluation: eval.c -- */

struct parsed { /* JSON texts that were parsed in this run; JmesPath is called on the same claim often */
    struct bytes text;
    const struct jvalue *value;
    struct parsed *next;
};

struct run {
    const struct policy *p;
    struct arena *a;      /* results */
    struct arena scratch; /* JSON trees: a budget of their own */
    struct arena temp;    /* what one rule needs; emptied before the next */
    struct parsed *parsed;
    unsigned parsed_count;
    uint64_t steps;       /* left */
    size_t made;          /* bytes of strings made */
    const struct rule *rule;
    struct err *e;
    bool failed;
};
/* Records an evaluation error with its place and returns false. */
bool run_fail(struct run *r, struct place at, const char *function, const char *fmt, ...) PRINTF_LIKE(4, 5);
bool run_memory(struct run *r);
/* From the rule's own memory; NULL: it made too many values at once, which is an evaluation error. */
void *run_temp(struct run *r, size_t count, size_t size);
#define run_many(r, count, type) ((type *)run_temp((r), (count), sizeof(type)))
bool run_spend(struct run *r, uint64_t n);
/* A string that the policy makes: counted against the budget. */
bool run_made(struct run *r, struct place at, size_t n);

/* -- traces: trace.c -- */

struct trace_claim {
    const struct claim *claim;
    bool matched;
    const char *why; /* not matched: which test failed */
    struct trace_claim *next;
};

struct trace_condition {
    const struct condition *condition;
    struct bytes text;
    bool holds;
    const char *note; /* "no claim of type 'x'", or NULL */
    struct trace_claim *claims, *last;
    size_t seen; /* claims looked at, those not recorded included */
    struct trace_condition *next;
};

struct trace_rule {
    enum section section;
    const struct rule *rule;
    unsigned number, line;
    struct bytes text;
    bool fired;
    unsigned satisfied; /* conditions that held */
    struct trace_condition *conditions, *last_condition;
    struct claims made;
    const char *error;
    struct trace_rule *next;
};

struct trace_rule *trace_rule_add(struct policy_trace *t, const struct policy *p, enum section section,
                                  const struct rule *rule, unsigned number);
struct trace_condition *trace_condition_add(struct policy_trace *t, struct trace_rule *r, const struct policy *p,
                                            const struct condition *c);
void trace_claim_add(struct policy_trace *t, struct trace_condition *c, const struct claim *claim, bool matched,
                     const char *why);
void trace_made(struct policy_trace *t, struct trace_rule *r, const struct claim *c);

/* -- names: token.c -- */

bool reserved_name(struct bytes name);
/* Known token properties and configuration properties. */
struct known_property {
    const char *name;
    enum section section;
    enum value_type type;
    int64_t min, max;
};
const struct known_property *known_property(struct bytes name, enum section section);
const char *const *known_property_names(size_t *ret_count);

static inline bool type_is_tpm(struct bytes type)
{
    return bytes_equal_nocase(type, LIT("Tpm")) || bytes_equal_nocase(type, LIT("VbsEnclave"))
        || bytes_equal_nocase(type, LIT("Vbs"));
}

static inline bool type_is_sgx(struct bytes type)
{
    return bytes_equal_nocase(type, LIT("SgxEnclave")) || bytes_equal_nocase(type, LIT("OpenEnclave"));
}

#endif
