/* jwk.h: JSON Web Keys (RFC 7517, RFC 7518 section 6): public RSA and EC keys, in the clear or in x5c. */
#ifndef AVOUCH_JOSE_JWK_H
#define AVOUCH_JOSE_JWK_H

#include "codec/json.h"
#include "crypto/cert.h"
#include "crypto/key.h"

#define JWK_MAX_CHAIN 8

struct jwk {
    struct key *key;        /* owned: jwk_done() */
    struct bytes kid, use, alg; /* empty: not given */
    const struct json *key_ops; /* array, or NULL */
    struct cert *chain;     /* x5c, leaf first */
    size_t chain_count;
    const struct json *x5c; /* as sent, or NULL */
};

/* kty RSA with n and e, or EC with crv, x and y; or x5c; where both are given they must be one key. kty may be
 * absent beside x5c (Python's client). Refused: symmetric and private keys, RSA below 2048 or above 8192 bits
 * or with the fingerprint of CVE-2017-15361 (ROCA), points off the curve, coordinates of another length than
 * the field's. */
bool jwk_read(const struct json *j, const char *what, struct arena *a, struct jwk *ret, struct err *e) CHECKED;
/* The key in the clear alone: x5c is not looked at, and does not stand in for it. */
bool jwk_read_plain(const struct json *j, const char *what, struct arena *a, struct jwk *ret, struct err *e) CHECKED;
void jwk_done(struct jwk *k);
#define AUTO_JWK __attribute__((cleanup(jwk_done))) struct jwk

/* A JSON Web Key Set. Refused where two keys have one kid, or one key is refused. The keys live until
 * jwks_done(). */
struct jwks {
    struct jwk *list;
    size_t count;
};
bool jwks_read(const struct json *j, const char *what, struct arena *a, struct jwks *ret, struct err *e) CHECKED;
void jwks_done(struct jwks *s);
/* By kid; without kid the only key of the set. NULL: none. */
const struct jwk *jwks_find(const struct jwks *s, struct bytes kid);

/* x5c: standard base64 of DER certificates, leaf first. */
bool x5c_read(const struct json *x5c, const char *what, struct arena *a, struct cert **ret, size_t *ret_count,
              struct err *e) CHECKED;

/* Members kty and n, e or crv, x, y. */
void jwk_write(const struct key *k, struct jobj *o);
/* RFC 7638 thumbprint, base64url of SHA-256. */
struct bytes jwk_thumbprint(const struct key *k, struct arena *a);

/* Whether the key says of itself that it may verify signatures of this algorithm (use, key_ops, alg). */
bool jwk_may_verify(const struct jwk *k, struct bytes alg);

#endif
