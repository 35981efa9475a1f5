/* minter.c: see minter.h. */
#include "minter.h"

#include "codec/b64.h"
#include "jose/jwk.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>

struct minter_key minter_key(enum minter_kind kind, const char *kid)
{
    struct minter_key k = { .kid = kid };

    k.pkey = kind == MINTER_RSA ? EVP_RSA_gen(2048) : EVP_EC_gen(kind == MINTER_P256 ? "P-256" : "P-384");
    assert_non_null(k.pkey);
    return k;
}

void minter_key_free(struct minter_key *k)
{
    EVP_PKEY_free(k->pkey);
    k->pkey = NULL;
}

static struct bytes bio_bytes(BIO *b, struct arena *a)
{
    char *p;
    long n = BIO_get_mem_data(b, &p);
    struct bytes copy = arena_copy(a, bytes_of(p, (size_t)n));

    BIO_free(b);
    return copy;
}

struct bytes minter_spki_pem(const struct minter_key *k, struct arena *a)
{
    BIO *b = BIO_new(BIO_s_mem());

    assert_int_equal(PEM_write_bio_PUBKEY(b, k->pkey), 1);
    return bio_bytes(b, a);
}

struct bytes minter_jwk(const struct minter_key *k, struct arena *a)
{
    struct jobj o = jobj_open(a);
    struct err e = { .code = ERR_NONE };
    uint8_t *der = NULL;
    int n = i2d_PUBKEY(k->pkey, &der);
    AUTO_KEY key = NULL;

    assert_true(n > 0);
    assert_ok(key_from_spki(bytes_of(der, (size_t)n), "minted key", &key, &e), &e);
    OPENSSL_free(der);
    jwk_write(key, &o);
    if (k->kid != NULL)
        jobj_text(&o, "kid", k->kid);
    return jobj_print(&o, false);
}

struct bytes minter_jwks(const struct minter_key *const *keys, size_t count, struct arena *a)
{
    struct jarr list = jarr_open(a);
    struct jobj o = jobj_open(a);

    for (size_t i = 0; i < count; i++)
        jarr_raw(&list, minter_jwk(keys[i], a));
    jobj_json(&o, "keys", jarr_close(&list));
    return jobj_print(&o, false);
}

/* ECDSA-Sig-Value as r || s, both as long as the field (RFC 7518 section 3.4). */
static struct bytes raw_signature(struct bytes der, size_t field, struct arena *a)
{
    const uint8_t *p = der.p;
    ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &p, (long)der.n);
    uint8_t *raw = arena_alloc(a, 2 * field);

    assert_non_null(s);
    assert_non_null(raw);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(s), raw, (int)field), (int)field);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(s), raw + field, (int)field), (int)field);
    ECDSA_SIG_free(s);
    return bytes_of(raw, 2 * field);
}

static struct bytes sign(const struct minter_key *k, const char *alg, struct bytes input, struct arena *a)
{
    const EVP_MD *md = strcmp(alg, "ES384") == 0 ? EVP_sha384() : EVP_sha256();
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx;
    uint8_t sig[1024];
    size_t n = sizeof(sig);

    assert_int_equal(EVP_DigestSignInit(ctx, &pctx, md, NULL, k->pkey), 1);
    if (alg[0] == 'P') {
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST), 1);
    }
    assert_int_equal(EVP_DigestSign(ctx, sig, &n, input.p, input.n), 1);
    EVP_MD_CTX_free(ctx);
    if (alg[0] == 'E')
        return raw_signature(bytes_of(sig, n), strcmp(alg, "ES384") == 0 ? 48 : 32, a);
    return arena_copy(a, bytes_of(sig, n));
}

const char *minter_token(const struct minter_key *k, const char *alg, struct bytes secret, const char *header, const char *payload, struct arena *a)
{
    struct out o = out_open(a);
    struct bytes sig = { NULL, 0 };
    uint8_t mac[32];
    unsigned n = sizeof(mac);

    b64url_print(&o, bytes_str(header));
    out_char(&o, '.');
    b64url_print(&o, bytes_str(payload));
    if (strcmp(alg, "HS256") == 0) {
        assert_non_null(HMAC(EVP_sha256(), secret.p, (int)secret.n, out_view(&o).p, out_view(&o).n, mac, &n));
        sig = BYTES(mac);
    } else if (strcmp(alg, "none") != 0) {
        sig = sign(k, alg, out_view(&o), a);
    }
    out_char(&o, '.');
    b64url_print(&o, sig);
    return (const char *)out_view(&o).p;
}

/* -- certificates -- */

static void extend(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    assert_non_null(ext);
    assert_int_equal(X509_add_ext(x, ext, -1), 1);
    X509_EXTENSION_free(ext);
}

static X509 *certificate(EVP_PKEY *key, const char *name, const char *issuer, long from, long to)
{
    X509 *x = X509_new();
    uint8_t serial[8] = { 1 };
    BIGNUM *n;

    for (size_t i = 0; name != NULL && i < 7 && name[i] != 0; i++)
        serial[i + 1] = (uint8_t)name[i];
    n = BN_bin2bn(serial, sizeof(serial), NULL);
    X509_set_version(x, 2);
    BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));
    BN_free(n);
    X509_gmtime_adj(X509_getm_notBefore(x), from);
    X509_gmtime_adj(X509_getm_notAfter(x), to);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_txt(X509_get_issuer_name(x), "CN", MBSTRING_ASC, (const uint8_t *)issuer, -1, -1, 0);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), name == NULL ? "O" : "CN", MBSTRING_ASC, (const uint8_t *)(name == NULL ? "Nobody" : name),
                               -1, -1, 0);
    return x;
}

static void write_certificate(X509 *x, EVP_PKEY *signer, const char *path)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(X509_sign(x, signer, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_X509(f, x), 1);
    fclose(f);
    X509_free(x);
}

void minter_ca(const struct minter_key *k, const char *name, const char *path)
{
    X509 *x = certificate(k->pkey, name, name, -86400, 86400);

    extend(x, NID_basic_constraints, "critical,CA:TRUE");
    extend(x, NID_key_usage, "critical,keyCertSign,cRLSign");
    write_certificate(x, k->pkey, path);
}

void minter_certificate(const struct minter_key *ca, const char *ca_name, const struct minter_cert *c, const char *cert_path, const char *key_path)
{
    struct minter_key own = minter_key(MINTER_P256, NULL);
    X509 *x = certificate(own.pkey, c->common_name, ca_name, c->from, c->to);
    FILE *f = fopen(key_path, "w");

    extend(x, NID_basic_constraints, "critical,CA:FALSE");
    if (c->usage != NULL)
        extend(x, NID_ext_key_usage, c->usage);
    write_certificate(x, ca->pkey, cert_path);
    assert_non_null(f);
    assert_int_equal(PEM_write_PrivateKey(f, own.pkey, NULL, NULL, 0, NULL, NULL), 1);
    fclose(f);
    minter_key_free(&own);
}
