/* memo.c: a hash table over a ring of entries in order of use. Keys are digests, hence spread already. */
#include "base/memo.h"

#include <stdlib.h>

struct entry {
    struct entry *older, *newer; /* order of use */
    struct entry *chain;         /* same bucket */
    const void *tag;
    uint8_t key[32];
    void *value;
    size_t bytes;
    void (*free_value)(void *);
};

struct memo {
    struct entry *oldest, *newest;
    struct entry **buckets;
    size_t bucket_mask;
    size_t count, max;
    size_t bytes, max_bytes;
};

struct memo *memo_new(size_t max_entries)
{
    struct memo *m = calloc(1, sizeof(*m));
    size_t buckets = 16;

    while (buckets < max_entries && buckets < ((size_t)1 << 20))
        buckets *= 2;
    if (m == NULL)
        return NULL;
    m->buckets = calloc(buckets, sizeof(*m->buckets));
    if (m->buckets == NULL) {
        free(m);
        return NULL;
    }
    m->bucket_mask = buckets - 1;
    m->max = max_entries;
    m->max_bytes = SIZE_MAX;
    return m;
}

void memo_limit(struct memo *m, size_t bytes)
{
    m->max_bytes = bytes;
}

static struct entry **bucket_of(struct memo *m, const uint8_t key[32])
{
    size_t h;

    memcpy(&h, key, sizeof(h));
    return &m->buckets[h & m->bucket_mask];
}

static void unlink_use(struct memo *m, struct entry *x)
{
    *(x->older != NULL ? &x->older->newer : &m->oldest) = x->newer;
    *(x->newer != NULL ? &x->newer->older : &m->newest) = x->older;
}

static void link_newest(struct memo *m, struct entry *x)
{
    x->older = m->newest;
    x->newer = NULL;
    *(m->newest != NULL ? &m->newest->newer : &m->oldest) = x;
    m->newest = x;
}

static void drop(struct memo *m, struct entry *x)
{
    struct entry **at = bucket_of(m, x->key);

    while (*at != x)
        at = &(*at)->chain;
    *at = x->chain;
    unlink_use(m, x);
    m->count--;
    m->bytes -= x->bytes;
    x->free_value(x->value);
    free(x);
}

void memo_free(struct memo *m)
{
    if (m == NULL)
        return;
    while (m->oldest != NULL)
        drop(m, m->oldest);
    free(m->buckets);
    free(m);
}

static struct entry *look_up(struct memo *m, const void *tag, const uint8_t key[32])
{
    struct entry *x = *bucket_of(m, key);

    while (x != NULL && (x->tag != tag || memcmp(x->key, key, 32) != 0))
        x = x->chain;
    return x;
}

void *memo_find(struct memo *m, const void *tag, const uint8_t key[32])
{
    struct entry *x = m == NULL ? NULL : look_up(m, tag, key);

    if (x == NULL)
        return NULL;
    unlink_use(m, x);
    link_newest(m, x);
    return x->value;
}

bool memo_put(struct memo *m, const void *tag, const uint8_t key[32], void *value, void (*free_value)(void *))
{
    return memo_put_sized(m, tag, key, value, 0, free_value);
}

bool memo_put_sized(struct memo *m, const void *tag, const uint8_t key[32], void *value, size_t bytes, void (*free_value)(void *))
{
    struct entry *x = m == NULL || m->max == 0 ? NULL : look_up(m, tag, key), **bucket;

    if (x != NULL)
        drop(m, x);
    x = m == NULL || m->max == 0 ? NULL : calloc(1, sizeof(*x));
    if (x == NULL) {
        free_value(value);
        return false;
    }
    while (m->count >= m->max || (bytes > 0 && m->oldest != NULL && (bytes > m->max_bytes || m->bytes > m->max_bytes - bytes)))
        drop(m, m->oldest);
    memcpy(x->key, key, 32);
    x->tag = tag;
    x->value = value;
    x->bytes = bytes;
    x->free_value = free_value;
    bucket = bucket_of(m, key);
    x->chain = *bucket;
    *bucket = x;
    link_newest(m, x);
    m->count++;
    m->bytes += bytes;
    return true;
}

size_t memo_count(const struct memo *m)
{
    return m == NULL ? 0 : m->count;
}
