/* arena.c: blocks of doubling size; the only place in lib/ that calls malloc. */
#include "base/arena.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_BLOCK ((size_t)16 << 10)
#define LARGEST_STEP ((size_t)1 << 20)
#define MOST_KEPT ((size_t)1 << 20)
#define ALIGNMENT _Alignof(max_align_t)

struct arena_block {
    struct arena_block *next;
    size_t size; /* of data */
    size_t used;
    _Alignas(max_align_t) uint8_t data[];
};

void arena_init(struct arena *a, size_t budget)
{
    *a = (struct arena){ .left = budget };
}

static void free_blocks(struct arena_block *b)
{
    while (b != NULL) {
        struct arena_block *next = b->next;

        free(b);
        b = next;
    }
}

void arena_done(struct arena *a)
{
    free_blocks(a->blocks);
    free_blocks(a->spare);
    *a = (struct arena){ 0 };
}

void arena_reset(struct arena *a, size_t budget)
{
    struct arena_block *b = a->blocks, *next;
    size_t kept = 0;

    for (struct arena_block *s = a->spare; s != NULL; s = s->next)
        kept += s->size;
    for (; b != NULL; b = next) {
        next = b->next;
        if (kept + b->size > MOST_KEPT) {
            free(b);
            continue;
        }
        memset(b->data, 0, b->used);
        b->used = 0;
        b->next = a->spare;
        a->spare = b;
        kept += b->size;
    }
    a->blocks = NULL;
    a->failed = false;
    a->left = budget;
}

/* A kept block of at least this size that the budget still pays for. */
static struct arena_block *take_spare(struct arena *a, size_t at_least)
{
    for (struct arena_block **at = &a->spare; *at != NULL; at = &(*at)->next) {
        struct arena_block *b = *at;

        if (b->size < at_least || b->size > a->left)
            continue;
        *at = b->next;
        b->next = a->blocks;
        a->blocks = b;
        a->left -= b->size;
        return b;
    }
    return NULL;
}

static struct arena_block *new_block(struct arena *a, size_t at_least)
{
    size_t size = a->blocks == NULL ? FIRST_BLOCK : a->blocks->size * 2;
    struct arena_block *b = take_spare(a, at_least);

    if (b != NULL)
        return b;
    if (size > LARGEST_STEP)
        size = LARGEST_STEP;
    if (size < at_least)
        size = at_least;
    if (size > a->left)
        size = at_least; /* near the limit: only what is needed */
    if (size > a->left)
        return NULL;
    b = calloc(1, sizeof(*b) + size);
    if (b == NULL)
        return NULL;
    b->size = size;
    b->next = a->blocks;
    a->blocks = b;
    a->left -= size;
    return b;
}

void *arena_alloc(struct arena *a, size_t n)
{
    struct arena_block *b = a->blocks;
    size_t rounded = (n + (ALIGNMENT - 1)) & ~(ALIGNMENT - 1);
    void *p;

    if (a->failed)
        return NULL;
    if (rounded < n) { /* overflow */
        a->failed = true;
        return NULL;
    }
    if (rounded == 0)
        rounded = ALIGNMENT;
    if (b == NULL || b->size - b->used < rounded) {
        b = new_block(a, rounded);
        if (b == NULL) {
            a->failed = true;
            return NULL;
        }
    }
    p = b->data + b->used;
    b->used += rounded;
    return p;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
    size_t n;

    if (__builtin_mul_overflow(count, size, &n)) {
        a->failed = true;
        return NULL;
    }
    return arena_alloc(a, n);
}

struct bytes arena_copy(struct arena *a, struct bytes b)
{
    uint8_t *p = b.n == SIZE_MAX ? NULL : arena_alloc(a, b.n + 1);

    if (p == NULL)
        return (struct bytes){ NULL, 0 };
    if (b.n > 0)
        memcpy(p, b.p, b.n);
    return (struct bytes){ p, b.n };
}

char *arena_str(struct arena *a, struct bytes b)
{
    char *p = b.n == SIZE_MAX ? NULL : arena_alloc(a, b.n + 1);

    if (p != NULL && b.n > 0)
        memcpy(p, b.p, b.n);
    return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list args;
    char *p;
    int n;

    va_start(args, fmt);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0)
        return NULL;
    p = arena_alloc(a, (size_t)n + 1);
    if (p == NULL)
        return NULL;
    va_start(args, fmt);
    vsnprintf(p, (size_t)n + 1, fmt, args);
    va_end(args);
    return p;
}
