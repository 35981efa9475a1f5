/* check.c: see check.h. */
#include "evidence/check.h"

#include "codec/hex.h"
#include "codec/stamp.h"

#include <inttypes.h>
#include <stdio.h>

enum { SHOWN = 64 };

static void record(struct checks *list, const struct rule *r, enum check_result result, const char *expected,
                   const char *actual)
{
    struct check *c;

    if (list == NULL)
        return;
    c = arena_new(list->a, struct check);
    if (c == NULL)
        return;
    *c = (struct check){
        .name = r->name,
        .result = result,
        .expected = expected == NULL ? NULL : arena_str(list->a, bytes_str(expected)),
        .actual = actual == NULL ? NULL : arena_str(list->a, bytes_str(actual)),
        .source = r->source,
    };
    if (list->last == NULL)
        list->first = c;
    else
        list->last->next = c;
    list->last = c;
    list->count++;
}

static bool outcome(struct checks *list, const struct rule *r, bool ok, const char *expected, const char *actual,
                    struct err *e)
{
    const char *name = strcmp(r->what, r->name) == 0 ? "" : r->name, *colon = name[0] == 0 ? "" : ": ";

    record(list, r, ok ? CHECK_OK : err_is_undecided(r->code) ? CHECK_UNDECIDED : CHECK_FAILED, expected, actual);
    if (ok)
        return true;
    if (expected == NULL)
        return err_set(e, r->code, r->what, "%s%s%s", name, colon, actual == NULL ? "failed" : actual);
    return err_set(e, r->code, r->what, "%s%sexpected %s, found %s", name, colon, expected,
                   actual == NULL ? "something else" : actual);
}

bool check_true(struct checks *list, const struct rule *r, bool ok, const char *expected, const char *actual,
                struct err *e)
{
    return ok && list == NULL ? true : outcome(list, r, ok, expected, actual, e);
}

bool check_fact(struct checks *list, const struct rule *r, bool ok, const char *expected, const char *actual,
                struct err *e)
{
    return check_true(list, r, ok, expected, ok ? expected : actual, e);
}

static void hex_shown(char *to, struct bytes b)
{
    static const char digits[] = "0123456789abcdef";
    size_t n = b.n > SHOWN ? SHOWN : b.n;

    for (size_t i = 0; i < n; i++) {
        to[2 * i] = digits[b.p[i] >> 4];
        to[2 * i + 1] = digits[b.p[i] & 15];
    }
    to[2 * n] = 0;
    if (b.n > SHOWN)
        strcpy(to + 2 * n, "...");
    else if (b.n == 0)
        strcpy(to, "(empty)");
}

bool check_bytes(struct checks *list, const struct rule *r, struct bytes expected, struct bytes actual,
                 struct err *e)
{
    char want[2 * SHOWN + 8], found[2 * SHOWN + 8];
    bool ok = bytes_equal(expected, actual);

    if (ok && list == NULL)
        return true;
    hex_shown(want, expected);
    hex_shown(found, actual);
    return outcome(list, r, ok, want, found, e);
}

bool check_text(struct checks *list, const struct rule *r, struct bytes expected, struct bytes actual, struct err *e)
{
    char want[128], found[128];
    bool ok = bytes_equal(expected, actual);

    if (ok && list == NULL)
        return true;
    snprintf(want, sizeof(want), "'%.*s'", (int)(expected.n > 120 ? 120 : expected.n), (const char *)expected.p);
    snprintf(found, sizeof(found), "'%.*s'", (int)(actual.n > 120 ? 120 : actual.n), (const char *)actual.p);
    return outcome(list, r, ok, want, found, e);
}

bool check_uint(struct checks *list, const struct rule *r, uint64_t expected, uint64_t actual, struct err *e)
{
    char want[24], found[24];
    bool ok = expected == actual;

    if (ok && list == NULL)
        return true;
    snprintf(want, sizeof(want), "%" PRIu64, expected);
    snprintf(found, sizeof(found), "%" PRIu64, actual);
    return outcome(list, r, ok, want, found, e);
}

bool check_at_least(struct checks *list, const struct rule *r, uint64_t least, uint64_t actual, struct err *e)
{
    char want[40], found[24];
    bool ok = actual >= least;

    if (ok && list == NULL)
        return true;
    snprintf(want, sizeof(want), "at least %" PRIu64, least);
    snprintf(found, sizeof(found), "%" PRIu64, actual);
    return outcome(list, r, ok, want, found, e);
}

bool check_window(struct checks *list, const struct rule *r, int64_t from, int64_t to, int64_t now, struct err *e)
{
    char want[64];
    bool ok = from <= now && now <= to;

    if (ok && list == NULL)
        return true;
    snprintf(want, sizeof(want), "%s to %s", stamp_text(from).s, stamp_text(to).s);
    return outcome(list, r, ok, want, stamp_text(now).s, e);
}

bool check_step(struct checks *list, const struct rule *r, bool ok, const char *actual, struct err *e)
{
    if (ok) {
        record(list, r, CHECK_OK, NULL, actual);
        return true;
    }
    if (e != NULL && e->code != ERR_NONE) {
        record(list, r, err_is_undecided(e->code) ? CHECK_UNDECIDED : CHECK_FAILED, NULL, e->why);
        return false;
    }
    return outcome(list, r, false, NULL, actual, e);
}

void check_skip(struct checks *list, const struct rule *r, const char *why)
{
    record(list, r, CHECK_SKIPPED, NULL, why);
}

const char *check_result_name(enum check_result r)
{
    static const char *const names[] = { "ok", "failed", "skipped", "undecided" };

    return names[r];
}

struct bytes checks_json(const struct checks *list, struct arena *a)
{
    struct jarr all = jarr_open(a);

    for (const struct check *c = list->first; c != NULL; c = c->next) {
        struct jobj o = jobj_open(a);

        jobj_text(&o, "check", c->name);
        jobj_text(&o, "result", check_result_name(c->result));
        if (c->expected != NULL)
            jobj_text(&o, "expected", c->expected);
        else
            jobj_json(&o, "expected", LIT("null"));
        if (c->actual != NULL)
            jobj_text(&o, "actual", c->actual);
        else
            jobj_json(&o, "actual", LIT("null"));
        jobj_text(&o, "source", c->source == NULL ? "" : c->source);
        jarr_raw(&all, jobj_print(&o, false));
    }
    return jarr_close(&all);
}
