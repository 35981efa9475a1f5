/* hex.c: see hex.h. */
#include "codec/hex.h"

static void print(struct out *o, struct bytes b, const char *digits)
{
    uint8_t *q = out_room(o, b.n * 2);

    for (size_t i = 0; q != NULL && i < b.n; i++) {
        *q++ = (uint8_t)digits[b.p[i] >> 4];
        *q++ = (uint8_t)digits[b.p[i] & 15];
    }
}

void hex_print(struct out *o, struct bytes b)
{
    print(o, b, "0123456789abcdef");
}

struct bytes hex_encode(struct arena *a, struct bytes b)
{
    struct out o = out_open(a);

    hex_print(&o, b);
    return out_view(&o);
}

struct bytes hex_encode_upper(struct arena *a, struct bytes b)
{
    struct out o = out_open(a);

    print(&o, b, "0123456789ABCDEF");
    return out_view(&o);
}

static int digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool hex_decode_exact(struct bytes text, uint8_t *to, size_t n)
{
    if (text.n != n * 2)
        return false;
    for (size_t i = 0; i < n; i++) {
        int hi = digit(text.p[2 * i]), lo = digit(text.p[2 * i + 1]);

        if (hi < 0 || lo < 0)
            return false;
        to[i] = (uint8_t)(hi << 4 | lo);
    }
    return true;
}

bool hex_decode(struct bytes text, struct arena *a, struct bytes *ret)
{
    uint8_t *p;

    if (text.n % 2 != 0)
        return false;
    p = arena_alloc(a, text.n / 2 + 1);
    if (p == NULL || !hex_decode_exact(text, p, text.n / 2))
        return false;
    *ret = (struct bytes){ p, text.n / 2 };
    return true;
}
