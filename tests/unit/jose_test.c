/* jose_test.c: JWS and JWK against Wycheproof; policy envelopes and hashes against recorded exchanges. */
#include "testing.h"

#include "codec/b64.h"
#include "jose/policy_jws.h"
#include "policy/policy.h"

#include <stdio.h>
#include <stdlib.h>

static struct arena suite_arena;

struct wycheproof_case {
    const struct json *group, *test;
    bool set; /* the group's key is a set */
};

static struct bytes string_of(const struct json *j, const char *name)
{
    struct bytes b = { NULL, 0 };

    (void)json_string(json_member(j, name), &b);
    return b;
}

static bool verify_with_set(struct arena *a, const struct json *keys, const struct jws *j, struct err *e)
{
    struct jwks set;
    const struct jwk *k;
    bool ok;

    if (!jwks_read(keys, "key set", a, &set, e))
        return false;
    k = jwks_find(&set, j->kid);
    ok = k != NULL ? jws_verify(j, k, JWS_STRICT, ERR_SIGNATURE, "token", e)
                   : err_set(e, ERR_SIGNATURE, "token", "no key has this kid");
    jwks_done(&set);
    return ok;
}

static bool verify_with_key(struct arena *a, const struct json *key, const struct jws *j, struct err *e)
{
    AUTO_JWK k = { 0 };

    return jwk_read(key, "key", a, &k, e) && jws_verify(j, &k, JWS_STRICT, ERR_SIGNATURE, "token", e);
}

/* Algorithms outside our list, symmetric ones above all, are refused whatever the vector says. */
static bool is_ours(const struct json *key)
{
    const struct json *keys = json_member(key, "keys");
    struct bytes kty = string_of(key, "kty");

    if (keys != NULL) {
        for (const struct json *k = keys->child; k != NULL; k = k->next)
            if (!is_ours(k))
                return false;
        return true;
    }
    return bytes_is(kty, "RSA") || bytes_is(kty, "EC");
}

/* Four rows call a token valid although the key's own alg names another algorithm (PS256 for PS384, "ES521" for
 * ES512); RFC 7517 section 4.4 binds the key to its alg, so they are refused here, with that reason. */
static bool contradicts_key(const struct json *test)
{
    static const int64_t ids[] = { 346, 347, 350, 351 };
    int64_t id = 0;

    for (size_t i = 0; i < COUNT(ids) && json_int(json_member(test, "tcId"), &id); i++)
        if (id == ids[i])
            return true;
    return false;
}

static void wycheproof(void **state)
{
    const struct wycheproof_case *c = *state;
    const struct json *key = json_member(c->group, "public");
    struct bytes result = string_of(c->test, "result");
    struct arena a;
    struct jws j;
    struct err e = { 0 };
    bool ok;

    arena_init(&a, 4 << 20);
    if (key == NULL)
        key = json_member(c->group, "private");
    ok = jws_parse(string_of(c->test, "jws"), JWS_STRICT, ERR_FORMAT, "token", &a, &j, &e)
        && (c->set ? verify_with_set(&a, key, &j, &e) : verify_with_key(&a, key, &j, &e));
    if (!c->set && contradicts_key(c->test)) {
        assert_false(ok);
        assert_refused(&e, ERR_SIGNATURE, "the key is not meant to verify");
    } else if (bytes_is(result, "valid") && is_ours(key)) {
        assert_ok(ok, &e);
    } else {
        if (ok)
            fail_msg("accepted, but the vector is %.*s", (int)result.n, (const char *)result.p);
        assert_true(e.code != ERR_NONE && e.why[0] != 0 && err_http(e.code) == 400);
    }
    arena_done(&a);
    free(*state);
}

static void add_wycheproof(struct suite *s, const char *file)
{
    char path[4300], name[200];
    const struct json *root;
    struct bytes text;
    struct err e = { 0 };

    snprintf(path, sizeof(path), "%s/wycheproof/%s", test_vectors() == NULL ? "" : test_vectors(), file);
    text = test_read(&suite_arena, path);
    if (text.p == NULL || !json_parse(text, 64, file, &suite_arena, &root, &e)) {
        suite_add_skipped(s, file);
        return;
    }
    for (const struct json *g = json_member(root, "testGroups")->child; g != NULL; g = g->next)
        for (const struct json *t = json_member(g, "tests")->child; t != NULL; t = t->next) {
            struct wycheproof_case *c = malloc(sizeof(*c));
            struct bytes comment = string_of(t, "comment");
            int64_t id = 0;

            if (c == NULL)
                abort();
            *c = (struct wycheproof_case){ g, t, json_member(json_member(g, "private"), "keys") != NULL };
            (void)json_int(json_member(t, "tcId"), &id);
            snprintf(name, sizeof(name), "%s %lld %.*s", file, (long long)id, (int)comment.n, (const char *)comment.p);
            suite_add(s, name, wycheproof, c);
        }
}

/* -- envelopes -- */

/* clang-format off */
static const struct envelope {
    const char *file, *member; /* member: the request's body inside a recording */
    const char *at;            /* NULL: any time */
    bool is_signed;
    const char *policy_hash, *token_hash, *refused;
    enum err_code code;
} envelopes[] = {
    { "policies/110-unsigned.jws", NULL, NULL, false, "egjnANIzEpS2WgpE4Nk-QEwM69XRCgTs42_G0qLlbnk", "T9p7no_qiSgCU5mCQo-63UWyLZ_SG-sKXu8cCm3Z3Lo", NULL, 0 },
    { "policies/111-signed-rs256-x5c.jws", NULL, "2021-06-01T00:00:00Z", true, "RO-Stf0xnI2nBnZ0VlRnafFX0Pvzyd-zXlrPCNxc8bg", "SyNIQJW3w6FoiLg63GiD16iLm9jtkHiVZiw2shEAiYo", NULL, 0 },
    { "policies/111-signed-rs256-x5c.jws", NULL, NULL, true, "RO-Stf0xnI2nBnZ0VlRnafFX0Pvzyd-zXlrPCNxc8bg", NULL, NULL, 0 },
    { "policies/111-signed-rs256-x5c.jws", NULL, "2021-11-24T00:00:00Z", true, NULL, NULL, "notAfter", ERR_CERT_EXPIRED },
    { "policies/112-empty-policy.jws", NULL, NULL, false, "", "SlVJkQKpZtLXQJDncc2fBGyLLhf6wuSfG3T2LQw3Xus", NULL, 0 },
    { "policies/113-minimal-unsigned.jws", NULL, NULL, false, NULL, "c6sEJQItV50OeP9IrP_bzywAMOVvj5uDPbklA_bwdYQ", NULL, 0 },
    { "rest/tokens/policy-jws-unsigned-docs.jws", NULL, NULL, false, "egjnANIzEpS2WgpE4Nk-QEwM69XRCgTs42_G0qLlbnk", "T9p7no_qiSgCU5mCQo-63UWyLZ_SG-sKXu8cCm3Z3Lo", NULL, 0 },
    { "rest/tokens/policy-jws-signed-rsa256-docs.jws", NULL, NULL, true, "RO-Stf0xnI2nBnZ0VlRnafFX0Pvzyd-zXlrPCNxc8bg", "SyNIQJW3w6FoiLg63GiD16iLm9jtkHiVZiw2shEAiYo", NULL, 0 },
    { "rest/recordings/policy-signed-1-put.json", "request", NULL, true, NULL, NULL, NULL, 0 },
    { "rest/recordings/policy-signed-3-post-reset.json", "request", NULL, true, "", NULL, NULL, 0 },
    { "rest/recordings/policy-unsigned-1-put.json", "request", NULL, false, NULL, NULL, NULL, 0 },
    { "rest/recordings/policy-unsigned-3-post-reset.json", "request", NULL, false, "", NULL, NULL, 0 },
};
/* clang-format on */

static struct bytes body_of(struct arena *a, const struct envelope *row)
{
    struct bytes file = test_vector(a, row->file);
    const struct json *j;
    struct err e = { 0 };

    if (row->member == NULL)
        return file;
    assert_ok(json_parse(file, 64, row->file, a, &j, &e), &e);
    return string_of(json_member(j, row->member), "body");
}

static void envelope(void **state)
{
    const struct envelope *row = *state;
    struct arena a;
    struct signed_request r;
    struct bytes text, body;
    struct err e = { 0 };
    bool empty;

    arena_init(&a, 4 << 20);
    body = body_of(&a, row);
    if (!signed_request_open(body, row->at == NULL ? ANY_TIME : test_time(row->at), &a, &r, &e)) {
        if (row->refused == NULL)
            fail_msg("%s: %s", e.what, e.why);
        assert_refused(&e, row->code, NULL);
        arena_done(&a);
        return;
    }
    assert_null(row->refused);
    assert_int_equal(r.is_signed, row->is_signed);
    assert_ok(policy_of_request(&r, &a, &text, &empty, &e), &e);
    if (row->policy_hash != NULL && row->policy_hash[0] != 0)
        assert_text(policy_hash(text, &a), row->policy_hash);
    if (row->policy_hash != NULL)
        assert_int_equal(empty, row->policy_hash[0] == 0);
    if (row->token_hash != NULL)
        assert_text(policy_token_hash(r.jws.text, &a), row->token_hash);
    signed_request_done(&r);
    arena_done(&a);
}

/* Every flipped byte and every truncation of a signed policy is refused with a reason. */
static void damaged(void **state)
{
    struct arena a;
    struct bytes body;
    uint8_t *copy;

    (void)state;
    if (test_vectors() == NULL)
        skip();
    arena_init(&a, (size_t)256 << 20);
    body = test_vector(&a, "policies/111-signed-rs256-x5c.jws");
    while (body.n > 0 && body.p[body.n - 1] <= ' ')
        body.n--;
    copy = arena_alloc(&a, body.n);
    for (size_t i = 0; i < body.n; i++) {
        struct arena work;
        struct signed_request r;
        struct err e = { 0 };

        arena_init(&work, 1 << 20);
        memcpy(copy, body.p, body.n);
        copy[i] = copy[i] == 'A' ? 'B' : 'A';
        if (signed_request_open(bytes_of(copy, body.n), ANY_TIME, &work, &r, &e))
            fail_msg("accepted with byte %zu changed", i);
        assert_true(e.code != ERR_NONE && err_http(e.code) == 400);
        e = (struct err){ 0 };
        if (signed_request_open(bytes_part(body, 0, i), ANY_TIME, &work, &r, &e))
            fail_msg("accepted when cut at %zu", i);
        assert_true(e.code != ERR_NONE && err_http(e.code) == 400);
        arena_done(&work);
    }
    arena_done(&a);
}

static void certificate_requests(void **state)
{
    static const char *const files[] = { "rest/recordings/certificates-add-200.json", "rest/recordings/certificates-remove-200.json" };
    struct arena a;
    struct err e = { 0 };
    struct signed_request r;
    struct cert c;

    (void)state;
    if (test_vectors() == NULL)
        skip();
    arena_init(&a, 4 << 20);
    for (size_t i = 0; i < COUNT(files); i++) {
        struct envelope row = { .file = files[i], .member = "request" };

        assert_ok(signed_request_open(body_of(&a, &row), ANY_TIME, &a, &r, &e), &e);
        assert_true(r.is_signed);
        assert_ok(policy_certificate_of_request(&r, &a, &c, &e), &e);
        assert_true(c.der.n > 100);
        signed_request_done(&r);
    }
    assert_ok(signed_request_open(test_vector(&a, "rest/tokens/signer-jws-maa-policyCertificate-docs.jws"), ANY_TIME, &a, &r, &e), &e);
    assert_ok(policy_certificate_of_request(&r, &a, &c, &e), &e);
    assert_text(r.chain[0].subject_cn, "MaaTestCert1");
    signed_request_done(&r);
    arena_done(&a);
}

static void refused_bodies(void **state)
{
    /* clang-format off */
    static const struct {
        const char *body, *reason;
        enum err_code code;
    } rows[] = {
        { "", "Malformed JWT: it must have three parts", ERR_INVALID_OPERATION },
        { "a.b", "Malformed JWT: it must have three parts", ERR_INVALID_OPERATION },
        { "a.b.c.d", "more than three parts", ERR_INVALID_OPERATION },
        { "\"a.b", "Malformed JWT", ERR_INVALID_OPERATION },
        { "e30..", "no JSON object with a string member alg", ERR_INVALID_OPERATION },
        { "eyJhbGciOiJub25lIn0.e30.AA", "alg is none but there is a signature", ERR_INVALID_OPERATION },
        { "eyJhbGciOiJIUzI1NiJ9.e30.AA", "alg 'HS256' is not one of", ERR_INVALID_OPERATION },
        { "eyJhbGciOiJSUzI1NiJ9.e30.", "the signature is empty", ERR_INVALID_OPERATION },
        { "eyJhbGciOiJSUzI1NiJ9.e30.AA", "neither x5c nor jwk", ERR_INVALID_OPERATION },
        { "eyJhbGciOiJub25lIiwiY3JpdCI6WyJ4Il19.e30.", "extensions (crit, b64)", ERR_INVALID_OPERATION },
        { "eyJhbGciOiJub25lIn0.bm9wZQ.", "Malformed JWT: payload: JSON", ERR_INVALID_OPERATION },
        { "eyJhbGciOiJub25lIiwiYWxnIjoibm9uZSJ9.e30.", "stands twice", ERR_INVALID_OPERATION },
        { "eyJhbGciOiJub25lIn0=.e30.", "padding is wrong", ERR_INVALID_OPERATION },
    };
    /* clang-format on */
    struct arena a;

    (void)state;
    arena_init(&a, 4 << 20);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct signed_request r;
        struct err e = { 0 };

        assert_false(signed_request_open(bytes_str(rows[i].body), ANY_TIME, &a, &r, &e));
        assert_refused(&e, rows[i].code, rows[i].reason);
    }
    arena_done(&a);
}

static bool open_payload(struct arena *a, const char *payload, struct bytes *text, bool *empty, struct err *e)
{
    struct bytes body = jws_join(jws_input(LIT("{\"alg\":\"none\"}"), bytes_str(payload), a), LIT(""), a);
    struct signed_request r;

    return signed_request_open(body, ANY_TIME, a, &r, e) && policy_of_request(&r, a, text, empty, e);
}

static void payload_forms(void **state)
{
    /* clang-format off */
    static const struct {
        const char *payload, *text, *refused;
    } rows[] = {
        { "", NULL, NULL }, { "\"\"", NULL, NULL }, { "null", NULL, NULL }, { "{}", NULL, NULL }, { " ", NULL, NULL },
        { "{\"AttestationPolicy\":\"YWI\"}", "ab", NULL },
        { "{\"AttestationPolicy\":\"YWI=\",\"other\":1}", "ab", NULL },
        { "{\"AttestationPolicy\":\"version=1.0;authorizationrules{=>permit()};\"}", NULL, "Unknown base64 character: 61 ('=')" },
        { "{\"AttestationPolicy\":\"a)\"}", NULL, "Unknown base64 character: 41 (')')" },
        { "{\"AttestationPolicy\":1}", NULL, "Could not find \"AttestationPolicy\"" },
        { "{\"attestationpolicy\":\"YWI\"}", NULL, "Could not find \"AttestationPolicy\"" },
        { "[]", NULL, "Could not find \"AttestationPolicy\"" },
    };
    /* clang-format on */
    struct arena a;

    (void)state;
    arena_init(&a, 4 << 20);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct bytes text = { NULL, 0 };
        struct err e = { 0 };
        bool empty = false;
        bool ok = open_payload(&a, rows[i].payload, &text, &empty, &e);

        if (rows[i].refused != NULL) {
            assert_false(ok);
            assert_refused(&e, ERR_INVALID_OPERATION, rows[i].refused);
        } else {
            assert_ok(ok, &e);
            assert_int_equal(empty, rows[i].text == NULL);
            if (rows[i].text != NULL)
                assert_text(text, rows[i].text);
        }
    }
    arena_done(&a);
}

static void wrapping(void **state)
{
    struct arena a;
    struct bytes text;
    struct err e = { 0 };

    (void)state;
    arena_init(&a, 4 << 20);
    assert_text(policy_wrap(LIT(""), &a), "eyJhbGciOiJub25lIn0..");
    if (test_vectors() != NULL) {
        struct bytes jws = test_vector(&a, "policies/113-minimal-unsigned.jws");
        struct signed_request r;
        bool empty;

        while (jws.n > 0 && jws.p[jws.n - 1] <= ' ')
            jws.n--;
        assert_ok(signed_request_open(jws, ANY_TIME, &a, &r, &e), &e);
        assert_ok(policy_of_request(&r, &a, &text, &empty, &e), &e);
        assert_bytes_equal(policy_wrap(text, &a), jws);
    }
    arena_done(&a);
}

static void default_hashes(void **state)
{
    static const struct {
        const char *type, *hash;
    } rows[] = { { "SgxEnclave", "ViVGS4BYl70X8eUrgryHg0TtbEk9WtIc6DtTBEFxaWc" },
                 { "OpenEnclave", "ViVGS4BYl70X8eUrgryHg0TtbEk9WtIc6DtTBEFxaWc" },
                 { "SevSnpVm", "9NY0VnTQ-IiBriBplVUpFbczcDaEBUwsiFYAzHu_gco" },
                 { "TdxVm", "B56nbp5slhw66peoRYkpdq1WykMkEworvdol08hnMXE" } };
    struct arena a;
    struct bytes text;

    (void)state;
    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_true(policy_default(bytes_str(rows[i].type), &text));
        assert_text(policy_hash(text, &a), rows[i].hash);
    }
    assert_text(policy_hash(policy_default_sgx_v10(), &a), "bROrN897ZfWmWY2V0FLUlu3uwk5xatGnKYHn3zBbSlw");
    arena_done(&a);
}

/* RFC 7638 section 3.1, and the key read back from what is written. */
static void thumbprint(void **state)
{
    static const char jwk[] = "{\"kty\":\"RSA\",\"n\":\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_"
        "BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91"
        "CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw\",\"e\":\"AQAB\",\"alg\":\"RS256\",\"kid\":\"2011-04-29\"}";
    struct arena a;
    const struct json *j;
    struct jwk k, again;
    struct jobj o;
    struct err e = { 0 };

    (void)state;
    arena_init(&a, 1 << 20);
    assert_ok(json_parse(LIT(jwk), 8, "jwk", &a, &j, &e), &e);
    assert_ok(jwk_read(j, "jwk", &a, &k, &e), &e);
    assert_text(jwk_thumbprint(k.key, &a), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    o = jobj_open(&a);
    jwk_write(k.key, &o);
    assert_ok(json_parse(jobj_print(&o, true), 8, "jwk", &a, &j, &e), &e);
    assert_ok(jwk_read(j, "jwk", &a, &again, &e), &e);
    assert_text(jwk_thumbprint(again.key, &a), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    jwk_done(&k);
    jwk_done(&again);
    arena_done(&a);
}

/* The token keys of the service, as recorded, are read; the tokens they signed verify. */
static void recorded_tokens(void **state)
{
    static const struct {
        const char *recording, *keys;
    } rows[] = { { "rest/recordings/policy-get-sgx-default-v1.1-nov2022.json", "rest/jwks/certs-nov2022-shared.json" } };
    struct arena a;
    struct err e = { 0 };

    (void)state;
    if (test_vectors() == NULL)
        skip();
    arena_init(&a, 8 << 20);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct json *rec, *keys;
        struct jws j;
        struct jwks set;
        const struct jwk *k;

        assert_ok(json_parse(test_vector(&a, rows[i].recording), 64, "recording", &a, &rec, &e), &e);
        assert_ok(json_parse(test_vector(&a, rows[i].keys), 64, "keys", &a, &keys, &e), &e);
        if (json_member(keys, "keys") == NULL)
            keys = json_member(json_member(keys, "response"), "body") == NULL ? json_member(keys, "body")
                                                                               : json_member(json_member(keys, "response"), "body");
        assert_ok(jws_parse(string_of(json_member(json_member(rec, "response"), "body"), "token"), JWS_STRICT, ERR_FORMAT, "token", &a, &j, &e), &e);
        assert_ok(jwks_read(keys, "keys", &a, &set, &e), &e);
        k = jwks_find(&set, j.kid);
        assert_non_null(k);
        assert_ok(jws_verify(&j, k, JWS_STRICT, ERR_SIGNATURE, "token", &e), &e);
        jwks_done(&set);
    }
    arena_done(&a);
}

int main(void)
{
    struct suite s = { 0 };
    int status;
    char name[200];

    arena_init(&suite_arena, 64 << 20);
    add_wycheproof(&s, "json_web_signature_test.json");
    add_wycheproof(&s, "json_web_key_test.json");
    for (size_t i = 0; i < COUNT(envelopes); i++) {
        snprintf(name, sizeof(name), "%s at %s", envelopes[i].file, envelopes[i].at == NULL ? "any time" : envelopes[i].at);
        if (test_vectors() != NULL)
            suite_add(&s, name, envelope, (void *)(uintptr_t)&envelopes[i]);
        else
            suite_add_skipped(&s, name);
    }
    suite_add(&s, "damaged signed policy", damaged, NULL);
    suite_add(&s, "requests about certificates", certificate_requests, NULL);
    suite_add(&s, "refused bodies", refused_bodies, NULL);
    suite_add(&s, "forms of a payload", payload_forms, NULL);
    suite_add(&s, "wrapping", wrapping, NULL);
    suite_add(&s, "hashes of default policies", default_hashes, NULL);
    suite_add(&s, "thumbprint", thumbprint, NULL);
    suite_add(&s, "recorded tokens", recorded_tokens, NULL);
    status = suite_run("jose", &s);
    arena_done(&suite_arena);
    return status;
}
