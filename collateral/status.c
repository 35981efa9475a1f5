/* status.c: what the engine says about itself: items, sources, counters. */
#include "collateral/engine_priv.h"

#include "codec/stamp.h"
#include "os/io.h"

#include <stdlib.h>

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
    int64_t now = engine_wall(x);

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
