/* issuer.c: the keys of the issuers of bearer tokens, asked of the collateral process, which alone reaches them.
 *
 * A request whose key is not there is suspended and routed again when the answer comes, once, and not beyond its
 * deadline. One question an issuer is under way, however many requests wait: a flood of unknown keys is one
 * question here and one look at the issuer a minute there. */
#include "front/link.h"

#include "crypto/hash.h"
#include "jose/oidc.h"
#include "os/io.h"

#include <stdio.h>

#define RECHECK_US (20 * LINK_SECOND_US)

struct known_issuer {
    struct bytes url;
    struct arena own;     /* of the set */
    struct digest digest; /* of its text */
    struct jwks keys;     /* count 0: none was given yet */
    int64_t to;           /* the set may not be used any more */
    char error[512];      /* of the last attempt to get it; "" */
    uint64_t asked_us, retry_us;
    uint64_t id;          /* of the question under way; 0: none */
    bool anew;            /* which is about a key that we have not got */
};

struct issuer_wait {
    struct request *rq;
    struct known_issuer *issuer;
    struct bytes kid;
    uint64_t deadline_us;
    struct issuer_wait *next;
};

struct issuer_link {
    struct link link;
    uint64_t last_id;
    struct known_issuer list[OIDC_MAX_ISSUERS];
    size_t count;
    struct issuer_wait *waits;
};

bool issuer_open(struct front *f, struct err *e)
{
    const char *text = f->config.value[CONFIG_auth_issuer];
    struct bytes urls[OIDC_MAX_ISSUERS];
    struct issuer_link *l;

    if (text[0] == 0 || f->config.value[CONFIG_auth_jwks][0] != 0)
        return true;
    l = arena_new(&f->own, struct issuer_link);
    if (l == NULL)
        return err_memory(e, "issuer link");
    if (!link_open(&l->link, f, "issuer link", e) || !oidc_issuers_read(bytes_str(text), f->config.dev, urls, &l->count, e))
        return false;
    for (size_t i = 0; i < l->count; i++)
        l->list[i].url = urls[i];
    f->issuers = l;
    return true;
}

const char *issuer_first(struct request *rq)
{
    const struct issuer_link *l = rq->front->issuers;

    return l == NULL || l->count == 0 ? rq->front->config.value[CONFIG_auth_issuer] : arena_str(&rq->a, l->list[0].url);
}

/* -- the link -- */

/* Asked again when the process is back and somebody still waits. */
static void forget_questions(struct issuer_link *l)
{
    for (size_t i = 0; i < l->count; i++)
        l->list[i].id = 0;
}

/* `kid` empty: the set as it is. A question about a missing key follows one that is not; the latest answer counts. */
static void ask(struct issuer_link *l, struct known_issuer *i, struct bytes kid)
{
    struct arena a;
    struct out frame;

    if ((i->id != 0 && (kid.n == 0 || i->anew)) || !link_connected(&l->link))
        return;
    arena_init(&a, 1 << 17);
    i->id = ++l->last_id;
    i->anew = kid.n > 0;
    i->asked_us = clock_monotonic_us();
    frame = wire_begin(&a, MSG_ISSUER_KEYS, i->id);
    wire_put(&frame, TAG_ISSUER, i->url);
    wire_put_u32(&frame, TAG_WAIT, (uint32_t)l->link.wait_s * 1000);
    if (kid.n > 0)
        wire_put(&frame, TAG_KID, kid);
    if (!channel_send(&l->link.c, wire_end(&frame))) {
        link_lost(&l->link);
        forget_questions(l);
    }
    arena_done(&a);
}

/* -- answers -- */

/* Another set replaces ours, and what was validated with the old one is validated anew: its key may be gone. */
static void take_keys(struct front *f, struct known_issuer *i, struct bytes text)
{
    struct digest d = sha256(text);
    struct err e = { .code = ERR_NONE };
    struct arena fresh;
    struct jwks set;

    if (i->keys.count > 0 && bytes_equal(digest_bytes(&d), digest_bytes(&i->digest)))
        return;
    arena_init(&fresh, 16 << 20);
    text = arena_copy(&fresh, text);
    if (text.p == NULL || !oidc_keys_read(text, &fresh, &set, &e)) {
        snprintf(i->error, sizeof(i->error), "%.60s: %.400s", e.what, e.why);
        arena_done(&fresh);
        return;
    }
    jwks_done(&i->keys);
    arena_done(&i->own);
    i->own = fresh;
    i->keys = set;
    i->digest = d;
    auth_forget_tokens(f);
}

static void again(struct request *rq)
{
    rq->awaits_keys = false;
    route(rq);
    if (rq->replied)
        http_resume(rq);
}

/* Whoever waits for this issuer goes on, except for those whose missing key the answer was not about. */
static void wake(struct front *f, const struct known_issuer *i, bool anew)
{
    struct issuer_wait **at = &f->issuers->waits, *ready = NULL;

    while (*at != NULL) {
        struct issuer_wait *w = *at;

        if (w->issuer != i || (!anew && i->keys.count > 0 && w->kid.n > 0 && jwks_find(&i->keys, w->kid) == NULL)) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        w->next = ready;
        ready = w;
    }
    while (ready != NULL) {
        struct issuer_wait *w = ready;

        ready = w->next;
        again(w->rq);
    }
}

static void on_frame(struct front *f, const struct wire_header *h, struct bytes payload)
{
    struct known_issuer *i = NULL;
    struct wire_fields fields;
    struct bytes body, to;
    struct err e = { .code = ERR_NONE };
    struct arena a;

    for (size_t k = 0; k < f->issuers->count; k++)
        if (f->issuers->list[k].id == h->id)
            i = &f->issuers->list[k];
    if (i == NULL)
        return; /* a later question was asked */
    arena_init(&a, 1 << 20);
    if (wire_fields_parse(payload, &a, &fields, NULL)) {
        i->id = 0;
        i->error[0] = 0;
        if (wire_error(&fields, &e))
            snprintf(i->error, sizeof(i->error), "%.511s", e.why);
        if (wire_find(&fields, TAG_BODY, &body) && wire_find(&fields, TAG_EXPIRES, &to)) {
            i->to = wire_i64(&fields, TAG_EXPIRES, 0);
            take_keys(f, i, body);
        }
        i->retry_us = clock_monotonic_us() + (uint64_t)wire_u32(&fields, TAG_RETRY, 0) * LINK_SECOND_US;
        wake(f, i, i->anew);
    }
    arena_done(&a);
}

/* -- requests -- */

static const struct jwk *undecided(struct request *rq, const struct known_issuer *i, struct err *e)
{
    uint64_t now = clock_monotonic_us();
    const char *why = i->id != 0 || i->error[0] == 0 ? "the process that fetches them has not answered in time" : i->error;

    rq->retry_after = i->retry_us > now ? (unsigned)((i->retry_us - now) / LINK_SECOND_US + 1) : 5;
    (void)err_set(e, ERR_UNAVAILABLE, "keys of the issuer", "those of '%.*s' cannot be had: %s", (int)(i->url.n > 200 ? 200 : i->url.n),
                  (const char *)i->url.p, why);
    return NULL;
}

static bool await(struct request *rq, struct known_issuer *i, struct bytes kid, struct err *e)
{
    struct issuer_link *l = rq->front->issuers;
    struct issuer_wait *w = arena_new(&rq->a, struct issuer_wait);

    if (w == NULL)
        return err_memory(e, "bearer token");
    *w = (struct issuer_wait){ .rq = rq, .issuer = i, .kid = kid, .deadline_us = clock_monotonic_us() + ((uint64_t)l->link.wait_s + 1) * LINK_SECOND_US,
                               .next = l->waits };
    l->waits = w;
    rq->keys_awaited = rq->awaits_keys = true;
    ask(l, i, kid);
    return true;
}

static struct known_issuer *find(struct issuer_link *l, struct bytes url, struct err *e)
{
    for (size_t k = 0; k < l->count; k++)
        if (bytes_equal(l->list[k].url, url))
            return &l->list[k];
    (void)err_set(e, ERR_UNAUTHORIZED, "bearer token", "issuer is '%.*s', '%.*s'%s is configured", (int)(url.n > 100 ? 100 : url.n),
                  (const char *)url.p, (int)(l->list[0].url.n > 100 ? 100 : l->list[0].url.n), (const char *)l->list[0].url.p,
                  l->count > 1 ? " (and others)" : "");
    return NULL;
}

const struct jwk *issuer_key(struct request *rq, struct bytes issuer, struct bytes kid, struct err *e)
{
    struct issuer_link *l = rq->front->issuers;
    struct known_issuer *i = find(l, issuer, e);
    uint64_t now = clock_monotonic_us();
    const struct jwk *key = NULL;
    bool there;

    if (i == NULL)
        return NULL;
    there = i->keys.count > 0 && front_now(rq->front) <= i->to;
    if (there)
        key = jwks_find(&i->keys, kid);
    if (key != NULL) {
        if (now - i->asked_us > RECHECK_US)
            ask(l, i, (struct bytes){ NULL, 0 }); /* nobody waits for that */
        return key;
    }
    if (!rq->keys_awaited && now >= i->retry_us && (kid.n > 0 || !there)) {
        (void)await(rq, i, kid, e);
        return NULL;
    }
    if (!there || (kid.n > 0 && (i->error[0] != 0 || (i->id != 0 && i->anew))))
        return undecided(rq, i, e);
    (void)err_set(e, ERR_UNAUTHORIZED, "bearer token", "its key '%.*s' is not one of the issuer's", (int)(kid.n > 60 ? 60 : kid.n),
                  (const char *)kid.p);
    return NULL;
}

/* -- the loop -- */

struct pollfd issuer_link_poll(const struct front *f)
{
    return f->issuers == NULL ? (struct pollfd){ .fd = -1 } : link_poll(&f->issuers->link);
}

void issuer_link_serve(struct front *f, const struct pollfd *p)
{
    if (f->issuers != NULL && !link_serve(f, &f->issuers->link, p, on_frame))
        forget_questions(f->issuers);
}

void issuer_link_expire(struct front *f, uint64_t now_us)
{
    struct issuer_wait **at = f->issuers == NULL ? NULL : &f->issuers->waits, *late = NULL;

    while (at != NULL && *at != NULL) {
        struct issuer_wait *w = *at;

        if (now_us < w->deadline_us) {
            ask(f->issuers, w->issuer, w->kid); /* again, after the process was lost */
            at = &w->next;
            continue;
        }
        *at = w->next;
        w->next = late;
        late = w;
    }
    while (late != NULL) {
        struct issuer_wait *w = late;

        late = w->next;
        again(w->rq);
    }
}

int issuer_link_timeout_ms(const struct front *f, uint64_t now_us)
{
    uint64_t best = UINT64_MAX;

    for (const struct issuer_wait *w = f->issuers == NULL ? NULL : f->issuers->waits; w != NULL; w = w->next)
        best = w->deadline_us < best ? w->deadline_us : best;
    return f->issuers == NULL ? -1 : link_timeout_ms(&f->issuers->link, best, now_us);
}
