/* b64.c: see b64.h. */
#include "codec/b64.h"

static const char URL[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char STD[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum { BAD = 0xff };

static uint8_t value_of(uint8_t c, enum b64_form form)
{
    if (c >= 'A' && c <= 'Z')
        return (uint8_t)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (uint8_t)(c - 'a' + 26);
    if (c >= '0' && c <= '9')
        return (uint8_t)(c - '0' + 52);
    if (form != B64_URL_STRICT && (c == '+' || c == '/'))
        return c == '+' ? 62 : 63;
    if (form != B64_STD_STRICT && (c == '-' || c == '_'))
        return c == '-' ? 62 : 63;
    return BAD;
}

/* Cuts the padding off and tells whether it has the form that is asked for. */
static bool take_padding(struct bytes *text, enum b64_form form)
{
    size_t pad = 0;

    while (pad < 2 && text->n > 0 && text->p[text->n - 1] == '=') {
        text->n--;
        pad++;
    }
    switch (form) {
    case B64_URL_STRICT:
        return pad == 0;
    case B64_STD_STRICT:
        return (text->n + pad) % 4 == 0;
    case B64_ANY:
        return pad == 0 || (text->n + pad) % 4 == 0;
    }
    return false;
}

bool b64_decode(struct bytes text, enum b64_form form, const char *what, struct arena *a,
                struct bytes *ret, struct err *e)
{
    uint32_t acc = 0;
    unsigned bits = 0;
    size_t n = 0;
    uint8_t *p;

    if (!take_padding(&text, form))
        return err_set(e, ERR_BAD_REQUEST, what, "base64 padding is wrong");
    if (text.n % 4 == 1)
        return err_set(e, ERR_BAD_REQUEST, what, "base64 text of %zu characters is cut", text.n);
    p = arena_alloc(a, text.n / 4 * 3 + 3);
    if (p == NULL)
        return err_memory(e, what);
    for (size_t i = 0; i < text.n; i++) {
        uint8_t v = value_of(text.p[i], form);

        if (v == BAD)
            return err_set(e, ERR_BAD_REQUEST, what, "Unknown base64 character: %u ('%c') at offset %zu",
                           text.p[i], text.p[i] >= 0x20 && text.p[i] < 0x7f ? text.p[i] : '?', i);
        acc = acc << 6 | v;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            p[n++] = (uint8_t)(acc >> bits);
        }
    }
    if (form != B64_ANY && (acc & ((1u << bits) - 1)) != 0)
        return err_set(e, ERR_BAD_REQUEST, what, "base64 text has unused bits that are not zero");
    *ret = (struct bytes){ p, n };
    return true;
}

static void print(struct out *o, struct bytes b, const char *alphabet, bool pad)
{
    size_t full = b.n / 3, tail = b.n % 3;
    size_t n = full * 4 + (tail == 0 ? 0 : pad ? 4 : tail + 1);
    uint8_t *q = out_room(o, n);
    const uint8_t *p = b.p;

    if (q == NULL)
        return;
    for (size_t i = 0; i < full; i++, p += 3) {
        uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
        *q++ = (uint8_t)alphabet[v >> 18];
        *q++ = (uint8_t)alphabet[v >> 12 & 63];
        *q++ = (uint8_t)alphabet[v >> 6 & 63];
        *q++ = (uint8_t)alphabet[v & 63];
    }
    if (tail > 0) {
        uint32_t v = (uint32_t)p[0] << 16 | (tail == 2 ? (uint32_t)p[1] << 8 : 0);
        *q++ = (uint8_t)alphabet[v >> 18];
        *q++ = (uint8_t)alphabet[v >> 12 & 63];
        if (tail == 2)
            *q++ = (uint8_t)alphabet[v >> 6 & 63];
        if (pad)
            for (size_t i = tail; i < 3; i++)
                *q++ = '=';
    }
}

void b64url_print(struct out *o, struct bytes b)
{
    print(o, b, URL, false);
}

void b64std_print(struct out *o, struct bytes b)
{
    print(o, b, STD, true);
}

struct bytes b64url_encode(struct arena *a, struct bytes b)
{
    struct out o = out_open(a);

    b64url_print(&o, b);
    return out_view(&o);
}

struct bytes b64std_encode(struct arena *a, struct bytes b)
{
    struct out o = out_open(a);

    b64std_print(&o, b);
    return out_view(&o);
}
