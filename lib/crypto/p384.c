/* p384.c: see p384.h. Public data only, so nothing here needs to run in constant time. */
#include "crypto/p384.h"

#include <nettle/dsa.h>
#include <nettle/ecc-curve.h>
#include <nettle/ecc.h>
#include <nettle/ecdsa.h>
#include <stdlib.h>

struct p384 {
    struct ecc_point point;
};

static void import(mpz_t to, struct bytes big_endian)
{
    mpz_init2(to, P384_FIELD * 8);
    mpz_import(to, big_endian.n, 1, 1, 1, 0, big_endian.p);
}

struct p384 *p384_new(struct bytes point)
{
    struct p384 *k;
    mpz_t x, y;
    int on_curve;

    if (point.n != 2 * P384_FIELD)
        return NULL;
    k = malloc(sizeof(*k));
    if (k == NULL)
        return NULL;
    import(x, bytes_part(point, 0, P384_FIELD));
    import(y, bytes_part(point, P384_FIELD, P384_FIELD));
    ecc_point_init(&k->point, nettle_get_secp_384r1());
    on_curve = ecc_point_set(&k->point, x, y); /* also refuses coordinates that are not below p */
    mpz_clear(x);
    mpz_clear(y);
    if (on_curve)
        return k;
    p384_free(k);
    return NULL;
}

void p384_free(struct p384 *k)
{
    if (k == NULL)
        return;
    ecc_point_clear(&k->point);
    free(k);
}

bool p384_verify(const struct p384 *k, struct bytes digest, struct bytes raw)
{
    struct dsa_signature sig;
    int ok;

    if (digest.n != P384_FIELD || raw.n != 2 * P384_FIELD)
        return false;
    import(sig.r, bytes_part(raw, 0, P384_FIELD));
    import(sig.s, bytes_part(raw, P384_FIELD, P384_FIELD));
    ok = ecdsa_verify(&k->point, digest.n, digest.p, &sig); /* checks the ranges of r and s first */
    mpz_clear(sig.r);
    mpz_clear(sig.s);
    return ok != 0;
}
