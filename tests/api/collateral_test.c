/* collateral_test.c: the service against vendors that misbehave: what it answers for the platform that is hit,
 * and that no request of another platform suffers.
 *
 * Vendors run in this process (vendor.h) with collateral of a PKI of our own; time is that of [dev] clock. */
#include "service.h"
#include "vendor.h"

#include "codec/b64.h"
#include "codec/stamp.h"
#include "os/io.h"
#include "os/tls.h"

#include <curl/curl.h>
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define NOW 1767225600LL /* 2026-01-01T00:00:00Z */
#define ATTEST "/attest/SgxEnclave?api-version=2022-08-01"

static const char *const dev[] = { "--dev", NULL };

static struct {
    struct arena a;
    struct intel_pki *pki;
    struct pki_options o;
    char folder[64];
    struct service service;
    struct vendor *first, *second;
    unsigned platforms; /* made so far: each row uses fresh ones */
} the;

/* -- platforms -- */

struct platform {
    char fmspc[13];
    struct bytes body; /* of the request */
};

/* Another FMSPC and another certificate of the same PKI. */
static struct platform platform_new(void)
{
    struct platform p;
    struct pki_options o = the.o;
    struct out body = out_open(&the.a);
    unsigned n = ++the.platforms;

    o.fmspc[4] = (uint8_t)(n >> 8);
    o.fmspc[5] = (uint8_t)n;
    o.serial = 1000 + n;
    snprintf(p.fmspc, sizeof(p.fmspc), "00a06711%02x%02x", (n >> 8) & 0xff, n & 0xff);
    out_text(&body, "{\"quote\":\"");
    b64url_print(&body, pki_quote(the.pki, &o, &the.a));
    out_text(&body, "\"}");
    p.body = out_view(&body);
    return p;
}

static struct answer attest(const struct platform *p)
{
    return service_call(&the.service, "POST", ATTEST, NULL, p->body);
}

static void assert_status(const struct answer *a, long status)
{
    if (a->status != status)
        fail_msg("HTTP %ld, expected %ld: %s", a->status, status, (const char *)a->body.p);
}

static void assert_token(const struct answer *a)
{
    assert_status(a, 200);
    assert_non_null(json_member(a->json, "token"));
}

static void assert_missing(const struct answer *a, const char *piece, const char *why)
{
    const char *message;

    assert_status(a, 503);
    message = answer_message(&the.service, a);
    if (strstr(message, piece) == NULL || strstr(message, why) == NULL || strstr(message, "COLLATERAL_MISSING") == NULL)
        fail_msg("message '%s' does not name '%s' and '%s'", message, piece, why);
    assert_string_equal(answer_code(&the.service, a), "ServiceUnavailable");
    assert_non_null(answer_header(&the.service, a, "Retry-After"));
    assert_in_range(atoi(answer_header(&the.service, a, "Retry-After")), 1, 3600);
}

/* A call in a thread of its own: what is done meanwhile shows whether it is disturbed. */
struct background {
    pthread_t thread;
    struct service service; /* with memory of its own */
    struct bytes body;
    struct answer answer;
};

static void *run_background(void *arg)
{
    struct background *b = arg;

    b->answer = service_call(&b->service, "POST", ATTEST, NULL, b->body);
    return NULL;
}

static void background_start(struct background *b, const struct platform *p)
{
    b->service = the.service;
    arena_init(&b->service.a, 16 << 20);
    b->body = p->body;
    assert_int_equal(pthread_create(&b->thread, NULL, run_background, b), 0);
}

static void background_join(struct background *b)
{
    assert_int_equal(pthread_join(b->thread, NULL), 0);
}

/* Until the vendor has the question: no clock, the test's own time limit ends it. */
static void await_count(struct vendor *v, const char *part, unsigned n)
{
    while (vendor_count(v, part) < n)
        usleep(1000);
}

/* -- services -- */

static const char *config_with(const char *at, const char *collateral)
{
    return arena_printf(&the.a,
                        "workers = 2\n[verify]\ntrust = %s/trust\n[metrics]\nlisten =\n[collateral]\n%s\n[dev]\nclock = %s\n", the.folder,
                        collateral, at);
}

static void start(const char *collateral)
{
    service_start(&the.service, config_with("2026-01-01T00:00:00Z", collateral), dev);
}

static const char *url_of(const struct vendor *v)
{
    return arena_printf(&the.a, "http://127.0.0.1:%d", vendor_port(v));
}

static void vendors_start(void)
{
    the.first = vendor_start(the.pki, &the.o, NULL);
    the.second = vendor_start(the.pki, &the.o, NULL);
}

static void all_stop(void)
{
    assert_int_equal(service_stop(&the.service), 0);
    vendor_stop(the.first);
    vendor_stop(the.second);
}

/* -- the table of faults -- */

static const struct row {
    const char *name;
    enum fault fault;
    const char *why; /* what the message says of the only source */
} rows[] = {
    { "404", FAULT_404, "HTTP 404" },
    { "500", FAULT_500, "HTTP 500" },
    { "cut body", FAULT_CUT, "http://127.0.0.1" },
    { "wrong signature", FAULT_SIGNATURE, "signature does not verify" },
    { "set that is over", FAULT_OLD, "ended at 2025-12-" },
    { "huge body", FAULT_HUGE, "answer is larger than 4194304 bytes" },
    { "redirect to another host", FAULT_REDIRECT_AWAY, "redirects to another host" },
    { "redirect loop", FAULT_REDIRECT_LOOP, "redirects too often" },
    { "no issuer chain", FAULT_NO_CHAIN, "came without its issuer chain" },
    { "HTML instead of JSON", FAULT_GARBAGE, "neither collateral JSON nor CRL nor certificate" },
    { "another platform's TCB info", FAULT_OTHER, "but not of what was asked for" },
    { "signed by a stranger", FAULT_FOREIGN, "root" },
    { "429 with Retry-After", FAULT_429, "HTTP 429" },
};

/* One source, and it misbehaves for one platform. */
static void only_source(void **state)
{
    const struct row *r = *state;
    struct platform bad = platform_new(), good = platform_new();
    struct answer got;

    vendor_fault(the.first, bad.fmspc, r->fault);
    got = attest(&bad);
    assert_missing(&got, arena_printf(&the.a, "no TCB info on hand for FMSPC %s", bad.fmspc), r->why);
    got = attest(&good);
    assert_token(&got);
    vendor_fault(the.first, bad.fmspc, FAULT_NONE);
}

/* The first source misbehaves, the second does not: nobody notices. */
static void second_source(void **state)
{
    const struct row *r = *state;
    struct platform bad = platform_new(), good = platform_new();
    struct answer got;

    vendor_fault(the.first, bad.fmspc, r->fault);
    got = attest(&bad);
    assert_token(&got);
    assert_int_equal(vendor_count(the.second, bad.fmspc), 1);
    got = attest(&good);
    assert_token(&got);
    vendor_fault(the.first, bad.fmspc, FAULT_NONE);
}

static void redirect_here(void **state)
{
    struct platform p = platform_new();
    struct answer got;

    (void)state;
    vendor_fault(the.first, p.fmspc, FAULT_REDIRECT_HERE);
    got = attest(&p);
    assert_token(&got);
}

/* A source that does not answer holds up its own platform's request until its deadline, and nobody else's. */
static void slow_source(void **state)
{
    struct platform slow = platform_new(), good = platform_new();
    struct background b;
    struct answer got;

    (void)state;
    vendor_fault(the.first, slow.fmspc, FAULT_HOLD);
    background_start(&b, &slow);
    await_count(the.first, slow.fmspc, 1);
    for (int i = 0; i < 20; i++) {
        struct platform other = i % 4 == 0 ? platform_new() : good; /* new ones ask the same source meanwhile */

        got = attest(&other);
        assert_token(&got);
    }
    background_join(&b);
    assert_missing(&b.answer, "no TCB info on hand", "no answer yet");
    arena_done(&b.service.a);
    vendor_release(the.first);
}

/* What failed once is there when the source has it again: nothing is wrong for longer than it must be. */
static void recovers(void **state)
{
    struct platform p = platform_new();
    struct answer got;

    (void)state;
    vendor_fault(the.first, p.fmspc, FAULT_500);
    got = attest(&p);
    assert_status(&got, 503);
    vendor_fault(the.first, p.fmspc, FAULT_NONE);
    do
        got = attest(&p);
    while (got.status == 503);
    assert_token(&got);
}

/* A tampered quote is refused, not undecided, and a good one is not refused because of a source. */
static void verdicts_stay_apart(void **state)
{
    struct platform p = platform_new();
    struct answer got = attest(&p);
    uint8_t *copy = (uint8_t *)(uintptr_t)arena_copy(&the.a, p.body).p;

    (void)state;
    assert_token(&got);
    copy[200] = copy[200] == 'A' ? 'B' : 'A';
    got = service_call(&the.service, "POST", ATTEST, NULL, bytes_of(copy, p.body.n));
    assert_status(&got, 400);
}

/* -- stampede -- */

enum { STAMPEDE = 1000 };

static size_t drop(char *data, size_t size, size_t n, void *user)
{
    (void)data, (void)user;
    return size * n;
}

static bool all_sent(CURL **list, size_t n)
{
    curl_off_t sent;

    for (size_t i = 0; i < n; i++)
        if (curl_easy_getinfo(list[i], CURLINFO_SIZE_UPLOAD_T, &sent) != CURLE_OK || sent <= 0)
            return false;
    return true;
}

static void stampede(void **state)
{
    struct platform p = platform_new();
    CURLM *m = curl_multi_init();
    static CURL *list[STAMPEDE];
    long status, good = 0;
    bool held = true;
    int running = 1;
    uint64_t begun = clock_monotonic_us();

    (void)state;
    vendor_fault(the.first, p.fmspc, FAULT_HOLD);
    for (size_t i = 0; i < STAMPEDE; i++) {
        list[i] = curl_easy_init();
        curl_easy_setopt(list[i], CURLOPT_URL, arena_printf(&the.a, "%s" ATTEST, the.service.url));
        curl_easy_setopt(list[i], CURLOPT_CAINFO, the.service.ca);
        curl_easy_setopt(list[i], CURLOPT_POSTFIELDSIZE, (long)p.body.n);
        curl_easy_setopt(list[i], CURLOPT_POSTFIELDS, (const char *)p.body.p);
        curl_easy_setopt(list[i], CURLOPT_WRITEFUNCTION, drop);
        curl_multi_add_handle(m, list[i]);
    }
    while (running > 0) {
        curl_multi_perform(m, &running);
        if (held && all_sent(list, STAMPEDE)) {
            held = false;
            vendor_release(the.first);
        }
        curl_multi_poll(m, NULL, 0, 50, NULL);
    }
    for (size_t i = 0; i < STAMPEDE; i++) {
        curl_easy_getinfo(list[i], CURLINFO_RESPONSE_CODE, &status);
        good += status == 200;
        curl_multi_remove_handle(m, list[i]);
        curl_easy_cleanup(list[i]);
    }
    curl_multi_cleanup(m);
    assert_false(held);
    assert_int_equal(good, STAMPEDE);
    assert_int_equal(vendor_count(the.first, p.fmspc), 1);
    print_message("# %d requests for one platform: %u fetch, all answered after %llu ms\n", STAMPEDE, vendor_count(the.first, p.fmspc),
                  (unsigned long long)(clock_monotonic_us() - begun) / 1000);
}

/* -- outages -- */

enum { FLEET = 12 };
static struct platform fleet[FLEET];

/* Every source is gone; the clock is elsewhere; the cache is as it was left. */
static void outage_at(const char *at, long status, const char *part)
{
    service_restart(&the.service, config_with(at, arena_printf(&the.a, "intel = pcs:http://127.0.0.1:9, pccs:http://127.0.0.1:9\nwait = 2\n")), dev);
    for (size_t i = 0; i < FLEET; i++) {
        struct answer got = attest(&fleet[i]);

        assert_status(&got, status);
        if (part != NULL && strstr(answer_message(&the.service, &got), part) == NULL)
            fail_msg("message '%s' does not contain '%s'", answer_message(&the.service, &got), part);
    }
}

static void warm_cache(void **state)
{
    (void)state;
    for (size_t i = 0; i < FLEET; i++) {
        struct answer got;

        fleet[i] = platform_new();
        got = attest(&fleet[i]);
        assert_token(&got);
    }
}

static void outage_of_an_hour(void **state)
{
    (void)state;
    outage_at("2026-01-01T01:00:00Z", 200, NULL);
}

/* Minted until the 31st: 30 days from NOW. */
static void outage_until_the_end(void **state)
{
    (void)state;
    outage_at("2026-01-30T23:00:00Z", 200, NULL);
}

static void outage_beyond_the_end(void **state)
{
    (void)state;
    outage_at("2026-02-02T00:00:00Z", 503, "_EXPIRED");
}

/* A new platform during the outage: it alone has to wait for better times. */
static void unknown_during_outage(void **state)
{
    struct platform p = platform_new();
    struct answer got;

    (void)state;
    outage_at("2026-01-01T02:00:00Z", 200, NULL);
    got = attest(&p);
    assert_missing(&got, p.fmspc, "pcs http://127.0.0.1:9: ");
    got = attest(&fleet[0]);
    assert_token(&got);
}

/* -- killing -- */

static pid_t pid_of(const char *name)
{
    DIR *d = opendir("/proc");
    struct dirent *f;
    pid_t found = 0;

    while (d != NULL && (f = readdir(d)) != NULL) {
        char path[320], text[512];
        FILE *stat;
        int parent = 0;
        char comm[64] = "";

        snprintf(path, sizeof(path), "/proc/%s/stat", f->d_name);
        if ((stat = fopen(path, "r")) == NULL)
            continue;
        if (fgets(text, sizeof(text), stat) != NULL && sscanf(text, "%*d (%63[^)]) %*c %d", comm, &parent) == 2 && parent == the.service.pid
            && strcmp(comm, name) == 0)
            found = atoi(f->d_name);
        fclose(stat);
    }
    closedir(d);
    return found;
}

/* kill -9 while it fetches: what is cached is served by the fronts meanwhile, and the new process goes on. */
static void survives_kill(void **state)
{
    struct platform known = platform_new(), p = platform_new();
    struct answer got = attest(&known);
    struct background b;
    pid_t pid = pid_of("avouch-collater"); /* names are cut to 15 characters */

    (void)state;
    assert_token(&got);
    assert_int_not_equal(pid, 0);
    vendor_fault(the.first, p.fmspc, FAULT_HOLD);
    background_start(&b, &p);
    await_count(the.first, p.fmspc, 1);
    assert_int_equal(kill(pid, SIGKILL), 0);
    got = attest(&known);
    assert_token(&got);
    vendor_release(the.first);
    background_join(&b);
    assert_token(&b.answer);
    arena_done(&b.service.a);
}

/* Damaged files of the cache are left out, whatever is in them. */
static void damaged_cache(void **state)
{
    struct platform p = platform_new();
    struct answer got = attest(&p);
    const char *folder = arena_printf(&the.a, "%s/state/collateral", the.service.state);
    const char *const *names;
    struct err e = { 0 };
    size_t count;

    (void)state;
    assert_token(&got);
    assert_ok(folder_list(folder, &the.a, &names, &count, &e), &e);
    assert_true(count > 4);
    for (size_t i = 0; i < count; i++) {
        const char *path = arena_printf(&the.a, "%s/%s", folder, names[i]);
        struct bytes b = test_read(&the.a, path);

        assert_ok(file_write(path, bytes_part(b, 0, i % 2 == 0 ? b.n / 2 : b.n - 1), 0600, &e), &e);
    }
    assert_ok(file_write(arena_printf(&the.a, "%s/0000.coll", folder), LIT("nonsense"), 0600, &e), &e);
    service_restart(&the.service, config_with("2026-01-01T00:00:00Z", arena_printf(&the.a, "intel = pcs:%s\n", url_of(the.first))), dev);
    got = attest(&p);
    assert_token(&got);
    assert_int_equal(vendor_count(the.first, p.fmspc), 1); /* fetched again */
}

/* -- forms of sources -- */

static void form_of_source(void **state)
{
    const char *const *form = *state;
    struct platform p = platform_new();
    struct answer got;

    service_restart(&the.service, config_with("2026-01-01T00:00:00Z", arena_printf(&the.a, "intel = %s:%s\n", form[0], url_of(the.second))), dev);
    got = attest(&p);
    assert_token(&got);
    assert_true(vendor_count(the.second, form[1]) >= 1);
}

static const char *const forms[][2] = {
    { "pcs", "/sgx/certification/v4/tcb?fmspc=" },
    { "pcs3", "/sgx/certification/v3/tcb?fmspc=" },
    { "pccs", "/sgx/certification/v4/tcb?fmspc=" },
    { "mirror", "/sgx/certification/v4/tcb?fmspc=" },
    { "thim", "clientid=production_client&api-version=2018-10-01-preview" },
};

/* -- TLS -- */

static void tls_verified(void **state)
{
    const char *good = arena_printf(&the.a, "%s/good", the.folder), *other = arena_printf(&the.a, "%s/other", the.folder);
    struct vendor *v = vendor_start(the.pki, &the.o, good);
    struct platform p = platform_new();
    struct answer got;

    (void)state;
    service_restart(&the.service, config_with("2026-01-01T00:00:00Z", arena_printf(&the.a, "intel = pcs:https://localhost:%d\nca = %s/cert.pem\n",
                                                                                vendor_port(v), other)), dev);
    got = attest(&p);
    assert_missing(&got, p.fmspc, "certificate");
    service_restart(&the.service, config_with("2026-01-01T00:00:00Z", arena_printf(&the.a, "intel = pcs:https://localhost:%d\nca = %s/cert.pem\n",
                                                                                vendor_port(v), good)), dev);
    got = attest(&p);
    assert_token(&got);
    vendor_stop(v);
}

/* -- generations -- */

/* At half of its life an item is asked for again, by its entity tag; an older set never replaces it. */
static void refreshed_at_half_life(void **state)
{
    struct platform p = platform_new();
    struct pki_options later = the.o;
    const char *source = arena_printf(&the.a, "intel = pcs:%s\n", url_of(the.first));
    struct answer got;
    unsigned before = vendor_count_conditional(the.first);

    (void)state;
    service_restart(&the.service, config_with("2026-01-01T00:00:00Z", source), dev);
    got = attest(&p);
    assert_token(&got);
    service_restart(&the.service, config_with("2026-01-20T00:00:00Z", source), dev);
    await_count(the.first, p.fmspc, 2); /* by itself */
    while (vendor_count_conditional(the.first) == before)
        usleep(1000);
    vendor_fault(the.first, p.fmspc, FAULT_OLDER);
    service_restart(&the.service, config_with("2026-01-29T00:00:00Z", source), dev);
    await_count(the.first, p.fmspc, 3);
    got = attest(&p);
    assert_token(&got);
    vendor_fault(the.first, p.fmspc, FAULT_NONE);
    later.coll_from = NOW + 25 * 86400;
    later.coll_to = NOW + 55 * 86400;
    vendor_options(the.first, &later);
    service_restart(&the.service, config_with("2026-01-30T00:00:00Z", source), dev);
    await_count(the.first, p.fmspc, 4);
    service_restart(&the.service, config_with("2026-02-10T00:00:00Z", "intel = none\n"), dev); /* only the new set reaches so far */
    got = attest(&p);
    assert_status(&got, 200);
    vendor_options(the.first, &the.o);
}

static void bundle_alone(void **state)
{
    (void)state;
}

/* -- */

static void prepare(void)
{
    static const char *const folders[] = { "trust", "good", "other" };
    struct rlimit files;
    struct err e = { 0 };

    arena_init(&the.a, (size_t)1 << 30);
    the.pki = intel_pki_new();
    the.o = pki_options(NOW);
    snprintf(the.folder, sizeof(the.folder), "/tmp/avouch-vendor-XXXXXX");
    if (mkdtemp(the.folder) == NULL)
        abort();
    for (size_t i = 0; i < COUNT(folders); i++) {
        const char *folder = arena_printf(&the.a, "%s/%s", the.folder, folders[i]);

        if (!folder_make(folder, 0755, &e)
            || (i > 0 && !tls_make_development(arena_printf(&the.a, "%s/cert.pem", folder), arena_printf(&the.a, "%s/key.pem", folder), &e)))
            abort();
    }
    if (!file_write(arena_printf(&the.a, "%s/trust/root.pem", the.folder), pki_root_pem(the.pki, &the.o, &the.a), 0644, &e))
        abort();
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    vendors_start();
}

static void one_source(void **state)
{
    (void)state;
    service_restart(&the.service, config_with("2026-01-01T00:00:00Z", arena_printf(&the.a, "intel = pcs:%s\nwait = 2\ntimeout = 1\n", url_of(the.first))),
                    dev);
}

static void two_sources(void **state)
{
    (void)state;
    service_restart(&the.service, config_with("2026-01-01T00:00:00Z", arena_printf(&the.a, "intel = pcs:%s, pccs:%s\nwait = 10\ntimeout = 1\n",
                                                                                url_of(the.first), url_of(the.second))), dev);
}

static void patient(void **state)
{
    (void)state;
    service_restart(&the.service, config_with("2026-01-01T00:00:00Z", arena_printf(&the.a, "intel = pcs:%s\nwait = 60\ntimeout = 60\n", url_of(the.first))),
                    dev);
}

static void stops(void **state)
{
    (void)state;
    all_stop();
}

int main(void)
{
    struct suite s = { 0 };

    prepare();
    start("intel = none\n");
    suite_add(&s, "one source", one_source, NULL);
    for (size_t i = 0; i < COUNT(rows); i++)
        suite_add(&s, arena_printf(&the.a, "only source: %s", rows[i].name), only_source, (void *)(uintptr_t)&rows[i]);
    suite_add(&s, "redirect to the same host", redirect_here, NULL);
    suite_add(&s, "only source: slow", slow_source, NULL);
    suite_add(&s, "recovers by itself", recovers, NULL);
    suite_add(&s, "refused stays refused", verdicts_stay_apart, NULL);
    suite_add(&s, "two sources", two_sources, NULL);
    for (size_t i = 0; i < COUNT(rows); i++)
        suite_add(&s, arena_printf(&the.a, "first of two: %s", rows[i].name), second_source, (void *)(uintptr_t)&rows[i]);
    suite_add(&s, "patient service", patient, NULL);
    suite_add(&s, "stampede", stampede, NULL);
    suite_add(&s, "killed while it fetches", survives_kill, NULL);
    suite_add(&s, "warm cache", warm_cache, NULL);
    suite_add(&s, "all sources down, an hour later", outage_of_an_hour, NULL);
    suite_add(&s, "all sources down, an hour before the end", outage_until_the_end, NULL);
    suite_add(&s, "all sources down, beyond the end", outage_beyond_the_end, NULL);
    suite_add(&s, "all sources down, new platform", unknown_during_outage, NULL);
    for (size_t i = 0; i < COUNT(forms); i++)
        suite_add(&s, arena_printf(&the.a, "form %s", forms[i][0]), form_of_source, (void *)(uintptr_t)forms[i]);
    suite_add(&s, "damaged cache", damaged_cache, NULL);
    suite_add(&s, "TLS is verified", tls_verified, NULL);
    suite_add(&s, "refreshed at half-life, never by an older set", refreshed_at_half_life, NULL);
    suite_add(&s, "bundle alone", bundle_alone, NULL);
    suite_add(&s, "stops cleanly", stops, NULL);
    return suite_run("collateral", &s);
}
