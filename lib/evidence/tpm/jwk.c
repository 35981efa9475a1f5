/* jwk.c: public keys in requests and how they are bound (evidence-tpm 12.4). */
#include "evidence/tpm/tpm_priv.h"

#include "codec/b64.h"

enum { MODULUS_MAX = 512 };

static bool member(const struct json *j, const char *name, const char *what, struct arena *a,
                   struct bytes *ret, struct err *e)
{
    struct err inner = { .code = ERR_NONE };
    struct bytes text;

    if (!json_string(json_member(j, name), &text))
        return err_set(e, ERR_JWK_FORMAT, what, "member %s of the JWK is missing or no string", name);
    if (b64_decode(text, B64_URL_STRICT, what, a, ret, &inner))
        return true;
    return err_set(e, inner.code == ERR_NO_MEMORY ? inner.code : ERR_JWK_FORMAT, what,
                   "member %s of the JWK: %s", name, inner.why);
}

static bool parse_rsa(const struct json *j, const char *what, struct arena *a, struct tpm_jwk *r,
                      struct err *e)
{
    struct jobj o = jobj_open(a);

    if (!member(j, "n", what, a, &r->n, e) || !member(j, "e", what, a, &r->e, e))
        return false;
    if (r->n.n > MODULUS_MAX || r->n.n < 256)
        return err_set(e, ERR_JWK_FORMAT, what, "modulus of the JWK has %zu bytes; 256 to %d are accepted",
                       r->n.n, MODULUS_MAX);
    jobj_text(&o, "kty", "RSA");
    jobj_str(&o, "n", json_member(j, "n")->text);
    jobj_str(&o, "e", json_member(j, "e")->text);
    r->compact = jobj_print(&o, false);
    return true;
}

static bool parse_ec(const struct json *j, const char *what, struct arena *a, struct tpm_jwk *r,
                     struct err *e)
{
    static const enum key_kind curves[] = { KEY_P256, KEY_P384, KEY_P521 };
    struct bytes crv = { NULL, 0 };
    struct jobj o = jobj_open(a);
    bool known = false;

    (void)json_string(json_member(j, "crv"), &crv);
    for (size_t i = 0; i < COUNT(curves); i++)
        if (bytes_is(crv, key_kind_name(curves[i]))) {
            r->curve = curves[i];
            known = true;
        }
    if (!known)
        return err_set(e, ERR_JWK_FORMAT, what, "crv of the JWK is none of P-256, P-384, P-521");
    if (!member(j, "x", what, a, &r->x, e) || !member(j, "y", what, a, &r->y, e))
        return false;
    jobj_text(&o, "kty", "EC");
    jobj_str(&o, "crv", crv);
    jobj_str(&o, "x", json_member(j, "x")->text);
    jobj_str(&o, "y", json_member(j, "y")->text);
    r->ec = true;
    r->compact = jobj_print(&o, false);
    return true;
}

bool tpm_jwk_parse(const struct json *j, bool allow_ec, const char *what, struct arena *a,
                   struct tpm_jwk *ret, struct err *e)
{
    struct tpm_jwk r = { .ec = false };
    struct bytes kty = { NULL, 0 };

    if (!json_is(j, JSON_OBJECT))
        return err_set(e, ERR_JWS_FORMAT, what, "is missing or no object");
    r.raw = j->raw;
    (void)json_string(json_member(j, "kty"), &kty);
    if (!(bytes_is(kty, "RSA") ? parse_rsa(j, what, a, &r, e)
              : bytes_is(kty, "EC") && allow_ec
              ? parse_ec(j, what, a, &r, e)
              : err_set(e, ERR_JWK_FORMAT, what, "kty of the JWK is not RSA%s", allow_ec ? " or EC" : "")))
        return false;
    *ret = r;
    return true;
}

bool tpm_jwk_key(const struct tpm_jwk *j, const char *what, struct key **ret, struct err *e)
{
    struct err inner = { .code = ERR_NONE };
    uint8_t point[2 * 66];
    bool ok;

    if (j->ec) {
        if (j->x.n > 66 || j->x.n != j->y.n)
            return err_set(e, ERR_JWK_FORMAT, what, "coordinates of the JWK have %zu and %zu bytes", j->x.n,
                           j->y.n);
        memcpy(point, j->x.p, j->x.n);
        memcpy(point + j->x.n, j->y.p, j->y.n);
        ok = key_from_point(j->curve, bytes_of(point, 2 * j->x.n), what, ret, &inner);
    } else {
        ok = key_from_rsa(j->n, j->e, what, ret, &inner);
    }
    if (ok)
        return true;
    return err_set(e, inner.code == ERR_NO_MEMORY ? ERR_NO_MEMORY : ERR_JWK_FORMAT, what, "%s", inner.why);
}

/* -- bindings -- */

static bool parse_quote_info(const struct json *j, const char *what, struct tpm_key_object *r, struct err *e)
{
    static const struct {
        const char *name;
        uint16_t alg;
    } algs[] = { { "sha-256", TPM_SHA256 }, { "sha-384", TPM_SHA384 }, { "sha-512", TPM_SHA512 } };
    struct bytes name = { NULL, 0 };

    (void)json_string(json_member(j, "hash_alg"), &name);
    for (size_t i = 0; i < COUNT(algs); i++)
        if (bytes_is(name, algs[i].name)) {
            r->binding = TPM_BOUND_QUOTE;
            r->hash = tpm_bank(algs[i].alg);
            r->hash_name = name;
            return true;
        }
    return err_set(e, ERR_KEY_BINDING, what, "hash_alg of tpm_quote is none of sha-256, sha-384, sha-512");
}

static bool parse_certify_info(const struct json *j, const char *what, struct arena *a,
                               struct tpm_key_object *r, struct err *e)
{
    if (!json_is(j, JSON_OBJECT))
        return err_set(e, ERR_KEY_BINDING, what, "tpm_certify is no object");
    r->binding = TPM_BOUND_CERTIFY;
    return tpm_member_bytes(j, "public", true, a, &r->public, e)
        && tpm_member_bytes(j, "certification", true, a, &r->certification, e)
        && tpm_member_bytes(j, "signature", true, a, &r->signature, e);
}

bool tpm_key_object_parse(const struct json *j, const char *what, struct arena *a, struct tpm_key_object *ret,
                          struct err *e)
{
    struct tpm_key_object r = { .binding = TPM_BOUND_NOT };
    const struct json *info = json_member(j, "info"), *quote = json_member(info, "tpm_quote"),
                      *certify = json_member(info, "tpm_certify");

    if (!json_is(j, JSON_OBJECT))
        return err_set(e, ERR_JWS_FORMAT, what, "is missing or no object");
    if (!tpm_jwk_parse(json_member(j, "jwk"), false, what, a, &r.jwk, e))
        return false;
    if (info != NULL && !json_is(info, JSON_OBJECT))
        return err_set(e, ERR_KEY_BINDING, what, "info is no object");
    if (info != NULL && (info->count > 1 || (info->count == 1 && quote == NULL && certify == NULL)))
        return err_set(e, ERR_KEY_BINDING, what, "info is not exactly one of tpm_quote and tpm_certify");
    if ((quote != NULL && !parse_quote_info(quote, what, &r, e))
        || (certify != NULL && !parse_certify_info(certify, what, a, &r, e)))
        return false;
    *ret = r;
    return true;
}

struct digest tpm_key_object_nonce(const struct tpm_key_object *k, struct bytes challenge)
{
    const struct bytes parts[] = { k->jwk.raw, LIT("\0"), challenge };
    struct digest d = { .n = challenge.n };

    if (k->binding == TPM_BOUND_QUOTE)
        return hash_parts(k->hash->hash, parts, COUNT(parts));
    memcpy(d.p, challenge.p, challenge.n); /* at most 64 bytes: the parser sees to it */
    return d;
}

static bool check_public(const struct tpm_key_object *k, const struct tpm_public *p, const char *what,
                         struct err *e)
{
    const uint32_t need = TPM_FIXED_TPM | TPM_FIXED_PARENT | TPM_SENSITIVE_DATA_ORIGIN;
    AUTO_KEY jwk = NULL;

    if (!tpm_jwk_key(&k->jwk, what, &jwk, e))
        return false;
    if (!tpm_public_is_key(p, jwk))
        return err_set(e, ERR_CERTIFY_KEY, what, "the key in public is not the key in jwk");
    if ((p->attributes & need) != need)
        return err_set(e, ERR_CERTIFY_ATTRIBUTES, what, "attributes are 0x%08x; fixedTPM, fixedParent and "
                       "sensitiveDataOrigin (0x32) must be set", p->attributes);
    return true;
}

bool tpm_key_object_check(const struct tpm_key_object *k, struct key *aik, struct bytes challenge,
                          const char *what, struct err *e)
{
    static const struct tpm_sig_rule rule = { TPM_SIG_TPMT, false, ERR_CERTIFY_FORMAT, ERR_CERTIFY_SIGNATURE,
                                              ERR_CERTIFY_SIGNATURE };
    struct tpm_attest cert;
    struct tpm_public p;
    enum hash_alg h;

    if (k->binding != TPM_BOUND_CERTIFY)
        return true;
    if (!tpm_public_parse(k->public, ERR_CERTIFY_FORMAT, what, &p, e)
        || !tpm_attest_parse(k->certification, ERR_CERTIFY_FORMAT, what, &cert, e))
        return false;
    if (cert.type != TPM_ATTEST_CERTIFY)
        return err_set(e, ERR_CERTIFY_FORMAT, what, "certification has type 0x%04x, 0x8017 is expected",
                       cert.type);
    if (!tpm_signature_verify(k->signature, aik, k->certification, &rule, what, &h, e))
        return false;
    if (!secret_equal(cert.extra, challenge))
        return err_set(e, ERR_CERTIFY_NONCE, what,
                       "extraData of the certification (%zu bytes) is not the challenge", cert.extra.n);
    return tpm_public_check_name(&p, cert.name, what, e) && check_public(k, &p, what, e);
}

static struct bytes info_json(const struct tpm_key_object *k, struct arena *a)
{
    struct jobj info = jobj_open(a), inner = jobj_open(a);
    struct tpm_public p;

    if (k->binding == TPM_BOUND_QUOTE) {
        jobj_str(&inner, "hash_alg", k->hash_name);
        jobj_json(&info, "tpm_quote", jobj_print(&inner, false));
    } else if (tpm_public_parse(k->public, ERR_CERTIFY_FORMAT, "public", &p, NULL)) {
        jobj_int(&inner, "name_alg", p.name_alg);
        jobj_int(&inner, "obj_attr", p.attributes);
        if (p.policy.n > 0)
            jobj_b64url(&inner, "auth_policy", p.policy);
        jobj_json(&info, "tpm_certify", jobj_print(&inner, false));
    }
    return jobj_print(&info, false);
}

struct bytes tpm_key_object_json(const struct tpm_key_object *k, struct arena *a)
{
    struct jobj o = jobj_open(a);

    jobj_json(&o, "jwk", k->jwk.compact);
    if (k->binding != TPM_BOUND_NOT)
        jobj_json(&o, "info", info_json(k, a));
    return jobj_print(&o, false);
}
