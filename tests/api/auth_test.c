/* auth_test.c: who the service takes a caller for: bearer tokens of an issuer whose keys stand in auth.jwks,
 * and certificates of operators (tls.client_ca). Each refusal by its words. */
#include "service.h"
#include "minter.h"

#include "codec/b64.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define ISSUER "https://issuer.example/tenant"
#define DATA "https://attest.azure.net"
#define CONTROL "https://management.azure.com"
#define ALPHA "/subscriptions/s1/resourceGroups/g1/providers/Microsoft.Attestation/attestationProviders/alpha"
#define NONE ((struct bytes){ NULL, 0 })

enum key_name { RSA, P256, P384, STRANGER, BOUND, KEY_COUNT };

static struct {
    struct service s;
    struct arena a;
    char folder[64];
    struct minter_key keys[KEY_COUNT], ca, other_ca;
} the;

static const char *file(const char *name)
{
    return arena_printf(&the.a, "%s/%s", the.folder, name);
}

static void write_file(const char *name, struct bytes text)
{
    FILE *f = fopen(file(name), "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text.p, 1, text.n, f), text.n);
    fclose(f);
}

/* -- tokens -- */

/* NULL or 0: as a good token has it. Times are seconds from now. */
static const struct token_row {
    const char *name;
    enum key_name key;
    const char *alg, *kid, *header; /* `header`: more members */
    const char *iss, *aud, *roles;  /* JSON */
    const char *exp, *nbf;          /* JSON; %lld is now */
    long exp_in, nbf_in;
    const char *extra;              /* more members of the payload */
    const char *why;                /* part of the message; NULL: accepted */
    bool damage, hmac, control, control_call, shared;
} rows[] = {
    { "RS256", RSA, "RS256" },
    { "PS256", RSA, "PS256" },
    { "ES256", P256, "ES256" },
    { "ES384", P384, "ES384" },
    { "a role among others", RSA, "RS256", .roles = "[\"x\",1,null,\"Attestation Reader\"]" },
    { "one role as text", RSA, "RS256", .roles = "\"Attestation Reader\"" },
    { "a role by id", RSA, "RS256", .roles = "[\"fd1bd22b-8476-40bc-a0bc-69b95687b9f3\"]" },
    { "a directory's name of a role", RSA, "RS256", .roles = "[\"attesters\"]" },
    { "audience in a list", RSA, "RS256", .aud = "[\"x\",\"" DATA "\"]" },
    { "audience with a slash", RSA, "RS256", .aud = "\"" DATA "/\"" },
    { "expired within the skew", RSA, "RS256", .exp_in = -280 },
    { "not yet valid within the skew", RSA, "RS256", .nbf_in = 280 },
    { "exp at the end of all numbers", RSA, "RS256", .exp = "9223372036854775807" },
    { "control plane's on the control plane", RSA, "RS256", .control = true, .control_call = true, .roles = "[\"Reader\"]" },
    { "no role on the shared provider", RSA, "RS256", .roles = "[]", .shared = true },
    { "jku beside a known kid is not looked at", RSA, "RS256", .header = ",\"jku\":\"https://127.0.0.1:1/keys\"" },

    { "wrong issuer", RSA, "RS256", .iss = "\"https://issuer.example/other\"", .why = "issuer is 'https://issuer.example/other'" },
    { "issuer with a slash", RSA, "RS256", .iss = "\"" ISSUER "/\"", .why = "issuer is '" ISSUER "/'" },
    { "issuer in a list", RSA, "RS256", .iss = "[\"" ISSUER "\"]", .why = "issuer is ''" },
    { "no issuer", RSA, "RS256", .iss = "null", .why = "issuer is ''" },
    { "wrong audience", RSA, "RS256", .aud = "\"https://other.example\"", .why = "audience is not '" DATA "'" },
    { "audience in a list in a list", RSA, "RS256", .aud = "[[\"" DATA "\"]]", .why = "audience is not '" DATA "'" },
    { "no audience", RSA, "RS256", .aud = "null", .why = "audience is not '" DATA "'" },
    { "control plane's on the data plane", RSA, "RS256", .control = true, .why = "audience is not '" DATA "'" },
    { "data plane's on the control plane", RSA, "RS256", .control_call = true, .why = "audience is not '" CONTROL "'" },
    { "expired", RSA, "RS256", .exp_in = -320, .why = "has expired: exp is " },
    { "expired long ago", RSA, "RS256", .exp = "-9223372036854775808", .why = "has expired: exp is " },
    { "no exp", RSA, "RS256", .exp = "null", .why = "no exp that is a whole number" },
    { "exp as text", RSA, "RS256", .exp = "\"9999999999\"", .why = "no exp that is a whole number" },
    { "not yet valid", RSA, "RS256", .nbf_in = 320, .why = "is not valid yet: nbf is " },
    { "nbf as text", RSA, "RS256", .nbf = "\"9999999999\"", .why = "nbf that is no whole number" },
    { "nbf with a fraction", RSA, "RS256", .nbf = "9999999999.5", .why = "nbf that is no whole number" },
    { "alg none", RSA, "none", .why = "is not signed (alg none)" },
    { "HMAC with the public key as secret", RSA, "HS256", .hmac = true, .why = "alg 'HS256' is not one of" },
    { "unknown kid", RSA, "RS256", .kid = "nobody", .why = "its key 'nobody' is not one of the issuer's" },
    { "no kid where there are several", RSA, "RS256", .kid = "", .why = "its key '' is not one of the issuer's" },
    { "somebody else's key under a known kid", STRANGER, "RS256", .kid = "rsa", .why = "the signature (RS256) is not that of the key" },
    { "key of another type", P256, "ES256", .kid = "p384", .why = "the signature (ES256) is not that of the key" },
    { "RS256 by the kid of an EC key", RSA, "RS256", .kid = "p256", .why = "the signature (RS256) is not that of the key" },
    { "an algorithm that the key forbids", BOUND, "RS256", .why = "the key is not meant to verify RS256" },
    { "jwk in the header", STRANGER, "RS256", .kid = "x", .header = "JWK", .why = "its key 'x' is not one of the issuer's" },
    { "jku in the header", STRANGER, "RS256", .kid = "x", .header = ",\"jku\":\"https://127.0.0.1:1/keys\"", .why = "its key 'x' is not one of" },
    { "x5u in the header", STRANGER, "RS256", .kid = "x", .header = ",\"x5u\":\"https://127.0.0.1:1/cert\"", .why = "its key 'x' is not one of" },
    { "x5c in the header", STRANGER, "RS256", .kid = "x", .header = ",\"x5c\":[\"AAAA\"]", .why = "its key 'x' is not one of the issuer's" },
    { "crit", RSA, "RS256", .header = ",\"crit\":[\"exp\"],\"exp\":1", .why = "asks for extensions (crit, b64)" },
    { "b64", RSA, "RS256", .header = ",\"b64\":false", .why = "asks for extensions (crit, b64)" },
    { "the type of the local issuer", RSA, "RS256", .header = ",\"typ\":\"avouch-admin+jwt\"", .why = "'urn:avouch:local' is configured" },
    { "damaged signature", RSA, "RS256", .damage = true, .why = "the signature (RS256) is not that of the key" },
    { "damaged signature (EC)", P256, "ES256", .damage = true, .why = "the signature (ES256) is not that of the key" },
    { "no roles", RSA, "RS256", .roles = "null", .why = "has no role that allows this operation on 'alpha'" },
    { "roles as an object", RSA, "RS256", .roles = "{\"a\":\"Owner\"}", .why = "has no role that allows this operation on 'alpha'" },
    { "an unknown role", RSA, "RS256", .roles = "[\"Ownerx\"]", .why = "has no role that allows this operation on 'alpha'" },
    { "a role for another provider", RSA, "RS256", .roles = "[\"Owner@beta\"]", .why = "has no role that allows this operation on 'alpha'" },
    { "a scope that a NUL would widen", RSA, "RS256", .roles = "[\"Owner@\\u0000\"]", .why = "has no role that allows this operation on 'alpha'" },
    { "an empty scope", RSA, "RS256", .roles = "[\"Owner@\"]", .why = "has no role that allows this operation on 'alpha'" },
    { "a mapped name as a scope", RSA, "RS256", .roles = "[\"nobody\"]", .why = "has no role that allows this operation on 'alpha'" },
    { "no principal", RSA, "RS256", .extra = ",\"oid\":\"\"", .why = "names no principal (oid or sub)" },
    { "oversized", RSA, "RS256", .extra = "LONG", .why = "at most 16384 are read" },
};

static const char *payload_of(const struct token_row *r)
{
    int64_t now = time(NULL);
    const char *exp = r->exp != NULL ? r->exp : arena_printf(&the.a, "%lld", (long long)(now + (r->exp_in == 0 ? 600 : r->exp_in)));
    const char *nbf = r->nbf != NULL ? r->nbf : arena_printf(&the.a, "%lld", (long long)(now + r->nbf_in));
    const char *extra = r->extra == NULL ? ",\"oid\":\"tester\"" : r->extra;

    if (strcmp(extra, "LONG") == 0) {
        char *fill = arena_alloc(&the.a, 13001);

        memset(fill, 'x', 13000);
        extra = arena_printf(&the.a, ",\"oid\":\"tester\",\"fill\":\"%s\"", fill);
    }
    return arena_printf(&the.a, "{\"iss\":%s,\"aud\":%s,\"roles\":%s,\"exp\":%s,\"nbf\":%s%s}", r->iss == NULL ? "\"" ISSUER "\"" : r->iss,
                        r->aud != NULL ? r->aud : r->control ? "\"" CONTROL "\"" : "\"" DATA "\"",
                        r->roles == NULL ? "[\"Attestation Reader\"]" : r->roles, exp, nbf, extra);
}

static const char *token_of(const struct token_row *r)
{
    const struct minter_key *k = &the.keys[r->key];
    const char *kid = r->kid == NULL ? k->kid : r->kid, *more = r->header == NULL ? "" : r->header;
    char *token;
    size_t n;

    if (strcmp(more, "JWK") == 0)
        more = arena_printf(&the.a, ",\"jwk\":%s", (const char *)minter_jwk(k, &the.a).p);
    token = arena_str(&the.a, bytes_str(minter_token(k, r->alg, minter_spki_pem(k, &the.a),
                                                     kid[0] == 0 ? arena_printf(&the.a, "{\"alg\":\"%s\"%s}", r->alg, more)
                                                                 : arena_printf(&the.a, "{\"alg\":\"%s\",\"kid\":\"%s\"%s}", r->alg, kid, more),
                                                     payload_of(r), &the.a)));
    n = strlen(token);
    if (r->damage)
        token[n - 20] = token[n - 20] == 'A' ? 'B' : 'A';
    return token;
}

static struct answer call(const char *host, const char *path, const char *token)
{
    const char *const headers[] = { token == NULL ? "X-Nobody: 1" : arena_printf(&the.a, "Authorization: Bearer %s", token), NULL };

    return service_call_host(&the.s, host, "GET", path, headers, NONE);
}

static void expect_401(struct answer *got, const char *why, bool control)
{
    if (got->status != 401 || strstr(answer_message(&the.s, got), why) == NULL)
        fail_msg("HTTP %ld %s; 401 with '%s' is expected", got->status, (const char *)got->body.p, why);
    assert_string_equal(answer_code(&the.s, got), "Unauthorized");
    assert_string_equal(answer_header(&the.s, got, "x-ms-error-code"), "Unauthorized");
    assert_string_equal(answer_header(&the.s, got, "WWW-Authenticate"),
                        arena_printf(&the.a, "Bearer authorization_uri=\"" ISSUER "\", resource=\"%s\"", control ? CONTROL : DATA));
}

/* Twice: what was found out about a token once must not change. */
static void token(void **state)
{
    const struct token_row *r = *state;
    const char *text = token_of(r);

    for (int i = 0; i < 2; i++) {
        struct answer got = r->control_call ? call("localhost", ALPHA "?api-version=2020-10-01", text)
                                            : call(r->shared ? "localhost" : "alpha.localhost", "/policies/SgxEnclave?api-version=2020-10-01", text);

        if (r->why != NULL)
            expect_401(&got, r->why, r->control_call);
        else if (got.status != 200)
            fail_msg("HTTP %ld %s; 200 is expected", got.status, (const char *)got.body.p);
    }
}

/* A token that one plane took is not thereby known to the other. */
static void planes_apart(void **state)
{
    static const struct token_row row = { .key = RSA, .alg = "RS256", .roles = "[\"Owner\"]" };
    const char *text = token_of(&row);
    struct answer got = call("alpha.localhost", "/policies/SgxEnclave?api-version=2020-10-01", text);

    (void)state;
    assert_int_equal(got.status, 200);
    got = call("localhost", ALPHA "?api-version=2020-10-01", text);
    expect_401(&got, "audience is not '" CONTROL "'", true);
}

static const struct header_row {
    const char *name, *header, *why;
} headers_rows[] = {
    { "none", "X-Nobody: 1", "bearer token: is missing" },
    { "empty", "Authorization:  ", "bearer token: is missing" },
    { "scheme alone", "Authorization: Bearer", "bearer token: is missing" },
    { "basic", "Authorization: Basic ZGV2OmRldg==", "bearer token: is missing" },
    { "scheme and blanks", "Authorization: Bearer    ", "" },
    { "one part", "Authorization: Bearer abc", "must have three parts" },
    { "four parts", "Authorization: Bearer e30.e30.AA.AA", "more than three parts" },
    { "five parts", "Authorization: Bearer e30.e30.AA.AA.AA", "more than three parts" },
    { "header no object", "Authorization: Bearer W10.e30.AAAA", "no JSON object" },
    { "padding", "Authorization: Bearer e30=.e30.AAAA", "Malformed JWT: header" },
    { "the developer's outside --dev", "Authorization: Bearer dev", "must have three parts" },
};

static void header(void **state)
{
    const struct header_row *r = *state;
    const char *const headers[] = { r->header, NULL };
    struct answer got = service_call_host(&the.s, "localhost", "GET", "/policies/SgxEnclave?api-version=2020-10-01", headers, NONE);

    expect_401(&got, r->why, false);
}

/* -- certificates -- */

static const struct cert_row {
    const char *name;
    bool other_ca, none;
    struct minter_cert cert;
    const char *bearer; /* beside the certificate */
    const char *why;    /* NULL: an owner */
} certs[] = {
    { "an operator", .cert = { "operator", "clientAuth", -3600, 3600 } },
    { "without key usages", .cert = { "operator", NULL, -3600, 3600 } },
    { "a server's", .cert = { "operator", "serverAuth", -3600, 3600 }, .why = "client certificate: does not verify against tls.client_ca" },
    { "of another CA", .other_ca = true, .cert = { "operator", "clientAuth", -3600, 3600 }, .why = "client certificate: does not verify against tls.client_ca" },
    { "expired", .cert = { "operator", "clientAuth", -7200, -3600 }, .why = "client certificate: does not verify against tls.client_ca" },
    { "not yet valid", .cert = { "operator", "clientAuth", 3600, 7200 }, .why = "client certificate: does not verify against tls.client_ca" },
    { "without a name", .cert = { NULL, "clientAuth", -3600, 3600 }, .why = "client certificate: has no common name" },
    { "with a longer name than records have", .cert = { "a-name-of-sixty-four-bytes-is-the-longest-that-X.520-allows-here", "clientAuth", -3600, 3600 } },
    { "none", .none = true, .why = "bearer token: is missing" },
    { "with a bad token, which counts", .cert = { "operator", "clientAuth", -3600, 3600 }, .bearer = "abc", .why = "must have three parts" },
};

static void certificate(void **state)
{
    const struct cert_row *r = *state;
    struct answer got;

    if (!r->none) {
        minter_certificate(r->other_ca ? &the.other_ca : &the.ca, "operators", &r->cert, file("client.pem"), file("client.key"));
        the.s.client_cert = file("client.pem");
        the.s.client_key = file("client.key");
    }
    got = call("localhost", ALPHA "?api-version=2020-10-01", r->bearer);
    if (r->why != NULL) {
        expect_401(&got, r->why, true);
    } else {
        assert_int_equal(got.status, 200);
        got = call("alpha.localhost", "/policies/SgxEnclave?api-version=2020-10-01", NULL);
        assert_int_equal(got.status, 200);
    }
    got = call("localhost", "/certs", NULL); /* what is open stays open */
    assert_int_equal(got.status, 200);
    the.s.client_cert = the.s.client_key = NULL;
}

static void stop(void **state)
{
    (void)state;
    assert_int_equal(service_stop(&the.s), 0);
}

static void make_keys(void)
{
    static const char *const kids[] = { "rsa", "p256", "p384", NULL, "bound" };
    const enum minter_kind kinds[] = { MINTER_RSA, MINTER_P256, MINTER_P384, MINTER_RSA, MINTER_RSA };
    struct jarr list = jarr_open(&the.a);
    struct jobj o = jobj_open(&the.a);
    struct out bound = out_open(&the.a);

    for (size_t i = 0; i < KEY_COUNT; i++)
        the.keys[i] = minter_key(kinds[i], kids[i]);
    for (size_t i = 0; i < STRANGER; i++)
        jarr_raw(&list, minter_jwk(&the.keys[i], &the.a));
    out_text(&bound, "{\"alg\":\"PS256\",\"use\":\"sig\",");
    out_bytes(&bound, bytes_part(minter_jwk(&the.keys[BOUND], &the.a), 1, SIZE_MAX));
    jarr_raw(&list, out_view(&bound));
    jobj_json(&o, "keys", jarr_close(&list));
    write_file("jwks.json", jobj_print(&o, false));
    the.ca = minter_key(MINTER_P256, NULL);
    the.other_ca = minter_key(MINTER_P256, NULL);
    minter_ca(&the.ca, "operators", file("ca.pem"));
}

static void set_up(void)
{
    static const struct token_row owner = { .key = RSA, .alg = "RS256", .control = true, .roles = "[\"Owner\"]" };
    const char *headers[] = { NULL, NULL };
    struct answer got;

    arena_init(&the.a, (size_t)256 << 20);
    snprintf(the.folder, sizeof(the.folder), "/tmp/avouch-auth-XXXXXX");
    assert_non_null(mkdtemp(the.folder));
    make_keys();
    service_start(&the.s,
                  arena_printf(&the.a,
                               "workers = 1\n[tls]\nclient_ca = %s/ca.pem\n[auth]\nissuer = " ISSUER
                               "\njwks = %s/jwks.json\nrole_map = attesters=Attestation Reader;Owner@beta=Owner\n",
                               the.folder, the.folder),
                  NULL);
    headers[0] = arena_printf(&the.a, "Authorization: Bearer %s", token_of(&owner));
    got = service_call(&the.s, "PUT", ALPHA "?api-version=2020-10-01", headers, LIT("{\"location\":\"Local\",\"properties\":{}}"));
    if (got.status != 201)
        fail_msg("provider: HTTP %ld %s", got.status, (const char *)got.body.p);
}

int main(void)
{
    struct suite s = { 0 };
    int status;

    set_up();
    for (size_t i = 0; i < COUNT(rows); i++)
        suite_add(&s, arena_printf(&the.a, "token: %s", rows[i].name), token, (void *)(uintptr_t)&rows[i]);
    suite_add(&s, "a token of one plane is none of the other", planes_apart, NULL);
    for (size_t i = 0; i < COUNT(headers_rows); i++)
        suite_add(&s, arena_printf(&the.a, "header: %s", headers_rows[i].name), header, (void *)(uintptr_t)&headers_rows[i]);
    for (size_t i = 0; i < COUNT(certs); i++)
        suite_add(&s, arena_printf(&the.a, "certificate: %s", certs[i].name), certificate, (void *)(uintptr_t)&certs[i]);
    suite_add(&s, "stops cleanly", stop, NULL);
    status = suite_run("auth", &s);
    (void)!system(arena_printf(&the.a, "rm -rf '%s'", the.folder));
    for (size_t i = 0; i < KEY_COUNT; i++)
        minter_key_free(&the.keys[i]);
    minter_key_free(&the.ca);
    minter_key_free(&the.other_ca);
    arena_done(&the.a);
    return status;
}
