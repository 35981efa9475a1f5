/* store.c: see store.h. A file holds a bundle of one record; its name is the hash of the key. */
#include "collateral/store.h"

#include "codec/hex.h"
#include "codec/stamp.h"
#include "crypto/hash.h"
#include "os/io.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    CHAINS = 4096,
    MAX_EMPTY = 2048,
    MAX_PCK = 16384,      /* each TCB that is invented for a real platform may bring another key for the same certificate */
    FILE_MAX = 32 << 20,
    PCK_LIFE = 14 * 86400, /* Intel makes a certificate of a newer TCB when it knows the platform's; half of it is a week */
};

struct store {
    const char *folder;
    const struct trust *trust;
    struct slot *chains[CHAINS];
    struct slot *newest, *oldest; /* of the slots without content */
    size_t empty, full, pck;
};

struct store *store_new(const char *folder, const struct trust *trust)
{
    struct store *s = calloc(1, sizeof(*s));

    if (s != NULL) {
        s->folder = folder;
        s->trust = trust;
    }
    return s;
}

static void content_free(struct content *c)
{
    struct arena own;

    if (c == NULL)
        return;
    own = c->own;
    arena_done(&own);
}

static void slot_free(struct slot *t)
{
    content_free(t->content);
    free((void *)(uintptr_t)t->key);
    free(t);
}

void store_free(struct store *s)
{
    for (size_t i = 0; s != NULL && i < CHAINS; i++)
        while (s->chains[i] != NULL) {
            struct slot *t = s->chains[i];

            s->chains[i] = t->next;
            slot_free(t);
        }
    free(s);
}

/* -- slots -- */

static void leave_list(struct store *s, struct slot *t)
{
    *(t->newer == NULL ? &s->newest : &t->newer->older) = t->older;
    *(t->older == NULL ? &s->oldest : &t->older->newer) = t->newer;
    t->newer = t->older = NULL;
    s->empty--;
}

static void enter_list(struct store *s, struct slot *t)
{
    t->older = s->newest;
    t->newer = NULL;
    *(s->newest == NULL ? &s->oldest : &s->newest->newer) = t;
    s->newest = t;
    s->empty++;
}

static void forget_one(struct store *s)
{
    struct slot *t = s->oldest, **at;

    while (t != NULL && t->job != NULL)
        t = t->newer;
    if (t == NULL)
        return;
    leave_list(s, t);
    for (at = &s->chains[t->hash % CHAINS]; *at != t;)
        at = &(*at)->next;
    *at = t->next;
    slot_free(t);
}

/* By a cryptographic hash: keys come from outside and must not be made to collide. */
static uint64_t key_hash(const char *key)
{
    struct digest d = sha256(bytes_str(key));
    uint64_t h;

    memcpy(&h, d.p, sizeof(h));
    return h;
}

static struct slot *slot_make(struct store *s, const struct need_key *k, const char *key, uint64_t hash)
{
    struct slot *t = calloc(1, sizeof(*t));

    if (t == NULL || (t->key = strdup(key)) == NULL) {
        free(t);
        return NULL;
    }
    t->need = *k;
    t->hash = hash;
    t->next = s->chains[hash % CHAINS];
    s->chains[hash % CHAINS] = t;
    enter_list(s, t);
    return t;
}

struct slot *store_slot(struct store *s, const struct need_key *k)
{
    struct need_key name = need_key_name(k);
    struct arena a;
    struct slot *t = NULL;
    const char *key;

    arena_init(&a, 1 << 16);
    key = need_key_print(&name, &a);
    if (key != NULL) {
        uint64_t hash = key_hash(key);

        for (t = s->chains[hash % CHAINS]; t != NULL && strcmp(t->key, key) != 0;)
            t = t->next;
        if (t == NULL) {
            if (s->empty >= MAX_EMPTY)
                forget_one(s);
            t = slot_make(s, k, key, hash);
        } else if (t->content == NULL) {
            leave_list(s, t);
            enter_list(s, t);
        }
        if (t != NULL && k->ppid_size > 0 && memcmp(t->need.ppid, k->ppid, k->ppid_size) != 0) {
            t->need = *k;    /* the last one told: for the source that is asked next */
            t->retry_us = 0; /* what failed with another one may succeed with this */
        }
    }
    arena_done(&a);
    return t;
}

void store_each(struct store *s, void (*f)(void *user, struct slot *slot), void *user)
{
    for (size_t i = 0; i < CHAINS; i++)
        for (struct slot *t = s->chains[i], *next; t != NULL; t = next) {
            next = t->next;
            f(user, t);
        }
}

size_t store_count(const struct store *s)
{
    return s->full;
}

/* -- content -- */

/* When half of its life is over, or half of the rest where it came later than that (evidence-sgx 4.7). A source's
 * max-age makes it sooner. A twentieth is spread by the key, so that items of one day are not fetched in one second. */
static int64_t refresh_time(const struct slot *t, const struct content *c)
{
    int64_t now = c->record.fetched;
    int64_t to = c->v.to == INT64_MAX ? now + 7 * 86400 : c->v.to, half;

    if (t->need.form == NEED_PCK && to > now + PCK_LIFE)
        to = now + PCK_LIFE;
    half = c->v.from + (to - c->v.from) / 2;

    if (half <= now)
        half = now + (to - now) / 2;
    if (c->record.max_age > 0 && now + c->record.max_age < half)
        half = now + c->record.max_age;
    if (half > now)
        half -= (int64_t)((double)(half - now) / 20 * (double)(t->hash & 0xff) / 255);
    return half < now + 60 ? now + 60 : half;
}

static struct content *content_new(const struct record *r, const struct vetted *v)
{
    size_t size = sizeof(struct content) + 65536;
    struct arena own;
    struct content *c;

    for (size_t i = 0; i < r->count; i++)
        size += r->bodies[i].n + 4096;
    arena_init(&own, size * 2);
    c = arena_new(&own, struct content);
    if (c == NULL) {
        arena_done(&own);
        return NULL;
    }
    c->record = *r;
    c->record.key = arena_copy(&own, r->key);
    c->record.source = arena_copy(&own, r->source);
    c->record.etag = arena_copy(&own, r->etag);
    c->record.modified = arena_copy(&own, r->modified);
    for (size_t i = 0; i < r->count; i++)
        c->record.bodies[i] = arena_copy(&own, r->bodies[i]);
    c->v = *v;
    if (own.failed) {
        arena_done(&own);
        return NULL;
    }
    c->own = own;
    return c;
}

static const char *file_name(const struct store *s, const struct slot *t, char *to, size_t size)
{
    struct digest d = sha256(bytes_str(t->key));
    char hex[33];

    for (size_t i = 0; i < 16; i++)
        snprintf(hex + 2 * i, 3, "%02x", d.p[i]);
    snprintf(to, size, "%s/%s.coll", s->folder, hex);
    return to;
}

static void save(const struct store *s, const struct slot *t)
{
    char path[4096];
    struct arena a;
    struct err e = { .code = ERR_NONE };
    struct bytes file;

    arena_init(&a, (size_t)FILE_MAX * 4);
    file = bundle_print(&t->content->record, 1, &a);
    if (file.p == NULL || !file_write(file_name(s, t, path, sizeof(path)), file, 0600, &e)) {
        (void)err_memory(&e, "cache");
        log_error("collateral", &e); /* it stays in memory; the next refresh tries again */
    }
    arena_done(&a);
}

static void set_content(struct store *s, struct slot *t, struct content *c)
{
    if (t->content == NULL) {
        leave_list(s, t);
        s->full++;
        s->pck += t->need.form == NEED_PCK;
    }
    content_free(t->content);
    t->content = c;
    c->refresh_at = refresh_time(t, c);
    t->warned_at = 0;
}

bool store_put(struct store *s, struct slot *t, const struct record *r, enum origin origin, int64_t now, bool *ret_newer, struct err *e)
{
    struct record named = *r;
    struct vetted v;
    struct content *c;

    named.key = bytes_str(t->key);
    if (r->fetched < 0 || r->fetched > now) /* of a file that somebody made, or of a clock that was ahead */
        named.fetched = now;
    if (t->need.form == NEED_PCK && t->content == NULL && s->pck >= MAX_PCK)
        return err_set(e, ERR_LIMIT, "cache", "has %d PCK certificates, no more are kept", MAX_PCK);
    if (!vet_record(&t->need, &named, s->trust, origin != ORIGIN_SOURCE, now, &v, e))
        return false;
    if (now > v.to && origin != ORIGIN_CACHE)
        return err_set(e, ERR_COLLATERAL_EXPIRED, "answer", "ended at %s already", stamp_text(v.to).s);
    if (t->content != NULL && v.from < t->content->v.from)
        return err_set(e, ERR_COLLATERAL_EXPIRED, "answer", "is of %s, older than what is there, which is of %s", stamp_text(v.from).s,
                       stamp_text(t->content->v.from).s);
    if (v.from > now + 86400)
        return err_set(e, ERR_COLLATERAL_FORMAT, "answer", "is valid only from %s", stamp_text(v.from).s);
    c = content_new(&named, &v);
    if (c == NULL)
        return err_memory(e, "cache");
    *ret_newer = t->content == NULL || v.from > t->content->v.from;
    set_content(s, t, c);
    if (origin != ORIGIN_CACHE)
        save(s, t);
    return true;
}

void store_renew(struct store *s, struct slot *t, int64_t now)
{
    t->content->record.fetched = now;
    t->content->refresh_at = refresh_time(t, t->content);
    save(s, t);
}

void store_drop(struct store *s, struct slot *t)
{
    char path[4096];

    if (t->content == NULL)
        return;
    (void)unlink(file_name(s, t, path, sizeof(path)));
    content_free(t->content);
    t->content = NULL;
    s->full--;
    s->pck -= t->need.form == NEED_PCK;
    enter_list(s, t);
}

/* -- the folder -- */

static bool load_file(struct store *s, const char *path, struct arena *a, int64_t now, struct err *e)
{
    struct record *list;
    struct need_key k;
    struct bytes file;
    struct slot *t;
    size_t count;
    bool newer;

    if (!file_read(path, FILE_MAX, a, &file, e) || !bundle_parse(file, a, &list, &count, e))
        return false;
    if (count != 1)
        return err_set(e, ERR_COLLATERAL_FORMAT, "cache", "%s has %zu records, one is expected", path, count);
    if (!need_key_parse(list[0].key, &k, e))
        return false;
    t = store_slot(s, &k);
    if (t == NULL)
        return err_memory(e, "cache");
    if (t->content != NULL && t->content->record.fetched >= list[0].fetched)
        return true;
    return store_put(s, t, &list[0], ORIGIN_CACHE, now, &newer, e);
}

static bool ends_with(const char *name, const char *with)
{
    size_t n = strlen(name), m = strlen(with);

    return n >= m && strcmp(name + n - m, with) == 0;
}

void store_load(struct store *s, bool owner, int64_t now)
{
    const char *const *names;
    struct err e = { .code = ERR_NONE };
    struct arena list, a;
    size_t count;

    arena_init(&list, (size_t)64 << 20);
    if (!folder_list(s->folder, &list, &names, &count, &e)) {
        log_error("collateral", &e);
        count = 0;
    }
    arena_init(&a, 4 * (size_t)FILE_MAX);
    for (size_t i = 0; i < count; i++) {
        char path[4096];

        e = (struct err){ .code = ERR_NONE };
        snprintf(path, sizeof(path), "%s/%s", s->folder, names[i]);
        if (ends_with(names[i], ".coll") && !load_file(s, path, &a, now, &e)) {
            log_error("collateral", &e);
            if (owner && e.code == ERR_COLLATERAL_FORMAT) /* damaged: it would only be told again at each start */
                (void)unlink(path);
        } else if (owner && strstr(names[i], ".coll.new.") != NULL) {
            (void)unlink(path); /* a write that a crash cut short */
        }
        arena_reset(&a, 4 * (size_t)FILE_MAX);
    }
    arena_done(&a);
    arena_done(&list);
}
