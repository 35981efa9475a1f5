/* lex.c: an expression's text to tokens (section 8.1). */
#include "jmespath/jmespath_priv.h"

#include <stdarg.h>
#include <stdio.h>

bool jp_syntax(struct err *e, size_t at, const char *fmt, ...)
{
    char why[200];
    va_list args;

    va_start(args, fmt);
    vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);
    return err_set(e, ERR_EXPRESSION, JMESPATH_WHAT, "syntax: at offset %zu: %s", at, why);
}

static bool is_start(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static uint8_t peek(const struct jp_lexer *l, size_t ahead)
{
    return l->at + ahead < l->in.n ? l->in.p[l->at + ahead] : 0;
}

static bool read_number(struct jp_lexer *l, struct jp_token *t)
{
    bool minus = peek(l, 0) == '-';

    l->at += minus;
    if (!is_digit(peek(l, 0)))
        return jp_syntax(l->e, t->at, "a digit must follow '-'");
    t->kind = JP_NUMBER;
    for (; is_digit(peek(l, 0)); l->at++) {
        int64_t d = peek(l, 0) - '0';

        if (__builtin_mul_overflow(t->number, 10, &t->number)
            || __builtin_add_overflow(t->number, minus ? -d : d, &t->number))
            return jp_syntax(l->e, t->at, "the number does not fit 64 bits");
    }
    return true;
}

/* The text up to the closing `quote`, in which a backslash protects the next character; the closing one is
 * taken. */
static bool delimited(struct jp_lexer *l, uint8_t quote, struct bytes *ret)
{
    size_t start = ++l->at;

    while (l->at < l->in.n && l->in.p[l->at] != quote)
        l->at += l->in.p[l->at] == '\\' ? 2 : 1;
    if (l->at >= l->in.n)
        return jp_syntax(l->e, start - 1, "%c is not closed", quote);
    *ret = bytes_part(l->in, start, l->at - start);
    l->at++;
    return true;
}

/* A copy in which backslash + quote is the quote; every other backslash stays. */
static struct bytes unescape(struct jp_lexer *l, struct bytes b, uint8_t quote)
{
    uint8_t *p = arena_alloc(l->a, b.n);
    size_t n = 0;

    if (p == NULL)
        return (struct bytes){ NULL, 0 };
    for (size_t i = 0; i < b.n; i++) {
        if (b.p[i] == '\\' && i + 1 < b.n && b.p[i + 1] == quote)
            i++;
        p[n++] = b.p[i];
    }
    return bytes_of(p, n);
}

static bool read_quoted(struct jp_lexer *l, struct jp_token *t)
{
    size_t start = l->at;
    struct bytes inner;
    const struct json *j;

    if (!delimited(l, '"', &inner))
        return false;
    if (!json_parse(bytes_part(l->in, start, l->at - start), 1, JMESPATH_WHAT, l->a, &j, NULL))
        return jp_syntax(l->e, start, "the quoted name is not a JSON string");
    t->kind = JP_QUOTED;
    t->text = j->text;
    return true;
}

static bool read_raw(struct jp_lexer *l, struct jp_token *t)
{
    struct bytes inner;
    struct jvalue *v = arena_new(l->a, struct jvalue);

    if (v == NULL)
        return err_memory(l->e, JMESPATH_WHAT);
    if (!delimited(l, '\'', &inner))
        return false;
    *v = (struct jvalue){ .type = JSON_STRING, .text = unescape(l, inner, '\'') };
    if (v->text.p == NULL)
        return err_memory(l->e, JMESPATH_WHAT);
    t->kind = JP_LITERAL;
    t->literal = v;
    return true;
}

static bool read_literal(struct jp_lexer *l, struct jp_token *t)
{
    struct bytes inner, text;
    struct err why = { 0 };

    if (!delimited(l, '`', &inner))
        return false;
    text = unescape(l, inner, '`');
    if (text.p == NULL)
        return err_memory(l->e, JMESPATH_WHAT);
    t->kind = JP_LITERAL;
    if (jvalue_parse(text, JMESPATH_WHAT, l->a, &t->literal, &why))
        return true;
    if (why.code == ERR_NO_MEMORY)
        return err_memory(l->e, JMESPATH_WHAT);
    return jp_syntax(l->e, t->at, "the literal is not JSON: %.120s", why.why);
}

/* clang-format off */
static const struct { char text[3]; enum jp_token_kind kind; } operators[] = {
    { "[]", JP_FLATTEN }, { "[?", JP_FILTER }, { "[", JP_LBRACKET }, { "]", JP_RBRACKET },
    { "{", JP_LBRACE },   { "}", JP_RBRACE },  { "(", JP_LPAREN },   { ")", JP_RPAREN },
    { "&&", JP_AND },     { "&", JP_EXPREF },  { "||", JP_OR },      { "|", JP_PIPE },
    { "==", JP_EQ },      { "!=", JP_NE },     { "!", JP_NOT },      { "<=", JP_LE },
    { "<", JP_LT },       { ">=", JP_GE },     { ">", JP_GT },       { ".", JP_DOT },
    { "*", JP_STAR },     { ",", JP_COMMA },   { ":", JP_COLON },    { "@", JP_CURRENT },
};
/* clang-format on */

static bool read_operator(struct jp_lexer *l, struct jp_token *t)
{
    for (size_t i = 0; i < COUNT(operators); i++) {
        struct bytes text = bytes_str(operators[i].text);

        if (bytes_equal(bytes_part(l->in, l->at, text.n), text)) {
            l->at += text.n;
            t->kind = operators[i].kind;
            return true;
        }
    }
    if (peek(l, 0) == '=')
        return jp_syntax(l->e, l->at, "a single '=' is not an operator; did you mean '=='?");
    return jp_syntax(l->e, l->at, "character 0x%02x cannot stand here", peek(l, 0));
}

bool jp_next(struct jp_lexer *l, struct jp_token *ret)
{
    uint8_t c;

    while (l->at < l->in.n && (c = l->in.p[l->at], c == ' ' || c == '\t' || c == '\n' || c == '\r'))
        l->at++;
    *ret = (struct jp_token){ .kind = JP_END, .at = l->at };
    if (l->at >= l->in.n)
        return true;
    c = l->in.p[l->at];
    if (is_start(c)) {
        size_t start = l->at;

        while (l->at < l->in.n && (is_start(l->in.p[l->at]) || is_digit(l->in.p[l->at])))
            l->at++;
        ret->kind = JP_NAME;
        ret->text = bytes_part(l->in, start, l->at - start);
        return true;
    }
    if (is_digit(c) || c == '-')
        return read_number(l, ret);
    if (c == '"')
        return read_quoted(l, ret);
    if (c == '\'')
        return read_raw(l, ret);
    if (c == '`')
        return read_literal(l, ret);
    return read_operator(l, ret);
}
