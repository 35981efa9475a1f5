/* jmespath_test.c: every case of the compliance suite, the service's own function, budgets, printing. */
#include "testing.h"

#include "jmespath/jmespath_priv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static struct arena suite_arena;

struct suite_case {
    const struct json *given, *test;
};

static const struct jvalue *value_of(struct arena *a, const struct json *j)
{
    struct err e = { 0 };
    const struct jvalue *v = NULL;

    assert_ok(jvalue_from_json(j, "test", a, &v, &e), &e);
    return v;
}

static bool run(struct arena *a, struct bytes expression, const struct jvalue *in, uint64_t *steps,
                const struct jvalue **ret, struct err *e)
{
    const struct jmespath *compiled;

    return jmespath_compile(expression, a, &compiled, e) && jmespath_search(compiled, in, a, steps, ret, e);
}

/* A case: {"expression", "result" | "error" | "bench"}. */
static void compliance(void **state)
{
    const struct suite_case *c = *state;
    const struct json *result = json_member(c->test, "result"), *error = json_member(c->test, "error");
    struct arena a;
    struct bytes expression;
    struct err e = { 0 };
    uint64_t steps = JMESPATH_STEPS;
    const struct jvalue *got = NULL;
    struct jp_run r = { .a = &a, .steps = &steps, .e = &e };
    bool ok;

    arena_init(&a, 64 << 20);
    assert_true(json_string(json_member(c->test, "expression"), &expression));
    ok = run(&a, expression, value_of(&a, c->given), &steps, &got, &e);
    if (error != NULL) {
        assert_false(ok);
        assert_refused(&e, ERR_EXPRESSION, arena_str(&a, error->text));
    } else {
        assert_ok(ok, &e);
        if (result != NULL && !jvalue_equal(&r, got, value_of(&a, result))) {
            struct out o = out_open(&a);

            jvalue_print(&o, got);
            fail_msg("got %s, expected %.*s", (const char *)out_view(&o).p, (int)result->raw.n, (const char *)result->raw.p);
        }
    }
    arena_done(&a);
    free(*state);
}

static void add_case(struct suite *s, const char *file, size_t group, size_t at, const struct json *given,
                     const struct json *test)
{
    struct suite_case *c = malloc(sizeof(*c));
    char name[160];
    struct bytes expression = { NULL, 0 };

    if (c == NULL)
        abort();
    *c = (struct suite_case){ given, test };
    (void)json_string(json_member(test, "expression"), &expression);
    snprintf(name, sizeof(name), "%s %zu.%zu %.*s", file, group, at, (int)(expression.n > 60 ? 60 : expression.n),
             (const char *)expression.p);
    for (char *p = name; *p != 0; p++)
        if (*p == '#' || (unsigned char)*p < 0x20) /* TAP reads these */
            *p = ' ';
    suite_add(s, name, compliance, c);
}

static void add_compliance(struct suite *s)
{
    static const char *const files[] = { "basic", "benchmarks", "current", "escape", "filters", "functions",
                                         "identifiers", "indices", "literal", "pipe", "syntax", "wildcard" };
    struct err e = { 0 };
    char path[4300];

    for (size_t i = 0; i < COUNT(files); i++) {
        const struct json *root;
        struct bytes text;
        size_t group = 0, at = 0;

        snprintf(path, sizeof(path), "%s/jmespath/%s.json", test_vectors() == NULL ? "" : test_vectors(), files[i]);
        text = test_read(&suite_arena, path);
        if (text.p == NULL || !json_parse(text, 256, path, &suite_arena, &root, &e)) {
            snprintf(path, sizeof(path), "%s (vectors missing)", files[i]);
            suite_add_skipped(s, path);
            continue;
        }
        for (const struct json *g = root->child; g != NULL; g = g->next, group++) {
            at = 0;
            for (const struct json *c = json_member(g, "cases")->child; c != NULL; c = c->next)
                add_case(s, files[i], group, at++, json_member(g, "given"), c);
        }
    }
}

/* -- our own rows -- */

/* clang-format off */
static const struct row {
    const char *expression, *in, *out; /* out: printed result, or the error's text after '!' */
} rows[] = {
    { "equals_ignore_case(a, 'X')",     "{\"a\":\"x\"}",      "true" },
    { "equals_ignore_case(a, 'y')",     "{\"a\":\"x\"}",      "false" },
    { "equals_ignore_case(a, 'y')",     "{}",                 "false" },
    { "equals_ignore_case(a, a)",       "{\"a\":1}",          "false" },
    { "equals_ignore_case(a)",          "{}",                 "!invalid-arity: equals_ignore_case() takes 2 arguments, 1 given" },
    { "@",                              "{\"b\":1,\"a\":[1.0,1e2,2.5,-0]}", "{\"a\":[1.0,100.0,2.5,-0.0],\"b\":1}" },
    { "@",                              "18446744073709551615", "18446744073709551615" },
    { "@",                              "-9223372036854775808", "-9223372036854775808" },
    { "@ == `18446744073709551615.0`",  "18446744073709551615", "false" },
    { "`9223372036854775807` == `9223372036854775807.0`", "0", "false" },
    { "`1` == `1.0`",                   "0",                  "true" },
    { "`1` == `true`",                  "0",                  "false" },
    { "`2` < '3'",                      "0",                  "null" },
    { "@",                              "\"a\\u0001\\n\\u00e9\\\"\\\\/\"", "\"a\\u0001\\n\303\251\\\"\\\\/\"" },
    { "'\\\\windows\\'s'",              "0",                  "\"\\\\\\\\windows's\"" },
    { "a.b.c || 'none'",                "{\"a\":1}",          "\"none\"" },
    { "false.{a:b}",                    "{\"false\":false}",  "{\"a\":null}" },
    { "x.{a:b}",                        "{}",                 "null" },
    { "[0] = `1`",                      "[1]",                "!a single '=' is not an operator; did you mean '=='?" },
    { "foo(@)",                         "0",                  "!unknown-function: 'foo' is not a function" },
    { "sort_by(@, a)",                  "[]",                 "!invalid-type: sort_by(): an argument is a value, expected an expression (&...)" },
    { "[::0]",                          "[1]",                "!invalid-value: the step of a slice cannot be 0" },
    { "`foo`",                          "0",                  "!syntax: at offset 0: the literal is not JSON" },
    { "\"a",                            "0",                  "!syntax: at offset 0: \" is not closed" },
    { "(a)(b)",                         "{}",                 "!syntax: at offset 4" },
    { "sum(@)",                         "[9223372036854775807,1]", "9.223372036854776e+18" },
    { "abs(@)",                         "-9223372036854775808", "9.223372036854776e+18" },
    { "reverse('a\303\251b')",          "0",                  "\"b\303\251a\"" },
    { "length('a\303\251b')",           "0",                  "3" },
    { "to_number('1e400')",             "0",                  "null" },
    { "[9223372036854775807:-9223372036854775808:-9223372036854775807]", "[1,2,3]", "[3]" },
    { "[99999999999999999999]",         "[]",                 "!syntax: at offset 1: the number does not fit 64 bits" },
};
/* clang-format on */

static void own_row(void **state)
{
    const struct row *row = *state;
    struct arena a;
    struct err e = { 0 };
    const struct jvalue *in, *got;
    uint64_t steps = JMESPATH_STEPS;
    struct out o;
    bool ok;

    arena_init(&a, 16 << 20);
    assert_ok(jvalue_parse(bytes_str(row->in), "test", &a, &in, &e), &e);
    ok = run(&a, bytes_str(row->expression), in, &steps, &got, &e);
    if (row->out[0] == '!') {
        assert_false(ok);
        assert_refused(&e, ERR_EXPRESSION, row->out + 1);
    } else {
        assert_ok(ok, &e);
        o = out_open(&a);
        jvalue_print(&o, got);
        assert_string_equal((const char *)out_view(&o).p, row->out);
    }
    arena_done(&a);
}

/* Worst cases: each ends within its budget with a reason. */
static void hostile(void **state)
{
    static const char *const heads[] = { "", "[", "(", "!", "{a:", "a[?", "not_null(", "[*][" };
    struct arena a;

    (void)state;
    for (size_t i = 0; i < COUNT(heads); i++) {
        struct err e = { 0 };
        struct out o;
        const struct jmespath *j;

        arena_init(&a, 256 << 20);
        o = out_open(&a);
        while (o.n < JMESPATH_MAX_TEXT - 16)
            out_text(&o, i == 0 ? "a." : heads[i]);
        assert_false(jmespath_compile(out_view(&o), &a, &j, &e));
        assert_refused(&e, ERR_EXPRESSION, "nests too deep");
        arena_done(&a);
    }
}

static void step_budget(void **state)
{
    struct arena a;
    struct err e = { 0 };
    struct out o;
    const struct jvalue *in, *got;
    uint64_t steps = JMESPATH_STEPS;

    (void)state;
    arena_init(&a, 1 << 30);
    o = out_open(&a);
    out_text(&o, "[0");
    for (int i = 1; i < 4000; i++)
        out_printf(&o, ",%d", i);
    out_char(&o, ']');
    assert_ok(jvalue_parse(out_view(&o), "test", &a, &in, &e), &e);
    steps = 1000;
    assert_false(run(&a, LIT("map(&to_string(@), @)"), in, &steps, &got, &e));
    assert_refused(&e, ERR_EXPRESSION, "budget");
    assert_int_equal(steps, 0);
    arena_done(&a);
}

/* Doubling the result at each pipe ends in a refusal, whether steps, memory or depth run out first. */
static void doubling(void **state)
{
    struct arena a;
    struct err e = { 0 };
    struct out o;
    const struct jvalue *got;
    uint64_t steps = JMESPATH_STEPS;

    (void)state;
    arena_init(&a, 64 << 20);
    o = out_open(&a);
    out_text(&o, "'abcdefgh'");
    for (int i = 0; i < 40; i++)
        out_text(&o, "|[@,@]|join('',@)");
    assert_false(run(&a, out_view(&o), &jvalue_null, &steps, &got, &e));
    assert_true(e.code == ERR_EXPRESSION || e.code == ERR_NO_MEMORY);
    arena_done(&a);
}

/* Comparing long equal texts costs by their length: sorting and comparing copies of one ends early. */
static void long_texts(void **state)
{
    static const char *const expressions[] = { "map(&(@ == @), [@,@,@,@,@,@,@,@])",
                                               "sort([@,@,@,@,@,@,@,@])", "map(&contains(@, @), [@,@,@,@,@,@,@,@])",
                                               "max([@,@,@,@,@,@,@,@])", "min_by([@,@,@,@,@,@,@,@], &@)" };
    struct arena a;
    struct out o;

    (void)state;
    arena_init(&a, 64 << 20);
    o = out_open(&a);
    out_char(&o, '"');
    for (int i = 0; i < 100000; i++)
        out_text(&o, "aaaaaaaaaa");
    out_char(&o, '"');
    for (size_t i = 0; i < COUNT(expressions); i++) {
        struct err e = { 0 };
        const struct jvalue *in, *got;
        uint64_t steps = 60000; /* eight texts of 1 MB are at least 125,000 */

        assert_ok(jvalue_parse(out_view(&o), "test", &a, &in, &e), &e);
        assert_false(run(&a, bytes_str(expressions[i]), in, &steps, &got, &e));
        assert_refused(&e, ERR_EXPRESSION, "budget");
    }
    for (uint64_t enough = 0; enough < 2; enough++) { /* also in the last round of a sort */
        struct err e = { 0 };
        const struct jvalue *in, *got;
        uint64_t steps = enough ? 20000 : 10000;

        assert_ok(jvalue_parse(out_view(&o), "test", &a, &in, &e), &e);
        assert_int_equal(run(&a, LIT("sort([@,@])"), in, &steps, &got, &e), enough);
    }
    arena_done(&a);
}

/* What is printed costs a step a byte: numbers take their time. */
static void printing_is_charged(void **state)
{
    struct arena a;
    struct out o;

    (void)state;
    arena_init(&a, 64 << 20);
    o = out_open(&a);
    out_text(&o, "[0.5");
    for (int i = 0; i < 10000; i++)
        out_text(&o, ",0.5");
    out_char(&o, ']');
    for (uint64_t budget = 30000; budget <= 60000; budget += 30000) {
        uint64_t steps = budget;
        struct err e = { 0 };
        const struct jvalue *in, *got;
        bool ok;

        assert_ok(jvalue_parse(out_view(&o), "test", &a, &in, &e), &e);
        ok = run(&a, LIT("to_string(@)"), in, &steps, &got, &e);
        if (budget > o.n) {
            assert_ok(ok, &e);
        } else {
            assert_false(ok);
            assert_refused(&e, ERR_EXPRESSION, "budget");
        }
    }
    arena_done(&a);
}

/* Shared parts print to 2^60 elements: printing stops at the limit of a result. */
static void shared_parts(void **state)
{
    struct arena a;
    struct err e = { 0 };
    struct out o;
    const struct jvalue *got;
    uint64_t steps = JMESPATH_STEPS;

    (void)state;
    arena_init(&a, 128 << 20);
    o = out_open(&a);
    out_text(&o, "`1`");
    for (int i = 0; i < 60; i++)
        out_text(&o, "|[@,@]");
    assert_ok(run(&a, out_view(&o), &jvalue_null, &steps, &got, &e), &e);
    o = out_open(&a);
    jvalue_print(&o, got);
    assert_false(out_ok(&o));
    arena_done(&a);
}

/* Every number of digits is tried, from one on. */
static void shortest(double d, char to[64])
{
    if (fabs(d) < 1e15 && d == trunc(d)) {
        snprintf(to, 64, "%.1f", d);
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(to, 64, "%.*g", digits, d);
        if (strtod(to, NULL) == d)
            break;
    }
    if (strpbrk(to, ".e") == NULL)
        strcat(to, ".0");
}

/* Doubles of all magnitudes, short ones, integers, subnormals, and powers of two, whose neighbours are not evenly spaced. */
static double some_double(uint64_t x, int kind)
{
    static const double parts[] = { 1, 3, 7, 10, 64, 100, 1000, 1e5, 1e9 };
    char text[40];
    double d;

    switch (kind) {
    case 0:
        return (double)(int64_t)(x % 2000001 - 1000000) / parts[x >> 32 & 7];
    case 1:
        snprintf(text, sizeof(text), "%llue%d", (unsigned long long)(x % 1000000), (int)(x >> 32) % 640 - 320);
        return strtod(text, NULL);
    case 2:
        return ldexp(1, (int)(x % 2098) - 1074);
    case 3:
        x &= 0x800fffffffffffff; /* subnormal */
        break;
    default:
        break;
    }
    memcpy(&d, &x, sizeof(d));
    return d;
}

static void doubles_print_shortest(void **state)
{
    uint64_t x = 88172645463325252;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        struct jvalue v = { .type = JSON_NUMBER, .number = JNUMBER_DOUBLE };
        struct arena a;
        struct out o;
        char expected[64];

        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        v.d = some_double(x, i % 5);
        if (!isfinite(v.d))
            continue;
        shortest(v.d, expected);
        arena_init(&a, 1 << 16);
        o = out_open(&a);
        jvalue_print(&o, &v);
        assert_string_equal((const char *)out_view(&o).p, expected);
        arena_done(&a);
    }
}

int main(void)
{
    struct suite s = { 0 };
    int status;

    arena_init(&suite_arena, 64 << 20);
    add_compliance(&s);
    for (size_t i = 0; i < COUNT(rows); i++)
        suite_add(&s, rows[i].expression, own_row, (void *)(uintptr_t)&rows[i]);
    suite_add(&s, "nesting is bounded", hostile, NULL);
    suite_add(&s, "steps are bounded", step_budget, NULL);
    suite_add(&s, "doubling is bounded", doubling, NULL);
    suite_add(&s, "long texts are charged", long_texts, NULL);
    suite_add(&s, "printing is bounded", shared_parts, NULL);
    suite_add(&s, "printing is charged", printing_is_charged, NULL);
    suite_add(&s, "doubles print with the fewest digits", doubles_print_shortest, NULL);
    status = suite_run("jmespath", &s);
    arena_done(&suite_arena);
    return status;
}
