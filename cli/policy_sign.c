/* policy_sign.c: signs a policy with a key that its operator holds in a PEM file. Here and nowhere else in the tool
 * a private key is read; it is freed before the function returns. */
#include "cli/policy_priv.h"
#include "jose/policy_jws.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#define WHAT "policy sign"

static const struct alg {
    const char *name;
    int type;       /* EVP_PKEY_RSA or EVP_PKEY_EC */
    size_t field;   /* of a coordinate */
    bool pss;
    const char *md;
} algs[] = {
    { "RS256", EVP_PKEY_RSA, 0, false, "SHA256" }, { "RS384", EVP_PKEY_RSA, 0, false, "SHA384" },
    { "RS512", EVP_PKEY_RSA, 0, false, "SHA512" }, { "PS256", EVP_PKEY_RSA, 0, true, "SHA256" },
    { "PS384", EVP_PKEY_RSA, 0, true, "SHA384" },  { "PS512", EVP_PKEY_RSA, 0, true, "SHA512" },
    { "ES256", EVP_PKEY_EC, 32, false, "SHA256" }, { "ES384", EVP_PKEY_EC, 48, false, "SHA384" },
    { "ES512", EVP_PKEY_EC, 66, false, "SHA512" },
};

static const struct alg *choose(EVP_PKEY *key, const char *name, struct err *e)
{
    size_t field = ((size_t)EVP_PKEY_get_bits(key) + 7) / 8;

    for (size_t i = 0; i < COUNT(algs); i++)
        if (EVP_PKEY_get_base_id(key) == algs[i].type && (algs[i].field == 0 || algs[i].field == field)
            && (name == NULL || strcmp(name, algs[i].name) == 0))
            return &algs[i];
    err_set(e, ERR_USAGE, WHAT, "the key cannot sign with %s", name == NULL ? "any algorithm of policies" : name);
    return NULL;
}

static EVP_PKEY *read_key(struct bytes pem, struct err *e)
{
    BIO *in = BIO_new_mem_buf(pem.p, (int)pem.n);
    EVP_PKEY *key = in == NULL ? NULL : PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);

    BIO_free(in);
    if (key == NULL)
        err_set(e, ERR_USAGE, WHAT, "the key file holds no private key in PEM");
    return key;
}

/* ECDSA-Sig-Value to r || s (RFC 7518 section 3.4). */
static bool to_raw(struct bytes der, size_t field, struct arena *a, struct bytes *ret)
{
    const unsigned char *p = der.p;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)der.n);
    uint8_t *raw = arena_alloc(a, 2 * field);
    bool ok = sig != NULL && raw != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, (int)field) == (int)field
        && BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + field, (int)field) == (int)field;

    ECDSA_SIG_free(sig);
    *ret = bytes_of(raw, 2 * field);
    return ok;
}

static bool sign(EVP_PKEY *key, const struct alg *alg, struct bytes input, struct arena *a, struct bytes *ret)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx = NULL;
    uint8_t sig[1024];
    size_t n = sizeof(sig);
    bool ok = ctx != NULL && EVP_DigestSignInit_ex(ctx, &pctx, alg->md, NULL, NULL, key, NULL) == 1
        && (!alg->pss || (EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1
                          && EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) == 1))
        && EVP_DigestSign(ctx, sig, &n, input.p, input.n) == 1;

    EVP_MD_CTX_free(ctx);
    if (!ok)
        return false;
    if (alg->field > 0)
        return to_raw(bytes_of(sig, n), alg->field, a, ret);
    *ret = arena_copy(a, bytes_of(sig, n));
    return ret->p != NULL;
}

static bool join(EVP_PKEY *key, const struct alg *alg, struct bytes text, const struct bytes *chain, size_t count,
                 struct arena *a, struct bytes *ret, struct err *e)
{
    struct bytes input = policy_signing_input(text, alg->name, chain, count, a), sig;
    struct signed_request check;

    if (input.p == NULL)
        return err_memory(e, WHAT);
    if (!sign(key, alg, input, a, &sig))
        return err_set(e, ERR_INTERNAL, WHAT, "libcrypto cannot sign with this key");
    *ret = jws_join(input, sig, a);
    /* as the service will: a key that is not the certificate's shows here */
    if (!signed_request_open(*ret, ANY_TIME, a, &check, e))
        return false;
    signed_request_done(&check);
    return true;
}

bool policy_sign(struct bytes text, struct bytes key_pem, struct bytes cert_pem, const char *alg_name,
                 struct arena *a,
                 struct bytes *ret, struct err *e)
{
    struct cert *certs;
    struct bytes chain[JWK_MAX_CHAIN];
    const struct alg *alg;
    EVP_PKEY *key;
    size_t count;
    bool ok;

    if (!certs_read(cert_pem, JWK_MAX_CHAIN, "certificate file", a, &certs, &count, e))
        return false;
    for (size_t i = 0; i < count; i++)
        chain[i] = certs[i].der;
    key = read_key(key_pem, e);
    alg = key == NULL ? NULL : choose(key, alg_name, e);
    ok = alg != NULL && join(key, alg, text, chain, count, a, ret, e);
    EVP_PKEY_free(key);
    return ok;
}
