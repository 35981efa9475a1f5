/* attest_test.c: the attestation calls over HTTPS: recorded exchanges replayed, wrong requests, walls,
 * restarts, stop. One service for all rows, with the clock of the recordings' collateral. */
#include "service.h"

#include "codec/b64.h"
#include "codec/pem.h"
#include "codec/stamp.h"
#include "crypto/cert.h"
#include "os/channel.h"
#include "os/tls.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct service the;

static const char *config_text(struct arena *a)
{
    return arena_printf(a,
                        "base_url = https://localhost:8443\nworkers = 2\n"
                        "[verify]\naccept = OK,SW_HARDENING_NEEDED,CONFIGURATION_NEEDED,CONFIGURATION_AND_SW_HARDENING_NEEDED,OUT_OF_DATE\n"
                        "[token]\ncompatible = yes\n"
                        "[collateral]\ndirectory = %s/openenclave/collateral\n"
                        "[limits]\nbody = 200000\nheader = 16384\n"
                        "[dev]\nclock = 2022-05-11T23:03:47Z\nprobe = yes\n",
                        test_vectors());
}

/* -- recorded exchanges -- */

static const char *const recordings[] = {
    "attest-oe-draft-deny", "attest-oe-draft-permit", "attest-oe-runtime-binary-aad", "attest-oe-runtime-json-aad",
    "attest-oe-simple-aad", "attest-sgx-draft-deny", "attest-sgx-draft-permit", "attest-sgx-runtime-binary-aad",
    "attest-sgx-runtime-json-aad", "attest-sgx-simple-aad",
};

static struct bytes body_of(const struct json *side)
{
    const struct json *body = json_member(side, "body");
    struct out o = out_open(&the.a);

    if (json_is(body, JSON_STRING))
        return body->text;
    json_print(&o, body, false);
    return out_view(&o);
}

static bool differs_by_nature(struct bytes name)
{
    static const char *const names[] = { "iss", "jti", "iat", "nbf", "exp", "x-ms-sgx-collateral", "maa-attestationcollateral", "x-ms-policy-hash" };

    for (size_t i = 0; i < COUNT(names); i++)
        if (bytes_is(name, names[i]))
            return true;
    return false;
}

static struct bytes compact(const struct json *j)
{
    struct out o = out_open(&the.a);

    json_print(&o, j, true);
    return out_view(&o);
}

static void same_claims(const struct json *want, const struct json *got)
{
    for (const struct json *m = want->child; m != NULL; m = m->next) {
        const struct json *n = json_member_bytes(got, m->name);

        if (n == NULL)
            fail_msg("claim %.*s is missing", (int)m->name.n, (const char *)m->name.p);
        if (!differs_by_nature(m->name) && !bytes_equal(compact(m), compact(n)))
            fail_msg("claim %.*s is %s, recorded %s", (int)m->name.n, (const char *)m->name.p, (const char *)compact(n).p,
                     (const char *)compact(m).p);
    }
    for (const struct json *m = got->child; m != NULL; m = m->next)
        if (json_member_bytes(want, m->name) == NULL && !bytes_is(m->name, "x-avouch-dev") && !bytes_is(m->name, "x-ms-sgx-report-data"))
            fail_msg("claim %.*s was not recorded", (int)m->name.n, (const char *)m->name.p);
}

static int64_t number_of(const struct json *claims, const char *name)
{
    int64_t v = -1;

    assert_true(json_int(json_member(claims, name), &v));
    return v;
}

static void same_token(const struct json *recorded, const struct answer *got)
{
    struct bytes want, have;
    const struct json *want_claims, *have_claims, *want_header, *have_header;

    assert_true(json_string(json_member(recorded, "token"), &want));
    assert_true(json_string(json_member(got->json, "token"), &have));
    want_header = token_part(&the.a, want, 0);
    have_header = token_part(&the.a, have, 0);
    assert_int_equal(want_header->count, have_header->count);
    for (const struct json *w = want_header->child, *h = have_header->child; w != NULL; w = w->next, h = h->next)
        assert_bytes_equal(w->name, h->name); /* same members in the same order */
    assert_bytes_equal(json_member(want_header, "alg")->text, json_member(have_header, "alg")->text);
    want_claims = token_part(&the.a, want, 1);
    have_claims = token_part(&the.a, have, 1);
    same_claims(want_claims, have_claims);
    assert_int_equal(number_of(have_claims, "exp") - number_of(have_claims, "iat"), 28800);
    assert_int_equal(number_of(have_claims, "nbf"), number_of(have_claims, "iat"));
    assert_bytes_equal(json_member(json_member(want_claims, "x-ms-sgx-collateral"), "quotehash")->text,
                       json_member(json_member(have_claims, "x-ms-sgx-collateral"), "quotehash")->text);
    for (const struct json *m = have_claims->child; m != NULL && m->next != NULL; m = m->next)
        assert_true(bytes_compare(m->name, m->next->name) < 0);
}

static void replay(void **state)
{
    const struct json *doc, *request, *response;
    struct err e = { 0 };
    struct answer got;
    struct bytes method, path, recorded;
    int64_t status;
    const struct json *body;

    assert_ok(json_parse(test_vector(&the.a, arena_printf(&the.a, "rest/recordings/%s.json", (const char *)*state)), 64, "recording", &the.a,
                         &doc, &e), &e);
    request = json_member(doc, "request");
    response = json_member(doc, "response");
    method = json_member(request, "method")->text;
    path = json_member(request, "path")->text;
    got = service_call(&the, arena_str(&the.a, method), arena_str(&the.a, path), (const char *const[]){ "Content-Type: application/json", NULL },
                       body_of(request));
    assert_true(json_int(json_member(response, "status"), &status));
    if (got.status != status)
        fail_msg("HTTP %ld: %s", got.status, (const char *)got.body.p);
    recorded = body_of(response);
    assert_ok(json_parse(recorded, 64, "recorded body", &the.a, &body, &e), &e);
    if (status == 200) {
        same_token(body, &got);
        return;
    }
    assert_bytes_equal(json_member(json_member(body, "error"), "code")->text, bytes_str(answer_code(&the, &got)));
    assert_non_null(strstr(answer_message(&the, &got), "authorization failed."));
    assert_non_null(json_member(json_member(json_member(got.json, "error"), "innererror"), "message"));
}

static void metadata(void **state)
{
    const struct json *doc, *recorded;
    struct err e = { 0 };
    struct answer got = service_call(&the, "GET", "/.well-known/openid-configuration", NULL, (struct bytes){ NULL, 0 });

    (void)state;
    assert_ok(json_parse(test_vector(&the.a, "rest/recordings/openid-configuration-aad.json"), 64, "recording", &the.a, &doc, &e), &e);
    assert_ok(json_parse(body_of(json_member(doc, "response")), 64, "recorded body", &the.a, &recorded, &e), &e);
    assert_int_equal(got.status, 200);
    for (const struct json *w = recorded->child, *h = got.json->child; w != NULL; w = w->next, h = h->next) {
        assert_non_null(h);
        assert_bytes_equal(w->name, h->name);
        if (w->type == JSON_ARRAY)
            assert_bytes_equal(compact(w), compact(h));
    }
    assert_text(json_member(got.json, "issuer")->text, "https://localhost:8443");
    assert_text(json_member(got.json, "jwks_uri")->text, "https://localhost:8443/certs");
}

/* The first key is the token key: RSA, with the recorded binding of kid and certificate. */
static void certs(void **state)
{
    struct answer got = service_call(&the, "GET", "/certs", NULL, (struct bytes){ NULL, 0 });
    const struct json *keys, *first;
    struct bytes der;
    struct err e = { 0 };
    struct cert c;
    struct out pem = out_open(&the.a);
    struct digest d;
    struct key *k = NULL;

    (void)state;
    assert_int_equal(got.status, 200);
    keys = json_member(got.json, "keys");
    assert_int_equal(keys->count, 3);
    first = keys->child;
    assert_text(json_member(first, "kty")->text, "RSA");
    assert_ok(b64_decode(json_member(first, "x5c")->child->text, B64_STD_STRICT, "x5c", &the.a, &der, &e), &e);
    assert_ok(cert_parse(der, "certificate", &c, &e), &e);
    assert_text(c.subject_cn, "https://localhost:8443");
    assert_bytes_equal(c.issuer, c.subject);
    assert_string_equal(stamp_text(c.not_before).s, "2019-05-01T00:00:00Z");
    assert_string_equal(stamp_text(c.not_after).s, "2050-12-31T23:59:59Z");
    assert_bytes_equal(c.skid, c.akid);
    assert_ok(key_from_spki(c.spki, "key", &k, &e), &e);
    assert_true(cert_signed_by(&c, k));
    key_free(k);
    pem_print(&pem, "PUBLIC KEY", c.spki);
    out_u8(&pem, 0);
    d = sha256(out_view(&pem));
    assert_bytes_equal(json_member(first, "kid")->text, b64std_encode(&the.a, digest_bytes(&d)));
}

static void request_ids(void **state)
{
    const char *const traced[] = { "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", NULL };
    struct answer got = service_call(&the, "GET", "/.well-known/openid-configuration", traced, (struct bytes){ NULL, 0 });

    (void)state;
    assert_string_equal(answer_header(&the, &got, "x-ms-request-id"), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00");
    assert_string_equal(answer_header(&the, &got, "Content-Type"), "application/json; charset=utf-8");
    got = service_call(&the, "GET", "/certs", NULL, (struct bytes){ NULL, 0 });
    assert_int_equal(strlen(answer_header(&the, &got, "x-ms-request-id")), 55);
}

/* -- wrong requests -- */

static const struct wrong {
    const char *name, *method, *path, *body;
    long status;
    const char *code, *part;
} wrongs[] = {
    { "unknown path", "GET", "/nothing", NULL, 404, "NotFound", "'/nothing' is not known" },
    { "revocation endpoint", "POST", "/revoke", "", 404, "NotFound", NULL },
    { "wrong method", "GET", "/attest/SgxEnclave?api-version=2020-10-01", NULL, 405, "MethodNotAllowed", "POST is" },
    { "no api-version", "POST", "/attest/SgxEnclave", "{}", 400, "InvalidParameter", "api-version: is missing" },
    { "unknown api-version", "POST", "/attest/SgxEnclave?api-version=1999", "{}", 400, "InvalidParameter", "'1999' is not known" },
    { "unknown type", "POST", "/attest/Nitro?api-version=2020-10-01", "{}", 400, "InvalidParameter", "'Nitro' is not known" },
    { "no JSON", "POST", "/attest/SgxEnclave?api-version=2020-10-01", "quote", 400, "InvalidParameter", "JSON at offset 0" },
    { "empty body", "POST", "/attest/SgxEnclave?api-version=2020-10-01", "", 400, "InvalidParameter", "JSON ends at offset 0" },
    { "array", "POST", "/attest/SgxEnclave?api-version=2020-10-01", "[]", 400, "InvalidParameter", "is of type array" },
    { "no evidence", "POST", "/attest/SgxEnclave?api-version=2020-10-01", "{}", 400, "InvalidParameter", "member 'quote' is missing" },
    { "duplicate member", "POST", "/attest/SgxEnclave?api-version=2020-10-01", "{\"quote\":\"\",\"quote\":\"\"}", 400, "InvalidParameter", "stands twice" },
    { "bad base64", "POST", "/attest/SgxEnclave?api-version=2020-10-01", "{\"quote\":\"A*AA\"}", 400, "InvalidParameter", "Unknown base64 character" },
    { "number as evidence", "POST", "/attest/SgxEnclave?api-version=2020-10-01", "{\"quote\":7}", 400, "InvalidParameter", "is of type number" },
    { "cut quote", "POST", "/attest/SgxEnclave?api-version=2020-10-01", "{\"quote\":\"AwACAA\"}", 400, "InvalidParameter", "SGX quote: 'TEE type' at offset 4" },
    { "bad dataType", "POST", "/attest/SgxEnclave?api-version=2020-10-01", "{\"quote\":\"AAAA\",\"runtimeData\":{\"data\":\"AA\",\"dataType\":\"XML\"}}", 400, "InvalidParameter", "dataType is 'XML'" },
    { "local report", "POST", "/attest/OpenEnclave?api-version=2020-10-01", "{\"report\":\"AQAAAAEAAAAAAAAAAAAAAA\"}", 400, "InvalidParameter", "report type is 1" },
};

static void wrong_request(void **state)
{
    const struct wrong *w = *state;
    struct answer got = service_call(&the, w->method, w->path, NULL, w->body == NULL ? (struct bytes){ NULL, 0 } : bytes_str(w->body));

    if (got.status != w->status)
        fail_msg("HTTP %ld: %s", got.status, (const char *)got.body.p);
    assert_string_equal(answer_code(&the, &got), w->code);
    if (w->part != NULL && strstr(answer_message(&the, &got), w->part) == NULL)
        fail_msg("message '%s' does not contain '%s'", answer_message(&the, &got), w->part);
    assert_string_equal(answer_header(&the, &got, "x-ms-error-code"), w->code);
    if (w->status == 405)
        assert_string_equal(answer_header(&the, &got, "Allow"), "POST");
}

static void too_large(void **state)
{
    struct out o = out_open(&the.a), h = out_open(&the.a);
    const char *headers[] = { "Expect:", NULL, NULL };
    struct answer got;

    (void)state;
    for (int i = 0; i < 210000; i++)
        out_char(&o, 'x');
    got = service_call(&the, "POST", "/attest/SgxEnclave?api-version=2020-10-01", headers, out_view(&o));
    assert_int_equal(got.status, 413);
    assert_string_equal(answer_code(&the, &got), "RequestEntityTooLarge");
    headers[1] = "Transfer-Encoding: chunked";
    got = service_call(&the, "POST", "/attest/SgxEnclave?api-version=2020-10-01", headers, out_view(&o));
    assert_int_equal(got.status, 413);
    out_text(&h, "X-Long: ");
    for (int i = 0; i < 20000; i++)
        out_char(&h, 'y');
    headers[0] = (const char *)out_view(&h).p;
    headers[1] = NULL;
    got = service_call(&the, "GET", "/certs", headers, (struct bytes){ NULL, 0 });
    assert_int_equal(got.status, 431);
}

/* The same request in the shapes that clients in the field use. */
static void tolerances(void **state)
{
    static const char *const shapes[][3] = {
        { "Content-Type: text/plain", NULL }, { "Content-Type:", NULL }, { "Transfer-Encoding: chunked", "Expect: 100-continue", NULL }, { "Expect: 100-continue", NULL },
    };
    static const char *const paths[] = { "/attest/sgxenclave?api-version=2020-10-01", "/ATTEST/SgxEnclave/?api-version=2022-08-01",
                                         "/attest/SgxEnclave?api-version=2025-06-01" };
    const struct json *doc;
    struct err e = { 0 };
    struct out o = out_open(&the.a);
    struct bytes plain, quote;

    (void)state;
    assert_ok(json_parse(test_vector(&the.a, "rest/recordings/attest-sgx-simple-aad.json"), 64, "recording", &the.a, &doc, &e), &e);
    plain = body_of(json_member(doc, "request"));
    for (size_t i = 0; i < COUNT(shapes); i++)
        assert_int_equal(service_call(&the, "POST", paths[0], shapes[i], plain).status, 200);
    for (size_t i = 0; i < COUNT(paths); i++)
        assert_int_equal(service_call(&the, "POST", paths[i], NULL, plain).status, 200);
    quote = b64std_encode(&the.a, test_vector(&the.a, "rest/evidence/sdk-SgxEnclave.bin")); /* the other alphabet, padded */
    out_text(&o, "\xef\xbb\xbf{\"Quote\":");
    json_print_string(&o, quote);
    out_text(&o, ",\"initTimeData\":{\"data\":\"\",\"dataType\":\"\"},\"runtimeData\":null,\"nonce\":18446744073709551615,\"unknown\":[1]}");
    {
        struct answer got = service_call(&the, "POST", paths[0], NULL, out_view(&o));
        struct bytes token;

        assert_int_equal(got.status, 200);
        assert_true(json_string(json_member(got.json, "token"), &token));
        assert_text(json_member(token_part(&the.a, token, 1), "nonce")->text, "18446744073709551615");
    }
}

static void not_bound(void **state)
{
    struct out o = out_open(&the.a);
    struct answer got;

    (void)state;
    out_text(&o, "{\"quote\":\"");
    b64url_print(&o, test_vector(&the.a, "rest/evidence/sdk-SgxEnclave.bin"));
    out_text(&o, "\",\"runtimeData\":{\"data\":\"AAAA\",\"dataType\":\"Binary\"}}");
    got = service_call(&the, "POST", "/attest/SgxEnclave?api-version=2020-10-01", NULL, out_view(&o));
    assert_int_equal(got.status, 400);
    assert_string_equal(answer_code(&the, &got), "InvalidParameter");
    assert_non_null(strstr(answer_message(&the, &got), "runtimeData is bound: expected 709e80c8"));
}

/* A platform for which there is no collateral: cannot decide, never refused. */
static void undecided(void **state)
{
    struct out o = out_open(&the.a);
    struct answer got;

    (void)state;
    out_text(&o, "{\"quote\":\"");
    b64url_print(&o, test_vector(&the.a, "sgx/quotes/fortanix_2020.bin"));
    out_text(&o, "\"}");
    got = service_call(&the, "POST", "/attest/SgxEnclave?api-version=2020-10-01", NULL, out_view(&o));
    assert_int_equal(got.status, 503);
    assert_string_equal(answer_code(&the, &got), "ServiceUnavailable");
    assert_non_null(strstr(answer_message(&the, &got), "no TCB info on hand for FMSPC 00906ea10000"));
    assert_non_null(answer_header(&the, &got, "Retry-After"));
}

static void draft_with_syntax_error(void **state)
{
    struct out o = out_open(&the.a);
    struct answer got;

    (void)state;
    out_text(&o, "{\"quote\":\"");
    b64url_print(&o, test_vector(&the.a, "rest/evidence/sdk-SgxEnclave.bin"));
    out_text(&o, "\",\"draftPolicyForAttestation\":\"version= 1.0; authorizationrules{ => permit() };\"}");
    got = service_call(&the, "POST", "/attest/SgxEnclave?api-version=2020-10-01", NULL, out_view(&o));
    assert_int_equal(got.status, 400);
    assert_string_equal(answer_code(&the, &got), "PolicyParsingError");
    assert_non_null(strstr(answer_message(&the, &got), "Line: '1', Column: '47'"));
}

/* -- walls -- */

/* Speaks to a core worker as a front does and asks it to break out. true: the connection ended without an answer. */
static bool probe_kills(const char *what)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    struct arena a;
    struct out frame;
    struct channel c;
    struct wire_header h;
    struct bytes payload;
    bool answered = false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    arena_init(&a, 1 << 20);
    snprintf(at.sun_path, sizeof(at.sun_path), "%s/state/run/core-0.sock", the.state);
    if (connect(fd, (const struct sockaddr *)&at, sizeof(at)) != 0)
        fail_msg("connect: %s", strerror(errno));
    c = channel_open(fd);
    frame = wire_begin(&a, MSG_PROBE, 7);
    wire_put(&frame, TAG_PROBE, bytes_str(what));
    assert_true(channel_send(&c, wire_end(&frame)));
    for (;;) {
        struct pollfd p = { .fd = c.fd, .events = POLLIN };

        if (poll(&p, 1, -1) < 0 && errno == EINTR)
            continue;
        if (!channel_fill(&c))
            break;
        if (channel_next(&c, &h, &payload)) {
            answered = true;
            break;
        }
    }
    channel_close(&c);
    arena_done(&a);
    return !answered;
}

static void core_dies(void **state)
{
    if (!probe_kills(*state))
        fail_msg("the core survived %s", (const char *)*state);
    /* the others go on, and the dead one is replaced */
    assert_int_equal(service_call(&the, "GET", "/servicehealth", NULL, (struct bytes){ NULL, 0 }).status, 204);
}

/* Whether the core answers a ping of this user, by the credentials with which the connection is made. */
static bool core_answers(uid_t user)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    struct arena a;
    struct out frame;
    uint8_t byte;
    ssize_t n;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

    arena_init(&a, 1 << 20);
    snprintf(at.sun_path, sizeof(at.sun_path), "%s/state/run/core-0.sock", the.state);
    assert_int_equal(seteuid(user), 0);
    rc = connect(fd, (const struct sockaddr *)&at, sizeof(at));
    assert_int_equal(seteuid(getuid()), 0);
    if (rc != 0)
        fail_msg("connect: %s", strerror(errno));
    frame = wire_begin(&a, MSG_PING, 7);
    (void)!send(fd, wire_end(&frame).p, WIRE_HEADER_SIZE, MSG_NOSIGNAL);
    do
        n = recv(fd, &byte, 1, 0);
    while (n < 0 && errno == EINTR);
    close(fd);
    arena_done(&a);
    return n == 1;
}

/* Modes of folder and socket that let others in by mistake do not: needs root, who alone can be two users. */
static void core_refuses_others(void **state)
{
    const char *const paths[] = { the.state, arena_printf(&the.a, "%s/state", the.state), arena_printf(&the.a, "%s/state/run", the.state),
                                  arena_printf(&the.a, "%s/state/run/core-0.sock", the.state) };

    (void)state;
    if (getuid() != 0)
        skip();
    for (size_t i = 0; i < COUNT(paths); i++)
        assert_int_equal(chmod(paths[i], 0777), 0);
    assert_true(core_answers(0));
    assert_false(core_answers(65534));
    assert_false(core_answers(12345));
    assert_true(core_answers(0));
    for (size_t i = 0; i < COUNT(paths); i++)
        assert_int_equal(chmod(paths[i], i + 1 == COUNT(paths) ? 0600 : 0700), 0);
}

/* A peer that speaks nonsense loses its connection; the worker goes on. */
static void core_refuses_nonsense(void **state)
{
    static const uint8_t frames[][20] = {
        { 0xff, 0xff, 0xff, 0xff, 2, 0 }, { 4, 0, 0, 0, 99, 0 }, { 4, 0, 0, 0, 2, 0, 1, 0 }, { 4, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 9, 9, 9 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(frames); i++) {
        struct sockaddr_un at = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        char byte;

        snprintf(at.sun_path, sizeof(at.sun_path), "%s/state/run/core-1.sock", the.state);
        assert_int_equal(connect(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
        assert_int_equal(write(fd, frames[i], sizeof(frames[i])), sizeof(frames[i]));
        assert_int_equal(read(fd, &byte, 1), 0); /* closed without a word */
        close(fd);
    }
    assert_int_equal(service_call(&the, "GET", "/servicehealth", NULL, (struct bytes){ NULL, 0 }).status, 204);
}

/* The files are replaced while the service runs: new connections see the new certificate, and only after the
 * signal. The signal has no answer, so that the loop ends when the certificate is there. */
static void reload(void **state)
{
    struct err e = { .code = ERR_NONE };
    const char *key = arena_printf(&the.a, "%s/state/tls/key.pem", the.state);

    (void)state;
    assert_int_equal(unlink(the.ca), 0);
    assert_int_equal(unlink(key), 0);
    assert_true(tls_make_development(the.ca, key, &e));
    assert_false(service_shows_certificate(&the));
    assert_int_equal(kill(the.pid, SIGHUP), 0);
    while (!service_shows_certificate(&the))
        ;
}

/* A worker that does not answer looks like the one with the least to do: a request of each front finds out, no more. When it
 * answers again it is given requests again. */
static void worker_that_hangs(void **state)
{
    static const char *const dev[] = { "--dev", NULL };
    const struct bytes none = { NULL, 0 };
    struct service own;
    pid_t workers[4];
    size_t count;

    (void)state;
    service_start(&own, "base_url = https://localhost:8443\nworkers = 2\n[limits]\ncore_wait = 1\n", dev);
    count = process_children(service_child(&own, "avouch-core"), workers, COUNT(workers));
    assert_int_equal(count, 2);
    for (int k = 0; k < 40; k++) /* connections spread by chance: by now each front has begun to serve */
        assert_int_equal(service_call(&own, "GET", "/certs", NULL, none).status, 200);
    for (size_t i = 0; i < count; i++) {
        unsigned refused = 0;

        assert_int_equal(kill(workers[i], SIGSTOP), 0);
        for (int k = 0; k < 12; k++)
            refused += service_call(&own, "GET", "/certs", NULL, none).status == 503;
        assert_true(refused <= 2);
        assert_int_equal(kill(workers[i], SIGCONT), 0);
        while (service_call(&own, "GET", "/certs", NULL, none).status != 200)
            ;
    }
    assert_int_equal(service_stop(&own), 0);
}

static void stops_cleanly(void **state)
{
    (void)state;
    assert_int_equal(service_stop(&the), 0);
}

int main(void)
{
    static const char *const probes[] = { "open", "socket", "execve", "ptrace" };
    static const char *const dev[] = { "--dev", NULL };
    struct suite s = { 0 };
    struct arena a;

    if (test_vectors() == NULL) {
        suite_add_skipped(&s, "REST recordings are missing");
        return suite_run("attest", &s);
    }
    arena_init(&a, 1 << 20);
    service_start(&the, config_text(&a), dev);
    arena_done(&a);
    for (size_t i = 0; i < COUNT(recordings); i++)
        suite_add(&s, recordings[i], replay, (void *)(uintptr_t)recordings[i]);
    suite_add(&s, "metadata as recorded", metadata, NULL);
    suite_add(&s, "signing certificate as recorded", certs, NULL);
    suite_add(&s, "request ids", request_ids, NULL);
    for (size_t i = 0; i < COUNT(wrongs); i++)
        suite_add(&s, wrongs[i].name, wrong_request, (void *)(uintptr_t)&wrongs[i]);
    suite_add(&s, "limits", too_large, NULL);
    suite_add(&s, "shapes of clients in the field", tolerances, NULL);
    suite_add(&s, "runtime data that is not bound", not_bound, NULL);
    suite_add(&s, "missing collateral", undecided, NULL);
    suite_add(&s, "draft policy with a syntax error", draft_with_syntax_error, NULL);
    for (size_t i = 0; i < COUNT(probes); i++)
        suite_add(&s, arena_printf(&the.a, "core dies of %s", probes[i]), core_dies, (void *)(uintptr_t)probes[i]);
    suite_add(&s, "the core answers nobody else", core_refuses_others, NULL);
    suite_add(&s, "core refuses nonsense", core_refuses_nonsense, NULL);
    suite_add(&s, "a worker that hangs", worker_that_hangs, NULL);
    suite_add(&s, "reload", reload, NULL);
    suite_add(&s, "stops cleanly", stops_cleanly, NULL);
    return suite_run("attest", &s);
}
