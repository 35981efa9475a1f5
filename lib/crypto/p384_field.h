/* p384_field.h: arithmetic modulo p = 2^384 - 2^128 - 2^96 + 2^32 - 1 (FIPS 186-4 D.1.2.4), for p384.c and its tests only.
 *
 * An element is six 64-bit words, least significant first: any number below 2^384 that is congruent to the value, so
 * comparing goes through fe_settle(). GMP's mpn functions multiply; 2^384 = 2^128 + 2^96 - 2^32 + 1 (mod p) brings what
 * is above back in. Words are added as 128-bit signed columns, which compilers turn into short carry chains.
 * Public data only: times depend on values. */
#ifndef AVOUCH_CRYPTO_P384_FIELD_H
#define AVOUCH_CRYPTO_P384_FIELD_H

#include <gmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { FE_WORDS = 6 };
_Static_assert(GMP_NUMB_BITS == 64, "mp_limb_t is a word");

__extension__ typedef __int128 fe_column;

struct fe {
    mp_limb_t w[FE_WORDS];
};

static const struct fe fe_p = { { 0x00000000ffffffff, 0xffffffff00000000, 0xfffffffffffffffe, UINT64_MAX, UINT64_MAX, UINT64_MAX } };
static const struct fe fe_one = { { 1 } };

/* The value is words + k 2^384, |k| small. A second round is needed only where the first one crosses 2^384 again. */
static inline void fe_fold(mp_limb_t *w, int64_t k)
{
    while (k != 0) {
        fe_column v = w[0] + (fe_column)k * (fe_column)0xffffffff00000001;

        w[0] = (mp_limb_t)v;
        v = (v >> 64) + w[1] + (fe_column)k * 0xffffffff;
        w[1] = (mp_limb_t)v;
        v = (v >> 64) + w[2] + k;
        w[2] = (mp_limb_t)v;
        v >>= 64;
        for (int i = 3; i < FE_WORDS && v != 0; i++) {
            v += w[i];
            w[i] = (mp_limb_t)v;
            v >>= 64;
        }
        k = (int64_t)v;
    }
}

/* One column: `v` is the carry, of either sign, and takes the sum of the terms. */
#define FE_PUT(to, i, terms) (v += (terms), (to)[i] = (mp_limb_t)v, v >>= 64)

static inline void fe_add(struct fe *to, const struct fe *a, const struct fe *b)
{
    fe_column v = 0;

    FE_PUT(to->w, 0, (fe_column)a->w[0] + b->w[0]);
    FE_PUT(to->w, 1, (fe_column)a->w[1] + b->w[1]);
    FE_PUT(to->w, 2, (fe_column)a->w[2] + b->w[2]);
    FE_PUT(to->w, 3, (fe_column)a->w[3] + b->w[3]);
    FE_PUT(to->w, 4, (fe_column)a->w[4] + b->w[4]);
    FE_PUT(to->w, 5, (fe_column)a->w[5] + b->w[5]);
    fe_fold(to->w, (int64_t)v);
}

static inline void fe_sub(struct fe *to, const struct fe *a, const struct fe *b)
{
    fe_column v = 0;

    FE_PUT(to->w, 0, (fe_column)a->w[0] - b->w[0]);
    FE_PUT(to->w, 1, (fe_column)a->w[1] - b->w[1]);
    FE_PUT(to->w, 2, (fe_column)a->w[2] - b->w[2]);
    FE_PUT(to->w, 3, (fe_column)a->w[3] - b->w[3]);
    FE_PUT(to->w, 4, (fe_column)a->w[4] - b->w[4]);
    FE_PUT(to->w, 5, (fe_column)a->w[5] - b->w[5]);
    fe_fold(to->w, (int64_t)v);
}

/* Twelve words to six: t = low + h 2^384 = low + h 2^128 + h 2^96 - h 2^32 + h, twice (h has six words, then three: q).
 * g is h 2^32, so that each term begins at a word; what crosses 2^384 the second time is left to fe_fold(). */
static inline void fe_reduce(struct fe *to, const mp_limb_t *t)
{
    const mp_limb_t *h = t + FE_WORDS;
    mp_limb_t g[FE_WORDS + 1], r[FE_WORDS], q[3];
    fe_column v = 0;

    g[0] = h[0] << 32;
    for (int i = 1; i < FE_WORDS; i++)
        g[i] = h[i] << 32 | h[i - 1] >> 32;
    g[6] = h[5] >> 32;
    FE_PUT(r, 0, (fe_column)t[0] + h[0] - g[0]);
    FE_PUT(r, 1, (fe_column)t[1] + h[1] + g[0] - g[1]);
    FE_PUT(r, 2, (fe_column)t[2] + h[2] + h[0] + g[1] - g[2]);
    FE_PUT(r, 3, (fe_column)t[3] + h[3] + h[1] + g[2] - g[3]);
    FE_PUT(r, 4, (fe_column)t[4] + h[4] + h[2] + g[3] - g[4]);
    FE_PUT(r, 5, (fe_column)t[5] + h[5] + h[3] + g[4] - g[5]);
    FE_PUT(q, 0, (fe_column)h[4] + g[5] - g[6]);
    FE_PUT(q, 1, (fe_column)h[5] + g[6]);
    q[2] = (mp_limb_t)v; /* 0 or 1: the sum is not negative and below 2^513 */

    v = 0;
    g[0] = q[0] << 32;
    g[1] = q[1] << 32 | q[0] >> 32;
    g[2] = q[2] << 32 | q[1] >> 32;
    FE_PUT(to->w, 0, (fe_column)r[0] + q[0] - g[0]);
    FE_PUT(to->w, 1, (fe_column)r[1] + q[1] + g[0] - g[1]);
    FE_PUT(to->w, 2, (fe_column)r[2] + q[2] + q[0] + g[1] - g[2]);
    FE_PUT(to->w, 3, (fe_column)r[3] + q[1] + g[2]);
    FE_PUT(to->w, 4, (fe_column)r[4] + q[2]);
    FE_PUT(to->w, 5, (fe_column)r[5]);
    fe_fold(to->w, (int64_t)v);
}

static inline void fe_mul(struct fe *to, const struct fe *a, const struct fe *b)
{
    mp_limb_t t[2 * FE_WORDS];

    mpn_mul_n(t, a->w, b->w, FE_WORDS);
    fe_reduce(to, t);
}

static inline void fe_sqr(struct fe *to, const struct fe *a)
{
    mp_limb_t t[2 * FE_WORDS];

    mpn_sqr(t, a->w, FE_WORDS);
    fe_reduce(to, t);
}

/* To the one representative below p. */
static inline void fe_settle(struct fe *a)
{
    if (mpn_cmp(a->w, fe_p.w, FE_WORDS) >= 0)
        (void)mpn_sub_n(a->w, a->w, fe_p.w, FE_WORDS);
}

static inline bool fe_is_zero(const struct fe *a)
{
    return mpn_zero_p(a->w, FE_WORDS) || mpn_cmp(a->w, fe_p.w, FE_WORDS) == 0;
}

static inline bool fe_equal(const struct fe *a, const struct fe *b)
{
    struct fe d;

    fe_sub(&d, a, b);
    return fe_is_zero(&d);
}

#endif
