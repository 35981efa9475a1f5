/* collateral.c: what the evidence needs: from the folder, from what the collateral process gave before, or
 * asked of it while the request is suspended.
 *
 * A request waits for its own keys only, and not beyond its deadline: then it gets 503 with what its sources
 * said. One question a key is under way, however many requests wait for it. Whatever comes is only carried
 * to the core, which verifies it. */
#include "front/front.h"

#include "codec/hex.h"
#include "codec/stamp.h"
#include "crypto/hash.h"
#include "evidence/needkey.h"
#include "os/channel.h"
#include "os/io.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    CHAINS = 1024,
    MAX_EMPTY = 1024,         /* entries that hold nothing: invented keys do not fill the memory */
    MAX_NEEDS = 16,
    SECOND_US = 1000000,
    RECHECK_US = 20 * SECOND_US, /* what is there is asked for again so often; nobody waits for that */
};

struct entry {
    const char *key;
    struct arena own;        /* of the bodies and the error */
    struct bytes bodies[8];
    size_t count;
    int64_t to, eval_number;
    struct err error;        /* why there is nothing, or nothing newer */
    uint64_t asked_us, retry_us;
    bool asked;              /* a question is under way */
    bool cached;             /* which only asks for what is there */
    uint64_t id;             /* of that question */
    size_t waits;            /* requests that wait for it */
    struct entry *next;
};

struct collateral_wait {
    struct request *rq;
    void (*then)(struct request *rq);
    enum collateral_use use;
    struct needs *needs;
    bool paired;
    struct entry *open[MAX_NEEDS]; /* NULL: decided */
    size_t count;
    uint64_t deadline_us;
    struct collateral_wait *next;
};

struct collateral_link {
    struct channel c;
    char path[108];
    uint64_t retry_us;
    uint64_t last_id, status_id;
    struct arena status_arena;
    struct bytes status;     /* what the process said last about itself: JSON */
    int64_t wait_s;
    struct entry *chains[CHAINS];
    size_t empty;
    struct collateral_wait *waits;
};

/* -- the folder -- */

bool front_load_collateral(struct front *f, struct err *e)
{
    const char *folder = f->config.value[CONFIG_collateral_directory], *const *names;
    size_t count;

    f->collateral = collateral_open(&f->own);
    if (folder[0] == 0)
        return true;
    if (!folder_list(folder, &f->own, &names, &count, e))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct err why = { .code = ERR_NONE };
        struct bytes body;

        if (!file_read(arena_printf(&f->own, "%s/%s", folder, names[i]), 4 << 20, &f->own, &body, e))
            return false;
        if (!collateral_add(&f->collateral, body, names[i], &why))
            log_error("front", &why);
    }
    return true;
}

static bool load_trust(struct front *f, struct err *e)
{
    enum { MAX = 256 };
    const char *folder = f->config.value[CONFIG_verify_trust], *const *names;
    struct cert *list = arena_many(&f->own, MAX, struct cert);
    size_t count, n = 0;

    if (list == NULL)
        return err_memory(e, "trust anchors");
    if (folder[0] == 0)
        return true;
    if (!folder_list(folder, &f->own, &names, &count, e))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct bytes file;
        struct cert *certs;
        size_t k;

        if (!file_read(arena_printf(&f->own, "%s/%s", folder, names[i]), 1 << 20, &f->own, &file, e)
            || !certs_read(file, 16, names[i], &f->own, &certs, &k, e))
            return false;
        for (size_t m = 0; m < k && n < MAX; m++)
            list[n++] = certs[m];
    }
    f->trust = (struct trust){ .anchors = list, .count = n };
    return true;
}

static bool folder_has(const struct front *f, const struct need_key *k, int64_t now)
{
    for (size_t i = 0; i < f->collateral.count; i++) {
        const struct collateral_item *c = &f->collateral.list[i];

        if (need_key_serves(k, c) && c->from <= now && now <= c->to)
            return true;
    }
    return false;
}

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

            if (x->count > 0 || x->asked || x->waits > 0) {
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

static struct entry *entry_find(const struct collateral_link *l, const char *key)
{
    struct entry *x = l->chains[chain_of(key)];

    while (x != NULL && strcmp(x->key, key) != 0)
        x = x->next;
    return x;
}

static struct entry *entry_make(struct collateral_link *l, const char *key)
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

static bool entry_valid(const struct front *f, const struct entry *x)
{
    return x->count > 0 && front_now(f) <= x->to;
}

/* -- the link -- */

bool collateral_link_open(struct front *f, struct err *e)
{
    struct collateral_link *l = arena_new(&f->own, struct collateral_link);

    if (l == NULL)
        return err_memory(e, "collateral link");
    if (snprintf(l->path, sizeof(l->path), "%s/run/collateral.sock", f->config.value[CONFIG_service_state]) >= (int)sizeof(l->path))
        return err_set(e, ERR_USAGE, "collateral link", "path of the state folder is too long for a socket");
    if (!config_number(&f->config, CONFIG_collateral_wait, 0, 60, &l->wait_s, e))
        return false;
    l->c.fd = -1;
    f->collateral_link = l;
    return load_trust(f, e);
}

static void lost(struct collateral_link *l)
{
    channel_close(&l->c);
    l->status_id = 0;
    l->retry_us = clock_monotonic_us() + SECOND_US / 5;
    for (size_t i = 0; i < CHAINS; i++)
        for (struct entry *x = l->chains[i]; x != NULL; x = x->next)
            x->asked = false; /* asked again when the process is back and somebody still waits */
}

static bool connected(struct collateral_link *l)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    int fd;

    if (l->c.fd >= 0)
        return true;
    if (clock_monotonic_us() < l->retry_us)
        return false;
    l->retry_us = clock_monotonic_us() + SECOND_US / 5;
    memcpy(to.sun_path, l->path, sizeof(l->path));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0) {
        close(fd);
        return false;
    }
    l->c = channel_open(fd);
    return true;
}

/* A question that only looks into the cache is followed by a real one where somebody needs it; the answer to the
 * latest counts. */
static void ask(struct collateral_link *l, struct entry *x, bool cached)
{
    struct arena a;
    struct out frame;

    if ((x->asked && (cached || !x->cached)) || !connected(l))
        return;
    arena_init(&a, 1 << 16);
    x->id = ++l->last_id;
    frame = wire_begin(&a, MSG_FETCH, x->id);
    if (cached)
        wire_put(&frame, TAG_CACHED, (struct bytes){ NULL, 0 });
    wire_put_u32(&frame, TAG_WAIT, (uint32_t)l->wait_s * 1000);
    wire_put(&frame, TAG_NEED, bytes_str(x->key));
    x->asked = true;
    x->cached = cached;
    x->asked_us = clock_monotonic_us();
    if (!channel_send(&l->c, wire_end(&frame)))
        lost(l);
    arena_done(&a);
}

/* -- answers -- */

static void decide(struct front *f, struct collateral_wait *w);

/* The entry has its answer: whoever waits for nothing else goes on. */
static void wake(struct front *f, struct entry *x)
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

static int64_t i64_of(struct bytes b)
{
    struct cur c = cur_open(b);
    uint64_t v = cur_u64le(&c, "time");

    return cur_ok(&c) ? (int64_t)v : 0;
}

static void set_bodies(struct collateral_link *l, struct entry *x, const struct wire_fields *f, int64_t to)
{
    size_t size = 65536;

    for (size_t i = 0; i < f->count; i++)
        size += f->list[i].value.n + 4096;
    if (x->count == 0)
        l->empty--;
    arena_done(&x->own);
    arena_init(&x->own, size * 2);
    x->count = 0;
    x->to = to;
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

    if (l->status_id == 0 && connected(l)) {
        arena_init(&a, 4096);
        l->status_id = ++l->last_id;
        frame = wire_begin(&a, MSG_COLLATERAL_STATUS, l->status_id);
        if (!channel_send(&l->c, wire_end(&frame)))
            lost(l);
        arena_done(&a);
    }
    return l->status;
}

static void on_frame(struct front *f, const struct wire_header *h, struct bytes payload)
{
    struct collateral_link *l = f->collateral_link;
    struct wire_fields fields;
    struct bytes key, to;
    struct arena a;
    struct entry *x = NULL;

    if (h->id == l->status_id) {
        on_status(l, payload);
        return;
    }
    arena_init(&a, 1 << 20);
    if (wire_fields_parse(payload, &a, &fields, NULL) && wire_find(&fields, TAG_NEED, &key))
        x = entry_find(l, arena_str(&a, key));
    if (x != NULL && x->id == h->id) {
        x->asked = false;
        x->error = (struct err){ .code = ERR_NONE };
        if (wire_find(&fields, TAG_EXPIRES, &to))
            set_bodies(l, x, &fields, i64_of(to));
        x->eval_number = wire_u32(&fields, TAG_EVAL_NUMBER, (uint32_t)x->eval_number);
        (void)wire_error(&fields, &x->error);
        x->retry_us = clock_monotonic_us() + (uint64_t)wire_u32(&fields, TAG_RETRY, 0) * SECOND_US;
        wake(f, x);
    }
    arena_done(&a);
}

/* -- requests -- */

static void refuse_missing(struct request *rq, const struct entry *x, const char *key)
{
    struct err e = x == NULL ? (struct err){ .code = ERR_NONE } : x->error;
    uint64_t now = clock_monotonic_us();
    struct need_key k;

    if (e.code == ERR_NONE && need_key_parse(bytes_str(key), &k, &e))
        (void)err_set(&e, ERR_COLLATERAL_MISSING, "collateral", "no %s: the process that fetches it has not answered in %lld s",
                      need_key_text(&k, &rq->a), (long long)rq->front->collateral_link->wait_s);
    rq->retry_after = x != NULL && x->retry_us > now ? (unsigned)((x->retry_us - now) / SECOND_US + 1) : 5;
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
            ask(l, x, use == COLLATERAL_MIRROR);
        return NULL;
    }
    if (!x->asked && now < x->retry_us)
        return NULL; /* its sources failed just now */
    ask(l, x, use == COLLATERAL_MIRROR);
    return x; /* of optional ones too: where evidence does not say which it needs, each may be the one */
}

/* Looks for the needs from `first` on; true: there is something to wait for. */
static bool wait_for_needs(struct front *f, struct collateral_wait *w, size_t first)
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

/* -- sets -- */

/* The evaluation number of what is on hand for a need; 0: nothing. */
static int64_t number_on_hand(const struct front *f, const struct need *n, const struct need_key *k)
{
    const struct entry *x = entry_find(f->collateral_link, n->key);
    int64_t best = x != NULL && x->count > 0 ? x->eval_number : 0;

    for (size_t i = 0; i < f->collateral.count; i++)
        if (need_key_serves(k, &f->collateral.list[i]) && f->collateral.list[i].eval_number > best)
            best = f->collateral.list[i].eval_number;
    return best;
}

/* The identity that belongs to a TCB info of this number, unless there is one. NULL: nothing to ask for. */
static const char *identity_of_set(struct request *rq, const struct needs *needs, bool tdx, int64_t number)
{
    const struct front *f = rq->front;

    for (size_t i = 0; i < needs->count; i++) {
        struct need_key k;

        if (!need_key_parse(bytes_str(needs->list[i].key), &k, NULL) || k.form != NEED_IDENTITY || k.tdx != tdx)
            continue;
        if (k.eval != 0 || number_on_hand(f, &needs->list[i], &k) == number || number_on_hand(f, &needs->list[i], &k) == 0)
            return NULL;
        k.eval = number;
        return folder_has(f, &k, front_now(f)) ? NULL : need_key_print(&k, &rq->a);
    }
    return NULL;
}

/* While a vendor goes over to the next set, TCB info and identity come of different numbers for a while: the core
 * would not mix them. The identity is then asked for by the number of the TCB info. true: there is more to wait for. */
static bool pair_up(struct front *f, struct collateral_wait *w)
{
    size_t known = w->needs->count;

    if (w->paired || w->use != COLLATERAL_VERIFY || f->settings.mix_eval_numbers || f->settings.tcb_eval_number != 0)
        return false;
    w->paired = true;
    for (size_t i = 0; i < known && w->needs->count < MAX_NEEDS; i++) {
        struct need_key k;
        const char *key;
        int64_t number;

        if (!need_key_parse(bytes_str(w->needs->list[i].key), &k, NULL) || k.form != NEED_TCB_INFO)
            continue;
        number = number_on_hand(f, &w->needs->list[i], &k);
        key = number == 0 ? NULL : identity_of_set(w->rq, w->needs, k.tdx, number);
        if (key != NULL && !needs_add(w->needs, COLL_QE_IDENTITY, key, false))
            return false;
    }
    return wait_for_needs(f, w, known);
}

/* All that can be there is there: on to the core, or 503. An item that is over goes to the core as well, which
 * says when it ended and knows of the grace. */
static void decide(struct front *f, struct collateral_wait *w)
{
    struct request *rq = w->rq;

    for (size_t i = 0; i < w->count; i++)
        if (w->open[i] != NULL)
            w->open[i]->waits--;
    if (clock_monotonic_us() < w->deadline_us && pair_up(f, w))
        return;
    for (size_t i = 0; w->use == COLLATERAL_VERIFY && i < w->needs->count && !rq->replied; i++) {
        const struct need *n = &w->needs->list[i];
        const struct entry *x = entry_find(f->collateral_link, n->key);
        struct need_key k;
        bool folder = false;

        if (n->optional || (x != NULL && x->count > 0) || !need_key_parse(bytes_str(n->key), &k, NULL))
            continue;
        for (size_t m = 0; !folder && m < f->collateral.count; m++)
            folder = need_key_serves(&k, &f->collateral.list[m]);
        if (!folder)
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
                                   .deadline_us = clock_monotonic_us() + ((uint64_t)f->collateral_link->wait_s + 1) * SECOND_US };
    if (!wait_for_needs(f, w, 0))
        decide(f, w);
}

/* -- the parcel -- */

struct parcel {
    struct out *frame;
    struct bytes put[64]; /* signing chains come with several items; one copy is enough */
    size_t count;
};

static void put_once(struct parcel *p, struct bytes body)
{
    for (size_t i = 0; i < p->count; i++)
        if (bytes_equal(p->put[i], body))
            return;
    if (p->count < COUNT(p->put))
        p->put[p->count++] = body;
    wire_put(p->frame, TAG_COLLATERAL, body);
}

void front_attach_collateral(const struct front *f, const struct needs *n, struct out *frame)
{
    struct parcel p = { .frame = frame };
    struct need_key keys[MAX_NEEDS];
    size_t count = 0;

    for (size_t i = 0; i < n->count && count < MAX_NEEDS; i++) {
        const struct entry *x = entry_find(f->collateral_link, n->list[i].key);

        count += need_key_parse(bytes_str(n->list[i].key), &keys[count], NULL);
        for (size_t k = 0; x != NULL && k < x->count; k++)
            put_once(&p, x->bodies[k]);
    }
    for (size_t i = 0; i < f->collateral.count; i++) {
        const struct collateral_item *item = &f->collateral.list[i];
        /* signing chains are few, and the core chooses; leaves of AMD's chips may be many */
        bool wanted = item->kind == COLL_CERTS && !bytes_is(item->subject_cn, "SEV-VCEK");

        /* nothing is fetched for the keys of TPMs, and nobody knows their issuers beforehand: all that revokes counts */
        wanted |= item->kind == COLL_CRL && n->count == 0;

        for (size_t k = 0; !wanted && k < count; k++)
            wanted = need_key_serves(&keys[k], item);
        if (wanted)
            put_once(&p, item->body);
    }
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
    const struct channel *c = &f->collateral_link->c;

    return (struct pollfd){ .fd = c->fd, .events = (short)(POLLIN | (channel_wants_write(c) ? POLLOUT : 0)) };
}

void collateral_link_serve(struct front *f, const struct pollfd *p)
{
    struct collateral_link *l = f->collateral_link;
    struct wire_header h;
    struct bytes payload;

    if (p->revents == 0 || l->c.fd != p->fd || l->c.fd < 0)
        return;
    if (((p->revents & POLLOUT) != 0 && !channel_flush(&l->c)) || ((p->revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !channel_fill(&l->c))) {
        lost(l);
        return;
    }
    while (channel_next(&l->c, &h, &payload))
        on_frame(f, &h, payload);
}

void collateral_link_expire(struct front *f, uint64_t now_us)
{
    struct collateral_wait **at = &f->collateral_link->waits;

    while (*at != NULL) {
        struct collateral_wait *w = *at;

        if (now_us < w->deadline_us) {
            for (size_t i = 0; i < w->count; i++)
                if (w->open[i] != NULL)
                    ask(f->collateral_link, w->open[i], w->use == COLLATERAL_MIRROR); /* again, after the process was lost */
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
    if (best == UINT64_MAX)
        return -1;
    if (l->c.fd < 0)
        return 200;
    return best <= now_us ? 0 : (int)((best - now_us) / 1000 + 1);
}
