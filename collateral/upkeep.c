/* upkeep.c: what happens to items without being asked: refreshing, warnings, the end. */
#include "collateral/engine_priv.h"

#include "codec/stamp.h"
#include "os/io.h"

#include <stdio.h>

void upkeep_refresh(struct engine *x, struct slot *t)
{
    struct job *j;

    if (t->job == NULL && t->content != NULL && engine_wall(x) >= t->content->refresh_at && clock_monotonic_us() >= t->retry_us
        && (j = job_new(x, t)) != NULL)
        job_next(j);
}

/* -- change of sets -- */

static void due_now(void *user, struct slot *t)
{
    const struct slot *of = user;

    if (t->content != NULL && (t->need.form == NEED_TCB_INFO || t->need.form == NEED_IDENTITY) && t->need.eval == of->need.eval
        && t->need.tdx == of->need.tdx && t->content->v.eval_number < of->content->v.eval_number)
        t->content->refresh_at = 0;
}

void upkeep_note_set(struct engine *x, struct slot *t)
{
    int64_t *newest = &x->newest[t->need.tdx];

    if (t->need.eval > 0 || t->content->v.eval_number <= *newest)
        return;
    if (*newest != 0)
        store_each(x->store, due_now, t);
    *newest = t->content->v.eval_number;
}

/* -- each item, once a second -- */

static void warn_of(struct engine *x, struct slot *t)
{
    int64_t now = engine_wall(x), left = t->content->v.to - now;
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
    if (engine_wall(x) > t->content->v.to + KEEP_EXPIRED) {
        store_drop(x->store, t);
        return;
    }
    upkeep_refresh(x, t);
    if (t->content != NULL)
        warn_of(x, t);
}

void upkeep_tick(struct engine *x)
{
    uint64_t now = clock_monotonic_us();

    if (!x->options.forever || now < x->tick_us)
        return;
    x->tick_us = now + SECOND_US;
    store_each(x->store, look_at, x);
}
