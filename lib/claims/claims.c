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

void claims_to_object(const struct claims *c, unsigned use, struct jobj *o)
{
    for (size_t i = 0; i < c->count; i++) {
        struct jarr values;
        size_t same = 0;

        if ((c->list[i].use & use) == 0 || jobj_has(o, c->list[i].name))
            continue;
        for (size_t k = i; k < c->count; k++)
            same += (c->list[k].use & use) != 0 && bytes_equal(c->list[k].name, c->list[i].name);
        if (same == 1) {
            jobj_raw(o, c->list[i].name, claim_value_json(&c->list[i], o->a));
            continue;
        }
        values = jarr_open(o->a);
        for (size_t k = i; k < c->count; k++)
            if ((c->list[k].use & use) != 0 && bytes_equal(c->list[k].name, c->list[i].name))
                jarr_raw(&values, claim_value_json(&c->list[k], o->a));
        jobj_raw(o, c->list[i].name, jarr_close(&values));
    }
    if (c->failed)
        o->failed = true;
}
