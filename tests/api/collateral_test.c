/* collateral_test.c: the service against vendors that misbehave: what it answers for the platform that is hit,
 * and that no request of another platform suffers.
 *
 * Vendors run in this process (vendor.h) with collateral of a PKI of our own; time is that of [dev] clock. */
#include "service.h"
#include "vendor.h"

#include "codec/b64.h"
#include "codec/hex.h"
#include "codec/stamp.h"
#include "os/channel.h"
#include "os/io.h"
#include "os/tls.h"

#include <curl/curl.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
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
    const char *host;       /* NULL: the shared provider */
    struct bytes body;
    struct answer answer;
};

static void *run_background(void *arg)
{
    struct background *b = arg;

    b->answer = b->host == NULL ? service_call(&b->service, "POST", ATTEST, NULL, b->body)
                                : service_call_host(&b->service, b->host, "POST", ATTEST, NULL, b->body);
    return NULL;
}

static void background_start(struct background *b, const struct platform *p, const char *host)
{
    b->service = the.service;
    b->host = host;
    arena_init(&b->service.a, 16 << 20);
    b->body = p->body;
    assert_int_equal(pthread_create(&b->thread, NULL, run_background, b), 0);
}

static void background_join(struct background *b)
{
    assert_int_equal(pthread_join(b->thread, NULL), 0);
}

/* -- the tool -- */

/* -- the tool, bundles -- */

static struct bytes tool(int want, const char *const *arguments)
{
    const char *argv[24] = { program_path(&the.a, "avouch"), "collateral" };
    size_t n = 2;
    struct bytes printed;
    int status;

    while (*arguments != NULL)
        argv[n++] = *arguments++;
    argv[n++] = "--trust";
    argv[n++] = arena_printf(&the.a, "%s/trust", the.folder);
    argv[n] = NULL;
    printed = run_program(&the.a, argv, &status);
    if (status != want)
        fail_msg("avouch collateral %s: status %d, expected %d: %.*s", argv[2], status, want, (int)printed.n, (const char *)printed.p);
    return printed;
}
#define TOOL(want, ...) tool((want), (const char *const[]){ __VA_ARGS__, NULL })
#define AT "--at", "2026-01-01T00:00:00Z"

static const struct json *json_of(struct bytes text)
{
    const struct json *j;
    struct err e = { 0 };

    assert_ok(json_parse(text, 64, "output", &the.a, &j, &e), &e);
    return j;
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
    background_start(&b, &slow, NULL);
    vendor_await(the.first, slow.fmspc, 1);
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

/* A platform that somebody made up, with certificates of his own: refused, and nobody is asked for it. */
static void invented_platform(void **state)
{
    struct intel_pki *own = intel_pki_new();
    struct pki_options o = the.o;
    struct out body = out_open(&the.a);
    struct answer got;

    (void)state;
    memset(o.fmspc, 0xee, sizeof(o.fmspc));
    out_text(&body, "{\"quote\":\"");
    b64url_print(&body, pki_quote(own, &o, &the.a));
    out_text(&body, "\"}");
    got = service_call(&the.service, "POST", ATTEST, NULL, out_view(&body));
    assert_status(&got, 400);
    assert_non_null(strstr(answer_message(&the.service, &got), "UNTRUSTED_ROOT"));
    assert_int_equal(vendor_count(the.first, "eeeeeeeeeeee"), 0);
    intel_pki_free(own);
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

/* A tenant's policy changes while a request of it waits for collateral: that is no store that went back in time. The
 * request is judged by the policy that is in force when it is judged. */
static void changed_while_waiting(void **state)
{
    static const char host[] = "contoso.localhost", path[] = "/policies/SgxEnclave?api-version=2020-10-01";
    static const char arm[] = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Attestation/attestationProviders/contoso?api-version=2020-10-01";
    const char *const as_owner[] = { "Authorization: Bearer dev", NULL };
    struct platform p = platform_new();
    struct background b;
    struct answer got;
    struct bytes token;

    (void)state;
    got = service_call(&the.service, "PUT", arm, as_owner, LIT("{\"location\":\"x\",\"properties\":{}}"));
    assert_status(&got, 201);
    got = service_call_host(&the.service, host, "PUT", path, as_owner, LIT("version= 1.0;authorizationrules{=> permit();};"));
    assert_status(&got, 200);
    vendor_fault(the.first, p.fmspc, FAULT_HOLD);
    background_start(&b, &p, host);
    vendor_await(the.first, p.fmspc, 1);
    got = service_call_host(&the.service, host, "PUT", path, as_owner,
                            LIT("version= 1.0;authorizationrules{=> permit();};issuancerules{=> issue(type=\"by\", value=\"the new one\");};"));
    assert_status(&got, 200);
    for (int i = 0; i < 8; i++) { /* the core has seen the new head */
        got = service_call_host(&the.service, host, "GET", path, as_owner, (struct bytes){ NULL, 0 });
        assert_status(&got, 200);
    }
    vendor_release(the.first);
    background_join(&b);
    assert_token(&b.answer);
    assert_true(json_string(json_member(b.answer.json, "token"), &token));
    assert_text(json_member(token_part(&b.service.a, token, 1), "by")->text, "the new one");
    arena_done(&b.service.a);
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
    outage_at("2026-02-02T00:00:00Z", 503, "no newer one could be had");
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

/* What nears its end and cannot be refreshed is told in the log, for whoever watches it. */
static void alert_before_the_end(void **state)
{
    int saved = dup(STDERR_FILENO), log[2]; /* the reading end stays open: the service goes on writing */
    struct out text = out_open(&the.a);
    char part[4096];

    (void)state;
    assert_int_equal(pipe2(log, O_CLOEXEC), 0);
    assert_true(dup2(log[1], STDERR_FILENO) >= 0);
    close(log[1]);
    outage_at("2026-01-29T00:00:00Z", 200, NULL);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
    for (;;) {
        ssize_t n = read(log[0], part, sizeof(part));

        assert_true(n > 0);
        out_bytes(&text, bytes_of(part, (size_t)n));
        if (bytes_contain(out_view(&text), LIT("\"alert\":\"collateral-expiry\"")) && part[n - 1] == '\n')
            break;
    }
    assert_true(bytes_contain(out_view(&text), LIT("ends at 2026-01-31T00:00:00Z and could not be refreshed")));
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
    background_start(&b, &p, NULL);
    vendor_await(the.first, p.fmspc, 1);
    assert_int_equal(kill(pid, SIGKILL), 0);
    got = attest(&known);
    assert_token(&got);
    vendor_release(the.first);
    background_join(&b);
    assert_token(&b.answer);
    arena_done(&b.service.a);
}

/* Behind its walls: a filter of system calls, and no way to more rights. */
static void has_walls(void **state)
{
    const char *path = arena_printf(&the.a, "/proc/%d/status", (int)pid_of("avouch-collater"));
    char line[256];
    FILE *f = fopen(path, "r");
    int walls = 0;

    (void)state;
    assert_non_null(f);
    while (fgets(line, sizeof(line), f) != NULL)
        walls += strncmp(line, "Seccomp:\t2", 10) == 0 || strncmp(line, "NoNewPrivs:\t1", 13) == 0;
    fclose(f);
    assert_int_equal(walls, 2);
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

/* Whether the cache has all that this platform needs with an end after that date. */
static bool kept_beyond(const struct platform *p, const char *date)
{
    const char *state = arena_printf(&the.a, "%s/state", the.service.state);
    const struct json *list = json_of(TOOL(0, "list", "--json", "--state", state, "--at", "2026-01-30T00:00:00Z"));
    const char *const keys[] = { arena_printf(&the.a, "sgx/tcb?fmspc=%s", p->fmspc), "sgx/qe/identity", "sgx/pckcrl?ca=", "sgx/rootcacrl" };
    size_t found = 0;

    for (const struct json *i = list->child; i != NULL; i = i->next) {
        struct bytes key, until;

        assert_true(json_string(json_member(i, "key"), &key) && json_string(json_member(i, "until"), &until));
        for (size_t k = 0; k < COUNT(keys); k++)
            found += strncmp(arena_str(&the.a, key), keys[k], strlen(keys[k])) == 0 && strcmp(arena_str(&the.a, until), date) > 0;
    }
    return found >= COUNT(keys);
}

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
    vendor_await(the.first, p.fmspc, 2); /* by itself */
    vendor_await_conditional(the.first, before + 1);
    vendor_fault(the.first, p.fmspc, FAULT_OLDER);
    service_restart(&the.service, config_with("2026-01-29T00:00:00Z", source), dev);
    vendor_await(the.first, p.fmspc, 3);
    got = attest(&p);
    assert_token(&got);
    vendor_fault(the.first, p.fmspc, FAULT_NONE);
    later.coll_from = NOW + 25 * 86400;
    later.coll_to = NOW + 55 * 86400;
    vendor_options(the.first, &later);
    service_restart(&the.service, config_with("2026-01-30T00:00:00Z", source), dev);
    while (!kept_beyond(&p, "2026-02-10"))
        ;
    service_restart(&the.service, config_with("2026-02-10T00:00:00Z", "intel = none\n"), dev); /* only the new set reaches so far */
    got = attest(&p);
    assert_status(&got, 200);
    vendor_options(the.first, &the.o);
}

/* The number that configuration picks goes out to the source, and nothing else is taken for it. */
static void evaluation_number(void **state)
{
    struct platform p = platform_new();
    struct answer got;
    struct bytes token;
    int64_t number = 0;

    (void)state;
    service_restart(&the.service, config_with("2026-01-01T00:00:00Z", arena_printf(&the.a, "intel = pcs:%s\n[verify]\nevaluation_number = 18\n", url_of(the.first))),
                    dev);
    got = attest(&p);
    assert_token(&got);
    assert_true(json_string(json_member(got.json, "token"), &token));
    assert_true(json_int(json_member(token_part(&the.a, token, 1), "x-ms-sgx-tcb-eval-number"), &number));
    assert_int_equal(number, 18);
    assert_int_equal(vendor_count(the.first, arena_printf(&the.a, "fmspc=%s&tcbEvaluationDataNumber=18", p.fmspc)), 1);
    service_restart(&the.service, config_with("2026-01-01T00:00:00Z", arena_printf(&the.a, "intel = pcs:%s\nupdate = early\n", url_of(the.first))), dev);
    p = platform_new();
    got = attest(&p);
    assert_int_equal(vendor_count(the.first, arena_printf(&the.a, "fmspc=%s&update=early", p.fmspc)), 1);
}

/* A policy picks the set: the core tells the front, which gets it. A set that cannot be had is never replaced by another. */
static void policy_picks_set(void **state)
{
    static const char policy[] = "version= 1.1;configurationrules{=> issueproperty(type=\"x-ms-sgx-tcbidentifier\", value=\"15\");};"
                                 "authorizationrules{=> permit();};issuancerules{};";
    struct platform p = platform_new();
    struct out body = out_open(&the.a);
    struct answer got;
    struct bytes token;
    int64_t number = 0;

    (void)state;
    service_restart(&the.service, config_with("2026-01-01T00:00:00Z", arena_printf(&the.a, "intel = pcs:%s\n", url_of(the.first))), dev);
    out_bytes(&body, bytes_part(p.body, 0, p.body.n - 1));
    out_text(&body, ",\"draftPolicyForAttestation\":");
    json_print_string(&body, LIT(policy));
    out_text(&body, "}");
    vendor_fault(the.first, "tcbEvaluationDataNumber=15", FAULT_404);
    got = service_call(&the.service, "POST", ATTEST, NULL, out_view(&body));
    assert_missing(&got, "of evaluation number 15", "HTTP 404");
    vendor_fault(the.first, "tcbEvaluationDataNumber=15", FAULT_NONE);
    do
        got = service_call(&the.service, "POST", ATTEST, NULL, out_view(&body));
    while (got.status == 503);
    assert_token(&got);
    assert_true(json_string(json_member(got.json, "token"), &token));
    assert_true(json_int(json_member(token_part(&the.a, token, 1), "x-ms-sgx-tcb-eval-number"), &number));
    assert_int_equal(number, 15);
    got = attest(&p); /* others keep the set of the day */
    assert_token(&got);
}

/* The vendor goes over to the next set between two platforms: neither has to wait until all items are of one set. */
static void change_of_sets(void **state)
{
    struct platform before = platform_new(), after = platform_new();
    struct pki_options next = the.o;
    struct answer got;

    (void)state;
    service_restart(&the.service, config_with("2026-01-01T00:00:00Z", arena_printf(&the.a, "intel = pcs:%s\n", url_of(the.second))), dev);
    got = attest(&before);
    assert_token(&got);
    next.eval_number = next.qe_eval_number = 21;
    next.coll_from += 3600;
    vendor_options(the.second, &next);
    got = attest(&after);
    assert_token(&got);
    got = attest(&before);
    assert_token(&got);
    vendor_options(the.second, &the.o);
}

static void one_source(void **state);

/* From one site to another in a file: the other never had a network. */
static void offline(void **state)
{
    struct platform p = platform_new();
    const char *bundle = arena_printf(&the.a, "%s/bundle", the.folder), *cache = arena_printf(&the.a, "%s/cache", the.folder),
               *damaged = arena_printf(&the.a, "%s/damaged", the.folder), *own = arena_printf(&the.a, "%s/state/collateral", the.service.state);
    struct err e = { 0 };
    struct bytes b;
    struct answer got;
    uint8_t *copy;

    (void)state;
    one_source(NULL);
    got = attest(&p);
    assert_token(&got);
    TOOL(0, "export", bundle, "--cache", own, AT);
    TOOL(0, "import", bundle, "--cache", cache, AT);
    assert_true(json_of(TOOL(0, "list", "--json", "--cache", cache, AT))->count >= 4);
    TOOL(0, "check", "--cache", cache, AT);
    TOOL(1, "check", "--cache", cache, "--at", "2026-01-29T12:00:00Z");
    TOOL(0, "check", "--cache", cache, "--at", "2026-01-29T12:00:00Z", "--warn", "3600");
    TOOL(1, "check", "--cache", cache, "--at", "2026-02-05T00:00:00Z", "--warn", "0");
    TOOL(3, "check", "--cache", arena_printf(&the.a, "%s/empty", the.folder), AT);
    TOOL(1, "import", bundle, "--cache", arena_printf(&the.a, "%s/late", the.folder), "--at", "2026-02-05T00:00:00Z");
    TOOL(2, "export", "--cache", cache);
    b = test_read(&the.a, bundle);
    copy = (uint8_t *)(uintptr_t)arena_copy(&the.a, b).p;
    copy[b.n / 2] ^= 1;
    assert_ok(file_write(damaged, bytes_of(copy, b.n), 0644, &e), &e);
    TOOL(1, "import", damaged, "--cache", cache, AT);
    TOOL(0, "fetch", "sgx/rootcacrl", "--cache", cache, AT);
    service_stop(&the.service);
    start(arena_printf(&the.a, "intel = none\nbundle = %s\n", bundle));
    got = attest(&p);
    assert_token(&got);
    p = platform_new();
    got = attest(&p);
    assert_missing(&got, p.fmspc, "has no such item");
    service_stop(&the.service);
    start("intel = none\n");
    fleet[0] = p;
}

/* A bundle that is imported beside a running service is taken up on SIGHUP. */
static void import_while_running(void **state)
{
    const char *bundle = arena_printf(&the.a, "%s/bundle2", the.folder), *conf = arena_printf(&the.a, "%s/fetch.conf", the.folder);
    const char *cache = arena_printf(&the.a, "%s/cache2", the.folder);
    struct platform p = platform_new();
    struct err e = { 0 };
    struct answer got = attest(&p);

    (void)state;
    assert_missing(&got, p.fmspc, "no source is configured");
    assert_ok(file_write(conf, bytes_str(arena_printf(&the.a, "[collateral]\nintel = pccs:%s\n", url_of(the.second))), 0644, &e), &e);
    TOOL(0, "fetch", "--config", conf, "--cache", cache, AT, arena_printf(&the.a, "sgx/tcb?fmspc=%s", p.fmspc), "sgx/qe/identity", "sgx/rootcacrl",
         "sgx/pckcrl?ca=processor");
    TOOL(2, "fetch", "--config", conf, "--cache", cache, AT, "sgx/nothing");
    vendor_fault(the.second, "/qe/identity", FAULT_500);
    TOOL(3, "fetch", "--anew", "--config", conf, "--cache", cache, AT, "sgx/qe/identity");
    vendor_fault(the.second, "/qe/identity", FAULT_NONE);
    TOOL(0, "export", bundle, "--cache", cache, AT);
    TOOL(0, "import", bundle, "--cache", arena_printf(&the.a, "%s/state/collateral", the.service.state), AT);
    assert_int_equal(kill(the.service.pid, SIGHUP), 0);
    do
        got = attest(&p);
    while (got.status == 503);
    assert_token(&got);
}

static void write_set(const char *folder, int64_t number, const char *status)
{
    struct pki_options o = the.o;
    struct err e = { 0 };
    const char *n = arena_printf(&the.a, "%s/set-%lld", folder, (long long)number);

    o.eval_number = o.qe_eval_number = number;
    o.platform_status = status;
    assert_ok(file_write(arena_printf(&the.a, "%s.tcb.json", n), pki_tcb_info(the.pki, &o, &the.a), 0644, &e), &e);
    assert_ok(file_write(arena_printf(&the.a, "%s.qe.json", n), pki_qe_identity(the.pki, &o, &the.a), 0644, &e), &e);
}

/* Which platforms a TCB recovery will stop, and when. */
static void forecast(void **state)
{
    static const char head[] =
        "{\"tcbEvaluationDataNumbers\":{\"id\":\"SGX\",\"version\":1,\"issueDate\":\"2025-12-31T00:00:00Z\",\"nextUpdate\":\"2026-01-30T00:00:00Z\","
        "\"tcbEvalNumbers\":[",
        tail[] = "{\"tcbEvaluationDataNumber\":17,\"tcbRecoveryEventDate\":\"2024-03-12T00:00:00Z\",\"tcbDate\":\"2024-03-13T00:00:00Z\"},"
        "{\"tcbEvaluationDataNumber\":18,\"tcbRecoveryEventDate\":\"2025-06-10T00:00:00Z\",\"tcbDate\":\"2025-06-11T00:00:00Z\"}]},\"signature\":\"00\"}";
    const char *items = arena_printf(&the.a, "%s/items", the.folder), *evidence = arena_printf(&the.a, "%s/evidence", the.folder);
    struct out numbers = out_open(&the.a);
    struct pki_options o = the.o;
    struct err e = { 0 };
    const struct json *j, *p;
    int64_t n = -1;
    bool changes = false;

    (void)state;
    assert_true(folder_make(items, 0755, &e) && folder_make(evidence, 0755, &e));
    write_set(items, 17, "UpToDate");
    write_set(items, 18, "OutOfDate");
    out_text(&numbers, head);
    for (int i = 0; i < 40; i++) /* as many as the service reads, whatever their order */
        out_printf(&numbers, "{\"tcbEvaluationDataNumber\":%d,\"tcbRecoveryEventDate\":\"2025-12-01T00:00:00Z\",\"tcbDate\":\"2025-12-01T00:00:00Z\"},", 40 + i);
    out_text(&numbers, tail);
    assert_ok(file_write(arena_printf(&the.a, "%s/numbers.json", items), out_view(&numbers), 0644, &e), &e);
    assert_ok(file_write(arena_printf(&the.a, "%s/root.crl", items), pki_root_crl(the.pki, &o, &the.a), 0644, &e), &e);
    assert_ok(file_write(arena_printf(&the.a, "%s/pck.crl", items), pki_pck_crl(the.pki, &o, &the.a), 0644, &e), &e);
    assert_ok(file_write(arena_printf(&the.a, "%s/chain.pem", items), pki_tcb_chain(the.pki, &o, &the.a), 0644, &e), &e);
    assert_ok(file_write(arena_printf(&the.a, "%s/quote", evidence), pki_quote(the.pki, &o, &the.a), 0644, &e), &e);
    j = json_of(TOOL(1, "forecast", "--evidence", evidence, "--collateral", items, "--json", AT));
    assert_true(json_int(json_member(j, "changing"), &n));
    assert_int_equal(n, 1);
    p = json_member(j, "platforms")->child;
    assert_true(json_bool(json_member(p, "changes"), &changes) && changes);
    assert_text(json_member(p, "status")->text, "OK");
    assert_text(json_member(p, "becomes")->text, "OUT_OF_DATE");
    assert_text(json_member(p, "when")->text, "2026-06-10T00:00:00Z");
    TOOL(0, "forecast", "--evidence", evidence, "--collateral", items, AT, "--evaluation", "18");
    TOOL(3, "forecast", "--evidence", evidence, "--cache", arena_printf(&the.a, "%s/empty", the.folder), AT);
}

/* -- the mirror -- */

/* A service that has this one as its only source: all forms of the serving side are read by our own client. */
static void mirror_of_mirror(void **state)
{
    struct service upper = the.service;
    struct platform p = platform_new();
    struct answer got;

    (void)state;
    service_restart(&upper, config_with("2026-01-01T00:00:00Z", arena_printf(&the.a, "intel = pcs:%s\nmirror = fetch\n", url_of(the.first))), dev);
    start(arena_printf(&the.a, "intel = mirror:%s\nca = %s\nwait = 10\n", upper.url, upper.ca));
    got = attest(&p);
    assert_token(&got);
    assert_int_equal(vendor_count(the.first, p.fmspc), 1);
    assert_int_equal(service_stop(&the.service), 0);
    the.service = upper;
}

static struct answer get(const char *path)
{
    return service_call(&the.service, "GET", path, NULL, (struct bytes){ NULL, 0 });
}

static void mirror_paths(void **state)
{
    struct platform p = platform_new();
    const char *tcb = arena_printf(&the.a, "/sgx/certification/v4/tcb?fmspc=%s", p.fmspc);
    struct answer got;

    (void)state;
    service_restart(&the.service, config_with("2026-01-01T00:00:00Z", arena_printf(&the.a, "intel = pcs:%s\n", url_of(the.first))), dev);
    got = get(tcb);
    assert_status(&got, 404); /* a mirror does not fetch for strangers unless it is told to */
    assert_int_equal(vendor_count(the.first, p.fmspc), 0);
    got = attest(&p);
    assert_token(&got);
    got = get(tcb);
    assert_status(&got, 200);
    assert_non_null(json_member(got.json, "tcbInfo"));
    assert_non_null(strstr(answer_header(&the.service, &got, "TCB-Info-Issuer-Chain"), "-----BEGIN%20CERTIFICATE-----%0A"));
    got = get(arena_printf(&the.a, "/sgx/certification/v3/tcb?fmspc=%s", p.fmspc));
    assert_status(&got, 404); /* the form of version 3 is another */
    got = get("/sgx/certification/v3/qe/identity");
    assert_status(&got, 200);
    assert_non_null(answer_header(&the.service, &got, "SGX-Enclave-Identity-Issuer-Chain"));
    got = get("/sgx/certification/v4/pckcrl?ca=processor");
    assert_status(&got, 200);
    assert_non_null(strstr((const char *)got.body.p, "-----BEGIN X509 CRL-----"));
    got = get("/sgx/certification/v4/pckcrl?ca=processor&encoding=der");
    assert_int_equal(got.body.p[0], 0x30);
    assert_non_null(answer_header(&the.service, &got, "SGX-PCK-CRL-Issuer-Chain"));
    got = get("/sgx/certification/v4/rootcacrl");
    assert_memory_equal(got.body.p, "30", 2);
    got = get("/sgx/certification/v4/tcb?fmspc=nonsense");
    assert_status(&got, 400);
    got = get("/sgx/certification/v4/platforms");
    assert_status(&got, 404);
    service_restart(&the.service, config_with("2026-01-01T00:00:00Z", "intel = none\nmirror = off\n"), dev);
    got = get(tcb);
    assert_status(&got, 404);
}

/* A real chip's certificate from KDS to cache to mirror; another chip's is not taken for it. */
static void kds(void **state)
{
    struct bytes report, chip, tcb, der;
    const char *path, *other;
    struct answer got;

    (void)state;
    if (test_vectors() == NULL)
        skip();
    report = test_vector(&the.a, "snp/milan-v2/report.bin");
    der = test_vector(&the.a, "snp/milan-v2/vcek.der");
    chip = bytes_part(report, 0x1a0, 64);
    tcb = bytes_part(report, 0x180, 8);
    path = arena_printf(&the.a, "/vcek/v1/Milan/%s?blSPL=%u&teeSPL=%u&snpSPL=%u&ucodeSPL=%u", (const char *)hex_encode(&the.a, chip).p, tcb.p[0], tcb.p[1],
                        tcb.p[6], tcb.p[7]);
    other = arena_printf(&the.a, "/vcek/v1/Milan/00%s?blSPL=3&teeSPL=0&snpSPL=8&ucodeSPL=115", (const char *)hex_encode(&the.a, bytes_part(chip, 1, 63)).p);
    service_restart(&the.service, config_with("2026-01-01T00:00:00Z", arena_printf(&the.a, "amd = kds:%s\nmirror = fetch\n", url_of(the.second))), dev);
    got = get(path);
    assert_status(&got, 200);
    assert_bytes_equal(got.body, der);
    got = get(path);
    assert_status(&got, 200);
    assert_int_equal(vendor_count(the.second, path), 1);
    got = get(other);
    assert_status(&got, 404);
}

/* A report that came without its certificate, and whose version does not say which line the chip is of: all lines are
 * asked, the one that has the chip answers. Where none does, that is undecided, not refused. */
static void snp_report_alone(void **state)
{
    struct out body = out_open(&the.a);
    struct answer got;

    (void)state;
    if (test_vectors() == NULL)
        skip();
    vendor_file(the.second, "/vcek/v1/Milan/", test_vector(&the.a, "snp/milan-v2/vcek.der"));
    out_text(&body, "{\"report\":\"");
    b64url_print(&body, test_vector(&the.a, "snp/milan-v2/report.bin"));
    out_text(&body, "\"}");
    service_restart(&the.service, config_with("2026-01-01T00:00:00Z", arena_printf(&the.a, "amd = kds:%s\n", url_of(the.first))), dev);
    got = service_call(&the.service, "POST", "/attest/SevSnpVm?api-version=2022-08-01", NULL, out_view(&body));
    assert_missing(&got, "without its VCEK certificate", "HTTP 404");
    service_restart(&the.service, config_with("2026-01-01T00:00:00Z", arena_printf(&the.a, "amd = kds:%s\n", url_of(the.second))), dev);
    got = service_call(&the.service, "POST", "/attest/SevSnpVm?api-version=2022-08-01", NULL, out_view(&body));
    assert_token(&got);
}

/* -- status -- */

static void status_message(void **state)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    struct out frame = wire_begin(&the.a, MSG_COLLATERAL_STATUS, 7);
    struct channel c;
    struct wire_header h;
    struct wire_fields f;
    struct bytes payload, body;
    struct err e = { 0 };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct json *j;

    (void)state;
    snprintf(at.sun_path, sizeof(at.sun_path), "%s/state/run/collateral.sock", the.service.state);
    assert_int_equal(connect(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    c = channel_open(fd);
    assert_true(channel_send(&c, wire_end(&frame)));
    while (!channel_next(&c, &h, &payload)) {
        struct pollfd p = { .fd = c.fd, .events = POLLIN };

        (void)poll(&p, 1, -1);
        assert_true(channel_fill(&c));
    }
    assert_int_equal(h.id, 7);
    assert_ok(wire_fields_parse(payload, &the.a, &f, &e), &e);
    assert_true(wire_find(&f, TAG_BODY, &body));
    j = json_of(body);
    assert_true(json_member(j, "sources")->count >= 1);
    assert_true(json_member(j, "entries")->count >= 1);
    assert_non_null(json_member(json_member(j, "sources")->child, "state"));
    channel_close(&c);
}

/* A peer that speaks nonsense loses its connection; the process goes on. */
static void nonsense_on_the_socket(void **state)
{
    static const uint8_t frames[][24] = {
        { 0xff, 0xff, 0xff, 0xff, 10, 0 }, { 4, 0, 0, 0, 99, 0 }, { 0, 0, 0, 0, MSG_ATTEST, 0 }, { 0, 0, 0, 0, MSG_FETCH, 0 },
        { 4, 0, 0, 0, MSG_FETCH, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 9, 9, 9 },
    };
    pid_t before = pid_of("avouch-collater");

    (void)state;
    for (size_t i = 0; i < COUNT(frames); i++) {
        struct sockaddr_un at = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        char byte;

        snprintf(at.sun_path, sizeof(at.sun_path), "%s/state/run/collateral.sock", the.service.state);
        assert_int_equal(connect(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
        assert_int_equal(write(fd, frames[i], i == 4 ? 20 : 16), i == 4 ? 20 : 16);
        assert_true(read(fd, &byte, 1) <= 0);
        close(fd);
    }
    assert_int_equal(pid_of("avouch-collater"), before);
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
    suite_add(&s, "invented platform", invented_platform, NULL);
    suite_add(&s, "recovers by itself", recovers, NULL);
    suite_add(&s, "refused stays refused", verdicts_stay_apart, NULL);
    suite_add(&s, "two sources", two_sources, NULL);
    for (size_t i = 0; i < COUNT(rows); i++)
        suite_add(&s, arena_printf(&the.a, "first of two: %s", rows[i].name), second_source, (void *)(uintptr_t)&rows[i]);
    suite_add(&s, "patient service", patient, NULL);
    suite_add(&s, "stampede", stampede, NULL);
    suite_add(&s, "policy changed while the request waits", changed_while_waiting, NULL);
    suite_add(&s, "killed while it fetches", survives_kill, NULL);
    suite_add(&s, "walls", has_walls, NULL);
    suite_add(&s, "warm cache", warm_cache, NULL);
    suite_add(&s, "all sources down, an hour later", outage_of_an_hour, NULL);
    suite_add(&s, "all sources down, an hour before the end", outage_until_the_end, NULL);
    suite_add(&s, "alert before the end", alert_before_the_end, NULL);
    suite_add(&s, "all sources down, beyond the end", outage_beyond_the_end, NULL);
    suite_add(&s, "all sources down, new platform", unknown_during_outage, NULL);
    for (size_t i = 0; i < COUNT(forms); i++)
        suite_add(&s, arena_printf(&the.a, "form %s", forms[i][0]), form_of_source, (void *)(uintptr_t)forms[i]);
    suite_add(&s, "damaged cache", damaged_cache, NULL);
    suite_add(&s, "TLS is verified", tls_verified, NULL);
    suite_add(&s, "refreshed at half-life, never by an older set", refreshed_at_half_life, NULL);
    suite_add(&s, "evaluation numbers", evaluation_number, NULL);
    suite_add(&s, "policy picks the set", policy_picks_set, NULL);
    suite_add(&s, "change of sets", change_of_sets, NULL);
    suite_add(&s, "offline: export, import, bundle as the only source", offline, NULL);
    suite_add(&s, "import beside a running service", import_while_running, NULL);
    suite_add(&s, "forecast", forecast, NULL);
    suite_add(&s, "mirror of a mirror", mirror_of_mirror, NULL);
    suite_add(&s, "mirror paths", mirror_paths, NULL);
    suite_add(&s, "SEV-SNP report without its certificate", snp_report_alone, NULL);
    suite_add(&s, "KDS", kds, NULL);
    suite_add(&s, "status", status_message, NULL);
    suite_add(&s, "nonsense on the socket", nonsense_on_the_socket, NULL);
    suite_add(&s, "stops cleanly", stops, NULL);
    return suite_run("collateral", &s);
}
