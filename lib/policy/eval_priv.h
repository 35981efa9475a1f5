/* eval_priv.h: the state of one evaluation. */
#ifndef AVOUCH_POLICY_EVAL_PRIV_H
#define AVOUCH_POLICY_EVAL_PRIV_H

#include "policy/policy_priv.h"

#define NO_CLAIM SIZE_MAX
#define SCRATCH_BUDGET ((size_t)96 << 20) /* JSON trees of claims and queries */
#define TEMP_BUDGET ((size_t)64 << 20)    /* values and bindings of one rule */
#define TRACE_CLAIMS 4096u

/* An ordered set of claims, found by type and by identity (section 6.4). Chains run in order of insertion. */
struct claim_set {
    struct claim *list;
    size_t *next_of_type;
    size_t *next_same_hash; /* of the whole identity */
    uint32_t *hashes;       /* of the type */
    uint32_t *identities;   /* hash of the whole identity */
    size_t count, room;
    struct chain {
        size_t first, last;
    } *types;               /* by hash of the type: first and last claim of ONE type, see probe */
    size_t *same;           /* by hash of the identity: newest */
    size_t mask;
};

/* The first claim of a type, or NO_CLAIM. Charges the search; whoever spends next is told where nothing is left. */
size_t claim_set_first(struct run *r, const struct claim_set *s, struct bytes type);
/* Appends everything, equal claims too. */
bool claim_set_fill(struct run *r, struct claim_set *s, const struct claims *list);
/* Section 6.4: drops what was in the set before this batch; appends the rest, also to `added` if not NULL. */
bool claim_set_add(struct run *r, struct claim_set *s, const struct claims *batch, struct claims *added);

struct binding {
    uint32_t *claims; /* positions in the incoming set */
    size_t count, room;
};

struct eval {
    struct run run;
    struct claim_set set;        /* incoming */
    struct claim_set issued;     /* outgoing */
    struct claim_set properties;
    struct claims *added;
    struct binding bindings[MAX_CONDITIONS];
    enum section section;
    const struct rule *permit, *deny; /* the first of each */
    const struct rule *nearest;
    unsigned nearest_missing, nearest_satisfied;
    struct policy_trace *trace;
};

bool eval_expr(struct eval *ev, const struct expr *x, struct value_set *ret);

static inline size_t test_number(const struct condition *c, const struct test *wanted)
{
    size_t n = 0;

    for (const struct test *t = c->tests; t != wanted; t = t->next)
        n++;
    return n;
}

/* "value 0 is not == 4", cut to what a trace bears. */
const char *trace_reason(struct policy_trace *t, const char *property, const struct value *v, const char *op,
                         const struct value_set *right);

#endif
