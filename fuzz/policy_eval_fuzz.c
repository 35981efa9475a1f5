/* policy_eval_fuzz.c: a policy and claims, both from the input: "POLICY NUL CLAIMS-JSON". The decision is the
 * same with and without a trace; what is permitted has a permit rule that fired and no deny rule that did. */
#include "policy/policy.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

/* Each member is a claim of the service; names that begin with "ro" are read-only, with "c" the client's. */
static struct claims claims_of(struct arena *a, struct bytes text)
{
    struct claims list = claims_open(a);
    const struct json *j;

    if (!json_parse(text, 64, "claims", a, &j, NULL) || j->type != JSON_OBJECT)
        return list;
    for (const struct json *m = j->child; m != NULL; m = m->next) {
        struct claim c = { .name = m->name, .use = CLAIM_TO_BOTH };

        if (bytes_equal(bytes_part(m->name, 0, 2), LIT("ro")))
            c.use |= CLAIM_READ_ONLY;
        if (bytes_equal(bytes_part(m->name, 0, 1), LIT("c")))
            c.issuer = ISSUER_CUSTOM;
        if (json_bool(m, &c.boolean))
            c.type = CLAIM_BOOLEAN;
        else if (json_int(m, &c.integer))
            c.type = CLAIM_INTEGER;
        else if (json_string(m, &c.text))
            c.type = CLAIM_STRING;
        else {
            c.type = CLAIM_JSON;
            c.text = m->raw;
        }
        claims_add(&list, c);
    }
    return list;
}

static void compare(const struct policy *p, const struct claims *in, struct arena *a)
{
    struct policy_result plain, traced;
    struct policy_trace t = policy_trace_open(a);
    struct err e1 = { 0 }, e2 = { 0 }, e3 = { 0 };
    struct jobj token = jobj_open(a);
    bool ok1 = policy_eval(p, in, a, &plain, NULL, &e1), ok2 = policy_eval(p, in, a, &traced, &t, &e2);

    if (e1.code == ERR_NO_MEMORY || e2.code == ERR_NO_MEMORY)
        return;
    must(ok1 == ok2 && e1.code == e2.code);
    must(ok1 == (t.decision == POLICY_PERMITTED));
    (void)policy_trace_json(&t, a);
    (void)policy_trace_summary(&t, true, a);
    if (!ok1) {
        must(e1.code == ERR_POLICY_DENIED || e1.code == ERR_POLICY_EVALUATION);
        must(e1.why[0] != 0);
        return;
    }
    must(plain.issued.count == traced.issued.count && plain.added.count == traced.added.count);
    for (size_t i = 0; i < plain.issued.count; i++)
        must((plain.issued.list[i].use & CLAIM_READ_ONLY) == 0 && plain.issued.list[i].name.n > 0);
    (void)!policy_token_members(p, in, &plain, &token, &e3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *split = size == 0 ? NULL : memchr(data, 0, size);
    size_t n = split == NULL ? size : (size_t)(split - data);
    struct arena a;
    struct claims in;
    struct policy *p;
    struct err e = { 0 };

    arena_init(&a, (size_t)128 << 20);
    in = claims_of(&a, bytes_part(bytes_of(data, size), n + 1, size));
    if (policy_compile(bytes_of(data, n), LIT("SgxEnclave"), &p, NULL, &e)) {
        compare(p, &in, &a);
        policy_free(p);
    }
    arena_done(&a);
    return 0;
}
