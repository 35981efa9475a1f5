/* collateral_cache.c: what the collateral process gave, by key, and what it is asked for. One question a key is under way,
 * however many requests wait for it. */
#include "front/collateral_priv.h"

#include "crypto/hash.h"
#include "os/io.h"

#include <stdlib.h>

enum { MAX_EMPTY = 1024 }; /* entries that hold nothing: invented keys do not fill the memory */

/* -- entries -- */

static void entry_free(struct entry *x)
{
    arena_done(&x->own);
    free((void *)(uintptr_t)x->key);
    free(x);
}

static void forget_empty(struct collateral_link *l)
{
    for (size_t i = 0; i < CHAINS; i++)
        for (struct entry **at = &l->chains[i]; *at != NULL;) {
            struct entry *x = *at;

            if (x->count > 0 || x->any.asked || x->newer.asked || x->waits > 0) {
                at = &x->next;
                continue;
            }
            *at = x->next;
            l->empty--;
            entry_free(x);
        }
}

static size_t chain_of(const char *key)
{
    struct digest d = sha256(bytes_str(key));

    return (d.p[0] | (size_t)d.p[1] << 8) % CHAINS;
}

struct entry *entry_find(const struct collateral_link *l, const char *key)
{
    struct entry *x = l->chains[chain_of(key)];

    while (x != NULL && strcmp(x->key, key) != 0)
        x = x->next;
    return x;
}

struct entry *entry_make(struct collateral_link *l, const char *key)
{
    struct entry *x = entry_find(l, key), **chain = &l->chains[chain_of(key)];

    if (x != NULL)
        return x;
    if (l->empty >= MAX_EMPTY)
        forget_empty(l);
    x = calloc(1, sizeof(*x));
    if (x == NULL || (x->key = strdup(key)) == NULL) {
        free(x);
        return NULL;
    }
    x->next = *chain;
    *chain = x;
    l->empty++;
    return x;
}

bool entry_valid(const struct front *f, const struct entry *x)
{
    return x->count > 0 && front_now(f) <= x->to;
}

/* -- questions -- */

bool collateral_link_open(struct front *f, struct err *e)
{
    struct collateral_link *l = arena_new(&f->own, struct collateral_link);

    if (l == NULL)
        return err_memory(e, "collateral link");
    if (!link_open(&l->link, f, "collateral link", e))
        return false;
    f->collateral_link = l;
    return folder_load_trust(f, e);
}

/* Asked again when the process is back and somebody still waits. */
static void forget_questions(struct collateral_link *l)
{
    l->status_id = 0;
    for (size_t i = 0; i < CHAINS; i++)
        for (struct entry *x = l->chains[i]; x != NULL; x = x->next)
            x->any.asked = x->newer.asked = false;
}

static bool send_question(struct collateral_link *l, struct bytes frame)
{
    if (channel_send(&l->link.c, frame))
        return true;
    link_lost(&l->link);
    forget_questions(l);
    return false;
}

/* A question that only looks into the cache is followed by a real one where somebody needs it. */
static bool serves(const struct question *q, bool cached, int64_t newer)
{
    return q->asked && newer <= q->newer && (cached || !q->cached);
}

void entry_ask(struct collateral_link *l, struct entry *x, bool cached, int64_t newer)
{
    struct question *q = newer == ANY_DATE ? &x->any : &x->newer;
    struct arena a;
    struct out frame;

    if (serves(q, cached, newer) || !link_connected(&l->link))
        return;
    arena_init(&a, 1 << 16);
    *q = (struct question){ .asked = true, .cached = cached, .newer = newer, .id = ++l->last_id, .retry_us = q->retry_us, .error = q->error };
    frame = wire_begin(&a, MSG_FETCH, q->id);
    if (cached)
        wire_put(&frame, TAG_CACHED, (struct bytes){ NULL, 0 });
    if (newer != ANY_DATE)
        wire_put_i64(&frame, TAG_NEWER, newer);
    else
        x->asked_us = clock_monotonic_us();
    wire_put_u32(&frame, TAG_WAIT, (uint32_t)l->link.wait_s * 1000);
    wire_put(&frame, TAG_NEED, bytes_str(x->key));
    (void)send_question(l, wire_end(&frame));
    arena_done(&a);
}

/* -- answers -- */

static void set_bodies(struct collateral_link *l, struct entry *x, const struct wire_fields *f)
{
    size_t size = 65536;

    for (size_t i = 0; i < f->count; i++)
        size += f->list[i].value.n + 4096;
    if (x->count == 0)
        l->empty--;
    arena_done(&x->own);
    arena_init(&x->own, size * 2);
    x->count = 0;
    x->from = wire_i64(f, TAG_ISSUED, 0);
    x->to = wire_i64(f, TAG_EXPIRES, 0);
    x->eval_number = wire_u32(f, TAG_EVAL_NUMBER, 0);
    for (size_t i = 0; i < f->count && x->count < COUNT(x->bodies); i++)
        if (f->list[i].tag == TAG_COLLATERAL) {
            x->bodies[x->count] = arena_copy(&x->own, f->list[i].value);
            x->count += x->bodies[x->count].p != NULL;
        }
    if (x->count == 0)
        l->empty++;
}

static void on_status(struct collateral_link *l, struct bytes payload)
{
    struct wire_fields f;
    struct bytes text;

    l->status_id = 0;
    arena_done(&l->status_arena);
    arena_init(&l->status_arena, 2 * payload.n + (1 << 20));
    l->status = (struct bytes){ NULL, 0 };
    if (wire_fields_parse(payload, &l->status_arena, &f, NULL) && wire_find(&f, TAG_BODY, &text))
        l->status = arena_copy(&l->status_arena, text);
}

struct bytes collateral_status(struct front *f)
{
    struct collateral_link *l = f->collateral_link;
    struct arena a;
    struct out frame;

    if (l->status_id == 0 && link_connected(&l->link)) {
        arena_init(&a, 4096);
        l->status_id = ++l->last_id;
        frame = wire_begin(&a, MSG_COLLATERAL_STATUS, l->status_id);
        (void)send_question(l, wire_end(&frame));
        arena_done(&a);
    }
    return l->status;
}

/* Whether it is the answer to this question. */
static bool take_answer(struct question *q, uint64_t id, const struct wire_fields *f)
{
    if (!q->asked || q->id != id)
        return false;
    q->asked = false;
    q->error = (struct err){ .code = ERR_NONE };
    (void)wire_error(f, &q->error);
    q->retry_us = clock_monotonic_us() + (uint64_t)wire_u32(f, TAG_RETRY, 0) * LINK_SECOND_US;
    return true;
}

static void on_frame(struct front *f, const struct wire_header *h, struct bytes payload)
{
    struct collateral_link *l = f->collateral_link;
    struct wire_fields fields;
    struct bytes key, to;
    struct arena a;
    struct entry *x = NULL;
    bool any, newer;

    if (h->id == l->status_id) {
        on_status(l, payload);
        return;
    }
    arena_init(&a, 1 << 20);
    if (wire_fields_parse(payload, &a, &fields, NULL) && wire_find(&fields, TAG_NEED, &key))
        x = entry_find(l, arena_str(&a, key));
    if (x != NULL) {
        if (wire_find(&fields, TAG_EXPIRES, &to) && (x->count == 0 || wire_i64(&fields, TAG_ISSUED, 0) >= x->from || !entry_valid(f, x)))
            set_bodies(l, x, &fields);
        any = take_answer(&x->any, h->id, &fields);
        newer = take_answer(&x->newer, h->id, &fields);
        collateral_wake(f, x, any, newer);
    }
    arena_done(&a);
}

bool collateral_bodies(const struct front *f, const char *key, const struct bytes **ret, size_t *ret_count)
{
    const struct entry *x = entry_find(f->collateral_link, key);

    if (x == NULL || x->count == 0)
        return false;
    *ret = x->bodies;
    *ret_count = x->count;
    return true;
}

/* -- the loop -- */

struct pollfd collateral_link_poll(const struct front *f)
{
    return link_poll(&f->collateral_link->link);
}

void collateral_link_serve(struct front *f, const struct pollfd *p)
{
    if (!link_serve(f, &f->collateral_link->link, p, on_frame))
        forget_questions(f->collateral_link);
}
