/* b64.c: see b64.h. */
#include "codec/b64.h"

static const char URL[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char STD[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum { BAD = 0xff, ONLY_STD = 0x40, ONLY_URL = 0x80 };

/* Value of each character; two bits tell the characters that only one of the alphabets has. */
/* clang-format off */
static const uint8_t values[256] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7e, 0xff, 0xbe, 0xff, 0x7f,
    0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e,
    0x0f, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0xff, 0xff, 0xff, 0xff, 0xbf,
    0xff, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28,
    0x29, 0x2a, 0x2b, 0x2c, 0x2d, 0x2e, 0x2f, 0x30, 0x31, 0x32, 0x33, 0xff, 0xff, 0xff, 0xff, 0xff,
    [128 ... 255] = 0xff,
};
/* clang-format on */

/* BAD also for a character of the other alphabet where the form is strict. */
static uint8_t value_of(uint8_t c, enum b64_form form)
{
    uint8_t v = values[c];

    if (v == BAD || (form == B64_URL_STRICT && (v & ONLY_STD) != 0) || (form == B64_STD_STRICT && (v & ONLY_URL) != 0))
        return BAD;
    return v & 63;
}

/* Whole groups of four as long as nothing is suspicious; the rest, and what to say, is the slow loop's.
 * Returns the number of characters read. */
static size_t decode_groups(struct bytes text, enum b64_form form, uint8_t *to)
{
    const uint8_t refuse = form == B64_URL_STRICT ? ONLY_STD : form == B64_STD_STRICT ? ONLY_URL : 0;
    size_t i = 0;

    for (; text.n - i >= 4; i += 4, to += 3) {
        const uint8_t *c = text.p + i;
        uint8_t v0 = values[c[0]], v1 = values[c[1]], v2 = values[c[2]], v3 = values[c[3]];
        uint8_t all = v0 | v1 | v2 | v3;

        if (all == BAD || (all & refuse) != 0)
            break;
        to[0] = (uint8_t)((v0 & 63) << 2 | (v1 & 63) >> 4);
        to[1] = (uint8_t)((v1 & 63) << 4 | (v2 & 63) >> 2);
        to[2] = (uint8_t)((v2 & 63) << 6 | (v3 & 63));
    }
    return i;
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
    size_t n, read;
    uint8_t *p;

    if (!take_padding(&text, form))
        return err_set(e, ERR_BAD_REQUEST, what, "base64 padding is wrong");
    if (text.n % 4 == 1)
        return err_set(e, ERR_BAD_REQUEST, what, "base64 text of %zu characters is cut", text.n);
    p = arena_alloc(a, text.n / 4 * 3 + 3);
    if (p == NULL)
        return err_memory(e, what);
    read = decode_groups(text, form, p);
    n = read / 4 * 3;
    for (size_t i = read; i < text.n; i++) {
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
