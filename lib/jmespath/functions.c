/* functions.c: the functions of JMESPath, a row each (section 8.4). */
#include "jmespath/jmespath_priv.h"

#include <math.h>


static const struct jvalue *fail_type(struct jp_run *r, const struct jp_call *c, const char *what,
                                      const char *wanted, const struct jvalue *got)
{
    return jp_fail(r, "invalid-type: %s(): %s is %s, expected %s", c->f->name, what,
                   json_type_name(got->type), wanted);
}

/* -- numbers -- */

static const struct jvalue *f_abs(struct jp_run *r, const struct jp_call *c)
{
    const struct jvalue *v = c->args[0];

    if (v->number == JNUMBER_UINT || (v->number == JNUMBER_INT && v->i >= 0))
        return v;
    if (v->number == JNUMBER_INT && v->i > INT64_MIN)
        return jvalue_int(r, -v->i);
    return jvalue_double(r, fabs(jvalue_to_double(v)));
}

static const struct jvalue *whole(struct jp_run *r, double d)
{
    if (d >= -9223372036854775808.0 && d < 9223372036854775808.0)
        return jvalue_int(r, (int64_t)d);
    return jvalue_double(r, d);
}

static const struct jvalue *f_ceil(struct jp_run *r, const struct jp_call *c)
{
    return c->args[0]->number == JNUMBER_DOUBLE ? whole(r, ceil(c->args[0]->d)) : c->args[0];
}

static const struct jvalue *f_floor(struct jp_run *r, const struct jp_call *c)
{
    return c->args[0]->number == JNUMBER_DOUBLE ? whole(r, floor(c->args[0]->d)) : c->args[0];
}

/* Exact while all are integers and the sum fits; else in double. */
static const struct jvalue *sum_of(struct jp_run *r, const struct jvalue *list)
{
    int64_t exact = 0;
    double d = 0;
    bool is_exact = true;

    for (size_t i = 0; i < list->count; i++) {
        const struct jvalue *v = list->items[i];

        d += jvalue_to_double(v);
        is_exact = is_exact && v->number == JNUMBER_INT && !__builtin_add_overflow(exact, v->i, &exact);
    }
    return is_exact ? jvalue_int(r, exact) : jvalue_double(r, d);
}

static const struct jvalue *f_sum(struct jp_run *r, const struct jp_call *c)
{
    return sum_of(r, c->args[0]);
}

static const struct jvalue *f_avg(struct jp_run *r, const struct jp_call *c)
{
    const struct jvalue *sum;

    if (c->args[0]->count == 0)
        return &jvalue_null;
    sum = sum_of(r, c->args[0]);
    return sum == NULL ? NULL : jvalue_double(r, jvalue_to_double(sum) / (double)c->args[0]->count);
}

static const struct jvalue *f_to_number(struct jp_run *r, const struct jp_call *c)
{
    const struct jvalue *v = c->args[0];
    const struct json *j;
    const struct jvalue *n;

    if (v->type == JSON_NUMBER)
        return v;
    if (v->type != JSON_STRING || v->text.n > 400 || !json_parse(v->text, 1, JMESPATH_WHAT, r->a, &j, NULL)
        || j->type != JSON_NUMBER || !bytes_equal(j->raw, v->text)
        || !jvalue_from_json(j, JMESPATH_WHAT, r->a, &n, NULL))
        return r->a->failed ? jp_no_memory(r) : &jvalue_null;
    return n;
}

/* -- strings -- */

static bool starts(struct bytes text, struct bytes part)
{
    return text.n >= part.n && bytes_equal(bytes_part(text, 0, part.n), part);
}

static bool ends(struct bytes text, struct bytes part)
{
    return text.n >= part.n && bytes_equal(bytes_part(text, text.n - part.n, part.n), part);
}

static const struct jvalue *f_starts_with(struct jp_run *r, const struct jp_call *c)
{
    (void)r;
    return jvalue_of_bool(starts(c->args[0]->text, c->args[1]->text));
}

static const struct jvalue *f_ends_with(struct jp_run *r, const struct jp_call *c)
{
    (void)r;
    return jvalue_of_bool(ends(c->args[0]->text, c->args[1]->text));
}

static const struct jvalue *f_equals_ignore_case(struct jp_run *r, const struct jp_call *c)
{
    const struct jvalue *x = c->args[0], *y = c->args[1];

    (void)r;
    return jvalue_of_bool(x->type == JSON_STRING && y->type == JSON_STRING && bytes_equal_nocase(x->text, y->text));
}

static const struct jvalue *finish_string(struct jp_run *r, struct out *o)
{
    if (!out_ok(o)) {
        if (o->n > JMESPATH_MAX_RESULT)
            return jp_fail(r, "budget: the result is longer than %zu bytes", JMESPATH_MAX_RESULT);
        return jp_no_memory(r);
    }
    return jvalue_string(r, out_view(o));
}

static const struct jvalue *f_join(struct jp_run *r, const struct jp_call *c)
{
    struct out o = out_open(r->a);
    const struct jvalue *list = c->args[1];

    for (size_t i = 0; i < list->count; i++) {
        if (i > 0)
            out_bytes(&o, c->args[0]->text);
        out_bytes(&o, list->items[i]->text);
        if (o.n > JMESPATH_MAX_RESULT)
            return jp_fail(r, "budget: the result is longer than %zu bytes", JMESPATH_MAX_RESULT);
        if (!jp_spend(r, 1 + list->items[i]->text.n / 64))
            return NULL;
    }
    return finish_string(r, &o);
}

static const struct jvalue *f_to_string(struct jp_run *r, const struct jp_call *c)
{
    struct out o = out_open(r->a);

    if (c->args[0]->type == JSON_STRING)
        return c->args[0];
    jvalue_print(&o, c->args[0]);
    return jp_spend(r, 1 + o.n) ? finish_string(r, &o) : NULL; /* a double takes longer to print than a step */
}

static bool is_continuation(uint8_t c)
{
    return (c & 0xc0) == 0x80;
}

/* Code point by code point; the text is valid UTF-8. */
static const struct jvalue *reverse_text(struct jp_run *r, struct bytes text)
{
    uint8_t *p = arena_alloc(r->a, text.n);
    size_t end = text.n, at = 0;

    if (p == NULL)
        return jp_no_memory(r);
    for (size_t i = text.n; i-- > 0;) {
        if (is_continuation(text.p[i]))
            continue;
        memcpy(p + at, text.p + i, end - i);
        at += end - i;
        end = i;
    }
    return jvalue_string(r, bytes_of(p, at));
}

/* -- collections -- */

static const struct jvalue *f_reverse(struct jp_run *r, const struct jp_call *c)
{
    const struct jvalue *v = c->args[0], **items;

    if (v->type == JSON_STRING)
        return reverse_text(r, v->text);
    items = arena_many(r->a, v->count, const struct jvalue *);
    if (items == NULL)
        return jp_no_memory(r);
    for (size_t i = 0; i < v->count; i++)
        items[i] = v->items[v->count - 1 - i];
    return jvalue_array(r, items, v->count);
}

static const struct jvalue *f_contains(struct jp_run *r, const struct jp_call *c)
{
    const struct jvalue *in = c->args[0], *what = c->args[1];
    bool found = false;

    if (in->type == JSON_STRING)
        return jvalue_of_bool(what->type == JSON_STRING && bytes_contain(in->text, what->text));
    for (size_t i = 0; i < in->count && !found; i++) {
        found = jvalue_equal(r, in->items[i], what);
        if (!jp_spend(r, 0))
            return NULL;
    }
    return jvalue_of_bool(found);
}

static const struct jvalue *f_length(struct jp_run *r, const struct jp_call *c)
{
    const struct jvalue *v = c->args[0];
    int64_t n = 0;

    if (v->type != JSON_STRING)
        return jvalue_int(r, (int64_t)v->count);
    for (size_t i = 0; i < v->text.n; i++)
        n += !is_continuation(v->text.p[i]);
    return jvalue_int(r, n);
}

static const struct jvalue *f_keys(struct jp_run *r, const struct jp_call *c)
{
    const struct jvalue *v = c->args[0], **items = arena_many(r->a, v->count, const struct jvalue *);

    if (items == NULL)
        return jp_no_memory(r);
    for (size_t i = 0; i < v->count; i++) {
        items[i] = jvalue_string(r, v->names[i]);
        if (items[i] == NULL)
            return NULL;
    }
    return jvalue_array(r, items, v->count);
}

static const struct jvalue *f_values(struct jp_run *r, const struct jp_call *c)
{
    const struct jvalue *v = c->args[0], **items = arena_many(r->a, v->count, const struct jvalue *);

    if (items == NULL)
        return jp_no_memory(r);
    if (v->count > 0)
        memcpy(items, v->items, v->count * sizeof(*items));
    return jvalue_array(r, items, v->count);
}

static const struct jvalue *f_map(struct jp_run *r, const struct jp_call *c)
{
    const struct jvalue *v = c->args[1], **items = arena_many(r->a, v->count, const struct jvalue *);

    if (items == NULL)
        return jp_no_memory(r);
    for (size_t i = 0; i < v->count; i++) {
        items[i] = jp_eval(r, c->nodes[0]->left, v->items[i]);
        if (items[i] == NULL)
            return NULL;
    }
    return jvalue_array(r, items, v->count);
}

/* Later members win, at the place where the name stood first. */
static const struct jvalue *f_merge(struct jp_run *r, const struct jp_call *c)
{
    size_t room = 0, count = 0;
    const struct jvalue **items;
    struct bytes *names;

    for (size_t i = 0; i < c->count; i++)
        room += c->args[i]->count;
    items = arena_many(r->a, room, const struct jvalue *);
    names = arena_many(r->a, room, struct bytes);
    if (items == NULL || names == NULL)
        return jp_no_memory(r);
    for (size_t i = 0; i < c->count; i++)
        for (size_t m = 0; m < c->args[i]->count; m++) {
            size_t k = i == 0 ? count : 0; /* within one object no name repeats */

            while (k < count && !bytes_equal(names[k], c->args[i]->names[m]))
                k++;
            if (!jp_spend(r, 1 + k / 8 + k * JP_TEXT_STEPS(c->args[i]->names[m].n)))
                return NULL;
            names[k] = c->args[i]->names[m];
            items[k] = c->args[i]->items[m];
            count += k == count;
        }
    return jvalue_object(r, items, names, count);
}

static const struct jvalue *f_not_null(struct jp_run *r, const struct jp_call *c)
{
    (void)r;
    for (size_t i = 0; i < c->count; i++)
        if (c->args[i]->type != JSON_NULL)
            return c->args[i];
    return &jvalue_null;
}

static const struct jvalue *f_to_array(struct jp_run *r, const struct jp_call *c)
{
    const struct jvalue **items;

    if (c->args[0]->type == JSON_ARRAY)
        return c->args[0];
    items = arena_many(r->a, 1, const struct jvalue *);
    if (items == NULL)
        return jp_no_memory(r);
    items[0] = c->args[0];
    return jvalue_array(r, items, 1);
}

static const struct jvalue *f_type(struct jp_run *r, const struct jp_call *c)
{
    return jvalue_string(r, bytes_str(json_type_name(c->args[0]->type)));
}

/* -- order -- */

/* The keys of the elements: the elements themselves, or an expression on each. All numbers or all strings. */
static const struct jvalue **keys_of(struct jp_run *r, const struct jp_call *c, const struct jvalue *list,
                                     const struct jp_node *expression)
{
    const struct jvalue **keys = arena_many(r->a, list->count, const struct jvalue *);

    if (keys == NULL) {
        jp_no_memory(r);
        return NULL;
    }
    for (size_t i = 0; i < list->count; i++) {
        keys[i] = expression == NULL ? list->items[i] : jp_eval(r, expression, list->items[i]);
        if (keys[i] == NULL || !jp_spend(r, 1))
            return NULL;
        if ((keys[i]->type != JSON_NUMBER && keys[i]->type != JSON_STRING) || keys[i]->type != keys[0]->type) {
            fail_type(r, c, "a key", keys[0]->type == JSON_STRING
                      ? "a string, as the first" : "a number, as the first",
                      keys[i]);
            return NULL;
        }
    }
    return keys;
}

/* false: the budget is spent. Each comparison asks: a few long texts may stand in a list of very many places. */
static bool compare_keys(struct jp_run *r, const struct jvalue *x, const struct jvalue *y, int *ret)
{
    if (x->type == JSON_STRING && !jp_spend(r, JP_TEXT_STEPS(x->text.n < y->text.n ? x->text.n : y->text.n)))
        return false;
    *ret = x->type == JSON_STRING ? bytes_compare(x->text, y->text) : jvalue_compare_numbers(x, y);
    return true;
}

/* Stable, bottom up. */
static bool merge_sort(struct jp_run *r, const struct jvalue **keys, size_t *order, size_t n)
{
    size_t *from = order, *to = arena_many(r->a, n, size_t);

    if (to == NULL)
        return jp_no_memory(r) != NULL;
    for (size_t width = 1; width < n; width *= 2) {
        size_t *swap = from;

        if (!jp_spend(r, n))
            return false;
        for (size_t lo = 0; lo < n; lo += 2 * width) {
            size_t mid = lo + width < n ? lo + width : n, hi = lo + 2 * width < n ? lo + 2 * width : n;
            size_t x = lo, y = mid;

            for (size_t k = lo; k < hi; k++) {
                int order_of_both = x < mid ? -1 : 1;

                if (x < mid && y < hi && !compare_keys(r, keys[from[x]], keys[from[y]], &order_of_both))
                    return false;
                to[k] = order_of_both <= 0 ? from[x++] : from[y++];
            }
        }
        from = to;
        to = swap;
    }
    if (from != order)
        memcpy(order, from, n * sizeof(*order));
    return true;
}

static const struct jvalue *sorted(struct jp_run *r, const struct jp_call *c, const struct jp_node *expression)
{
    const struct jvalue *list = c->args[0], **keys = keys_of(r, c, list, expression), **items;
    size_t *order;

    if (keys == NULL)
        return NULL;
    order = arena_many(r->a, list->count, size_t);
    items = arena_many(r->a, list->count, const struct jvalue *);
    if (order == NULL || items == NULL)
        return jp_no_memory(r);
    for (size_t i = 0; i < list->count; i++)
        order[i] = i;
    if (!merge_sort(r, keys, order, list->count))
        return NULL;
    for (size_t i = 0; i < list->count; i++)
        items[i] = list->items[order[i]];
    return jvalue_array(r, items, list->count);
}

/* The first of the greatest (sign 1) or of the least (sign -1). */
static const struct jvalue *extreme(struct jp_run *r, const struct jp_call *c, const struct jp_node *expression,
                                    int sign)
{
    const struct jvalue *list = c->args[0], **keys = keys_of(r, c, list, expression);
    size_t best = 0;

    if (keys == NULL)
        return NULL;
    if (list->count == 0)
        return &jvalue_null;
    for (size_t i = 1; i < list->count; i++) {
        int order;

        if (!compare_keys(r, keys[i], keys[best], &order))
            return NULL;
        if (order * sign > 0)
            best = i;
    }
    return list->items[best];
}

static const struct jvalue *f_sort(struct jp_run *r, const struct jp_call *c)
{
    return sorted(r, c, NULL);
}

static const struct jvalue *f_sort_by(struct jp_run *r, const struct jp_call *c)
{
    return sorted(r, c, c->nodes[1]->left);
}

static const struct jvalue *f_max(struct jp_run *r, const struct jp_call *c)
{
    return extreme(r, c, NULL, 1);
}

static const struct jvalue *f_min(struct jp_run *r, const struct jp_call *c)
{
    return extreme(r, c, NULL, -1);
}

static const struct jvalue *f_max_by(struct jp_run *r, const struct jp_call *c)
{
    return extreme(r, c, c->nodes[1]->left, 1);
}

static const struct jvalue *f_min_by(struct jp_run *r, const struct jp_call *c)
{
    return extreme(r, c, c->nodes[1]->left, -1);
}

/* -- the table and the call -- */

/* clang-format off */
/* Types of arguments: n number, s string, a array, o object, * any, & expression, c array or string,
 * l string, array or object, N array of numbers, S array of strings, K array of numbers or of strings. */
static const struct jp_function functions[] = {
    /* name                min max types */
    { "abs",                1, 1, "n",  f_abs },
    { "avg",                1, 1, "N",  f_avg },
    { "ceil",               1, 1, "n",  f_ceil },
    { "contains",           2, 2, "c*", f_contains },
    { "ends_with",          2, 2, "ss", f_ends_with },
    { "equals_ignore_case", 2, 2, "**", f_equals_ignore_case },
    { "floor",              1, 1, "n",  f_floor },
    { "join",               2, 2, "sS", f_join },
    { "keys",               1, 1, "o",  f_keys },
    { "length",             1, 1, "l",  f_length },
    { "map",                2, 2, "&a", f_map },
    { "max",                1, 1, "K",  f_max },
    { "max_by",             2, 2, "a&", f_max_by },
    { "merge",              1, 0, "o",  f_merge },
    { "min",                1, 1, "K",  f_min },
    { "min_by",             2, 2, "a&", f_min_by },
    { "not_null",           1, 0, "*",  f_not_null },
    { "reverse",            1, 1, "c",  f_reverse },
    { "sort",               1, 1, "K",  f_sort },
    { "sort_by",            2, 2, "a&", f_sort_by },
    { "starts_with",        2, 2, "ss", f_starts_with },
    { "sum",                1, 1, "N",  f_sum },
    { "to_array",           1, 1, "*",  f_to_array },
    { "to_number",          1, 1, "*",  f_to_number },
    { "to_string",          1, 1, "*",  f_to_string },
    { "type",               1, 1, "*",  f_type },
    { "values",             1, 1, "o",  f_values },
};
/* clang-format on */

const struct jp_function *jp_function_find(struct bytes name)
{
    for (size_t i = 0; i < COUNT(functions); i++)
        if (bytes_is(name, functions[i].name))
            return &functions[i];
    return NULL;
}

static bool all_are(const struct jvalue *v, enum json_type type)
{
    if (v->type != JSON_ARRAY)
        return false;
    for (size_t i = 0; i < v->count; i++)
        if (v->items[i]->type != type)
            return false;
    return true;
}

static bool fits(char letter, const struct jvalue *v)
{
    switch (letter) {
    case 'n':
        return v->type == JSON_NUMBER;
    case 's':
        return v->type == JSON_STRING;
    case 'a':
        return v->type == JSON_ARRAY;
    case 'o':
        return v->type == JSON_OBJECT;
    case 'c':
        return v->type == JSON_ARRAY || v->type == JSON_STRING;
    case 'l':
        return v->type == JSON_ARRAY || v->type == JSON_STRING || v->type == JSON_OBJECT;
    case 'N':
        return all_are(v, JSON_NUMBER);
    case 'S':
        return all_are(v, JSON_STRING);
    case 'K':
        return all_are(v, JSON_NUMBER) || all_are(v, JSON_STRING);
    default:
        return true;
    }
}

static const char *wanted(char letter)
{
    static const struct { char letter; const char *text; } names[] = {
        { 'n', "a number" }, { 's', "a string" }, { 'a', "an array" }, { 'o', "an object" },
        { 'c', "an array or a string" }, { 'l', "a string, an array or an object" },
        { 'N', "an array of numbers" }, { 'S', "an array of strings" },
        { 'K', "an array of numbers or an array of strings" }, { '&', "an expression (&...)" },
    };

    for (size_t i = 0; i < COUNT(names); i++)
        if (names[i].letter == letter)
            return names[i].text;
    return "a value";
}

const struct jvalue *jp_function_call(struct jp_run *r, const struct jp_node *n, const struct jvalue *in)
{
    struct jp_call c = { .f = n->function, .nodes = n->items, .count = n->count };
    const char *type = c.f->types;

    c.args = arena_many(r->a, n->count, const struct jvalue *);
    if (c.args == NULL)
        return jp_no_memory(r);
    for (size_t i = 0; i < n->count; i++) {
        bool reference = n->items[i]->kind == JP_N_EXPREF;

        if (reference != (*type == '&'))
            return jp_fail(r, "invalid-type: %s(): an argument is %s, expected %s", c.f->name,
                           reference ? "an expression (&...)" : "a value", wanted(*type));
        if (!reference) {
            c.args[i] = jp_eval(r, n->items[i], in);
            if (c.args[i] == NULL)
                return NULL;
            if (!jp_spend(r, c.args[i]->type == JSON_STRING ? c.args[i]->text.n / 64
                             : c.args[i]->depth > 0 ? c.args[i]->count / 8 : 0))
                return NULL;
            if (!fits(*type, c.args[i]))
                return fail_type(r, &c, "an argument", wanted(*type), c.args[i]);
        }
        type += type[1] != 0;
    }
    return c.f->call(r, &c);
}
