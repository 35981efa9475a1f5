/* claim_set.c: the incoming, outgoing and property sets: ordered, found by type, free of repeated claims. */
#include "policy/eval_priv.h"

static uint32_t hash_type(struct bytes type)
{
    return hash_bytes(2166136261u, type);
}

static uint32_t hash_identity(const struct claim *c, uint32_t type)
{
    uint32_t h = type ^ ((uint32_t)c->issuer * 0x9e3779b9u);

    switch (c->type) {
    case CLAIM_STRING:
    case CLAIM_JSON:
        return hash_bytes(h, c->text);
    case CLAIM_INTEGER:
        return hash_bytes(h + 1, bytes_of(&c->integer, sizeof(c->integer)));
    case CLAIM_BOOLEAN:
        break;
    }
    return hash_bytes(h + 2, bytes_of(&c->boolean, sizeof(c->boolean)));
}

/* The slot of a type: its chain, or the free place where it belongs. Names may be chosen to meet: steps are counted. */
static size_t probe(struct run *r, const struct claim_set *s, struct bytes type, uint32_t hash)
{
    size_t at = hash & s->mask;
    uint64_t steps = 0;

    for (; s->types[at].first != NO_CLAIM
           && (s->hashes[s->types[at].first] != hash || !bytes_equal(s->list[s->types[at].first].name, type));
         steps++)
        at = (at + 1) & s->mask;
    r->steps -= steps < r->steps ? steps : r->steps;
    return at;
}

size_t claim_set_first(struct run *r, const struct claim_set *s, struct bytes type)
{
    return s->count == 0 ? NO_CLAIM : s->types[probe(r, s, type, hash_type(type))].first;
}

static void link_claim(struct run *r, struct claim_set *s, size_t i)
{
    struct chain *chain = &s->types[probe(r, s, s->list[i].name, s->hashes[i])];
    size_t *same = &s->same[s->identities[i] & s->mask];

    s->next_of_type[i] = NO_CLAIM;
    if (chain->first == NO_CLAIM)
        chain->first = i;
    else
        s->next_of_type[chain->last] = i;
    chain->last = i;
    s->next_same_hash[i] = *same;
    *same = i;
}

static void *grown(struct run *r, const void *old, size_t count, size_t room, size_t size)
{
    void *p = arena_array(r->a, room, size);

    if (p != NULL && count > 0)
        memcpy(p, old, count * size);
    return p;
}

/* Doubles the room; the tables have twice as many places as claims can come, and are filled anew. */
static bool grow(struct run *r, struct claim_set *s)
{
    size_t room = s->room == 0 ? 64 : s->room * 2, places = room * 2;
    struct claim_set n = { .count = s->count, .room = room, .mask = places - 1 };

    n.list = grown(r, s->list, s->count, room, sizeof(*n.list));
    n.next_of_type = arena_many(r->a, room, size_t);
    n.next_same_hash = arena_many(r->a, room, size_t);
    n.hashes = grown(r, s->hashes, s->count, room, sizeof(*n.hashes));
    n.identities = grown(r, s->identities, s->count, room, sizeof(*n.identities));
    n.types = arena_many(r->a, places, struct chain);
    n.same = arena_many(r->a, places, size_t);
    if (r->a->failed)
        return run_memory(r);
    memset(n.types, 0xff, places * sizeof(*n.types)); /* NO_CLAIM */
    memset(n.same, 0xff, places * sizeof(*n.same));
    for (size_t i = 0; i < n.count; i++)
        link_claim(r, &n, i);
    *s = n;
    return true;
}

static bool append(struct run *r, struct claim_set *s, const struct claim *c)
{
    if (s->count >= MAX_CLAIMS)
        return run_fail(r, r->rule == NULL ? (struct place){ .line = 1, .column = 1 } : r->rule->place, "budget",
                        "more than %u claims", MAX_CLAIMS);
    if (s->count == s->room && !grow(r, s))
        return false;
    s->list[s->count] = *c;
    s->hashes[s->count] = hash_type(c->name);
    s->identities[s->count] = hash_identity(c, s->hashes[s->count]);
    link_claim(r, s, s->count++);
    return run_spend(r, 1 + (c->name.n + c->text.n) / 64);
}

/* Whether one of the first `before` claims is the same. */
static bool has(struct run *r, const struct claim_set *s, const struct claim *c, size_t before)
{
    uint32_t hash = hash_identity(c, hash_type(c->name));

    if (!run_spend(r, (c->name.n + c->text.n) / 64))
        return false;
    for (size_t i = s->count == 0 ? NO_CLAIM : s->same[hash & s->mask]; i != NO_CLAIM; i = s->next_same_hash[i]) {
        if (!run_spend(r, 1))
            return false;
        if (i < before && s->identities[i] == hash && claim_same(&s->list[i], c))
            return true;
    }
    return false;
}

bool claim_set_fill(struct run *r, struct claim_set *s, const struct claims *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (!append(r, s, &list->list[i]))
            return false;
    return true;
}

bool claim_set_add(struct run *r, struct claim_set *s, const struct claims *batch, struct claims *added)
{
    size_t before = s->count;

    for (size_t i = 0; i < batch->count; i++) {
        bool known = has(r, s, &batch->list[i], before);

        if (r->failed)
            return false;
        if (known)
            continue;
        if (!append(r, s, &batch->list[i]))
            return false;
        if (added != NULL)
            claims_add(added, batch->list[i]);
    }
    return true;
}
