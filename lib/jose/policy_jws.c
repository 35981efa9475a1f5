/* policy_jws.c: see policy_jws.h. */
#include "jose/policy_jws.h"

#include "codec/b64.h"

#define WHAT "policy token"
#define ACCEPT (JWS_UNSIGNED | JWS_CLIENTS)

static struct bytes trim(struct bytes b)
{
    while (b.n > 0 && strchr(" \t\r\n", b.p[0]) != NULL && b.p[0] != 0)
        b = bytes_part(b, 1, b.n - 1);
    while (b.n > 0 && strchr(" \t\r\n", b.p[b.n - 1]) != NULL && b.p[b.n - 1] != 0)
        b.n--;
    return b;
}

/* The JWS as plain text or as a JSON string. */
static bool unquote(struct bytes *body, struct arena *a, struct err *e)
{
    const struct json *j;
    struct err why = { 0 };

    *body = trim(*body);
    if (body->n == 0 || body->p[0] != '"')
        return true;
    if (!json_parse(*body, 1, WHAT, a, &j, &why))
        return err_set(e, why.code == ERR_NO_MEMORY ? why.code : ERR_INVALID_OPERATION, WHAT,
                       "Malformed JWT: %s", why.why);
    *body = trim(j->text);
    return true;
}

bool policy_body_is_text(struct bytes body)
{
    return bytes_equal_nocase(bytes_part(trim(body), 0, 7), LIT("version"));
}

/* -- the signer -- */

static void take_key(struct signed_request *r, struct jwk *k)
{
    r->signer = k->key;
    k->key = NULL;
    r->chain = k->chain;
    r->chain_count = k->chain_count;
    r->x5c = k->x5c;
}

static bool recode(const struct err *why, struct err *e)
{
    return err_set(e, why->code == ERR_BAD_REQUEST ? ERR_INVALID_OPERATION : why->code, why->what, "%s", why->why);
}

/* Step 3: header x5c, or header jwk with x5c, or jwk with the key itself. */
static bool find_signer(struct signed_request *r, struct arena *a, struct err *e)
{
    const struct json *header = r->jws.header, *jwk = json_member(header, "jwk");
    struct err why = { 0 };
    AUTO_JWK k = { 0 };

    if (json_member(header, "x5c") != NULL) {
        r->x5c = json_member(header, "x5c");
        if (!x5c_read(r->x5c, WHAT, a, &r->chain, &r->chain_count, &why)
            || !key_from_spki(r->chain[0].spki, WHAT, &r->signer, &why))
            return recode(&why, e);
        return true;
    }
    if (jwk == NULL)
        return err_set(e, ERR_INVALID_OPERATION, WHAT,
                       "the token is signed but its header has neither x5c nor jwk");
    if (!jwk_read(jwk, WHAT, a, &k, &why))
        return recode(&why, e);
    take_key(r, &k);
    return true;
}

/* Which may be critical in a signer's chain: extendedKeyUsage, subjectAltName and certificatePolicies say for what else its
 * owner has the certificate; nameConstraints would have to be followed. */
static const struct bytes harmless[] = {
    { (const uint8_t *)"\x55\x1d\x25", 3 }, { (const uint8_t *)"\x55\x1d\x11", 3 }, { (const uint8_t *)"\x55\x1d\x20", 3 },
};

/* Step 5: each certificate is issued by the next; the last is a self-signed CA. */
static bool check_chain(const struct signed_request *r, int64_t now, struct arena *a, struct err *e)
{
    for (size_t i = 0; i < r->chain_count; i++) {
        bool last = i + 1 == r->chain_count;
        const struct cert *c = &r->chain[i], *issuer = last ? c : &r->chain[i + 1];
        AUTO_KEY key = NULL;

        if (last && !cert_self_issued(c))
            return err_set(e, ERR_SIGNER_CHAIN, WHAT, "Unable to find issuer certificate %s",
                           name_text(c->issuer, a));
        if (!key_from_spki(issuer->spki, WHAT, &key, e)
            || !cert_check_critical(c, harmless, COUNT(harmless), ERR_SIGNER_CHAIN, WHAT, e)
            || !cert_check_issued(c, issuer, key, ERR_SIGNER_CHAIN, WHAT, e))
            return false;
        if (now != ANY_TIME && !cert_check_time(c, now, WHAT, e))
            return false;
    }
    return true;
}

void signed_request_done(struct signed_request *r)
{
    key_free(r->signer);
    r->signer = NULL;
}

static bool read_payload(struct signed_request *r, struct arena *a, struct err *e)
{
    struct err why = { 0 };

    if (trim(r->jws.payload).n == 0)
        return true;
    if (json_parse(r->jws.payload, JSON_DEPTH, WHAT, a, &r->payload, &why))
        return true;
    return err_set(e, why.code == ERR_NO_MEMORY ? why.code : ERR_INVALID_OPERATION, WHAT,
                   "Malformed JWT: payload: %s", why.why);
}

static bool open_request(struct signed_request *r, struct bytes body, int64_t now, struct arena *a, struct err *e)
{
    struct err why = { 0 };

    if (!unquote(&body, a, e))
        return false;
    if (!jws_parse(body, ACCEPT, ERR_INVALID_OPERATION, WHAT, a, &r->jws, &why))
        return err_set(e, why.code == ERR_UNSUPPORTED_ALGORITHM ? ERR_INVALID_OPERATION : why.code, why.what,
                       "%s", why.why);
    r->is_signed = !r->jws.is_unsigned;
    if (!read_payload(r, a, e))
        return false;
    if (!r->is_signed)
        return true;
    if (!find_signer(r, a, e))
        return false;
    if (!jws_signed_by(&r->jws, r->signer, ACCEPT))
        return err_set(e, ERR_SIGNER_SIGNATURE, WHAT,
                       "the signature (%s) is not that of the certificate or key in the header",
                       sig_alg_name(r->jws.sig_alg));
    return check_chain(r, now, a, e);
}

bool signed_request_open(struct bytes body, int64_t now, struct arena *a, struct signed_request *ret, struct err *e)
{
    struct signed_request r = { 0 };

    if (!open_request(&r, body, now, a, e)) {
        signed_request_done(&r);
        return false;
    }
    *ret = r;
    return true;
}

/* -- what is inside -- */

bool policy_of_request(const struct signed_request *r, struct arena *a, struct bytes *ret_text, bool *ret_empty,
                       struct err *e)
{
    const struct json *p = r->payload;
    struct bytes text;
    struct err why = { 0 };

    *ret_empty = p == NULL || p->type == JSON_NULL || (p->type == JSON_STRING && p->text.n == 0)
        || (p->type == JSON_OBJECT && p->count == 0);
    if (*ret_empty) {
        *ret_text = (struct bytes){ NULL, 0 };
        return true;
    }
    if (!json_string(json_member(p, "AttestationPolicy"), &text))
        return err_set(e, ERR_INVALID_OPERATION, WHAT,
                       "Could not find \"AttestationPolicy\" claim in policy token");
    for (int i = 0; i < 2 && text.n > 0 && text.p[text.n - 1] == '='; i++) /* padding is taken (section 2.1) */
        text.n--;
    if (!b64_decode(text, B64_URL_STRICT, WHAT, a, ret_text, &why))
        return recode(&why, e);
    return true;
}

bool policy_certificate_of_request(const struct signed_request *r, struct arena *a, struct cert *ret, struct err *e)
{
    static const char *const names[] = { "policyCertificate", "maa-policyCertificate", "x-ms-policyCertificate" };
    const struct json *jwk = NULL;
    struct cert *chain;
    struct err why = { 0 };
    size_t count;

    for (size_t i = 0; i < COUNT(names) && jwk == NULL; i++)
        jwk = json_member(r->payload, names[i]);
    if (jwk == NULL)
        return err_set(e, ERR_INVALID_OPERATION, WHAT,
                       "Could not find \"maa-policyCertificate\" claim in policy token");
    if (!x5c_read(json_member(jwk, "x5c"), "policy certificate", a, &chain, &count, &why))
        return recode(&why, e);
    *ret = chain[0];
    return true;
}

struct bytes policy_signer_json(const struct signed_request *r, struct arena *a)
{
    struct jobj o = jobj_open(a);

    jobj_text(&o, "alg", sig_alg_name(r->jws.sig_alg));
    if (r->x5c == NULL) {
        jwk_write(r->signer, &o);
    } else {
        struct out x5c = out_open(a);

        json_print(&x5c, r->x5c, false);
        jobj_text(&o, "kty", key_kind(r->signer) == KEY_RSA ? "RSA" : "EC");
        jobj_json(&o, "x5c", out_view(&x5c));
    }
    jobj_text(&o, "use", "sig");
    return jobj_print(&o, true);
}

/* -- making -- */

static struct bytes payload_of(struct bytes text, struct arena *a)
{
    struct jobj o = jobj_open(a);

    if (text.n == 0)
        return (struct bytes){ NULL, 0 };
    jobj_b64url(&o, "AttestationPolicy", text);
    return jobj_print(&o, false);
}

struct bytes policy_wrap(struct bytes text, struct arena *a)
{
    struct bytes input = jws_input(LIT("{\"alg\":\"none\"}"), payload_of(text, a), a);

    return input.p == NULL ? input : jws_join(input, (struct bytes){ NULL, 0 }, a);
}

struct bytes policy_signing_input(struct bytes text, const char *alg, const struct bytes *chain_der, size_t count,
                                  struct arena *a)
{
    struct jobj header = jobj_open(a);
    struct jarr x5c = jarr_open(a);

    for (size_t i = 0; i < count; i++)
        jarr_str(&x5c, b64std_encode(a, chain_der[i]));
    jobj_text(&header, "alg", alg);
    jobj_json(&header, "x5c", jarr_close(&x5c));
    return jws_input(jobj_print(&header, false), payload_of(text, a), a);
}

static struct bytes hash_text(struct bytes b, struct arena *a)
{
    struct digest d = sha256(b);

    return b64url_encode(a, digest_bytes(&d));
}

struct bytes policy_hash(struct bytes text, struct arena *a)
{
    struct bytes encoded = b64url_encode(a, text);

    return encoded.p == NULL ? encoded : hash_text(encoded, a);
}

struct bytes policy_token_hash(struct bytes jws, struct arena *a)
{
    return hash_text(jws, a);
}
