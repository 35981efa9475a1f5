/* tenants_test.c: providers, policies, signers, roles, the control plane: recorded exchanges replayed, every
 * call by every role in every tenant, and what the store may do to us. */
#include "service.h"

#include "codec/b64.h"
#include "crypto/hash.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARM "/subscriptions/sub-1/resourceGroups/group-1/providers/Microsoft.Attestation/attestationProviders"
#define NONE ((struct bytes){ NULL, 0 })

static struct service may_2022, november; /* the months whose clocks they have */
static struct service *the_service;
#define the (*the_service)
static const char *const dev[] = { "--dev", NULL };
static const char *const as_owner[] = { "Authorization: Bearer dev", NULL };

static const char *config_text(struct arena *a, const char *clock)
{
    return arena_printf(a,
                        "base_url = https://localhost:8443\nworkers = 2\nlocation = East US\n"
                        "[verify]\naccept = OK,SW_HARDENING_NEEDED,OUT_OF_DATE\n[token]\ncompatible = yes\n"
                        "[collateral]\ndirectory = %s/openenclave/collateral\n[dev]\nclock = %s\n",
                        test_vectors(), clock);
}

static struct answer arm(const char *method, const char *rest, const char *body)
{
    return service_call(&the, method, arena_printf(&the.a, ARM "%s%sapi-version=2021-06-01", rest, strchr(rest, '?') == NULL ? "?" : "&"), as_owner,
                        body == NULL ? NONE : bytes_str(body));
}

static struct answer data(const char *tenant, const char *method, const char *path, struct bytes body)
{
    return service_call_host(&the, arena_printf(&the.a, "%s.localhost", tenant), method,
                             arena_printf(&the.a, "%s%sapi-version=2020-10-01", path, strchr(path, '?') == NULL ? "?" : "&"), as_owner, body);
}

static void expect_status(const struct answer *got, long status)
{
    if (got->status != status)
        fail_msg("HTTP %ld, expected %ld: %s", got->status, status, got->body.p == NULL ? "" : (const char *)got->body.p);
}

static const struct json *claims_of(const struct answer *got)
{
    struct bytes token;

    expect_status(got, 200);
    assert_true(json_string(json_member(got->json, "token"), &token));
    return token_part(&the.a, token, 1);
}

static struct bytes text_of(const struct json *j, const char *name)
{
    struct bytes b = NONE;

    if (!json_string(json_member(j, name), &b))
        fail_msg("member %s is missing", name);
    return b;
}

/* -- recordings -- */

static const struct json *recording(const char *name)
{
    const struct json *doc;
    struct err e = { 0 };

    assert_ok(json_parse(test_vector(&the.a, arena_printf(&the.a, "rest/recordings/%s.json", name)), 64, name, &the.a, &doc, &e), &e);
    return doc;
}

static struct bytes recorded_body(const struct json *side)
{
    const struct json *body = json_member(side, "body");
    struct out o = out_open(&the.a);

    if (json_is(body, JSON_STRING))
        return body->text;
    json_print(&o, body, false);
    return out_view(&o);
}

static const struct json *recorded_claims(const struct json *doc)
{
    const struct json *body;
    struct err e = { 0 };

    assert_ok(json_parse(recorded_body(json_member(doc, "response")), 64, "body", &the.a, &body, &e), &e);
    return token_part(&the.a, text_of(body, "token"), 1);
}

static struct bytes compact(const struct json *j)
{
    struct out o = out_open(&the.a);

    json_print(&o, j, true);
    return out_view(&o);
}

static void same_claims(const struct json *want, const struct json *got)
{
    assert_int_equal(want->count, got->count);
    for (const struct json *m = want->child; m != NULL; m = m->next) {
        const struct json *n = json_member_bytes(got, m->name);

        if (n == NULL)
            fail_msg("claim %.*s is missing", (int)m->name.n, (const char *)m->name.p);
        if (!bytes_is(m->name, "iss") && !bytes_is(m->name, "iat") && !bytes_is(m->name, "nbf") && !bytes_is(m->name, "exp")
            && !bytes_equal(compact(m), compact(n)))
            fail_msg("claim %.*s is %s, recorded %s", (int)m->name.n, (const char *)m->name.p, (const char *)compact(n).p,
                     (const char *)compact(m).p);
    }
}

/* In the order in which they were recorded: signed and unsigned policies set, read, reset, read. */
static const struct step {
    const char *recording, *tenant;
} steps[] = {
    { "policy-get-sgx-default-v1.1-nov2022", "contoso-aad" }, { "policy-get-tpm-default-empty", "contoso-aad" },
    { "certificates-get-aad", "contoso-aad" },                { "certificates-get-isolated", "contoso-iso" },
    { "certificates-add-200", "contoso-iso" },                { "certificates-remove-200", "contoso-iso" },
    { "certificates-add-400-aad-tenant", "contoso-aad" },     { "certificates-remove-400-aad-tenant", "contoso-aad" },
};

static void replay_one(const char *name, const char *tenant)
{
    const struct json *doc = recording(name), *request = json_member(doc, "request"), *response = json_member(doc, "response");
    struct bytes body = json_is(json_member(request, "body"), JSON_NULL) ? NONE : recorded_body(request);
    const char *path = arena_str(&the.a, json_member(request, "path")->text);
    struct answer got;
    int64_t status;

    assert_true(json_int(json_member(response, "status"), &status));
    got = service_call_host(&the, arena_printf(&the.a, "%s.localhost", tenant), arena_str(&the.a, json_member(request, "method")->text), path, as_owner, body);
    expect_status(&got, status);
    if (status == 200) {
        same_claims(recorded_claims(doc), claims_of(&got));
        return;
    }
    assert_string_equal(answer_code(&the, &got), "InvalidOperation");
    assert_non_null(strstr(answer_message(&the, &got), "The operation is disallowed"));
}

static void replay(void **state)
{
    const struct step *s = *state;

    replay_one(s->recording, s->tenant);
}

static void replay_changes(void **state)
{
    static const char *const order[] = { "1-put", "2-get", "3-post-reset", "4-get" };

    for (size_t i = 0; i < COUNT(order); i++) {
        const char *name = arena_printf(&the.a, "policy-%s-%s", (const char *)*state, order[i]);

        replay_one(name, "contoso-aad");
    }
}

/* -- providers -- */

static void create_and_list(void **state)
{
    struct answer got = arm("GET", "/contoso-new", NULL);

    (void)state;
    expect_status(&got, 404);
    assert_string_equal(answer_code(&the, &got), "ResourceNotFound");
    got = arm("PUT", "/contoso-new", "{\"location\":\"East US\",\"tags\":{\"a\":\"b\"},\"properties\":{}}");
    expect_status(&got, 201);
    assert_text(text_of(json_member(got.json, "properties"), "attestUri"), "https://contoso-new.localhost:8443");
    assert_text(text_of(json_member(got.json, "properties"), "trustModel"), "AAD");
    got = arm("PUT", "/CONTOSO-NEW", "{\"location\":\"East US\",\"properties\":{}}");
    expect_status(&got, 200);
    got = arm("PATCH", "/contoso-new", "{\"tags\":{\"k\":\"v\"},\"properties\":{\"tpmAttestationAuthentication\":\"Disabled\"}}");
    expect_status(&got, 200);
    assert_text(text_of(json_member(got.json, "properties"), "tpmAttestationAuthentication"), "Disabled");
    got = arm("GET", "", NULL);
    expect_status(&got, 200);
    assert_int_equal(json_member(got.json, "value")->count, 3);
    got = service_call(&the, "GET", "/subscriptions/sub-1/providers/Microsoft.Attestation/defaultProviders?api-version=2020-10-01", as_owner, NONE);
    assert_text(text_of(json_member(got.json, "value")->child, "name"), "sharedlocal");
    got = service_call(&the, "GET", "/subscriptions/sub-1/providers/Microsoft.Attestation/locations/eastus/defaultProvider?api-version=2020-10-01", as_owner, NONE);
    expect_status(&got, 200);
    got = service_call(&the, "GET", "/subscriptions/sub-1/providers/Microsoft.Attestation/locations/mars/defaultProvider?api-version=2020-10-01", as_owner, NONE);
    expect_status(&got, 404);
    got = arm("PUT", "/contoso-new/privateEndpointConnections/pe1", "{\"properties\":{\"privateLinkServiceConnectionState\":{\"status\":\"Approved\"}}}");
    expect_status(&got, 200);
    got = arm("GET", "/contoso-new/privateEndpointConnections", NULL);
    assert_int_equal(json_member(got.json, "value")->count, 1);
    got = arm("DELETE", "/contoso-new/privateEndpointConnections/pe1", NULL);
    expect_status(&got, 200);
    got = arm("DELETE", "/contoso-new/privateEndpointConnections/pe1", NULL);
    expect_status(&got, 204);
    got = arm("GET", "/contoso-new/privateLinkResources", NULL);
    expect_status(&got, 200);
    got = service_call(&the, "GET", "/providers/Microsoft.Attestation/operations?api-version=2020-10-01", as_owner, NONE);
    assert_int_equal(json_member(got.json, "value")->count, 6);
    got = service_call(&the, "PUT", "/subscriptions/sub-2/resourceGroups/g/providers/Microsoft.Attestation/attestationProviders/contoso-new?api-version=2020-10-01",
                       as_owner, LIT("{\"location\":\"x\",\"properties\":{}}"));
    expect_status(&got, 409);
    got = arm("DELETE", "/contoso-new", NULL);
    expect_status(&got, 200);
    got = arm("DELETE", "/contoso-new", NULL);
    expect_status(&got, 204);
    got = data("contoso-new", "GET", "/certs", NONE);
    expect_status(&got, 404);
}

static const struct bad_name {
    const char *name;
} bad_names[] = { { "ab" }, { "a-name-that-is-much-too-long" }, { "under_score" }, { "-front" }, { "back-" } };

static void bad_name(void **state)
{
    const struct bad_name *n = *state;
    struct answer got = arm("PUT", arena_printf(&the.a, "/%s", n->name), "{\"location\":\"East US\",\"properties\":{}}");

    expect_status(&got, 400);
    assert_non_null(strstr(answer_message(&the, &got), "3 to 24 letters"));
}

/* Signers in a form that is not read are no reason to create a provider without signers. */
static const struct signer_form {
    const char *name, *before, *after;
    const char *model; /* NULL: refused */
} signer_forms[] = {
    { "keys in other letters", "{\"Keys\":", "}", "Isolated" },
    { "a list", "", "", NULL },
    { "another member", "{\"certificates\":", "}", NULL },
    { "keys that are no list", "{\"keys\":{\"keys\":", "}}", NULL },
    { "no keys", "{\"keys\":[],\"was\":", "}", "AAD" },
};

static void signer_form(void **state)
{
    const struct signer_form *f = *state;
    const struct json *signers = json_member(recorded_claims(recording("certificates-get-isolated")), "x-ms-policy-certificates");
    struct out o = out_open(&the.a);
    struct answer got;

    out_text(&o, "{\"location\":\"x\",\"properties\":{\"policySigningCertificates\":");
    out_text(&o, f->before);
    out_bytes(&o, json_member(signers, "keys")->raw);
    out_text(&o, f->after);
    out_text(&o, "}}");
    got = arm("PUT", "/contoso-forms", (const char *)out_view(&o).p);
    if (f->model == NULL) {
        expect_status(&got, 400);
        assert_non_null(strstr(answer_message(&the, &got), "policySigningCertificates"));
        return;
    }
    expect_status(&got, 201);
    assert_text(text_of(json_member(got.json, "properties"), "trustModel"), f->model);
    got = arm("DELETE", "/contoso-forms", NULL);
    expect_status(&got, 200);
}

/* -- roles -- */

enum who {
    NOBODY,
    READER,       /* Attestation Reader everywhere */
    CONTRIBUTOR,  /* Attestation Contributor everywhere */
    SCOPED,       /* Attestation Contributor of contoso-aad only */
    PATH_SCOPED,  /* Owner of the resource group */
    OWNER,
    WHO_COUNT,
};

static const char *token_of(enum who w)
{
    static const char *const role[WHO_COUNT] = { NULL, "Attestation Reader", "Attestation Contributor", "Attestation Contributor@contoso-aad",
                                                 "Owner@/subscriptions/sub-1/resourceGroups/group-1", "Owner" };
    static const char *tokens[WHO_COUNT];
    int status;

    if (role[w] == NULL || tokens[w] != NULL)
        return tokens[w];
    {
        const char *const argv[] = { program_path(&the.a, "avouch"), "admin", "token", "--role", role[w], "--subject", "tester", "--state",
                                     arena_printf(&the.a, "%s/state", the.state), NULL };
        struct bytes text = run_program(&the.a, argv, &status);

        assert_int_equal(status, 0);
        while (text.n > 0 && text.p[text.n - 1] == '\n')
            text.n--;
        tokens[w] = arena_str(&the.a, text);
    }
    return tokens[w];
}

/* Letters: who may. N nobody, R reader, C contributor, S scoped, P path, O owner. */
static const struct call {
    const char *method, *host, *path, *body, *may;
} calls[] = {
    { "GET", "localhost", "/.well-known/openid-configuration", NULL, "NRCSPO" },
    { "GET", "contoso-aad.localhost", "/certs", NULL, "NRCSPO" },
    { "GET", "localhost", "/servicehealth", NULL, "NRCSPO" },
    { "GET", "contoso-aad.localhost", "/policies/SgxEnclave?api-version=2020-10-01", NULL, "RCSPO" },
    { "GET", "contoso-iso.localhost", "/policies/SgxEnclave?api-version=2020-10-01", NULL, "RCPO" },
    { "GET", "localhost", "/policies/SgxEnclave?api-version=2020-10-01", NULL, "RCSPO" },
    { "GET", "contoso-aad.localhost", "/certificates?api-version=2020-10-01", NULL, "RCSPO" },
    { "GET", "contoso-iso.localhost", "/certificates?api-version=2020-10-01", NULL, "RCPO" },
    { "GET", "contoso-aad.localhost", "/tcbbaselines/SgxEnclave?api-version=2025-06-01", NULL, "RCSPO" },
    { "PUT", "contoso-aad.localhost", "/policies/TdxVm?api-version=2020-10-01", "eyJhbGciOiJub25lIn0.eyJBdHRlc3RhdGlvblBvbGljeSI6ImRtVnljMmx2YmowZ01TNHdPMkYxZEdodmNtbDZZWFJwYjI1eWRXeGxjM3M5UG5CbGNtMXBkQ2dwTzMwNyJ9.", "CSPO" },
    { "POST", "contoso-aad.localhost", "/policies/TdxVm:reset?api-version=2020-10-01", "eyJhbGciOiJub25lIn0..", "CSPO" },
    { "PUT", "localhost", "/policies/TdxVm?api-version=2020-10-01", "eyJhbGciOiJub25lIn0..", "" },
    { "POST", "localhost", "/policies/TdxVm:reset?api-version=2020-10-01", "eyJhbGciOiJub25lIn0..", "" },
    { "GET", "contoso-aad.localhost", "/policies/TdxVm/history?api-version=2020-10-01", NULL, "RCSPO" },
    { "GET", "contoso-aad.localhost", "/audit?api-version=2020-10-01", NULL, "RCSPO" },
    { "GET", "localhost", ARM "?api-version=2020-10-01", NULL, "PO" },
    { "GET", "localhost", ARM "/contoso-aad?api-version=2020-10-01", NULL, "PO" },
    { "PATCH", "localhost", ARM "/contoso-aad?api-version=2020-10-01", "{\"tags\":{}}", "PO" },
    { "GET", "localhost", "/subscriptions/sub-1/providers/Microsoft.Attestation/attestationProviders?api-version=2020-10-01", NULL, "O" },
    { "GET", "localhost", "/providers/Microsoft.Attestation/operations?api-version=2020-10-01", NULL, "RCSPO" },
    { "DELETE", "localhost", ARM "/contoso-none?api-version=2020-10-01", NULL, "PO" },
};

static void call_by_all(void **state)
{
    const struct call *c = *state;

    for (int w = NOBODY; w < WHO_COUNT; w++) {
        const char *token = token_of((enum who)w);
        const char *const headers[] = { token == NULL ? "X-Nobody: 1" : arena_printf(&the.a, "Authorization: Bearer %s", token), NULL };
        struct answer got = service_call_host(&the, c->host, c->method, c->path, headers, c->body == NULL ? NONE : bytes_str(c->body));
        bool may = strchr(c->may, "NRCSPO"[w]) != NULL;

        if (may != (got.status < 300))
            fail_msg("%s %s%s by %c: HTTP %ld %s", c->method, c->host, c->path, "NRCSPO"[w], got.status, (const char *)got.body.p);
        if (!may) {
            expect_status(&got, 401);
            assert_string_equal(answer_code(&the, &got), "Unauthorized");
            if (w == NOBODY)
                assert_non_null(answer_header(&the, &got, "WWW-Authenticate"));
        }
    }
}

/* What other rows of the table of calls found in a path is no part of the scope that is asked for. */
static void scope_of_other_rows(void **state)
{
    static const char path[] = "/subscriptions/v1/providers/Microsoft.Attestation/attestationProviders?api-version=2020-10-01";
    const char *const argv[] = { program_path(&the.a, "avouch"), "admin", "token", "--role", "Owner@/subscriptions/v1/resourceGroups/providers",
                                 "--subject", "tester", "--state", arena_printf(&the.a, "%s/state", the.state), NULL };
    const char *headers[] = { NULL, NULL };
    struct answer got;
    struct bytes token;
    int status;

    (void)state;
    token = run_program(&the.a, argv, &status);
    assert_int_equal(status, 0);
    headers[0] = arena_printf(&the.a, "Authorization: Bearer %.*s", (int)token.n - 1, (const char *)token.p);
    got = service_call(&the, "GET", path, headers, NONE);
    expect_status(&got, 401);
    assert_non_null(strstr(answer_message(&the, &got), "on '/subscriptions/v1'"));
}

static const struct bad_token {
    const char *name, *header;
} bad_tokens[] = {
    { "no token at all", "Authorization: Bearer" },
    { "basic", "Authorization: Basic ZGV2OmRldg==" },
    { "garbage", "Authorization: Bearer abc" },
    { "alg none", "Authorization: Bearer eyJhbGciOiJub25lIn0.eyJpc3MiOiJ1cm46YXZvdWNoOmxvY2FsIiwiYXVkIjoiYXZvdWNoIiwib2lkIjoieCIsInJvbGVzIjpbIk93bmVyIl0sImV4cCI6OTk5OTk5OTk5OX0." },
    { "HMAC", "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.e30.AAAA" },
};

static void bad_token(void **state)
{
    const struct bad_token *t = *state;
    const char *const headers[] = { t->header, NULL };
    struct answer got = service_call_host(&the, "contoso-aad.localhost", "GET", "/policies/SgxEnclave?api-version=2020-10-01", headers, NONE);

    expect_status(&got, 401);
}

/* An attestation token of our own is no ticket for the control plane, whatever it says. */
static void attestation_token_is_no_ticket(void **state)
{
    struct answer got;
    struct out o = out_open(&the.a);
    struct bytes token;
    const char *headers[2] = { NULL, NULL };

    (void)state;
    out_text(&o, "{\"quote\":\"");
    b64url_print(&o, test_vector(&the.a, "rest/evidence/sdk-SgxEnclave.bin"));
    out_text(&o, "\"}");
    got = data("contoso-aad", "POST", "/attest/SgxEnclave", out_view(&o));
    expect_status(&got, 200);
    token = text_of(got.json, "token");
    headers[0] = arena_printf(&the.a, "Authorization: Bearer %s", arena_str(&the.a, token));
    got = service_call_host(&the, "contoso-aad.localhost", "GET", "/policies/SgxEnclave?api-version=2020-10-01", headers, NONE);
    expect_status(&got, 401);
}

/* -- policies -- */

static struct bytes envelope(const char *text)
{
    struct jobj o = jobj_open(&the.a);
    struct out j = out_open(&the.a);

    jobj_b64url(&o, "AttestationPolicy", bytes_str(text));
    b64url_print(&j, LIT("{\"alg\":\"none\"}"));
    out_char(&j, '.');
    b64url_print(&j, jobj_print(&o, false));
    out_char(&j, '.');
    return out_view(&j);
}

static const struct bad_policy {
    const char *name, *tenant, *body, *code, *part;
} bad_policies[] = {
    { "no JWS", "contoso-aad", "hello", "InvalidOperation", NULL },
    { "unsigned on isolated", "contoso-iso", "", "InvalidOperation", "Unsigned JWS specified but enclave is configured with signing certificates." },
    { "syntax error", "contoso-aad", "version= 1.0;authorizationrules{=> permit()};", "PolicyParsingError", "mismatched input '}' expecting ';'" },
    { "JSON policy", "contoso-aad", "{\"$version\":1}", "PolicyParsingError", NULL },
};

static void bad_policy(void **state)
{
    const struct bad_policy *p = *state;
    struct bytes body = strcmp(p->name, "no JWS") == 0 ? bytes_str(p->body)
        : p->body[0] == 0                              ? envelope("version= 1.0;authorizationrules{=> permit();};")
                                                       : envelope(p->body);
    struct answer got = data(p->tenant, "PUT", "/policies/SgxEnclave", body);

    expect_status(&got, 400);
    assert_string_equal(answer_code(&the, &got), p->code);
    if (p->part != NULL && strstr(answer_message(&the, &got), p->part) == NULL)
        fail_msg("%s", answer_message(&the, &got));
}

static struct answer attest_contoso(void)
{
    struct out o = out_open(&the.a);

    out_text(&o, "{\"quote\":\"");
    b64url_print(&o, test_vector(&the.a, "rest/evidence/sdk-SgxEnclave.bin"));
    out_text(&o, "\"}");
    return data("contoso-aad", "POST", "/attest/SgxEnclave", out_view(&o));
}

#define PERMIT "version= 1.0;authorizationrules{=> permit();};issuancerules{=> issue(type=\"by\", value=\"contoso\");};"
#define REFUSE "version= 1.0;authorizationrules{[type==\"x-ms-sgx-is-debuggable\", value==true] => deny(); => permit();};"

/* Set, attest, be refused with the reason, roll back, attest. */
static void walk(void **state)
{
    struct answer got = data("contoso-aad", "PUT", "/policies/SgxEnclave", envelope(PERMIT));
    const struct json *claims = claims_of(&got), *versions;
    int64_t version;

    (void)state;
    assert_text(text_of(claims, "x-ms-policy-result"), "Updated");
    got = attest_contoso();
    claims = claims_of(&got);
    assert_text(text_of(claims, "by"), "contoso");
    assert_text(text_of(claims, "iss"), "https://contoso-aad.localhost:8443");
    got = data("contoso-aad", "PUT", "/policies/SgxEnclave", bytes_str(REFUSE)); /* bare text is wrapped */
    expect_status(&got, 200);
    got = attest_contoso();
    expect_status(&got, 400);
    assert_string_equal(answer_code(&the, &got), "PolicyEvaluationError");
    assert_non_null(strstr(answer_message(&the, &got), "A Deny claim was issued, authorization failed."));
    assert_non_null(strstr(answer_message(&the, &got), "[type==\"x-ms-sgx-is-debuggable\", value==true] => deny();"));
    got = data("contoso-aad", "GET", "/policies/SgxEnclave/history", NONE);
    versions = json_member(got.json, "versions");
    assert_true(json_int(json_member(versions->child->next, "version"), &version));
    got = data("contoso-aad", "POST", arena_printf(&the.a, "/policies/SgxEnclave:rollback?version=%d", (int)version), NONE);
    expect_status(&got, 200);
    got = attest_contoso();
    assert_text(text_of(claims_of(&got), "by"), "contoso");
    /* of the audit records the last ones tell it */
    got = data("contoso-aad", "GET", "/audit?limit=1000", NONE);
    assert_true(json_member(got.json, "records")->count >= 6);
}

/* -- publicNetworkAccess -- */

static const struct network {
    const char *name, *networks;
    bool allowed; /* from 127.0.0.1 */
} networks[] = {
    { "none is private", "", false },
    { "another one", "10.0.0.0/8, fd00::/8", false },
    { "this address", "10.0.0.0/8 , 127.0.0.1", true },
    { "its network", "127.0.0.0/8", true },
    { "mapped to IPv6", "::ffff:127.0.0.0/104", true },
    { "everything of IPv6", "::/0", false },
    { "its neighbour", "127.0.0.2/31", false },
};

static void public_access(void **state)
{
    static const char off[] = "{\"properties\":{\"publicNetworkAccess\":\"Disabled\"}}", on[] = "{\"properties\":{\"publicNetworkAccess\":\"Enabled\"}}";
    static const char *const paths[] = { "/policies/SgxEnclave?api-version=2020-10-01", "/certificates?api-version=2020-10-01",
                                         "/tcbbaselines/SgxEnclave?api-version=2020-10-01", "/audit?api-version=2020-10-01",
                                         "/policies/SgxEnclave/history?api-version=2020-10-01", "/certs", "/.well-known/openid-configuration" };
    const struct network *row = *state;
    struct service s, *before = the_service;
    struct arena a;
    struct answer got;

    arena_init(&a, 1 << 20);
    service_start(&s, arena_printf(&a, "workers = 1\nprivate_networks = %s\n", row->networks), dev);
    the_service = &s;
    got = arm("PUT", "/closed", "{\"location\":\"East US\",\"properties\":{\"publicNetworkAccess\":\"Disabled\"}}");
    expect_status(&got, 201);
    for (size_t i = 0; i < COUNT(paths); i++) {
        got = service_call_host(&the, "closed.localhost", "GET", paths[i], as_owner, NONE);
        expect_status(&got, row->allowed ? 200 : 403);
        if (!row->allowed) {
            assert_string_equal(answer_code(&the, &got), "Forbidden");
            assert_non_null(strstr(answer_message(&the, &got), "publicNetworkAccess of 'closed' is Disabled, and the address 127.0.0.1"));
        }
    }
    got = data("closed", "POST", "/attest/SgxEnclave", LIT("{\"quote\":\"AAAA\"}"));
    expect_status(&got, row->allowed ? 400 : 403);
    got = service_call(&the, "GET", "/certs", NULL, NONE); /* the shared provider has no such switch */
    expect_status(&got, 200);
    got = arm("GET", "/closed", NULL); /* the control plane works */
    expect_status(&got, 200);
    got = arm("PATCH", "/closed", on);
    expect_status(&got, 200);
    got = data("closed", "GET", "/policies/SgxEnclave", NONE);
    expect_status(&got, 200);
    got = arm("PATCH", "/closed", off);
    expect_status(&got, 200);
    got = data("closed", "GET", "/policies/SgxEnclave", NONE);
    expect_status(&got, row->allowed ? 200 : 403);
    assert_int_equal(service_stop(&s), 0);
    the_service = before;
    arena_done(&a);
}

static struct bytes letters(struct arena *a, const char *before, size_t n, const char *after)
{
    struct out o = out_open(a);
    uint8_t *p;

    out_text(&o, before);
    p = out_room(&o, n);
    assert_non_null(p);
    memset(p, 'x', n);
    out_text(&o, after);
    return out_view(&o);
}

/* Who is nobody decides little of what is written down for good. */
static void long_headers(void **state)
{
    const char *run = (const char *)letters(&the.a, "", 6000, "").p, *shown;
    const char *const headers[] = { arena_printf(&the.a, "User-Agent: %s", run), arena_printf(&the.a, "Content-Type: %s", run), NULL };
    struct answer got = service_call_host(&the, "contoso-aad.localhost", "GET", "/policies/SgxEnclave?api-version=2020-10-01", headers, NONE);

    (void)state;
    expect_status(&got, 401);
    got = data("contoso-aad", "GET", "/audit?limit=1000", NONE);
    expect_status(&got, 200);
    shown = strstr((const char *)got.body.p, "xxxxxxxx");
    assert_non_null(shown);
    for (; shown != NULL; shown = strstr(shown + strspn(shown, "x"), "xxxxxxxx"))
        assert_in_range(strspn(shown, "x"), 8, 256);
}

static void tcb_baselines(void **state)
{
    struct answer got = data("contoso-aad", "GET", "/tcbbaselines/SgxEnclave", NONE);

    (void)state;
    expect_status(&got, 200);
    assert_int_equal(json_member(got.json, "tcbBaselines")->count, 6);
    got = data("contoso-aad", "GET", "/tcbbaselines/SgxEnclave?provideCurrentTcbInPolicy=true", NONE);
    assert_int_equal(json_member(got.json, "tcbBaselines")->count, 1);
    got = data("contoso-aad", "GET", "/tcbbaselines/SevSnpVm", NONE);
    assert_int_equal(json_member(got.json, "tcbBaselines")->count, 0);
    /* the policy in force says which is selected */
    got = data("contoso-aad", "PUT", "/policies/OpenEnclave",
               LIT("version=1.1; configurationrules{ => issueproperty(type=\"x-ms-sgx-tcbidentifier\", value=\"12\"); };"
                   "authorizationrules{ => permit(); }; issuancerules{};"));
    expect_status(&got, 200);
    got = data("contoso-aad", "GET", "/tcbbaselines/OpenEnclave?provideCurrentTcbInPolicy=true", NONE);
    assert_int_equal(json_member(got.json, "tcbBaselines")->count, 1);
    assert_text(text_of(json_member(got.json, "tcbBaselines")->child, "tcbIdentifier"), "12");
    got = data("contoso-aad", "POST", "/policies/OpenEnclave:reset", LIT("eyJhbGciOiJub25lIn0.."));
    expect_status(&got, 200);
}

/* A draft that leaves hardly any memory for what follows it: refused, and the worker lives. */
static void greedy_draft(void **state)
{
    struct arena a;

    (void)state;
    for (size_t elements = 770000; elements < 840000; elements += 5000) {
        struct answer got;
        struct out text, payload, jws, body;

        arena_init(&a, (size_t)64 << 20);
        text = out_open(&a), payload = out_open(&a), jws = out_open(&a), body = out_open(&a);
        out_text(&text, "version=1.1; configurationrules{ => issueproperty(type=\"x-ms-sgx-tcbidentifier\", value=\"12\"); };"
                        "authorizationrules{ => permit(); }; //");
        memset(out_room(&text, 200000), 'x', 200000);
        out_text(&payload, "{\"AttestationPolicy\":\"");
        b64url_print(&payload, out_view(&text));
        out_text(&payload, "\",\"x\":[0");
        for (size_t i = 1; i < elements; i++)
            out_text(&payload, ",0");
        out_text(&payload, "]}");
        b64url_print(&jws, LIT("{\"alg\":\"none\"}"));
        out_char(&jws, '.');
        b64url_print(&jws, out_view(&payload));
        out_char(&jws, '.');
        out_text(&body, "{\"quote\":\"");
        b64url_print(&body, test_vector(&the.a, "rest/evidence/sdk-SgxEnclave.bin"));
        out_text(&body, "\",\"draftPolicyForAttestation\":\"");
        out_bytes(&body, out_view(&jws));
        out_text(&body, "\"}");
        got = data("contoso-aad", "POST", "/attest/SgxEnclave", out_view(&body));
        if (got.status == 503)
            fail_msg("with %zu elements: %s", elements, (const char *)got.body.p);
        arena_done(&a);
    }
}

/* What is too large for the core is refused for its size; no connection ends, over which others' requests run. */
static void large_requests(void **state)
{
    struct answer got = data("contoso-aad", "PUT", "/policies/TdxVm", letters(&the.a, PERMIT "//", 4000000, ""));
    struct jobj o = jobj_open(&the.a);
    struct out jws = out_open(&the.a);

    (void)state;
    expect_status(&got, 413);
    jobj_b64url(&o, "AttestationPolicy", LIT(PERMIT));
    jobj_str(&o, "more", letters(&the.a, "", 2000000, ""));
    b64url_print(&jws, LIT("{\"alg\":\"none\"}"));
    out_char(&jws, '.');
    b64url_print(&jws, jobj_print(&o, false));
    out_char(&jws, '.');
    got = data("contoso-aad", "PUT", "/policies/TdxVm", out_view(&jws));
    expect_status(&got, 413);
    got = data("contoso-aad", "GET", "/policies/TdxVm", NONE);
    expect_status(&got, 200);
    got = arm("PUT", "/contoso-large",
              (const char *)letters(&the.a, "{\"location\":\"x\",\"properties\":{\"policySigningCertificates\":{\"keys\":[{\"x5c\":[\"", 2000000, "\"]}]}}}").p);
    expect_status(&got, 413);
    got = data("contoso-iso", "POST", "/certificates:add", letters(&the.a, "", 3000000, ""));
    expect_status(&got, 413);
}

/* Resident bytes of the core's workers: the children of its root process. */
static size_t core_memory(void)
{
    long root = (long)service_child(&the, "avouch-core"), pages = 0, sum = 0;
    const struct dirent *entry;
    DIR *d = opendir("/proc");

    assert_non_null(d);
    while ((entry = readdir(d)) != NULL) {
        long pid = strtol(entry->d_name, NULL, 10), parent = 0;
        char path[64];
        FILE *f;

        snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
        f = pid > 0 ? fopen(path, "r") : NULL;
        if (f == NULL)
            continue;
        if (fscanf(f, "%*d (%*[^)]) %*c %ld", &parent) == 1 && parent == root
            && fscanf(f, " %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %*u %*u %ld", &pages) == 1)
            sum += pages;
        fclose(f);
    }
    closedir(d);
    return (size_t)sum * (size_t)sysconf(_SC_PAGESIZE);
}

/* Of a policy the core keeps its text, not all that came with it: many versions must not fill its memory. */
static void kept_policies(void **state)
{
    size_t before = 0;

    (void)state;
    for (int version = 0; version < 12; version++) {
        struct jobj o = jobj_open(&the.a);
        struct out jws = out_open(&the.a), zeros = out_open(&the.a);
        struct answer got;

        out_printf(&zeros, "[%d", version);
        for (int i = 0; i < 500000; i++)
            out_text(&zeros, ",0");
        out_char(&zeros, ']');
        jobj_b64url(&o, "AttestationPolicy", LIT(PERMIT));
        jobj_json(&o, "more", out_view(&zeros));
        b64url_print(&jws, LIT("{\"alg\":\"none\"}"));
        out_char(&jws, '.');
        b64url_print(&jws, jobj_print(&o, false));
        out_char(&jws, '.');
        got = data("contoso-aad", "PUT", "/policies/SgxEnclave", out_view(&jws));
        expect_status(&got, 200);
        got = attest_contoso();
        expect_status(&got, 200);
        if (version == 1)
            before = core_memory();
    }
    assert_true(before > 0);
    assert_in_range(core_memory(), 1, before + ((size_t)100 << 20));
}

/* -- the store -- */

static void store_execute(const char *sql)
{
    sqlite3 *db;
    char *message = NULL;

    assert_int_equal(sqlite3_open(arena_printf(&the.a, "%s/state/store.db", the.state), &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    sqlite3_close(db);
}

static int64_t store_number(const char *sql)
{
    sqlite3_stmt *st = NULL;
    sqlite3 *db;
    int64_t v;

    assert_int_equal(sqlite3_open(arena_printf(&the.a, "%s/state/store.db", the.state), &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    v = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(db);
    return v;
}

/* Whatever is changed outside the service is noticed and refused as "cannot decide"; undone, it works again. */
static const struct tampering {
    const char *name, *change, *undo, *part;
} tamperings[] = {
    { "policy exchanged", "CREATE TABLE t AS SELECT * FROM policy; UPDATE policy SET jws=CAST('eyJhbGciOiJub25lIn0..' AS BLOB)",
      "DELETE FROM policy; INSERT INTO policy SELECT * FROM t; DROP TABLE t", "digest of the stored SgxEnclave policy" },
    { "policy deleted", "CREATE TABLE t AS SELECT * FROM policy; DELETE FROM policy", "INSERT INTO policy SELECT * FROM t; DROP TABLE t",
      "the head names a policy for SgxEnclave, the store has none" },
    { "head altered", "CREATE TABLE t AS SELECT * FROM provider; UPDATE provider SET head=CAST(head || 'x' AS BLOB)",
      "DELETE FROM provider; INSERT INTO provider SELECT * FROM t; DROP TABLE t", "its MAC does not fit" },
    { "MAC of another provider", "CREATE TABLE t AS SELECT * FROM provider; UPDATE provider SET mac=(SELECT mac FROM t WHERE name='contoso-iso')",
      "DELETE FROM provider; INSERT INTO provider SELECT * FROM t; DROP TABLE t", "its MAC does not fit" },
    { "head of another provider",
      "CREATE TABLE t AS SELECT * FROM provider; UPDATE provider SET head=(SELECT head FROM t WHERE name='contoso-iso'),"
      " mac=(SELECT mac FROM t WHERE name='contoso-iso') WHERE name='contoso-aad'",
      "DELETE FROM provider; INSERT INTO provider SELECT * FROM t; DROP TABLE t", "the record of 'contoso-aad' has the head of 'contoso-iso'" },
};

static void tampering(void **state)
{
    const struct tampering *t = *state;
    struct answer got;

    store_execute(t->change);
    got = attest_contoso();
    store_execute(t->undo);
    expect_status(&got, 503);
    assert_non_null(strstr(answer_message(&the, &got), t->part));
    got = attest_contoso();
    expect_status(&got, 200);
}

/* An older state of provider and policy together fits its MAC; its version tells. */
static void store_goes_back(void **state)
{
    struct answer got;

    (void)state;
    store_execute("CREATE TABLE tp AS SELECT * FROM provider; CREATE TABLE tq AS SELECT * FROM policy");
    got = data("contoso-aad", "PUT", "/policies/SgxEnclave", envelope(REFUSE));
    expect_status(&got, 200);
    for (int i = 0; i < 8; i++) { /* every worker has seen it */
        got = attest_contoso();
        expect_status(&got, 400);
    }
    store_execute("CREATE TABLE np AS SELECT * FROM provider; CREATE TABLE nq AS SELECT * FROM policy;"
                  "DELETE FROM provider; DELETE FROM policy; INSERT INTO provider SELECT * FROM tp; INSERT INTO policy SELECT * FROM tq");
    got = attest_contoso();
    expect_status(&got, 503);
    assert_non_null(strstr(answer_message(&the, &got), "the store went back in time"));
    store_execute("DELETE FROM provider; DELETE FROM policy; INSERT INTO provider SELECT * FROM np; INSERT INTO policy SELECT * FROM nq;"
                  "DROP TABLE np; DROP TABLE nq; DROP TABLE tp; DROP TABLE tq");
    got = data("contoso-aad", "PUT", "/policies/SgxEnclave", envelope(PERMIT));
    expect_status(&got, 200);
}

#define OLD_ROW " WHERE provider='contoso-aad' AND type='SgxEnclave' AND version="

/* A roll-back sets what was set, not what the store makes of it. `change` is followed by the number of the old version. */
static const struct planted {
    const char *name, *change, *part;
    long status;
} planted[] = {
    { "as it was set", "SELECT 1", NULL, 200 },
    { "another policy", "UPDATE policy SET jws=NEW.jws FROM (SELECT jws FROM policy WHERE type='SgxEnclave' AND"
      " provider='contoso-aad' ORDER BY version DESC LIMIT 1) AS NEW" OLD_ROW,
      "does not fit: the stored row is not what was set then", 503 },
    { "another version", "UPDATE policy SET jws=NEW.jws, mac=NEW.mac FROM (SELECT jws, mac FROM policy WHERE type='SgxEnclave' AND"
      " provider='contoso-aad' ORDER BY version DESC LIMIT 1) AS NEW" OLD_ROW, "does not fit", 503 },
    { "another type", "UPDATE policy SET jws=NEW.jws, mac=NEW.mac FROM (SELECT jws, mac FROM policy WHERE type='TdxVm' AND"
      " provider='contoso-aad' ORDER BY version DESC LIMIT 1) AS NEW" OLD_ROW, "does not fit", 503 },
    { "half a MAC", "UPDATE policy SET mac=substr(mac, 1, 16)" OLD_ROW, "does not fit", 503 },
    { "a MAC of zeros", "UPDATE policy SET mac=zeroblob(32)" OLD_ROW, "does not fit", 503 },
    { "no MAC", "UPDATE policy SET mac=x''" OLD_ROW, "was stored without a MAC", 400 },
};

static void roll_back_planted(void **state)
{
    const struct planted *row = *state;
    struct answer got;
    int64_t version;

    got = data("contoso-aad", "PUT", "/policies/TdxVm", envelope(PERMIT));
    expect_status(&got, 200);
    got = data("contoso-aad", "PUT", "/policies/SgxEnclave", envelope(PERMIT));
    expect_status(&got, 200);
    got = data("contoso-aad", "PUT", "/policies/SgxEnclave", envelope(REFUSE));
    expect_status(&got, 200);
    version = store_number("SELECT version FROM policy WHERE provider='contoso-aad' AND type='SgxEnclave' ORDER BY version DESC LIMIT 1 OFFSET 1");
    store_execute("DROP TABLE IF EXISTS t; CREATE TABLE t AS SELECT * FROM policy");
    store_execute(arena_printf(&the.a, "%s%s", row->change, strstr(row->change, "SELECT 1") != NULL ? "" : arena_printf(&the.a, "%d", (int)version)));
    got = data("contoso-aad", "POST", arena_printf(&the.a, "/policies/SgxEnclave:rollback?version=%d", (int)version), NONE);
    if (row->part != NULL)
        store_execute("DELETE FROM policy; INSERT INTO policy SELECT * FROM t; DROP TABLE t");
    expect_status(&got, row->status);
    if (row->part != NULL && strstr(answer_message(&the, &got), row->part) == NULL)
        fail_msg("'%s' does not say '%s'", answer_message(&the, &got), row->part);
    got = attest_contoso();
    expect_status(&got, row->part == NULL ? 200 : 400);
    got = data("contoso-aad", "PUT", "/policies/SgxEnclave", envelope(PERMIT));
    expect_status(&got, 200);
}

/* -- audit records are not kept for ever: by the service's own clock -- */

static const struct keeping {
    const char *name, *keep, *later;
    bool gone;
} keepings[] = {
    { "ninety days by default, after 89", "", "2022-03-31T00:00:00Z", false },
    { "ninety days by default, after 91", "", "2022-04-02T00:00:00Z", true },
    { "one day", "[audit]\nkeep = 1\n", "2022-01-03T00:00:00Z", true },
    { "for ever", "[audit]\nkeep = 0\n", "2032-01-01T00:00:00Z", false },
};

static void audit_kept(void **state)
{
    const struct keeping *row = *state;
    struct service s, *before = the_service;
    struct arena a;
    struct answer got;

    arena_init(&a, 1 << 20);
    service_start(&s, "workers = 1\n[dev]\nclock = 2022-01-01T00:00:00Z\n", dev);
    the_service = &s;
    got = arm("PUT", "/kept", "{\"location\":\"East US\",\"properties\":{}}");
    expect_status(&got, 201);
    store_execute("INSERT INTO audit(at, provider, record) WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i<1200)"
                  " SELECT (SELECT at FROM audit ORDER BY id LIMIT 1), 'kept', CAST('{}' AS BLOB) FROM c");
    service_restart(&s, arena_printf(&a, "workers = 1\n%s[dev]\nclock = %s\n", row->keep, row->later), dev);
    for (int i = 0; i < 8; i++) { /* between requests there is a step, of 500 records at most */
        got = data("kept", "GET", "/policies/SgxEnclave", NONE);
        expect_status(&got, 200);
    }
    assert_int_equal(store_number("SELECT count(*) FROM audit WHERE record=CAST('{}' AS BLOB)"), row->gone ? 0 : 1200);
    assert_true(store_number("SELECT count(*) FROM audit") >= 8); /* those of today stay */
    store_execute("INSERT INTO audit(at, provider, record) VALUES(0, 'kept', CAST('{}' AS BLOB))");
    got = data("kept", "GET", "/policies/SgxEnclave", NONE);
    expect_status(&got, 200);
    assert_int_equal(store_number("SELECT count(*) FROM audit WHERE at=0"), 1); /* the next look is an hour away */
    assert_int_equal(service_stop(&s), 0);
    the_service = before;
    arena_done(&a);
}

/* Every acknowledged write survives kill -9 of all processes. */
static void survives_kill(void **state)
{
    struct answer got = data("contoso-aad", "PUT", "/policies/OpenEnclave", envelope(PERMIT));
    int status;

    (void)state;
    expect_status(&got, 200);
    (void)kill(the.pid, SIGKILL);
    while (waitpid(the.pid, &status, 0) < 0 && errno == EINTR)
        ;
    service_start_again(&the);
    got = data("contoso-aad", "GET", "/policies/OpenEnclave", NONE);
    assert_bytes_equal(text_of(claims_of(&got), "x-ms-policy"), envelope(PERMIT));
}

/* A name whose URL is that of the shared provider would never be reached: its owner would get the shared one's tokens. */
static void name_of_the_shared(void **state)
{
    static const char *const names[] = { "shared", "Shared" };
    struct service s;

    (void)state;
    service_start(&s, "base_url = https://shared.localhost:8443\nworkers = 1\n", dev);
    for (size_t i = 0; i < COUNT(names); i++) {
        struct answer got = service_call(&s, "PUT", arena_printf(&s.a, ARM "/%s?api-version=2021-06-01", names[i]), as_owner,
                                         LIT("{\"location\":\"East US\",\"properties\":{}}"));

        expect_status(&got, 409);
    }
    assert_int_equal(service_stop(&s), 0);
}

static void rate_limit(void **state)
{
    struct service s;
    long last = 0;

    (void)state;
    service_start(&s, "workers = 1\n[limits]\nrate = 5\n", dev);
    for (int i = 0; i < 50 && last != 429; i++) {
        struct answer got = service_call(&s, "GET", "/.well-known/openid-configuration", NULL, NONE);

        last = got.status;
        if (last == 429)
            assert_string_equal(answer_header(&s, &got, "Retry-After"), "1");
    }
    assert_int_equal(last, 429);
    assert_int_equal(service_stop(&s), 0);
}

/* A provider has one bucket, however its host is written. */
static void provider_rate_limit(void **state)
{
    static const char name[] = "localhost";
    struct service s;
    long last = 0;

    (void)state;
    service_start(&s, "workers = 1\n[limits]\ntenant_rate = 5\n", dev);
    for (unsigned i = 0; i < 50 && last != 429; i++) {
        char host[sizeof("Host: ") + sizeof(name)] = "Host: localhost";
        const char *const headers[] = { host, NULL };
        struct answer got;

        for (unsigned k = 0; k < sizeof(name) - 1; k++)
            if ((i >> k & 1) != 0)
                host[6 + k] = (char)(host[6 + k] - 'a' + 'A');
        got = service_call(&s, "GET", "/.well-known/openid-configuration", headers, NONE);
        last = got.status;
        if (last == 429)
            assert_non_null(strstr(answer_message(&s, &got), "provider"));
        else
            assert_int_equal(last, 200);
    }
    assert_int_equal(last, 429);
    assert_int_equal(service_stop(&s), 0);
}

/* Wherever it lies: a front opens it before its walls. */
static void audit_file(void **state)
{
    char path[] = "/tmp/avouch-audit-XXXXXX";
    int fd = mkstemp(path);
    struct service s;
    struct answer got;
    struct bytes text;

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    service_start(&s, arena_printf(&the.a, "workers = 1\n[audit]\nfile = %s\n", path), dev);
    got = service_call(&s, "GET", "/policies/SgxEnclave?api-version=2020-10-01", NULL, NONE);
    expect_status(&got, 401);
    assert_int_equal(service_stop(&s), 0);
    text = test_read(&the.a, path);
    (void)unlink(path);
    assert_true(bytes_contain(text, LIT("GetPolicy")));
}

static void stop(void **state)
{
    (void)state;
    assert_int_equal(service_stop(&the), 0);
}

/* An AAD provider, and an isolated one with the signers of the recording. */
static void create_providers(void)
{
    const struct json *signers = json_member(recorded_claims(recording("certificates-get-isolated")), "x-ms-policy-certificates");
    struct out o = out_open(&the.a);
    struct answer got = arm("PUT", "/contoso-aad", "{\"location\":\"East US\",\"properties\":{}}");

    expect_status(&got, 201);
    out_text(&o, "{\"location\":\"East US\",\"properties\":{\"policySigningCertificates\":");
    json_print(&o, signers, false);
    out_text(&o, "}}");
    got = arm("PUT", "/contoso-iso", (const char *)out_view(&o).p);
    expect_status(&got, 201);
    assert_text(text_of(json_member(got.json, "properties"), "trustModel"), "Isolated");
}

static void setup_providers(void **state)
{
    (void)state;
    create_providers();
}

/* The rest is attested with collateral of May. */
static void next_service(void **state)
{
    (void)state;
    assert_int_equal(service_stop(&november), 0);
    the_service = &may_2022;
    create_providers();
}

int main(void)
{
    struct suite s = { 0 };
    struct arena a;

    if (test_vectors() == NULL) {
        suite_add_skipped(&s, "REST recordings are missing");
        return suite_run("tenants", &s);
    }
    arena_init(&a, 1 << 20);
    service_start(&november, config_text(&a, "2022-11-17T01:45:00Z"), dev);
    service_start(&may_2022, config_text(&a, "2022-05-11T23:03:47Z"), dev);
    arena_done(&a);
    the_service = &november; /* when the recordings were made */
    suite_add(&s, "providers are created", setup_providers, NULL);
    for (size_t i = 0; i < COUNT(steps); i++)
        suite_add(&s, steps[i].recording, replay, (void *)(uintptr_t)&steps[i]);
    suite_add(&s, "unsigned policy: set, read, reset, read as recorded", replay_changes, (void *)(uintptr_t)"unsigned");
    suite_add(&s, "signed policy: set, read, reset, read as recorded", replay_changes, (void *)(uintptr_t)"signed");
    suite_add(&s, "the service of the recordings stops", next_service, NULL);
    suite_add(&s, "create, change, list, delete", create_and_list, NULL);
    for (size_t i = 0; i < COUNT(bad_names); i++)
        suite_add(&s, arena_printf(&the.a, "name '%s'", bad_names[i].name), bad_name, (void *)(uintptr_t)&bad_names[i]);
    for (size_t i = 0; i < COUNT(signer_forms); i++)
        suite_add(&s, arena_printf(&the.a, "signers: %s", signer_forms[i].name), signer_form, (void *)(uintptr_t)&signer_forms[i]);
    for (size_t i = 0; i < COUNT(calls); i++)
        suite_add(&s, arena_printf(&the.a, "%s %s%s by every role", calls[i].method, calls[i].host, calls[i].path), call_by_all, (void *)(uintptr_t)&calls[i]);
    for (size_t i = 0; i < COUNT(bad_tokens); i++)
        suite_add(&s, arena_printf(&the.a, "token: %s", bad_tokens[i].name), bad_token, (void *)(uintptr_t)&bad_tokens[i]);
    suite_add(&s, "scope of a path that other rows begin to match", scope_of_other_rows, NULL);
    suite_add(&s, "an attestation token is no ticket", attestation_token_is_no_ticket, NULL);
    for (size_t i = 0; i < COUNT(bad_policies); i++)
        suite_add(&s, arena_printf(&the.a, "policy: %s", bad_policies[i].name), bad_policy, (void *)(uintptr_t)&bad_policies[i]);
    suite_add(&s, "set, attest, be refused, roll back, attest", walk, NULL);
    for (size_t i = 0; i < COUNT(networks); i++)
        suite_add(&s, arena_printf(&the.a, "publicNetworkAccess: %s", networks[i].name), public_access, (void *)(uintptr_t)&networks[i]);
    suite_add(&s, "long headers of nobody", long_headers, NULL);
    suite_add(&s, "TCB baselines", tcb_baselines, NULL);
    suite_add(&s, "requests that are too large", large_requests, NULL);
    suite_add(&s, "large policies are not kept", kept_policies, NULL);
    suite_add(&s, "draft policy that uses up the memory", greedy_draft, NULL);
    for (size_t i = 0; i < COUNT(tamperings); i++)
        suite_add(&s, arena_printf(&the.a, "store: %s", tamperings[i].name), tampering, (void *)(uintptr_t)&tamperings[i]);
    suite_add(&s, "store goes back in time", store_goes_back, NULL);
    for (size_t i = 0; i < COUNT(planted); i++)
        suite_add(&s, arena_printf(&the.a, "roll back: %s", planted[i].name), roll_back_planted, (void *)(uintptr_t)&planted[i]);
    for (size_t i = 0; i < COUNT(keepings); i++)
        suite_add(&s, arena_printf(&the.a, "audit records are kept %s", keepings[i].name), audit_kept, (void *)(uintptr_t)&keepings[i]);
    suite_add(&s, "acknowledged writes survive kill -9", survives_kill, NULL);
    suite_add(&s, "the shared provider's name", name_of_the_shared, NULL);
    suite_add(&s, "too many requests", rate_limit, NULL);
    suite_add(&s, "too many requests to a provider", provider_rate_limit, NULL);
    suite_add(&s, "audit file", audit_file, NULL);
    suite_add(&s, "stops cleanly", stop, NULL);
    return suite_run("tenants", &s);
}
