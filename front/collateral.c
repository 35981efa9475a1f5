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

/* Root CRLs and what AMD issues are a year old by nature: their age never counts (verify.collateral_max_age). */
int64_t collateral_oldest(const struct front *f, const struct need_key *k, const struct settings *s)
{
    if (s->collateral_max_age == 0 || (k->form != NEED_TCB_INFO && k->form != NEED_IDENTITY && k->form != NEED_PCK_CRL))
        return ANY_DATE;
    return front_now(f) - s->collateral_max_age;
}

/* Whether the entry is what this request needs, by now. */
static bool entry_serves(const struct front *f, const struct entry *x, const struct settings *s)
{
    struct need_key k;

    return entry_valid(f, x) && need_key_parse(bytes_str(x->key), &k, NULL) && x->from >= collateral_oldest(f, &k, s);
}

void collateral_wake(struct front *f, struct entry *x, bool any, bool newer)
{
    struct collateral_wait **at = &f->collateral_link->waits;

    while (*at != NULL) {
        struct collateral_wait *w = *at;
        size_t open = 0;

        for (size_t i = 0; i < w->count; i++) {
            if (w->open[i] == x && ((w->newer[i] ? newer : any) || entry_serves(f, x, w->settings))) {
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

static void not_answered(struct request *rq, const struct need_key *k, struct err *ret)
{
    (void)err_set(ret, ERR_COLLATERAL_MISSING, "collateral", "no %s: the process that fetches it has not answered in %lld s",
                  need_key_text(k, &rq->a), (long long)rq->front->collateral_link->link.wait_s);
}

static void refuse_missing(struct request *rq, const struct entry *x, bool newer, const char *key)
{
    const struct question *q = x == NULL ? NULL : newer ? &x->newer : &x->any;
    struct err e = q == NULL ? (struct err){ .code = ERR_NONE } : q->error;
    uint64_t now = clock_monotonic_us();
    struct need_key k;

    if (e.code == ERR_NONE && need_key_parse(bytes_str(key), &k, &e))
        not_answered(rq, &k, &e);
    if (!err_is_undecided(e.code)) /* whatever a source knows of its items: evidence that nobody judged is not refused */
        e.code = ERR_COLLATERAL_MISSING;
    rq->retry_after = q != NULL && q->retry_us > now ? (unsigned)((q->retry_us - now) / LINK_SECOND_US + 1) : 5;
    reply_error(rq, &e);
}

bool collateral_lacks(const struct front *f, const struct needs *n, const struct settings *s)
{
    for (size_t i = 0; i < n->count; i++) {
        const struct entry *x = entry_find(f->collateral_link, n->list[i].key);
        struct need_key k;

        if ((x == NULL || !entry_serves(f, x, s))
            && (!need_key_parse(bytes_str(n->list[i].key), &k, NULL) || !folder_has(f, &k, collateral_oldest(f, &k, s))))
            return true;
    }
    return false;
}

/* Up to a minute: one question serves whoever asks within it. */
static int64_t rounded(int64_t t)
{
    return t == ANY_DATE ? t : (t + 59) / 60 * 60;
}

/* The entry to wait for, or NULL. */
static struct entry *look_for(struct front *f, const struct collateral_wait *w, const struct need *n, bool *ret_newer)
{
    struct collateral_link *l = f->collateral_link;
    uint64_t now = clock_monotonic_us();
    struct need_key k;
    struct entry *x;
    const struct question *q;
    int64_t oldest;

    if (!need_key_parse(bytes_str(n->key), &k, NULL))
        return NULL;
    oldest = collateral_oldest(f, &k, w->settings);
    if (w->use == COLLATERAL_VERIFY && folder_has(f, &k, oldest))
        return NULL;
    x = entry_make(l, n->key);
    if (x == NULL)
        return NULL;
    if (entry_serves(f, x, w->settings)) {
        if (now - x->asked_us > RECHECK_US)
            entry_ask(l, x, w->use == COLLATERAL_MIRROR, ANY_DATE);
        return NULL;
    }
    *ret_newer = oldest != ANY_DATE;
    q = *ret_newer ? &x->newer : &x->any;
    if (!q->asked && now < q->retry_us)
        return NULL; /* its sources failed just now, or have nothing newer */
    entry_ask(l, x, w->use == COLLATERAL_MIRROR, rounded(oldest));
    return x; /* of optional ones too: where evidence does not say which it needs, each may be the one */
}

/* Looks for the needs from `first` on; true: there is something to wait for. */
bool collateral_wait_for(struct front *f, struct collateral_wait *w, size_t first)
{
    bool any = false;

    for (size_t i = first; i < w->needs->count; i++) {
        w->open[i] = look_for(f, w, &w->needs->list[i], &w->newer[i]);
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
    if (clock_monotonic_us() < w->deadline_us && collateral_complete(f, w))
        return;
    for (size_t i = 0; w->use == COLLATERAL_VERIFY && i < w->needs->count && !rq->replied; i++) {
        const struct need *n = &w->needs->list[i];
        const struct entry *x = entry_find(f->collateral_link, n->key);
        struct need_key k;

        if (n->optional || (x != NULL && x->count > 0) || !need_key_parse(bytes_str(n->key), &k, NULL))
            continue;
        if (!folder_had(f, &k))
            refuse_missing(rq, x, w->newer[i], n->key);
    }
    if (!rq->replied)
        w->then(rq);
    if (rq->replied)
        http_resume(rq);
}

static void await(struct request *rq, struct needs *needs, enum collateral_use use, const struct settings *s, void (*then)(struct request *rq))
{
    struct front *f = rq->front;
    struct collateral_wait *w = arena_new(&rq->a, struct collateral_wait);
    struct err e = { .code = ERR_NONE };

    if (w == NULL || needs->count > MAX_NEEDS) {
        (void)err_memory(&e, "collateral");
        reply_error(rq, &e);
        return;
    }
    if (rq->collateral_us == 0) /* one deadline, however often the request comes here */
        rq->collateral_us = clock_monotonic_us() + ((uint64_t)f->collateral_link->link.wait_s + 1) * LINK_SECOND_US;
    *w = (struct collateral_wait){ .rq = rq, .then = then, .use = use, .settings = s, .needs = needs, .deadline_us = rq->collateral_us };
    if (!collateral_wait_for(f, w, 0))
        decide(f, w);
}

void collateral_await(struct request *rq, struct needs *needs, enum collateral_use use, void (*then)(struct request *rq))
{
    static const struct settings whatever_is_valid = { .tcb_eval_number = 0 };

    await(rq, needs, use, &whatever_is_valid, then);
}

void collateral_await_for(struct request *rq, struct needs *needs, const struct settings *s, void (*then)(struct request *rq))
{
    await(rq, needs, COLLATERAL_VERIFY, s, then);
}

const char *collateral_errors(struct request *rq, const struct needs *n)
{
    struct out o = out_open(&rq->a);

    for (size_t i = 0; i < n->count; i++) {
        const struct entry *x = entry_find(rq->front->collateral_link, n->list[i].key);

        if (x != NULL && x->newer.error.code != ERR_NONE && o.n == 0)
            out_text(&o, x->newer.error.why);
        if (x != NULL && x->any.error.code != ERR_NONE && o.n == 0)
            out_text(&o, x->any.error.why);
    }
    return o.n == 0 ? "" : (const char *)out_view(&o).p;
}

/* An error counts until it would be worth asking again: one that is older, of sources that nobody reaches now, or that only
 * the cache was asked for, says nothing. */
void collateral_said(struct request *rq, const struct needs *n, struct err *ret)
{
    uint64_t now = clock_monotonic_us();
    struct need_key k;

    for (size_t i = 0; i < n->count && ret->code == ERR_NONE; i++) {
        const struct entry *x = entry_find(rq->front->collateral_link, n->list[i].key);

        if (x != NULL && x->any.error.code != ERR_NONE && !x->any.cached && x->any.retry_us > now)
            *ret = x->any.error;
        else if (need_key_parse(bytes_str(n->list[i].key), &k, ret))
            not_answered(rq, &k, ret);
    }
}

/* -- the loop -- */

/* After the process was lost; else its question is under way. */
static void ask_again(const struct front *f, const struct collateral_wait *w, struct entry *x)
{
    struct need_key k;

    if (need_key_parse(bytes_str(x->key), &k, NULL))
        entry_ask(f->collateral_link, x, w->use == COLLATERAL_MIRROR, rounded(collateral_oldest(f, &k, w->settings)));
}

void collateral_link_expire(struct front *f, uint64_t now_us)
{
    struct collateral_wait **at = &f->collateral_link->waits;

    while (*at != NULL) {
        struct collateral_wait *w = *at;

        if (now_us < w->deadline_us) {
            for (size_t i = 0; i < w->count; i++)
                if (w->open[i] != NULL)
                    ask_again(f, w, w->open[i]);
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
