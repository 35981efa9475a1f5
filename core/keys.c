/* keys.c: see keys.h. */
#include "core/keys.h"

#include "base/cur.h"
#include "codec/b64.h"
#include "codec/der.h"
#include "codec/pem.h"

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#define WHAT "signing keys"
#define SEAL_AAD "avouch token keys, version 1"

/* kid and binding as relying parties compute them (rest-api 4.2). */
static bool describe(struct signing_key *k, enum key_kind kind, struct arena *a)
{
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(k->pkey, &der);
    struct out pem = out_open(a);
    struct bytes text, kid;
    struct digest d;

    if (n <= 0)
        return false;
    k->kind = kind;
    k->spki = arena_copy(a, bytes_of(der, (size_t)n));
    OPENSSL_free(der);
    pem_print(&pem, "PUBLIC KEY", k->spki);
    out_u8(&pem, 0);
    text = out_view(&pem);
    if (text.p == NULL)
        return false;
    d = sha256(text);
    memcpy(k->binding, d.p, 32);
    kid = b64std_encode(a, digest_bytes(&d));
    if (kid.p == NULL || kid.n >= sizeof(k->kid))
        return false;
    memcpy(k->kid, kid.p, kid.n + 1);
    return true;
}

bool keys_make(struct key_set *ret, struct err *e)
{
    struct key_set k = { 0 };

    arena_init(&k.own, (size_t)64 << 10);
    k.rsa.pkey = EVP_RSA_gen(2048);
    k.p256.pkey = EVP_EC_gen("P-256");
    k.p384.pkey = EVP_EC_gen("P-384");
    random_bytes(k.mac, sizeof(k.mac));
    if (k.rsa.pkey == NULL || k.p256.pkey == NULL || k.p384.pkey == NULL || !describe(&k.rsa, KEY_RSA, &k.own)
        || !describe(&k.p256, KEY_P256, &k.own) || !describe(&k.p384, KEY_P384, &k.own)) {
        keys_done(&k);
        return err_set(e, ERR_INTERNAL, WHAT, "could not be generated");
    }
    *ret = k;
    return true;
}

static void slot_done(struct signing_key *k)
{
    EVP_PKEY_CTX_free(k->ctx[0]);
    EVP_PKEY_CTX_free(k->ctx[1]);
    EVP_PKEY_free(k->pkey);
}

void keys_done(struct key_set *k)
{
    slot_done(&k->rsa);
    slot_done(&k->p256);
    slot_done(&k->p384);
    OPENSSL_cleanse(k->mac, sizeof(k->mac));
    arena_done(&k->own);
}

/* -- sealing -- */

static bool gcm(bool encrypt, struct bytes key, struct bytes nonce, struct bytes in, uint8_t *to, uint8_t tag[16])
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0, tail = 0;
    bool ok = ctx != NULL && EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key.p, nonce.p, encrypt) == 1
        && EVP_CipherUpdate(ctx, NULL, &n, (const uint8_t *)SEAL_AAD, sizeof(SEAL_AAD) - 1) == 1
        && (encrypt || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, 16, tag) == 1)
        && EVP_CipherUpdate(ctx, to, &n, in.p, (int)in.n) == 1 && EVP_CipherFinal_ex(ctx, to + n, &tail) == 1
        && (!encrypt || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, 16, tag) == 1);

    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

static void put_key(struct out *o, EVP_PKEY *pkey)
{
    unsigned char *der = NULL;
    int n = i2d_PrivateKey(pkey, &der);

    out_u32le(o, n > 0 ? (uint32_t)n : 0);
    if (n > 0)
        out_bytes(o, bytes_of(der, (size_t)n));
    else
        o->failed = true;
    OPENSSL_clear_free(der, n > 0 ? (size_t)n : 0);
}

struct bytes keys_seal(const struct key_set *k, struct bytes sealing_key, struct arena *a)
{
    struct arena scratch;
    struct out plain, sealed = out_open(a);
    uint8_t nonce[12], tag[16], *to;
    struct bytes text;
    bool ok;

    arena_init(&scratch, (size_t)64 << 10);
    plain = out_open(&scratch);
    (void)out_room(&plain, 16384); /* one block: no copy of a key stays behind in a smaller one */
    plain.n = 0;
    put_key(&plain, k->rsa.pkey);
    put_key(&plain, k->p256.pkey);
    put_key(&plain, k->p384.pkey);
    out_bytes(&plain, BYTES(k->mac));
    text = out_view(&plain);
    random_bytes(nonce, sizeof(nonce));
    out_text(&sealed, "AVK1");
    out_bytes(&sealed, BYTES(nonce));
    to = text.p == NULL || sealing_key.n != 32 ? NULL : out_room(&sealed, text.n);
    ok = to != NULL && gcm(true, sealing_key, BYTES(nonce), text, to, tag);
    out_bytes(&sealed, BYTES(tag));
    if (plain.p != NULL)
        OPENSSL_cleanse(plain.p, plain.cap);
    arena_done(&scratch);
    return ok ? out_view(&sealed) : (struct bytes){ NULL, 0 };
}

static EVP_PKEY *take_key(struct cur *c)
{
    struct bytes der = cur_take(c, cur_u32le(c, "key length"), "key");
    const unsigned char *p = der.p;

    return cur_ok(c) && der.n > 0 ? d2i_AutoPrivateKey(NULL, &p, (long)der.n) : NULL;
}

static bool take_keys(struct bytes plain, struct key_set *k)
{
    struct cur c = cur_open(plain);
    struct bytes mac;

    k->rsa.pkey = take_key(&c);
    k->p256.pkey = take_key(&c);
    k->p384.pkey = take_key(&c);
    mac = cur_take(&c, sizeof(k->mac), "MAC key");
    if (!cur_ok(&c) || k->rsa.pkey == NULL || k->p256.pkey == NULL || k->p384.pkey == NULL)
        return false;
    memcpy(k->mac, mac.p, mac.n);
    return describe(&k->rsa, KEY_RSA, &k->own) && describe(&k->p256, KEY_P256, &k->own)
        && describe(&k->p384, KEY_P384, &k->own);
}

bool keys_unseal(struct bytes sealed, struct bytes sealing_key, struct key_set *ret, struct err *e)
{
    struct cur c = cur_open(sealed);
    struct bytes version = cur_take(&c, 4, "version"), nonce = cur_take(&c, 12, "nonce"), body, tag;
    struct key_set k = { 0 };
    struct arena scratch;
    uint8_t *plain, tag_copy[16];
    bool ok;

    body = cur_take(&c, cur_left(&c) < 16 ? 0 : cur_left(&c) - 16, "sealed keys");
    tag = cur_take(&c, 16, "tag");
    if (!cur_close(&c, ERR_INTERNAL, WHAT, e))
        return false;
    if (!bytes_is(version, "AVK1") || sealing_key.n != 32)
        return err_set(e, ERR_INTERNAL, WHAT, "sealed file has version '%.4s', AVK1 is expected", (const char *)version.p);
    memcpy(tag_copy, tag.p, 16);
    arena_init(&scratch, (size_t)64 << 10);
    arena_init(&k.own, (size_t)64 << 10);
    plain = arena_alloc(&scratch, body.n + 1);
    ok = plain != NULL && gcm(false, sealing_key, nonce, body, plain, tag_copy);
    if (!ok)
        (void)err_set(e, ERR_INTERNAL, WHAT, "sealed file does not open with this sealing key: wrong key or altered file");
    else if (!take_keys(bytes_of(plain, body.n), &k))
        ok = err_set(e, ERR_INTERNAL, WHAT, "sealed file opens but holds no usable keys");
    if (plain != NULL)
        OPENSSL_cleanse(plain, body.n);
    arena_done(&scratch);
    if (!ok) {
        keys_done(&k);
        return false;
    }
    *ret = k;
    return true;
}

/* -- signing -- */

struct signing_key *keys_for(struct key_set *k, enum sig_alg alg)
{
    switch (alg) {
    case SIG_RS256:
    case SIG_PS256:
        return &k->rsa;
    case SIG_ES256:
        return &k->p256;
    case SIG_ES384:
        return &k->p384;
    default:
        return NULL;
    }
}

static EVP_PKEY_CTX *context(struct signing_key *k, enum sig_alg alg)
{
    bool pss = alg == SIG_PS256;
    EVP_PKEY_CTX **slot = &k->ctx[pss];

    if (*slot != NULL)
        return *slot;
    *slot = EVP_PKEY_CTX_new_from_pkey(NULL, k->pkey, NULL);
    if (*slot == NULL || EVP_PKEY_sign_init(*slot) != 1
        || (k->kind == KEY_RSA
            && (EVP_PKEY_CTX_set_rsa_padding(*slot, pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) != 1
                || EVP_PKEY_CTX_set_signature_md(*slot, EVP_sha256()) != 1
                || (pss && EVP_PKEY_CTX_set_rsa_pss_saltlen(*slot, RSA_PSS_SALTLEN_DIGEST) != 1)))) {
        EVP_PKEY_CTX_free(*slot);
        *slot = NULL;
    }
    return *slot;
}

bool keys_sign_der(struct signing_key *k, enum sig_alg alg, struct bytes data, struct arena *a, struct bytes *ret,
                   struct err *e)
{
    struct digest d = hash(sig_alg_hash(alg), data);
    EVP_PKEY_CTX *ctx = context(k, alg);
    size_t n = 512;
    uint8_t *sig = arena_alloc(a, n);

    if (sig == NULL)
        return err_memory(e, "signature");
    if (ctx == NULL || EVP_PKEY_sign(ctx, sig, &n, d.p, d.n) != 1)
        return err_set(e, ERR_INTERNAL, "signature", "signing with %s failed", sig_alg_name(alg));
    *ret = bytes_of(sig, n);
    return true;
}

/* An INTEGER of ECDSA-Sig-Value, right-aligned in its field. */
static bool place(struct bytes integer, uint8_t *to, size_t size)
{
    while (integer.n > 0 && integer.p[0] == 0)
        integer = bytes_part(integer, 1, integer.n - 1);
    if (integer.n > size)
        return false;
    memset(to, 0, size - integer.n);
    memcpy(to + (size - integer.n), integer.p, integer.n);
    return true;
}

bool keys_sign(struct signing_key *k, enum sig_alg alg, struct bytes data, struct arena *a, struct bytes *ret, struct err *e)
{
    size_t field = k->kind == KEY_P256 ? 32 : 48;
    struct cur c, seq;
    struct bytes der, r, s;
    uint8_t *raw;

    if (!keys_sign_der(k, alg, data, a, &der, e))
        return false;
    if (k->kind == KEY_RSA) {
        *ret = der;
        return true;
    }
    c = cur_open(der);
    seq = der_enter(&c, DER_SEQUENCE, "ECDSA-Sig-Value");
    r = der_integer(&seq, "r");
    s = der_integer(&seq, "s");
    raw = arena_alloc(a, 2 * field);
    if (raw == NULL)
        return err_memory(e, "signature");
    if (!cur_ok(&seq) || !place(r, raw, field) || !place(s, raw + field, field))
        return err_set(e, ERR_INTERNAL, "signature", "%s signature has an unexpected form", sig_alg_name(alg));
    *ret = bytes_of(raw, 2 * field);
    return true;
}
