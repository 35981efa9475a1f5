/* collateral_forecast.c: avouch collateral forecast: what a TCB recovery will do to a fleet, before it does.
 *
 * Each piece of evidence is verified once with each evaluation number that is on hand for its platform. The
 * standard number is what the service asks for by itself; when a set becomes the standard says lib/evidence/sgx
 * (evidence-sgx 4.3). Collateral that is over still shows what a set says of a platform, so dates of collateral
 * are not part of the comparison. */
#include "cli/collateral_priv.h"

#include "codec/hex.h"
#include "codec/stamp.h"
#include "evidence/sgx/sgx.h"
#include "os/io.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_SETS = 32 };

struct set {
    int64_t number;
    const char *status; /* NULL: error */
    struct err error;
};

/* Of the newest list of evaluation numbers that is on hand. */
struct calendar {
    struct eval_numbers numbers;
    int64_t standard;
};

struct forecast {
    struct collateral_args *c;
    struct collateral collateral;
    struct trust trust;
    struct jarr out;
    size_t platforms, changing, undecided;
};

/* -- what is on hand -- */

static bool read_folder(struct forecast *f, const char *folder)
{
    const char *const *paths;
    size_t count;

    if (!collateral_cli_files(f->c, folder, &paths, &count))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct err why = { .code = ERR_NONE };
        struct bytes body;

        if (!cli_read(paths[i], &f->c->a, &body))
            return false;
        if (!collateral_add(&f->collateral, body, paths[i], &why))
            fprintf(stderr, "avouch: note: %s: %s\n", paths[i], why.why);
    }
    return true;
}

static bool read_cache(struct forecast *f)
{
    struct engine_item *items;
    struct engine *x;
    size_t count;

    if (!collateral_cli_open(f->c, &x) || !engine_items(x, &f->c->a, &items, &count))
        return false;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < items[i].record->count; k++)
            (void)!collateral_add(&f->collateral, arena_copy(&f->c->a, items[i].record->bodies[k]), "cache", NULL);
    engine_close(x);
    return true;
}

static void read_calendar(struct forecast *f, const struct need_key *tcb, struct calendar *ret)
{
    *ret = (struct calendar){ .numbers.issue = -1 };
    for (size_t i = 0; i < f->collateral.count; i++) {
        const struct collateral_item *c = &f->collateral.list[i];
        struct eval_numbers n;
        const struct json *doc;
        int64_t early;

        if (c->kind != COLL_EVAL_NUMBERS || !json_parse(c->body, JSON_DEPTH, "numbers", &f->c->a, &doc, NULL)
            || !eval_numbers_parse(json_member(doc, "tcbEvaluationDataNumbers"), &f->c->a, &n, NULL) || n.tdx != tcb->tdx
            || n.issue <= ret->numbers.issue)
            continue;
        ret->numbers = n;
        eval_numbers_pick(&n, f->c->at, &ret->standard, &early);
    }
}

static int by_number(const void *x, const void *y)
{
    int64_t a = ((const struct set *)x)->number, b = ((const struct set *)y)->number;

    return (a > b) - (a < b);
}

static size_t find_sets(const struct forecast *f, const struct need_key *tcb, struct set *ret)
{
    size_t n = 0;

    for (size_t i = 0; i < f->collateral.count; i++) {
        const struct collateral_item *c = &f->collateral.list[i];
        bool seen = false;

        if (!need_key_serves(tcb, c))
            continue;
        for (size_t k = 0; k < n; k++)
            seen = seen || ret[k].number == c->eval_number;
        if (!seen && n < MAX_SETS)
            ret[n++] = (struct set){ .number = c->eval_number };
    }
    qsort(ret, n, sizeof(*ret), by_number);
    return n;
}

/* -- one platform -- */

static void evaluate(struct forecast *f, const struct evidence_kind *kind, struct bytes evidence, struct set *s)
{
    struct settings settings = settings_default();
    struct evidence_input in = { .evidence = evidence };
    struct verify_env env = { .now = f->c->at, .trust = &f->trust, .collateral = &f->collateral, .settings = &settings, .a = &f->c->a };
    void *ev;

    settings.accept_tcb = ~(uint32_t)0;
    settings.tcb_eval_number = s->number;
    settings.mix_eval_numbers = true;
    settings.expired_grace = (int64_t)100 * 366 * 86400;
    if (!kind->parse(&in, &f->c->a, &ev, &s->error))
        return;
    (void)!kind->verify(ev, &env, &s->error);
    s->status = kind->status == NULL ? NULL : kind->status(ev);
}

static struct bytes sets_json(struct forecast *f, const struct set *sets, size_t count)
{
    struct jarr out = jarr_open(&f->c->a);

    for (size_t i = 0; i < count; i++) {
        struct jobj o = jobj_open(&f->c->a);

        jobj_int(&o, "number", sets[i].number);
        if (sets[i].status != NULL)
            jobj_text(&o, "status", sets[i].status);
        else
            jobj_json(&o, "error", cli_error_json(&sets[i].error, &f->c->a));
        jarr_raw(&out, jobj_print(&o, false));
    }
    return jarr_close(&out);
}

/* The set that counts today: as configured, as the calendar says, or the one before the newest. */
static size_t baseline(const struct forecast *f, const struct calendar *cal, const struct set *sets, size_t count)
{
    int64_t number = f->c->evaluation != 0 ? f->c->evaluation : cal->standard;
    size_t best = count > 1 ? count - 2 : 0;

    for (size_t i = 0; number != 0 && i < count; i++)
        if (sets[i].number <= number)
            best = i;
    return best;
}

static const char *when_of(const struct forecast *f, const struct calendar *cal, int64_t number)
{
    for (size_t i = 0; i < cal->numbers.count; i++)
        if (cal->numbers.list[i].number == number)
            return arena_str(&f->c->a, bytes_str(stamp_text(cal->numbers.list[i].event + EVAL_STANDARD_AFTER).s));
    return NULL;
}

/* A platform that a set refuses is told as well; only what is missing or over leaves it open. */
static bool told(const struct set *s)
{
    return s->status != NULL || !err_is_undecided(s->error.code);
}

static const char *word(const struct set *s)
{
    return s->status != NULL ? s->status : err_name(s->error.code);
}

static void tell(struct forecast *f, const char *path, const struct evidence_kind *kind, const struct need_key *tcb, const struct calendar *cal,
                 const struct set *sets, size_t count)
{
    struct jobj o = jobj_open(&f->c->a);
    const struct set *now = count == 0 ? NULL : &sets[baseline(f, cal, sets, count)], *next = count == 0 ? NULL : &sets[count - 1];
    bool decided = now != NULL && told(now) && told(next), changes = decided && strcmp(word(now), word(next)) != 0;
    const char *when = changes ? when_of(f, cal, next->number) : NULL;

    f->platforms++;
    f->changing += changes;
    f->undecided += !decided;
    jobj_text(&o, "file", path);
    jobj_text(&o, "type", kind->name);
    jobj_hex(&o, "fmspc", BYTES(tcb->fmspc));
    jobj_json(&o, "sets", sets_json(f, sets, count));
    if (now != NULL) {
        jobj_int(&o, "current", now->number);
        jobj_int(&o, "newest", next->number);
        jobj_text(&o, "status", word(now));
        jobj_text(&o, "becomes", word(next));
    }
    jobj_bool(&o, "changes", changes);
    if (when != NULL)
        jobj_text(&o, "when", when);
    jarr_raw(&f->out, jobj_print(&o, false));
    if (f->c->json)
        return;
    if (now == NULL)
        printf("? %s: %s, FMSPC %s: no TCB info on hand\n", path, kind->name, (const char *)hex_encode(&f->c->a, BYTES(tcb->fmspc)).p);
    else
        printf("%c %s: %s, FMSPC %s: %s with set %lld, %s with set %lld%s%s\n", changes ? '!' : decided ? ' ' : '?', path, kind->name,
               (const char *)hex_encode(&f->c->a, BYTES(tcb->fmspc)).p, word(now), (long long)now->number, word(next), (long long)next->number,
               when == NULL ? "" : ", standard from ", when == NULL ? "" : when);
}

static bool foresee(struct forecast *f, const char *path)
{
    const struct settings s = settings_default();
    const struct evidence_kind *kind;
    struct needs n;
    struct bytes evidence;

    if (!cli_read(path, &f->c->a, &evidence))
        return false;
    kind = collateral_cli_needs(evidence, &s, &f->c->a, &n);
    for (size_t i = 0; kind != NULL && i < n.count; i++) {
        struct set sets[MAX_SETS];
        struct calendar cal;
        struct need_key tcb;
        size_t count;

        if (!need_key_parse(bytes_str(n.list[i].key), &tcb, NULL) || tcb.form != NEED_TCB_INFO)
            continue;
        read_calendar(f, &tcb, &cal);
        count = find_sets(f, &tcb, sets);
        for (size_t k = 0; k < count; k++)
            evaluate(f, kind, evidence, &sets[k]);
        tell(f, path, kind, &tcb, &cal, sets, count);
        return true;
    }
    fprintf(stderr, "avouch: note: %s: no evidence of a platform with TCB info\n", path);
    return true;
}

int collateral_forecast(struct collateral_args *c)
{
    struct forecast f = { .c = c, .out = jarr_open(&c->a), .collateral = collateral_open(&c->a) };
    struct jobj o = jobj_open(&c->a);
    struct err e = { .code = ERR_NONE };
    const char *const *paths;
    size_t count;

    if (c->evidence == NULL || c->rest_count > 0)
        return cli_usage("usage: avouch collateral forecast --evidence PATH [--collateral DIR]... [--trust DIR] [--evaluation N] [--at TIME] [--json]\n");
    if (c->trust != NULL && !engine_trust(c->trust, &c->a, &f.trust, &e))
        return cli_error(&e);
    for (size_t i = 0; i < c->folder_count; i++)
        if (!read_folder(&f, c->folders[i]))
            return EXIT_USAGE;
    if ((c->folder_count == 0 && !read_cache(&f)) || !collateral_cli_files(c, c->evidence, &paths, &count))
        return EXIT_USAGE;
    for (size_t i = 0; i < count; i++)
        if (!foresee(&f, paths[i]))
            return EXIT_USAGE;
    jobj_text(&o, "at", stamp_text(c->at).s);
    jobj_json(&o, "platforms", jarr_close(&f.out));
    jobj_int(&o, "changing", (int64_t)f.changing);
    jobj_int(&o, "undecided", (int64_t)f.undecided);
    if (c->json)
        cli_print_line(jobj_print(&o, false));
    else
        printf("%zu platforms, %zu change under the newest set, %zu cannot be told\n", f.platforms, f.changing, f.undecided);
    return f.changing > 0 ? EXIT_REFUSED : f.undecided > 0 ? EXIT_UNDECIDED : EXIT_VALID;
}
