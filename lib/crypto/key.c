/* key.c: see key.h. */
#include "crypto/key.h"

#include "base/arena.h"
#include "base/out.h"
#include "codec/der.h"
#include "crypto/p384.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>

struct key {
    enum key_kind kind;
    EVP_PKEY *pkey;       /* P-384: made when somebody asks for it */
    struct p384 *p384;    /* what verifies on P-384 */
    EVP_PKEY_CTX *verify; /* made at first use and kept: making one costs as much as a small verification */
    enum sig_alg verify_alg;
    size_t n;             /* length of point or modulus */
    size_t exponent_n;
    uint8_t exponent[8];
    uint8_t data[];       /* X || Y, or the modulus */
};

static const struct {
    const char *name, *group;
    size_t field; /* bytes of a coordinate */
    const char *oid;
    size_t oid_n;
} kinds[] = {
    [KEY_P256] = { "P-256", "P-256", 32, "\x2a\x86\x48\xce\x3d\x03\x01\x07", 8 },
    [KEY_P384] = { "P-384", "P-384", 48, "\x2b\x81\x04\x00\x22", 5 },
    [KEY_P521] = { "P-521", "P-521", 66, "\x2b\x81\x04\x00\x23", 5 },
    [KEY_RSA] = { "RSA", NULL, 0, NULL, 0 },
};

static const struct {
    const char *name;
    bool rsa, pss;
    enum key_kind curve;
    enum hash_alg hash;
} algs[] = {
    [SIG_NONE] = { "none", false, false, KEY_RSA, HASH_SHA256 },
    [SIG_ES256] = { "ES256", false, false, KEY_P256, HASH_SHA256 },
    [SIG_ES384] = { "ES384", false, false, KEY_P384, HASH_SHA384 },
    [SIG_ES512] = { "ES512", false, false, KEY_P521, HASH_SHA512 },
    [SIG_RS1] = { "RS1", true, false, KEY_RSA, HASH_SHA1 },
    [SIG_RS256] = { "RS256", true, false, KEY_RSA, HASH_SHA256 },
    [SIG_RS384] = { "RS384", true, false, KEY_RSA, HASH_SHA384 },
    [SIG_RS512] = { "RS512", true, false, KEY_RSA, HASH_SHA512 },
    [SIG_PS256] = { "PS256", true, true, KEY_RSA, HASH_SHA256 },
    [SIG_PS384] = { "PS384", true, true, KEY_RSA, HASH_SHA384 },
    [SIG_PS512] = { "PS512", true, true, KEY_RSA, HASH_SHA512 },
    [SIG_PS256_ANY_SALT] = { "PS256 of any salt", true, true, KEY_RSA, HASH_SHA256 },
    [SIG_PS384_ANY_SALT] = { "PS384 of any salt", true, true, KEY_RSA, HASH_SHA384 },
    [SIG_PS512_ANY_SALT] = { "PS512 of any salt", true, true, KEY_RSA, HASH_SHA512 },
};

/* A key of each curve, made once: copying it and setting another point is four times as fast as building one. */
static EVP_PKEY *templates[KEY_P521 + 1];

static EVP_PKEY *template_of(enum key_kind curve)
{
    if (templates[curve] == NULL)
        templates[curve] = EVP_EC_gen(kinds[curve].group);
    return templates[curve];
}

static struct key *key_new(enum key_kind kind, struct bytes data)
{
    struct key *k = calloc(1, sizeof(*k) + data.n);

    if (k == NULL)
        return NULL;
    k->kind = kind;
    k->n = data.n;
    memcpy(k->data, data.p, data.n);
    return k;
}

void key_free(struct key *k)
{
    if (k == NULL)
        return;
    EVP_PKEY_CTX_free(k->verify);
    EVP_PKEY_free(k->pkey);
    p384_free(k->p384);
    free(k);
}

/* The libcrypto key of an EC key; NULL: not on the curve, or no memory. */
static EVP_PKEY *evp_of(struct key *k)
{
    uint8_t encoded[1 + 2 * 66];

    if (k->pkey != NULL || template_of(k->kind) == NULL)
        return k->pkey;
    encoded[0] = 4;
    memcpy(encoded + 1, k->data, k->n);
    k->pkey = EVP_PKEY_dup(template_of(k->kind));
    if (k->pkey != NULL && EVP_PKEY_set1_encoded_public_key(k->pkey, encoded, k->n + 1) != 1) {
        EVP_PKEY_free(k->pkey);
        k->pkey = NULL;
    }
    return k->pkey;
}

bool key_from_point(enum key_kind curve, struct bytes point, const char *what, struct key **ret,
                    struct err *e)
{
    size_t size = kinds[curve].field * 2;
    struct key *k;

    if (point.n == size + 1 && point.p[0] == 4)
        point = bytes_part(point, 1, size);
    if (point.n != size)
        return err_set(e, ERR_CERT_FORMAT, what, "%s public key has %zu bytes, an uncompressed point has %zu",
                       kinds[curve].name, point.n, size);
    k = key_new(curve, point);
    if (k == NULL || template_of(curve) == NULL) {
        key_free(k);
        return err_memory(e, what);
    }
    if (curve == KEY_P384)
        k->p384 = p384_new(point);
    if (curve == KEY_P384 ? k->p384 == NULL : evp_of(k) == NULL) {
        key_free(k);
        return err_set(e, ERR_CERT_FORMAT, what, "public key is not a point of %s", kinds[curve].name);
    }
    *ret = k;
    return true;
}

static EVP_PKEY *build_rsa(struct bytes n, struct bytes exponent)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *bn = BN_bin2bn(n.p, (int)n.n, NULL), *be = BN_bin2bn(exponent.p, (int)exponent.n, NULL);
    OSSL_PARAM *params = NULL;
    EVP_PKEY *pkey = NULL;

    if (ctx != NULL && build != NULL && bn != NULL && be != NULL
        && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, bn) == 1
        && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, be) == 1
        && (params = OSSL_PARAM_BLD_to_param(build)) != NULL
        && EVP_PKEY_fromdata_init(ctx) == 1
        && EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(bn);
    BN_free(be);
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

bool key_from_rsa(struct bytes n, struct bytes exponent, const char *what, struct key **ret,
                  struct err *e)
{
    struct key *k;

    while (n.n > 0 && n.p[0] == 0)
        n = bytes_part(n, 1, n.n - 1);
    while (exponent.n > 0 && exponent.p[0] == 0)
        exponent = bytes_part(exponent, 1, exponent.n - 1);
    if (n.n < 256 || (n.n == 256 && n.p[0] < 0x80) || n.n > 1024)
        return err_set(e, ERR_CERT_FORMAT, what, "RSA modulus has %zu bytes; 2048 to 8192 bits are accepted", n.n);
    if (exponent.n == 0 || exponent.n > 8 || (exponent.p[exponent.n - 1] & 1) == 0
        || (exponent.n == 1 && exponent.p[0] < 3) || (n.p[n.n - 1] & 1) == 0)
        return err_set(e, ERR_CERT_FORMAT, what, "RSA key is even or its exponent is not an odd number from 3 to 2^64");
    k = key_new(KEY_RSA, n);
    if (k == NULL)
        return err_memory(e, what);
    memcpy(k->exponent, exponent.p, exponent.n);
    k->exponent_n = exponent.n;
    k->pkey = build_rsa(n, exponent);
    if (k->pkey == NULL) {
        key_free(k);
        return err_set(e, ERR_CERT_FORMAT, what, "RSA key cannot be used");
    }
    *ret = k;
    return true;
}

#define OID_EC "\x2a\x86\x48\xce\x3d\x02\x01"
#define OID_RSA "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"
#define OID_RSA_PSS "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"

bool key_from_spki(struct bytes spki, const char *what, struct key **ret, struct err *e)
{
    struct cur c = cur_open(spki), seq = der_enter(&c, DER_SEQUENCE, "SubjectPublicKeyInfo");
    struct cur alg = der_enter(&seq, DER_SEQUENCE, "algorithm");
    struct bytes oid = der_take(&alg, DER_OID, "algorithm identifier");
    struct bytes bits = der_bits(&seq, "subjectPublicKey");
    struct cur rsa;
    struct bytes n, exponent;

    if (!cur_check(&alg, ERR_CERT_FORMAT, what, e) || !cur_close(&seq, ERR_CERT_FORMAT, what, e)
        || !cur_close(&c, ERR_CERT_FORMAT, what, e))
        return false;
    if (OID_IS(oid, OID_EC)) {
        struct bytes curve = der_take(&alg, DER_OID, "named curve");

        if (!cur_close(&alg, ERR_CERT_FORMAT, what, e))
            return false;
        for (size_t i = 0; i <= KEY_P521; i++)
            if (bytes_equal(curve, bytes_of(kinds[i].oid, kinds[i].oid_n)))
                return key_from_point((enum key_kind)i, bits, what, ret, e);
        return err_set(e, ERR_UNSUPPORTED_ALGORITHM, what, "key is on an elliptic curve other than P-256, P-384, P-521");
    }
    if (!OID_IS(oid, OID_RSA) && !OID_IS(oid, OID_RSA_PSS))
        return err_set(e, ERR_UNSUPPORTED_ALGORITHM, what, "public key is neither RSA nor elliptic curve");
    c = cur_open(bits);
    rsa = der_enter(&c, DER_SEQUENCE, "RSAPublicKey");
    n = der_integer(&rsa, "modulus");
    exponent = der_integer(&rsa, "publicExponent");
    return cur_close(&rsa, ERR_CERT_FORMAT, what, e) && cur_close(&c, ERR_CERT_FORMAT, what, e)
        && key_from_rsa(n, exponent, what, ret, e);
}

enum key_kind key_kind(const struct key *k)
{
    return k->kind;
}

const char *key_kind_name(enum key_kind kind)
{
    return kinds[kind].name;
}

size_t key_bits(const struct key *k)
{
    static const size_t bits[] = { [KEY_P256] = 256, [KEY_P384] = 384, [KEY_P521] = 521 };

    return k->kind == KEY_RSA ? (size_t)EVP_PKEY_get_bits(k->pkey) : bits[k->kind];
}

/* Tag and length, then what `inside` holds; lengths below 64 KiB. */
static struct bytes der_wrap(uint8_t tag, struct bytes first, struct bytes second, struct arena *a)
{
    struct out o = out_open(a);
    size_t n = first.n + second.n;

    out_u8(&o, tag);
    if (n >= 0x100)
        out_u8(&o, 0x82);
    else if (n >= 0x80)
        out_u8(&o, 0x81);
    if (n >= 0x100)
        out_u8(&o, (uint8_t)(n >> 8));
    out_u8(&o, (uint8_t)n);
    out_bytes(&o, first);
    out_bytes(&o, second);
    return out_view(&o);
}

static struct bytes der_unsigned(struct bytes v, struct arena *a)
{
    return der_wrap(DER_INTEGER, bytes_part(LIT("\0"), 0, v.p[0] >= 0x80), v, a);
}

/* Written here: libcrypto's encoder searches all its providers each time, a tenth of a millisecond. */
struct bytes key_spki(struct key *k, struct arena *a)
{
    static const struct bytes none;
    struct bytes alg, bits;

    if (k->kind == KEY_RSA) {
        alg = der_wrap(DER_SEQUENCE, der_wrap(DER_OID, LIT(OID_RSA), none, a), der_wrap(DER_NULL, none, none, a), a);
        bits = der_wrap(DER_SEQUENCE, der_unsigned(key_modulus(k), a), der_unsigned(key_exponent(k), a), a);
        bits = der_wrap(DER_BIT_STRING, LIT("\0"), bits, a);
    } else {
        alg = der_wrap(DER_SEQUENCE, der_wrap(DER_OID, LIT(OID_EC), none, a),
                       der_wrap(DER_OID, bytes_of(kinds[k->kind].oid, kinds[k->kind].oid_n), none, a), a);
        bits = der_wrap(DER_BIT_STRING, LIT("\0\4"), key_point(k), a);
    }
    alg = der_wrap(DER_SEQUENCE, alg, bits, a);
    return a->failed ? none : alg;
}

struct bytes key_point(const struct key *k)
{
    return k->kind == KEY_RSA ? (struct bytes){ NULL, 0 } : bytes_of(k->data, k->n);
}

struct bytes key_modulus(const struct key *k)
{
    return k->kind == KEY_RSA ? bytes_of(k->data, k->n) : (struct bytes){ NULL, 0 };
}

struct bytes key_exponent(const struct key *k)
{
    return bytes_of(k->exponent, k->exponent_n);
}

struct evp_pkey_st *key_evp(struct key *k)
{
    return k->kind == KEY_RSA ? k->pkey : evp_of(k);
}

const char *sig_alg_name(enum sig_alg alg)
{
    return algs[alg].name;
}

enum hash_alg sig_alg_hash(enum sig_alg alg)
{
    return algs[alg].hash;
}

static size_t put_integer(uint8_t *q, struct bytes v)
{
    size_t n;

    while (v.n > 1 && v.p[0] == 0)
        v = bytes_part(v, 1, v.n - 1);
    n = v.n + (v.p[0] >= 0x80);
    q[0] = DER_INTEGER;
    q[1] = (uint8_t)n;
    q[2] = 0;
    memcpy(q + 2 + (n - v.n), v.p, v.n);
    return 2 + n;
}

/* r || s to ECDSA-Sig-Value. `to` has room for 3 + 2 * (2 + 67). Returns the length. */
static size_t raw_to_der(struct bytes raw, uint8_t *to)
{
    uint8_t body[2 * (2 + 67)];
    size_t half = raw.n / 2;
    size_t n = put_integer(body, bytes_part(raw, 0, half));

    n += put_integer(body + n, bytes_part(raw, half, half));
    to[0] = DER_SEQUENCE;
    if (n < 0x80) {
        to[1] = (uint8_t)n;
        memcpy(to + 2, body, n);
        return n + 2;
    }
    to[1] = 0x81;
    to[2] = (uint8_t)n;
    memcpy(to + 3, body, n);
    return n + 3;
}

/* ECDSA-Sig-Value must be strict DER with two positive integers; libcrypto is more lenient in places. */
static bool strict_der(struct bytes sig, struct bytes *ret_r, struct bytes *ret_s)
{
    struct cur c = cur_open(sig), seq = der_enter(&c, DER_SEQUENCE, "ECDSA-Sig-Value");
    struct bytes r = der_integer(&seq, "r"), s = der_integer(&seq, "s");

    *ret_r = r;
    *ret_s = s;
    return cur_ok(&seq) && cur_left(&seq) == 0 && cur_ok(&c) && cur_left(&c) == 0 && r.p[0] < 0x80 && s.p[0] < 0x80;
}

/* A non-negative INTEGER's content, right-aligned into a coordinate; false if it is longer than that. */
static bool put_coordinate(uint8_t *to, size_t field, struct bytes v)
{
    while (v.n > 0 && v.p[0] == 0)
        v = bytes_part(v, 1, v.n - 1);
    if (v.n > field)
        return false;
    memset(to, 0, field - v.n);
    if (v.n > 0)
        memcpy(to + field - v.n, v.p, v.n);
    return true;
}

static bool verify_p384(struct key *k, enum sig_form form, struct bytes digest, struct bytes sig)
{
    uint8_t raw[2 * P384_FIELD];
    struct bytes r, s;

    if (form == SIG_DER) {
        if (!strict_der(sig, &r, &s) || !put_coordinate(raw, P384_FIELD, r)
            || !put_coordinate(raw + P384_FIELD, P384_FIELD, s))
            return false;
        sig = BYTES(raw);
    }
    return p384_verify(k->p384, digest, sig);
}

static const EVP_MD *md_of(enum hash_alg alg)
{
    switch (alg) {
    case HASH_SHA1:
        return EVP_sha1();
    case HASH_SHA384:
        return EVP_sha384();
    case HASH_SHA512:
        return EVP_sha512();
    default:
        return EVP_sha256();
    }
}

static bool any_salt(enum sig_alg alg)
{
    return alg == SIG_PS256_ANY_SALT || alg == SIG_PS384_ANY_SALT || alg == SIG_PS512_ANY_SALT;
}

static bool prepare(struct key *k, enum sig_alg alg)
{
    const EVP_MD *md = md_of(algs[alg].hash);

    if (k->verify != NULL && k->verify_alg == alg)
        return true;
    EVP_PKEY_CTX_free(k->verify);
    k->verify = key_evp(k) == NULL ? NULL : EVP_PKEY_CTX_new_from_pkey(NULL, k->pkey, NULL);
    k->verify_alg = alg;
    if (k->verify == NULL || EVP_PKEY_verify_init(k->verify) != 1)
        goto failed;
    if (algs[alg].rsa
        && (EVP_PKEY_CTX_set_rsa_padding(k->verify, algs[alg].pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) != 1
            || EVP_PKEY_CTX_set_signature_md(k->verify, md) != 1))
        goto failed;
    if (algs[alg].pss
        && (EVP_PKEY_CTX_set_rsa_mgf1_md(k->verify, md) != 1
            || EVP_PKEY_CTX_set_rsa_pss_saltlen(k->verify, any_salt(alg) ? RSA_PSS_SALTLEN_AUTO
                                                                             : RSA_PSS_SALTLEN_DIGEST) != 1))
        goto failed;
    return true;
failed:
    EVP_PKEY_CTX_free(k->verify);
    k->verify = NULL;
    return false;
}

bool key_verify_digest(struct key *k, enum sig_alg alg, enum sig_form form, struct bytes digest, struct bytes sig)
{
    uint8_t der[3 + 2 * (2 + 67)];

    if (alg == SIG_NONE || digest.n != hash_size(algs[alg].hash))
        return false;
    if (algs[alg].rsa) {
        if (k->kind != KEY_RSA || sig.n != k->n)
            return false;
    } else {
        struct bytes r, s;

        if (k->kind != algs[alg].curve)
            return false;
        if (k->kind == KEY_P384 && verify_p384(k, form, digest, sig))
            return true; /* a refusal is libcrypto's to say: see p384.h */
        if (form == SIG_RAW) {
            if (sig.n != kinds[k->kind].field * 2)
                return false;
            sig = bytes_of(der, raw_to_der(sig, der));
        } else if (!strict_der(sig, &r, &s)) {
            return false;
        }
    }
    return prepare(k, alg) && EVP_PKEY_verify(k->verify, sig.p, sig.n, digest.p, digest.n) == 1;
}

bool key_verify(struct key *k, enum sig_alg alg, enum sig_form form, struct bytes data, struct bytes sig)
{
    struct digest d;

    if (alg == SIG_NONE)
        return false;
    d = hash(algs[alg].hash, data);
    return key_verify_digest(k, alg, form, digest_bytes(&d), sig);
}
