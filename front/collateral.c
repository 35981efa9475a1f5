/* collateral.c: what the evidence needs: from the folder, from what the collateral process gave before, or
 * asked of it while the request is suspended.
 *
 * A request waits for its own keys only, and not beyond its deadline: then it gets 503 with what its sources
 * said. One question a key is under way, however many requests wait for it. Whatever comes is only carried
 * to the core, which verifies it. */
#include "front/collateral_priv.h"

#include "os/io.h"

#define RECHECK_US (20 * LINK_SECOND_US) /* what is there is asked for again so often; nobody waits for that */

static void decide(struct front *f, struct collateral_wait *w);

void collateral_wake(struct front *f, struct entry *x)
{
    struct collateral_wait **at = &f->collateral_link->waits;

    while (*at != NULL) {
        struct collateral_wait *w = *at;
        size_t open = 0;

        for (size_t i = 0; i < w->count; i++) {
            if (w->open[i] == x) {
                w->open[i] = NULL;
                x->waits--;
            }
            open += w->open[i] != NULL;
        }
        if (open > 0) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        decide(f, w);
    }
}

static void refuse_missing(struct request *rq, const struct entry *x, const char *key)
{
    struct err e = x == NULL ? (struct err){ .code = ERR_NONE } : x->error;
    uint64_t now = clock_monotonic_us();
    struct need_key k;

    if (e.code == ERR_NONE && need_key_parse(bytes_str(key), &k, &e))
        (void)err_set(&e, ERR_COLLATERAL_MISSING, "collateral", "no %s: the process that fetches it has not answered in %lld s",
                      need_key_text(&k, &rq->a), (long long)rq->front->collateral_link->link.wait_s);
    rq->retry_after = x != NULL && x->retry_us > now ? (unsigned)((x->retry_us - now) / LINK_SECOND_US + 1) : 5;
    reply_error(rq, &e);
}

bool collateral_lacks(const struct front *f, const struct needs *n)
{
    for (size_t i = 0; i < n->count; i++) {
        const struct entry *x = entry_find(f->collateral_link, n->list[i].key);
        struct need_key k;

        if ((x == NULL || !entry_valid(f, x))
            && (!need_key_parse(bytes_str(n->list[i].key), &k, NULL) || !folder_has(f, &k, front_now(f))))
            return true;
    }
    return false;
}

/* The entry to wait for, or NULL. */
static struct entry *look_for(struct front *f, const struct need *n, enum collateral_use use)
{
    struct collateral_link *l = f->collateral_link;
    uint64_t now = clock_monotonic_us();
    struct need_key k;
    struct entry *x;

    if (!need_key_parse(bytes_str(n->key), &k, NULL) || (use == COLLATERAL_VERIFY && folder_has(f, &k, front_now(f))))
        return NULL;
    x = entry_make(l, n->key);
    if (x == NULL)
        return NULL;
    if (entry_valid(f, x)) {
        if (now - x->asked_us > RECHECK_US)
            entry_ask(l, x, use == COLLATERAL_MIRROR);
        return NULL;
    }
    if (!x->asked && now < x->retry_us)
        return NULL; /* its sources failed just now */
    entry_ask(l, x, use == COLLATERAL_MIRROR);
    return x; /* of optional ones too: where evidence does not say which it needs, each may be the one */
}

/* Looks for the needs from `first` on; true: there is something to wait for. */
bool collateral_wait_for(struct front *f, struct collateral_wait *w, size_t first)
{
    bool any = false;

    for (size_t i = first; i < w->needs->count; i++) {
        w->open[i] = look_for(f, &w->needs->list[i], w->use);
        if (w->open[i] != NULL) {
            w->open[i]->waits++;
            any = true;
        }
    }
    w->count = w->needs->count;
    if (any) {
        w->next = f->collateral_link->waits;
        f->collateral_link->waits = w;
    }
    return any;
}

/* All that can be there is there: on to the core, or 503. An item that is over goes to the core as well, which
 * says when it ended and knows of the grace. */
static void decide(struct front *f, struct collateral_wait *w)
{
    struct request *rq = w->rq;

    for (size_t i = 0; i < w->count; i++)
        if (w->open[i] != NULL)
            w->open[i]->waits--;
    if (clock_monotonic_us() < w->deadline_us && collateral_pair_up(f, w))
        return;
    for (size_t i = 0; w->use == COLLATERAL_VERIFY && i < w->needs->count && !rq->replied; i++) {
        const struct need *n = &w->needs->list[i];
        const struct entry *x = entry_find(f->collateral_link, n->key);
        struct need_key k;

        if (n->optional || (x != NULL && x->count > 0) || !need_key_parse(bytes_str(n->key), &k, NULL))
            continue;
        if (!folder_had(f, &k))
            refuse_missing(rq, x, n->key);
    }
    if (!rq->replied)
        w->then(rq);
    if (rq->replied)
        http_resume(rq);
}

void collateral_await(struct request *rq, struct needs *needs, enum collateral_use use, void (*then)(struct request *rq))
{
    struct front *f = rq->front;
    struct collateral_wait *w = arena_new(&rq->a, struct collateral_wait);
    struct err e = { .code = ERR_NONE };

    if (w == NULL || needs->count > MAX_NEEDS) {
        (void)err_memory(&e, "collateral");
        reply_error(rq, &e);
        return;
    }
    *w = (struct collateral_wait){ .rq = rq, .then = then, .use = use, .needs = needs,
                                   .deadline_us = clock_monotonic_us() + ((uint64_t)f->collateral_link->link.wait_s + 1) * LINK_SECOND_US };
    if (!collateral_wait_for(f, w, 0))
        decide(f, w);
}

const char *collateral_errors(struct request *rq, const struct needs *n)
{
    struct out o = out_open(&rq->a);

    for (size_t i = 0; i < n->count; i++) {
        const struct entry *x = entry_find(rq->front->collateral_link, n->list[i].key);

        if (x != NULL && x->error.code != ERR_NONE && o.n == 0)
            out_text(&o, x->error.why);
    }
    return o.n == 0 ? "" : (const char *)out_view(&o).p;
}

/* -- the loop -- */

void collateral_link_expire(struct front *f, uint64_t now_us)
{
    struct collateral_wait **at = &f->collateral_link->waits;

    while (*at != NULL) {
        struct collateral_wait *w = *at;

        if (now_us < w->deadline_us) {
            for (size_t i = 0; i < w->count; i++)
                if (w->open[i] != NULL)
                    entry_ask(f->collateral_link, w->open[i], w->use == COLLATERAL_MIRROR); /* again, after the process was lost */
            at = &w->next;
            continue;
        }
        *at = w->next;
        decide(f, w);
    }
}

int collateral_link_timeout_ms(const struct front *f, uint64_t now_us)
{
    const struct collateral_link *l = f->collateral_link;
    uint64_t best = UINT64_MAX;

    for (const struct collateral_wait *w = l->waits; w != NULL; w = w->next)
        best = w->deadline_us < best ? w->deadline_us : best;
    return link_timeout_ms(&l->link, best, now_us);
}
