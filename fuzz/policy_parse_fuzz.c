/* policy_parse_fuzz.c: any text either compiles, and then prints to a text that compiles to the same tree, or
 * is refused with an error at a place inside the text. */
#include "policy/policy.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void check_print(struct arena *a, const struct policy *p)
{
    struct out once = out_open(a), twice = out_open(a);
    struct policy *again;
    struct err e = { 0 };

    must(policy_print(p, &once));
    /* printing adds blanks and lines: a text at the limit may pass it */
    if (!policy_compile(out_view(&once), policy_type(p), &again, NULL, &e)) {
        must(out_view(&once).n > (size_t)128 << 10);
        return;
    }
    must(policy_same(p, again));
    must(policy_print(again, &twice));
    must(bytes_equal(out_view(&once), out_view(&twice)));
    policy_free(again);
}

static void check_problems(struct arena *a, const struct policy_diagnostics *d)
{
    struct out o = out_open(a);

    must(d->errors > 0 && d->count > 0);
    for (size_t i = 0; i < d->count; i++)
        must(d->list[i].line >= 1 && d->list[i].column >= 1 && d->list[i].width >= 1 && d->list[i].message[0] != 0);
    must(policy_rest_message(d, a)[0] != 0);
    policy_diagnostics_print(d, "fuzz", &o);
    (void)policy_diagnostics_json(d, a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct policy *p;
    struct policy_diagnostics d;
    struct err e = { 0 };

    arena_init(&a, (size_t)64 << 20);
    d = policy_diagnostics_open(&a);
    if (policy_compile(bytes_of(data, size), LIT("Tpm"), &p, &d, &e)) {
        must(d.errors == 0);
        must(bytes_equal(policy_text(p), bytes_of(data, size)));
        check_print(&a, p);
        policy_free(p);
    } else {
        must(e.code == ERR_POLICY_SYNTAX);
        check_problems(&a, &d);
    }
    arena_done(&a);
    return 0;
}
