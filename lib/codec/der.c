/* der.c: see der.h. */
#include "codec/der.h"

#include "codec/stamp.h"

int der_peek(const struct cur *c)
{
    return cur_left(c) == 0 ? -1 : c->all.p[c->at];
}

static size_t take_length(struct cur *c, const char *field)
{
    uint8_t first = cur_u8(c, field);
    size_t n = 0;

    if (first < 0x80)
        return first;
    if (first == 0x80 || first > 0x84) {
        cur_wrong(c, field, "a definite length of at most four bytes");
        return 0;
    }
    for (unsigned i = 0; i < (first & 0x7fu); i++)
        n = n << 8 | cur_u8(c, field);
    if (n < 0x80 || (first > 0x81 && n >> (8 * ((first & 0x7fu) - 1)) == 0))
        cur_wrong(c, field, "the shortest form of a length");
    return cur_ok(c) ? n : 0;
}

struct bytes der_any(struct cur *c, unsigned *ret_tag, struct bytes *ret_content, const char *field)
{
    size_t start = c->at;
    unsigned tag = cur_u8(c, field);
    struct bytes content;

    if ((tag & 0x1f) == 0x1f)
        cur_wrong(c, field, "a tag number below 31");
    content = cur_take(c, take_length(c, field), field);
    *ret_tag = tag;
    *ret_content = content;
    return cur_ok(c) ? bytes_part(c->all, start, c->at - start) : (struct bytes){ NULL, 0 };
}

struct bytes der_whole(struct cur *c, unsigned tag, const char *field)
{
    unsigned found;
    struct bytes content, whole;

    if (cur_left(c) > 0 && der_peek(c) != (int)tag)
        cur_wrong(c, field, "another ASN.1 tag");
    whole = der_any(c, &found, &content, field);
    return whole;
}

struct bytes der_take(struct cur *c, unsigned tag, const char *field)
{
    unsigned found;
    struct bytes content;

    if (cur_left(c) > 0 && der_peek(c) != (int)tag)
        cur_wrong(c, field, "another ASN.1 tag");
    (void)der_any(c, &found, &content, field);
    return cur_ok(c) ? content : (struct bytes){ NULL, 0 };
}

struct cur der_enter(struct cur *c, unsigned tag, const char *field)
{
    struct bytes content = der_take(c, tag, field);
    struct cur sub = { .all = content, .base = c->base + c->at - content.n };

    if (!cur_ok(c)) {
        sub = *c;
        sub.all = (struct bytes){ NULL, 0 };
        sub.at = 0;
    }
    return sub;
}

struct bytes der_integer(struct cur *c, const char *field)
{
    struct bytes b = der_take(c, DER_INTEGER, field);

    if (cur_ok(c) && (b.n == 0 || (b.n > 1 && ((b.p[0] == 0 && b.p[1] < 0x80) || (b.p[0] == 0xff && b.p[1] >= 0x80)))))
        cur_wrong(c, field, "the shortest form of an integer");
    return b;
}

uint64_t der_uint(struct cur *c, unsigned tag, uint64_t max, const char *field)
{
    struct bytes b = der_take(c, tag, field);
    uint64_t v = 0;

    if (!cur_ok(c))
        return 0;
    if (b.n == 0 || b.n > 9 || (b.p[0] & 0x80) != 0 || (b.n > 1 && b.p[0] == 0 && b.p[1] < 0x80)
        || (b.n == 9 && b.p[0] != 0)) {
        cur_wrong(c, field, "a non-negative integer in its shortest form");
        return 0;
    }
    for (size_t i = 0; i < b.n; i++)
        v = v << 8 | b.p[i];
    if (v > max) {
        cur_wrong(c, field, "a smaller integer");
        return 0;
    }
    return v;
}

bool der_bool(struct cur *c, const char *field)
{
    struct bytes b = der_take(c, DER_BOOLEAN, field);

    if (cur_ok(c) && (b.n != 1 || (b.p[0] != 0 && b.p[0] != 0xff)))
        cur_wrong(c, field, "a DER boolean");
    return cur_ok(c) && b.p[0] != 0;
}

struct bytes der_bits(struct cur *c, const char *field)
{
    struct bytes b = der_take(c, DER_BIT_STRING, field);

    if (!cur_ok(c))
        return (struct bytes){ NULL, 0 };
    if (b.n == 0 || b.p[0] != 0) {
        cur_wrong(c, field, "a bit string of whole bytes");
        return (struct bytes){ NULL, 0 };
    }
    return bytes_part(b, 1, b.n - 1);
}

int64_t der_time(struct cur *c, const char *field)
{
    int tag = der_peek(c);
    struct bytes b = der_take(c, tag == DER_GENTIME ? DER_GENTIME : DER_UTCTIME, field);
    int64_t t = 0;

    if (cur_ok(c) && !(tag == DER_GENTIME ? stamp_parse_gentime(b, &t) : stamp_parse_utctime(b, &t)))
        cur_wrong(c, field, "a time in UTC with seconds");
    return t;
}
