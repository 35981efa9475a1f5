/* job.c: one attempt to get a key: which source is asked when, and what those who wait are told. */
#include "collateral/engine_priv.h"

#include "codec/stamp.h"
#include "os/io.h"

#include <stdio.h>
#include <stdlib.h>

struct job *job_new(struct engine *x, struct slot *t)
{
    struct job *j = x->job_count >= MAX_JOBS ? NULL : calloc(1, sizeof(*j));

    if (j == NULL)
        return NULL;
    *j = (struct job){ .engine = x, .slot = t, .newer = INT64_MIN, .next = x->jobs };
    x->jobs = j;
    x->job_count++;
    t->job = j;
    return j;
}

bool job_wait(struct job *j, int64_t newer, uint64_t deadline_us, engine_done *done, void *user)
{
    struct waiter *w = calloc(1, sizeof(*w));

    if (w == NULL)
        return false;
    *w = (struct waiter){ .done = done, .user = user, .deadline_us = deadline_us, .newer = newer, .next = j->waiters };
    j->waiters = w;
    if (newer > j->newer)
        j->newer = newer;
    return true;
}

void job_note(struct job *j, const char *source, const char *why)
{
    size_t n = strlen(j->errors);

    if (n < sizeof(j->errors) - 1)
        snprintf(j->errors + n, sizeof(j->errors) - n, "%s%s: %.200s", n == 0 ? "" : "; ", source, why);
}

/* The waiters that what is there will do for: the others may wait for another source. */
static void answer_satisfied(struct job *j)
{
    for (struct waiter **at = &j->waiters; *at != NULL;) {
        struct waiter *w = *at;

        if (w->newer > j->slot->content->v.from) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        engine_reply(j->slot, "", ERR_NONE, 0, w->done, w->user);
        free(w);
    }
}

bool job_new_enough(struct job *j, const struct source *s)
{
    int64_t from = j->slot->content->v.from;
    char text[80];

    if (from >= j->newer)
        return true;
    j->found = true;
    snprintf(text, sizeof(text), "has none newer than that of %s", stamp_text(from).s);
    job_note(j, s->name, text);
    answer_satisfied(j);
    return false;
}

static enum err_code code_of(const struct job *j)
{
    return (j->said & SAID_TROUBLE) != 0 ? ERR_COLLATERAL_MISSING
        : (j->said & SAID_ANOTHER) != 0  ? ERR_CERTS_UNAVAILABLE
        : (j->said & SAID_UNKNOWN) != 0  ? ERR_PLATFORM_UNKNOWN
                                         : ERR_RESOURCE_NOT_FOUND;
}

static void job_free(struct job *j)
{
    arena_done(&j->held_own);
    free(j);
}

void job_end(struct job *j, bool found)
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
        if (t->content->v.from < j->newer) /* no source had one */
            t->recheck_us = now + NEWER_US;
        answer_satisfied(j);
    } else {
        uint64_t wait = backoff_us(++t->failures, 2 * SECOND_US, (uint64_t)600 * SECOND_US, engine_dice());

        if ((uint64_t)j->retry_after * SECOND_US > wait)
            wait = (uint64_t)j->retry_after * SECOND_US;
        t->retry_us = now + wait;
        snprintf(t->errors, sizeof(t->errors), "%s", j->errors[0] == 0 ? "no source is configured that has such an item" : j->errors);
        t->code = code_of(j);
    }
    retry = engine_seconds(found ? t->recheck_us : t->retry_us, now);
    while (j->waiters != NULL) {
        struct waiter *w = j->waiters;

        j->waiters = w->next;
        engine_reply(t, found ? j->errors : t->errors, found ? ERR_COLLATERAL_MISSING : t->code, retry, w->done, w->user);
        free(w);
    }
    job_free(j);
}

/* -- sources -- */

void job_source_ok(struct engine *x, struct source *s)
{
    s->succeeded++;
    s->success_at = engine_wall(x);
    breaker_success(&s->breaker);
}

void job_source_bad(struct job *j, struct source *s, bool healthy, const char *why)
{
    struct engine *x = j->engine;

    job_note(j, s->name, why);
    s->failed++;
    s->failure_at = engine_wall(x);
    snprintf(s->error, sizeof(s->error), "%s: %.180s", j->slot->key, why);
    if (healthy)
        breaker_success(&s->breaker);
    else
        breaker_failure(&s->breaker, j->slot->hash, clock_monotonic_us(), engine_dice());
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
    struct net_request r = { .metadata = s->kind == SOURCE_THIM || s->kind == SOURCE_THIM_AMD, .done = take_net_answer, .user = j,
                             .subscription_key = j->slot->need.form == NEED_PCK ? s->subscription_key : NULL };
    struct err e = { .code = ERR_NONE };
    struct arena a;
    bool ok;

    arena_init(&a, 1 << 16);
    r.url = source_url(s, &j->slot->need, &a);
    r.timeout_ms = x->timeout_ms * (more_sources(j) ? 1 : 4);
    j->conditional = engine_valid(x, j->slot) && bytes_is(c->record.source, s->name) && c->record.etag.n + c->record.modified.n > 0;
    if (j->conditional) {
        r.etag = c->record.etag;
        r.modified = c->record.modified;
    }
    ok = r.url != NULL && net_start(x->net, &r, &e);
    arena_done(&a);
    if (!ok) {
        job_note(j, s->name, r.url == NULL ? "has no address for such an item" : e.why);
        j->said |= r.url == NULL ? 0 : SAID_TROUBLE;
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
    if (!source_find(s, &j->slot->need, engine_wall(j->engine), &r)) {
        job_note(j, s->name, s->error[0] != 0 ? s->error : "has no such item");
        j->said |= s->error[0] != 0 ? SAID_TROUBLE : 0;
        return false;
    }
    return take_record(j, s, &r, ORIGIN_OPERATOR);
}

/* How long the source cannot be asked; 0: now. */
static uint64_t source_wait(struct job *j, struct source *s, uint64_t now)
{
    uint64_t wait = 0;

    if (!breaker_allows(&s->breaker, now))
        return s->breaker.closed_until_us > now ? s->breaker.closed_until_us - now : SECOND_US / 4;
    return bucket_take(&s->bucket, is_known(j), now, &wait) ? 0 : wait;
}

void job_next(struct job *j)
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
            job_note(j, s->name, why);
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
        snprintf(text, sizeof(text), "is left alone for %u s after %.200s", engine_seconds(now + wait, now), s->error);
        job_note(j, s->name, text);
        j->said |= SAID_TROUBLE;
        j->retry_after = j->retry_after == 0 ? engine_seconds(now + wait, now) : j->retry_after;
    }
    if (wake == UINT64_MAX)
        job_end(j, j->found);
    else
        j->wake_us = wake;
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
        engine_reply(j->slot, text, ERR_COLLATERAL_MISSING, 2, w->done, w->user);
        free(w);
    }
}

void jobs_tick(struct engine *x)
{
    uint64_t now = clock_monotonic_us();

    for (struct job *j = x->jobs, *next; j != NULL; j = next) {
        next = j->next; /* only this one can end meanwhile */
        answer_late(x, j, now);
        if (j->asking || now < j->wake_us)
            continue;
        if (j->has_held)
            take_held(j);
        else
            job_next(j);
    }
}

uint64_t jobs_wake_us(const struct engine *x, uint64_t best)
{
    for (const struct job *j = x->jobs; j != NULL; j = j->next) {
        if (!j->asking && j->wake_us < best)
            best = j->wake_us;
        for (const struct waiter *w = j->waiters; w != NULL; w = w->next)
            best = w->deadline_us < best ? w->deadline_us : best;
    }
    return best;
}

void jobs_drop(struct engine *x)
{
    while (x->jobs != NULL) {
        struct job *j = x->jobs;

        x->jobs = j->next;
        while (j->waiters != NULL) {
            struct waiter *w = j->waiters;

            j->waiters = w->next;
            free(w);
        }
        job_free(j);
    }
}
