/* p384_made.h: signatures on P-384 made backwards, so that the two multiples of the sum are what the caller wants; and
 * libcrypto's opinion of them. For the fuzz target and the tests of crypto/p384.h.
 *
 * For scalars u1, u2 and a private key k: R = (u1 + u2 k) G, r = x(R) mod n, s = r / u2, digest = u1 s. A verifier that is
 * given these computes u1 G + u2 Q and must accept, unless the sum is the point at infinity (then r is 1 here). */
#ifndef AVOUCH_FUZZ_P384_MADE_H
#define AVOUCH_FUZZ_P384_MADE_H

#include "base/bytes.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <stdbool.h>
#include <stdlib.h>

struct made {
    EC_GROUP *group;
    BN_CTX *bn;
    const BIGNUM *n;
};

struct made_case {
    uint8_t point[96], digest[48], raw[96];
    bool infinity;
};

static inline void made_must(bool ok)
{
    if (!ok)
        abort();
}

static inline struct made made_open(void)
{
    struct made m = { EC_GROUP_new_by_curve_name(NID_secp384r1), BN_CTX_new(), NULL };

    made_must(m.group != NULL && m.bn != NULL);
    m.n = EC_GROUP_get0_order(m.group);
    return m;
}

static inline void made_close(struct made *m)
{
    EC_GROUP_free(m->group);
    BN_CTX_free(m->bn);
}

/* X || Y; y may be NULL. */
static inline void made_point(const struct made *m, const EC_POINT *p, uint8_t *to)
{
    BIGNUM *x = BN_new(), *y = BN_new();

    made_must(EC_POINT_get_affine_coordinates(m->group, p, x, y, m->bn) == 1 && BN_bn2binpad(x, to, 48) == 48
              && BN_bn2binpad(y, to + 48, 48) == 48);
    BN_free(x);
    BN_free(y);
}

/* Scalars are reduced; k and u2 that are 0 become 1. */
static inline void made_case(const struct made *m, const BIGNUM *u1, const BIGNUM *u2, const BIGNUM *k, struct made_case *ret)
{
    BIGNUM *a = BN_new(), *b = BN_new(), *c = BN_new(), *t = BN_new(), *r = BN_new();
    EC_POINT *p = EC_POINT_new(m->group);

    made_must(BN_nnmod(a, u1, m->n, m->bn) && BN_nnmod(b, u2, m->n, m->bn) && BN_nnmod(c, k, m->n, m->bn));
    made_must((!BN_is_zero(b) || BN_one(b)) && (!BN_is_zero(c) || BN_one(c)));
    made_must(EC_POINT_mul(m->group, p, c, NULL, NULL, m->bn) == 1);
    made_point(m, p, ret->point);
    made_must(BN_mod_mul(t, b, c, m->n, m->bn) && BN_mod_add(t, t, a, m->n, m->bn));
    ret->infinity = BN_is_zero(t);
    if (ret->infinity) {
        made_must(BN_one(r));
    } else {
        made_must(EC_POINT_mul(m->group, p, t, NULL, NULL, m->bn) == 1
                  && EC_POINT_get_affine_coordinates(m->group, p, r, NULL, m->bn) == 1 && BN_nnmod(r, r, m->n, m->bn));
    }
    made_must(BN_mod_inverse(t, b, m->n, m->bn) != NULL && BN_mod_mul(t, t, r, m->n, m->bn)); /* s */
    made_must(BN_bn2binpad(r, ret->raw, 48) == 48 && BN_bn2binpad(t, ret->raw + 48, 48) == 48);
    made_must(BN_mod_mul(t, t, a, m->n, m->bn) && BN_bn2binpad(t, ret->digest, 48) == 48);
    BN_free(a);
    BN_free(b);
    BN_free(c);
    BN_free(t);
    BN_free(r);
    EC_POINT_free(p);
}

static inline EVP_PKEY *made_libcrypto_key(const uint8_t *point)
{
    uint8_t encoded[97] = { 4 };
    EVP_PKEY *k = EVP_EC_gen("P-384");

    memcpy(encoded + 1, point, 96);
    if (k != NULL && EVP_PKEY_set1_encoded_public_key(k, encoded, sizeof(encoded)) != 1) {
        EVP_PKEY_free(k);
        k = NULL;
    }
    return k;
}

static inline bool made_libcrypto_accepts(EVP_PKEY *key, const uint8_t *digest, const uint8_t *raw)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    ECDSA_SIG *sig = ECDSA_SIG_new();
    unsigned char *der = NULL;
    int n;
    bool ok;

    made_must(ctx != NULL && sig != NULL
              && ECDSA_SIG_set0(sig, BN_bin2bn(raw, 48, NULL), BN_bin2bn(raw + 48, 48, NULL)) == 1);
    n = i2d_ECDSA_SIG(sig, &der);
    made_must(n > 0);
    ok = EVP_PKEY_verify_init(ctx) == 1 && EVP_PKEY_verify(ctx, der, (size_t)n, digest, 48) == 1;
    OPENSSL_free(der);
    ECDSA_SIG_free(sig);
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

#endif
