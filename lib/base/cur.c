/* cur.c: see cur.h. The only loads from outside bytes are in this file. */
#include "base/cur.h"

struct cur cur_open(struct bytes in)
{
    return (struct cur){ .all = in };
}

static bool fits(struct cur *c, size_t n, const char *field)
{
    if (c->field != NULL)
        return false;
    if (n <= c->all.n - c->at)
        return true;
    c->field = field;
    c->failed_at = c->base + c->at;
    c->want = n;
    c->had = c->all.n - c->at;
    return false;
}

static uint64_t load(struct cur *c, size_t n, bool big, const char *field)
{
    uint64_t v = 0;
    const uint8_t *p;

    if (!fits(c, n, field))
        return 0;
    p = c->all.p + c->at;
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)p[i] << (8 * (big ? n - 1 - i : i));
    c->at += n;
    return v;
}

uint8_t cur_u8(struct cur *c, const char *field)
{
    return (uint8_t)load(c, 1, false, field);
}

uint16_t cur_u16le(struct cur *c, const char *field)
{
    return (uint16_t)load(c, 2, false, field);
}

uint32_t cur_u32le(struct cur *c, const char *field)
{
    return (uint32_t)load(c, 4, false, field);
}

uint64_t cur_u64le(struct cur *c, const char *field)
{
    return load(c, 8, false, field);
}

uint16_t cur_u16be(struct cur *c, const char *field)
{
    return (uint16_t)load(c, 2, true, field);
}

uint32_t cur_u32be(struct cur *c, const char *field)
{
    return (uint32_t)load(c, 4, true, field);
}

uint64_t cur_u64be(struct cur *c, const char *field)
{
    return load(c, 8, true, field);
}

struct bytes cur_take(struct cur *c, size_t n, const char *field)
{
    struct bytes b = { NULL, 0 };

    if (!fits(c, n, field))
        return b;
    b = bytes_part(c->all, c->at, n);
    c->at += n;
    return b;
}

struct bytes cur_rest(struct cur *c)
{
    return cur_take(c, cur_left(c), "rest");
}

void cur_skip(struct cur *c, size_t n, const char *field)
{
    (void)cur_take(c, n, field);
}

struct cur cur_sub(struct cur *c, size_t n, const char *field)
{
    struct cur sub = { .base = c->base + c->at };

    sub.all = cur_take(c, n, field);
    if (c->field != NULL) { /* the inner cursor carries the outer failure */
        sub.field = c->field;
        sub.wrong = c->wrong;
        sub.failed_at = c->failed_at;
        sub.want = c->want;
        sub.had = c->had;
    }
    return sub;
}

void cur_wrong(struct cur *c, const char *field, const char *expected)
{
    if (c->field != NULL)
        return;
    c->field = field;
    c->wrong = expected;
    c->failed_at = c->base + c->at;
}

bool cur_check(const struct cur *c, enum err_code code, const char *what, struct err *e)
{
    if (c->field == NULL)
        return true;
    if (c->wrong != NULL)
        return err_set(e, code, what, "'%s' at offset %zu: expected %s", c->field, c->failed_at, c->wrong);
    return err_set(e, code, what, "'%s' at offset %zu needs %zu bytes, %zu are left",
                   c->field, c->failed_at, c->want, c->had);
}

bool cur_close(const struct cur *c, enum err_code code, const char *what, struct err *e)
{
    if (!cur_check(c, code, what, e))
        return false;
    if (c->at != c->all.n)
        return err_set(e, code, what, "%zu bytes follow the end at offset %zu", c->all.n - c->at,
                       c->base + c->at);
    return true;
}
