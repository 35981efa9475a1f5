/* out.c: see out.h. */
#include "base/out.h"

#include <stdarg.h>
#include <stdio.h>

uint8_t *out_room(struct out *o, size_t n)
{
    uint8_t *p;

    if (o->failed)
        return NULL;
    if (n >= o->cap - o->n || o->p == NULL) { /* one byte stays free for the NUL */
        size_t cap = o->cap == 0 ? 256 : o->cap;

        while (cap <= o->n + n) {
            if (cap > SIZE_MAX / 2) {
                o->failed = true;
                return NULL;
            }
            cap *= 2;
        }
        p = arena_alloc(o->a, cap);
        if (p == NULL) {
            o->failed = true;
            return NULL;
        }
        if (o->n > 0)
            memcpy(p, o->p, o->n);
        o->p = p;
        o->cap = cap;
    }
    p = o->p + o->n;
    o->n += n;
    return p;
}

void out_bytes(struct out *o, struct bytes b)
{
    uint8_t *p = out_room(o, b.n);

    if (p != NULL && b.n > 0)
        memcpy(p, b.p, b.n);
}

void out_text(struct out *o, const char *s)
{
    out_bytes(o, bytes_str(s));
}

void out_char(struct out *o, char c)
{
    out_bytes(o, bytes_of(&c, 1));
}

static void put_le(struct out *o, uint64_t v, size_t n)
{
    uint8_t *p = out_room(o, n);

    for (size_t i = 0; p != NULL && i < n; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

void out_u8(struct out *o, uint8_t v)
{
    put_le(o, v, 1);
}

void out_u16le(struct out *o, uint16_t v)
{
    put_le(o, v, 2);
}

void out_u32le(struct out *o, uint32_t v)
{
    put_le(o, v, 4);
}

void out_u64le(struct out *o, uint64_t v)
{
    put_le(o, v, 8);
}

void out_uint(struct out *o, uint64_t v)
{
    uint8_t digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (uint8_t)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    out_bytes(o, bytes_of(digits + at, sizeof(digits) - at));
}

void out_printf(struct out *o, const char *fmt, ...)
{
    va_list args;
    char small[256];
    int n;

    va_start(args, fmt);
    n = vsnprintf(small, sizeof(small), fmt, args);
    va_end(args);
    if (n < 0) {
        o->failed = true;
        return;
    }
    if ((size_t)n < sizeof(small)) {
        out_bytes(o, bytes_of(small, (size_t)n));
        return;
    }
    char *big = arena_alloc(o->a, (size_t)n + 1);
    if (big == NULL) {
        o->failed = true;
        return;
    }
    va_start(args, fmt);
    vsnprintf(big, (size_t)n + 1, fmt, args);
    va_end(args);
    out_bytes(o, bytes_of(big, (size_t)n));
}

struct bytes out_view(struct out *o)
{
    if (o->failed)
        return (struct bytes){ NULL, 0 };
    if (o->p == NULL && out_room(o, 0) == NULL)
        return (struct bytes){ NULL, 0 };
    o->p[o->n] = 0;
    return (struct bytes){ o->p, o->n };
}
