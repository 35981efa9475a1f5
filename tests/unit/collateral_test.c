/* collateral_test.c: keys, bundles, buckets, breakers, and which generation of an item the cache keeps. */
#include "testing.h"

#include "codec/hex.h"
#include "collateral/bucket.h"
#include "collateral/source.h"
#include "collateral/store.h"
#include "os/io.h"
#include "pki/intel_pki.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NOW 1767225600LL /* 2026-01-01T00:00:00Z */
#define HWID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

#define QE "0123456789abcdef0123456789abcdef"
#define CPU "07070202010000000000000000000000"
#define PCK "sgx/pckcert?qeid=" QE "&cpusvn=" CPU "&pcesvn=0d00&pceid=0100"
#define PPID HWID HWID HWID HWID HWID HWID

static struct arena a;
static struct intel_pki *pki;

/* -- keys -- */

static const struct key_row {
    const char *text, *printed; /* printed NULL: no key */
} key_rows[] = {
    { "sgx/tcb?fmspc=00906ED50000", "sgx/tcb?fmspc=00906ed50000" },
    { "tdx/tcb?fmspc=00906ed50000&eval=19", "tdx/tcb?fmspc=00906ed50000&eval=19" },
    { "sgx/tcb?eval=early&fmspc=00906ed50000", "sgx/tcb?fmspc=00906ed50000&eval=early" },
    { "sgx/qe/identity", "sgx/qe/identity" },
    { "tdx/qe/identity?eval=17", "tdx/qe/identity?eval=17" },
    { "sgx/tcbevaluationdatanumbers", "sgx/tcbevaluationdatanumbers" },
    { "sgx/pckcrl?ca=platform", "sgx/pckcrl?ca=platform" },
    { "sgx/rootcacrl", "sgx/rootcacrl" },
    { "sgx/qve/identity", "sgx/qve/identity" },
    { "sgx/qve/identity?eval=18", "sgx/qve/identity?eval=18" },
    { PCK, PCK },
    { "sgx/pckcert?pceid=00aB&qeid=" QE "&pcesvn=0d00&cpusvn=" CPU, "sgx/pckcert?qeid=" QE "&cpusvn=" CPU "&pcesvn=0d00&pceid=00ab" },
    { PCK "&encrypted_ppid=" PPID, PCK "&encrypted_ppid=" PPID },
    { "kds/vcek/v1/Milan/" HWID "?blSPL=03&teeSPL=00&snpSPL=08&ucodeSPL=115", "kds/vcek/v1/Milan/" HWID "?blSPL=3&teeSPL=0&snpSPL=8&ucodeSPL=115" },
    { "kds/vcek/v1/Turin/0123456789abcdef?fmcSPL=1&blSPL=3&teeSPL=0&snpSPL=8&ucodeSPL=1",
      "kds/vcek/v1/Turin/0123456789abcdef?fmcSPL=1&blSPL=3&teeSPL=0&snpSPL=8&ucodeSPL=1" },
    { "kds/vlek/v1/Genoa/cert_chain", "kds/vlek/v1/Genoa/cert_chain" },
    { "kds/vcek/v1/Milan/crl", "kds/vcek/v1/Milan/crl" },
    { "url/https://issuer.example/keys", "url/https://issuer.example/keys" },
    { "", NULL },
    { "sgx", NULL },
    { "sgx/tcb", NULL },
    { "sgx/tcb?fmspc=00906ed5000", NULL },
    { "sgx/tcb?fmspc=00906ed50000&fmspc=00906ed50000", NULL },
    { "sgx/tcb?fmspc=00906ed50000&eval=0", NULL },
    { "sgx/tcb?fmspc=00906ed50000&eval=99999999999", NULL },
    { "sgx/tcb?fmspc=00906ed50000&ca=platform", NULL },
    { "sgx/tcb?fmspc=00906ed50000&x=../../etc", NULL },
    { "sgx/qe/identity/", NULL },
    { "tdx/pckcrl?ca=platform", NULL },
    { "tdx/rootcacrl", NULL },
    { "sgx/pckcrl?ca=root", NULL },
    { "kds/vcek/v1/Rome/crl", NULL },
    { "kds/vcek/v2/Milan/crl", NULL },
    { "kds/vcek/v1/Milan/crl?blSPL=1", NULL },
    { "kds/vcek/v1/Milan/" HWID "?blSPL=3", NULL },
    { "kds/vcek/v1/Milan/" HWID "?blSPL=256&teeSPL=00&snpSPL=08&ucodeSPL=115", NULL },
    { "kds/vcek/v1/Milan/0123456789abcdef?blSPL=3&teeSPL=00&snpSPL=08&ucodeSPL=115", NULL },
    { "kds/vlek/v1/Milan/" HWID "?blSPL=3&teeSPL=00&snpSPL=08&ucodeSPL=115", NULL },
    { "url/http://issuer.example/keys", NULL },
    { "url/https://issuer.example/a b", NULL },
    { "url/file:///etc/passwd", NULL },
    { "tdx/qve/identity", NULL },
    { "tdx/pckcert?qeid=" QE "&cpusvn=" CPU "&pcesvn=0d00&pceid=0000", NULL },
    { "sgx/pckcert", NULL },
    { "sgx/pckcert?qeid=" QE "&cpusvn=" CPU "&pcesvn=0d00", NULL },
    { "sgx/pckcert?cpusvn=" CPU "&pcesvn=0d00&pceid=0000", NULL },
    { "sgx/pckcert?qeid=" QE "00&cpusvn=" CPU "&pcesvn=0d00&pceid=0000", NULL },
    { "sgx/pckcert?qeid=" QE "&cpusvn=" CPU "&pcesvn=0d&pceid=0000", NULL },
    { PCK "&qeid=" QE, NULL },
    { PCK "&encrypted_ppid=00", NULL },
    { PCK "&encrypted_ppid=" PPID "00", NULL },
    { PCK "&eval=17", NULL },
    { "sgx/qe/identity?encrypted_ppid=" PPID, NULL },
};

static void key_text(void **state)
{
    const struct key_row *r = *state;
    struct need_key k, again;
    struct err e = { 0 };

    if (r->printed == NULL) {
        assert_false(need_key_parse(bytes_str(r->text), &k, &e));
        assert_refused(&e, ERR_BAD_REQUEST, "names no collateral");
        return;
    }
    assert_ok(need_key_parse(bytes_str(r->text), &k, &e), &e);
    assert_string_equal(need_key_print(&k, &a), r->printed);
    assert_ok(need_key_parse(bytes_str(r->printed), &again, &e), &e);
    assert_string_equal(need_key_print(&again, &a), r->printed);
    assert_non_null(need_key_text(&k, &a));
}

/* -- URLs -- */

static const struct url_row {
    const char *intel, *amd, *key, *url; /* NULL: not asked */
} url_rows[] = {
    { "pcs", "none", "sgx/tcb?fmspc=00906ed50000", "https://api.trustedservices.intel.com/sgx/certification/v4/tcb?fmspc=00906ed50000" },
    { "pcs", "none", "tdx/tcb?fmspc=00906ed50000&eval=19", "https://api.trustedservices.intel.com/tdx/certification/v4/tcb?fmspc=00906ed50000&tcbEvaluationDataNumber=19" },
    { "pcs", "none", "tdx/qe/identity?eval=early", "https://api.trustedservices.intel.com/tdx/certification/v4/qe/identity?update=early" },
    { "pcs", "none", "sgx/rootcacrl", "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der" },
    { "pcs", "none", "sgx/pckcrl?ca=processor", "https://api.trustedservices.intel.com/sgx/certification/v4/pckcrl?ca=processor&encoding=der" },
    { "pcs3", "none", "sgx/tcb?fmspc=00906ed50000", "https://api.trustedservices.intel.com/sgx/certification/v3/tcb?fmspc=00906ed50000" },
    { "pcs3", "none", "tdx/tcb?fmspc=00906ed50000", NULL },
    { "pcs3", "none", "sgx/tcb?fmspc=00906ed50000&eval=19", NULL },
    { "pccs:https://cache:8081/", "none", "sgx/rootcacrl", "https://cache:8081/sgx/certification/v4/rootcacrl" },
    { "thim", "none", "sgx/tcb?fmspc=00906ed50000", "https://global.acccache.azure.net/sgx/certification/v4/tcb?fmspc=00906ed50000&clientid=production_client&api-version=2018-10-01-preview" },
    { "thim", "none", "sgx/qe/identity?eval=17", "https://global.acccache.azure.net/sgx/certification/v4/qe/identity?customParameter=dGNiRXZhbHVhdGlvbkRhdGFOdW1iZXI9MTc=&clientid=production_client&api-version=2018-10-01-preview" },
    { "thim", "none", "sgx/qe/identity?eval=early", NULL },
    { "none", "kds", "kds/vcek/v1/Milan/cert_chain", "https://kdsintf.amd.com/vcek/v1/Milan/cert_chain" },
    { "none", "kds", "sgx/rootcacrl", NULL },
    { "none", "mirror:https://cache", "kds/vcek/v1/Milan/" HWID "?blSPL=3&teeSPL=0&snpSPL=8&ucodeSPL=115",
      "https://cache/vcek/v1/Milan/" HWID "?blSPL=3&teeSPL=0&snpSPL=8&ucodeSPL=115" },
    { "none", "thim", "kds/vcek/v1/Milan/" HWID "?blSPL=3&teeSPL=0&snpSPL=8&ucodeSPL=115",
      "https://global.acccache.azure.net/SevSnpVM/certificates/" HWID "/7308000000000003?api-version=2020-10-15-preview" },
    { "none", "thim", "kds/vcek/v1/Milan/crl", NULL },
    { "none", "thim:http://169.254.169.254/metadata/THIM", "kds/vcek/v1/Milan/" HWID "?blSPL=3&teeSPL=0&snpSPL=8&ucodeSPL=115",
      "http://169.254.169.254/metadata/THIM/amd/certification" },
    { "pcs", "none", "sgx/qve/identity", "https://api.trustedservices.intel.com/sgx/certification/v4/qve/identity" },
    { "thim", "none", "sgx/qve/identity", NULL },
    { "pcs", "none", PCK "&encrypted_ppid=" PPID, "https://api.trustedservices.intel.com/sgx/certification/v4/pckcert?encrypted_ppid=" PPID "&cpusvn=" CPU "&pcesvn=0d00&pceid=0100" },
    { "pccs3:https://cache:8081", "none", PCK, "https://cache:8081/sgx/certification/v3/pckcert?qeid=" QE "&cpusvn=" CPU "&pcesvn=0d00&pceid=0100" },
    { "mirror:https://cache", "none", PCK "&encrypted_ppid=" PPID,
      "https://cache/sgx/certification/v4/pckcert?qeid=" QE "&encrypted_ppid=" PPID "&cpusvn=" CPU "&pcesvn=0d00&pceid=0100" },
    { "thim", "none", PCK, "https://global.acccache.azure.net/sgx/certification/v4/pckcert?qeid=" QE "&cpusvn=" CPU
      "&pcesvn=000d&pceid=0001&clientid=production_client&api-version=2021-07-22-preview" },
};

static bool read_sources(const char *intel, const char *amd, struct sources *ret, struct err *e)
{
    struct config c;

    return config_parse(bytes_str(arena_printf(&a, "[collateral]\nintel = %s\namd = %s\n", intel, amd)), &a, &c, e) && sources_read(&c, &a, ret, e);
}

static void url(void **state)
{
    const struct url_row *r = *state;
    struct sources s;
    struct need_key k;
    struct err e = { 0 };

    assert_ok(read_sources(r->intel, r->amd, &s, &e), &e);
    assert_int_equal(s.count, 1);
    assert_ok(need_key_parse(bytes_str(r->key), &k, &e), &e);
    assert_int_equal(source_serves(&s.list[0], &k), r->url != NULL);
    if (r->url != NULL)
        assert_string_equal(source_url(&s.list[0], &k, &a), r->url);
}

static void wrong_sources(void **state)
{
    static const char *const wrong[][2] = {
        { "pccs", "needs a URL" }, { "azure", "is no source of Intel collateral" }, { "pccs:ftp://x", "is no http or https URL" },
        { "pccs:https://a?b", "is no http or https URL" }, { "kds", "is no source of Intel collateral" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct sources s;
        struct err e = { 0 };

        assert_false(read_sources(wrong[i][0], "none", &s, &e));
        assert_refused(&e, ERR_USAGE, wrong[i][1]);
    }
}

/* The file with the subscription key: one line, nothing that could break out of a header. */
static void subscription_key(void **state)
{
    static const struct {
        const char *text, *why; /* NULL: good */
    } rows[] = {
        { "0123abcd", NULL }, { "0123abcd\n", NULL }, { "0123abcd\r\n", NULL }, { "", "has 0 characters" }, { "\n", "has 0 characters" },
        { "a b", "has a byte 0x20 at 1" }, { "a\nX-Evil: 1\n", "has a byte 0x0a at 1" }, { "caf\xc3\xa9", "has a byte 0xc3 at 3" },
    };
    char path[] = "/tmp/avouch-key-XXXXXX";
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct config c;
        struct sources s;
        struct err e = { 0 };

        assert_ok(file_write(path, bytes_str(rows[i].text), 0600, &e), &e);
        assert_ok(config_parse(bytes_str(arena_printf(&a, "[collateral]\nintel = pcs, pccs:https://cache\namd = none\npcs_key = %s\n", path)), &a, &c, &e), &e);
        if (rows[i].why != NULL) {
            assert_false(sources_read(&c, &a, &s, &e));
            assert_refused(&e, ERR_USAGE, rows[i].why);
            continue;
        }
        assert_ok(sources_read(&c, &a, &s, &e), &e);
        assert_string_equal(s.list[0].subscription_key, "0123abcd");
        assert_null(s.list[1].subscription_key); /* no other source gets it */
    }
    unlink(path);
}

/* -- bundles -- */

static struct record sample(const char *key)
{
    return (struct record){ .key = bytes_str(key), .source = LIT("pcs https://x"), .fetched = NOW, .max_age = 86400, .etag = LIT("\"7\""),
                            .bodies = { LIT("first"), LIT("second") }, .count = 2 };
}

static void bundle_round_trip(void **state)
{
    struct record in[] = { sample("sgx/rootcacrl"), sample("sgx/qe/identity") }, *out;
    struct bytes file = bundle_print(in, COUNT(in), &a);
    struct err e = { 0 };
    size_t n;

    (void)state;
    assert_ok(bundle_parse(file, &a, &out, &n, &e), &e);
    assert_int_equal(n, 2);
    for (size_t i = 0; i < n; i++) {
        assert_bytes_equal(out[i].key, in[i].key);
        assert_bytes_equal(out[i].source, in[i].source);
        assert_bytes_equal(out[i].etag, in[i].etag);
        assert_int_equal(out[i].fetched, NOW);
        assert_int_equal(out[i].max_age, 86400);
        assert_int_equal(out[i].count, 2);
        assert_bytes_equal(out[i].bodies[1], in[i].bodies[1]);
    }
    assert_bytes_equal(bundle_print(out, n, &a), file);
    assert_ok(bundle_parse(bundle_print(NULL, 0, &a), &a, &out, &n, &e), &e);
    assert_int_equal(n, 0);
}

static void bundle_damage(void **state)
{
    struct record in = sample("sgx/rootcacrl"), *out;
    struct bytes file = bundle_print(&in, 1, &a);
    uint8_t *copy = (uint8_t *)(uintptr_t)arena_copy(&a, file).p;
    size_t n;

    (void)state;
    for (size_t i = 0; i < file.n; i++) {
        struct err e = { 0 };

        assert_false(bundle_parse(bytes_part(file, 0, i), &a, &out, &n, &e));
        assert_int_equal(e.code, ERR_COLLATERAL_FORMAT);
        e = (struct err){ 0 };
        copy[i] ^= 0x20;
        assert_false(bundle_parse(bytes_of(copy, file.n), &a, &out, &n, &e));
        assert_int_equal(e.code, ERR_COLLATERAL_FORMAT);
        copy[i] ^= 0x20;
    }
}

/* A bundle with a right digest may still be nonsense inside. */
static void bundle_nonsense(void **state)
{
    static const struct {
        const char *inner;
        size_t n;
    } bad[] = { { "\xff\xff\xff\xff", 4 }, { "\x01\x00\x00\x00\x00", 5 }, { "\x02\x00\x00\x00\xff\x7f", 6 }, { "\x00\x00\x00\x00", 4 } };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct out o = out_open(&a);
        struct record *out;
        struct digest d;
        struct err e = { 0 };
        size_t n;

        out_text(&o, "AVOUCH COLLATERAL 1\n");
        out_bytes(&o, bytes_of(bad[i].inner, bad[i].n));
        d = sha256(out_view(&o));
        out_bytes(&o, digest_bytes(&d));
        assert_false(bundle_parse(out_view(&o), &a, &out, &n, &e));
        assert_int_equal(e.code, ERR_COLLATERAL_FORMAT);
    }
}

/* What goes out again as a header of a request must not bring another header with it. */
static void bundle_headers(void **state)
{
    static const char *const texts[] = { "\"1\"\r\nX-Other: 1", "\n", "a\x01", "a\x7f" };

    (void)state;
    for (size_t i = 0; i < 2 * COUNT(texts); i++) {
        struct record in = sample("sgx/rootcacrl"), *out;
        struct err e = { 0 };
        size_t n;

        *(i % 2 == 0 ? &in.etag : &in.modified) = bytes_str(texts[i / 2]);
        assert_false(bundle_parse(bundle_print(&in, 1, &a), &a, &out, &n, &e));
        assert_refused(&e, ERR_COLLATERAL_FORMAT, i % 2 == 0 ? "etag" : "last-modified");
    }
}

/* -- buckets -- */

static void bucket_rate(void **state)
{
    struct bucket b = bucket_open(10, 8, 0);
    uint64_t wait = 0;

    (void)state;
    for (int i = 0; i < 6; i++)
        assert_true(bucket_take(&b, false, 0, &wait));
    assert_false(bucket_take(&b, false, 0, &wait)); /* two are kept for what is known */
    assert_true(bucket_take(&b, true, 0, &wait));
    assert_true(bucket_take(&b, true, 0, &wait));
    assert_false(bucket_take(&b, true, 0, &wait));
    assert_in_range(wait, 100000, 102000);
    assert_true(bucket_take(&b, true, wait, &wait));
    assert_false(bucket_take(&b, false, 200000, &wait));
    for (int i = 0; i < 8; i++) /* never more than the burst */
        assert_true(bucket_take(&b, true, 3600ULL * 1000000, &wait));
    assert_false(bucket_take(&b, true, 3600ULL * 1000000, &wait));
}

static void backoff_grows(void **state)
{
    (void)state;
    for (unsigned f = 1; f < 40; f++) {
        uint64_t low = backoff_us(f, 1000, 64000, 0), high = backoff_us(f, 1000, 64000, UINT32_MAX);
        uint64_t full = f > 7 ? 64000 : (uint64_t)1000 << (f - 1);

        assert_int_equal(low, full / 2);
        assert_int_equal(high, full);
    }
    assert_in_range(backoff_us(1000000, 1, UINT64_MAX / 2, 7), 1, UINT64_MAX / 2);
}

static void breaker_life(void **state)
{
    struct breaker b = { 0 };

    (void)state;
    for (int i = 0; i < 20; i++) /* one platform's trouble */
        breaker_failure(&b, 7, 0, 0);
    assert_true(breaker_allows(&b, 0));
    breaker_failure(&b, 8, 0, 0);
    assert_true(breaker_allows(&b, 0));
    breaker_failure(&b, 9, 0, 0);
    assert_false(breaker_allows(&b, 0));
    assert_true(breaker_allows(&b, 500000)); /* half a second to a second */
    breaker_begin(&b, 500000);
    assert_false(breaker_allows(&b, 500001)); /* one probe at a time */
    breaker_failure(&b, 9, 600000, 0);
    assert_false(breaker_allows(&b, 600001));
    assert_true(breaker_allows(&b, 1600000));
    breaker_begin(&b, 1600000);
    breaker_success(&b);
    assert_true(breaker_allows(&b, 1600000));
    assert_int_equal(b.failures, 0);
    breaker_close(&b, 9000000);
    assert_false(breaker_allows(&b, 8999999));
    assert_true(breaker_allows(&b, 9000000));
}

/* -- the cache -- */

static struct store *cache_open(char *folder, struct trust *trust)
{
    struct pki_options o = pki_options(NOW);
    struct cert *root;
    struct err e = { 0 };
    size_t n;

    snprintf(folder, 64, "/tmp/avouch-cache-XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_ok(certs_read(pki_root_pem(pki, &o, &a), 1, "root", &a, &root, &n, &e), &e);
    *trust = (struct trust){ .anchors = root, .count = 1 };
    return store_new(folder, trust);
}

static void cache_close(struct store *s, const char *folder)
{
    store_free(s);
    (void)!system(arena_printf(&a, "rm -rf '%s'", folder));
}

static struct slot *slot_of(struct store *s, const char *key)
{
    struct need_key k;
    struct err e = { 0 };

    assert_ok(need_key_parse(bytes_str(key), &k, &e), &e);
    return store_slot(s, &k);
}

static struct record tcb_record(int64_t from, int64_t to, bool chain)
{
    struct pki_options o = pki_options(NOW);

    o.coll_from = from;
    o.coll_to = to;
    return (struct record){ .source = LIT("test"), .fetched = NOW, .bodies = { pki_tcb_info(pki, &o, &a), pki_tcb_chain(pki, &o, &a) },
                            .count = chain ? 2 : 1 };
}

#define TCB_KEY "sgx/tcb?fmspc=00a067110001"
#define DAY 86400

static void cache_generations(void **state)
{
    char folder[64];
    struct trust trust;
    struct store *s = cache_open(folder, &trust);
    struct slot *t = slot_of(s, TCB_KEY);
    struct record now = tcb_record(NOW - DAY, NOW + 29 * DAY, true), older = tcb_record(NOW - 2 * DAY, NOW + 60 * DAY, true),
                  newer = tcb_record(NOW, NOW + 30 * DAY, true), over = tcb_record(NOW - 60 * DAY, NOW - 30 * DAY, true),
                  bare = tcb_record(NOW, NOW + 30 * DAY, false);
    struct err e = { 0 };
    bool is_newer;

    (void)state;
    assert_ok(store_put(s, t, &now, ORIGIN_SOURCE, NOW, &is_newer, &e), &e);
    assert_true(is_newer);
    assert_int_equal(store_count(s), 1);
    /* half of 30 days, at most a twentieth of what is left sooner */
    assert_in_range(t->content->refresh_at, NOW + 13 * DAY, NOW + 14 * DAY);
    assert_false(store_put(s, t, &older, ORIGIN_SOURCE, NOW, &is_newer, &e));
    assert_refused(&e, ERR_COLLATERAL_EXPIRED, "older than what is there");
    e = (struct err){ 0 };
    assert_false(store_put(s, t, &over, ORIGIN_SOURCE, NOW, &is_newer, &e));
    assert_refused(&e, ERR_COLLATERAL_EXPIRED, "ended at 2025-12-02");
    e = (struct err){ 0 };
    assert_false(store_put(s, t, &bare, ORIGIN_SOURCE, NOW, &is_newer, &e));
    assert_refused(&e, ERR_COLLATERAL_MISSING, "without its issuer chain");
    e = (struct err){ 0 };
    assert_int_equal(t->content->v.from, NOW - DAY); /* nothing of that touched it */
    assert_ok(store_put(s, t, &newer, ORIGIN_SOURCE, NOW, &is_newer, &e), &e);
    assert_true(is_newer);
    assert_ok(store_put(s, t, &newer, ORIGIN_SOURCE, NOW, &is_newer, &e), &e);
    assert_false(is_newer);
    cache_close(s, folder);
}

/* When it was fetched is nobody's signed word: a file that says the future would never be refreshed. */
static void cache_fetched(void **state)
{
    static const int64_t times[] = { NOW + 400 * DAY, INT64_MAX, INT64_MIN, -1 };
    char folder[64];
    struct trust trust;
    struct store *s = cache_open(folder, &trust);
    struct slot *t = slot_of(s, TCB_KEY);

    (void)state;
    for (size_t i = 0; i < COUNT(times); i++) {
        struct record r = tcb_record(NOW - DAY, NOW + 29 * DAY, true);
        struct err e = { 0 };
        bool newer;

        r.fetched = times[i];
        assert_ok(store_put(s, t, &r, ORIGIN_CACHE, NOW, &newer, &e), &e);
        assert_int_equal(t->content->record.fetched, NOW);
        assert_in_range(t->content->refresh_at, NOW, NOW + 14 * DAY);
    }
    cache_close(s, folder);
}

/* What was written is there again; what a crash left half written is not, and is cleared away. */
static void cache_files(void **state)
{
    char folder[64];
    struct trust trust;
    struct store *s = cache_open(folder, &trust), *again;
    struct record now = tcb_record(NOW - DAY, NOW + 29 * DAY, true);
    struct err e = { 0 };
    const char *const *names;
    const char *left = arena_printf(&a, "%s/00.coll.new.1", folder);
    size_t count;
    bool newer;

    (void)state;
    assert_ok(store_put(s, slot_of(s, TCB_KEY), &now, ORIGIN_SOURCE, NOW, &newer, &e), &e);
    assert_ok(file_write(left, LIT("half"), 0600, &e), &e);
    again = store_new(folder, &trust);
    store_load(again, false, NOW);
    assert_int_equal(access(left, F_OK), 0); /* another process may be writing it */
    store_load(again, true, NOW);
    assert_int_equal(store_count(again), 1);
    assert_int_equal(slot_of(again, TCB_KEY)->content->v.to, NOW + 29 * DAY);
    assert_int_equal(access(left, F_OK), -1);
    store_free(again);
    again = store_new(folder, &trust); /* long after its end it is still there: the core judges, and knows of a grace */
    store_load(again, true, NOW + 35 * DAY);
    assert_int_equal(store_count(again), 1);
    store_drop(again, slot_of(again, TCB_KEY));
    assert_int_equal(store_count(again), 0);
    assert_ok(folder_list(folder, &a, &names, &count, &e), &e);
    assert_int_equal(count, 0);
    store_free(again);
    cache_close(s, folder);
}

/* Keys that somebody invents do not fill the memory, and do not push out what is there. */
static void cache_is_bounded(void **state)
{
    char folder[64];
    struct trust trust;
    struct store *s = cache_open(folder, &trust);
    struct record now = tcb_record(NOW - DAY, NOW + 29 * DAY, true);
    struct err e = { 0 };
    bool newer;

    (void)state;
    assert_ok(store_put(s, slot_of(s, TCB_KEY), &now, ORIGIN_SOURCE, NOW, &newer, &e), &e);
    for (unsigned i = 0; i < 10000; i++) {
        char key[64];

        snprintf(key, sizeof(key), "sgx/tcb?fmspc=%012x", i);
        assert_non_null(slot_of(s, key));
    }
    assert_int_equal(store_count(s), 1);
    assert_non_null(slot_of(s, TCB_KEY)->content);
    cache_close(s, folder);
}

/* Two encrypted PPIDs, one name: the slot keeps the latest for whoever is asked next, and may ask at once. */
static void ppid_is_no_name(void **state)
{
    char folder[64];
    struct trust trust;
    struct store *s = cache_open(folder, &trust);
    struct need_key k;
    struct slot *t;
    struct err e = { 0 };

    (void)state;
    assert_ok(need_key_parse(bytes_str(PCK), &k, &e), &e);
    t = store_slot(s, &k);
    assert_non_null(t);
    t->retry_us = 77;
    assert_ptr_equal(store_slot(s, &k), t);
    assert_int_equal(t->retry_us, 77);
    assert_ok(need_key_parse(LIT(PCK "&encrypted_ppid=" PPID), &k, &e), &e);
    assert_ptr_equal(store_slot(s, &k), t);
    assert_int_equal(t->need.ppid_size, 384);
    assert_int_equal(t->retry_us, 0);
    assert_string_equal(t->key, PCK);
    t->retry_us = 78;
    assert_ptr_equal(store_slot(s, &k), t); /* the same again changes nothing */
    assert_int_equal(t->retry_us, 78);
    cache_close(s, folder);
}

/* -- what is verified before it is kept -- */

static bool vet(const char *key, struct bytes item, struct bytes chain, const struct trust *trust, struct vetted *ret, struct err *e)
{
    struct record r = { .key = bytes_str(key), .source = LIT("test"), .fetched = NOW, .bodies = { item, chain }, .count = chain.n > 0 ? 2 : 1 };
    struct need_key k;

    *e = (struct err){ 0 };
    return need_key_parse(bytes_str(key), &k, e) && vet_record(&k, &r, trust, false, NOW, ret, e);
}

/* Each byte that is another and each end that is missing is noticed, with a reason. */
static void assert_damage_noticed(const char *key, struct bytes der, struct bytes chain, const struct trust *trust, size_t step)
{
    uint8_t *copy = (uint8_t *)(uintptr_t)arena_copy(&a, der).p;
    struct vetted v;
    struct err e;

    for (size_t i = 0; i < der.n; i += step) {
        copy[i] ^= 0x04;
        if (vet(key, bytes_of(copy, der.n), chain, trust, &v, &e))
            fail_msg("byte %zu of %zu is another, and nobody sees it", i, der.n);
        assert_int_not_equal(e.code, ERR_NONE);
        assert_true(e.why[0] != 0);
        copy[i] ^= 0x04;
        assert_false(vet(key, bytes_part(der, 0, i), chain, trust, &v, &e));
        assert_int_not_equal(e.code, ERR_NONE);
    }
}

static const struct chip_row {
    const char *line, *report, *vcek;
    bool has_fmc;
} chips[] = {
    { "Milan", "snp/milan-v2/report.bin", "snp/milan-v2/vcek.der", false },
    { "Genoa", "snp/genoa-v5/report.bin", "snp/genoa-v5/vcek.der", false },
    { "Turin", "snp/turin-v5/report.bin", "snp/turin-v5/vcek.pem", true },
};

/* Real chips up to AMD's own roots: by the key that their report asks for, and by the name that the certificate gives itself. */
static void real_chip(void **state)
{
    const struct chip_row *r = *state;
    struct bytes report, file, id, t;
    struct collateral_item item = { .kind = COLL_CERTS };
    struct need_key own[NEED_MAX_NAMES];
    struct cert *list;
    const char *key;
    struct vetted v;
    struct err e = { 0 };
    size_t n;

    if (test_vectors() == NULL)
        skip();
    report = test_vector(&a, r->report);
    file = test_vector(&a, r->vcek);
    id = bytes_part(report, 0x1a0, r->has_fmc ? 8 : 64);
    t = bytes_part(report, 0x180, 8);
    key = r->has_fmc ? arena_printf(&a, "kds/vcek/v1/%s/%s?fmcSPL=%u&blSPL=%u&teeSPL=%u&snpSPL=%u&ucodeSPL=%u", r->line,
                                    (const char *)hex_encode(&a, id).p, t.p[0], t.p[1], t.p[2], t.p[3], t.p[7])
                     : arena_printf(&a, "kds/vcek/v1/%s/%s?blSPL=%u&teeSPL=%u&snpSPL=%u&ucodeSPL=%u", r->line, (const char *)hex_encode(&a, id).p, t.p[0],
                                    t.p[1], t.p[6], t.p[7]);
    assert_ok(vet(key, file, (struct bytes){ NULL, 0 }, NULL, &v, &e), &e);
    assert_true(v.from < v.to && v.to > NOW);
    assert_ok(certs_read(file, 4, "VCEK", &a, &list, &n, &e), &e);
    assert_ok(need_keys_of(&item, &list[0], own, &n, &e), &e);
    assert_int_equal(n, 1);
    assert_string_equal(need_key_print(&own[0], &a), key);
    assert_false(vet(key, file, (struct bytes){ NULL, 0 }, &(struct trust){ .replace = true }, &v, &e)); /* only configured roots, and none is */
    assert_int_not_equal(e.code, ERR_NONE);
    assert_damage_noticed(key, list[0].der, (struct bytes){ NULL, 0 }, NULL, 3);
}

/* AMD's own CAs under AMD's own roots, of both kinds of leaves; nobody else's line. */
static void real_chain(void **state)
{
    static const char *const lines[] = { "Milan", "Genoa", "Turin" }, *const files[] = { "milan", "genoa", "turin" }, *const kinds[] = { "vcek", "vlek" },
                            *const cas[] = { "ask", "asvk" };

    (void)state;
    if (test_vectors() == NULL)
        skip();
    for (size_t i = 0; i < COUNT(lines); i++)
        for (size_t k = 0; k < COUNT(kinds); k++) {
            struct bytes ca = test_vector(&a, arena_printf(&a, "snp/roots/%s-%s.der", files[i], cas[k])),
                         ark = test_vector(&a, arena_printf(&a, "snp/roots/%s-ark.der", files[i]));
            const char *key = arena_printf(&a, "kds/%s/v1/%s/cert_chain", kinds[k], lines[i]);
            struct vetted v;
            struct err e;

            assert_ok(vet(key, ca, ark, NULL, &v, &e), &e);
            assert_false(vet(key, ark, ca, NULL, &v, &e)); /* the root is not what was asked for */
            assert_false(vet(arena_printf(&a, "kds/%s/v1/%s/cert_chain", kinds[k], lines[(i + 1) % 3]), ca, ark, NULL, &v, &e));
            assert_false(vet(arena_printf(&a, "kds/%s/v1/%s/cert_chain", kinds[1 - k], lines[i]), ca, ark, NULL, &v, &e));
            assert_damage_noticed(key, ca, ark, NULL, 5);
        }
}

/* A key usage of no bits, of which seven do not count: refused when it is read. */
static void empty_key_usage(void **state)
{
    static const uint8_t usual[] = { 0x04, 0x04, 0x03, 0x02, 0x01, 0x06 }, empty[] = { 0x04, 0x04, 0x03, 0x01, 0x07, 0x06 };
    struct pki_options o = pki_options(NOW);
    struct cert *list, c;
    struct err e = { 0 };
    uint8_t *copy, *at;
    size_t n;

    (void)state;
    assert_ok(certs_read(pki_root_pem(pki, &o, &a), 1, "root", &a, &list, &n, &e), &e);
    copy = (uint8_t *)(uintptr_t)arena_copy(&a, list[0].der).p;
    at = memmem(copy, list[0].der.n, usual, sizeof(usual));
    assert_non_null(at);
    memcpy(at, empty, sizeof(empty));
    assert_false(cert_parse(bytes_of(copy, list[0].der.n), "root", &c, &e));
    assert_refused(&e, ERR_CERT_FORMAT, "keyUsage");
}

static void pck_damage(void **state)
{
    struct pki_options o = pki_options(NOW);
    struct bytes all = pki_pck_chain(pki, &o, &a), issuers = { NULL, 0 };
    struct trust trust;
    struct cert *list;
    struct vetted v;
    struct err e = { 0 };
    char folder[64];
    struct store *s = cache_open(folder, &trust);
    size_t n;

    (void)state;
    cache_close(s, folder);
    assert_ok(certs_read(all, 3, "chain", &a, &list, &n, &e), &e);
    for (size_t i = 1; i < all.n && issuers.p == NULL; i++)
        if (memcmp(all.p + i, "-----BEGIN", 10) == 0)
            issuers = bytes_part(all, i, all.n);
    o.pce_id[0] = 0;
    assert_ok(vet("sgx/pckcert?qeid=" QE "&cpusvn=" CPU "&pcesvn=0d00&pceid=0000", list[0].der, issuers, &trust, &v, &e), &e);
    assert_int_equal(v.to, NOW + 365 * DAY);
    assert_damage_noticed("sgx/pckcert?qeid=" QE "&cpusvn=" CPU "&pcesvn=0d00&pceid=0000", list[0].der, issuers, &trust, 1);
    assert_false(vet("sgx/pckcert?qeid=" QE "&cpusvn=" CPU "&pcesvn=0c00&pceid=0000", list[0].der, issuers, &trust, &v, &e));
    assert_refused(&e, ERR_TCB_MISMATCH, "is of PCESVN 13, above the 12 that was asked for");
    assert_false(vet("sgx/pckcert?qeid=" QE "&cpusvn=" CPU "&pcesvn=0d00&pceid=0000", list[0].der, issuers, NULL, &v, &e));
    assert_refused(&e, ERR_UNTRUSTED_ROOT, "is not a trust anchor");
    assert_false(vet("sgx/pckcert?qeid=" QE "&cpusvn=" CPU "&pcesvn=0d00&pceid=0000", list[0].der, (struct bytes){ NULL, 0 }, &trust, &v, &e));
    assert_refused(&e, ERR_PCK_CHAIN_INVALID, "intermediate certificate is missing");
}

/* Invented TCBs of a real platform bring a certificate each: there is an end to what is kept of that, and to nothing else. */
static void pck_bounded(void **state)
{
    struct pki_options o = pki_options(NOW);
    struct bytes all = pki_pck_chain(pki, &o, &a);
    struct record r = { .source = LIT("test"), .fetched = NOW, .bodies = { all }, .count = 1 };
    char folder[64], key[160];
    struct trust trust;
    struct store *s = cache_open(folder, &trust);
    struct err e = { 0 };
    bool newer;
    unsigned n = 0;

    (void)state;
    for (;; n++) {
        snprintf(key, sizeof(key), "sgx/pckcert?qeid=" QE "&cpusvn=0707020201000000000000000000%04x&pcesvn=0d00&pceid=0000", n);
        if (!store_put(s, slot_of(s, key), &r, ORIGIN_CACHE, NOW, &newer, &e))
            break;
    }
    assert_refused(&e, ERR_LIMIT, "no more are kept");
    assert_int_equal(n, 16384);
    e = (struct err){ 0 };
    r = tcb_record(NOW - DAY, NOW + 29 * DAY, true);
    assert_ok(store_put(s, slot_of(s, TCB_KEY), &r, ORIGIN_CACHE, NOW, &newer, &e), &e);
    cache_close(s, folder);
}

int main(void)
{
    struct suite s = { 0 };
    int status;

    arena_init(&a, (size_t)1 << 30);
    pki = intel_pki_new();
    for (size_t i = 0; i < COUNT(key_rows); i++)
        suite_add(&s, arena_printf(&a, "key %s", key_rows[i].text), key_text, (void *)(uintptr_t)&key_rows[i]);
    for (size_t i = 0; i < COUNT(url_rows); i++)
        suite_add(&s, arena_printf(&a, "URL of %s %s for %s", url_rows[i].intel, url_rows[i].amd, url_rows[i].key), url, (void *)(uintptr_t)&url_rows[i]);
    suite_add(&s, "wrong sources", wrong_sources, NULL);
    suite_add(&s, "subscription key", subscription_key, NULL);
    suite_add(&s, "bundle round trip", bundle_round_trip, NULL);
    suite_add(&s, "bundle damaged", bundle_damage, NULL);
    suite_add(&s, "bundle of nonsense", bundle_nonsense, NULL);
    suite_add(&s, "bundle with lines in its header texts", bundle_headers, NULL);
    suite_add(&s, "bucket", bucket_rate, NULL);
    suite_add(&s, "backoff", backoff_grows, NULL);
    suite_add(&s, "breaker", breaker_life, NULL);
    suite_add(&s, "generations", cache_generations, NULL);
    suite_add(&s, "times of fetching", cache_fetched, NULL);
    suite_add(&s, "files", cache_files, NULL);
    suite_add(&s, "bounded", cache_is_bounded, NULL);
    suite_add(&s, "an encrypted PPID is no name", ppid_is_no_name, NULL);
    for (size_t i = 0; i < COUNT(chips); i++)
        suite_add(&s, arena_printf(&a, "VCEK of a real %s chip", chips[i].line), real_chip, (void *)(uintptr_t)&chips[i]);
    suite_add(&s, "CAs of AMD", real_chain, NULL);
    suite_add(&s, "certificate with an empty key usage", empty_key_usage, NULL);
    suite_add(&s, "PCK certificates, damaged", pck_damage, NULL);
    suite_add(&s, "PCK certificates, bounded", pck_bounded, NULL);
    status = suite_run("collateral", &s);
    intel_pki_free(pki);
    arena_done(&a);
    return status;
}
