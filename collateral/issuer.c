/* issuer.c: see issuer.h. One fetch an issuer at a time; whoever asks meanwhile waits for the same. */
#include "collateral/issuer.h"

#include "codec/hex.h"
#include "codec/stamp.h"
#include "collateral/bucket.h"
#include "crypto/hash.h"
#include "jose/oidc.h"
#include "os/io.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    SECOND_US = 1000000,
    SHORTEST = 300,             /* seconds that a set is fresh */
    LONGEST = 86400,
    STALE = 86400,              /* seconds beyond, where no newer one can be had */
    LOOK_AGAIN_US = 60 * SECOND_US,
    MAX_BACKOFF_US = 60 * SECOND_US,
};

struct waiter {
    issuer_done *done;
    void *user;
    uint64_t deadline_us;
    struct waiter *next;
};

struct issuer {
    struct issuers *all;
    struct bytes url;
    const char *file;         /* where the set is kept */
    struct arena own;         /* of the set */
    struct bytes keys;        /* its text; empty: none */
    struct jwks set;
    int64_t fetched, to;      /* to: end of its freshness */
    bool running;
    const char *asking;       /* URL that is asked now */
    struct arena fetch;       /* of the fetch that runs */
    uint64_t retry_us;        /* no fetch before: the last one failed */
    uint64_t look_us;         /* no fetch before because of an unknown key */
    unsigned failures;
    char error[512];
    struct waiter *waiters;
};

struct issuers {
    struct issuer list[OIDC_MAX_ISSUERS];
    size_t count;
    struct net *net;
    int64_t clock_offset;
    bool plain_http;
    unsigned timeout_ms;
};

static int64_t wall(const struct issuers *x)
{
    return clock_now() + x->clock_offset;
}

static bool usable(const struct issuer *i)
{
    return i->keys.n > 0 && wall(i->all) <= i->to + STALE;
}

/* -- answers -- */

static unsigned seconds_until(uint64_t then_us, uint64_t now_us)
{
    return then_us <= now_us ? 0 : (unsigned)((then_us - now_us + SECOND_US - 1) / SECOND_US);
}

static void answer(const struct issuer *i, const char *error, issuer_done *done, void *user)
{
    uint64_t now = clock_monotonic_us(), then = i->look_us;
    struct issuer_answer r = { .error = error };

    if (error[0] != 0 && i->retry_us > then)
        then = i->retry_us;
    r.retry_after = seconds_until(then, now);
    if (usable(i)) {
        r.keys = i->keys;
        r.to = i->to + STALE;
    }
    done(user, &r);
}

static void answer_all(struct issuer *i)
{
    while (i->waiters != NULL) {
        struct waiter *w = i->waiters;

        i->waiters = w->next;
        answer(i, i->error, w->done, w->user);
        free(w);
    }
}

static void answer_late(struct issuer *i, uint64_t now)
{
    char text[600];

    snprintf(text, sizeof(text), "%.500s: no answer yet", i->asking == NULL ? "issuer" : i->asking);
    for (struct waiter **at = &i->waiters; *at != NULL;) {
        struct waiter *w = *at;

        if (w->deadline_us > now) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        answer(i, text, w->done, w->user);
        free(w);
    }
}

/* -- the set -- */

/* Takes a set that was read whole; the one before stays where this one is refused. */
static bool set_keys(struct issuer *i, struct bytes text, int64_t fetched, int64_t to, struct err *e)
{
    struct arena fresh;
    struct jwks set;

    arena_init(&fresh, 16 << 20);
    text = arena_copy(&fresh, text);
    if (text.p == NULL || !oidc_keys_read(text, &fresh, &set, e)) {
        arena_done(&fresh);
        return text.p != NULL ? false : err_memory(e, "key set");
    }
    jwks_done(&i->set);
    arena_done(&i->own);
    i->own = fresh;
    i->keys = text;
    i->set = set;
    i->fetched = fetched;
    i->to = to;
    return true;
}

static void keep(const struct issuer *i)
{
    struct arena a;
    struct jobj o;
    struct err e = { .code = ERR_NONE };

    arena_init(&a, 4 << 20);
    o = jobj_open(&a);
    jobj_str(&o, "issuer", i->url);
    jobj_int(&o, "fetched", i->fetched);
    jobj_int(&o, "to", i->to);
    jobj_json(&o, "keys", i->keys);
    if (!file_write(i->file, jobj_print(&o, false), 0600, &e))
        log_error("collateral", &e);
    arena_done(&a);
}

static bool read_kept(struct issuer *i, struct bytes text, struct arena *a, struct err *e)
{
    const struct json *j, *keys;
    struct bytes issuer = { NULL, 0 };
    int64_t fetched, to, now = wall(i->all);

    if (!json_parse(text, JSON_DEPTH, "kept key set", a, &j, e))
        return false;
    keys = json_member(j, "keys");
    if (!json_string(json_member(j, "issuer"), &issuer) || !bytes_equal(issuer, i->url) || keys == NULL
        || !json_int(json_member(j, "fetched"), &fetched) || !json_int(json_member(j, "to"), &to))
        return err_set(e, ERR_UNAVAILABLE, "kept key set", "%s is not that of '%.*s'", i->file, (int)i->url.n, (const char *)i->url.p);
    if (fetched < 0 || fetched > now + SHORTEST || to < fetched || to > fetched + LONGEST || now > to + STALE)
        return err_set(e, ERR_UNAVAILABLE, "kept key set", "%s was fetched at %s and ended at %s: not to be used at %s", i->file,
                       stamp_text(fetched).s, stamp_text(to).s, stamp_text(now).s);
    return set_keys(i, keys->raw, fetched, to, e);
}

static void load_kept(struct issuer *i)
{
    struct arena a;
    struct bytes text;
    struct err e = { .code = ERR_NONE };

    arena_init(&a, 16 << 20);
    if (access(i->file, R_OK) == 0 && (!file_read(i->file, OIDC_MAX_KEYS + 4096, &a, &text, &e) || !read_kept(i, text, &a, &e)))
        log_error("collateral", &e);
    arena_done(&a);
}

/* -- fetching -- */

static uint32_t dice(void)
{
    uint8_t b[2];

    random_bytes(b, sizeof(b));
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16;
}

static void end_fetch(struct issuer *i, const char *why)
{
    char text[900];

    i->running = false;
    if (why == NULL) {
        i->failures = 0;
        i->retry_us = 0;
        i->error[0] = 0;
        snprintf(text, sizeof(text), "%zu keys of issuer %.*s, fresh until %s", i->set.count, (int)i->url.n, (const char *)i->url.p,
                 stamp_text(i->to).s);
        log_line("info", "collateral", text, "");
    } else {
        i->retry_us = clock_monotonic_us() + backoff_us(++i->failures, SECOND_US, MAX_BACKOFF_US, dice());
        snprintf(i->error, sizeof(i->error), "%.300s: %.200s", i->asking, why);
        snprintf(text, sizeof(text), "keys of issuer %.*s: %.500s%s", (int)(i->url.n > 200 ? 200 : i->url.n), (const char *)i->url.p, i->error,
                 usable(i) ? "; the ones before are used" : "");
        log_line("warning", "collateral", text, "\"alert\":\"issuer-keys\"");
    }
    i->asking = NULL;
    arena_done(&i->fetch);
    answer_all(i);
}

static void on_document(void *user, const struct net_answer *a);
static void on_keys(void *user, const struct net_answer *a);

/* false: the fetch has ended, its waiters have their answer. */
static void get(struct issuer *i, const char *url, size_t max, net_done *done)
{
    struct net_request r = { .url = url, .timeout_ms = i->all->timeout_ms, .done = done, .user = i, .https_only = !i->all->plain_http,
                             .no_redirect = true, .max_size = max };
    struct err e = { .code = ERR_NONE };

    i->asking = url == NULL ? "issuer" : url;
    if (url == NULL)
        end_fetch(i, "out of memory");
    else if (!net_start(i->all->net, &r, &e))
        end_fetch(i, e.why);
}

/* NULL: an answer with content. */
static const char *trouble(const struct net_answer *a, char text[40])
{
    if (!a->came)
        return a->error;
    if (a->status == 200)
        return NULL;
    snprintf(text, 40, "HTTP %ld", a->status);
    return text;
}

static const char *refusal(const struct err *e, struct arena *a)
{
    const char *text = arena_printf(a, "%s: %s", e->what, e->why);

    return text == NULL ? e->why : text;
}

static void on_document(void *user, const struct net_answer *a)
{
    struct issuer *i = user;
    char text[40];
    const char *why = trouble(a, text), *url = NULL;
    struct err e = { .code = ERR_NONE };

    if (why == NULL && !oidc_document_read(a->body, i->url, i->all->plain_http, &i->fetch, &url, &e))
        why = refusal(&e, &i->fetch);
    if (why != NULL)
        end_fetch(i, why);
    else
        get(i, url, OIDC_MAX_KEYS, on_keys);
}

static void on_keys(void *user, const struct net_answer *a)
{
    struct issuer *i = user;
    char text[40];
    const char *why = trouble(a, text);
    int64_t now = wall(i->all), life = a->max_age < SHORTEST ? SHORTEST : a->max_age > LONGEST ? LONGEST : (int64_t)a->max_age;
    struct err e = { .code = ERR_NONE };

    if (why == NULL && !set_keys(i, a->body, now, now + life, &e))
        why = refusal(&e, &i->fetch);
    if (why == NULL)
        keep(i);
    end_fetch(i, why);
}

/* May end, and answer, before it returns. */
static void start(struct issuer *i)
{
    i->running = true;
    arena_init(&i->fetch, 4 << 20);
    get(i, oidc_document_url(i->url, &i->fetch), OIDC_MAX_DOCUMENT, on_document);
}

/* -- questions -- */

static bool wait_for(struct issuer *i, uint64_t deadline_us, issuer_done *done, void *user)
{
    struct waiter *w = calloc(1, sizeof(*w));

    if (w == NULL)
        return false;
    *w = (struct waiter){ .done = done, .user = user, .deadline_us = deadline_us, .next = i->waiters };
    i->waiters = w;
    return true;
}

/* What is there serves, stale or not, unless it is a key that we have not got: then a newer set is worth waiting for. */
void issuers_ask(struct issuers *x, struct bytes issuer, struct bytes kid, uint64_t deadline_us, issuer_done *done, void *user)
{
    uint64_t now = clock_monotonic_us();
    struct issuer *i = NULL;
    bool there, due;

    for (size_t k = 0; k < x->count; k++)
        if (bytes_equal(x->list[k].url, issuer))
            i = &x->list[k];
    if (i == NULL) {
        done(user, &(struct issuer_answer){ .error = "is not configured (auth.issuer)" });
        return;
    }
    there = usable(i);
    due = now >= i->retry_us && (!there || now >= i->look_us);
    if ((there && (kid.n == 0 || jwks_find(&i->set, kid) != NULL)) || (!i->running && !due)) {
        answer(i, i->error, done, user);
        return;
    }
    if (!wait_for(i, deadline_us, done, user)) {
        answer(i, "out of memory", done, user);
        return;
    }
    if (i->running)
        return;
    if (there)
        i->look_us = now + LOOK_AGAIN_US;
    start(i);
}

/* -- time -- */

/* Four fifths of the freshness are over, or there is none. */
static bool wants_refresh(const struct issuer *i)
{
    return i->keys.n == 0 || wall(i->all) >= i->to - (i->to - i->fetched) / 5;
}

int issuers_tick(struct issuers *x, int max_ms)
{
    uint64_t now = clock_monotonic_us(), best = now + (uint64_t)max_ms * 1000;

    for (size_t k = 0; k < x->count; k++) {
        struct issuer *i = &x->list[k];

        answer_late(i, now);
        if (!i->running && now >= i->retry_us && wants_refresh(i))
            start(i);
        for (const struct waiter *w = i->waiters; w != NULL; w = w->next)
            best = w->deadline_us < best ? w->deadline_us : best;
        if (!i->running && i->retry_us > now && i->retry_us < best)
            best = i->retry_us;
    }
    return best <= now ? 0 : (int)((best - now) / 1000 + 1);
}

/* -- open -- */

static bool open_one(struct issuers *x, struct bytes url, const char *folder, struct arena *a, struct err *e)
{
    struct issuer *i = &x->list[x->count++];
    struct digest d = sha256(url);

    i->all = x;
    i->url = url;
    i->file = arena_printf(a, "%s/%.16s.json", folder, (const char *)hex_encode(a, digest_bytes(&d)).p);
    if (i->file == NULL)
        return err_memory(e, "issuer");
    load_kept(i);
    return true;
}

bool issuers_open(const struct config *c, const char *folder, int64_t clock_offset, struct net *net, struct arena *a, struct issuers **ret,
                  struct err *e)
{
    struct issuers *x = arena_new(a, struct issuers);
    struct bytes urls[OIDC_MAX_ISSUERS];
    size_t count = 0;
    int64_t timeout;

    if (x == NULL)
        return err_memory(e, "issuers");
    x->net = net;
    x->clock_offset = clock_offset;
    x->plain_http = c->dev;
    *ret = x;
    if (c->value[CONFIG_auth_issuer][0] == 0 || c->value[CONFIG_auth_jwks][0] != 0)
        return true;
    if (!config_number(c, CONFIG_collateral_timeout, 1, 300, &timeout, e)
        || !oidc_issuers_read(bytes_str(c->value[CONFIG_auth_issuer]), c->dev, urls, &count, e) || !folder_make(folder, 0700, e))
        return false;
    x->timeout_ms = (unsigned)timeout * 1000;
    for (size_t k = 0; k < count; k++)
        if (!open_one(x, urls[k], folder, a, e))
            return false;
    return true;
}

void issuers_close(struct issuers *x)
{
    for (size_t k = 0; k < x->count; k++) {
        struct issuer *i = &x->list[k];

        while (i->waiters != NULL) {
            struct waiter *w = i->waiters;

            i->waiters = w->next;
            free(w);
        }
        jwks_done(&i->set);
        arena_done(&i->own);
        if (i->running)
            arena_done(&i->fetch);
    }
}
