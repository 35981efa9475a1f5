/* p384.c: see p384.h. Public data only, so nothing here needs to run in constant time.
 *
 * A scalar is cut into 77 signed digits of five bits. A table of a point P has rows: row i holds 1 to 16 times 2^(5 i span) P,
 * so that `span` rounds of "five doublings, then one addition for each row" make a multiple of P; the tables of both points of
 * u1 G + u2 Q share the doublings. A table of one row needs 76 rounds, one of ten rows 7. */
#include "crypto/p384.h"

#include "crypto/p384_field.h"

#include <stdlib.h>

enum {
    DIGIT_BITS = 5,
    DIGITS = 77, /* of 384 bits: the last one has four bits and a carry */
    MULTIPLES = 1 << (DIGIT_BITS - 1),
    LONG_SPAN = 8,
    LONG_ROWS = (DIGITS + LONG_SPAN - 1) / LONG_SPAN,
    REUSE = 2, /* verifications after which a key gets the long table: making it costs about as much as two */
};

struct affine {
    struct fe x, y;
};

/* Jacobian coordinates: (x / z^2, y / z^3); z = 0 is the point at infinity. */
struct point {
    struct fe x, y, z;
};

struct table {
    unsigned rows, span;
    struct affine at[][MULTIPLES];
};

struct p384 {
    struct table *table;
    unsigned uses;
    struct affine q;
};

static const mp_limb_t order[FE_WORDS] = { 0xecec196accc52973, 0x581a0db248b0a77a, 0xc7634d81f4372ddf, UINT64_MAX, UINT64_MAX, UINT64_MAX };
static const struct fe curve_b = { { 0x2a85c8edd3ec2aef, 0xc656398d8a2ed19d, 0x0314088f5013875a, 0x181d9c6efe814112, 0x988e056be3f82d19, 0xb3312fa7e23ee7e4 } };
static const struct affine base = {
    { { 0x3a545e3872760ab7, 0x5502f25dbf55296c, 0x59f741e082542a38, 0x6e1d3b628ba79b98, 0x8eb1c71ef320ad74, 0xaa87ca22be8b0537 } },
    { { 0x7a431d7c90ea0e5f, 0x0a60b1ce1d7e819d, 0xe9da3113b5f0b8c0, 0xf8f41dbd289a147c, 0x5d9e98bf9292dc29, 0x3617de4a96262c6f } },
};

static void from_bytes(mp_limb_t *to, const uint8_t *big_endian)
{
    for (int i = 0; i < FE_WORDS; i++) {
        const uint8_t *p = big_endian + P384_FIELD - 8 * (i + 1);

        to[i] = 0;
        for (int j = 0; j < 8; j++)
            to[i] = to[i] << 8 | p[j];
    }
}

/* 1 / a mod m, m prime, 0 < a < m. The first operand of gcdext must not be the smaller one: m is added to it. */
static void invert(mp_limb_t *to, const mp_limb_t *a, const mp_limb_t *m)
{
    mp_limb_t u[FE_WORDS + 2] = { 0 }, v[FE_WORDS + 1], gcd[FE_WORDS + 1], s[FE_WORDS + 2] = { 0 };
    mp_size_t un = FE_WORDS, sn;

    u[FE_WORDS] = mpn_add_n(u, a, m, FE_WORDS);
    un += u[FE_WORDS] != 0;
    memcpy(v, m, FE_WORDS * sizeof(*v));
    (void)mpn_gcdext(gcd, s, &sn, u, un, v, FE_WORDS);
    for (mp_size_t i = sn < 0 ? -sn : sn; i < FE_WORDS; i++)
        s[i] = 0;
    if (sn < 0)
        (void)mpn_sub_n(s, m, s, FE_WORDS);
    memcpy(to, s, FE_WORDS * sizeof(*to));
}

/* a b mod n */
static void order_mul(mp_limb_t *to, const mp_limb_t *a, const mp_limb_t *b)
{
    mp_limb_t product[2 * FE_WORDS], quotient[FE_WORDS + 1];

    mpn_mul_n(product, a, b, FE_WORDS);
    mpn_tdiv_qr(quotient, to, 0, product, 2 * FE_WORDS, order, FE_WORDS);
}

/* -- points -- */

static bool at_infinity(const struct point *a)
{
    return fe_is_zero(&a->z);
}

/* "dbl-2001-b" of the Explicit-Formulas Database for a = -3, with 2 y z for the new z. Infinity stays infinity. */
static void point_double(struct point *a)
{
    struct fe delta, gamma, beta, alpha, t;

    fe_sqr(&delta, &a->z);
    fe_sqr(&gamma, &a->y);
    fe_mul(&beta, &a->x, &gamma);
    fe_sub(&t, &a->x, &delta);
    fe_add(&delta, &a->x, &delta);
    fe_mul(&t, &t, &delta);
    fe_add(&alpha, &t, &t);
    fe_add(&alpha, &alpha, &t);
    fe_mul(&a->z, &a->y, &a->z);
    fe_add(&a->z, &a->z, &a->z);
    fe_add(&beta, &beta, &beta);
    fe_add(&beta, &beta, &beta); /* 4 beta */
    fe_sqr(&a->x, &alpha);
    fe_sub(&a->x, &a->x, &beta);
    fe_sub(&a->x, &a->x, &beta);
    fe_sub(&t, &beta, &a->x);
    fe_sqr(&gamma, &gamma);
    fe_add(&gamma, &gamma, &gamma);
    fe_add(&gamma, &gamma, &gamma);
    fe_add(&gamma, &gamma, &gamma); /* 8 gamma^2 */
    fe_mul(&a->y, &alpha, &t);
    fe_sub(&a->y, &a->y, &gamma);
}

static void point_set(struct point *a, const struct affine *b)
{
    a->x = b->x;
    a->y = b->y;
    a->z = fe_one;
}

/* a + b, whatever the two are: equal, opposite, infinity. */
static void point_add(struct point *a, const struct affine *b)
{
    struct fe zz, u, s, h, r, hh, hhh;

    if (at_infinity(a)) {
        point_set(a, b);
        return;
    }
    fe_sqr(&zz, &a->z);
    fe_mul(&u, &b->x, &zz);
    fe_mul(&s, &b->y, &zz);
    fe_mul(&s, &s, &a->z);
    fe_sub(&h, &u, &a->x);
    fe_sub(&r, &s, &a->y);
    if (fe_is_zero(&h)) {
        if (fe_is_zero(&r))
            point_double(a);
        else
            memset(&a->z, 0, sizeof(a->z));
        return;
    }
    fe_sqr(&hh, &h);
    fe_mul(&hhh, &hh, &h);
    fe_mul(&u, &a->x, &hh);
    fe_mul(&a->z, &a->z, &h);
    fe_sqr(&a->x, &r);
    fe_sub(&a->x, &a->x, &hhh);
    fe_sub(&a->x, &a->x, &u);
    fe_sub(&a->x, &a->x, &u);
    fe_sub(&u, &u, &a->x);
    fe_mul(&u, &u, &r);
    fe_mul(&s, &a->y, &hhh);
    fe_sub(&a->y, &u, &s);
}

/* 1 / z of each, none 0, with one inversion for all (Montgomery's trick). */
static void invert_all(const struct point *list, unsigned n, struct fe *ret)
{
    struct fe product = fe_one;

    for (unsigned i = 0; i < n; i++) {
        ret[i] = product;
        fe_mul(&product, &product, &list[i].z);
    }
    fe_settle(&product);
    invert(product.w, product.w, fe_p.w);
    for (unsigned i = n; i-- > 0;) {
        fe_mul(&ret[i], &ret[i], &product);
        fe_mul(&product, &product, &list[i].z);
    }
}

static void to_affine(struct affine *to, const struct point *a, const struct fe *inverse)
{
    struct fe t;

    fe_sqr(&t, inverse);
    fe_mul(&to->x, &a->x, &t);
    fe_mul(&t, &t, inverse);
    fe_mul(&to->y, &a->y, &t);
}

/* -- tables -- */

/* One row: the multiples of q, then what the next row begins with. */
static void table_row(struct affine *row, struct affine *q, unsigned doublings)
{
    struct point list[MULTIPLES + 1];
    struct fe inverse[MULTIPLES + 1];

    point_set(&list[0], q);
    for (unsigned i = 1; i < MULTIPLES; i++) { /* the first addition meets two equal points: point_add() knows */
        list[i] = list[i - 1];
        point_add(&list[i], q);
    }
    list[MULTIPLES] = list[0];
    for (unsigned i = 0; i < doublings; i++)
        point_double(&list[MULTIPLES]);
    invert_all(list, MULTIPLES + 1, inverse);
    for (unsigned i = 0; i < MULTIPLES; i++)
        to_affine(&row[i], &list[i], &inverse[i]);
    to_affine(q, &list[MULTIPLES], &inverse[MULTIPLES]);
}

static struct table *table_new(const struct affine *q, unsigned rows, unsigned span)
{
    struct table *t = malloc(sizeof(*t) + rows * sizeof(t->at[0]));
    struct affine next = *q;

    if (t == NULL)
        return NULL;
    t->rows = rows;
    t->span = span;
    for (unsigned i = 0; i < rows; i++)
        table_row(t->at[i], &next, i + 1 < rows ? DIGIT_BITS * span : 0);
    return t;
}

/* Digits from -15 to 16, least significant first, whose sum of d 32^i is the scalar. */
static void to_digits(const mp_limb_t *scalar, int8_t *ret)
{
    int carry = 0;

    for (unsigned i = 0; i < DIGITS; i++) {
        unsigned bit = i * DIGIT_BITS, word = bit / 64, shift = bit % 64;
        mp_limb_t v = scalar[word] >> shift;

        if (shift > 64 - DIGIT_BITS && word + 1 < FE_WORDS)
            v |= scalar[word + 1] << (64 - shift);
        ret[i] = (int8_t)((int)(v & (2 * MULTIPLES - 1)) + carry);
        carry = ret[i] > MULTIPLES;
        if (carry)
            ret[i] = (int8_t)(ret[i] - 2 * MULTIPLES);
    }
}

struct term {
    const struct table *table;
    int8_t digits[DIGITS];
};

static void add_digit(struct point *to, const struct affine *row, int digit)
{
    static const struct fe zero;
    struct affine q;

    if (digit == 0)
        return;
    q = row[(digit < 0 ? -digit : digit) - 1];
    if (digit < 0)
        fe_sub(&q.y, &zero, &q.y);
    point_add(to, &q);
}

static void sum_of_multiples(const struct term *terms, unsigned n, struct point *ret)
{
    unsigned span = 0;

    memset(ret, 0, sizeof(*ret));
    for (unsigned i = 0; i < n; i++)
        if (terms[i].table->span > span)
            span = terms[i].table->span;
    while (span-- > 0) {
        for (unsigned i = 0; i < DIGIT_BITS && !at_infinity(ret); i++)
            point_double(ret);
        for (unsigned i = 0; i < n; i++) {
            const struct table *t = terms[i].table;

            for (unsigned row = 0; span < t->span && row * t->span + span < DIGITS && row < t->rows; row++)
                add_digit(ret, t->at[row], terms[i].digits[row * t->span + span]);
        }
    }
}

/* The table of G, made at first use and kept, after a test of all of the above on this processor: (n - 1) G = -G.
 * NULL: no memory, or the test failed; then libcrypto verifies. */
static const struct table *base_table(void)
{
    static struct table *kept;
    static bool broken;
    struct term term;
    struct point sum;
    mp_limb_t scalar[FE_WORDS];
    struct fe zz, x, y;

    if (kept != NULL || broken || (term.table = table_new(&base, LONG_ROWS, LONG_SPAN)) == NULL)
        return kept;
    (void)mpn_sub_n(scalar, order, fe_one.w, FE_WORDS);
    to_digits(scalar, term.digits);
    sum_of_multiples(&term, 1, &sum);
    fe_sqr(&zz, &sum.z);
    fe_mul(&x, &base.x, &zz);
    fe_mul(&zz, &zz, &sum.z);
    fe_mul(&y, &base.y, &zz);
    fe_add(&y, &y, &sum.y);
    broken = at_infinity(&sum) || !fe_equal(&x, &sum.x) || !fe_is_zero(&y);
    if (broken)
        free((struct table *)term.table);
    else
        kept = (struct table *)term.table;
    return kept;
}

/* -- keys -- */

static bool on_curve(const struct affine *a)
{
    struct fe left, right;

    fe_sqr(&left, &a->y);
    fe_sqr(&right, &a->x);
    fe_sub(&right, &right, &fe_one);
    fe_sub(&right, &right, &fe_one);
    fe_sub(&right, &right, &fe_one);
    fe_mul(&right, &right, &a->x);
    fe_add(&right, &right, &curve_b);
    return fe_equal(&left, &right);
}

struct p384 *p384_new(struct bytes point)
{
    struct p384 *k;
    struct affine q;

    if (point.n != 2 * P384_FIELD)
        return NULL;
    from_bytes(q.x.w, point.p);
    from_bytes(q.y.w, point.p + P384_FIELD);
    if (mpn_cmp(q.x.w, fe_p.w, FE_WORDS) >= 0 || mpn_cmp(q.y.w, fe_p.w, FE_WORDS) >= 0 || !on_curve(&q))
        return NULL;
    k = calloc(1, sizeof(*k));
    if (k != NULL)
        k->q = q;
    return k;
}

void p384_free(struct p384 *k)
{
    if (k != NULL)
        free(k->table);
    free(k);
}

/* One row for a key that is met for the first time, the long table for one that comes again. */
static const struct table *key_table(struct p384 *k)
{
    struct table *longer;

    if (k->uses <= REUSE)
        k->uses++;
    if (k->table == NULL) {
        k->table = table_new(&k->q, 1, DIGITS);
    } else if (k->uses > REUSE && k->table->rows == 1 && (longer = table_new(&k->q, LONG_ROWS, LONG_SPAN)) != NULL) {
        free(k->table);
        k->table = longer;
    }
    return k->table;
}

/* 0 < v < n */
static bool is_scalar(const mp_limb_t *v)
{
    return !mpn_zero_p(v, FE_WORDS) && mpn_cmp(v, order, FE_WORDS) < 0;
}

/* Whether the x coordinate, taken mod n, is r: x is r, or r + n where that is still below p. */
static bool x_is(const struct point *a, const mp_limb_t *r)
{
    struct fe zz, x, expected;

    fe_sqr(&zz, &a->z);
    memcpy(expected.w, r, sizeof(expected.w));
    fe_mul(&x, &expected, &zz);
    if (fe_equal(&x, &a->x))
        return true;
    if (mpn_add_n(expected.w, expected.w, order, FE_WORDS) != 0 || mpn_cmp(expected.w, fe_p.w, FE_WORDS) >= 0)
        return false;
    fe_mul(&x, &expected, &zz);
    return fe_equal(&x, &a->x);
}

bool p384_verify(struct p384 *k, struct bytes digest, struct bytes raw)
{
    mp_limb_t r[FE_WORDS], s[FE_WORDS], u[FE_WORDS];
    struct term terms[2] = { { base_table() }, { NULL } };
    struct point sum;

    if (digest.n != P384_FIELD || raw.n != 2 * P384_FIELD)
        return false;
    from_bytes(r, raw.p);
    from_bytes(s, raw.p + P384_FIELD);
    if (!is_scalar(r) || !is_scalar(s) || terms[0].table == NULL || (terms[1].table = key_table(k)) == NULL)
        return false;
    invert(s, s, order);
    from_bytes(u, digest.p); /* may be above n: the product is reduced */
    order_mul(u, u, s);
    to_digits(u, terms[0].digits);
    order_mul(u, r, s);
    to_digits(u, terms[1].digits);
    sum_of_multiples(terms, 2, &sum);
    return !at_infinity(&sum) && x_is(&sum, r);
}
