/* lex.c: a policy's text to tokens (section 3). Lines and columns count from 1; a column is a code point. */
#include "policy/policy_priv.h"

const char *const token_texts[] = {
#define X(name, text) text,
    TOKENS(X)
#undef X
};

void lexer_open(struct lexer *l, struct bytes text, struct arena *a, struct problems *p)
{
    *l = (struct lexer){ .in = text, .line = 1, .column = 1, .a = a, .p = p };
    if (bytes_equal(bytes_part(text, 0, 3), LIT("\xef\xbb\xbf"))) /* a byte order mark */
        l->at = 3;
}

static uint8_t peek(const struct lexer *l, size_t ahead)
{
    return l->at + ahead < l->in.n ? l->in.p[l->at + ahead] : 0;
}

/* Steps over one byte and keeps the place: CR LF, LF and lone CR each end a line. */
static void step(struct lexer *l)
{
    uint8_t c = l->in.p[l->at++];

    if (c == '\n' || (c == '\r' && peek(l, 0) != '\n')) {
        l->line++;
        l->column = 1;
    } else if (c != '\r' && (peek(l, 0) & 0xc0) != 0x80) {
        l->column++;
    }
}

static void steps(struct lexer *l, size_t n)
{
    while (n-- > 0 && l->at < l->in.n)
        step(l);
}

static struct place here(const struct lexer *l)
{
    return (struct place){ .at = l->at, .line = l->line, .column = l->column };
}

static struct place until_here(const struct lexer *l, struct place from)
{
    from.length = l->at - from.at;
    return from;
}

static bool is_name(uint8_t c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (!first && c >= '0' && c <= '9');
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* A problem that ends the reading: what follows cannot be told apart. */
static struct token die(struct lexer *l, enum problem_code code, struct place at, const char *message,
                        const char *suggestion)
{
    if (!l->dead)
        problem_add(l->p, code, at, (struct problem_text){ message, NULL, suggestion });
    l->dead = true;
    l->at = l->in.n;
    return (struct token){ .kind = T_BAD, .place = at };
}

/* A comment begins here: steps over it. */
static bool skip_comment(struct lexer *l)
{
    struct place start = here(l);

    if (peek(l, 1) == '/') {
        while (l->at < l->in.n && peek(l, 0) != '\n' && peek(l, 0) != '\r')
            step(l);
        return true;
    }
    steps(l, 2);
    while (l->at < l->in.n && !(peek(l, 0) == '*' && peek(l, 1) == '/'))
        step(l);
    if (l->at >= l->in.n) {
        start.length = 2;
        die(l, P_COMMENT, start, "unterminated comment", "close the comment with */");
        return false;
    }
    steps(l, 2);
    return true;
}

static bool at_blank(const struct lexer *l)
{
    uint8_t c = peek(l, 0);

    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static bool at_comment(const struct lexer *l)
{
    return peek(l, 0) == '/' && (peek(l, 1) == '/' || peek(l, 1) == '*');
}

static bool skip_blank(struct lexer *l)
{
    for (;;) {
        if (at_blank(l))
            step(l);
        else if (!at_comment(l))
            return true;
        else if (!skip_comment(l))
            return false;
    }
}

/* STRING: a backslash before a quote or a backslash is dropped, any other stays (section 3). */
static struct bytes decode(struct lexer *l, struct bytes inner)
{
    uint8_t *p = arena_alloc(l->a, inner.n + 1);
    size_t n = 0;

    if (p == NULL)
        return (struct bytes){ NULL, 0 };
    for (size_t i = 0; i < inner.n; i++) {
        if (inner.p[i] == '\\' && i + 1 < inner.n) {
            if (inner.p[i + 1] != '"' && inner.p[i + 1] != '\\')
                p[n++] = '\\';
            i++;
        }
        p[n++] = inner.p[i];
    }
    return bytes_of(p, n);
}

/* The first typographic quote in b, as an offset; b.n if there is none. */
static size_t typographic(struct bytes b)
{
    for (size_t i = 0; i + 3 <= b.n; i++)
        if (b.p[i] == 0xe2 && b.p[i + 1] == 0x80 && b.p[i + 2] >= 0x98 && b.p[i + 2] <= 0x9f)
            return i;
    return b.n;
}

static struct token read_string(struct lexer *l)
{
    struct place start = here(l);
    struct token t = { .kind = T_STRING };
    size_t inner;

    step(l);
    inner = l->at;
    while (l->at < l->in.n && peek(l, 0) != '"')
        steps(l, peek(l, 0) == '\\' ? 2 : 1);
    if (l->at >= l->in.n) {
        size_t quote = typographic(bytes_part(l->in, inner, l->in.n - inner));

        start.length = 1;
        return die(l, P_STRING, start, "unterminated string",
                   quote < l->in.n - inner ? "a typographic quote does not close a string; write \""
                                           : "close the string with \"");
    }
    t.text = bytes_part(l->in, inner, l->at - inner);
    step(l);
    t.place = until_here(l, start);
    if (t.text.n > MAX_STRING)
        return die(l, P_TOO_LARGE, start, "policy too large", "a string may have 64 KiB");
    if (memchr(t.text.p, '\\', t.text.n) != NULL)
        t.text = decode(l, t.text);
    return t;
}

static struct token read_integer(struct lexer *l)
{
    struct place start = here(l);
    struct token t = { .kind = T_INTEGER };
    bool minus = peek(l, 0) == '-', fits = true;

    if (minus)
        step(l);
    for (; is_digit(peek(l, 0)); step(l)) {
        int64_t d = peek(l, 0) - '0';

        fits = fits && !__builtin_mul_overflow(t.integer, 10, &t.integer)
            && !__builtin_add_overflow(t.integer, minus ? -d : d, &t.integer);
    }
    t.place = until_here(l, start);
    if (!fits) {
        problem_add(l->p, P_RANGE, t.place,
                    (struct problem_text){ "integer out of range",
                                          "-9223372036854775808 to 9223372036854775807", NULL });
        t.kind = T_BAD;
    }
    return t;
}

static struct token read_name(struct lexer *l)
{
    struct place start = here(l);
    struct token t = { .kind = T_NAME };

    while (is_name(peek(l, 0), false))
        step(l);
    t.place = until_here(l, start);
    t.text = bytes_part(l->in, start.at, t.place.length);
    if (t.text.n > MAX_NAME)
        return die(l, P_TOO_LARGE, start, "policy too large", "an identifier may have 128 characters");
    if (bytes_is(t.text, "true") || bytes_is(t.text, "false")) {
        t.kind = T_BOOLEAN;
        t.boolean = bytes_is(t.text, "true");
    }
    return t;
}

static struct token read_version(struct lexer *l)
{
    struct place start = here(l);
    struct token t = { .kind = T_VERSION };

    while (is_digit(peek(l, 0)) || peek(l, 0) == '.')
        step(l);
    t.place = until_here(l, start);
    t.text = bytes_part(l->in, start.at, t.place.length);
    return t;
}

/* clang-format off */
static const struct { char text[3]; enum token_kind kind; } operators[] = {
    { "=>", T_ARROW },  { "==", T_EQ },     { "!=", T_NE },     { "<=", T_LE },       { ">=", T_GE },
    { "&&", T_AND },    { "<", T_LT },      { ">", T_GT },      { "=", T_ASSIGN },    { "!", T_NOT },
    { ":", T_COLON },   { ";", T_SEMI },    { ",", T_COMMA },   { ".", T_DOT },       { "(", T_LPAREN },
    { ")", T_RPAREN },  { "{", T_LBRACE },  { "}", T_RBRACE },  { "[", T_LBRACKET },  { "]", T_RBRACKET },
};

/* What people write who come from other languages, or from a word processor. */
static const struct { const char *text, *suggestion; } strange[] = {
    { "\xe2\x80\x9c", "a typographic quote is no quote; write \"" },
    { "\xe2\x80\x9d", "a typographic quote is no quote; write \"" },
    { "\xe2\x80\x9e", "a typographic quote is no quote; write \"" },
    { "\xe2\x80\x98", "a typographic quote is no quote; write \"" },
    { "\xe2\x80\x99", "a typographic quote is no quote; write \"" },
    { "\xc2\xa0",     "a no-break space is no white space; write a blank" },
    { "'",            "strings stand in double quotes" },
    { "||",           "there is no 'or': write a rule for each case" },
    { "&",            "did you mean '&&'?" },
    { "#",            "a comment begins with //" },
    { "~",            "there is no pattern matching; JmesPath has contains() and starts_with()" },
    { "+",            "strings are joined by AppendString(a, b)" },
};
/* clang-format on */

static size_t sequence_length(const struct lexer *l)
{
    size_t n = 1;

    while (n < 4 && (peek(l, n) & 0xc0) == 0x80)
        n++;
    return n;
}

static struct token read_other(struct lexer *l)
{
    struct token t = { .kind = T_BAD };
    struct place start = here(l);
    const char *suggestion = NULL;

    for (size_t i = 0; i < COUNT(operators); i++)
        if (bytes_equal(bytes_part(l->in, l->at, strlen(operators[i].text)), bytes_str(operators[i].text))) {
            steps(l, strlen(operators[i].text));
            t.kind = operators[i].kind;
            t.place = until_here(l, start);
            return t;
        }
    for (size_t i = 0; i < COUNT(strange) && suggestion == NULL; i++)
        if (bytes_equal(bytes_part(l->in, l->at, strlen(strange[i].text)), bytes_str(strange[i].text)))
            suggestion = strange[i].suggestion;
    steps(l, sequence_length(l));
    t.place = until_here(l, start);
    problem_add(l->p, P_TOKEN, t.place,
                (struct problem_text){ problem_printf(l->p, "token recognition error at: '%s'",
                                                      problem_source(l->p, t.place)),
                                       NULL, suggestion });
    return t;
}

struct token lexer_next(struct lexer *l, bool version)
{
    uint8_t c;

    if (!skip_blank(l) || l->at >= l->in.n)
        return (struct token){ .kind = l->dead ? T_BAD : T_EOF, .place = here(l) };
    if (++l->tokens > MAX_TOKENS)
        return die(l, P_TOO_LARGE, here(l), "policy too large", "a policy may have 200,000 tokens");
    c = peek(l, 0);
    if (version && is_digit(c))
        return read_version(l);
    if (is_name(c, true))
        return read_name(l);
    if (is_digit(c) || (c == '-' && is_digit(peek(l, 1))))
        return read_integer(l);
    if (c == '"')
        return read_string(l);
    return read_other(l);
}

static void skip_string(struct lexer *l)
{
    step(l);
    while (l->at < l->in.n && peek(l, 0) != '"')
        steps(l, peek(l, 0) == '\\' ? 2 : 1);
    steps(l, 1);
}

struct place lexer_comment(struct lexer *l)
{
    while (l->at < l->in.n) {
        struct place start = here(l);

        if (at_comment(l))
            return skip_comment(l) ? until_here(l, start) : start;
        if (peek(l, 0) == '"')
            skip_string(l);
        else
            step(l);
    }
    return (struct place){ .at = l->in.n };
}

struct bytes source_collapse(struct arena *a, struct bytes text)
{
    struct out o = out_open(a);
    struct lexer l = { .in = text, .line = 1, .column = 1, .dead = true };
    bool any = false;

    while (skip_blank(&l) && l.at < l.in.n) {
        size_t start = l.at;

        if (any)
            out_char(&o, ' ');
        any = true;
        while (l.at < l.in.n && !at_blank(&l) && !at_comment(&l)) {
            if (peek(&l, 0) == '"')
                skip_string(&l);
            else
                step(&l);
        }
        out_bytes(&o, bytes_part(l.in, start, l.at - start));
    }
    return out_view(&o);
}
