/* roles_test.c: every route by every role, on a provider of one's own, on somebody else's, on the shared one.
 * The rows are held against `avouch-front --routes`: a route without a row is a failure. */
#include "service.h"
#include "minter.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ISSUER "https://issuer.example/"
#define ARM "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Attestation/attestationProviders"
#define PROVIDERS "/providers/Microsoft.Attestation/attestationProviders"
#define GROUP_1 "/subscriptions/s1/resourceGroups/g1" PROVIDERS
#define GROUP_2 "/subscriptions/s2/resourceGroups/g2" PROVIDERS
#define NONE ((struct bytes){ NULL, 0 })

static struct {
    struct service s;
    struct arena a;
    char folder[64];
    struct minter_key key;
} the;

/* Letters stand for callers in the table of calls. */
static const struct caller {
    char letter;
    const char *role; /* NULL: no token; "": a token without roles */
} callers[] = {
    { 'n', NULL },
    { 'u', "" },
    { 'a', "Attestation Reader" },
    { 'b', "Attestation Contributor" },
    { 'R', "Reader" },
    { 'C', "Contributor" },
    { 'O', "Owner" },
    { 'd', "Attestation Reader@alpha" },
    { 'e', "Attestation Contributor@alpha" },
    { 'p', "Owner@/subscriptions/s1/resourceGroups/g1" },
    { 'q', "Reader@/subscriptions/s1" },
    { 'r', "Contributor@/subscriptions/s1/resourceGroups/g1/providers/Microsoft.Attestation/attestationProviders/alpha" },
    { 'x', "Owner@/subscriptions/s1/resourceGroups/g" }, /* the beginning of a name is no scope */
};
enum { CALLERS = COUNT(callers) };

#define ALL "nuabRCOdepqrx"
#define VALID "uabRCOdepqrx"
/* data plane: alpha is in s1/g1, beta in s2/g2 */
#define READ_ALPHA "abRCOdepqr"
#define READ_BETA "abRCO"
#define WRITE_ALPHA "bCOepr"
#define WRITE_BETA "bCO"
/* control plane: a role for the name alone says nothing about resources */
#define SEE_1 "RCOpq"
#define SEE_ALPHA "RCOpqr"
#define SEE_2 "RCO"
#define CHANGE_1 "COp"
#define CHANGE_ALPHA "COpr"
#define CHANGE_2 "CO"

#define UNSIGNED "eyJhbGciOiJub25lIn0.eyJBdHRlc3RhdGlvblBvbGljeSI6ImRtVnljMmx2YmowZ01TNHdPMkYxZEdodmNtbDZZWFJwYjI1eWRXeGxjM3M5UG5CbGNtMXBkQ2dwTzMwNyJ9."
#define V "?api-version=2020-10-01"
#define V25 "?api-version=2025-06-01"

/* `status`: what those who may get; all others get 401. */
static const struct call {
    const char *method, *route, *host, *path, *body, *may;
    long status;
} calls[] = {
    { "GET", "/.well-known/openid-configuration", "localhost", "/.well-known/openid-configuration", NULL, ALL, 200 },
    { "GET", "/.well-known/openid-configuration", "alpha.localhost", "/.well-known/openid-configuration", NULL, ALL, 200 },
    { "GET", "/certs", "localhost", "/certs", NULL, ALL, 200 },
    { "GET", "/certs", "alpha.localhost", "/certs", NULL, ALL, 200 },
    { "GET", "/openapi.json", "localhost", "/openapi.json", NULL, ALL, 200 },
    { "GET", "/servicehealth", "localhost", "/servicehealth", NULL, ALL, 204 },
    { "POST", "/attest/{}", "localhost", "/attest/SgxEnclave" V, "{}", ALL, 400 },
    { "POST", "/attest/{}", "alpha.localhost", "/attest/SgxEnclave" V, "{}", ALL, 400 },
    { "POST", "/attest/{}", "localhost", "/attest/OpenEnclave" V, "{}", ALL, 400 },
    { "POST", "/attest/{}", "localhost", "/attest/SevSnpVm" V25, "{}", ALL, 400 },
    { "POST", "/attest/{}", "localhost", "/attest/TdxVm" V25, "{}", ALL, 400 },
    { "POST", "/attest/{}", "localhost", "/attest/Tpm" V, "{}", VALID, 400 },
    { "POST", "/attest/{}", "alpha.localhost", "/attest/Tpm" V, "{}", READ_ALPHA, 400 },
    { "POST", "/attest/{}", "beta.localhost", "/attest/Tpm" V, "{}", READ_BETA, 400 },
    { "GET", "/policies/{}", "localhost", "/policies/TdxVm" V, NULL, VALID, 200 },
    { "GET", "/policies/{}", "alpha.localhost", "/policies/TdxVm" V, NULL, READ_ALPHA, 200 },
    { "GET", "/policies/{}", "beta.localhost", "/policies/TdxVm" V, NULL, READ_BETA, 200 },
    { "PUT", "/policies/{}", "localhost", "/policies/TdxVm" V, UNSIGNED, "", 200 },
    { "PUT", "/policies/{}", "alpha.localhost", "/policies/TdxVm" V, UNSIGNED, WRITE_ALPHA, 200 },
    { "PUT", "/policies/{}", "beta.localhost", "/policies/TdxVm" V, UNSIGNED, WRITE_BETA, 200 },
    { "GET", "/policies/{}/history", "localhost", "/policies/TdxVm/history" V, NULL, VALID, 200 },
    { "GET", "/policies/{}/history", "alpha.localhost", "/policies/TdxVm/history" V, NULL, READ_ALPHA, 200 },
    { "GET", "/policies/{}/history", "beta.localhost", "/policies/TdxVm/history" V, NULL, READ_BETA, 200 },
    { "POST", "/policies/{}:rollback", "localhost", "/policies/TdxVm:rollback?version=1&api-version=2020-10-01", "", "", 200 },
    { "POST", "/policies/{}:rollback", "alpha.localhost", "/policies/TdxVm:rollback?version=99999&api-version=2020-10-01", "", WRITE_ALPHA, 400 },
    { "POST", "/policies/{}:rollback", "beta.localhost", "/policies/TdxVm:rollback?version=99999&api-version=2020-10-01", "", WRITE_BETA, 400 },
    { "POST", "/policies/{}:reset", "localhost", "/policies/TdxVm:reset" V, "eyJhbGciOiJub25lIn0..", "", 200 },
    { "POST", "/policies/{}:reset", "alpha.localhost", "/policies/TdxVm:reset" V, "eyJhbGciOiJub25lIn0..", WRITE_ALPHA, 200 },
    { "POST", "/policies/{}:reset", "beta.localhost", "/policies/TdxVm:reset" V, "eyJhbGciOiJub25lIn0..", WRITE_BETA, 200 },
    { "GET", "/certificates", "localhost", "/certificates" V, NULL, VALID, 200 },
    { "GET", "/certificates", "alpha.localhost", "/certificates" V, NULL, READ_ALPHA, 200 },
    { "GET", "/certificates", "beta.localhost", "/certificates" V, NULL, READ_BETA, 200 },
    { "POST", "/certificates:add", "localhost", "/certificates:add" V, "x", "", 400 },
    { "POST", "/certificates:add", "alpha.localhost", "/certificates:add" V, "x", WRITE_ALPHA, 400 },
    { "POST", "/certificates:add", "beta.localhost", "/certificates:add" V, "x", WRITE_BETA, 400 },
    { "POST", "/certificates:remove", "localhost", "/certificates:remove" V, "x", "", 400 },
    { "POST", "/certificates:remove", "alpha.localhost", "/certificates:remove" V, "x", WRITE_ALPHA, 400 },
    { "POST", "/certificates:remove", "beta.localhost", "/certificates:remove" V, "x", WRITE_BETA, 400 },
    { "GET", "/tcbbaselines/{}", "localhost", "/tcbbaselines/SgxEnclave" V25, NULL, VALID, 200 },
    { "GET", "/tcbbaselines/{}", "alpha.localhost", "/tcbbaselines/SgxEnclave" V25, NULL, READ_ALPHA, 200 },
    { "GET", "/tcbbaselines/{}", "beta.localhost", "/tcbbaselines/SgxEnclave" V25, NULL, READ_BETA, 200 },
    { "GET", "/audit", "localhost", "/audit" V, NULL, READ_BETA, 200 }, /* only who may read everywhere */
    { "GET", "/audit", "alpha.localhost", "/audit" V, NULL, READ_ALPHA, 200 },
    { "GET", "/audit", "beta.localhost", "/audit" V, NULL, READ_BETA, 200 },
    /* the mirror serves what the vendors publish: to anybody */
    { "GET", "/{}/certification/{}/qe/identity", "localhost", "/sgx/certification/v4/qe/identity", NULL, ALL, 404 },
    { "GET", "/{}/certification/{}/qve/identity", "localhost", "/sgx/certification/v4/qve/identity", NULL, ALL, 404 },
    { "GET", "/{}/certification/{}/{}", "localhost", "/sgx/certification/v4/tcb?fmspc=00906ed50000", NULL, ALL, 404 },
    { "GET", "/{}/v1/{}/{}", "localhost", "/vcek/v1/Milan/cert_chain", NULL, ALL, 404 },

    { "PUT", ARM "/{}", "localhost", GROUP_1 "/alpha" V, "{\"location\":\"Local\",\"properties\":{}}", CHANGE_ALPHA, 200 },
    { "PUT", ARM "/{}", "localhost", GROUP_2 "/beta" V, "{\"location\":\"Local\",\"properties\":{}}", CHANGE_2, 200 },
    { "PUT", ARM "/{}", "localhost", GROUP_1 "/beta" V, "{\"location\":\"Local\",\"properties\":{}}", CHANGE_1, 409 },
    { "GET", ARM "/{}", "localhost", GROUP_1 "/alpha" V, NULL, SEE_ALPHA, 200 },
    { "GET", ARM "/{}", "localhost", GROUP_2 "/beta" V, NULL, SEE_2, 200 },
    { "GET", ARM "/{}", "localhost", GROUP_1 "/beta" V, NULL, SEE_1, 404 }, /* there, but not below this path */
    { "PATCH", ARM "/{}", "localhost", GROUP_1 "/alpha" V, "{\"tags\":{}}", CHANGE_ALPHA, 200 },
    { "PATCH", ARM "/{}", "localhost", GROUP_2 "/beta" V, "{\"tags\":{}}", CHANGE_2, 200 },
    { "PATCH", ARM "/{}", "localhost", GROUP_1 "/beta" V, "{\"tags\":{}}", CHANGE_1, 404 },
    { "DELETE", ARM "/{}", "localhost", GROUP_1 "/gone" V, NULL, CHANGE_1, 204 },
    { "DELETE", ARM "/{}", "localhost", GROUP_2 "/gone" V, NULL, CHANGE_2, 204 },
    { "DELETE", ARM "/{}", "localhost", GROUP_1 "/beta" V, NULL, CHANGE_1, 204 }, /* must not take beta away: the rows below need it */
    { "GET", ARM, "localhost", GROUP_1 V, NULL, SEE_1, 200 },
    { "GET", ARM, "localhost", GROUP_2 V, NULL, SEE_2, 200 },
    { "GET", "/subscriptions/{}" PROVIDERS, "localhost", "/subscriptions/s1" PROVIDERS V, NULL, "RCOq", 200 },
    { "GET", "/subscriptions/{}" PROVIDERS, "localhost", "/subscriptions/s2" PROVIDERS V, NULL, SEE_2, 200 },
    { "GET", "/subscriptions/{}/providers/Microsoft.Attestation/defaultProviders", "localhost",
      "/subscriptions/s1/providers/Microsoft.Attestation/defaultProviders" V, NULL, VALID, 200 },
    { "GET", "/subscriptions/{}/providers/Microsoft.Attestation/locations/{}/defaultProvider", "localhost",
      "/subscriptions/s1/providers/Microsoft.Attestation/locations/local/defaultProvider" V, NULL, VALID, 200 },
    { "GET", "/providers/Microsoft.Attestation/operations", "localhost", "/providers/Microsoft.Attestation/operations" V, NULL, VALID, 200 },
    { "GET", ARM "/{}/privateEndpointConnections", "localhost", GROUP_1 "/alpha/privateEndpointConnections" V, NULL, SEE_ALPHA, 200 },
    { "GET", ARM "/{}/privateEndpointConnections", "localhost", GROUP_2 "/beta/privateEndpointConnections" V, NULL, SEE_2, 200 },
    { "PUT", ARM "/{}/privateEndpointConnections/{}", "localhost", GROUP_1 "/alpha/privateEndpointConnections/c" V,
      "{\"properties\":{\"privateLinkServiceConnectionState\":{\"status\":\"Approved\"}}}", CHANGE_ALPHA, 200 },
    { "PUT", ARM "/{}/privateEndpointConnections/{}", "localhost", GROUP_2 "/beta/privateEndpointConnections/c" V,
      "{\"properties\":{\"privateLinkServiceConnectionState\":{\"status\":\"Approved\"}}}", CHANGE_2, 200 },
    { "GET", ARM "/{}/privateEndpointConnections/{}", "localhost", GROUP_1 "/alpha/privateEndpointConnections/c" V, NULL, SEE_ALPHA, 200 },
    { "GET", ARM "/{}/privateEndpointConnections/{}", "localhost", GROUP_2 "/beta/privateEndpointConnections/c" V, NULL, SEE_2, 200 },
    { "DELETE", ARM "/{}/privateEndpointConnections/{}", "localhost", GROUP_1 "/alpha/privateEndpointConnections/gone" V, NULL, CHANGE_ALPHA, 204 },
    { "DELETE", ARM "/{}/privateEndpointConnections/{}", "localhost", GROUP_2 "/beta/privateEndpointConnections/gone" V, NULL, CHANGE_2, 204 },
    { "GET", ARM "/{}/privateLinkResources", "localhost", GROUP_1 "/alpha/privateLinkResources" V, NULL, SEE_ALPHA, 200 },
    { "GET", ARM "/{}/privateLinkResources", "localhost", GROUP_2 "/beta/privateLinkResources" V, NULL, SEE_2, 200 },
};

/* A token of either plane's audience with one role. */
static const char *authorization(const struct caller *c, bool control)
{
    static const char *known[CALLERS][2];
    const char **at = &known[c - callers][control];

    if (c->role != NULL && *at == NULL) {
        const char *payload = arena_printf(&the.a, "{\"iss\":\"" ISSUER "\",\"aud\":\"%s\",\"sub\":\"tester-%c\",\"roles\":[\"%s\"],\"exp\":%lld}",
                                           control ? "https://management.azure.com" : "https://attest.azure.net", c->letter, c->role,
                                           (long long)time(NULL) + 3600);

        *at = arena_printf(&the.a, "Authorization: Bearer %s",
                           minter_token(&the.key, "ES256", NONE, "{\"alg\":\"ES256\",\"kid\":\"k\"}", payload, &the.a));
    }
    return c->role == NULL ? "X-Nobody: 1" : *at;
}

static struct answer call_as(const struct caller *c, const struct call *what)
{
    bool control = strncmp(what->route, "/subscriptions", 14) == 0 || strncmp(what->route, "/providers", 10) == 0;
    const char *const headers[] = { authorization(c, control), NULL };

    return service_call_host(&the.s, what->host, what->method, what->path, headers, what->body == NULL ? NONE : bytes_str(what->body));
}

static void call_by_all(void **state)
{
    const struct call *what = *state;

    for (size_t i = 0; i < CALLERS; i++) {
        struct answer got = call_as(&callers[i], what);
        bool may = strchr(what->may, callers[i].letter) != NULL;

        if (got.status != (may ? what->status : 401))
            fail_msg("by '%s': HTTP %ld %s; %ld is expected", callers[i].role == NULL ? "nobody" : callers[i].role, got.status,
                     (const char *)got.body.p, may ? what->status : 401L);
        if (may)
            continue;
        assert_string_equal(answer_code(&the.s, &got), "Unauthorized");
        assert_non_null(answer_header(&the.s, &got, "WWW-Authenticate")); /* RFC 9110 section 15.5.2 */
    }
}

static void every_route_has_a_row(void **state)
{
    const char *const argv[] = { program_path(&the.a, "avouch-front"), "--routes", NULL };
    int status;
    char *text = arena_str(&the.a, run_program(&the.a, argv, &status)), *line;
    size_t routes = 0;

    (void)state;
    assert_int_equal(status, 0);
    while ((line = strsep(&text, "\n")) != NULL && *line != 0) {
        bool found = false;

        for (size_t i = 0; i < COUNT(calls) && !found; i++)
            found = strcmp(line, arena_printf(&the.a, "%s %s", calls[i].method, calls[i].route)) == 0;
        if (!found)
            fail_msg("%s has no row", line);
        routes++;
    }
    assert_true(routes > 30);
}

/* TPM evidence needs no token where the provider says so; nothing else is opened thereby. */
static void tpm_without_authentication(void **state)
{
    static const struct call open = { "POST", "/attest/{}", "alpha.localhost", "/attest/Tpm" V, "{}", ALL, 400 };
    static const struct call off = { "PATCH", ARM "/{}", "localhost", GROUP_1 "/alpha?api-version=2021-06-01",
                                     "{\"properties\":{\"tpmAttestationAuthentication\":\"Disabled\"}}", "", 200 };
    static const struct call closed = { "GET", "/policies/{}", "alpha.localhost", "/policies/Tpm" V, NULL, READ_ALPHA, 200 };
    struct answer got = call_as(&callers[6], &off);
    const struct call *row = &open;

    (void)state;
    assert_int_equal(got.status, 200);
    call_by_all((void **)&row);
    row = &closed;
    call_by_all((void **)&row);
}

static void stop(void **state)
{
    (void)state;
    assert_int_equal(service_stop(&the.s), 0);
}

static void set_up(void)
{
    static const struct call make[] = {
        { "PUT", ARM "/{}", "localhost", GROUP_1 "/alpha" V, "{\"location\":\"Local\",\"properties\":{}}", "", 201 },
        { "PUT", ARM "/{}", "localhost", GROUP_2 "/beta" V, "{\"location\":\"Local\",\"properties\":{}}", "", 201 },
    };
    const struct minter_key *keys[] = { &the.key };
    struct bytes set;
    FILE *f;

    arena_init(&the.a, (size_t)256 << 20);
    snprintf(the.folder, sizeof(the.folder), "/tmp/avouch-roles-XXXXXX");
    assert_non_null(mkdtemp(the.folder));
    the.key = minter_key(MINTER_P256, "k");
    set = minter_jwks(keys, 1, &the.a);
    f = fopen(arena_printf(&the.a, "%s/jwks.json", the.folder), "w");
    assert_non_null(f);
    assert_int_equal(fwrite(set.p, 1, set.n, f), set.n);
    fclose(f);
    service_start(&the.s, arena_printf(&the.a, "workers = 1\n[auth]\nissuer = " ISSUER "\njwks = %s/jwks.json\n", the.folder), NULL);
    for (size_t i = 0; i < COUNT(make); i++) {
        struct answer got = call_as(&callers[6], &make[i]);

        if (got.status != make[i].status)
            fail_msg("provider: HTTP %ld %s", got.status, (const char *)got.body.p);
    }
}

int main(void)
{
    struct suite s = { 0 };
    int status;

    set_up();
    suite_add(&s, "every route has a row", every_route_has_a_row, NULL);
    for (size_t i = 0; i < COUNT(calls); i++)
        suite_add(&s, arena_printf(&the.a, "%s %s%s", calls[i].method, calls[i].host, calls[i].path), call_by_all, (void *)(uintptr_t)&calls[i]);
    suite_add(&s, "TPM without authentication", tpm_without_authentication, NULL);
    suite_add(&s, "stops cleanly", stop, NULL);
    status = suite_run("roles", &s);
    (void)!system(arena_printf(&the.a, "rm -rf '%s'", the.folder));
    minter_key_free(&the.key);
    arena_done(&the.a);
    return status;
}
