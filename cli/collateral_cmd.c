/* collateral_cmd.c: avouch collateral: the cache from outside: fetch, carry, look, warn. The tool reads and writes
 * the same folder as the process avouch-collateral, which takes it up on SIGHUP. */
#include "cli/collateral_priv.h"

#include "codec/stamp.h"
#include "os/io.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static const char help[] =
    "usage: avouch collateral fetch [--evidence PATH]... [--anew] [KEY]...\n"
    "       avouch collateral import [--chain FILE]... PATH...\n"
    "       avouch collateral export BUNDLE [KEY]...\n"
    "       avouch collateral list\n"
    "       avouch collateral check [--warn SECONDS]\n"
    "       avouch collateral forecast --evidence PATH [--collateral DIR]... [--trust DIR] [--evaluation N]\n"
    "options of all: --config FILE, --state DIR, --cache DIR, --at TIME, --json\n"
    "KEY: sgx/tcb?fmspc=00906ed50000, sgx/qe/identity, sgx/pckcrl?ca=platform, sgx/rootcacrl, kds/vcek/v1/Milan/cert_chain ...\n";

/* -- common -- */

bool collateral_cli_open(struct collateral_args *c, struct engine **ret)
{
    struct engine_options o = { .folder = c->cache, .clock_offset = c->has_at ? c->at - clock_now() : 0 };
    struct err e = { .code = ERR_NONE };

    if (folder_make(c->cache, 0700, &e) && engine_open(&c->config, &o, &c->a, ret, &e))
        return true;
    (void)cli_error(&e);
    return false;
}

bool collateral_cli_files(struct collateral_args *c, const char *path, const char *const **ret, size_t *ret_count)
{
    const char **one = arena_many(&c->a, 1, const char *), *const *names;
    struct stat st;
    struct err e = { .code = ERR_NONE };

    if (one == NULL)
        return false;
    one[0] = path;
    if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode)) {
        *ret = one;
        *ret_count = 1;
        return true;
    }
    if (!folder_list(path, &c->a, &names, ret_count, &e)) {
        (void)cli_error(&e);
        return false;
    }
    one = arena_many(&c->a, *ret_count + 1, const char *);
    for (size_t i = 0; one != NULL && i < *ret_count; i++)
        one[i] = arena_printf(&c->a, "%s/%s", path, names[i]);
    *ret = one;
    return one != NULL;
}

const struct evidence_kind *collateral_cli_needs(struct bytes evidence, const struct settings *s, struct arena *a, struct needs *ret)
{
    size_t count;
    const struct evidence_kind *const *kinds = evidence_kinds(&count);
    struct evidence_input in = { .evidence = evidence };

    for (size_t i = 0; i < count; i++) {
        struct needs n = needs_open(a);
        void *ev;

        if (evidence.n <= kinds[i]->max_size && kinds[i]->parse(&in, a, &ev, NULL) && kinds[i]->needs(ev, s, &n, NULL)) {
            *ret = n;
            return kinds[i];
        }
    }
    return NULL;
}

static int memory_failure(void)
{
    fputs("avouch: out of memory\n", stderr);
    return EXIT_REFUSED;
}

/* -- fetch -- */

struct fetching {
    struct collateral_args *c;
    struct jarr out;
    size_t open, missing;
};
struct wanted {
    struct fetching *f;
    const char *key;
};

static void on_fetched(void *user, const struct engine_answer *a)
{
    struct wanted *w = user;
    struct fetching *f = w->f;
    struct jobj o = jobj_open(&f->c->a);
    bool good = a->record != NULL && a->errors[0] == 0;

    f->open--;
    f->missing += !good;
    jobj_text(&o, "key", w->key);
    jobj_text(&o, "result", good ? "ok" : a->record != NULL ? "kept" : "missing");
    if (a->record != NULL)
        jobj_text(&o, "until", stamp_text(a->to).s);
    if (!good)
        jobj_text(&o, "errors", a->errors);
    jarr_raw(&f->out, jobj_print(&o, false));
    if (f->c->json)
        return;
    if (good)
        printf("%s: until %s, from %.*s\n", w->key, stamp_text(a->to).s, (int)a->record->source.n, (const char *)a->record->source.p);
    else
        printf("%s: %s: %s\n", w->key, a->record != NULL ? "kept" : "missing", a->errors);
}

static bool want(struct fetching *f, struct engine *x, const char *key)
{
    struct wanted *w = arena_new(&f->c->a, struct wanted);
    uint64_t deadline = clock_monotonic_us() + (uint64_t)120 * 1000000;
    struct err e = { .code = ERR_NONE };

    if (w == NULL)
        return false;
    *w = (struct wanted){ .f = f, .key = key };
    f->open++;
    if (engine_ask(x, bytes_str(key), f->c->anew ? ENGINE_ANEW : ENGINE_FETCH, deadline, on_fetched, w, &e))
        return true;
    f->open--;
    (void)cli_error(&e);
    return false;
}

static bool want_evidence(struct fetching *f, struct engine *x)
{
    const struct settings s = settings_default();
    const char *const *paths;
    size_t count;

    if (f->c->evidence == NULL)
        return true;
    if (!collateral_cli_files(f->c, f->c->evidence, &paths, &count))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct needs n;
        struct bytes b;

        if (!cli_read(paths[i], &f->c->a, &b))
            return false;
        if (collateral_cli_needs(b, &s, &f->c->a, &n) == NULL) {
            fprintf(stderr, "avouch: note: %s: no evidence that needs collateral\n", paths[i]);
            continue;
        }
        for (size_t k = 0; k < n.count; k++)
            if (!want(f, x, n.list[k].key))
                return false;
    }
    return true;
}

static int fetch(struct collateral_args *c)
{
    struct fetching f = { .c = c, .out = jarr_open(&c->a) };
    struct engine *x;
    bool ok;

    if (c->rest_count == 0 && c->evidence == NULL)
        return cli_usage(help);
    if (!collateral_cli_open(c, &x))
        return EXIT_USAGE;
    ok = want_evidence(&f, x);
    for (size_t i = 0; ok && i < c->rest_count; i++)
        ok = want(&f, x, c->rest[i]);
    while (ok && f.open > 0)
        engine_run(x, NULL, 0, 1000);
    engine_close(x);
    if (c->json)
        cli_print_line(jarr_close(&f.out));
    return !ok ? EXIT_USAGE : f.missing > 0 ? EXIT_UNDECIDED : EXIT_VALID;
}

/* -- bundles -- */

static bool selected(const struct collateral_args *c, struct bytes key)
{
    for (size_t i = 1; i < c->rest_count; i++)
        if (bytes_is(key, c->rest[i]))
            return true;
    return c->rest_count == 1;
}

static int export(struct collateral_args *c)
{
    struct engine_item *items;
    struct record *list;
    struct engine *x;
    struct bytes file;
    struct err e = { .code = ERR_NONE };
    size_t count, n = 0;

    if (c->rest_count == 0)
        return cli_usage(help);
    if (!collateral_cli_open(c, &x))
        return EXIT_USAGE;
    if (!engine_items(x, &c->a, &items, &count) || (list = arena_many(&c->a, count + 1, struct record)) == NULL)
        return memory_failure();
    for (size_t i = 0; i < count; i++)
        if (selected(c, items[i].record->key))
            list[n++] = *items[i].record;
    file = bundle_print(list, n, &c->a);
    engine_close(x);
    if (file.p == NULL)
        return memory_failure();
    if (!file_write(c->rest[0], file, 0644, &e))
        return cli_error(&e);
    if (!c->json)
        printf("%zu items, %zu bytes\n", n, file.n);
    return EXIT_VALID;
}

/* -- list, check -- */

static struct bytes item_json(struct collateral_args *c, const struct engine_item *i)
{
    struct jobj o = jobj_open(&c->a);

    jobj_str(&o, "key", i->record->key);
    jobj_text(&o, "from", stamp_text(i->from).s);
    jobj_text(&o, "until", stamp_text(i->to).s);
    jobj_int(&o, "secondsLeft", i->to - c->at);
    if (i->eval_number != 0)
        jobj_int(&o, "evaluationNumber", i->eval_number);
    jobj_text(&o, "fetched", stamp_text(i->record->fetched).s);
    jobj_str(&o, "source", i->record->source);
    return jobj_print(&o, false);
}

static int list(struct collateral_args *c)
{
    struct jarr out = jarr_open(&c->a);
    struct engine_item *items;
    struct engine *x;
    size_t count;

    if (!collateral_cli_open(c, &x))
        return EXIT_USAGE;
    if (!engine_items(x, &c->a, &items, &count))
        return memory_failure();
    for (size_t i = 0; i < count; i++) {
        jarr_raw(&out, item_json(c, &items[i]));
        if (!c->json)
            printf("%.*s\n    %s to %s, fetched %s from %.*s\n", (int)items[i].record->key.n, (const char *)items[i].record->key.p,
                   stamp_text(items[i].from).s, stamp_text(items[i].to).s, stamp_text(items[i].record->fetched).s,
                   (int)items[i].record->source.n, (const char *)items[i].record->source.p);
    }
    if (c->json)
        cli_print_line(jarr_close(&out));
    engine_close(x);
    return EXIT_VALID;
}

static int by_end(const void *x, const void *y)
{
    int64_t a = ((const struct engine_item *)x)->to, b = ((const struct engine_item *)y)->to;

    return (a > b) - (a < b);
}

static const char *state_of(const struct collateral_args *c, const struct engine_item *i)
{
    return i->to < c->at ? "expired" : i->to - c->at <= c->warn ? "expiring" : "ok";
}

/* What ends first stands first. An empty cache is nothing to rely on: that cannot be decided. */
static int check(struct collateral_args *c)
{
    struct jarr out = jarr_open(&c->a);
    struct engine_item *items;
    struct engine *x;
    size_t count, bad = 0;

    if (!collateral_cli_open(c, &x))
        return EXIT_USAGE;
    if (!engine_items(x, &c->a, &items, &count))
        return memory_failure();
    qsort(items, count, sizeof(*items), by_end);
    for (size_t i = 0; i < count; i++) {
        struct jobj o = jobj_open(&c->a);
        const char *state = state_of(c, &items[i]);

        bad += strcmp(state, "ok") != 0;
        jobj_text(&o, "state", state);
        jobj_json(&o, "item", item_json(c, &items[i]));
        jarr_raw(&out, jobj_print(&o, false));
        if (!c->json)
            printf("%-8s %s  %.*s\n", state, stamp_text(items[i].to).s, (int)items[i].record->key.n, (const char *)items[i].record->key.p);
    }
    if (c->json)
        cli_print_line(jarr_close(&out));
    engine_close(x);
    if (count == 0)
        fprintf(stderr, "avouch: the cache %s is empty\n", c->cache);
    return count == 0 ? EXIT_UNDECIDED : bad > 0 ? EXIT_REFUSED : EXIT_VALID;
}

/* -- options -- */

enum collateral_option {
    OPT_CONFIG = 1,
    OPT_STATE,
    OPT_CACHE,
    OPT_AT,
    OPT_JSON,
    OPT_ANEW,
    OPT_EVIDENCE,
    OPT_COLLATERAL,
    OPT_TRUST,
    OPT_EVALUATION,
    OPT_WARN,
    OPT_CHAIN,
};

static const struct option options[] = {
    { "config", required_argument, NULL, OPT_CONFIG }, { "state", required_argument, NULL, OPT_STATE },
    { "cache", required_argument, NULL, OPT_CACHE }, { "at", required_argument, NULL, OPT_AT },
    { "json", no_argument, NULL, OPT_JSON }, { "anew", no_argument, NULL, OPT_ANEW },
    { "evidence", required_argument, NULL, OPT_EVIDENCE }, { "collateral", required_argument, NULL, OPT_COLLATERAL },
    { "trust", required_argument, NULL, OPT_TRUST }, { "evaluation", required_argument, NULL, OPT_EVALUATION },
    { "warn", required_argument, NULL, OPT_WARN }, { "chain", required_argument, NULL, OPT_CHAIN }, { 0 },
};

static bool number(const char *text, int64_t *ret)
{
    struct json j = { .type = JSON_NUMBER, .text = bytes_str(text) };

    return j.text.n > 0 && json_int(&j, ret) && *ret >= 0;
}

static bool take_option(struct collateral_args *c, int opt, const char **config, const char **state)
{
    switch (opt) {
    case OPT_CONFIG:
        *config = optarg;
        return true;
    case OPT_STATE:
        *state = optarg;
        return true;
    case OPT_CACHE:
        c->cache = optarg;
        return true;
    case OPT_AT:
        c->has_at = true;
        return cli_time(optarg, &c->at);
    case OPT_JSON:
        return c->json = true;
    case OPT_ANEW:
        return c->anew = true;
    case OPT_EVIDENCE:
        c->evidence = optarg;
        return true;
    case OPT_COLLATERAL:
        c->folders[c->folder_count] = optarg;
        return ++c->folder_count < COLLATERAL_MAX_FOLDERS;
    case OPT_TRUST:
        c->trust = optarg;
        return true;
    case OPT_EVALUATION:
        return number(optarg, &c->evaluation);
    case OPT_WARN:
        return number(optarg, &c->warn);
    case OPT_CHAIN:
        c->chains[c->chain_count] = optarg;
        return ++c->chain_count < COLLATERAL_MAX_FOLDERS;
    default:
        return false;
    }
}

static bool read_config(struct collateral_args *c, const char *path, const char *state)
{
    struct bytes text = { NULL, 0 };
    struct err e = { .code = ERR_NONE };

    if ((path != NULL && !file_read(path, 1 << 20, &c->a, &text, &e)) || !config_parse(text, &c->a, &c->config, &e)) {
        (void)cli_error(&e);
        return false;
    }
    if (state != NULL)
        c->config.value[CONFIG_service_state] = state;
    if (c->trust != NULL)
        c->config.value[CONFIG_verify_trust] = c->trust;
    if (c->cache == NULL)
        c->cache = arena_printf(&c->a, "%s/collateral", c->config.value[CONFIG_service_state]);
    if (c->warn < 0 && !config_number(&c->config, CONFIG_collateral_warn, 0, 365 * 86400, &c->warn, &e)) {
        (void)cli_error(&e);
        return false;
    }
    return c->cache != NULL;
}

int cmd_collateral(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(struct collateral_args *c);
    } verbs[] = {
        { "fetch", fetch }, { "import", collateral_import }, { "export", export }, { "list", list }, { "check", check }, { "forecast", collateral_forecast },
    };
    static struct collateral_args c;
    const char *config = NULL, *state = NULL;
    int opt;

    arena_init(&c.a, (size_t)2 << 30);
    c.at = clock_now();
    c.warn = -1;
    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (!take_option(&c, opt, &config, &state))
            return cli_usage(help);
    if (argc - optind < 1)
        return cli_usage(help);
    c.rest = argv + optind + 1;
    c.rest_count = (size_t)(argc - optind - 1);
    for (size_t i = 0; i < COUNT(verbs); i++)
        if (strcmp(argv[optind], verbs[i].name) == 0) {
            int status = read_config(&c, config, state) ? verbs[i].run(&c) : EXIT_USAGE;

            arena_done(&c.a);
            return status;
        }
    return cli_usage(help);
}
