/* hash.c: see hash.h. The algorithm table is filled once and only read afterwards: a look-up by name
 * at each digest would cost more than a short digest itself. */
#include "crypto/hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdlib.h>

static const struct {
    const char *name;
    const char *fetch;
    size_t size;
} algs[] = {
    [HASH_SHA1] = { "SHA1", "SHA1", 20 },
    [HASH_SHA256] = { "SHA256", "SHA256", 32 },
    [HASH_SHA384] = { "SHA384", "SHA384", 48 },
    [HASH_SHA512] = { "SHA512", "SHA512", 64 },
    [HASH_SM3_256] = { "SM3_256", NULL, 32 },
};

static EVP_MD *fetched[COUNT(algs)];
static EVP_MD_CTX *context;

void crypto_warm_up(void)
{
    if (context != NULL)
        return;
    for (size_t i = 0; i < COUNT(algs); i++)
        if (algs[i].fetch != NULL)
            fetched[i] = EVP_MD_fetch(NULL, algs[i].fetch, NULL);
    context = EVP_MD_CTX_new();
    if (context == NULL || fetched[HASH_SHA256] == NULL)
        abort(); /* a libcrypto without SHA-256 cannot serve anything */
}

size_t hash_size(enum hash_alg alg)
{
    return algs[alg].size;
}

const char *hash_name(enum hash_alg alg)
{
    return algs[alg].name;
}

struct digest hash_parts(enum hash_alg alg, const struct bytes *parts, size_t count)
{
    struct digest d = { .n = algs[alg].size };
    unsigned n = 0;
    bool ok;

    crypto_warm_up();
    ok = fetched[alg] != NULL && EVP_DigestInit_ex2(context, fetched[alg], NULL) == 1;
    for (size_t i = 0; ok && i < count; i++)
        ok = EVP_DigestUpdate(context, parts[i].p, parts[i].n) == 1;
    if (!ok || EVP_DigestFinal_ex(context, d.p, &n) != 1 || n != d.n)
        abort(); /* a digest never fails for a reason of its input; a wrong one must not be used */
    return d;
}

struct digest hash(enum hash_alg alg, struct bytes data)
{
    return hash_parts(alg, &data, 1);
}

bool secret_equal(struct bytes a, struct bytes b)
{
    return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}

struct digest hmac_sha256(struct bytes key, const struct bytes *parts, size_t count)
{
    uint8_t pad[64] = { 0 };
    struct digest inner, k;
    struct bytes two[2];
    struct digest d = { .n = 32 };
    unsigned n = 0;
    bool ok;

    if (key.n > sizeof(pad)) {
        k = sha256(key);
        memcpy(pad, k.p, k.n);
    } else if (key.n > 0) {
        memcpy(pad, key.p, key.n);
    }
    for (size_t i = 0; i < sizeof(pad); i++)
        pad[i] ^= 0x36;
    crypto_warm_up();
    ok = EVP_DigestInit_ex2(context, fetched[HASH_SHA256], NULL) == 1
        && EVP_DigestUpdate(context, pad, sizeof(pad)) == 1;
    for (size_t i = 0; ok && i < count; i++)
        ok = EVP_DigestUpdate(context, parts[i].p, parts[i].n) == 1;
    inner = (struct digest){ .n = 32 };
    if (!ok || EVP_DigestFinal_ex(context, inner.p, &n) != 1)
        abort();
    for (size_t i = 0; i < sizeof(pad); i++)
        pad[i] ^= 0x36 ^ 0x5c;
    two[0] = BYTES(pad);
    two[1] = digest_bytes(&inner);
    d = hash_parts(HASH_SHA256, two, 2);
    OPENSSL_cleanse(pad, sizeof(pad));
    return d;
}

void random_bytes(uint8_t *to, size_t n)
{
    if (RAND_bytes(to, (int)n) != 1)
        abort();
}
