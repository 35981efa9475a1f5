/* jws.c: see jws.h. */
#include "jose/jws.h"

#include "codec/b64.h"

/* clang-format off */
static const struct alg_row {
    const char *name;
    enum sig_alg alg;
    bool clients_only; /* a name that clients send although no registry has it */
} algs[] = {
    { "RS256", SIG_RS256, false }, { "RS384", SIG_RS384, false }, { "RS512", SIG_RS512, false },
    { "PS256", SIG_PS256, false }, { "PS384", SIG_PS384, false }, { "PS512", SIG_PS512, false },
    { "ES256", SIG_ES256, false }, { "ES384", SIG_ES384, false }, { "ES512", SIG_ES512, false },
    { "RSA256", SIG_RS256, true }, /* the documentation's own sample, and Python's client */
    { "ECDH256", SIG_ES256, true }, /* Python's client with an EC key; the signature is DER */
};
/* clang-format on */

static const struct alg_row *find_alg(struct bytes name, unsigned accept)
{
    for (size_t i = 0; i < COUNT(algs); i++)
        if (bytes_is(name, algs[i].name) && (!algs[i].clients_only || (accept & JWS_CLIENTS) != 0))
            return &algs[i];
    return NULL;
}

/* The text up to the next dot, which is taken; false: there is none. */
static bool take_part(struct bytes *rest, struct bytes *ret)
{
    const uint8_t *dot = rest->n == 0 ? NULL : memchr(rest->p, '.', rest->n);
    size_t n;

    if (dot == NULL)
        return false;
    n = (size_t)(dot - rest->p);
    *ret = bytes_part(*rest, 0, n);
    *rest = bytes_part(*rest, n + 1, rest->n - n - 1);
    return true;
}

static bool decode(struct bytes part, const char *name, enum err_code code, const char *what, struct arena *a,
                   struct bytes *ret, struct err *e)
{
    struct err why = { 0 };

    if (b64_decode(part, B64_URL_STRICT, what, a, ret, &why))
        return true;
    return err_set(e, why.code == ERR_NO_MEMORY ? why.code : code, what, "Malformed JWT: %s: %s", name, why.why);
}

static bool read_alg(struct jws *j, unsigned accept, const char *what, struct err *e)
{
    const struct alg_row *row;

    if (bytes_is(j->alg, "none")) {
        j->is_unsigned = true;
        if ((accept & JWS_UNSIGNED) == 0)
            return err_set(e, ERR_UNSUPPORTED_ALGORITHM, what, "the token is not signed (alg none)");
        return true;
    }
    row = find_alg(j->alg, accept);
    if (row == NULL)
        return err_set(e, ERR_UNSUPPORTED_ALGORITHM, what,
                       "alg '%.*s' is not one of RS256, RS384, RS512, PS256, PS384, PS512, "
                       "ES256, ES384, ES512", (int)(j->alg.n > 40 ? 40 : j->alg.n), (const char *)j->alg.p);
    j->sig_alg = row->alg;
    return true;
}

static bool read_header(struct jws *j, struct bytes part, enum err_code code, const char *what, struct arena *a,
                        struct err *e)
{
    struct err why = { 0 };
    struct bytes text;

    if (!decode(part, "header", code, what, a, &text, e))
        return false;
    if (!json_parse(text, 16, what, a, &j->header, &why))
        return err_set(e, why.code == ERR_NO_MEMORY ? why.code : code, what, "Malformed JWT: header: %s", why.why);
    if (j->header->type != JSON_OBJECT || !json_string(json_member(j->header, "alg"), &j->alg))
        return err_set(e, code, what, "Malformed JWT: the header is no JSON object with a string member alg");
    if (json_member(j->header, "crit") != NULL || json_member(j->header, "b64") != NULL)
        return err_set(e, code, what, "Malformed JWT: the header asks for extensions (crit, b64) that are not understood");
    (void)json_string(json_member(j->header, "kid"), &j->kid);
    return true;
}

bool jws_parse(struct bytes text, unsigned accept, enum err_code code, const char *what, struct arena *a,
               struct jws *ret,
               struct err *e)
{
    struct jws j = { .text = text };
    struct bytes rest = text, header, sig;

    if (!take_part(&rest, &header) || !take_part(&rest, &j.payload_text) || header.n == 0)
        return err_set(e, code, what, "Malformed JWT: it must have three parts separated by dots");
    sig = rest;
    if (sig.n > 0 && memchr(sig.p, '.', sig.n) != NULL)
        return err_set(e, code, what, "Malformed JWT: it has more than three parts");
    j.signing_input = bytes_part(text, 0, header.n + 1 + j.payload_text.n);
    if (!read_header(&j, header, code, what, a, e) || !read_alg(&j, accept, what, e))
        return false;
    if (!decode(j.payload_text, "payload", code, what, a, &j.payload, e)
        || !decode(sig, "signature", code, what, a, &j.signature, e))
        return false;
    if (j.is_unsigned && j.signature.n > 0)
        return err_set(e, code, what, "Malformed JWT: alg is none but there is a signature");
    if (!j.is_unsigned && j.signature.n == 0)
        return err_set(e, code, what, "Malformed JWT: alg is %.*s but the signature is empty",
                       (int)(j.alg.n > 40 ? 40 : j.alg.n), (const char *)j.alg.p);
    *ret = j;
    return true;
}

bool jws_signed_by(const struct jws *j, struct key *k, unsigned accept)
{
    if (j->is_unsigned || k == NULL)
        return false;
    return key_verify(k, j->sig_alg, SIG_RAW, j->signing_input, j->signature)
        || ((accept & JWS_CLIENTS) != 0 && key_kind(k) != KEY_RSA
            && key_verify(k, j->sig_alg, SIG_DER, j->signing_input, j->signature));
}

bool jws_verify(const struct jws *j, const struct jwk *k, unsigned accept, enum err_code code, const char *what,
                struct err *e)
{
    /* an alias in the header is the registered name in the key */
    struct bytes alg = j->is_unsigned ? j->alg : bytes_str(sig_alg_name(j->sig_alg));

    if (!jwk_may_verify(k, alg))
        return err_set(e, code, what, "the key is not meant to verify %.*s signatures (use, key_ops or alg)",
                       (int)alg.n,
                       (const char *)alg.p);
    return jws_signed_by(j, k->key, accept)
        || err_set(e, code, what, "the signature (%.*s) is not that of the key over header and payload", (int)alg.n,
                   (const char *)alg.p);
}

struct bytes jws_input(struct bytes header_json, struct bytes payload, struct arena *a)
{
    struct out o = out_open(a);

    b64url_print(&o, header_json);
    out_char(&o, '.');
    b64url_print(&o, payload);
    return out_view(&o);
}

struct bytes jws_join(struct bytes signing_input, struct bytes signature, struct arena *a)
{
    struct out o = out_open(a);

    out_bytes(&o, signing_input);
    out_char(&o, '.');
    b64url_print(&o, signature);
    return out_view(&o);
}
