/* parse.c: tokens to the tree (grammar of section 4.1). Each function begins with its line of the grammar.
 *
 * After an error the reader goes on at the next rule, so that one run tells several. A token that only
 * lacks (";" at the end of a line) is taken as if it stood there. */
#include "policy/policy_priv.h"

const char *const property_names[PROPERTY_COUNT] = { "type", "value", "valueType", "issuer" };
const char *const action_names[ACTION_COUNT] = { "permit", "deny", "add", "issue", "issueproperty" };
const char *const section_names[SECTION_COUNT] = { "configurationrules", "authorizationrules", "issuancerules" };
const char *const section_rules[SECTION_COUNT] = { "configurationRules", "authorizationRules", "issuanceRules" };

enum { PATH_DEPTH = 8 };

struct parser {
    struct lexer lex;
    struct token now, before;
    struct problems *p;
    struct policy *policy;
    const char *path[PATH_DEPTH]; /* grammar rules that are open */
    unsigned depth;
    unsigned calls; /* nesting of function calls */
    struct token string; /* the last string that runs over a line end */
};

/* -- telling -- */

static const char *path_text(struct parser *p)
{
    struct out o = out_open(p->p->d.a);

    out_text(&o, "policy");
    for (unsigned i = 0; i < p->depth; i++) {
        out_text(&o, " > ");
        out_text(&o, p->path[i]);
    }
    return out_ok(&o) ? (const char *)out_view(&o).p : "policy";
}

static void enter(struct parser *p, const char *rule)
{
    if (p->depth < PATH_DEPTH)
        p->path[p->depth] = rule;
    p->depth++;
}

static bool leave(struct parser *p, bool ok)
{
    p->depth--;
    return ok;
}

static bool problem(struct parser *p, enum problem_code code, struct place at, const char *message,
                    const char *expected, const char *suggestion)
{
    unsigned depth = p->depth;

    if (p->lex.dead)
        return false;
    if (problems_full(p->p)) { /* who made that many errors has enough to do */
        p->lex.dead = true;
        return false;
    }
    if (p->depth > PATH_DEPTH)
        p->depth = PATH_DEPTH;
    p->p->rule = path_text(p);
    problem_add(p->p, code, at, (struct problem_text){ message, expected, suggestion });
    p->depth = depth;
    return false;
}

/* A string that was closed by a typographic quote swallows text up to the next real quote; the trouble shows
 * only there. The string that ended just before is then the cause. */
static bool blame_string(struct parser *p)
{
    struct bytes b;

    if (p->before.kind != T_STRING || p->string.kind != T_STRING || p->string.place.at != p->before.place.at)
        return false;
    b = bytes_part(p->lex.in, p->string.place.at, p->string.place.length);
    for (size_t i = 0; i + 3 <= b.n && b.p[i] != '\n' && b.p[i] != '\r'; i++)
        if (b.p[i] == 0xe2 && b.p[i + 1] == 0x80 && (b.p[i + 2] == 0x9c || b.p[i + 2] == 0x9d)) {
            struct place at = p->string.place;

            for (size_t k = 0; k < i; k++)
                at.column += (b.p[k] & 0xc0) != 0x80;
            at.at += i;
            at.length = 3;
            problem(p, P_TOKEN, at,
                    problem_printf(p->p, "token recognition error at: '%s'", problem_source(p->p, at)), "'\"'",
                    "a typographic quote does not close a string; write \"");
            return true;
        }
    return false;
}

static bool mismatched(struct parser *p, const char *expected, const char *suggestion)
{
    if (p->now.kind == T_BAD || blame_string(p)) /* told already, or told better */
        return false;
    return problem(p, P_MISMATCHED, p->now.place,
                   problem_printf(p->p, "mismatched input '%s' expecting %s",
                                  problem_source(p->p, p->now.place), expected),
                   expected, suggestion);
}

/* -- tokens -- */

static void advance(struct parser *p)
{
    p->before = p->now;
    p->now = lexer_next(&p->lex, false);
    if (p->now.kind == T_STRING && memchr(p->lex.in.p + p->now.place.at, '\n', p->now.place.length) != NULL)
        p->string = p->now;
}

static bool is(const struct parser *p, enum token_kind kind)
{
    return p->now.kind == kind;
}

static bool is_word(const struct parser *p, const char *word)
{
    return p->now.kind == T_NAME && bytes_is(p->now.text, word);
}

static bool accept(struct parser *p, enum token_kind kind)
{
    if (!is(p, kind))
        return false;
    advance(p);
    return true;
}

static bool expect(struct parser *p, enum token_kind kind)
{
    return accept(p, kind) || mismatched(p, token_texts[kind], NULL);
}

/* A ";" that lacks is told, and reading goes on as if it stood there. */
static void expect_semicolon(struct parser *p)
{
    struct bytes source = bytes_part(p->lex.in, p->before.place.at, p->before.place.length);

    if (accept(p, T_SEMI))
        return;
    source = cut_utf8(source, 40);
    mismatched(p, "';'",
               problem_printf(p->p, "a ';' is missing behind '%.*s' in line %u", (int)source.n,
                              (const char *)source.p,
                              p->before.place.line));
}

static int word_index(struct bytes word, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes_is(word, list[i]))
            return (int)i;
    return -1;
}

static void *make(struct parser *p, size_t size)
{
    void *x = arena_alloc(&p->policy->a, size);

    if (x == NULL)
        p->lex.dead = true; /* policy_compile() sees the arena's failure */
    return x;
}

static bool too_large(struct parser *p, struct place at, const char *limit)
{
    problem(p, P_TOO_LARGE, at, "policy too large", limit, NULL);
    p->lex.dead = true;
    return false;
}

/* -- expressions -- */

static struct expr *parse_expr(struct parser *p);

/* functionCall = IDENT , "(" , [ expr , { "," , expr } ] , ")"     the name is taken */
static bool parse_call(struct parser *p, struct expr *x)
{
    struct expr **last = &x->args;

    if (p->calls >= MAX_CALL_NESTING)
        return too_large(p, x->place, "calls nested 32 deep at most");
    p->calls++;
    advance(p);
    while (!is(p, T_RPAREN)) {
        if (x->args != NULL && !expect(p, T_COMMA))
            return false;
        *last = parse_expr(p);
        if (*last == NULL)
            return false;
        last = &(*last)->next;
        x->count++;
    }
    advance(p);
    p->calls--;
    return true;
}

/* IDENT , "." , property     the identifier is taken */
static bool parse_property(struct parser *p, struct expr *x)
{
    int property;

    if (!is(p, T_DOT))
        return mismatched(p, p->policy->minor >= 2 ? "{'.', '('}" : "'.'",
                          problem_printf(p->p, "a text stands in quotes: \"%.*s\"", (int)x->text.n,
                                         (const char *)x->text.p));
    advance(p);
    property = is(p, T_NAME) ? word_index(p->now.text, property_names, PROPERTY_COUNT) : -1;
    if (property < 0)
        return mismatched(p, "{'type', 'value', 'valueType', 'issuer'}",
                          is(p, T_NAME) ? suggest_word(p->p, p->now.text, property_names, PROPERTY_COUNT) : NULL);
    x->property = (enum property)property;
    advance(p);
    return true;
}

static bool fill_expr(struct parser *p, struct expr *x)
{
    x->place = p->now.place;
    x->text = p->now.text;
    x->integer = p->now.integer;
    x->boolean = p->now.boolean;
    switch (p->now.kind) {
    case T_STRING:
        x->kind = X_STRING;
        advance(p);
        return true;
    case T_INTEGER:
        x->kind = X_INTEGER;
        advance(p);
        return true;
    case T_BOOLEAN:
        x->kind = X_BOOLEAN;
        advance(p);
        return true;
    case T_NAME:
        advance(p);
        x->kind = is(p, T_LPAREN) ? X_CALL : X_PROPERTY;
        return x->kind == X_CALL ? parse_call(p, x) : parse_property(p, x);
    default:
        return mismatched(p, "expression", NULL);
    }
}

/* expr = STRING | INTEGER | BOOLEAN | IDENT , "." , property | functionCall */
static struct expr *parse_expr(struct parser *p)
{
    struct expr *x = make(p, sizeof(*x));

    if (x == NULL)
        return NULL;
    enter(p, "expression");
    return leave(p, fill_expr(p, x)) ? x : NULL;
}

/* -- conditions -- */

static bool read_test(struct parser *p, struct test *t)
{
    int property = is(p, T_NAME) ? word_index(p->now.text, property_names, PROPERTY_COUNT) : -1;

    t->place = p->now.place;
    if (property < 0)
        return mismatched(p, "{'type', 'value', 'valueType', 'issuer'}",
                          is(p, T_NAME) ? suggest_word(p->p, p->now.text, property_names, PROPERTY_COUNT) : NULL);
    t->property = (enum property)property;
    advance(p);
    t->op = p->now.kind;
    if (!is(p, T_EQ) && !is(p, T_NE) && !is(p, T_LT) && !is(p, T_LE) && !is(p, T_GT) && !is(p, T_GE))
        return mismatched(p, "{'==', '!=', '<', '<=', '>', '>='}", is(p, T_ASSIGN) ? "did you mean '=='?" : NULL);
    advance(p);
    t->expr = parse_expr(p);
    return t->expr != NULL;
}

/* propCond = property , compareOp , expr */
static struct test *parse_test(struct parser *p)
{
    struct test *t = make(p, sizeof(*t));

    if (t == NULL)
        return NULL;
    enter(p, "propertyCondition");
    return leave(p, read_test(p, t)) ? t : NULL;
}

static bool read_condition(struct parser *p, struct condition *c)
{
    struct test **last = &c->tests;

    c->place = p->now.place;
    if (is(p, T_NOT)) {
        if (p->policy->minor < 2)
            return mismatched(p, "{'[', identifier, '=>'}", "a negated condition ![...] needs version=1.2");
        c->negated = true;
        advance(p);
    } else if (is(p, T_NAME)) {
        c->name = p->now.text;
        c->name_place = p->now.place;
        advance(p);
        if (!expect(p, T_COLON))
            return false;
    }
    if (!expect(p, T_LBRACKET))
        return false;
    do {
        if (++c->test_count > MAX_TESTS)
            return too_large(p, p->now.place, "32 property conditions in a condition at most");
        *last = parse_test(p);
        if (*last == NULL)
            return false;
        last = &(*last)->next;
    } while (accept(p, T_COMMA));
    if (!is(p, T_RBRACKET))
        return mismatched(p, "{',', ']'}",
                          is(p, T_AND) ? "property conditions of one claim are joined by ','" : NULL);
    c->place.length = p->now.place.at + 1 - c->place.at;
    advance(p);
    return true;
}

/* condition = [ IDENT , ":" ] , "[" , propCond , { "," , propCond } , "]" | "!" , "[" , ... , "]" */
static struct condition *parse_condition(struct parser *p)
{
    struct condition *c = make(p, sizeof(*c));

    if (c == NULL)
        return NULL;
    enter(p, "condition");
    return leave(p, read_condition(p, c)) ? c : NULL;
}

/* conditions = condition , { "&&" , condition } */
static bool parse_conditions(struct parser *p, struct rule *r)
{
    struct condition **last = &r->conditions;

    do {
        if (++r->condition_count > MAX_CONDITIONS)
            return too_large(p, p->now.place, "64 conditions in a rule at most");
        *last = parse_condition(p);
        if (*last == NULL)
            return false;
        last = &(*last)->next;
    } while (accept(p, T_AND));
    return true;
}

/* -- actions -- */

/* assignment = ( "type" | "value" | "valueType" ) , "=" , expr */
static bool parse_assignment(struct parser *p, struct action *a)
{
    int property = is(p, T_NAME) ? word_index(p->now.text, property_names, PROPERTY_COUNT) : -1;

    if (property == PROP_ISSUER)
        return mismatched(p, "{'type', 'value', 'valueType'}",
                          "the issuer of a claim that a policy makes is always AttestationPolicy");
    if (property < 0)
        return mismatched(p, "{'claim', 'type', 'value', 'valueType'}",
                          is(p, T_STRING) && a->made[PROP_TYPE] == NULL ? "did you mean type=...?"
                          : is(p, T_NAME) ? suggest_word(p->p, p->now.text, property_names, PROPERTY_COUNT) : NULL);
    if (a->made[property] != NULL)
        problem(p, P_TWICE, p->now.place,
                problem_printf(p->p, "property '%s' given twice", property_names[property]),
                NULL, NULL);
    a->places[property] = p->now.place;
    advance(p);
    if (!is(p, T_ASSIGN))
        return mismatched(p, "'='", is(p, T_EQ) ? "did you mean '='?" : NULL);
    advance(p);
    a->made[property] = parse_expr(p);
    return a->made[property] != NULL;
}

static bool read_claim_expr(struct parser *p, struct action *a)
{
    if (is_word(p, "claim")) {
        advance(p);
        if (!is(p, T_ASSIGN))
            return mismatched(p, "'='", is(p, T_EQ) ? "did you mean '='?" : NULL);
        advance(p);
        a->claim = p->now.text;
        a->claim_place = p->now.place;
        return expect(p, T_NAME);
    }
    do
        if (!parse_assignment(p, a))
            return false;
    while (accept(p, T_COMMA));
    return true;
}

/* claimExpr = "claim" , "=" , IDENT | assignment , { "," , assignment } */
static bool parse_claim_expr(struct parser *p, struct action *a)
{
    enter(p, "claimExpr");
    return leave(p, read_claim_expr(p, a));
}

/* Section 4.4: which action may stand where. */
static const bool allowed[SECTION_COUNT][ACTION_COUNT] = {
    /*                           permit deny   add    issue  issueproperty */
    [SECTION_CONFIGURATION] = { false, false, false, false, true },
    [SECTION_AUTHORIZATION] = { true,  true,  true,  true,  false },
    [SECTION_ISSUANCE] =      { false, false, true,  true,  true },
};

static const char *const expected_action[SECTION_COUNT] = {
    [SECTION_CONFIGURATION] = "'issueproperty'",
    [SECTION_AUTHORIZATION] = "{'permit', 'deny', 'add'}",
    [SECTION_ISSUANCE] = "{'add', 'issue', 'issueproperty'}",
};

static bool read_action(struct parser *p, struct action *a, enum section section)
{
    int kind = is(p, T_NAME) ? word_index(p->now.text, action_names, ACTION_COUNT) : -1;

    a->place = p->now.place;
    if (kind < 0)
        return mismatched(p, expected_action[section],
                          is(p, T_NAME) ? suggest_word(p->p, p->now.text, action_names, ACTION_COUNT) : NULL);
    a->kind = (enum action_kind)kind;
    if (!allowed[section][kind])
        problem(p, P_ACTION, p->now.place,
                problem_printf(p->p, "action '%s' is not allowed in %s", action_names[kind],
                               section_names[section]), NULL,
                kind <= A_DENY ? "permit() and deny() stand in authorizationrules" : NULL);
    advance(p);
    if (!expect(p, T_LPAREN))
        return false;
    if (kind > A_DENY && !parse_claim_expr(p, a))
        return false;
    if (!is(p, T_RPAREN))
        return mismatched(p, kind <= A_DENY ? "')'" : "{',', ')'}", NULL);
    advance(p);
    return true;
}

static bool parse_action(struct parser *p, struct action *a, enum section section)
{
    enter(p, "action");
    return leave(p, read_action(p, a, section));
}

/* -- rules and sections -- */

static bool read_rule(struct parser *p, struct rule *r, enum section section)
{
    if (!is(p, T_ARROW)) {
        if (section == SECTION_CONFIGURATION)
            return mismatched(p, "{'=>', '}'}", "rules of configurationrules have no conditions");
        if (!is(p, T_LBRACKET) && !is(p, T_NAME) && !is(p, T_NOT))
            return mismatched(p, "{'[', identifier, '=>', '}'}", NULL);
        if (!parse_conditions(p, r))
            return false;
    }
    if (!is(p, T_ARROW))
        return mismatched(p, "{'&&', '=>'}", is(p, T_ASSIGN) || is(p, T_GE) ? "did you mean '=>'?" : NULL);
    advance(p);
    return parse_action(p, &r->action, section);
}

/* Goes to the end of a rule that could not be read: behind the next ";", or to the "}" of the section. */
static void skip_rule(struct parser *p)
{
    while (!is(p, T_EOF) && !is(p, T_RBRACE) && !(is(p, T_BAD) && p->lex.dead))
        if (accept(p, T_SEMI))
            return;
        else
            advance(p);
}

/* rule = [ conditions ] , "=>" , action , ";" */
static void parse_rule(struct parser *p, struct rules *list, enum section section)
{
    struct rule *r = make(p, sizeof(*r));
    bool ok;

    if (r == NULL)
        return;
    r->place = p->now.place;
    p->calls = 0;
    enter(p, "claimRule");
    ok = read_rule(p, r, section);
    if (ok) {
        expect_semicolon(p);
        r->place.length = p->before.place.at + p->before.place.length - r->place.at;
    }
    leave(p, ok);
    if (!ok) {
        skip_rule(p);
        return;
    }
    if (++list->count > MAX_RULES) {
        too_large(p, r->place, "4096 rules in a section at most");
        return;
    }
    if (list->last == NULL)
        list->first = r;
    else
        list->last->next = r;
    list->last = r;
}

/* section = NAME , "{" , { rule } , "}" , ";" */
static void parse_section(struct parser *p, struct rules *list, enum section section)
{
    enter(p, section_rules[section]);
    list->present = true;
    list->place = p->now.place;
    advance(p);
    if (!expect(p, T_LBRACE))
        skip_rule(p);
    while (!is(p, T_RBRACE) && !is(p, T_EOF) && !p->lex.dead)
        parse_rule(p, list, section);
    list->end = p->now.place;
    if (expect(p, T_RBRACE))
        expect_semicolon(p);
    leave(p, true);
}

static int section_now(const struct parser *p)
{
    for (int i = 0; is(p, T_NAME) && i < SECTION_COUNT; i++)
        if (bytes_equal_nocase(p->now.text, bytes_str(section_names[i])))
            return i;
    return -1;
}

/* What may follow where `next` is the first section that is still allowed. */
static const char *expected_section(const struct policy *policy, int next)
{
    if (next > SECTION_ISSUANCE)
        return "<EOF>";
    if (next == SECTION_ISSUANCE)
        return "{'issuancerules', <EOF>}";
    if (next == SECTION_CONFIGURATION && policy->minor >= 1)
        return "{'configurationrules', 'authorizationrules'}";
    return "'authorizationrules'";
}

static const char *section_hint(struct parser *p, int section)
{
    if (section == SECTION_CONFIGURATION && p->policy->minor < 1)
        return "configurationrules needs version=1.1 or 1.2";
    if (section >= 0)
        return "sections come once each: configurationrules, authorizationrules, issuancerules";
    return is(p, T_NAME) ? suggest_word(p->p, p->now.text, section_names, SECTION_COUNT) : NULL;
}

static void parse_sections(struct parser *p)
{
    int next = SECTION_CONFIGURATION;
    struct rules spare;

    while (!is(p, T_EOF) && !p->lex.dead) {
        int section = section_now(p);
        bool fits = section >= next && !(section == SECTION_ISSUANCE && next < SECTION_ISSUANCE)
            && !(section == SECTION_CONFIGURATION && p->policy->minor < 1);

        if (!fits)
            mismatched(p, expected_section(p->policy, next), section_hint(p, section));
        if (section >= 0) {
            spare = (struct rules){ 0 };
            parse_section(p, fits ? &p->policy->sections[section] : &spare, (enum section)section);
            next = section + 1 > next ? section + 1 : next;
            if (section == SECTION_ISSUANCE)
                p->policy->sections[SECTION_AUTHORIZATION].present = true; /* its absence is told */
            continue;
        }
        /* a section that is misspelt: to the next one */
        while (!is(p, T_EOF) && section_now(p) < 0 && !p->lex.dead)
            advance(p);
    }
    if (!p->policy->sections[SECTION_AUTHORIZATION].present && p->p->d.errors == 0)
        mismatched(p, expected_section(p->policy, next), NULL);
}

/* The way out where a text does not begin with its version. */
static const char *version_hint(struct parser *p)
{
    static const char *const words[] = { "version" };

    if (is(p, T_LBRACE))
        return "the JSON policies of before version 1.0 are not accepted; begin with version=1.0;";
    return is(p, T_NAME) ? suggest_word(p->p, p->now.text, words, 1) : "begin with version=1.0;";
}

/* versionInfo = "version" , "=" , VERSION , ";" */
static void parse_version(struct parser *p)
{
    static const char *const versions[] = { "1.0", "1.1", "1.2" };
    int minor;

    enter(p, "versionInfo");
    p->policy->minor = 2;
    if (!is(p, T_NAME) || !bytes_equal_nocase(p->now.text, LIT("version"))) {
        mismatched(p, "'version'", version_hint(p));
        leave(p, false);
        return;
    }
    advance(p);
    if (!is(p, T_ASSIGN)) {
        mismatched(p, "'='", NULL);
        skip_rule(p);
        leave(p, false);
        return;
    }
    p->before = p->now;
    p->now = lexer_next(&p->lex, true);
    if (!is(p, T_VERSION)) {
        mismatched(p, "{1.0, 1.1, 1.2}", NULL);
        skip_rule(p);
        leave(p, false);
        return;
    }
    minor = word_index(p->now.text, versions, COUNT(versions));
    if (minor < 0)
        problem(p, P_VERSION, p->now.place,
                problem_printf(p->p, "unsupported version '%s'", problem_source(p->p, p->now.place)),
                "{1.0, 1.1, 1.2}", NULL);
    else
        p->policy->minor = (unsigned)minor;
    p->policy->version = p->now;
    advance(p);
    expect_semicolon(p);
    leave(p, true);
}

void policy_parse(struct policy *policy, struct problems *problems)
{
    struct parser p = { .p = problems, .policy = policy };

    problems->rule = "policy";
    lexer_open(&p.lex, policy->text, &policy->a, problems);
    advance(&p);
    parse_version(&p);
    if (is(&p, T_LBRACE) && problems->d.errors > 0 && policy->version.kind != T_VERSION)
        return; /* the JSON language of before: nothing in it can be read */
    parse_sections(&p);
}
