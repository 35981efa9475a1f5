/* seal.c: see seal.h. */
#include "crypto/seal.h"

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>

void gcm_seal(const uint8_t key[GCM_KEY_SIZE], const uint8_t iv[GCM_IV_SIZE], struct bytes aad, struct bytes plain,
              uint8_t *to, uint8_t tag[GCM_TAG_SIZE])
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int n = 0;

    if (c == NULL || plain.n > INT32_MAX || aad.n > INT32_MAX
        || EVP_EncryptInit_ex2(c, EVP_aes_256_gcm(), key, iv, NULL) != 1
        || (aad.n > 0 && EVP_EncryptUpdate(c, NULL, &n, aad.p, (int)aad.n) != 1)
        || (plain.n > 0 && EVP_EncryptUpdate(c, to, &n, plain.p, (int)plain.n) != 1)
        || EVP_EncryptFinal_ex(c, to + plain.n, &n) != 1
        || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, GCM_TAG_SIZE, tag) != 1)
        abort(); /* never for a reason of the input; nothing unsealed may leave */
    EVP_CIPHER_CTX_free(c);
}

bool gcm_open(const uint8_t key[GCM_KEY_SIZE], const uint8_t iv[GCM_IV_SIZE], struct bytes aad, struct bytes sealed,
              struct bytes tag, uint8_t *to)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    uint8_t copy[GCM_TAG_SIZE];
    int n = 0;
    bool ok;

    if (tag.n != GCM_TAG_SIZE || sealed.n > INT32_MAX || aad.n > INT32_MAX) {
        EVP_CIPHER_CTX_free(c);
        return false;
    }
    memcpy(copy, tag.p, sizeof(copy));
    ok = c != NULL && EVP_DecryptInit_ex2(c, EVP_aes_256_gcm(), key, iv, NULL) == 1
        && (aad.n == 0 || EVP_DecryptUpdate(c, NULL, &n, aad.p, (int)aad.n) == 1)
        && (sealed.n == 0 || EVP_DecryptUpdate(c, to, &n, sealed.p, (int)sealed.n) == 1)
        && EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, GCM_TAG_SIZE, copy) == 1
        && EVP_DecryptFinal_ex(c, to + sealed.n, &n) == 1;
    EVP_CIPHER_CTX_free(c);
    return ok;
}

static const EVP_MD *md_of(enum hash_alg h)
{
    return h == HASH_SHA384 ? EVP_sha384() : h == HASH_SHA512 ? EVP_sha512() : h == HASH_SHA1 ? EVP_sha1()
                                                                                             : EVP_sha256();
}

/* libcrypto takes the label over and frees it itself. */
static bool set_oaep(EVP_PKEY_CTX *ctx, enum hash_alg h, struct bytes label)
{
    void *copy = OPENSSL_memdup(label.p, label.n);

    if (copy == NULL || EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) != 1
        || EVP_PKEY_CTX_set_rsa_oaep_md(ctx, md_of(h)) != 1 || EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md_of(h)) != 1
        || EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, copy, (int)label.n) != 1) {
        OPENSSL_free(copy);
        return false;
    }
    return true;
}

static bool encrypt(EVP_PKEY_CTX *ctx, bool ready, struct bytes plain, const char *what, struct arena *a,
                    struct bytes *ret, struct err *e)
{
    size_t n = 0;
    uint8_t *p = NULL;
    bool ok = ready && EVP_PKEY_encrypt(ctx, NULL, &n, plain.p, plain.n) == 1 && (p = arena_alloc(a, n)) != NULL
        && EVP_PKEY_encrypt(ctx, p, &n, plain.p, plain.n) == 1;

    EVP_PKEY_CTX_free(ctx);
    if (!ok)
        return a->failed ? err_memory(e, what) : err_set(e, ERR_INTERNAL, what, "encryption to an RSA key failed");
    *ret = bytes_of(p, n);
    return true;
}

bool rsa_encrypt_pkcs1(struct key *k, struct bytes plain, const char *what, struct arena *a, struct bytes *ret,
                       struct err *e)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key_evp(k), NULL);
    bool ready = ctx != NULL && EVP_PKEY_encrypt_init(ctx) == 1
        && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1;

    return encrypt(ctx, ready, plain, what, a, ret, e);
}

bool rsa_encrypt_oaep(struct key *k, enum hash_alg h, struct bytes label, struct bytes plain, const char *what,
                      struct arena *a, struct bytes *ret, struct err *e)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key_evp(k), NULL);
    bool ready = ctx != NULL && EVP_PKEY_encrypt_init(ctx) == 1 && set_oaep(ctx, h, label);

    return encrypt(ctx, ready, plain, what, a, ret, e);
}

void aes128_cfb_zero_iv(const uint8_t key[16], uint8_t *data, size_t n)
{
    static const uint8_t iv[16];
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int got = 0;

    if (c == NULL || n > INT32_MAX || EVP_EncryptInit_ex2(c, EVP_aes_128_cfb128(), key, iv, NULL) != 1
        || EVP_EncryptUpdate(c, data, &got, data, (int)n) != 1)
        abort();
    EVP_CIPHER_CTX_free(c);
}

bool ecdh_ephemeral(struct key *peer, uint8_t *point, uint8_t *z, size_t *ret_field, struct err *e)
{
    size_t field = key_point(peer).n / 2, n = 66, point_n = 0;
    const char *group = key_kind_name(key_kind(peer));
    unsigned char *encoded = NULL;
    EVP_PKEY *own = EVP_EC_gen(group);
    EVP_PKEY_CTX *ctx = own == NULL ? NULL : EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
    bool ok = ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, key_evp(peer)) == 1
        && EVP_PKEY_derive(ctx, z, &n) == 1 && n == field
        && (point_n = EVP_PKEY_get1_encoded_public_key(own, &encoded)) == 2 * field + 1;

    if (ok)
        memcpy(point, encoded + 1, 2 * field);
    OPENSSL_free(encoded);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(own);
    if (!ok)
        return err_set(e, ERR_INTERNAL, "ephemeral key", "ECDH on %s failed", group);
    *ret_field = field;
    return true;
}
