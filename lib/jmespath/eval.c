/* eval.c: a compiled expression on a value (section 8.3). The recursion is as deep as the tree, which
 * the parser bounded; each node visited and each element projected costs a step. */
#include "jmespath/jmespath_priv.h"

#include <stdarg.h>
#include <stdio.h>

const struct jvalue *jp_fail(struct jp_run *r, const char *fmt, ...)
{
    char why[300];
    va_list args;

    va_start(args, fmt);
    vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);
    err_set(r->e, ERR_EXPRESSION, JMESPATH_WHAT, "%s", why);
    return NULL;
}

const struct jvalue *jp_no_memory(struct jp_run *r)
{
    err_memory(r->e, JMESPATH_WHAT);
    return NULL;
}

bool jp_spend(struct jp_run *r, uint64_t n)
{
    if (*r->steps > n) {
        *r->steps -= n;
        return true;
    }
    *r->steps = 0;
    return jp_fail(r, "budget: the search needs more steps than it may take") != NULL;
}

static const struct jvalue *eval_index(const struct jp_node *n, const struct jvalue *v)
{
    int64_t count, at = n->number;

    if (v->type != JSON_ARRAY)
        return &jvalue_null;
    count = (int64_t)v->count;
    if (at < 0)
        at = at < -count ? -1 : at + count;
    return at < 0 || at >= count ? &jvalue_null : v->items[at];
}

/* A bound of a slice, as in Python: negative counts from the end, then it is cut to [low, high]. */
static int64_t slice_bound(int64_t v, int64_t count, int64_t low, int64_t high)
{
    if (v < 0)
        v = v < -count ? low - 1 : v + count;
    return v < low ? low : v > high ? high : v;
}

static const struct jvalue *eval_slice(struct jp_run *r, const struct jp_node *n, const struct jvalue *v)
{
    const struct jp_slice *s = &n->slice;
    int64_t count, step = s->has[2] ? s->v[2] : 1, start, stop;
    const struct jvalue **items;
    size_t kept = 0;

    if (v->type != JSON_ARRAY)
        return &jvalue_null;
    if (step == 0)
        return jp_fail(r, "invalid-value: the step of a slice cannot be 0");
    count = (int64_t)v->count;
    if (step > 0) {
        start = s->has[0] ? slice_bound(s->v[0], count, 0, count) : 0;
        stop = s->has[1] ? slice_bound(s->v[1], count, 0, count) : count;
    } else {
        start = s->has[0] ? slice_bound(s->v[0], count, -1, count - 1) : count - 1;
        stop = s->has[1] ? slice_bound(s->v[1], count, -1, count - 1) : -1;
    }
    if (!jp_spend(r, v->count / 4))
        return NULL;
    items = arena_many(r->a, v->count, const struct jvalue *);
    if (items == NULL)
        return jp_no_memory(r);
    for (int64_t i = start; step > 0 ? i < stop : i > stop;) {
        items[kept++] = v->items[i];
        if (__builtin_add_overflow(i, step, &i))
            break;
    }
    return jvalue_array(r, items, kept);
}

static const struct jvalue *eval_flatten(struct jp_run *r, const struct jvalue *v)
{
    const struct jvalue **items;
    size_t count = 0, at = 0;

    if (v->type != JSON_ARRAY)
        return &jvalue_null;
    for (size_t i = 0; i < v->count; i++)
        count += v->items[i]->type == JSON_ARRAY ? v->items[i]->count : 1;
    if (!jp_spend(r, (v->count + count) / 4))
        return NULL;
    items = arena_many(r->a, count, const struct jvalue *);
    if (items == NULL)
        return jp_no_memory(r);
    for (size_t i = 0; i < v->count; i++) {
        const struct jvalue *item = v->items[i];

        if (item->type != JSON_ARRAY) {
            items[at++] = item;
            continue;
        }
        if (item->count > 0)
            memcpy(items + at, item->items, item->count * sizeof(*items));
        at += item->count;
    }
    return jvalue_array(r, items, count);
}

/* Applies n->right to each element, to those that pass the filter; nulls are dropped. */
static const struct jvalue *project(struct jp_run *r, const struct jp_node *n, const struct jvalue *v,
                                    enum json_type type)
{
    const struct jp_node *condition = n->kind == JP_N_FILTER ? n->items[0] : NULL;
    const struct jvalue **items;
    size_t kept = 0;

    if (v->type != type)
        return &jvalue_null;
    items = arena_many(r->a, v->count, const struct jvalue *);
    if (items == NULL)
        return jp_no_memory(r);
    for (size_t i = 0; i < v->count; i++) {
        const struct jvalue *x = v->items[i];

        if (!jp_spend(r, 1))
            return NULL;
        if (condition != NULL) {
            const struct jvalue *pass = jp_eval(r, condition, x);

            if (pass == NULL)
                return NULL;
            if (!jvalue_truthy(pass))
                continue;
        }
        x = jp_eval(r, n->right, x);
        if (x == NULL)
            return NULL;
        if (x->type != JSON_NULL)
            items[kept++] = x;
    }
    return jvalue_array(r, items, kept);
}

static const struct jvalue *eval_compare(struct jp_run *r, const struct jp_node *n, const struct jvalue *in)
{
    const struct jvalue *x = jp_eval(r, n->left, in), *y = x == NULL ? NULL : jp_eval(r, n->right, in);
    bool equal;
    int order;

    if (y == NULL)
        return NULL;
    if (n->op == JP_EQ || n->op == JP_NE) {
        equal = jvalue_equal(r, x, y);
        return jp_spend(r, 0) ? jvalue_of_bool(equal == (n->op == JP_EQ)) : NULL;
    }
    if (x->type != JSON_NUMBER || y->type != JSON_NUMBER)
        return &jvalue_null;
    order = jvalue_compare_numbers(x, y);
    switch (n->op) {
    case JP_LT:
        return jvalue_of_bool(order < 0);
    case JP_LE:
        return jvalue_of_bool(order <= 0);
    case JP_GT:
        return jvalue_of_bool(order > 0);
    default:
        return jvalue_of_bool(order >= 0);
    }
}

static bool eval_items(struct jp_run *r, const struct jp_node *n, const struct jvalue *in,
                       const struct jvalue ***ret)
{
    const struct jvalue **items = arena_many(r->a, n->count, const struct jvalue *);

    if (items == NULL)
        return jp_no_memory(r) != NULL;
    for (size_t i = 0; i < n->count; i++) {
        items[i] = jp_eval(r, n->items[i], in);
        if (items[i] == NULL)
            return false;
    }
    *ret = items;
    return true;
}

/* Of equal keys the last one counts, at the place of the first. */
static const struct jvalue *eval_multi_hash(struct jp_run *r, const struct jp_node *n, const struct jvalue *in)
{
    const struct jvalue **items;
    struct bytes *names;
    size_t count = 0;

    if (in->type == JSON_NULL)
        return &jvalue_null;
    if (!eval_items(r, n, in, &items))
        return NULL;
    names = arena_many(r->a, n->count, struct bytes);
    if (names == NULL)
        return jp_no_memory(r);
    for (size_t i = 0; i < n->count; i++) {
        size_t k = 0;

        while (k < count && !bytes_equal(names[k], n->names[i]))
            k++;
        if (!jp_spend(r, 1 + k / 8))
            return NULL;
        names[k] = n->names[i];
        items[k] = items[i];
        count += k == count;
    }
    return jvalue_object(r, items, names, count);
}

static const struct jvalue *eval_multi_list(struct jp_run *r, const struct jp_node *n, const struct jvalue *in)
{
    const struct jvalue **items;

    if (in->type == JSON_NULL)
        return &jvalue_null;
    return eval_items(r, n, in, &items) ? jvalue_array(r, items, n->count) : NULL;
}

/* Nodes that begin with the value of their left side. */
static const struct jvalue *eval_on_left(struct jp_run *r, const struct jp_node *n, const struct jvalue *in)
{
    const struct jvalue *left = jp_eval(r, n->left, in);

    if (left == NULL)
        return NULL;
    switch (n->kind) {
    case JP_N_SUB:
        return left->type == JSON_NULL ? left : jp_eval(r, n->right, left);
    case JP_N_PIPE:
        return jp_eval(r, n->right, left);
    case JP_N_OR:
        return jvalue_truthy(left) ? left : jp_eval(r, n->right, in);
    case JP_N_AND:
        return jvalue_truthy(left) ? jp_eval(r, n->right, in) : left;
    case JP_N_NOT:
        return jvalue_of_bool(!jvalue_truthy(left));
    case JP_N_INDEX:
        return eval_index(n, left);
    case JP_N_SLICE:
        return eval_slice(r, n, left);
    case JP_N_FLATTEN:
        return eval_flatten(r, left);
    case JP_N_VALUES:
        return project(r, n, left, JSON_OBJECT);
    default:
        return project(r, n, left, JSON_ARRAY);
    }
}

const struct jvalue *jp_eval(struct jp_run *r, const struct jp_node *n, const struct jvalue *in)
{
    if (!jp_spend(r, 1))
        return NULL;
    switch (n->kind) {
    case JP_N_CURRENT:
        return in;
    case JP_N_FIELD:
        return jvalue_member(r, in, n->text);
    case JP_N_LITERAL:
        return n->literal;
    case JP_N_COMPARE:
        return eval_compare(r, n, in);
    case JP_N_MULTI_LIST:
        return eval_multi_list(r, n, in);
    case JP_N_MULTI_HASH:
        return eval_multi_hash(r, n, in);
    case JP_N_CALL:
        return jp_function_call(r, n, in);
    case JP_N_EXPREF: /* the parser lets it stand as an argument only, and calls do not evaluate those */
        return jp_fail(r, "invalid-type: an expression reference has no value");
    default:
        return eval_on_left(r, n, in);
    }
}

bool jmespath_search(const struct jmespath *expression, const struct jvalue *in, struct arena *a,
                     uint64_t *steps, const struct jvalue **ret, struct err *e)
{
    struct jp_run r = { .a = a, .steps = steps, .e = e };
    const struct jvalue *v = jp_eval(&r, expression->root, in);

    if (v == NULL)
        return false;
    *ret = v;
    return true;
}
