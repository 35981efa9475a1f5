/* token.c: the compact JWS of an answer (RFC 7515), and the key set that relying parties check it with. */
#include "core/attestation.h"

#include "codec/b64.h"
#include "codec/json.h"
#include "jose/jws.h"

static const struct {
    const char *name;
    enum sig_alg alg;
} algs[] = { { "RS256", SIG_RS256 }, { "PS256", SIG_PS256 }, { "ES256", SIG_ES256 }, { "ES384", SIG_ES384 } };

bool token_alg(struct bytes name, enum sig_alg *ret, struct err *e)
{
    for (size_t i = 0; i < COUNT(algs); i++)
        if (bytes_is(name, algs[i].name)) {
            *ret = algs[i].alg;
            return true;
        }
    return err_set(e, ERR_UNSUPPORTED_ALGORITHM, "token algorithm", "'%.*s' is none of RS256, PS256, ES256, ES384", (int)name.n,
                   (const char *)name.p);
}

static size_t slot_of(const struct core *c, const struct signing_key *k)
{
    return k == &c->keys.rsa ? 0 : k == &c->keys.p256 ? 1 : 2;
}

/* x5c: the certificate as the provider's key set shows it; x5t: its SHA-1 (RFC 7515 sections 4.1.6, 4.1.7). */
static bool put_certificate(struct core *c, const char *issuer, struct signing_key *k, enum sig_alg alg, const struct token_form *form,
                            struct jobj *header, struct arena *a, struct err *e)
{
    struct jarr chain = jarr_open(a);
    struct bytes der;
    struct digest d;

    if (form == NULL || (!form->with_certificate && !form->with_thumbprint))
        return true;
    if (!signing_certificate(k, alg == SIG_PS256 ? SIG_RS256 : alg, issuer, &c->self[slot_of(c, k)], a, &der, e))
        return false;
    d = hash(HASH_SHA1, der);
    jarr_str(&chain, b64std_encode(a, der));
    if (form->with_certificate)
        jobj_json(header, "x5c", jarr_close(&chain));
    else
        jobj_b64url(header, "x5t", digest_bytes(&d));
    return true;
}

bool token_sign(struct core *c, const char *issuer, enum sig_alg alg, bool unsigned_token, const struct token_form *form,
                struct bytes claims, struct arena *a, struct bytes *ret, struct err *e)
{
    struct signing_key *k = keys_for(&c->keys, alg);
    struct jobj header = jobj_open(a);
    struct bytes input, sig = { NULL, 0 };

    if (k == NULL || claims.p == NULL)
        return err_set(e, ERR_INTERNAL, "token", "no key for %s", sig_alg_name(alg));
    jobj_text(&header, "alg", unsigned_token ? "none" : sig_alg_name(alg));
    jobj_text(&header, "jku", arena_printf(a, "%s/certs", issuer));
    jobj_text(&header, "kid", k->kid);
    jobj_text(&header, "typ", "JWT");
    if (!put_certificate(c, issuer, k, alg, form, &header, a, e))
        return false;
    input = jws_input(jobj_print(&header, false), claims, a);
    if (input.p == NULL)
        return err_memory(e, "token");
    if (!unsigned_token && !keys_sign(k, alg, input, a, &sig, e))
        return false;
    *ret = jws_join(input, sig, a);
    return ret->p != NULL || err_memory(e, "token");
}

/* kty and the key's own members, in front of which the recorded ones stand. */
static bool put_public(struct jobj *o, const struct signing_key *k, struct err *e)
{
    struct key *pub = NULL;

    if (!key_from_spki(k->spki, "token key", &pub, e))
        return false;
    jwk_write(pub, o);
    key_free(pub);
    return true;
}

static struct bytes jwk(struct core *c, struct signing_key *k, enum sig_alg alg, const char *issuer, size_t slot,
                        struct arena *a, struct err *e)
{
    struct jobj o = jobj_open(a);
    struct jarr chain = jarr_open(a);
    struct bytes der;

    if (!signing_certificate(k, alg, issuer, &c->self[slot], a, &der, e))
        return (struct bytes){ NULL, 0 };
    jarr_str(&chain, b64std_encode(a, der));
    jobj_json(&o, "x5c", jarr_close(&chain));
    jobj_text(&o, "kid", k->kid);
    if (!put_public(&o, k, e))
        return (struct bytes){ NULL, 0 };
    jobj_text(&o, "use", "sig");
    jobj_text(&o, "alg", sig_alg_name(alg));
    return jobj_print(&o, false);
}

/* The key that signs this provider's tokens comes first: relying parties that look at one look at it. */
bool core_certs(struct core *c, const struct wire_fields *f, int64_t now, struct arena *a, struct out *answer, struct err *e)
{
    struct signing_key *const keys[KEY_SLOTS] = { &c->keys.rsa, &c->keys.p256, &c->keys.p384 };
    static const enum sig_alg native[KEY_SLOTS] = { SIG_RS256, SIG_ES256, SIG_ES384 };
    struct jarr list = jarr_open(a);
    struct jobj set = jobj_open(a);
    enum sig_alg alg = SIG_RS256;
    struct bytes issuer, name;

    (void)now;
    if (!wire_find(f, TAG_ISSUER, &issuer))
        return err_set(e, ERR_INTERNAL, "message", "issuer is missing");
    if (wire_find(f, TAG_ALG, &name) && !token_alg(name, &alg, e))
        return false;
    for (size_t i = 0; i < KEY_SLOTS; i++)
        if (keys[i] == keys_for(&c->keys, alg)) {
            struct bytes key = jwk(c, keys[i], alg == SIG_PS256 ? SIG_RS256 : native[i], arena_str(a, issuer), i, a, e);

            if (key.p == NULL)
                return false;
            jarr_raw(&list, key);
        }
    for (size_t i = 0; i < KEY_SLOTS; i++)
        if (keys[i] != keys_for(&c->keys, alg)) {
            struct bytes key = jwk(c, keys[i], native[i], arena_str(a, issuer), i, a, e);

            if (key.p == NULL)
                return false;
            jarr_raw(&list, key);
        }
    jobj_json(&set, "keys", jarr_close(&list));
    wire_put(answer, TAG_BODY, jobj_print(&set, false));
    return true;
}
