/* diag.c: problems of a text: where, what, what was expected, and the way out. */
#include "policy/policy_priv.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const codes[] = {
#define X(name, text) text,
    PROBLEMS(X)
#undef X
};

struct policy_diagnostics policy_diagnostics_open(struct arena *a)
{
    return (struct policy_diagnostics){ .a = a };
}

struct bytes cut_utf8(struct bytes b, size_t n)
{
    if (b.n <= n)
        return b;
    while (n > 0 && (b.p[n] & 0xc0) == 0x80)
        n--;
    return bytes_part(b, 0, n);
}

const char *problem_printf(struct problems *p, const char *fmt, ...)
{
    char text[700];
    va_list args;
    char *copy;

    if (problems_full(p))
        return "";
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    copy = arena_str(p->d.a, bytes_str(text));
    return copy == NULL ? "" : copy;
}

const char *problem_source(struct problems *p, struct place at)
{
    struct bytes b = bytes_part(p->text, at.at, at.length), cut = cut_utf8(b, 100);

    if (at.length == 0)
        return "<EOF>";
    return problem_printf(p, "%.*s%s", (int)cut.n, (const char *)cut.p, cut.n < b.n ? "..." : "");
}

static bool is_line_end(uint8_t c)
{
    return c == '\n' || c == '\r';
}

static struct bytes line_at(struct bytes text, size_t at)
{
    size_t start = at > text.n ? text.n : at, end = start;

    while (start > 0 && !is_line_end(text.p[start - 1]))
        start--;
    while (end < text.n && !is_line_end(text.p[end]))
        end++;
    return cut_utf8(bytes_part(text, start, end - start), 2000);
}

static unsigned code_points(struct bytes b)
{
    unsigned n = 0;

    for (size_t i = 0; i < b.n; i++)
        n += (b.p[i] & 0xc0) != 0x80;
    return n;
}

/* How much of the place lies in its first line. */
static unsigned caret_width(const struct problems *p, struct place at)
{
    struct bytes b = bytes_part(p->text, at.at, at.length);
    size_t n = 0;
    unsigned width;

    while (n < b.n && !is_line_end(b.p[n]))
        n++;
    width = code_points(bytes_part(b, 0, n));
    return width == 0 ? 1 : width;
}

static bool grow(struct problems *p)
{
    struct policy_diagnostics *d = &p->d;
    size_t room = d->count == 0 ? 8 : d->count * 2;
    struct policy_problem *list;

    if (d->count != 0 && (d->count < 8 || (d->count & (d->count - 1)) != 0))
        return true;
    list = arena_many(d->a, room, struct policy_problem);
    if (list == NULL)
        return false;
    if (d->count > 0)
        memcpy(list, d->list, d->count * sizeof(*list));
    d->list = list;
    return true;
}

void problem_add(struct problems *p, enum problem_code code, struct place at, struct problem_text text)
{
    struct policy_diagnostics *d = &p->d;
    bool warning = code >= P_W_ISSUE;

    if (d->count >= POLICY_MAX_PROBLEMS - (warning ? 8 : 0) || !grow(p)) {
        d->errors += !warning; /* still an error where it cannot be kept */
        return;
    }
    p->places[d->count] = at.at;
    d->list[d->count++] = (struct policy_problem){
        .warning = warning,
        .code = codes[code],
        .line = at.line,
        .column = at.column,
        .line_text = line_at(p->text, at.at),
        .width = caret_width(p, at),
        .message = text.message,
        .expected = text.expected,
        .suggestion = text.suggestion,
        .symbol = problem_source(p, at),
        .rule = p->rule,
    };
    d->errors += !warning;
}

/* Insertion: there are at most POLICY_MAX_PROBLEMS. */
void problems_sort(struct problems *p)
{
    for (size_t i = 1; i < p->d.count; i++)
        for (size_t k = i; k > 0 && p->places[k - 1] > p->places[k]; k--) {
            struct policy_problem one = p->d.list[k];
            size_t place = p->places[k];

            p->d.list[k] = p->d.list[k - 1];
            p->d.list[k - 1] = one;
            p->places[k] = p->places[k - 1];
            p->places[k - 1] = place;
        }
}

/* -- near words -- */

/* Edits (insert, delete, replace, swap of neighbours count one each) from a to b; both are short. */
static unsigned distance(struct bytes a, struct bytes b)
{
    unsigned rows[3][65];
    unsigned *before = rows[0], *last = rows[1], *now = rows[2];

    for (size_t k = 0; k <= b.n; k++)
        last[k] = (unsigned)k;
    for (size_t i = 1; i <= a.n; i++) {
        unsigned *spare = before;

        now[0] = (unsigned)i;
        for (size_t k = 1; k <= b.n; k++) {
            unsigned cost = a.p[i - 1] != b.p[k - 1], best = last[k - 1] + cost;

            best = last[k] + 1 < best ? last[k] + 1 : best;
            best = now[k - 1] + 1 < best ? now[k - 1] + 1 : best;
            if (i > 1 && k > 1 && a.p[i - 1] == b.p[k - 2] && a.p[i - 2] == b.p[k - 1] && before[k - 2] + 1 < best)
                best = before[k - 2] + 1;
            now[k] = best;
        }
        before = last;
        last = now;
        now = spare;
    }
    return last[b.n];
}

const char *nearest_word(struct bytes word, const char *const *list, size_t count)
{
    const char *best = NULL;
    unsigned least = word.n <= 4 ? 2 : 3; /* one or two edits are near */

    for (size_t i = 0; i < count; i++) {
        struct bytes b = bytes_str(list[i]);
        unsigned n;

        if (bytes_equal_nocase(b, word))
            return list[i];
        if (word.n > 64 || b.n > 64 || word.n >= b.n + least || b.n >= word.n + least)
            continue;
        n = distance(word, b);
        if (n < least) {
            least = n;
            best = list[i];
        }
    }
    return best;
}

const char *suggest_word(struct problems *p, struct bytes word, const char *const *list, size_t count)
{
    const char *near = problems_full(p) ? NULL : nearest_word(word, list, count);

    return near == NULL || bytes_is(word, near) ? NULL : problem_printf(p, "did you mean '%s'?", near);
}

/* -- the three forms -- */

const char *policy_rest_message(const struct policy_diagnostics *d, struct arena *a)
{
    for (size_t i = 0; i < d->count; i++) {
        const struct policy_problem *p = &d->list[i];
        const char *text;

        if (p->warning)
            continue;
        text = arena_printf(a,
                            "Native operation failed with 65526: Invalid policy was specified "
                            "Msg:[Policy Parser Exception Thrown: Offending symbol: '%s'\n"
                            "Line: '%u', Column: '%u'\nFailure message: '%s'\nFailing rule: '%s']",
                            p->symbol, p->line, p->column, p->message, p->rule);
        return text == NULL ? "" : text;
    }
    return "";
}

/* The line with a caret below; a long line is shown around the place. */
static void print_excerpt(const struct policy_problem *p, struct out *o)
{
    enum { WIDTH = 100, BEFORE = 60 };
    unsigned skip = p->column > BEFORE + 20 ? p->column - BEFORE : 0, shown = 0, column = 1;

    out_text(o, skip > 0 ? "    ..." : "    ");
    for (size_t i = 0; i < p->line_text.n && shown < WIDTH;) {
        size_t n = 1;

        while (i + n < p->line_text.n && (p->line_text.p[i + n] & 0xc0) == 0x80)
            n++;
        if (column++ > skip) {
            if (p->line_text.p[i] < 0x20)
                out_char(o, ' ');
            else
                out_bytes(o, bytes_part(p->line_text, i, n));
            shown++;
        }
        i += n;
    }
    out_text(o, skip > 0 ? "\n       " : "\n    ");
    for (unsigned i = skip + 1; i < p->column; i++)
        out_char(o, ' ');
    out_char(o, '^');
    for (unsigned i = 1; i < p->width && i < 40; i++)
        out_char(o, '~');
    out_char(o, '\n');
}

void policy_diagnostics_print(const struct policy_diagnostics *d, const char *file, struct out *o)
{
    for (size_t i = 0; i < d->count; i++) {
        const struct policy_problem *p = &d->list[i];

        out_printf(o, "%s:%u:%u: %s: %s", file, p->line, p->column, p->warning ? "warning" : "error", p->message);
        if (p->suggestion != NULL)
            out_printf(o, "; %s", p->suggestion);
        out_char(o, '\n');
        print_excerpt(p, o);
        if (p->expected != NULL)
            out_printf(o, "    expected: %s\n", p->expected);
    }
}

struct bytes policy_diagnostics_json(const struct policy_diagnostics *d, struct arena *a)
{
    struct jarr list = jarr_open(a);

    for (size_t i = 0; i < d->count; i++) {
        const struct policy_problem *p = &d->list[i];
        struct jobj o = jobj_open(a);

        jobj_text(&o, "severity", p->warning ? "warning" : "error");
        jobj_text(&o, "code", p->code);
        jobj_int(&o, "line", p->line);
        jobj_int(&o, "column", p->column);
        jobj_text(&o, "message", p->message);
        if (p->expected != NULL)
            jobj_text(&o, "expected", p->expected);
        if (p->suggestion != NULL)
            jobj_text(&o, "suggestion", p->suggestion);
        if (utf8_valid(p->line_text))
            jobj_str(&o, "excerpt", p->line_text);
        jobj_text(&o, "rule", p->rule);
        jarr_raw(&list, jobj_print(&o, false));
    }
    return jarr_close(&list);
}
