/* tpm_test.c: /attest/Tpm over HTTPS by a software TPM that is started here: what a machine gets that tells the
 * truth, and what those get that do not. */
#include "machine.h"
#include "tpm_client.h"

#include "codec/b64.h"
#include "codec/hex.h"
#include "codec/stamp.h"
#include "crypto/cert.h"
#include "evidence/tpm/tpm.h"
#include "jose/jws.h"

#include <stdio.h>
#include <time.h>

#define LOG "tpm/qemu/shim-grub-sb/binary_bios_measurements"

/* The first needs a bearer and shows the certificate; the second asks nobody and shows its thumbprint. */
#define WITH_BEARER "contoso-tpm"
#define OPEN "contoso-open"
#define NO_POLICY "contoso-none"

#define CONFIGURATION "version=1.2;\nconfigurationrules{\n=> issueproperty(type=\"required_pcr_mask\", value=255);\n" \
                      "=> issueproperty(type=\"require_valid_aik_cert\", value=false);\n};\n" \
                      "authorizationrules{ => permit(); };\nissuancerules{\n"
#define ISSUES "c:[type==\"secureBootEnabled\"] => issue(claim=c);\nc:[type==\"aikValidated\"] => issue(claim=c);\n" \
               "c:[type==\"events\", issuer==\"AttestationService\"] => issue(type=\"kernel\", value=JmesPath(c.value, " \
               "\"Events[?EventTypeString=='EV_IPL' && PcrIndex==`8`] | length(@)\"));\n" \
               "c:[type==\"site\", issuer==\"CustomClaim\"] => issue(type=\"toldSite\", value=c.value);\n"

static struct machine machine;

static void make_providers(void)
{
    make_provider(WITH_BEARER, "{}",
                  CONFIGURATION ISSUES "=> issueproperty(type=\"report_validity_in_minutes\", value=90);\n};");
    make_provider(OPEN, "{\"tpmAttestationAuthentication\":\"Disabled\"}",
                  CONFIGURATION ISSUES "=> issueproperty(type=\"omit_x5c\", value=true);\n};");
    make_provider(NO_POLICY, "{}", NULL);
}

/* -- requests of this machine -- */

static struct bytes make_request_of(const char *log_path, const struct asked *q)
{
    struct gather g = gather_default();
    struct err e = { .code = ERR_NONE };
    struct gathered have;
    struct bytes jws;

    g.log_path = log_path;
    g.rp_data = LIT("for the relying party");
    g.custom = LIT("[{\"name\":\"site\",\"value\":\"Plant 7\",\"value_type\":\"String\"}]");
    assert_ok(gather_tpm(machine.tpm, &g, q->challenge, &the.a, &have, &e), &e);
    assert_ok(request_make(machine.tpm, &g, &have, q->challenge, q->context, &the.a, &jws, &e), &e);
    gathered_done(machine.tpm, &have);
    return jws;
}

static struct bytes make_request(const struct asked *q)
{
    return make_request_of(machine_file(&machine, "log", test_vector(&the.a, LOG)), q);
}

/* -- what a report says -- */

static int64_t number_of(const struct json *j, const char *name)
{
    int64_t v = 0;

    if (!json_int(json_member(j, name), &v))
        fail_msg("%s is no number", name);
    return v;
}

/* The certificate of the provider's key set with the key id of the token. */
static struct bytes certificate_of(const char *tenant, struct bytes kid)
{
    struct answer got = provider_call(tenant, "GET", "/certs", as_nobody, NONE);
    struct err e = { 0 };
    struct bytes der = NONE, text;

    expect_status(&got, 200);
    for (const struct json *k = json_member(got.json, "keys")->child; k != NULL; k = k->next)
        if (bytes_equal(text_of(k, "kid"), kid)) {
            assert_true(json_string(json_member(k, "x5c")->child, &text));
            assert_ok(b64_decode(text, B64_STD_STRICT, "x5c", &the.a, &der, &e), &e);
        }
    assert_non_null(der.p);
    return der;
}

static const struct json *checked_claims(const char *tenant, struct bytes token, const struct json **ret_header)
{
    struct err e = { 0 };
    struct bytes der;
    struct cert cert;
    AUTO_KEY key = NULL;
    struct jws j;

    assert_ok(jws_parse(token, JWS_STRICT, ERR_SIGNATURE, "report", &the.a, &j, &e), &e);
    der = certificate_of(tenant, j.kid);
    assert_ok(cert_parse(der, "x5c", &cert, &e) && key_from_spki(cert.spki, "x5c", &key, &e), &e);
    assert_true(jws_signed_by(&j, key, JWS_STRICT));
    *ret_header = j.header;
    return parsed(j.payload);
}

static void check_times(const struct json *claims, int64_t minutes)
{
    int64_t iat = number_of(claims, "iat");

    assert_int_equal(number_of(claims, "nbf"), iat - 300);
    assert_int_equal(number_of(claims, "exp"), iat + minutes * 60);
    assert_int_equal(text_of(claims, "jti").n, 40);
}

/* cnf is the key that signed the request, and no other. */
static void check_cnf(const struct json *claims, struct bytes jws)
{
    const struct json *want = json_member(json_member(json_member(token_part(&the.a, jws, 1), "att_data"), "request_key"), "jwk");
    const struct json *have = json_member(json_member(claims, "cnf"), "jwk");

    assert_bytes_equal(text_of(have, "n"), text_of(want, "n"));
    assert_bytes_equal(text_of(have, "e"), text_of(want, "e"));
    assert_text(text_of(have, "kty"), "RSA");
}

static void check_issued(const struct json *claims, const char *tenant)
{
    const char *iss = arena_printf(&the.a, "https://%s.localhost:8443", tenant);
    bool secure, validated;

    assert_bytes_equal(text_of(claims, "iss"), bytes_str(iss));
    assert_text(text_of(claims, "x-ms-attestation-type"), "tpm");
    assert_true(json_bool(json_member(claims, "secureBootEnabled"), &secure) && secure);
    assert_true(json_bool(json_member(claims, "aikValidated"), &validated) && !validated);
    assert_text(text_of(claims, "toldSite"), "Plant 7");
    assert_bytes_equal(decoded(claims, "rp_data"), LIT("for the relying party"));
    assert_null(json_member(claims, "events")); /* for policies alone */
}

static void attest(void **state)
{
    const struct asked q = ask(WITH_BEARER, as_owner);
    struct bytes jws = make_request(&q), der = NONE, text;
    struct answer got = send_jws(WITH_BEARER, as_owner, jws);
    struct bytes token = report_of(&got);
    const struct json *header, *claims = checked_claims(WITH_BEARER, token, &header);
    struct err e = { 0 };

    (void)state;
    assert_int_equal(q.challenge.n, TPM_CHALLENGE_SIZE);
    check_times(claims, 90);
    check_cnf(claims, jws);
    check_issued(claims, WITH_BEARER);
    assert_null(json_member(header, "x5t"));
    assert_true(json_string(json_member(header, "x5c")->child, &text));
    assert_ok(b64_decode(text, B64_STD_STRICT, "x5c", &the.a, &der, &e), &e);
    assert_bytes_equal(der, certificate_of(WITH_BEARER, text_of(header, "kid")));
}

static void attest_without_bearer(void **state)
{
    const struct asked q = ask(OPEN, as_nobody);
    struct bytes jws = make_request(&q);
    struct answer got = send_jws(OPEN, as_nobody, jws);
    struct bytes token = report_of(&got);
    const struct json *header, *claims = checked_claims(OPEN, token, &header);
    struct digest d = hash(HASH_SHA1, certificate_of(OPEN, text_of(header, "kid")));

    (void)state;
    check_times(claims, 1440);
    check_cnf(claims, jws);
    check_issued(claims, OPEN);
    assert_null(json_member(header, "x5c"));
    assert_bytes_equal(decoded(header, "x5t"), digest_bytes(&d));
}

static void recorded_first_message(void **state)
{
    const struct json *doc = parsed(test_vector(&the.a, "rest/recordings/attest-tpm-step1-200.json"));
    const struct json *request = json_member(doc, "request"), *want, *have, *context;
    struct out body = out_open(&the.a);
    struct answer got;

    (void)state;
    json_print(&body, json_member(request, "body"), false);
    got = service_call_host(&the, WITH_BEARER ".localhost", "POST", arena_str(&the.a, text_of(request, "path")), as_owner, out_view(&body));
    expect_status(&got, 200);
    assert_int_equal(got.json->count, 1);
    want = payload_of(json_member(json_member(doc, "response"), "body"));
    have = payload_of(got.json);
    assert_int_equal(have->count, want->count);
    for (const struct json *w = want->child, *h = have->child; w != NULL; w = w->next, h = h->next)
        assert_bytes_equal(h->name, w->name);
    assert_int_equal(decoded(have, "challenge").n, decoded(want, "challenge").n);
    want = parsed(decoded(want, "service_context"));
    context = parsed(decoded(have, "service_context"));
    assert_int_equal(context->count, want->count);
    for (const struct json *w = want->child, *h = context->child; w != NULL; w = w->next, h = h->next)
        assert_bytes_equal(h->name, w->name);
    assert_int_equal(text_of(context, "ProtectionKeyName").n, text_of(want, "ProtectionKeyName").n);
}

static void fresh_each_time(void **state)
{
    const struct asked one = ask(WITH_BEARER, as_owner), two = ask(WITH_BEARER, as_owner);

    (void)state;
    assert_false(bytes_equal(one.challenge, two.challenge));
    assert_false(bytes_equal(one.context, two.context));
}

/* -- lies -- */

static void tampered_log(void **state)
{
    const struct asked q = ask(WITH_BEARER, as_owner);
    struct bytes log = test_vector(&the.a, LOG);
    struct tpm_log events = tpm_log_open(&the.a);
    struct out cut = out_open(&the.a);
    struct answer got;

    (void)state;
    assert_true(tpm_log_add(&events, log, "log", NULL));
    out_bytes(&cut, bytes_part(log, 0, events.events[20].offset));
    out_bytes(&cut, bytes_part(log, events.events[21].offset, log.n));
    got = send_jws(WITH_BEARER, as_owner, make_request_of(machine_file(&machine, "cut", out_view(&cut)), &q));
    expect_refused(&got, "InvalidParameter", arena_printf(&the.a, "quoted PCR %u", events.events[20].pcr));
}

/* The same answer once more, and another answer to the same challenge: whichever worker was asked before. */
static void used_challenge(void **state)
{
    const struct asked q = ask(WITH_BEARER, as_owner);
    struct bytes jws = make_request(&q), again = make_request(&q);
    struct answer got = send_jws(WITH_BEARER, as_owner, jws);

    (void)state;
    expect_status(&got, 200);
    for (int i = 0; i < 6; i++) {
        got = send_jws(WITH_BEARER, as_owner, i % 2 == 0 ? jws : again);
        expect_refused(&got, "InvalidParameter", "was answered before");
    }
}

/* What does not verify is no answer: it neither uses a challenge up nor fills the memory of those that were. */
static void forged_answer(void **state)
{
    const struct asked q = ask(WITH_BEARER, as_owner);
    struct bytes jws = make_request(&q);
    char *forged = arena_str(&the.a, jws);
    struct answer got;

    (void)state;
    forged[jws.n - 20] = forged[jws.n - 20] == 'A' ? 'B' : 'A';
    got = send_jws(WITH_BEARER, as_owner, bytes_str(forged));
    expect_refused(&got, "InvalidParameter", "the JWS signature does not verify");
    got = send_jws(WITH_BEARER, as_owner, jws);
    expect_status(&got, 200);
    got = send_jws(WITH_BEARER, as_owner, jws);
    expect_refused(&got, "InvalidParameter", "was answered before");
}

static void answer_to_other_challenge(void **state)
{
    const struct asked one = ask(WITH_BEARER, as_owner), two = ask(WITH_BEARER, as_owner);
    const struct asked mixed = { .challenge = one.challenge, .context = two.context };
    struct answer got = send_jws(WITH_BEARER, as_owner, make_request(&mixed));

    (void)state;
    expect_refused(&got, "InvalidParameter", "challenge: ");
}

static void context_of_other_tenant(void **state)
{
    const struct asked q = ask(OPEN, as_nobody);
    struct answer got = send_jws(WITH_BEARER, as_owner, make_request(&q));

    (void)state;
    expect_refused(&got, "InvalidParameter", "was made for another provider");
}

static void context_bent(void **state)
{
    struct asked q = ask(WITH_BEARER, as_owner);
    char *text = arena_str(&the.a, q.context);
    struct answer got;

    (void)state;
    text[q.context.n - 8] = text[q.context.n - 8] == 'A' ? 'B' : 'A'; /* in the sealed part */
    q.context = bytes_str(text);
    got = send_jws(WITH_BEARER, as_owner, make_request(&q));
    expect_refused(&got, "InvalidParameter", "service_context");
}

#define CONFIG "base_url = https://localhost:8443\nworkers = 2\n"
static const char *const dev[] = { "--dev", NULL };

/* A restart in between does no harm; ten minutes do. */
static void old_challenge(void **state)
{
    struct asked q = ask(WITH_BEARER, as_owner);
    struct bytes jws = make_request(&q);
    struct answer got;

    (void)state;
    service_restart(&the, CONFIG, dev);
    got = send_jws(WITH_BEARER, as_owner, jws);
    expect_status(&got, 200);
    q = ask(WITH_BEARER, as_owner);
    jws = make_request(&q);
    service_restart(&the, arena_printf(&the.a, CONFIG "[dev]\nclock = %s\n", stamp_text((int64_t)time(NULL) + 600).s), dev);
    got = send_jws(WITH_BEARER, as_owner, jws);
    expect_refused(&got, "InvalidParameter", "expired at");
}

/* After a reset the old log explains nothing; after the same boot again everything is as before. */
static void reboot(void **state)
{
    struct asked q = ask(WITH_BEARER, as_owner);
    struct answer got;

    (void)state;
    machine_off(&machine);
    machine_on(&machine);
    got = send_jws(WITH_BEARER, as_owner, make_request(&q));
    expect_refused(&got, "InvalidParameter", "does not replay to the quoted PCR");
    machine_boot(&machine, test_vector(&the.a, LOG));
    q = ask(WITH_BEARER, as_owner);
    got = send_jws(WITH_BEARER, as_owner, make_request(&q));
    expect_status(&got, 200);
}

/* -- callers and providers -- */

static void no_policy(void **state)
{
    const struct asked q = ask(NO_POLICY, as_owner);
    struct answer got = send_jws(NO_POLICY, as_owner, make_request(&q));

    (void)state;
    expect_refused(&got, "InvalidOperation", "A Tpm attestation policy has not been set on the attestation provider.");
}

static void unauthenticated(void **state)
{
    struct answer got = send_doc(WITH_BEARER, as_nobody, LIT("{\"payload\":{\"type\":\"aikcert\"}}"));

    (void)state;
    expect_status(&got, 401);
    assert_string_equal(answer_code(&the, &got), "Unauthorized");
    assert_non_null(answer_header(&the, &got, "WWW-Authenticate"));
    got = service_call(&the, "POST", "/attest/Tpm?api-version=2022-08-01", as_nobody, LIT("{\"data\":\"\"}")); /* the shared provider */
    expect_status(&got, 401);
}

static const struct wrong {
    const char *name, *body, *part;
} wrongs[] = {
    { "no data", "{}", "data" },
    { "data is no JSON", "{\"data\":\"AAAA\"}", "data" },
    { "no payload", "{\"data\":\"e30\"}", "payload is missing" },
    { "neither message", "{\"data\":\"eyJwYXlsb2FkIjp7fX0\"}", "exactly one of type and request" },
    { "no JWS", "{\"data\":\"eyJwYXlsb2FkIjp7InJlcXVlc3QiOiJ4In19\"}", "request" },
};

static void wrong_message(void **state)
{
    const struct wrong *w = *state;
    struct answer got = provider_call(WITH_BEARER, "POST", "/attest/Tpm", as_owner, bytes_str(w->body));

    expect_status(&got, 400);
    if (strstr(answer_message(&the, &got), w->part) == NULL)
        fail_msg("'%s' does not say '%s'", answer_message(&the, &got), w->part);
}

static int run(struct suite *s)
{
    int status;

    service_start(&the, CONFIG, dev);
    make_providers();
    machine_init(&machine);
    machine_boot(&machine, test_vector(&machine.a, LOG));
    status = suite_run("api-tpm", s);
    machine_done(&machine);
    return service_stop(&the) == 0 ? status : 1;
}

int main(void)
{
    struct suite s = { 0 };
    const char *why;

    if (!machine_possible(&why) || test_vectors() == NULL) {
        suite_add_skipped(&s, test_vectors() == NULL ? "log vectors are missing" : why);
        return suite_run("api-tpm", &s);
    }
    suite_add(&s, "recorded first message", recorded_first_message, NULL);
    suite_add(&s, "challenges are fresh", fresh_each_time, NULL);
    suite_add(&s, "attest", attest, NULL);
    suite_add(&s, "attest without bearer, thumbprint for certificate", attest_without_bearer, NULL);
    suite_add(&s, "tampered log", tampered_log, NULL);
    suite_add(&s, "used challenge", used_challenge, NULL);
    suite_add(&s, "forged answer", forged_answer, NULL);
    suite_add(&s, "answer to another challenge", answer_to_other_challenge, NULL);
    suite_add(&s, "context of another tenant", context_of_other_tenant, NULL);
    suite_add(&s, "bent context", context_bent, NULL);
    suite_add(&s, "no policy", no_policy, NULL);
    suite_add(&s, "unauthenticated", unauthenticated, NULL);
    for (size_t i = 0; i < COUNT(wrongs); i++)
        suite_add(&s, wrongs[i].name, wrong_message, (void *)(uintptr_t)&wrongs[i]);
    suite_add(&s, "reboot", reboot, NULL);
    suite_add(&s, "old challenge", old_challenge, NULL);
    return run(&s);
}
