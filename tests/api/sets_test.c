/* sets_test.c: what a tenant asks of collateral: how old it may be, and what the sets say that do not count yet. The service
 * runs against a vendor in this process (vendor.h); time is that of [dev] clock. */
#include "service.h"
#include "vendor.h"

#include "codec/b64.h"
#include "codec/stamp.h"
#include "os/io.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define NOW 1767225600LL /* 2026-01-01T00:00:00Z */
#define ATTEST "/attest/SgxEnclave?api-version=2022-08-01"
#define ARM "/subscriptions/sub-1/resourceGroups/group-1/providers/Microsoft.Attestation/attestationProviders"
#define NONE ((struct bytes){ NULL, 0 })

static const char *const dev[] = { "--dev", NULL };
static const char *const as_owner[] = { "Authorization: Bearer dev", NULL };

static struct {
    struct arena a;
    struct intel_pki *pki;
    struct pki_options o;
    char folder[64];
    struct service service;
    struct vendor *first, *second;
    unsigned platforms;
} the;

/* -- platforms and tenants -- */

struct platform {
    char fmspc[13];
    struct bytes quote; /* base64url */
};

static struct platform platform_new(void)
{
    struct platform p;
    struct pki_options o = the.o;
    struct out quote = out_open(&the.a);
    unsigned n = ++the.platforms;

    o.fmspc[4] = (uint8_t)(n >> 8);
    o.fmspc[5] = (uint8_t)n;
    o.serial = 5000 + n;
    snprintf(p.fmspc, sizeof(p.fmspc), "00a06711%02x%02x", (n >> 8) & 0xff, n & 0xff);
    b64url_print(&quote, pki_quote(the.pki, &o, &the.a));
    p.quote = out_view(&quote);
    return p;
}

/* A policy of version 1.1 with this configuration and these authorization rules. */
static const char *policy_of(const char *configuration, const char *rules)
{
    return arena_printf(&the.a, "version= 1.1;configurationrules{%s};authorizationrules{%s => permit();};issuancerules{};", configuration, rules);
}
#define MAX_AGE(n) "=> issueproperty(type=\"x-avouch-collateral-max-age\", value=" #n ");"
#define BOTH "=> issueproperty(type=\"x-avouch-tcb-sets\", value=\"both\");"
#define DENY_EARLY "[type==\"x-avouch-tcb-early-status\", value==\"OUT_OF_DATE\"] => deny();"

static struct bytes body_of(const struct platform *p, const char *draft)
{
    struct out body = out_open(&the.a);

    out_text(&body, "{\"quote\":\"");
    out_bytes(&body, p->quote);
    out_text(&body, "\"");
    if (draft != NULL) {
        out_text(&body, ",\"draftPolicyForAttestation\":");
        json_print_string(&body, bytes_str(draft));
    }
    out_text(&body, "}");
    return out_view(&body);
}

/* On the shared provider; `draft` NULL: by its default policy. */
static struct answer attest(const struct platform *p, const char *draft)
{
    return service_call(&the.service, "POST", ATTEST, NULL, body_of(p, draft));
}

static void assert_status(const struct answer *a, long status)
{
    if (a->status != status)
        fail_msg("HTTP %ld, expected %ld: %s", a->status, status, a->body.p == NULL ? "" : (const char *)a->body.p);
}

static const struct json *claims_of(const struct answer *a)
{
    struct bytes token;

    assert_status(a, 200);
    assert_true(json_string(json_member(a->json, "token"), &token));
    return token_part(&the.a, token, 1);
}

static void text_is(const struct json *claims, const char *name, const char *value)
{
    struct bytes text;

    if (!json_string(json_member(claims, name), &text))
        fail_msg("claim %s is missing", name);
    assert_text(text, value);
}

static int64_t number_of(const struct json *claims, const char *name)
{
    int64_t n = 0;

    if (!json_int(json_member(claims, name), &n))
        fail_msg("claim %s is missing", name);
    return n;
}

/* 503 with the object, its date, the limit, the way out; never another verdict. */
static void assert_too_old(const struct answer *a, const char *part)
{
    static const char *const parts[] = { "COLLATERAL_TOO_OLD", "2025-12-31T00:00:00Z", "let the provider allow an older one" };
    const char *message;

    assert_status(a, 503);
    message = answer_message(&the.service, a);
    for (size_t i = 0; i < COUNT(parts); i++)
        if (strstr(message, parts[i]) == NULL)
            fail_msg("message '%s' does not contain '%s'", message, parts[i]);
    if (strstr(message, part) == NULL)
        fail_msg("message '%s' does not contain '%s'", message, part);
    assert_string_equal(answer_code(&the.service, a), "ServiceUnavailable");
    assert_non_null(answer_header(&the.service, a, "Retry-After"));
    assert_in_range(atoi(answer_header(&the.service, a, "Retry-After")), 1, 3600);
}

/* -- the service -- */

/* `rest` are further lines of [verify], then sections; the collateral is of the first vendor, or of both in turn. */
static void service_with(const char *verify, const char *collateral)
{
    const char *config = arena_printf(&the.a,
                                      "provider_url = https://{name}.localhost:8443\nworkers = 2\n[verify]\ntrust = %s/trust\n%s\n[metrics]\n"
                                      "listen =\n[collateral]\nwait = 4\n%s\n[dev]\nclock = 2026-01-01T00:00:00Z\n",
                                      the.folder, verify, collateral);

    if (the.service.pid == 0)
        service_start(&the.service, config, dev);
    else
        service_restart(&the.service, config, dev);
}

static const char *source_of(struct vendor *v)
{
    return arena_printf(&the.a, "intel = pcs:http://127.0.0.1:%d\n", vendor_port(v));
}

/* Another vendor on the same PKI: what it is asked is counted from nothing. */
static void fresh_vendor(void)
{
    if (the.first != NULL)
        vendor_stop(the.first);
    the.first = vendor_start(the.pki, &the.o, NULL);
}

static void fresh_cache(const char *verify)
{
    if (the.service.pid != 0)
        assert_int_equal(service_stop(&the.service), 0);
    the.service.pid = 0;
    fresh_vendor();
    service_with(verify, source_of(the.first));
}

struct background {
    pthread_t thread;
    struct service service;
    struct bytes body;
    struct answer answer;
};

static void *run_background(void *arg)
{
    struct background *b = arg;

    b->answer = service_call(&b->service, "POST", ATTEST, NULL, b->body);
    return NULL;
}

static void background_start(struct background *b, struct bytes body)
{
    b->service = the.service;
    arena_init(&b->service.a, 16 << 20);
    b->body = body;
    assert_int_equal(pthread_create(&b->thread, NULL, run_background, b), 0);
}

/* -- age -- */

static void reissue(struct vendor *v, int64_t from)
{
    struct pki_options o = the.o;

    o.coll_from = from;
    vendor_options(v, &o);
}

/* What is a day old does for one tenant and not for the other, who gets what the vendor has signed since. */
static void newer_is_fetched(void **state)
{
    struct platform p = platform_new();
    const char *draft = policy_of(MAX_AGE(7200), "");
    const struct json *claims;
    struct answer got;

    (void)state;
    fresh_cache("");
    got = attest(&p, NULL);
    claims = claims_of(&got);
    assert_null(json_member(claims, "x-avouch-collateral-max-age"));
    reissue(the.first, NOW - 600);
    got = attest(&p, draft);
    claims = claims_of(&got);
    assert_int_equal(number_of(claims, "x-avouch-collateral-max-age"), 7200);
    assert_int_equal(vendor_count(the.first, p.fmspc), 2);
    assert_int_equal(vendor_count(the.first, "IntelSGXRootCA.der"), 1); /* its age never counts */
    got = attest(&p, draft);
    assert_status(&got, 200);
    assert_int_equal(vendor_count(the.first, p.fmspc), 2);
}

/* The vendor has nothing newer: 503, for the tenant who asks for it; the vendor is asked once, however often that is. */
static void nothing_newer(void **state)
{
    struct platform p = platform_new();
    const char *draft = policy_of(MAX_AGE(7200), "");
    struct answer got;
    unsigned asked;

    (void)state;
    fresh_cache("");
    got = attest(&p, NULL);
    assert_status(&got, 200);
    got = attest(&p, draft);
    assert_too_old(&got, "PCK CRL");
    assert_too_old(&got, "no newer one could be had");
    assert_too_old(&got, "has none newer than that of 2025-12-31T00:00:00Z");
    asked = vendor_count(the.first, p.fmspc);
    assert_int_equal(asked, 2);
    for (int i = 0; i < 10; i++) {
        got = attest(&p, draft);
        assert_too_old(&got, "expected signed at most 7200 s ago, found signed at 2025-12-31T00:00:00Z, 864");
        got = attest(&p, NULL);
        assert_status(&got, 200);
    }
    assert_int_equal(vendor_count(the.first, p.fmspc), asked);
    got = attest(&p, policy_of(MAX_AGE(172800), "")); /* young enough for a third one */
    assert_int_equal(number_of(claims_of(&got), "x-avouch-collateral-max-age"), 172800);
}

/* While the vendor lets one tenant wait, nobody else does; then each has an answer of his own. */
static void others_are_not_delayed(void **state)
{
    struct platform p = platform_new();
    struct background b;
    struct answer got;

    (void)state;
    fresh_cache("");
    got = attest(&p, NULL);
    assert_status(&got, 200);
    vendor_fault(the.first, p.fmspc, FAULT_HOLD);
    reissue(the.first, NOW - 600);
    background_start(&b, body_of(&p, policy_of(MAX_AGE(7200), "")));
    vendor_await(the.first, p.fmspc, 2);
    for (int i = 0; i < 20; i++) {
        uint64_t begun = clock_monotonic_us();

        got = attest(&p, NULL);
        assert_status(&got, 200);
        assert_true(clock_monotonic_us() - begun < 3000000);
    }
    vendor_release(the.first);
    assert_int_equal(pthread_join(b.thread, NULL), 0);
    assert_status(&b.answer, 200);
    arena_done(&b.service.a);
}

/* The vendor never answers: 503 at the deadline and not later, with what is known. */
static void deadline_holds(void **state)
{
    struct platform p = platform_new();
    struct answer got;
    uint64_t begun;

    (void)state;
    fresh_cache("");
    got = attest(&p, NULL);
    assert_status(&got, 200);
    vendor_fault(the.first, p.fmspc, FAULT_HOLD);
    begun = clock_monotonic_us();
    got = attest(&p, policy_of(MAX_AGE(3601), ""));
    assert_status(&got, 503);
    assert_non_null(strstr(answer_message(&the.service, &got), "COLLATERAL_TOO_OLD"));
    assert_true(clock_monotonic_us() - begun < 7000000); /* collateral.wait is 4 */
    vendor_release(the.first);
}

/* The only source fails: the message says so, and who takes the old one notices nothing. */
static void source_fails(void **state)
{
    struct platform p = platform_new();
    struct answer got;

    (void)state;
    fresh_cache("");
    got = attest(&p, NULL);
    assert_status(&got, 200);
    vendor_fault(the.first, "/certification/", FAULT_500);
    for (int i = 0; i < 3; i++) {
        got = attest(&p, policy_of(MAX_AGE(7200), ""));
        assert_too_old(&got, "HTTP 500");
        got = attest(&p, NULL);
        assert_status(&got, 200);
    }
    vendor_fault(the.first, "/certification/", FAULT_NONE);
    reissue(the.first, NOW - 600);
    do
        got = attest(&p, policy_of(MAX_AGE(7200), ""));
    while (got.status == 503);
    assert_status(&got, 200);
}

/* kill -9 of the process that fetches, while somebody waits for a newer item: it is asked for again. */
static void killed_meanwhile(void **state)
{
    struct platform p = platform_new();
    struct background b;
    struct answer got;

    (void)state;
    fresh_cache("");
    got = attest(&p, NULL);
    assert_status(&got, 200);
    vendor_fault(the.first, p.fmspc, FAULT_HOLD);
    reissue(the.first, NOW - 600);
    background_start(&b, body_of(&p, policy_of(MAX_AGE(7200), "")));
    vendor_await(the.first, p.fmspc, 2);
    assert_int_equal(kill(service_child(&the.service, "avouch-collater"), SIGKILL), 0); /* names are cut to 15 characters */
    vendor_release(the.first);
    assert_int_equal(pthread_join(b.thread, NULL), 0);
    assert_status(&b.answer, 200);
    arena_done(&b.service.a);
}

/* The first source is a cache that lags behind; the second has the newer one. */
static void second_source_has_it(void **state)
{
    struct platform p = platform_new();
    struct answer got;

    (void)state;
    fresh_cache("");
    the.second = vendor_start(the.pki, &the.o, NULL);
    reissue(the.second, NOW - 600);
    service_with("", arena_printf(&the.a, "intel = pccs:http://127.0.0.1:%d, pcs:http://127.0.0.1:%d\n", vendor_port(the.first), vendor_port(the.second)));
    got = attest(&p, NULL);
    assert_status(&got, 200);
    assert_int_equal(vendor_count(the.second, p.fmspc), 0);
    got = attest(&p, policy_of(MAX_AGE(7200), ""));
    assert_status(&got, 200);
    assert_int_equal(vendor_count(the.second, p.fmspc), 1);
    vendor_stop(the.second);
    the.second = NULL;
}

/* The service's limit is everybody's; a policy makes it stricter, never looser. */
static void the_stricter_counts(void **state)
{
    struct platform p = platform_new();
    struct answer got;

    (void)state;
    fresh_cache("collateral_max_age = 90000");
    got = attest(&p, NULL);
    assert_int_equal(number_of(claims_of(&got), "x-avouch-collateral-max-age"), 90000);
    got = attest(&p, policy_of(MAX_AGE(1000000), ""));
    assert_int_equal(number_of(claims_of(&got), "x-avouch-collateral-max-age"), 90000);
    got = attest(&p, policy_of(MAX_AGE(7200), ""));
    assert_too_old(&got, "7200 s");
    fresh_cache("collateral_max_age = 7200");
    p = platform_new();
    got = attest(&p, NULL);
    assert_too_old(&got, "7200 s");
    got = attest(&p, policy_of(MAX_AGE(1000000), ""));
    assert_too_old(&got, "7200 s");
}

/* Items of the operator's folder are held to the same dates. */
static void folder_is_old(void **state)
{
    struct bytes (*const items[])(struct intel_pki *, const struct pki_options *, struct arena *) = {
        pki_root_crl, pki_pck_crl, pki_tcb_chain, pki_tcb_info, pki_qe_identity,
    };
    struct platform p = platform_new();
    struct pki_options o = the.o;
    struct err e = { 0 };
    struct answer got;

    (void)state;
    fresh_cache("");
    o.tcb_fmspc[4] = (uint8_t)(the.platforms >> 8);
    o.tcb_fmspc[5] = (uint8_t)the.platforms;
    for (size_t i = 0; i < COUNT(items); i++)
        assert_ok(file_write(arena_printf(&the.a, "%s/items/%zu", the.folder, i), items[i](the.pki, &o, &the.a), 0644, &e), &e);
    service_with("", arena_printf(&the.a, "directory = %s/items\n%s", the.folder, source_of(the.first)));
    got = attest(&p, NULL);
    assert_status(&got, 200);
    assert_int_equal(vendor_count(the.first, p.fmspc), 0);
    reissue(the.first, NOW - 600);
    got = attest(&p, policy_of(MAX_AGE(7200), ""));
    assert_status(&got, 200);
    assert_int_equal(vendor_count(the.first, p.fmspc), 1);
}

/* -- both sets -- */

/* Number 17 counts, 18 is early: there the platform is out of date. */
static void two_sets(void)
{
    struct pki_options o = the.o;

    o.early_number = 18;
    o.early_status = "OutOfDate";
    o.early_advisory = "INTEL-SA-09999";
    vendor_options(the.first, &o);
}

static void both_are_told(const struct json *claims)
{
    text_is(claims, "x-ms-sgx-tcb-status", "OK");
    assert_int_equal(number_of(claims, "x-ms-sgx-tcb-eval-number"), 17);
    text_is(claims, "x-avouch-tcb-standard-status", "OK");
    assert_int_equal(number_of(claims, "x-avouch-tcb-standard-eval-number"), 17);
    text_is(claims, "x-avouch-tcb-early-status", "OUT_OF_DATE");
    assert_int_equal(number_of(claims, "x-avouch-tcb-early-eval-number"), 18);
    text_is(claims, "x-avouch-tcb-early-date", "2023-02-15T00:00:00Z");
    assert_int_equal(json_member(claims, "x-avouch-tcb-early-advisory-ids")->count, 1);
}

static void policy_sees_early(void **state)
{
    struct platform p = platform_new();
    struct answer got;

    (void)state;
    fresh_cache("");
    two_sets();
    got = attest(&p, NULL);
    assert_null(json_member(claims_of(&got), "x-avouch-tcb-early-status")); /* nobody asked */
    assert_int_equal(vendor_count(the.first, "tcbevaluationdatanumbers"), 0);
    got = attest(&p, policy_of(BOTH, ""));
    both_are_told(claims_of(&got));
    assert_int_equal(vendor_count(the.first, arena_printf(&the.a, "fmspc=%s&tcbEvaluationDataNumber=18", p.fmspc)), 1);
    assert_int_equal(vendor_count(the.first, "tcbEvaluationDataNumber=17"), 0); /* the items of the day are of it */
    got = attest(&p, policy_of(BOTH, DENY_EARLY));
    assert_status(&got, 400);
    assert_string_equal(answer_code(&the.service, &got), "PolicyEvaluationError");
    got = attest(&p, policy_of("", DENY_EARLY)); /* without the property there is no such claim */
    assert_status(&got, 200);
    assert_int_equal(vendor_count(the.first, "tcbevaluationdatanumbers"), 1);
}

/* The other doors: a report of Open Enclave around an SGX quote, and a TD's quote, whose sets are lists of their own. */
static const struct door {
    const char *kind, *member, *status;
    bool tdx;
} doors[] = {
    { "OpenEnclave", "report", "x-ms-sgx-tcb-status", false },
    { "TdxVm", "quote", "avouch-tdx-tcb-status", true },
};

static struct bytes evidence_of(const struct door *d, const struct pki_options *o)
{
    struct bytes quote = pki_quote(the.pki, o, &the.a);
    struct out b = out_open(&the.a);

    if (strcmp(d->kind, "OpenEnclave") != 0)
        return quote;
    out_u32le(&b, 1);
    out_u32le(&b, 2);
    out_u64le(&b, quote.n);
    out_bytes(&b, quote);
    return out_view(&b);
}

static void other_doors(void **state)
{
    const struct door *d = *state;
    struct pki_options o = the.o;
    struct out body = out_open(&the.a);
    struct answer got;

    fresh_cache("tcb_sets = both\ncollateral_max_age = 90000");
    o.tdx = d->tdx;
    o.quote_version = d->tdx ? 4 : 3;
    o.early_number = 18;
    o.early_status = "OutOfDate";
    vendor_options(the.first, &o);
    out_printf(&body, "{\"%s\":\"", d->member);
    b64url_print(&body, evidence_of(d, &o));
    out_text(&body, "\"}");
    got = service_call(&the.service, "POST", arena_printf(&the.a, "/attest/%s?api-version=2025-06-01", d->kind), NULL, out_view(&body));
    text_is(claims_of(&got), d->status, "OK");
    text_is(claims_of(&got), "x-avouch-tcb-standard-status", "OK");
    text_is(claims_of(&got), "x-avouch-tcb-early-status", "OUT_OF_DATE");
    assert_int_equal(number_of(claims_of(&got), "x-avouch-collateral-max-age"), 90000);
    assert_int_equal(vendor_count(the.first, d->tdx ? "/tdx/certification/v4/tcbevaluationdatanumbers" : "/sgx/certification/v4/tcbevaluationdatanumbers"), 1);
}

/* A policy that picks the early set has both as well, the other way round. */
static void policy_picks_early(void **state)
{
    static const char pick[] = BOTH "=> issueproperty(type=\"x-ms-sgx-tcbidentifier\", value=\"18\");";
    struct platform p = platform_new();
    struct answer got;

    (void)state;
    fresh_cache("accept = OK,OUT_OF_DATE");
    two_sets();
    got = attest(&p, policy_of(pick, ""));
    text_is(claims_of(&got), "x-ms-sgx-tcb-status", "OUT_OF_DATE");
    text_is(claims_of(&got), "x-avouch-tcb-standard-status", "OK");
    text_is(claims_of(&got), "x-avouch-tcb-early-status", "OUT_OF_DATE");
}

/* What is missing never refuses. */
static void missing_is_told(void **state)
{
    struct platform p = platform_new();
    struct answer got;

    (void)state;
    fresh_cache("tcb_sets = both");
    two_sets();
    vendor_fault(the.first, "tcbEvaluationDataNumber=18", FAULT_404);
    got = attest(&p, NULL);
    text_is(claims_of(&got), "x-avouch-tcb-standard-status", "OK");
    text_is(claims_of(&got), "x-avouch-tcb-early-status", "NOT_AT_HAND");
    assert_int_equal(number_of(claims_of(&got), "x-avouch-tcb-early-eval-number"), 18);
    assert_null(json_member(claims_of(&got), "x-avouch-tcb-early-date"));
    fresh_cache("tcb_sets = both");
    p = platform_new();
    vendor_fault(the.first, "tcbevaluationdatanumbers", FAULT_SIGNATURE);
    vendor_fault(the.first, "tcbevaluationdatanumbers", FAULT_404);
    got = attest(&p, NULL);
    text_is(claims_of(&got), "x-avouch-tcb-standard-status", "NOT_AT_HAND");
    text_is(claims_of(&got), "x-avouch-tcb-early-status", "NOT_AT_HAND");
    text_is(claims_of(&got), "x-ms-sgx-tcb-status", "OK");
}

/* A vendor that never answers for the other set: the deadline, then the token. */
static void slow_set(void **state)
{
    struct platform p = platform_new();
    struct answer got;
    uint64_t begun = clock_monotonic_us();

    (void)state;
    fresh_cache("tcb_sets = both");
    two_sets();
    vendor_fault(the.first, "tcbEvaluationDataNumber=18", FAULT_HOLD);
    begun = clock_monotonic_us();
    got = attest(&p, NULL);
    text_is(claims_of(&got), "x-avouch-tcb-early-status", "NOT_AT_HAND");
    assert_true(clock_monotonic_us() - begun < 7000000);
    vendor_release(the.first);
}

static void compatible_tokens(void **state)
{
    struct platform p = platform_new();
    struct answer got;

    (void)state;
    fresh_cache("tcb_sets = both\n[token]\ncompatible = yes");
    two_sets();
    got = attest(&p, NULL);
    assert_null(json_member(claims_of(&got), "x-avouch-tcb-early-status"));
    assert_null(json_member(claims_of(&got), "x-ms-sgx-tcb-status"));
    got = attest(&p, policy_of("", DENY_EARLY)); /* policies see it */
    assert_status(&got, 400);
}

/* -- a provider of its own -- */

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

static struct answer tenant(const char *method, const char *path, struct bytes body)
{
    return service_call_host(&the.service, "contoso.localhost", method, path, as_owner, body);
}

static void set_policy(const char *text)
{
    struct answer got = tenant("PUT", "/policies/SgxEnclave?api-version=2020-10-01", envelope(text));

    assert_status(&got, 200);
}

/* Stored policies, changed while the service runs: each request is judged by the one in force, and what an earlier policy
 * asked for is forgotten with it. */
static void stored_policies(void **state)
{
    struct platform p = platform_new();
    struct answer got;

    (void)state;
    fresh_cache("");
    two_sets();
    got = service_call(&the.service, "PUT", ARM "/contoso?api-version=2021-06-01", as_owner, LIT("{\"location\":\"Local\"}"));
    assert_true(got.status == 200 || got.status == 201);
    set_policy(policy_of(BOTH MAX_AGE(172800), ""));
    for (int i = 0; i < 3; i++) { /* the first time the front learns what the policy wants */
        got = tenant("POST", ATTEST, body_of(&p, NULL));
        both_are_told(claims_of(&got));
        assert_int_equal(number_of(claims_of(&got), "x-avouch-collateral-max-age"), 172800);
    }
    got = attest(&p, NULL);
    assert_null(json_member(claims_of(&got), "x-avouch-tcb-early-status"));
    set_policy(policy_of("", ""));
    got = tenant("POST", ATTEST, body_of(&p, NULL));
    assert_null(json_member(claims_of(&got), "x-avouch-tcb-early-status"));
    assert_null(json_member(claims_of(&got), "x-avouch-collateral-max-age"));
    set_policy(policy_of(MAX_AGE(7200), ""));
    for (int i = 0; i < 2; i++) {
        got = tenant("POST", ATTEST, body_of(&p, NULL));
        assert_too_old(&got, "7200 s");
    }
    set_policy(policy_of(BOTH, DENY_EARLY));
    got = tenant("POST", ATTEST, body_of(&p, NULL));
    assert_status(&got, 400);
    got = tenant("PUT", "/policies/SgxEnclave?api-version=2020-10-01", envelope(policy_of(MAX_AGE(3599), "")));
    assert_status(&got, 400);
    assert_string_equal(answer_code(&the.service, &got), "PolicyParsingError");
}

/* Somebody's own certificates ask for both sets: refused, and no vendor is asked. */
static void invented_platform(void **state)
{
    struct intel_pki *own = intel_pki_new(), *ours = the.pki;
    struct platform p;
    struct answer got;

    (void)state;
    fresh_cache("");
    the.pki = own;
    p = platform_new();
    the.pki = ours;
    got = attest(&p, policy_of(BOTH MAX_AGE(7200), ""));
    assert_status(&got, 400);
    assert_int_equal(vendor_count(the.first, "/certification/"), 0);
    intel_pki_free(own);
}

static void stops(void **state)
{
    (void)state;
    assert_int_equal(service_stop(&the.service), 0);
    vendor_stop(the.first);
}

int main(void)
{
    struct suite s = { 0 };
    struct err e = { 0 };

    arena_init(&the.a, (size_t)512 << 20);
    the.pki = intel_pki_new();
    the.o = pki_options(NOW);
    snprintf(the.folder, sizeof(the.folder), "/tmp/avouch-sets-XXXXXX");
    if (mkdtemp(the.folder) == NULL || !folder_make(arena_printf(&the.a, "%s/trust", the.folder), 0755, &e)
        || !folder_make(arena_printf(&the.a, "%s/items", the.folder), 0755, &e)
        || !file_write(arena_printf(&the.a, "%s/trust/root.pem", the.folder), pki_root_pem(the.pki, &the.o, &the.a), 0644, &e))
        abort();
    suite_add(&s, "too old for one tenant: a newer one is fetched", newer_is_fetched, NULL);
    suite_add(&s, "too old for one tenant: there is nothing newer", nothing_newer, NULL);
    suite_add(&s, "others are not delayed", others_are_not_delayed, NULL);
    suite_add(&s, "the deadline holds", deadline_holds, NULL);
    suite_add(&s, "the source fails", source_fails, NULL);
    suite_add(&s, "killed while a newer one is fetched", killed_meanwhile, NULL);
    suite_add(&s, "the second source has the newer one", second_source_has_it, NULL);
    suite_add(&s, "the stricter limit counts", the_stricter_counts, NULL);
    suite_add(&s, "items of the folder", folder_is_old, NULL);
    suite_add(&s, "a policy sees the early set", policy_sees_early, NULL);
    for (size_t i = 0; i < COUNT(doors); i++)
        suite_add(&s, arena_printf(&the.a, "both sets of %s", doors[i].kind), other_doors, (void *)(uintptr_t)&doors[i]);
    suite_add(&s, "a policy picks the early set", policy_picks_early, NULL);
    suite_add(&s, "a set that is missing refuses nothing", missing_is_told, NULL);
    suite_add(&s, "a set that does not come", slow_set, NULL);
    suite_add(&s, "compatible tokens", compatible_tokens, NULL);
    suite_add(&s, "stored policies, changed", stored_policies, NULL);
    suite_add(&s, "invented platform", invented_platform, NULL);
    suite_add(&s, "stops cleanly", stops, NULL);
    return suite_run("sets", &s);
}
