/* akcert.c: see akcert.h. */
#include "evidence/tpm/akcert.h"

#include "codec/der.h"
#include "codec/hex.h"
#include "crypto/hash.h"
#include "crypto/seal.h"

#define OID_EKU "\x55\x1d\x25"
#define OID_SAN "\x55\x1d\x11"
#define OID_POLICIES "\x55\x1d\x20"
#define OID_DIRECTORY_ATTRIBUTES "\x55\x1d\x09"
#define OID_TCG_AK "\x67\x81\x05\x08\x03" /* tcg-kp-AIKCertificate, 2.23.133.8.3 */
#define OID_TCG_EK "\x67\x81\x05\x08\x01" /* tcg-kp-EKCertificate, 2.23.133.8.1 */

enum { POOL_MAX = 512, TRIES_MAX = 32 };

/* Roots under which the clouds issue certificates of attestation keys, by the SHA-256 of their DER.
 * ak_as_ek: its attestation keys carry the EK usage (seen in Google's certificates). */
/* clang-format off */
static const struct root {
    const char *name;
    const char *sha256;
    bool ak_as_ek;
} roots[] = {
    { "Azure Virtual TPM Root Certificate Authority 2023", "e6c596b17f8ffefba5c300f714cfb1260c6028704ecf7becc4ab5018efb00e95", false },
    { "Microsoft RSA Devices Root CA 2021",                "8c2bb9144d4970c94fb8105cc5d860a58e2e675eb360fdd8c14b30833aaaec1d", false },
    { "Google EK/AK CA Root",                              "594759594b9b61524f6c8ef668f7177f7b9066bc0674f2f49fe9e052be78beb2", true },
    { "Google tpm_ek_v1_cloud_host_root",                  "9bd5285f8fb18502a7947e621ffd470266f49fcd3b73e19a190f690ad32a7caf", true },
};
/* clang-format on */

static const struct root *root_of(const struct cert *c)
{
    struct digest d = sha256(c->der);
    uint8_t want[32];

    for (size_t i = 0; i < COUNT(roots); i++)
        if (hex_decode_exact(bytes_str(roots[i].sha256), want, sizeof(want))
            && bytes_equal(digest_bytes(&d), BYTES(want)))
            return &roots[i];
    return NULL;
}

static bool all_are(struct bytes b, uint8_t v)
{
    for (size_t i = 0; i < b.n; i++)
        if (b.p[i] != v)
            return false;
    return true;
}

/* Whatever is wrong with a certificate has one code; that memory ran out says nothing about it. */
static bool bad_format(const struct err *why, const char *what, struct err *e)
{
    return err_set(e, why->code == ERR_NO_MEMORY ? ERR_NO_MEMORY : ERR_AK_CERT_FORMAT, what, "%s", why->why);
}

bool ak_cert_read(struct bytes in, const char *what, struct arena *a, struct cert *ret, struct err *e)
{
    struct err inner = { .code = ERR_NONE };
    struct cur c = cur_open(in);
    struct bytes der, rest;
    struct cert *list;
    size_t count = 0;

    if (in.n > AK_CERT_MAX)
        return err_set(e, ERR_AK_CERT_FORMAT, what, "certificate has %zu bytes, at most %d are accepted",
                       in.n, AK_CERT_MAX);
    if (in.n > 0 && in.p[0] != DER_SEQUENCE) {
        if (!certs_read(in, AK_CHAIN_MAX, what, a, &list, &count, &inner))
            return bad_format(&inner, what, e);
        *ret = list[0];
        return true;
    }
    der = der_whole(&c, DER_SEQUENCE, "Certificate");
    if (!cur_check(&c, ERR_AK_CERT_FORMAT, what, e))
        return false;
    rest = cur_rest(&c);
    if (!all_are(rest, 0) && !all_are(rest, 0xff))
        return err_set(e, ERR_AK_CERT_FORMAT, what, "%zu bytes behind the certificate are no padding",
                       rest.n);
    if (!cert_parse(der, what, ret, &inner))
        return bad_format(&inner, what, e);
    return true;
}

bool ak_cert_check_key(const struct cert *c, const struct key *k, const char *what, struct err *e)
{
    struct err inner = { .code = ERR_NONE };
    AUTO_KEY own = NULL;
    bool same;

    if (!key_from_spki(c->spki, what, &own, &inner))
        return bad_format(&inner, what, e);
    same = key_kind(own) == key_kind(k)
        && (key_kind(k) == KEY_RSA ? bytes_equal(key_modulus(own), key_modulus(k))
                                         && bytes_equal(key_exponent(own), key_exponent(k))
                                   : bytes_equal(key_point(own), key_point(k)));
    if (!same)
        return err_set(e, ERR_AK_CERT_MISMATCH, what,
                       "the certificate is for another key than the attestation key");
    return true;
}

/* -- chains -- */

struct pool {
    const struct cert **list;
    size_t count;
};

static void pool_add(struct pool *p, const struct cert *list, size_t n)
{
    for (size_t i = 0; i < n && p->count < POOL_MAX; i++)
        p->list[p->count++] = &list[i];
}

static bool pool_make(struct pool *p, const struct cert *more, size_t n, const struct verify_env *env,
                      struct err *e)
{
    const struct collateral *coll = env->collateral;

    p->count = 0;
    p->list = arena_many(env->a, POOL_MAX, const struct cert *);
    if (p->list == NULL)
        return err_memory(e, "certificate chain");
    if (env->trust != NULL)
        pool_add(p, env->trust->anchors, env->trust->count);
    pool_add(p, more, n);
    for (size_t i = 0; coll != NULL && i < coll->count; i++) {
        struct cert *list;
        size_t count = 0;

        if (coll->list[i].kind == COLL_CERTS
            && certs_read(coll->list[i].body, 64, "collateral", env->a, &list, &count, NULL))
            pool_add(p, list, count);
    }
    return env->a->failed ? err_memory(e, "certificate chain") : true;
}

static bool is_anchor(const struct cert *c, const struct trust *t)
{
    return trust_has(t, c->subject, c->spki) || ((t == NULL || !t->replace) && root_of(c) != NULL);
}

/* Critical extensions that this walk understands or that do not restrict what it decides. */
static const struct bytes known_critical[] = {
    { (const uint8_t *)OID_EKU, 3 }, { (const uint8_t *)OID_SAN, 3 }, { (const uint8_t *)OID_POLICIES, 3 },
    { (const uint8_t *)OID_DIRECTORY_ATTRIBUTES, 3 },
};

static bool has_usage(const struct cert *c, struct bytes usage)
{
    struct bytes value;
    struct cur outer, seq;

    if (!cert_extension(c, LIT(OID_EKU), &value, NULL))
        return false;
    outer = cur_open(value);
    seq = der_enter(&outer, DER_SEQUENCE, "extKeyUsage");
    while (cur_left(&seq) > 0)
        if (bytes_equal(der_take(&seq, DER_OID, "usage"), usage))
            return true;
    return false;
}

static bool check_revoked(const struct cert *child, const struct cert *parent, struct key *parent_key,
                          const struct verify_env *env, const char *what, struct err *e)
{
    const struct collateral *coll = env->collateral;

    for (size_t i = 0; coll != NULL && i < coll->count; i++) {
        struct crl crl;

        if (coll->list[i].kind != COLL_CRL || !crl_read(coll->list[i].body, "CRL", env->a, &crl, NULL)
            || !bytes_equal(crl.issuer, parent->subject) || !crl_signed_by(&crl, parent_key))
            continue;
        if (crl_lists(&crl, child->serial))
            return err_set(e, ERR_CERT_REVOKED, what, "serial %s is revoked by '%.*s'",
                           cert_serial_hex(child, env->a), (int)parent->subject_cn.n,
                           (const char *)parent->subject_cn.p);
    }
    return true;
}

/* The issuer among the pool: by name, then by signature. */
static const struct cert *find_issuer(const struct cert *child, const struct pool *p, int *tries,
                                      struct key **ret_key)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct cert *c = p->list[i];
        struct err e = { .code = ERR_NONE };
        AUTO_KEY k = NULL;

        if (!bytes_equal(c->subject, child->issuer) || bytes_equal(c->der, child->der) || (*tries)-- <= 0)
            continue;
        if (key_from_spki(c->spki, "issuer", &k, &e)
            && cert_check_issued(child, c, k, ERR_AK_CERT_CHAIN, "certificate", &e)) {
            *ret_key = k;
            k = NULL;
            return c;
        }
    }
    return NULL;
}

static bool check_leaf(const struct cert *leaf, const struct root *root, bool ek, const char *what,
                       struct err *e)
{
    if (!ek && leaf->has_key_usage && (leaf->key_usage & KEY_USAGE_DIGITAL_SIGNATURE) == 0)
        return err_set(e, ERR_AK_CERT_CHAIN, what, "keyUsage of the certificate lacks digitalSignature");
    if (leaf->ca)
        return err_set(e, ERR_AK_CERT_CHAIN, what, "the certificate is that of a CA");
    if (has_usage(leaf, ek ? LIT(OID_TCG_EK) : LIT(OID_TCG_AK)))
        return true;
    if (!ek && root != NULL && root->ak_as_ek && has_usage(leaf, LIT(OID_TCG_EK)))
        return true;
    return err_set(e, ERR_AK_CERT_CHAIN, what, "extended key usage lacks %s",
                   ek ? "2.23.133.8.1 (EK certificate)" : "2.23.133.8.3 (AIK certificate)");
}

static bool check_chain(const struct cert *leaf, const struct cert *more, size_t more_count,
                        const struct verify_env *env, bool ek, const char *what, struct err *e)
{
    const struct cert *at = leaf;
    int tries = TRIES_MAX;
    struct pool pool;

    if (!pool_make(&pool, more, more_count, env, e))
        return false;
    for (int depth = 0; depth < AK_CHAIN_MAX; depth++) {
        AUTO_KEY parent_key = NULL;
        const struct cert *parent;

        if (!cert_check_time(at, env->now, what, e) || !cert_check_critical(at, known_critical, COUNT(known_critical), ERR_AK_CERT_CHAIN, what, e))
            return false;
        if (is_anchor(at, env->trust))
            return check_leaf(leaf, root_of(at), ek, what, e);
        parent = find_issuer(at, &pool, &tries, &parent_key);
        if (parent == NULL)
            return err_set(e, ERR_AK_CERT_CHAIN, what,
                           "issuer '%.*s' of '%.*s' is neither a trusted root nor known",
                           (int)at->issuer_cn.n, (const char *)at->issuer_cn.p, (int)at->subject_cn.n,
                           (const char *)at->subject_cn.p);
        if (parent->path_len >= 0 && depth > parent->path_len)
            return err_set(e, ERR_AK_CERT_CHAIN, what, "pathLenConstraint %d of '%.*s' is exceeded",
                           parent->path_len, (int)parent->subject_cn.n, (const char *)parent->subject_cn.p);
        if (!check_revoked(at, parent, parent_key, env, what, e))
            return false;
        at = parent;
    }
    return err_set(e, ERR_AK_CERT_CHAIN, what, "chain is longer than %d certificates", AK_CHAIN_MAX);
}

bool ak_cert_check_chain(const struct cert *leaf, const struct cert *more, size_t more_count,
                         const struct verify_env *env, const char *what, struct err *e)
{
    return check_chain(leaf, more, more_count, env, false, what, e);
}

bool ek_cert_check_chain(const struct cert *leaf, const struct cert *more, size_t more_count,
                         const struct verify_env *env, const char *what, struct err *e)
{
    return check_chain(leaf, more, more_count, env, true, what, e);
}

/* -- credential activation -- */

static void be16(struct out *o, size_t v)
{
    out_u8(o, (uint8_t)(v >> 8));
    out_u8(o, (uint8_t)v);
}

static void out_2b(struct out *o, struct bytes b)
{
    be16(o, b.n);
    out_bytes(o, b);
}

/* KDFa (TPM 2.0 Part 1, 11.4.10.2) for up to 256 bits of SHA-256: one round. */
static struct digest kdfa(struct bytes key, struct bytes label_with_nul, struct bytes u, uint32_t bits)
{
    const uint8_t counter[4] = { 0, 0, 0, 1 };
    const uint8_t length[4] = { 0, 0, (uint8_t)(bits >> 8), (uint8_t)bits };
    const struct bytes parts[] = { BYTES(counter), label_with_nul, u, BYTES(length) };
    struct digest d = hmac_sha256(key, parts, COUNT(parts));

    d.n = bits / 8;
    return d;
}

/* KDFe (Part 1, 11.4.10.3): for a secret shared by ECDH. */
static struct digest kdfe(struct bytes z, struct bytes label_with_nul, struct bytes u, struct bytes v)
{
    const uint8_t counter[4] = { 0, 0, 0, 1 };
    const struct bytes parts[] = { BYTES(counter), z, label_with_nul, u, v };

    return hash_parts(HASH_SHA256, parts, COUNT(parts));
}

#define LABEL(text) bytes_of(text, sizeof(text))

static bool rsa_seed(struct key *ek, const uint8_t seed[32], struct arena *a, struct bytes *ret,
                     struct err *e)
{
    struct out o = out_open(a);
    struct bytes sealed;

    if (!rsa_encrypt_oaep(ek, HASH_SHA256, LABEL("IDENTITY"), bytes_of(seed, 32), "endorsement key", a,
                          &sealed, e))
        return false;
    out_2b(&o, sealed);
    *ret = out_view(&o);
    return true;
}

static bool ecc_seed(struct key *ek, struct arena *a, struct digest *ret_seed, struct bytes *ret,
                     struct err *e)
{
    uint8_t point[132], z[66];
    struct out o = out_open(a), whole = out_open(a);
    size_t field;

    if (!ecdh_ephemeral(ek, point, z, &field, e))
        return false;
    *ret_seed = kdfe(bytes_of(z, field), LABEL("IDENTITY"), bytes_of(point, field),
                     bytes_part(key_point(ek), 0, field));
    out_2b(&o, bytes_of(point, field));
    out_2b(&o, bytes_of(point + field, field));
    out_2b(&whole, out_view(&o));
    *ret = out_view(&whole);
    return true;
}

bool tpm_make_credential(struct key *ek, struct bytes name, struct bytes secret, const uint8_t seed[32],
                         struct arena *a, struct bytes *ret_id_object, struct bytes *ret_encrypted,
                         struct err *e)
{
    struct digest s = { .n = 32 }, sym, mac_key, mac;
    struct out identity = out_open(a), inner = out_open(a), whole = out_open(a);
    struct bytes encrypted, parts[2];

    memcpy(s.p, seed, 32);
    if (secret.n == 0 || secret.n > 32)
        return err_set(e, ERR_INTERNAL, "credential", "secret has %zu bytes; 1 to 32 fit", secret.n);
    if (!(key_kind(ek) == KEY_RSA ? rsa_seed(ek, seed, a, &encrypted, e)
                                  : ecc_seed(ek, a, &s, &encrypted, e)))
        return false;
    sym = kdfa(digest_bytes(&s), LABEL("STORAGE"), name, 128);
    out_2b(&identity, secret);
    if (!out_ok(&identity))
        return err_memory(e, "credential");
    aes128_cfb_zero_iv(sym.p, identity.p, identity.n);
    mac_key = kdfa(digest_bytes(&s), LABEL("INTEGRITY"), (struct bytes){ NULL, 0 }, 256);
    parts[0] = bytes_of(identity.p, identity.n);
    parts[1] = name;
    mac = hmac_sha256(digest_bytes(&mac_key), parts, 2);
    out_2b(&inner, digest_bytes(&mac));
    out_bytes(&inner, parts[0]);
    out_2b(&whole, out_view(&inner));
    if (out_view(&whole).p == NULL)
        return err_memory(e, "credential");
    *ret_id_object = out_view(&whole);
    *ret_encrypted = encrypted;
    return true;
}
