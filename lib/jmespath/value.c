/* value.c: JSON values: made from text, compared, printed. */
#include "jmespath/jmespath_priv.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

const struct jvalue jvalue_null = { .type = JSON_NULL };
const struct jvalue jvalue_true = { .type = JSON_BOOLEAN, .boolean = true };
const struct jvalue jvalue_false = { .type = JSON_BOOLEAN };

/* -- making -- */

static bool integer_of(struct bytes text, struct jvalue *ret)
{
    bool minus = text.n > 0 && text.p[0] == '-';
    uint64_t v = 0;

    for (size_t i = minus; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        if (__builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, (uint64_t)(text.p[i] - '0'), &v))
            return false;
    }
    if (v == 0 && minus)
        return false; /* -0 is a double: it prints as it is and equals 0 */
    if (minus && v > (uint64_t)INT64_MAX + 1)
        return false;
    *ret = (struct jvalue){ .type = JSON_NUMBER, .number = JNUMBER_INT };
    if (minus)
        ret->i = v == (uint64_t)INT64_MAX + 1 ? INT64_MIN : -(int64_t)v;
    else if (v <= INT64_MAX)
        ret->i = (int64_t)v;
    else {
        ret->number = JNUMBER_UINT;
        ret->u = v;
    }
    return true;
}

bool jvalue_number(struct bytes text, struct arena *a, struct jvalue *ret)
{
    char *s, *end;
    double d;

    if (text.n == 0)
        return false;
    if (integer_of(text, ret))
        return true;
    s = arena_str(a, text);
    if (s == NULL)
        return false;
    d = strtod(s, &end);
    if (*end != 0 || !isfinite(d))
        return false;
    *ret = (struct jvalue){ .type = JSON_NUMBER, .number = JNUMBER_DOUBLE, .d = d };
    return true;
}

static const struct jvalue *from_json(const struct json *j, const char *what, struct arena *a, struct err *e);

static bool fill_container(const struct json *j, const char *what, struct arena *a, struct jvalue *v, struct err *e)
{
    const struct jvalue **items = arena_many(a, j->count, const struct jvalue *);
    struct bytes *names = j->type == JSON_OBJECT ? arena_many(a, j->count, struct bytes) : NULL;
    size_t i = 0;

    if (items == NULL || (j->type == JSON_OBJECT && names == NULL))
        return err_memory(e, what);
    for (const struct json *m = j->child; m != NULL; m = m->next, i++) {
        items[i] = from_json(m, what, a, e);
        if (items[i] == NULL)
            return false;
        if (names != NULL)
            names[i] = m->name;
        if (items[i]->depth >= v->depth)
            v->depth = (uint16_t)(items[i]->depth + 1);
    }
    if (v->depth == 0)
        v->depth = 1;
    v->items = items;
    v->names = names;
    v->count = j->count;
    return true;
}

/* The recursion is as deep as the text's nesting, which json_parse() bounded. */
static const struct jvalue *from_json(const struct json *j, const char *what, struct arena *a, struct err *e)
{
    struct jvalue *v;

    if (j->type == JSON_NULL)
        return &jvalue_null;
    if (j->type == JSON_BOOLEAN)
        return jvalue_of_bool(j->boolean);
    v = arena_new(a, struct jvalue);
    if (v == NULL) {
        err_memory(e, what);
        return NULL;
    }
    v->type = j->type;
    if (j->type == JSON_STRING) {
        v->text = j->text;
    } else if (j->type == JSON_NUMBER) {
        if (!jvalue_number(j->text, a, v)) {
            if (a->failed)
                err_memory(e, what);
            else
                err_set(e, ERR_JSON_SYNTAX, what, "number %.*s is beyond the range of a double",
                        (int)(j->text.n > 40 ? 40 : j->text.n), (const char *)j->text.p);
            return NULL;
        }
    } else if (!fill_container(j, what, a, v, e)) {
        return NULL;
    }
    return v;
}

bool jvalue_from_json(const struct json *j, const char *what, struct arena *a, const struct jvalue **ret,
                      struct err *e)
{
    const struct jvalue *v = from_json(j, what, a, e);

    if (v == NULL)
        return false;
    *ret = v;
    return true;
}

bool jvalue_parse(struct bytes json_text, const char *what, struct arena *a, const struct jvalue **ret,
                  struct err *e)
{
    const struct json *j;

    return json_parse(json_text, JSON_DEPTH * 4, what, a, &j, e) && jvalue_from_json(j, what, a, ret, e);
}

static struct jvalue *new_value(struct jp_run *r, enum json_type type)
{
    struct jvalue *v = arena_new(r->a, struct jvalue);

    if (v == NULL)
        jp_no_memory(r);
    else
        v->type = type;
    return v;
}

const struct jvalue *jvalue_int(struct jp_run *r, int64_t n)
{
    struct jvalue *v = new_value(r, JSON_NUMBER);

    if (v != NULL)
        v->i = n;
    return v;
}

const struct jvalue *jvalue_double(struct jp_run *r, double d)
{
    struct jvalue *v;

    if (!isfinite(d))
        return jp_fail(r, "invalid-value: the result is beyond the range of a double");
    v = new_value(r, JSON_NUMBER);
    if (v != NULL) {
        v->number = JNUMBER_DOUBLE;
        v->d = d;
    }
    return v;
}

const struct jvalue *jvalue_string(struct jp_run *r, struct bytes text)
{
    struct jvalue *v;

    if (text.p == NULL && text.n == 0 && r->a->failed)
        return jp_no_memory(r);
    v = new_value(r, JSON_STRING);
    if (v != NULL)
        v->text = text;
    return v;
}

static const struct jvalue *container(struct jp_run *r, enum json_type type, const struct jvalue **items,
                                      struct bytes *names, size_t count)
{
    struct jvalue *v = new_value(r, type);

    if (v == NULL)
        return NULL;
    v->depth = 1;
    for (size_t i = 0; i < count; i++)
        if (items[i]->depth >= v->depth)
            v->depth = (uint16_t)(items[i]->depth + 1);
    if (v->depth > JVALUE_DEPTH)
        return jp_fail(r, "invalid-value: the result nests deeper than %d levels", JVALUE_DEPTH);
    v->items = items;
    v->names = names;
    v->count = count;
    return v;
}

const struct jvalue *jvalue_array(struct jp_run *r, const struct jvalue **items, size_t count)
{
    return container(r, JSON_ARRAY, items, NULL, count);
}

const struct jvalue *jvalue_object(struct jp_run *r, const struct jvalue **items, struct bytes *names, size_t count)
{
    return container(r, JSON_OBJECT, items, names, count);
}

/* -- looking at -- */

const struct jvalue *jvalue_member(struct jp_run *r, const struct jvalue *object, struct bytes name)
{
    if (object->type != JSON_OBJECT)
        return &jvalue_null;
    for (size_t i = 0; i < object->count; i++) {
        if (object->names[i].n != name.n)
            continue;
        if (name.n >= 64)
            jp_charge(r, JP_TEXT_STEPS(name.n));
        if (bytes_equal(object->names[i], name)) {
            jp_charge(r, i / 8);
            return object->items[i];
        }
    }
    jp_charge(r, object->count / 8);
    return &jvalue_null;
}

bool jvalue_truthy(const struct jvalue *v)
{
    switch (v->type) {
    case JSON_NULL:
        return false;
    case JSON_BOOLEAN:
        return v->boolean;
    case JSON_STRING:
        return v->text.n > 0;
    case JSON_ARRAY:
    case JSON_OBJECT:
        return v->count > 0;
    case JSON_NUMBER:
        break;
    }
    return true;
}

double jvalue_to_double(const struct jvalue *v)
{
    return v->number == JNUMBER_DOUBLE ? v->d : v->number == JNUMBER_UINT ? (double)v->u : (double)v->i;
}

/* A double against an integer, without rounding the integer. */
static int compare_double_int(double d, int64_t i)
{
    double whole;

    if (d >= 9223372036854775808.0)
        return 1;
    if (d < -9223372036854775808.0)
        return -1;
    whole = trunc(d);
    if ((int64_t)whole != i)
        return (int64_t)whole < i ? -1 : 1;
    return (d > whole) - (d < whole);
}

static int compare_double_uint(double d, uint64_t u)
{
    double whole;

    if (d >= 18446744073709551616.0)
        return 1;
    if (d < 9223372036854775808.0)
        return -1; /* a UINT is always above INT64_MAX */
    whole = trunc(d);
    return ((uint64_t)whole > u) - ((uint64_t)whole < u);
}

int jvalue_compare_numbers(const struct jvalue *x, const struct jvalue *y)
{
    if (x->number == JNUMBER_DOUBLE && y->number == JNUMBER_DOUBLE)
        return (x->d > y->d) - (x->d < y->d);
    if (x->number == JNUMBER_DOUBLE)
        return y->number == JNUMBER_UINT ? compare_double_uint(x->d, y->u) : compare_double_int(x->d, y->i);
    if (y->number == JNUMBER_DOUBLE)
        return -jvalue_compare_numbers(y, x);
    if (x->number != y->number)
        return x->number == JNUMBER_UINT ? 1 : -1;
    if (x->number == JNUMBER_UINT)
        return (x->u > y->u) - (x->u < y->u);
    return (x->i > y->i) - (x->i < y->i);
}

static bool equal_objects(struct jp_run *r, const struct jvalue *x, const struct jvalue *y)
{
    for (size_t i = 0; i < x->count && *r->steps > 0; i++) {
        bool found = false;

        /* the same place first: objects that are equal mostly have one order */
        for (size_t k = 0; k < y->count && !found && *r->steps > 0; k++) {
            size_t at = (i + k) % y->count;

            jp_charge(r, 1 + JP_TEXT_STEPS(x->names[i].n));
            if (bytes_equal(x->names[i], y->names[at])) {
                if (!jvalue_equal(r, x->items[i], y->items[at]))
                    return false;
                found = true;
            }
        }
        if (!found)
            return false;
    }
    return true;
}

/* The recursion is as deep as the shallower value, at most JVALUE_DEPTH. */
bool jvalue_equal(struct jp_run *r, const struct jvalue *x, const struct jvalue *y)
{
    if (*r->steps == 0 || x->type != y->type)
        return false;
    jp_charge(r, 1);
    switch (x->type) {
    case JSON_NULL:
        return true;
    case JSON_BOOLEAN:
        return x->boolean == y->boolean;
    case JSON_NUMBER:
        return jvalue_compare_numbers(x, y) == 0;
    case JSON_STRING:
        jp_charge(r, JP_TEXT_STEPS(x->text.n));
        return bytes_equal(x->text, y->text);
    case JSON_ARRAY:
        if (x->count != y->count)
            return false;
        for (size_t i = 0; i < x->count; i++)
            if (!jvalue_equal(r, x->items[i], y->items[i]))
                return false;
        return true;
    case JSON_OBJECT:
        return x->count == y->count && equal_objects(r, x, y);
    }
    return false;
}

/* -- printing -- */

/* Whether so many digits read back to the same double; they stand in `to` then. */
static bool reads_back(double d, int digits, char to[40])
{
    snprintf(to, 40, "%.*g", digits, d);
    return strtod(to, NULL) == d;
}

/* The shortest digits that read back to the same double, with a point or an exponent. Fifteen always do where fewer do, and
 * %g leaves their zeros out: fewer are not tried, which would cost half a second for a sender's megabyte of numbers. */
static void print_double(struct out *o, double d)
{
    int digits = DBL_DIG, most = DBL_DECIMAL_DIG;
    char s[40];

    if (fabs(d) < 1e15 && d == trunc(d)) {
        out_printf(o, "%.1f", d);
        return;
    }
    if (fabs(d) < DBL_MIN) /* these have fewer digits; they are spaced evenly, so that more never read back worse */
        for (digits = 1; digits < most;) {
            int middle = (digits + most) / 2;

            if (reads_back(d, middle, s))
                most = middle;
            else
                digits = middle + 1;
        }
    while (!reads_back(d, digits, s) && digits < DBL_DECIMAL_DIG)
        digits++;
    out_text(o, s);
    if (strpbrk(s, ".e") == NULL)
        out_text(o, ".0");
}

static void sort_names(const struct jvalue *v, size_t *order, size_t *spare)
{
    size_t n = v->count;

    for (size_t i = 0; i < n; i++)
        order[i] = i;
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t lo = 0; lo < n; lo += 2 * width) {
            size_t mid = lo + width < n ? lo + width : n, hi = lo + 2 * width < n ? lo + 2 * width : n;
            size_t x = lo, y = mid;

            for (size_t k = lo; k < hi; k++)
                spare[k] = y >= hi || (x < mid && bytes_compare(v->names[order[x]], v->names[order[y]]) <= 0)
                    ? order[x++] : order[y++];
        }
        memcpy(order, spare, n * sizeof(*order));
    }
}

static void print_object(struct out *o, const struct jvalue *v)
{
    size_t *order = arena_many(o->a, v->count, size_t), *spare = arena_many(o->a, v->count, size_t);

    if (order == NULL || spare == NULL) {
        o->failed = true;
        return;
    }
    sort_names(v, order, spare);
    out_char(o, '{');
    for (size_t i = 0; i < v->count; i++) {
        if (i > 0)
            out_char(o, ',');
        json_print_string(o, v->names[order[i]]);
        out_char(o, ':');
        jvalue_print(o, v->items[order[i]]);
    }
    out_char(o, '}');
}

void jvalue_print(struct out *o, const struct jvalue *v)
{
    /* shared parts may print to far more than they hold: stop in time */
    if (o->n > JMESPATH_MAX_RESULT)
        o->failed = true;
    if (o->failed)
        return;
    switch (v->type) {
    case JSON_NULL:
        out_text(o, "null");
        break;
    case JSON_BOOLEAN:
        out_text(o, v->boolean ? "true" : "false");
        break;
    case JSON_NUMBER:
        if (v->number == JNUMBER_DOUBLE)
            print_double(o, v->d);
        else if (v->number == JNUMBER_UINT)
            out_printf(o, "%llu", (unsigned long long)v->u);
        else
            out_printf(o, "%lld", (long long)v->i);
        break;
    case JSON_STRING:
        json_print_string(o, v->text);
        break;
    case JSON_ARRAY:
        out_char(o, '[');
        for (size_t i = 0; i < v->count; i++) {
            if (i > 0)
                out_char(o, ',');
            jvalue_print(o, v->items[i]);
        }
        out_char(o, ']');
        break;
    case JSON_OBJECT:
        print_object(o, v);
        break;
    }
}
