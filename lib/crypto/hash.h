/* hash.h: digests over public data. */
#ifndef AVOUCH_CRYPTO_HASH_H
#define AVOUCH_CRYPTO_HASH_H

#include "base/bytes.h"

enum hash_alg {
    HASH_SHA1,
    HASH_SHA256,
    HASH_SHA384,
    HASH_SHA512,
    HASH_SM3_256, /* only its size is known: TPM banks that are parsed and skipped */
};

#define HASH_MAX_SIZE 64

struct digest {
    uint8_t p[HASH_MAX_SIZE];
    size_t n;
};

/* Looks up every algorithm once. Call before the sandbox closes: libcrypto opens its configuration then. */
void crypto_warm_up(void);

size_t hash_size(enum hash_alg alg);
const char *hash_name(enum hash_alg alg); /* "SHA256" */
struct digest hash(enum hash_alg alg, struct bytes data);
/* Over the parts one after the other. */
struct digest hash_parts(enum hash_alg alg, const struct bytes *parts, size_t count);

static inline struct bytes digest_bytes(const struct digest *d)
{
    return (struct bytes){ d->p, d->n };
}

static inline struct digest sha256(struct bytes data)
{
    return hash(HASH_SHA256, data);
}

/* Constant time in the content, not in the length: MACs, tokens. */
bool secret_equal(struct bytes a, struct bytes b);

/* HMAC-SHA-256 (RFC 2104). */
struct digest hmac_sha256(struct bytes key, const struct bytes *parts, size_t count);

/* Fresh random bytes; aborts the process where the system has none, since nothing safe can follow. */
void random_bytes(uint8_t *to, size_t n);

#endif
