/* values.c: values of claims and expressions, and sets of them. */
#include "policy/policy_priv.h"

/* FNV-1a over words of eight bytes: logs of some hundred kilobytes are values too. Chosen collisions only cost
 * steps, and those are counted. */
uint32_t hash_bytes(uint32_t h, struct bytes b)
{
    uint64_t state = 0xcbf29ce484222325u ^ h, word;
    size_t i = 0;

    for (; i + sizeof(word) <= b.n; i += sizeof(word)) {
        memcpy(&word, b.p + i, sizeof(word));
        state = (state ^ word) * 0x100000001b3u;
        state ^= state >> 32;
    }
    for (; i < b.n; i++)
        state = (state ^ b.p[i]) * 0x100000001b3u;
    return (uint32_t)(state ^ state >> 32);
}

const char *value_type_name(enum value_type type)
{
    static const char *const names[] = { "String", "Integer", "Boolean" };

    return names[type];
}

/* Section 6.3: same type and equal; no coercion. */
bool value_equal(const struct value *a, const struct value *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case V_STRING:
        return bytes_equal(a->text, b->text);
    case V_INTEGER:
        return a->integer == b->integer;
    case V_BOOLEAN:
        return a->boolean == b->boolean;
    }
    return false;
}

static struct value own_value(const struct claim *c)
{
    struct value v = { .read_only = (c->use & CLAIM_READ_ONLY) != 0 };

    switch (c->type) {
    case CLAIM_INTEGER:
        v.type = V_INTEGER;
        v.integer = c->integer;
        break;
    case CLAIM_BOOLEAN:
        v.type = V_BOOLEAN;
        v.boolean = c->boolean;
        break;
    case CLAIM_STRING:
    case CLAIM_JSON:
        v.type = V_STRING;
        v.text = c->text;
        break;
    }
    return v;
}

struct value value_of_claim(const struct claim *c, enum property property)
{
    switch (property) {
    case PROP_TYPE:
        return (struct value){ .type = V_STRING, .text = c->name };
    case PROP_VALUE_TYPE:
        return (struct value){ .type = V_STRING, .text = bytes_str(claim_type_name(c->type)) };
    case PROP_ISSUER:
        return (struct value){ .type = V_STRING, .text = bytes_str(claim_issuer_name(c->issuer)) };
    case PROP_VALUE:
        break;
    }
    return own_value(c);
}

static uint32_t hash_value(const struct value *v)
{
    uint32_t h = 2166136261u + (uint32_t)v->type;

    if (v->type == V_STRING)
        return hash_bytes(h, v->text);
    if (v->type == V_INTEGER)
        return hash_bytes(h, bytes_of(&v->integer, sizeof(v->integer)));
    return h + v->boolean;
}

enum { INDEX_FROM = 16 }; /* smaller sets are searched */

static bool build_index(struct run *r, struct value_set *s)
{
    size_t room = 32;

    while (room < s->count * 2)
        room *= 2;
    s->index = run_many(r, room, uint32_t);
    if (s->index == NULL)
        return false;
    s->mask = room - 1;
    for (size_t i = 0; i < s->count; i++) {
        size_t at = hash_value(&s->list[i]) & s->mask;

        while (s->index[at] != 0 && !value_equal(&s->list[s->index[at] - 1], &s->list[i])) {
            at = (at + 1) & s->mask;
            if (!run_spend(r, 1))
                return false;
        }
        if (s->index[at] == 0)
            s->index[at] = (uint32_t)(i + 1);
        if (!run_spend(r, 1 + (s->list[i].type == V_STRING ? s->list[i].text.n / 64 : 0)))
            return false;
    }
    return true;
}

bool value_set_has(struct run *r, struct value_set *s, const struct value *v)
{
    size_t at;

    if (s->count < INDEX_FROM) {
        for (size_t i = 0; i < s->count; i++)
            if (value_equal(&s->list[i], v))
                return true;
        return false;
    }
    if (s->index == NULL && !build_index(r, s))
        return false;
    for (at = hash_value(v) & s->mask; s->index[at] != 0; at = (at + 1) & s->mask) {
        if (!run_spend(r, 1))
            return false;
        if (value_equal(&s->list[s->index[at] - 1], v))
            return true;
    }
    return false;
}
