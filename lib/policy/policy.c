/* policy.c: text to a compiled policy: parse, check, warn; the object's life. */
#include "policy/policy_priv.h"

#include <stdio.h>

/* A tree of 200,000 tokens and the compiled queries of its strings fit. */
#define POLICY_BUDGET ((size_t)192 << 20)
#define OWN_DIAGNOSTICS ((size_t)1 << 20)

void policy_free(struct policy *p)
{
    struct arena own;

    if (p == NULL)
        return;
    own = p->a; /* the policy lives in it */
    arena_done(&own);
}

size_t policy_size(const struct policy *p)
{
    return POLICY_BUDGET - p->a.left;
}

static struct policy *policy_new(void)
{
    struct arena own;
    struct policy *p;

    arena_init(&own, POLICY_BUDGET);
    p = arena_new(&own, struct policy);
    if (p == NULL)
        arena_done(&own);
    else
        p->a = own;
    return p;
}

/* Where the first byte stands that is not UTF-8. */
static size_t valid_until(struct bytes text)
{
    size_t at = 0, n = 1;

    while (at < text.n && n <= 4) {
        for (n = 1; n <= 4 && !utf8_valid(bytes_part(text, at, n)); n++)
            ;
        at += n <= 4 ? n : 0;
    }
    return at < text.n ? at : text.n;
}

/* Section 2.3: the bytes must be UTF-8. */
static void tell_utf8(struct problems *p, struct bytes text)
{
    struct place at = { .at = valid_until(text), .length = 1, .line = 1, .column = 1 };

    for (size_t i = 0; i < at.at; i++) {
        bool lf = text.p[i] == '\n', cr = text.p[i] == '\r' && !(i + 1 < text.n && text.p[i + 1] == '\n');

        at.line += lf || cr;
        at.column = lf || cr ? 1 : at.column + ((text.p[i] & 0xc0) != 0x80);
    }
    p->rule = "policy";
    problem_add(p, P_TOKEN, at,
                (struct problem_text){ problem_printf(p, "token recognition error at: '\\x%02x'",
                                                      at.at < text.n ? text.p[at.at] : 0u),
                                       "UTF-8", "save the policy as UTF-8" });
    if (p->d.count > 0) { /* what is not UTF-8 is not repeated */
        p->d.list[p->d.count - 1].symbol = problem_printf(p, "\\x%02x", at.at < text.n ? text.p[at.at] : 0u);
        p->d.list[p->d.count - 1].line_text = LIT("");
        p->d.list[p->d.count - 1].column = at.column;
    }
}

static void read_text(struct policy *p, struct problems *problems)
{
    if (p->text.n > MAX_TEXT) {
        problems->rule = "policy";
        problem_add(problems, P_TOO_LARGE, (struct place){ .line = 1, .column = 1, .length = 1 },
                    (struct problem_text){ "policy too large", "at most 256 KiB", NULL });
        return;
    }
    if (!utf8_valid(p->text)) {
        tell_utf8(problems, p->text);
        return;
    }
    policy_parse(p, problems);
    policy_check(p, problems);
    if (problems->d.errors == 0)
        policy_lint(p, problems);
}

static bool first_error(const struct problems *p, struct err *e)
{
    char what[64];

    for (size_t i = 0; i < p->d.count; i++) {
        const struct policy_problem *one = &p->d.list[i];

        if (one->warning)
            continue;
        snprintf(what, sizeof(what), "policy %u:%u", one->line, one->column);
        return err_set(e, ERR_POLICY_SYNTAX, what, "%s%s%s", one->message, one->suggestion == NULL ? "" : "; ",
                       one->suggestion == NULL ? "" : one->suggestion);
    }
    return err_memory(e, "policy");
}

static bool compile(struct policy *p, struct problems *problems, struct err *e)
{
    read_text(p, problems);
    problems_sort(problems);
    if (p->a.failed || p->configuration.failed)
        return err_memory(e, "policy");
    return problems->d.errors == 0 || first_error(problems, e);
}

bool policy_compile(struct bytes text, struct bytes attestation_type, struct policy **ret,
                    struct policy_diagnostics *ret_diag, struct err *e)
{
    struct problems problems = { .text = text };
    struct policy *p = policy_new();
    struct arena own;
    bool ok;

    if (p == NULL)
        return err_memory(e, "policy");
    arena_init(&own, OWN_DIAGNOSTICS);
    problems.d = policy_diagnostics_open(ret_diag == NULL ? &own : ret_diag->a);
    p->text = arena_copy(&p->a, bytes_part(text, 0, MAX_TEXT + 1));
    p->type = arena_copy(&p->a, bytes_part(attestation_type, 0, 64));
    problems.text = p->text;
    ok = !p->a.failed ? compile(p, &problems, e) : err_memory(e, "policy");
    if (ret_diag != NULL) { /* excerpts are views of the policy's copy: make them the diagnostics' own */
        for (size_t i = 0; i < problems.d.count; i++)
            problems.d.list[i].line_text = arena_copy(ret_diag->a, problems.d.list[i].line_text);
        *ret_diag = problems.d;
    }
    arena_done(&own);
    if (!ok) {
        policy_free(p);
        return false;
    }
    *ret = p;
    return true;
}

struct bytes policy_text(const struct policy *p)
{
    return p->text;
}

struct bytes policy_type(const struct policy *p)
{
    return p->type;
}

const char *policy_version(const struct policy *p)
{
    static const char *const versions[] = { "1.0", "1.1", "1.2" };

    return versions[p->minor];
}

const struct claim *policy_property(const struct policy *p, const char *name)
{
    return claims_find(&p->configuration, name);
}

bool policy_reads(const struct policy *p, struct bytes name)
{
    for (size_t i = 0; i < SECTION_COUNT; i++)
        for (const struct rule *r = p->sections[i].first; r != NULL; r = r->next)
            for (const struct condition *c = r->conditions; c != NULL; c = c->next)
                if (c->key == NULL || bytes_equal(c->key->expr->text, name))
                    return true;
    return false;
}
