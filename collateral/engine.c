/* engine.c: see engine.h. Opening and closing, questions, the turn of the loop. */
#include "collateral/engine_priv.h"

#include "codec/stamp.h"
#include "os/io.h"

#include <stdio.h>

int64_t engine_wall(const struct engine *x)
{
    return clock_now() + x->options.clock_offset;
}

uint32_t engine_dice(void)
{
    uint8_t b[4];

    random_bytes(b, sizeof(b));
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

/* -- open -- */

bool engine_trust(const char *folder, struct arena *a, struct trust *ret, struct err *e)
{
    const struct named_bytes *files;
    size_t count;

    return folder_read(folder, TRUST_MAX_FILE, a, &files, &count, e) && trust_add(ret, files, count, a, e);
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
    store_load(x->store, o->forever, engine_wall(x));
    *ret = x;
    return true;
}

void engine_close(struct engine *x)
{
    net_close(x->net);
    jobs_drop(x);
    store_free(x->store);
    for (size_t i = 0; i < x->sources.count; i++)
        arena_done(&x->sources.list[i].own);
}

struct net *engine_net(struct engine *x)
{
    return x->net;
}

/* -- answers -- */

void engine_reply(const struct slot *t, const char *errors, enum err_code code, unsigned retry_after, engine_done *done, void *user)
{
    struct engine_answer r = { .errors = errors, .code = code, .retry_after = retry_after };

    if (t->content != NULL) {
        r.record = &t->content->record;
        r.from = t->content->v.from;
        r.to = t->content->v.to;
        r.eval_number = t->content->v.eval_number;
    }
    done(user, &r);
}

bool engine_valid(const struct engine *x, const struct slot *t)
{
    return t->content != NULL && engine_wall(x) <= t->content->v.to;
}

unsigned engine_seconds(uint64_t then_us, uint64_t now_us)
{
    uint64_t s = then_us <= now_us ? 1 : (then_us - now_us) / SECOND_US + 1;

    return s > 3600 ? 3600 : (unsigned)s;
}

/* -- questions -- */

/* Answered from what is there: valid, and as new as it is wanted, or as new as it can be had. */
static bool answer_from_cache(struct engine *x, struct slot *t, int64_t newer, engine_done *done, void *user)
{
    uint64_t now = clock_monotonic_us();
    char text[120];

    if (!engine_valid(x, t) || (t->content->v.from < newer && now >= t->recheck_us))
        return false;
    x->hits++;
    if (t->content->v.from >= newer) {
        engine_reply(t, "", ERR_NONE, 0, done, user);
        return true;
    }
    snprintf(text, sizeof(text), "the newest that the sources had is that of %s", stamp_text(t->content->v.from).s);
    engine_reply(t, text, ERR_COLLATERAL_MISSING, engine_seconds(t->recheck_us, now), done, user);
    return true;
}

static bool ask(struct engine *x, struct bytes key, enum engine_mode mode, int64_t newer, uint64_t deadline_us, engine_done *done, void *user,
                struct err *e)
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
    if (mode == ENGINE_CACHED) {
        x->hits += t->content != NULL;
        engine_reply(t, t->content == NULL ? "is not in the cache" : "", ERR_COLLATERAL_MISSING, 0, done, user);
    }
    if (mode == ENGINE_CACHED || (mode == ENGINE_FETCH && answer_from_cache(x, t, newer, done, user))) {
        if (x->options.forever)
            upkeep_refresh(x, t);
        return true;
    }
    x->misses++;
    if (t->job == NULL && now < t->retry_us && mode == ENGINE_FETCH) {
        engine_reply(t, t->errors, t->code, engine_seconds(t->retry_us, now), done, user);
        return true;
    }
    x->joined += t->job != NULL;
    if (t->job == NULL) {
        fresh_job = true;
        if (job_new(x, t) == NULL) {
            engine_reply(t, "too many other items are being fetched", ERR_COLLATERAL_MISSING, 5, done, user);
            return true;
        }
    }
    if (!job_wait(t->job, newer, deadline_us, done, user))
        return err_memory(e, "collateral");
    if (fresh_job)
        job_next(t->job);
    return true;
}

bool engine_ask(struct engine *x, struct bytes key, enum engine_mode mode, uint64_t deadline_us, engine_done *done, void *user, struct err *e)
{
    return ask(x, key, mode, INT64_MIN, deadline_us, done, user, e);
}

bool engine_ask_newer(struct engine *x, struct bytes key, int64_t issued, uint64_t deadline_us, engine_done *done, void *user, struct err *e)
{
    return ask(x, key, ENGINE_FETCH, issued, deadline_us, done, user, e);
}

void engine_reload(struct engine *x)
{
    sources_load_files(&x->sources);
    store_load(x->store, false, engine_wall(x)); /* tools may be writing */
}

bool engine_import(struct engine *x, const struct record *r, bool complete, bool *ret_newer, struct err *e)
{
    struct need_key k;
    struct slot *t;

    if (!need_key_parse(r->key, &k, e))
        return false;
    t = store_slot(x->store, &k);
    if (t == NULL)
        return err_memory(e, "collateral");
    return store_put(x->store, t, r, complete ? ORIGIN_SOURCE : ORIGIN_OPERATOR, engine_wall(x), ret_newer, e);
}

/* -- the loop -- */

static int next_ms(const struct engine *x, int max_ms)
{
    uint64_t now = clock_monotonic_us(), best = jobs_wake_us(x, now + (uint64_t)max_ms * 1000);

    return best <= now ? 0 : (int)((best - now) / 1000 + 1);
}

void engine_run(struct engine *x, struct curl_waitfd *extra, unsigned extra_count, int max_ms)
{
    jobs_tick(x);
    upkeep_tick(x);
    /* a tool whose last job has just ended has nothing to wait for */
    net_run(x->net, extra, extra_count, x->jobs == NULL && !x->options.forever ? 0 : next_ms(x, max_ms));
}

bool engine_busy(const struct engine *x)
{
    return x->jobs != NULL;
}
