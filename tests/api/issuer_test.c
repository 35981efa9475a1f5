/* issuer_test.c: issuers whose keys the service fetches itself (auth.issuer without auth.jwks): found, rotated,
 * asked sparingly, kept over outages; and an issuer that misbehaves makes 503 with its address and the reason,
 * never 401. */
#include "service.h"
#include "issuer_server.h"
#include "minter.h"

#include "codec/stamp.h"
#include "os/io.h"
#include "os/tls.h"

#include <curl/curl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define DOCUMENT "/.well-known/openid-configuration"
#define POLICY "/policies/SgxEnclave?api-version=2020-10-01"
#define NONE ((struct bytes){ NULL, 0 })

static const char *const dev[] = { "--dev", NULL };

static struct {
    struct arena a;
    struct service s;
    struct issuer_server *issuer;
    int port;
    const char *url; /* of the issuer */
    struct minter_key old, fresh, stranger;
    char folder[64];
} the;

static const char *document(const char *issuer, const char *keys)
{
    return arena_printf(&the.a, "{\"issuer\":\"%s\",\"jwks_uri\":\"%s\",\"authorization_endpoint\":\"x\"}", issuer, keys);
}

static void give(const char *path, const char *text)
{
    issuer_server_give(the.issuer, path, 200, bytes_str(text), NULL);
}

static void give_keys(const struct minter_key *k)
{
    const struct minter_key *list[] = { k };

    issuer_server_give(the.issuer, "/keys", 200, minter_jwks(list, 1, &the.a), "Cache-Control: public, max-age=60");
}

/* A working issuer with the old key. */
static void issuer_up(void)
{
    the.issuer = issuer_server_start(the.port, NULL);
    the.port = issuer_server_port(the.issuer);
    the.url = arena_printf(&the.a, "http://127.0.0.1:%d", the.port);
    give(DOCUMENT, document(the.url, arena_printf(&the.a, "%s/keys", the.url)));
    give_keys(&the.old);
}

static void issuer_down(void)
{
    if (the.issuer != NULL)
        issuer_server_stop(the.issuer);
    the.issuer = NULL;
}

static const char *config(const char *more)
{
    return arena_printf(&the.a, "workers = 2\n[auth]\nissuer = %s\n%s", the.url, more);
}

static const char *token_at(const struct minter_key *k, const char *kid, const char *issuer, int64_t now)
{
    return minter_token(k, "ES256", NONE, arena_printf(&the.a, "{\"alg\":\"ES256\",\"kid\":\"%s\"}", kid),
                        arena_printf(&the.a, "{\"iss\":\"%s\",\"aud\":\"https://attest.azure.net\",\"sub\":\"tester\",\"roles\":[\"Owner\"],\"exp\":%lld,\"jti\":\"%zu\"}",
                                     issuer, (long long)now + 600, the.a.left),
                        &the.a);
}

static const char *token(const struct minter_key *k)
{
    return token_at(k, k->kid, the.url, time(NULL));
}

static struct answer call(const char *path, const char *text)
{
    const char *const headers[] = { arena_printf(&the.a, "Authorization: Bearer %s", text), NULL };

    return service_call(&the.s, "GET", path, headers, NONE);
}

static void expect(const struct answer *got, long status, const char *part)
{
    if (got->status != status || (part != NULL && strstr(answer_message(&the.s, got), part) == NULL))
        fail_msg("HTTP %ld %s; %ld with '%s' is expected", got->status, (const char *)got->body.p, status, part == NULL ? "" : part);
    if (status == 503) {
        assert_string_equal(answer_code(&the.s, got), "ServiceUnavailable");
        assert_true(atoi(answer_header(&the.s, got, "Retry-After")) >= 1);
        assert_null(answer_header(&the.s, got, "WWW-Authenticate"));
    }
}

static void accepted(const struct minter_key *k)
{
    struct answer got = call(POLICY, token(k));

    expect(&got, 200, NULL);
}

static void refused(const struct minter_key *k, long status, const char *part)
{
    struct answer got = call(POLICY, token(k));

    expect(&got, status, part);
}

/* Many connections, which the kernel spreads over the fronts. */
static void all_fronts_accept(const struct minter_key *k)
{
    for (int i = 0; i < 16; i++)
        accepted(k);
}

static void end(void)
{
    assert_int_equal(service_stop(&the.s), 0);
    issuer_down();
}

/* -- an issuer that works -- */

static void found(void **state)
{
    struct answer got;

    (void)state;
    issuer_up();
    service_start(&the.s, config(""), dev);
    all_fronts_accept(&the.old);
    assert_int_equal(issuer_server_count(the.issuer, DOCUMENT), 1);
    assert_int_equal(issuer_server_count(the.issuer, "/keys"), 1);
    /* what is no token of this issuer costs it nothing */
    got = call(POLICY, token_at(&the.old, "old", "https://other.example", time(NULL)));
    expect(&got, 401, arena_printf(&the.a, "issuer is 'https://other.example', '%s' is configured", the.url));
    assert_string_equal(answer_header(&the.s, &got, "WWW-Authenticate"),
                        arena_printf(&the.a, "Bearer authorization_uri=\"%s\", resource=\"https://attest.azure.net\"", the.url));
    got = call(POLICY, token_at(&the.stranger, "old", the.url, time(NULL)));
    expect(&got, 401, "the signature (ES256) is not that of the key");
    assert_int_equal(issuer_server_count(the.issuer, DOCUMENT), 1);
    end();
}

/* The first call is a write with a body: it waits for the keys and is then done once. */
static void body_waits_too(void **state)
{
    static const char path[] = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Attestation/attestationProviders/waits?api-version=2020-10-01";
    const char *headers[] = { NULL, NULL };
    struct answer got;

    (void)state;
    issuer_up();
    service_start(&the.s, config("control_audience = https://attest.azure.net\n"), dev);
    headers[0] = arena_printf(&the.a, "Authorization: Bearer %s", token(&the.old));
    got = service_call(&the.s, "PUT", path, headers, LIT("{\"location\":\"Local\",\"properties\":{}}"));
    expect(&got, 201, NULL);
    end();
}

static void rotated(void **state)
{
    const char *before;
    struct answer got;

    (void)state;
    issuer_up();
    service_start(&the.s, arena_printf(&the.a, "workers = 1\n%s", strchr(config(""), '[')), dev);
    before = token(&the.old);
    got = call(POLICY, before);
    expect(&got, 200, NULL);
    give_keys(&the.fresh);
    accepted(&the.fresh);
    accepted(&the.fresh);
    assert_int_equal(issuer_server_count(the.issuer, DOCUMENT), 2);
    /* the old key is gone, and with it what was validated by it */
    got = call(POLICY, before);
    expect(&got, 401, "its key 'old' is not one of the issuer's");
    end();
}

enum { THREADS = 8, CALLS = 20 };
static unsigned not_401;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *flood(void *user)
{
    struct service own = the.s; /* with an arena of this thread */
    struct minter_key stranger = the.stranger;
    size_t n = (size_t)(uintptr_t)user;

    arena_init(&own.a, (size_t)64 << 20);
    for (size_t i = 0; i < CALLS; i++) {
        const char *text = minter_token(&stranger, "ES256", NONE, arena_printf(&own.a, "{\"alg\":\"ES256\",\"kid\":\"x%zu-%zu\"}", n, i),
                                        arena_printf(&own.a, "{\"iss\":\"%s\"}", the.url), &own.a);
        const char *const headers[] = { arena_printf(&own.a, "Authorization: Bearer %s", text), NULL };
        struct answer got = service_call(&own, "GET", POLICY, headers, NONE);

        pthread_mutex_lock(&lock);
        not_401 += got.status != 401;
        pthread_mutex_unlock(&lock);
    }
    arena_done(&own.a);
    return NULL;
}

/* Unknown keys by the hundred, at once and after one another: one look at the issuer beside the first. */
static void stampede(void **state)
{
    pthread_t threads[THREADS];

    (void)state;
    issuer_up();
    service_start(&the.s, config(""), dev);
    all_fronts_accept(&the.old);
    not_401 = 0;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, flood, (void *)(uintptr_t)i), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(not_401, 0);
    assert_int_equal(issuer_server_count(the.issuer, DOCUMENT), 2);
    assert_int_equal(issuer_server_count(the.issuer, "/keys"), 2);
    accepted(&the.old);
    end();
}

static void several(void **state)
{
    struct issuer_server *second;
    const char *first_url, *second_url;
    const struct minter_key *list[] = { &the.fresh };
    struct answer got;

    (void)state;
    issuer_up();
    first_url = the.url;
    second = issuer_server_start(0, NULL);
    second_url = arena_printf(&the.a, "http://127.0.0.1:%d/tenant/", issuer_server_port(second));
    issuer_server_give(second, "/tenant" DOCUMENT, 200, bytes_str(document(second_url, arena_printf(&the.a, "http://127.0.0.1:%d/k?v=1", issuer_server_port(second)))), NULL);
    issuer_server_give(second, "/k", 200, minter_jwks(list, 1, &the.a), NULL);
    the.url = arena_printf(&the.a, "%s, %s", first_url, second_url);
    service_start(&the.s, config(""), dev);
    the.url = first_url;
    accepted(&the.old);
    got = call(POLICY, token_at(&the.fresh, "fresh", second_url, time(NULL)));
    expect(&got, 200, NULL);
    /* the keys of one are nothing with the other */
    got = call(POLICY, token_at(&the.fresh, "fresh", first_url, time(NULL)));
    expect(&got, 401, "its key 'fresh' is not one of the issuer's");
    issuer_server_stop(second);
    end();
}

/* -- an issuer that does not -- */

static void down_at_start(void **state)
{
    struct answer got;

    (void)state;
    issuer_up();
    issuer_down();
    service_start(&the.s, config("[collateral]\nwait = 2\n"), dev);
    refused(&the.old, 503, arena_printf(&the.a, "keys of the issuer: those of '%s' cannot be had: %s" DOCUMENT ": ", the.url, the.url));
    refused(&the.old, 503, "onnect");
    /* who needs no token is not hit, even if he sends one */
    {
        const char *const headers[] = { arena_printf(&the.a, "Authorization: Bearer %s", token(&the.old)), NULL };

        got = service_call(&the.s, "POST", "/attest/SgxEnclave?api-version=2022-08-01", headers, LIT("{}"));
        expect(&got, 400, NULL);
    }
    issuer_up();
    do {
        got = call(POLICY, token(&the.old));
    } while (got.status == 503);
    expect(&got, 200, NULL);
    end();
}

static void holds(void **state)
{
    struct answer got;

    (void)state;
    issuer_up();
    issuer_server_hold(the.issuer, true);
    service_start(&the.s, config("[collateral]\nwait = 1\ntimeout = 60\n"), dev);
    refused(&the.old, 503, DOCUMENT ": no answer yet");
    got = call("/certs", "x");
    expect(&got, 200, NULL);
    issuer_server_hold(the.issuer, false);
    do {
        got = call(POLICY, token(&the.old));
    } while (got.status == 503);
    expect(&got, 200, NULL);
    assert_int_equal(issuer_server_count(the.issuer, DOCUMENT), 1);
    end();
}

/* `document` and `keys`: text, or what it stands for: "" as it should be, "HUGE", "302". URL is the issuer's. */
static const struct fault {
    const char *name, *document, *keys, *why;
    unsigned status;
} faults[] = {
    { "another issuer", "{\"issuer\":\"https://evil.example\",\"jwks_uri\":\"URL/keys\"}", "", "is that of issuer 'https://evil.example', 'URL' is configured" },
    { "issuer with a slash", "{\"issuer\":\"URL/\",\"jwks_uri\":\"URL/keys\"}", "", "is that of issuer 'URL/', 'URL' is configured" },
    { "issuer of another type", "{\"issuer\":[\"URL\"],\"jwks_uri\":\"URL/keys\"}", "", "has no string member 'issuer'" },
    { "issuer twice", "{\"issuer\":\"x\",\"issuer\":\"URL\",\"jwks_uri\":\"URL/keys\"}", "", "discovery document: " },
    { "no jwks_uri", "{\"issuer\":\"URL\"}", "", "has no string member 'jwks_uri'" },
    { "jwks_uri of a file", "{\"issuer\":\"URL\",\"jwks_uri\":\"file:///etc/passwd\"}", "", "'file:///etc/passwd' does not begin with https://" },
    { "jwks_uri with a user", "{\"issuer\":\"URL\",\"jwks_uri\":\"http://a@b/\"}", "", "has the byte 40 at 8, which is not allowed" },
    { "document of HTML", "<html>", "", "discovery document: " },
    { "document too large", "HUGE", "", "answer is larger than 65536 bytes" },
    { "document elsewhere", "302", "", "redirects to URL/keys, which is not followed" },
    { "document missing", "404", "", "HTTP 404" },
    { "issuer in trouble", "500", "", "HTTP 500" },
    { "keys elsewhere", "", "302", "redirects to URL/keys, which is not followed" },
    { "keys missing", "", "404", "HTTP 404" },
    { "keys too large", "", "HUGE", "answer is larger than 262144 bytes" },
    { "keys of HTML", "", "<html>", "key set: " },
    { "keys no array", "", "{\"keys\":{}}", "'keys' must be an array of at most 64 keys" },
    { "no keys", "", "{\"keys\":[]}", "none of its 0 keys can verify signatures here" },
    { "only keys of other kinds", "", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"},{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\"}]}", "none of its 2 keys can verify" },
    { "one kid twice", "", "TWICE", "two keys have the kid 'old'" },
};

/* The text with the issuer's address put in. */
static const char *with_url(const char *text)
{
    struct out o = out_open(&the.a);
    const char *at;

    while ((at = strstr(text, "URL")) != NULL) {
        out_bytes(&o, bytes_of(text, (size_t)(at - text)));
        out_text(&o, the.url);
        text = at + 3;
    }
    out_text(&o, text);
    return (const char *)out_view(&o).p;
}

static void misbehave(const char *path, const char *what)
{
    const struct minter_key *twice[] = { &the.old, &the.old };
    unsigned status = (unsigned)atoi(what);

    if (what[0] == 0)
        return;
    if (strcmp(what, "HUGE") == 0) {
        uint8_t *p = arena_alloc(&the.a, 300000);

        assert_non_null(p);
        memset(p, ' ', 300000);
        issuer_server_give(the.issuer, path, 200, bytes_of(p, 300000), NULL);
    } else if (strcmp(what, "TWICE") == 0) {
        issuer_server_give(the.issuer, path, 200, minter_jwks(twice, 2, &the.a), NULL);
    } else if (status != 0) {
        issuer_server_give(the.issuer, path, status, LIT("x"), arena_printf(&the.a, "Location: %s/keys", the.url));
    } else {
        give(path, with_url(what));
    }
}

static void fault(void **state)
{
    const struct fault *f = *state;

    issuer_up();
    misbehave(DOCUMENT, f->document);
    misbehave("/keys", f->keys);
    service_start(&the.s, config(""), dev);
    refused(&the.old, 503, with_url(f->why));
    refused(&the.old, 503, the.url);
    end();
}

/* A set may hold what we do not understand; the rest of it counts. */
static void mixed_set(void **state)
{
    struct jarr list = jarr_open(&the.a);
    struct jobj o = jobj_open(&the.a);

    (void)state;
    issuer_up();
    jarr_raw(&list, LIT("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"old\",\"x\":\"AA\"}"));
    jarr_raw(&list, LIT("{\"kty\":\"RSA\",\"use\":\"enc\",\"kid\":\"old\",\"n\":\"AA\",\"e\":\"AQAB\"}"));
    jarr_raw(&list, LIT("{\"kty\":\"EC\",\"x5c\":[\"AA\"],\"kid\":\"old\"}"));
    jarr_raw(&list, minter_jwk(&the.old, &the.a));
    jobj_json(&o, "keys", jarr_close(&list));
    issuer_server_give(the.issuer, "/keys", 200, jobj_print(&o, false), NULL);
    service_start(&the.s, config(""), dev);
    accepted(&the.old);
    end();
}

/* -- outages -- */

static void outage(void **state)
{
    (void)state;
    issuer_up();
    service_start(&the.s, config("[collateral]\nwait = 2\n"), dev);
    all_fronts_accept(&the.old);
    issuer_down();
    accepted(&the.old);
    /* whether this key is a new one cannot be known: 503, not 401 */
    refused(&the.fresh, 503, arena_printf(&the.a, "those of '%s' cannot be had: %s" DOCUMENT, the.url, the.url));
    accepted(&the.old);
    service_restart(&the.s, config("[collateral]\nwait = 2\n"), dev);
    all_fronts_accept(&the.old);
    refused(&the.fresh, 503, the.url);
    end();
}

/* The set was fresh for 5 minutes and may be used for 24 hours more. */
static void kept_until(void **state)
{
    static const struct {
        long later;
        bool works;
    } steps[] = { { 0, true }, { 23 * 3600, true }, { 24 * 3600 + 290, true }, { 24 * 3600 + 400, false } };
    int64_t now = time(NULL);

    (void)state;
    issuer_up();
    for (size_t i = 0; i < COUNT(steps); i++) {
        const char *text = config(arena_printf(&the.a, "[collateral]\nwait = 2\n[dev]\nclock = %s\n", stamp_text(now + steps[i].later).s));
        struct answer got;

        if (i == 0)
            service_start(&the.s, text, dev);
        else
            service_restart(&the.s, text, dev);
        got = call(POLICY, token_at(&the.old, "old", the.url, now + steps[i].later));
        expect(&got, steps[i].works ? 200 : 503, steps[i].works ? NULL : the.url);
        issuer_down();
    }
    end();
}

/* What lies in the folder is used only where it is what we wrote. */
static void kept_damaged(void **state)
{
    char command[200];

    (void)state;
    issuer_up();
    service_start(&the.s, config("[collateral]\nwait = 2\n"), dev);
    accepted(&the.old);
    issuer_down();
    snprintf(command, sizeof(command), "sed -i s/127.0.0.1/127.0.0.2/ '%s'/state/collateral/issuers/*.json", the.s.state);
    assert_int_equal(system(command), 0);
    service_restart(&the.s, config("[collateral]\nwait = 2\n"), dev);
    refused(&the.old, 503, the.url);
    end();
}

static void *first_call(void *user)
{
    struct service own = the.s; /* with an arena of this thread */
    struct answer got;
    const char *const headers[] = { user, NULL };

    arena_init(&own.a, 1 << 22);
    got = service_call(&own, "GET", POLICY, headers, NONE);
    arena_done(&own.a);
    return (void *)(uintptr_t)got.status;
}

/* Asked again of its successor: the request never learns of it. */
static void fetcher_dies(void **state)
{
    pthread_t thread;
    pid_t pid;
    void *status;

    (void)state;
    issuer_up();
    issuer_server_hold(the.issuer, true);
    service_start(&the.s, config("[collateral]\nwait = 30\ntimeout = 60\n"), dev);
    assert_int_equal(pthread_create(&thread, NULL, first_call, arena_printf(&the.a, "Authorization: Bearer %s", token(&the.old))), 0);
    while (issuer_server_count(the.issuer, DOCUMENT) == 0)
        sched_yield();
    pid = service_child(&the.s, "avouch-collater"); /* it asks, so it has its name, of which 15 characters are shown */
    assert_true(pid > 0);
    assert_int_equal(kill(pid, SIGKILL), 0);
    issuer_server_hold(the.issuer, false);
    pthread_join(thread, &status);
    assert_int_equal((uintptr_t)status, 200);
    end();
}

static atomic_bool request_sent;

static int on_sent(CURL *c, curl_infotype type, char *data, size_t n, void *user)
{
    (void)c, (void)data, (void)n, (void)user;
    if (type == CURLINFO_HEADER_OUT)
        atomic_store(&request_sent, true);
    return 0;
}

static size_t drop(char *p, size_t size, size_t n, void *user)
{
    (void)p, (void)user;
    return size * n;
}

/* Tells when its request is on the way. */
static void *told_call(void *authorization)
{
    struct curl_slist *headers = curl_slist_append(NULL, authorization);
    CURL *c = curl_easy_init();
    char url[128];
    long status = 0;

    snprintf(url, sizeof(url), "%s%s", the.s.url, POLICY);
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_CAINFO, the.s.ca);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c, CURLOPT_VERBOSE, 1L);
    curl_easy_setopt(c, CURLOPT_DEBUGFUNCTION, on_sent);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, drop);
    (void)curl_easy_perform(c);
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(c);
    curl_slist_free_all(headers);
    return (void *)(uintptr_t)status;
}

/* The time of a stop is up while somebody waits: that one has an answer too. */
static void stop_while_waiting(void **state)
{
    pthread_t thread;
    void *status;

    (void)state;
    issuer_up();
    issuer_server_hold(the.issuer, true);
    service_start(&the.s, config("[collateral]\nwait = 30\ntimeout = 60\n[limits]\ndrain = 1\n"), dev);
    assert_int_equal(pthread_create(&thread, NULL, told_call, arena_printf(&the.a, "Authorization: Bearer %s", token(&the.old))), 0);
    while (!atomic_load(&request_sent))
        sched_yield();
    (void)kill(the.s.pid, SIGTERM);
    pthread_join(thread, &status);
    issuer_server_hold(the.issuer, false);
    assert_int_equal((uintptr_t)status, 503);
    end();
}

/* -- TLS -- */

/* The certificate of the issuer verifies with collateral.ca only, and is for localhost only. */
static void over_tls(void **state)
{
    struct err e = { .code = ERR_NONE };
    const struct minter_key *list[] = { &the.old };
    const char *ca;

    (void)state;
    snprintf(the.folder, sizeof(the.folder), "/tmp/avouch-issuer-XXXXXX");
    assert_non_null(mkdtemp(the.folder));
    ca = arena_printf(&the.a, "%s/cert.pem", the.folder);
    assert_ok(tls_make_development(ca, arena_printf(&the.a, "%s/key.pem", the.folder), &e), &e);
    the.issuer = issuer_server_start(0, the.folder);
    the.url = arena_printf(&the.a, "https://localhost:%d", issuer_server_port(the.issuer));
    give(DOCUMENT, document(the.url, arena_printf(&the.a, "%s/keys", the.url)));
    issuer_server_give(the.issuer, "/keys", 200, minter_jwks(list, 1, &the.a), NULL);
    service_start(&the.s, config(arena_printf(&the.a, "[collateral]\nca = %s\n", ca)), NULL);
    accepted(&the.old);
    service_stop(&the.s);
    service_start(&the.s, config(""), NULL);
    refused(&the.old, 503, "certificate");
    /* outside --dev the keys may not come in the clear */
    give(DOCUMENT, document(the.url, "http://127.0.0.1:1/keys"));
    service_restart(&the.s, config(arena_printf(&the.a, "[collateral]\nca = %s\n", ca)), NULL);
    refused(&the.old, 503, "jwks_uri: 'http://127.0.0.1:1/keys' does not begin with https://");
    end();
    (void)!system(arena_printf(&the.a, "rm -rf '%s'", the.folder));
}

/* -- configuration -- */

static const struct setting {
    const char *text;
    int status;
    bool dev;
} settings[] = {
    { "issuer = https://a.example", 0, false },   { "issuer = urn:a\njwks = /x", 0, false }, { "issuer = http://a.example", 0, true },
    { "issuer = http://a.example", 2, false },    { "issuer = urn:a", 2, false },            { "issuer = urn:a", 2, true },
    { "jwks = /x", 2, false },
};

static void setting(void **state)
{
    const struct setting *c = *state;
    char path[] = "/tmp/avouch-issuer-XXXXXX";
    FILE *f = fdopen(mkstemp(path), "w");
    const char *const argv[] = { program_path(&the.a, "avouchd"), "--check", "--config", path, c->dev ? "--dev" : NULL, NULL };
    int status;

    assert_non_null(f);
    fprintf(f, "[auth]\n%s\n", c->text);
    fclose(f);
    (void)run_program(&the.a, argv, &status);
    (void)unlink(path);
    assert_int_equal(status, c->status);
}

int main(void)
{
    struct suite s = { 0 };
    int status;

    (void)signal(SIGPIPE, SIG_IGN);
    arena_init(&the.a, (size_t)512 << 20);
    the.old = minter_key(MINTER_P256, "old");
    the.fresh = minter_key(MINTER_P256, "fresh");
    the.stranger = minter_key(MINTER_P256, "stranger");
    suite_add(&s, "keys are found by discovery, once", found, NULL);
    suite_add(&s, "a write waits for the keys and is done once", body_waits_too, NULL);
    suite_add(&s, "a new key is found, an old one forgotten", rotated, NULL);
    suite_add(&s, "a stampede of unknown keys is one look", stampede, NULL);
    suite_add(&s, "several issuers", several, NULL);
    suite_add(&s, "down at the start, then up", down_at_start, NULL);
    suite_add(&s, "gives no answer, then gives one", holds, NULL);
    for (size_t i = 0; i < COUNT(faults); i++)
        suite_add(&s, arena_printf(&the.a, "fault: %s", faults[i].name), fault, (void *)(uintptr_t)&faults[i]);
    suite_add(&s, "a set with keys of other kinds", mixed_set, NULL);
    suite_add(&s, "an outage locks nobody out, also over a restart", outage, NULL);
    suite_add(&s, "the kept set serves 24 hours beyond its freshness", kept_until, NULL);
    suite_add(&s, "a kept set that was changed is not used", kept_damaged, NULL);
    suite_add(&s, "over TLS", over_tls, NULL);
    suite_add(&s, "the fetching process dies while a request waits", fetcher_dies, NULL);
    suite_add(&s, "a stop while a request waits", stop_while_waiting, NULL);
    for (size_t i = 0; i < COUNT(settings); i++)
        suite_add(&s, arena_printf(&the.a, "configuration: %s%s", settings[i].text, settings[i].dev ? " with --dev" : ""), setting, (void *)(uintptr_t)&settings[i]);
    status = suite_run("issuer", &s);
    minter_key_free(&the.old);
    minter_key_free(&the.fresh);
    minter_key_free(&the.stranger);
    arena_done(&the.a);
    return status;
}
