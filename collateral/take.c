/* take.c: what a source gave: kept, or the reason why not. */
#include "collateral/engine_priv.h"

#include "collateral/answer.h"
#include "os/io.h"

#include <stdio.h>

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
    j->said |= e->code == ERR_TCB_MISMATCH || e->code == ERR_CHIP_ID_MISMATCH ? SAID_ANOTHER : SAID_TROUBLE;
    snprintf(text, sizeof(text), "%s: %.480s", e->what, e->why);
    job_source_bad(j, s, healthy, text);
}

/* Into the cache. *ret_done: the job is, too; else somebody wants a newer one than this source has. */
static bool keep(struct job *j, struct source *s, const struct record *r, enum origin origin, bool *ret_done, struct err *e)
{
    struct engine *x = j->engine;
    char text[NEED_KEY_MAX + 400];
    bool newer;

    if (!store_put(x->store, j->slot, r, origin, engine_wall(x), &newer, e))
        return false;
    job_source_ok(x, s);
    upkeep_note_set(x, j->slot);
    snprintf(text, sizeof(text), "%s from %s, %s", j->slot->key, s->name, newer ? "new" : "as before");
    log_line("info", "collateral", text, "");
    *ret_done = job_new_enough(j, s);
    if (*ret_done)
        job_end(j, true);
    return true;
}

bool take_record(struct job *j, struct source *s, const struct record *r, enum origin origin)
{
    struct err e = { .code = ERR_NONE };
    bool done;

    if (keep(j, s, r, origin, &done, &e))
        return done;
    refused(j, s, &e);
    return false;
}

/* -- issuers of a VCEK --
 *
 * AMD's service gives a VCEK without the CA that issued it. Those of today are known; for one of another CA the chain of
 * its line is asked for as well, and kept with it: the core has it from there. */

static void on_chain(void *user, const struct engine_answer *a)
{
    struct job *j = user;

    for (size_t i = 0; a->record != NULL && i < a->record->count && j->held.count < BUNDLE_MAX_BODIES; i++)
        j->held.bodies[j->held.count++] = arena_copy(&j->held_own, a->record->bodies[i]);
    if (a->record == NULL)
        job_note(j, "issuers", a->errors);
    j->asking = false; /* the next turn goes on: whoever calls this may be in the middle of a list of jobs */
    j->wake_us = 0;
}

/* Of another CA than when the chain was fetched? Then it is asked for anew, once an hour. */
static enum engine_mode chain_mode(struct engine *x, const struct need_key *chain)
{
    const struct slot *t = store_slot(x->store, chain);

    return t != NULL && t->content != NULL && engine_wall(x) - t->content->record.fetched > 3600 ? ENGINE_ANEW : ENGINE_FETCH;
}

/* Holds the answer and asks for the chain; false: not possible. */
static bool hold(struct job *j, const struct record *r)
{
    struct need_key chain = { .form = NEED_AMD_CHAIN };
    struct engine *x = j->engine;
    const char *key;

    arena_done(&j->held_own);
    arena_init(&j->held_own, 4 * r->bodies[0].n + (1 << 20));
    memcpy(chain.line, j->slot->need.line, sizeof(chain.line));
    key = need_key_print(&chain, &j->held_own);
    j->held = (struct record){ .source = r->source, .fetched = r->fetched, .max_age = r->max_age, .etag = arena_copy(&j->held_own, r->etag),
                               .modified = arena_copy(&j->held_own, r->modified), .bodies = { arena_copy(&j->held_own, r->bodies[0]) }, .count = 1 };
    if (j->held_own.failed || key == NULL)
        return false;
    j->has_held = true;
    j->asking = true;
    if (engine_ask(x, bytes_str(key), chain_mode(x, &chain), clock_monotonic_us() + PATIENCE_US, on_chain, j, NULL))
        return true;
    j->has_held = j->asking = false;
    return false;
}

void take_held(struct job *j)
{
    struct source *s = &j->engine->sources.list[j->source];
    struct err e = { .code = ERR_NONE };
    bool done = false;

    j->has_held = false;
    if (!keep(j, s, &j->held, ORIGIN_SOURCE, &done, &e))
        refused(j, s, &e);
    if (!done)
        job_next(j);
}

/* -- answers -- */

/* 461 and 462 are a PCCS's own words (evidence-sgx 4.5); 410: the set was withdrawn. */
static unsigned said_by(long status)
{
    return status == 404 || status == 410 || status == 461 ? SAID_UNKNOWN : status == 462 ? SAID_ANOTHER : SAID_TROUBLE;
}

/* An answer of status 200. true: the job is done, or waits for issuers. */
static bool take_answer(struct job *j, struct source *s, const struct net_answer *n)
{
    struct record r = { .source = bytes_str(s->name), .fetched = engine_wall(j->engine), .etag = n->etag, .modified = n->modified };
    struct err e = { .code = ERR_NONE };
    struct arena a;
    bool done = false;

    arena_init(&a, 4 * n->body.n + 4 * n->chain.n + (1 << 20));
    if (!answer_read(s->kind, &j->slot->need, n, &a, &r, &e) || !keep(j, s, &r, ORIGIN_SOURCE, &done, &e)) {
        done = e.code == ERR_CERT_SIGNATURE && j->slot->need.form == NEED_VCEK && r.count == 1 && hold(j, &r);
        if (!done)
            refused(j, s, &e);
    }
    arena_done(&a);
    return done;
}

void take_net_answer(void *user, const struct net_answer *a)
{
    struct job *j = user;
    struct engine *x = j->engine;
    struct source *s = &x->sources.list[j->source];
    uint64_t now = clock_monotonic_us();
    char text[200];

    j->asking = false;
    if (!a->came) {
        j->said |= SAID_TROUBLE;
        job_source_bad(j, s, false, a->error);
    } else if (a->status == 304 && j->conditional && engine_valid(x, j->slot)) {
        store_renew(x->store, j->slot, engine_wall(x));
        job_source_ok(x, s);
        if (job_new_enough(j, s)) {
            job_end(j, true);
            return;
        }
    } else if (a->status == 200) {
        if (take_answer(j, s, a))
            return;
    } else {
        bool ours = a->status >= 400 && a->status < 500 && a->status != 408 && a->status != 429;

        snprintf(text, sizeof(text), a->retry_after > 0 ? "HTTP %ld, asks again in %u s" : "HTTP %ld%.0u", a->status, a->retry_after);
        j->said |= said_by(a->status);
        job_source_bad(j, s, ours, text);
        if ((a->status == 429 || a->status == 503) && a->retry_after > 0) {
            breaker_close(&s->breaker, now + (uint64_t)a->retry_after * SECOND_US);
            j->retry_after = a->retry_after > j->retry_after ? a->retry_after : j->retry_after;
        }
    }
    job_next(j);
}
