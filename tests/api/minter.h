/* minter.h: an issuer's keys, tokens and certificates for tests of authentication. */
#ifndef AVOUCH_TESTS_API_MINTER_H
#define AVOUCH_TESTS_API_MINTER_H

#include "testing.h"

#include "codec/json.h"

struct evp_pkey_st;

enum minter_kind {
    MINTER_RSA,
    MINTER_P256,
    MINTER_P384,
};
struct minter_key {
    struct evp_pkey_st *pkey;
    const char *kid;
};
struct minter_key minter_key(enum minter_kind kind, const char *kid);
void minter_key_free(struct minter_key *k);
struct bytes minter_spki_pem(const struct minter_key *k, struct arena *a);
/* One public key as JWK with its kid; a set of them. */
struct bytes minter_jwk(const struct minter_key *k, struct arena *a);
struct bytes minter_jwks(const struct minter_key *const *keys, size_t count, struct arena *a);
/* header "." payload "." signature; alg is RS256, PS256, ES256, ES384, HS256 (`secret`) or none. */
const char *minter_token(const struct minter_key *k, const char *alg, struct bytes secret, const char *header, const char *payload, struct arena *a);

/* A CA, and what it signs; files are PEM. */
struct minter_cert {
    const char *common_name; /* NULL: none */
    const char *usage;       /* extendedKeyUsage: "clientAuth" */
    long from, to;           /* seconds from now */
};
void minter_ca(const struct minter_key *k, const char *name, const char *path);
void minter_certificate(const struct minter_key *ca, const char *ca_name, const struct minter_cert *c, const char *cert_path, const char *key_path);

#endif
