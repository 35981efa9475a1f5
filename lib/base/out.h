/* out.h: text and bytes being written; grows in an arena. Failure is sticky and told once by out_ok(). */
#ifndef AVOUCH_BASE_OUT_H
#define AVOUCH_BASE_OUT_H

#include "base/arena.h"
#include "base/bytes.h"

struct out {
    struct arena *a;
    uint8_t *p;
    size_t n;
    size_t cap;
    bool failed;
};

static inline struct out out_open(struct arena *a)
{
    return (struct out){ .a = a };
}

void out_bytes(struct out *o, struct bytes b);
void out_text(struct out *o, const char *s);
void out_char(struct out *o, char c);
void out_u8(struct out *o, uint8_t v);
void out_u16le(struct out *o, uint16_t v);
void out_u32le(struct out *o, uint32_t v);
void out_u64le(struct out *o, uint64_t v);
/* Decimal, where a long output has many of them: out_printf() costs several times as much. */
void out_uint(struct out *o, uint64_t v);
void out_printf(struct out *o, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Room for n bytes that the caller fills, or NULL. */
uint8_t *out_room(struct out *o, size_t n);

static inline bool out_ok(const struct out *o)
{
    return !o->failed;
}

/* What was written so far; a NUL stands behind it. */
struct bytes out_view(struct out *o);

#endif
