/* claims.c: see claims.h. */
#include "claims/claims.h"

#include "codec/b64.h"
#include "codec/hex.h"

struct claims claims_open(struct arena *a)
{
    return (struct claims){ .a = a };
}

void claims_add(struct claims *c, struct claim claim)
{
    if (c->failed)
        return;
    if (c->count == c->room) {
        size_t room = c->room == 0 ? 32 : c->room * 2;
        struct claim *list = arena_many(c->a, room, struct claim);

        if (list == NULL) {
            c->failed = true;
            return;
        }
        if (c->count > 0)
            memcpy(list, c->list, c->count * sizeof(*list));
        c->list = list;
        c->room = room;
    }
    c->list[c->count++] = claim;
}

static void add_text(struct claims *c, const char *name, unsigned use, enum claim_type type, struct bytes text)
{
    if (text.p == NULL && text.n == 0 && c->a->failed)
        c->failed = true;
    claims_add(c, (struct claim){ .name = bytes_str(name), .type = type, .use = use, .text = text });
}

void claims_str(struct claims *c, const char *name, unsigned use, struct bytes text)
{
    add_text(c, name, use, CLAIM_STRING, text);
}

void claims_hex(struct claims *c, const char *name, unsigned use, struct bytes b)
{
    add_text(c, name, use, CLAIM_STRING, hex_encode(c->a, b));
}

void claims_b64url(struct claims *c, const char *name, unsigned use, struct bytes b)
{
    add_text(c, name, use, CLAIM_STRING, b64url_encode(c->a, b));
}

void claims_json(struct claims *c, const char *name, unsigned use, struct bytes json_text)
{
    add_text(c, name, use, CLAIM_JSON, json_text);
}

void claims_int(struct claims *c, const char *name, unsigned use, int64_t v)
{
    claims_add(c, (struct claim){ .name = bytes_str(name), .type = CLAIM_INTEGER, .use = use, .integer = v });
}

void claims_bool(struct claims *c, const char *name, unsigned use, bool v)
{
    claims_add(c, (struct claim){ .name = bytes_str(name), .type = CLAIM_BOOLEAN, .use = use, .boolean = v });
}

const struct claim *claims_find(const struct claims *c, const char *name)
{
    for (size_t i = 0; i < c->count; i++)
        if (bytes_is(c->list[i].name, name))
            return &c->list[i];
    return NULL;
}

bool claim_same(const struct claim *a, const struct claim *b)
{
    bool text_a = a->type == CLAIM_STRING || a->type == CLAIM_JSON;
    bool text_b = b->type == CLAIM_STRING || b->type == CLAIM_JSON;

    if (a->issuer != b->issuer || !bytes_equal(a->name, b->name) || text_a != text_b)
        return false;
    if (text_a)
        return bytes_equal(a->text, b->text);
    if (a->type != b->type)
        return false;
    return a->type == CLAIM_INTEGER ? a->integer == b->integer : a->boolean == b->boolean;
}

const char *claim_type_name(enum claim_type type)
{
    static const char *const names[] = { "String", "Integer", "Boolean", "String" };

    return names[type];
}

const char *claim_issuer_name(enum claim_issuer issuer)
{
    static const char *const names[] = { "AttestationService", "AttestationPolicy", "CustomClaim" };

    return names[issuer];
}

struct bytes claim_value_json(const struct claim *c, struct arena *a)
{
    struct out o = out_open(a);

    switch (c->type) {
    case CLAIM_STRING:
        json_print_string(&o, c->text);
        break;
    case CLAIM_INTEGER:
        out_printf(&o, "%lld", (long long)c->integer);
        break;
    case CLAIM_BOOLEAN:
        out_text(&o, c->boolean ? "true" : "false");
        break;
    case CLAIM_JSON:
        return c->text;
    }
    return out_view(&o);
}

/* Whether one of the members up to `last`, those that were there before, has this name. */
static bool has_before(const struct jobj *o, const struct jobj_member *last, struct bytes name)
{
    for (const struct jobj_member *m = o->first; last != NULL; m = m->next) {
        if (bytes_equal(m->name, name))
            return true;
        if (m == last)
            return false;
    }
    return false;
}

/* Positions of the chosen claims, sorted by name; stable, so claims of one name keep their order. */
static size_t sort_by_name(const struct claims *c, unsigned use, size_t *order, size_t *spare)
{
    size_t n = 0, *from = order, *to = spare;

    for (size_t i = 0; i < c->count; i++)
        if ((c->list[i].use & use) != 0)
            order[n++] = i;
    for (size_t width = 1; width < n; width *= 2) {
        size_t *swap = from;

        for (size_t lo = 0; lo < n; lo += 2 * width) {
            size_t mid = lo + width < n ? lo + width : n, hi = lo + 2 * width < n ? lo + 2 * width : n;
            size_t x = lo, y = mid;

            for (size_t k = lo; k < hi; k++)
                to[k] = y >= hi || (x < mid && bytes_compare(c->list[from[x]].name, c->list[from[y]].name) <= 0)
                    ? from[x++] : from[y++];
        }
        from = to;
        to = swap;
    }
    if (from != order)
        memcpy(order, from, n * sizeof(*order));
    return n;
}

/* next[i] is the next chosen claim of the same name, or count; first[i] tells whether i is the first of its name. */
static void link_names(const struct claims *c, const size_t *order, size_t n, size_t *next, bool *first)
{
    for (size_t i = 0; i < n; i++) {
        bool more = i + 1 < n && bytes_equal(c->list[order[i]].name, c->list[order[i + 1]].name);

        first[order[i]] = i == 0 || !bytes_equal(c->list[order[i]].name, c->list[order[i - 1]].name);
        next[order[i]] = more ? order[i + 1] : c->count;
    }
}

static struct bytes values_json(const struct claims *c, size_t i, const size_t *next, struct arena *a)
{
    struct jarr values;

    if (next[i] == c->count)
        return claim_value_json(&c->list[i], a);
    values = jarr_open(a);
    for (; i != c->count; i = next[i])
        jarr_raw(&values, claim_value_json(&c->list[i], a));
    return jarr_close(&values);
}

void claims_to_object(const struct claims *c, unsigned use, struct jobj *o)
{
    size_t *order = arena_many(o->a, c->count, size_t), *next = arena_many(o->a, c->count, size_t);
    bool *first = arena_many(o->a, c->count, bool);
    const struct jobj_member *last = o->last;
    size_t n;

    if (c->failed || order == NULL || next == NULL || first == NULL) {
        o->failed = true;
        return;
    }
    n = sort_by_name(c, use, order, next);
    link_names(c, order, n, next, first);
    for (size_t i = 0; i < c->count; i++)
        if (first[i] && !has_before(o, last, c->list[i].name))
            jobj_append(o, c->list[i].name, values_json(c, i, next, o->a));
}
