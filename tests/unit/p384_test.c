/* p384_test.c: the field of P-384 against libcrypto's integers, the verification against libcrypto's, at the edges of both. */
#include "testing.h"

#include "crypto/p384.h"
#include "crypto/p384_field.h"
#include "fuzz/p384_made.h"

#include <openssl/rand.h>

/* Words at which carries begin and end; the rest are random. */
static mp_limb_t edge_word(unsigned choice)
{
    static const mp_limb_t words[] = { 0, 1, 2, 0xfffffffe, 0xffffffff, 0x100000000, 0xffffffff00000000, 0xffffffff00000001,
                                       0x8000000000000000, 0xfffffffffffffffe, UINT64_MAX };
    mp_limb_t w;

    if (choice % 16 < COUNT(words))
        return words[choice % 16];
    if (RAND_bytes((unsigned char *)&w, sizeof(w)) != 1)
        abort();
    return w;
}

static void edge_words(mp_limb_t *to, unsigned n)
{
    uint8_t choice[2 * FE_WORDS];

    if (RAND_bytes(choice, (int)n) != 1)
        abort();
    for (unsigned i = 0; i < n; i++)
        to[i] = edge_word(choice[i]);
}

static void to_bn(BIGNUM *to, const mp_limb_t *w, int n)
{
    if (BN_lebin2bn((const unsigned char *)w, n * 8, to) == NULL)
        abort();
}

/* `got` is congruent to `expected`, and fe_settle() brings it below p. */
static void congruent(struct fe got, BIGNUM *expected, const BIGNUM *p, BN_CTX *ctx)
{
    BIGNUM *b = BN_new();

    BN_nnmod(expected, expected, p, ctx);
    to_bn(b, got.w, FE_WORDS);
    BN_nnmod(b, b, p, ctx);
    assert_int_equal(BN_cmp(b, expected), 0);
    assert_int_equal(fe_is_zero(&got), BN_is_zero(expected));
    fe_settle(&got);
    to_bn(b, got.w, FE_WORDS);
    assert_int_equal(BN_cmp(b, expected), 0);
    BN_free(b);
}

static void field_as_integers(void **state)
{
    BIGNUM *p = BN_new(), *x = BN_new(), *y = BN_new(), *r = BN_new();
    BN_CTX *ctx = BN_CTX_new();

    (void)state;
    to_bn(p, fe_p.w, FE_WORDS);
    for (int i = 0; i < 60000; i++) {
        mp_limb_t wide[2 * FE_WORDS];
        struct fe a, b, got;

        edge_words(wide, 2 * FE_WORDS);
        memcpy(a.w, wide, sizeof(a.w));
        memcpy(b.w, wide + FE_WORDS, sizeof(b.w));
        if (i % 8 == 0)
            b = a;
        if (i % 8 == 1)
            a = fe_p;
        to_bn(x, a.w, FE_WORDS);
        to_bn(y, b.w, FE_WORDS);
        fe_add(&got, &a, &b);
        BN_add(r, x, y);
        congruent(got, r, p, ctx);
        fe_sub(&got, &a, &b);
        BN_sub(r, x, y);
        assert_int_equal(fe_equal(&a, &b), fe_is_zero(&got));
        congruent(got, r, p, ctx);
        fe_mul(&got, &a, &b);
        BN_mul(r, x, y, ctx);
        congruent(got, r, p, ctx);
        fe_sqr(&got, &a);
        BN_sqr(r, x, ctx);
        congruent(got, r, p, ctx);
        fe_reduce(&got, wide); /* more than any product can be */
        to_bn(r, wide, 2 * FE_WORDS);
        congruent(got, r, p, ctx);
    }
    BN_free(p);
    BN_free(x);
    BN_free(y);
    BN_free(r);
    BN_CTX_free(ctx);
}

/* The ends of what one fold can leave, which products of chance never reach. */
static void field_folds_twice(void **state)
{
    mp_limb_t w[FE_WORDS];

    (void)state;
    memset(w, 0xff, sizeof(w));
    fe_fold(w, 1); /* 2^385 - 1 = 2 (2^128 + 2^96 - 2^32 + 1) - 1 */
    assert_true(w[0] == 0xfffffffe00000001 && w[1] == 0x1ffffffff && w[2] == 2 && mpn_zero_p(w + 3, 3));
    memset(w, 0, sizeof(w));
    fe_fold(w, -1); /* -2^384 = p - (2^128 + 2^96 - 2^32 + 1) */
    assert_true(w[0] == 0x00000001fffffffe && w[1] == 0xfffffffe00000000 && w[2] == 0xfffffffffffffffd && w[5] == UINT64_MAX);
}

/* What both say of one key, digest and signature, with either table of ours. */
static void verdicts(const struct made_case *c, bool expected)
{
    struct p384 *k = p384_new(bytes_of(c->point, 96));
    EVP_PKEY *reference = made_libcrypto_key(c->point);

    assert_non_null(k);
    assert_non_null(reference);
    assert_int_equal(made_libcrypto_accepts(reference, c->digest, c->raw), expected);
    for (int i = 0; i < 4; i++)
        assert_int_equal(p384_verify(k, bytes_of(c->digest, 48), bytes_of(c->raw, 96)), expected);
    p384_free(k);
    EVP_PKEY_free(reference);
}

static void random_signatures(void **state)
{
    struct made m = made_open();
    BIGNUM *v[3] = { BN_new(), BN_new(), BN_new() };

    (void)state;
    for (int i = 0; i < 120; i++) {
        struct made_case c;
        uint8_t *const parts[] = { c.digest, c.raw, c.raw + 48 };

        for (int j = 0; j < 3; j++)
            BN_priv_rand_range(v[j], m.n);
        made_case(&m, v[0], v[1], v[2], &c);
        verdicts(&c, true);
        parts[i % 3][i % 48] ^= (uint8_t)(1 << i % 8);
        verdicts(&c, false);
    }
    for (int j = 0; j < 3; j++)
        BN_free(v[j]);
    made_close(&m);
}

/* Scalars whose digits, rows and carries are at their ends. Negative: counted from n. */
static const char *const edges[] = {
    "0", "1", "2", "3", "F", "10", "11", "1F", "20", "21", "200", "10000000000", "10000000000000000000000000000000000",
    "-1", "-2", "-3", "-10", "-11", "-20", "-10000000000",
    "842108421084210842108421084210842108421084210842108421084210842108421084210842108421084210842108", /* digits of 1 .. */
    "7BDEF7BDEF7BDEF7BDEF7BDEF7BDEF7BDEF7BDEF7BDEF7BDEF7BDEF7BDEF7BDEF7BDEF7BDEF7BDEF7BDEF7BDEF7BDEF7", /* .. of 15 */
    "800000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
    "7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
};

static BIGNUM *edge_scalar(const struct made *m, size_t which)
{
    BIGNUM *v = NULL;

    if (BN_hex2bn(&v, edges[which]) == 0)
        abort();
    BN_nnmod(v, v, m->n, m->bn);
    return v;
}

/* Every pair of edge scalars, with keys 1, n - 1 and a random one: equal and opposite halves are among them. */
static void edge_signatures(void **state)
{
    struct made m = made_open();
    unsigned infinite = 0, all = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(edges); i++)
        for (size_t j = 1; j < COUNT(edges); j++)
            for (unsigned key = 0; key < 3; key++) {
                static const size_t keys[] = { 1, 13 };
                BIGNUM *u1 = edge_scalar(&m, i), *u2 = edge_scalar(&m, j), *k = key < 2 ? edge_scalar(&m, keys[key]) : BN_new();
                struct made_case c;

                if (key == 2)
                    BN_priv_rand_range(k, m.n);
                made_case(&m, u1, u2, k, &c);
                verdicts(&c, !c.infinity);
                infinite += c.infinity;
                all++;
                BN_free(u1);
                BN_free(u2);
                BN_free(k);
            }
    assert_true(infinite > 10 && all > 1500);
    made_close(&m);
}

/* r and s outside [1, n), each with the other one right: refused by range, whatever the sum would be. */
static void numbers_out_of_range(void **state)
{
    struct made m = made_open();
    BIGNUM *one = edge_scalar(&m, 1), *bad[4] = { BN_new(), BN_dup(m.n), BN_dup(m.n), BN_new() };
    struct made_case good;

    (void)state;
    BN_add_word(bad[2], 1);
    BN_set_bit(bad[3], 384);
    BN_sub_word(bad[3], 1);
    made_case(&m, one, one, one, &good);
    for (size_t part = 0; part < 2; part++)
        for (size_t i = 0; i < COUNT(bad); i++) {
            struct made_case c = good;

            BN_bn2binpad(bad[i], c.raw + 48 * part, 48);
            verdicts(&c, false);
        }
    for (size_t i = 0; i < COUNT(bad); i++)
        BN_free(bad[i]);
    BN_free(one);
    made_close(&m);
}

/* A point whose x is n + i: r is i. No discrete logarithm is known, so the key is found from the signature (SEC 1, 4.1.6). */
static bool made_above_n(const struct made *m, unsigned i, struct made_case *ret)
{
    BIGNUM *x = BN_new(), *s = BN_new(), *z = BN_new(), *r = BN_new();
    EC_POINT *big = EC_POINT_new(m->group), *q = EC_POINT_new(m->group);
    bool found;

    BN_copy(x, m->n);
    BN_add_word(x, i);
    BN_set_word(r, i);
    found = EC_POINT_set_compressed_coordinates(m->group, big, x, 0, m->bn) == 1;
    if (found) {
        BN_priv_rand_range(s, m->n);
        BN_priv_rand_range(z, m->n);
        BN_bn2binpad(r, ret->raw, 48);
        BN_bn2binpad(s, ret->raw + 48, 48);
        BN_bn2binpad(z, ret->digest, 48);
        BN_mod_inverse(r, r, m->n, m->bn);
        BN_mod_mul(s, s, r, m->n, m->bn);
        BN_mod_mul(z, z, r, m->n, m->bn);
        BN_sub(z, m->n, z);
        made_must(EC_POINT_mul(m->group, q, z, big, s, m->bn) == 1);
        made_point(m, q, ret->point);
    }
    BN_free(x);
    BN_free(s);
    BN_free(z);
    BN_free(r);
    EC_POINT_free(big);
    EC_POINT_free(q);
    return found;
}

static void coordinate_above_the_order(void **state)
{
    struct made m = made_open();
    struct made_case c;
    unsigned found = 0;

    (void)state;
    for (unsigned i = 1; i < 40; i++)
        if (made_above_n(&m, i, &c)) {
            verdicts(&c, true);
            c.raw[47] ^= 1;
            if (c.raw[47] != 0)
                verdicts(&c, false);
            found++;
        }
    assert_true(found > 8);
    made_close(&m);
}

/* Key 1, R = 78 G, s = (digest + r) / 78: with the digests 1 and n + 1, which are the same modulo n. */
static void digest_above_the_order(void **state)
{
    struct made m = made_open();
    BIGNUM *t = BN_new(), *one = edge_scalar(&m, 1), *s = BN_new();
    struct made_case c;

    (void)state;
    BN_set_word(t, 77);
    made_case(&m, t, one, one, &c);
    BN_bin2bn(c.raw, 48, s);
    BN_add(s, s, one);
    BN_set_word(t, 78);
    BN_mod_inverse(t, t, m.n, m.bn);
    BN_mod_mul(s, s, t, m.n, m.bn);
    BN_bn2binpad(s, c.raw + 48, 48);
    BN_bn2binpad(one, c.digest, 48);
    verdicts(&c, true);
    BN_add(t, one, m.n);
    BN_bn2binpad(t, c.digest, 48);
    verdicts(&c, true);
    BN_free(t);
    BN_free(one);
    BN_free(s);
    made_close(&m);
}

int main(void)
{
    struct suite s = { 0 };

    suite_add(&s, "the field is the integers modulo p", field_as_integers, NULL);
    suite_add(&s, "what crosses 2^384 twice", field_folds_twice, NULL);
    suite_add(&s, "random signatures and damaged ones", random_signatures, NULL);
    suite_add(&s, "signatures with multiples at their ends", edge_signatures, NULL);
    suite_add(&s, "r and s out of range", numbers_out_of_range, NULL);
    suite_add(&s, "a coordinate above the order", coordinate_above_the_order, NULL);
    suite_add(&s, "a digest above the order", digest_above_the_order, NULL);
    return suite_run("p384", &s);
}
