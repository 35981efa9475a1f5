/* engine.c: see engine.h. */
#include "collateral/engine.h"

#include "codec/stamp.h"
#include "collateral/answer.h"
#include "collateral/store.h"
#include "crypto/hash.h"
#include "os/io.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    SECOND_US = 1000000,
    PATIENCE_US = 20 * SECOND_US, /* a job waits so long for a source that is closed or busy; longer: failed */
    MAX_JOBS = 512,
    KEEP_EXPIRED = 40 * 86400,    /* longer than any grace that can be configured */
};

struct waiter {
    engine_done *done;
    void *user;
    uint64_t deadline_us;
    struct waiter *next;
};

/* One attempt to get a key, whoever wants it. */
struct job {
    struct engine *engine;
    struct slot *slot;
    struct waiter *waiters;
    uint64_t tried;          /* a bit for each source */
    size_t source;           /* that is asked now */
    bool asking;
    bool conditional;
    uint64_t wake_us;        /* when not asking */
    unsigned retry_after;    /* what a source said */
    char errors[768];
    struct job *next;
};

struct engine {
    struct sources sources;
    struct trust trust;
    struct store *store;
    struct net *net;
    struct job *jobs;
    size_t job_count;
    struct engine_options options;
    unsigned timeout_ms;
    int64_t warn;
    uint64_t tick_us;        /* of the next look at all items */
    int64_t newest[2];       /* evaluation number that was seen, SGX and TDX */
    uint64_t hits, misses, joined, fetches, refused;
};

static int64_t wall(const struct engine *x)
{
    return clock_now() + x->options.clock_offset;
}

static uint32_t dice(void)
{
    uint8_t b[4];

    random_bytes(b, sizeof(b));
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

/* -- open -- */

bool engine_trust(const char *folder, struct arena *a, struct trust *ret, struct err *e)
{
    enum { MAX = 256 };
    const char *const *names;
    struct cert *list = arena_many(a, MAX, struct cert);
    size_t count, n = 0;

    if (list == NULL)
        return err_memory(e, "trust anchors");
    if (!folder_list(folder, a, &names, &count, e))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct bytes file;
        struct cert *certs;
        size_t k;

        if (!file_read(arena_printf(a, "%s/%s", folder, names[i]), 1 << 20, a, &file, e) || !certs_read(file, 16, names[i], a, &certs, &k, e))
            return false;
        for (size_t m = 0; m < k && n < MAX; m++)
            list[n++] = certs[m];
    }
    *ret = (struct trust){ .anchors = list, .count = n };
    return true;
}

static bool open_net(const struct config *c, struct engine *x, struct arena *a, struct err *e)
{
    struct net_settings n = { .proxy = c->value[CONFIG_collateral_proxy], .no_proxy = c->value[CONFIG_collateral_no_proxy],
                              .ca_file = c->value[CONFIG_collateral_ca] };
    int64_t max, timeout;

    if (!config_number(c, CONFIG_collateral_max_size, 4096, 16 << 20, &max, e) || !config_number(c, CONFIG_collateral_timeout, 1, 300, &timeout, e)
        || !config_number(c, CONFIG_collateral_warn, 0, 365 * 86400, &x->warn, e))
        return false;
    n.max_size = (size_t)max;
    x->timeout_ms = (unsigned)timeout * 1000;
    return net_open(&n, a, &x->net, e);
}

bool engine_open(const struct config *c, const struct engine_options *o, struct arena *a, struct engine **ret, struct err *e)
{
    struct engine *x = arena_new(a, struct engine);

    if (x == NULL)
        return err_memory(e, "collateral");
    x->options = *o;
    if (!sources_read(c, a, &x->sources, e) || !open_net(c, x, a, e))
        return false;
    if (c->value[CONFIG_verify_trust][0] != 0 && !engine_trust(c->value[CONFIG_verify_trust], a, &x->trust, e))
        return false;
    x->store = store_new(o->folder, &x->trust);
    if (x->store == NULL)
        return err_memory(e, "collateral");
    sources_load_files(&x->sources);
    store_load(x->store, wall(x));
    *ret = x;
    return true;
}

void engine_close(struct engine *x)
{
    net_close(x->net);
    while (x->jobs != NULL) {
        struct job *j = x->jobs;

        x->jobs = j->next;
        while (j->waiters != NULL) {
            struct waiter *w = j->waiters;

            j->waiters = w->next;
            free(w);
        }
        free(j);
    }
    store_free(x->store);
    for (size_t i = 0; i < x->sources.count; i++)
        arena_done(&x->sources.list[i].own);
}

struct net *engine_net(struct engine *x)
{
    return x->net;
}

/* -- answers -- */

static void answer(const struct engine *x, const struct slot *t, const char *errors, unsigned retry_after, engine_done *done, void *user)
{
    struct engine_answer r = { .errors = errors, .retry_after = retry_after };

    (void)x;
    if (t->content != NULL) {
        r.record = &t->content->record;
        r.from = t->content->v.from;
        r.to = t->content->v.to;
        r.eval_number = t->content->v.eval_number;
    }
    done(user, &r);
}

static bool valid_now(const struct engine *x, const struct slot *t)
{
    return t->content != NULL && wall(x) <= t->content->v.to;
}

static unsigned seconds_until(uint64_t then_us, uint64_t now_us)
{
    uint64_t s = then_us <= now_us ? 1 : (then_us - now_us) / SECOND_US + 1;

    return s > 3600 ? 3600 : (unsigned)s;
}

/* -- jobs -- */

static void note(struct job *j, const char *source, const char *why)
{
    size_t n = strlen(j->errors);

    if (n < sizeof(j->errors) - 1)
        snprintf(j->errors + n, sizeof(j->errors) - n, "%s%s: %.200s", n == 0 ? "" : "; ", source, why);
}

static void end_job(struct job *j, bool found)
{
    struct engine *x = j->engine;
    struct slot *t = j->slot;
    uint64_t now = clock_monotonic_us();
    struct job **at = &x->jobs;
    unsigned retry;

    while (*at != j)
        at = &(*at)->next;
    *at = j->next;
    x->job_count--;
    t->job = NULL;
    if (found) {
        t->failures = 0;
        t->retry_us = 0;
        t->errors[0] = 0;
    } else {
        uint64_t wait = backoff_us(++t->failures, 2 * SECOND_US, (uint64_t)600 * SECOND_US, dice());

        if ((uint64_t)j->retry_after * SECOND_US > wait)
            wait = (uint64_t)j->retry_after * SECOND_US;
        t->retry_us = now + wait;
        snprintf(t->errors, sizeof(t->errors), "%s", j->errors[0] == 0 ? "no source is configured that has such an item" : j->errors);
    }
    retry = found ? 0 : seconds_until(t->retry_us, now);
    while (j->waiters != NULL) {
        struct waiter *w = j->waiters;

        j->waiters = w->next;
        answer(x, t, t->errors, retry, w->done, w->user);
        free(w);
    }
    free(j);
}

static void source_ok(struct engine *x, struct source *s)
{
    s->succeeded++;
    s->success_at = wall(x);
    breaker_success(&s->breaker);
}

/* `healthy`: the source works but has not got this item. */
static void source_bad(struct job *j, struct source *s, bool healthy, const char *why)
{
    struct engine *x = j->engine;

    note(j, s->name, why);
    s->failed++;
    s->failure_at = wall(x);
    snprintf(s->error, sizeof(s->error), "%s: %.180s", j->slot->key, why);
    if (healthy)
        breaker_success(&s->breaker);
    else
        breaker_failure(&s->breaker, j->slot->hash, clock_monotonic_us(), dice());
}

static void next_source(struct job *j);

/* The vendor went over to a later set: what is of an earlier one is over for those who ask for the set of the day. */
static void due_now(void *user, struct slot *t)
{
    const struct slot *of = user;

    if (t->content != NULL && (t->need.form == NEED_TCB_INFO || t->need.form == NEED_IDENTITY) && t->need.eval == of->need.eval
        && t->need.tdx == of->need.tdx && t->content->v.eval_number < of->content->v.eval_number)
        t->content->refresh_at = 0;
}

static void note_set(struct engine *x, struct slot *t)
{
    int64_t *newest = &x->newest[t->need.tdx];

    if (t->need.eval > 0 || t->content->v.eval_number <= *newest)
        return;
    if (*newest != 0)
        store_each(x->store, due_now, t);
    *newest = t->content->v.eval_number;
}

/* An answer that is not kept. What is genuine but old, or of another TCB, chip or platform than was asked for, is no
 * fault of a source: else whoever invents a TCB could have it left alone. */
static void refused(struct job *j, struct source *s, const struct err *e)
{
    static const enum err_code harmless[] = { ERR_COLLATERAL_EXPIRED, ERR_TCB_MISMATCH, ERR_CHIP_ID_MISMATCH, ERR_LIMIT };
    char text[600];
    bool healthy = false;

    for (size_t i = 0; i < COUNT(harmless); i++)
        healthy = healthy || e->code == harmless[i];
    j->engine->refused++;
    snprintf(text, sizeof(text), "%s: %.480s", e->what, e->why);
    source_bad(j, s, healthy, text);
}

/* What a source gave: kept, or the reason why not. true: the job is done. */
static bool take(struct job *j, struct source *s, const struct record *r, enum origin origin)
{
    struct engine *x = j->engine;
    struct err e = { .code = ERR_NONE };
    char text[600];
    bool newer;

    if (store_put(x->store, j->slot, r, origin, wall(x), &newer, &e)) {
        source_ok(x, s);
        note_set(x, j->slot);
        snprintf(text, sizeof(text), "%s from %s, %s", j->slot->key, s->name, newer ? "new" : "as before");
        log_line("info", "collateral", text, "");
        end_job(j, true);
        return true;
    }
    refused(j, s, &e);
    return false;
}

/* An answer of status 200. true: the job is done. */
static bool take_answer(struct job *j, struct source *s, const struct net_answer *n)
{
    struct record r = { .source = bytes_str(s->name), .fetched = wall(j->engine), .etag = n->etag, .modified = n->modified };
    struct err e = { .code = ERR_NONE };
    struct arena a;
    bool done = false;

    arena_init(&a, 4 * n->body.n + 4 * n->chain.n + (1 << 20));
    if (answer_read(s->kind, &j->slot->need, n, &a, &r, &e))
        done = take(j, s, &r, ORIGIN_SOURCE);
    else
        refused(j, s, &e);
    arena_done(&a);
    return done;
}

static void on_answer(void *user, const struct net_answer *a)
{
    struct job *j = user;
    struct engine *x = j->engine;
    struct source *s = &x->sources.list[j->source];
    uint64_t now = clock_monotonic_us();
    char text[200];

    j->asking = false;
    if (!a->came) {
        source_bad(j, s, false, a->error);
    } else if (a->status == 304 && j->conditional && valid_now(x, j->slot)) {
        store_renew(x->store, j->slot, wall(x));
        source_ok(x, s);
        end_job(j, true);
        return;
    } else if (a->status == 200) {
        if (take_answer(j, s, a))
            return;
    } else {
        bool ours = a->status >= 400 && a->status < 500 && a->status != 408 && a->status != 429;

        snprintf(text, sizeof(text), a->retry_after > 0 ? "HTTP %ld, asks again in %u s" : "HTTP %ld%.0u", a->status, a->retry_after);
        source_bad(j, s, ours, text);
        if ((a->status == 429 || a->status == 503) && a->retry_after > 0) {
            breaker_close(&s->breaker, now + (uint64_t)a->retry_after * SECOND_US);
            j->retry_after = a->retry_after > j->retry_after ? a->retry_after : j->retry_after;
        }
    }
    next_source(j);
}

static bool more_sources(const struct job *j)
{
    const struct engine *x = j->engine;

    for (size_t i = 0; i < x->sources.count; i++)
        if ((j->tried & (uint64_t)1 << i) == 0 && !source_is_file(&x->sources.list[i]) && source_serves(&x->sources.list[i], &j->slot->need)
            && source_refuses(&x->sources.list[i], &j->slot->need) == NULL
            && breaker_allows(&x->sources.list[i].breaker, clock_monotonic_us()))
            return true;
    return false;
}

static bool start(struct job *j, size_t which)
{
    struct engine *x = j->engine;
    struct source *s = &x->sources.list[which];
    const struct content *c = j->slot->content;
    struct net_request r = { .metadata = s->kind == SOURCE_THIM || s->kind == SOURCE_THIM_AMD, .done = on_answer, .user = j,
                             .subscription_key = j->slot->need.form == NEED_PCK ? s->subscription_key : NULL };
    struct err e = { .code = ERR_NONE };
    struct arena a;
    bool ok;

    arena_init(&a, 1 << 16);
    r.url = source_url(s, &j->slot->need, &a);
    r.timeout_ms = x->timeout_ms * (more_sources(j) ? 1 : 4);
    j->conditional = valid_now(x, j->slot) && bytes_is(c->record.source, s->name) && c->record.etag.n + c->record.modified.n > 0;
    if (j->conditional) {
        r.etag = c->record.etag;
        r.modified = c->record.modified;
    }
    ok = r.url != NULL && net_start(x->net, &r, &e);
    arena_done(&a);
    if (!ok) {
        note(j, s->name, r.url == NULL ? "has no address for such an item" : e.why);
        return false;
    }
    breaker_begin(&s->breaker, clock_monotonic_us());
    s->asked++;
    x->fetches++;
    j->source = which;
    j->asking = true;
    return true;
}

/* Keys that are few, or whose item is there already: nobody can invent more of them. */
static bool is_known(const struct job *j)
{
    return j->slot->content != NULL
        || (j->slot->need.form != NEED_TCB_INFO && j->slot->need.form != NEED_VCEK && j->slot->need.form != NEED_PCK
            && j->slot->need.eval <= 0);
}

static bool from_file(struct job *j, struct source *s)
{
    struct record r;

    s->asked++;
    if (!source_find(s, &j->slot->need, wall(j->engine), &r)) {
        note(j, s->name, s->error[0] != 0 ? s->error : "has no such item");
        return false;
    }
    return take(j, s, &r, ORIGIN_OPERATOR);
}

/* How long the source cannot be asked; 0: now. */
static uint64_t source_wait(struct job *j, struct source *s, uint64_t now)
{
    uint64_t wait = 0;

    if (!breaker_allows(&s->breaker, now))
        return s->breaker.closed_until_us > now ? s->breaker.closed_until_us - now : SECOND_US / 4;
    return bucket_take(&s->bucket, is_known(j), now, &wait) ? 0 : wait;
}

static void next_source(struct job *j)
{
    struct engine *x = j->engine;
    uint64_t now = clock_monotonic_us(), wake = UINT64_MAX;

    for (size_t i = 0; i < x->sources.count; i++) {
        struct source *s = &x->sources.list[i];
        uint64_t wait;
        const char *why;
        char text[300];

        if ((j->tried & (uint64_t)1 << i) != 0 || !source_serves(s, &j->slot->need))
            continue;
        why = source_refuses(s, &j->slot->need);
        if (why != NULL) {
            j->tried |= (uint64_t)1 << i;
            note(j, s->name, why);
            continue;
        }
        if (source_is_file(s)) {
            j->tried |= (uint64_t)1 << i;
            if (from_file(j, s))
                return;
            continue;
        }
        wait = source_wait(j, s, now);
        if (wait > 0 && wait < PATIENCE_US) {
            wake = now + wait < wake ? now + wait : wake;
            continue;
        }
        j->tried |= (uint64_t)1 << i;
        if (wait == 0) {
            if (start(j, i))
                return;
            continue;
        }
        snprintf(text, sizeof(text), "is left alone for %u s after %.200s", seconds_until(now + wait, now), s->error);
        note(j, s->name, text);
        j->retry_after = j->retry_after == 0 ? seconds_until(now + wait, now) : j->retry_after;
    }
    if (wake == UINT64_MAX)
        end_job(j, false);
    else
        j->wake_us = wake;
}

/* NULL: no memory, or too much is under way. */
static struct job *job_new(struct engine *x, struct slot *t)
{
    struct job *j = x->job_count >= MAX_JOBS ? NULL : calloc(1, sizeof(*j));

    if (j == NULL)
        return NULL;
    *j = (struct job){ .engine = x, .slot = t, .next = x->jobs };
    x->jobs = j;
    x->job_count++;
    t->job = j;
    return j;
}

/* -- questions -- */

static bool wait_for(struct job *j, uint64_t deadline_us, engine_done *done, void *user)
{
    struct waiter *w = calloc(1, sizeof(*w));

    if (w == NULL)
        return false;
    *w = (struct waiter){ .done = done, .user = user, .deadline_us = deadline_us, .next = j->waiters };
    j->waiters = w;
    return true;
}

static void refresh(struct engine *x, struct slot *t)
{
    struct job *j;

    if (t->job == NULL && t->content != NULL && wall(x) >= t->content->refresh_at && clock_monotonic_us() >= t->retry_us
        && (j = job_new(x, t)) != NULL)
        next_source(j);
}

bool engine_ask(struct engine *x, struct bytes key, enum engine_mode mode, uint64_t deadline_us, engine_done *done, void *user, struct err *e)
{
    uint64_t now = clock_monotonic_us();
    struct need_key k;
    struct slot *t;
    bool fresh_job = false;

    if (!need_key_parse(key, &k, e))
        return false;
    t = store_slot(x->store, &k);
    if (t == NULL)
        return err_memory(e, "collateral");
    if (mode == ENGINE_CACHED || (mode == ENGINE_FETCH && valid_now(x, t))) {
        x->hits += t->content != NULL;
        answer(x, t, t->content == NULL ? "is not in the cache" : "", 0, done, user);
        if (x->options.forever)
            refresh(x, t);
        return true;
    }
    x->misses++;
    if (t->job == NULL && now < t->retry_us && mode == ENGINE_FETCH) {
        answer(x, t, t->errors, seconds_until(t->retry_us, now), done, user);
        return true;
    }
    x->joined += t->job != NULL;
    if (t->job == NULL) {
        fresh_job = true;
        if (job_new(x, t) == NULL) {
            answer(x, t, "too many other items are being fetched", 5, done, user);
            return true;
        }
    }
    if (!wait_for(t->job, deadline_us, done, user))
        return err_memory(e, "collateral");
    if (fresh_job)
        next_source(t->job);
    return true;
}

void engine_reload(struct engine *x)
{
    sources_load_files(&x->sources);
    store_load(x->store, wall(x));
}

bool engine_import(struct engine *x, const struct record *r, bool *ret_newer, struct err *e)
{
    struct need_key k;
    struct slot *t;

    if (!need_key_parse(r->key, &k, e))
        return false;
    t = store_slot(x->store, &k);
    if (t == NULL)
        return err_memory(e, "collateral");
    return store_put(x->store, t, r, ORIGIN_OPERATOR, wall(x), ret_newer, e);
}

/* -- time -- */

/* Those who cannot wait longer hear what is known so far; the job goes on for whoever asks next. */
static void answer_late(struct engine *x, struct job *j, uint64_t now)
{
    char text[1024];

    snprintf(text, sizeof(text), "%s%s%s", j->errors, j->errors[0] == 0 ? "" : "; ",
             j->asking ? "" : "waiting until a source may be asked again");
    if (j->asking)
        snprintf(text, sizeof(text), "%s%s%s: no answer yet", j->errors, j->errors[0] == 0 ? "" : "; ", x->sources.list[j->source].name);
    for (struct waiter **at = &j->waiters; *at != NULL;) {
        struct waiter *w = *at;

        if (w->deadline_us > now) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        answer(x, j->slot, text, 2, w->done, w->user);
        free(w);
    }
}

static void warn_of(struct engine *x, struct slot *t)
{
    int64_t now = wall(x), left = t->content->v.to - now;
    char text[400], fields[NEED_KEY_MAX + 64];

    if (left > x->warn || (t->warned_at != 0 && now - t->warned_at < 86400))
        return;
    t->warned_at = now;
    snprintf(text, sizeof(text), left < 0 ? "%.200s ended at %s%.0s%.0s" : "%.200s ends at %s and could not be refreshed%s%.120s", t->key,
             stamp_text(t->content->v.to).s, t->errors[0] == 0 ? "" : ": ", t->errors);
    snprintf(fields, sizeof(fields), "\"alert\":\"collateral-expiry\",\"seconds_left\":%lld", (long long)left);
    log_line("warning", "collateral", text, fields);
}

static void look_at(void *user, struct slot *t)
{
    struct engine *x = user;

    if (t->content == NULL)
        return;
    if (wall(x) > t->content->v.to + KEEP_EXPIRED) {
        store_drop(x->store, t);
        return;
    }
    refresh(x, t);
    if (t->content != NULL)
        warn_of(x, t);
}

static void tick(struct engine *x)
{
    uint64_t now = clock_monotonic_us();

    for (struct job *j = x->jobs, *next; j != NULL; j = next) {
        next = j->next;
        answer_late(x, j, now);
        if (!j->asking && now >= j->wake_us)
            next_source(j);
    }
    if (x->options.forever && now >= x->tick_us) {
        x->tick_us = now + SECOND_US;
        store_each(x->store, look_at, x);
    }
}

static int next_ms(const struct engine *x, int max_ms)
{
    uint64_t now = clock_monotonic_us(), best = now + (uint64_t)max_ms * 1000;

    for (const struct job *j = x->jobs; j != NULL; j = j->next) {
        if (!j->asking && j->wake_us < best)
            best = j->wake_us;
        for (const struct waiter *w = j->waiters; w != NULL; w = w->next)
            best = w->deadline_us < best ? w->deadline_us : best;
    }
    return best <= now ? 0 : (int)((best - now) / 1000 + 1);
}

void engine_run(struct engine *x, struct curl_waitfd *extra, unsigned extra_count, int max_ms)
{
    tick(x);
    net_run(x->net, extra, extra_count, next_ms(x, max_ms));
}

bool engine_busy(const struct engine *x)
{
    return x->jobs != NULL;
}

/* -- telling -- */

struct listing {
    struct arena *a;
    struct engine_item *list;
    size_t count;
};

static void list_one(void *user, struct slot *t)
{
    struct listing *l = user;

    if (t->content != NULL)
        l->list[l->count++] = (struct engine_item){ .record = &t->content->record, .from = t->content->v.from, .to = t->content->v.to,
                                                    .eval_number = t->content->v.eval_number };
}

static int by_key(const void *x, const void *y)
{
    return bytes_compare(((const struct engine_item *)x)->record->key, ((const struct engine_item *)y)->record->key);
}

bool engine_items(struct engine *x, struct arena *a, struct engine_item **ret, size_t *ret_count)
{
    struct listing l = { .a = a, .list = arena_many(a, store_count(x->store) + 1, struct engine_item) };

    if (l.list == NULL)
        return false;
    store_each(x->store, list_one, &l);
    qsort(l.list, l.count, sizeof(*l.list), by_key);
    *ret = l.list;
    *ret_count = l.count;
    return true;
}

static struct bytes source_status(const struct source *s, struct arena *a)
{
    struct jobj o = jobj_open(a);
    uint64_t now = clock_monotonic_us();

    jobj_text(&o, "source", s->name);
    jobj_text(&o, "state", s->breaker.closed_until_us > now ? "closed" : s->breaker.closed_until_us != 0 ? "probing" : "open");
    jobj_int(&o, "asked", (int64_t)s->asked);
    jobj_int(&o, "succeeded", (int64_t)s->succeeded);
    jobj_int(&o, "failed", (int64_t)s->failed);
    if (s->success_at != 0)
        jobj_text(&o, "lastSuccess", stamp_text(s->success_at).s);
    if (s->failure_at != 0) {
        jobj_text(&o, "lastFailure", stamp_text(s->failure_at).s);
        jobj_text(&o, "lastError", s->error);
    }
    return jobj_print(&o, false);
}

struct bytes engine_status(struct engine *x, struct arena *a)
{
    struct jobj o = jobj_open(a);
    struct jarr sources = jarr_open(a), items = jarr_open(a);
    struct engine_item *list;
    size_t count;
    int64_t now = wall(x);

    if (!engine_items(x, a, &list, &count))
        return (struct bytes){ NULL, 0 };
    for (size_t i = 0; i < x->sources.count; i++)
        jarr_raw(&sources, source_status(&x->sources.list[i], a));
    for (size_t i = 0; i < count && i < 1000; i++) {
        struct jobj item = jobj_open(a);

        jobj_str(&item, "key", list[i].record->key);
        jobj_int(&item, "age", now - list[i].record->fetched);
        jobj_int(&item, "expires_in", list[i].to - now);
        jarr_raw(&items, jobj_print(&item, false));
    }
    jobj_int(&o, "items", (int64_t)count);
    jobj_int(&o, "hits", (int64_t)x->hits);
    jobj_int(&o, "misses", (int64_t)x->misses);
    jobj_int(&o, "joined", (int64_t)x->joined);
    jobj_int(&o, "fetches", (int64_t)x->fetches);
    jobj_int(&o, "refused", (int64_t)x->refused);
    jobj_int(&o, "running", (int64_t)x->job_count);
    jobj_json(&o, "sources", jarr_close(&sources));
    jobj_json(&o, "entries", jarr_close(&items));
    return jobj_print(&o, false);
}
