/* exchange.c: the two steps of /attest/Tpm, and what the attester demands of the answer. */
#include "attester/attester.h"

#include "codec/b64.h"
#include "crypto/cert.h"

#include <stdio.h>
#include <time.h>

#define PATH "/attest/Tpm?api-version=2022-08-01"

enum { DEPTH = 32, RETRY_DEFAULT = 5 };

static struct bytes wrap(struct bytes doc, struct arena *a)
{
    struct jobj o = jobj_open(a);

    jobj_str(&o, "data", b64url_encode(a, doc));
    return jobj_print(&o, false);
}

/* A refusal carries code and message of the service. */
static enum outcome refused(const struct http_answer *h, struct arena *a, long *ret_retry, struct err *e)
{
    struct bytes code = { NULL, 0 }, text = { NULL, 0 };
    const struct json *j, *error;

    if (json_parse(h->body, DEPTH, "answer", a, &j, NULL)) {
        error = json_member(j, "error");
        (void)json_string(json_member(error, "code"), &code);
        (void)json_string(json_member(error, "message"), &text);
    }
    (void)err_set(e, ERR_BAD_REQUEST, "service", "answers %ld %.*s: %.*s", h->status,
                  (int)(code.n > 64 ? 64 : code.n), code.n == 0 ? "" : (const char *)code.p,
                  (int)(text.n > 300 ? 300 : text.n), text.n == 0 ? "(no message)" : (const char *)text.p);
    if (h->status != 408 && h->status != 429 && h->status < 500)
        return OUTCOME_REFUSED;
    *ret_retry = h->retry_after > 0 ? h->retry_after : RETRY_DEFAULT;
    return OUTCOME_NETWORK;
}

/* One step: payload in, payload out. */
static enum outcome step(const struct options *o, struct bytes doc, struct arena *a,
                         const struct json **ret_payload, long *ret_retry, struct err *e)
{
    struct http_answer h = { .status = 0 };
    const struct json *outer, *inner;
    struct bytes text, decoded;

    if (!http_call(o, PATH, wrap(doc, a), a, &h, e)) {
        *ret_retry = RETRY_DEFAULT;
        return http_failure(e);
    }
    if (h.status != 200)
        return refused(&h, a, ret_retry, e);
    if (!json_parse(h.body, DEPTH, "answer", a, &outer, e) || !json_string(json_member(outer, "data"), &text)
        || !b64_decode(text, B64_ANY, "answer", a, &decoded, e)
        || !json_parse(decoded, DEPTH, "answer", a, &inner, e)
        || !json_is(json_member(inner, "payload"), JSON_OBJECT)) {
        (void)err_set(e, ERR_FORMAT, "answer", "is not of the protocol");
        return OUTCOME_REFUSED;
    }
    *ret_payload = json_member(inner, "payload");
    return OUTCOME_OK;
}

static struct bytes request_doc(struct bytes jws, struct arena *a)
{
    struct jobj payload = jobj_open(a), doc = jobj_open(a);

    jobj_str(&payload, "request", jws);
    jobj_json(&doc, "payload", jobj_print(&payload, false));
    return jobj_print(&doc, false);
}

/* -- checking the report -- */

static bool bad(struct err *e, const char *why)
{
    return err_set(e, ERR_SIGNATURE, "report", "%s", why);
}

static bool jwks_key(struct bytes jwks, struct bytes kid, struct arena *a, struct key **ret, struct err *e)
{
    const struct json *j, *list;

    if (!json_parse(jwks, DEPTH, "keys of the service", a, &j, e))
        return false;
    list = json_member(j, "keys");
    for (const struct json *k = json_is(list, JSON_ARRAY) ? list->child : NULL; k != NULL; k = k->next) {
        const struct json *x5c = json_member(k, "x5c");
        struct bytes id, text, der;
        struct cert cert;

        if (!json_string(json_member(k, "kid"), &id) || !bytes_equal(id, kid))
            continue;
        if (x5c != NULL && json_string(x5c->child, &text))
            return b64_decode(text, B64_ANY, "x5c", a, &der, e) && cert_parse(der, "x5c", &cert, e)
                && key_from_spki(cert.spki, "x5c", ret, e);
    }
    return bad(e, "is signed by a key that is not among those of the service");
}

static bool verify_token(const struct bytes part[3], struct bytes token, struct bytes jwks, struct arena *a,
                         struct err *e)
{
    struct bytes header, sig, alg, kid;
    const struct json *h;
    AUTO_KEY k = NULL;

    if (!b64_decode(part[0], B64_URL_STRICT, "report", a, &header, e)
        || !b64_decode(part[2], B64_URL_STRICT, "report", a, &sig, e)
        || !json_parse(header, DEPTH, "report", a, &h, e))
        return false;
    if (!json_string(json_member(h, "alg"), &alg) || !json_string(json_member(h, "kid"), &kid))
        return bad(e, "has no alg or kid");
    if (!jwks_key(jwks, kid, a, &k, e))
        return false;
    for (int i = SIG_ES256; i <= SIG_PS512; i++)
        if (i != SIG_RS1 && bytes_is(alg, sig_alg_name((enum sig_alg)i)))
            return key_verify(k, (enum sig_alg)i, SIG_RAW, bytes_of(token.p, part[0].n + 1 + part[1].n), sig)
                ? true
                : bad(e, "its signature does not verify");
    return bad(e, "is signed with an algorithm that is not known");
}

static bool same_key(const struct json *jwk, struct bytes public)
{
    struct arena scratch;
    struct bytes text, n;
    struct tpm_public p;
    bool ok;

    arena_init(&scratch, 64 << 10);
    ok = json_string(json_member(jwk, "n"), &text) && b64_decode(text, B64_ANY, "n", &scratch, &n, NULL)
        && tpm_public_parse(public, ERR_FORMAT, "public area", &p, NULL) && bytes_equal(n, p.n);
    arena_done(&scratch);
    return ok;
}

static struct bytes without_slash(const char *url)
{
    struct bytes b = bytes_str(url);

    while (b.n > 0 && b.p[b.n - 1] == '/')
        b.n--;
    return b;
}

static bool check_members(const struct json *c, const struct report_wish *w, struct arena *a, struct err *e)
{
    struct bytes iss, rp_data;
    int64_t exp = 0, nbf = 0;

    if (!json_string(json_member(c, "iss"), &iss))
        return bad(e, "names no issuer");
    if (!bytes_equal(iss, without_slash(w->issuer)))
        return err_set(e, ERR_SIGNATURE, "report", "is issued by '%.*s', not by '%s'",
                       (int)(iss.n > 200 ? 200 : iss.n), (const char *)iss.p, w->issuer);
    if (!json_int(json_member(c, "exp"), &exp) || !json_int(json_member(c, "nbf"), &nbf) || w->now > exp
        || w->now < nbf)
        return bad(e, "is not valid now");
    if (!same_key(json_member(json_member(c, "cnf"), "jwk"), w->request_public))
        return bad(e, "is for another key than the one that signed the request");
    if (w->rp_data.n > 0 && (!json_string(json_member(c, "rp_data"), &rp_data)
                             || !bytes_equal(rp_data, b64url_encode(a, w->rp_data))))
        return bad(e, "does not carry the relying party's data");
    return true;
}

bool report_check(struct bytes token, struct bytes jwks, const struct report_wish *w, struct arena *a,
                  struct err *e)
{
    struct bytes part[3] = { { NULL, 0 } }, payload;
    const struct json *c;
    size_t n = 0, from = 0;

    for (size_t i = 0; i <= token.n && n < 3; i++)
        if (i == token.n || token.p[i] == '.') {
            part[n++] = bytes_part(token, from, i - from);
            from = i + 1;
        }
    if (n != 3 || from != token.n + 1)
        return bad(e, "is no compact JWS");
    return verify_token(part, token, jwks, a, e)
        && b64_decode(part[1], B64_URL_STRICT, "report", a, &payload, e)
        && json_parse(payload, DEPTH, "report", a, &c, e) && check_members(c, w, a, e);
}

/* -- the walk -- */

static enum outcome send_request(const struct options *o, struct tpmdev *t,
                                 const struct json *challenge_payload, struct arena *a,
                                 struct bytes *ret_token, long *ret_retry, struct err *e)
{
    struct gathered have = { .log = { NULL, 0 } };
    struct bytes challenge, text, context, jws;
    struct http_answer keys = { .status = 0 };
    struct report_wish wish;
    const struct json *payload;
    enum outcome r;

    if (!json_string(json_member(challenge_payload, "challenge"), &text)
        || !b64_decode(text, B64_ANY, "challenge", a, &challenge, e)
        || !json_string(json_member(challenge_payload, "service_context"), &context)) {
        (void)err_set(e, ERR_FORMAT, "answer", "has no challenge");
        return OUTCOME_REFUSED;
    }
    if (!gather_tpm(t, &o->gather, challenge, a, &have, e)
        || !request_make(t, &o->gather, &have, challenge, context, a, &jws, e)) {
        gathered_done(t, &have);
        return OUTCOME_PLATFORM;
    }
    gathered_done(t, &have);
    r = step(o, request_doc(jws, a), a, &payload, ret_retry, e);
    if (r != OUTCOME_OK)
        return r;
    if (!json_string(json_member(payload, "report"), ret_token)) {
        (void)err_set(e, ERR_FORMAT, "answer", "has no report");
        return OUTCOME_REFUSED;
    }
    if (!http_call(o, "/certs", (struct bytes){ NULL, 0 }, a, &keys, e))
        return http_failure(e);
    if (keys.status != 200) {
        (void)err_set(e, ERR_UNAVAILABLE, "service", "answers %ld to /certs", keys.status);
        return OUTCOME_NETWORK;
    }
    wish = (struct report_wish){ .issuer = o->issuer == NULL ? o->url : o->issuer,
                                 .request_public = have.request_key.public,
                                 .rp_data = o->gather.rp_data,
                                 .now = (int64_t)time(NULL) };
    return report_check(*ret_token, keys.body, &wish, a, e) ? OUTCOME_OK : OUTCOME_REFUSED;
}

enum outcome exchange_attest(const struct options *o, struct arena *a, struct bytes *ret_token,
                             long *ret_retry, struct err *e)
{
    const struct json *payload = NULL;
    struct tpmdev *t = NULL;
    enum outcome r;

    *ret_retry = 0;
    if (!tpmdev_open(o->tcti, &t, e))
        return OUTCOME_PLATFORM;
    r = step(o, LIT("{\"payload\":{\"type\":\"aikcert\"}}"), a, &payload, ret_retry, e);
    if (r == OUTCOME_OK)
        r = send_request(o, t, payload, a, ret_token, ret_retry, e);
    tpmdev_close(t);
    return r;
}
