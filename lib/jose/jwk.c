/* jwk.c: see jwk.h. */
#include "jose/jwk.h"

#include "codec/b64.h"

static const struct {
    const char *crv;
    enum key_kind kind;
    size_t field;
} curves[] = { { "P-256", KEY_P256, 32 }, { "P-384", KEY_P384, 48 }, { "P-521", KEY_P521, 66 } };

static bool member_bytes(const struct json *j, const char *name, const char *what, struct arena *a,
                         struct bytes *ret,
                         struct err *e)
{
    struct bytes text;

    if (!json_string(json_member(j, name), &text))
        return err_set(e, ERR_BAD_REQUEST, what, "JWK member '%s' is missing or no string", name);
    return b64_decode(text, B64_URL_STRICT, what, a, ret, e);
}

/* CVE-2017-15361: moduli of that generator are powers of 65537 modulo each of these primes. */
static bool is_roca(struct bytes n)
{
    static const uint8_t primes[] = { 11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157 };

    for (size_t i = 0; i < COUNT(primes); i++) {
        unsigned p = primes[i], rest = 0, power = 1;
        bool found = false;

        for (size_t k = 0; k < n.n; k++)
            rest = (rest << 8 | n.p[k]) % p;
        for (unsigned k = 0; k < p && !found; k++) {
            found = power == rest;
            power = power * (65537u % p) % p;
        }
        if (!found)
            return false;
    }
    return true;
}

static bool read_rsa(const struct json *j, const char *what, struct arena *a, struct key **ret, struct err *e)
{
    struct bytes n, exponent;

    if (!member_bytes(j, "n", what, a, &n, e) || !member_bytes(j, "e", what, a, &exponent, e))
        return false;
    if (is_roca(n))
        return err_set(e, ERR_UNSUPPORTED_ALGORITHM, what,
                       "the RSA key comes from a generator with a known weakness (CVE-2017-15361)");
    return key_from_rsa(n, exponent, what, ret, e);
}

static bool read_ec(const struct json *j, const char *what, struct arena *a, struct key **ret, struct err *e)
{
    struct bytes crv = { NULL, 0 }, x, y;
    uint8_t point[2 * 66];

    if (!json_string(json_member(j, "crv"), &crv))
        return err_set(e, ERR_BAD_REQUEST, what, "JWK member 'crv' is missing or no string");
    for (size_t i = 0; i < COUNT(curves); i++) {
        if (!bytes_is(crv, curves[i].crv))
            continue;
        if (!member_bytes(j, "x", what, a, &x, e) || !member_bytes(j, "y", what, a, &y, e))
            return false;
        if (x.n != curves[i].field || y.n != curves[i].field)
            return err_set(e, ERR_BAD_REQUEST, what, "JWK coordinates have %zu and %zu bytes, %s has %zu", x.n, y.n,
                           curves[i].crv, curves[i].field);
        memcpy(point, x.p, x.n);
        memcpy(point + x.n, y.p, y.n);
        return key_from_point(curves[i].kind, bytes_of(point, 2 * x.n), what, ret, e);
    }
    return err_set(e, ERR_UNSUPPORTED_ALGORITHM, what, "JWK curve '%.*s' is not P-256, P-384 or P-521",
                   (int)(crv.n > 20 ? 20 : crv.n), (const char *)crv.p);
}

bool x5c_read(const struct json *x5c, const char *what, struct arena *a, struct cert **ret, size_t *ret_count,
              struct err *e)
{
    struct cert *list;
    size_t n = 0;

    if (!json_is(x5c, JSON_ARRAY) || x5c->count == 0 || x5c->count > JWK_MAX_CHAIN)
        return err_set(e, ERR_CERT_FORMAT, what, "x5c must be an array of 1 to %d certificates", JWK_MAX_CHAIN);
    list = arena_many(a, x5c->count, struct cert);
    if (list == NULL)
        return err_memory(e, what);
    for (const struct json *c = x5c->child; c != NULL; c = c->next) {
        struct bytes text, der;

        if (!json_string(c, &text))
            return err_set(e, ERR_CERT_FORMAT, what, "x5c holds something else than strings");
        if (!b64_decode(text, B64_ANY, what, a, &der, e) || !cert_parse(der, what, &list[n++], e))
            return false;
    }
    *ret = list;
    *ret_count = n;
    return true;
}

/* The key in the clear, if there is one. */
static bool read_plain(const struct json *j, const char *what, struct arena *a, struct key **ret, struct err *e)
{
    struct bytes kty = { NULL, 0 };

    (void)json_string(json_member(j, "kty"), &kty);
    if (bytes_is(kty, "RSA") && (json_member(j, "n") != NULL || json_member(j, "x5c") == NULL))
        return read_rsa(j, what, a, ret, e);
    if (bytes_is(kty, "EC") && (json_member(j, "x") != NULL || json_member(j, "x5c") == NULL))
        return read_ec(j, what, a, ret, e);
    if (bytes_is(kty, "RSA") || bytes_is(kty, "EC") || (kty.n == 0 && json_member(j, "x5c") != NULL))
        return true;
    return err_set(e, ERR_UNSUPPORTED_ALGORITHM, what, "JWK key type '%.*s' is not RSA or EC",
                   (int)(kty.n > 20 ? 20 : kty.n), (const char *)kty.p);
}

static bool same_key(const struct key *x, const struct key *y)
{
    if (key_kind(x) != key_kind(y))
        return false;
    if (key_kind(x) == KEY_RSA)
        return bytes_equal(key_modulus(x), key_modulus(y)) && bytes_equal(key_exponent(x), key_exponent(y));
    return bytes_equal(key_point(x), key_point(y));
}

static bool read_chain(const struct json *j, const char *what, struct arena *a, struct jwk *k, struct err *e)
{
    AUTO_KEY leaf = NULL;

    k->x5c = json_member(j, "x5c");
    if (k->x5c == NULL)
        return true;
    if (!x5c_read(k->x5c, what, a, &k->chain, &k->chain_count, e)
        || !key_from_spki(k->chain[0].spki, what, &leaf, e))
        return false;
    if (key_kind(leaf) == KEY_RSA && is_roca(key_modulus(leaf)))
        return err_set(e, ERR_UNSUPPORTED_ALGORITHM, what,
                       "the RSA key comes from a generator with a known weakness (CVE-2017-15361)");
    if (k->key != NULL)
        return same_key(k->key, leaf) || err_set(e, ERR_BAD_REQUEST, what,
                                                 "the JWK's key is not that of its first certificate");
    k->key = leaf;
    leaf = NULL;
    return true;
}

void jwk_done(struct jwk *k)
{
    key_free(k->key);
    k->key = NULL;
}

static bool read_jwk(const struct json *j, bool certificates, const char *what, struct arena *a, struct jwk *ret, struct err *e)
{
    struct jwk k = { 0 };

    if (!json_is(j, JSON_OBJECT))
        return err_set(e, ERR_BAD_REQUEST, what, "a JWK is a JSON object");
    if (json_member(j, "d") != NULL || json_member(j, "k") != NULL)
        return err_set(e, ERR_BAD_REQUEST, what,
                       "the JWK holds a private or symmetric key; send the public one only");
    (void)json_string(json_member(j, "kid"), &k.kid);
    (void)json_string(json_member(j, "use"), &k.use);
    (void)json_string(json_member(j, "alg"), &k.alg);
    k.key_ops = json_member(j, "key_ops");
    if (!read_plain(j, what, a, &k.key, e) || (certificates && !read_chain(j, what, a, &k, e))) {
        jwk_done(&k);
        return false;
    }
    if (k.key == NULL)
        return err_set(e, ERR_BAD_REQUEST, what, "the JWK has no key in the clear");
    *ret = k;
    return true;
}

bool jwk_read(const struct json *j, const char *what, struct arena *a, struct jwk *ret, struct err *e)
{
    return read_jwk(j, true, what, a, ret, e);
}

bool jwk_read_plain(const struct json *j, const char *what, struct arena *a, struct jwk *ret, struct err *e)
{
    return read_jwk(j, false, what, a, ret, e);
}

void jwks_done(struct jwks *s)
{
    for (size_t i = 0; i < s->count; i++)
        jwk_done(&s->list[i]);
    s->count = 0;
}

static bool kid_taken(const struct jwks *s, struct bytes kid)
{
    for (size_t i = 0; i < s->count; i++)
        if (kid.n > 0 && bytes_equal(s->list[i].kid, kid))
            return true;
    return false;
}

enum { MAX_KEYS = 64 };

bool jwks_read(const struct json *j, const char *what, struct arena *a, struct jwks *ret, struct err *e)
{
    const struct json *keys = json_member(j, "keys");
    struct jwks s = { 0 };

    if (!json_is(keys, JSON_ARRAY) || keys->count > MAX_KEYS)
        return err_set(e, ERR_BAD_REQUEST, what, "'keys' must be an array of at most %d keys", MAX_KEYS);
    s.list = arena_many(a, keys->count, struct jwk);
    if (s.list == NULL)
        return err_memory(e, what);
    for (const struct json *k = keys->child; k != NULL; k = k->next) {
        struct jwk one;

        if (!jwk_read(k, what, a, &one, e)) {
            jwks_done(&s);
            return false;
        }
        if (kid_taken(&s, one.kid)) {
            err_set(e, ERR_BAD_REQUEST, what, "two keys have the kid '%.*s'",
                    (int)(one.kid.n > 60 ? 60 : one.kid.n),
                    (const char *)one.kid.p);
            jwk_done(&one);
            jwks_done(&s);
            return false;
        }
        s.list[s.count++] = one;
    }
    *ret = s;
    return true;
}

const struct jwk *jwks_find(const struct jwks *s, struct bytes kid)
{
    if (kid.n == 0)
        return s->count == 1 ? &s->list[0] : NULL;
    for (size_t i = 0; i < s->count; i++)
        if (bytes_equal(s->list[i].kid, kid))
            return &s->list[i];
    return NULL;
}

void jwk_write(const struct key *k, struct jobj *o)
{
    struct bytes point = key_point(k);

    if (key_kind(k) == KEY_RSA) {
        jobj_text(o, "kty", "RSA");
        jobj_b64url(o, "n", key_modulus(k));
        jobj_b64url(o, "e", key_exponent(k));
        return;
    }
    jobj_text(o, "kty", "EC");
    jobj_text(o, "crv", key_kind_name(key_kind(k)));
    jobj_b64url(o, "x", bytes_part(point, 0, point.n / 2));
    jobj_b64url(o, "y", bytes_part(point, point.n / 2, point.n / 2));
}

struct bytes jwk_thumbprint(const struct key *k, struct arena *a)
{
    struct jobj o = jobj_open(a);
    struct digest d;
    struct bytes text;

    jwk_write(k, &o); /* exactly the required members; sorted and compact is RFC 7638 section 3 */
    text = jobj_print(&o, true);
    if (text.p == NULL)
        return text;
    d = sha256(text);
    return b64url_encode(a, digest_bytes(&d));
}

bool jwk_may_verify(const struct jwk *k, struct bytes alg)
{
    struct bytes op;
    bool any = false;

    if ((k->use.n > 0 && !bytes_is(k->use, "sig")) || (k->alg.n > 0 && alg.n > 0 && !bytes_equal(k->alg, alg)))
        return false;
    if (k->key_ops == NULL)
        return true;
    if (k->key_ops->type != JSON_ARRAY)
        return false;
    for (const struct json *o = k->key_ops->child; o != NULL; o = o->next)
        any = any || (json_string(o, &op) && bytes_is(op, "verify"));
    return any;
}
